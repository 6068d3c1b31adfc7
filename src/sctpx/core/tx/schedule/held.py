"""A schedule of which some streams rest while the peer is asked to reset them (RFC 6525 section 5.1.2 A1).

What waited before is sent; what comes meanwhile is kept back, for its numbers are those from after the reset.
"""

from __future__ import annotations

from typing import final

from ..out_message import OutMessage
from .base import Schedule, Wrapper


@final
class Held(Wrapper):
    """Another schedule, and the messages that are kept back from it."""

    __slots__ = ("_streams", "ahead", "back")

    def __init__(self, schedule: Schedule, streams: list[int]) -> None:
        super().__init__(schedule)
        self._streams = frozenset(streams)  # None for all.
        self.back: list[OutMessage] = []
        """What is kept back."""
        self.ahead = len([message for message in schedule.messages() if self._rests(message)])
        """Messages of these streams that came before, and are not wholly cut."""

    def _rests(self, message: OutMessage) -> bool:
        return not self._streams or message.stream in self._streams

    def __len__(self) -> int:
        """How many messages are not wholly cut."""
        return len(self.schedule) + len(self.back)

    def push(self, message: OutMessage) -> None:
        """Take a message, which comes after all others of its stream."""
        if self._rests(message):
            self.back.append(message)
        else:
            self.schedule.push(message)

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the message that ``peek`` names."""
        message = self.schedule.peek()
        assert message is not None  # It was cut.
        self.schedule.take(size)
        if message.is_cut and self._rests(message):
            self.ahead -= 1

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        if message in self.back:
            self.back.remove(message)
            return
        self.schedule.remove(message)
        if self._rests(message):
            self.ahead -= 1

    def messages(self) -> list[OutMessage]:
        """All messages that are not wholly cut, as they came; those that are kept back are last."""
        return self.schedule.messages() + self.back
