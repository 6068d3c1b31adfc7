"""``socket``: what can be made, what is refused, what a socket says of itself."""

from __future__ import annotations

import errno
import pickle
import socket

import pytest

import sctpx
from sctpx import constants as c
from tests.api.sockets.support import (
    HERE,
    HOST,
    PORT,
    connected,
    listening,
    new_socket,
)
from tests.api.support import raises_errno


@pytest.mark.real_time
def test_a_new_socket_has_the_timeout_that_the_socket_module_gives_new_ones() -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.01)
    try:
        with listening() as server:
            assert server.gettimeout() == 0.01
            with pytest.raises(TimeoutError):
                server.accept()
    finally:
        socket.setdefaulttimeout(before)


def test_a_socket_has_its_limits_and_tells_how_often_they_were_met() -> None:
    with new_socket(limits=sctpx.Limits(associations_per_peer=1), udp_port=0) as server:
        with raises_errno(errno.EINVAL):
            repr(server.stats)
        server.bind(HERE)
        server.listen()
        with new_socket(peer_udp_port=server.udp_port) as first, new_socket(peer_udp_port=server.udp_port) as second:
            first.connect(HERE)
            with pytest.raises(ConnectionRefusedError):
                second.connect(HERE)
            assert server.stats.associations_refused == 1


@pytest.mark.parametrize("family", [sctpx.AF_INET, sctpx.AF_INET6])
@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_both_families_and_both_styles_can_be_had(family: int, style: int) -> None:
    with new_socket(family, style) as sock:
        assert (sock.family, sock.type, sock.proto) == (family, style, 132)
        assert sock.getsockopt(c.SOL_SOCKET, socket.SO_TYPE) == style


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((socket.AF_UNIX, sctpx.SOCK_STREAM), errno.EAFNOSUPPORT),
        ((-1, sctpx.SOCK_STREAM), errno.EAFNOSUPPORT),
        ((sctpx.AF_INET, socket.SOCK_DGRAM), errno.EINVAL),
        ((sctpx.AF_INET, sctpx.SOCK_STREAM, socket.IPPROTO_TCP), errno.EPROTONOSUPPORT),
    ],
)
def test_what_is_no_sctp_socket_is_refused(arguments: tuple[int, ...], code: int) -> None:
    with raises_errno(code):
        new_socket(*arguments)


@pytest.mark.parametrize("option", ["udp_port", "peer_udp_port"])
def test_a_udp_port_has_to_be_one(option: str) -> None:
    with raises_errno(errno.EINVAL):
        new_socket(**{option: 65536})


def test_a_socket_says_what_it_is() -> None:
    with connected() as (a, b):
        assert f"one-to-one, on {HOST} port {PORT}" in repr(b)
        assert f"with {HOST} port {PORT}" in repr(a)
        a.close()
        assert repr(a) == f"<sctpx.{type(a).__name__} one-to-one, closed>"
    with new_socket(type=sctpx.SOCK_SEQPACKET) as sock:
        assert repr(sock) == f"<sctpx.{type(sock).__name__} one-to-many>"


def test_a_socket_cannot_be_pickled() -> None:
    with new_socket() as sock, pytest.raises(TypeError, match="pickle"):
        pickle.dumps(sock)


def test_a_timeout_is_none_zero_or_seconds() -> None:
    with new_socket() as sock:
        assert sock.gettimeout() is None
        assert sock.getblocking()
        sock.settimeout(1.5)
        assert (sock.timeout, sock.getblocking()) == (1.5, True)
        sock.setblocking(False)
        assert (sock.gettimeout(), sock.getblocking()) == (0.0, False)
        sock.setblocking(True)
        assert sock.gettimeout() is None
        with pytest.raises(ValueError, match="Timeout"):
            sock.settimeout(-1)


def test_leaving_the_context_closes_a_socket_and_frees_its_port() -> None:
    with listening() as server:
        udp_port = server.udp_port
    assert server.fileno() == -1
    with listening(udp_port=udp_port) as server:
        assert server.getsockname() == HERE
