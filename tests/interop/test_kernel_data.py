"""sctpx and a Linux kernel: every byte arrives, in its message, stream and order, also when there is no room for it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable

import pytest

from tests.interop.conftest import Figure
from tests.interop.kernel_peer.meeting import Meet, Met, both_ways, receive_whole, they_connect, ways, we_connect
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Data", api="asyncio")
SIZES = [1, 2, 3, 4, 1000, 1440, 1452, 1453, 65536, 1 << 20]
MIB = 1 << 20


@both_ways
@ways()
async def test_messages_of_all_sizes_arrive_whole_in_both_directions(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        for seed, size in enumerate(SIZES):
            await met.association.send(content(seed, size), stream=3, ppid=60)
            [received] = (await kernel.ask("receive", socket=met.socket))["messages"]
            assert (received["size"], received["stream"], received["ppid"]) == (size, 3, 60)
            assert received["sha256"] == digest(content(seed, size))

            kernel.post("send", socket=met.socket, size=size, seed=seed + 100, stream=4, ppid=61)
            message = await receive_whole(met.association)
            await kernel.answer()
            assert (message.stream, message.ppid, message.unordered) == (4, 61, False)
            assert message.data == content(seed + 100, size)


@both_ways
@ways(2)
async def test_a_thousand_messages_on_a_thousand_streams_keep_them(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    config = {"streams": 1000}
    async with meet(kernel, way, config, config) as met:
        assert met.association.outbound_streams == met.association.inbound_streams == 1000
        kernel.post("receive", socket=met.socket, count=1000)
        await met.association.send_many((content(i, 1 + i), i, i, False) for i in range(1000))
        messages = (await kernel.answer())["messages"]
        assert sorted(message["stream"] for message in messages) == list(range(1000))
        assert all(message["sha256"] == digest(content(message["ppid"], message["size"])) for message in messages)


@both_ways
@ways(2)
async def test_messages_keep_their_order_in_each_stream(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        kernel.post("receive", socket=met.socket, count=500)
        await met.association.send_many((content(i, 1 + i), i % 10, i, False) for i in range(500))
        messages = (await kernel.answer())["messages"]
        for stream in range(10):
            here = [message for message in messages if message["stream"] == stream]
            assert [message["ppid"] for message in here] == list(range(stream, 500, 10))
            assert [message["ssn"] for message in here] == list(range(50))
        kernel.post("source", socket=met.socket, size=700, count=200)
        assert [(await met.association.recv()).data for _ in range(200)] == [content(i, 700) for i in range(200)]
        await kernel.answer()


@both_ways
@ways(2)
async def test_unordered_messages_are_marked_as_such_on_both_sides(meet: Meet, way: Way, kernel: KernelPeer) -> None:
    async with meet(kernel, way) as met:
        await met.association.send(content(1, 5000), unordered=True)
        [received] = (await kernel.ask("receive", socket=met.socket))["messages"]
        assert received["unordered"]
        assert received["sha256"] == digest(content(1, 5000))
        await kernel.ask("send", socket=met.socket, size=5000, seed=2, unordered=True)
        message = await met.association.recv()
        assert message.unordered
        assert message.data == content(2, 5000)


@pytest.mark.matrix(who="sctpx")
@ways(2)
async def test_a_bulk_transfer_to_the_kernel_arrives(way: Way, kernel: KernelPeer, figure: Figure) -> None:
    async with we_connect(kernel, way) as met:
        figure("throughput", await bulk_to_the_kernel(met, 8 * MIB), "MB/s")


@pytest.mark.matrix(who="sctpx")
@ways(2)
async def test_a_bulk_transfer_from_the_kernel_arrives(way: Way, kernel: KernelPeer, figure: Figure) -> None:
    async with we_connect(kernel, way) as met:
        figure("throughput", await bulk_from_the_kernel(met, 8 * MIB), "MB/s")


async def bulk_to_the_kernel(met: Met, size: int, each: int = 1 << 16) -> float:
    """Send so many bytes, compare their hash: megabytes a second."""
    digest_of_all = hashlib.sha256()
    met.peer.post("sink", socket=met.socket, size=size)
    begin = time.monotonic()
    for seed in range(size // each):
        data = content(seed % 8, each)
        digest_of_all.update(data)
        await met.association.send(data)
    received = await met.peer.answer()
    assert (received["bytes"], received["sha256"]) == (size, digest_of_all.hexdigest())
    return size / (time.monotonic() - begin) / 1e6


async def bulk_from_the_kernel(met: Met, size: int, each: int = 1 << 16) -> float:
    """Receive so many bytes, compare them: megabytes a second."""
    met.peer.post("source", socket=met.socket, size=each, count=size // each)
    begin = time.monotonic()
    for seed in range(size // each):
        assert (await receive_whole(met.association)).data == content(seed, each)
    await met.peer.answer()
    return size / (time.monotonic() - begin) / 1e6


async def at_rest(value: Callable[[], int]) -> None:
    """Wait until a value does not change for some time."""
    before = -1
    while before != (now := value()):
        before = now
        await asyncio.sleep(0.3)


@pytest.mark.matrix(who="sctpx")
@ways(1)
async def test_a_kernel_that_does_not_read_closes_its_window_and_opens_it_again(
    way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    """More than its buffer waits at our side meanwhile."""
    async with we_connect(kernel, way, {"send_buffer": 8 * MIB}, {"receive_buffer": 128 << 10}) as met:
        for seed in range(32):
            await met.association.send(content(seed, 1 << 16))
        await at_rest(lambda: met.association.stats.packets_sent)
        begin = time.monotonic()
        received = await kernel.ask("sink", socket=met.socket, size=2 * MIB)
        expected = hashlib.sha256(b"".join(content(seed, 1 << 16) for seed in range(32)))
        assert (received["bytes"], received["sha256"]) == (2 * MIB, expected.hexdigest())
        figure("2 MiB once it reads", time.monotonic() - begin, "s")


@pytest.mark.matrix(who="the peer")
@ways(1)
async def test_we_do_not_read_and_the_kernel_waits_for_our_window(way: Way, kernel: KernelPeer, figure: Figure) -> None:
    async with they_connect(kernel, way, {"receive_buffer": 128 << 10}, {"send_buffer": 4 * MIB}) as met:
        kernel.call("source", socket=met.socket, size=1 << 15, count=64)
        await at_rest(lambda: met.association.readable)
        assert met.association.readable < 64
        begin = time.monotonic()
        for seed in range(64):
            assert (await receive_whole(met.association)).data == content(seed, 1 << 15)
        figure("2 MiB once we read", time.monotonic() - begin, "s")


@pytest.mark.matrix(who="sctpx")
@ways(1)
async def test_messages_larger_than_the_buffer_of_a_kernel_that_reads_arrive_without_stalls(
    way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    """Linux leaves a window of a few hundred bytes, and may send no update when more of it opens."""
    async with we_connect(kernel, way, {"send_buffer": 8 * MIB}, {"receive_buffer": 256 << 10}) as met:
        kernel.post("sink", socket=met.socket, size=6 * MIB)
        begin = time.monotonic()
        for seed in range(6):
            await met.association.send(content(seed, MIB))
        received = await kernel.answer()
        expected = hashlib.sha256(b"".join(content(seed, MIB) for seed in range(6)))
        assert (received["bytes"], received["sha256"]) == (6 * MIB, expected.hexdigest())
        figure("6 x 1 MiB in", time.monotonic() - begin, "s")
