"""Signals that ask a command to end: Ctrl-C, SIGTERM (``docker stop``, systemd, ``kill``), SIGHUP (a closed terminal).

The first signal asks. A command that can come to its end by itself says how, with ``on_interrupt``; another command is
cancelled, and closes on its way out what it has open. A second signal does not wait for that: it aborts. After SIGTERM
and SIGHUP there is a limit, too, because whoever sends these waits for a few seconds and then kills. The last resort is
a thread: the command may hang in what cannot be cancelled, a name that does not resolve or a pipe that nobody reads.

The exit status after SIGTERM and SIGHUP is 128 and the number of the signal, as shells have it, whatever else the
command has come to. Ctrl-C is how people end what they run: after it the exit status is the command's own. A signal
that was ignored when the command began stays ignored: ``nohup`` does that with SIGHUP.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any, Final, TypeVar, final

from ..aio import Association, Connecting

T = TypeVar("T")

PATIENCE: Final = 1.5
"""Seconds that a command has to come to its end by itself after SIGTERM or SIGHUP."""
LIMIT: Final = 2.0
"""Seconds from the signal after which it is over in any case."""
AFTERWARDS: Final = 0.25
"""Seconds that are left when the command has come to its end."""
_AGAIN: Final = 0.1
"""Seconds from one cancellation to the next, when these are over."""
_BASE: Final = 128
_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@final
class _Command:
    """The command that this process is, and which signal has ended it."""

    def __init__(self) -> None:
        self.acts: list[Callable[[], object]] = []
        """How to come to the end, for those who know."""
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended_by = 0
        self._listens = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGHUP. ``SystemExit`` in the end if one came."""
        if self._listens:
            yield
            return
        before = {}
        with suppress(ValueError):  # Not in the main thread, as in somebody's test.
            for number in _SIGNALS:
                if signal.getsignal(number) == signal.SIG_DFL:
                    before[number] = signal.signal(number, self._on_signal)
        self._listens, self._ended_by = True, 0
        try:
            yield
        finally:
            self._listens = False
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._ended_by:
                raise SystemExit(_BASE + self._ended_by)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        first = not self._ended_by
        if first:
            self._ended_by = number
            self._limit(LIMIT)
        if self._loop is None:
            raise SystemExit(_BASE + number)
        self._loop.call_soon_threadsafe(self._ask if first else self._insist)

    async def supervise(self, main: Coroutine[Any, Any, T]) -> T:
        """Do what the command does, and end it when a signal comes."""
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        try:
            return await main
        finally:
            self._task = self._loop = None
            if self._ended_by:
                self._limit(AFTERWARDS)

    def _limit(self, seconds: float) -> None:
        last_resort = threading.Timer(seconds, os._exit, (_BASE + self._ended_by,))
        last_resort.daemon = True
        last_resort.start()

    def _ask(self) -> None:
        if self.acts:
            self.acts[-1]()
        elif self._task is not None:
            self._task.cancel()
        if self._loop is not None:
            self._loop.call_later(PATIENCE, self._insist)

    def _insist(self) -> None:
        if self._task is not None and self._loop is not None:
            self._task.cancel()
            self._loop.call_later(_AGAIN, self._insist)


_command: Final = _Command()

exit_by_signal = _command.listening
"""A context in which SIGTERM and SIGHUP end the program with ``SystemExit``; in ``run`` they do so in good order."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` for commands. ``SystemExit`` if SIGTERM or SIGHUP has ended it."""
    with exit_by_signal():
        return asyncio.run(_command.supervise(main))


@contextmanager
def on_interrupt(act: Callable[[], object]) -> Iterator[None]:
    """Call ``act`` at the first signal, Ctrl-C included. Where the event loop takes no signals, Ctrl-C just raises."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        act()

    _command.acts.append(act)
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, first)
    try:
        yield
    finally:
        _command.acts.remove(act)
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


@asynccontextmanager
async def in_good_order(connecting: Connecting) -> AsyncIterator[Association]:
    """An association that is shut down in the end, also when the command is cancelled."""
    async with connecting as association:
        try:
            yield association
        except asyncio.CancelledError:
            await association.close()
            raise
