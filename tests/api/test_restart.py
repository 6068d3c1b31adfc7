"""A peer that vanished and came back under the same addresses and ports (RFC 9260 section 5.2)."""

from __future__ import annotations

import asyncio

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
