"""A server whose associations live in several processes: what the program has of it, a ``Server`` like any other.

The program keeps the sockets and the mailboxes that it gives to the workers. So the kernel's numbers of the sockets
stay what they are, whatever becomes of a worker. If one dies, a new process takes its place, with the same sockets. Its
associations are lost: their peers are told by an ABORT as soon as they send something (RFC 9260 section 8.4).

Processes are *spawned*: each begins a Python of its own and imports what it needs, so that nothing of an event loop
that runs is copied. What is handed to them, the handler foremost, is importable, or can be pickled.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Final, NoReturn, final

from ...core.stats import StackStats
from ...core.worker import MOST
from ...link.steering import open_sockets
from ...sockapi.addresses import ip_text
from ..association import Association
from ..endpoint import Endpoint
from ..resolve import LocalHosts, resolve_local
from ..server import Handler, Server, is_request
from ..waiting import Line
from .mail import mailboxes
from .process import ABORT, CLOSE, FAILED, FINISH, READY, STATS, Start, Task, main

RESTART_DELAY: Final = 1.0
"""Seconds until a worker is started anew that did not live longer than this."""
_SEED_LENGTH: Final = 32
_log: Final = logging.getLogger("sctpx")


@final
class _Process:
    """A worker's process."""

    def __init__(self, process: SpawnProcess, control: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.process = process
        self.control = control
        self.began = loop.time()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.asked: list[asyncio.Future[dict[str, int]]] = []

    def order(self, what: str) -> bool:
        """Tell it. Whether it is there."""
        try:
            self.control.send(what)
        except OSError:
            return False
        return True


@final
class WorkerServer(Server):
    """A server with several workers. Made by ``start_server(..., workers=N)``.

    Leaving its context ends all workers as leaving that of a server ends its associations.
    """

    def __init__(
        self,
        addresses: Sequence[bytes],
        udp_port: int,
        port: int,
        workers: int,
        start: Start,
        handler: Handler,
        options: dict[str, Any],
    ) -> None:
        """Open the sockets. ``OSError`` as ``open_sockets`` says."""
        self._loop = asyncio.get_running_loop()
        self._udp_port, self._sockets = open_sockets(addresses, udp_port, workers)
        self._port = port or self._udp_port
        self._addresses = [ip_text(address) for address in addresses]
        self._inboxes, self._outboxes = mailboxes(workers)
        self._seed = os.urandom(_SEED_LENGTH)
        self._start, self._work, self._options = start, handler, options
        self._processes: dict[int, _Process] = {}
        self._restarts: dict[int, asyncio.TimerHandle] = {}
        self._watchers = Line()
        self._serving = True

    def __repr__(self) -> str:
        where = f"port {self.port} on {', '.join(self.local_addresses)} UDP port {self.udp_port}"
        state = "serving" if self._serving else "closed"
        return f"<sctpx.Server {state} {where} in {len(self._sockets)} workers>"

    # --- its processes ---

    async def begin(self) -> None:
        """Start all workers, and wait until they are ready. If one fails to, all are ended, and that is raised."""
        started: list[asyncio.Future[None]] = []
        try:
            for index in range(len(self._sockets)):
                self._spawn(index)
                started.append(self._processes[index].ready)
            await asyncio.wait(started, return_when=asyncio.FIRST_EXCEPTION)
            for ready in started:
                if ready.done():
                    ready.result()
        except BaseException:
            for ready in started:
                ready.add_done_callback(_forget)
            self.abort_associations()
            await self.wait_closed()
            raise

    def _spawn(self, index: int) -> None:
        """Start a worker. Raises what ``pickle`` raises if it cannot be told what to do."""
        context = multiprocessing.get_context("spawn")
        control, theirs = context.Pipe()
        task = Task(
            index=index,
            count=len(self._sockets),
            seed=self._seed,
            sockets=self._sockets[index],
            inbox=self._inboxes[index],
            outboxes=self._outboxes,
            control=theirs,
            loop=type(self._loop),
            start=self._start,
            handler=self._work,
            port=self._port,
            options=self._options,
        )
        process = context.Process(target=main, args=(task,), name=f"sctpx worker {index}", daemon=True)
        try:
            process.start()
        except BaseException:
            control.close()
            raise
        finally:
            theirs.close()
        one = self._processes[index] = _Process(process, control, self._loop)
        self._loop.add_reader(control.fileno(), self._on_told, one)
        self._loop.add_reader(process.sentinel, self._on_end, index, one)

    def _on_told(self, one: _Process) -> bool:
        """A worker says something, or has closed its end. Whether it may say more."""
        try:
            what, value = one.control.recv()
        except (EOFError, OSError):
            self._loop.remove_reader(one.control.fileno())
            return False
        if what == READY and not one.ready.done():
            one.ready.set_result(None)
        elif what == FAILED and not one.ready.done():
            one.ready.set_exception(value)
        elif what == STATS and one.asked:
            asked = one.asked.pop(0)
            if not asked.done():
                asked.set_result(value)
        return True

    def _on_end(self, index: int, one: _Process) -> None:
        """A worker has ended."""
        self._loop.remove_reader(one.process.sentinel)
        while self._on_told(one):  # Its last words.
            pass
        self._loop.remove_reader(one.control.fileno())
        one.control.close()
        one.process.join()
        code, number = one.process.exitcode, one.process.pid
        one.process.close()
        del self._processes[index]
        for asked in one.asked:
            if not asked.done():
                asked.set_result({})
        if not one.ready.done():
            text = f"a worker ended before it was ready, with {code}: what it wrote to standard error says why"
            one.ready.set_exception(RuntimeError(text))
        elif self._serving and one.ready.exception() is None:
            _log.warning(
                "worker %d (process %d) ended with %s: its associations are lost, and a new one takes its place",
                *(index, number, code),
            )
            self._restart(index, 0.0 if self._loop.time() - one.began > RESTART_DELAY else RESTART_DELAY)
        self._settle()

    def _restart(self, index: int, delay: float) -> None:
        self._restarts[index] = self._loop.call_later(delay, self._start_anew, index)

    def _start_anew(self, index: int) -> None:
        del self._restarts[index]
        try:
            self._spawn(index)
        except Exception:
            _log.exception("worker %d cannot be started", index)
            self._restart(index, RESTART_DELAY)
            return
        self._processes[index].ready.add_done_callback(lambda ready: self._on_ready_again(index, ready))

    def _on_ready_again(self, index: int, ready: asyncio.Future[None]) -> None:
        if ready.exception() is not None and self._serving:
            _log.error("worker %d failed to start: %s", index, ready.exception())
            self._restart(index, RESTART_DELAY)

    def _settle(self) -> None:
        """Give the ports up with the last worker."""
        if not self._serving and not self._processes:
            for sock in [sock for sockets in self._sockets for sock in sockets]:
                sock.close()
            for box in [*self._inboxes, *self._outboxes]:
                box.close()
            self._watchers.wake_all()

    # --- what it is ---

    @property
    def port(self) -> int:
        """The SCTP port."""
        return self._port

    @property
    def udp_port(self) -> int:
        """The UDP port (RFC 6951)."""
        return self._udp_port

    @property
    def local_addresses(self) -> list[str]:
        """The IP addresses it listens on."""
        return list(self._addresses)

    @property
    def workers(self) -> list[int]:
        """The process ids of its workers; for a moment there is one less when one has died."""
        return [one.process.pid or 0 for one in self._processes.values()]

    async def collect_stats(self) -> StackStats:
        """The counters of all workers together; those of one that has died are gone."""
        asked = []
        for one in self._processes.values():
            if one.ready.done() and one.order(STATS):
                one.asked.append(self._loop.create_future())
                asked.append(one.asked[-1])
        total = StackStats()
        for found in await asyncio.gather(*asked):
            for name, value in found.items():
                setattr(total, name, getattr(total, name) + value)
        return total

    @property
    def endpoint(self) -> Endpoint:
        """``OSError`` (EOPNOTSUPP): each worker has its own."""
        self._refuse("each worker has an endpoint of its own")

    @property
    def associations(self) -> list[Association]:
        """``OSError`` (EOPNOTSUPP): they live in the workers."""
        self._refuse("the associations live in the workers")

    @property
    def waiting(self) -> int:
        """None: each worker has its handler."""
        return 0

    async def accept(self) -> Association:
        """``OSError`` (EOPNOTSUPP): the handler takes associations, in the workers."""
        self._refuse("the associations live in the workers, and the handler takes them there")

    def _refuse(self, why: str) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, why)

    # --- the end ---

    def close(self) -> None:
        """Stop listening. Associations that are up stay up."""
        self._end(CLOSE)

    def abort_associations(self) -> None:
        """Stop listening, and abort all associations."""
        self._end(ABORT)

    async def close_associations(self) -> None:
        """Stop listening, and shut all associations down, each within its ``close_timeout``; then they are aborted."""
        self._end(FINISH)
        await self.wait_closed()

    def _end(self, order: str) -> None:
        self._serving = False
        for restart in self._restarts.values():
            restart.cancel()
        self._restarts.clear()
        for one in self._processes.values():
            one.order(order)
        self._settle()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and all workers have ended."""
        while self._serving or self._processes:
            await self._watchers.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if is_request(kind):
                await self.close_associations()
        finally:
            self.abort_associations()


def _forget(ready: asyncio.Future[None]) -> None:
    """Nobody asks any more how that went."""
    if not ready.cancelled():
        ready.exception()


async def start_workers(
    start: Start,
    handler: Handler | None,
    local: LocalHosts,
    port: int,
    udp_port: int,
    workers: int,
    options: dict[str, Any],
) -> Server:
    """A server with so many workers, each of which calls ``start`` with the handler, the SCTP port and the options.

    ``ValueError``: no handler, or a number of workers that cannot be.
    """
    if not 1 <= workers <= MOST:
        raise ValueError(f"workers is {workers}: not between 1 and {MOST}")
    if handler is None:
        raise ValueError("with workers= there is a handler, which they call: associations stay in their process")
    addresses, _, _ = await resolve_local(local)
    server = WorkerServer(addresses, udp_port, port, workers, start, handler, options)
    await server.begin()
    return server
