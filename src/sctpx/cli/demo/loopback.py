"""The story on real UDP sockets of the loopback interface: no root, nothing but the operating system underneath.

The server has 127.0.0.2, .3 and .4 and runs in a process of its own; the client has three addresses as well, one for
each path. 127.0.0.5 is silent: a UDP socket that nobody reads. 127.0.0.6 refuses: an SCTP stack without a listener. The
primary path is cut in the client's link (``FilteredLink``), both ways.

The time is limited, not the patience of a slow machine asked for: unless the size was given, so much is sent as can be
in ``_BUDGET`` seconds.
"""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, final

from ...aio import Association, connect
from ...link import open_link
from ...link.filter import FilteredLink
from ...sockapi.addresses import Address
from ...sockapi.events import CommunicationLost, Event, PathStateChanged, SenderDry
from ..interrupt import in_good_order
from ..interrupt import run as run_loop
from ..output import byte_text
from . import receiver
from .content import Content
from .plot import Plot
from .story import SCTP_PORT, Outcome, Teller

DEFAULT_SIZE: Final = 300_000_000

_SERVER: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
_SILENT: Final = "127.0.0.5"
_REFUSING: Final = "127.0.0.6"
_CLIENT: Final = ("127.0.0.12", "127.0.0.13", "127.0.0.14")
_LISTED: Final = (_SILENT, _REFUSING, *_SERVER[:2])

_LOOK: Final = 0.05
"""Seconds between two looks at the progress."""
_TRIAL: Final = 1.0
"""Seconds of sending after which it is known how fast this machine is."""
_LEAST: Final = 10_000_000
"""Bytes that are sent on the slowest machine."""
_BUDGET: Final = 12.0
"""Seconds that sending may take, less the time the failover takes."""
_LAST_CALL: Final = 18.0
"""Seconds of sending after which nothing more is sent, however much that is."""


def is_possible() -> bool:
    """Whether this system has more loopback addresses than 127.0.0.1. Linux and Windows do, macOS does not."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trying:
            trying.bind((_SERVER[0], 0))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        return False
    return True


def run(teller: Teller, size: int | None) -> Outcome:
    """Tell the story, sending ``size`` bytes, or as many as there is time for. ``OSError`` if it cannot be told."""
    teller.connecting(_LISTED)
    with _receiver() as pipe, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((_SILENT, 0))
        return run_loop(_Story(teller, size).run(pipe, silent.getsockname()[1]))


@contextmanager
def _receiver() -> Iterator[Connection[Any, Any]]:
    """The server's process, and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=receiver.main, args=(its, _SERVER, _REFUSING), daemon=True)
    process.start()
    its.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()
        ours.close()


async def _from(pipe: Connection[Any, Any]) -> Any:
    """What the server says next. ``OSError`` if it could not do its work."""
    try:
        said = await asyncio.to_thread(pipe.recv)
    except EOFError:
        raise OSError(errno.EPIPE, "the process of the server has died") from None
    if isinstance(said, OSError):
        raise said
    return said


@final
class _Story:
    """The client, and what is known so far."""

    def __init__(self, teller: Teller, size: int | None) -> None:
        self._teller = teller
        self._flexible = size is None
        self._content = Content(size or DEFAULT_SIZE)
        self._outcome = Outcome("loopback")
        self._link = FilteredLink(open_link("udp", _CLIENT))
        self._plot = Plot(teller, self._outcome, self._link.cut)
        self._started = 0.0
        self._idle = asyncio.Event()

    def _now(self) -> float:
        return time.monotonic() - self._started

    async def run(self, pipe: Connection[Any, Any], silent_port: int) -> Outcome:
        """From the first INIT to the last word."""
        outcome = self._outcome
        its: receiver.Ports = await _from(pipe)
        ports = (silent_port, its.refusing, its.serving, its.serving)
        sources = (_CLIENT[0], _CLIENT[0], _CLIENT[0], _CLIENT[1])
        hosts = [Address(*each) for each in zip(_LISTED, ports, sources, strict=True)]
        self._started = time.monotonic()
        connecting = connect(hosts, SCTP_PORT, link=self._link, on_event=self._on_event)
        async with in_good_order(connecting) as association:
            outcome.up_at = self._now()
            outcome.report, outcome.primary = association.report, association.primary
            self._teller.connected(outcome)

            self._plot.begin(self._now(), self._content.size)
            watching = asyncio.create_task(self._watch(association))
            try:
                await self._send(association)
            finally:
                watching.cancel()
            self._plot.end(self._now(), self._content.bytes, association.paths)
            outcome.chunks_retransmitted = association.stats.chunks_retransmitted

            await association.shutdown()
        receipt: receiver.Receipt = await _from(pipe)
        outcome.graceful = True
        outcome.sent, outcome.received = self._content.total(), receipt.total
        outcome.longest_gap = receipt.longest_gap
        return outcome

    async def _send(self, association: Association) -> None:
        """Everything, until it is acknowledged."""
        content = self._content
        while message := content.take():
            await association.send(message)
            if self._outcome.cut_at is None and content.bytes * 2 >= content.size:
                self._look(association)
        while association.send_space < association.config.send_buffer and not association.ended:
            self._idle.clear()
            await self._idle.wait()

    async def _watch(self, association: Association) -> None:
        """Look at the progress now and then, and see that it does not take too long."""
        started = self._now()
        judged = not self._flexible
        while True:
            await asyncio.sleep(_LOOK)
            elapsed = self._now() - started
            if not judged and elapsed >= _TRIAL:
                judged = True
                self._fit(elapsed)
            if self._flexible and elapsed >= _LAST_CALL:
                self._content.size = self._content.bytes
            self._look(association)

    def _fit(self, elapsed: float) -> None:
        """Send less if this machine is too slow for all of it."""
        content = self._content
        affordable = max(round(content.bytes / elapsed * _BUDGET, -7), _LEAST)
        if affordable < content.size:
            content.size = int(affordable)
            self._teller.note(f"{byte_text(content.size)} will do: this machine is not the fastest")

    def _look(self, association: Association) -> None:
        self._plot.on_look(self._now(), self._content.bytes, self._content.size, association.paths)

    def _on_event(self, association: Association, event: Event) -> None:
        if isinstance(event, PathStateChanged):
            self._plot.on_path_state(self._now(), event.address, event.state, association.paths)
        elif isinstance(event, SenderDry | CommunicationLost):
            self._idle.set()
