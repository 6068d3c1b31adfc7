"""The lowest TSN in flight to each path (RFC 9260 section 6.3.2 R3), against a record of every TSN."""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.tx.earliest import Earliest
from sctpx.core.tx.loss import SLACK, Loss
from sctpx.core.tx.outstanding import Outstanding
from sctpx.core.tx.sent import Sent
from sctpx.wire.ranges import merged
from tests.unit.core.tx.test_outstanding import make_batch

SIZE = 28
"""Of a chunk with ten bytes of user data."""
FIRST = 1000


def make_paths(count: int) -> list[Path]:
    return [Path(bytes((10, 0, number, 2)), b"", 0, AssociationConfig().rules) for number in range(1, count + 1)]


class Record:
    """What is in flight where."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.paths = make_paths(3)
        self.outstanding = Outstanding(FIRST)
        self.next = FIRST
        self.cumulative = FIRST - 1
        self.where: dict[int, Path] = {}
        """Of each TSN in flight."""
        self.first: dict[int, Path] = {}
        self.acked: set[int] = set()
        self.abandoned: set[int] = set()

    def send(self) -> None:
        path = self.random.choice(self.paths)
        count = self.random.randint(1, 6)
        self.outstanding.sent(make_batch(self.next, path, [10] * count))
        for _ in range(count):
            self.where[self.next] = self.first[self.next] = path
            self.next += 1

    def acknowledge(self) -> None:
        above = range(self.cumulative + 1, self.next)
        share = self.random.choice([0.05, 0.3])
        self.acked |= {tsn for tsn in above if self.random.random() < share}
        taken_back = set[int]()
        if self.random.random() < 0.3:
            taken_back = {tsn for tsn in self.acked if self.random.random() < 0.3}
            self.acked -= taken_back
        missing = [tsn for tsn in above if tsn not in self.acked]
        if missing and self.random.random() < 0.3:
            self.cumulative = self.random.choice(missing[:3])
            self.acked |= {*range(FIRST, self.cumulative + 1)}
        self.outstanding.acknowledge(
            self.cumulative, merged([(tsn, tsn + 1) for tsn in self.acked if tsn > self.cumulative + 1])
        )
        self.acked -= {self.cumulative + 1}
        self.read()

    def read(self) -> None:
        """What is in flight by the states of the TSNs."""
        gaps = {tsn for start, end in self.outstanding.gaps for tsn in range(start, end)}
        self.acked = gaps
        self.where = {}
        for tsn in range(self.cumulative + 1, self.next):
            entry = self.outstanding.special.get(tsn)
            if tsn not in gaps and (entry is None or not (entry.marked or entry.abandoned)):
                self.where[tsn] = self.first[tsn] if entry is None else entry.path

    def time_out(self) -> None:
        path = self.random.choice(self.paths)
        path.earliest_tsn = self.outstanding.find_earliest(path)
        if path.flight_size:
            self.outstanding.mark_path(path)
        self.where = {tsn: other for tsn, other in self.where.items() if other is not path}

    def retransmit(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            tsn = self.outstanding.next_marked()
            if tsn < 0:
                return
            path = self.random.choice(self.paths)
            assert len(self.outstanding.retransmit(path, SIZE)) == 1
            self.where[tsn] = path

    def repeat(self) -> None:
        """A tail loss probe."""
        if self.where:
            tsn, path = self.random.choice(list(self.where)), self.random.choice(self.paths)
            self.outstanding.repeat(tsn, path, 0)
            self.where[tsn] = path

    def abandon(self) -> None:
        if self.where and self.random.random() < 0.3:
            tsn = self.random.choice(list(self.where))
            self.outstanding.abandon(tsn, 10, True)
            del self.where[tsn]

    def check(self) -> None:
        for path in self.paths:
            expected = min([tsn for tsn, where in self.where.items() if where is path], default=-1)
            assert self.outstanding.find_earliest(path) == expected
            assert path.flight_size == SIZE * list(self.where.values()).count(path)


@pytest.mark.parametrize("seed", range(8))
def test_the_lowest_tsn_in_flight_is_found_whatever_comes(seed: int) -> None:
    record = Record(seed)
    steps = [record.send, record.acknowledge, record.acknowledge, record.time_out, record.retransmit]
    for _ in range(200):
        step = record.random.choice([*steps, record.retransmit, record.repeat, record.abandon])
        step()
        if record.random.random() < 0.7:
            record.check()
    record.check()


def make_earliest(path: Path) -> Earliest:
    path.flight_size = SIZE
    return Earliest(Sent(), Loss())


def test_ranges_that_come_back_again_and_again_are_merged_when_they_are_many() -> None:
    """As many as there are without those that overlap, twice, and ``SLACK``."""
    [path] = make_paths(1)
    earliest = make_earliest(path)
    kept = []
    for number in range(SLACK + 1 + SLACK + 3):
        earliest.back_in_flight(path, 10 + 20 * (number & 1), 15 + 20 * (number & 1))
        kept.append(earliest.queued)
    assert kept == [*range(1, SLACK + 1), *range(2, SLACK + 5), 2]


def test_what_came_back_before_nothing_was_in_flight_is_forgotten() -> None:
    [path] = make_paths(1)
    earliest = make_earliest(path)
    for end in (12, 14):
        earliest.back_in_flight(path, 10, end)
    assert earliest.queued == 2
    path.flight_size = 0
    earliest.back_in_flight(path, 20, 25)
    assert earliest.queued == 1
    earliest.nothing_in_flight(path, 30)
    assert earliest.queued == 0


def test_of_a_path_that_is_gone_nothing_is_kept() -> None:
    [path, other] = make_paths(2)
    earliest = make_earliest(path)
    other.flight_size = SIZE
    earliest.back_in_flight(path, 10, 12)
    earliest.back_in_flight(other, 12, 14)
    earliest.forget(path)
    earliest.forget(path)
    assert earliest.queued == 1
