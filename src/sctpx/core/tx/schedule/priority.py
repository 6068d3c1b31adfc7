"""Strict priorities (RFC 8260 section 3.4): the stream with the smallest value first, and 0 is the smallest.

Streams with one priority send in the order in which their messages came, as by default. With interleaving, a message of
a higher priority goes before the rest of one that was begun.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import final

from .base import StreamSchedule


@final
class Priority(StreamSchedule):
    """Messages of the most urgent stream first."""

    __slots__ = ("_heap", "_values")

    def __init__(self, interleaves: bool, values: dict[int, int]) -> None:
        super().__init__(interleaves)
        self._values = values
        self._heap: list[
            tuple[int, int, int]
        ] = []  # (value, order of the first message, stream); some are of messages that have been cut.

    def _entry(self, stream: int) -> tuple[int, int, int]:
        return self._values.get(stream, 0), self._queues[stream][0].order, stream

    def _activate(self, stream: int) -> None:
        heappush(self._heap, self._entry(stream))

    def _choose(self) -> int:
        heap = self._heap
        while heap[0][2] not in self._queues or heap[0] != self._entry(heap[0][2]):
            heappop(heap)  # This message has been cut.
        return heap[0][2]

    def _withdraw(self, stream: int, more: bool) -> None:
        if more:
            self._activate(stream)

    def _release(self, stream: int, size: int, more: bool) -> None:
        if more and self._heap[0] != self._entry(stream):
            self._activate(stream)

    def on_value(self, stream: int) -> None:
        """The stream has another priority now."""
        self._heap = [self._entry(stream) for stream in self._queues]
        heapify(self._heap)
        if not self._committed:
            self._chosen = None

    @property
    def lasts(self) -> bool:
        """The first message of the most urgent streams stays the first one."""
        return True
