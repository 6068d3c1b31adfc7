"""The lowest TSN in flight to each path (rule R3 of RFC 9260 section 6.3.2).

A TSN goes into flight when it is sent, when it is retransmitted, and when the peer takes its acknowledgement back. For
the first, a pointer for each path moves up over what was sent; for the others there is a heap of ranges for each path.
Both let go of what is not in flight any more, and what comes back is entered anew. So every TSN is passed once for each
time it went into flight, however the peer acknowledges.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import final

from ...wire.ranges import Ranges, end_of, merged
from ..path.path import Path
from .loss import SLACK, Loss
from .sent import Sent


@final
class Earliest:
    """Finds the lowest TSN in flight to a path."""

    __slots__ = ("_again", "_fresh", "_loss", "_room", "_sent")

    def __init__(self, sent: Sent, loss: Loss) -> None:
        self._sent = sent
        self._loss = loss
        self._fresh: dict[Path, int] = {}  # What was sent once to this path, and lies below, is not in flight,
        self._again: dict[Path, Ranges] = {}  # unless it is in one of these: a heap...
        self._room: dict[Path, int] = {}  # ...that may have so many ranges before those that overlap are merged.

    def back_in_flight(self, path: Path, start: int, end: int) -> None:
        """These TSNs are in flight to ``path`` again."""
        heap = self._again.get(path)
        if heap is None or path.flight_size == 0:
            heap = self._again[path] = []
            self._room[path] = SLACK
        heappush(heap, (start, end))
        if len(heap) > self._room[path]:
            heap = self._again[path] = merged(heap)
            self._room[path] = 2 * len(heap) + SLACK

    def nothing_in_flight(self, path: Path, end: int) -> None:
        """Nothing is in flight to ``path``, up to ``end``."""
        self._fresh[path] = end
        self._again.pop(path, None)

    def forget(self, path: Path) -> None:
        """There is no ``path`` any more."""
        self._fresh.pop(path, None)
        self._again.pop(path, None)
        self._room.pop(path, None)

    def find(self, path: Path, tsn: int, end: int, gaps: Ranges) -> int:
        """The lowest TSN in flight to ``path``, which has some; ``tsn`` is the lowest outstanding, ``end`` not sent."""
        fresh = self._find_fresh(path, tsn, end, gaps)
        again = self._find_again(path, tsn, gaps)
        return again if 0 <= again < fresh else fresh

    def _find_fresh(self, path: Path, tsn: int, end: int, gaps: Ranges) -> int:
        """Of those that were sent once, and are not in flight again; ``end`` for none."""
        tsn = max(self._fresh.get(path, 0), tsn)
        special = self._loss.special
        while tsn < end:
            batch = self._sent.find(tsn)
            if batch.path is not path:
                tsn = batch.first_tsn + len(batch.sizes)
            elif tsn in special:
                tsn += 1
            else:
                gap = end_of(gaps, tsn)
                if not gap:
                    break
                tsn = gap
        self._fresh[path] = tsn
        return tsn

    def _find_again(self, path: Path, lowest: int, gaps: Ranges) -> int:
        """Of those that are in flight again; -1 for none."""
        heap = self._again.get(path)
        while heap:
            start, end = heap[0]
            tsn = max(start, lowest)
            while tsn < end:
                entry = self._loss.special.get(tsn)
                gap = end_of(gaps, tsn) if entry is None else 0
                where = self._sent.path_of(tsn) if entry is None else entry.path
                if not gap and where is path and (entry is None or not (entry.marked or entry.abandoned)):
                    if tsn > start:
                        heapreplace(heap, (tsn, end))
                    return tsn
                tsn = gap or tsn + 1
            heappop(heap)
        return -1

    @property
    def queued(self) -> int:
        """For tests: how many ranges are kept."""
        return sum([len(heap) for heap in self._again.values()])
