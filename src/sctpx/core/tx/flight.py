"""What is in flight: how much of it, and the lowest TSN of it on each path (rule R3 of RFC 9260 section 6.3.2).

A TSN goes into flight when it is sent, when it is sent again, and when the peer takes its acknowledgement back. It
leaves when it is acknowledged, declared lost or abandoned. A path's ``flight_size`` is the sum of the sizes of what is
in flight to it.
"""

from __future__ import annotations

from typing import final

from ...wire.ranges import Ranges
from ..path.path import Path
from .earliest import Earliest
from .loss import Loss
from .sent import Sent


@final
class Flight:
    """How much is in flight, over all paths, and what comes first on each."""

    __slots__ = ("_earliest", "_loss", "_sent", "chunks", "size")

    def __init__(self, sent: Sent, loss: Loss) -> None:
        self._sent = sent
        self._loss = loss
        self._earliest: Earliest | None = None  # Made when it is needed first.
        self.size = 0
        self.chunks = 0

    def take_off(self, path: Path, size: int, count: int) -> None:
        """``count`` new TSNs, ``size`` bytes in all, leave to ``path``."""
        path.flight_size += size
        self.size += size
        self.chunks += count

    def take_off_again(self, path: Path, size: int, count: int, tsn: int) -> None:
        """``count`` TSNs from ``tsn`` on, ``size`` bytes in all, are in flight again."""
        self._who_is_first().back_in_flight(path, tsn, tsn + count)
        if path.flight_size == 0 or tsn < path.earliest_tsn:
            path.earliest_tsn = tsn
        self.take_off(path, size, count)

    def land(self, path: Path, size: int, count: int) -> None:
        """``count`` TSNs, ``size`` bytes in all, are not in flight any more."""
        path.flight_size -= size
        self.size -= size
        self.chunks -= count

    def none_left(self, path: Path, next_tsn: int) -> None:
        """Nothing is in flight to ``path``, up to ``next_tsn``, which is not sent yet."""
        path.earliest_tsn = -1
        self._who_is_first().nothing_in_flight(path, next_tsn)

    def forget(self, path: Path) -> None:
        """There is no ``path`` any more."""
        self._who_is_first().forget(path)

    def earliest(self, path: Path, lowest: int, next_tsn: int, gaps: Ranges) -> int:
        """The lowest TSN in flight to ``path``, which has some; ``lowest`` is the lowest outstanding."""
        return self._who_is_first().find(path, lowest, next_tsn, gaps)

    def _who_is_first(self) -> Earliest:
        if self._earliest is None:
            self._earliest = Earliest(self._sent, self._loss)
        return self._earliest

    @property
    def queued(self) -> int:
        """For tests: how many ranges are kept."""
        return 0 if self._earliest is None else self._earliest.queued

    def check_invariants(self, lowest: int, next_tsn: int, gaps: Ranges) -> None:
        """For tests: raise AssertionError if the sums do not add up."""
        flights: dict[int, int] = {}
        total = chunks = marked = 0
        start = lowest
        for first, last in [*gaps, (next_tsn, next_tsn)]:
            for tsn in range(start, first):
                batch = self._sent.find(tsn)
                entry = self._loss.special.get(tsn)
                if entry is not None and entry.abandoned:
                    continue
                if entry is not None and entry.marked:
                    marked += 1
                    continue
                path = entry.path if entry is not None else batch.path
                size = batch.sizes[tsn - batch.first_tsn]
                flights[id(path)] = flights.get(id(path), 0) + size
                total += size
                chunks += 1
            start = last
        assert total == self.size, (total, self.size)
        assert chunks == self.chunks
        assert marked == self._loss.marked_chunks
        for batch in self._sent.batches[self._sent.head :]:
            assert batch.path.flight_size == flights.get(id(batch.path), 0)
