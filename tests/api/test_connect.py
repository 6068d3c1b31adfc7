"""``sctpx.connect``: the contract of sctp_connectx on real sockets, and the manners of an asyncio call."""

from __future__ import annotations

import asyncio
import errno
import gc
import inspect
import socket
import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import pytest

import sctpx
from sctpx.link import Capabilities, UdpLink
from tests.api.support import (
    HOST,
    PORT,
    associated,
    closed_udp_port,
    linux_only,
    raises_errno,
    recv_whole,
    silent,
    until,
    with_ipv6,
)
from tests.unit.link.conftest import Elsewhere
from tests.unit.link.conftest import own_network as own_network

# --- several addresses ---


@linux_only
async def test_three_silent_addresses_of_four_cost_their_delays_and_not_the_association() -> None:
    dead = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    async with await sctpx.start_server(None, "127.0.0.5", PORT, udp_port=0) as server:
        with silent(server.udp_port, *dead):
            association = await sctpx.connect(
                [*dead, "127.0.0.5"], PORT, peer_udp_port=server.udp_port, attempt_delay=0.02
            )
        assert association.peer_addresses == ["127.0.0.5"]
        assert [(entry.address, entry.answer, entry.kept) for entry in association.report] == [
            *[(address, "silence", False) for address in dead],
            ("127.0.0.5", "INIT ACK", True),
        ]
        sent = [entry.first_sent for entry in association.report]
        assert sent[0] == 0.0
        assert sent == sorted(sent, key=lambda seconds: seconds or 0.0)
        assert (sent[3] or 0.0) >= 0.06
        await association.close()


@linux_only
async def test_a_refusal_moves_on_to_the_next_address_at_once() -> None:
    async with await sctpx.start_server(None, "127.0.0.5", PORT, udp_port=0) as server:
        hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.5"]
        async with sctpx.connect(hosts, PORT, peer_udp_port=server.udp_port, attempt_delay=60) as association:
            assert [(entry.address, entry.answer, entry.error) for entry in association.report] == [
                ("127.0.0.2", "ICMP", errno.ECONNREFUSED),
                ("127.0.0.3", "ICMP", errno.ECONNREFUSED),
                ("127.0.0.5", "INIT ACK", 0),
            ]


@linux_only
async def test_all_addresses_of_the_peer_become_paths_and_the_first_is_primary() -> None:
    async with associated(["127.0.0.2", "127.0.0.3"]) as (a, b):
        assert a.peer_addresses == ["127.0.0.2", "127.0.0.3"]
        assert a.primary == "127.0.0.2"
        assert [(path.remote, path.confirmed, path.primary) for path in a.paths] == [
            ("127.0.0.2", True, True),
            ("127.0.0.3", True, False),
        ]
        assert b.local_addresses == ["127.0.0.2", "127.0.0.3"]


@linux_only
async def test_a_listed_address_that_the_peer_does_not_name_is_dropped() -> None:
    async with associated(["127.0.0.2", "127.0.0.3"], server={"local": "127.0.0.2"}) as (association, _):
        assert association.peer_addresses == ["127.0.0.2"]
        assert [(entry.address, entry.kept) for entry in association.report] == [
            ("127.0.0.2", True),
            ("127.0.0.3", False),
        ]


@linux_only
async def test_an_address_the_peer_names_and_the_caller_did_not_list_is_in_the_report() -> None:
    async with associated("127.0.0.2", server={"local": ["127.0.0.2", "127.0.0.3"]}) as (association, _):
        assert association.peer_addresses == ["127.0.0.2", "127.0.0.3"]
        assert [(entry.address, entry.listed, entry.kept) for entry in association.report] == [
            ("127.0.0.2", True, True),
            ("127.0.0.3", False, True),
        ]


async def test_an_address_listed_twice_is_one() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        hosts = [HOST, f"::ffff:{HOST}", HOST]
        async with sctpx.connect(hosts, PORT, peer_udp_port=server.udp_port) as association:
            assert [entry.address for entry in association.report] == [HOST]


@linux_only
async def test_without_an_attempt_delay_one_address_is_tried_at_a_time() -> None:
    config = sctpx.AssociationConfig(rto_initial=0.05, rto_min=0.05)
    async with await sctpx.start_server(None, "127.0.0.3", PORT, udp_port=0) as server:
        with silent(server.udp_port, "127.0.0.2"):
            association = await sctpx.connect(
                ["127.0.0.2", "127.0.0.3"], PORT, peer_udp_port=server.udp_port, attempt_delay=None, config=config
            )
        assert association.config.attempt_delay is None
        assert [(entry.inits, entry.answer) for entry in association.report] == [(1, "silence"), (1, "INIT ACK")]
        assert (association.report[1].first_sent or 0.0) >= 0.05
        await association.close()


@linux_only
async def test_every_address_can_have_its_own_udp_port_and_source() -> None:
    async with (
        await sctpx.start_server(None, "127.0.0.2", PORT, udp_port=0) as server,
        sctpx.connect(
            [
                sctpx.Address("127.0.0.3", udp_port=closed_udp_port("127.0.0.3")),
                sctpx.Address("127.0.0.2", udp_port=server.udp_port, source="127.0.0.9"),
            ],
            PORT,
            peer_udp_port=1,
        ) as association,
    ):
        path = association.paths[0]
        assert (path.local, path.remote, path.udp_port) == ("127.0.0.9", "127.0.0.2", server.udp_port)
        assert sorted((await server.accept()).peer_addresses) == ["127.0.0.1", "127.0.0.9"]


# --- failures ---


@linux_only
async def test_a_closed_udp_port_refuses_the_connection() -> None:
    udp_port = closed_udp_port()
    with pytest.raises(ConnectionRefusedError) as caught:
        await sctpx.connect(HOST, PORT, peer_udp_port=udp_port)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert caught.value.errno == errno.ECONNREFUSED
    (entry,) = caught.value.report
    assert (entry.address, entry.answer, entry.inits, entry.kept) == (HOST, "ICMP", 1, False)
    assert f"127.0.0.1 UDP port {udp_port}: ICMP to 1 INIT" in str(caught.value)


async def test_an_sctp_port_nobody_listens_on_refuses_the_connection() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        with pytest.raises(ConnectionRefusedError) as caught:
            await sctpx.connect(HOST, PORT + 1, peer_udp_port=server.udp_port)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert [entry.answer for entry in caught.value.report] == ["ABORT"]


@linux_only
async def test_a_silent_address_among_refusing_ones_makes_it_a_timeout() -> None:
    udp_port = closed_udp_port("127.0.0.2")
    with silent(udp_port, "127.0.0.3"), pytest.raises(TimeoutError) as caught:
        await sctpx.connect(["127.0.0.2", "127.0.0.3"], PORT, peer_udp_port=udp_port, timeout=0.2)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert [(entry.answer, entry.error) for entry in caught.value.report] == [
        ("ICMP", errno.ECONNREFUSED),
        ("silence", 0),
    ]


async def test_a_timeout_ends_the_attempt() -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), pytest.raises(TimeoutError):
        await sctpx.connect(HOST, PORT, peer_udp_port=udp_port, timeout=0.01)


async def test_an_attempt_ends_by_itself_when_every_address_was_asked_often_enough() -> None:
    config = sctpx.AssociationConfig(rto_initial=0.01, rto_min=0.01, rto_max=0.02, max_init_retransmits=3)
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), pytest.raises(TimeoutError) as caught:
        await sctpx.connect(HOST, PORT, peer_udp_port=udp_port, config=config)
    assert isinstance(caught.value, sctpx.ConnectError)
    assert [entry.inits for entry in caught.value.report] == [4]


@pytest.mark.parametrize(
    ("hosts", "port", "options"),
    [
        ([], PORT, {}),
        ("0.0.0.0", PORT, {}),
        ("::", PORT, {}),
        ("224.0.0.1", PORT, {}),
        ("ff02::1", PORT, {}),
        ("255.255.255.255", PORT, {}),
        ("", PORT, {}),
        (HOST, 0, {}),
        (HOST, 65536, {}),
        (HOST, PORT, {"peer_udp_port": 65536}),
        (HOST, PORT, {"udp_port": -1}),
        (HOST, PORT, {"local": []}),
        (HOST, PORT, {"local_port": 65536}),
        (sctpx.Address(HOST, source="here"), PORT, {}),
    ],
)
async def test_what_cannot_be_an_address_or_a_port_is_the_callers_mistake(
    hosts: str | list[str], port: int, options: dict[str, int]
) -> None:
    with raises_errno(errno.EINVAL):
        await sctpx.connect(hosts, port, **options)  # type: ignore[arg-type]


@with_ipv6
async def test_local_addresses_of_the_other_family_cannot_reach_the_peer() -> None:
    with raises_errno(errno.EAFNOSUPPORT, "IPv4"):
        await sctpx.connect("::1", PORT, local=HOST)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_source_has_to_be_a_local_address(others: int) -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server, AsyncExitStack() as stack:
        for _ in range(others):
            await stack.enter_async_context(sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port))
        with raises_errno(errno.EADDRNOTAVAIL):
            await sctpx.connect(sctpx.Address(HOST, source="192.0.2.77"), PORT, peer_udp_port=server.udp_port)


@linux_only
async def test_a_source_has_to_be_among_the_local_addresses_that_were_named() -> None:
    with raises_errno(errno.EADDRNOTAVAIL, r"127\.0\.0\.9"):
        await sctpx.connect(sctpx.Address(HOST, source="127.0.0.9"), PORT, local="127.0.0.8")


async def test_a_configuration_out_of_bounds_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="streams"):
        await sctpx.connect(HOST, PORT, streams=0)
    with pytest.raises(ValueError, match="announce"):
        await sctpx.connect(HOST, PORT, announce="some")  # type: ignore[arg-type]


# --- names and families ---


@linux_only
async def test_a_host_name_stands_for_all_its_addresses_in_order() -> None:
    async with associated("db.test") as (association, _):
        assert [entry.address for entry in association.report] == ["127.0.0.2", "127.0.0.3"]
        assert association.peer_addresses == ["127.0.0.2", "127.0.0.3"]


@linux_only
async def test_a_name_that_does_not_resolve_is_reported_and_the_others_are_tried() -> None:
    async with associated(["nowhere.invalid", "127.0.0.2"], server={"local": "127.0.0.2"}) as (association, _):
        assert [(entry.address, entry.answer, entry.error) for entry in association.report] == [
            ("127.0.0.2", "INIT ACK", 0),
            ("nowhere.invalid", "name not resolved", socket.EAI_NONAME),
        ]


async def test_what_cannot_even_be_a_name_is_a_callers_mistake() -> None:
    with raises_errno(errno.EINVAL, "no host name"):
        await sctpx.connect("x" * 64 + ".test", PORT)


async def test_names_of_which_none_resolves_raise_what_the_resolver_says() -> None:
    with pytest.raises(socket.gaierror, match=r"nowhere\.invalid"):
        await sctpx.connect(["nowhere.invalid", "nobody.invalid"], PORT)


@pytest.mark.parametrize("hosts", [("127.0.0.1", 36412), b"127.0.0.1", [b"127.0.0.1"], [None]])
async def test_what_is_no_host_is_named(hosts: Any) -> None:
    with pytest.raises(TypeError, match=r"a host is a string or an Address, not (36412|b'127.0.0.1'|None)"):
        await sctpx.connect(hosts, PORT)


@linux_only
@pytest.mark.parametrize("name", ["mapped.test", "twice.test"])
async def test_what_a_name_resolves_to_is_one_address_however_it_is_written(name: str) -> None:
    async with associated(name, server={"local": "127.0.0.2"}) as (association, _):
        assert [entry.address for entry in association.report] == ["127.0.0.2"]


@with_ipv6
async def test_ipv6_works_like_ipv4() -> None:
    async with associated("::1") as (a, b):
        await a.send(b"six")
        assert (await b.recv()).data == b"six"
        assert a.paths[0].remote == "::1"
        assert a.paths[0].mtu == 1280 - 40 - 8  # What every path of IPv6 takes: nothing was sent that needs more.


@linux_only
@with_ipv6
async def test_both_families_make_one_association() -> None:
    async with associated("dual.test", server={"local": ["::1", "127.0.0.2"]}) as (association, _):
        assert association.peer_addresses == ["::1", "127.0.0.2"]
        assert association.local_addresses == ["::1", "127.0.0.1"]


@linux_only
@with_ipv6
async def test_an_address_of_a_family_we_have_not_is_reported_and_the_others_are_tried() -> None:
    async with await sctpx.start_server(None, "127.0.0.2", PORT, udp_port=0) as server:
        connecting = sctpx.connect(["::1", "127.0.0.2"], PORT, peer_udp_port=server.udp_port, local=HOST)
        async with connecting as association:
            assert [(entry.address, entry.answer, entry.error) for entry in association.report] == [
                ("127.0.0.2", "INIT ACK", 0),
                ("::1", "send error", errno.EAFNOSUPPORT),
            ]


# --- our side ---


async def test_many_clients_share_one_udp_port_and_have_an_sctp_port_each() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        associations = await asyncio.gather(
            *[sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) for _ in range(20)]
        )
        assert len({association.endpoint.udp_port for association in associations}) == 1
        assert len({association.port for association in associations}) == 20
        assert associations[0].port == associations[0].endpoint.udp_port
        assert all(association.port > 16383 for association in associations)
        await asyncio.gather(*[association.close() for association in associations])


async def test_the_udp_port_of_the_clients_is_free_when_the_last_one_has_ended() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        first = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        second = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        udp_port = first.endpoint.udp_port
        await first.close()
        with pytest.raises(OSError, match="taken by"):
            UdpLink.open([HOST], udp_port)
        await second.close()
        UdpLink.open([HOST], udp_port).close()


@linux_only
async def test_clients_to_other_networks_join_the_same_udp_port() -> None:
    async with await sctpx.start_server(None, ["127.0.0.2", "127.0.0.3"], PORT, udp_port=0) as server:
        one = await sctpx.connect("127.0.0.2", PORT, peer_udp_port=server.udp_port, local="127.0.0.8")
        two = await sctpx.connect("127.0.0.3", PORT, peer_udp_port=server.udp_port, local="127.0.0.9")
        assert one.endpoint.udp_port == two.endpoint.udp_port
        assert (one.paths[0].local, two.paths[0].local) == ("127.0.0.8", "127.0.0.9")
        one.abort()
        two.abort()


@linux_only
async def test_a_client_gets_another_udp_port_where_that_of_the_others_is_taken() -> None:
    async with await sctpx.start_server(None, ["127.0.0.2", "127.0.0.3"], PORT, udp_port=0) as server:
        one = await sctpx.connect("127.0.0.2", PORT, peer_udp_port=server.udp_port, local="127.0.0.8")
        with silent(one.endpoint.udp_port, "127.0.0.9"):
            two = await sctpx.connect("127.0.0.3", PORT, peer_udp_port=server.udp_port, local="127.0.0.9")
        assert one.endpoint.udp_port != two.endpoint.udp_port
        one.abort()
        two.abort()


@linux_only
async def test_the_local_ports_and_addresses_can_be_chosen() -> None:
    udp_port = closed_udp_port("127.0.0.8")
    local = ["127.0.0.8", "127.0.0.9"]
    async with associated("127.0.0.2", local=local, local_port=2905, udp_port=udp_port) as (a, b):
        assert (a.port, a.endpoint.udp_port, a.local_addresses) == (2905, udp_port, local)
        assert (b.peer_port, b.peer_addresses) == (2905, local)
        assert {path.udp_port for path in b.paths} == {udp_port}


@linux_only
async def test_behind_a_nat_no_address_is_announced() -> None:
    async with associated("127.0.0.2", local=["127.0.0.8", "127.0.0.9"], announce="none") as (a, b):
        assert len(b.peer_addresses) == 1
        assert b.peer_addresses == a.local_addresses


async def test_streams_are_negotiated() -> None:
    async with associated(server={"streams": 4}, streams=7) as (a, b):
        assert (a.outbound_streams, a.inbound_streams) == (7, 4)
        assert (b.outbound_streams, b.inbound_streams) == (4, 7)


async def test_an_association_says_what_it_is() -> None:
    async with associated() as (a, b):
        assert (a.state, b.state) == ("ESTABLISHED", "ESTABLISHED")
        assert (a.incoming, b.incoming) == (False, True)
        assert a.peer_port == b.port == PORT
        assert a.port == b.peer_port
        assert a.id > 0
        assert b.report == ()
        assert f"{a.id} ESTABLISHED with {HOST} port {PORT}" in repr(a)


async def test_addresses_there_is_no_way_to_are_reported_and_the_others_tried(own_network: Elsewhere) -> None:
    async def elsewhere() -> None:
        with pytest.raises(sctpx.ConnectError) as caught:
            await sctpx.connect(["192.0.2.1", "2001:db8::1"], PORT)
        assert caught.value.errno == errno.ENETUNREACH
        assert [(entry.address, entry.answer, entry.inits) for entry in caught.value.report] == [
            ("192.0.2.1", "send error", 0),
            ("2001:db8::1", "send error", 0),
        ]
        async with associated(["192.0.2.1", HOST], server={"local": HOST}) as (association, _):
            assert [(entry.address, entry.answer, entry.error) for entry in association.report] == [
                (HOST, "INIT ACK", 0),
                ("192.0.2.1", "send error", errno.ENETUNREACH),
            ]

    await asyncio.to_thread(own_network, 1500, lambda: asyncio.run(elsewhere()))


async def test_packets_are_no_larger_than_the_interface_takes(own_network: Elsewhere) -> None:
    async def elsewhere() -> None:
        async with associated() as (a, b):
            await a.send(bytes(10_000))
            await b.recv()
            await until(lambda: a.paths[0].mtu == 1280 - 20 - 8)
            assert a.stats.path_mtu_probes_lost == 0

    await asyncio.to_thread(own_network, 1280, lambda: asyncio.run(elsewhere()))


def test_the_signature_says_what_was_left_out() -> None:
    assert "attempt_delay: 'float | Unset | None' = UNSET" in str(inspect.signature(sctpx.connect))


# --- as an asyncio call ---


async def test_leaving_the_context_shuts_the_association_down() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        async with sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) as association:
            await association.send(b"last words")
            accepted = await server.accept()
        assert association.ended
        assert [message.data async for message in accepted] == [b"last words"]


async def test_leaving_the_context_by_an_exception_aborts() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:

        async def fail() -> None:
            async with sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port):
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        accepted = await server.accept()
        with pytest.raises(sctpx.AssociationAborted):
            await accepted.recv()


async def test_leaving_the_context_by_cancellation_aborts() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:

        async def client() -> None:
            async with sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) as association:
                await association.recv()

        task = asyncio.create_task(client())
        accepted = await server.accept()
        task.cancel()
        with pytest.raises(sctpx.AssociationAborted):
            await accepted.recv()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_cancelled_connect_leaves_nothing_behind() -> None:
    udp_port, own_udp_port = closed_udp_port(), closed_udp_port()
    with silent(udp_port, HOST):
        connecting = asyncio.ensure_future(sctpx.connect(HOST, PORT, peer_udp_port=udp_port, udp_port=own_udp_port))
        while not connecting.done():
            try:
                UdpLink.open([HOST], own_udp_port).close()
            except OSError:
                connecting.cancel()  # It has its sockets by now.
            await asyncio.wait([connecting], timeout=0)
        assert connecting.cancelled()
        UdpLink.open([HOST], own_udp_port).close()


async def test_a_failed_connect_leaves_nothing_behind() -> None:
    udp_port, own_udp_port = closed_udp_port(), closed_udp_port()
    with silent(udp_port, HOST), pytest.raises(TimeoutError):
        await sctpx.connect(HOST, PORT, peer_udp_port=udp_port, udp_port=own_udp_port, timeout=0.01)
    UdpLink.open([HOST], own_udp_port).close()


async def test_nothing_happens_until_a_connect_is_awaited() -> None:
    assert isinstance(sctpx.connect([], 0), sctpx.Connecting)


async def test_connects_can_be_gathered_and_given_a_time_limit() -> None:
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as server:
        async with asyncio.timeout(10):
            one = await asyncio.wait_for(sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port), 10)
        one.abort()


@pytest.mark.one_loop
async def test_a_thousand_associations_live_in_one_loop() -> None:
    async with await sctpx.start_server(lambda _: None, HOST, PORT, udp_port=0) as server:
        clients: list[sctpx.Association] = []
        for _ in range(10):
            clients += await asyncio.gather(
                *[sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) for _ in range(100)]
            )
        assert len(server.associations) == 1000
        for number, client in enumerate(clients):
            await client.send(b"%d" % number)
        received = await asyncio.gather(*[association.recv() for association in server.associations])
        assert sorted(int(message.data) for message in received) == list(range(1000))
        await asyncio.gather(*[client.close() for client in clients])


@pytest.mark.one_loop
async def test_an_idle_association_takes_less_than_12_kib_on_each_side() -> None:
    kept: list[sctpx.Association] = []
    async with await sctpx.start_server(kept.append, HOST, PORT, udp_port=0) as server:

        async def add(count: int) -> None:
            clients = [await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port) for _ in range(count)]
            kept.extend(clients)

        await add(50)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await add(200)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(kept) == 500
        assert (after - before) / 400 < 12 * 1024


@pytest.mark.blind_loop
async def test_a_loop_that_cannot_watch_file_descriptors_will_do() -> None:
    links = [UdpLink.open([HOST], capabilities=Capabilities()) for _ in range(2)]
    async with associated(link=links[0], server={"link": links[1]}) as (a, b):
        for size in (1, 1000, 100_000, 1 << 20):
            await asyncio.gather(a.send(bytes(size)), b.send(bytes(size)))
            assert await recv_whole(a) == await recv_whole(b) == bytes(size)
        await a.close()
        assert await b.recv_many() == []


@linux_only
@pytest.mark.blind_loop
async def test_a_refusal_is_heard_in_such_a_loop_too() -> None:
    link = UdpLink.open([HOST], capabilities=Capabilities(messages=True, error_queue=True))
    with pytest.raises(ConnectionRefusedError):
        await sctpx.connect(HOST, PORT, peer_udp_port=closed_udp_port(), link=link)
