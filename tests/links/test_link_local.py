"""Link-local IPv6 addresses on a host with two links: their scope ids go in and come out in every form."""

from __future__ import annotations

import ast
import asyncio
import errno
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.compat import pysctp
from tests.api.support import raises_errno
from tests.links.hosts import Host
from tests.links.server import ASYNCIO, ONE_TO_MANY, ONE_TO_ONE, UDP_PORTS

TIMEOUT = 5.0
"""Seconds that are never reached."""


def connecting(port: int = ONE_TO_ONE, family: int = sctpx.AF_INET6, style: int = sctpx.SOCK_STREAM) -> sctpx.Socket:
    sock = sctpx.socket(family, style, peer_udp_port=UDP_PORTS[port])
    sock.settimeout(TIMEOUT)
    return sock


def associating(hosts: str | list[str], **options: Any) -> sctpx.Connecting:
    return sctpx.connect(hosts, ASYNCIO, peer_udp_port=UDP_PORTS[ASYNCIO], timeout=TIMEOUT, **options)


def check_echo(sock: sctpx.Socket) -> None:
    sock.send(b"hello")
    assert sock.recv(10) == b"hello"


def sockaddr_in6(host: str, port: int, scope_id: int) -> bytes:
    return struct.pack("=H2s4x16sI", 10, port.to_bytes(2, "big"), socket.inet_pton(socket.AF_INET6, host), scope_id)


FORMS: dict[str, Callable[[int], Any]] = {
    "name": lambda port: ("fe80::4%q0", port),
    "number": lambda port: (f"fe80::4%{socket.if_nametoindex('q0')}", port),
    "scope id": lambda port: ("fe80::4", port, 0, socket.if_nametoindex("q0")),
    "both": lambda port: ("fe80::4%q0", port, 0, socket.if_nametoindex("q0")),
    "getaddrinfo": lambda port: socket.getaddrinfo("fe80::4%q0", port, type=socket.SOCK_DGRAM)[0][4],
    "sockaddr": lambda port: sockaddr_in6("fe80::4", port, socket.if_nametoindex("q0")),
    "Address": lambda port: (sctpx.Address("fe80::4%q0", source="fe80::3"), port),
}
PYTHONS_FORMS = [form for form in FORMS if form != "sockaddr"]


@pytest.fixture
def with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names as /etc/hosts or mDNS have them: node.test is on the link q0, vague.test does not say on which link."""
    real = socket.getaddrinfo
    known = {"node.test": "fe80::4%q0", "vague.test": "fe80::4"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **options: real(known.get(host, host), *rest, **options)
    )


# --- what goes in ---


@pytest.mark.parametrize("form", FORMS)
def test_connectx_takes_every_form(client: Host, form: str) -> None:
    def call() -> None:
        with connecting() as sock:
            sock.connectx(FORMS[form](ONE_TO_ONE))
            check_echo(sock)

    client.run(call)


@pytest.mark.parametrize("form", PYTHONS_FORMS)
def test_connect_takes_what_python_has(client: Host, form: str) -> None:
    def call() -> None:
        with connecting() as sock:
            sock.connect(FORMS[form](ONE_TO_ONE))
            check_echo(sock)

    client.run(call)


@pytest.mark.parametrize("form", PYTHONS_FORMS)
def test_a_message_can_be_sent_to_every_form(client: Host, form: str) -> None:
    def call() -> None:
        with connecting(ONE_TO_MANY, style=sctpx.SOCK_SEQPACKET) as sock:
            for _ in range(2):  # The second time there is an association.
                sock.sendto(b"hello", FORMS[form](ONE_TO_MANY))
                assert sock.recvfrom(10) == (b"hello", ("fe80::4", ONE_TO_MANY, 0, socket.if_nametoindex("q0")))
            assert sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_GET_ASSOC_NUMBER) == 1

    client.run(call)


def test_a_name_may_stand_for_a_link_local_address(client: Host, with_names: None) -> None:
    async def with_asyncio() -> list[str]:
        async with associating("node.test") as association:
            return association.peer_addresses

    def with_sockets() -> None:
        with connecting() as sock:
            sock.connect(("node.test", ONE_TO_ONE))
            check_echo(sock)

    client.run(with_sockets)
    assert client.run(lambda: asyncio.run(with_asyncio())) == ["fe80::4%q0", "fe80::b%q0"]


def test_a_name_without_a_link_gets_the_one_beside_it(client: Host, with_names: None) -> None:
    def call() -> None:
        with connecting() as sock:
            sock.connect(("vague.test", ONE_TO_ONE, 0, socket.if_nametoindex("q0")))
            check_echo(sock)

    client.run(call)


def test_the_link_may_be_that_of_the_address_we_are_bound_to(client: Host) -> None:
    async def with_asyncio() -> list[str]:
        async with associating("fe80::4", local="fe80::3%q0") as association:
            return association.peer_addresses

    def with_sockets() -> None:
        with connecting() as sock:
            sock.bind(("fe80::3", 0, 0, socket.if_nametoindex("q0")))
            sock.connect(("fe80::4", ONE_TO_ONE))
            check_echo(sock)

    client.run(with_sockets)
    assert client.run(lambda: asyncio.run(with_asyncio())) == ["fe80::4%q0", "fe80::b%q0"]


def test_pysctp_takes_both_forms(client: Host) -> None:
    def call() -> None:
        for address in (("fe80::4%q0", ONE_TO_ONE), ("fe80::4", ONE_TO_ONE, 0, socket.if_nametoindex("q0"))):
            with pysctp.sctpsocket_tcp(socket.AF_INET6, peer_udp_port=UDP_PORTS[ONE_TO_ONE]) as sock:
                sock.connectx([address])
                check_echo(sock.sock())
                [first, *_] = sock.getpaddrs()
                assert first == ("fe80::4%q0", ONE_TO_ONE)
                assert sock.get_paddrinfo(0, first).state == c.SCTP_ACTIVE

    client.run(call)


def test_the_commands_take_a_zone(client: Host) -> None:
    words = ["ip", "netns", "exec", client.name, sys.executable, "-m", "sctpx", "connect", "-v", "--timeout", "5"]
    done = subprocess.run(
        [*words, "--peer-udp-port", str(UDP_PORTS[ASYNCIO]), "--report", "[fe80::4%q0]", str(ASYNCIO)],
        input="hello",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hello"
    assert "association with fe80::4%q0,fe80::b%q0 port" in done.stderr
    assert "(we are fe80::3%q0 port" in done.stderr.replace("fe80::a%q0", "fe80::3%q0")


# --- what comes out ---


@pytest.mark.parametrize("port", [ASYNCIO, ONE_TO_ONE, ONE_TO_MANY])
def test_a_server_sees_where_its_peer_is_and_can_connect_back(client: Host, port: int) -> None:
    def call() -> list[Any]:
        with sctpx.socket(sctpx.AF_INET6, udp_port=0) as back, connecting(port) as sock:
            back.settimeout(TIMEOUT)
            back.bind(("fe80::3%q0", 6000))
            back.listen()
            sock.bind(("fe80::3%q0", 0))
            sock.connect(("fe80::4%q0", port))
            sock.send(b"who")
            seen: list[Any] = ast.literal_eval(sock.recv(1000).decode())
            sock.send(f"back 6000 {back.udp_port}".encode())
            accepted, (host, _, _, scope_id) = back.accept()  # type: ignore[misc]
            with accepted:
                assert accepted.recv(100) == b"here I am"
                assert (host[:6], scope_id) == ("fe80::", socket.if_nametoindex("q0"))
            return seen

    # The other end of q0 is the fourth interface of the server, behind lo and p1.
    for address in client.run(call):
        if port == ASYNCIO:
            assert address == "fe80::3%q1"
        else:
            assert address[0] == "fe80::3"
            assert address[3] > 0


def test_what_a_socket_tells_of_addresses_can_be_given_back_to_it(client: Host) -> None:
    def call() -> None:
        q0 = socket.if_nametoindex("q0")
        with connecting() as sock:
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_PEER_ADDR_CHANGE, se_on=1))
            sock.bindx([("fe80::3", 0, 0, q0)])
            sock.connect(("fe80::4", ONE_TO_ONE, 0, q0))
            assert sock.getpeername() == ("fe80::4", ONE_TO_ONE, 0, q0)
            assert sock.getpaddrs() == [("fe80::4", ONE_TO_ONE, 0, q0), ("fe80::b", ONE_TO_ONE, 0, q0)]
            assert sock.getladdrs() == [sock.getsockname()]
            assert sock.getsockname()[::3] == ("fe80::3", q0)
            assert [(entry.address, entry.kept) for entry in sock.report()] == [
                ("fe80::4%q0", True),
                ("fe80::b%q0", True),
            ]
            status = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS)
            assert status.sstat_primary.spinfo_address == sock.getpeername()
            confirmed = sock.recvv(1000).notification
            assert isinstance(confirmed, s.PaddrChange)
            other = ("fe80::b", ONE_TO_ONE, 0, q0)
            assert (confirmed.spc_aaddr, confirmed.spc_state) == (other, c.SCTP_ADDR_CONFIRMED)
            assert s.PaddrChange.unpack(confirmed.pack()) == confirmed
            for address in (other, ("fe80::b%q0", ONE_TO_ONE), ("fe80::b", ONE_TO_ONE)):
                info = s.PaddrInfo(spinfo_address=address)
                assert sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, info).spinfo_address == other
                packed = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, info).pack()
                assert s.PaddrInfo.unpack(packed).spinfo_address == other
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, s.SetPrim(ssp_addr=other))
            assert sock.getpeername() == other
            with raises_errno(errno.EINVAL):
                wrong = s.SetPrim(ssp_addr=("fe80::4", ONE_TO_ONE, 0, socket.if_nametoindex("p0")))
                sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, wrong)

    client.run(call)


def test_what_an_association_tells_of_addresses_can_be_given_back_to_it(client: Host) -> None:
    async def call() -> None:
        async with associating("fe80::4%q0", local="fe80::3%q0") as association:
            assert (association.primary, association.local_addresses) == ("fe80::4%q0", ["fe80::3%q0"])
            assert association.peer_addresses == ["fe80::4%q0", "fe80::b%q0"]
            assert next((entry.address, entry.source) for entry in association.report) == ("fe80::4%q0", "fe80::3%q0")
            assert "with fe80::4%q0, fe80::b%q0 port" in repr(association)
            async for event in association.events:
                assert event == sctpx.events.PathConfirmed("fe80::b%q0")
                break
            for address in ("fe80::b%q0", "fe80::b"):
                association.set_primary("fe80::4%q0")
                association.set_primary(address)
                assert association.primary == "fe80::b%q0"
                await association.send(b"hello", address=address)
                assert (await association.recv()).data == b"hello"
            assert [(path.remote, path.local) for path in association.paths] == [
                ("fe80::4%q0", "fe80::3%q0"),
                ("fe80::b%q0", "fe80::3%q0"),
            ]
            with raises_errno(errno.EINVAL):
                association.heartbeat("fe80::4%p0")

    client.run(lambda: asyncio.run(call()))


# --- several links ---


@pytest.mark.parametrize("link", ["p0", "q0"])
def test_one_address_on_two_links_is_two_peers(client: Host, link: str) -> None:
    """Our address is the same on both links, too: only the scope ids tell the associations apart."""
    other = {"p0": "q0", "q0": "p0"}[link]
    ends = {"p0": "p1", "q0": "q1"}

    async def call() -> list[Any]:
        seen: list[str] = []
        first = await sctpx.open_endpoint(f"fe80::a%{link}", 7000, udp_port=0)
        second = await sctpx.open_endpoint(f"fe80::a%{other}", 7000, udp_port=0)
        async with first, second:
            one = await first.connect(f"fe80::b%{link}", ASYNCIO, peer_udp_port=UDP_PORTS[ASYNCIO], timeout=TIMEOUT)
            two = await second.connect(f"fe80::b%{other}", ASYNCIO, peer_udp_port=UDP_PORTS[ASYNCIO], timeout=TIMEOUT)
            for association in (one, two):
                await association.send(b"who")
                seen += ast.literal_eval((await association.recv()).data.decode())
                seen += association.peer_addresses[:1]
        return seen

    assert client.run(lambda: asyncio.run(call())) == [
        f"fe80::a%{ends[link]}",
        f"fe80::b%{link}",
        f"fe80::a%{ends[other]}",
        f"fe80::b%{other}",
    ]


def test_an_association_may_have_a_path_on_each_link(client: Host) -> None:
    async def call() -> list[tuple[str, str, bool]]:
        addresses, own = ["fe80::2%p0", "fe80::4%q0"], ["fe80::1%p0", "fe80::3%q0"]
        async with associating(addresses, local=own) as association:
            for address in addresses:
                await association.send(b"hello", address=address)
                assert (await association.recv()).data == b"hello"
            return [(path.remote, path.local, path.confirmed) for path in association.paths][:2]

    assert client.run(lambda: asyncio.run(call())) == [
        ("fe80::2%p0", "fe80::1%p0", True),
        ("fe80::4%q0", "fe80::3%q0", True),
    ]


# --- what cannot be ---


def test_a_link_local_address_without_its_link_is_refused(client: Host) -> None:
    async def with_asyncio() -> None:
        with raises_errno(errno.EINVAL, "link-local"):
            await associating("fe80::4")
        with raises_errno(errno.EINVAL, "fe80::a%p0 or fe80::a%q0"):
            await sctpx.start_server(None, "fe80::a", 0, udp_port=0)

    def with_sockets() -> None:
        with connecting() as sock:
            with raises_errno(errno.EINVAL, "link-local"):
                sock.connect(("fe80::4", ONE_TO_ONE))
            with raises_errno(errno.EINVAL, "fe80::a%p0 or fe80::a%q0"):
                sock.bind(("fe80::a", 0))

    client.run(with_sockets)
    client.run(lambda: asyncio.run(with_asyncio()))


def test_our_own_address_that_is_on_one_link_needs_no_scope_id(client: Host) -> None:
    def call() -> Any:
        with connecting() as sock:
            sock.bind(("fe80::3", 0))
            return sock.getsockname()[::3]

    assert client.run(call) == ("fe80::3", client.run(lambda: socket.if_nametoindex("q0")))


def test_a_link_that_does_not_exist_is_refused(client: Host) -> None:
    def call() -> None:
        with connecting() as sock, raises_errno(errno.ENODEV, "no interface nowhere"):
            sock.connect(("fe80::4%nowhere", ONE_TO_ONE))
        with connecting() as sock, raises_errno(errno.EINVAL, "another link"):
            sock.connect(("fe80::4%q0", ONE_TO_ONE, 0, socket.if_nametoindex("p0")))
        with connecting() as sock, pytest.raises(sctpx.ConnectError):
            sock.connect(("fe80::4", ONE_TO_ONE, 0, 4711))

    client.run(call)
