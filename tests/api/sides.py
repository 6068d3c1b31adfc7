"""One face for all APIs: what a test says of an association holds for asyncio, for sockets and for simulated sockets.

A ``Side`` is one end of an association. Calls of sockets wait in a thread, as programs would have them wait; those of
simulated sockets let virtual time pass.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, NamedTuple, Protocol

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.link import LinkKind
from tests.api import support
from tests.api.sockets.support import REAL_TIME, RealTime, VirtualTime
from tests.api.support import PORT


class Arrived(NamedTuple):
    """A message, or a part of one."""

    data: bytes
    stream: int
    ppid: int
    unordered: bool
    more: bool


class Side(Protocol):
    """One end of an association."""

    async def send(self, data: bytes, stream: int = 0, ppid: int = 0, unordered: bool = False) -> None:
        """Send a message."""

    async def recv(self) -> Arrived | None:
        """The next message or part; ``None`` at the graceful end."""

    async def shut_down(self) -> None:
        """Ask for a graceful end."""

    def abort(self, reason: bytes) -> None:
        """End at once."""

    async def close(self) -> None:
        """Leave."""

    def streams(self) -> tuple[int, int]:
        """Outbound and inbound."""

    def addresses(self) -> tuple[list[str], list[str]]:
        """Ours and the peer's."""

    def report(self) -> list[tuple[str, str, bool]]:
        """What each address answered when setting up, and whether it was kept."""


class AsyncSide:
    """With asyncio."""

    def __init__(self, association: sctpx.Association) -> None:
        self._association = association

    async def send(self, data: bytes, stream: int = 0, ppid: int = 0, unordered: bool = False) -> None:
        await self._association.send(data, stream=stream, ppid=ppid, unordered=unordered)

    async def recv(self) -> Arrived | None:
        try:
            message = await self._association.recv()
        except sctpx.AssociationClosed:
            return None
        return Arrived(message.data, message.stream, message.ppid, message.unordered, message.more)

    async def shut_down(self) -> None:
        await self._association.shutdown()

    def abort(self, reason: bytes) -> None:
        self._association.abort(reason)

    async def close(self) -> None:
        await self._association.close()

    def streams(self) -> tuple[int, int]:
        return self._association.outbound_streams, self._association.inbound_streams

    def addresses(self) -> tuple[list[str], list[str]]:
        return self._association.local_addresses, self._association.peer_addresses

    def report(self) -> list[tuple[str, str, bool]]:
        return [(entry.address, entry.answer, entry.kept) for entry in self._association.report]


class SocketSide:
    """With a one-to-one socket."""

    def __init__(self, sock: sctpx.Socket, kind: RealTime | VirtualTime) -> None:
        self._sock = sock
        self._kind = kind

    async def send(self, data: bytes, stream: int = 0, ppid: int = 0, unordered: bool = False) -> None:
        info = s.SndInfo(snd_sid=stream, snd_ppid=ppid, snd_flags=c.SCTP_UNORDERED if unordered else 0)
        await self._kind.call(lambda: self._sock.sendv(data, info=info))

    async def recv(self) -> Arrived | None:
        data, _, info, flags = await self._kind.call(lambda: sctpx.sctp_recvmsg(self._sock, 1 << 24))
        if info is None:
            return None
        unordered = info.sinfo_flags & c.SCTP_UNORDERED != 0
        return Arrived(data, info.sinfo_stream, info.sinfo_ppid, unordered, not flags & c.MSG_EOR)

    async def shut_down(self) -> None:
        self._sock.shutdown(sctpx.SHUT_WR)

    def abort(self, reason: bytes) -> None:
        sctpx.sctp_sendmsg(self._sock, reason, flags=c.SCTP_ABORT)

    async def close(self) -> None:
        self._sock.close()

    def streams(self) -> tuple[int, int]:
        status = self._sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS)
        return status.sstat_outstrms, status.sstat_instrms

    def addresses(self) -> tuple[list[str], list[str]]:
        return [entry[0] for entry in self._sock.getladdrs()], [entry[0] for entry in self._sock.getpaddrs()]

    def report(self) -> list[tuple[str, str, bool]]:
        return [(entry.address, entry.answer, entry.kept) for entry in self._sock.report()]


class Api(Protocol):
    """How associations are set up."""

    event_loop: str
    """The name of the event loop that the test runs in."""

    async def connect(
        self,
        hosts: Sequence[str | sctpx.Address],
        udp_port: int,
        *,
        port: int = PORT,
        streams: int = 10,
        timeout: float | None = None,
    ) -> Side:
        """Associate with a peer."""

    def listening(self, hosts: Sequence[str], *, streams: int = 10) -> Any:
        """A context with something that listens: its UDP port, and how to accept the next association."""

    def closed_udp_port(self) -> int:
        """A UDP port nobody has."""

    def silent(self, udp_port: int, *addresses: str) -> AbstractContextManager[None]:
        """Addresses that take what is sent to this UDP port and never answer."""


class Asyncio:
    """asyncio, in the event loop of this name. ``link`` says how packets travel."""

    def __init__(self, event_loop: str, link: LinkKind = "udp") -> None:
        self.event_loop = event_loop
        self._link: LinkKind = link

    async def connect(
        self,
        hosts: Sequence[str | sctpx.Address],
        udp_port: int,
        *,
        port: int = PORT,
        streams: int = 10,
        timeout: float | None = None,
    ) -> Side:
        ways: dict[str, Any] = {"link": self._link, "peer_udp_port": udp_port}
        return AsyncSide(await sctpx.connect(hosts, port, streams=streams, timeout=timeout, **ways))

    @asynccontextmanager
    async def listening(self, hosts: Sequence[str], *, streams: int = 10) -> AsyncIterator[tuple[int, Any]]:
        async with await sctpx.start_server(None, hosts, PORT, udp_port=0, streams=streams, link=self._link) as server:

            async def accept() -> Side:
                return AsyncSide(await server.accept())

            yield server.udp_port, accept

    def closed_udp_port(self) -> int:
        return support.closed_udp_port()

    def silent(self, udp_port: int, *addresses: str) -> AbstractContextManager[None]:
        return support.silent(udp_port, *addresses)


class Sockets:
    """Sockets, in real time or in virtual time."""

    event_loop = "asyncio"

    def __init__(self, kind: RealTime | VirtualTime = REAL_TIME) -> None:
        self._kind = kind
        self.closed_udp_port = kind.closed_udp_port
        self.silent = kind.silent

    async def connect(
        self,
        hosts: Sequence[str | sctpx.Address],
        udp_port: int,
        *,
        port: int = PORT,
        streams: int = 10,
        timeout: float | None = None,
    ) -> Side:
        config = sctpx.AssociationConfig(streams=streams)
        sock = self._kind.socket(peer_udp_port=udp_port, config=config)
        sock.settimeout(timeout)
        listed: Any = [(host, port) for host in hosts]
        try:
            await self._kind.call(lambda: sctpx.sctp_connectx(sock, listed))
        except OSError:
            sock.close()
            raise
        sock.settimeout(None)
        return SocketSide(sock, self._kind)

    @asynccontextmanager
    async def listening(self, hosts: Sequence[str], *, streams: int = 10) -> AsyncIterator[tuple[int, Any]]:
        with self._kind.socket(udp_port=0, config=sctpx.AssociationConfig(streams=streams)) as server:
            server.bindx([(host, PORT) for host in hosts])
            server.listen()

            async def accept() -> Side:
                return SocketSide((await self._kind.call(server.accept))[0], self._kind)

            yield server.udp_port, accept


class Ends(NamedTuple):
    """Both sides: ``a`` connected, ``b`` listened."""

    a: Side
    b: Side


@asynccontextmanager
async def ends(api: Api, hosts: Sequence[str] = ("127.0.0.1",), *, client: int = 10, server: int = 10) -> Any:
    """An association; ``client`` and ``server`` are the streams they ask for."""
    async with api.listening(hosts, streams=server) as (udp_port, accept):
        a = await api.connect(hosts, udp_port, streams=client)
        b = await accept()
        try:
            yield Ends(a, b)
        finally:
            await a.close()
            await b.close()
