"""``Association.send`` and ``send_many``: what gets there, what waits, what is refused."""

from __future__ import annotations

import asyncio
import errno
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

import sctpx
from tests.api.support import QUICK, associated, cuttable, linux_only, raises_errno, recv_whole

SMALL_BUFFER = sctpx.AssociationConfig(send_buffer=10_000)


NARROW = sctpx.AssociationConfig(receive_buffer=8192)


async def fill(association: sctpx.Association, size: int = 1000) -> int:
    """Send messages of this size until the peer takes no more and the next one would wait; how many it took."""
    count = turns = 0
    while turns < 20:
        while association.send_space > 0:
            await association.send(bytes(size))
            count += 1
            turns = 0
        await asyncio.sleep(0)  # What is on its way is acknowledged.
        turns += 1
    return count


# --- what gets there ---


@pytest.mark.one_loop
@pytest.mark.parametrize("size", [1, 2, 1450, 1452, 1453, 65_536, 500_000, 1 << 20])
async def test_a_message_arrives_whole_whatever_its_size(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    async with associated() as (a, b):
        sending = asyncio.create_task(a.send(data))
        assert await recv_whole(b) == data
        await sending


async def test_a_message_keeps_its_stream_its_ppid_and_its_order() -> None:
    async with associated() as (a, b):
        await a.send(b"one", stream=3, ppid=60)
        await a.send(b"two", stream=3, ppid=0xFFFFFFFF)
        await a.send(b"loose", stream=4, unordered=True)
        messages = [await b.recv() for _ in range(3)]
        assert [(m.data, m.stream, m.ppid, m.ssn, m.unordered, m.more) for m in messages] == [
            (b"one", 3, 60, 0, False, False),
            (b"two", 3, 0xFFFFFFFF, 1, False, False),
            (b"loose", 4, 0, messages[2].ssn, True, False),
        ]
        assert messages[1].tsn == messages[0].tsn + 1


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), array("B", b"bytes")])
async def test_everything_made_of_bytes_can_be_sent(data: Any) -> None:
    async with associated() as (a, b):
        await a.send(data)
        assert (await b.recv()).data == b"bytes"


async def test_changing_a_buffer_afterwards_changes_nothing_that_was_sent() -> None:
    async with associated(config=SMALL_BUFFER) as (a, b):
        buffer = bytearray(20_000)
        await a.send(buffer)
        buffer[:] = b"x" * len(buffer)
        assert (await b.recv()).data == bytes(20_000)


async def test_a_message_has_left_when_send_returns() -> None:
    async with associated() as (a, _):
        before = a.stats.packets_sent
        await a.send(b"now")
        assert a.stats.packets_sent == before + 1


async def test_an_acknowledgement_can_be_asked_for_at_once() -> None:
    late = sctpx.AssociationConfig(sack_delay=0.5)
    async with associated(server={"config": late}) as (a, b):
        await a.send(b"acknowledge me", immediate=True)
        await b.recv()
        async with asyncio.timeout(0.4):
            assert isinstance(await anext(a.events), sctpx.events.SenderDry)


@linux_only
async def test_a_message_can_be_sent_to_another_address_than_the_primary_one() -> None:
    async with associated(["127.0.0.2", "127.0.0.3"]) as (a, b):
        await a.send(b"over there", address="127.0.0.3")
        assert (await b.recv()).data == b"over there"
        sent = {path.remote: path.packets_sent for path in a.paths}
        assert sent["127.0.0.3"] == 1


async def test_many_messages_go_in_one_call() -> None:
    async with associated() as (a, b):
        assert await a.send_many([b"data", (b"stream", 1), (b"ppid", 2, 46), (b"loose", 3, 47, True), (b"alone",)]) == 5
        received = [await b.recv() for _ in range(5)]
        assert [(m.data, m.stream, m.ppid, m.unordered) for m in received] == [
            (b"data", 0, 0, False),
            (b"stream", 1, 0, False),
            (b"ppid", 2, 46, False),
            (b"loose", 3, 47, True),
            (b"alone", 0, 0, False),
        ]


async def test_what_was_received_can_be_passed_on_as_it_is() -> None:
    async with associated() as (a, b):
        await a.send_many([(b"one", 1, 60), (b"two", 2, 61, True)])
        taken = [await b.recv(), await b.recv()]
        await b.send_many(taken)
        back = [await a.recv(), await a.recv()]
        assert [(m.data, m.stream, m.ppid, m.unordered) for m in back] == [
            (b"one", 1, 60, False),
            (b"two", 2, 61, True),
        ]


async def test_tens_of_thousands_of_small_messages_arrive_in_order() -> None:
    count = 30_000
    async with associated() as (a, b):
        sending = asyncio.create_task(a.send_many(b"%063d" % number for number in range(count)))
        received: list[sctpx.Message] = []
        while len(received) < count:
            received += await b.recv_many()
        assert await sending == count
        assert [int(message.data) for message in received] == list(range(count))


# --- what waits ---


async def test_send_waits_while_the_send_buffer_is_full() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sent = await fill(a)
        waiting = asyncio.create_task(a.send(b"last"))
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()
        received = [await b.recv() for _ in range(sent)]
        await waiting
        assert [len(message.data) for message in received] == [1000] * sent
        assert (await b.recv()).data == b"last"


async def test_a_message_larger_than_the_send_buffer_is_taken_when_there_is_any_room() -> None:
    async with associated(config=SMALL_BUFFER) as (a, b):
        await a.send(bytes(100_000))
        assert a.send_space < 0
        assert len(await recv_whole(b)) == 100_000


async def test_senders_that_wait_are_served_in_order() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sent = await fill(a)
        waiting = [asyncio.create_task(a.send(b"%d" % number)) for number in range(20)]
        await asyncio.wait(waiting, timeout=0)
        for _ in range(sent):
            await b.recv()
        assert [int((await b.recv()).data) for _ in range(20)] == list(range(20))
        await asyncio.gather(*waiting)


async def test_a_cancelled_send_was_not_queued_at_all() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sent = await fill(a)
        waiting = [asyncio.create_task(a.send(name)) for name in (b"first", b"cancelled", b"third")]
        await asyncio.wait(waiting, timeout=0)
        waiting[1].cancel()
        for _ in range(sent):
            await b.recv()
        assert [(await b.recv()).data for _ in range(2)] == [b"first", b"third"]
        with pytest.raises(asyncio.CancelledError):
            await waiting[1]
        await asyncio.gather(waiting[0], waiting[2])


async def test_a_sender_cancelled_when_its_turn_has_come_passes_it_on() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sent = await fill(a)
        first, second = (asyncio.create_task(a.send(name)) for name in (b"first", b"second"))
        await asyncio.wait([first, second], timeout=0)
        read = 0
        while a.send_space <= 0:
            read += len(await b.recv_many())
            await asyncio.sleep(0)
        first.cancel()
        await second
        while read < sent:
            read += len(await b.recv_many(sent - read))
        received = await b.recv()
        if received.data == b"first":  # It had run before the cancellation could reach it.
            received = await b.recv()
        assert received.data == b"second"
        await asyncio.wait([first])


async def test_sending_many_that_is_cancelled_can_be_resumed_with_the_same_iterator() -> None:
    numbers = iter(range(1000))

    def messages() -> Iterator[bytes]:
        for number in numbers:
            yield b"%0100d" % number

    remaining = messages()
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sending = asyncio.create_task(a.send_many(remaining))
        await asyncio.wait([sending], timeout=0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        sending = asyncio.create_task(a.send_many(remaining))
        received: list[int] = []
        while len(received) < 1000:
            received += [int(message.data) for message in await b.recv_many()]
        await sending
        assert received == list(range(1000))


async def test_two_that_send_many_both_get_everything_through() -> None:
    def messages(stream: int) -> Iterator[tuple[bytes, int]]:
        return ((b"%0100d" % number, stream) for number in range(500))

    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sending = [asyncio.create_task(a.send_many(messages(stream))) for stream in (1, 2)]
        received: dict[int, list[int]] = {1: [], 2: []}
        while len(received[1]) + len(received[2]) < 1000:
            for message in await b.recv_many():
                received[message.stream].append(int(message.data))
        await asyncio.gather(*sending)
        assert received == {1: list(range(500)), 2: list(range(500))}


async def test_senders_that_wait_are_told_when_the_association_ends() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        await fill(a)
        waiting = [asyncio.create_task(a.send(b"x")) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0)
        b.abort("enough")
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [sctpx.AssociationAborted] * 3


async def test_senders_that_wait_are_told_when_this_side_shuts_down() -> None:
    async with associated(config=SMALL_BUFFER, server={"config": NARROW}) as (a, b):
        sent = await fill(a)
        waiting = [asyncio.create_task(a.send(b"x")) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0)
        ending = asyncio.create_task(a.shutdown())
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [BrokenPipeError] * 3
        assert len([message async for message in b]) == sent
        await ending


# --- what is refused ---


async def test_a_callers_mistake_raises_and_changes_nothing() -> None:
    async with associated(streams=4) as (a, b):
        for options in ({"stream": 4}, {"stream": -1}, {"ppid": 1 << 32}, {"ppid": -1}, {"address": "192.0.2.1"}):
            with raises_errno(errno.EINVAL):
                await a.send(b"x", **options)
        with raises_errno(errno.EINVAL, "empty"):
            await a.send(b"")
        with raises_errno(errno.EINVAL, "not an IP address"):
            await a.send(b"x", address="somewhere")
        with pytest.raises(TypeError, match="str"):
            await a.send("text")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="tuple of 5"):
            await a.send_many([(b"x", 0, 0, False, 1)])  # type: ignore[list-item]
        assert a.stats.messages_sent == 0
        await a.send(b"good")
        assert (await b.recv()).data == b"good"


async def test_a_message_has_a_largest_size() -> None:
    async with associated(config=sctpx.AssociationConfig(max_message_size=1000)) as (a, b):
        with raises_errno(errno.EMSGSIZE):
            await a.send(bytes(1001))
        await a.send(bytes(1000))
        assert len((await b.recv()).data) == 1000


async def test_what_was_queued_before_a_mistake_among_many_is_sent() -> None:
    async with associated(streams=2) as (a, b):
        with raises_errno(errno.EINVAL):
            await a.send_many([b"good", (b"bad", 2), b"never"])
        assert (await b.recv()).data == b"good"


async def test_nothing_can_be_sent_after_shutdown_or_after_the_end() -> None:
    async with associated() as (a, b):
        await a.shutdown()
        for association in (a, b):
            with pytest.raises(BrokenPipeError):
                await association.send(b"late")
            with pytest.raises(BrokenPipeError):
                await association.send_many([b"late"])


@linux_only
async def test_sending_to_a_peer_that_was_lost_says_so() -> None:
    link = cuttable("127.0.0.9")
    async with associated("127.0.0.2", link=link, config=QUICK) as (a, _):
        link.cut("127.0.0.2")
        await a.send(b"into the void")
        with pytest.raises(sctpx.AssociationLost):
            await a.recv()
        with pytest.raises(TimeoutError):
            await a.send(b"more")


@pytest.mark.parametrize("how", [{"ppid": 1.5}, {"stream": 0.0}, {"stream": "1"}])
async def test_a_number_that_is_none_is_refused_and_nothing_is_queued(how: dict[str, Any]) -> None:
    async with associated() as (a, b):
        with pytest.raises(TypeError):
            await a.send(b"x", **how)
        await a.send(b"y")
        assert (await b.recv()).data == b"y"
