"""sctpx and a Linux kernel: associations are set up and ended, by either side, over every kind of link."""

from __future__ import annotations

import pytest

import sctpx
from tests.interop.conftest import Figure
from tests.interop.kernel_peer.meeting import (
    PORT,
    QUICK,
    Meet,
    both_ways,
    link_of,
    ours,
    theirs,
    they_connect,
    ways,
    we_connect,
)
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import PeerError, content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Setting up and ending", api="asyncio")
USER_INITIATED_ABORT = 12
MESSAGES = 20
SIZE = 10_000
HASHES = [digest(content(seed, SIZE)) for seed in range(MESSAGES)]


@both_ways
@ways()
async def test_each_side_knows_all_addresses_of_the_other(
    meet: Meet, way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    async with meet(kernel, way) as met:
        figure("set up in", met.seconds, "s")
        assert set(met.association.peer_addresses) == set(theirs(way))
        status = kernel.call("status", socket=met.socket)
        assert status["established"]
        assert {path["address"] for path in status["paths"]} == set(ours(way))


@both_ways
@ways(2)
async def test_our_shutdown_delivers_everything_first(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        for seed in range(MESSAGES):
            await met.association.send(content(seed, SIZE))
        kernel.post("receive", socket=met.socket, count=MESSAGES + 1)
        await met.association.shutdown()
        received = await kernel.answer()
        assert [message["sha256"] for message in received["messages"]] == HASHES
        assert received["end"] == "closed"
        assert met.association.state == "CLOSED"
        assert (await met.events("shutdown_complete"))[-1] == "shutdown_complete"


@both_ways
@ways(2)
async def test_their_shutdown_ends_the_messages_and_then_the_association(
    meet: Meet, way: Way, kernel: KernelPeer
) -> None:
    async with meet(kernel, way) as met:
        await kernel.ask("send", socket=met.socket, size=SIZE, count=MESSAGES)
        await kernel.ask("shutdown", socket=met.socket)
        assert [digest(message.data) async for message in met.association] == HASHES
        await met.association.wait_closed()
        assert (await met.events("shutdown_complete"))[-1] == "shutdown_complete"


@both_ways
@ways(2)
async def test_our_abort_resets_their_association(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        met.association.abort("enough")
        assert "comm_lost" in await met.events("comm_lost")
        assert (await kernel.ask("receive", socket=met.socket))["end"] == "ECONNRESET"


@both_ways
@ways(2)
async def test_their_abort_resets_our_association_and_tells_why(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        kernel.call("abort", socket=met.socket)
        with pytest.raises(sctpx.AssociationAborted) as reset:
            await met.association.recv()
        assert [code for code, _ in reset.value.causes] == [USER_INITIATED_ABORT]


@pytest.mark.matrix(who="sctpx")
@ways(2)
async def test_a_kernel_where_nobody_listens_refuses_at_every_address(way: Way, kernel: KernelPeer) -> None:
    with pytest.raises(ConnectionRefusedError) as refusal:
        await sctpx.connect(theirs(way), PORT, local=ours(way), link=way.link)
    assert isinstance(refusal.value, sctpx.ConnectError)
    assert [(one.address, one.answer) for one in refusal.value.report] == [(host, "ABORT") for host in theirs(way)]


@pytest.mark.matrix(who="the peer")
@ways(2)
async def test_the_kernel_is_refused_where_nobody_listens(way: Way, kernel: KernelPeer) -> None:
    async with await sctpx.open_endpoint(ours(way), link=way.link) as endpoint:
        socket = kernel.open(theirs(way), udp_port=endpoint.udp_port)
        with pytest.raises(PeerError, match="ECONNREFUSED"):
            await kernel.ask("connectx", socket=socket, addresses=ours(way), port=endpoint.port)


@both_ways
@ways(2)
async def test_the_first_address_is_dead_when_the_association_is_set_up(
    meet: Meet, way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    kernel.guest.cut(1)
    async with meet(kernel, way, QUICK, QUICK) as met:
        figure("set up in", met.seconds, "s")
        if meet is we_connect:
            silent, answered = met.association.report
            assert (link_of(silent.address), silent.answer) == (1, "silence")
            assert (link_of(answered.address), answered.answer) == (2, "INIT ACK")
        else:
            assert meet is they_connect
        await met.association.send(content(1, SIZE))
        [message] = (await kernel.ask("receive", socket=met.socket))["messages"]
        assert message["sha256"] == digest(content(1, SIZE))
