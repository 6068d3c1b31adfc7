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


def test_a_handler_that_a_wait_lets_run_sees_the_programs_handlers() -> None:
    """And what it sets stays, although the stand-ins were in place when the signal came."""
    guard = Guard()
    seen: list[object] = []

    def another(*_: object) -> None:
        seen.append("another")

    def handler(*_: object) -> None:
        seen.append(signal.getsignal(ONE))
        signal.signal(TWO, another)

    before = signal.signal(ONE, handler), signal.signal(TWO, handler)
    try:
        with guard, guard.lock:
            guard.wait(signal.raise_signal, ONE)
            signal.raise_signal(TWO)
            assert seen == [handler]
        assert seen == [handler, "another"]
        assert (signal.getsignal(ONE), signal.getsignal(TWO)) == (handler, another)
    finally:
        signal.signal(ONE, before[0])
        signal.signal(TWO, before[1])


def test_a_handler_that_a_wait_lets_run_can_use_the_guard_itself(calls: list[int]) -> None:
    guard = Guard()

    def handler(number: int, _: object) -> None:
        with guard, guard.lock:
            signal.raise_signal(TWO)
            assert calls == []
        assert calls == [TWO]

    signal.signal(ONE, handler)
    with guard, guard.lock:
        guard.wait(signal.raise_signal, ONE)
        signal.raise_signal(TWO)
        assert calls == [TWO]
    assert calls == [TWO, TWO]


def test_a_signal_that_came_before_a_wait_is_handled_before_it(calls: list[int]) -> None:
    guard = Guard()
    with guard, guard.lock:
        signal.raise_signal(ONE)
        assert guard.wait(calls.copy) == [ONE]
        signal.raise_signal(ONE)
        assert calls == [ONE]
    assert calls == [ONE, ONE]


def test_a_signal_that_comes_while_the_lock_is_waited_for_leaves_the_change_guarded(calls: list[int]) -> None:
    """Another thread has the lock when it comes; its handler returns, and the next one raises."""
    guard = Guard(reentrant=False)
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with guard, guard.lock:
            inside.set()
            done.wait()

    def handler(number: int, _: object) -> None:
        calls.append(number)
        done.set()

    signal.signal(ONE, handler)
    signal.signal(TWO, raising(KeyError))
    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    main = threading.get_ident()
    waker = threading.Timer(0.01, lambda: signal.pthread_kill(main, ONE))
    waker.start()
    reached: list[bool] = []
    with pytest.raises(KeyError):
        signals_under(guard, TWO, reached=reached)
    assert (calls, reached) == ([ONE], [True])
    thread.join()
    waker.join()


class AskedLock:
    """A lock that says when a thread has asked for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.asked = threading.Event()

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001

    def __enter__(self) -> None:
        self.asked.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_another_thread_that_waits_for_the_lock_does_not_change_how_deep_this_one_is(calls: list[int]) -> None:
    lock = AskedLock()
    outer, guard = Guard(), Guard(lock, reentrant=False)
    with outer, outer.lock:
        with guard, guard.lock:
            lock.asked.clear()
            thread = threading.Thread(target=signals_under, args=(guard,), kwargs={"reached": []})
            thread.start()
            lock.asked.wait()
        thread.join()
        signal.raise_signal(ONE)
        assert calls == []
    assert calls == [ONE]
