"""Signals wait while something changes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sctpx import deferral
from sctpx.deferral import Guard

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals")

ONE, TWO = getattr(signal, "SIGUSR1", 0), getattr(signal, "SIGUSR2", 0)


@pytest.fixture
def calls() -> Iterator[list[int]]:
    """The signals whose handlers were called, in order; those handlers."""
    numbers: list[int] = []
    before = {number: signal.signal(number, lambda called, _: numbers.append(called)) for number in (ONE, TWO)}
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raising(error: type[BaseException]) -> Callable[..., None]:
    def handler(*_: object) -> None:
        raise error

    return handler


def signals_under(guard: Guard, *numbers: int, reached: list[bool]) -> None:
    with guard, guard.lock:
        for number in numbers:
            signal.raise_signal(number)
            reached.append(True)


def test_handlers_are_called_when_the_lock_is_free_and_each_once(calls: list[int]) -> None:
    guard = Guard()
    handlers = signal.getsignal(ONE), signal.getsignal(TWO)
    with guard, guard.lock:
        for number in (TWO, ONE, TWO):
            signal.raise_signal(number)
        assert calls == []
    assert calls == [TWO, ONE]
    assert (signal.getsignal(ONE), signal.getsignal(TWO)) == handlers


def test_the_rest_is_called_when_one_raises(calls: list[int]) -> None:
    guard = Guard()
    signal.signal(ONE, raising(KeyError))
    with pytest.raises(KeyError):
        signals_under(guard, ONE, TWO, reached=[])
    assert calls == [TWO]


def test_ctrl_c_waits(calls: list[int]) -> None:
    guard = Guard()
    reached: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        signals_under(guard, signal.SIGINT, reached=reached)
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_wait_is_interrupted_at_once_and_the_block_goes_on(calls: list[int]) -> None:
    guard = Guard()
    signal.signal(ONE, raising(KeyError))
    with guard, guard.lock:
        with pytest.raises(KeyError):
            guard.wait(signal.raise_signal, ONE)
        signal.raise_signal(TWO)
        assert calls == []
    assert calls == [TWO]


def test_a_signal_that_comes_again_after_a_long_time_is_not_held_back(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard()
    with guard, guard.lock:
        signal.raise_signal(ONE)
        signal.raise_signal(ONE)
        assert calls == []
        later = time.monotonic() + deferral.PATIENCE
        monkeypatch.setattr(time, "monotonic", lambda: later)
        signal.raise_signal(ONE)
        assert calls == [ONE]
    assert calls == [ONE]


def test_a_guard_within_a_guard_changes_nothing(calls: list[int]) -> None:
    guard, other = Guard(), Guard()
    with guard, guard.lock:
        for inner in (guard, other):
            with inner, inner.lock:
                signal.raise_signal(ONE)
            assert calls == []
    assert calls == [ONE]


def test_a_handler_that_the_block_sets_stays(calls: list[int]) -> None:
    guard = Guard()
    handler = raising(KeyError)
    with guard, guard.lock:
        signal.signal(ONE, handler)
    assert signal.getsignal(ONE) is handler


def test_another_thread_leaves_the_handlers_alone(calls: list[int]) -> None:
    guard = Guard()
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with guard, guard.lock:
            inside.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    signal.raise_signal(ONE)
    assert calls == [ONE]
    done.set()
    thread.join()


def test_a_lock_that_was_not_given_back_is_given_back_by_the_guard() -> None:
    """As when a trace function raises between the end of a block and that of the lock."""
    guard = Guard()
    with pytest.raises(ZeroDivisionError), guard:
        assert guard.lock.acquire() / 0
    assert guard.lock.acquire(blocking=False)
    guard.lock.release()
