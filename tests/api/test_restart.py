"""A peer that vanished and came back under the same addresses and ports (RFC 9260 section 5.2)."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from sctpx import events
from sctpx.link import UdpLink
from sctpx.link.filter import FilteredLink
from tests.api.support import HOST, PORT, linux_only, until


async def vanish(association: sctpx.Association, link: FilteredLink) -> int:
    """Have the peer of a server gone without a word; its UDP port."""
    link.cut("127.0.0.9")
    udp_port = association.endpoint.udp_port
    association.endpoint.close()
    await until(lambda: link.sockets[0].fileno() == -1)
    return udp_port


@linux_only
async def test_the_association_begins_anew() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        link = FilteredLink(UdpLink.open(["127.0.0.9"]))
        first = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, link=link)
        b = await server.accept()
        stream = b.events
        udp_port = await vanish(first, link)
        again = FilteredLink(UdpLink.open(["127.0.0.9"], udp_port))
        second = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, link=again)
        assert await anext(stream) == events.Restarted(())
        await second.send(b"here again")
        assert (await b.recv()).data == b"here again"
        assert server.associations == [b]
        await second.close()


@linux_only
async def test_a_shutdown_that_was_under_way_goes_on_with_the_peer_that_came_back() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        link = FilteredLink(UdpLink.open(["127.0.0.9"]))
        first = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, link=link)
        b = await server.accept()
        udp_port = await vanish(first, link)
        await b.send(b"not acknowledged")
        ending = asyncio.create_task(b.shutdown())
        await asyncio.wait([ending], timeout=0)
        again = FilteredLink(UdpLink.open(["127.0.0.9"], udp_port))
        second = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, link=again)
        assert [message.data async for message in second] == []
        await ending


END = sctpx.AssociationConfig(on_restart="end")


async def connect_from_2905(server: sctpx.Server, udp_port: int = 0) -> tuple[sctpx.Association, FilteredLink]:
    """A client whose addresses and ports are the same when it comes back."""
    link = FilteredLink(UdpLink.open(["127.0.0.9"], udp_port))
    return await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, link=link), link


@linux_only
async def test_with_on_restart_end_the_handler_of_the_old_one_ends_and_the_new_one_has_its_own() -> None:
    seen: list[list[object]] = []

    async def handle(association: sctpx.Association) -> None:
        mine: list[object] = []
        seen.append(mine)
        try:
            async for message in association:
                mine.append(message.data)
                await association.send(message.data)
        except sctpx.AssociationRestarted as end:
            mine.append(end)
            mine += [lost.data for lost in association.undelivered()]
            raise  # The end of its own association is no failure of a handler.

    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with await sctpx.start_server(handle, HOST, PORT, udp_port=0, config=END) as server:
        first, link = await connect_from_2905(server)
        await first.send(b"first")
        await first.recv()
        await until(lambda: first.send_space == first.config.send_buffer)
        udp_port = await vanish(first, link)
        [old] = server.associations
        stream = old.events
        await old.send(b"never acknowledged")
        second, _ = await connect_from_2905(server, udp_port)
        await second.send(b"second")
        assert (await second.recv()).data == b"second"
        told = [event async for event in stream]
        assert told[-1] == events.CommunicationLost(errno.ECONNRESET, True, (), restarted=True)
        await until(lambda: len(seen[0]) == 3)
        assert seen[0][0::2] == [b"first", b"never acknowledged"]
        assert isinstance(seen[0][1], sctpx.AssociationRestarted)
        assert seen[1:] == [[b"second"]]
        assert old.ended
        assert server.associations != [old]
        await second.close()
    assert failures == []


@linux_only
async def test_a_client_that_does_not_listen_ends_and_refuses_the_peer_that_came_back() -> None:
    """Nobody would take the new association."""
    link = FilteredLink(UdpLink.open(["127.0.0.9"]))
    server = await sctpx.open_endpoint("127.0.0.9", 2905, link=link)
    server.listen()
    async with await sctpx.open_endpoint(HOST, config=END) as client:
        a = await client.connect("127.0.0.9", 2905, peer_udp_port=server.udp_port)
        [b] = server.associations
        udp_port = await vanish(b, link)
        again = await sctpx.open_endpoint("127.0.0.9", 2905, link=FilteredLink(UdpLink.open(["127.0.0.9"], udp_port)))
        with pytest.raises(ConnectionRefusedError):
            await again.connect(HOST, client.port, peer_udp_port=client.udp_port)
        with pytest.raises(sctpx.AssociationRestarted):
            await a.recv()
        again.close()


@linux_only
@pytest.mark.parametrize("kept", [True, False])
async def test_a_protocol_is_told_between_the_messages_of_the_old_and_of_the_new_peer(kept: bool) -> None:
    told: list[list[object]] = []

    class Telling(sctpx.SctpProtocol):
        def connection_made(self, transport: sctpx.SctpTransport) -> None:
            told.append(self.mine)
            transport.pause_reading()
            self.transport = transport
            transports.append(transport)

        def __init__(self) -> None:
            self.mine: list[object] = []

        def message_received(self, message: sctpx.Message) -> None:
            self.mine.append(message.data)

        def event_received(self, event: events.Event) -> None:
            self.mine.append(type(event))

        def connection_lost(self, exc: Exception | None) -> None:
            self.mine.append(type(exc))

    transports: list[sctpx.SctpTransport] = []
    config = sctpx.AssociationConfig() if kept else END
    async with await sctpx.create_server(Telling, HOST, PORT, udp_port=0, config=config) as server:
        first, link = await connect_from_2905(server)
        await first.send(b"old")
        await until(lambda: transports and transports[0].association.readable)
        udp_port = await vanish(first, link)
        second, _ = await connect_from_2905(server, udp_port)
        await second.send(b"new")
        await until(lambda: transports[-1].association.readable == (2 if kept else 1))
        for transport in transports:
            transport.resume_reading()
        await until(lambda: sum(map(len, told)) >= 3)
        if kept:
            assert told == [[b"old", events.Restarted, b"new"]]
        else:
            assert told == [[b"old", sctpx.AssociationRestarted], [b"new"]]
        await second.close()
