"""The next SSN or MID of each stream (RFC 9260 section 6.5, RFC 8260 section 2.1).

The peer may use 65,536 streams, and each one it ever used is remembered as long as the association lives. The first
ones, which nearly everybody uses alone, are in a dictionary; the others in pages of two bytes for each stream, or
four for MIDs. So all streams together take less than 400 KiB.
"""

from __future__ import annotations

from array import array
from typing import Final, final

FEW: Final = 256
"""Streams in the dictionary, and in a page."""


@final
class Turns:
    """SSNs, or MIDs if they are ``wide``, by stream."""

    __slots__ = ("_few", "_pages", "_wide")

    def __init__(self, wide: bool = False) -> None:
        self._wide = wide
        self._few: dict[int, int] = {}
        self._pages: dict[int, array[int]] | None = None

    def next(self, stream: int) -> int:
        """The number whose turn it is in that stream."""
        if stream < FEW:
            return self._few.get(stream, 0)
        page = self._pages.get(stream // FEW) if self._pages is not None else None
        return page[stream % FEW] if page is not None else 0

    def set(self, stream: int, number: int) -> None:
        """It is the turn of that number."""
        if stream < FEW:
            self._few[stream] = number
            return
        if self._pages is None:
            self._pages = {}
        page = self._pages.get(stream // FEW)
        if page is None:
            page = array("I", [0] * FEW) if self._wide else array("H", [0] * FEW)
            self._pages[stream // FEW] = page
        page[stream % FEW] = number
