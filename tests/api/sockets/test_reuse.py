"""SO_REUSEADDR: an SCTP port that only the associations of closed sockets still have."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

import sctpx
from sctpx import constants as c
from tests.api.sockets.support import HERE, HOST, PORT, accepted, client, fill, listening, new_socket
from tests.api.support import linux_only, raises_errno

CLIENT_PORT = 2905


def may_reuse(sock: sctpx.Socket) -> sctpx.Socket:
    sock.setsockopt(c.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


class Abandoned(NamedTuple):
    """A port whose sockets are closed: ``peer`` has not read all that they sent."""

    peer: sctpx.Socket
    udp_port: int


@contextmanager
def abandoned() -> Iterator[Abandoned]:
    """A server is closed while its client does not read."""
    with listening() as server, client(server) as a:
        a.connect(HERE)
        with accepted(server) as b:
            fill(b)
        udp_port = server.udp_port
        server.close()
        yield Abandoned(a, udp_port)


def read_all(sock: sctpx.Socket) -> int:
    """How many bytes come until the graceful end."""
    total = 0
    while data := sock.recv(1 << 20):
        total += len(data)
    return total


def test_the_option_is_told_and_inherited() -> None:
    with listening() as server, client(server) as a:
        assert server.getsockopt(c.SOL_SOCKET, socket.SO_REUSEADDR) == 0
        may_reuse(server)
        a.connect(HERE)
        with accepted(server) as b:
            assert b.getsockopt(c.SOL_SOCKET, socket.SO_REUSEADDR) == 1


def test_a_port_that_is_being_shut_down_is_taken_over_at_once_and_what_was_sent_is_still_delivered() -> None:
    with abandoned() as (a, udp_port), may_reuse(new_socket(udp_port=udp_port)) as again:
        again.bind(HERE)
        again.listen()
        with client(again) as other:
            other.connect(HERE)
            other.send(b"to the new socket")
            with accepted(again) as b:
                assert b.recv(100) == b"to the new socket"
                assert read_all(a) > 1 << 20
                b.send(b"from the new socket")
                assert other.recv(100) == b"from the new socket"


def test_without_the_option_the_error_says_what_has_the_port_and_how_it_can_be_had() -> None:
    with abandoned() as (_, udp_port), new_socket(udp_port=udp_port) as again:
        with raises_errno(
            errno.EADDRINUSE, rf"port {PORT} .* an association of a closed socket.* SO_REUSEADDR.* SO_LING"
        ):
            again.bind(HERE)
        may_reuse(again).bind(HERE)


def test_a_port_is_free_again_once_its_associations_are_over() -> None:
    with abandoned() as (a, udp_port), new_socket(udp_port=udp_port) as again:
        read_all(a)
        a.close()
        with listening(address=(HOST, PORT + 1), udp_port=udp_port) as other, client(other) as b:
            b.connect((HOST, PORT + 1))  # By now the last SHUTDOWN COMPLETE has arrived, too.
            again.bind(HERE)


def test_a_server_starts_anew_while_sockets_that_were_accepted_before_live_on() -> None:
    with listening() as server, client(server) as a, new_socket(udp_port=server.udp_port) as again:
        a.connect(HERE)
        with accepted(server) as b:
            server.close()
            with raises_errno(errno.EADDRINUSE, "accepted from a closed socket.* SO_REUSEADDR"):
                again.bind(HERE)
            may_reuse(again).bind(HERE)
            again.listen()
            with client(again) as other:
                other.connect(HERE)
                with accepted(again) as newer:
                    for peer, sock, text in ((a, b, b"old"), (other, newer, b"new")):
                        peer.send(text)
                        assert sock.recv(100) == text
                        assert sock.getsockname() == HERE
            again.close()
            b.send(b"outlives both")
            assert a.recv(100) == b"outlives both"


@pytest.mark.parametrize("listens", [True, False])
def test_a_port_of_an_open_socket_is_not_taken_over(listens: bool) -> None:
    with new_socket(udp_port=0) as first:
        may_reuse(first).bind(HERE)
        if listens:
            first.listen()
        with may_reuse(new_socket(udp_port=first.udp_port)) as second:
            with raises_errno(errno.EADDRINUSE, "in use by another socket" + (", which listens" if listens else "")):
                second.bind(HERE)
            first.close()
            second.bind(HERE)


@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_a_client_on_a_port_of_its_own_connects_again_though_its_last_words_were_not_read(style: int) -> None:
    with listening() as server, client(server, udp_port=0) as first:
        first.bind((HOST, CLIENT_PORT))
        first.connect(HERE)
        with accepted(server) as b, client(server, style, udp_port=first.udp_port) as second:
            fill(first)
            first.close()
            may_reuse(second).bind((HOST, CLIENT_PORT))
            second.connect(HERE)
            with accepted(server) as newer:
                second.sendto(b"again", HERE)
                assert newer.recv(100) == b"again"
            with pytest.raises(sctpx.AssociationAborted):
                read_all(b)


def test_without_the_option_a_peer_that_is_being_shut_down_is_not_connected_to_again() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        with a.peeloff(a.connectx([HERE])) as peeled, accepted(server):
            fill(peeled)
        with raises_errno(errno.EADDRNOTAVAIL, "SO_REUSEADDR"):
            a.connect(HERE)
        may_reuse(a).connect(HERE)


@linux_only
@pytest.mark.parametrize("name", ["", "127.0.0.3"])
def test_a_port_is_taken_over_with_other_addresses_for_associations_to_come(name: str) -> None:
    with abandoned() as (a, udp_port), may_reuse(new_socket(udp_port=udp_port)) as again:
        if name:
            again.bindx([(HOST, PORT), (name, PORT)])
        else:
            again.bind((name, PORT))
        again.listen()
        with client(again) as other:
            other.connect(("127.0.0.3" if name else HOST, PORT))
            with accepted(again) as b:
                assert (HOST, PORT) in b.getladdrs()
        assert a.getpaddrs() == [HERE]
        assert read_all(a) > 1 << 20
