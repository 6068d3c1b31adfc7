"""``sctpx.open_endpoint``: one SCTP port that connects and listens."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import sctpx
from sctpx.aio.sharing import drivers_here
from sctpx.link import UdpLink
from tests.api.running import each_loop, run
from tests.api.support import HOST, PORT, cuttable, linux_only, raises_errno, until


async def endpoint_on(local: Any = HOST, port: int = 0, **options: Any) -> sctpx.Endpoint:
    """An endpoint on a free UDP port."""
    return await sctpx.open_endpoint(local, port, **{"udp_port": 0, **options})


async def test_an_endpoint_connects_from_its_port() -> None:
    async with await endpoint_on(port=PORT) as one, await endpoint_on(port=PORT + 1) as two:
        server = two.listen()
        association = await one.connect(HOST, PORT + 1, peer_udp_port=two.udp_port)
        assert (association.port, association.endpoint) == (PORT, one)
        assert (await server.accept()).peer_port == PORT
        assert one.associations == [association]


async def test_ports_that_nobody_chose_are_the_same_for_sctp_and_udp() -> None:
    """No other program of the host has that UDP port, so that clients of several never share an SCTP port."""
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        endpoints = [await sctpx.open_endpoint(HOST) for _ in range(20)]
        assert [endpoint.port for endpoint in endpoints] == [endpoint.udp_port for endpoint in endpoints]
        first = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        second = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        assert first.port == first.endpoint.udp_port == second.endpoint.udp_port != second.port
        for endpoint in endpoints:
            endpoint.close()
        await first.close()
        await second.close()


async def test_an_endpoint_connects_and_listens_on_the_same_port() -> None:
    async with await endpoint_on(port=PORT) as one, await endpoint_on(port=PORT) as two, await endpoint_on() as three:
        server = one.listen()
        two.listen()
        outgoing = await one.connect(HOST, PORT, peer_udp_port=two.udp_port)
        incoming = await three.connect(HOST, PORT, peer_udp_port=one.udp_port)
        accepted = await server.accept()
        assert {accepted, outgoing} == set(one.associations)
        await incoming.send(b"to the listener")
        assert (await accepted.recv()).data == b"to the listener"


async def test_one_endpoint_has_many_associations() -> None:
    ports = [PORT + number for number in range(5)]
    async with await endpoint_on() as client:
        servers = [await endpoint_on(port=port) for port in ports]
        for server in servers:
            server.listen(lambda association: association.send(b"welcome to %d" % association.port))
        associations = [await client.connect(HOST, server.port, peer_udp_port=server.udp_port) for server in servers]
        assert {association.port for association in associations} == {client.port}
        assert [(await association.recv()).data for association in associations] == [
            b"welcome to %d" % port for port in ports
        ]
        for server in servers:
            server.close()


async def test_there_is_one_association_with_a_peer() -> None:
    async with await endpoint_on() as client, await endpoint_on(port=PORT) as server:
        server.listen()
        async with client.connect(HOST, PORT, peer_udp_port=server.udp_port):
            with raises_errno(errno.EISCONN):
                await client.connect(HOST, PORT, peer_udp_port=server.udp_port)


@linux_only
async def test_there_is_one_attempt_to_reach_a_peer() -> None:
    link = cuttable(HOST)
    link.cut("127.0.0.2")
    async with await sctpx.open_endpoint(link=link) as client:
        attempt = asyncio.ensure_future(client.connect("127.0.0.2", PORT))
        await asyncio.wait([attempt], timeout=0)
        await until(lambda: client.associations)
        with raises_errno(errno.EALREADY):
            await client.connect(["127.0.0.2", "127.0.0.3"], PORT)
        attempt.cancel()
        await asyncio.wait([attempt])
        assert client.associations == []


async def test_the_options_of_a_connect_are_those_of_that_association() -> None:
    config = sctpx.AssociationConfig(streams=5)
    async with await endpoint_on(config=config) as client, await endpoint_on(port=PORT) as server:
        server.listen()
        connecting = client.connect(HOST, PORT, peer_udp_port=server.udp_port, attempt_delay=0.5, timeout=9)
        async with connecting as association:
            assert association.config.streams == 5
            assert association.config.attempt_delay == 0.5
            assert association.config.connect_timeout == 9


async def test_an_sctp_port_is_had_once() -> None:
    async with await endpoint_on(port=PORT) as one:
        with raises_errno(errno.EADDRINUSE):
            await endpoint_on(port=PORT, udp_port=one.udp_port)
        async with await endpoint_on(udp_port=one.udp_port) as two:
            assert two.udp_port == one.udp_port
            assert two.port != one.port
            assert one.stats is two.stats


async def test_closing_aborts_what_is_left_and_frees_the_ports() -> None:
    async with await endpoint_on(port=PORT) as server:
        accepting = server.listen()
        client = await endpoint_on()
        association = await client.connect(HOST, PORT, peer_udp_port=server.udp_port)
        accepted = await accepting.accept()
        client.close()
        client.close()
        assert association.ended
        with pytest.raises(sctpx.AssociationAborted):
            await accepted.recv()
        UdpLink.open([HOST], client.udp_port).close()
        with raises_errno(errno.EBADF):
            await client.connect(HOST, PORT, peer_udp_port=server.udp_port)
        with raises_errno(errno.EBADF):
            client.listen()


async def test_leaving_the_context_shuts_associations_down() -> None:
    async with await endpoint_on(port=PORT) as server:
        accepting = server.listen()
        async with await endpoint_on() as client:
            association = await client.connect(HOST, PORT, peer_udp_port=server.udp_port)
            accepted = await accepting.accept()
            await association.send(b"last")
        assert [message.data async for message in accepted] == [b"last"]


async def test_cancelling_an_endpoint_shuts_associations_down() -> None:
    async with await endpoint_on(port=PORT) as server:
        accepting = server.listen()

        async def work() -> None:
            async with await endpoint_on() as client:
                association = await client.connect(HOST, PORT, peer_udp_port=server.udp_port)
                await association.send(b"last")
                await asyncio.Event().wait()

        working = asyncio.create_task(work())
        accepted = await accepting.accept()
        assert (await accepted.recv()).data == b"last"
        working.cancel()
        with pytest.raises(sctpx.AssociationClosed):
            await accepted.recv()
        await asyncio.wait([working])


async def test_an_endpoint_listens_once_at_a_time() -> None:
    async with await endpoint_on(port=PORT) as endpoint:
        server = endpoint.listen()
        with raises_errno(errno.EINVAL):
            endpoint.listen()
        server.close()
        again = endpoint.listen()
        async with await endpoint_on() as client, client.connect(HOST, PORT, peer_udp_port=endpoint.udp_port):
            await again.accept()
        endpoint.stop_listening()
        assert not again.is_serving()


async def test_a_wildcard_endpoint_leaves_from_where_the_peer_is_near() -> None:
    async with await endpoint_on(None) as client, await endpoint_on(port=PORT) as server:
        accepting = server.listen()
        async with client.connect(HOST, PORT, peer_udp_port=server.udp_port) as association:
            assert association.paths[0].local == HOST
            assert HOST in (await accepting.accept()).peer_addresses


async def test_a_link_of_ones_own_carries_the_packets_and_is_closed_with_the_last_endpoint() -> None:
    link = UdpLink.open([HOST])
    one = await sctpx.open_endpoint(port=PORT, link=link)
    two = await sctpx.open_endpoint(link=link)
    assert one.udp_port == two.udp_port == link.port
    one.listen()
    association = await two.connect(HOST, PORT, peer_udp_port=link.port)
    assert association.paths[0].local == HOST
    one.close()
    UdpLink.open([HOST]).close()
    assert link.sockets[0].fileno() >= 0
    two.close()
    assert link.sockets[0].fileno() == -1


@pytest.mark.udp_9899
async def test_the_udp_port_is_9899_if_peers_are_to_find_the_endpoint() -> None:
    async with await sctpx.open_endpoint(HOST) as nobody_looks_for_it:
        assert nobody_looks_for_it.udp_port != 9899
    try:
        endpoint = await sctpx.open_endpoint(HOST, PORT)
    except OSError:
        pytest.skip("somebody on this machine has it")
    assert endpoint.udp_port == 9899
    endpoint.close()


@each_loop
def test_a_loop_that_was_closed_over_an_open_endpoint_gives_its_udp_port_back(event_loop: str) -> None:
    async def left_open() -> int:
        return (await endpoint_on()).udp_port

    async def opened_again(udp_port: int) -> int:
        async with await endpoint_on(udp_port=udp_port) as endpoint:
            return endpoint.udp_port

    udp_port = run(event_loop, left_open())
    assert run(event_loop, opened_again(udp_port)) == udp_port


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (lambda: sctpx.open_endpoint("127.0.0.1", "5000", udp_port=0), TypeError),  # type: ignore[arg-type]
        (lambda: sctpx.start_server(None, "127.0.0.1", udp_port=0, limits=5), AttributeError),  # type: ignore[arg-type]
        (lambda: sctpx.connect("127.0.0.1", 5000, local_port="5000").__aenter__(), TypeError),  # type: ignore[arg-type]
    ],
    ids=["port", "limits", "local port"],
)
async def test_a_call_that_fails_in_whatever_way_leaves_no_sockets_open(
    call: Callable[[], Awaitable[object]], wrong: type[Exception]
) -> None:
    before = list(drivers_here())
    with pytest.raises(wrong):
        await call()
    assert drivers_here() == before
