"""Polling in an event loop: callbacks that keep it from sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from sctpx.aio.polling import Polling
from sctpx.link.busy_poll import ENOUGH, LIMIT


class Loop:
    """An event loop that remembers what is to run in its next iteration."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[..., object], *_: Any) -> None:
        self.soon.append(callback)

    def iterate(self) -> None:
        callbacks, self.soon = self.soon, []
        for callback in callbacks:
            callback()


class Clock:
    """The time, which stands still until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 10 * LIMIT
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def polling(loop: Loop) -> Polling:
    return Polling(cast(asyncio.AbstractEventLoop, loop), LIMIT)


def talk(poll: Polling, clock: Clock, packets: int, wait: int = LIMIT - 1, in_dialogue: bool = True) -> None:
    """So many packets come, each so long after the one before."""
    for _ in range(packets):
        clock.now += wait
        poll.go_on(clock.now, in_dialogue)


def test_a_dialogue_keeps_the_loop_awake_until_the_limit_after_its_last_packet(clock: Clock) -> None:
    loop = Loop()
    poll = polling(loop)
    talk(poll, clock, ENOUGH)  # Before the first of these there was a long wait.
    assert loop.soon == []
    talk(poll, clock, 1)
    for _ in range(3):
        assert len(loop.soon) == 1
        clock.now += LIMIT // 4
        loop.iterate()
    clock.now += LIMIT // 4
    loop.iterate()
    assert loop.soon == []


def test_each_packet_moves_the_limit_and_there_is_one_callback(clock: Clock) -> None:
    loop = Loop()
    poll = polling(loop)
    talk(poll, clock, 3 * ENOUGH)
    assert len(loop.soon) == 1
    clock.now += LIMIT - 1
    loop.iterate()
    assert len(loop.soon) == 1


def test_the_loop_sleeps_again_and_polls_again_in_the_next_dialogue(clock: Clock) -> None:
    loop = Loop()
    poll = polling(loop)
    talk(poll, clock, ENOUGH + 1)
    clock.now += LIMIT
    loop.iterate()
    assert loop.soon == []
    talk(poll, clock, 1, wait=LIMIT)
    assert loop.soon == []
    talk(poll, clock, ENOUGH)
    assert len(loop.soon) == 1


def test_what_is_no_dialogue_is_not_polled_for(clock: Clock) -> None:
    loop = Loop()
    poll = polling(loop)
    talk(poll, clock, 3 * ENOUGH, in_dialogue=False)
    assert loop.soon == []


def test_whoever_stops_polling_lets_the_loop_sleep(clock: Clock) -> None:
    loop = Loop()
    poll = polling(loop)
    talk(poll, clock, ENOUGH + 1)
    poll.stop()
    loop.iterate()
    assert loop.soon == []


def test_a_signal_handler_that_raises_in_between_does_not_end_polling_for_good(clock: Clock) -> None:
    class Interrupted(Loop):
        interrupted = False

        def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
            if self.interrupted:
                self.interrupted = False
                raise KeyboardInterrupt
            super().call_soon(callback, *arguments)

    loop = Interrupted()
    poll = polling(loop)
    talk(poll, clock, ENOUGH)
    loop.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        talk(poll, clock, 1)
    talk(poll, clock, 1)
    loop.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        loop.iterate()
    talk(poll, clock, 1)
    assert len(loop.soon) == 1
