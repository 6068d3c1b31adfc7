"""A line of coroutines that wait for the same thing, served in the order in which they came.

Who is woken stays at the head of the line until it runs, so that nobody who comes later gets ahead of it. If it is
cancelled in that moment it passes its turn on; nothing is lost. A line takes no room until somebody stands in it.

Waking lets a task go on in the next iteration of the event loop, as futures do. *Resuming* lets it go on before the
call returns, which spares an answer to what has just arrived the iteration: a task hands every future it waits for a
callback and a context, and the loop does no more with these than ``Place.resume`` does. It may be done only where
the loop itself would step a task: in a callback of the loop, with nothing half done and no task running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, final


@final
class Place(asyncio.Future[None]):
    """A place in a line: a future whose task can be resumed."""

    _callback: Callable[[Any], object] | None = None
    _context: Context | None = None

    def add_done_callback(self, callback: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """The task waits."""
        super().add_done_callback(callback, context=context)
        self._callback = callback
        self._context = context

    def resume(self) -> None:
        """Let the task go on now."""
        callback, context = self._callback, self._context
        if callback is None or context is None:
            self.set_result(None)
            return
        try:
            self.remove_done_callback(callback)
            self.set_result(None)
            context.run(callback, self)
        except BaseException:  # Of the task, or of a signal handler: then the task goes on with the loop.
            self.remove_done_callback(callback)
            if not self.done():
                self.set_result(None)
            if self._is_waited_for():
                self.get_loop().call_soon(callback, self, context=context)
            raise

    def _is_waited_for(self) -> bool:
        """Whether the task has not taken a step yet. This looks at all tasks, for exceptional cases only."""
        return any(getattr(task, "_fut_waiter", None) is self for task in asyncio.all_tasks(self.get_loop()))


@final
class Line:
    """Coroutines waiting for their turn."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[Place] | None = None
        """Those who wait, in order; true while there are any."""

    def __bool__(self) -> bool:
        """True while somebody waits."""
        return bool(self.waiting)

    async def wait(self) -> None:
        """Stand in line until woken. A cancelled wait leaves no trace."""
        place = Place(loop=asyncio.get_running_loop())
        if self.waiting is None:
            self.waiting = []
        waiting = self.waiting
        try:
            waiting.append(place)
            await place
            waiting.remove(place)
        except BaseException:
            if place in waiting:
                waiting.remove(place)
            if not place.cancelled():
                self.wake()
            raise

    def wake(self) -> None:
        """Wake the first in line, unless it has been woken already."""
        place = self._first()
        if place is not None:
            place.set_result(None)

    def resume(self) -> None:
        """The same, and it runs before this returns."""
        place = self._first()
        if place is not None:
            place.resume()

    def _first(self) -> Place | None:
        """The first in line; ``None`` if it has been woken already."""
        for place in self.waiting or ():
            if not place.cancelled():
                return None if place.done() else place
        return None

    def wake_all(self) -> None:
        """Wake all of them."""
        for place in self.waiting or ():
            if not place.done():
                place.set_result(None)

    def resume_all(self) -> None:
        """The same, and they run before this returns."""
        places = list(self.waiting or ())
        try:
            for place in places:
                if not place.done():
                    place.resume()
        except BaseException:  # One of them has stopped the loop: the others are woken for when it goes on.
            for place in places:
                if not place.done():
                    place.set_result(None)
            raise
