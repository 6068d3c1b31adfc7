"""``getsockname``, ``getpeername``, ``sctp_getladdrs`` and ``sctp_getpaddrs``: who is at both ends."""

from __future__ import annotations

import errno
import socket

import pytest

import sctpx
from sctpx import constants as c
from tests.api.sockets.support import (
    HERE,
    HOST,
    PORT,
    accepted,
    associated,
    client,
    connected,
    listening,
    new_socket,
    notification,
    subscribe,
)
from tests.api.support import raises_errno


def test_addresses_are_asked_for_by_id() -> None:
    with associated() as (a, b, a_id, b_id):
        assert sctpx.sctp_getpaddrs(a, a_id) == [HERE]
        assert sctpx.sctp_getladdrs(b, b_id) == sctpx.sctp_getladdrs(b) == [HERE]
        assert sctpx.sctp_getpaddrs(b, b_id) == sctpx.sctp_getladdrs(a, a_id)
        sctpx.sctp_freepaddrs([])
        sctpx.sctp_freeladdrs([])
        with raises_errno(errno.ENOTCONN):
            a.getpeername()


def test_a_socket_without_an_association_has_no_peers() -> None:
    with new_socket() as sock:
        assert sctpx.sctp_getpaddrs(sock) == []
        with raises_errno(errno.ENOTCONN):
            sock.getpeername()


def test_names_are_those_of_both_ends() -> None:
    with connected() as (a, b):
        assert a.getpeername() == b.getsockname() == HERE
        assert b.getpeername() == a.getsockname()
        a.close()
        for call in (a.getpeername, a.getsockname, a.getpaddrs, a.getladdrs):
            with raises_errno(errno.EBADF):
                call()


def test_a_socket_that_is_not_bound_has_the_wildcard_and_one_that_connects_a_port() -> None:
    with listening() as server, client(server) as a:
        assert (a.getsockname(), a.getladdrs()) == (("0.0.0.0", 0), [])
        with raises_errno(errno.ENOTCONN):
            a.getpeername()
        with raises_errno(errno.ENOTCONN):
            server.getpeername()
        a.connect(HERE)
        host, port = a.getsockname()[:2]
        assert (host, port > 16383) == (HOST, True)
        assert a.getladdrs() == [(host, port)]


def test_after_the_end_there_is_no_peer_but_still_a_port() -> None:
    with connected(lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE)) as (a, b):
        own = a.getsockname()
        b.close()
        assert [notification(a).sac_state for _ in range(2)] == [c.SCTP_COMM_UP, c.SCTP_SHUTDOWN_COMP]
        with raises_errno(errno.ENOTCONN):
            a.getpeername()
        assert a.getpaddrs() == []
        assert a.getsockname() == own


@pytest.mark.real_time
@pytest.mark.parametrize("function", [sctpx.sctp_getladdrs, sctpx.sctp_getpaddrs])
def test_closed_and_foreign_descriptors_have_no_addresses(function: object) -> None:
    assert callable(function)
    with connected() as (a, _):
        descriptor = a.fileno()
        a.close()
        for closed in (a, descriptor, -1):
            with raises_errno(errno.EBADF):
                function(closed, 0)
    with socket.socket() as foreign, raises_errno(errno.ENOTSOCK):
        function(foreign, 0)


def test_sockets_bound_to_the_wildcard_reach_each_other() -> None:
    with listening(address=("", PORT)) as server, client(server, udp_port=0) as a:
        a.bind(("", 0))
        a.connect(HERE)
        a.send(b"to the wildcard")
        with accepted(server) as b:
            data, address = b.recvfrom(100)
            assert (data, address in a.getladdrs()) == (b"to the wildcard", True)
            b.send(b"and back")
            data, address = a.recvfrom(100)
            assert (data, address in server.getladdrs()) == (b"and back", True)
