"""sctpx and a Linux kernel, of which one has forgotten the other and comes back at the same addresses and ports."""

from __future__ import annotations

import pytest

import sctpx
from sctpx import events
from tests.interop.kernel_peer.guest import LINKS, Guest
from tests.interop.kernel_peer.meeting import PORT, ours, theirs, ways
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Restarts", api="asyncio")
OUR_PORT = 6001


class Silence:
    """No packet gets through while it is entered."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def __enter__(self) -> None:
        for link in LINKS:
            self._guest.cut(link)

    def __exit__(self, *_: object) -> None:
        for link in LINKS:
            self._guest.mend(link)


@pytest.mark.matrix(who="sctpx")
@ways()
async def test_we_restart_and_the_kernel_goes_on_with_us(way: Way, kernel: KernelPeer) -> None:
    async def connect() -> sctpx.Association:
        udp_port = 9899 if way.link == "udp" else 0
        return await sctpx.connect(
            theirs(way), PORT, local=ours(way), link=way.link, local_port=OUR_PORT, udp_port=udp_port
        )

    kernel.post("accept", socket=kernel.open(theirs(way), port=PORT, listen=True))
    first = await connect()
    socket = (await kernel.answer())["socket"]
    await first.send(b"before")
    await kernel.ask("receive", socket=socket)
    with Silence(kernel.guest):
        first.abort()
        await first.wait_closed()
    second = await connect()
    found = await kernel.ask("events", socket=socket, until="restart")
    assert found["events"][-1] == "restart"
    await second.send(content(1, 5000))
    [message] = (await kernel.ask("receive", socket=socket))["messages"]
    assert message["sha256"] == digest(content(1, 5000))
    await kernel.ask("send", socket=socket, size=5000, seed=2)
    assert (await second.recv()).data == content(2, 5000)
    second.abort()


@pytest.mark.matrix(who="the peer")
@ways()
async def test_the_kernel_restarts_and_we_go_on_with_it(way: Way, kernel: KernelPeer) -> None:
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link) as server:

        async def connect() -> int:
            socket = kernel.open(theirs(way), port=OUR_PORT, udp_port=server.udp_port)
            await kernel.ask("connectx", socket=socket, addresses=ours(way), port=PORT)
            return socket

        socket = await connect()
        association = await server.accept()
        told = association.events
        await kernel.ask("send", socket=socket, size=10)
        await association.recv()
        with Silence(kernel.guest):
            kernel.call("abort", socket=socket)
        socket = await connect()
        async for event in told:
            if isinstance(event, events.Restarted):
                break
        await kernel.ask("send", socket=socket, size=5000, seed=1)
        assert (await association.recv()).data == content(1, 5000)
        await association.send(content(2, 5000))
        [message] = (await kernel.ask("receive", socket=socket))["messages"]
        assert message["sha256"] == digest(content(2, 5000))
        association.abort()


@pytest.mark.matrix(who="the peer")
@ways(2)
async def test_the_kernel_restarts_and_the_old_association_ends_where_that_is_asked_for(
    way: Way, kernel: KernelPeer
) -> None:
    config = sctpx.AssociationConfig(on_restart="end")
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link, config=config) as server:

        async def connect() -> int:
            socket = kernel.open(theirs(way), port=OUR_PORT, udp_port=server.udp_port)
            await kernel.ask("connectx", socket=socket, addresses=ours(way), port=PORT)
            return socket

        socket = await connect()
        old = await server.accept()
        with Silence(kernel.guest):
            kernel.call("abort", socket=socket)
        socket = await connect()
        with pytest.raises(sctpx.AssociationRestarted):
            await old.recv()
        new = await server.accept()
        await kernel.ask("send", socket=socket, size=5000, seed=1)
        assert (await new.recv()).data == content(1, 5000)
        new.abort()
