"""IPV6_V6ONLY: an AF_INET6 socket that has no use for IPv4 addresses; and AF_INET sockets have none for IPv6."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

import sctpx
from tests.api.sockets.support import HOST, PORT, accepted, listening, new_socket
from tests.api.support import raises_errno, with_ipv6

pytestmark = with_ipv6
HERE6 = ("::1", PORT, 0, 0)
MAPPED = ("::ffff:127.0.0.1", PORT)


def v6only(**options: Any) -> sctpx.Socket:
    sock = new_socket(sctpx.AF_INET6, sctpx.SOCK_STREAM, **options)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def test_a_wildcard_stands_for_the_ipv6_addresses_of_this_host() -> None:
    for address in (("", PORT), ("::", PORT)):
        with v6only(udp_port=0) as sock:
            sock.bind(address)
            assert {":" in host for host, *_ in sock.getladdrs()} == {True}


def test_ipv4_addresses_are_refused_in_every_call() -> None:
    with v6only(udp_port=0) as sock:
        for address in ((HOST, PORT), MAPPED):
            for call in (sock.bind, sock.connect, lambda wanted: sock.sendto(b"x", wanted)):
                with raises_errno(errno.EAFNOSUPPORT):
                    call(address)
            with raises_errno(errno.EAFNOSUPPORT):
                sock.connectx([HERE6, address])
        with raises_errno(errno.EAFNOSUPPORT):
            sock.bind(("0.0.0.0", PORT))
        assert sock.getladdrs() == []


def test_it_cannot_be_changed_once_the_socket_is_bound() -> None:
    with new_socket(sctpx.AF_INET6, udp_port=0) as sock:
        sock.bind(HERE6)
        with raises_errno(errno.EINVAL):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def test_the_peers_ipv4_addresses_are_no_paths_whoever_connects() -> None:
    """Both sides list all their addresses; a socket that keeps to IPv6 passes over the others'."""
    with new_socket(sctpx.AF_INET6, udp_port=0) as server:
        server.bindx([("::1", PORT), (HOST, PORT)])
        server.listen()
        with v6only(peer_udp_port=server.udp_port) as sock:
            sock.connect(HERE6)
            assert [host for host, *_ in sock.getpaddrs()] == ["::1"]
    with v6only(udp_port=0) as server:
        server.bind(("", PORT))
        server.listen()
        with new_socket(sctpx.AF_INET6, peer_udp_port=server.udp_port) as sock:
            sock.bindx([("::1", 0), (HOST, 0)])
            sock.connect(HERE6)
            with accepted(server) as connection:
                assert [host for host, *_ in connection.getpaddrs()] == ["::1"]
                assert connection.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_an_ipv4_and_an_ipv6_server_live_side_by_side_on_one_port() -> None:
    with listening(address=("", PORT)) as ipv4, v6only(udp_port=ipv4.udp_port) as ipv6:
        ipv6.bind(("", PORT))
        ipv6.listen()
        for server, address in ((ipv4, (HOST, PORT)), (ipv6, HERE6)):
            with new_socket(sctpx.AF_INET6, peer_udp_port=ipv4.udp_port) as sock:
                sock.connect(address)
                with accepted(server) as connection:
                    assert connection.getpaddrs()[0][0] == address[0]


@pytest.mark.parametrize(
    ("family", "address"),
    [(sctpx.AF_INET, HERE6), (sctpx.AF_INET6, (HOST, PORT))],
    ids=["IPv4 server", "IPv6 server"],
)
def test_a_server_of_one_family_does_not_hear_the_other_one_through_a_shared_udp_port(
    family: int, address: tuple[Any, ...]
) -> None:
    """Another socket has the same UDP port on addresses of both families."""
    with new_socket(sctpx.AF_INET6, udp_port=0) as neighbour:
        neighbour.bindx([("::1", PORT + 1), (HOST, PORT + 1)])
        with new_socket(family, udp_port=neighbour.udp_port) as server:
            if family == sctpx.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.bind(("", PORT))
            server.listen()
            with (
                new_socket(sctpx.AF_INET6, peer_udp_port=neighbour.udp_port) as sock,
                pytest.raises(ConnectionRefusedError),
            ):
                sock.connect(address)
