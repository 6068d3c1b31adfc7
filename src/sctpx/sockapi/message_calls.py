"""The calls of a socket that send and receive, in the manner of Python's socket module and of RFC 6458 section 9.

A call checks its arguments and looks names up before it takes the lock. What the calls mean is in ``messaging``. This
file has the one place where a call that cannot be completed now waits and tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol, TypeVar, overload

from ..core.config import NANOSECONDS
from ..core.timers import NEVER
from ..deferral import is_orderly
from . import ancillary
from .addresses import SocketAddress, ip_text
from .arguments import as_ancillary_size, as_int, as_size
from .backend import Piece, SocketBackend
from .buffers import Data, Room, fill, held_by, to_bytes, writable
from .constants import MSG_PEEK
from .messaging import Received
from .not_now import NotNow
from .peer import Peer
from .resolving import Addresses, HostPort, listed, resolve_peer, single
from .socket_state import Alarm
from .structs import RcvInfo, Struct

T = TypeVar("T")
R = TypeVar("R")

_DATA: Final[Callable[[Piece], bytes]] = attrgetter("data")
REFUSALS: Final = (OSError, EOFError, ValueError, TypeError)
"""What calls raise before anything changes, or when all is over."""


class Sent(NamedTuple):
    """What ``sendv`` gives."""

    length: int
    """Bytes sent."""
    assoc_id: int
    """The association it went out on; 0 for all (SCTP_SENDALL)."""


class Hub(Protocol):
    """What all sockets of a program share. All work on sockets happens under both, the guard first."""

    @property
    def guard(self) -> AbstractContextManager[Any]:
        """Defers signals while the lock is held."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock."""


class Waiters(Alarm, Protocol):
    """The calls of one socket that wait. The caller holds the lock, which is free while a call waits."""

    def wait(self, until: int, deadline: int) -> None:
        """Wait for ``READABLE``, ``WRITABLE`` or ``CHANGED``, at most until the deadline, ns. It may return early."""

    def settle(self) -> None:
        """A call is over: if it left something to receive or room to send, wake the next call that waits for that."""


class MessageCalls:
    """The calls of a socket that send and receive."""

    _hub: Hub
    _state: SocketBackend
    _waiters: Waiters

    # --- waiting ---

    @overload
    def _until_done(self, flags: int, attempt: Callable[..., T | NotNow], *arguments: Any) -> T: ...

    @overload
    def _until_done(
        self, flags: int, attempt: Callable[..., T | NotNow], *arguments: Any, then: Callable[[T], R]
    ) -> R: ...

    def _until_done(
        self,
        flags: int,
        attempt: Callable[..., T | NotNow],
        *arguments: Any,
        then: Callable[[T], Any] | None = None,
    ) -> Any:
        """Try, wait, and try again, until the call is completed or raises: the result, or what ``then`` makes of it.

        All but the waiting is under the lock, with signals deferred. When a signal handler raises in the end, nobody
        gets the result.
        """
        result: Any = None
        begun = done = False
        try:
            with self._hub.guard, self._hub.lock:
                begun = True
                result = attempt(*arguments)
                if isinstance(result, NotNow):
                    result = self._wait(flags, result, attempt, arguments)
                told = result if then is None else then(result)
                self._waiters.settle()
                done = True
            return told
        except BaseException as error:
            if begun:
                self._on_exception(error, result if done else None, flags)
            raise

    def _wait(
        self, flags: int, not_now: NotNow, attempt: Callable[..., T | NotNow], arguments: Sequence[Any]
    ) -> T | NotNow:
        """Wait, and try again. Under the lock, which is free meanwhile."""
        state = self._state
        result: T | NotNow = not_now
        state.check_waiting(not_now, flags)
        patience = state.patience(not_now)
        deadline = NEVER
        if patience is not None:
            deadline = min(state.names.now() + int(patience * NANOSECONDS), NEVER)
        while True:
            if state.names.now() >= deadline:
                raise state.time_is_up(not_now)
            self._waiters.wait(not_now.until, deadline)
            result = attempt(*arguments) if not_now.again is None else not_now.again()
            if not isinstance(result, NotNow):
                return result
            not_now = result
            state.check_waiting(not_now, flags)

    def _on_exception(self, error: BaseException, result: object, flags: int) -> None:
        """Something was raised. If no call raises that, undo what has been done, or end what may be half done."""
        with self._hub.guard, self._hub.lock:
            if result is not None:
                if not flags & MSG_PEEK:
                    self._state.take_back(result)
            elif not isinstance(error, REFUSALS) and not is_orderly(error):
                self._state.break_off()
            self._waiters.settle()

    # --- addresses ---

    def _resolve(self, addresses: Sequence[HostPort]) -> Peer:
        """The addresses of a peer, with the UDP ports it is reached at."""
        state = self._state
        return resolve_peer(state.names, addresses, state.family, state.peer_udp_port, v6only=state.v6only)

    # --- sending ---

    def send(self, data: Data, flags: int = 0) -> int:
        """Send one message on the association of a one-to-one socket. Waits while the send buffer is full.

        ``OSError``: EPIPE (no association, or this side has ended it), ESHUTDOWN (the peer has), ECONNRESET, EINVAL (no
        data), EMSGSIZE, EAGAIN.
        """
        data = to_bytes(data)
        if flags.__class__ is not int or flags:  # A call less, most of the time: ping-pong notices.
            flags = as_int(flags, "flags")
        self._until_done(flags, self._state.send, data)
        return len(data)

    def sendall(self, data: Data, flags: int = 0) -> None:
        """The same as ``send``: messages are sent whole."""
        self.send(data, flags)

    def sendto(self, data: Data, *arguments: Any) -> int:
        """``sendto(data, address)`` or ``sendto(data, flags, address)``: send a message to a peer.

        Sets an association up if there is none. Raises like ``send`` and, for the address, like ``connectx``.
        """
        if not 1 <= len(arguments) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments, not {1 + len(arguments)}")
        *rest, address = arguments
        return self._send(to_bytes(data), (), single(address), rest[0] if rest else 0).length

    def sendmsg(
        self,
        buffers: Iterable[Data],
        ancdata: Iterable[ancillary.Item] = (),
        flags: int = 0,
        address: HostPort | None = None,
    ) -> int:
        """Send one message made of several buffers, with ancillary data: bytes, or structs of ``sctpx.structs``.

        Raises like ``sendto``; EINVAL and EOPNOTSUPP for ancillary data that is wrong or needs an extension.
        """
        data = b"".join([to_bytes(buffer) for buffer in buffers])
        to = () if address is None else single(address)
        return self._send(data, tuple(ancdata), to, flags).length

    def sendv(
        self,
        buffers: Data | Iterable[Data],
        addresses: Addresses | None = None,
        info: Struct | Data | None = None,
        infotype: int | None = None,
        flags: int = 0,
        addrcnt: int | None = None,
    ) -> Sent:
        """Send one message, with its attributes in one struct (RFC 6458 section 9.12): how long it was, and on which
        association.

        ``addresses`` set up an association, or are one to send to (SCTP_ADDR_OVER). Raises like ``sendmsg``.
        """
        to = () if addresses is None and not addrcnt else listed(() if addresses is None else addresses, addrcnt)
        return self._send(_joined(buffers), tuple(ancillary.from_sendv(info, infotype)), to, flags)

    def _send(self, data: bytes, items: Sequence[ancillary.Item], to: Sequence[HostPort], flags: int) -> Sent:
        flags = as_int(flags, "flags")
        state = self._state
        state.check_open()
        # A wrong item raises before anything is looked up.
        options = state.prepare(items)
        if options.addresses:
            port = to[0][1] if to else 0
            to = [*to, *((ip_text(ip), port) for ip in options.addresses)]
        peer = self._resolve(to) if to else None
        return Sent(len(data), self._until_done(flags, state.send_message, data, items, options, peer))

    # --- receiving ---

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Up to ``bufsize`` bytes of the next message; ``b""`` when the peer has ended the association.

        The rest of a longer message comes with the next call. For 0 bytes nothing is waited for. ``OSError``: ENOTCONN,
        ECONNRESET, ETIMEDOUT, EAGAIN.
        """
        if bufsize.__class__ is not int or bufsize < 1 or flags.__class__ is not int or flags:
            bufsize, flags = as_size(bufsize, "recv"), as_int(flags, "flags")
            if not bufsize:
                self._state.check_open()
                return b""
        return self._until_done(flags, self._state.receive, bufsize, flags, then=_DATA)

    def recv_into(self, buffer: Room, nbytes: int = 0, flags: int = 0) -> int:
        """Like ``recv``, into a buffer: how many bytes. ``ValueError`` for more than the buffer holds."""
        view, size = _room(buffer, nbytes, "recv_into")
        data = self.recv(size, flags)
        fill([view], data)
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, SocketAddress | None]:
        """Like ``recv``, with the address of the peer that the message came from; ``None`` with the end."""
        bufsize, flags = as_size(bufsize, "recvfrom"), as_int(flags, "flags")
        return self._receive(bufsize, flags, lambda piece: (piece.data, self._state.source(piece)))

    def recvfrom_into(self, buffer: Room, nbytes: int = 0, flags: int = 0) -> tuple[int, SocketAddress | None]:
        """Like ``recvfrom``, into a buffer: how many bytes, and the address. ``ValueError`` as ``recv_into``."""
        view, size = _room(buffer, nbytes, "recvfrom_into")
        data, source = self.recvfrom(size, flags)
        fill([view], data)
        return len(data), source

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, SocketAddress | None]:
        """``(data, ancdata, flags, address)``: flags tell MSG_EOR, MSG_NOTIFICATION and MSG_CTRUNC.

        Ancillary data comes as its structs in C, as many as ``ancbufsize`` bytes have room for, control headers
        included.
        """
        bufsize, ancbufsize = as_size(bufsize, "recvmsg"), as_ancillary_size(ancbufsize)
        flags = as_int(flags, "flags")

        def tell(piece: Piece) -> tuple[bytes, list[tuple[int, int, bytes]], int, SocketAddress | None]:
            items, cut = self._state.control_messages(piece, ancbufsize)
            return piece.data, items, piece.flags | cut, self._state.source(piece)

        return self._receive(bufsize, flags, tell)

    def recvmsg_into(
        self, buffers: Iterable[Room], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[tuple[int, int, bytes]], int, SocketAddress | None]:
        """Like ``recvmsg``, into buffers that are filled one after the other: how many bytes, and the rest."""
        views = [writable(buffer) for buffer in buffers]
        data, items, told, source = self.recvmsg(sum([view.nbytes for view in views]), ancbufsize, flags)
        fill(views, data)
        return len(data), items, told, source

    def recvv(self, bufsize: int, flags: int = 0) -> Received:
        """The next message or notification with its attributes in one struct (RFC 6458 section 9.13)."""
        bufsize, flags = as_size(bufsize, "recvv"), as_int(flags, "flags")
        return self._receive(bufsize, flags, self._state.received)

    def received_info(self, bufsize: int, flags: int = 0) -> tuple[Piece, RcvInfo | None, SocketAddress | None]:
        """What ``sctp_recvmsg`` is made of: a piece, what is known of it whether asked for or not, and the address."""
        bufsize, flags = as_size(bufsize, "recvmsg"), as_int(flags, "flags")
        state = self._state
        return self._receive(bufsize, flags, lambda piece: (piece, state.rcvinfo(piece), state.source(piece)))

    def _receive(self, bufsize: int, flags: int, tell: Callable[[Piece], R]) -> R:
        """What is told of what is next, once it is there."""
        return self._until_done(flags, self._state.receive, bufsize, flags, then=tell)


def _room(buffer: Room, nbytes: int, call: str) -> tuple[memoryview, int]:
    """A buffer to receive into, and how many bytes: ``nbytes``, or with 0 all it holds."""
    view = writable(buffer)
    size = as_size(nbytes, call)
    if size > view.nbytes:
        raise ValueError(f"{size} bytes to receive, and a buffer of {view.nbytes} in {call}")
    return view, size or view.nbytes


def _joined(buffers: Data | Iterable[Data]) -> bytes:
    """One buffer, or several, as one message."""
    whole = held_by(buffers)
    if whole is not None:
        return whole
    several: Any = buffers
    return b"".join([to_bytes(buffer) for buffer in several])
