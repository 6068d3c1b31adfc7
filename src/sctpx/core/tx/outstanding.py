"""What is in flight, in TSN order, and what a SACK says of it (RFC 9260 sections 6.2.1, 6.3.3, 6.7, 7.2.4).

TSNs are kept in the batches they were sent in (``batch``): without loss a cumulative acknowledgement costs a slice of
``sizes``, and chunks are found in the bytes that were sent only when they are needed.

Every TSN above the cumulative TSN ack point is in one state:
    in flight        the default
    gap-acked        inside one of ``gaps``, sorted ranges [start, end)
    marked           lost, waits for retransmission: ``special[tsn].marked``
``special`` has an entry for each TSN that is marked or was retransmitted, and no other. TSNs are extended
(``wire.serial``). A path's ``flight_size`` is the sum of the sizes of the TSNs in flight to it.

Miss indications (section 7.2.4) are not counted TSN by TSN. A SACK is one for every missing TSN below its *reach*: the
highest TSN it newly acknowledges. So a TSN has three of them when it lies below the third highest reach there was
since it was sent, and three numbers know which TSNs are lost. A retransmission counts as sent behind the highest TSN
of its time: it is lost again when data that was first sent after it has overtaken it three times.

``acknowledge`` computes; the association applies the result to windows, timers and error counts. A SACK costs what it
has of ranges and what it newly acknowledges or marks, never a walk over all that is outstanding.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from typing import Final, final

from ...wire.codes import DATA_HEADER
from ...wire.sack import Ranges
from ...wire.serial import TSN_MASK
from ..path.path import Path
from .batch import Batch

MISS_INDICATIONS: Final = 3


@final
class Special:
    """A TSN that was declared lost at least once."""

    __slots__ = ("marked", "path", "sent_behind", "single_destination", "size", "timed_out")

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        """Where it was sent last."""
        self.size = size
        self.marked = False
        """Waits to be retransmitted; not in flight."""
        self.sent_behind = 0
        """The lowest TSN that had not been sent yet when this one was retransmitted."""
        self.timed_out = False
        """Was marked last by T3-rtx."""
        self.single_destination = True
        """Never sent to a second address: its acknowledgement speaks for its path (RFC 7829 section 3.2 (9))."""


@final
class SackResult:
    """What one SACK newly acknowledged, by path."""

    __slots__ = (
        "acknowledged",
        "advanced",
        "clean",
        "earliest",
        "freed",
        "fresh",
        "lost_again",
        "marked",
        "newly_marked",
        "paths",
        "reneged",
        "rtt",
    )

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.acknowledged: list[int] = []
        """Bytes of chunks, for each of ``paths``."""
        self.clean: list[bool] = []
        """Whether a chunk sent to this address only was among them."""
        self.fresh: list[bool] = []
        """Whether one of these had not timed out before."""
        self.earliest: list[bool] = []
        """Whether the earliest outstanding TSN of this path was among them (section 6.3.2 R3)."""
        self.rtt: list[bool] = []
        """Whether the TSN being timed was among them."""
        self.advanced = False
        """Whether the cumulative TSN ack point moved."""
        self.freed = 0
        """Bytes of user data that need not be kept any more."""
        self.newly_marked: list[Path] = []
        """Paths with TSNs marked by their third miss indication."""
        self.marked = 0
        """How many TSNs these are."""
        self.lost_again = False
        """Whether one of these had been retransmitted since Fast Recovery began."""
        self.reneged: list[Path] = []
        """Paths with TSNs whose gap acknowledgement was taken back."""

    def at(self, path: Path) -> int:
        """The index of ``path``, added when it is new."""
        for index, known in enumerate(self.paths):
            if known is path:
                return index
        self.paths.append(path)
        self.acknowledged.append(0)
        self.clean.append(False)
        self.fresh.append(False)
        self.earliest.append(False)
        self.rtt.append(False)
        return len(self.paths) - 1


@final
class Outstanding:
    """TSNs sent and not cumulatively acknowledged."""

    __slots__ = (
        "_batches",
        "_firsts",
        "_freed",
        "_head",
        "_judged",
        "_marked",
        "_reaches",
        "_resent",
        "cumulative_tsn_ack_point",
        "fast_recovery_exit",
        "flight_chunks",
        "flight_size",
        "gaps",
        "in_fast_recovery",
        "marked_chunks",
        "next_tsn",
        "special",
    )

    def __init__(self, initial_tsn: int) -> None:
        # "each endpoint MUST set its internal Cumulative TSN Ack Point to the value of its transmitted
        # Initial TSN minus one" (section 5.1).
        self.cumulative_tsn_ack_point = initial_tsn - 1
        self.next_tsn = initial_tsn
        self.gaps: Ranges = []
        self.special: dict[int, Special] = {}
        self.flight_size = 0
        """Over all paths."""
        self.flight_chunks = 0
        self.marked_chunks = 0
        self.in_fast_recovery = False
        self.fast_recovery_exit = 0
        self._batches: list[Batch] = []
        self._firsts: list[int] = []
        self._head = 0
        self._freed = 0
        self._marked: list[int] = []  # A heap; entries that are not marked any more are passed over.
        self._reaches = [0] * MISS_INDICATIONS  # The highest ones, a heap: the first is the lowest of them.
        self._judged = 0  # What was sent once and is missing below has been marked.
        self._resent: list[tuple[int, int]] = []  # (sent_behind, TSN) of retransmissions, in order.

    @property
    def empty(self) -> bool:
        """True if everything sent was cumulatively acknowledged."""
        return self.cumulative_tsn_ack_point + 1 == self.next_tsn

    @property
    def flight_payload(self) -> int:
        """Bytes of user data in flight, with their padding: at most three bytes a chunk too many."""
        return self.flight_size - DATA_HEADER * self.flight_chunks

    def sent(self, batch: Batch) -> None:
        """A batch with the next TSNs leaves now."""
        path = batch.path
        if path.flight_size == 0:
            path.earliest_tsn = batch.first_tsn
        self._batches.append(batch)
        self._firsts.append(batch.first_tsn)
        self.next_tsn = batch.first_tsn + len(batch.sizes)
        path.flight_size += batch.total
        self.flight_size += batch.total
        self.flight_chunks += len(batch.sizes)

    def acknowledge(self, cumulative: int, ranges: Ranges) -> SackResult:
        """Apply a SACK that is neither old nor about TSNs never sent."""
        result = SackResult()
        old = self.cumulative_tsn_ack_point
        gaps = self.gaps
        result.advanced = cumulative > old
        if not gaps and not ranges:
            if cumulative > old:
                self._take(old + 1, cumulative + 1, result)
        else:
            reported = [(old + 1, cumulative + 1), *ranges] if cumulative > old else ranges
            newly = _difference(reported, gaps)
            for start, end in newly:
                self._take(start, end, result)
            self.gaps = ranges
            # The reach is the HTNA or, in Fast Recovery, if the SACK advances the ack point, the highest TSN above
            # a missing one (section 7.2.4).
            reach = newly[-1][1] - 1 if newly else 0
            if self.in_fast_recovery and result.advanced and ranges:
                reach = ranges[-1][0]
            reneged = _difference(gaps, [(0, cumulative + 1), *ranges])
            if reneged:
                self._take_back(reneged, result)
                reach = max(reach, reneged[-1][1])  # "Count one miss indication" for these (section 6.2.1 D iii).
            if reach > self._reaches[0]:
                heappushpop(self._reaches, reach)
                self._mark_lost(cumulative, ranges, result)
        if cumulative > old:
            self.cumulative_tsn_ack_point = cumulative
            self._forget(cumulative, result)
        if self.in_fast_recovery and cumulative >= self.fast_recovery_exit:
            self.in_fast_recovery = False
        return result

    def only_path(self) -> Path | None:
        """Where all was sent that is in flight, while nothing is lost; else None."""
        if self.gaps or self.special or self._head == len(self._batches):
            return None
        path = self._batches[self._head].path
        return path if path.flight_size == self.flight_size else None

    def advance(self, cumulatives: Sequence[int]) -> list[int]:
        """Apply SACKs without blocks, by their Cumulative TSN Acks as read, while there is an ``only_path``.

        Returns the bytes of chunks that each of them newly acknowledges, up to one that acknowledges nothing or what
        was never sent: nothing has changed from there on. What they free is kept for ``take_freed``.

        Hot: earns its length in the 64 KiB rows of ``make bench``, where a SACK comes for every second packet.
        """
        acknowledged: list[int] = []
        batches = self._batches
        batch = batches[self._head]
        path = batch.path
        sizes = batch.sizes
        point = self.cumulative_tsn_ack_point
        most = self.next_tsn - 1 - point
        first = point + 1 - batch.first_tsn
        for wire_tsn in cumulatives:
            count = (wire_tsn - point) & TSN_MASK
            if not 0 < count <= most:
                break
            point += count
            most -= count
            last = first + count
            size = 0
            while last >= len(sizes):
                size += sum(sizes[first:])
                last -= len(sizes)
                first = 0
                self._freed += batch.payload
                self._drop_first()
                if not batches:
                    sizes = [0]  # Nothing is in flight any more.
                    break
                batch = batches[self._head]
                sizes = batch.sizes
            acknowledged.append(size + sum(sizes[first:last]))
            first = last
        size = sum(acknowledged)
        path.flight_size -= size
        self.flight_size -= size
        self.flight_chunks -= point - self.cumulative_tsn_ack_point
        self.cumulative_tsn_ack_point = point
        return acknowledged

    def take_freed(self) -> int:
        """Bytes of user data that ``advance`` freed."""
        freed = self._freed
        self._freed = 0
        return freed

    def _index(self, tsn: int) -> int:
        """Index of the batch that holds ``tsn``."""
        return bisect_right(self._firsts, tsn, self._head) - 1

    def _take(self, start: int, end: int, result: SackResult) -> None:
        """TSNs of [start, end), none of them acknowledged before, are acknowledged."""
        index = self._index(start)
        special = self.special
        while start < end:
            batch = self._batches[index]
            first = start - batch.first_tsn
            last = min(end - batch.first_tsn, len(batch.sizes))
            path = batch.path
            slot = result.at(path)
            size = batch.total if last - first == len(batch.sizes) else sum(batch.sizes[first:last])
            count = last - first
            if special:
                for tsn in range(start, batch.first_tsn + last):
                    entry = special.pop(tsn, None)
                    if entry is not None:
                        size -= entry.size
                        count -= 1
                        self._take_special(tsn, entry, result)
            if count:
                result.clean[slot] = result.fresh[slot] = True
            path.flight_size -= size
            self.flight_size -= size
            self.flight_chunks -= count
            result.acknowledged[slot] += size
            if start <= path.rtt_tsn < batch.first_tsn + last:
                result.rtt[slot] = True
            if start <= path.earliest_tsn < batch.first_tsn + last:
                result.earliest[slot] = True
            start = batch.first_tsn + last
            index += 1

    def _take_special(self, tsn: int, entry: Special, result: SackResult) -> None:
        slot = result.at(entry.path)
        if entry.marked:
            self.marked_chunks -= 1  # Declared lost, but it had arrived: it was not in flight.
        else:
            entry.path.flight_size -= entry.size
            self.flight_size -= entry.size
            self.flight_chunks -= 1
            if tsn == entry.path.earliest_tsn:
                result.earliest[slot] = True
        result.acknowledged[slot] += entry.size
        if entry.single_destination:
            result.clean[slot] = True
            if not entry.timed_out:
                result.fresh[slot] = True

    def _forget(self, cumulative: int, result: SackResult) -> None:
        """Drop what lies wholly at or below the cumulative TSN ack point."""
        while self._head < len(self._batches):
            batch = self._batches[self._head]
            if batch.first_tsn + len(batch.sizes) - 1 > cumulative:
                break
            result.freed += batch.payload
            self._drop_first()
        if not self.special:
            self._resent.clear()

    def _drop_first(self) -> None:
        """The first batch is acknowledged for good."""
        self._head += 1
        if self._head == len(self._batches):
            self._batches.clear()
            self._firsts.clear()
            self._head = 0
        elif self._head >= 64:
            del self._batches[: self._head]
            del self._firsts[: self._head]
            self._head = 0

    def _take_back(self, reneged: Ranges, result: SackResult) -> None:
        """The peer dropped data it had acknowledged by gap blocks: it is in flight as before (section 6.2.1 D iii)."""
        for start, end in reneged:
            index = self._index(start)
            while start < end:
                batch = self._batches[index]
                first = start - batch.first_tsn
                last = min(end - batch.first_tsn, len(batch.sizes))
                self._fly(start, batch.path, sum(batch.sizes[first:last]), last - first)
                if batch.path not in result.reneged:
                    result.reneged.append(batch.path)
                start = batch.first_tsn + last
                index += 1
        # From the lowest of them on, miss indications count anew.
        lowest = reneged[0][0]
        self._reaches = [min(reach, lowest) for reach in self._reaches]
        self._judged = min(self._judged, lowest)

    def _mark_lost(self, cumulative: int, ranges: Ranges, result: SackResult) -> None:
        """Mark what has its third miss indication (section 7.2.4)."""
        limit = self._reaches[0]
        start = max(cumulative + 1, self._judged)
        for first, last in [*ranges, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, min(first, limit)):
                if tsn not in self.special:
                    self._mark_missing(tsn, None, result)
            start = max(start, last)
            if start >= limit:
                break
        self._judged = max(self._judged, limit)
        settled = 0
        for behind, tsn in self._resent:
            entry = self.special.get(tsn)
            if entry is not None and not entry.marked and entry.sent_behind == behind:
                if behind > limit:
                    break
                self._mark_missing(tsn, entry, result)
                result.lost_again = result.lost_again or behind > self.fast_recovery_exit
            settled += 1
        del self._resent[:settled]

    def _mark_missing(self, tsn: int, entry: Special | None, result: SackResult) -> None:
        path = self._mark(tsn, entry)
        result.marked += 1
        if path not in result.newly_marked:
            result.newly_marked.append(path)

    def _mark(self, tsn: int, entry: Special | None) -> Path:
        """Declare a TSN in flight lost; the path it was lost on."""
        if entry is None:
            batch = self._batches[self._index(tsn)]
            entry = Special(batch.path, batch.sizes[tsn - batch.first_tsn])
            self.special[tsn] = entry
        entry.marked = True
        entry.timed_out = False
        path = entry.path
        path.flight_size -= entry.size
        self.flight_size -= entry.size
        self.flight_chunks -= 1
        self.marked_chunks += 1
        heappush(self._marked, tsn)
        if len(self._marked) > 2 * self.marked_chunks + 64:
            self._marked = sorted([tsn for tsn, one in self.special.items() if one.marked])
        return path

    def mark_path(self, path: Path, timed_out: bool = True) -> None:
        """Mark all that is in flight to ``path``: T3-rtx expired (section 6.3.3), or the peer dropped it."""
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                entry = self.special.get(tsn)
                if entry is None:
                    lost = self._batches[self._index(tsn)].path is path
                else:
                    lost = entry.path is path and not entry.marked
                if lost:
                    self._mark(tsn, entry)
                    self.special[tsn].timed_out = timed_out
            start = last
        self.in_fast_recovery = False  # Slow start takes over.
        path.earliest_tsn = -1

    def enter_fast_recovery(self) -> None:
        """The highest outstanding TSN is the exit point (section 7.2.4, 6)."""
        self.in_fast_recovery = True
        self.fast_recovery_exit = self.next_tsn - 1

    def next_marked(self) -> int:
        """The lowest TSN that waits for retransmission; -1 for none."""
        while self._marked:
            tsn = self._marked[0]
            entry = self.special.get(tsn)
            if entry is not None and entry.marked:
                return tsn
            heappop(self._marked)
        return -1

    @property
    def queued_marks(self) -> int:
        """For tests: how many entries are kept to find what is marked."""
        return len(self._marked)

    def lost_on(self, tsn: int) -> Path:
        """The path on which a marked TSN was lost."""
        return self.special[tsn].path

    def size_of_marked(self, tsn: int) -> int:
        """Size of a marked chunk."""
        return self.special[tsn].size

    def was_fast(self, tsn: int) -> bool:
        """True if a marked TSN was marked by gap reports, not by T3-rtx."""
        return not self.special[tsn].timed_out

    def retransmit(self, path: Path, room: int) -> list[bytes]:
        """Take the lowest marked chunks that fit into ``room`` bytes: they leave to ``path`` now.

        A chunk larger than ``room`` goes alone, for IP to fragment (section 6.9).
        """
        taken: list[bytes] = []
        left = room
        while True:
            tsn = self.next_marked()
            if tsn < 0:
                break
            entry = self.special[tsn]
            if entry.size > left and taken:
                break
            heappop(self._marked)
            entry.marked = False
            self.marked_chunks -= 1
            batch = self._batches[self._index(tsn)]
            taken.append(batch.chunk(tsn - batch.first_tsn))
            if entry.path is not path:
                entry.single_destination = False
            entry.path = path
            entry.sent_behind = self.next_tsn
            self._resent.append((self.next_tsn, tsn))
            if len(self._resent) > 2 * len(self.special) + 64:
                self._tidy_resent()
            self._fly(tsn, path, entry.size, 1)
            path.chunks_retransmitted += 1
            left -= entry.size
            if left < DATA_HEADER:
                break
        return taken

    def _tidy_resent(self) -> None:
        """Keep the retransmissions that are in flight, and not their predecessors."""
        kept: list[tuple[int, int]] = []
        for behind, tsn in self._resent:
            entry = self.special.get(tsn)
            if entry is not None and not entry.marked and entry.sent_behind == behind:
                kept.append((behind, tsn))
        self._resent = kept

    def _fly(self, tsn: int, path: Path, size: int, count: int) -> None:
        """``count`` TSNs from this one on, ``size`` bytes in all, are in flight again."""
        if path.flight_size == 0 or tsn < path.earliest_tsn:
            path.earliest_tsn = tsn
        path.flight_size += size
        self.flight_size += size
        self.flight_chunks += count

    def find_earliest(self, path: Path) -> int:
        """The lowest TSN in flight to ``path``, not below the last one known; -1 for none."""
        if path.flight_size == 0:
            return -1
        start = max(self.cumulative_tsn_ack_point + 1, path.earliest_tsn)
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            index = self._index(start)
            while start < first:
                batch = self._batches[index]
                stop = min(first, batch.first_tsn + len(batch.sizes))
                found = self._find_in(batch, start, stop, path)
                if found >= 0:
                    return found
                start = stop
                index += 1
            start = max(start, last)
        return -1

    def _find_in(self, batch: Batch, start: int, stop: int, path: Path) -> int:
        """The lowest of these TSNs of a batch, none of them acknowledged, that is in flight to ``path``; or -1."""
        if not self.special:
            return start if batch.path is path else -1
        for tsn in range(start, stop):
            entry = self.special.get(tsn)
            if entry is None:
                if batch.path is path:
                    return tsn
            elif entry.path is path and not entry.marked:
                return tsn
        return -1

    def chunks(self) -> list[tuple[bytes, bool]]:
        """The DATA chunks above the cumulative TSN ack point, each with whether a gap block acknowledged it."""
        found: list[tuple[bytes, bool]] = []
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, last):
                batch = self._batches[self._index(tsn)]
                found.append((batch.chunk(tsn - batch.first_tsn), tsn >= first))
            start = last
        return found

    def check_invariants(self) -> None:
        """For tests: raise AssertionError if the sums do not add up."""
        flights: dict[int, int] = {}
        total = chunks = marked = 0
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                batch = self._batches[self._index(tsn)]
                entry = self.special.get(tsn)
                if entry is not None and entry.marked:
                    marked += 1
                    continue
                path = entry.path if entry is not None else batch.path
                size = batch.sizes[tsn - batch.first_tsn]
                flights[id(path)] = flights.get(id(path), 0) + size
                total += size
                chunks += 1
            start = last
        assert total == self.flight_size, (total, self.flight_size)
        assert chunks == self.flight_chunks
        assert marked == self.marked_chunks
        for batch in self._batches[self._head :]:
            assert batch.path.flight_size == flights.get(id(batch.path), 0)


def _difference(ranges: Ranges, less: Ranges) -> Ranges:
    """What ``ranges`` cover and ``less`` do not; both sorted, in one pass."""
    if not less:
        return ranges
    rest: Ranges = []
    index = 0
    for start, end in ranges:
        while start < end:
            while index < len(less) and less[index][1] <= start:
                index += 1
            if index == len(less) or less[index][0] >= end:
                rest.append((start, end))
                break
            first, last = less[index]
            if first > start:
                rest.append((start, first))
            start = last
    return rest
