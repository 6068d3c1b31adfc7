"""sctpx and usrsctp change their addresses while an association lives (RFC 5061), authenticated by RFC 4895.

There are three cables; two of our addresses are in the association from the beginning, and all three of usrsctp's,
unless the test says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import sctpx
from sctpx import events
from tests.interop.conftest import StartUsrsctp
from tests.interop.test_usrsctp import PORT, Meet, Met
from tests.interop.usrsctp import PATIENCE, Usrsctp, content, digest
from tests.sweeps import some

OURS = ["127.0.1.1", "127.0.2.1", "127.0.3.1"]
THEIRS = ["127.0.1.2", "127.0.2.2", "127.0.3.2"]
CONFIG = sctpx.AssociationConfig(address_reconfiguration=True)

pytestmark = pytest.mark.matrix(peer="usrsctp", api="asyncio", column="UDP IPv4", addresses="3")


@asynccontextmanager
async def we_connect(peer: Usrsctp, config: Any = CONFIG, count: int = 2, **options: Any) -> AsyncIterator[Met]:
    """We set the association up."""
    async with await sctpx.open_endpoint(OURS[:count], config=config) as endpoint:
        listener = peer.open(port=PORT, listen=True, udp_port=endpoint.udp_port, **options)
        peer.post("accept", socket=listener)
        association = await endpoint.connect(THEIRS, PORT, peer_udp_port=peer.udp_port)
        accepted = await peer.answer()
        yield Met(association, peer, accepted["socket"])


@asynccontextmanager
async def they_connect(peer: Usrsctp, config: Any = CONFIG, count: int = 2, **options: Any) -> AsyncIterator[Met]:
    """usrsctp sets the association up."""
    async with await sctpx.start_server(None, OURS[:count], udp_port=0, config=config) as server:
        socket = peer.open(udp_port=server.udp_port, **options)
        peer.post("connectx", socket=socket, addresses=OURS[:count], port=server.port)
        association = await server.accept()
        await peer.answer()
        yield Met(association, peer, socket)


both_ways = pytest.mark.parametrize("meet", [we_connect, they_connect])
one_way = pytest.mark.parametrize("meet", some([we_connect], [they_connect]))
"""Where it makes little difference who connects, the other way is slow."""


def play(meet: Meet, start_usrsctp: StartUsrsctp, scene: Any, **options: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), meet(start_usrsctp(THEIRS, OURS), **options) as met:
            assert met.association.address_reconfigurable
            assert met.association.events is not None  # From here on they are kept.
            await exchange(met)
            await scene(met)
            await exchange(met)

    asyncio.run(whole())


async def exchange(met: Met) -> None:
    """A message each way."""
    await met.association.send(content(1, 5000))
    (received,) = (await met.peer.ask("receive", socket=met.socket))["messages"]
    assert received["sha256"] == digest(content(1, 5000))
    met.peer.post("send", socket=met.socket, size=3000, seed=2)
    assert (await met.association.recv()).data == content(2, 3000)
    await met.peer.answer()


async def next_of(association: sctpx.Association, kind: type[events.Event]) -> Any:
    """The next event of a kind."""
    async for event in association.events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


async def theirs(met: Met, name: str, address: str) -> None:
    """Wait until usrsctp has told of this change of our address."""
    for _ in range(20):
        answer = await met.peer.ask("events", socket=met.socket, until=name)
        assert not answer["end"]
        if [one for one in answer["events"] if one["event"] == name and one["address"] == address]:
            return
    raise AssertionError(f"{address} was never {name}")


def known(met: Met) -> list[str]:
    """Our addresses as usrsctp has them."""
    status = met.peer.call("status", socket=met.socket)
    return sorted(path["address"] for path in status["paths"])


async def done(met: Met, address: str, change: str) -> None:
    """usrsctp has answered a request of ours."""
    event = await next_of(met.association, events.LocalAddressChanged)
    assert event == events.LocalAddressChanged(address, change)


@both_ways
def test_we_add_and_remove_an_address(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        assert known(met) == OURS[:2]
        for _ in range(3):
            met.association.add_address(OURS[2])
            await done(met, OURS[2], "added")
            assert known(met) == OURS
            met.association.remove_address(OURS[2])
            await done(met, OURS[2], "removed")
            assert known(met) == OURS[:2]

    play(meet, start_usrsctp, scene)


@both_ways
def test_we_ask_usrsctp_for_another_primary_address(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        met.association.set_peer_primary(OURS[1])
        await done(met, OURS[1], "primary")
        await theirs(met, "primary", OURS[1])

    play(meet, start_usrsctp, scene)


@both_ways
def test_we_move_to_another_address(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    """The only address is replaced in one ASCONF, from the new address."""

    async def scene(met: Met) -> None:
        assert known(met) == OURS[:1]
        met.association.add_address(OURS[1])
        met.association.remove_address(OURS[0])
        await done(met, OURS[1], "added")
        await done(met, OURS[0], "removed")
        assert known(met) == OURS[1:2]
        assert met.association.local_addresses == OURS[1:2]

    play(meet, start_usrsctp, scene, count=1)


@one_way
def test_usrsctp_removes_and_adds_an_address(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        assert sorted(met.association.peer_addresses) == THEIRS
        for _ in range(3):
            await met.peer.ask("change", socket=met.socket, addresses=THEIRS[2:], remove=1)
            assert await next_of(met.association, events.PeerAddressRemoved) == events.PeerAddressRemoved(THEIRS[2])
            await exchange(met)
            await met.peer.ask("change", socket=met.socket, addresses=THEIRS[2:])
            assert await next_of(met.association, events.PeerAddressAdded) == events.PeerAddressAdded(THEIRS[2])
            while await next_of(met.association, events.PathConfirmed) != events.PathConfirmed(THEIRS[2]):
                pass

    play(meet, start_usrsctp, scene)


@one_way
def test_usrsctp_asks_us_for_another_primary_address(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        [other] = [address for address in THEIRS[:2] if address != met.association.primary][:1]
        await met.peer.ask("prefer", socket=met.socket, address=other)
        assert await next_of(met.association, events.PrimaryChanged) == events.PrimaryChanged(other)

    play(meet, start_usrsctp, scene)


@both_ways
def test_the_adaptation_layers_are_told(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    """usrsctp sends 0 unless told otherwise."""

    async def scene() -> None:
        seen: list[events.Event] = []
        config = sctpx.AssociationConfig(address_reconfiguration=True, adaptation_layer=77)
        async with asyncio.timeout(PATIENCE), meet(start_usrsctp(THEIRS, OURS), config) as met:
            met.association.on_event = lambda _, event: seen.append(event)
            answer = await met.peer.ask("events", socket=met.socket, until="adaptation")
            assert [one["layer"] for one in answer["events"] if one["event"] == "adaptation"] == [77]

    asyncio.run(scene())
