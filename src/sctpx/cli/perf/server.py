"""The server's side of a measurement: a sink for bulk data, an echo for ping-pong, a doorman for set-ups.

What a run is the client says in its ``hello``. A peer that says nothing gets what ``--mode`` says, a sink unless told
otherwise; so any SCTP implementation can be measured against this server. The clock of a run goes from its first
message (behind the warm-up) to the end of its association.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias, final

from ...aio import Association
from ...core.config import AssociationConfig
from ...core.rx.streams import MORE
from ...errors import AssociationAborted, AssociationLost
from ...sockapi.receive import Message
from ..whole import WholeMessages
from . import hello
from .measure import Result, Span

Show: TypeAlias = Callable[[Result | OSError], object]
"""Shows what a run came to, or why it came to nothing."""


@final
class PerfServer:
    """Handles associations, one run each; those of a set-up run belong together."""

    def __init__(self, mode: str, config: AssociationConfig) -> None:
        """``config`` is that of the associations, ``mode`` is for peers that do not say what they want."""
        self._mode = mode
        self._config = config
        self._setups: Result | None = None
        self.results: asyncio.Queue[Result | OSError] = asyncio.Queue()
        """What each run came to, or how it ended before it came to anything."""

    async def handle(self, association: Association) -> None:
        """One association, to its end."""
        setups = self._setups
        try:
            first = await association.recv_many(1)
        except (AssociationAborted, AssociationLost):
            first = []
        if not first:
            if setups is not None and setups.setups is not None:
                setups.setups += 1
            return
        said = hello.decode(first[0])
        result = Result.of("server", said.get("mode", self._mode), self._config)
        result.size = said.get("size")
        try:
            await self._run(association, result, said, first)
        except OSError as error:
            self.results.put_nowait(error)
        else:
            self.results.put_nowait(result)

    async def _run(self, association: Association, result: Result, said: dict[str, Any], first: list[Message]) -> None:
        if result.mode == "setup":
            await self._count_setups(association, result)
            return
        if said:
            first = await association.recv_many()
        if said.get("warmup"):
            first = await _warm_up(association, first, echo=result.mode == "pingpong")
        span = Span(result, association.stats)
        if result.mode == "pingpong":
            await _echo(association, result, first)
        else:
            await _sink(association, result, first)
        span.finish()
        await association.wait_closed()

    async def _count_setups(self, association: Association, result: Result) -> None:
        result.size, result.setups = None, 0
        span = Span(result, association.endpoint.stats)
        self._setups = result
        try:
            await association.recv_many()
        finally:
            self._setups = None
            span.finish()


@final
class PerfWorker:
    """The handler of a server with several workers: each has its own runs, and shows them itself."""

    def __init__(self, mode: str, config: AssociationConfig, show: Show) -> None:
        """``show`` is called with what each run came to. All of this can be sent to another process."""
        self._given = mode, config, show
        self._server = PerfServer(mode, config)
        self._show = show

    def __reduce__(self) -> tuple[type[PerfWorker], tuple[str, AssociationConfig, Show]]:
        return PerfWorker, self._given

    async def __call__(self, association: Association) -> None:
        """One association, to its end."""
        await self._server.handle(association)
        while not self._server.results.empty():
            self._show(self._server.results.get_nowait())


async def _warm_up(association: Association, batch: list[Message], *, echo: bool) -> list[Message]:
    """Take messages up to the one that begins the run; give those behind it, at least one unless it is over."""
    whole = WholeMessages()
    while batch:
        for index, message in enumerate(batch):
            if hello.decode(message):
                return batch[index + 1 :] or await association.recv_many()
        if echo:
            await association.send_many(whole.join(batch))
        batch = await association.recv_many()
    return batch


async def _sink(association: Association, result: Result, batch: list[Message]) -> None:
    """Count what comes. One of the loops that benchmarks measure: little is done for each message."""
    total = count = parts = 0
    recv_many = association.recv_many
    while batch:
        total += sum([len(message[0]) for message in batch])
        count += len(batch)
        parts += len([message for message in batch if message[5] & MORE])
        batch = await recv_many()
    result.bytes, result.messages = total, count - parts


async def _echo(association: Association, result: Result, batch: list[Message]) -> None:
    """Send back what comes, and count it."""
    total = count = 0
    whole = WholeMessages()
    while batch:
        messages = whole.join(batch)
        await association.send_many(messages)
        total += sum([len(message[0]) for message in messages])
        count += len(messages)
        batch = await association.recv_many()
    result.bytes, result.messages = total, count
