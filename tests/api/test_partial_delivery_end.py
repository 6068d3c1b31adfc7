"""A message that comes in parts, and whose end never comes: what asyncio programs are told, and in which order.

The peer is played by hand, over loopback.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import sctpx
from sctpx import events
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_COOKIE_ACK, CHUNK_DATA, CHUNK_INIT_ACK, DATA_HEADER
from sctpx.wire.data import DATA, PADDING
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup, parse
from tests.api.support import HOST, PORT, until

CONFIG = sctpx.AssociationConfig(partial_delivery_point=1000)
PART = bytes(1000)
BEGIN, WHOLE = 2, 7


class Peer:
    """The other side of an association."""

    def __init__(self, udp_port: int) -> None:
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setblocking(False)
        self._udp.bind((HOST, 0))
        self._udp.connect((HOST, udp_port))
        self._peer_tag = 0
        self.tag = 0x50505050
        self.tsn = 7000

    def close(self) -> None:
        self._udp.close()

    def say(self, *said: bytes, tag: int | None = None) -> None:
        """Send these chunks in a packet."""
        self._udp.send(finish_packet(prefix(PORT, PORT, self._peer_tag if tag is None else tag), b"".join(said)))

    def data(self, data: bytes, flags: int, stream: int, tsn: int) -> bytes:
        """A DATA chunk."""
        length = DATA_HEADER + len(data)
        return DATA.pack(CHUNK_DATA, flags, length, tsn, stream, 0, 0) + data + PADDING[length & 3]

    async def set_up(self) -> None:
        """Begin an association, or restart."""
        self.tag += 1
        self.tsn += 1000
        self.say(Setup(self.tag, 1 << 17, 10, 10, self.tsn).encode(), tag=0)
        answer = parse(await self._hear(CHUNK_INIT_ACK), ack=True)
        self._peer_tag = answer.initiate_tag
        assert answer.cookie is not None
        self.say(control.cookie_echo(answer.cookie))
        await self._hear(CHUNK_COOKIE_ACK)

    async def _hear(self, kind: int) -> bytes:
        """Wait for a packet that begins with a chunk of this type, and take the value of that."""
        while True:
            packet = await asyncio.get_running_loop().sock_recv(self._udp, 1 << 16)
            [(found, _, value), *_] = chunks(packet)
            if found == kind:
                return value

    def begin_message(self) -> None:
        """Send a part of a message, and behind a hole another message, which waits for the end of that one."""
        self.say(self.data(PART, BEGIN, 3, self.tsn))
        self.say(self.data(b"next", WHOLE, 4, self.tsn + 2))

    async def abort(self) -> None:
        self.say(control.abort([]))


@asynccontextmanager
async def peer_of(listening: Any) -> AsyncIterator[Peer]:
    """A peer whose association is being set up."""
    peer = Peer(listening.udp_port)
    try:
        await peer.set_up()
        yield peer
    finally:
        peer.close()
        listening.close()
        listening.abort_associations()


class Recorder(sctpx.SctpProtocol):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.transport: sctpx.SctpTransport | None = None
        self.told: list[Any] = []

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        self.transport = transport

    def message_received(self, message: sctpx.Message) -> None:
        self.told.append("part" if message.more else message.data)

    def event_received(self, event: events.Event) -> None:
        self.told.append(type(event))

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(type(exc))


ENDS = pytest.mark.parametrize("end", [Peer.abort, Peer.set_up], ids=["abort", "restart"])


@ENDS
async def test_recv_gives_what_waited_for_the_end_of_the_message(end: Callable[[Peer], Awaitable[None]]) -> None:
    listening = await sctpx.start_server(None, local=HOST, port=PORT, udp_port=0, config=CONFIG)
    async with peer_of(listening) as peer, asyncio.timeout(5):
        association = await listening.accept()
        peer.begin_message()
        assert (await association.recv()).more
        before = association.stats.messages_received
        await end(peer)
        assert (await association.recv()).data == b"next"
        assert association.stats.messages_received == before + 1


@ENDS
@pytest.mark.parametrize("read", [False, True])
async def test_a_protocol_is_told_in_order(end: Callable[[Peer], Awaitable[None]], read: bool) -> None:
    """After a restart, parts that were not read are gone."""
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder())
        return made[-1]

    listening = await sctpx.create_server(factory, local=HOST, port=PORT, udp_port=0, config=CONFIG)
    async with peer_of(listening) as peer, asyncio.timeout(5):
        await until(lambda: made and made[0].transport)
        [recorder] = made
        transport = recorder.transport
        assert transport is not None
        if not read:
            transport.pause_reading()
        association = transport.association
        before = association.stats.packets_received
        peer.begin_message()
        await until(lambda: association.stats.packets_received == before + 2 and len(recorder.told) == int(read))
        await end(peer)
        if end is Peer.abort:
            await until(lambda: association.ended)
        transport.resume_reading()
        part = ["part"] if read or end is Peer.abort else []
        over = [sctpx.AssociationAborted] if end is Peer.abort else [events.Restarted]
        expected = [*part, events.PartialDeliveryAborted, b"next", *over]
        await until(lambda: len(recorder.told) == len(expected))
        assert recorder.told == expected
