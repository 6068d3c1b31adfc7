"""Which outstanding TSNs belong to messages that may be abandoned (``reliability``)."""

from __future__ import annotations

from bisect import bisect_right
from typing import final

from .out_message import OutMessage


@final
class Spans:
    """The TSNs of messages with a policy, in order: TSNs only grow."""

    __slots__ = ("_head", "_messages", "_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._messages: list[OutMessage] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._starts) - self._head

    def add(self, tsn: int, count: int, message: OutMessage) -> None:
        """``count`` chunks were cut from the message, from this TSN on."""
        assert message.reliability is not None
        message.reliability.note(tsn, count)
        if len(self) and self._messages[-1] is message and self._stops[-1] == tsn:
            self._stops[-1] = tsn + count
            return
        self._starts.append(tsn)
        self._stops.append(tsn + count)
        self._messages.append(message)

    def find(self, tsn: int) -> OutMessage | None:
        """The message that the TSN belongs to, if that has a policy."""
        index = bisect_right(self._starts, tsn, self._head) - 1
        if index < self._head or self._stops[index] <= tsn:
            return None
        return self._messages[index]

    def forget(self, cumulative_tsn: int) -> list[OutMessage]:
        """All up to this TSN was acknowledged for good: the messages that this is the end of."""
        done: list[OutMessage] = []
        head = self._head
        while head < len(self._stops) and self._stops[head] <= cumulative_tsn + 1:
            message = self._messages[head]
            reliability = message.reliability
            assert reliability is not None
            if message.is_cut and reliability.tsns[-1][1] == self._stops[head]:
                done.append(message)
            head += 1
        self._head = head
        if 2 * head >= len(self._starts):
            del self._starts[:head]
            del self._stops[:head]
            del self._messages[:head]
            self._head = 0
        return done
