"""Sockets with ``link="raw"``: ports, addresses, options."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

import sctpx
from sctpx import constants as c
from tests.api.support import raises_errno
from tests.namespaces import own_host

PORT = 5001
HOST, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield


def raw(kind: int = sctpx.SOCK_STREAM) -> sctpx.Socket:
    """A socket over raw IP."""
    return sctpx.socket(sctpx.AF_INET, kind, link="raw")


def test_a_socket_says_that_it_does_without_udp() -> None:
    with raw() as sock:
        sock.bind((HOST, PORT))
        assert sock.udp_port == 0
        assert repr(sock) == "<sctpx.Socket one-to-one, on 127.0.0.1 port 5001, without UDP>"


def test_a_client_that_was_never_bound_reaches_a_server() -> None:
    with raw() as server, raw() as client:
        server.bind(("", PORT))
        server.listen()
        client.connect((HOST, PORT))
        client.send(b"hello")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100) == b"hello"


def test_a_message_sets_an_association_up_from_a_one_to_many_socket() -> None:
    with raw(sctpx.SOCK_SEQPACKET) as server, raw(sctpx.SOCK_SEQPACKET) as client:
        server.bind((HOST, PORT))
        server.listen()
        client.sendto(b"hello", (HOST, PORT))
        data, address = server.recvfrom(100)
        assert data == b"hello"
        server.sendto(b"answer", address)
        assert client.recv(100) == b"answer"


def test_a_port_of_an_address_has_one_socket_of_the_host() -> None:
    with raw() as first, raw() as second:
        first.bind((HOST, PORT))
        with raises_errno(errno.EADDRINUSE, "SCTP port 5001 is in use by another socket"):
            second.bind((HOST, PORT))
        second.bind((OTHER, PORT))


def test_addresses_that_are_added_take_the_port_there_and_those_removed_give_it_up() -> None:
    with raw() as first, raw() as second:
        first.bindx([(HOST, PORT)])
        second.bindx([(OTHER, PORT)])
        with raises_errno(errno.EADDRINUSE, r"SCTP port 5001 of 127\.0\.0\.2 is taken"):
            first.bindx([("127.0.0.3", PORT), (OTHER, PORT)])
        assert [name for name, *_ in first.getladdrs()] == [HOST]
        second.bindx([("127.0.0.3", PORT)])
        second.bindx([(OTHER, PORT)], c.SCTP_BINDX_REM_ADDR)
        first.bindx([(OTHER, PORT)])
        assert [name for name, *_ in first.getladdrs()] == [HOST, OTHER]


def test_a_closed_socket_gives_its_port_up() -> None:
    with raw() as sock:
        sock.bind((HOST, PORT))
    with raw() as sock:
        sock.bind((HOST, PORT))


def test_a_port_that_associations_of_a_closed_socket_have_is_taken_over_with_so_reuseaddr() -> None:
    with raw() as client, raw() as server:
        server.bind((HOST, PORT))
        server.listen()
        client.connect((HOST, PORT))
        connection, _ = server.accept()
        server.close()
        with connection, raw() as successor:
            with raises_errno(errno.EADDRINUSE, "associations that were accepted from a closed socket"):
                successor.bind((HOST, PORT))
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bindx([(HOST, PORT), (OTHER, PORT)])
            successor.listen()
            connection.send(b"still here")
            assert client.recv(100) == b"still here"
            with raw() as other:
                other.connect((OTHER, PORT))
                with successor.accept()[0] as accepted:
                    other.send(b"hello")
                    assert accepted.recv(100) == b"hello"


def test_a_socket_over_udp_and_one_over_raw_ip_have_the_same_port() -> None:
    with raw() as native, sctpx.socket(udp_port=0) as encapsulated:
        for sock in (native, encapsulated):
            sock.bind((HOST, PORT))
            sock.listen()
        with raw() as client, sctpx.socket(peer_udp_port=encapsulated.udp_port) as other:
            for sock, server in ((client, native), (other, encapsulated)):
                sock.connect((HOST, PORT))
                with server.accept()[0] as connection:
                    sock.send(b"hello")
                    assert connection.recv(100) == b"hello"


def test_a_listener_on_any_port_over_raw_ip_is_not_found_by_sockets_over_udp() -> None:
    with raw() as native, sctpx.socket(peer_udp_port=9800) as other:
        native.bind((HOST, 0))
        native.listen()
        with raises_errno(errno.ECONNREFUSED, "UDP port 9800"):
            other.connect(native.getsockname())


def test_a_udp_port_of_a_peer_is_refused() -> None:
    with raw() as sock, raises_errno(errno.EINVAL, "UDP port 9800"):
        sock.connectx([(sctpx.Address(HOST, udp_port=9800), PORT)])


def test_a_link_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="link is 'tcp': not one of udp, raw"):
        sctpx.socket(link="tcp")  # type: ignore[arg-type]
