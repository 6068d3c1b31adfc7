"""A Linux kernel that offers all its extensions: what sctpx offers as well is agreed, the others are not used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.kernel_peer.meeting import Meet, both_ways, ours, receive_whole, theirs, ways
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="All extensions of the peer", api="asyncio")
ON = ("prsctp_enable", "reconf_enable", "auth_enable", "addip_enable", "intl_enable", "ecn_enable")
EXTENSIONS = ["PR-SCTP", "RE-CONFIG", "AUTH", "ASCONF", "ECN", "I-DATA"]
SIZES = [1, 1453, 100_000]


@pytest.fixture
def extended(kernel: KernelPeer) -> Iterator[KernelPeer]:
    """The kernel's sockets have everything that is there."""
    before = kernel.call("sysctl", **dict.fromkeys(ON, 1))
    yield kernel
    if not kernel.busy:
        kernel.call("sysctl", **before)


@both_ways
@ways()
async def test_with_all_extensions_on_data_goes_both_ways_and_what_both_offer_is_agreed(
    meet: Meet, way: Way, extended: KernelPeer
) -> None:
    async with meet(extended, way, extensions=EXTENSIONS) as met:
        for seed, size in enumerate(SIZES):
            await met.association.send(content(seed, size), stream=seed)
            [message] = (await extended.ask("receive", socket=met.socket))["messages"]
            assert (message["sha256"], message["stream"]) == (digest(content(seed, size)), seed)
            await extended.ask("send", socket=met.socket, size=size, seed=seed, stream=seed)
            assert (await receive_whole(met.association)).data == content(seed, size)
        found = extended.call("extensions", socket=met.socket)
        assert [name for name, used in found.items() if used] == ["PR-SCTP", "RE-CONFIG"]
        await met.association.shutdown()


@both_ways
@ways(1)
async def test_a_message_with_a_lifetime_arrives_where_nothing_is_lost(
    meet: Meet, way: Way, extended: KernelPeer
) -> None:
    """PR-SCTP is agreed, and what is in flight is not given up."""
    async with meet(extended, way, extensions=EXTENSIONS) as met:
        await extended.ask("send", socket=met.socket, size=50_000, seed=1, lifetime=1)
        assert (await receive_whole(met.association)).data == content(1, 50_000)


@both_ways
@ways(1)
async def test_streams_cannot_be_reset_and_the_association_lives(meet: Meet, way: Way, extended: KernelPeer) -> None:
    """RE-CONFIG is agreed, but the kernel's socket has not enabled it for itself: the kernel sends nothing."""
    async with meet(extended, way, extensions=EXTENSIONS) as met:
        assert extended.call("reset_streams", socket=met.socket)["error"] == "ENOPROTOOPT"
        await met.association.send(b"still here")
        await extended.ask("receive", socket=met.socket)


@both_ways
@ways(1)
async def test_an_address_that_is_bound_later_is_not_told_and_the_association_lives(
    meet: Meet, way: Way, extended: KernelPeer
) -> None:
    """ASCONF: the kernel has the address from then on, and tells nobody."""
    async with meet(extended, way, extensions=EXTENSIONS) as met:
        another = theirs(Way(way.link, way.family, 2))[1]
        extended.call("bind", socket=met.socket, addresses=[another])
        await met.association.send(b"still here")
        await extended.ask("receive", socket=met.socket)
        assert met.association.peer_addresses == theirs(way)
        assert met.association.local_addresses == ours(way)


@both_ways
@ways(1)
async def test_ecn_is_agreed_on_where_both_offer_it(meet: Meet, way: Way, extended: KernelPeer) -> None:
    async with meet(extended, way, {"ecn": True}, extensions=EXTENSIONS) as met:
        assert met.association.ecn
        assert extended.call("extensions", socket=met.socket)["ECN"]
        for seed, size in enumerate(SIZES):
            await met.association.send(content(seed, size))
            [message] = (await extended.ask("receive", socket=met.socket))["messages"]
            assert message["sha256"] == digest(content(seed, size))
            await extended.ask("send", socket=met.socket, size=size, seed=seed)
            assert (await receive_whole(met.association)).data == content(seed, size)
