"""The receive window: what the peer may send (RFC 9260 section 6.2).

``held`` counts user data received and not yet taken by the user, whether complete or not. ``credit`` is what
the peer still may send by the last advertisement. Against the silly window syndrome the right edge moves on
only by a worthwhile step and never back (RFC 1122 section 4.2.3.3, in its letters: RCV.BUFF is ``size``,
RCV.USER is ``held``, RCV.WND is ``credit``).

The window counts user data, and so does the peer. What it costs to hold messages comes on top (``overhead``): together
they take at most four times the buffer's size. Messages of 86 bytes or more never come to that. Of smaller ones the
peer is told less room than their data leaves, as soon as three quarters of the memory are taken: so much as fits if the
messages to come are like those that are here. That is the one case in which the right edge moves back, for what lies
behind it would be dropped.
"""

from __future__ import annotations

from typing import Final, final

from ..overhead import MESSAGE

MEMORY: Final = 4
"""What messages take with their overhead, at most, in sizes of the buffer."""


@final
class Window:
    """Receive buffer accounting of one association."""

    __slots__ = ("_step", "credit", "held", "size")

    def __init__(self, size: int, segment: int) -> None:
        self.size = size
        self.held = 0
        self.credit = size
        self._step = min(size // 2, segment)

    def resize(self, size: int, segment: int) -> None:
        """The buffer has another size: not below what it holds. What the peer was told it may still send."""
        self.size = max(size, self.held)
        self._step = min(self.size // 2, segment)

    def receive(self, length: int) -> None:
        """User data of that length was accepted."""
        self.held += length
        self.credit = self.credit - length if self.credit > length else 0

    def take(self, length: int) -> None:
        """User data of that length was accepted, for which the peer had been told that there is room."""
        self.held += length
        self.credit -= length

    def release(self, length: int) -> None:
        """The user took data of that length, or it was dropped."""
        self.held -= length

    @property
    def room(self) -> int:
        """Bytes of user data that are free, whatever the peer was told."""
        return self.size - self.held

    def places(self, data: int, times: int = 1) -> int:
        """How many messages can be held in all when ``data`` more bytes are, with so many ``times`` the memory."""
        return (times * MEMORY * self.size - self.held - data) // MESSAGE

    def advertise(self, messages: int) -> int:
        """The a_rwnd for a SACK that is sent now; so many ``messages`` are held."""
        space = self.size - self.held
        cost = self.held + MESSAGE * messages
        if 4 * cost > 3 * MEMORY * self.size:
            fitting = self._fitting(cost)
            space = min(space, fitting)
            self.credit = min(self.credit, fitting)
        if space - self.credit >= self._step:
            self.credit = space
        return self.credit

    def update_is_due(self, messages: int) -> bool:
        """True if reading opened the window by a quarter of the buffer, and a step, since the peer last heard of it."""
        space = self.size - self.held
        cost = self.held + MESSAGE * messages
        if 4 * cost > 3 * MEMORY * self.size:
            space = min(space, self._fitting(cost))
        return space - self.credit >= max(self.size // 4, self._step)

    def _fitting(self, cost: int) -> int:
        """Bytes of user data for which there is memory, if the messages to come are like those that are here."""
        return max(MEMORY * self.size - cost, 0) * self.held // cost
