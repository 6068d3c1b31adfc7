"""The driver of our own stack: the asyncio API as an application would use it.

Everything goes through public names. Nagle is off, as it always is in asyncio unless the configuration says otherwise.
With ``api=sockets`` the work is done by ``sctpx_sockets_bench``, with ``api=protocol`` a dialogue by transports and
protocols, with ``loop=uvloop`` all of it in the event loop of uvloop.
Two things need a link that the driver opens itself: offloading switched off, and packets larger than 1500 bytes.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sctpx
from sctpx.link import UdpLink

from . import BEGAN, sctpx_sockets_bench
from .driver import (
    FIRST_ASSOCIATIONS,
    SCTP_PORT,
    Arrivals,
    Bulk,
    Options,
    Span,
    loop_factory,
    parse,
    ready,
    resident,
    rounds,
    say,
)

ProtocolT = TypeVar("ProtocolT", bound=sctpx.SctpProtocol)

BYTES_AT_ONCE = 256 << 10
"""User data handed over in one call."""
ETHERNET_MTU = 1500


class Side:
    """How this side associates: the addresses, the ports, the configuration."""

    def __init__(self, options: Options) -> None:
        self._options = options
        config = sctpx.AssociationConfig(
            mtu=options.mtu,
            stretch_sack=bool(options.stretch),
            congestion=options.congestion,
            loss_recovery=options.recovery,
        )
        self._ours: dict[str, Any] = {"config": config, "close_timeout": 0.0}
        if options.link == "raw":
            self._ours |= {"local": options.local, "link": "raw"}
        elif options.offload and options.mtu == ETHERNET_MTU:
            self._ours |= {"local": options.local, "udp_port": options.ludp}
        else:
            self._ours["link"] = UdpLink.open(options.local, options.ludp, offload=bool(options.offload))

    async def serve(self, handler: Any = None) -> sctpx.Server:
        """Listen."""
        server = await sctpx.start_server(handler, port=SCTP_PORT, **self._ours)
        ready()
        return server

    async def serve_protocol(self, factory: Callable[[], sctpx.SctpProtocol]) -> sctpx.Server:
        """Listen, with a protocol for each association."""
        server = await sctpx.create_server(factory, port=SCTP_PORT, **self._ours)
        ready()
        return server

    async def connect_protocol(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        """Associate, with a protocol."""
        udp_port = self._options.rudp
        remote = self._options.remote
        _, protocol = await sctpx.create_connection(factory, remote, SCTP_PORT, peer_udp_port=udp_port, **self._ours)
        return protocol

    async def endpoint(self) -> sctpx.Endpoint:
        """An SCTP port; while it is open, so is the UDP port."""
        return await sctpx.open_endpoint(**self._ours)

    async def connect(self) -> sctpx.Association:
        """Associate from an SCTP port of its own."""
        return await sctpx.connect(self._options.remote, SCTP_PORT, peer_udp_port=self._options.rudp, **self._ours)


def size_of(batch: Iterable[sctpx.Message]) -> int:
    """Bytes of user data."""
    return sum([len(message.data) for message in batch])


async def send_forever(association: sctpx.Association, options: Options) -> None:
    """The sending side of a bulk transfer."""
    bulk = Bulk(options, lambda: association.stats.packets_sent)
    data = bytes(options.size)
    at_once = max(1, BYTES_AT_ONCE // options.size)
    for messages in itertools.count(at_once, at_once):
        await association.send_many(itertools.repeat(data, at_once))
        bulk.note(messages, messages * options.size)


async def bulk(side: Side, options: Options) -> None:
    """Bulk transfer."""
    if not options.is_server:
        await send_forever(await side.connect(), options)
    async with await side.serve() as server:
        association = await server.accept()
        messages = received = 0
        measured: Bulk | None = None
        while batch := await association.recv_many():
            if measured is None:
                measured = Bulk(options, lambda: association.stats.packets_received)
            messages += len(batch)
            received += size_of(batch)
            measured.note(messages, received)


class Echo(sctpx.SctpProtocol):
    """Sends back what comes."""

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        """The association is up."""
        self._transport = transport

    def message_received(self, message: sctpx.Message) -> None:
        """A message has come."""
        self._transport.send(message.data)


class Pinger(sctpx.SctpProtocol):
    """Sends the next message when one has come back."""

    def __init__(self, options: Options) -> None:
        self._data = bytes(options.size)
        self._rounds = rounds(options)
        self.done = asyncio.Event()

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        """The association is up."""
        self._transport = transport
        self._ping()

    def message_received(self, message: sctpx.Message) -> None:
        """A message has come back."""
        self._ping()

    def _ping(self) -> None:
        for _ in self._rounds:
            self._transport.send(self._data)
            return
        self.done.set()


async def pingpong_protocol(side: Side, options: Options) -> None:
    """Small messages to and fro, without coroutines."""
    if options.is_server:
        async with await side.serve_protocol(Echo) as server:
            await server.serve_forever()
    pinger = await side.connect_protocol(lambda: Pinger(options))
    await pinger.done.wait()
    await asyncio.sleep(options.limit)


async def pingpong(side: Side, options: Options) -> None:
    """Small messages to and fro."""
    if options.api == "protocol":
        await pingpong_protocol(side, options)
    if options.is_server:
        async with await side.serve() as server:
            association = await server.accept()
            async for message in association:
                await association.send(message.data)
        return
    association = await side.connect()
    data = bytes(options.size)
    for _ in rounds(options):
        await association.send(data)
        await association.recv()
    await asyncio.sleep(options.limit)


async def setup(side: Side, options: Options) -> None:
    """One association after the other."""
    if options.is_server:
        async with await side.serve(lambda association: None) as server:
            await server.serve_forever()

    async def one() -> None:
        association = await side.connect()
        if options.graceful:
            await association.shutdown()
        else:
            association.abort()

    async with await side.endpoint():
        await one()
        span = Span()
        for _ in range(options.count):
            await one()
        span.report({"count": options.count})
        await asyncio.sleep(options.limit)


async def first(side: Side, options: Options) -> None:
    """The first message of a program that has just been started, sent back by a server that has not."""
    if options.is_server:
        await pingpong(side, options)
    imported = time.perf_counter() - BEGAN
    span = Span()
    association = await side.connect()
    await association.send(bytes(options.size))
    await association.recv()
    span.report({"milliseconds": (time.perf_counter() - BEGAN) * 1e3, "imported": imported * 1e3})
    await asyncio.sleep(options.limit)


class Idle:
    """Associations that are held and left alone."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._held: list[sctpx.Association] = []
        self._waiting: list[asyncio.Task[sctpx.Message]] = []
        self._before = 0
        self._complete = asyncio.Event()

    def hold(self, association: sctpx.Association) -> None:
        """One more."""
        self._held.append(association)
        if self._options.handler:
            self._waiting.append(asyncio.create_task(association.recv()))
        if len(self._held) == FIRST_ASSOCIATIONS:
            gc.collect()
            self._before = resident()
        elif len(self._held) == FIRST_ASSOCIATIONS + self._options.count:
            self._complete.set()

    async def measure(self) -> None:
        """Wait for the last one, and report."""
        await self._complete.wait()
        await asyncio.sleep(0.5)
        gc.collect()
        growth = resident() - self._before
        await asyncio.sleep(self._options.settle)
        span = Span()
        await asyncio.sleep(self._options.secs)
        span.report({"rss": growth / self._options.count})


async def idle(side: Side, options: Options) -> None:
    """Associations that do nothing."""
    held = Idle(options)
    if options.is_server:
        async with await side.serve(held.hold):
            await held.measure()
            await asyncio.sleep(options.limit)
    async with await side.endpoint():
        for _ in range(FIRST_ASSOCIATIONS + options.count):
            held.hold(await side.connect())
        await held.measure()
        await asyncio.sleep(options.limit)


async def connectx(side: Side, options: Options) -> None:
    """Associate with a peer some of whose addresses are dead."""
    if options.is_server:
        async with await side.serve(lambda association: None) as server:
            await server.serve_forever()
    async with await side.endpoint() as endpoint:
        span = Span()
        await endpoint.connect(options.remote, SCTP_PORT, peer_udp_port=options.rudp)
        span.report({"milliseconds": (time.monotonic() - span.began) * 1e3})
        await asyncio.sleep(options.limit)


async def cut(side: Side, options: Options) -> None:
    """Bulk transfer while a path dies."""
    if not options.is_server:
        await send_forever(await side.connect(), options)
    arrivals = Arrivals(options.secs)

    async def read(association: sctpx.Association) -> None:
        while batch := await association.recv_many():
            arrivals.note(size_of(batch))

    async with await side.serve() as server:
        association = await server.accept()
        arrivals.note(size_of(await association.recv_many()))
        span = Span()
        reading = asyncio.create_task(read(association))
        await asyncio.sleep(options.secs)
        span.report(arrivals.result())
        await reading


def main(arguments: list[str]) -> None:
    """Run one side of one piece of work."""
    options = parse(arguments)
    if options.api == "sockets":
        sctpx_sockets_bench.run(options)
        return
    work = {
        "bulk": bulk,
        "pingpong": pingpong,
        "setup": setup,
        "first": first,
        "idle": idle,
        "connectx": connectx,
        "cut": cut,
    }

    async def run() -> None:
        await work[options.mode](Side(options), options)

    try:
        with asyncio.Runner(loop_factory=loop_factory(options)) as runner:
            runner.run(run())
    except (OSError, ImportError) as error:
        say(error=repr(error))


if __name__ == "__main__":
    main(sys.argv[1:])
