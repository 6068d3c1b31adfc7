"""Ranges of numbers: what Gap Ack Blocks cover (RFC 9260 section 3.3.4).

A range is ``[start, end)``. Lists of ranges are sorted, and the ranges apart from each other.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

Ranges = list[tuple[int, int]]

_BEHIND_ALL: Final = 1 << 62


def merged(ranges: Ranges) -> Ranges:
    """The union of what these ranges cover: they may overlap, and stand in any order."""
    union: Ranges = []
    for start, end in sorted(ranges):
        if union and start <= union[-1][1]:
            if end > union[-1][1]:
                union[-1] = (union[-1][0], end)
        else:
            union.append((start, end))
    return union


def difference(ranges: Ranges, less: Ranges) -> Ranges:
    """What ``ranges`` cover and ``less`` do not, in one pass. May be the list ``ranges`` itself."""
    if not less:
        return ranges
    rest: Ranges = []
    index = 0
    for start, end in ranges:
        while start < end:
            while index < len(less) and less[index][1] <= start:
                index += 1
            if index == len(less) or less[index][0] >= end:
                rest.append((start, end))
                break
            first, last = less[index]
            if first > start:
                rest.append((start, first))
            start = last
    return rest


def find(ranges: Ranges, number: int) -> int:
    """The index of the last range that does not start above ``number``; -1 if all do."""
    return bisect_right(ranges, (number, _BEHIND_ALL)) - 1


def end_of(ranges: Ranges, number: int) -> int:
    """The end of the range that has ``number``; 0 if none has."""
    index = find(ranges, number)
    if index >= 0 and ranges[index][1] > number:
        return ranges[index][1]
    return 0
