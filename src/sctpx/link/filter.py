"""A link with scissors: packets to and from chosen addresses vanish, as if a cable had been cut.

It stands in front of any other link and is handed to an endpoint in its place, for demonstrations and tests:

    link = FilteredLink(UdpLink.open(["127.0.0.1", "127.0.0.2"]))
    endpoint = await sctpx.open_endpoint(link=link)
    ...
    link.cut("127.0.0.2")

An address may be ours or the peer's. Nobody is told: what is sent counts as sent, what arrives and the ICMP errors for
what was sent are dropped unread.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, final

from ..core.outputs import Transmit
from .addresses import AddressLike, parse_address
from .base import Link, Received, ReturnedPacket, read_ecn


@final
class FilteredSocket:
    """A socket of the link behind, for a driver that receives from ``socket`` by its own means."""

    __slots__ = ("_link", "inner")

    def __init__(self, link: FilteredLink, inner: Any) -> None:
        self._link = link
        self.inner = inner
        """The socket of the link behind."""

    @property
    def address(self) -> bytes:
        """The local IP address whose packets arrive here."""
        address: bytes = self.inner.address
        return address

    @property
    def socket(self) -> socket.socket:
        """The socket itself."""
        sock: socket.socket = self.inner.socket
        return sock

    def fileno(self) -> int:
        """The file descriptor to select on; -1 once closed."""
        descriptor: int = self.inner.fileno()
        return descriptor

    def received(self, data: bytes, source: Any) -> Received:
        """A datagram in the core's terms; without data if it is dropped."""
        batch: Received = self.inner.received(data, source)
        local, remote, port, data, segment, ecn = batch
        return batch if self._link.passes(local, remote) else (local, remote, port, b"", segment, ecn)


@final
class FilteredLink:
    """A link that drops packets to and from the addresses that are cut."""

    def __init__(self, inner: Link[Any]) -> None:
        self.inner = inner
        """The link behind; closed with this one."""
        self._cut: set[bytes] = set()
        self._sockets: dict[Any, FilteredSocket] = {}

    def cut(self, *addresses: AddressLike) -> None:
        """Drop whatever comes from or goes to these addresses from now on."""
        self._cut.update(map(parse_address, addresses))

    def heal(self, *addresses: AddressLike) -> None:
        """Let packets of these addresses through again; without an argument, of all."""
        self._cut.difference_update(list(map(parse_address, addresses)) or list(self._cut))

    def passes(self, local: bytes, remote: bytes) -> bool:
        """Whether a packet between these addresses gets through."""
        return local not in self._cut and remote not in self._cut

    @property
    def ecn(self) -> bool:
        """The ECN bits are read and set."""
        return bool(getattr(self.inner, "ecn", False))

    def read_ecn(self) -> bool:
        """Have the link behind read and set the ECN bits from now on: whether it does."""
        return read_ecn(self.inner)

    @property
    def forbids_fragments(self) -> bool:
        """IP can be told not to fragment packets."""
        return bool(getattr(self.inner, "forbids_fragments", False))

    @property
    def port(self) -> int:
        """The UDP port of the link behind."""
        return self.inner.port

    @property
    def addresses(self) -> list[bytes]:
        """The local addresses of the link behind."""
        return self.inner.addresses

    @property
    def sockets(self) -> Sequence[FilteredSocket]:
        """The sockets of the link behind."""
        return [self._filtered(inner) for inner in self.inner.sockets]

    def _filtered(self, inner: Any) -> FilteredSocket:
        if inner not in self._sockets:
            self._sockets[inner] = FilteredSocket(self, inner)
        return self._sockets[inner]

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address."""
        self.inner.add_address(address)

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer."""
        for inner in [inner for inner in self._sockets if inner.address == address]:
            del self._sockets[inner]
        self.inner.remove_address(address)

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Take an SCTP port at these local addresses."""
        self.inner.open_port(port, addresses)

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Give an SCTP port up at these local addresses, or at all."""
        self.inner.close_port(port, addresses)

    def socket_for(self, transmit: Transmit) -> FilteredSocket | None:
        """The socket a Transmit leaves by."""
        inner = self.inner.socket_for(transmit)
        return None if inner is None else self._filtered(inner)

    def receive(self, sock: FilteredSocket, budget: int = 8) -> list[Received]:
        """What has arrived and is let through."""
        return self._passing(self.inner.receive(sock.inner, budget))

    def _passing(self, batches: Iterable[Received]) -> list[Received]:
        return [batch for batch in batches if self.passes(batch[0], batch[1])]

    def receive_errors(self, sock: FilteredSocket) -> list[ReturnedPacket]:
        """The ICMP errors that are let through."""
        return [error for error in self.inner.receive_errors(sock.inner) if self.passes(sock.address, error[0])]

    def send(self, transmit: Transmit) -> int:
        """Send a Transmit, or only say so."""
        local = transmit.local
        if self._cut and not local:
            sock = self.inner.socket_for(transmit)
            local = sock.address if sock is not None else b""
        return self.inner.send(transmit) if self.passes(local, transmit.remote) else 0

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        """The largest IP packet for a destination."""
        return self.inner.max_packet(remote, local, anew)

    def close(self) -> None:
        """Close the link behind."""
        self.inner.close()
