"""Sockets on loopback: listening, connected, in threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.blocking.hub import hub

T = TypeVar("T")

PORT = 5000
HOST = "127.0.0.1"
HERE = (HOST, PORT)
IPPROTO_SCTP = c.IPPROTO_SCTP


class Pair(NamedTuple):
    """Both sides of an association: ``a`` connected, ``b`` was accepted."""

    a: sctpx.Socket
    b: sctpx.Socket


@contextmanager
def listening(
    style: int = sctpx.SOCK_STREAM, address: Any = HERE, backlog: int = 128, **options: Any
) -> Iterator[sctpx.Socket]:
    """A socket that listens, on a UDP port of its own."""
    with sctpx.socket(sctpx.AF_INET, style, **{"udp_port": 0, **options}) as sock:
        sock.bind(address)
        sock.listen(backlog)
        yield sock


@contextmanager
def client(server: sctpx.Socket, style: int = sctpx.SOCK_STREAM, **options: Any) -> Iterator[sctpx.Socket]:
    """A socket that sends to the UDP port of that one."""
    with sctpx.socket(server.family, style, peer_udp_port=server.udp_port, **options) as sock:
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


class Thread(Generic[T]):
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
    """Send until there is no room, and none comes for a moment."""
    sock.settimeout(0.1)
    try:
        while True:
            sock.sendv(bytes(1 << 18), info=info)
    except TimeoutError:
        pass


def drain(sock: sctpx.Socket) -> None:
    """Receive until nothing comes for a moment."""
    sock.settimeout(0.1)
    try:
        while True:
            sock.recv(1 << 20)
    except TimeoutError:
        pass


def no_sockets_are_left() -> None:
    """Wait until what closed sockets left to end gracefully has ended."""
    gc.collect()
    with hub.lock:
        while hub.carriers:
            hub.wait(hub.emptied)
