"""Signal handlers that raise, at any step of sctpx: at each instruction of its byte code."""

from __future__ import annotations

import dis
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import pytest

NUMBER: Final = signal.SIGUSR1 if hasattr(signal, "SIGUSR1") else signal.SIGTERM
LIMIT: Final = 100_000
_RETURN: Final = dis.opmap["RETURN_VALUE"]
# Python looks for signals at no such step: so a coroutine goes on with what it awaits.
_UNINTERRUPTED: Final = {dis.opmap.get(name, -1) for name in ("JUMP_BACKWARD_NO_INTERRUPT", "SEND")}
# Where the result of a call is on its way to the program.
_CALLS: Final = ("message_calls.py", "socket_calls.py", "aio/association.py", "aio/server.py", "aio/waiting.py")


class Interrupted(KeyboardInterrupt):
    """What the handler raises."""


def from_handler() -> None:
    """The handler of a signal raises."""
    signal.raise_signal(NUMBER)


def out_of_the_blue() -> None:
    """Something else raises: nothing can hold it back."""
    raise Interrupted


class Interruption:
    """In its context, something happens at one instruction of sctpx, counted from 1; ``where`` tells where it was.

    The instruction that returns a result to the program is left out: Python runs no handler there, and the result is
    neither sctpx's any more nor the program's already.
    """

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self._left = at
        self._act = act
        self.where = ""

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._on_call)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    @property
    def happened(self) -> bool:
        """The context has had so many instructions."""
        return bool(self.where)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self.where or "/sctpx/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._on_step

    def _on_step(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if event != "opcode" or self.where:
            return self._on_step
        step = code.co_code[frame.f_lasti]
        if step in _UNINTERRUPTED or (step == _RETURN and code.co_filename.endswith(_CALLS)):
            return self._on_step
        self._left -= 1
        if not self._left:
            self.where = f"{code.co_filename}:{frame.f_lineno} {code.co_qualname} {dis.opname[step]}"
            sys.settrace(None)
            self._act()
        return self._on_step


@contextmanager
def handler_that_raises() -> Iterator[None]:
    """The handler of ``NUMBER`` raises ``Interrupted``."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(NUMBER, interrupt)
    try:
        yield
        assert signal.getsignal(NUMBER) is interrupt
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(NUMBER, before)


def steps(every: int, in_full: int = 1) -> list[Any]:
    """Parameters for a sweep: one of ``every`` instructions each time, and by ``make test-slow`` one of ``in_full``."""
    return [every, pytest.param(in_full, marks=pytest.mark.slow)]


def sweep(every: int, act: Callable[[], object] = from_handler) -> Iterator[Interruption]:
    """An interruption at every so many instructions, until there are no more."""
    for at in range(1, LIMIT, every):
        interruption = Interruption(at, act)
        yield interruption
        if not interruption.happened:
            return
    raise AssertionError("it never ends")
