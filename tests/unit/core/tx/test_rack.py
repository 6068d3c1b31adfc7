"""``Outstanding`` that judges losses by time, against a record of every TSN and the text of RFC 8985 section 6.2.

A run lets time pass, sends to several paths, acknowledges gap by gap, sends again what was lost, and probes, all drawn
by a seed. The model has one entry for each TSN, which knows its place among all transmissions, and does what the
pseudocode of the RFC says with all of them each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path import rto
from sctpx.core.path.path import Path
from sctpx.core.timers import MILLISECOND, NEVER
from sctpx.core.tx.outstanding import Outstanding
from sctpx.core.tx.rack import PERSISTENCE, Track
from sctpx.core.tx.sack_result import SackResult
from tests.sweeps import seeds
from tests.unit.core.tx.test_outstanding import INITIAL, make_batch, make_paths, ranges_of

CONFIG = AssociationConfig()
RTT = 40 * MILLISECOND
WINDOW = RTT // 4


def measured(count: int, rtt: int = RTT) -> list[Path]:
    """Paths with one round-trip time, so that the reordering window is a quarter of it."""
    paths = make_paths(count)
    for path in paths:
        rto.measure(path, rtt, CONFIG.rules)
    return paths


@dataclass(eq=False)
class Segment:
    """The last transmission of a TSN: the variables of RFC 8985 section 5.2."""

    tsn: int
    path: Path
    xmit: int
    place: int
    """How many transmissions there were before, of all TSNs."""
    state: str = "in flight"
    retransmitted: bool = False
    single: bool = True
    """It was never sent to another path."""
    known: bool = True
    """False while it was taken back: what arrives then is not known to be this transmission."""


@dataclass(eq=False)
class Connection:
    """The variables of RFC 8985 section 5.3, for one path."""

    last: tuple[int, int] = (-1, -1)
    """When RACK.segment left: RACK.xmit_ts, and its place."""
    rtt: int = 0
    fack: int = -1
    reordering_seen: bool = False
    misses: int = 0
    deadline: int = NEVER
    news: tuple[int, int] = field(default=(-1, -1))


class Run:
    """All that the RFC says, done for each TSN each time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.outstanding = Outstanding(INITIAL, by_time=True)
        self.paths = measured(self.random.randint(1, 3))
        self.segments: dict[int, Segment] = {}
        self.connections = {path: Connection() for path in self.paths}
        self.cumulative = INITIAL - 1
        self.next_tsn = INITIAL
        self.now = 1000 * MILLISECOND
        self.places = 0
        self.recovery_point: int | None = None
        self.timed_out_to = 0
        self.again_at = 0
        self.lost = self.reordered = self.waited = 0

    def go(self, steps: int) -> None:
        """Draw what happens, and look after each step."""
        happens = [
            (self.let_time_pass, 6),
            (self.send, 4),
            (self.acknowledge_behind_a_hole, 6),
            (self.acknowledge_anything, 3),
            (self.let_the_timer_expire, 3),
            (self.send_again, 5),
            (self.probe, 1),
            (self.take_back, 0.3),
            (self.time_out, 0.3),
        ]
        for _ in range(steps):
            [step] = self.random.choices([one for one, _ in happens], [often for _, often in happens])
            step()
            self.look()

    def tsns(self, state: str) -> list[int]:
        return [tsn for tsn, segment in self.segments.items() if segment.state == state]

    def leaves(self, tsn: int, path: Path) -> Segment:
        self.places += 1
        return Segment(tsn, path, self.now, self.places)

    # What happens.

    def let_time_pass(self) -> None:
        self.now += self.random.choice([0, 1, 5, 10, 20, 40, 40, 60]) * MILLISECOND

    def send(self) -> None:
        path = self.random.choice(self.paths)
        batch = make_batch(self.next_tsn, path, [self.random.randint(1, 400) for _ in range(self.random.randint(1, 6))])
        batch.sent_at = self.now
        for _ in batch.sizes:
            self.segments[self.next_tsn] = self.leaves(self.next_tsn, path)
            self.next_tsn += 1
        self.outstanding.sent(batch)

    def acknowledge_anything(self) -> None:
        """Some TSNs arrive, whatever was sent before them; the cumulative TSN ack follows, and may be ahead."""
        gaps = set(self.tsns("acknowledged"))
        gaps.update(tsn for tsn in self.segments if self.random.random() < 0.2)
        self.acknowledge(self.cumulative + (self.random.randint(0, 2) if self.random.random() < 0.3 else 0), gaps)

    def acknowledge_behind_a_hole(self) -> None:
        gaps = set(self.tsns("acknowledged"))
        first = max(gaps | {self.cumulative + self.random.randint(1, 3)})
        gaps.update([tsn for tsn in self.segments if tsn > first][: self.random.randint(1, 4)])
        self.acknowledge(self.cumulative, gaps)

    def take_back(self) -> None:
        self.begin_to_send_again()
        kept = set(self.tsns("acknowledged"))
        less = set(self.random.sample(sorted(kept), min(len(kept), 2)))
        paths = {tsn: self.outstanding.first_path(tsn) for tsn in less}
        self.acknowledge(self.cumulative, kept - less, {tsn: path for tsn, path in paths.items() if path is not None})

    def acknowledge(self, cumulative: int, gaps: set[int], taken_back: dict[int, Path] | None = None) -> None:
        cumulative = min(cumulative, self.next_tsn - 1)
        while cumulative + 1 in gaps:
            cumulative += 1
        gaps = {tsn for tsn in gaps if tsn > cumulative}
        newly = [
            segment
            for tsn, segment in self.segments.items()
            if segment.state != "acknowledged" and (tsn <= cumulative or tsn in gaps)
        ]
        for segment in newly:
            self.deliver(segment)
        self.cumulative = cumulative
        self.segments = {tsn: segment for tsn, segment in self.segments.items() if tsn > cumulative}
        for tsn, path in (taken_back or {}).items():
            if tsn > cumulative:
                self.segments[tsn] = self.leaves(tsn, path)
                self.segments[tsn].known = False
        if self.recovery_point is not None and cumulative >= self.recovery_point:
            self.recovery_point = None
            for connection in self.connections.values():
                connection.misses = 0
        self.segments = dict(sorted(self.segments.items()))
        expected = self.detect_losses()
        self.check(self.outstanding.acknowledge(cumulative, ranges_of(gaps), self.now), expected)

    def deliver(self, segment: Segment) -> None:
        """Steps 2 and 3."""
        connection = self.connections[segment.path]
        lost = segment.state == "lost"
        segment.state = "acknowledged"
        if not segment.known and not lost:
            return
        if segment.retransmitted and self.now - segment.xmit < segment.path.least_rtt:
            return
        if segment.tsn < connection.fack and not segment.retransmitted:
            connection.reordering_seen = True
            self.reordered += 1
        if segment.single:
            connection.fack = max(connection.fack, segment.tsn)
        connection.news = max(connection.news, (segment.xmit, segment.place))

    def detect_losses(self) -> list[Segment]:
        """Step 5."""
        recovering = self.recovery_point is not None or self.cumulative + 1 < self.timed_out_to
        lost: list[Segment] = []
        for path, connection in self.connections.items():
            fresh = False
            if connection.news > (-1, -1):
                connection.rtt = self.now - connection.news[0]
                fresh = connection.news > connection.last
                connection.last = max(connection.last, connection.news)
                connection.news = (-1, -1)
            before = [
                segment
                for segment in self.segments.values()
                if segment.state == "in flight"
                and segment.path is path
                and (segment.xmit, segment.place) < connection.last
            ]
            connection.misses = connection.misses + fresh if before else 0
            window = 0
            if connection.reordering_seen or not (recovering or connection.misses >= 3):
                window = WINDOW
            limit = self.now - connection.rtt - window
            lost += [segment for segment in before if segment.xmit <= limit]
            waits = [segment.xmit for segment in before if segment.xmit > limit]
            connection.deadline = min(waits) + connection.rtt + window if waits else NEVER
            self.waited += bool(waits)
        return lost

    def check(self, result: SackResult, expected: list[Segment]) -> None:
        for segment in expected:
            segment.state = "lost"
        self.lost += len(expected)
        assert result.marked == len(expected)
        assert set(result.newly_marked) == {segment.path for segment in expected}
        for path in self.paths:
            path.earliest_tsn = self.outstanding.find_earliest(path)
        if expected and self.recovery_point is None:
            self.recovery_point = self.next_tsn - 1
            self.outstanding.enter_fast_recovery(self.now)

    def let_the_timer_expire(self) -> None:
        self.check(self.outstanding.judge(self.now), self.detect_losses())

    def time_out(self) -> None:
        """T3-rtx expires. The window of the RFC is not in question: all in flight is lost, as RFC 9260 has it."""
        path = self.random.choice(self.paths)
        self.outstanding.mark_path(path)
        for segment in self.segments.values():
            if segment.state == "in flight" and segment.path is path:
                segment.state = "lost"
        self.recovery_point = None
        self.timed_out_to = self.next_tsn

    def begin_to_send_again(self) -> None:
        """What goes again goes in the order of the TSNs, or later: of several times in one instant no order is kept."""
        if self.again_at == self.now:
            self.now += 1
        self.again_at = self.now

    def send_again(self) -> None:
        self.begin_to_send_again()
        lost = self.tsns("lost")
        if lost:
            path = self.random.choice(self.paths)
            chunks = self.outstanding.retransmit(path, self.random.randint(20, 600), -1, self.now)
            for tsn in lost[: len(chunks)]:
                self.leave_again(tsn, path)

    def probe(self) -> None:
        self.begin_to_send_again()
        flight = self.tsns("in flight")
        if flight:
            path = self.random.choice(self.paths)
            tsn = self.random.choice(flight)
            self.outstanding.repeat(tsn, path, self.now)
            self.leave_again(tsn, path)

    def leave_again(self, tsn: int, path: Path) -> None:
        before = self.segments[tsn]
        self.segments[tsn] = after = self.leaves(tsn, path)
        after.retransmitted = True
        after.single = before.single and before.path is path

    # What must be so at all times.

    def look(self) -> None:
        outstanding = self.outstanding
        outstanding.check_invariants()
        assert outstanding.cumulative_tsn_ack_point == self.cumulative
        assert outstanding.gaps == ranges_of(set(self.tsns("acknowledged")))
        assert [tsn for tsn, entry in sorted(outstanding.special.items()) if entry.marked] == self.tsns("lost")
        flight = [segment for segment in self.segments.values() if segment.state == "in flight"]
        for path, connection in self.connections.items():
            mine = [segment.tsn for segment in flight if segment.path is path]
            assert path.earliest_tsn == min(mine, default=-1)
            rack = outstanding.rack
            if rack is not None and path in rack.tracks:
                assert rack.overdue_at(path) == connection.deadline
                assert rack.tracks[path].reordered is connection.reordering_seen
            if mine:
                latest = outstanding.ensure_rack().latest(path, self.cumulative + 1, self.next_tsn, outstanding.gaps)
                assert latest in mine
                assert latest == max(mine) or any(not segment.single for segment in flight)


@pytest.mark.parametrize("seed", seeds(40, 600))
def test_it_does_what_the_pseudocode_says(seed: int) -> None:
    Run(seed).go(200)


def test_the_runs_come_by_everything() -> None:
    runs = [Run(seed) for seed in range(10)]
    for run in runs:
        run.go(200)
    assert sum(run.lost for run in runs) > 200
    assert sum(run.waited for run in runs) > 200
    assert any(connection.reordering_seen for run in runs for connection in run.connections.values())
    assert not all(connection.reordering_seen for run in runs for connection in run.connections.values())


# The reordering window (step 4).


def test_the_window_is_a_quarter_of_the_least_round_trip() -> None:
    [path] = measured(1)
    rto.measure(path, 3 * RTT, CONFIG.rules)
    assert Track().window(path, recovering=False) == WINDOW


def test_without_a_round_trip_time_there_is_no_window() -> None:
    [path] = make_paths(1)
    assert Track().window(path, recovering=False) == 0


def test_before_reordering_was_seen_there_is_none_in_a_recovery_or_after_three_sacks() -> None:
    [path] = measured(1)
    track = Track()
    assert track.window(path, recovering=True) == 0
    track.misses = 3
    assert track.window(path, recovering=False) == 0
    track.reordered = True
    assert track.window(path, recovering=True) == track.window(path, recovering=False) == WINDOW


def duplicated(track: Track, times: int) -> None:
    """So many round trips in a row, each of a hundred TSNs, something comes twice that was sent again."""
    for number in range(times):
        track.resent = True
        track.on_duplicate(100 * number, 100 * number + 100)


def test_it_grows_by_as_much_for_each_round_trip_with_a_duplicate_up_to_srtt() -> None:
    [path] = measured(1)
    track = Track()
    track.reordered = True
    for number in range(1, 7):
        duplicated(track, 1)
        track.round_end = -1
        assert track.window(path, recovering=False) == min((number + 1) * WINDOW, path.srtt)


def test_in_one_round_trip_it_grows_once() -> None:
    track = Track()
    for cumulative in (10, 20, 98):
        track.resent = True
        track.on_duplicate(cumulative, 100)
    assert track.multiplier == 2
    track.on_duplicate(99, 200)
    assert track.multiplier == 3


def test_what_comes_twice_though_nothing_was_sent_again_does_not_count() -> None:
    track = Track()
    track.on_duplicate(10, 100)
    assert track.multiplier == 1


def test_after_sixteen_recoveries_without_a_duplicate_it_begins_anew() -> None:
    track = Track()
    duplicated(track, 3)
    for _ in range(PERSISTENCE - 1):
        track.on_recovered()
    assert track.multiplier == 4
    track.on_recovered()
    assert track.multiplier == 1


# The least round-trip time.


def test_the_least_round_trip_time_is_forgotten_when_the_path_becomes_longer() -> None:
    [path] = measured(1)
    for _ in range(rto.REMEMBERED - 2):
        rto.measure(path, 3 * RTT, CONFIG.rules)
    assert path.least_rtt == RTT
    for _ in range(2 * rto.REMEMBERED):
        rto.measure(path, 3 * RTT, CONFIG.rules)
    assert path.least_rtt == 3 * RTT
    rto.measure(path, 2 * RTT, CONFIG.rules)
    assert path.least_rtt == 2 * RTT
