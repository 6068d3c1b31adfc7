"""What is in flight, in TSN order, and what a SACK says of it (RFC 9260 sections 6.2.1, 6.3.3, 6.7, 7.2.4).

A *batch* is what one call of the send queue cut: consecutive TSNs in packets of one size for one path, kept
as the one ``bytes`` that was sent. Chunks are found in it when they are needed, which without loss is never:
a cumulative acknowledgement costs a slice of ``sizes``.

Every TSN above the cumulative TSN ack point is in one state:
    in flight        the default
    gap-acked        inside one of ``gaps``, sorted ranges [start, end)
    marked           lost, waits for retransmission: ``special[tsn].marked``
``special`` has an entry for each TSN that is marked or was retransmitted, and no other. TSNs are extended
(``wire.serial``). A path's ``flight_size`` is the sum of the sizes of the TSNs in flight to it.

``acknowledge`` computes; the association applies the result to windows, timers and error counts.
"""

from __future__ import annotations

from bisect import bisect_right
from heapq import heappop, heappush
from typing import Final, final

from ...wire.codes import COMMON_HEADER, DATA_HEADER
from ...wire.sack import Ranges
from ..path.path import Path

MISS_INDICATIONS: Final = 3


@final
class Batch:
    """Consecutive TSNs sent together; see the module's text."""

    __slots__ = ("_offsets", "data", "first_tsn", "packets", "path", "payload", "segment", "sizes", "total")

    def __init__(self, first_tsn: int, path: Path) -> None:
        self.first_tsn = first_tsn
        self.path = path
        """Where it was first sent."""
        self.sizes: list[int] = []
        """Size of each chunk with its header and padding."""
        self.data = b""
        self.segment = 0
        """Size of each packet but the last."""
        self.packets = 0
        self.payload = 0
        """Bytes of user data."""
        self.total = 0
        self._offsets: list[int] | None = None

    def finish(self, data: bytes, segment: int) -> None:
        """All chunks were cut: these are the packets."""
        self.data = data
        self.segment = segment
        self.total = sum(self.sizes)

    def chunk(self, index: int) -> bytes:
        """The DATA chunk with that index, with its padding."""
        if self._offsets is None:
            self._offsets = self._find_offsets()
        offset = self._offsets[index]
        return self.data[offset : offset + self.sizes[index]]

    def _find_offsets(self) -> list[int]:
        """Where the chunks start. DATA chunks come last in a packet, behind what was bundled with them."""
        offsets: list[int] = []
        index = 0
        for start in range(0, len(self.data), self.segment):
            stop = min(start + self.segment, len(self.data))
            offset = start + COMMON_HEADER
            while offset < stop:
                if self.data[offset] != 0:
                    offset += (int.from_bytes(self.data[offset + 2 : offset + 4], "big") + 3) & ~3
                    continue
                offsets.append(offset)
                offset += self.sizes[index]
                index += 1
        return offsets


@final
class Special:
    """A TSN that was declared lost at least once."""

    __slots__ = ("fast", "marked", "path", "single_destination", "size", "timed_out")

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        """Where it was sent last."""
        self.size = size
        self.marked = False
        """Waits to be retransmitted; not in flight."""
        self.fast = False
        """Was marked by gap reports and is not eligible for that again (section 7.2.4, 5)."""
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
        "_marked",
        "_misses",
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
        self._misses: dict[int, int] = {}

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
            # Miss indications count below this TSN: by the HTNA algorithm, or in Fast Recovery, if the SACK
            # advances the ack point, for all TSNs it reports missing (section 7.2.4).
            limit = newly[-1][1] - 1 if newly else 0
            if self.in_fast_recovery and result.advanced and ranges:
                limit = ranges[-1][0]
            self._take_back(_difference(gaps, [(0, cumulative + 1), *ranges]), limit, result)
            self._count_misses(cumulative, ranges, limit, result)
        if cumulative > old:
            self.cumulative_tsn_ack_point = cumulative
            self._forget(cumulative, result)
        if self.in_fast_recovery and cumulative >= self.fast_recovery_exit:
            self.in_fast_recovery = False
        return result

    def first_path(self) -> Path | None:
        """The path of the lowest TSN not acknowledged, while nothing is lost; else None."""
        if self.gaps or self.special or self._head == len(self._batches):
            return None
        return self._batches[self._head].path

    def advance(self, cumulative: int) -> int:
        """A cumulative acknowledgement while nothing is lost, within the first batch.

        Returns the bytes of chunks it acknowledged, all of ``first_path``; 0 or less if it does not apply, and
        then nothing has changed. What it frees is kept for ``take_freed``.
        """
        batch = self._batches[self._head]
        first = self.cumulative_tsn_ack_point + 1 - batch.first_tsn
        last = cumulative + 1 - batch.first_tsn
        count = last - first
        if count <= 0 or last > len(batch.sizes):
            return 0
        size = sum(batch.sizes[first:last])
        batch.path.flight_size -= size
        self.flight_size -= size
        self.flight_chunks -= count
        self.cumulative_tsn_ack_point = cumulative
        if last == len(batch.sizes):
            self._freed += batch.payload
            self._drop_first()
        return size

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
        if self._misses:
            for tsn in [tsn for tsn in self._misses if tsn <= cumulative]:
                del self._misses[tsn]

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

    def _take_back(self, reneged: Ranges, limit: int, result: SackResult) -> None:
        """The peer dropped data it had acknowledged by gap blocks (section 6.2.1 D iii)."""
        for start, end in reneged:
            for tsn in range(start, end):
                batch = self._batches[self._index(tsn)]
                entry = Special(batch.path, batch.sizes[tsn - batch.first_tsn])
                self.special[tsn] = entry
                self._fly(tsn, entry, batch.path)
                self._misses[tsn] = 0 if tsn < limit else 1  # One miss indication in all.
                if batch.path not in result.reneged:
                    result.reneged.append(batch.path)

    def _count_misses(self, cumulative: int, ranges: Ranges, limit: int, result: SackResult) -> None:
        """Miss indications for the TSNs below ``limit`` (section 7.2.4); mark what reached its third."""
        misses = self._misses
        start = cumulative + 1
        for first, last in ranges:
            if start >= limit:
                break
            for tsn in range(start, min(first, limit)):
                entry = self.special.get(tsn)
                if entry is not None and (entry.marked or entry.fast):
                    continue
                count = misses.get(tsn, 0) + 1
                if count < MISS_INDICATIONS:
                    misses[tsn] = count
                    continue
                path = self._mark(tsn, entry)
                self.special[tsn].fast = True
                result.marked += 1
                if path not in result.newly_marked:
                    result.newly_marked.append(path)
            start = last

    def _mark(self, tsn: int, entry: Special | None) -> Path:
        """Declare a TSN in flight lost; the path it was lost on."""
        if entry is None:
            batch = self._batches[self._index(tsn)]
            entry = Special(batch.path, batch.sizes[tsn - batch.first_tsn])
            self.special[tsn] = entry
        entry.marked = True
        entry.timed_out = False
        self._misses.pop(tsn, None)
        path = entry.path
        path.flight_size -= entry.size
        self.flight_size -= entry.size
        self.flight_chunks -= 1
        self.marked_chunks += 1
        heappush(self._marked, tsn)
        return path

    def mark_path(self, path: Path) -> int:
        """T3-rtx expired: mark all that is in flight to ``path`` (section 6.3.3); how many."""
        before = self.marked_chunks
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
                    self.special[tsn].timed_out = True
            start = last
        self.in_fast_recovery = False  # Slow start takes over.
        path.earliest_tsn = -1
        return self.marked_chunks - before

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
            self._fly(tsn, entry, path)
            path.chunks_retransmitted += 1
            left -= entry.size
            if left < DATA_HEADER:
                break
        return taken

    def _fly(self, tsn: int, entry: Special, path: Path) -> None:
        """A TSN is in flight again."""
        if path.flight_size == 0 or tsn < path.earliest_tsn:
            path.earliest_tsn = tsn
        entry.path = path
        path.flight_size += entry.size
        self.flight_size += entry.size
        self.flight_chunks += 1

    def find_earliest(self, path: Path) -> int:
        """The lowest TSN in flight to ``path``; -1 for none."""
        if path.flight_size == 0:
            return -1
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                entry = self.special.get(tsn)
                if entry is None:
                    if self._batches[self._index(tsn)].path is path:
                        return tsn
                elif entry.path is path and not entry.marked:
                    return tsn
            start = last
        return -1

    def unacknowledged(self) -> list[bytes]:
        """The DATA chunks sent and not acknowledged, in order (section 11.1.15)."""
        chunks: list[bytes] = []
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                batch = self._batches[self._index(tsn)]
                chunks.append(batch.chunk(tsn - batch.first_tsn))
            start = last
        return chunks

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
