"""The receive window: what the peer may send (RFC 9260 section 6.2).

``held`` counts user data received and not yet taken by the user, whether complete or not. ``credit`` is what
the peer still may send by the last advertisement. Against the silly window syndrome the right edge moves on
only by a worthwhile step and never back (RFC 1122 section 4.2.3.3, in its letters: RCV.BUFF is ``size``,
RCV.USER is ``held``, RCV.WND is ``credit``).
"""

from __future__ import annotations

from typing import Final, final

# What the peer is not charged for but has to be held: an end to floods of tiny messages that nobody reads.
MAX_MESSAGES: Final = 1 << 16


@final
class Window:
    """Receive buffer accounting of one association."""

    __slots__ = ("_step", "credit", "held", "size")

    def __init__(self, size: int, segment: int) -> None:
        self.size = size
        self.held = 0
        self.credit = size
        self._step = min(size // 2, segment)

    def receive(self, length: int) -> None:
        """User data of that length was accepted."""
        self.held += length
        self.credit = self.credit - length if self.credit > length else 0

    def release(self, length: int) -> None:
        """The user took data of that length, or it was dropped."""
        self.held -= length

    def advertise(self, messages: int) -> int:
        """The a_rwnd for a SACK that is sent now; ``messages`` wait for the user."""
        room = self.size - self.held if messages < MAX_MESSAGES else 0
        if room - self.credit >= self._step:
            self.credit = room
        return self.credit

    def update_is_due(self, messages: int) -> bool:
        """True if reading opened the window by a quarter of the buffer, and a step, since the peer last heard of it."""
        room = self.size - self.held if messages < MAX_MESSAGES else 0
        return room - self.credit >= max(self.size // 4, self._step)
