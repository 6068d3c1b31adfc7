"""``Association.events`` and ``on_event``: what an association tells of itself."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from sctpx import events
from sctpx.aio.event_stream import EVENTS_KEPT
from tests.api.support import HOST, PORT, QUICK, associated, closed_udp_port, cuttable, linux_only, silent, until


async def test_a_callback_hears_of_everything_from_the_beginning() -> None:
    heard: list[tuple[sctpx.Association, events.Event]] = []
    async with associated(on_event=lambda *told: heard.append(told)) as (a, b):
        await a.send(b"x")
        await b.recv()
        await a.shutdown()
        await asyncio.sleep(0)
    assert [event for _, event in heard] == [
        events.CommunicationUp(incoming=False),
        events.SenderDry(),
        events.ShutdownComplete(),
    ]
    assert {association for association, _ in heard} == {a}


async def test_a_servers_callback_hears_of_all_its_associations() -> None:
    heard: list[tuple[sctpx.Association, events.Event]] = []
    async with associated(server={"on_event": lambda *told: heard.append(told)}) as (a, b):
        await asyncio.sleep(0)
        assert heard == [(b, events.CommunicationUp(incoming=True))]
        a.abort("because")
        await b.wait_closed()
        await asyncio.sleep(0)
        assert heard[1:] == [(b, events.CommunicationLost(errno.ECONNRESET, True, ((12, b"because"),)))]


async def test_a_callback_can_be_set_later_and_may_use_the_association() -> None:
    async with associated() as (a, b):
        b.on_event = lambda association, _: association.abort("seen")
        await a.shutdown()
        await b.wait_closed()
        await asyncio.sleep(0)


async def test_a_failed_attempt_is_told_too() -> None:
    heard: list[events.Event] = []
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), pytest.raises(TimeoutError):
        await sctpx.connect(
            HOST, PORT, peer_udp_port=udp_port, timeout=0.01, on_event=lambda _, event: heard.append(event)
        )
    await asyncio.sleep(0)
    assert heard == [events.CannotStart(errno.ETIMEDOUT, ())]


async def test_the_stream_ends_with_the_association() -> None:
    async with associated() as (a, b):
        stream = b.events
        a.abort()
        assert [type(event) async for event in stream] == [events.CommunicationLost]
        assert [event async for event in b.events] == []


async def test_the_stream_of_an_association_that_is_over_is_empty() -> None:
    async with associated() as (a, _):
        a.abort()
        assert [event async for event in a.events] == []


async def test_several_that_wait_for_events_get_one_each_in_order() -> None:
    async with associated() as (a, b):
        waiting = [asyncio.create_task(anext(b.events, None)) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0)
        await a.shutdown()
        assert await asyncio.gather(*waiting) == [events.PeerShutdown(), events.ShutdownComplete(), None]


async def test_a_wait_for_an_event_can_be_cancelled() -> None:
    async with associated() as (a, b):
        waiting = asyncio.create_task(anext(b.events))
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        await a.shutdown()
        assert [type(event) async for event in b.events] == [events.PeerShutdown, events.ShutdownComplete]


async def test_events_that_nobody_takes_are_dropped_from_the_oldest_and_counted() -> None:
    async with associated() as (a, b):
        stream = a.events
        for _ in range(EVENTS_KEPT + 5):
            await a.send(b"x", immediate=True)
            await b.recv()
            await until(lambda: a.stats.sacks_received == a.stats.messages_sent)
        a.abort()
        assert stream.lost > 0
        kept = [event async for event in stream]
        assert len(kept) == EVENTS_KEPT
        assert isinstance(kept[-1], events.CommunicationLost)


@linux_only
async def test_paths_that_fail_and_come_back_are_told() -> None:
    link = cuttable("127.0.0.8", "127.0.0.9")
    hosts = ["127.0.0.2", "127.0.0.3"]
    async with associated(hosts, link=link, config=QUICK, server={"config": QUICK}) as (a, _):
        stream = a.events
        link.cut("127.0.0.3")
        states = []
        async for event in stream:
            if isinstance(event, events.PathStateChanged) and event.address == "127.0.0.3":
                states.append(event.state)
                if event.state == "inactive":
                    link.heal()
                if event.state == "active":
                    break
        assert states == ["potentially failed", "inactive", "active"]


@linux_only
async def test_an_address_that_was_not_listed_is_confirmed_by_a_heartbeat() -> None:
    async with associated("127.0.0.2", server={"local": ["127.0.0.2", "127.0.0.3"]}, config=QUICK) as (a, _):
        stream = a.events
        assert [(path.remote, path.confirmed) for path in a.paths] == [("127.0.0.2", True), ("127.0.0.3", False)]
        assert await anext(stream) == events.PathConfirmed("127.0.0.3")
        assert all(path.confirmed for path in a.paths)
