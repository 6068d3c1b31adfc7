"""Answers to strangers: packets that belong to no association and wait here until they leave.

The queue is short and drops the oldest: under a flood the newest answers are those that somebody may still wait for,
and what leaves late is of no use to anybody. So answers to forged packets push out each other, and a real peer's answer
only if more forged packets come behind it, before the next sending, than the queue holds.
"""

from __future__ import annotations

from collections import deque
from typing import final

from .outputs import Transmit


@final
class Answers:
    """The answers of one stack."""

    __slots__ = ("_waiting", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """How many may wait."""
        self._waiting: deque[Transmit] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, transmit: Transmit) -> bool:
        """Have this sent. False if the oldest one was dropped for it."""
        self._waiting.append(transmit)
        if len(self._waiting) <= self.limit:
            return True
        self._waiting.popleft()
        return False

    def take(self) -> Transmit | None:
        """The one that leaves next; None if there is none."""
        return self._waiting.popleft() if self._waiting else None
