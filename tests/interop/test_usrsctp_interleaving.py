"""sctpx and usrsctp with messages interleaved (RFC 8260), in both directions, set up by either side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import sctpx
from tests.interop.conftest import StartUsrsctp
from tests.interop.test_usrsctp import OURS, PORT, THEIRS, Meet, Met
from tests.interop.usrsctp import PATIENCE, Usrsctp, content, digest
from tests.sweeps import some

SIZES = [1, 100_000, 3, 300_000, 1452, 5000]
ROOM = 4 << 20
"""A receive buffer that takes all of them, three times over."""
UNORDERED = (1, 3)
"""What is sent unordered. usrsctp 0.9.5 stalls, also with itself, behind unordered messages larger than its buffer."""


@asynccontextmanager
async def we_connect(peer: Usrsctp, config: sctpx.AssociationConfig, **options: Any) -> AsyncIterator[Met]:
    """We set the association up."""
    async with await sctpx.open_endpoint(OURS, config=config) as endpoint:
        listener = peer.open(port=PORT, listen=True, udp_port=endpoint.udp_port, **options)
        peer.post("accept", socket=listener)
        association = await endpoint.connect(THEIRS, PORT, peer_udp_port=peer.udp_port)
        accepted = await peer.answer()
        yield Met(association, peer, accepted["socket"])


@asynccontextmanager
async def they_connect(peer: Usrsctp, config: sctpx.AssociationConfig, **options: Any) -> AsyncIterator[Met]:
    """usrsctp sets the association up."""
    async with await sctpx.start_server(None, OURS, udp_port=0, config=config) as server:
        socket = peer.open(udp_port=server.udp_port, **options)
        peer.post("connectx", socket=socket, addresses=OURS, port=server.port)
        association = await server.accept()
        await peer.answer()
        yield Met(association, peer, socket)


both_ways = pytest.mark.parametrize("meet", [we_connect, they_connect])
one_way = pytest.mark.parametrize("meet", some([we_connect], [they_connect]))
"""Where it makes little difference who connects, the other way is slow."""


async def receive_all(association: sctpx.Association, count: int) -> list[tuple[int, bytes]]:
    """So many whole messages, each with its stream, put together from parts that may alternate."""
    parts: dict[int, list[bytes]] = {}
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        for message in await association.recv_many():
            parts.setdefault(message.stream, []).append(message.data)
            if not message.more:
                found.append((message.stream, b"".join(parts.pop(message.stream))))
    return found


@one_way
@pytest.mark.parametrize("scheduler", ["fcfs", "rr", "rr_pkt", "prio", "fc", "wfq"])
def test_we_send_and_usrsctp_receives(meet: Meet, scheduler: Any, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        # usrsctp stops reading when fragments of tens of kilobytes of several messages alternate, and now and then when
        # unfinished messages fill its buffer.
        config = sctpx.AssociationConfig(interleaving=True, scheduler=scheduler, mtu=1500)
        async with meet(start_usrsctp(THEIRS, OURS, receive_space=ROOM), config, interleaving=True) as met:
            assert met.association.interleaving
            expected = []
            met.peer.post("receive", socket=met.socket, count=3 * len(SIZES))
            for number, size in enumerate(SIZES * 3):
                stream = number % 4
                await met.association.send(
                    content(number, size), stream=stream, ppid=number, unordered=size in UNORDERED
                )
                expected.append((stream, number, size, digest(content(number, size))))
            answer = await met.peer.answer()
            found = [(one["stream"], one["ppid"], one["size"], one["sha256"]) for one in answer["messages"]]
            assert sorted(found) == sorted(expected)
            for stream in range(4):
                ordered = [one for one in answer["messages"] if one["stream"] == stream and not one["unordered"]]
                assert [one["ssn"] for one in ordered] == [*range(len(ordered))]

    asyncio.run(scene())


@one_way
@pytest.mark.parametrize("scheduler", range(6))
def test_usrsctp_sends_and_we_receive(meet: Meet, scheduler: int, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = sctpx.AssociationConfig(interleaving=True)
        async with meet(
            start_usrsctp(THEIRS, OURS, send_space=1 << 20), config, interleaving=True, scheduler=scheduler
        ) as met:
            assert met.association.interleaving
            expected = []
            for number, size in enumerate(SIZES * 2):
                stream = number % 4
                unordered = size in UNORDERED
                await met.peer.ask(
                    "send", socket=met.socket, size=size, seed=number, stream=stream, unordered=unordered
                )
                expected.append((stream, content(number, size)))
            assert sorted(await receive_all(met.association, len(expected))) == sorted(expected)

    asyncio.run(scene())


@both_ways
@pytest.mark.parametrize("theirs", [False, True])
def test_interleaving_is_used_only_if_both_sides_want_it(meet: Meet, theirs: bool, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = sctpx.AssociationConfig(interleaving=not theirs)
        async with meet(start_usrsctp(THEIRS, OURS), config, interleaving=theirs) as met:
            assert not met.association.interleaving
            await met.association.send(content(1, 5000))
            answer = await met.peer.ask("receive", socket=met.socket)
            assert answer["messages"][0]["sha256"] == digest(content(1, 5000))
            await met.peer.ask("send", socket=met.socket, size=5000, seed=2)
            assert await receive_all(met.association, 1) == [(0, content(2, 5000))]

    asyncio.run(scene())


@one_way
def test_what_is_lost_comes_again(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = sctpx.AssociationConfig(interleaving=True, scheduler="rr")
        peer = start_usrsctp(THEIRS, OURS, send_space=1 << 20)
        async with meet(peer, config, interleaving=True, scheduler=1) as met:
            await met.peer.ask("lose", every=20)
            met.peer.post("receive", socket=met.socket, count=8)
            for number in range(8):
                await met.association.send(content(number, 25_000), stream=number % 4)
            answer = await met.peer.answer()
            found = sorted(one["sha256"] for one in answer["messages"])
            assert found == sorted(digest(content(number, 25_000)) for number in range(8))
            for number in range(4):
                await met.peer.ask("send", socket=met.socket, size=25_000, seed=number, stream=number)
            async with asyncio.timeout(PATIENCE):
                received = await receive_all(met.association, 4)
            assert sorted(received) == [(number, content(number, 25_000)) for number in range(4)]
            await met.peer.ask("mend")

    asyncio.run(scene())
