"""``sctpx.start_server``: handlers, ``accept``, closing, and who has the port."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import Any

import pytest

import sctpx
from sctpx.link import UdpLink
from tests.api.support import (
    HOST,
    PORT,
    another_program,
    associated,
    closed_udp_port,
    linux_only,
    raises_errno,
    until,
    with_ipv6,
)
from tests.unit.link.conftest import Elsewhere
from tests.unit.link.conftest import own_network as own_network


async def start(handler: Any = None, local: Any = HOST, **options: Any) -> sctpx.Server:
    """A server on a free UDP port."""
    return await sctpx.start_server(handler, local, PORT, **{"udp_port": 0, **options})


async def client_of(server: sctpx.Server, **options: Any) -> sctpx.Association:
    """An association with a server."""
    return await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, **options)


# --- limits ---


async def test_a_server_has_its_limits_and_tells_how_often_they_were_met() -> None:
    async with await start(limits=sctpx.Limits(associations_per_peer=2)) as server:
        clients = [await client_of(server) for _ in range(2)]
        with pytest.raises(ConnectionRefusedError):
            await client_of(server)
        assert server.endpoint.stats.associations_refused == 1
        for client in clients:
            client.abort()


# --- handlers ---


async def test_a_coroutine_function_handles_each_association() -> None:
    async def echo(association: sctpx.Association) -> None:
        async for message in association:
            await association.send(message.data.upper(), stream=message.stream)

    async with await start(echo) as server:
        clients = [await client_of(server) for _ in range(3)]
        for number, client in enumerate(clients):
            await client.send(b"client %d" % number)
        assert [(await client.recv()).data for client in clients] == [b"CLIENT 0", b"CLIENT 1", b"CLIENT 2"]
        await asyncio.gather(*[client.shutdown() for client in clients])


async def test_a_plain_function_does_with_the_association_what_it_likes() -> None:
    taken: list[sctpx.Association] = []
    async with await start(taken.append) as server:
        client = await client_of(server)
        await until(lambda: taken)
        await taken[0].send(b"from outside")
        assert (await client.recv()).data == b"from outside"
        assert server.associations == taken


async def test_a_handler_that_returns_has_its_association_shut_down() -> None:
    async def greet(association: sctpx.Association) -> None:
        await association.send(b"hello and goodbye")

    async with await start(greet) as server:
        client = await client_of(server)
        assert [message.data async for message in client] == [b"hello and goodbye"]


async def test_a_handler_that_fails_has_its_association_aborted_and_is_told_of() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fail(association: sctpx.Association) -> None:
        await association.recv()
        raise LookupError("no such thing")

    async with await start(fail) as server:
        client = await client_of(server)
        await client.send(b"x")
        with pytest.raises(sctpx.AssociationAborted):
            await client.recv()
    assert [type(context["exception"]) for context in told] == [LookupError]
    assert "handler" in told[0]["message"]


async def test_a_plain_handler_that_fails_is_told_of_too() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def fail(_: sctpx.Association) -> None:
        raise LookupError

    async with await start(fail) as server:
        client = await client_of(server)
        with pytest.raises(sctpx.AssociationAborted):
            await client.recv()
    assert [type(context["exception"]) for context in told] == [LookupError]


@pytest.mark.parametrize("graceful", [True, False])
async def test_the_end_of_its_own_association_is_no_failure_of_a_handler(graceful: bool) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    ended = asyncio.Event()

    async def read_on(association: sctpx.Association) -> None:
        try:
            while True:
                await association.recv()
        finally:
            ended.set()

    async with await start(read_on) as server:
        client = await client_of(server)
        if graceful:
            await client.shutdown()
        else:
            client.abort()
        await ended.wait()
    assert told == []


async def test_the_end_of_another_association_is_a_failure_of_a_handler() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async with associated() as (behind, _):

        async def pass_on(_: sctpx.Association) -> None:
            await behind.recv()

        async with await start(pass_on) as server:
            client = await client_of(server)
            behind.abort()
            with pytest.raises(sctpx.AssociationAborted):
                await client.recv()
    assert [type(context["exception"]) for context in told] == [sctpx.AssociationAborted]


async def test_a_handler_that_is_cancelled_has_its_association_aborted() -> None:
    tasks: list[asyncio.Task[None] | None] = []

    async def wait(association: sctpx.Association) -> None:
        tasks.append(asyncio.current_task())
        await association.recv()

    async with await start(wait) as server:
        client = await client_of(server)
        await until(lambda: tasks)
        assert tasks[0] is not None
        tasks[0].cancel()
        with pytest.raises(sctpx.AssociationAborted):
            await client.recv()


# --- accept ---


async def test_without_a_handler_associations_wait_to_be_accepted() -> None:
    async with await start() as server:
        clients = [await client_of(server) for _ in range(3)]
        accepted = [await server.accept() for _ in range(3)]
        assert [association.peer_port for association in accepted] == [client.port for client in clients]


async def test_a_server_can_be_iterated_over_until_it_is_closed() -> None:
    async with await start() as server:
        ports = [(await client_of(server)).port for _ in range(3)]
        seen = []
        async for association in server:
            seen.append(association.peer_port)
            if len(seen) == 3:
                server.close()
        assert seen == ports


async def test_those_that_wait_to_accept_are_served_in_order_and_told_of_the_end() -> None:
    async with await start() as server:
        waiting = [asyncio.create_task(server.accept()) for _ in range(4)]
        await asyncio.wait(waiting, timeout=0)
        waiting[0].cancel()
        ports = [(await client_of(server)).port for _ in range(2)]
        assert [(await task).peer_port for task in waiting[1:3]] == ports
        server.close()
        with raises_errno(errno.EBADF):
            await waiting[3]
        with raises_errno(errno.EBADF):
            await server.accept()


async def test_more_than_the_backlog_are_refused() -> None:
    async with await start(backlog=2) as server:
        for _ in range(2):
            await client_of(server)
        with pytest.raises(ConnectionRefusedError):
            await client_of(server)
        await server.accept()
        await client_of(server)


async def test_what_a_peer_sent_before_it_ended_can_be_accepted_and_read() -> None:
    async with await start() as server:
        client = await client_of(server)
        await client.send(b"in passing")
        await client.shutdown()
        association = await server.accept()
        assert [message.data async for message in association] == [b"in passing"]


async def test_an_association_that_ended_with_nothing_to_read_is_not_accepted() -> None:
    async with await start() as server:
        gone = await client_of(server)
        gone.abort()
        await until(lambda: not server.associations)
        stays = await client_of(server)
        assert (await server.accept()).peer_port == stays.port


async def test_what_waits_to_be_accepted_is_aborted_when_the_server_closes() -> None:
    async with await start() as server:
        client = await client_of(server)
        server.close()
        with pytest.raises(sctpx.AssociationAborted):
            await client.recv()


# --- the end ---


async def test_close_stops_listening_and_leaves_what_is_up() -> None:
    async with await start() as server:
        client = await client_of(server)
        association = await server.accept()
        assert server.is_serving()
        server.close()
        server.close()
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await client_of(server)
        await client.send(b"still here")
        assert (await association.recv()).data == b"still here"
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()
        await client.shutdown()
        await waiting


async def test_the_udp_port_is_free_once_the_server_and_its_associations_are_over() -> None:
    server = await start(lambda _: None)
    client = await client_of(server)
    server.close()
    with raises_errno(errno.EADDRINUSE):
        UdpLink.open([HOST], server.udp_port)
    await client.shutdown()
    await server.wait_closed()
    UdpLink.open([HOST], server.udp_port).close()


async def test_leaving_the_context_shuts_all_associations_down() -> None:
    async with await start() as server:
        clients = [await client_of(server) for _ in range(3)]
        for _ in clients:
            await (await server.accept()).send(b"goodbye")
    assert not server.associations
    for client in clients:
        assert [message.data async for message in client] == [b"goodbye"]


async def test_leaving_the_context_by_an_exception_aborts_all_associations() -> None:
    clients: list[sctpx.Association] = []

    async def fail() -> None:
        async with await start(lambda _: None) as server:
            clients.append(await client_of(server))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    with pytest.raises(sctpx.AssociationAborted):
        await clients[0].recv()


class Serving:
    """A server with one peer, to which it has sent four messages; the peer's window takes two of them."""

    def __init__(self) -> None:
        self.peer: sctpx.Association | None = None
        self.association: sctpx.Association | None = None
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        async with await start(lambda _: None) as server:
            self.peer = await client_of(server, config=sctpx.AssociationConfig(receive_buffer=100_000))
            await until(lambda: server.associations)
            association = server.associations[0]
            await association.send_many([bytes(50_000)] * 4)
            self.association = association
            await server.serve_forever()

    async def cancelled(self) -> sctpx.Association:
        """Its peer, once it was cancelled and waits for that one."""
        await until(lambda: self.association is not None and self.peer is not None and self.peer.readable)
        self.task.cancel()
        await until(lambda: self.association is not None and self.association.state == "SHUTDOWN-PENDING")
        assert self.peer is not None
        return self.peer


async def test_cancelling_a_server_shuts_its_associations_down() -> None:
    serving = Serving()
    peer = await serving.cancelled()
    assert sum([len(message.data) async for message in peer]) == 200_000
    await asyncio.wait([serving.task])
    assert serving.task.cancelled()


async def test_cancelling_a_server_once_more_aborts_its_associations() -> None:
    serving = Serving()
    peer = await serving.cancelled()
    serving.task.cancel()
    await asyncio.wait([serving.task])
    assert serving.task.cancelled()
    await peer.wait_closed()
    while peer.readable:
        await peer.recv()
    with pytest.raises(sctpx.AssociationAborted):
        await peer.recv()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_leaving_the_context_because_the_program_ends_shuts_associations_down(kind: type[BaseException]) -> None:
    peers: list[sctpx.Association] = []
    with contextlib.suppress(kind):
        async with await start(lambda _: None) as server:
            peers.append(await client_of(server))
            await until(lambda: server.associations)
            raise kind
    with pytest.raises(sctpx.AssociationClosed):
        await peers[0].recv()


async def test_serving_forever_ends_by_cancellation_and_closes() -> None:
    async with await start() as server:
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.wait([serving], timeout=0)
        serving.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled()
        assert not server.is_serving()


# --- ports and addresses ---


@linux_only
async def test_a_udp_port_another_program_has_is_refused_with_advice() -> None:
    with (
        another_program() as (pid, udp_port),
        raises_errno(errno.EADDRINUSE, f"UDP port {udp_port} .*process {pid} .*udp_port="),
    ):
        await start(udp_port=udp_port)


async def test_two_servers_of_one_loop_share_a_udp_port_but_not_an_sctp_port() -> None:
    async with await start() as server:
        async with await sctpx.start_server(None, HOST, PORT + 1, udp_port=server.udp_port) as other:
            one = await client_of(server)
            two = await sctpx.connect(HOST, PORT + 1, peer_udp_port=server.udp_port)
            assert (await server.accept()).peer_port == one.port
            assert (await other.accept()).peer_port == two.port
            with raises_errno(errno.EADDRINUSE, f"SCTP port {PORT} on UDP port {server.udp_port} .*udp_port="):
                await start(udp_port=server.udp_port)
        await one.send(b"x")


@linux_only
async def test_servers_on_different_addresses_have_the_same_ports_without_knowing_of_each_other() -> None:
    async with (
        await start(local="127.0.0.2") as one,
        await start(local="127.0.0.3", udp_port=one.udp_port) as two,
        sctpx.connect("127.0.0.3", PORT, peer_udp_port=one.udp_port) as client,
    ):
        assert one.udp_port == two.udp_port
        assert (await two.accept()).peer_port == client.port
        assert not one.associations


@pytest.mark.parametrize("wildcard", [None, "", "0.0.0.0"])
async def test_a_wildcard_stands_for_the_addresses_of_the_interfaces(wildcard: str | None) -> None:
    async with await start(local=wildcard) as server:
        assert HOST in server.local_addresses
        async with sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) as client:
            await client.send(b"hello")
            assert (await (await server.accept()).recv()).data == b"hello"


@with_ipv6
async def test_the_ipv6_wildcard_stands_for_ipv6_addresses() -> None:
    async with await start(local="::") as server:
        assert "::1" in server.local_addresses
        assert all(":" in address for address in server.local_addresses)


@with_ipv6
async def test_a_wildcard_listener_tells_each_peer_what_is_in_its_reach(own_network: Elsewhere) -> None:
    async def elsewhere() -> None:
        async with await start(local="::") as server:
            assert sorted(server.local_addresses) == ["2001:db8::5", "::1", "fd00::5"]
            told = {}
            for host in server.local_addresses:
                async with sctpx.connect(host, PORT, peer_udp_port=server.udp_port, local=host) as association:
                    told[host] = association.peer_addresses
            assert told["2001:db8::5"] == ["2001:db8::5"]
            assert sorted(told["fd00::5"]) == ["2001:db8::5", "fd00::5"]
            assert sorted(told["::1"]) == ["2001:db8::5", "::1", "fd00::5"]

    addresses = ["fd00::5", "2001:db8::5"]
    await asyncio.to_thread(own_network, 1500, lambda: asyncio.run(elsewhere()), addresses)


@linux_only
async def test_a_host_name_stands_for_all_its_addresses() -> None:
    async with await start(local="db.test") as server:
        assert server.local_addresses == ["127.0.0.2", "127.0.0.3"]
    with raises_errno(-2):
        await start(local="nowhere.invalid")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"local": "192.0.2.77"}, errno.EADDRNOTAVAIL),
        ({"local": []}, errno.EINVAL),
        ({"local": "224.0.0.1"}, errno.EINVAL),
        ({"udp_port": 65536}, errno.EINVAL),
        ({"backlog": 0}, errno.EINVAL),
    ],
)
async def test_what_cannot_be_listened_on_raises_and_leaves_nothing_open(options: dict[str, Any], code: int) -> None:
    with raises_errno(code):
        await start(**options)


@pytest.mark.udp_9899
async def test_the_udp_port_of_a_listener_is_9899_unless_told_otherwise() -> None:
    try:
        server = await sctpx.start_server(None, HOST, PORT)
    except OSError:
        pytest.skip("somebody on this machine has it")
    async with server:
        assert server.udp_port == 9899


async def test_a_server_says_what_it_is() -> None:
    async with await start() as server:
        text = f"<sctpx.Endpoint port {PORT} on {HOST} UDP port {server.udp_port}>"
        assert repr(server) == f"<sctpx.Server serving {text}>"
        assert server.port == PORT
        assert server.endpoint.port == PORT
        udp_port = closed_udp_port()
        assert udp_port != server.udp_port


async def test_the_options_of_a_server_are_those_of_its_associations() -> None:
    config = sctpx.AssociationConfig(receive_buffer=5000)
    async with associated(server={"config": config, "streams": 3, "close_timeout": 0.5}) as (_, b):
        assert b.config.receive_buffer == 5000
        assert b.config.streams == 3
        assert b.close_timeout == 0.5
