"""Numbers drawn from a seed, at a fraction of what ``random`` costs: a story draws some for each of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar, final

_T = TypeVar("_T")

_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 6364136223846793005
_TERM: Final = 1442695040888963407


@final
class Dice:
    """A linear congruential generator of 64 bits, of which the high 31 bits count."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = ((seed + 1) * 0x9E3779B97F4A7C15 ^ seed >> 7) & _MASK
        self.below(2)

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        self._state = state = (self._state * _FACTOR + _TERM) & _MASK
        return (state >> 33) * limit >> 31

    def one_in(self, count: int) -> bool:
        """True once in so many times."""
        return self.below(count) == 0

    def near(self, span: int) -> int:
        """A number from -``span`` to ``span``, most often a small one."""
        limit = self.below(span) + 1
        return self.below(2 * limit + 1) - limit

    def choose(self, choices: Sequence[_T]) -> _T:
        """One of these."""
        return choices[self.below(len(choices))]

    def octets(self, count: int) -> bytes:
        """So many bytes."""
        self.below(2)
        word = self._state.to_bytes(8, "big")
        return (word * (count // 8 + 1))[:count]
