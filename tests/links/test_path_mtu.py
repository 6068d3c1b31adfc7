"""Path MTU discovery over real links: with ICMP messages of a router, and without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sctpx
from tests.links.hosts import Host, hosts
from tests.links.sink import PORT
from tests.sweeps import rows, some

SINK = Path(__file__).with_name("sink.py")
MESSAGE = bytes(250_000)
TIMEOUT = 20.0
"""Seconds that are never reached."""
IPV4 = ("10.1.1.1", "10.1.1.2", "10.1.2.1", "10.1.2.2")
ROUTER = "02:00:00:00:00:0a"
IPV6 = ("fd01:1::1", "fd01:1::2", "fd01:2::1", "fd01:2::2")
to_and_over = pytest.mark.parametrize(
    ("link", "address"),
    rows([("udp", IPV4[3]), ("raw", IPV6[3])], [("udp", IPV6[3]), ("raw", IPV4[3])]),
)
"""The address of the server, and how packets travel."""


@contextmanager
def routed(far: int) -> Iterator[tuple[Host, Host, Host]]:
    """Client, router, server. The client's link has an MTU of 9000, the one behind the router another."""
    with hosts(3) as (client, router, server):
        client.connect("c0", router, "r0")
        router.connect("r1", server, "s0")
        for host, interface, mtu in (
            (client, "c0", 9000),
            (router, "r0", 9000),
            (router, "r1", far),
            (server, "s0", far),
        ):
            host.ip(f"link set {interface} mtu {mtu}")
        for addresses, prefix in ((IPV4, 24), (IPV6, 64)):
            ends = ((client, "c0"), (router, "r0"), (router, "r1"), (server, "s0"))
            for address, (host, interface) in zip(addresses, ends, strict=True):
                host.add(f"{address}/{prefix}", interface)
            family = "-6 " if ":" in addresses[0] else ""
            client.ip(f"{family}route add default via {addresses[1]}")
            server.ip(f"{family}route add default via {addresses[2]}")
        for number, (host, interface) in enumerate(ends, 1):
            host.add(f"fe80::{number}/64", interface)  # A router asks for its neighbours from such an address.
        router.forward()
        yield client, router, server


@contextmanager
def black_hole(far: int) -> Iterator[tuple[Host, Host, Host]]:
    """The same, but what the router says of packets that are too big does not arrive."""
    with routed(far) as (client, router, server):
        client.ignore(IPV4[1])
        # Over IPv6 the router has no way to the client for what is its own. It cannot tell its hardware address either.
        router.ip(f"link set r0 address {ROUTER}")
        client.ip(f"neigh replace {IPV6[1]} lladdr {ROUTER} dev c0 nud permanent")
        router.ip(f"-6 rule add iif lo to {IPV6[0]} blackhole pref 10")
        yield client, router, server


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def send(association: sctpx.Association) -> None:
    await association.send(MESSAGE)
    async with asyncio.timeout(TIMEOUT):
        assert await anext(aiter(association))


def in_client(
    client: Host, link: str, address: str, talk: Callable[[sctpx.Association], Awaitable[Any]], rto_min: float = 1.0
) -> None:
    """Connect to the server, and talk to it."""
    config = sctpx.AssociationConfig(rto_min=rto_min)

    async def call() -> None:
        way: Any = {"link": link} if link == "raw" else {"link": "udp"}
        async with sctpx.connect(address, PORT, timeout=TIMEOUT, config=config, **way) as association:
            await send(association)
            await talk(association)

    client.run(lambda: asyncio.run(call()))


def ip_size(association: sctpx.Association) -> int:
    """The largest IP packet of the only path, bytes."""
    (path,) = association.paths
    return path.mtu + (8 if path.udp_port else 0) + (40 if ":" in path.remote else 20)


@to_and_over
@pytest.mark.parametrize("far", [1400, 9000])
def test_a_router_tells_what_the_next_link_takes(far: int, link: str, address: str) -> None:
    async def talk(association: sctpx.Association) -> None:
        await until(lambda: ip_size(association) == far)
        await send(association)
        stats = association.stats
        assert stats.path_mtu_reports == (2 if far < 9000 else 0)
        assert stats.path_mtu_probes_lost == 0
        assert stats.t3_timeouts == 0

    with routed(far) as (client, _, server), server.start(SINK, link, address) as program:
        assert program.line() == "up"
        in_client(client, link, address, talk)


@to_and_over
def test_a_path_mtu_that_falls_costs_nothing(link: str, address: str) -> None:
    with routed(9000) as (client, router, server), server.start(SINK, link, address) as program:
        assert program.line() == "up"

        async def talk(association: sctpx.Association) -> None:
            await until(lambda: ip_size(association) == 9000)
            router.ip("link set r1 mtu 1400")
            await send(association)
            await until(lambda: ip_size(association) == 1400)
            await send(association)
            assert association.stats.t3_timeouts == 0

        in_client(client, link, address, talk)


@to_and_over
def test_a_black_hole_is_found_by_probes(link: str, address: str) -> None:
    async def talk(association: sctpx.Association) -> None:
        await until(lambda: ip_size(association) == 1500)
        await send(association)
        assert association.stats.t3_timeouts == 0
        assert association.stats.path_mtu_probes_lost == 1  # One of 9000 bytes.

    with black_hole(1500) as (client, _, server), server.start(SINK, link, address) as program:
        assert program.line() == "up"
        in_client(client, link, address, talk)


@to_and_over
def test_a_black_hole_that_opens_is_found_and_data_in_flight_gets_through(link: str, address: str) -> None:
    """Over IPv6, this host fragments what it would not have to for its interface."""
    with black_hole(9000) as (client, router, server), server.start(SINK, link, address) as program:
        assert program.line() == "up"

        async def talk(association: sctpx.Association) -> None:
            await until(lambda: ip_size(association) == 9000)
            router.ip("link set r1 mtu 1500")
            await send(association)
            stats = association.stats
            assert (stats.path_mtu_black_holes, stats.path_mtu_reports) == (1, 0)
            assert ip_size(association) < 9000
            await send(association)

        in_client(client, link, address, talk, rto_min=0.1)


@pytest.mark.parametrize("link", some(["udp"], ["raw"]))
def test_a_link_of_which_the_other_end_takes_less_holds_nothing_else_up(link: str) -> None:
    """Linux answers ENOBUFS there to packets that are too big, and not only once."""

    async def talk(association: sctpx.Association) -> None:
        await until(lambda: ip_size(association) == 9000)
        server.ip("link set s0 mtu 1500")
        await send(association)
        assert association.stats.path_mtu_black_holes == 1
        assert ip_size(association) < 9000
        await send(association)

    with hosts(2) as (client, server):
        client.connect("c0", server, "s0")
        for number, (host, interface) in enumerate(((client, "c0"), (server, "s0")), 1):
            host.ip(f"link set {interface} mtu 9000")
            host.add(f"fd01:3::{number}/64", interface)
            host.add(f"fe80::{number}/64", interface)
        with server.start(SINK, link, "fd01:3::2") as program:
            assert program.line() == "up"
            in_client(client, link, "fd01:3::2", talk, rto_min=0.1)


@pytest.mark.parametrize("link", ["udp", "raw"])
def test_an_interface_whose_mtu_falls_is_no_error(link: str) -> None:
    with routed(9000) as (client, _, server), server.start(SINK, link, IPV4[3]) as program:
        assert program.line() == "up"

        async def talk(association: sctpx.Association) -> None:
            await until(lambda: ip_size(association) == 9000)
            client.ip("link set c0 mtu 1300")
            await send(association)
            await until(lambda: ip_size(association) == 1300)

        in_client(client, link, IPV4[3], talk)
