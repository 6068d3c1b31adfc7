"""Data that has come behind a reset of its stream, and waits until the reset is done (RFC 6525 section 5.2.2 E2).

The TSNs are received and acknowledged, and the window counts them. Only what the data means is not known yet: whether
its numbers are those from before the reset or from after it.
"""

from __future__ import annotations

from typing import final

Chunk = tuple[int, int, int, int, int, bytes]
"""(extended TSN, flags, stream, number, last field of the header, data)."""


@final
class Deferred:
    """The data of some streams behind some TSN."""

    __slots__ = ("chunks", "last_tsn", "streams")

    def __init__(self, last_tsn: int, streams: list[int]) -> None:
        self.last_tsn = last_tsn
        """The last TSN from before the reset, as far as that is known."""
        self.streams = frozenset(streams)
        """None for all."""
        self.chunks: list[Chunk] = []
        """What waits, as it came."""

    def holds(self, tsn: int, stream: int) -> bool:
        """Whether a chunk has to wait."""
        return tsn > self.last_tsn and (not self.streams or stream in self.streams)
