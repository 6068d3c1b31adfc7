"""``Outstanding`` against a record kept of every single TSN.

The machine sends batches cut by a real ``SendQueue`` to several paths and lets a peer acknowledge what it
likes, gap by gap, and take acknowledgements back. What the RFC says of one TSN decides what must be in
flight, acknowledged, marked, retransmitted: sections 6.2.1, 6.3.3, 6.7 and 7.2.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.config import AssociationConfig
from sctpx.core.overhead import MESSAGE
from sctpx.core.path.path import Path
from sctpx.core.tx.batch import Batch
from sctpx.core.tx.loss import MISS_INDICATIONS
from sctpx.core.tx.out_message import OutMessage
from sctpx.core.tx.outstanding import Outstanding
from sctpx.core.tx.sack_result import SackResult
from sctpx.core.tx.send_queue import Room, SendQueue
from sctpx.wire import control
from sctpx.wire.codes import DATA_END, DATA_HEADER
from sctpx.wire.packet import prefix
from sctpx.wire.ranges import Ranges
from sctpx.wire.seal import Seal
from sctpx.wire.serial import TSN_MASK
from tests.sweeps import examples
from tests.unit.core.tx.packets import data_chunks, split_packets

CONFIG = AssociationConfig()
PREFIX = prefix(1, 2, 3)
SEAL = Seal(PREFIX)
LIMIT = 300
"""Small packets: many of them with little data."""
INITIAL = (1 << 33) - 40
"""The TSN wraps on the wire soon."""
UNLIMITED = 1 << 30

FLIGHT = "in flight"
ACKED = "acknowledged by a gap block"
MARKED = "marked for retransmission"


@dataclass(eq=False)
class Record:
    """What is known of one TSN above the cumulative TSN ack point."""

    first: Path
    raw: bytes
    sent_behind: int
    """A SACK that newly acknowledges this TSN or a higher one shows that this one is missing."""
    state: str = FLIGHT
    path: Path = field(init=False)
    special: bool = False
    """It was marked once."""
    misses: int = 0
    timed_out: bool = False
    retransmitted: bool = False
    single_destination: bool = True

    def __post_init__(self) -> None:
        self.path = self.first

    @property
    def size(self) -> int:
        return len(self.raw)

    def mark(self) -> None:
        self.state = MARKED
        self.special = True
        self.misses = 0
        self.timed_out = False


@dataclass(eq=False)
class SentBatch:
    """Until when it must be kept, and what it frees then."""

    last_tsn: int
    charge: int


@dataclass(eq=False)
class Expected:
    """What one SACK has to bring about."""

    advanced: bool
    newly: dict[int, Record] = field(default_factory=dict)
    reneged: list[Record] = field(default_factory=list)
    marked: list[Record] = field(default_factory=list)
    freed: int = 0


def make_paths(count: int) -> list[Path]:
    """Paths to 10.0.1.2, 10.0.2.2 and so on."""
    return [Path(bytes((10, 0, number, 2)), b"", 0, CONFIG.rules) for number in range(1, count + 1)]


def make_batch(first_tsn: int, path: Path, sizes: list[int], lead: bytes = b"") -> Batch:
    """A batch with messages of these sizes, behind control chunks if there is room for both."""
    queue = SendQueue()
    for number, size in enumerate(sizes):
        queue.push(OutMessage(bytes([number % 256]) * size, 0, 0, 0, b"", None))
    batch = queue.fill(first_tsn, path, SEAL, LIMIT, lead, Room(UNLIMITED, UNLIMITED, 1000), 0)
    return make_batch(first_tsn, path, sizes) if batch is None else batch


def ranges_of(tsns: set[int]) -> Ranges:
    """Runs of consecutive numbers as [start, end)."""
    edges = sorted(tsns)
    starts = [tsn for tsn in edges if tsn - 1 not in tsns]
    ends = [tsn + 1 for tsn in edges if tsn + 1 not in tsns]
    return list(zip(starts, ends, strict=True))


class OutstandingMachine(RuleBasedStateMachine):
    """A record for every TSN, and nothing clever."""

    def __init__(self) -> None:
        super().__init__()
        self.outstanding = Outstanding(INITIAL)
        self.paths: list[Path] = []
        self.records: dict[int, Record] = {}
        self.batches: list[SentBatch] = []
        self.ack_point = INITIAL - 1
        self.next_tsn = INITIAL
        self.fast_recovery_exit: int | None = None
        self.patience = 0
        """So many TSNs may be taken back."""
        self.unbelieved = 0
        """Below that TSN Gap Ack Blocks do not count."""

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        self.paths = make_paths(count)

    # What the records say.

    def tsns(self, *states: str) -> list[int]:
        """The TSNs in one of these states, in order."""
        return [tsn for tsn, record in self.records.items() if record.state in states]

    def in_flight(self, path: Path) -> list[int]:
        """The TSNs in flight to a path, in order."""
        return [tsn for tsn in self.tsns(FLIGHT) if self.records[tsn].path is path]

    # What happens.

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(self.paths))
        sizes = data.draw(st.lists(st.integers(1, 900) | st.integers(1, 40), min_size=1, max_size=8))
        lead = control.cookie_ack() * data.draw(st.integers(0, 2))
        batch = make_batch(self.next_tsn, path, sizes, lead)
        chunks = [chunk for packet in split_packets(batch.data, batch.segment) for chunk in data_chunks(packet)]
        for chunk in chunks:
            assert chunk.tsn == self.next_tsn & TSN_MASK
            self.records[self.next_tsn] = Record(path, chunk.raw, self.next_tsn + 1)
            self.next_tsn += 1
            self.patience += 1
        charge = sum(len(chunk.data) + (MESSAGE if chunk.flags & DATA_END else 0) for chunk in chunks)
        self.batches.append(SentBatch(self.next_tsn - 1, charge))
        self.outstanding.sent(batch)
        if path.rtt_tsn < 0:
            path.rtt_tsn = batch.first_tsn

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def the_peer_acknowledges(self, data: st.DataObject) -> None:
        cumulative = data.draw(st.just(self.ack_point) | st.integers(self.ack_point, self.next_tsn - 1))
        above = [tsn for tsn in self.records if tsn > cumulative]
        kept = {tsn for tsn in self.tsns(ACKED) if tsn > cumulative}
        fresh = data.draw(st.sets(st.sampled_from(above), max_size=6)) if above else set[int]()
        reneged = data.draw(st.sets(st.sampled_from(sorted(kept)), max_size=3)) if kept else set[int]()
        if data.draw(st.integers(0, 3)):
            reneged = set()
        self.acknowledge(cumulative, (kept | fresh) - reneged)

    @precondition(lambda self: self.records)
    @rule(lost=st.integers(1, 3), arrived=st.integers(1, 6))
    def the_peer_acknowledges_what_is_behind_a_hole(self, lost: int, arrived: int) -> None:
        """As it is with one packet lost: the same hole again and again."""
        gaps = set(self.tsns(ACKED))
        fresh = [tsn for tsn in self.records if tsn > max(gaps | {self.ack_point + lost})][:arrived]
        self.acknowledge(self.ack_point, gaps | set(fresh))

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def the_peer_shuts_down(self, data: st.DataObject) -> None:
        """A SHUTDOWN takes nothing back, unless it says that what follows its TSN is missing after all."""
        cumulative = data.draw(st.integers(self.ack_point + 1, self.next_tsn - 1))
        gaps = {tsn for tsn in self.tsns(ACKED) if tsn > cumulative + 1}
        self.acknowledge(cumulative, gaps, shutdown=True)

    def acknowledge(self, cumulative: int, gaps: set[int], shutdown: bool = False) -> None:
        """A SACK or SHUTDOWN, and what the association does with its result."""
        before = {path: path.earliest_tsn for path in self.paths}
        timed = {path: path.rtt_tsn for path in self.paths}
        expected = self.expect(cumulative, gaps if shutdown else self.believed(cumulative, gaps))
        if shutdown:
            result = self.outstanding.acknowledge_without_blocks(cumulative)
        else:
            result = self.outstanding.acknowledge(cumulative, ranges_of(gaps))
        newly = expected.newly
        assert result.freed == expected.freed
        assert set(result.paths) >= {record.path for record in newly.values()}
        assert len(result.paths) == len(set(result.paths))
        for slot, path in enumerate(result.paths):
            mine = {tsn: record for tsn, record in newly.items() if record.path is path}
            assert result.acknowledged[slot] == sum(record.size for record in mine.values())
            assert result.clean[slot] == any(record.single_destination for record in mine.values())
            assert result.earliest[slot] == (before[path] in mine)
            assert result.rtt[slot] == (timed[path] in newly)
            if result.rtt[slot]:
                # Karn's algorithm (section 6.3.1 C5).
                assert not newly[timed[path]].retransmitted
                path.rtt_tsn = -1
        assert result.marked == len(expected.marked)
        assert set(result.newly_marked) == {record.path for record in expected.marked}
        assert set(result.reneged) == {record.first for record in expected.reneged}
        assert result.taken_back == len(expected.reneged)
        # What the association does (transfer.acknowledge).
        for slot, path in enumerate(result.paths):
            if path.flight_size == 0 or result.earliest[slot]:
                path.earliest_tsn = self.outstanding.find_earliest(path)
        for path in result.newly_marked:
            path.earliest_tsn = self.outstanding.find_earliest(path)
        if result.newly_marked and not self.outstanding.in_fast_recovery:
            self.outstanding.enter_fast_recovery()
            self.fast_recovery_exit = self.next_tsn - 1

    def believed(self, cumulative: int, gaps: set[int]) -> set[int]:
        """What counts of the blocks of a SACK: a peer may take back as much as was sent to it, all in all."""
        if cumulative + 1 < self.unbelieved:
            gaps = set()
        self.patience -= len([tsn for tsn in self.tsns(ACKED) if tsn > cumulative and tsn not in gaps])
        if self.patience >= 0:
            return gaps
        self.patience = 0
        self.unbelieved = self.next_tsn
        return set()

    def expect(self, cumulative: int, gaps: set[int]) -> Expected:
        """What the RFC says of each TSN when this SACK comes."""
        expected = Expected(cumulative > self.ack_point)
        reneged = [tsn for tsn in self.tsns(ACKED) if tsn > cumulative and tsn not in gaps]
        for tsn, record in self.records.items():
            if record.state != ACKED and (tsn <= cumulative or tsn in gaps):
                expected.newly[tsn] = record
        # Section 7.2.4: TSNs below the highest one newly acknowledged are missing; in Fast Recovery, if the SACK
        # advances the ack point, all that it reports missing.
        highest = max(expected.newly, default=0)
        if self.fast_recovery_exit is not None and expected.advanced and gaps:
            highest = max(gaps)
        if not gaps:
            highest = 0
        for record in expected.newly.values():
            record.state = ACKED
        for tsn in reneged:
            self.records[tsn] = Record(self.records[tsn].first, self.records[tsn].raw, tsn + 1)
            expected.reneged.append(self.records[tsn])
        if reneged:
            # One miss indication for what was taken back (section 6.2.1 D iii); what lies above begins anew with it.
            highest = max(highest, max(reneged) + 1)
            for record in self.records.values():
                if record.sent_behind > min(reneged):
                    record.misses = 0
        for tsn, record in self.records.items():
            if tsn <= cumulative or record.state != FLIGHT:
                continue
            record.misses += record.sent_behind <= highest
            if record.misses == MISS_INDICATIONS:
                record.mark()
                expected.marked.append(record)
        self.ack_point = cumulative
        self.records = {tsn: record for tsn, record in self.records.items() if tsn > cumulative}
        expected.freed = sum(batch.charge for batch in self.batches if batch.last_tsn <= cumulative)
        self.batches = [batch for batch in self.batches if batch.last_tsn > cumulative]
        if self.fast_recovery_exit is not None and cumulative >= self.fast_recovery_exit:
            self.fast_recovery_exit = None
        return expected

    @precondition(lambda self: self.outstanding.only_path() is not None)
    @rule(counts=st.lists(st.integers(0, 20) | st.integers(0, 3), max_size=6))
    def the_peer_acknowledges_in_sequence(self, counts: list[int]) -> None:
        """The short way, open while nothing is lost: several SACKs at once."""
        path = self.outstanding.only_path()
        assert path is not None
        cumulatives = [self.ack_point + sum(counts[: index + 1]) for index in range(len(counts))]
        acknowledged: list[int] = []
        freed = 0
        for count, cumulative in zip(counts, cumulatives, strict=True):
            if not count or cumulative >= self.next_tsn:
                break
            acknowledged.append(sum(record.size for tsn, record in self.records.items() if tsn <= cumulative))
            expected = self.expect(cumulative, set())
            freed += expected.freed
            assert all(record.path is path for record in expected.newly.values())
        assert self.outstanding.advance([tsn & TSN_MASK for tsn in cumulatives]) == acknowledged
        assert self.outstanding.take_freed() == freed
        if path.rtt_tsn <= self.ack_point:
            path.rtt_tsn = -1
        path.earliest_tsn = self.outstanding.find_earliest(path)

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def t3_rtx_expires(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(self.paths))
        lost = self.in_flight(path)
        self.outstanding.mark_path(path)
        for tsn in lost:
            self.records[tsn].mark()
            self.records[tsn].timed_out = True
        self.fast_recovery_exit = None
        path.rtt_tsn = -1  # As the association does.

    @rule()
    def the_peer_has_dropped_all(self) -> None:
        lost = self.tsns(FLIGHT)
        self.outstanding.mark_all()
        for tsn in lost:
            self.records[tsn].mark()
        self.fast_recovery_exit = None
        for path in self.paths:
            path.rtt_tsn = -1

    @precondition(lambda self: self.outstanding.marked_chunks)
    @rule(data=st.data())
    def retransmit(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(self.paths))
        room = data.draw(st.integers(20, LIMIT))
        marked = self.tsns(MARKED)
        lowest = self.records[marked[0]]
        assert self.outstanding.next_marked() == marked[0]
        assert self.outstanding.special[marked[0]].path is lowest.path
        assert self.outstanding.special[marked[0]].size == lowest.size
        assert self.outstanding.was_fast(marked[0]) is not lowest.timed_out
        before = path.chunks_retransmitted
        expected: list[bytes] = []
        left = room
        for tsn in marked:
            record = self.records[tsn]
            if expected and record.size > left:
                break
            left -= record.size
            expected.append(record.raw)
            record.single_destination &= record.path is path
            record.path = path
            record.state = FLIGHT
            record.retransmitted = True
            record.sent_behind = self.next_tsn
            record.misses = 0
            self.patience += 1
        assert self.outstanding.retransmit(path, room) == expected
        for other in self.paths:  # As the association does (section 6.3.1 C5).
            if other.rtt_tsn >= marked[0]:
                other.rtt_tsn = -1
        assert path.chunks_retransmitted == before + len(expected)

    # What must be so at all times.

    @invariant()
    def agrees_with_the_records(self) -> None:
        outstanding = self.outstanding
        outstanding.check_invariants()
        assert outstanding.cumulative_tsn_ack_point == self.ack_point
        assert outstanding.next_tsn == self.next_tsn
        assert outstanding.empty is not bool(self.records)
        assert outstanding.gaps == ranges_of(set(self.tsns(ACKED)))
        flight = self.tsns(FLIGHT)
        marked = self.tsns(MARKED)
        assert outstanding.flight_chunks == len(flight)
        assert outstanding.flight_size == sum(self.records[tsn].size for tsn in flight)
        assert outstanding.flight_payload == outstanding.flight_size - DATA_HEADER * len(flight)
        assert outstanding.marked_chunks == len(marked)
        assert outstanding.next_marked() == min(marked, default=-1)
        assert outstanding.in_fast_recovery is (self.fast_recovery_exit is not None)
        assert set(outstanding.special) == {tsn for tsn in self.tsns(FLIGHT, MARKED) if self.records[tsn].special}
        clear = not (outstanding.gaps or outstanding.special)
        paths = list(dict.fromkeys(record.first for record in self.records.values()))
        assert outstanding.only_path() is (paths[0] if clear and len(paths) == 1 else None)

    @invariant()
    def each_path_knows_what_is_in_flight_to_it(self) -> None:
        for path in self.paths:
            flight = self.in_flight(path)
            assert path.flight_size == sum(self.records[tsn].size for tsn in flight)
            assert path.earliest_tsn == min(flight, default=-1)
            assert self.outstanding.find_earliest(path) == path.earliest_tsn

    @invariant()
    def what_was_sent_can_be_given_back(self) -> None:
        expected = [(record.raw, record.state == ACKED) for record in self.records.values()]
        assert self.outstanding.chunks() == expected


TestOutstanding = OutstandingMachine.TestCase
TestOutstanding.settings = examples(60, stateful_step_count=50)


def send(outstanding: Outstanding, path: Path, *sizes: int) -> Batch:
    """Send a batch of messages."""
    batch = make_batch(outstanding.next_tsn, path, list(sizes))
    outstanding.sent(batch)
    return batch


def test_a_chunk_is_found_in_its_batch_with_its_padding_and_behind_control_chunks() -> None:
    [path] = make_paths(1)
    batch = make_batch(INITIAL, path, [1, 2, 3, 4, 900, 7], control.cookie_ack())
    packets = split_packets(batch.data, batch.segment)
    raws = [chunk.raw for packet in packets for chunk in data_chunks(packet)]
    assert [batch.chunk(index) for index in range(len(raws))] == raws
    assert [len(raw) for raw in raws] == batch.sizes


def test_what_is_acknowledged_for_good_is_freed_with_the_batch_it_was_sent_in() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, 10, 20)
    send(outstanding, path, 30)
    assert outstanding.acknowledge(INITIAL, []).freed == 0
    assert outstanding.payload == 60
    assert outstanding.acknowledge(INITIAL + 2, []).freed == 60 + 3 * MESSAGE
    assert outstanding.payload == 0
    assert outstanding.empty


def test_many_batches_come_and_go() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    for number in range(1000):
        send(outstanding, path, 10, 10)
        if number >= 200:
            outstanding.acknowledge(outstanding.cumulative_tsn_ack_point + 2, [])
        outstanding.check_invariants()
    assert outstanding.flight_chunks == 400


def acknowledge(outstanding: Outstanding, cumulative: int, *gaps: tuple[int, int]) -> SackResult:
    """A SACK in small numbers: the first TSN is 1, gaps are [first, last]."""
    base = INITIAL - 1
    return outstanding.acknowledge(base + cumulative, [(base + first, base + last + 1) for first, last in gaps])


def test_only_tsns_below_the_highest_newly_acknowledged_one_are_missing() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 10)
    for last in (4, 5):
        assert acknowledge(outstanding, 0, (2, 2), (4, last)).marked == 0
    # 1 has two miss indications, 3 as well. This SACK only brings news of 2: it says nothing of 3.
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 10)
    acknowledge(outstanding, 0, (5, 5))
    acknowledge(outstanding, 0, (5, 6))
    result = acknowledge(outstanding, 0, (2, 2), (5, 6))
    assert (result.marked, outstanding.next_marked()) == (1, INITIAL)
    result = acknowledge(outstanding, 0, (2, 2), (5, 7))
    assert result.marked == 2
    assert outstanding.marked_chunks == 3


def test_in_fast_recovery_a_sack_that_moves_the_ack_point_counts_for_all_it_reports_missing() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 12)
    for last in (3, 4, 5):
        result = acknowledge(outstanding, 0, (3, last))
    assert result.marked == 2  # 1 and 2
    outstanding.enter_fast_recovery()
    outstanding.retransmit(path, LIMIT)
    acknowledge(outstanding, 0, (3, 5), (8, 8))
    acknowledge(outstanding, 0, (3, 5), (8, 9))
    # Only 2 is newly acknowledged, but 6 and 7 are reported missing all the same, for the third time.
    assert acknowledge(outstanding, 5, (8, 9)).marked == 2
    assert outstanding.next_marked() == INITIAL + 5


@pytest.mark.parametrize("again_on_another_path", [False, True])
def test_a_retransmission_is_lost_again_when_what_was_sent_after_it_overtook_it_three_times(
    again_on_another_path: bool,
) -> None:
    paths = make_paths(2)
    outstanding = Outstanding(INITIAL)
    send(outstanding, paths[0], *[10] * 20)
    for last in (2, 3, 4):
        result = acknowledge(outstanding, 0, (2, last))
    assert result.newly_marked == [paths[0]]
    outstanding.retransmit(paths[again_on_another_path], LIMIT)
    # What was sent before it says nothing of it.
    for last in range(5, 21):
        assert acknowledge(outstanding, 0, (2, last)).marked == 0
    send(outstanding, paths[0], *[10] * 5)
    for last in (21, 22):
        assert acknowledge(outstanding, 0, (2, last)).marked == 0
    result = acknowledge(outstanding, 0, (2, 23))
    assert (result.marked, result.newly_marked) == (1, [paths[again_on_another_path]])
    assert outstanding.was_fast(INITIAL)
    # And a second time.
    outstanding.retransmit(paths[0], LIMIT)
    send(outstanding, paths[0], *[10] * 5)
    for last in (24, 25, 26, 27):
        assert acknowledge(outstanding, 0, (2, last)).marked == 0
    assert acknowledge(outstanding, 0, (2, 28)).marked == 1


def test_a_chunk_that_timed_out_is_not_lost_again_by_news_of_what_was_sent_before_the_timeout() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 20)
    outstanding.mark_path(path)
    outstanding.retransmit(path, 2 * LIMIT)
    assert outstanding.marked_chunks == 0
    for last in range(5, 21):
        assert acknowledge(outstanding, 0, (5, last)).marked == 0


def test_what_was_taken_back_is_in_flight_again_and_needs_three_indications_anew() -> None:
    paths = make_paths(2)
    outstanding = Outstanding(INITIAL)
    for path in paths * 2:
        send(outstanding, path, *[10] * 4)
    acknowledge(outstanding, 0, (5, 14))
    acknowledge(outstanding, 0, (5, 15))
    assert paths[1].flight_size == outstanding.flight_size - 4 * 28 == 28
    result = acknowledge(outstanding, 0, (5, 5), (14, 15))
    assert set(result.reneged) == set(paths)
    assert result.marked == 4  # 1 to 4 had two indications before.
    assert [outstanding.find_earliest(path) for path in paths] == [INITIAL + 8, INITIAL + 5]
    send(outstanding, paths[0], 10, 10)
    assert acknowledge(outstanding, 0, (5, 5), (14, 16)).marked == 0
    assert acknowledge(outstanding, 0, (5, 5), (14, 17)).marked == 8


def test_marking_and_reneging_without_end_costs_no_memory() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    for _ in range(5):
        send(outstanding, path, *[10] * 400)
    for _ in range(50):
        for last in (1990, 1991, 1992):
            acknowledge(outstanding, 0, (2, 2), (1980, last))
        acknowledge(outstanding, 0, (2, 1999))
        acknowledge(outstanding, 0, (2, 2), (4, 1999))
        outstanding.check_invariants()
        while outstanding.marked_chunks > 10:
            outstanding.retransmit(path, LIMIT)
    assert outstanding.next_marked() == INITIAL
    assert outstanding.queued_marks <= 3 * (2 * 2000 + 64)  # Not that much for each round.


def test_a_peer_that_takes_back_more_than_was_sent_to_it_is_not_believed_any_more() -> None:
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 40)
    for _ in range(3):
        assert acknowledge(outstanding, 0, (28, 40)).paths == [path]
        assert acknowledge(outstanding, 0).taken_back == 13
    # One more time would be one too many.
    assert acknowledge(outstanding, 0, (28, 40)).paths == [path]
    assert acknowledge(outstanding, 0).taken_back == 13
    assert acknowledge(outstanding, 0, (28, 40)).paths == []
    assert outstanding.flight_chunks + outstanding.marked_chunks == 40
    # What lies in sequence is acknowledged as ever, and so is what was sent later.
    send(outstanding, path, 10, 10, 10)
    assert acknowledge(outstanding, 39, (42, 42)).paths == [path]
    assert outstanding.flight_chunks == 4
    acknowledge(outstanding, 40, (42, 42))
    assert outstanding.flight_chunks == 2


def test_a_shutdown_keeps_the_gap_ack_blocks_and_costs_nothing_above_what_it_acknowledges() -> None:
    """RFC 9260 section 3.3.8."""
    [path] = make_paths(1)
    outstanding = Outstanding(INITIAL)
    send(outstanding, path, *[10] * 20)
    acknowledge(outstanding, 0, (3, 4), (6, 6), (9, 20))
    base = INITIAL - 1
    result = outstanding.acknowledge_without_blocks(base + 5)
    assert (result.acknowledged, result.taken_back) == ([3 * 28], 1)  # 6 is missing, or 6 would be acknowledged.
    assert outstanding.gaps == [(base + 9, base + 21)]
