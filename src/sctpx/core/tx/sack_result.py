"""What one SACK newly acknowledged, by path: ``tx.outstanding`` fills it in, the association applies it.

The lists run in step: one entry for each of ``paths``.
"""

from __future__ import annotations

from typing import final

from ..path.path import Path


@final
class SackResult:
    """What one SACK newly acknowledged, by path."""

    __slots__ = (
        "acknowledged",
        "clean",
        "earliest",
        "freed",
        "fresh",
        "lost_again",
        "marked",
        "newly_marked",
        "paths",
        "reneged",
        "rtt",
        "taken_back",
    )

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.acknowledged: list[int] = []
        """Bytes of chunks, for each of ``paths``."""
        self.clean: list[bool] = []
        """Whether a chunk sent to this address only was among them."""
        self.fresh: list[bool] = []
        """Whether one of these had not timed out before."""
        self.earliest: list[bool] = []
        """Whether the earliest outstanding TSN of this path was among them (section 6.3.2 R3)."""
        self.rtt: list[bool] = []
        """Whether the TSN being timed was among them."""
        self.freed = 0
        """Bytes of the send buffer that are free again (``Batch.charge``)."""
        self.newly_marked: list[Path] = []
        """Paths with TSNs marked by their third miss indication."""
        self.marked = 0
        """How many TSNs these are."""
        self.lost_again = False
        """Whether one of these had been retransmitted since Fast Recovery began."""
        self.reneged: list[Path] = []
        """Paths with TSNs whose gap acknowledgement was taken back."""
        self.taken_back = 0
        """How many TSNs these are."""

    def at(self, path: Path) -> int:
        """The index of ``path``, added when it is new."""
        for index, known in enumerate(self.paths):
            if known is path:
                return index
        self.paths.append(path)
        self.acknowledged.append(0)
        self.clean.append(False)
        self.fresh.append(False)
        self.earliest.append(False)
        self.rtt.append(False)
        return len(self.paths) - 1
