"""How sctpx and the kernel meet: each way that packets can take, and each side as the one that connects."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

import sctpx
from tests.interop.kernel_peer import guest as place
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way

PORT: Final = 5001
PATIENCE: Final = 20.0
ALL_WAYS: Final = [Way(link, family, addresses) for link in ("raw", "udp") for family in (4, 6) for addresses in (1, 2)]
Config = dict[str, Any]
"""Fields of an ``AssociationConfig``."""
QUICK: Final[Config] = {
    "rto_initial": 0.2,
    "rto_min": 0.1,
    "rto_max": 0.5,
    "heartbeat_interval": 0.2,
    "path_max_retrans": 2,
}
"""Timers with which a failure and a recovery are a matter of a second."""


def ways(addresses: int | None = None) -> pytest.MarkDecorator:
    """The test runs over raw IP and UDP, IPv4 and IPv6, with one address and with two, or with so many."""
    chosen = [way for way in ALL_WAYS if addresses in (None, way.addresses)]
    return pytest.mark.parametrize("way", chosen, ids=str)


def ours(way: Way) -> list[str]:
    """Our addresses."""
    return (place.HOST_ADDRESSES if way.family == 4 else place.HOST_ADDRESSES_6)[: way.addresses]


def theirs(way: Way) -> list[str]:
    """The addresses of the guest."""
    return (place.GUEST_ADDRESSES if way.family == 4 else place.GUEST_ADDRESSES_6)[: way.addresses]


def link_of(address: str) -> int:
    """The number of the link that an address belongs to."""
    return next(
        link
        for link in place.LINKS
        for addresses in (
            place.HOST_ADDRESSES,
            place.HOST_ADDRESSES_6,
            place.GUEST_ADDRESSES,
            place.GUEST_ADDRESSES_6,
        )
        if addresses[link - 1] == address
    )


@dataclass
class Met:
    """An association and its two ends."""

    association: sctpx.Association
    peer: KernelPeer
    socket: int
    seconds: float
    """What setting it up took."""

    async def events(self, until: str) -> list[str]:
        """What the kernel notified of, up to the event of this name."""
        found: list[str] = (await self.peer.ask("events", socket=self.socket, until=until))["events"]
        return found


Meet = Callable[..., AbstractAsyncContextManager[Met]]


@asynccontextmanager
async def we_connect(
    peer: KernelPeer, way: Way, config: Config | None = None, theirs_have: Config | None = None, **options: Any
) -> AsyncIterator[Met]:
    """sctpx sets the association up."""
    listener = peer.open(theirs(way), port=PORT, listen=True, config=theirs_have, **options)
    peer.post("accept", socket=listener)
    begin = time.monotonic()
    association = await sctpx.connect(
        theirs(way), PORT, local=ours(way), link=way.link, config=sctpx.AssociationConfig(**(config or {}))
    )
    seconds = time.monotonic() - begin
    try:
        yield Met(association, peer, (await peer.answer())["socket"], seconds)
    finally:
        association.abort()


@asynccontextmanager
async def they_connect(
    peer: KernelPeer, way: Way, config: Config | None = None, theirs_have: Config | None = None, **options: Any
) -> AsyncIterator[Met]:
    """The kernel sets the association up."""
    settings = sctpx.AssociationConfig(**(config or {}))
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link, config=settings) as server:
        socket = peer.open(theirs(way), udp_port=server.udp_port, config=theirs_have, **options)
        peer.post("connectx", socket=socket, addresses=ours(way), port=PORT)
        association = await server.accept()
        seconds = (await peer.answer())["seconds"]
        try:
            yield Met(association, peer, socket, seconds)
        finally:
            association.abort()


both_ways = pytest.mark.parametrize("meet", [we_connect, they_connect])


async def receive_whole(association: sctpx.Association) -> sctpx.Message:
    """A message, put together if it comes in parts."""
    message = await association.recv()
    parts = [message.data]
    while message.more:
        message = await association.recv()
        parts.append(message.data)
    return message._replace(data=b"".join(parts))


@dataclass
class SocketsMet:
    """An association of our sockets."""

    sock: sctpx.Socket
    peer: KernelPeer
    socket: int
    seconds: float


MeetSockets = Callable[[KernelPeer, Way], AbstractContextManager[SocketsMet]]


def _bound(way: Way, port: int = 0) -> sctpx.Socket:
    family = sctpx.AF_INET if way.family == 4 else sctpx.AF_INET6
    sock = sctpx.socket(family, sctpx.SOCK_STREAM, link=way.link, udp_port=0 if way.link == "udp" else None)
    sock.settimeout(PATIENCE)
    sock.bindx(_at(ours(way), port))
    return sock


def _at(addresses: Sequence[str], port: int) -> list[tuple[str, int]]:
    return [(address, port) for address in addresses]


@contextmanager
def our_socket_connects(peer: KernelPeer, way: Way) -> Iterator[SocketsMet]:
    """sctpx sets the association up."""
    with _bound(way) as sock:
        peer.post("accept", socket=peer.open(theirs(way), port=PORT, listen=True))
        begin = time.monotonic()
        sock.connectx(_at(theirs(way), PORT))
        seconds = time.monotonic() - begin
        yield SocketsMet(sock, peer, peer.reply()["socket"], seconds)


@contextmanager
def our_socket_accepts(peer: KernelPeer, way: Way) -> Iterator[SocketsMet]:
    """The kernel sets the association up."""
    with _bound(way, PORT) as server:
        server.listen()
        socket = peer.open(theirs(way), udp_port=server.udp_port)
        peer.post("connectx", socket=socket, addresses=ours(way), port=PORT)
        sock, _ = server.accept()
        with sock:
            sock.settimeout(PATIENCE)
            yield SocketsMet(sock, peer, socket, peer.reply()["seconds"])


both_sockets = pytest.mark.parametrize("meet", [our_socket_connects, our_socket_accepts])
