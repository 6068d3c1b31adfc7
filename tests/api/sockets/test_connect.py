"""``connect`` and ``sctp_connectx``: the same for one address and for several."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.sockapi.addresses import pack_sockaddrs
from tests.api.sockets.support import (
    HERE,
    HOST,
    PORT,
    accepted,
    client,
    closed_udp_port,
    connected,
    is_writable,
    listening,
    new_socket,
    notification,
    silent,
    subscribe,
)
from tests.api.support import linux_only, raises_errno, with_ipv6

STYLES = [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET]
Connect = Callable[[sctpx.Socket, tuple[Any, int]], object]
BOTH: list[Connect] = [
    lambda sock, address: sock.connect(address),
    lambda sock, address: sctpx.sctp_connectx(sock, [address]),
]
both = pytest.mark.parametrize("connect", BOTH, ids=["connect", "connectx"])


@pytest.mark.parametrize("style", STYLES)
@both
def test_a_connected_socket_can_send_and_receive(style: int, connect: Connect) -> None:
    with listening() as server, client(server, style) as a:
        connect(a, HERE)
        with accepted(server) as b:
            b.send(b"hello")
            assert a.recv(100) == b"hello"


@pytest.mark.parametrize("style", STYLES)
def test_connectx_returns_the_id_that_comm_up_has(style: int) -> None:
    with listening() as server, client(server, style) as a:
        subscribe(a, c.SCTP_ASSOC_CHANGE)
        assoc_id = sctpx.sctp_connectx(a, [HERE])
        up = notification(a)
        assert (up.sac_state, up.sac_assoc_id) == (c.SCTP_COMM_UP, assoc_id)
        assert assoc_id > c.SCTP_ALL_ASSOC
        assert sctpx.sctp_getassocid(a, HERE) == assoc_id
        with raises_errno(errno.EINVAL):
            sctpx.sctp_getassocid(a, (HOST, PORT + 1))


# --- what is refused ---


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("addresses", "code"),
    [
        ([], errno.EINVAL),
        ([("0.0.0.0", PORT)], errno.EINVAL),
        ([("224.0.0.1", PORT)], errno.EINVAL),
        ([("255.255.255.255", PORT)], errno.EINVAL),
        ([("", PORT)], errno.EINVAL),
        ([(HOST, 0)], errno.EINVAL),
        ([(HOST, 65536)], errno.EINVAL),
        ([(HOST, PORT), ("127.0.0.2", PORT + 1)], errno.EINVAL),
        ([("::1", PORT)], errno.EAFNOSUPPORT),
        (b"", errno.EINVAL),
        (b"\x07\x00" + bytes(14), errno.EINVAL),
        (pack_sockaddrs([HERE])[:-1], errno.EINVAL),
        ([(sctpx.Address(HOST, source="192.0.2.77"), PORT)], errno.EADDRNOTAVAIL),
    ],
)
def test_addresses_that_are_none_are_the_callers_mistake(style: int, addresses: Any, code: int) -> None:
    with new_socket(sctpx.AF_INET, style) as sock:
        with raises_errno(code):
            sctpx.sctp_connectx(sock, addresses)
        assert sock.getladdrs() == []


@pytest.mark.parametrize("addresses", [None, 5, [HOST], [(HOST,)], "127.0.0.1", [(1, 2)]])
def test_what_is_no_form_of_addresses_is_a_type_error(addresses: Any) -> None:
    with new_socket() as sock, pytest.raises(TypeError):
        sctpx.sctp_connectx(sock, addresses)


def test_a_count_of_packed_addresses_is_at_most_what_the_bytes_hold() -> None:
    with listening() as server, client(server) as a:
        for count, code in ((2, errno.E2BIG), (0, errno.EINVAL)):
            with raises_errno(code):
                sctpx.sctp_connectx(a, pack_sockaddrs([HERE]), count)
        packed = pack_sockaddrs([HERE, ("127.0.0.2", 0)])
        assert sctpx.sctp_connectx(a, packed, 1) > 2


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    "call",
    [
        sctpx.sctp_connectx,
        lambda sock, addresses, count: sctpx.sctp_bindx(sock, addresses, count, c.SCTP_BINDX_ADD_ADDR),
        lambda sock, addresses, count: sctpx.sctp_sendv(sock, b"x", addresses, count),
        lambda sock, addresses, count: sctpx.sctp_sendx(sock, b"x", addresses, count),
    ],
    ids=["connectx", "bindx", "sendv", "sendx"],
)
def test_a_count_that_is_not_the_length_of_the_list_is_refused_before_anything_happens(
    call: Callable[[sctpx.Socket, Any, int], object], count: int
) -> None:
    """CX6: the count would drop addresses, or promise some that are not there."""
    with new_socket(udp_port=0) as sock:
        with pytest.raises(OSError, match=f"a count of {count} addresses for a list of 2") as caught:
            call(sock, [HERE, ("127.0.0.2", PORT)], count)
        assert caught.value.errno == errno.EINVAL
        assert sock.getladdrs() == []


def test_a_count_that_is_the_length_of_the_list_is_taken() -> None:
    with listening() as server, client(server) as a:
        assert sctpx.sctp_connectx(a, [HERE, HERE], 2) > 2


ONE_ADDRESS: list[Callable[[sctpx.Socket, Any], object]] = [
    sctpx.Socket.connect,
    sctpx.Socket.bind,
    sctpx.Socket.getassocid,
    lambda sock, address: sock.sendto(b"x", address),
    lambda sock, address: sock.sendmsg([b"x"], [], 0, address),
]


@pytest.mark.parametrize("call", ONE_ADDRESS, ids=["connect", "bind", "getassocid", "sendto", "sendmsg"])
def test_a_call_for_one_address_takes_no_list_and_drops_none_of_it(call: Callable[[sctpx.Socket, Any], object]) -> None:
    with new_socket(udp_port=0) as sock:
        for addresses in ([HERE, ("127.0.0.2", PORT)], [HERE], list(HERE)):
            with pytest.raises(TypeError, match="one address"):
                call(sock, addresses)
        assert sock.getladdrs() == []


@both
def test_a_socket_that_listens_or_is_connected_cannot_connect(connect: Connect) -> None:
    with listening() as server, raises_errno(errno.EISCONN):
        connect(server, (HOST, PORT + 1))
    with connected() as (a, b):
        for sock in (a, b):
            with raises_errno(errno.EISCONN):
                connect(sock, HERE)


@both
def test_an_association_that_is_over_makes_room_for_another(connect: Connect) -> None:
    with listening() as server, client(server) as a:
        connect(a, HERE)
        with accepted(server) as b:
            b.close()
            assert a.recv(1) == b""
        connect(a, HERE)
        with accepted(server) as b:
            b.send(b"again")
            assert a.recv(100) == b"again"


@both
def test_a_one_to_many_socket_has_one_association_with_a_peer(connect: Connect) -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        connect(a, HERE)
        with raises_errno(errno.EISCONN):
            connect(a, HERE)


@both
def test_the_peer_of_a_peeled_off_association_is_another_sockets(connect: Connect) -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        assoc_id = a.connectx([HERE])
        with a.peeloff(assoc_id) as own:
            with raises_errno(errno.EADDRNOTAVAIL):
                connect(a, HERE)
            with raises_errno(errno.EISCONN):
                connect(own, HERE)


@both
def test_a_closed_socket_cannot_connect(connect: Connect) -> None:
    sock = new_socket()
    sock.close()
    with raises_errno(errno.EBADF):
        connect(sock, HERE)


@pytest.mark.real_time
def test_functions_take_descriptors_and_tell_closed_ones_from_foreign_ones() -> None:
    with listening() as server, client(server) as a:
        assert sctpx.sctp_connectx(a.fileno(), [HERE]) > 2
        assert sctpx.sctp_getpaddrs(a.fileno()) == [HERE]
        descriptor = a.fileno()
        a.close()
        with raises_errno(errno.EBADF):
            sctpx.sctp_connectx(descriptor, [HERE])
        for closed in (-1, 1 << 20, a):
            with raises_errno(errno.EBADF):
                sctpx.sctp_connectx(closed, [HERE])
    with socket.socket() as foreign:
        for other in (foreign, foreign.fileno()):
            with raises_errno(errno.ENOTSOCK):
                sctpx.sctp_connectx(other, [HERE])
    with pytest.raises(TypeError):
        sctpx.sctp_connectx("socket", [HERE])


@pytest.mark.real_time
def test_a_descriptor_that_is_something_elses_now_is_foreign() -> None:
    with socket.socket() as other:
        sock = new_socket()
        descriptor = sock.fileno()
        sock.close()
        os.dup2(other.fileno(), descriptor)
        try:
            with raises_errno(errno.ENOTSOCK):
                sctpx.sctp_getpaddrs(descriptor)
        finally:
            os.close(descriptor)


# --- failures ---


@linux_only
@pytest.mark.parametrize("style", STYLES)
@both
def test_a_closed_udp_port_refuses_and_the_report_says_so(style: int, connect: Connect) -> None:
    with new_socket(sctpx.AF_INET, style, peer_udp_port=closed_udp_port()) as sock:
        with pytest.raises(sctpx.ConnectError) as caught:
            connect(sock, HERE)
        assert isinstance(caught.value, ConnectionRefusedError)
        assert [(entry.address, entry.answer) for entry in caught.value.report] == [(HOST, "ICMP")]
        assert sock.getsockopt(c.SOL_SOCKET, socket.SO_ERROR) == 0


@both
def test_an_sctp_port_nobody_listens_on_refuses(connect: Connect) -> None:
    with listening() as server, client(server) as sock, pytest.raises(ConnectionRefusedError):
        connect(sock, (HOST, PORT + 1))


@pytest.mark.parametrize("style", STYLES)
@both
def test_a_timeout_gives_the_association_up(style: int, connect: Connect) -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), new_socket(sctpx.AF_INET, style, peer_udp_port=udp_port) as sock:
        sock.settimeout(0.01)
        for _ in range(2):
            with pytest.raises(TimeoutError) as caught:
                connect(sock, HERE)
            assert isinstance(caught.value, sctpx.ConnectError)
            assert caught.value.errno == errno.ETIMEDOUT
            assert [entry.answer for entry in caught.value.report] == ["silence"]


def test_connect_ex_returns_the_errno() -> None:
    with listening() as server, client(server) as sock:
        assert sock.connect_ex((HOST, PORT + 1)) == errno.ECONNREFUSED
        assert sock.connect_ex(HERE) == 0
        assert sock.connect_ex(HERE) == errno.EISCONN


# --- several addresses ---


@linux_only
def test_a_dead_address_costs_a_moment_and_the_report_tells_of_it() -> None:
    with listening(address=("127.0.0.3", PORT)) as server, client(server) as sock:
        with silent(server.udp_port, "127.0.0.2"):
            sctpx.sctp_connectx(sock, [("127.0.0.2", PORT), ("127.0.0.3", PORT)])
        assert [(entry.address, entry.answer, entry.kept) for entry in sock.report()] == [
            ("127.0.0.2", "silence", False),
            ("127.0.0.3", "INIT ACK", True),
        ]
        assert sctpx.sctp_getpaddrs(sock) == [("127.0.0.3", PORT)]


@linux_only
def test_all_addresses_of_the_peer_become_paths_and_both_sides_list_them() -> None:
    theirs = [("127.0.0.2", PORT), ("127.0.0.3", PORT)]
    mine = [("127.0.0.8", 2905), ("127.0.0.9", 2905)]
    with new_socket(udp_port=0) as server:
        server.bindx(theirs)
        server.listen()
        with client(server, udp_port=0) as a:
            a.bindx(mine)
            a.connectx([*theirs, theirs[0]])
            with accepted(server) as b:
                assert (a.getladdrs(), a.getpaddrs()) == (mine, theirs)
                assert (b.getladdrs(), b.getpaddrs()) == (theirs, mine)
                assert (a.getpeername(), b.getsockname()) == (theirs[0], theirs[0])


@linux_only
@pytest.mark.parametrize("waits", [True, False])
def test_of_six_addresses_one_that_is_not_the_peers_is_dropped(waits: bool) -> None:
    theirs = [(f"127.0.0.{number}", PORT) for number in range(2, 7)]
    mine = [("127.0.0.8", 2905), ("127.0.0.9", 2905)]
    with new_socket(type=sctpx.SOCK_SEQPACKET, udp_port=0) as server:
        server.bindx(theirs)
        server.listen()
        with client(server, sctpx.SOCK_SEQPACKET, udp_port=0) as a:
            a.bindx(mine)
            for sock in (a, server):
                subscribe(sock, c.SCTP_ASSOC_CHANGE)
            a.setblocking(waits)
            try:
                assoc_id = a.connectx([*theirs, ("127.0.0.77", PORT)])
            except sctpx.ConnectInProgress as begun:
                assoc_id = begun.assoc_id
                a.setblocking(True)
            up, other = notification(a), notification(server)
            assert (up.sac_state, up.sac_assoc_id) == (c.SCTP_COMM_UP, assoc_id)
            assert sorted(a.getpaddrs(assoc_id)) == sorted(server.getladdrs(other.sac_assoc_id)) == theirs
            assert sorted(server.getpaddrs(other.sac_assoc_id)) == sorted(a.getladdrs(assoc_id)) == mine


@linux_only
def test_an_address_can_have_its_own_udp_port_and_source() -> None:
    with listening(address=("127.0.0.2", PORT)) as server, new_socket(peer_udp_port=1) as sock:
        address = sctpx.Address("127.0.0.2", udp_port=server.udp_port, source="127.0.0.9")
        sock.connectx([(address, PORT)])
        with accepted(server) as other:
            assert other.getpaddrs() == [("127.0.0.9", sock.getsockname()[1])]


def test_the_peers_udp_port_can_be_an_option() -> None:
    with listening() as server, new_socket() as sock:
        option = s.UdpEncaps(sue_port=server.udp_port)
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, option)
        sock.connect(HERE)


def test_before_it_is_set_the_option_tells_the_port_that_is_used() -> None:
    """0 says that there is no encapsulation (RFC 6951 section 6.1), not that nothing was set."""
    for sock, port in ((new_socket(), 9899), (new_socket(peer_udp_port=7), 7), (new_socket(peer_udp_port=0), 0)):
        with sock:
            assert sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT).sue_port == port


@with_ipv6
def test_an_ipv6_socket_connects_to_both_families() -> None:
    with new_socket(sctpx.AF_INET6, udp_port=0) as server:
        server.bindx([("::1", PORT), (HOST, PORT)])
        server.listen()
        with client(server) as sock:
            sock.connectx([("::1", PORT), (HOST, PORT)])
            assert sock.getpaddrs() == [("::1", PORT, 0, 0), HERE]


# --- without waiting ---


@pytest.mark.parametrize("style", STYLES)
@both
def test_a_socket_that_does_not_wait_tells_the_id_and_is_writable_once_it_is_up(style: int, connect: Connect) -> None:
    with listening() as server, client(server, style) as a:
        a.setblocking(False)
        with pytest.raises(sctpx.ConnectInProgress) as caught:
            connect(a, HERE)
        assert caught.value.errno == errno.EINPROGRESS
        assert is_writable(a, 20)
        with accepted(server):
            assert a.getsockopt(c.SOL_SOCKET, socket.SO_ERROR) == 0
            assert sctpx.sctp_getassocid(a, HERE) == caught.value.assoc_id


@pytest.mark.parametrize("style", STYLES)
@both
def test_an_association_in_the_making_is_not_begun_again(style: int, connect: Connect) -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), new_socket(sctpx.AF_INET, style, peer_udp_port=udp_port) as sock:
        sock.setblocking(False)
        with raises_errno(errno.EINPROGRESS):
            connect(sock, HERE)
        with raises_errno(errno.EALREADY):
            connect(sock, HERE)


@pytest.mark.parametrize("style", STYLES)
def test_a_socket_is_not_writable_while_its_association_is_in_the_making(style: int) -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), new_socket(sctpx.AF_INET, style, peer_udp_port=udp_port) as sock:
        sock.setblocking(False)
        assert sock.connect_ex(HERE) == errno.EINPROGRESS
        assert not is_writable(sock)


@pytest.mark.parametrize("style", STYLES)
def test_so_error_says_how_a_connect_failed_and_only_once(style: int) -> None:
    with listening() as server, client(server, style) as a:
        a.setblocking(False)
        with pytest.raises(sctpx.ConnectInProgress):
            a.connect((HOST, PORT + 1))
        assert is_writable(a, 20)
        if style == sctpx.SOCK_STREAM:
            assert [(entry.address, entry.answer) for entry in a.report()] == [(HOST, "ABORT")]
        assert a.getsockopt(c.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        assert a.getsockopt(c.SOL_SOCKET, socket.SO_ERROR) == 0
        a.setblocking(True)
        with raises_errno(errno.ENOTCONN):
            a.recv(1)
