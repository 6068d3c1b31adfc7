"""The receive window: what the peer may send (RFC 9260 section 6.2).

``held`` counts user data received and not yet taken by the user, whether complete or not. ``credit`` is what
the peer still may send by the last advertisement. Against the silly window syndrome the right edge moves on
only by a worthwhile step and never back (RFC 1122 section 4.2.3.3, in its letters: RCV.BUFF is ``size``,
RCV.USER is ``held``, RCV.WND is ``credit``).
"""

from __future__ import annotations

from typing import Final, final

# The window counts user data. What it costs to hold a message comes on top and is bounded by their number: with so many
# of them unread the window closes, and with so many waiting for others it takes only what comes next in sequence.
MAX_MESSAGES: Final = 1 << 15


@final
class Window:
    """Receive buffer accounting of one association."""

    __slots__ = ("_crowded", "_segment", "_step", "credit", "held", "size")

    def __init__(self, size: int, segment: int) -> None:
        self.size = size
        self.held = 0
        self.credit = size
        self._segment = segment
        self._step = min(size // 2, segment)
        self._crowded = False  # The peer was told that the window is closed, for there are too many messages.

    def resize(self, size: int, segment: int) -> None:
        """The buffer has another size: not below what it holds. What the peer was told it may still send."""
        self.size = max(size, self.held)
        self._segment = segment
        self._step = min(self.size // 2, self._segment)

    def receive(self, length: int) -> None:
        """User data of that length was accepted."""
        self.held += length
        self.credit = self.credit - length if self.credit > length else 0

    def release(self, length: int) -> None:
        """The user took data of that length, or it was dropped."""
        self.held -= length

    @property
    def room(self) -> int:
        """Bytes that are free, whatever the peer was told."""
        return self.size - self.held

    def advertise(self, messages: int) -> int:
        """The a_rwnd for a SACK that is sent now; ``messages`` wait for the user."""
        self._crowded = messages >= MAX_MESSAGES
        if self._crowded:
            return 0  # What came now would be dropped: better to say so than to hold on to the right edge.
        if self.room - self.credit >= self._step:
            self.credit = self.room
        return self.credit

    def update_is_due(self, messages: int) -> bool:
        """True if reading opened the window by a quarter of the buffer, and a step, since the peer last heard of it."""
        if self._crowded:
            return messages < MAX_MESSAGES // 2
        return self.room - self.credit >= max(self.size // 4, self._step)
