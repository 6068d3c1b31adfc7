"""One link made of two: raw IP beside UDP, for a stack whose peers are reached in either way.

What a peer is reached by is told by the UDP port that the core keeps for each of the peer's addresses: a Transmit with
a UDP port leaves by the UDP link, one with port 0 by the raw link. What arrives tells in the same way how it came.
Both links have the same local addresses, and the SCTP ports of the stack are open on both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final, final

if sys.platform != "win32":
    import resource

from ..core.outputs import Transmit
from .addresses import AddressLike
from .base import Link, LinkSocket, Received, ReturnedPacket, read_ecn
from .raw import RawLink

_PORT: Final = 2
"""Where a ``Received`` has the UDP port it came from."""


def _most_descriptors() -> int:
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


@final
class SeveralLinks:
    """A raw link and a UDP link as one. See ``base.Link`` for what the methods promise."""

    def __init__(self, raw: RawLink, udp: Link[Any]) -> None:
        """``raw`` carries packets without a UDP port, ``udp`` those with one. Both are closed with this link."""
        self.raw = raw
        self.udp = udp
        self._carriers: dict[LinkSocket, Link[Any]] = {}
        self._note_sockets()

    def _note_sockets(self) -> None:
        self._carriers = {sock: link for link in (self.raw, self.udp) for sock in link.sockets}

    def _carrier(self, transmit: Transmit) -> Link[Any]:
        return self.udp if transmit.port else self.raw

    @property
    def port(self) -> int:
        """Our UDP port; what goes by raw IP has none."""
        return self.udp.port

    @property
    def ecn(self) -> bool:
        """Both read and set the ECN bits."""
        return self.raw.ecn and bool(getattr(self.udp, "ecn", False))

    def read_ecn(self) -> bool:
        """Have both read and set the ECN bits from now on: whether they do."""
        return read_ecn(self.udp) and self.raw.read_ecn()

    @property
    def forbids_fragments(self) -> bool:
        """Both can tell IP not to fragment packets."""
        return self.raw.forbids_fragments and bool(getattr(self.udp, "forbids_fragments", False))

    @property
    def addresses(self) -> list[bytes]:
        """The local addresses that both links have."""
        other = self.udp.addresses
        return [ip for ip in self.raw.addresses if ip in other]

    @property
    def sockets(self) -> list[LinkSocket]:
        """The sockets of both links."""
        return list(self._carriers)

    @property
    def crowded(self) -> bool:
        """Native SCTP ports have taken as many file descriptors as a program that did not ask for it can spare.

        That is half of those it may have.
        """
        return self.raw.ports_open * 2 > _most_descriptors()

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address in both ways, or in none. ``OSError`` as the two links say."""
        before = self.udp.addresses
        self.udp.add_address(address)
        try:
            self.raw.add_address(address)
        except OSError:
            for ip in self.udp.addresses:
                if ip not in before:
                    self.udp.remove_address(ip)
            raise
        self._note_sockets()

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer, in either way."""
        self.udp.remove_address(address)
        self.raw.remove_address(address)
        self._note_sockets()

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Take an SCTP port on both links, or on neither. ``OSError`` as they say."""
        wanted = list(addresses)
        self.udp.open_port(port, wanted)
        try:
            self.raw.open_port(port, wanted)
        except OSError:
            self.udp.close_port(port, wanted)
            raise

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Give an SCTP port up on both links, at these addresses or at all."""
        wanted = None if addresses is None else list(addresses)
        self.raw.close_port(port, wanted)
        self.udp.close_port(port, wanted)

    def socket_for(self, transmit: Transmit) -> LinkSocket | None:
        """The socket a Transmit leaves by."""
        sock: LinkSocket | None = self._carrier(transmit).socket_for(transmit)
        return sock

    def receive(self, sock: LinkSocket, budget: int = 8) -> list[Received]:
        """What has arrived on a socket of either link, but for UDP datagrams without a source port.

        Those could not be answered (RFC 768), and would pass for packets of raw IP.
        """
        carrier = self._carriers[sock]
        batches = carrier.receive(sock, budget)
        return batches if carrier is self.raw else [batch for batch in batches if batch[_PORT]]

    def receive_errors(self, sock: LinkSocket) -> list[ReturnedPacket]:
        """The ICMP errors that came back to a socket of either link."""
        return self._carriers[sock].receive_errors(sock)

    def send(self, transmit: Transmit) -> int:
        """Send the packets of a Transmit, by UDP if it has a UDP port."""
        return self._carrier(transmit).send(transmit)

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        """The largest IP packet for a destination that both links can send."""
        return min(link.max_packet(remote, local, anew) for link in (self.raw, self.udp))

    def close(self) -> None:
        """Close both links."""
        self.raw.close()
        self.udp.close()
