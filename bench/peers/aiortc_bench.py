"""The driver of aiortc's SCTP, over a plain pair of UDP sockets: no ICE, no DTLS, which would only slow it down.

``Wire`` has what ``RTCSctpTransport`` uses of a DTLS transport. Packets are as large as the MTU allows, where aiortc's
default is 1189 bytes. Socket buffers have the system's default size: larger ones make it slower, as it does not heed
the peer's window and its congestion window grows until they overflow.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from contextlib import suppress
from typing import Any

from .driver import SCTP_PORT, Bulk, Options, Span, parse, ready, rounds

# Looked up by name: its own environment has it, ours need not.
stack: Any = importlib.import_module("aiortc.rtcsctptransport")
channels: Any = importlib.import_module("aiortc.rtcdatachannel")

UDP_HEADERS = 28
"""IPv4 and UDP."""
DATA_HEADERS = 28
"""The common header and that of a DATA chunk."""
INIT = 1
BUFFERED_BYTES = 1 << 20
"""What is handed to the stack before it has sent it; a quarter of it for messages that fill no packet, which it
holds at a cost that grows with their number."""
PACKETS_AT_ONCE = 16


class Wire:
    """The transport below an ``RTCSctpTransport``."""

    def __init__(self, udp: Udp, role: str) -> None:
        self.state = "connected"
        self.receiver: Any = None
        self._udp = udp
        self._role = role

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        self._udp.send(data)


class Udp:
    """A UDP socket, and the one transport on it."""

    def __init__(self, options: Options) -> None:
        self.role = options.role
        self.packets_sent = self.packets_received = 0
        self.transport: Any = None
        self._wire = Wire(self, self.role)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((options.laddr, options.ludp))
        self._socket.connect((options.raddr, options.rudp))

    def send(self, data: bytes) -> None:
        """Send a packet; one that finds no room is lost."""
        self.packets_sent += 1
        with suppress(BlockingIOError, ConnectionRefusedError):
            self._socket.send(data)

    async def open(self) -> Any:
        """Begin an association."""
        self._wire = Wire(self, self.role)
        self.transport = stack.RTCSctpTransport(self._wire, SCTP_PORT)
        await self.transport.start(stack.RTCSctpTransport.getCapabilities(), SCTP_PORT)
        return self.transport

    async def established(self) -> Any:
        """An association that is up."""
        transport = await self.open()
        while transport.state != "connected":  # noqa: ASYNC110  (it has no event for this)
            await asyncio.sleep(0)
        return transport

    async def receive(self, renew: bool = False) -> None:
        """Hand packets to the transport, for ever. ``renew``: an INIT begins an association if the last one is over."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(self._socket, 1 << 16)
            except ConnectionRefusedError:
                await asyncio.sleep(0.001)  # The peer is not there yet.
                continue
            self.packets_received += 1
            if renew and data[12] == INIT and (self.transport is None or self.transport.state == "closed"):
                await self.open()
            if self._wire.receiver is not None:
                await self._wire.receiver._handle_data(data)  # noqa: SLF001  (as its DTLS transport does)
            if self.packets_received % PACKETS_AT_ONCE == 0:
                await asyncio.sleep(0)  # The others get their turn even if the socket never runs dry.


def channel(transport: Any) -> Any:
    """The data channel that both sides agreed on."""
    return channels.RTCDataChannel(transport, channels.RTCDataChannelParameters(label="bench", negotiated=True, id=1))


async def bulk(udp: Udp, options: Options) -> None:
    """Bulk transfer."""
    transport = await udp.established()
    line = channel(transport)
    if options.is_server:
        measured: Bulk | None = None
        messages = received = 0

        def on_message(data: bytes) -> None:
            nonlocal measured, messages, received
            if measured is None:
                measured = Bulk(options, lambda: udp.packets_received)
            messages += 1
            received += len(data)
            measured.note(messages, received)

        line.on("message", on_message)
        await asyncio.sleep(options.limit)
    await asyncio.sleep(0.1)  # The other side opens its channel.
    high = BUFFERED_BYTES if options.size >= options.mtu else BUFFERED_BYTES // 4
    room = asyncio.Event()
    line.bufferedAmountLowThreshold = high // 2
    line.on("bufferedamountlow", room.set)
    data = bytes(options.size)
    sent = 0
    sending = Bulk(options, lambda: udp.packets_sent)
    while True:
        while line.bufferedAmount < high:
            line.send(data)
            sent += 1
        sending.note(sent, sent * options.size)
        room.clear()
        await room.wait()


async def pingpong(udp: Udp, options: Options) -> None:
    """Small messages to and fro."""
    line = channel(await udp.established())
    if options.is_server:
        line.on("message", line.send)
        await asyncio.sleep(options.limit)
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    answer = loop.create_future()

    def on_message(data: bytes) -> None:
        answer.set_result(data)

    line.on("message", on_message)
    data = bytes(options.size)
    for _ in rounds(options):
        answer = loop.create_future()
        line.send(data)
        await answer
    await asyncio.sleep(options.limit)


async def setup(udp: Udp, options: Options) -> None:
    """One association after the other; both sides begin each, as aiortc has it."""
    await (await udp.established()).stop()
    span = Span()
    for _ in range(options.count):
        await (await udp.established()).stop()
    span.report({"count": options.count})
    await asyncio.sleep(options.limit)


def main(arguments: list[str]) -> None:
    """Run one side of one piece of work."""
    options = parse(arguments)
    stack.SCTP_MAX_PACKET_LENGTH = options.mtu - UDP_HEADERS
    stack.USERDATA_MAX_LENGTH = (options.mtu - UDP_HEADERS - DATA_HEADERS) // 4 * 4
    passive = options.mode == "setup" and options.is_server

    async def run() -> None:
        udp = Udp(options)
        receiving = asyncio.create_task(udp.receive(renew=passive))
        if options.is_server:
            ready()
        if not passive:
            await {"bulk": bulk, "pingpong": pingpong, "setup": setup}[options.mode](udp, options)
        await receiving

    asyncio.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
