"""We and a Linux kernel change our addresses while an association lives (RFC 5061), with authentication and without.

The two links have one address of each side; the association begins with those of the first link, unless the test says
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

import sctpx
from sctpx import events
from tests.interop.kernel_peer.meeting import PORT, Config, Meet, Met, both_ways, ours, receive_whole, theirs, ways
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import PeerError, content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Addresses that change", api="asyncio")
AUTHENTICATED: Final = "with AUTH"
MODES: Final = {
    AUTHENTICATED: {"addip_enable": 1, "auth_enable": 1},
    "without AUTH": {"addip_enable": 1, "addip_noauth_enable": 1, "auth_enable": 0},
}
both_modes = pytest.mark.parametrize("changing", MODES, indirect=True)


class Changing:
    """A kernel that changes addresses, and how we are to be set up with it."""

    def __init__(self, kernel: KernelPeer, mode: str) -> None:
        self.kernel = kernel
        self.authenticates = mode == AUTHENTICATED
        self.config: Config = {"address_reconfiguration": True, "unauthenticated_asconf": not self.authenticates}

    def meet(self, meet: Meet, way: Way) -> Any:
        """An association."""
        return meet(self.kernel, way, config=self.config)


@pytest.fixture
def changing(kernel: KernelPeer, request: pytest.FixtureRequest) -> Iterator[Changing]:
    """The kernel speaks RFC 5061 in this mode."""
    before = kernel.call("sysctl", **MODES[request.param])
    yield Changing(kernel, request.param)
    if not kernel.busy:
        kernel.call("sysctl", **before)


def both(way: Way) -> Way:
    """The same way with the addresses of both links."""
    return Way(way.link, way.family, 2)


async def exchange(met: Met) -> None:
    """A message each way."""
    await met.association.send(content(1, 5000))
    [message] = (await met.peer.ask("receive", socket=met.socket))["messages"]
    assert message["sha256"] == digest(content(1, 5000))
    await met.peer.ask("send", socket=met.socket, size=3000, seed=2)
    assert (await receive_whole(met.association)).data == content(2, 3000)


async def done(stream: Any, address: str, change: str) -> None:
    """The kernel has answered a request of ours, and has done it."""
    async for event in stream:
        if isinstance(event, events.LocalAddressChanged):
            assert event == events.LocalAddressChanged(address, change)
            return
    raise AssertionError("there was no answer")


async def told(stream: Any, expected: events.Event) -> None:
    """This has happened."""
    async for event in stream:
        if event == expected:
            return
    raise AssertionError(f"no {expected}")


async def known(met: Met) -> list[str]:
    """Our addresses as the kernel has them."""
    status = await met.peer.ask("status", socket=met.socket)
    return sorted(path["address"] for path in status["paths"])


def check(met: Met, changing: Changing) -> None:
    assert met.association.address_reconfigurable
    assert met.association.authenticates is changing.authenticates


@both_modes
@both_ways
@ways(1)
async def test_we_add_and_remove_an_address(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        check(met, changing)
        stream = met.association.events
        first, second = ours(both(way))
        for _ in range(2):
            met.association.add_address(second)
            await done(stream, second, "added")
            assert await known(met) == [first, second]
            await exchange(met)
            met.association.remove_address(second)
            await done(stream, second, "removed")
            assert await known(met) == [first]
            await exchange(met)


@both_modes
@both_ways
@ways(1)
async def test_we_move_to_another_address(meet: Meet, way: Way, changing: Changing) -> None:
    """Our only address is replaced in one ASCONF, which leaves from the new one."""
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        first, second = ours(both(way))
        met.association.add_address(second)
        met.association.remove_address(first)
        await done(stream, second, "added")
        await done(stream, first, "removed")
        assert await known(met) == met.association.local_addresses == [second]
        await exchange(met)
        await met.association.shutdown()


@both_modes
@both_ways
@ways(2)
async def test_we_ask_the_kernel_for_another_primary_address(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        for wanted in (*ours(way), *ours(way)):
            met.association.set_peer_primary(wanted)
            await done(stream, wanted, "primary")
            assert (await met.peer.ask("status", socket=met.socket))["primary"] == wanted
            await exchange(met)


@both_modes
@both_ways
@ways(1)
async def test_the_kernel_adds_and_removes_an_address(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        first, second = theirs(both(way))
        for _ in range(2):
            await met.peer.ask("bind", socket=met.socket, addresses=[second])
            await told(stream, events.PeerAddressAdded(second))
            await told(stream, events.PathConfirmed(second))
            assert met.association.peer_addresses == [first, second]
            await exchange(met)
            assert (await met.peer.ask("unbind", socket=met.socket, addresses=[second]))["error"] == ""
            await told(stream, events.PeerAddressRemoved(second))
            assert met.association.peer_addresses == [first]
            await exchange(met)


@both_modes
@both_ways
@ways(2)
async def test_the_kernel_removes_the_address_that_is_primary(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        first, second = theirs(way)
        assert met.association.primary == first
        await exchange(met)
        assert (await met.peer.ask("unbind", socket=met.socket, addresses=[first]))["error"] == ""
        await told(stream, events.PeerAddressRemoved(first))
        await told(stream, events.PrimaryChanged(second))
        await exchange(met)


@both_modes
@both_ways
@ways(2)
async def test_the_kernel_asks_us_for_another_primary_address(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        first, second = theirs(way)
        for wanted in (second, first):
            await met.peer.ask("prefer", socket=met.socket, address=wanted)
            await told(stream, events.PrimaryChanged(wanted))
            assert met.association.primary == wanted
            await exchange(met)


@ways(1)
@pytest.mark.parametrize("changing", ["without AUTH"], indirect=True)
async def test_a_kernel_that_does_not_authenticate_is_refused_unless_we_waive_that(
    way: Way, changing: Changing
) -> None:
    """RFC 5061 section 6: "under NO circumstance"."""
    config = sctpx.AssociationConfig(address_reconfiguration=True)
    kernel = changing.kernel
    kernel.open(theirs(way), port=PORT, listen=True)
    with pytest.raises(ConnectionRefusedError):
        await sctpx.connect(theirs(way), PORT, local=ours(way), link=way.link, config=config)
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link, config=config) as server:
        socket = kernel.open(theirs(way), udp_port=server.udp_port)
        with pytest.raises(PeerError, match="ECONNREFUSED"):
            await kernel.ask("connectx", socket=socket, addresses=ours(way), port=PORT)


@both_modes
@both_ways
@ways(1)
async def test_both_change_their_addresses_at_once(meet: Meet, way: Way, changing: Changing) -> None:
    async with changing.meet(meet, way) as met:
        stream = met.association.events
        met.association.add_address(ours(both(way))[1])
        await met.peer.ask("bind", socket=met.socket, addresses=theirs(both(way))[1:])
        seen: set[type[sctpx.events.Event]] = set()
        async for event in stream:
            seen.add(type(event))
            if {events.LocalAddressChanged, events.PeerAddressAdded, events.PathConfirmed} <= seen:
                break
        assert await known(met) == ours(both(way))
        assert met.association.peer_addresses == theirs(both(way))
        await exchange(met)
