"""A token bucket: so many of something a second, and as many at once after a second of rest."""

from __future__ import annotations

from typing import final

from .timers import SECOND


@final
class TokenBucket:
    """Counts nothing while nobody asks: what it holds follows from the time at which it would be full."""

    __slots__ = ("_full_at", "_interval")

    def __init__(self, per_second: float) -> None:
        self._interval = int(SECOND / per_second) if per_second > 0 else 0
        self._full_at = 0

    def take(self, now: int) -> bool:
        """Take a token if there is one."""
        if not self._interval:
            return False
        full_at = max(self._full_at, now) + self._interval
        if full_at - now > max(SECOND, self._interval):
            return False
        self._full_at = full_at
        return True
