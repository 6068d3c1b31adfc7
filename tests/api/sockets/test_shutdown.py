"""``shutdown``: the association ends in both directions, or reading does."""

from __future__ import annotations

import errno

import pytest

import sctpx
from tests.api.sockets.support import (
    connected,
    listening,
    new_socket,
)
from tests.api.support import raises_errno


@pytest.mark.parametrize("how", [sctpx.SHUT_WR, sctpx.SHUT_RDWR])
def test_shutdown_ends_the_association_after_what_was_sent(how: int) -> None:
    with connected() as (a, b):
        a.send(b"last")
        a.shutdown(how)
        assert [b.recv(100), b.recv(100)] == [b"last", b""]


def test_shutdown_needs_a_connection_and_a_way_there_is() -> None:
    with new_socket() as sock, raises_errno(errno.ENOTCONN):
        sock.shutdown(sctpx.SHUT_WR)
    with listening() as sock, raises_errno(errno.ENOTCONN):
        sock.shutdown(sctpx.SHUT_WR)
    with listening(sctpx.SOCK_SEQPACKET) as sock, raises_errno(errno.EOPNOTSUPP):
        sock.shutdown(sctpx.SHUT_WR)
    with connected() as (a, b):
        with raises_errno(errno.EINVAL):
            a.shutdown(3)
        a.send(b"unharmed")
        assert b.recv(100) == b"unharmed"
        a.close()
        with raises_errno(errno.EBADF):
            a.shutdown(sctpx.SHUT_WR)


def test_after_it_the_association_cannot_be_shut_down_once_more() -> None:
    with connected() as (a, b):
        a.shutdown(sctpx.SHUT_WR)
        assert [b.recv(1), a.recv(1)] == [b"", b""]
        for how in (sctpx.SHUT_RD, sctpx.SHUT_WR, sctpx.SHUT_RDWR):
            with raises_errno(errno.ENOTCONN):
                a.shutdown(how)


def test_what_arrived_before_reading_was_shut_down_can_be_read() -> None:
    with connected() as (a, b):
        b.send(b"before")
        assert a.recv(100, sctpx.constants.MSG_PEEK) == b"before"
        a.shutdown(sctpx.SHUT_RD)
        assert [a.recv(100), a.recv(100)] == [b"before", b""]


def test_the_peer_that_is_shut_down_cannot_send() -> None:
    with connected() as (a, b):
        a.shutdown(sctpx.SHUT_WR)
        assert b.recv(1) == b""
        with pytest.raises(BrokenPipeError):
            b.send(b"x")
