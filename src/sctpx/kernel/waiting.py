"""How calls of a socket of the kernel wait: in ``poll``, each in its own thread, without the socket's lock.

A close wakes those that wait, by a descriptor of its own that all of them watch. The kernel does not tell when a
one-to-many socket has an association, and not always when the association of a one-to-one socket has ended: whoever
waits for that looks every few milliseconds.
"""

from __future__ import annotations

import os
import select
import time
from typing import Final, final

from ..deferral import Guard
from ..sockapi.not_now import CHANGED, READABLE
from .socket import KernelSocket

_LOOK_EVERY: Final = 5
"""Milliseconds, for what the kernel does not tell at all."""
_LOOK_AT_TIMES: Final = 50
"""Milliseconds, for an end that it may not tell."""
_LONGEST: Final = (1 << 31) - 1
"""Milliseconds that ``poll`` takes at the most."""
_MILLISECOND: Final = 1_000_000


@final
class KernelWaiters:
    """The lock and the waiting of one socket."""

    def __init__(self, state: KernelSocket) -> None:
        self._state = state
        self.guard = Guard()
        """Defers signals while the lock is held."""
        self.lock = self.guard.lock
        """All calls of the socket are made under it, but while they wait."""
        self._waiting = 0
        self._bell = -1  # Rings when the socket is closed; open while somebody waits.

    @property
    def descriptor(self) -> int:
        """The socket's descriptor; -1 once it is closed."""
        return self._state.fileno()

    def open_descriptor(self) -> int:
        """The same: it is always there."""
        return self._state.fileno()

    def wait(self, until: int, deadline: int) -> None:
        """Wait for what ``not_now`` names so, at most until the deadline, ns; it may be for nothing."""
        state = self._state
        poll = select.poll()
        blind = state.one_to_many if until == CHANGED else until == READABLE and state.half_closed
        if not blind:
            poll.register(state.fileno(), select.POLLIN if until == READABLE else select.POLLOUT)
        if self._bell < 0:
            self._bell = os.eventfd(0, os.EFD_CLOEXEC)
        poll.register(self._bell, select.POLLIN)
        longest = _LOOK_EVERY if blind else _LOOK_AT_TIMES if state.ends_unannounced else _LONGEST
        left = max(min(-(-(deadline - time.monotonic_ns()) // _MILLISECOND), longest), 0)
        self._waiting += 1
        try:
            self.guard.wait(poll.poll, left)
        finally:
            self._waiting -= 1
            if not self._waiting:
                os.close(self._bell)
                self._bell = -1

    # --- the alarm: the kernel wakes who waits, but for the end of the socket ---

    def on_readable(self) -> None:
        """There is something to receive or to accept."""

    def on_writable(self) -> None:
        """There may be room to send."""

    def on_changed(self) -> None:
        """An association began or ended."""

    def settle(self) -> None:
        """A call is over."""

    def on_closed(self) -> None:
        """The socket is closed."""
        if self._bell >= 0:
            os.eventfd_write(self._bell, 1)
