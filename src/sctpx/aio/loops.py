"""What the driver must know about event loops that are not asyncio's own, such as uvloop.

Errors. An ICMP error in the queue of a UDP socket (IP_RECVERR) is an error condition of the descriptor (POLLERR).
asyncio's own loops call the reader for it, again and again until the error has been taken. libuv, on which uvloop is
built, calls the reader once and does not watch the descriptor any more, so that one ICMP error would make the socket
deaf. An epoll instance (epoll(7)) with the socket as its one member is readable when the socket is readable or has an
error, and has no errors of its own. Such a loop watches the epoll instance in place of the socket. Writers need no such
care: the driver takes its writer away whenever it is called, and sets it again if the socket is still full.

Time. libuv counts whole milliseconds, from the last one that is over, and rounds a delay to the nearest. A timer of the
core must not go off early: the core's clock would be ahead of the time, and with timers of less than a millisecond
further and further.
"""

from __future__ import annotations

import asyncio
import select
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Final, Protocol

_LIBUV_EARLY: Final = 0.0015
"""Seconds by which a timer of libuv can go off early: 1 ms by the clock, half of one by rounding."""


class Watchable(Protocol):
    """What an event loop watches; to be closed when it is not watched any more."""

    def fileno(self) -> int:
        """The file descriptor."""

    def close(self) -> None:
        """Free the descriptor, if it is a further one."""


class Itself:
    """A descriptor that is watched as it is."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def close(self) -> None:
        """It belongs to somebody else."""


def is_asyncios_own(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop is one of asyncio, or made from one of these."""
    return isinstance(loop, asyncio.BaseEventLoop)


def watchable(loop: asyncio.AbstractEventLoop, descriptor: int) -> Watchable:
    """What the loop can watch for what a socket receives, errors included. ``OSError`` if there is none to be had."""
    if sys.platform != "linux" or is_asyncios_own(loop):
        return Itself(descriptor)  # Only Linux has the queue of errors.
    epoll = select.epoll()
    try:
        epoll.register(descriptor, select.EPOLLIN)
    except OSError:
        epoll.close()
        raise
    return epoll


def earliness(loop: asyncio.AbstractEventLoop) -> float:
    """Seconds by which a timer of the loop can go off early, beyond what its clock can tell apart."""
    return 0.0 if is_asyncios_own(loop) else _LIBUV_EARLY


def waking(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[None]:
    """Where those who wait are woken: a loop that is closed does not take their callbacks, and says so."""
    return suppress(RuntimeError) if loop.is_closed() else nullcontext()
