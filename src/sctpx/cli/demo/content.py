"""What the demonstration sends: messages that are all different, counted and hashed on both sides."""

from __future__ import annotations

import hashlib
from typing import Final, final

from .story import MESSAGE_SIZE, Total

_NUMBER: Final = 8


@final
class Content:
    """The messages to send, one after the other: ``size`` bytes in all."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Bytes to send in all. May be changed on the way."""
        self.bytes = 0
        """Bytes given out."""
        self._messages = 0
        self._filling = hashlib.shake_128(b"sctpx demo").digest(MESSAGE_SIZE - _NUMBER)
        self._hash = hashlib.sha256()

    def take(self) -> bytes:
        """The next message; ``b""`` when all were taken."""
        room = max(self.size - self.bytes, 0)
        message = (self._messages.to_bytes(_NUMBER, "big") + self._filling)[:room]
        if message:
            self._hash.update(message)
            self._messages += 1
            self.bytes += len(message)
        return message

    def total(self) -> Total:
        """What was given out."""
        return Total(self.bytes, self._messages, self._hash.hexdigest())


@final
class Received:
    """What came, counted."""

    def __init__(self) -> None:
        self.bytes = 0
        """Bytes that came."""
        self.longest_gap = 0.0
        """The longest time without a message once there was one, seconds."""
        self._messages = 0
        self._last: float | None = None
        self._hash = hashlib.sha256()

    def add(self, now: float, data: bytes, more: bool = False) -> None:
        """A message, or with ``more`` a part of one, came at ``now`` (seconds)."""
        self._hash.update(data)
        self.bytes += len(data)
        self._messages += not more
        if self._last is not None:
            self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now

    def total(self) -> Total:
        """What came."""
        return Total(self.bytes, self._messages, self._hash.hexdigest())
