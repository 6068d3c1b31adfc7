"""Which TSNs are lost by miss indications (RFC 9260 section 7.2.4), against a record that counts TSN by TSN."""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.tx.loss import MISS_INDICATIONS, SLACK, Loss, Special
from sctpx.core.tx.outstanding import Outstanding
from sctpx.wire.ranges import Ranges, merged
from tests.unit.core.tx.test_outstanding import make_batch

ONE, OTHER = [Path(bytes((10, 0, number, 2)), b"", 0, AssociationConfig().rules) for number in (1, 2)]


def mark(loss: Loss, *tsns: int, timed_out: bool = False) -> None:
    for tsn in tsns:
        loss.mark(tsn, loss.special.get(tsn) or Special(ONE, 100, 0), timed_out)


def resend(loss: Loss, next_tsn: int, path: Path = ONE) -> int:
    """The lowest marked TSN leaves again."""
    tsn = loss.next_marked()
    loss.resend(path, next_tsn, False)
    return tsn


def reach(loss: Loss, *reaches: int) -> None:
    """SACKs had these reaches."""
    for one in reaches:
        loss.on_reach(one)


def ranges_of(tsns: set[int]) -> Ranges:
    return merged([(tsn, tsn + 1) for tsn in tsns])


# --- against a record ---


class Record:
    """What each TSN has come to, and three miss indications counted for each of them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.loss = Loss()
        self.cumulative = 0
        self.next = 1
        self.acked: set[int] = set()
        self.misses: dict[int, int] = {}
        """Of what is in flight and was sent once."""
        self.overtaken: dict[int, int] = {}
        """Of retransmissions in flight."""
        self.behind: dict[int, int] = {}
        self.marked: set[int] = set()
        self.abandoned: set[int] = set()
        self.lost = self.lost_again = 0

    def send(self) -> None:
        for _ in range(self.random.randint(1, 6)):
            self.misses[self.next] = 0
            self.next += 1

    def sack(self) -> None:
        """Some TSNs are acknowledged, or taken back."""
        above = range(self.cumulative + 1, self.next)
        missing = [tsn for tsn in above if tsn not in self.acked]
        share = self.random.choice([0.05, 0.1, 0.3])
        newly = {tsn for tsn in missing if self.random.random() < share}
        cumulative = self.cumulative
        if self.random.random() < 0.2 and missing:
            cumulative = self.random.choice(missing[: 1 + len(missing) // 4])
            newly |= {tsn for tsn in missing if tsn <= cumulative}
        reneged = set[int]()
        if self.random.random() < 0.2:
            reneged = {tsn for tsn in self.acked if tsn > cumulative and self.random.random() < 0.3}
        for tsn in sorted(newly):
            self.loss.acknowledged(tsn)
            self.marked.discard(tsn)
            for counts in (self.misses, self.overtaken):
                counts.pop(tsn, None)
        self.acked = {tsn for tsn in (self.acked | newly) - reneged if tsn > cumulative}
        highest = max(newly, default=0)
        if reneged:
            taken_back = ranges_of(reneged)
            lowest = taken_back[0][0]
            self.loss.take_back(taken_back)
            self.misses |= {tsn: 0 for tsn in reneged if tsn not in self.abandoned}
            self.misses = {tsn: 0 if tsn >= lowest else count for tsn, count in self.misses.items()}
            self.overtaken = {tsn: 0 if self.behind[tsn] > lowest else count for tsn, count in self.overtaken.items()}
            highest = max(highest, taken_back[-1][1])
        for tsn in self.misses:
            self.misses[tsn] += tsn < highest
        for tsn in self.overtaken:
            self.overtaken[tsn] += self.behind[tsn] <= highest
        once = {tsn for tsn, count in self.misses.items() if count >= MISS_INDICATIONS}
        again = {tsn for tsn, count in self.overtaken.items() if count >= MISS_INDICATIONS}
        found, found_again = set[int](), set[int]()
        if self.loss.on_reach(highest):
            gaps = ranges_of(self.acked)
            found = set(self.loss.lost_once(cumulative, gaps))
            mark(self.loss, *sorted(found))
            found_again = set(self.loss.lost_again())
            assert found_again.isdisjoint(self.marked)
            mark(self.loss, *sorted(found_again))
        assert (found, found_again) == (once, again)
        self.lost += len(once)
        self.lost_again += len(again)
        for tsn in once | again:
            self.misses.pop(tsn, None)
            self.overtaken.pop(tsn, None)
        self.marked |= once | again
        if cumulative > self.cumulative:
            self.cumulative = cumulative
            self.abandoned = {tsn for tsn in self.abandoned if tsn > cumulative}
            self.loss.forget(cumulative)

    def resend(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            tsn = self.loss.next_marked()
            assert tsn == min(self.marked, default=-1)
            if tsn >= 0:
                entry = self.loss.resend(self.random.choice([ONE, OTHER]), self.next, False)
                assert entry is self.loss.special[tsn]
                self.marked.remove(tsn)
                self.behind[tsn] = self.next
                self.overtaken[tsn] = 0

    def time_out(self) -> None:
        """T3-rtx expires for some."""
        for tsn in sorted({*self.misses, *self.overtaken}):
            if self.random.random() < 0.3:
                mark(self.loss, tsn, timed_out=True)
                self.misses.pop(tsn, None)
                self.overtaken.pop(tsn, None)
                self.marked.add(tsn)

    def abandon(self) -> None:
        """Messages are given up (RFC 3758 section 3.5, A2)."""
        for tsn in sorted({*self.misses, *self.overtaken, *self.marked}):
            if self.random.random() < 0.1:
                self.loss.abandon(tsn, self.loss.special.get(tsn) or Special(ONE, 100, 0))
                for counts in (self.misses, self.overtaken):
                    counts.pop(tsn, None)
                self.marked.discard(tsn)
                self.abandoned.add(tsn)

    def check(self) -> None:
        loss = self.loss
        assert loss.marked_chunks == len(self.marked)
        assert loss.next_marked() == min(self.marked, default=-1)
        for tsn in range(self.cumulative + 1, self.next):
            assert loss.is_abandoned(tsn) is (tsn in self.abandoned)
        assert set(loss.special) == self.marked | self.abandoned | set(self.overtaken)
        assert all(loss.special[tsn].marked is (tsn in self.marked) for tsn in loss.special)


@pytest.mark.parametrize("seed", range(6))
def test_tsns_are_lost_by_their_third_miss_indication_whatever_comes(seed: int) -> None:
    record = Record(seed)
    steps = [record.send, record.send, record.sack, record.sack, record.sack, record.resend, record.resend]
    rare = [record.time_out, record.abandon]
    for _ in range(400):
        step = record.random.choice(rare if record.random.random() < 0.04 else steps)
        step()
        record.check()
    assert record.lost > 20
    assert record.lost_again > 5


# --- one by one ---


def test_a_sack_whose_reach_is_not_among_the_three_highest_makes_nothing_lost() -> None:
    loss = Loss()
    assert loss.on_reach(1)
    reach(loss, 10, 10, 10)
    assert not loss.on_reach(9)
    assert not loss.on_reach(10)
    assert loss.on_reach(11)


def test_what_was_taken_back_is_named_once_when_it_is_lost_again() -> None:
    loss = Loss()
    reach(loss, 10, 10, 10)
    assert loss.lost_once(0, [(1, 11)]) == []
    loss.take_back([(8, 12)])
    reach(loss, 15, 15)
    assert loss.lost_once(0, [(1, 8), (12, 16)]) == []
    reach(loss, 15)
    assert sorted(loss.lost_once(0, [(1, 8), (12, 16)])) == [8, 9, 10, 11]
    assert loss.queued == 0


def test_of_what_was_taken_back_the_part_below_the_third_reach_is_lost_first() -> None:
    loss = Loss()
    reach(loss, 20, 20, 20)
    loss.lost_once(0, [(1, 21)])
    loss.take_back([(5, 15)])
    reach(loss, 10, 10, 10)
    assert loss.lost_once(6, [(15, 21)]) == [7, 8, 9]
    mark(loss, 7, 8, 9)
    reach(loss, 18, 18, 18)
    assert loss.lost_once(6, [(12, 13), (15, 21)]) == [10, 11, 13, 14]


def test_tsns_are_lost_though_nothing_above_them_is_acknowledged_any_more() -> None:
    """RFC 9260 section 6.2.1 D iii: what is taken back counts as one miss indication for what is below its end."""
    loss = Loss()
    reach(loss, 10, 10, 10)
    loss.lost_once(0, [(1, 11)])
    loss.take_back([(5, 11)])
    reach(loss, 11, 11, 11)
    assert sorted(loss.lost_once(4, [])) == [5, 6, 7, 8, 9, 10]


def test_a_chunk_that_was_never_lost_speaks_for_its_path_when_it_was_repeated() -> None:
    """A tail loss probe (RFC 8985 section 7.3): RFC 7829 section 3.2 (10) is about timeouts."""
    outstanding = Outstanding(1000)
    outstanding.sent(make_batch(1000, ONE, [10, 10]))
    outstanding.repeat(1001, ONE, 0)
    assert not outstanding.marked_chunks
    result = outstanding.acknowledge(999, [(1001, 1002)])
    assert (result.paths, result.clean, result.fresh) == ([ONE], [True], [True])


def test_what_is_sent_again_is_counted_and_speaks_for_its_path_only_while_that_is_the_same() -> None:
    """RFC 7829 section 3.2 (9)."""
    loss = Loss()
    mark(loss, 1)
    entry = loss.resend(ONE, 5, False)
    assert (entry.retransmissions, entry.sent_behind, entry.single_destination) == (1, 5, True)
    mark(loss, 1)
    entry = loss.resend(OTHER, 6, False)
    assert (entry.retransmissions, entry.path, entry.single_destination) == (2, OTHER, False)
    mark(loss, 1)
    assert not loss.resend(OTHER, 7, False).single_destination


def test_judged_by_time_nothing_is_kept_to_count_overtakers() -> None:
    loss = Loss()
    mark(loss, 1)
    loss.resend(ONE, 5, True)
    assert loss.queued == 0


def test_what_was_lost_on_a_path_that_is_gone_speaks_for_no_path() -> None:
    loss = Loss()
    mark(loss, 1, 2, timed_out=True)
    loss.special[2].path = OTHER
    gone, stays = loss.special[1], loss.special[2]
    loss.hand_over(ONE, OTHER)
    assert (gone.path, gone.timed_out, gone.single_destination) == (OTHER, False, False)
    assert (stays.path, stays.timed_out, stays.single_destination) == (OTHER, True, True)


def test_of_marked_tsns_that_were_acknowledged_a_bounded_number_of_entries_is_kept() -> None:
    """They stay in the middle of the heap: as many as count, and ``SLACK``."""
    for stale, left in ((SLACK + 2, SLACK + 4), (SLACK + 3, 2)):
        loss = Loss()
        mark(loss, *range(1, stale + 2))
        for tsn in range(2, stale + 2):
            loss.acknowledged(tsn)
        mark(loss, 1000)
        assert (loss.queued, loss.marked_chunks) == (left, 2)
        assert [resend(loss, 2000), resend(loss, 2000), loss.next_marked()] == [1, 1000, -1]


def test_the_lowest_marked_tsn_leaves_the_heap_when_it_is_acknowledged() -> None:
    loss = Loss()
    mark(loss, 1, 2)
    assert loss.acknowledged(1) is not None
    assert (loss.queued, loss.next_marked()) == (1, 2)
    assert loss.acknowledged(3) is None


def resent(count: int, next_tsn: int = 100) -> Loss:
    """TSN 1 was sent again so many times."""
    loss = Loss()
    for number in range(count):
        mark(loss, 1)
        resend(loss, next_tsn + number)
    return loss


def test_of_retransmissions_that_were_repeated_a_bounded_number_of_entries_is_kept() -> None:
    """As many as count, twice, and ``SLACK``."""
    assert resent(SLACK + 2).queued == SLACK + 2
    loss = resent(SLACK + 3)
    assert loss.queued == 1
    reach(loss, 99 + SLACK + 3, 99 + SLACK + 3, 99 + SLACK + 3)
    assert loss.lost_again() == [1]


def test_of_those_that_were_passed_as_many_more_are_kept() -> None:
    loss = resent(SLACK // 2)
    assert loss.lost_again() == []  # All but the last one are passed.
    kept = []
    for number in range(SLACK + 2):
        mark(loss, 1)
        resend(loss, 1000 + number)
        kept.append(loss.queued)
    assert kept == [*range(SLACK // 2 + 1, SLACK // 2 - 1 + SLACK + 3), 1]
    reach(loss, 5000, 5000, 5000)
    assert loss.lost_again() == [1]


def test_retransmissions_that_were_passed_are_dropped_when_they_are_many() -> None:
    for count, left in ((SLACK, SLACK), (SLACK + 1, 1)):
        loss = resent(count)
        assert loss.lost_again() == []
        assert loss.queued == left
    for others, left in ((SLACK - 1, SLACK), (SLACK, 2 * SLACK + 1)):
        loss = resent(SLACK + 1)
        mark(loss, *range(2, others + 2))
        for _ in range(others):
            resend(loss, 1000)
        assert loss.lost_again() == []
        assert loss.queued == left
        reach(loss, 1000, 1000, 1000)
        assert loss.lost_again() == [*range(1, others + 2)]


def test_with_nothing_lost_and_nothing_abandoned_nothing_is_kept() -> None:
    loss = resent(10)
    assert loss.lost_again() == []
    loss.acknowledged(1)
    loss.forget(0)
    assert loss.queued == 0
    mark(loss, 2)
    resend(loss, 200)
    reach(loss, 200, 200, 200)
    assert loss.lost_again() == [2]


def test_what_is_abandoned_is_forgotten_when_all_up_to_there_is_acknowledged() -> None:
    loss = Loss()
    for tsn in (7, 5):
        loss.abandon(tsn, Special(ONE, 100, 0))
    assert loss.acknowledged(5) is not None
    loss.forget(4)
    assert loss.is_abandoned(5)
    loss.forget(5)
    assert (loss.is_abandoned(5), loss.is_abandoned(7)) == (False, True)
    loss.forget(7)
    assert loss.special == {}


def judged(limit: int = 1000) -> Loss:
    """All below was judged, and had arrived."""
    loss = Loss()
    reach(loss, limit, limit, limit)
    loss.lost_once(0, [(1, limit + 1)])
    return loss


def test_of_what_is_taken_back_again_and_again_a_bounded_number_of_ranges_is_kept() -> None:
    """As many as the ranges without those that overlap, twice, and ``SLACK``."""
    loss = judged()
    kept = []
    for number in range(SLACK + 1 + SLACK + 3):
        loss.take_back([(10, 20) if number & 1 else (30, 40)])
        kept.append(loss.queued)
    assert kept == [*range(1, SLACK + 1), *range(2, SLACK + 5), 2]


def test_what_was_never_judged_is_not_kept_when_it_is_taken_back() -> None:
    loss = judged(10)
    loss.take_back([(10, 12), (15, 16)])
    assert loss.queued == 0


def test_ranges_that_were_taken_back_are_dropped_when_they_are_acknowledged_for_good() -> None:
    loss = judged()
    loss.take_back([(5, 8), (10, 12)])
    kept = []
    for cumulative in (6, 7, 10, 11):
        loss.forget(cumulative)
        kept.append(loss.queued)
    assert kept == [2, 1, 1, 0]
