"""HyStart++ (RFC 9406): rounds, round trips measured in bytes, and when slow start ends."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.path.hystart import MOST_MARKS, HyStart
from sctpx.core.timers import NEVER

PACKET: Final = 1000
MILLISECOND: Final = 1_000_000


class Sender:
    """Sends windows of packets and has them acknowledged, each a round trip later."""

    def __init__(self) -> None:
        self.hystart = HyStart()
        self.now = 0
        self.flight = 0

    def round(self, *rtts: float) -> None:
        """A window of packets, one for each round-trip time in ms; they are sent one after the other, as are SACKs."""
        begin = self.now
        for number in range(len(rtts)):
            self.flight += PACKET
            self.hystart.on_sent(begin + number, self.flight)
        for number, rtt in enumerate(rtts):
            self.now = begin + number + int(rtt * MILLISECOND)
            self.flight -= PACKET
            self.hystart.on_acknowledged(self.now, PACKET)
            self.hystart.on_sent(self.now, self.flight)


def warm(rtt: float) -> Sender:
    """A round of ten packets has been measured."""
    sender = Sender()
    sender.round(*[rtt] * 10)
    assert sender.hystart.current_round_min_rtt == int(rtt * MILLISECOND)
    return sender


def test_the_shortest_round_trip_of_a_round_is_kept() -> None:
    sender = Sender()
    sender.round(30)
    assert sender.hystart.last_round_min_rtt == NEVER
    sender.round(20, 25, 21, 40, 50)
    assert sender.hystart.last_round_min_rtt == 30 * MILLISECOND
    sender.round(22, 22)
    assert sender.hystart.last_round_min_rtt == 20 * MILLISECOND
    assert sender.hystart.current_round_min_rtt == 22 * MILLISECOND


@pytest.mark.parametrize(
    ("before", "threshold"), [(8, 4), (16, 4), (32, 4), (40, 5), (80, 10), (128, 16), (200, 16), (1000, 16)]
)
def test_rounds_that_become_longer_by_an_eighth_end_the_doubling(before: float, threshold: float) -> None:
    for extra, ended in ((threshold - 0.1, False), (threshold, True)):
        sender = warm(before)
        sender.round(*[before + extra] * 8)
        assert sender.hystart.conservative is ended


def test_fewer_than_eight_round_trips_say_nothing() -> None:
    sender = warm(40)
    sender.round(*[80] * 7)
    assert not sender.hystart.conservative
    sender = warm(40)
    sender.round(*[80] * 8)
    assert sender.hystart.conservative


def test_one_short_round_trip_of_a_round_shows_that_there_is_no_queue() -> None:
    sender = warm(40)
    sender.round(*[80] * 5, 81, 40, *[80] * 5)
    assert not sender.hystart.conservative


def test_growth_is_a_quarter_in_conservative_slow_start() -> None:
    sender = warm(40)
    assert sender.hystart.growth(4000) == 4000
    sender.round(*[80] * 10)
    assert sender.hystart.growth(4000) == 1000


def test_after_five_rounds_it_is_done_and_the_one_in_which_it_began_counts() -> None:
    sender = warm(40)
    for rounds in range(5):
        sender.round(*[80] * 10)
        assert sender.hystart.rounds == rounds
        assert not sender.hystart.done
    sender.round(80)  # The sixth round begins.
    assert sender.hystart.done


def test_if_round_trips_become_short_again_it_was_no_queue() -> None:
    sender = warm(40)
    sender.round(*[80] * 10)
    sender.round(*[85] * 10)
    assert sender.hystart.conservative
    sender.round(*[79] * 10)
    assert not sender.hystart.conservative
    for _ in range(10):
        sender.round(*[80] * 10)
    assert not sender.hystart.done
    # It begins anew, with all its rounds.
    for _ in range(5):
        sender.round(*[100] * 10)
        assert not sender.hystart.done
    sender.round(100)
    assert sender.hystart.done


def test_a_sack_that_covers_several_sendings_measures_the_last_one() -> None:
    hystart = HyStart()
    for number in range(1, 4):
        hystart.on_sent(number * MILLISECOND, number * PACKET)
    hystart.on_acknowledged(203 * MILLISECOND, 3 * PACKET)
    assert hystart.current_round_min_rtt == 200 * MILLISECOND


def test_data_that_left_the_flight_without_a_sack_measures_nothing() -> None:
    hystart = HyStart()
    hystart.on_sent(0, 10 * PACKET)
    hystart.on_sent(MILLISECOND, 2 * PACKET)
    hystart.on_acknowledged(30 * MILLISECOND, 2 * PACKET)
    assert hystart.current_round_min_rtt == hystart.last_round_min_rtt == NEVER
    hystart.on_sent(30 * MILLISECOND, 5 * PACKET)
    hystart.on_acknowledged(70 * MILLISECOND, 5 * PACKET)
    assert hystart.current_round_min_rtt == 40 * MILLISECOND


def test_a_round_ends_with_what_is_left_of_it_if_data_left_the_flight_without_a_sack() -> None:
    """For example when messages are given up (RFC 3758)."""
    hystart = HyStart()
    hystart.on_sent(0, 10 * PACKET)
    hystart.on_acknowledged(30 * MILLISECOND, PACKET)  # A round begins, of ten packets.
    hystart.on_sent(30 * MILLISECOND, 2 * PACKET)  # Three of them are left.
    hystart.on_acknowledged(40 * MILLISECOND, 2 * PACKET)
    hystart.on_sent(40 * MILLISECOND, PACKET)
    assert hystart.last_round_min_rtt == NEVER
    hystart.on_acknowledged(90 * MILLISECOND, PACKET)
    hystart.on_sent(90 * MILLISECOND, PACKET)
    hystart.on_acknowledged(190 * MILLISECOND, PACKET)
    assert (hystart.last_round_min_rtt, hystart.current_round_min_rtt) == (50 * MILLISECOND, 100 * MILLISECOND)


def test_few_sendings_leave_marks() -> None:
    hystart = HyStart()
    for number in range(1, MOST_MARKS + 10):
        hystart.on_sent(number, number * PACKET)
        assert len(hystart.marks) == min(number, MOST_MARKS)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["send", "sack", "drop"]), st.integers(1, 40), st.integers(0, 10**9)), max_size=300
    )
)
def test_a_round_trip_is_never_shorter_than_it_was(steps: list[tuple[str, int, int]]) -> None:
    """Beside a queue of packets with the time at which each was sent."""
    hystart = HyStart()
    queue: list[int] = []
    now = 0
    shortest = NEVER
    for what, count, after in steps:
        now += after
        if what == "send":
            queue += [now] * count
        elif what == "drop":
            del queue[len(queue) - min(count, len(queue)) :]
        elif queue:
            done = queue[:count]
            del queue[:count]
            shortest = min(shortest, now - done[-1])
            hystart.on_acknowledged(now, len(done))
            measured = min(hystart.current_round_min_rtt, hystart.last_round_min_rtt)
            assert measured >= shortest
        hystart.on_sent(now, len(queue))
        assert len(hystart.marks) <= MOST_MARKS
