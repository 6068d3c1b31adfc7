"""Taking associations from peers: a handler for each, as ``asyncio.start_server`` has it, or ``accept``.

A server is the listening side of an endpoint. With a handler an association is taken when it comes up; without one it
waits for ``accept``, and counts against the backlog until then. Handlers run as tasks of their own. One that returns
has its association closed, one that fails has it aborted and the exception told to the loop's exception handler: no
association is left behind by a coroutine that nobody looks at.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from ..core.association.state import ESTABLISHED, STATE_NAMES
from ..core.stats import StackStats
from ..deferral import Guard
from ..errors import AssociationAborted, AssociationClosed, AssociationLost
from .association import Association
from .waiting import Line

if TYPE_CHECKING:
    from .endpoint import Endpoint

_ESTABLISHED: Final = STATE_NAMES[ESTABLISHED]
_REQUESTS: Final = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)

Handler: TypeAlias = Callable[[Association], Awaitable[object] | object]
"""Called with each association that a peer sets up. What a coroutine function returns is run as a task."""


def is_request(kind: type[BaseException] | None) -> bool:
    """Whether a context that is left by this exception was asked to end, and has not failed.

    Who cancels a server, or interrupts the program, ends a service. That says nothing of its associations, which others
    work on: they can be shut down. An association whose own context is cancelled was interrupted in the middle of
    something, and is aborted.
    """
    return kind is None or issubclass(kind, _REQUESTS)


class Server:
    """The associations that peers set up with an endpoint. Made by ``start_server`` and ``Endpoint.listen``.

    As an asynchronous context manager it stops listening in the end and closes its associations, also when it is
    cancelled, as by Ctrl-C; if an error leaves the context it aborts them. Without a handler it is an asynchronous
    iterator over associations.
    """

    def __init__(self, endpoint: Endpoint, handler: Handler | None, backlog: int) -> None:
        self._endpoint = endpoint
        self._handler = handler
        self._backlog = backlog
        self._associations: set[Association] = set()
        self._waiting: deque[Association] = deque()
        self._acceptors = Line()
        self._watchers = Line()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._guard = Guard()
        self._serving = True
        self.closes_endpoint = False
        """Whether closing the server closes the endpoint, too, once its last association is over."""

    def __repr__(self) -> str:
        return f"<sctpx.Server {'serving' if self._serving else 'closed'} {self._endpoint!r}>"

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that listens."""
        return self._endpoint

    @property
    def port(self) -> int:
        """The SCTP port."""
        return self._endpoint.port

    @property
    def udp_port(self) -> int:
        """The UDP port (RFC 6951); 0 without encapsulation."""
        return self._endpoint.udp_port

    @property
    def local_addresses(self) -> list[str]:
        """The IP addresses it listens on."""
        return self._endpoint.local_addresses

    @property
    def associations(self) -> list[Association]:
        """Those that came up here and are not over, those that wait for ``accept`` included."""
        return list(self._associations)

    @property
    def waiting(self) -> int:
        """How many associations wait for ``accept``."""
        return len(self._waiting)

    @property
    def workers(self) -> list[int]:
        """The process ids of its workers; none if it has none, and serves in this process."""
        return []

    async def collect_stats(self) -> StackStats:
        """The counters of the UDP port; with several workers, of all of them together."""
        return self._endpoint.stats

    def is_serving(self) -> bool:
        """Whether it takes further associations."""
        return self._serving

    # --- taking associations ---

    async def accept(self) -> Association:
        """The next association, when there is no handler. A cancelled call takes none.

        ``OSError`` (EBADF) once the server is closed.
        """
        while True:
            if self._serving and (self._acceptors or not self._waiting):
                await self._acceptors.wait()
            association: Association | None = None
            try:
                with self._guard, self._guard.lock:
                    if self._waiting:
                        association = self._waiting.popleft()
                        self._taken(association)
                    self._next_acceptor()
                    if not self._serving:
                        raise OSError(errno.EBADF, "the server is closed")
                if association is not None:
                    return association
            except BaseException:
                if association is not None and self._serving:
                    self._waiting.appendleft(association)
                self._next_acceptor()
                raise

    def _next_acceptor(self) -> None:
        if self._waiting or not self._serving:
            self._acceptors.wake()

    def _taken(self, association: Association) -> Association:
        self._endpoint.on_taken(association)
        return association

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Association:
        """The next association; the iteration ends when the server is closed."""
        try:
            return await self.accept()
        except OSError:
            raise StopAsyncIteration from None

    def on_incoming(self, association: Association) -> None:
        """The endpoint: a peer has set up an association."""
        self._associations.add(association)
        if self._handler is None:
            self._waiting.append(association)
            self._acceptors.wake()
        else:
            self._taken(association)
            self._loop.call_soon(self._handle, self._handler, association)

    def on_association_ended(self, association: Association) -> None:
        """An association: it is over. One that nobody took is kept only for what can be read from it."""
        self._associations.discard(association)
        if association in self._waiting and (not association.readable or len(self._waiting) > self._backlog):
            self._waiting.remove(association)
        if not self._associations and not self._serving:
            self._watchers.wake_all()

    def _handle(self, handler: Handler, association: Association) -> None:
        try:
            result = handler(association)
        except Exception as error:
            self._on_failure(association, error)
            return
        except BaseException:
            association.abort()
            raise
        if result is not None and inspect.isawaitable(result):
            task = self._loop.create_task(self._run(association, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, association: Association, work: Awaitable[Any]) -> None:
        try:
            await work
        except (AssociationClosed, AssociationAborted, AssociationLost, BrokenPipeError) as error:
            # That its own association ends is no failure of a handler; that another one does may be.
            if association.state == _ESTABLISHED:
                self._on_failure(association, error)
        except Exception as error:
            self._on_failure(association, error)
        except BaseException:
            association.abort()
            raise
        await association.close()

    def _on_failure(self, association: Association, error: Exception) -> None:
        association.abort()
        text = f"the handler of {association!r} failed"
        self._loop.call_exception_handler({"message": text, "exception": error, "association": association})

    # --- the end ---

    def close(self) -> None:
        """Stop listening. Associations that are up stay up; those that nobody took are aborted."""
        if not self._serving:
            return
        self._serving = False
        self._endpoint.refuse()
        self._endpoint.stop_listening()
        for association in list(self._waiting):
            association.abort()
        self._waiting.clear()
        self._acceptors.wake()
        self._watchers.wake_all()
        if self.closes_endpoint:
            self._endpoint.close_when_idle()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and its associations are over."""
        while self._serving or self._associations:
            await self._watchers.wait()

    async def serve_forever(self) -> None:
        """Serve until this is cancelled, then stop listening. Associations that are up stay up.

        To end these as well, call this in the context of the server, ``async with server:``. Ctrl-C under
        ``asyncio.run`` cancels the main task; the context then closes the associations, each within its
        ``close_timeout``, while their handlers go on. A second Ctrl-C does not wait for that. SIGTERM does none of this
        by itself: a service has it cancel the main task, with ``loop.add_signal_handler``.
        """
        try:
            await self.wait_closed()
        finally:
            self.close()

    async def close_associations(self) -> None:
        """Shut all associations down, each within its ``close_timeout``, then abort."""
        await asyncio.gather(*[association.close() for association in self.associations])

    def abort_associations(self) -> None:
        """Abort all associations."""
        for association in self.associations:
            association.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        try:
            if is_request(kind):
                await self.close_associations()
        finally:
            self.abort_associations()
