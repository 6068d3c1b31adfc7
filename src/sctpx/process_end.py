"""The end of the process: whatever carries associations is asked to end them before the process is gone.

A kernel ends the connections of a process that is gone. Here the process itself has to do that, so it has to learn of
its end in time. Each part that carries associations (``aio``, ``blocking``) registers once, by ``at_process_end``, and
calls ``watch`` whenever it begins to carry some. There are three ways out that can be noticed:

* The interpreter exits: by the end of the program, an exception, ``sys.exit``, Ctrl-C. ``atexit`` tells.
* A child of ``multiprocessing`` returns from its work. A child that was forked leaves by ``os._exit``, which asks
  no ``atexit``, but it runs the finalizers of ``multiprocessing.util`` first. It does so before it waits for its
  threads, which may still use associations: then a thread waits for the others and ends the associations after them.
* A child of ``multiprocessing`` is terminated: ``Pool`` does so with its workers when its ``with`` block ends, and a
  program with its daemonic children when it exits. That is SIGTERM, which nobody handles by default. A program that is
  no such child decides itself what SIGTERM does, and nothing is done about that signal here.

SIGKILL and ``os._exit`` cannot be noticed.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any, Final, final

VARIABLE: Final = "SCTPX_EXIT_TIMEOUT"
"""The environment variable that says how many seconds the end may take."""
EXIT_TIMEOUT: Final = 10.0
"""Seconds that the end may take where the variable does not say it."""
_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 86400.0
# The finalizers of a higher priority run before: whatever the program has may still use associations.
_PRIORITY: Final = -1000

_ends: Final[list[Callable[[int], object]]] = []
_watched: Final[set[int]] = set()
"""This process, by its id, once its end is watched for; after a fork it is the id of the parent."""


def at_process_end(end: Callable[[int], object]) -> None:
    """Have this called when the process ends, with the time in nanoseconds at which it must be done.

    What was registered last is called first. It may be called several times, and from any thread.
    """
    _ends.append(end)


def exit_timeout() -> float:
    """Seconds that the end of the process, or of an event loop, may wait for peers that are still reading.

    ``SCTPX_EXIT_TIMEOUT`` says it, read each time, so that a program can set it in ``os.environ``. What is no number of
    seconds counts as the default of 10.
    """
    try:
        seconds = float(os.environ[VARIABLE])
    except (KeyError, ValueError):
        return EXIT_TIMEOUT
    return EXIT_TIMEOUT if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST)


def deadline() -> int:
    """When an end that begins now must be done, ns."""
    return time.monotonic_ns() + int(exit_timeout() * _NANOSECONDS)


def too_late() -> str:
    """Why something was lost when the time was up."""
    return f"the peer had not taken them within {exit_timeout():g} s ({VARIABLE})"


def end() -> None:
    """The process ends: end all associations. Doing it again finds nothing to do. Ctrl-C makes it short."""
    until = deadline()
    with suppress(KeyboardInterrupt), ExitStack() as stack:  # All are called, whatever one of them raises.
        for each in _ends:
            stack.callback(each, until)


def watch() -> None:
    """Associations begin to be carried in this process: see to it that its end is noticed."""
    util = sys.modules.get("multiprocessing.util")  # No child of multiprocessing is without it.
    if util is None or os.getpid() in _watched:
        return
    _watched.clear()
    _watched.add(os.getpid())
    _watch_child(util)
    # A child forgets its finalizers when it begins its work. A spawned child has imported the main module of the
    # program by then, and that may use associations.
    util.register_after_fork(watch, _on_work_begun)


def _watch_child(util: Any) -> None:
    util.Finalize(None, _on_child_returned, exitpriority=_PRIORITY)
    if not _is_child():
        return
    if threading.current_thread() is not threading.main_thread():
        _EndAfterThreads().start()  # The finalizers may have run already.
    elif signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_child_terminated)


def _is_child() -> bool:
    """Whether this is a child of ``multiprocessing`` that has begun its work."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _on_work_begun(_: object) -> None:
    """A child of ``multiprocessing`` begins its work. One that was forked has no associations yet."""
    if os.getpid() in _watched:
        _watch_child(sys.modules["multiprocessing.util"])


def _on_child_returned() -> None:
    """The work of a child is done; or the program itself exits, and then ``atexit`` comes later."""
    if not _is_child():
        return
    if any(_is_waited_for(thread) for thread in threading.enumerate()):
        _EndAfterThreads().start()
    else:
        end()


@final
class _EndAfterThreads(threading.Thread):
    """Waits until the main thread of a child and all others have come to their end, and ends the associations then."""

    def __init__(self) -> None:
        super().__init__(name="sctpx end", daemon=False)

    def run(self) -> None:
        """The thread."""
        threading.main_thread().join()
        while others := [thread for thread in threading.enumerate() if _is_waited_for(thread)]:
            for thread in others:
                thread.join()
        end()


def _is_waited_for(thread: threading.Thread) -> bool:
    """Whether the process does not end before this thread does, and the thread may use associations."""
    special = isinstance(thread, _EndAfterThreads) or thread is threading.main_thread()
    return not (special or thread.daemon) and thread.is_alive()


def _on_child_terminated(number: int, _frame: FrameType | None) -> None:
    """SIGTERM: end the associations in a thread, since what is interrupted here may be in the middle of anything."""
    signal.signal(number, signal.SIG_DFL)  # A second one does not wait.

    def end_and_die() -> None:
        try:
            end()
        finally:
            os.kill(os.getpid(), number)

    try:
        threading.Thread(target=end_and_die, name="sctpx end").start()
    except RuntimeError:  # The interpreter exits already, and takes no more threads.
        os.kill(os.getpid(), number)


atexit.register(end)
