"""sctpx and usrsctp reset and add streams (RFC 6525): asked by either, set up by either.

As usrsctp has it, events of streams that were added tell how many there are.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sctpx
from sctpx import events
from tests.interop.conftest import StartUsrsctp
from tests.interop.test_usrsctp import OURS, THEIRS, Meet, Met
from tests.interop.test_usrsctp_interleaving import they_connect, we_connect
from tests.interop.usrsctp import PATIENCE, content
from tests.sweeps import some

ALLOWED = sctpx.AssociationConfig(allow_stream_reset=True, allow_association_reset=True, allow_added_streams=True)
INCOMING, OUTGOING, DENIED = 1, 2, 4

both_ways = pytest.mark.parametrize("meet", [we_connect, they_connect])
one_way = pytest.mark.parametrize("meet", some([we_connect], [they_connect]))
"""Where it makes little difference who connects, the other way is slow."""


async def next_of(association: sctpx.Association, kind: type[events.Event]) -> Any:
    """The next event of a kind."""
    async for event in association.events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


async def theirs(met: Met, name: str) -> dict[str, Any]:
    """usrsctp's next event with that name."""
    answer = await met.peer.ask("events", socket=met.socket, until=name)
    assert not answer["end"]
    found: list[dict[str, Any]] = [one for one in answer["events"] if one["event"] == name]
    return found[0]


async def exchange(met: Met, *, ours: int, theirs: int, stream: int = 1) -> None:
    """A message each way, with these SSNs."""
    await met.association.send(content(1, 5000), stream=stream)
    (received,) = (await met.peer.ask("receive", socket=met.socket))["messages"]
    assert (received["stream"], received["ssn"]) == (stream, ours)
    met.peer.post("send", socket=met.socket, size=3000, seed=2, stream=stream)
    message = await met.association.recv()
    assert (message.stream, message.ssn, message.data) == (stream, theirs, content(2, 3000))
    await met.peer.answer()


def play(meet: Meet, start_usrsctp: StartUsrsctp, scene: Any, config: Any = ALLOWED, allow: int = 7) -> None:
    """The two meet, exchange a message each way, and do what the scene says."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), meet(start_usrsctp(THEIRS, OURS), config, allow=allow) as met:
            assert met.association.reconfigurable
            assert met.association.events is not None  # From here on they are kept.
            await exchange(met, ours=0, theirs=0)
            await scene(met)

    asyncio.run(whole())


@both_ways
@pytest.mark.parametrize("streams", [(), (1, 2)])
def test_we_reset_our_streams(meet: Meet, streams: tuple[int, ...], start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        for _ in range(3):
            met.association.reset_streams(streams)
            assert await next_of(met.association, events.StreamsReset) == events.StreamsReset(True, False, streams)
            event = await theirs(met, "stream_reset")
            assert (event["flags"], tuple(event["streams"])) == (INCOMING, streams)
            await met.association.send(b"x", stream=1)
            (received,) = (await met.peer.ask("receive", socket=met.socket))["messages"]
            assert received["ssn"] == 0

    play(meet, start_usrsctp, scene)


@one_way
@pytest.mark.parametrize("streams", [(), (1, 2)])
def test_usrsctp_resets_its_streams(meet: Meet, streams: tuple[int, ...], start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        for _ in range(3):
            await met.peer.ask("reset", socket=met.socket, outgoing=1, streams=streams)
            # It resets each stream when that has nothing in flight: together, or one after the other.
            event = await next_of(met.association, events.StreamsReset)
            while event.streams and 1 not in event.streams:
                event = await next_of(met.association, events.StreamsReset)
            assert (event.incoming, event.result) == (True, "done")
            assert (await theirs(met, "stream_reset"))["flags"] == OUTGOING
            met.peer.post("send", socket=met.socket, size=3000, stream=1)
            assert (await met.association.recv()).ssn == 0
            await met.peer.answer()
            await asyncio.sleep(0.3)

    play(meet, start_usrsctp, scene)


@both_ways
def test_we_ask_usrsctp_to_reset_its_streams(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        met.association.reset_streams([1], outgoing=False, incoming=True)
        assert await next_of(met.association, events.StreamsReset) == events.StreamsReset(False, True, (1,))
        assert (await theirs(met, "stream_reset"))["flags"] == OUTGOING
        await exchange(met, ours=1, theirs=0)

    play(meet, start_usrsctp, scene)


@both_ways
def test_usrsctp_asks_us_to_reset_our_streams(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        await met.peer.ask("reset", socket=met.socket, incoming=1, streams=[1])
        assert await next_of(met.association, events.StreamsReset) == events.StreamsReset(True, False, (1,))
        await theirs(met, "stream_reset")
        await exchange(met, ours=0, theirs=1)

    play(meet, start_usrsctp, scene)


@both_ways
def test_both_directions_at_once(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        met.association.reset_streams([1], outgoing=True, incoming=True)
        found = {await next_of(met.association, events.StreamsReset) for _ in range(2)}
        assert found == {events.StreamsReset(True, False, (1,)), events.StreamsReset(False, True, (1,))}
        await exchange(met, ours=0, theirs=0)

    play(meet, start_usrsctp, scene)


@both_ways
def test_a_reset_comes_behind_the_messages_from_before(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        met.peer.post("receive", socket=met.socket, count=41)
        for number in range(40):
            await met.association.send(content(number, 20_000), stream=1)
        met.association.reset_streams([1])
        await met.association.send(b"behind", stream=1)
        messages = (await met.peer.answer())["messages"]
        assert [one["ssn"] for one in messages] == [*range(1, 41), 0]

    play(meet, start_usrsctp, scene)


@both_ways
def test_tsns_are_reset_by_us(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        await asyncio.sleep(0.3)  # Nothing is in flight: the last message was acknowledged, however late.
        met.association.reset_association()
        assert (await next_of(met.association, events.AssociationReset)).result == "done"
        assert (await theirs(met, "association_reset"))["flags"] == 0
        for count in range(3):
            await exchange(met, ours=count, theirs=count)

    play(meet, start_usrsctp, scene)


@one_way
def test_tsns_are_reset_by_usrsctp(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        await asyncio.sleep(0.3)
        await met.peer.ask("reset_all", socket=met.socket)
        assert (await next_of(met.association, events.AssociationReset)).result == "done"
        assert (await theirs(met, "association_reset"))["flags"] == 0
        # usrsctp 0.9.5 takes our TSN for the last of its own that was acknowledged. Where that lies ahead, it takes no
        # more SACKs: with more than this it would stall, depending on the Initial TSNs.
        await exchange(met, ours=0, theirs=0)

    play(meet, start_usrsctp, scene)


@both_ways
def test_we_add_streams(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        before = await met.peer.ask("status", socket=met.socket)
        outbound = met.association.outbound_streams
        met.association.add_streams(outgoing=3)
        event = await next_of(met.association, events.StreamsAdded)
        assert (event.outbound, event.result) == (outbound + 3, "done")
        assert (await met.peer.ask("status", socket=met.socket))["inbound"] == before["inbound"] + 3
        await met.association.send(b"x", stream=outbound + 2)
        (received,) = (await met.peer.ask("receive", socket=met.socket))["messages"]
        assert (received["stream"], received["ssn"]) == (outbound + 2, 0)

    play(meet, start_usrsctp, scene)


@both_ways
def test_we_ask_usrsctp_for_more_of_its_streams(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        inbound = met.association.inbound_streams
        met.association.add_streams(incoming=2)
        event = await next_of(met.association, events.StreamsAdded)
        assert (event.inbound, event.result) == (inbound + 2, "done")
        await theirs(met, "stream_change")  # Our answer is there, and usrsctp sends on the new streams.
        met.peer.post("send", socket=met.socket, size=10, stream=inbound + 1)
        assert (await met.association.recv()).stream == inbound + 1
        await met.peer.answer()

    play(meet, start_usrsctp, scene)


@both_ways
def test_usrsctp_adds_streams_and_asks_us_for_more_of_ours(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        inbound, outbound = met.association.inbound_streams, met.association.outbound_streams
        await met.peer.ask("add", socket=met.socket, outgoing=2)
        assert (await next_of(met.association, events.StreamsAdded)).inbound == inbound + 2
        await theirs(met, "stream_change")
        await met.peer.ask("add", socket=met.socket, incoming=4)
        assert (await next_of(met.association, events.StreamsAdded)).outbound == outbound + 4
        await theirs(met, "stream_change")
        await exchange(met, ours=0, theirs=0, stream=min(inbound + 1, outbound + 3))
        # Nothing is left that either side would ask for again.
        await met.peer.ask("add", socket=met.socket, incoming=1)
        assert (await next_of(met.association, events.StreamsAdded)).outbound == outbound + 5

    play(meet, start_usrsctp, scene)


@one_way
def test_each_denies_what_it_does_not_allow(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene(met: Met) -> None:
        met.association.reset_streams([1])
        assert (await next_of(met.association, events.StreamsReset)).result == "denied"
        met.association.add_streams(outgoing=1)
        assert (await next_of(met.association, events.StreamsAdded)).result == "denied"
        met.association.reset_association()
        assert (await next_of(met.association, events.AssociationReset)).result == "denied"
        await met.peer.ask("reset", socket=met.socket, outgoing=1, streams=[1])
        assert (await theirs(met, "stream_reset"))["flags"] == OUTGOING | DENIED
        await asyncio.sleep(0.3)
        await met.peer.ask("add", socket=met.socket, outgoing=1)
        assert (await theirs(met, "stream_change"))["flags"] == DENIED
        await asyncio.sleep(0.3)
        await met.peer.ask("reset_all", socket=met.socket)
        assert (await theirs(met, "association_reset"))["flags"] == DENIED
        await exchange(met, ours=1, theirs=1)

    play(meet, start_usrsctp, scene, sctpx.AssociationConfig(), 0)
