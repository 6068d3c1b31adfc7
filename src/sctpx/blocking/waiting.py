"""A line of callers that wait for the same thing, each woken by itself.

All of it happens under the hub's lock. Whoever is woken leaves the line and looks again at what it waited for: another
may have been faster. Who is done and sees that there is more wakes the next one.
"""

from __future__ import annotations

from _thread import LockType, get_ident
from collections.abc import Callable
from typing import final


@final
class Waiter:
    """One blocked call."""

    __slots__ = ("gate", "interrupt", "interrupted", "thread", "woken")

    def __init__(self) -> None:
        self.thread = get_ident()
        """The thread that makes the call."""
        self.interrupted: Waiter | None = None
        """The leader of the same thread that this call has taken the lead from, in a signal handler."""
        self.woken = False
        """What it waits for may have happened."""
        self.gate: LockType | None = None
        """A follower waits until this is free; a leader has none."""
        self.interrupt: Callable[[], None] | None = None
        """While it waits for the network: how to end that."""

    def open(self) -> None:
        """Let a follower go on."""
        if self.gate is not None and self.gate.locked():
            self.gate.release()

    def wake(self) -> None:
        """It should look again."""
        self.woken = True
        self.open()
        if self.interrupt is not None:
            self.interrupt()


@final
class Line:
    """Callers waiting for the same thing, woken in the order in which they came."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Waiter, None] | None = None

    def __bool__(self) -> bool:
        """True while somebody waits."""
        return bool(self._waiting)

    def join(self, waiter: Waiter) -> None:
        """Stand at the end."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer."""
        if self._waiting is not None:
            self._waiting.pop(waiter, None)

    def wake(self) -> None:
        """Wake the first."""
        if self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.wake()

    def wake_all(self) -> None:
        """Wake all of them."""
        while self._waiting:
            self.wake()
