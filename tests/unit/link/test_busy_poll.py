"""When a wait for the network is polled, and how."""

from __future__ import annotations

import os
import time

import pytest

from sctpx.core.timers import NEVER
from sctpx.link import busy_poll
from sctpx.link.busy_poll import ENOUGH, LIMIT, BusyPoll, polling_limit

LONG = 3_600 * 10**9
"""An hour, ns: longer than any test."""


class Network:
    """``select`` of a network in which something comes after so many looks. Its clock counts the looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: int, each: int = 1000) -> None:
        self.now = 1_000_000
        self.timeouts: list[float | None] = []
        self._looks = looks
        self._each = each
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now)

    def select(self, timeout: float | None) -> list[str]:
        self.timeouts.append(timeout)
        self.now += self._each
        return ["packet"] if len(self.timeouts) > self._looks or timeout is None else []


def in_dialogue(limit: int = LIMIT, waits: int = ENOUGH) -> BusyPoll:
    """After so many short waits, the last of which has brought a packet of a dialogue."""
    poll = BusyPoll(limit)
    for _ in range(waits):
        poll.note(limit - 1)
    poll.in_dialogue = True
    return poll


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with two processors, and no variable set."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.delenv("SCTPX_BUSY_POLL", raising=False)
    return monkeypatch


def test_enough_short_waits_in_a_row_call_for_polling_and_a_long_one_ends_it() -> None:
    assert in_dialogue(waits=ENOUGH - 1).budget == 0
    poll = in_dialogue()
    assert poll.budget == LIMIT
    poll.note(LIMIT)
    assert poll.budget == 0
    for _ in range(ENOUGH - 1):
        poll.note(1)
    assert poll.budget == 0
    poll.note(1)
    assert poll.budget == LIMIT


def test_only_a_dialogue_is_polled_for() -> None:
    poll = in_dialogue()
    poll.in_dialogue = False
    assert poll.budget == 0


def test_a_limit_of_zero_turns_polling_off() -> None:
    poll = in_dialogue(0)
    poll.note(0)
    assert poll.budget == 0


def test_polling_ends_with_what_comes_and_never_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=5)
    assert in_dialogue().wait(network.select, NEVER) == ["packet"]
    assert network.timeouts == [0] * 6


def test_where_nothing_comes_polling_gives_way_to_sleep_and_pays_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=LONG, each=LIMIT // 4)
    poll = in_dialogue()
    assert poll.wait(network.select, NEVER) == ["packet"]
    assert network.timeouts == [0, 0, 0, 0, None]
    poll.in_dialogue = True
    assert poll.budget == 0


def test_polling_and_sleep_together_end_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=LONG, each=LIMIT // 4)
    in_dialogue().wait(network.select, network.now + LIMIT // 2)
    assert network.timeouts == [0, 0, 0.0]
    network.timeouts.clear()
    in_dialogue().wait(network.select, network.now + 2 * LIMIT)
    assert network.timeouts == [0, 0, 0, 0, pytest.approx(LIMIT / 10**9)]


def test_without_polling_a_wait_is_one_look_and_its_length_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=0, each=LIMIT - 1)
    poll = in_dialogue(waits=0)
    for _ in range(ENOUGH):
        assert poll.budget == 0
        poll.wait(network.select, NEVER)
    assert network.timeouts == [None] * ENOUGH
    poll.in_dialogue = True
    assert poll.budget == LIMIT


def test_a_packet_of_a_dialogue_is_polled_behind_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=0)
    poll = in_dialogue()
    for _ in range(2):
        poll.wait(network.select, NEVER)
    assert network.timeouts == [0, None]


def test_waits_that_bring_nothing_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that waits for a tenth of a millisecond, again and again, polls once."""
    network = Network(monkeypatch, looks=LONG)
    poll = in_dialogue()
    for _ in range(3 * ENOUGH):
        poll.wait(network.select, network.now + LIMIT // 2)
        poll.in_dialogue = True
    assert network.timeouts.count(0.0) > LIMIT // 2000
    network.timeouts.clear()
    poll.wait(network.select, network.now + LIMIT // 2)
    assert network.timeouts == [pytest.approx(LIMIT / 2 / 10**9)]


def test_a_time_that_has_passed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, looks=LONG)
    in_dialogue().wait(network.select, network.now - 1)
    assert network.timeouts == [0.0]


def test_the_limit_is_the_one_of_the_environment(processors: pytest.MonkeyPatch) -> None:
    assert polling_limit() == LIMIT
    for said, meant in {"50": 50_000, "0": 0, "-3": 0, "": LIMIT, "fast": LIMIT}.items():
        processors.setenv(busy_poll.VARIABLE, said)
        assert polling_limit() == meant


def test_a_single_processor_is_left_to_the_peer(processors: pytest.MonkeyPatch) -> None:
    processors.setattr(os, "cpu_count", lambda: 1)
    processors.setenv(busy_poll.VARIABLE, "50")
    assert polling_limit() == 0
