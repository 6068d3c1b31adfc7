"""One of the processes of a server: what it is started with, and what it does until it is told to end.

It hears from the program by a pipe: "close" takes no further associations, "finish" shuts those down that there are,
"abort" aborts them, "stats" asks for the counters. A pipe that is closed says that the program is gone, and means
"finish". The process ends with its last association once it was closed. Ctrl-C on a terminal reaches all processes at
once: this one leaves it to the program, which then says what is to be done.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final, final

from ...core.worker import Worker
from ...link import UdpLink
from ..driver import Driver
from ..server import Handler, Server
from ..sharing import link_driver
from .mail import Mail, Passed

READY: Final = "ready"
FAILED: Final = "failed"
STATS: Final = "stats"
CLOSE: Final = "close"
FINISH: Final = "finish"
ABORT: Final = "abort"

Start = Callable[..., Any]
"""``start_server``, which the program hands in: this file is below it."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a worker is started with. All of it can be sent to another process."""

    index: int
    count: int
    seed: bytes = field(repr=False)
    sockets: Sequence[socket.socket]
    """On the UDP port, one for each address."""
    inbox: socket.socket
    outboxes: Sequence[socket.socket]
    control: Connection
    loop: Callable[[], asyncio.AbstractEventLoop]
    start: Start
    handler: Handler
    port: int
    """The SCTP port."""
    options: dict[str, Any]
    """Of ``start_server``."""


def main(task: Task) -> None:
    """The whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with asyncio.Runner(loop_factory=task.loop) as runner:
            runner.run(_work(task))
    except BaseException as error:
        _tell(task.control, FAILED, error)
        raise
    finally:
        task.control.close()
        for box in (task.inbox, *task.outboxes):
            box.close()


async def _work(task: Task) -> None:
    loop = asyncio.get_running_loop()
    mail = Mail(task.inbox, task.outboxes)
    link = UdpLink.over(task.sockets)
    worker = Worker(task.index, task.count, mail.pass_on, task.seed)
    driver = link_driver(link, worker)
    worker.stats = driver.stack.stats
    server: Server = await task.start(task.handler, port=task.port, link=link, **task.options)

    def take_mail() -> None:
        for passed in mail.receive():
            if not driver.closed:
                _receive(driver, worker, passed)

    orders = _Orders(task.control, server)
    loop.add_reader(mail.inbox.fileno(), take_mail)
    loop.add_reader(task.control.fileno(), orders.take)
    try:
        _tell(task.control, READY, None)
        await server.wait_closed()
    finally:
        loop.remove_reader(task.control.fileno())
        loop.remove_reader(mail.inbox.fileno())


def _receive(driver: Driver, worker: Worker, passed: Passed) -> None:
    """A packet, or an ICMP error, that another worker has handed on."""
    seen, local, remote, port, packet, error, mtu = passed
    with driver.guard, driver.guard.lock:
        worker.seen = seen
        try:
            if error:
                driver.receive((), [(remote, port, error, packet, mtu)])
            else:
                driver.receive([(local, remote, port, packet, len(packet), 0)])
                worker.stats.packets_received -= 1  # The other one has counted it.
        finally:
            worker.seen = 0


@final
class _Orders:
    """What the program says."""

    def __init__(self, control: Connection, server: Server) -> None:
        self._control = control
        self._server = server
        self._stats = server.endpoint.stats
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self) -> None:
        """There is an order, or the program is gone."""
        try:
            order = self._control.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            order = FINISH
        if order == STATS:
            _tell(self._control, STATS, counters(self._stats))
            return
        self._server.close()
        if order == ABORT:
            self._server.abort_associations()
        elif order == FINISH:
            task = asyncio.get_running_loop().create_task(self._server.close_associations())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def counters(stats: object) -> dict[str, int]:
    """Counters as they travel."""
    return {name: getattr(stats, name) for name in dir(stats) if not name.startswith("_")}


def _tell(control: Connection, what: str, value: object) -> None:
    """Tell the program, if it is there."""
    try:
        control.send((what, value))
    except OSError:
        pass
    except Exception:  # An exception that cannot be sent.
        control.send((what, RuntimeError(repr(value))))
