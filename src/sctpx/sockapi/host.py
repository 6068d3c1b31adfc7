"""What sockets need of the system they run on: a real one, with threads and UDP sockets, or a simulated one.

This package says what the calls of sockets mean, and does no I/O. Two interfaces connect it with a system. A
``StackDriver`` runs one ``Stack`` of the core and carries the packets of the stack. A ``SocketHost`` opens such drivers
and answers what only a system knows: the time, the local addresses, and what names stand for. One thread at a time
calls the methods of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..core.stack import Stack

if TYPE_CHECKING:
    from .ports import Ports


class StackDriver(Protocol):
    """Runs one stack of the core."""

    @property
    def stack(self) -> Stack:
        """The stack. After a change in the stack, ``flush`` is to be called."""

    @property
    def ports(self) -> Ports:
        """The users of the SCTP ports of the stack. When the last user is gone, the driver closes itself."""

    @property
    def closed(self) -> bool:
        """The driver has closed itself, and runs nothing any more."""

    @property
    def udp_port(self) -> int:
        """The UDP port of this side (RFC 6951); 0 if packets travel without UDP."""

    @property
    def native_too(self) -> bool:
        """Packets travel without UDP as well."""

    def now(self) -> int:
        """The time, ns. Never goes back."""

    def flush(self) -> None:
        """Send the packets of the stack, and pass its events on."""

    def add_address(self, address: bytes) -> None:
        """Carry packets of one more local address, packed. ``OSError``: EADDRINUSE, EADDRNOTAVAIL."""

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer; nothing if it is none."""

    def watch_addresses(self) -> None:
        """From now on, tell ``ports`` whenever the addresses of the host may have changed."""

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Carry packets of an SCTP port at these of the local addresses, packed; at more of them later.

        ``OSError`` (EADDRINUSE) if another program of the host has the port there: then it is opened at none.
        """

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Carry no more packets of an SCTP port at these local addresses, or at any."""


class NameHost(Protocol):
    """What every socket needs of its host, whoever carries its associations."""

    def now(self) -> int:
        """The time, ns."""

    def zoned(self, ip: bytes) -> bytes:
        """A packed address; a link-local one without zone with the zone that must be meant, if that is clear."""

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

    @property
    def races(self) -> bool:
        """Peers are to be asked natively, too, where nobody named a UDP port."""

    def client_driver(self, addresses: Sequence[bytes]) -> StackDriver:
        """A driver with these local addresses at least, on the UDP port that is shared by sockets which chose none.

        ``OSError``: EADDRNOTAVAIL, EADDRINUSE.
        """

    def port_driver(self, addresses: Sequence[bytes], udp_port: int, port: int) -> StackDriver:
        """A driver with these local addresses at least, on this UDP port; 0 for a free one that nobody else uses.

        ``port`` is the SCTP port it is wanted for, 0 for any.

        ``OSError``: EADDRINUSE (another program has the port), EADDRNOTAVAIL.
        """

    def drivers(self) -> Iterable[StackDriver]:
        """All drivers of this program."""

    def source_for(self, peer: bytes) -> bytes:
        """The local address, packed, that packets to an IP address would leave from. ``OSError`` if there is no way."""

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        """Those of the bound addresses that a peer with these addresses is told. All addresses are packed."""
