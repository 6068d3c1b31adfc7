"""VirtualClock and the seeded sources of randomness."""

from __future__ import annotations

import pytest

from sctpx.core.timers import NEVER
from sctpx.testing import SECOND, VirtualClock, seeded_bytes, seeded_random


def test_time_starts_far_from_zero_at_a_point_that_depends_on_the_seed() -> None:
    starts = {VirtualClock(seed).now for seed in range(20)}
    assert len(starts) == 20
    assert min(starts) >= 10**18
    assert max(starts) // SECOND < 2**32  # it fits the timestamps of a capture


def test_things_happen_in_the_order_of_their_times_and_then_of_the_calls() -> None:
    clock = VirtualClock()
    done: list[str] = []
    start = clock.now
    clock.call_at(start + 20, done.append, "third")
    clock.call_at(start + 10, done.append, "first")
    clock.call_at(start + 10, done.append, "second")
    clock.run_next()
    assert clock.now == start + 10
    clock.run_next()
    clock.run_next()
    assert done == ["first", "second", "third"]
    assert clock.now == start + 20
    assert clock.next_due == NEVER


def test_nothing_can_be_asked_for_in_the_past() -> None:
    clock = VirtualClock()
    with pytest.raises(ValueError, match="in the past"):
        clock.call_at(clock.now - 1, print, "never")


def test_time_can_be_advanced_up_to_what_is_due_next_and_no_further() -> None:
    clock = VirtualClock()
    clock.call_at(clock.start + 2 * SECOND, print, "not in this test")
    clock.advance_to(clock.start + 2 * SECOND)
    assert clock.elapsed == 2.0
    with pytest.raises(ValueError, match="due before"):
        clock.advance_to(clock.start + 3 * SECOND)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_to(clock.start)


def test_an_idle_clock_has_nothing_to_run() -> None:
    with pytest.raises(IndexError):
        VirtualClock().run_next()


def test_random_bytes_repeat_with_the_seed_and_differ_between_purposes() -> None:
    assert seeded_bytes(7, "host", "A")(64) == seeded_bytes(7, "host", "A")(64)
    drawn = {seeded_bytes(seed, "host", name)(16) for seed in (7, 8) for name in ("A", "B")}
    assert len(drawn) == 4
    # The same on every machine and in every version: recorded numbers would change with it.
    assert seeded_random(7, "host", "A").randrange(10**6) == seeded_random(7, "host", "A").randrange(10**6)
