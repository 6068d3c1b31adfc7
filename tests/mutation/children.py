"""A call in a forked process, which may end with a result, with an exception, by a signal, or not at all."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

MEMORY: Final = 2 << 30
"""Bytes of address space for a child: a fault that makes a loop endless may make a list endless, too."""


class Child:
    """A call that is being made in a forked process."""

    def __init__(self, call: Callable[[], Any], patience: float) -> None:
        """Begin.

        :param patience: Seconds after which the child is killed, if ``wait`` is called.
        """
        self.deadline = monotonic() + patience
        self._parts: list[bytes] = []
        self.reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _be_child(call, writing)
        os.close(writing)

    def read(self) -> bool:
        """Take in what has come of the result; whether that was all."""
        part = os.read(self.reading, 1 << 20)
        self._parts.append(part)
        return not part

    def end(self) -> Any:
        """What the call returned; a string that says how the child ended if that was in another way."""
        os.close(self.reading)
        status = os.waitpid(self._pid, 0)[1]
        if os.WIFSIGNALED(status):
            late = os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGVTALRM}
            return "timeout" if late else f"signal {os.WTERMSIG(status)}"
        whole = b"".join(self._parts)
        return pickle.loads(whole) if whole else f"exit {os.WEXITSTATUS(status)}"

    def kill(self) -> None:
        """End the child, which takes too long."""
        os.kill(self._pid, signal.SIGKILL)


def first_to_end(children: list[Child]) -> Child:
    """Wait until one of some children has told its result, or has ended otherwise."""
    while True:
        soonest = min(children, key=lambda child: child.deadline)
        readable = select.select([child.reading for child in children], [], [], max(soonest.deadline - monotonic(), 0))[
            0
        ]
        if not readable:
            soonest.kill()
            return soonest
        for child in children:
            if child.reading in readable and child.read():
                return child


def in_child(call: Callable[[], Any], patience: float) -> Any:
    """What a call returns in a child, or how the child ended."""
    return first_to_end([Child(call, patience)]).end()


def _be_child(call: Callable[[], Any], writing: int) -> None:
    """Make the call, hand over the result, and end without a clean-up: nothing here is this process's own."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        sys.setrecursionlimit(1000)
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001, RUF100 - the parent says what it was
            result = f"raised {error!r}"
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(result, pipe)
        code = 0
    finally:
        os._exit(code)


def limit_cpu(seconds: float) -> None:
    """End this process by a signal when it has run for so many seconds more, however busy the machine is."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
