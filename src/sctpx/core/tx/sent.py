"""The batches above the cumulative TSN ack point, in TSN order: where a TSN is found."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, final

from ..path.path import Path
from .batch import Batch

# So many batches are let go of together.
_TOGETHER: Final = 64


@final
class Sent:
    """What was sent and not acknowledged for good."""

    __slots__ = ("_firsts", "batches", "head")

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.head = 0
        """The index of the first one that counts."""
        self._firsts: list[int] = []

    @property
    def empty(self) -> bool:
        """True if there is none."""
        return self.head == len(self.batches)

    def append(self, batch: Batch) -> None:
        """A batch with the next TSNs leaves."""
        self.batches.append(batch)
        self._firsts.append(batch.first_tsn)

    def index(self, tsn: int) -> int:
        """The index of the batch that holds ``tsn``."""
        return bisect_right(self._firsts, tsn, self.head) - 1

    def find(self, tsn: int) -> Batch:
        """The batch that holds ``tsn``."""
        return self.batches[bisect_right(self._firsts, tsn, self.head) - 1]

    def path_of(self, tsn: int) -> Path:
        """Where ``tsn`` was sent first."""
        return self.find(tsn).path

    def hand_over(self, path: Path, heir: Path) -> None:
        """There is no ``path`` any more: what was sent there counts as sent to ``heir``."""
        for batch in self.batches[self.head :]:
            if batch.path is path:
                batch.path = heir

    def drop_first(self) -> None:
        """The first batch is acknowledged for good."""
        self.head += 1
        if self.head == len(self.batches):
            self.batches.clear()
            self._firsts.clear()
            self.head = 0
        elif self.head >= _TOGETHER:
            del self.batches[: self.head]
            del self._firsts[: self.head]
            self.head = 0
