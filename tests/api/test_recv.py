"""``Association.recv``, ``recv_many`` and iteration: order, turns, cancellation, the end."""

from __future__ import annotations

import asyncio

import pytest

import sctpx
from tests.api.support import associated, recv_whole, until

NARROW = sctpx.AssociationConfig(receive_buffer=8192)


async def test_messages_come_one_at_a_time_in_order() -> None:
    async with associated() as (a, b):
        await a.send_many([b"%d" % number for number in range(10)])
        assert [int((await b.recv()).data) for _ in range(10)] == list(range(10))


async def test_everything_that_is_ready_comes_at_once() -> None:
    async with associated() as (a, b):
        await a.send_many([b"%d" % number for number in range(10)])
        await until(lambda: b.readable == 10)
        messages = await b.recv_many()
        assert [int(message.data) for message in messages] == list(range(10))
        assert all(isinstance(message, sctpx.Message) for message in messages)


async def test_a_limit_leaves_the_rest_for_the_next_call() -> None:
    async with associated() as (a, b):
        await a.send_many([b"%d" % number for number in range(5)])
        await until(lambda: b.readable == 5)
        assert [[int(m.data) for m in await b.recv_many(limit)] for limit in (2, 2, 2)] == [[0, 1], [2, 3], [4]]


async def test_a_message_is_a_tuple_with_names() -> None:
    async with associated() as (a, b):
        await a.send(b"data", stream=2, ppid=46)
        message = await b.recv()
        data, stream, ppid, *_ = message
        assert (data, stream, ppid) == (message.data, message.stream, message.ppid) == (b"data", 2, 46)
        assert repr(message).startswith("Message(data=b'data', stream=2, ppid=46, ssn=0, ")


async def test_iteration_ends_with_the_association() -> None:
    async with associated() as (a, b):
        await a.send_many([b"one", b"two", b"three"])
        await a.shutdown()
        assert [message.data async for message in b] == [b"one", b"two", b"three"]


async def test_what_had_arrived_is_read_before_the_end_is_told() -> None:
    async with associated() as (a, b):
        await a.send(b"last")
        await a.shutdown()
        assert (await b.recv()).data == b"last"
        with pytest.raises(EOFError):
            await b.recv()
        with pytest.raises(sctpx.AssociationClosed):
            await b.recv()
        assert await b.recv_many() == []


async def test_what_had_arrived_can_be_read_after_an_abort_too() -> None:
    async with associated() as (a, b):
        await a.send(b"last")
        await until(lambda: b.readable == 1)
        a.abort()
        await b.wait_closed()
        assert (await b.recv()).data == b"last"
        with pytest.raises(ConnectionResetError):
            await b.recv()
        with pytest.raises(ConnectionResetError):
            await b.recv_many()


async def test_callers_that_wait_are_served_in_order() -> None:
    async with associated() as (a, b):
        waiting = [asyncio.create_task(b.recv()) for _ in range(5)]
        await asyncio.wait(waiting, timeout=0)
        await a.send_many([b"%d" % number for number in range(5)])
        assert [int(message.data) for message in await asyncio.gather(*waiting)] == list(range(5))


@pytest.mark.blind_loop  # Elsewhere whoever is woken has run before anybody else can look.
async def test_whoever_comes_later_does_not_get_ahead_of_who_was_woken() -> None:
    async with associated() as (a, b):
        order: list[str] = []

        async def read(name: str) -> None:
            message = await b.recv()
            order.append(f"{name} {message.data.decode()}")

        waiting = asyncio.create_task(read("waiting"))
        await asyncio.wait([waiting], timeout=0)
        await a.send_many([b"one", b"two"])
        await until(lambda: b.readable == 2)
        await asyncio.gather(read("late"), waiting)
        assert order == ["waiting one", "late two"]


async def test_a_cancelled_recv_leaves_the_message() -> None:
    async with associated() as (a, b):
        waiting = asyncio.create_task(b.recv())
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        await a.send(b"kept")
        assert (await b.recv()).data == b"kept"
        await asyncio.wait([waiting])
        assert waiting.cancelled()


@pytest.mark.blind_loop
async def test_a_recv_cancelled_when_its_message_has_come_passes_it_on() -> None:
    async with associated() as (a, b):
        first, second = asyncio.create_task(b.recv()), asyncio.create_task(b.recv())
        await asyncio.wait([first, second], timeout=0)
        await a.send(b"one")
        await until(lambda: b.readable)
        first.cancel()  # It was woken in this very step of the loop, and has not run since.
        assert (await second).data == b"one"
        assert first.cancelled()


async def test_a_time_limit_on_recv_loses_nothing() -> None:
    async with associated() as (a, b):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await b.recv()
        await a.send(b"later")
        assert (await b.recv()).data == b"later"


async def test_all_callers_that_wait_are_told_of_the_end() -> None:
    async with associated() as (a, b):
        waiting = [asyncio.create_task(b.recv_many()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0)
        await a.shutdown()
        assert await asyncio.gather(*waiting) == [[], [], []]


async def test_all_callers_that_wait_are_told_of_an_abort() -> None:
    async with associated() as (a, b):
        waiting = [asyncio.create_task(b.recv()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0)
        a.abort("no more")
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [sctpx.AssociationAborted] * 3


async def test_a_peer_that_nobody_reads_from_is_stopped_by_the_window() -> None:
    small = sctpx.AssociationConfig(send_buffer=8192)
    async with associated(config=small, server={"config": NARROW}) as (a, b):
        messages = (bytes(1000) for _ in range(100))
        sending = asyncio.create_task(a.send_many(messages))
        await until(lambda: a.send_space <= 0 and b.stats.bytes_received > 7000)
        assert not sending.done()
        assert b.stats.bytes_received <= 2 * NARROW.receive_buffer
        received = 0
        while received < 100:
            received += len(await b.recv_many(3))
        assert await sending == 100


async def test_a_message_larger_than_the_receive_buffer_comes_in_parts() -> None:
    data = bytes(index % 251 for index in range(50_000))
    async with associated(server={"config": NARROW}) as (a, b):
        sending = asyncio.create_task(a.send(data, stream=1, ppid=9))
        parts = [await b.recv()]
        while parts[-1].more:
            parts.append(await b.recv())
        await sending
        assert len(parts) > 5
        assert b"".join(part.data for part in parts) == data
        assert {(part.stream, part.ppid) for part in parts} == {(1, 9)}


async def test_both_directions_work_at_once() -> None:
    count = 200
    async with associated() as (a, b):

        async def echo() -> None:
            async for message in b:
                await b.send(message.data, stream=message.stream)

        echoing = asyncio.create_task(echo())
        sending = asyncio.create_task(a.send_many((b"%d" % n * 400, n % 10) for n in range(count)))
        received: dict[int, list[bytes]] = {}
        for _ in range(count):
            message = await a.recv()
            received.setdefault(message.stream, []).append(message.data)
        await sending
        await a.shutdown()
        await echoing
        expected = {s: [b"%d" % n * 400 for n in range(s, count, 10)] for s in range(10)}
        assert received == expected


async def test_ten_megabytes_arrive_undamaged() -> None:
    blocks = [bytes([number]) * 100_000 for number in range(100)]
    async with associated() as (a, b):
        sending = asyncio.create_task(a.send_many(blocks))
        for block in blocks:
            assert await recv_whole(b) == block
        await sending


async def test_fewer_messages_than_none_are_the_callers_mistake() -> None:
    async with associated() as (a, b):
        await a.send(b"x")
        with pytest.raises(OSError, match="-1 messages"):
            await b.recv_many(-1)
        assert (await b.recv()).data == b"x"
