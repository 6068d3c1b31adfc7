"""``shutdown``, ``close``, ``wait_closed`` and leaving the context: ending in good manners."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from tests.api.support import QUICK, associated, cuttable, linux_only

NARROW = sctpx.AssociationConfig(receive_buffer=8192)


async def test_everything_that_was_sent_is_delivered_first() -> None:
    async with associated() as (a, b):
        await a.send_many(b"%0100d" % number for number in range(5000))
        ending = asyncio.create_task(a.shutdown())
        assert [int(message.data) async for message in b] == list(range(5000))
        await ending
        assert a.ended
        assert a.state == "CLOSED"


async def test_both_sides_can_shut_down_at_once() -> None:
    async with associated() as (a, b):
        await asyncio.gather(a.shutdown(), b.shutdown())
        assert a.ended
        assert b.ended


async def test_shutting_down_twice_is_like_once() -> None:
    async with associated() as (a, b):
        await asyncio.gather(a.shutdown(), a.shutdown(), a.close())
        await a.shutdown()
        await a.close()
        await b.wait_closed()


async def test_what_the_peer_had_sent_can_be_read_while_shutting_down() -> None:
    async with associated() as (a, b):
        await b.send_many([b"one", b"two"])
        await a.shutdown()
        assert [message.data async for message in a] == [b"one", b"two"]


async def test_the_peer_learns_of_the_end_once_it_has_read_everything() -> None:
    async with associated() as (a, b):
        stream = b.events
        await a.send(b"last")
        await a.shutdown()
        await b.wait_closed()
        kinds = [type(event) async for event in stream]
        assert kinds == [sctpx.events.PeerShutdown, sctpx.events.ShutdownComplete]
        assert (await b.recv()).data == b"last"


async def test_shutdown_tells_of_an_abort_that_came_instead() -> None:
    async with associated(server={"config": NARROW}) as (a, b):
        await a.send(bytes(20_000))
        ending = asyncio.create_task(a.shutdown())
        await asyncio.wait([ending], timeout=0)
        b.abort("too much")
        with pytest.raises(sctpx.AssociationAborted, match="too much"):
            await ending


async def test_a_shutdown_that_takes_too_long_becomes_an_abort() -> None:
    async with associated(close_timeout=0.05, server={"config": NARROW}) as (a, b):
        await a.send(bytes(20_000))  # More than b takes without anybody reading.
        await a.close()
        assert a.ended
        await b.wait_closed()
        while b.readable:
            await b.recv()
        with pytest.raises(sctpx.AssociationAborted, match="the shutdown took too long"):
            await b.recv()


async def test_a_close_that_is_cancelled_aborts() -> None:
    async with associated(server={"config": NARROW}) as (a, b):
        await a.send(bytes(20_000))
        closing = asyncio.create_task(a.close())
        await asyncio.wait([closing], timeout=0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert a.ended
        await b.wait_closed()


async def test_a_wait_for_the_end_can_be_cancelled_and_changes_nothing() -> None:
    async with associated() as (a, b):
        waiting = asyncio.create_task(a.wait_closed())
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await a.send(b"still up")
        assert (await b.recv()).data == b"still up"


async def test_leaving_the_context_because_the_peer_has_shut_down_is_graceful() -> None:
    async with associated() as (a, b):

        async def read_on() -> None:
            async with b:
                while True:
                    await b.recv()

        reading = asyncio.create_task(read_on())
        await a.shutdown()
        with pytest.raises(sctpx.AssociationClosed):
            await reading


async def test_entering_an_association_gives_the_association() -> None:
    async with associated() as (a, b):
        async with a as entered:
            assert entered is a
        assert a.ended
        await b.wait_closed()


@linux_only
async def test_closing_against_a_silent_peer_ends_with_its_timeout() -> None:
    link = cuttable("127.0.0.9")
    async with associated("127.0.0.2", link=link, close_timeout=0.05) as (a, _):
        link.cut("127.0.0.2")
        await a.close()
        assert a.ended


@linux_only
async def test_a_peer_that_falls_silent_is_lost() -> None:
    link = cuttable("127.0.0.9")
    async with associated("127.0.0.2", link=link, config=QUICK) as (a, _):
        link.cut("127.0.0.2")
        await a.send(b"anybody there?")
        with pytest.raises(sctpx.AssociationLost) as caught:
            await a.shutdown()
        assert caught.value.errno == errno.ETIMEDOUT
