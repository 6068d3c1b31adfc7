"""A laptop that moves from one network to another keeps its associations (RFC 5061).

The laptop is on two networks by turns, the server behind both: at each network a router, which is the server itself,
knows the way to the server's one address.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sctpx
from sctpx import constants as c
from sctpx.link import LinkKind
from tests.cli.commands import Running
from tests.links.hosts import Host, Program, hosts
from tests.links.wildcard import ASYNCIO, SOCKETS, udp_port
from tests.sweeps import rows, some

SERVER = Path(__file__).with_name("wildcard.py")
ADDRESS = "203.0.113.1"
HOME, CAFE = "192.0.2", "198.51.100"
CONFIG = sctpx.AssociationConfig(address_reconfiguration=True, auto_asconf=True)
PATIENCE = 20.0
"""Seconds in which what is certain comes about."""
over_both = pytest.mark.parametrize("link", some(["udp"], ["raw"]))
"""The other test of this file goes over raw IP each time."""


class Laptop:
    """A host at the ends of the cables ``home`` and ``cafe``, which are plugged in by turns."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def arrive(self, network: str) -> None:
        """Get an address, and the way to the server."""
        cable = {HOME: "home", CAFE: "cafe"}[network]
        self.host.add(f"{network}.1/24", cable)
        self.host.ip(f"route replace {ADDRESS} via {network}.2")

    def leave(self, network: str) -> None:
        """Lose the address, and the way."""
        self.host.remove(f"{network}.1/24", {HOME: "home", CAFE: "cafe"}[network])


@pytest.fixture
def joined() -> Iterator[tuple[Laptop, Host]]:
    """The laptop at home, and the server."""
    with hosts(2) as (laptop, server):
        server.ip(f"addr add {ADDRESS}/32 dev lo")
        for cable, network in (("home", HOME), ("cafe", CAFE)):
            laptop.connect(cable, server, f"{cable}s")
            server.add(f"{network}.2/24", f"{cable}s")
        moving = Laptop(laptop)
        moving.arrive(HOME)
        yield moving, server


def peers(server: Program, api: str, *wanted: str) -> None:
    """Wait until the server knows the laptop by these addresses and no other."""
    deadline = time.monotonic() + PATIENCE
    while (found := sorted(server.ask(f"peers {api}").split())) != sorted(wanted):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server's answer to us brings about: the server knows before we do."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def say(association: sctpx.Association, text: bytes) -> None:
    await association.send(text)
    assert (await asyncio.wait_for(association.recv(), PATIENCE)).data == text


def changes(seen: list[sctpx.events.Event]) -> list[tuple[str, str, str]]:
    """Which of our addresses the peer was told of, and what came of that."""
    return [(one.address, one.change, one.result) for one in seen if isinstance(one, sctpx.events.LocalAddressChanged)]


@pytest.mark.parametrize(
    ("link", "order"),
    rows(
        [("udp", "break before make"), ("raw", "make before break")],
        [("raw", "break before make"), ("udp", "make before break")],
    ),
)
def test_an_association_of_asyncio_moves_with_its_host(joined: tuple[Laptop, Host], link: LinkKind, order: str) -> None:
    laptop, host = joined

    async def talk(server: Program) -> list[sctpx.events.Event]:
        seen: list[sctpx.events.Event] = []
        connecting = sctpx.connect(
            ADDRESS,
            ASYNCIO,
            peer_udp_port=udp_port(ASYNCIO, link) or 0,
            link=link,
            config=CONFIG,
            timeout=PATIENCE,
            on_event=lambda _, event: seen.append(event),
        )
        async with connecting as association:
            assert association.address_reconfigurable
            await say(association, b"at home")
            await asyncio.to_thread(peers, server, "aio", f"{HOME}.1")
            for here, there in ((HOME, CAFE), (CAFE, HOME)):
                if order == "break before make":
                    laptop.leave(here)
                    await asyncio.sleep(0.5)
                    await association.send(b"from nowhere")
                    laptop.arrive(there)
                    assert (await asyncio.wait_for(association.recv(), PATIENCE)).data == b"from nowhere"
                else:
                    laptop.arrive(there)
                    while f"{there}.1" not in association.local_addresses:
                        await say(association, b"while both are there")
                    laptop.leave(here)
                await say(association, f"at {there}".encode())
                await asyncio.to_thread(peers, server, "aio", f"{there}.1")
                await asyncio.to_thread(until, lambda: association.local_addresses == [f"{there}.1"])  # noqa: B023
            await asyncio.to_thread(until, lambda: len(changes(seen)) == 4)
        return seen

    with host.start(SERVER, ADDRESS, link) as server:
        assert server.line() == "up"
        seen = laptop.host.run(lambda: asyncio.run(talk(server)))
    assert changes(seen) == [
        (f"{CAFE}.1", "added", "done"),
        (f"{HOME}.1", "removed", "done"),
        (f"{HOME}.1", "added", "done"),
        (f"{CAFE}.1", "removed", "done"),
    ]


@over_both
def test_an_association_of_a_socket_moves_with_its_host(joined: tuple[Laptop, Host], link: LinkKind) -> None:
    laptop, host = joined

    def talk(server: Program) -> None:
        with sctpx.socket(peer_udp_port=udp_port(SOCKETS, link) or 0, link=link) as sock:
            sock.settimeout(PATIENCE)
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, sctpx.structs.AssocValue(assoc_value=1))
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_AUTO_ASCONF, 1)
            sock.connect((ADDRESS, SOCKETS))
            sock.send(b"at home")
            assert sock.recv(100) == b"at home"
            peers(server, "sockets", f"{HOME}.1")
            laptop.leave(HOME)
            time.sleep(0.5)
            sock.send(b"from nowhere")
            laptop.arrive(CAFE)
            assert sock.recv(100) == b"from nowhere"
            peers(server, "sockets", f"{CAFE}.1")
            until(lambda: [address[0] for address in sock.getladdrs()] == [f"{CAFE}.1"])
            sock.shutdown(sctpx.SHUT_WR)
            assert sock.recv(100) == b""

    with host.start(SERVER, ADDRESS, link) as server:
        assert server.line() == "up"
        laptop.host.run(lambda: talk(server))


def test_an_association_moves_when_the_user_says_so(joined: tuple[Laptop, Host]) -> None:
    """By the user: ``add_address``, ``remove_address``, ``set_peer_primary``."""
    laptop, host = joined

    async def talk(server: Program) -> None:
        port = udp_port(ASYNCIO, "udp") or 0
        config = sctpx.AssociationConfig(address_reconfiguration=True)
        async with sctpx.connect(ADDRESS, ASYNCIO, peer_udp_port=port, config=config, timeout=PATIENCE) as association:
            laptop.arrive(CAFE)
            association.add_address(f"{CAFE}.1")
            await asyncio.to_thread(peers, server, "aio", f"{HOME}.1", f"{CAFE}.1")
            await asyncio.to_thread(until, lambda: f"{CAFE}.1" in association.local_addresses)
            association.set_peer_primary(f"{CAFE}.1")
            await say(association, b"over both")
            association.remove_address(f"{HOME}.1")
            await asyncio.to_thread(peers, server, "aio", f"{CAFE}.1")
            laptop.leave(HOME)
            await say(association, b"over one")

    with host.start(SERVER, ADDRESS, "udp") as server:
        assert server.line() == "up"
        laptop.host.run(lambda: asyncio.run(talk(server)))


@over_both
def test_the_command_moves_with_its_host(joined: tuple[Laptop, Host], link: LinkKind) -> None:
    laptop, host = joined
    how = ("--mobile", "-v", "--link", link)
    listener = host.run(lambda: Running("listen", "--once", "--echo", *how, "0.0.0.0", "5000"))
    with listener:
        assert b"listening" in listener.stderr.readline()
        caller = laptop.host.run(lambda: Running("connect", *how, ADDRESS, "5000"))
        with caller:
            caller.write(b"at home\n")
            assert caller.stdout.readline() == b"at home\n"
            laptop.leave(HOME)
            time.sleep(0.5)
            caller.write(b"from nowhere\n")
            laptop.arrive(CAFE)
            assert caller.stdout.readline() == b"from nowhere\n"
            status, _, errors = caller.finish()
        assert status == 0
        for text in (f"our address {CAFE}.1: to be added, done", f"our address {HOME}.1: to be removed, done"):
            assert f"sctpx: {text}\n".encode() in errors
        status, _, errors = listener.finish()
    assert status == 0
    for text in (f"the peer has the address {CAFE}.1 now", f"the peer has given up the address {HOME}.1"):
        assert f"sctpx: {text}\n".encode() in errors
