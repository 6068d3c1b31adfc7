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
from tests.api.support import another_program, linux_only, raises_errno

STYLES = [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET]


def test_an_unbound_socket_that_listens_takes_any_port() -> None:
    with new_socket(udp_port=0) as server:
        server.listen()
        port = server.getsockname()[1]
        with client(server) as sock:
            sock.connect((HOST, port))
            with accepted(server) as other:
                assert other.getpaddrs() == [(HOST, sock.getsockname()[1])]


# --- where peers look for a listener ---

USUAL = 9899


@pytest.mark.udp_9899
@pytest.mark.parametrize("name", [(HOST, 0), ("", 0), None], ids=["an address", "the wildcard", "not bound"])
@pytest.mark.parametrize("style", STYLES)
def test_a_socket_that_listens_on_any_port_is_found_by_its_name_alone(style: int, name: tuple[str, int] | None) -> None:
    with new_socket(type=style) as server, new_socket(type=style) as a:
        if name is not None:
            server.bind(name)
            port = server.getsockname()[1]
        server.listen()
        assert server.udp_port == USUAL
        if name is not None:
            assert server.getsockname()[1] == port
        a.connect(server.getsockname())
        assert a.udp_port != USUAL


@pytest.mark.udp_9899
def test_listeners_on_any_port_share_the_usual_udp_port_and_give_it_back() -> None:
    with new_socket() as one, new_socket() as two:
        for server in (one, two):
            server.bind((HOST, 0))
            server.listen()
        assert (one.udp_port, two.udp_port) == (USUAL, USUAL)
        for server in (one, two):
            with new_socket() as a:
                a.connect(server.getsockname())
                with accepted(server) as b:
                    assert b.getpeername() == a.getsockname()
    with new_socket() as again:
        again.bind(HERE)
        assert again.udp_port == USUAL


@pytest.mark.udp_9899
def test_a_socket_that_is_bound_to_any_port_and_connects_leaves_the_usual_udp_port_alone() -> None:
    with listening() as server, client(server) as a:
        a.bind((HOST, 0))
        a.connect(HERE)
        assert a.udp_port not in (USUAL, server.udp_port)


@pytest.mark.udp_9899
def test_a_socket_that_has_associations_listens_where_it_is_and_is_found_there() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a, new_socket() as other:
        a.connect(HERE)
        before = a.udp_port
        a.listen()
        assert a.udp_port == before
        other.connect(a.getsockname())
        other.send(b"found")
        assert a.recv(100) == b"found"
        with accepted(server) as b:
            b.send(b"as before")
            assert a.recv(100) == b"as before"


@pytest.mark.udp_9899
def test_a_listener_that_named_its_udp_port_is_found_by_those_who_are_told() -> None:
    with listening(address=(HOST, 0)) as server, new_socket() as a, client(server) as told:
        assert server.udp_port != USUAL
        with pytest.raises(ConnectionRefusedError):
            a.connect(server.getsockname())
        told.connect(server.getsockname())


@pytest.mark.udp_9899
@pytest.mark.real_time
@linux_only
@pytest.mark.parametrize("name", [(HOST, 0), None])
def test_a_listener_is_found_in_its_program_though_another_has_the_usual_udp_port(name: tuple[str, int] | None) -> None:
    with another_program(USUAL), new_socket() as server, new_socket() as a:
        if name is not None:
            server.bind(name)
        server.listen()
        assert server.udp_port != USUAL
        a.connect((HOST, server.getsockname()[1]))
        with accepted(server) as b:
            assert b.getpeername() == a.getsockname()


# --- who may listen ---


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
