"""Virtual time and seeded randomness: the two things a simulation must own to be repeatable.

Time is an integer of nanoseconds, as in the core, and moves only when the next thing due is taken. It
starts at a large offset that depends on the seed, so that a value taken from another clock, from zero or
from seconds is far off and fails at once instead of nearly working.

Things due at the same instant happen in the order in which they were asked for. There is no way to cancel
one: what is due finds out for itself whether it is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, TypeVar, final

from sctpx.core.timers import NEVER

_T = TypeVar("_T")

SECOND: Final = 1_000_000_000
"""Nanoseconds in a second."""


def to_nanoseconds(seconds: float) -> int:
    """Seconds, as people write them, to the nearest nanosecond."""
    return round(seconds * SECOND)


def seeded_random(seed: object, *labels: object) -> Random:
    """A random generator of its own for one purpose: the same for the same seed and labels, on every machine."""
    return Random("/".join(str(part) for part in ("sctpx.testing", seed, *labels)))


def seeded_bytes(seed: object, *labels: object) -> Callable[[int], bytes]:
    """A source of random bytes to give to ``Stack``: the same bytes for the same seed and labels."""
    return seeded_random(seed, *labels).randbytes


@final
class VirtualClock:
    """The time of a simulation, and what is due to happen in it."""

    __slots__ = ("_due", "_order", "now", "start")

    def __init__(self, seed: object = 0) -> None:
        self.start: int = seeded_random(seed, "clock").randrange(10**18, 2 * 10**18)
        """Where time began, nanoseconds."""
        self.now: int = self.start
        """The time, nanoseconds."""
        self._due: list[tuple[int, int, Callable[[Any], object], Any]] = []
        self._order = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (self.now - self.start) / SECOND

    @property
    def next_due(self) -> int:
        """When the next thing is due, nanoseconds; ``core.timers.NEVER`` if nothing is."""
        return self._due[0][0] if self._due else NEVER

    def call_at(self, when: int, function: Callable[[_T], object], argument: _T) -> None:
        """Have ``function(argument)`` called at ``when`` (nanoseconds).

        Raises ValueError if that time has passed.
        """
        if when < self.now:
            raise ValueError(f"{when} is {(self.now - when) / SECOND} s in the past")
        self._order += 1
        heappush(self._due, (when, self._order, function, argument))

    def run_next(self) -> None:
        """Move on to the next thing due and do it. Raises IndexError if nothing is due."""
        self.now, _, function, argument = heappop(self._due)
        function(argument)

    def advance_to(self, when: int) -> None:
        """Move on to ``when`` (nanoseconds), up to which nothing is due.

        Raises ValueError if that time has passed, or if something is due before it.
        """
        if when < self.now:
            raise ValueError("time does not run backwards")
        if self._due and self._due[0][0] < when:
            raise ValueError("something is due before that")
        self.now = when
