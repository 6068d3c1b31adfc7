"""A file descriptor that ``select`` and its kind can wait on, for a socket that has none.

It is one end of a socket pair, and level-triggered both ways. A byte waits in it while the socket is readable. Its own
buffer is full while the socket is not writable, and drained when it is. Nobody is meant to read or write it.

Descriptors that were given out are remembered, so that functions that take one know which socket is meant, and
tell a closed descriptor (EBADF) from one of something else (ENOTSOCK).
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast, final
from weakref import WeakValueDictionary

from ..sockapi.socket_calls import SocketCalls

if TYPE_CHECKING:
    from .socket import Socket

_SMALL: Final = 4096
_FILL: Final = bytes(_SMALL)


@final
class Readiness:
    """The descriptor of one socket."""

    __slots__ = ("_far", "_near", "_readable", "_writable")

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
        self._readable = False
        self._writable = True

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._near.fileno()

    def update(self, readable: bool, writable: bool) -> None:
        """Show what holds now."""
        if readable != self._readable:
            self._readable = readable
            with suppress(BlockingIOError):
                if readable:
                    self._far.send(b"\0")
                else:
                    self._near.recv(_SMALL)
        if writable != self._writable:
            self._writable = writable
            with suppress(BlockingIOError):
                while writable:
                    self._far.recv(_SMALL)
                while True:
                    self._near.send(_FILL)

    def close(self) -> None:
        """Whoever waits sees it readable and writable."""
        self._near.close()
        self._far.close()


_given: Final[WeakValueDictionary[int, Socket]] = WeakValueDictionary()
"""Sockets by the descriptors they gave out."""


def remember(descriptor: int, sock: Socket) -> None:
    """This descriptor stands for that socket."""
    _given[descriptor] = sock


def forget(descriptor: int) -> None:
    """The descriptor is closed."""
    _given.pop(descriptor, None)


def find(sock: Any) -> Socket:
    """The socket meant by a socket or a descriptor.

    ``OSError``: EBADF (closed, or no descriptor), ENOTSOCK (of something else). ``TypeError`` for what is neither.
    """
    if not isinstance(sock, int):
        if isinstance(sock, SocketCalls):
            return cast("Socket", sock)  # A simulated one has the same calls.
        if not hasattr(sock, "fileno"):
            raise TypeError(f"a socket or a file descriptor, not {type(sock).__name__}")
        sock = sock.fileno()
    found = _given.get(sock)
    if found is not None and found.fileno() == sock:
        return found
    try:
        os.fstat(sock)
    except (OSError, OverflowError):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
    raise OSError(errno.ENOTSOCK, f"descriptor {sock} is of no SCTP socket")
