"""The packets of a run, kept in the order they were sent, so that a failure can be looked into afterwards.

A flight recorder: it is always on, keeps what was sent last, and forgets the oldest packets when their bytes
exceed its limit. What became of a packet is written into the packet itself, later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import final

from .packet import Packet


@final
class Recording:
    """The last packets of a run, at most ``limit`` bytes of them."""

    __slots__ = ("_kept", "_size", "forgotten", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes kept at most; 0 keeps nothing."""
        self.forgotten = 0
        """Packets that are no longer kept, or never were."""
        self._kept: deque[Packet] = deque()
        self._size = 0

    def append(self, packet: Packet) -> None:
        """Keep a packet, or a run of them."""
        self._kept.append(packet)
        self._size += len(packet.data)
        while self._size > self.limit:
            oldest = self._kept.popleft()
            self._size -= len(oldest.data)
            self.forgotten += oldest.count

    def clear(self) -> None:
        """Begin anew: what was sent before is of no interest."""
        self._kept.clear()
        self._size = 0
        self.forgotten = 0

    def __iter__(self) -> Iterator[Packet]:
        """The packets one by one, in the order they were sent."""
        for run in self._kept:
            yield from run.singles()
