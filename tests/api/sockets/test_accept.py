"""``accept``."""

from __future__ import annotations

import errno

import pytest

import sctpx
from sctpx import constants as c
from tests.api.sockets.support import (
    HERE,
    HOST,
    IPPROTO_SCTP,
    Thread,
    accepted,
    client,
    connected,
    listening,
    new_socket,
)
from tests.api.support import raises_errno


def test_an_accepted_socket_has_the_association_and_the_port_of_the_listener() -> None:
    with listening() as server, client(server) as a:
        a.connect(HERE)
        b, address = server.accept()
        assert address == b.getpeername() == a.getsockname()
        assert b.getsockname() == a.getpeername() == HERE
        assert b.udp_port == server.udp_port
        b.close()


def test_accept_waits_for_an_association() -> None:
    with listening() as server, client(server) as a:
        accepting = Thread(server.accept)
        a.connect(HERE)
        b, address = accepting.result()
        with b:
            assert address == a.getsockname()


def test_a_socket_that_does_not_wait_raises_eagain() -> None:
    with listening() as server:
        server.setblocking(False)
        with raises_errno(errno.EAGAIN):
            server.accept()


def test_accept_waits_for_no_longer_than_its_timeout() -> None:
    with listening() as server:
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_socket_that_does_not_listen_accepts_nothing() -> None:
    with new_socket() as sock, raises_errno(errno.EINVAL):
        sock.accept()
    with connected() as (a, b):
        for sock in (a, b):
            with raises_errno(errno.EINVAL):
                sock.accept()


def test_a_one_to_many_socket_accepts_by_itself() -> None:
    with listening(sctpx.SOCK_SEQPACKET) as server, raises_errno(errno.EOPNOTSUPP):
        server.accept()


def test_a_closed_socket_accepts_nothing() -> None:
    with listening() as server:
        server.close()
        with raises_errno(errno.EBADF):
            server.accept()


def test_an_association_that_is_over_is_accepted_with_what_it_brought() -> None:
    with listening() as server:
        with client(server) as a:
            a.connect(HERE)
            a.send(b"last words")
            a.shutdown(sctpx.SHUT_WR)
            assert a.recv(1) == b""
        with accepted(server) as b:
            assert [b.recv(100), b.recv(100)] == [b"last words", b""]
            with pytest.raises(BrokenPipeError):
                b.send(b"x")


def test_a_full_queue_refuses_and_an_accepted_association_makes_room() -> None:
    with listening(backlog=1) as server, client(server) as one, client(server) as two:
        one.connect(HERE)
        with pytest.raises(ConnectionRefusedError):
            two.connect(HERE)
        server.accept()[0].close()
        two.connect(HERE)


def test_associations_are_accepted_in_the_order_in_which_they_came() -> None:
    with listening() as server, client(server) as one, client(server) as two:
        one.connect(HERE)
        two.connect(HERE)
        with accepted(server) as first, accepted(server) as second:
            assert [first.getpeername(), second.getpeername()] == [one.getsockname(), two.getsockname()]


def test_options_of_the_listener_hold_for_accepted_sockets_from_then_on() -> None:
    with connected(configure=lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1)) as (a, b):
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY) == 0
        assert b.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY) == 1


def test_accepted_sockets_live_on_without_the_listener() -> None:
    with listening() as server, client(server) as a:
        a.connect(HERE)
        b, _ = server.accept()
        server.close()
        a.send(b"still here")
        assert b.recv(100) == b"still here"
        with client(b) as other, pytest.raises(ConnectionRefusedError):
            other.connect((HOST, b.getsockname()[1]))
        b.close()


def test_associations_nobody_accepted_are_aborted_with_the_listener() -> None:
    with listening() as server, client(server) as a:
        a.connect(HERE)
        server.close()
        with pytest.raises(sctpx.AssociationAborted):
            a.recv(1)
