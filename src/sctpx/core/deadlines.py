"""When the associations of a stack have something to do: one heap over all of them.

A deadline that moves into the future is not followed: the association is looked at when the earlier one has come, and
says then what it waits for. A deadline that becomes earlier gets an entry of its own, and the one before it is passed
over when it comes to the top; such entries are thrown out when they are many.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import final

from .association.association import Association
from .timers import NEVER


@final
class Deadlines:
    """The earliest deadlines of associations."""

    __slots__ = ("_count", "_heap", "_superseded")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Association]] = []
        self._count = 0
        self._superseded = 0

    def note(self, association: Association, deadline: int) -> None:
        """Have the association looked at no later than at that time."""
        if deadline < association.scheduled:
            self.forget(association)
            association.scheduled = deadline
            self._count += 1
            association.entry = self._count
            heappush(self._heap, (deadline, self._count, association))

    def forget(self, association: Association) -> None:
        """The association's deadline does not matter any more."""
        if not association.entry:
            return
        association.entry = 0
        association.scheduled = NEVER
        self._superseded += 1
        if self._superseded > len(self._heap) // 2 + 32:
            self._superseded = 0
            self._heap = [entry for entry in self._heap if entry[2].entry == entry[1]]
            heapify(self._heap)

    def next(self) -> int | None:
        """The earliest deadline, ns; None if there is none."""
        heap = self._heap
        while heap and heap[0][2].entry != heap[0][1]:
            heappop(heap)
            self._superseded -= 1
        return heap[0][0] if heap else None

    def take_due(self, now: int) -> Association | None:
        """An association whose deadline has come; it has none any more."""
        deadline = self.next()
        if deadline is None or deadline > now:
            return None
        _, _, association = heappop(self._heap)
        association.entry = 0
        association.scheduled = NEVER
        return association
