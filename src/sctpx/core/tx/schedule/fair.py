"""Fair shares of the capacity, equal or by weight (RFC 8260 sections 3.5 and 3.6).

Each stream has a virtual time, which moves on by what it sends, divided by its weight; the stream with the earliest
one is next. A stream that had nothing to send begins at the present virtual time: it gets nothing for its absence.
(This is start-time fair queueing.)
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, final

from .base import StreamSchedule

# Virtual time of a byte with a weight of 1: so large that the largest weight divides it.
BYTE: Final = 1 << 16


class Fair(StreamSchedule):
    """Streams send the same number of bytes."""

    __slots__ = ("_heap", "_now", "_times")

    def __init__(self, interleaves: bool) -> None:
        super().__init__(interleaves)
        self._times: dict[int, int] = {}  # The virtual times of streams.
        self._heap: list[tuple[int, int, int]] = []  # (virtual time, order of the first message, stream), some are old.
        self._now = 0

    def _weight(self, stream: int) -> int:
        return 1

    def _activate(self, stream: int) -> None:
        self._queue_up(stream, max(self._times.get(stream, 0), self._now))

    def _queue_up(self, stream: int, time: int) -> None:
        self._times[stream] = time
        heappush(self._heap, (time, self._queues[stream][0].order, stream))

    def _choose(self) -> int:
        heap = self._heap
        while heap[0][2] not in self._queues or self._times[heap[0][2]] != heap[0][0]:
            heappop(heap)  # Virtual time has moved on since, or there is nothing more to send.
        return heap[0][2]

    def _withdraw(self, stream: int, more: bool) -> None:
        if not self._queues:
            self._begin_anew()

    def _release(self, stream: int, size: int, more: bool) -> None:
        time = self._times[stream]
        self._now = max(self._now, time)
        time += size * BYTE // self._weight(stream)
        if more:
            self._queue_up(stream, time)
        elif self._queues:
            self._times[stream] = time
        else:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Nobody waits."""
        self._times.clear()
        self._heap.clear()
        self._now = 0


@final
class FairCapacity(Fair):
    """Streams send the same number of bytes."""

    __slots__ = ()


@final
class WeightedFair(Fair):
    """Streams send as many bytes as their weights say; a weight that was not set is 1."""

    __slots__ = ("_values",)

    def __init__(self, interleaves: bool, values: dict[int, int]) -> None:
        super().__init__(interleaves)
        self._values = values

    def _weight(self, stream: int) -> int:
        return self._values.get(stream) or 1
