"""Streams in turn: for a message each, for a chunk each, or for a packet each (RFC 8260 sections 3.2 and 3.3)."""

from __future__ import annotations

from collections import deque
from typing import final

from .base import StreamSchedule


@final
class RoundRobin(StreamSchedule):
    """Each stream in turn sends a message, or with interleaving a chunk."""

    __slots__ = ("_ring",)

    def __init__(self, interleaves: bool) -> None:
        super().__init__(interleaves)
        self._ring: deque[int] = deque()

    def _activate(self, stream: int) -> None:
        self._ring.append(stream)

    def _choose(self) -> int:
        return self._ring[0]

    def _withdraw(self, stream: int, more: bool) -> None:
        if not more:
            self._ring.remove(stream)

    def _release(self, stream: int, size: int, more: bool) -> None:
        self._ring.popleft()
        if more:
            self._ring.append(stream)


@final
class RoundRobinPerPacket(StreamSchedule):
    """Each stream in turn fills a packet: a packet that is lost holds up one stream only."""

    __slots__ = ("_ring", "_served")

    def __init__(self, interleaves: bool) -> None:
        super().__init__(interleaves)
        self._ring: deque[int] = deque()
        self._served = -1  # The stream that sends in this packet.

    def _activate(self, stream: int) -> None:
        self._ring.append(stream)

    def _choose(self) -> int:
        return self._ring[0]

    def _withdraw(self, stream: int, more: bool) -> None:
        if not more:
            self._ring.remove(stream)

    def _release(self, stream: int, size: int, more: bool) -> None:
        self._served = stream
        if not more:
            self._ring.popleft()

    @property
    def one_stream(self) -> bool:
        """Whether the chunks of a packet are all of one stream."""
        return True

    def end_packet(self) -> None:
        """The packet is full: it is the next stream's turn."""
        if self._committed:
            return
        if self._ring and self._ring[0] == self._served:
            self._ring.rotate(-1)
            self._chosen = None
        self._served = -1
