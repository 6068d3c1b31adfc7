"""A schedule whose messages have keys, since user data is sent authenticated (RFC 4895).

"The SCTP implementation must not bundle user messages that should be authenticated using different shared key
identifiers" (RFC 6458 section 8.1.18): a packet has messages of one key only. A message keeps the key that was active
when it was handed over, or that it was given.
"""

from __future__ import annotations

from typing import final

from ..out_message import OutMessage
from .base import Schedule, Wrapper


@final
class Keyed(Wrapper):
    """Another schedule, and the key of each message in it."""

    __slots__ = ("_in_packet", "_keys", "active", "given", "waiting")

    def __init__(self, schedule: Schedule, active: int) -> None:
        super().__init__(schedule)
        self.active = active
        """The key for messages that come."""
        self.given = -1
        """The key for the next one alone; -1 for the active one."""
        self.waiting: dict[int, int] = {}
        """How many messages that are not wholly cut have each key."""
        self._keys: dict[OutMessage, int] = {}
        self._in_packet = -1  # The key of what the packet has already.
        for message in schedule.messages():
            self._note(message)

    def _note(self, message: OutMessage) -> None:
        key = self.given if self.given >= 0 else self.active
        self.given = -1
        self._keys[message] = key
        self.waiting[key] = self.waiting.get(key, 0) + 1

    def _forget(self, message: OutMessage) -> None:
        key = self._keys.pop(message)
        left = self.waiting[key] - 1
        if left:
            self.waiting[key] = left
        else:
            del self.waiting[key]

    def key_of(self, message: OutMessage) -> int:
        """The key of a message that waits."""
        return self._keys[message]

    def push(self, message: OutMessage) -> None:
        """Take a message, which comes after all others of its stream."""
        self._note(message)
        self.schedule.push(message)

    def peek(self) -> OutMessage | None:
        """The message that the next chunk is cut from; None if it cannot go into the packet that was begun."""
        message = self.schedule.peek()
        if message is None or self._in_packet < 0 or self._keys[message] == self._in_packet:
            return message
        return None

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the message that ``peek`` names."""
        message = self.schedule.peek()
        assert message is not None  # It was cut.
        self._in_packet = self._keys[message]
        self.schedule.take(size)
        if message.is_cut:
            self._forget(message)

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        self.schedule.remove(message)
        self._forget(message)

    def end_packet(self) -> None:
        """The packet is full."""
        self._in_packet = -1
        self.schedule.end_packet()
