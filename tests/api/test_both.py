"""What asyncio, sockets and simulated sockets have in common: each test runs on all of them."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from tests.api.sides import Api, Side, ends
from tests.api.support import PORT, linux_only, raises_errno

TWO = ["127.0.0.2", "127.0.0.3"]


async def recv_whole(side: Side) -> bytes:
    """A message, put together if it comes in parts."""
    parts = []
    more = True
    while more:
        part = await side.recv()
        assert part is not None
        parts.append(part.data)
        more = part.more
    return b"".join(parts)


async def test_messages_arrive_whole_in_order_and_with_their_attributes(api: Api) -> None:
    async with ends(api) as (a, b):
        for number in range(20):
            await a.send(b"%d" % number, stream=number % 10, ppid=number)
        received = [await b.recv() for _ in range(20)]
        assert received == [(b"%d" % n, n % 10, n, False, False) for n in range(20)]
        await b.send(b"answer", unordered=True)
        assert await a.recv() == (b"answer", 0, 0, True, False)


@pytest.mark.parametrize("size", [1, 1451, 1452, 1453, 65536, 3 << 20])
async def test_a_message_of_any_size_arrives(api: Api, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with ends(api) as (a, b):
        receiving = asyncio.create_task(recv_whole(b))
        await a.send(data)
        assert await receiving == data


async def test_both_directions_can_be_busy_at_once(api: Api) -> None:
    count = 32

    async def send(side: Side) -> None:
        for _ in range(count):
            await side.send(bytes(1 << 16))

    async def receive(side: Side) -> int:
        return sum([len(await recv_whole(side)) for _ in range(count)])

    async with ends(api) as (a, b):
        _, _, *received = await asyncio.gather(send(a), send(b), receive(a), receive(b))
        assert received == [count << 16] * 2


async def test_the_graceful_end_comes_after_what_was_sent_and_stays(api: Api) -> None:
    async with ends(api) as (a, b):
        await a.send(b"last")
        await a.shut_down()
        assert (await b.recv()).data == b"last"
        assert [await b.recv(), await b.recv()] == [None, None]
        with pytest.raises(BrokenPipeError):
            await a.send(b"x")


async def test_an_abort_reaches_the_peer_with_its_reason(api: Api) -> None:
    async with ends(api) as (a, b):
        a.abort(b"had enough")
        with pytest.raises(sctpx.AssociationAborted, match="had enough"):
            await b.recv()
        with pytest.raises(ConnectionError):
            await a.send(b"x")


async def test_sending_waits_while_there_is_no_room_and_goes_on_once_the_peer_reads(api: Api) -> None:
    count = 40
    sent = 0

    async def send(side: Side) -> None:
        nonlocal sent
        for _ in range(count):
            await side.send(bytes(1 << 17))
            sent += 1

    async with ends(api) as (a, b):
        sending = asyncio.create_task(send(a))
        done, _ = await asyncio.wait([sending], timeout=0.2)
        # The send buffer and the peer's window have a MiB each.
        assert not done
        assert sent < count
        for _ in range(count):
            assert len(await recv_whole(b)) == 1 << 17
        await sending


@pytest.mark.parametrize("end", ["shut down", "abort"])
async def test_calls_that_wait_are_woken_by_the_end(api: Api, end: str) -> None:
    async with ends(api) as (a, b):
        waiting = [asyncio.create_task(a.recv()) for _ in range(3)]
        await asyncio.sleep(0)
        if end == "abort":
            b.abort(b"")
            found = await asyncio.gather(*waiting, return_exceptions=True)
            # Which of them hears of the abort first is open; afterwards there is no association any more.
            assert all(isinstance(one, OSError) for one in found)
            assert any(isinstance(one, sctpx.AssociationAborted) for one in found)
        else:
            await b.shut_down()
            assert await asyncio.gather(*waiting) == [None] * 3


async def test_what_had_arrived_can_be_read_after_the_own_end_and_the_peer_sends_no_more(api: Api) -> None:
    async with ends(api) as (a, b):
        await b.send(b"pending")
        await a.send(b"ping")
        received = await b.recv()
        assert received is not None
        assert received.data == b"ping"
        ending = asyncio.create_task(a.shut_down())
        assert await b.recv() is None
        with pytest.raises(BrokenPipeError):
            await b.send(b"too late")
        pending = await a.recv()
        assert pending is not None
        assert pending.data == b"pending"
        await ending


async def test_each_message_goes_to_one_of_several_readers(api: Api) -> None:
    async with ends(api) as (a, b):
        readers = [asyncio.create_task(b.recv()) for _ in range(4)]
        for number in range(4):
            await a.send(b"%d" % number)
        received = await asyncio.gather(*readers)
        assert sorted(message.data for message in received if message is not None) == [b"%d" % n for n in range(4)]


async def test_what_cannot_be_sent_is_refused_and_harms_nothing(api: Api) -> None:
    async with ends(api) as (a, b):
        with raises_errno(errno.EINVAL):
            await a.send(b"")
        with raises_errno(errno.EINVAL):
            await a.send(b"x", stream=10)
        with raises_errno(errno.EMSGSIZE):
            await a.send(bytes((16 << 20) + 1))
        await a.send(b"unharmed")
        assert (await b.recv()).data == b"unharmed"


async def test_streams_are_negotiated(api: Api) -> None:
    async with ends(api, client=7, server=4) as (a, b):
        assert (a.streams(), b.streams()) == ((7, 4), (4, 7))


@linux_only
async def test_all_addresses_of_the_peer_are_used(api: Api) -> None:
    async with ends(api, TWO) as (a, b):
        assert a.addresses()[1] == b.addresses()[0] == TWO
        assert [entry[0::2] for entry in a.report()] == [(host, True) for host in TWO]


@linux_only
async def test_a_dead_address_is_passed_over_and_reported(api: Api) -> None:
    async with api.listening(TWO[1:]) as (udp_port, accept):
        with api.silent(udp_port, TWO[0]):
            a = await api.connect(TWO, udp_port)
        b = await accept()
        assert a.report() == [(TWO[0], "silence", False), (TWO[1], "INIT ACK", True)]
        assert a.addresses()[1] == TWO[1:]
        await a.close()
        await b.close()


@linux_only
async def test_each_udp_port_of_one_address_is_tried_and_reported(api: Api) -> None:
    async with api.listening(["127.0.0.1"]) as (udp_port, accept):
        hosts: list[str | sctpx.Address] = [
            sctpx.Address("127.0.0.1", udp_port=api.closed_udp_port()),
            "127.0.0.1",
            sctpx.Address("127.0.0.1"),
        ]
        a = await api.connect(hosts, udp_port)
        b = await accept()
        assert a.report() == [("127.0.0.1", "ICMP", False), ("127.0.0.1", "INIT ACK", True)]
        await a.send(b"hello")
        assert (await b.recv()).data == b"hello"
        await a.close()
        await b.close()


async def test_nobody_listening_is_a_refusal_and_the_report_says_so(api: Api) -> None:
    async with api.listening(["127.0.0.1"]) as (udp_port, _):
        with pytest.raises(ConnectionRefusedError) as caught:
            await api.connect(["127.0.0.1"], udp_port, port=PORT + 1)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert [entry.answer for entry in caught.value.report] == ["ABORT"]


async def test_silence_is_a_timeout_and_the_report_says_so(api: Api) -> None:
    udp_port = api.closed_udp_port()
    with api.silent(udp_port, "127.0.0.1"), pytest.raises(TimeoutError) as caught:
        await api.connect(["127.0.0.1"], udp_port, timeout=0.05)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert caught.value.errno == errno.ETIMEDOUT
    assert [entry.answer for entry in caught.value.report] == ["silence"]
    assert f"127.0.0.1 UDP port {udp_port}: silence to 1 INIT" in str(caught.value)


@linux_only
async def test_an_attempt_that_runs_out_of_time_says_what_each_address_answered(api: Api) -> None:
    udp_port, refusing = api.closed_udp_port(), sctpx.Address("127.0.0.2", udp_port=1)
    with api.silent(udp_port, "127.0.0.1"), pytest.raises(TimeoutError) as caught:
        await api.connect(["127.0.0.1", refusing], udp_port, timeout=0.25)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert str(caught.value).endswith(
        f"(127.0.0.1 UDP port {udp_port}: silence to 1 INIT; 127.0.0.2 UDP port 1: ICMP to 1 INIT, Connection refused: "
        "no program receives at that UDP port)"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
async def test_an_address_of_no_single_host_is_the_callers_mistake(api: Api, host: str) -> None:
    with raises_errno(errno.EINVAL):
        await api.connect([host], 9899)
