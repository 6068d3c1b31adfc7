"""The calls of one socket that wait, and the descriptor that shows the state of the socket to ``select``.

A call that waits joins the ``Line`` for what it waits for. The alarm of the socket wakes the first call of a line, or
all of them. All of this happens under the hub's lock, which is free while a call waits.

``SocketWaiters`` does not know its ``Socket``, so that Python can collect a socket that the program has lost, and the
socket closes itself.
"""

from __future__ import annotations

import os
from typing import Final, final
from weakref import WeakSet

from ..sockapi.one_to_many import OneToMany
from ..sockapi.one_to_one import OneToOne
from .hub import hub
from .readiness import Readiness, forget
from .waiting import Line


@final
class SocketWaiters:
    """The alarm of a blocking socket."""

    __slots__ = ("__weakref__", "_lines", "_readers", "_readiness", "_state", "_waiting", "_writers")

    def __init__(self, state: OneToOne | OneToMany) -> None:
        self._state = state
        self._readers, self._writers = Line(), Line()
        self._lines = (self._readers, self._writers, Line())  # By ``READABLE``, ``WRITABLE``, ``CHANGED``.
        self._waiting = 0  # Calls that wait.
        self._readiness: Readiness | None = None
        _all.add(self)

    # --- waiting ---

    def wait(self, until: int, deadline: int) -> None:
        """Wait until woken, at most until the deadline, ns."""
        self._waiting += 1
        try:
            hub.wait(self._lines[until], deadline)
        finally:
            self._waiting -= 1

    def settle(self) -> None:
        """A call is over: if it left something to receive or room to send, wake the next call that waits for that."""
        if self._waiting:
            if self._readers and self._state.readable:
                self._readers.wake()
            if self._writers and self._state.writable:
                self._writers.wake()
        if self._readiness is not None:
            self._show()

    # --- the alarm ---

    def on_readable(self) -> None:
        """There is something to receive or to accept."""
        if self._waiting:
            self._readers.wake()
        if self._readiness is not None:
            self._show()

    def on_writable(self) -> None:
        """There may be room to send."""
        if self._state.one_to_many:
            self._writers.wake_all()  # Each call may wait for another association.
        else:
            self._writers.wake()
        if self._readiness is not None:
            self._show()

    def on_changed(self) -> None:
        """An association began or ended."""
        for line in self._lines:
            line.wake_all()
        if self._readiness is not None:
            self._show()

    def on_closed(self) -> None:
        """The socket is closed: wake the calls that wait, and close the descriptor."""
        for line in self._lines:
            line.wake_all()
        if self._readiness is not None:
            forget(self._readiness.fileno())
            self._readiness.close()
            self._readiness = None

    # --- the descriptor ---

    @property
    def descriptor(self) -> int:
        """The descriptor that shows the state of the socket; -1 if there is none."""
        return -1 if self._readiness is None else self._readiness.fileno()

    def open_descriptor(self) -> int:
        """Make the descriptor that shows the state of the socket."""
        self._readiness = Readiness()
        self._show()
        return self._readiness.fileno()

    def _show(self) -> None:
        if self._readiness is not None:
            self._readiness.update(*self._state.watch())

    def close_copy(self) -> None:
        """This process is the child of a fork, and the socket is the parent's."""
        if not self._state.closed:
            self._state.disown()


_all: Final[WeakSet[SocketWaiters]] = WeakSet()
"""The ``SocketWaiters`` of all open sockets."""


def _close_after_fork() -> None:
    """This is the child of a fork: its sockets are the parent's."""
    for waiters in list(_all):
        waiters.close_copy()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_after_fork)
