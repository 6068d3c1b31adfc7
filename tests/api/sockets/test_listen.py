"""``listen``: who may, and how many associations wait for ``accept``."""

from __future__ import annotations

import errno

import pytest

import sctpx
from tests.api.sockets.support import (
    HERE,
    HOST,
    accepted,
    client,
    connected,
    listening,
    new_socket,
)
from tests.api.support import raises_errno


def test_an_unbound_socket_that_listens_takes_any_port() -> None:
    with new_socket(udp_port=0) as server:
        server.listen()
        port = server.getsockname()[1]
        with client(server) as sock:
            sock.connect((HOST, port))
            with accepted(server) as other:
                assert other.getpaddrs() == [(HOST, sock.getsockname()[1])]


def test_a_connected_socket_cannot_listen() -> None:
    with connected() as (a, b):
        for sock in (a, b):
            with raises_errno(errno.EINVAL):
                sock.listen()


def test_a_backlog_of_0_takes_no_more_associations() -> None:
    with listening() as server, client(server) as sock:
        server.listen(0)
        with pytest.raises(ConnectionRefusedError):
            sock.connect(HERE)
        server.listen(1)
        sock.connect(HERE)


def test_a_closed_socket_cannot_listen() -> None:
    sock = new_socket()
    sock.close()
    with raises_errno(errno.EBADF):
        sock.listen()


def test_a_socket_that_listens_may_be_told_so_again() -> None:
    with listening(backlog=1) as server, client(server) as one, client(server) as two:
        one.connect(HERE)
        server.listen(2)
        two.connect(HERE)


def test_an_association_in_the_making_keeps_the_socket_from_listening() -> None:
    with listening() as server, client(server) as a:
        a.setblocking(False)
        assert a.connect_ex(HERE) == errno.EINPROGRESS
        with raises_errno(errno.EINVAL):
            a.listen()


def test_a_one_to_many_socket_that_has_associations_can_listen() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        a.connect(HERE)
        a.listen()
        with accepted(server) as b:
            b.send(b"still there")
            assert a.recv(100) == b"still there"
