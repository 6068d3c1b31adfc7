"""What event loops do differently: errors on sockets, loops that were closed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import sctpx
from sctpx.link import UdpLink
from tests.api.running import LOOPS, each_loop, run
from tests.api.support import HOST, PORT, closed_udp_port, linux_only, until

VICTIM = f"""
import asyncio, sctpx, sys

async def main():
    async with sctpx.connect("{HOST}", {PORT}, peer_udp_port=int(sys.argv[1])) as association:
        await association.recv()

asyncio.run(main())
"""


async def test_a_test_runs_in_the_event_loop_that_it_is_named_after(event_loop: str) -> None:
    assert type(asyncio.get_running_loop()) is LOOPS[event_loop]


async def test_so_does_a_test_of_both_apis(api: Any) -> None:
    assert type(asyncio.get_running_loop()) is LOOPS[api.event_loop]


async def check_echo(client: sctpx.Association, data: bytes) -> None:
    """The peer answers with what it is sent."""
    await client.send(data)
    async with asyncio.timeout(0.9):  # Less than RTO.Min: nothing was lost.
        assert (await client.recv()).data == data


async def echo(association: sctpx.Association) -> None:
    async for message in association:
        await association.send(message.data)


@linux_only
async def test_a_good_address_behind_one_that_refuses_is_reached() -> None:
    async with await sctpx.start_server(echo, HOST, PORT, udp_port=0) as server:
        hosts = ["127.0.0.99", HOST]
        async with sctpx.connect(hosts, PORT, peer_udp_port=server.udp_port, timeout=5) as client:
            refused, good = client.report
            assert (refused.answer, good.answer) == ("ICMP", "INIT ACK")
            await check_echo(client, b"anybody there?")


@linux_only
async def test_what_comes_back_for_one_association_does_not_cut_off_the_others_on_its_socket() -> None:
    async with await sctpx.open_endpoint(HOST, PORT, udp_port=0) as endpoint:
        endpoint.listen(echo)
        async with sctpx.connect(HOST, PORT, peer_udp_port=endpoint.udp_port) as client:
            for number in range(5):
                with pytest.raises(ConnectionRefusedError):
                    await endpoint.connect(HOST, PORT, peer_udp_port=closed_udp_port())
                await check_echo(client, b"%d" % number)


@linux_only
async def test_the_server_of_a_client_that_was_killed_serves_the_others() -> None:
    ends: list[sctpx.Association] = []
    async with await sctpx.start_server(ends.append, HOST, PORT, udp_port=0) as server:
        victim = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, str(server.udp_port))
        await until(lambda: ends)
        async with sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) as client:
            await until(lambda: len(ends) == 2)
            victim.kill()
            await victim.wait()
            task = asyncio.create_task(echo(ends[1]))
            for number in range(3):
                await ends[0].send(b"still there?")
                await check_echo(client, b"%d" % number)
        await task
        ends[0].abort()


@each_loop
def test_what_a_closed_loop_left_open_is_closed_when_the_next_one_needs_a_port(event_loop: str) -> None:
    left: list[sctpx.Server] = []

    async def leave_open() -> None:
        left.append(await sctpx.start_server(None, HOST, PORT, udp_port=0))

    async def come_later() -> None:
        async with await sctpx.start_server(None, HOST, PORT, udp_port=0):
            UdpLink.open([HOST], left[0].udp_port).close()

    run(event_loop, leave_open())
    run(event_loop, come_later())
