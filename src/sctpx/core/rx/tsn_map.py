"""Which TSNs were received (RFC 9260 sections 6.2 and 6.7).

Everything up to ``cumulative_tsn`` and the ranges [start, end) above it, sorted and apart. TSNs are extended
(``wire.serial``). Nothing further ahead than a Gap Ack Block can say is ever recorded, and no more ranges than a few
SACKs could tell: what lies in a further one is not taken, and comes again.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, final

from ...wire.ranges import Ranges

# Gap Ack Block offsets have 16 bits (section 3.3.4).
MAX_AHEAD: Final = 65535
# Ranges apart from each other: some times as many as one SACK has room for.
MAX_RANGES: Final = 2048
# Duplicates reported in one SACK; more of them say nothing new.
MAX_DUPLICATES: Final = 32


@final
class TsnMap:
    """TSNs received from the peer."""

    __slots__ = ("_starts", "cumulative_tsn", "duplicates", "ranges")

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative_tsn = initial_tsn - 1
        """The last TSN received in sequence."""
        self.ranges: Ranges = []
        self.duplicates: list[int] = []
        """TSNs received again since the last SACK."""
        self._starts: list[int] = []  # The starts of ``ranges``, for bisection.

    @property
    def highest_tsn(self) -> int:
        """The highest TSN received."""
        return self.ranges[-1][1] - 1 if self.ranges else self.cumulative_tsn

    def is_new(self, tsn: int) -> bool:
        """True if ``tsn`` has not been received."""
        if tsn <= self.cumulative_tsn:
            return False
        index = bisect_right(self._starts, tsn) - 1
        return index < 0 or tsn >= self.ranges[index][1]

    def note_duplicate(self, tsn: int) -> None:
        """``tsn`` was received again: the next SACK says so."""
        if len(self.duplicates) < MAX_DUPLICATES:
            self.duplicates.append(tsn)

    def has_place(self, tsn: int) -> bool:
        """True if ``tsn``, which is new, can be recorded."""
        ahead = tsn - self.cumulative_tsn
        if ahead > MAX_AHEAD:
            return False
        if len(self.ranges) < MAX_RANGES or ahead == 1:
            return True
        index = bisect_right(self._starts, tsn + 1) - 1  # Below all of them, the last one does not touch it either.
        return self._starts[index] == tsn + 1 or self.ranges[index][1] == tsn

    def record(self, tsn: int) -> None:
        """``tsn``, which is new and has a place, was received."""
        ranges = self.ranges
        if tsn == self.cumulative_tsn + 1:
            self.cumulative_tsn = tsn
            if ranges and ranges[0][0] == tsn + 1:
                self.cumulative_tsn = ranges[0][1] - 1
                del ranges[0]
                del self._starts[0]
            return
        index = bisect_right(self._starts, tsn) - 1
        joins_left = index >= 0 and ranges[index][1] == tsn
        joins_right = index + 1 < len(ranges) and ranges[index + 1][0] == tsn + 1
        if joins_left and joins_right:
            ranges[index] = (ranges[index][0], ranges[index + 1][1])
            del ranges[index + 1]
            del self._starts[index + 1]
        elif joins_left:
            ranges[index] = (ranges[index][0], tsn + 1)
        elif joins_right:
            ranges[index + 1] = (tsn, ranges[index + 1][1])
            self._starts[index + 1] = tsn
        else:
            ranges.insert(index + 1, (tsn, tsn + 1))
            self._starts.insert(index + 1, tsn)

    def forward(self, tsn: int) -> None:
        """All up to ``tsn``, which is ahead, counts as received (RFC 3758 section 3.6); so does what follows there."""
        past = bisect_right(self._starts, tsn + 1)
        if past and self.ranges[past - 1][1] > tsn:
            tsn = self.ranges[past - 1][1] - 1
        del self.ranges[:past]
        del self._starts[:past]
        self.cumulative_tsn = tsn

    def advance(self, cumulative_tsn: int) -> None:
        """All up to this TSN was received in sequence; there are no ranges above."""
        self.cumulative_tsn = cumulative_tsn

    def reset(self, initial_tsn: int) -> None:
        """Begin anew with another Initial TSN (section 5.2.4)."""
        self.cumulative_tsn = initial_tsn - 1
        self.ranges = []
        self.duplicates = []
        self._starts = []

    def check_invariants(self) -> None:
        """For tests: raise AssertionError if the ranges are not sorted and apart."""
        last = self.cumulative_tsn + 1
        for start, end in self.ranges:
            assert last < start < end
            last = end
        assert self._starts == [start for start, _ in self.ranges]
