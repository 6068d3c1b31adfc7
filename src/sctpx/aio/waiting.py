"""A line of coroutines that wait for the same thing, served in the order in which they came.

Who is woken stays at the head of the line until it runs, so that nobody who comes later gets ahead of it. If it is
cancelled in that moment it passes its turn on; nothing is lost. A line takes no room until somebody stands in it.

Waking lets a task go on in the next iteration of the event loop, as futures do. *Resuming* lets it go on before the
call returns, which spares an answer to what has just arrived the iteration. It may be done only where the loop itself
would step a task: in a callback of the loop, with nothing half done and no task running.

What a task waits for is a *place*: an awaitable that tasks take for a future, since it has what they ask futures for
(``asyncio.isfuture``). Awaiting one is a few calls of compiled code, where a coroutine around a future would be as
many steps of interpreted code for each message that is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Final, NoReturn, final

WAITING: Final = 0
WOKEN: Final = 1
CANCELLED: Final = 2


@final
class Place:
    """A place in a line, for one task to await once."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_line",
        "_loop",
        "_message",
        "_standing",
        "_state",
    )

    def __init__(
        self, line: Line, loop: asyncio.AbstractEventLoop, standing: Callable[[], object] | None = None
    ) -> None:
        """``standing`` is called in place of a task, and is never woken for good: it waits on."""
        self._asyncio_future_blocking = False  # By this attribute tasks know futures, and what they wait for.
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._line = line
        self._loop = loop
        self._message: Any = None
        self._standing = standing
        self._state = WAITING

    # --- for who awaits it ---

    def __await__(self) -> Generator[Any, None, None]:
        awaited: Any = self
        return awaited  # type: ignore[no-any-return]

    def __iter__(self) -> Place:
        return self

    def __next__(self) -> Place:
        try:
            if self._state == WAITING:
                self._line.join(self)
                self._asyncio_future_blocking = True
                return self
            self._line.leave(self)
        except BaseException:  # Of a signal handler: whoever waits here does not wait any more.
            self.close()
            raise
        raise StopIteration

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> NoReturn:
        """An exception reaches who waits, such as a cancellation: leave the line, and pass the turn on."""
        self.close()
        raise kind if value is None else value

    def close(self) -> None:
        """Nobody waits here any more."""
        try:
            self._give_up()
        except BaseException:  # Of a signal handler: complete it.
            self._give_up()
            raise

    def _give_up(self) -> None:
        self._line.leave(self)
        if self._state == WOKEN:
            self._line.wake()

    # --- for tasks, as futures have it ---

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop in which it is awaited."""
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """The task waits."""
        self._callback = callback
        self._context = context

    def cancel(self, msg: Any = None) -> bool:
        """The task is cancelled. False if it has been woken already."""
        if self._state != WAITING:
            return False
        self._message = msg
        self._end(CANCELLED)
        return True

    def result(self) -> None:
        """Whether the task was woken or cancelled."""
        if self._state == CANCELLED:
            raise asyncio.CancelledError() if self._message is None else asyncio.CancelledError(self._message)

    # --- for the line ---

    @property
    def cancelled(self) -> bool:
        """Whether the task was cancelled before it was woken."""
        return self._state == CANCELLED

    @property
    def left_behind(self) -> bool:
        """Whether nobody awaits it: a signal handler has raised before it came to that."""
        return self._state == WAITING and self._callback is None and self._standing is None

    @property
    def waits(self) -> bool:
        """Whether the task was neither woken nor cancelled yet."""
        return self._state == WAITING

    def wake(self) -> None:
        """Let the task go on in the next iteration of the loop."""
        if self._standing is not None:  # Twice, lest a signal handler raises where the first call begins.
            self._loop.call_soon(self._standing)
            self._loop.call_soon(self._standing)
        else:
            self._end(WOKEN)

    def _end(self, state: int) -> None:
        self._state = state
        callback, self._callback = self._callback, None
        if callback is not None:
            self._loop.call_soon(callback, self, context=self._context)

    def resume(self) -> None:
        """Let the task go on now."""
        if self._standing is not None:
            self._standing()
            return
        callback, context = self._callback, self._context
        if callback is None or context is None:
            self.wake()
            return
        try:
            self._state = WOKEN
            self._callback = None
            context.run(callback, self)
        except BaseException:  # Of the task, or of a signal handler: then the task goes on with the loop.
            self._state = WOKEN
            self._callback = None
            if self._is_waited_for():
                self._loop.call_soon(callback, self, context=context)
            raise

    def _is_waited_for(self) -> bool:
        """Whether the task has not taken a step yet. This looks at all tasks, for exceptional cases only."""
        return any(getattr(task, "_fut_waiter", None) is self for task in asyncio.all_tasks(self._loop))


@final
class Line:
    """Coroutines waiting for their turn."""

    __slots__ = ("_taken", "waiting")

    def __init__(self) -> None:
        self._taken = False
        self.waiting: list[Place] | None = None
        """Those who wait, in order; true while there are any."""

    def __bool__(self) -> bool:
        """True while somebody waits."""
        return bool(self.waiting)

    def wait(self) -> Place:
        """To be awaited: stand in line until woken. A cancelled wait leaves no trace."""
        if self._taken:
            raise RuntimeError("the messages of this association go to its protocol")
        return Place(self, asyncio.get_running_loop())

    def join(self, place: Place) -> None:
        """Somebody begins to wait, behind all others."""
        if self.waiting is None:
            self.waiting = []
        if place not in self.waiting:
            self.waiting.append(place)

    def stand(self, callback: Callable[[], object]) -> None:
        """Have this called, from now on, whenever the first in line would be woken; nobody else can wait."""
        self._taken = True
        self.waiting = [Place(self, asyncio.get_running_loop(), callback)]

    def leave(self, place: Place) -> None:
        """Who had this place does not wait any more."""
        waiting = self.waiting
        if waiting is not None and place in waiting:
            waiting.remove(place)

    def wake(self) -> None:
        """Wake the first in line, unless it has been woken already."""
        place = self._first()
        if place is not None:
            place.wake()

    def resume(self) -> None:
        """The same, and it runs before this returns."""
        place = self._first()
        if place is not None:
            place.resume()

    def _first(self) -> Place | None:
        """The first in line; ``None`` if it has been woken already."""
        for place in self.waiting or ():
            if not (place.cancelled or place.left_behind):
                return place if place.waits else None
        return None

    def wake_all(self) -> None:
        """Wake all of them."""
        for place in self.waiting or ():
            if place.waits:
                place.wake()

    def resume_all(self) -> None:
        """The same, and they run before this returns."""
        places = list(self.waiting or ())
        try:
            for place in places:
                if place.waits:
                    place.resume()
        except BaseException:  # One of them has stopped the loop: the others are woken for when it goes on.
            for place in places:
                if place.waits:
                    place.wake()
            raise
