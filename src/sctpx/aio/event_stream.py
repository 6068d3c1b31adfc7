"""The events of one association, for who iterates over them.

They are kept from the first time the stream is asked for. Nobody has to keep up: beyond a limit the oldest are
dropped and counted.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from ..sockapi.events import Event
from .waiting import Line

EVENTS_KEPT: Final = 1000


@final
class EventStream:
    """An asynchronous iterator over events, which ends after the last event of the association."""

    __slots__ = ("_events", "_over", "_readers", "lost")

    def __init__(self, over: bool) -> None:
        """``over``: the association has ended already."""
        self._events: deque[Event] = deque()
        self._over = over
        self._readers = Line()
        self.lost = 0
        """Events dropped because nobody took them."""

    def push(self, event: Event, last: bool) -> None:
        """Something happened; ``last``: and nothing will any more."""
        if len(self._events) == EVENTS_KEPT:
            self._events.popleft()
            self.lost += 1
        self._events.append(event)
        self._over = last
        self._readers.wake()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        """The next event, in order."""
        if self._readers or not (self._events or self._over):
            await self._readers.wait()
        try:
            if not self._events:
                raise StopAsyncIteration
            return self._events.popleft()
        finally:
            if self._events or self._over:
                self._readers.wake()
