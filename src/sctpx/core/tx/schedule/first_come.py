"""First come, first served (RFC 8260 section 3.1): messages leave in the order in which they were handed over."""

from __future__ import annotations

from typing import final

from ..out_message import OutMessage
from .base import Schedule


@final
class FirstCome(Schedule):
    """One line of messages. The send queue bundles whole messages straight from it: the default has to be fast."""

    __slots__ = ("head", "items")

    def __init__(self) -> None:
        self.items: list[OutMessage] = []
        self.head = 0
        """The index of the first one that is not wholly cut."""

    def __len__(self) -> int:
        """How many messages are not wholly cut."""
        return len(self.items) - self.head

    def push(self, message: OutMessage) -> None:
        """Take a message, behind all others."""
        self.items.append(message)

    def peek(self) -> OutMessage | None:
        """The first one."""
        return self.items[self.head] if self.head < len(self.items) else None

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the first one."""
        if self.items[self.head].is_cut:
            self.advance(1)

    def advance(self, count: int) -> None:
        """So many messages are wholly cut."""
        self.head += count
        if self.head == len(self.items):
            self.items.clear()
            self.head = 0
        elif self.head >= 1024:
            del self.items[: self.head]
            self.head = 0

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        index = self.items.index(message, self.head)
        if index == self.head:
            self.advance(1)
        else:
            del self.items[index]

    def messages(self) -> list[OutMessage]:
        """All messages that are not wholly cut, in order."""
        return self.items[self.head :]
