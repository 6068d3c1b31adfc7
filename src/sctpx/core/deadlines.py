"""When which association has to be looked at: one heap over all associations of a stack.

Timers are attributes of associations and move on all the time (``timers``). The heap has one entry for an association,
no later than the association's earliest deadline. When its time comes, the association is looked at, and entered again.
An entry that has been replaced by an earlier one stays in the heap and is passed over; there are never many of those.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import final

from .association.association import Association
from .timers import NEVER


@final
class Deadlines:
    """The deadlines of a stack's associations."""

    __slots__ = ("_count", "_heap", "_superseded")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Association]] = []
        self._count = 0
        self._superseded = 0

    def enter(self, association: Association, deadline: int) -> None:
        """Look at the association no later than this."""
        if deadline < association.scheduled:
            self.forget(association)
            association.scheduled = deadline
            self._count += 1
            association.entry = self._count
            heappush(self._heap, (deadline, self._count, association))

    def forget(self, association: Association) -> None:
        """The association's entry does not matter any more: throw such out when they are many."""
        if not association.entry:
            return
        association.entry = 0
        association.scheduled = NEVER
        self._superseded += 1
        if self._superseded > len(self._heap) // 2 + 32:
            self._superseded = 0
            self._heap = [entry for entry in self._heap if entry[2].entry == entry[1]]
            heapify(self._heap)

    def due(self, now: int) -> Association | None:
        """The association whose time came first; ``take`` takes it. None if no time has come yet."""
        return self._heap[0][2] if self.first() <= now else None

    def take(self) -> None:
        """The association that ``due`` has given has no entry any more."""
        _, _, association = heappop(self._heap)
        association.entry = 0
        association.scheduled = NEVER

    def first(self) -> int:
        """When the next time comes, ns; NEVER if nothing is waited for."""
        heap = self._heap
        while heap and heap[0][2].entry != heap[0][1]:
            heappop(heap)
            self._superseded -= 1
        return heap[0][0] if heap else NEVER
