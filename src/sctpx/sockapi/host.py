"""What sockets need of their surroundings, and get from whoever lets them run: threads and UDP, or a simulation.

Two interfaces stand between the meaning of sockets, which is in this package, and the world. A ``StackDriver`` runs
one ``Stack`` of the core and carries its packets; ``SocketHost`` opens such drivers and knows what else only the
system knows: the time, local addresses, and what names stand for. Everything is called by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..core.stack import Stack

if TYPE_CHECKING:
    from .port import Ports


class StackDriver(Protocol):
    """Runs one stack of the core."""

    @property
    def stack(self) -> Stack:
        """What it runs. Whoever changes something in the stack calls ``flush`` afterwards."""

    @property
    def ports(self) -> Ports:
        """Who has which SCTP port of the stack. When nobody has one any more, the driver closes itself."""

    @property
    def closed(self) -> bool:
        """It has closed itself, and runs nothing any more."""

    @property
    def udp_port(self) -> int:
        """The UDP port of this side (RFC 6951); 0 if packets travel without UDP."""

    def now(self) -> int:
        """The time, ns. Never goes back."""

    def flush(self) -> None:
        """Send what the stack has to send, and pass on what it has to tell."""

    def add_address(self, address: bytes) -> None:
        """Carry packets of one more local address, packed. ``OSError``: EADDRINUSE, EADDRNOTAVAIL."""

    def max_packet(self, local: bytes) -> int:
        """The largest IP packet that can be sent from a local address, bytes with all headers."""


class NameHost(Protocol):
    """What every socket needs of its host, whoever carries its associations."""

    def now(self) -> int:
        """The time, ns."""

    def wildcard_addresses(self, wildcard: bytes) -> Sequence[bytes]:
        """The local addresses, packed, that ``0.0.0.0`` or ``::`` (packed) stands for at this moment."""

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        """The addresses, packed, that a host name stands for; IPv4 ones only without ``ipv6``. It may take long.

        ``OSError`` (``socket.gaierror``) if there are none, EINVAL for what is no name.
        """


class SocketHost(NameHost, Protocol):
    """The host that sockets over the core live on."""

    @property
    def usual_udp_port(self) -> int:
        """The UDP port where peers expect a listener: 9899 (RFC 6951 section 5.1), 0 if packets travel without UDP."""

    def client_driver(self, addresses: Sequence[bytes]) -> StackDriver:
        """A driver with these local addresses at least, on a UDP port that all who do not care for theirs share.

        ``OSError``: EADDRNOTAVAIL, EADDRINUSE.
        """

    def port_driver(self, addresses: Sequence[bytes], udp_port: int) -> StackDriver:
        """A driver with these local addresses at least, on this UDP port; 0 for a free one that nobody else uses.

        ``OSError``: EADDRINUSE (another program has the port), EADDRNOTAVAIL.
        """

    def drivers(self) -> Iterable[StackDriver]:
        """All drivers of this program."""

    def source_for(self, peer: str) -> bytes:
        """The local address, packed, that packets to an IP address would leave from. ``OSError`` if there is no way."""

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        """Which of our addresses a peer that is known by these addresses is told, all of them packed."""
