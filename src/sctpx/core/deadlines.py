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

    __slots__ = ("_count", "_entered", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self._count = 0
        # By the numbers of their entries, so that an association that has ended is not kept alive by the heap.
        self._entered: dict[int, Association] = {}

    def __len__(self) -> int:
        """The entries there are, with those that are passed over."""
        return len(self._heap)

    def enter(self, association: Association, deadline: int) -> None:
        """Look at the association no later than this."""
        if deadline < association.scheduled:
            self.forget(association)
            association.scheduled = deadline
            self._count += 1
            association.entry = self._count
            self._entered[self._count] = association
            heappush(self._heap, (deadline, self._count))

    def forget(self, association: Association) -> None:
        """The association's entry does not matter any more: throw such out when they are many."""
        # There may be none, also since an exception can leave ``enter`` at any step.
        self._entered.pop(association.entry, None)
        association.scheduled = NEVER
        if len(self._heap) > 2 * len(self._entered) + 64:
            self._heap = [entry for entry in self._heap if entry[1] in self._entered]
            heapify(self._heap)

    def due(self, now: int) -> Association | None:
        """The association whose time came first; ``take`` takes it. None if no time has come yet."""
        return self._entered[self._heap[0][1]] if self.first() <= now else None

    def take(self) -> None:
        """The association that ``due`` has given has no entry any more."""
        _, number = heappop(self._heap)
        association = self._entered.pop(number, None)
        if association is not None:
            association.scheduled = NEVER

    def first(self) -> int:
        """When the next time comes, ns; NEVER if nothing is waited for."""
        heap = self._heap
        while heap and heap[0][1] not in self._entered:
            heappop(heap)
        return heap[0][0] if heap else NEVER
