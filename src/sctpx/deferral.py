"""Signals wait while something changes: no handler that raises leaves half a change behind.

Python calls a signal handler in the main thread, between any two steps of whatever runs there, and the handler may
raise: ``KeyboardInterrupt`` of Ctrl-C is only the best known case. So whoever changes a stack or a socket does it under
a ``Guard`` and its lock. In the main thread a stand-in takes the place of each handler for that time. A signal that
comes meanwhile is held back, and its handler is called when the change is complete and the lock is free. A change
takes microseconds; nobody waits under a guard, so that what waits can be interrupted at once.

Nothing of this is visible outside: ``signal.getsignal`` gives the program's own handlers whenever its code runs, and
``asyncio.Runner``, which compares them, sees what it expects. What a handler does is the program's business: when it
raises, the exception comes out of the call that it interrupted, as with any other call.

The lock says whether a change is under way, because it is taken and given back in C. A stand-in that was left in place
(something else than a signal handler can raise anywhere, such as a trace function) sees a free lock and calls the
handler. If a signal comes again after ``PATIENCE``, something under the guard hangs, and the handler is called at
once. Signals not named here, and exceptions that no handler raises, are not held back: whoever makes the change sees
to it that the associations concerned end with an ABORT then.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import signal
import threading
import time
from _thread import RLock, get_ident
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, TypeAlias, TypeVar, final

PATIENCE: Final = 1.0
"""Seconds after which a signal that comes again is not held back any more."""

T = TypeVar("T")
_Handler: TypeAlias = Callable[[int, FrameType | None], Any]

_NAMES: Final = (
    *("SIGINT", "SIGTERM", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGQUIT", "SIGVTALRM", "SIGPROF"),
    "SIGBREAK",
)
SIGNALS: Final[tuple[int, ...]] = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))
"""The signals that are held back, if the program has a handler for them: those whose handlers raise."""
_NINE: Final = (*SIGNALS, *[SIGNALS[-1]] * 9)[:9]
_A: Final = _NINE[0]
_B: Final = _NINE[1]
_C: Final = _NINE[2]
_D: Final = _NINE[3]
_E: Final = _NINE[4]
_F: Final = _NINE[5]
_G: Final = _NINE[6]
_H: Final = _NINE[7]
_I: Final = _NINE[8]
# Event loops leave a handler that does nothing: what they do, they do when the loop runs.
_HARMLESS: Final = ("asyncio.unix_events", "uvloop.loop")

_UNSEEN: Final = object()

# What is below ``signal``, which makes enumerations of it all and takes ten times as long.
_get: Final = _signal.getsignal
_set: Final = _signal.signal


@final
class _Handlers:
    """The handlers of the process. Only the main thread changes anything here."""

    __slots__ = ("_since", "held", "lock", "main", "replaced", "seen", "usual")

    def __init__(self) -> None:
        self.main = -1
        """The thread that runs handlers; -1 before it was seen here, and 0 if none does."""
        self.lock: Any = RLock()
        """The lock of the guard that the main thread entered last."""
        self.replaced: Sequence[tuple[int, _Handler]] = ()
        """The handlers in whose place the stand-in is, or may have been left."""
        self.held: list[tuple[int, FrameType | None]] = []
        """The signals that wait, in the order in which they came."""
        self.seen: list[Any] = [_UNSEEN] * 9
        """The handlers of ``SIGNALS`` when they were looked at last."""
        self.usual: Sequence[tuple[int, _Handler]] = ()
        """Those of them that may raise."""
        self._since = 0.0

    def run_here(self) -> bool:
        """Whether this thread runs handlers."""
        if self.main < 0 and threading.current_thread() is threading.main_thread():
            self.main = get_ident()
            handler = _get(_A)
            if handler is not None:
                try:
                    _set(_A, handler)
                except ValueError:  # The main thread of another interpreter runs them.
                    self.main = 0
        return get_ident() == self.main

    def look(self) -> None:
        """See which handlers there are, and which of them may raise."""
        left = dict(self.replaced)
        found = []
        self.seen = [_get(number) for number in _NINE]
        for number, handler in dict(zip(_NINE, self.seen, strict=True)).items():
            if handler is _stand_in:  # A trace function has left it there.
                handler = left.get(number)
                self.seen = [_UNSEEN] * 9
            if callable(handler) and getattr(handler, "__module__", None) not in _HARMLESS:
                found.append((number, handler))
        self.usual = found

    def replace(self) -> None:
        """Put the stand-in in the place of all handlers that may raise."""
        seen = self.seen
        # One after the other: this is done in every call, and a loop over ``SIGNALS`` takes twice as long.
        if not (
            _get(_A) is seen[0]
            and _get(_B) is seen[1]
            and _get(_C) is seen[2]
            and _get(_D) is seen[3]
            and _get(_E) is seen[4]
            and _get(_F) is seen[5]
            and _get(_G) is seen[6]
            and _get(_H) is seen[7]
            and _get(_I) is seen[8]
        ):
            self.look()
        self.replaced = self.usual
        try:
            for number, _ in self.replaced:
                _set(number, _stand_in)
        except BaseException:
            self.put_back()
            raise

    def put_back(self) -> None:
        """Put the handlers back in their places, and call those whose signals wait, whatever one of them raises."""
        try:
            for number, handler in self.replaced:
                if _get(number) is _stand_in:
                    _set(number, handler)
            self.replaced = ()
            while self.held:
                number, frame = self.held.pop(0)
                handler = _get(number)
                if callable(handler):
                    handler(number, frame)
        except BaseException:
            self.put_back()  # The rest of it.
            raise

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Hold a signal back if something changes."""
        if self.lock._is_owned():  # noqa: SLF001 - what ``threading.Condition`` asks of a lock
            now = time.monotonic()
            if not self.held:
                self._since = now
            if number not in [one for one, _ in self.held]:
                self.held.append((number, frame))
                return
            if now - self._since < PATIENCE:
                return
            self.held = [one for one in self.held if one[0] != number]
        handler = dict(self.replaced).get(number)
        if handler is not None:
            try:
                handler(number, frame)
            except BaseException:
                if not self.lock._is_owned():  # noqa: SLF001 - see above
                    self.put_back()
                raise


_handlers: Final = _Handlers()


def _stand_in(number: int, frame: FrameType | None) -> None:
    """In the place of a handler."""
    _handlers.on_signal(number, frame)


@final
class Guard:
    """Defers signals while its lock is held: ``with guard, guard.lock:``, in this order."""

    __slots__ = ("_inner", "_reentrant", "lock")

    def __init__(self, lock: Any = None, *, reentrant: bool = True) -> None:
        """``lock`` is an ``RLock``; by default one of its own, for what a single thread uses.

        A guard that is not ``reentrant`` raises ``RuntimeError`` if this thread holds the lock already.
        """
        self.lock: Any = RLock() if lock is None else lock
        self._reentrant = reentrant
        # How often the guard was entered again. Threads enter it before they have the lock. So only the main thread
        # changes this number, where several threads use the guard: that is where it is not reentrant.
        self._inner = 0

    def __enter__(self) -> None:
        lock = self.lock
        if lock._is_owned():  # noqa: SLF001 - see above
            if not self._reentrant:
                raise RuntimeError("a finalizer cannot use a socket while it interrupts a call of a socket")
            self._inner += 1
            return
        handlers = _handlers
        if get_ident() != handlers.main and not handlers.run_here():
            if self._reentrant:
                self._inner = 0
            return
        self._inner = 0
        if handlers.replaced and handlers.lock._is_owned():  # noqa: SLF001 - see above
            self._inner += 1  # Under another guard.
            return
        handlers.lock = lock
        handlers.replace()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handlers = _handlers
        if self._inner and (self._reentrant or get_ident() == handlers.main):
            self._inner -= 1
            return
        if kind is not None and self.lock._is_owned():  # noqa: SLF001 - see above
            self.lock.release()  # A trace function has raised between the end of the block and that of the lock.
        if not handlers.replaced or get_ident() != handlers.main:
            return
        handlers.put_back()

    def wait(self, wait: Callable[..., T], *arguments: Any) -> T:
        """In the middle of the block, wait for something: the lock is free meanwhile, and signal handlers run.

        Whatever one of them raises, the block goes on as it was.
        """
        try:
            try:
                self.lock.release()
                self.__exit__(None, None, None)
                return wait(*arguments)
            finally:
                if not self.lock._is_owned():  # noqa: SLF001 - see above
                    self.__enter__()
                    self.lock.acquire()
        except BaseException:
            while not self.lock._is_owned():  # noqa: SLF001 - see above
                with suppress(BaseException):  # The first is raised.
                    self.__enter__()
                    self.lock.acquire()
            raise


def is_orderly(error: BaseException) -> bool:
    """Whether an exception came between two changes: from a wait, or at the beginning or the end of a guarded block."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals is _HERE and frame.f_code.co_name in _BETWEEN_CHANGES:
            return True
        traceback = traceback.tb_next
    return False


_HERE: Final = globals()
_BETWEEN_CHANGES: Final = ("__enter__", "__exit__", "wait")
"""The methods of ``Guard``, by name: compiled ones have no code objects of their own."""


def _after_fork() -> None:
    """In the child, the thread that forked is the main one."""
    if _handlers.main > 0:
        _handlers.main = get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
