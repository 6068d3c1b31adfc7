"""Functions that run side by side in virtual time, as threads do in real time: a server, and its clients.

Each function has a thread of its own, but only one thread runs at a time. A task goes on until a call in it has to wait
for the network; then the code that runs the network goes on. So the order of everything follows from the seed alone, as
it does in all of a simulation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, final

from sctpx.core.timers import NEVER

T = TypeVar("T")


class TaskEnded(BaseException):
    """The simulation is over: raised in a task that still waits."""


class Turns(Protocol):
    """What a task needs: its network."""

    def take_turn(self, task: Task[Any] | None) -> None:
        """This task runs now; ``None``: no task does."""

    def wait(self, until: Callable[[], object], deadline: int, what: str) -> None:
        """Run until something is so, or until the deadline, ns. ``SimulationError`` if that will never be."""


@final
class Task(Generic[T]):
    """A function that runs beside others. ``Network.spawn`` makes one."""

    def __init__(self, network: Turns, function: Callable[..., T], arguments: tuple[object, ...]) -> None:
        self.done = False
        """The function has returned, or raised."""
        self._network = network
        self._function = function
        self._arguments = arguments
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._until: Callable[[], object] = lambda: True
        self._deadline = NEVER
        self._cancelled = False
        self._turn, self._over = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="sctpx simulated task", daemon=True)

    def result(self) -> T:
        """Let virtual time pass until the function has returned: what it returned. Raises what it raised.

        ``SimulationError`` if it waits for what will never be.
        """
        self._network.wait(lambda: self.done, NEVER, f"task {getattr(self._function, '__name__', self._function)}")
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._result[0]

    def _run(self) -> None:
        self._turn.acquire()
        try:
            if not self._cancelled:
                self._result.append(self._function(*self._arguments))
        except TaskEnded:
            pass
        except BaseException as error:
            self._error = error
        self.done = True
        self._over.release()

    # --- for the network ---

    @property
    def error(self) -> BaseException | None:
        """What the function raised, until ``result`` has told."""
        return self._error

    def is_ready(self, now: int) -> bool:
        """The task can go on: what it waits for is so, or the time is up."""
        return not self.done and (now >= self._deadline or bool(self._until()))

    def go_on(self) -> None:
        """Let the task run until it has to wait, or is done."""
        if not self._thread.is_alive():
            self._thread.start()
        self._network.take_turn(self)
        self._turn.release()
        self._over.acquire()
        self._network.take_turn(None)

    def wait(self, until: Callable[[], object], deadline: int) -> None:
        """In the task: wait until something is so, at most until the deadline, ns."""
        if self._cancelled:
            raise TaskEnded
        self._until, self._deadline = until, deadline
        self._over.release()
        self._turn.acquire()
        if self._cancelled:
            raise TaskEnded

    def end(self) -> None:
        """The simulation is over: a task that waits ends."""
        if not self.done:
            self._cancelled = True
            self.go_on()
