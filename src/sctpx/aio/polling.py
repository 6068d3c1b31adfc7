"""Busy polling (``link.busy_poll``) in an event loop: a callback for the next iteration keeps the loop from sleeping.

The loop looks at all its descriptors and runs everybody's callbacks meanwhile, as always.
"""

from __future__ import annotations

import asyncio
import time
from typing import final

from ..link.busy_poll import BusyPoll


@final
class Polling:
    """Has an event loop look for packets, instead of sleeping, as long as that pays."""

    __slots__ = ("_busy_poll", "_handled", "_look_again", "_loop", "_until")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        """Poll for ``limit`` ns after a packet; 0: never."""
        self._loop = loop
        self._busy_poll = BusyPoll(limit)
        self._handled = 0  # When the last packet had been handled.
        self._until = 0
        self._look_again = False

    def go_on(self, came: int, in_dialogue: bool) -> None:
        """A packet that came at the time ``came``, ns, has been handled; all that it called for is on its way."""
        poll = self._busy_poll
        poll.note(came - self._handled)
        poll.in_dialogue = in_dialogue
        self._handled = now = time.monotonic_ns()
        self._until = now + poll.budget
        if self._until > now and not self._look_again:
            self._loop.call_soon(self._look)
            self._look_again = True

    def _look(self) -> None:
        """In every iteration of the loop, until the time is up."""
        self._look_again = False
        if time.monotonic_ns() < self._until:
            self._loop.call_soon(self._look)
            self._look_again = True

    def stop(self) -> None:
        """Look no more, at the latest after the next iteration."""
        self._until = 0
