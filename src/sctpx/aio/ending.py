"""The end of an event loop in which associations are left.

asyncio tells nobody that a loop is closed. So ``close`` is taken over on each loop that carries associations: all call
it in the end, ``asyncio.run``, ``asyncio.Runner`` and programs that do without both, and the loop has stopped by then.
A loop that is never closed ends with the process (``process_end``).

An association that was left open is aborted, because nobody said that it is complete, and a ``ResourceWarning`` names
it. An association that is being shut down is seen to its end, within the limits of ``sockapi.ending``.

A loop that has stopped runs no callbacks. So its drivers are run from here, all together: two of them may be each
other's peers. At the end of the process a loop may still run in another thread. Such a loop does this work itself,
because two threads must not enter one stack. If it does not answer, the thread is held up elsewhere, and its drivers
are run from here as well.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, final

from .. import process_end
from ..core.association.association import Association as CoreAssociation
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from ..core.config import NANOSECONDS
from ..core.timers import MILLISECOND
from ..sockapi.ending import Ending
from .association import Association
from .driver import Driver

LOOK: Final = 100 * MILLISECOND
"""How often it is seen whether peers make progress, ns."""
LAST_WORDS: Final = 200 * MILLISECOND
"""How long the last packets may take to leave this host, ns."""
ANSWER: Final = 1.0
"""Seconds within which a loop that runs in another thread has to answer."""

_UNFINISHED: Final = (COOKIE_WAIT, COOKIE_ECHOED, ESTABLISHED)
_LEFT_OPEN: Final = "the association was left open"

Drivers = Sequence[Driver]


@final
class LoopEnd:
    """What is left in one loop, on its way to the end."""

    def __init__(self, drivers: Drivers, deadline: int) -> None:
        """To be done until ``deadline``, ns."""
        self._drivers = list(drivers)
        self._ending = Ending(deadline, process_end.too_late())
        self._unclosed: list[tuple[str, Association]] = []

    def _associations(self) -> Iterator[tuple[Driver, CoreAssociation]]:
        for driver in self._drivers:
            for endpoint in list(driver.stack.endpoints.values()):
                for association in list(endpoint.associations.values()):
                    yield driver, association

    def _begin(self) -> None:
        """Abort what was left open."""
        for driver, association in self._associations():
            if association.state not in _UNFINISHED:
                continue
            owner = association.owner
            if association.state == ESTABLISHED and isinstance(owner, Association):
                self._unclosed.append((f"unclosed association {owner!r}", owner))
            self._ending.abort(association, driver.now(), _LEFT_OPEN)

    def _see_out(self) -> bool:
        """Let the drivers do what there is to do. Whether there is anything left to wait for."""
        for driver in self._drivers:
            driver.run_once()
        for driver, association in self._associations():
            now = driver.now()
            association.read()  # Nobody else does any more, but the peer has to come to its end.
            reason = self._ending.reason_to_abort(association, now)
            if reason:
                self._ending.abort(association, now, reason)
        for driver in self._drivers:
            driver.run_once()
        return any(True for _ in self._associations())

    def _finish(self) -> None:
        last = time.monotonic_ns() + LAST_WORDS
        while any(driver.blocked for driver in self._drivers) and time.monotonic_ns() < last:
            time.sleep(MILLISECOND / NANOSECONDS)
            for driver in self._drivers:
                driver.run_once()
        for driver in self._drivers:
            driver.give_up()
        self._ending.tell()

    def run(self) -> None:
        """All of it, without the loop."""
        self._begin()
        try:
            if self._see_out():
                with selectors.DefaultSelector() as selector:
                    for driver in self._drivers:
                        for descriptor in driver.descriptors:
                            selector.register(descriptor, selectors.EVENT_READ)
                    while self._see_out():
                        selector.select(self._patience())
        except BaseException:  # Ctrl-C: the user does not want to wait.
            self._ending.interrupt()
            self._see_out()
            raise
        finally:
            self._finish()

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic_ns()
        until = min(now + LOOK, self._ending.deadline)
        for driver in self._drivers:
            until = min(until, now + MILLISECOND if driver.blocked else driver.stack.next_timeout() or until)
        return max(until - now, 0) / NANOSECONDS

    async def run_in_loop(self) -> None:
        """All of it, in the loop."""
        self._begin()
        try:
            while self._see_out():  # noqa: ASYNC110 - nothing tells of progress
                await asyncio.sleep(LOOK / NANOSECONDS)
        finally:
            self._finish()

    def warn(self) -> None:
        """Name the associations that were left open, as asyncio names its transports."""
        for text, association in self._unclosed:
            warnings.warn(text, ResourceWarning, source=association, stacklevel=3)


@final
class _Close:
    """Stands in for ``close`` of a loop."""

    def __init__(self, loop: Any, drivers: Callable[[], Drivers]) -> None:
        self._loop = loop
        self._drivers = drivers
        self._own: Callable[[], object] = loop.close

    def __call__(self) -> None:
        loop = self._loop
        if loop.is_running():
            self._own()  # It refuses.
            return
        with suppress(AttributeError):  # Somebody else may have taken it over since.
            if loop.close is self:
                del loop.close
        end = LoopEnd(() if loop.is_closed() else self._drivers(), process_end.deadline())
        try:
            end.run()
        finally:
            self._own()
        end.warn()


def watch(loop: Any, drivers: Callable[[], Drivers]) -> None:
    """See to it that what ``drivers`` gives then is ended when this loop is closed."""
    if not isinstance(loop.close, _Close):
        with suppress(AttributeError):  # A loop that takes no attributes: then the end of the process has to do.
            loop.close = _Close(loop, drivers)


def end_loop(loop: asyncio.AbstractEventLoop, drivers: Drivers, deadline: int) -> None:
    """The process ends, and this loop is not closed; or it was closed without notice."""
    end = LoopEnd(drivers, deadline)
    if not (loop.is_running() and not _is_here(loop) and _ended_by_itself(loop, end, deadline)):
        end.run()
    end.warn()


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop runs in this thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _ended_by_itself(loop: asyncio.AbstractEventLoop, end: LoopEnd, deadline: int) -> bool:
    """Have a loop that runs in another thread end what is left in it. Whether it did."""
    begun, done = threading.Event(), threading.Event()
    tasks = []

    def begin() -> None:
        begun.set()
        task = loop.create_task(end.run_in_loop())
        task.add_done_callback(lambda _: done.set())
        tasks.append(task)

    with suppress(RuntimeError):  # It has been closed in this moment.
        loop.call_soon_threadsafe(begin)
        if begun.wait(ANSWER):
            return done.wait(max(deadline - time.monotonic_ns(), 0) / NANOSECONDS + ANSWER)
    return False
