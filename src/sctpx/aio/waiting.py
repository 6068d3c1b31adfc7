"""A line of coroutines that wait for the same thing, served in the order in which they came.

Who is woken stays at the head of the line until it runs, so that nobody who comes later gets ahead of it. If it is
cancelled in that moment it passes its turn on; nothing is lost. A line takes no room until somebody stands in it.
"""

from __future__ import annotations

import asyncio
from typing import final


@final
class Line:
    """Coroutines waiting for their turn."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] | None = None

    def __bool__(self) -> bool:
        """True while somebody waits."""
        return bool(self._waiting)

    async def wait(self) -> None:
        """Stand in line until woken. A cancelled wait leaves no trace."""
        place = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        waiting = self._waiting
        waiting.append(place)
        try:
            await place
        except BaseException:
            waiting.remove(place)
            if not place.cancelled():
                self.wake()
            raise
        waiting.remove(place)

    def wake(self) -> None:
        """Wake the first in line, unless it has been woken already."""
        for place in self._waiting or ():
            if not place.cancelled():
                if not place.done():
                    place.set_result(None)
                return

    def wake_all(self) -> None:
        """Wake all of them."""
        for place in self._waiting or ():
            if not place.done():
                place.set_result(None)
