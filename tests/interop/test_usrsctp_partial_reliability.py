"""Partial reliability with usrsctp, both ways: what one side gives up, the other one skips (RFC 3758, RFC 7496)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sctpx
from tests.interop.conftest import StartUsrsctp
from tests.interop.test_usrsctp import OURS, THEIRS, Meet, Met, both_ways
from tests.interop.usrsctp import content, digest

MESSAGES = 200
STREAMS = 3
LAST = 999


def abandoned(association: sctpx.Association) -> list[sctpx.Undelivered]:
    """Where what is given up is told from now on."""
    told: list[sctpx.Undelivered] = []

    def on_event(_: sctpx.Association, event: sctpx.events.Event) -> None:
        if isinstance(event, sctpx.events.MessageAbandoned):
            told.append(event.message)

    association.on_event = on_event
    return told


@both_ways
def test_both_sides_know_that_they_can(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            assert met.association.partial_reliability
            status = await met.peer.ask("status", socket=met.socket)
            assert status["partial_reliability"]

    asyncio.run(scene())


async def our_messages(met: Met, size: int, **how: Any) -> list[dict[str, Any]]:
    """Send messages that may be given up, and one on each stream that may not: what usrsctp received up to those."""
    for number in range(MESSAGES):
        await met.association.send(content(number, size), stream=number % STREAMS, ppid=number, **how)
    for stream in range(STREAMS):
        await met.association.send(content(LAST, 100), stream=stream, ppid=LAST)
    received: list[dict[str, Any]] = []
    while [message["ppid"] for message in received].count(LAST) < STREAMS:
        answer = await met.peer.ask("receive", socket=met.socket, timeout=30)
        assert not answer["end"]
        received += answer["messages"]
    return [message for message in received if message["ppid"] != LAST]


@both_ways
@pytest.mark.parametrize("size", [100, 4000, 20_000])
def test_usrsctp_skips_what_we_give_up(size: int, meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            told = abandoned(met.association)
            await met.peer.ask("lose", every=7)
            received = await our_messages(met, size, retransmits=0)
            await met.peer.ask("lose", every=0)
            for message in received:
                assert message["sha256"] == digest(content(message["ppid"], size))
            for stream in range(STREAMS):
                here = [message["ppid"] for message in received if message["stream"] == stream]
                assert here == sorted(set(here))
            given_up = {message.ppid for message in told}
            assert len(told) == len(given_up) > 0
            assert given_up | {message["ppid"] for message in received} == set(range(MESSAGES))
            assert met.association.stats.forward_tsns_sent > 0
            assert met.association.stats.messages_abandoned_sent == len(told)

    asyncio.run(scene())


@both_ways
@pytest.mark.parametrize("size", [100, 4000, 20_000])
def test_we_skip_what_usrsctp_gives_up(size: int, meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            await met.peer.ask("lose", every=7)
            for number in range(MESSAGES):
                stream = number % STREAMS
                send = {"stream": stream, "ppid": number, "seed": number, "size": size}
                await met.peer.ask("send", socket=met.socket, policy="rtx", value=0, **send)
            for stream in range(STREAMS):
                await met.peer.ask("send", socket=met.socket, size=100, seed=LAST, ppid=LAST, stream=stream)
            received: list[sctpx.Message] = []
            async with asyncio.timeout(60):
                while [message.ppid for message in received].count(LAST) < STREAMS:
                    received.append(await met.association.recv())
            await met.peer.ask("lose", every=0)
            received = [message for message in received if message.ppid != LAST]
            for message in received:
                assert message.data == content(message.ppid, size)
            for stream in range(STREAMS):
                here = [message.ppid for message in received if message.stream == stream]
                assert here == sorted(set(here))
            status = await met.peer.ask("status", socket=met.socket)
            assert status["abandoned"][1] > 0
            assert met.association.stats.forward_tsns_received > 0
            assert len(received) + sum(status["abandoned"]) >= MESSAGES

    asyncio.run(scene())


@both_ways
def test_a_large_message_of_ours_that_is_too_old_is_given_up_half_sent(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            told = abandoned(met.association)
            await met.peer.ask("cut", addresses=",".join(OURS))
            await met.association.send(content(1, 1 << 20), lifetime=0.3)
            await asyncio.sleep(0.5)
            await met.peer.ask("mend")
            await met.association.send(content(2, 5000))
            answer = await met.peer.ask("receive", socket=met.socket, timeout=30)
            [message] = answer["messages"]
            assert message["sha256"] == digest(content(2, 5000))
            assert [(len(message.data), message.sent) for message in told] == [(1 << 20, True)]

    asyncio.run(scene())


@both_ways
def test_a_large_message_of_usrsctp_that_is_too_old_is_given_up_half_sent(
    meet: Meet, start_usrsctp: StartUsrsctp
) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS, send_space=4 << 20)) as met:
            await met.peer.ask("cut", addresses=",".join(OURS))
            await met.peer.ask("send", socket=met.socket, size=1 << 20, seed=1, policy="ttl", value=300)
            await asyncio.sleep(0.5)
            await met.peer.ask("mend")
            await met.peer.ask("send", socket=met.socket, size=1000, seed=2)
            async with asyncio.timeout(30):
                message = await met.association.recv()
            assert message.data == content(2, 1000)

    asyncio.run(scene())
