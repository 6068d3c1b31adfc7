"""``TsnMap`` against a set of numbers."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sctpx.core.rx.tsn_map import MAX_AHEAD, MAX_DUPLICATES, MAX_RANGES, TsnMap
from sctpx.wire.ranges import Ranges

INITIAL = 1 << 32


def ranges_of(tsns: set[int]) -> Ranges:
    """Runs of consecutive numbers as [start, end)."""
    ranges: Ranges = []
    for tsn in sorted(tsns):
        if ranges and ranges[-1][1] == tsn:
            ranges[-1] = (ranges[-1][0], tsn + 1)
        else:
            ranges.append((tsn, tsn + 1))
    return ranges


class TsnMapMachine(RuleBasedStateMachine):
    """Every TSN received so far, in a set, and the duplicates in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.map = TsnMap(INITIAL)
        self.initial = INITIAL
        self.received: set[int] = set()
        self.duplicates: list[int] = []

    @property
    def cumulative_tsn(self) -> int:
        tsn = self.initial
        while tsn in self.received:
            tsn += 1
        return tsn - 1

    @rule(distance=st.integers(-5, 30))
    def receive(self, distance: int) -> None:
        tsn = self.cumulative_tsn + distance
        known = tsn < self.initial or tsn in self.received
        assert self.map.is_new(tsn) is not known
        if known:
            self.map.note_duplicate(tsn)
            self.duplicates = [*self.duplicates, tsn][:MAX_DUPLICATES]
        else:
            self.map.record(tsn)
            self.received.add(tsn)

    @precondition(lambda self: self.map.ranges)
    @rule(data=st.data())
    def fill_the_first_hole(self, data: st.DataObject) -> None:
        first = self.cumulative_tsn + 1
        hole = data.draw(st.permutations(range(first, self.map.ranges[0][0])))
        for tsn in hole:
            assert self.map.is_new(tsn)
            self.map.record(tsn)
            self.received.add(tsn)

    @rule()
    def send_a_sack(self) -> None:
        self.map.duplicates = []
        self.duplicates = []

    @rule(distance=st.integers(0, 1000))
    def begin_anew(self, distance: int) -> None:
        self.initial += distance
        self.map.reset(self.initial)
        self.received = set()
        self.duplicates = []

    @invariant()
    def agrees_with_the_set(self) -> None:
        self.map.check_invariants()
        cumulative_tsn = self.cumulative_tsn
        assert self.map.cumulative_tsn == cumulative_tsn
        assert self.map.ranges == ranges_of({tsn for tsn in self.received if tsn > cumulative_tsn})
        assert self.map.highest_tsn == max(self.received | {self.initial - 1})
        assert self.map.duplicates == self.duplicates


TestTsnMap = TsnMapMachine.TestCase


def test_what_is_as_far_ahead_as_a_gap_ack_block_can_say_is_recorded() -> None:
    tsn_map = TsnMap(INITIAL)
    tsn_map.record(tsn_map.cumulative_tsn + MAX_AHEAD)
    assert tsn_map.ranges == [(INITIAL - 1 + 65535, INITIAL + 65535)]


def test_half_a_million_tsns_in_sequence_leave_no_ranges() -> None:
    tsn_map = TsnMap(INITIAL)
    for tsn in range(INITIAL, INITIAL + 500_000):
        assert tsn_map.is_new(tsn)
        tsn_map.record(tsn)
    assert tsn_map.cumulative_tsn == INITIAL + 499_999
    assert tsn_map.ranges == []


def test_there_is_a_place_for_so_many_ranges_and_always_for_what_adds_none() -> None:
    tsn_map = TsnMap(INITIAL)
    first = INITIAL + 10
    for number in range(MAX_RANGES):
        assert tsn_map.has_place(first + 3 * number)
        tsn_map.record(first + 3 * number)
    last = first + 3 * (MAX_RANGES - 1)
    assert not tsn_map.has_place(first - 5)
    assert not tsn_map.has_place(last + 3)
    for tsn in (INITIAL, first - 1, first + 1, last - 1, last + 1):
        assert tsn_map.has_place(tsn)
    tsn_map.record(first + 1)
    tsn_map.record(first + 2)  # Two ranges are one: there is a place again.
    assert tsn_map.has_place(first - 5)


def test_what_no_gap_ack_block_can_tell_has_no_place() -> None:
    tsn_map = TsnMap(INITIAL)
    assert tsn_map.has_place(INITIAL - 1 + MAX_AHEAD)
    assert not tsn_map.has_place(INITIAL + MAX_AHEAD)


def test_all_up_to_a_tsn_counts_as_received_and_what_follows_there() -> None:
    for tsn, cumulative, left in (
        (103, 103, [(105, 107), (109, 110)]),
        (104, 106, [(109, 110)]),
        (105, 106, [(109, 110)]),
        (200, 200, []),
    ):
        received = TsnMap(100)
        for one in (101, 102, 105, 106, 109):
            received.record(one)
        received.forward(tsn)
        received.check_invariants()
        assert (received.cumulative_tsn, received.ranges) == (cumulative, left)


def test_a_sack_tells_of_so_many_duplicates_and_no_more() -> None:
    """RFC 9260 section 6.2: as many as there is room for; the others are not kept."""
    tsn_map = TsnMap(100)
    for number in range(MAX_DUPLICATES + 5):
        tsn_map.note_duplicate(number)
    assert tsn_map.duplicates == [*range(MAX_DUPLICATES)]
