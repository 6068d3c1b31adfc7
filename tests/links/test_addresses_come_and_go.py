"""A server that is bound to a wildcard follows its host: new addresses are served, lost ones are told no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx.link import LINK_KINDS, LinkKind
from tests.links.hosts import Host, Program, hosts
from tests.links.wildcard import ASYNCIO, SOCKETS, udp_port

SERVER = Path(__file__).with_name("wildcard.py")
APIS = {ASYNCIO: "aio", SOCKETS: "sockets"}
over_both = pytest.mark.parametrize("link", LINK_KINDS)
PATIENCE = 5.0
"""Seconds in which what is certain comes about."""


@pytest.fixture
def joined() -> Iterator[tuple[Host, Host]]:
    """Two hosts, c and s at the ends of a link, with 192.0.2.1 and 192.0.2.2, fd00::1 and fd00::2."""
    with hosts(2) as (client, server):
        client.connect("c", server, "s")
        for host, end, number in ((client, "c", 1), (server, "s", 2)):
            host.add(f"192.0.2.{number}/24", end)
            host.add(f"fd00::{number}/64", end)
        yield client, server


def until(condition: Callable[[], Any]) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"


def has(server: Program, port: int, address: str) -> Callable[[], bool]:
    """Whether the server has a local address now."""
    return lambda: address in server.ask(APIS[port]).split()


def associating(host: str, port: int, link: LinkKind = "udp") -> sctpx.Connecting:
    """Connect to the server."""
    return sctpx.connect(host, port, peer_udp_port=udp_port(port, link) or 0, timeout=PATIENCE, link=link)


async def _echoed(host: str, port: int, link: LinkKind) -> list[str]:
    async with associating(host, port, link) as association:
        await association.send(b"hello")
        assert (await association.recv()).data == b"hello"
        return association.peer_addresses


def peers(client: Host, address: str, port: int, link: LinkKind = "udp") -> list[str]:
    """Connect to the server at an address and exchange a message: the addresses that the server has told."""
    return client.run(lambda: asyncio.run(_echoed(address, port, link)))


@over_both
def test_an_address_that_the_host_gets_is_served_and_told(joined: tuple[Host, Host], link: LinkKind) -> None:
    client, host = joined
    with host.start(SERVER, "0.0.0.0", link) as server:
        assert server.line() == "up"
        host.add("192.0.2.9/24", "s")
        for port in APIS:
            until(has(server, port, "192.0.2.9"))
            assert sorted(peers(client, "192.0.2.9", port, link)) == ["192.0.2.2", "192.0.2.9"]
            assert sorted(peers(client, "192.0.2.2", port, link)) == ["192.0.2.2", "192.0.2.9"]


def test_an_ipv6_address_is_served_once_it_is_found_to_be_unique(joined: tuple[Host, Host]) -> None:
    client, host = joined
    with host.start(SERVER, "::", "udp") as server:
        assert server.line() == "up"
        host.add("fd00::9/64", "s", unique=False)
        for port in APIS:
            until(has(server, port, "fd00::9"))
            assert "fd00::9" in peers(client, "fd00::9", port)


def test_a_wildcard_of_ipv4_has_no_use_for_an_ipv6_address(joined: tuple[Host, Host]) -> None:
    _, host = joined
    with host.start(SERVER, "0.0.0.0", "udp") as server:
        assert server.line() == "up"
        host.add("fd00::9/64", "s")
        host.add("192.0.2.9/24", "s")
        for port in APIS:
            until(has(server, port, "192.0.2.9"))
            assert not has(server, port, "fd00::9")()


@over_both
def test_links_that_come_later_are_served(joined: tuple[Host, Host], link: LinkKind) -> None:
    client, host = joined
    with host.start(SERVER, "::", link) as server:
        assert server.line() == "up"
        for end, other in (("c2", "s2"), ("c3", "s3")):
            client.connect(end, host, other)
            client.add("fe80::1/64", end)
            host.add("fe80::2/64", other)
        for port, api in APIS.items():
            until(lambda api=api: server.ask(api).count("fe80::2") == 2)  # type: ignore[misc]
            for end in ("c2", "c3"):
                assert peers(client, f"fe80::2%{end}", port, link)[0] == f"fe80::2%{end}"


@over_both
def test_an_address_that_the_host_loses_is_told_no_more(joined: tuple[Host, Host], link: LinkKind) -> None:
    client, host = joined
    host.add("192.0.2.9/24", "s")
    with host.start(SERVER, "0.0.0.0", link) as server:
        assert server.line() == "up"
        for port in APIS:
            assert sorted(peers(client, "192.0.2.2", port, link)) == ["192.0.2.2", "192.0.2.9"]
        host.remove("192.0.2.9/24", "s")
        for port in APIS:
            until(lambda port=port: not has(server, port, "192.0.2.9")())  # type: ignore[misc]
            assert peers(client, "192.0.2.2", port, link) == ["192.0.2.2"]
        # It may come back.
        host.add("192.0.2.9/24", "s")
        for port in APIS:
            until(has(server, port, "192.0.2.9"))
            assert sorted(peers(client, "192.0.2.9", port, link)) == ["192.0.2.2", "192.0.2.9"]


def test_an_association_keeps_the_addresses_it_began_with(joined: tuple[Host, Host]) -> None:
    """Its peer knows no others: what came from the new address would be out of the blue and end it."""
    client, host = joined

    async def talk(ask: Callable[[str], str]) -> list[str]:
        async with associating("192.0.2.2", ASYNCIO) as association:
            host.add("192.0.2.9/24", "s")
            until(lambda: "192.0.2.9" in ask("aio").split())
            for _ in range(3):
                association.heartbeat("192.0.2.2")
                await association.send(b"hello")
                assert (await association.recv()).data == b"hello"
            assert association.peer_addresses == ["192.0.2.2"]
            return ask("associations").split()

    with host.start(SERVER, "0.0.0.0", "udp") as server:
        assert server.line() == "up"
        assert client.run(lambda: asyncio.run(talk(server.ask))) == ["192.0.2.2"]


def test_an_association_outlives_an_address_that_comes_back(joined: tuple[Host, Host]) -> None:
    client, host = joined

    async def talk(ask: Callable[[str], str]) -> None:
        async with associating("192.0.2.2", ASYNCIO) as association:
            host.remove("192.0.2.2/24", "s")
            until(lambda: "192.0.2.2" not in ask("aio").split())
            await association.send(b"hello")
            host.add("192.0.2.2/24", "s")
            assert (await association.recv()).data == b"hello"

    with host.start(SERVER, "0.0.0.0", "udp") as server:
        assert server.line() == "up"
        client.run(lambda: asyncio.run(talk(server.ask)))
