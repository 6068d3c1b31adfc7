"""The client's side of a measurement.

* bulk: messages as fast as they go, for so many seconds, then SHUTDOWN; the clock stops when everything is
  acknowledged and the association is over.
* pingpong: one message to and fro, again and again; each round trip is timed.
* setup: one association after the other, set up and aborted; each set-up is timed. A further association tells the
  server about it and lasts as long as the run.

Each second is told as it passes, to those who want to hear of it. Ctrl-C ends a run early, and so do SIGTERM and
SIGHUP; what was measured counts.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns
from typing import Any, Final, TypeAlias, final

import click

from ...aio import Association, Connecting, connect
from ...aio.resolve import resolve_peer
from ...core.config import AssociationConfig
from ...core.path.path import IPV4_HEADER, IPV6_HEADER, UDP_HEADER
from ...link import SCTP_TUNNELING_PORT, Link, open_link
from ...link.interfaces import source_for
from ...sockapi.addresses import ip_text
from ...sockapi.backend import KERNEL
from ...sockapi.send import Outgoing
from ..interrupt import in_good_order, on_interrupt
from ..parameters import way
from . import hello
from .measure import Result, Span, median_us, percentile_us

Tell: TypeAlias = Callable[[float, float, float], object]
"""Called as the run goes on: from this second to that one, so many messages, round trips or set-ups a second."""

_SECOND: Final = 1.0
"""How often it is called."""
_CALL_BYTES: Final = 256 * 1024
"""User data handed to ``send_many`` at once."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to measure, and how."""

    addresses: list[str]
    port: int
    peer_udp_port: int | None
    mode: str
    size: int
    seconds: float
    count: int | None
    """Round trips or associations after which it is over, instead of ``seconds``."""
    warmup: float
    """Seconds that do not count."""
    local: list[str] | None
    udp_port: int
    offload: bool
    link: str
    """What ``--link`` says."""
    config: AssociationConfig

    @property
    def limits(self) -> tuple[float, int]:
        """Seconds, and round trips or associations, after which it is over."""
        return (self.seconds, sys.maxsize) if self.count is None else (float("inf"), self.count)


async def measure(plan: Plan, tell: Tell | None = None) -> Result:
    """Do it. ``OSError`` as ``connect`` and the association's methods say."""
    client = _Client(plan, way(plan.link) if plan.offload else {"link": await _plain_link(plan)}, tell)
    return await {"bulk": client.bulk, "pingpong": client.pingpong, "setup": client.setup}[plan.mode]()


async def _plain_link(plan: Plan) -> Link[Any]:
    """A link without offload."""
    local = plan.local
    if local is None:
        peer = await resolve_peer(plan.addresses, plan.port, plan.peer_udp_port or 0)
        local = list(map(ip_text, peer.find_sources(source_for)))
    return plain_link(plan.link, local, plan.udp_port)


def plain_link(kind: str, local: list[str], udp_port: int | None) -> Link[Any]:
    """A link without the offload of UDP: over UDP, unless ``kind`` is ``raw``."""
    if kind == KERNEL:
        raise click.UsageError("--no-offload is for SCTP over UDP, and not for --link kernel")
    return open_link(
        "raw" if kind == "raw" else "udp", local, SCTP_TUNNELING_PORT if udp_port is None else udp_port, offload=False
    )


@final
class _Client:
    """One measurement."""

    def __init__(self, plan: Plan, way: dict[str, Any], tell: Tell | None) -> None:
        """``way`` are the arguments of ``connect`` that say how packets travel."""
        self._plan = plan
        self._way = way
        self._tell = tell
        self._count = 0
        """Messages, round trips or set-ups so far."""
        self._deadline = 0.0
        self._stopped = False
        self._payload = os.urandom(plan.size)
        self._result = Result.of("client", plan.mode, plan.config)

    def _connect(self) -> Connecting:
        plan = self._plan
        return connect(
            plan.addresses,
            plan.port,
            peer_udp_port=plan.peer_udp_port,
            local=plan.local,
            udp_port=plan.udp_port,
            config=plan.config,
            **self._way,
        )

    async def _greet(self, association: Association) -> None:
        words = hello.hello(self._plan.mode, self._plan.size, self._plan.warmup > 0)
        await association.send(words, ppid=hello.PPID)

    def _stop(self) -> None:
        self._stopped = True
        self._deadline = 0.0

    def _begin(self, seconds: float) -> None:
        """The loops run until ``_deadline``: for so long, unless they are stopped."""
        self._count = 0
        self._deadline = 0.0 if self._stopped else perf_counter() + seconds

    @contextmanager
    def _watched(self, tell: Tell | None) -> Iterator[None]:
        """The span that is measured: each second of it is told, the last one too if most of it was there."""
        if tell is None:
            yield
            return
        start = perf_counter()
        count, told = 0, 0.0

        def tell_on() -> None:
            nonlocal count, told
            now = perf_counter() - start
            tell(told, now, (self._count - count) / (now - told))
            count, told = self._count, now

        async def each_second() -> None:
            while True:
                await asyncio.sleep(told + _SECOND - (perf_counter() - start))
                tell_on()

        telling = asyncio.create_task(each_second())
        try:
            yield
        finally:
            telling.cancel()
        if perf_counter() - start - told > _SECOND / 2:
            tell_on()

    # --- bulk ---

    def _tell_mtu(self, association: Association) -> None:
        """Note the largest IP packets that were sent; say so if they are smaller than was asked for."""
        sizes = [
            path.mtu + (UDP_HEADER if path.udp_port else 0) + (IPV6_HEADER if ":" in path.remote else IPV4_HEADER)
            for path in association.paths
        ]
        if not sizes:
            return
        self._result.mtu = min(sizes)
        asked = self._plan.config.mtu
        # An SCTP packet is a multiple of four bytes.
        if asked is not None and min(sizes) + 3 < asked:
            click.echo(f"sctpx: IP packets have at most {min(sizes)} bytes, the MTU of the path", err=True)

    async def bulk(self) -> Result:
        """Messages as fast as they go."""
        plan, result = self._plan, self._result
        async with in_good_order(self._connect()) as association:
            await self._greet(association)
            messages = self._messages(association)
            with on_interrupt(self._stop):
                if plan.warmup:
                    await self._send(association, messages, plan.warmup)
                    await association.send(hello.start(), ppid=hello.PPID)
                span = Span(result, association.stats)
                with self._watched(self._tell):
                    await self._send(association, messages, plan.seconds)
            result.size, result.messages, result.bytes = plan.size, self._count, self._count * plan.size
            self._tell_mtu(association)
            await association.shutdown()
            span.finish()
        return result

    def _messages(self, association: Association) -> list[Outgoing]:
        """What is sent in one call: on all streams in turn."""
        count = max(_CALL_BYTES // self._plan.size, 1)
        streams = association.outbound_streams
        if streams == 1:
            return [self._payload] * count
        return [(self._payload, number % streams) for number in range(max(count, streams))]

    async def _send(self, association: Association, messages: list[Outgoing], seconds: float) -> None:
        """The messages again and again. One of the loops that benchmarks measure."""
        self._begin(seconds)
        send_many = association.send_many
        while perf_counter() < self._deadline:
            self._count += await send_many(messages)

    # --- ping-pong ---

    async def pingpong(self) -> Result:
        """One message to and fro."""
        plan, result = self._plan, self._result
        async with in_good_order(self._connect()) as association:
            await self._greet(association)
            with on_interrupt(self._stop):
                if plan.warmup:
                    await self._bounce(association, plan.warmup, sys.maxsize)
                    await association.send(hello.start(), ppid=hello.PPID)
                span = Span(result, association.stats)
                with self._watched(self._tell):
                    times = await self._bounce(association, *plan.limits)
            result.size, result.messages, result.bytes = plan.size, len(times), len(times) * plan.size
            self._tell_mtu(association)
            span.finish()
        if times:
            result.rtt_us_median, result.rtt_us_p99 = median_us(times), percentile_us(times, 99)
        return result

    async def _bounce(self, association: Association, seconds: float, count: int) -> list[int]:
        """The round trips, ns."""
        payload, send, recv = self._payload, association.send, association.recv
        times: list[int] = []
        self._begin(seconds)
        while self._count < count and perf_counter() < self._deadline:
            begin = perf_counter_ns()
            await send(payload)
            while (await recv()).more:
                pass
            times.append(perf_counter_ns() - begin)
            self._count += 1
        return times

    # --- set-up ---

    async def setup(self) -> Result:
        """One association after the other."""
        plan, result = self._plan, self._result
        async with in_good_order(self._connect()) as companion:
            with on_interrupt(self._stop):
                await self._set_up(plan.warmup, sys.maxsize)
                await self._greet(companion)
                span = Span(result, companion.endpoint.stats)
                with self._watched(self._tell):
                    times = await self._set_up(*plan.limits)
            result.setups = len(times)
            span.finish()
        if times:
            result.setup_us_median = median_us(times)
        return result

    async def _set_up(self, seconds: float, count: int) -> list[int]:
        """How long each took, ns."""
        times: list[int] = []
        self._begin(seconds)
        while self._count < count and perf_counter() < self._deadline:
            begin = perf_counter_ns()
            association = await self._connect()
            times.append(perf_counter_ns() - begin)
            association.abort()
            self._count += 1
        return times
