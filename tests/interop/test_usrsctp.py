"""sctpx and usrsctp, both as ordinary users run them: asyncio here, its sockets API there, UDP on loopback between.

Each side has two addresses, and a cable to the other side's address in the same network: 127.0.1.1 - 127.0.1.2 and
127.0.2.1 - 127.0.2.2. The bodies run twice: with the association set up by us, and by usrsctp.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

import pytest

import sctpx
from tests.interop.conftest import StartUsrsctp
from tests.interop.usrsctp import PATIENCE, PeerError, Usrsctp, content, digest
from tests.sweeps import some

OURS = ["127.0.1.1", "127.0.2.1"]
THEIRS = ["127.0.1.2", "127.0.2.2"]
PORT = 5001
pytestmark = pytest.mark.matrix(peer="usrsctp", api="asyncio", column="UDP IPv4", addresses="2")
SIZES = [1, 2, 3, 4, 1000, 1452, 1453, 65536, 1 << 20]
USER_INITIATED_ABORT = 12
RTO_MIN = sctpx.AssociationConfig().rto_min
T1_INIT = sctpx.AssociationConfig().rto_initial
"""Who asks one address at a time waits as long for the second one."""
SACK_DELAY = 0.2  # of usrsctp
SILLY_WINDOW = 0.2
"""How long a message waits for a window that has more room."""
LEAST_GAP = 0.3
"""Shorter pauses are those of a machine at work."""


@dataclass
class Met:
    """An association and its two ends."""

    association: sctpx.Association
    peer: Usrsctp
    socket: int

    async def both_paths(self) -> None:
        """Wait until both paths are confirmed on our side."""
        async with asyncio.timeout(PATIENCE):
            while [path.confirmed for path in self.association.paths] != [True, True]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def events(self, until: str) -> list[str]:
        """What usrsctp was notified of, up to the event of this name."""
        answer = await self.peer.ask("events", socket=self.socket, until=until)
        return [event["event"] for event in answer["events"]]


class Stalls:
    """How long the machine kept this process waiting at the most, seconds, while it is entered."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - begin - 0.01)

    def check_no_gap(self, gaps: list[tuple[float, float]]) -> None:
        """No gap is as long as a timeout, but for what the machine does: a tail loss probe finds another path.

        If the cable goes while the window of usrsctp is all but closed, a message waits for a larger window first.
        """
        assert [gap for _, gap in gaps if gap > SILLY_WINDOW + SACK_DELAY + 0.1 + self.longest] == []

    def check_one_gap(self, gaps: list[tuple[float, float]]) -> None:
        """There was one gap, of one RTO, besides those that ``check_no_gap`` lets pass.

        T3-rtx starts anew with the last SACK, which usrsctp may delay: packets are large, and few are in flight.
        """
        [gap] = [gap for _, gap in gaps if gap > SILLY_WINDOW + SACK_DELAY + 0.1 + self.longest]
        assert gap <= RTO_MIN + SILLY_WINDOW + SACK_DELAY + 0.1 + self.longest


Meet = Callable[..., AbstractAsyncContextManager[Met]]


@asynccontextmanager
async def we_connect(
    peer: Usrsctp, config: sctpx.AssociationConfig | None = None, **options: Any
) -> AsyncIterator[Met]:
    """We set the association up: sctpx.connect to both addresses."""
    async with await sctpx.open_endpoint(OURS, config=config) as endpoint:
        listener = peer.open(port=PORT, listen=True, udp_port=endpoint.udp_port, **options)
        peer.post("accept", socket=listener)
        association = await endpoint.connect(THEIRS, PORT, peer_udp_port=peer.udp_port)
        accepted = await peer.answer()
        yield Met(association, peer, accepted["socket"])


@asynccontextmanager
async def they_connect(
    peer: Usrsctp, config: sctpx.AssociationConfig | None = None, **options: Any
) -> AsyncIterator[Met]:
    """usrsctp sets the association up: usrsctp_connectx to both of our addresses."""
    async with await sctpx.start_server(None, OURS, udp_port=0, config=config) as server:
        socket = peer.open(udp_port=server.udp_port, **options)
        peer.post("connectx", socket=socket, addresses=OURS, port=server.port)
        association = await server.accept()
        await peer.answer()
        yield Met(association, peer, socket)


both_ways = pytest.mark.parametrize("meet", [we_connect, they_connect])
one_way = pytest.mark.parametrize("meet", some([we_connect], [they_connect]))
"""Where it makes little difference who connects, the other way is slow."""


async def receive_whole(association: sctpx.Association) -> sctpx.Message:
    """A message, put together if it comes in parts."""
    message = await association.recv()
    parts = [message.data]
    while message.more:
        message = await association.recv()
        parts.append(message.data)
    return message._replace(data=b"".join(parts))


@both_ways
def test_both_sides_know_and_confirm_both_addresses_of_the_other(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            await met.both_paths()
            assert [path.state for path in met.association.paths] == ["active", "active"]
            assert set(met.association.peer_addresses) == set(THEIRS)
            status = met.peer.call("status", socket=met.socket)
            assert status["state"] == "established"
            assert {path["address"] for path in status["paths"]} == set(OURS)

    asyncio.run(scene())


@both_ways
def test_messages_arrive_whole_in_both_directions(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS, send_space=4 << 20)) as met:
            for seed, size in enumerate(SIZES):
                await met.association.send(content(seed, size), stream=3, ppid=60)
                answer = await met.peer.ask("receive", socket=met.socket)
                (received,) = answer["messages"]
                assert (received["size"], received["stream"], received["ppid"]) == (size, 3, 60)
                assert received["sha256"] == digest(content(seed, size))

                met.peer.post("send", socket=met.socket, size=size, seed=seed + 100, stream=4, ppid=61)
                message = await receive_whole(met.association)
                await met.peer.answer()
                assert (message.stream, message.ppid, message.unordered) == (4, 61, False)
                assert message.data == content(seed + 100, size)

    asyncio.run(scene())


@both_ways
def test_they_answer_probes_of_the_path_mtu(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    """RFC 8899: the loopback takes more than usrsctp ever sends."""

    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            await met.both_paths()
            before = [path.mtu for path in met.association.paths]
            await met.association.send(content(1, 100_000))
            await met.peer.ask("receive", socket=met.socket)
            async with asyncio.timeout(PATIENCE):
                while any(path.mtu in before for path in met.association.paths):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert met.association.stats.path_mtu_probes_lost == 0
            await met.association.send(content(2, 1 << 20))
            (received,) = (await met.peer.ask("receive", socket=met.socket))["messages"]
            assert received["sha256"] == digest(content(2, 1 << 20))
            assert {path.mtu for path in met.association.paths} == {65504}

    asyncio.run(scene())


@both_ways
def test_a_thousand_messages_keep_their_streams_and_their_order(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            streams = met.association.outbound_streams
            assert streams == 10
            met.peer.post("receive", socket=met.socket, count=1000)
            await met.association.send_many((content(i, 1 + i), i % streams, i, False) for i in range(1000))
            messages = (await met.peer.answer())["messages"]
            for stream in range(streams):
                here = [message for message in messages if message["stream"] == stream]
                assert [message["ppid"] for message in here] == list(range(stream, 1000, streams))
                assert [message["ssn"] for message in here] == list(range(len(here)))
            assert all(message["sha256"] == digest(content(message["ppid"], message["size"])) for message in messages)

    asyncio.run(scene())


@both_ways
def test_unordered_messages_are_marked_as_such_on_both_sides(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            await met.association.send(content(1, 5000), unordered=True)
            answer = await met.peer.ask("receive", socket=met.socket)
            assert answer["messages"][0]["unordered"]
            assert answer["messages"][0]["sha256"] == digest(content(1, 5000))
            met.peer.call("send", socket=met.socket, size=5000, seed=2, unordered=True)
            message = await met.association.recv()
            assert message.unordered
            assert message.data == content(2, 5000)

    asyncio.run(scene())


@both_ways
def test_an_echo_returns_what_was_sent(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS), nodelay=1) as met:
            met.peer.post("echo", socket=met.socket, count=200)
            for seed in range(200):
                await met.association.send(content(seed, 1 + 37 * seed), stream=seed % 10, ppid=seed)
                message = await met.association.recv()
                assert (message.data, message.stream, message.ppid) == (content(seed, 1 + 37 * seed), seed % 10, seed)
            assert (await met.peer.answer())["messages"] == 200

    asyncio.run(scene())


@one_way
@pytest.mark.parametrize("every", [50, 20])
def test_lost_packets_cost_time_and_nothing_else(meet: Meet, every: int, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = sctpx.AssociationConfig(mtu=1500)  # Or there are too few packets, and the lost ones carry no data.
        async with meet(start_usrsctp(THEIRS, OURS, send_space=4 << 20), config) as met:
            await met.both_paths()
            met.peer.call("lose", every=every)
            met.peer.post("receive", socket=met.socket)
            await met.association.send(content(1, 1 << 20))
            assert (await met.peer.answer())["messages"][0]["sha256"] == digest(content(1, 1 << 20))
            assert met.association.stats.chunks_retransmitted > 0
            met.peer.post("send", socket=met.socket, size=1 << 20, seed=2)
            assert (await receive_whole(met.association)).data == content(2, 1 << 20)
            await met.peer.answer()
            assert met.peer.call("stats")["chunks_retransmitted"] > 0
            met.peer.call("lose", every=0)

    asyncio.run(scene())


@both_ways
def test_our_shutdown_delivers_everything_first(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            for seed in range(50):
                await met.association.send(content(seed, 10000))
            met.peer.post("receive", socket=met.socket, count=51)
            await met.association.shutdown()
            received = await met.peer.answer()
            assert [message["sha256"] for message in received["messages"]] == [
                digest(content(seed, 10000)) for seed in range(50)
            ]
            assert received["end"] == "closed"
            assert met.association.state == "CLOSED"
            assert "shutdown_complete" in await met.events("shutdown_complete")

    asyncio.run(scene())


@both_ways
def test_their_shutdown_ends_the_messages_and_then_the_association(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            met.peer.call("send", socket=met.socket, size=10000, seed=1, count=20)
            met.peer.call("shutdown", socket=met.socket)
            received = [message.data async for message in met.association]
            assert received == [content(seed, 10000) for seed in range(1, 21)]
            with pytest.raises(sctpx.AssociationClosed):
                await met.association.recv()
            assert "shutdown_complete" in await met.events("shutdown_complete")
            async with asyncio.timeout(PATIENCE):
                await met.association.wait_closed()

    asyncio.run(scene())


@both_ways
def test_our_abort_resets_their_association(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            met.association.abort("enough")
            assert "comm_lost" in await met.events("comm_lost")
            assert met.peer.call("receive", socket=met.socket)["end"] == "ECONNRESET"

    asyncio.run(scene())


@both_ways
def test_their_abort_resets_our_association_and_tells_why(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            met.peer.call("abort", socket=met.socket)
            with pytest.raises(ConnectionResetError) as reset:
                await met.association.recv()
            assert isinstance(reset.value, sctpx.AssociationAborted)
            assert [code for code, _ in reset.value.causes] == [USER_INITIATED_ABORT]

    asyncio.run(scene())


def test_the_reason_of_an_abort_arrives(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        async with await sctpx.start_server(None, OURS, udp_port=0) as server:
            socket = peer.open("one-to-many", udp_port=server.udp_port)
            peer.post("connectx", socket=socket, addresses=OURS, port=server.port)
            association = await server.accept()
            number = (await peer.answer())["association"]
            peer.call("abort", socket=socket, association=number, reason="enough")
            with pytest.raises(sctpx.AssociationAborted) as reset:
                await association.recv()
            assert reset.value.causes == ((USER_INITIATED_ABORT, b"enough"),)

    asyncio.run(scene())


@one_way
def test_a_cut_cable_costs_no_gap_that_anybody_notices(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    """Default settings, a message every 10 ms. The primary path is cut; the other one takes over after some ms."""
    total, before_the_cut, interval = 300, 50, 0.01

    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met, Stalls() as stalls:
            await met.both_paths()
            dead = met.association.primary
            cable = [dead, OURS[THEIRS.index(dead)]]
            met.peer.post("sink", socket=met.socket, count=total, cut_after=before_the_cut, cut=cable, gap=LEAST_GAP)
            begin = time.monotonic()
            for i in range(total):
                await asyncio.sleep(max(0.0, begin + i * interval - time.monotonic()))
                await met.association.send(content(i, 100))
            received = await met.peer.answer()
            assert received["messages"] == total
            stalls.check_no_gap(received["gaps"])
            states = {path.remote: path.state for path in met.association.paths}
            assert states == {dead: "potentially failed", THEIRS[1 - THEIRS.index(dead)]: "active"}

    asyncio.run(scene())


@one_way
@pytest.mark.parametrize("loss_recovery", ["rack", "rfc9260"])
@pytest.mark.parametrize(("size", "total"), [(65536, 400), (1000, 20_000)])
def test_a_cut_cable_costs_a_bulk_transfer_no_gap_or_by_timeouts_one(
    meet: Meet, size: int, total: int, loss_recovery: Literal["rack", "rfc9260"], start_usrsctp: StartUsrsctp
) -> None:
    """As fast as it goes: data and acknowledgements are under way when the cable goes."""
    config = sctpx.AssociationConfig(loss_recovery=loss_recovery)

    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS), config) as met, Stalls() as stalls:
            await met.both_paths()
            dead = met.association.primary
            cable = [dead, OURS[THEIRS.index(dead)]]
            met.peer.post("sink", socket=met.socket, count=total, cut_after=total // 4, cut=cable, gap=LEAST_GAP)
            await met.association.send_many(bytes(size) for _ in range(total))
            received = await met.peer.answer()
            assert received["messages"] == total
            if loss_recovery == "rack":
                stalls.check_no_gap(received["gaps"])
            else:
                stalls.check_one_gap(received["gaps"])

    asyncio.run(scene())


def test_the_first_address_can_be_dead_when_we_connect(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        peer.call("cut", addresses=[THEIRS[0], OURS[0]])
        begin = time.monotonic()
        async with Stalls() as stalls, we_connect(peer) as met:
            assert time.monotonic() - begin < T1_INIT + stalls.longest
            silent, answered = met.association.report
            assert (silent.address, silent.answer, silent.kept) == (THEIRS[0], "silence", True)
            assert (answered.address, answered.answer, answered.kept) == (THEIRS[1], "INIT ACK", True)
            await met.association.send(b"over the other one")
            assert (await met.peer.ask("receive", socket=met.socket))["messages"][0]["size"] == 18
            met.association.abort()

    asyncio.run(scene())


def test_a_host_without_a_listener_refuses_at_every_address(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS, refuse=True)
        with pytest.raises(ConnectionRefusedError) as refusal:
            await sctpx.connect(THEIRS, PORT, peer_udp_port=peer.udp_port, local=OURS)
        assert isinstance(refusal.value, sctpx.ConnectError)
        assert [(one.address, one.answer) for one in refusal.value.report] == [(host, "ABORT") for host in THEIRS]

    asyncio.run(scene())


def test_they_find_no_one_where_nobody_listens(start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        async with await sctpx.open_endpoint(OURS) as endpoint:
            socket = peer.open(udp_port=endpoint.udp_port)
            peer.post("connectx", socket=socket, addresses=OURS, port=endpoint.port)
            with pytest.raises(PeerError, match="ECONNREFUSED"):
                await peer.answer()

    asyncio.run(scene())


def test_many_associations_share_one_port(start_usrsctp: StartUsrsctp) -> None:
    async def echo(association: sctpx.Association) -> None:
        async for message in association:
            await association.send(message.data, stream=message.stream, ppid=message.ppid)

    async def scene() -> None:
        peer = start_usrsctp(THEIRS, OURS)
        async with await sctpx.start_server(echo, OURS, udp_port=0) as server:
            sockets = [peer.open(udp_port=server.udp_port) for _ in range(20)]
            for socket in sockets:
                await peer.ask("connectx", socket=socket, addresses=OURS, port=server.port)
            for seed, socket in enumerate(sockets):
                peer.call("send", socket=socket, size=3000, seed=seed)
            for seed, socket in enumerate(sockets):
                answer = await peer.ask("receive", socket=socket)
                assert answer["messages"][0]["sha256"] == digest(content(seed, 3000))
            for socket in sockets:
                peer.call("shutdown", socket=socket)
                await peer.ask("events", socket=socket, until="shutdown_complete")

    asyncio.run(scene())


@one_way
def test_a_bulk_transfer_arrives_in_each_direction(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        async with meet(start_usrsctp(THEIRS, OURS)) as met:
            met.peer.post("sink", socket=met.socket, count=200)
            await met.association.send_many(bytes(65536) for _ in range(200))
            assert (await met.peer.answer())["bytes"] == 200 * 65536
            met.peer.post("source", socket=met.socket, size=65536, count=200)
            received = 0
            while received < 200 * 65536:
                received += sum(len(message.data) for message in await met.association.recv_many())
            assert received == 200 * 65536
            assert (await met.peer.answer())["messages"] == 200

    asyncio.run(scene())
