"""Sockets of one host, listening, connected, in threads: in real time on loopback, or in virtual time.

The bodies of the tests are the same for both: ``new_socket`` and ``Thread`` make what the ``Kind`` of sockets in use
has. A test that needs descriptors, processes or the real network is marked ``real_time``.
"""

from __future__ import annotations

import asyncio
import gc
import select
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.blocking.hub import hub
from sctpx.link import LinkKind
from sctpx.testing import Network, Packet, SimulatedSocket, Task
from tests.api import support

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PORT = 5000
HOST = "127.0.0.1"
HERE = (HOST, PORT)
IPPROTO_SCTP = c.IPPROTO_SCTP
A_PACKET = 1500
STEP = 0.005
"""Seconds of virtual time that pass at once while coroutines wait."""


# --- two kinds of sockets ---


class Kind(Protocol):
    """How sockets are made, and what goes on beside them."""

    def socket(self, *arguments: Any, **options: Any) -> sctpx.Socket:
        """A new socket."""

    def thread(self, call: Callable[[], T]) -> Running[T]:
        """A call that goes on beside the test."""

    def closed_udp_port(self) -> int:
        """A UDP port nobody has."""

    def silent(self, udp_port: int, *addresses: str) -> AbstractContextManager[None]:
        """Addresses that take what is sent to this UDP port and never answer."""

    def is_writable(self, sock: sctpx.Socket, seconds: float) -> bool:
        """Whether the socket can be written to, or could be in time."""


class Running(Protocol[T_co]):
    """A call that goes on beside the test."""

    def result(self) -> T_co:
        """What it returned; raises what it raised."""


class RealTime:
    """The sockets that users have. ``link`` says how their packets travel."""

    def __init__(self, link: LinkKind = "udp") -> None:
        self._link: LinkKind = link

    def socket(self, *arguments: Any, **options: Any) -> sctpx.Socket:
        return sctpx.socket(*arguments, link=self._link, **options)

    def thread(self, call: Callable[[], T]) -> Running[T]:
        return RealThread(call)

    async def call(self, call: Callable[[], T]) -> T:
        """Await what a call returns that waits."""
        return await asyncio.to_thread(call)

    def closed_udp_port(self) -> int:
        return support.closed_udp_port()

    def silent(self, udp_port: int, *addresses: str) -> AbstractContextManager[None]:
        return support.silent(udp_port, *addresses)

    def is_writable(self, sock: sctpx.Socket, seconds: float) -> bool:
        return select.select([], [sock], [], seconds)[1] == [sock]


class VirtualTime:
    """Simulated sockets, all on one host."""

    def __init__(self) -> None:
        self.network = Network(seed=1)
        self._host = self.network.add_host("here", [*(f"127.0.0.{number}" for number in range(1, 10)), "::1"])
        self._closed_udp_port = 7

    def socket(self, *arguments: Any, **options: Any) -> Any:
        return self._host.socket(*arguments, **options)

    def thread(self, call: Callable[[], T]) -> Task[T]:
        return self.network.spawn(call)

    async def call(self, call: Callable[[], T]) -> T:
        """Await what a call returns that waits. Virtual time passes in small steps, between which others go on."""
        task = self.network.spawn(call)
        while not task.done:
            await asyncio.sleep(0)
            self.network.run_for(STEP)
        return task.result()

    def closed_udp_port(self) -> int:
        return self._closed_udp_port

    @contextmanager
    def silent(self, udp_port: int, *addresses: str) -> Iterator[None]:
        def pass_on(packet: Packet) -> bool:
            return packet.destination_port != udp_port or packet.destination_text not in addresses

        self.network.filters.append(pass_on)
        yield
        self.network.filters.remove(pass_on)

    def is_writable(self, sock: Any, seconds: float) -> bool:
        assert isinstance(sock, SimulatedSocket)
        if seconds:
            self.network.run(lambda: sock.writable, seconds)
        return sock.writable


REAL_TIME = RealTime()
_kinds: list[Kind] = [REAL_TIME]


@contextmanager
def using(kind: Kind) -> Iterator[None]:
    """Have sockets of this kind made."""
    _kinds.append(kind)
    try:
        yield
    finally:
        _kinds.remove(kind)


def new_socket(*arguments: Any, **options: Any) -> sctpx.Socket:
    """A socket of the kind in use, with the arguments of ``sctpx.socket``."""
    return _kinds[-1].socket(*arguments, **options)


def Thread(call: Callable[[], T]) -> Running[T]:  # noqa: N802 - what it makes
    """A call that goes on beside the test."""
    return _kinds[-1].thread(call)


def closed_udp_port() -> int:
    """A UDP port nobody has."""
    return _kinds[-1].closed_udp_port()


def silent(udp_port: int, *addresses: str) -> AbstractContextManager[None]:
    """Addresses that take what is sent to this UDP port and never answer."""
    return _kinds[-1].silent(udp_port, *addresses)


def is_writable(sock: sctpx.Socket, seconds: float = 0) -> bool:
    """Whether the socket can be written to, or could be in time."""
    return _kinds[-1].is_writable(sock, seconds)


# --- in some state ---


class Pair(NamedTuple):
    """Both sides of an association: ``a`` connected, ``b`` was accepted."""

    a: sctpx.Socket
    b: sctpx.Socket


@contextmanager
def listening(
    style: int = sctpx.SOCK_STREAM, address: Any = HERE, backlog: int = 128, **options: Any
) -> Iterator[sctpx.Socket]:
    """A socket that listens, on a UDP port of its own."""
    with new_socket(sctpx.AF_INET, style, **{"udp_port": 0, **options}) as sock:
        sock.bind(address)
        sock.listen(backlog)
        yield sock


@contextmanager
def client(server: sctpx.Socket, style: int = sctpx.SOCK_STREAM, **options: Any) -> Iterator[sctpx.Socket]:
    """A socket that sends to the UDP port of that one."""
    with new_socket(server.family, style, peer_udp_port=server.udp_port, **options) as sock:
        yield sock


@contextmanager
def connected(
    prepare: Callable[[sctpx.Socket], object] = lambda sock: None,
    configure: Callable[[sctpx.Socket], object] = lambda sock: None,
) -> Iterator[Pair]:
    """An association between one-to-one sockets; ``prepare`` sees the one that connects, ``configure`` the listener."""
    with listening() as server, client(server) as a:
        configure(server)
        prepare(a)
        a.connect(HERE)
        with accepted(server) as b:
            yield Pair(a, b)


@contextmanager
def accepted(server: sctpx.Socket) -> Iterator[sctpx.Socket]:
    """The next association of a socket that listens."""
    sock, _ = server.accept()
    with sock:
        yield sock


class Many(NamedTuple):
    """Two one-to-many sockets, associated, and the ids both have for that."""

    a: sctpx.Socket
    b: sctpx.Socket
    a_id: int
    b_id: int


@contextmanager
def associated() -> Iterator[Many]:
    """An association between two one-to-many sockets that know nothing of notifications."""
    with listening(sctpx.SOCK_SEQPACKET) as b, client(b, sctpx.SOCK_SEQPACKET) as a:
        subscribe(b, c.SCTP_ASSOC_CHANGE)
        a_id = a.connectx([HERE])
        up = b.recvv(1000).notification
        assert isinstance(up, s.AssocChange)
        subscribe(b, c.SCTP_ASSOC_CHANGE, on=0)
        b.setsockopt(IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_assoc_id=up.sac_assoc_id, se_type=c.SCTP_ASSOC_CHANGE))
        yield Many(a, b, a_id, up.sac_assoc_id)


def subscribe(sock: sctpx.Socket, *types: int, on: int = 1) -> None:
    """Ask for notifications of future associations, or on a one-to-one socket, of its own."""
    for kind in types:
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=kind, se_on=on))


def notification(sock: sctpx.Socket) -> Any:
    """The next notification."""
    found = sock.recvv(1 << 16)
    assert found.notification is not None, found
    return found.notification


class RealThread(Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._result: list[T] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as error:
            self._error.append(error)

    def result(self) -> T:
        """What the call returned; raises what it raised."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error[0]
        return self._result[0]


def fill(sock: sctpx.Socket, info: s.SndInfo | None = None) -> None:
    """Send until the peer's window and the send buffer are full, and nothing is under way that could make room."""
    asked = s.Status(sstat_assoc_id=0 if info is None else info.snd_assoc_id)
    sock.settimeout(0.01)
    while True:
        try:
            sock.sendv(bytes(1 << 18), info=info)
        except TimeoutError:
            status = sock.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS, asked)
            # A chunk may probe the closed window.
            if status.sstat_rwnd < A_PACKET and status.sstat_unackdata <= 1:
                return


def drain(sock: sctpx.Socket) -> None:
    """Receive until nothing comes for a moment."""
    sock.settimeout(0.1)
    try:
        while True:
            sock.recv(1 << 20)
    except TimeoutError:
        pass


A_MOMENT = 50_000_000
"""Until what is left is looked at again, ns."""


def no_sockets_are_left(before: Collection[object] = ()) -> None:
    """Wait until what closed sockets left to end gracefully has ended, but for the drivers that were there before."""
    gc.collect()
    with hub.guard, hub.lock:
        while any(carrier not in before for carrier in hub.carriers):
            hub.wait(hub.emptied, time.monotonic_ns() + A_MOMENT)
