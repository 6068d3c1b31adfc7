"""sctpx and usrsctp over IP itself, on one host: the raw sockets of each see the packets of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import sctpx
from tests.api.raw.child import Child
from tests.interop.conftest import StartUsrsctp
from tests.interop.usrsctp import content, digest
from tests.namespaces import own_host

OURS = ["127.0.1.1", "127.0.2.1"]
THEIRS = ["127.0.1.2", "127.0.2.2"]
PORT = 5001
SIZES = [1, 1452, 1453, 200_000]
pytestmark = pytest.mark.matrix(peer="usrsctp", api="asyncio", column="raw IPv4", addresses="2")


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """A host of its own. The tests are coroutines that run in this thread, and usrsctp is started by it."""
    with own_host():
        yield


async def receive_whole(association: sctpx.Association) -> bytes:
    """A message, put together if it comes in parts."""
    parts = [await association.recv()]
    while parts[-1].more:
        parts.append(await association.recv())
    return b"".join(part.data for part in parts)


def test_we_connect_and_messages_of_all_sizes_go_both_ways(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        listener = peer.open(port=PORT, listen=True)
        peer.post("accept", socket=listener)
        async with sctpx.connect(THEIRS, PORT, local=OURS, link="raw") as association:
            socket = (await peer.answer())["socket"]
            for seed, size in enumerate(SIZES):
                peer.post("receive", socket=socket)
                await association.send(content(seed, size))
                [message] = (await peer.answer())["messages"]
                assert (message["size"], message["sha256"]) == (size, digest(content(seed, size)))
                peer.post("send", socket=socket, size=size, seed=seed)
                assert await receive_whole(association) == content(seed, size)
                await peer.answer()
            assert {path.remote for path in association.paths} == set(THEIRS)
            await association.shutdown()

    asyncio.run(scene())


def test_usrsctp_connects_and_shuts_down(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        async with await sctpx.start_server(None, OURS, PORT, link="raw") as server:
            socket = peer.open()
            peer.post("connectx", socket=socket, addresses=OURS, port=PORT)
            association = await server.accept()
            await peer.answer()
            await peer.ask("send", socket=socket, size=100_000, seed=1)
            assert await receive_whole(association) == content(1, 100_000)
            await peer.ask("shutdown", socket=socket)
            assert await association.recv_many() == []

    asyncio.run(scene())


def test_two_processes_of_ours_and_usrsctp_leave_each_other_alone(start_usrsctp: StartUsrsctp) -> None:
    peer = start_usrsctp(THEIRS, OURS)
    listener = peer.open(port=PORT, listen=True)
    with Child() as server, Child() as client:
        server.ask("listen", hosts=OURS, port=PORT)
        for child in (server, client):
            peer.post("accept", socket=listener)
            child.ask("connect", hosts=THEIRS, port=PORT, local=OURS)
            socket = peer.reply()["socket"]
            peer.post("echo", socket=socket, count=5)
            assert child.ask("exchange", size=50_000, count=5)
            peer.reply()
        socket = peer.open()
        peer.call("connectx", socket=socket, addresses=OURS, port=PORT)
        peer.call("send", socket=socket, size=50_000, seed=1)
        echoed = peer.call("receive", socket=socket)["messages"]
        assert [message["sha256"] for message in echoed] == [digest(content(1, 50_000))]
        assert client.ask("states") == ["ESTABLISHED"]
        assert server.ask("states") == ["ESTABLISHED", "ESTABLISHED"]
