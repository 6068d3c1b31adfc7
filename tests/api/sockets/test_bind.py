"""``bind``, ``listen`` and ``sctp_bindx``: ports and local addresses."""

from __future__ import annotations

import errno
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx.sockapi.addresses import pack_sockaddrs
from tests.api.sockets.support import (
    HERE,
    HOST,
    PORT,
    Thread,
    accepted,
    client,
    connected,
    listening,
    new_socket,
)
from tests.api.support import another_program, linux_only, raises_errno, with_ipv6

REMOVE = c.SCTP_BINDX_REM_ADDR


def test_port_0_is_any_port() -> None:
    with new_socket(udp_port=0) as sock:
        assert sock.getsockname() == ("0.0.0.0", 0)
        assert sock.getladdrs() == []
        sock.bind((HOST, 0))
        host, port = sock.getsockname()[:2]
        assert host == HOST
        assert port == sock.udp_port != 0


def test_a_wildcard_stands_for_the_addresses_of_this_host() -> None:
    with new_socket(udp_port=0) as sock:
        sock.bind(("", PORT))
        assert HERE in sock.getladdrs()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ((HOST, 65536), errno.EINVAL),
        ((HOST, -1), errno.EINVAL),
        (("192.0.2.77", PORT), errno.EADDRNOTAVAIL),
        (("::1", PORT), errno.EAFNOSUPPORT),
        (("::", PORT), errno.EAFNOSUPPORT),
    ],
)
def test_what_cannot_be_bound_to(address: tuple[str, int], code: int) -> None:
    with new_socket(udp_port=0) as sock:
        with raises_errno(code):
            sock.bind(address)
        sock.bind((HOST, 0))


@pytest.mark.parametrize("address", [None, 5000, "127.0.0.1", ("127.0.0.1",), (1, 2)])
def test_what_is_no_address_is_a_type_error(address: Any) -> None:
    with new_socket() as sock, pytest.raises(TypeError):
        sock.bind(address)


def test_a_socket_is_bound_once() -> None:
    with listening() as sock:
        with raises_errno(errno.EINVAL):
            sock.bind((HOST, PORT + 1))
        assert sock.getsockname() == HERE


def test_an_sctp_port_belongs_to_one_socket() -> None:
    with listening() as first, new_socket(udp_port=first.udp_port) as second:
        with raises_errno(errno.EADDRINUSE, "SCTP port 5000"):
            second.bind(HERE)
        second.bind((HOST, PORT + 1))
        assert second.udp_port == first.udp_port


@linux_only
@pytest.mark.real_time
def test_a_udp_port_of_another_program_is_in_use() -> None:
    with another_program() as (pid, udp_port):
        sock = new_socket(udp_port=udp_port)
        with sock, raises_errno(errno.EADDRINUSE, str(pid)):
            sock.bind(HERE)


# --- sctp_bindx ---


@linux_only
def test_bindx_binds_to_several_addresses_at_once() -> None:
    with new_socket(udp_port=0) as sock:
        sctpx.sctp_bindx(sock, [("127.0.0.2", PORT), ("127.0.0.3", PORT)])
        assert sctpx.sctp_getladdrs(sock) == [("127.0.0.2", PORT), ("127.0.0.3", PORT)]


@linux_only
def test_bindx_takes_packed_structures_and_a_count() -> None:
    packed = pack_sockaddrs([("127.0.0.2", PORT), ("127.0.0.3", 0), ("127.0.0.4", PORT)])
    with new_socket(udp_port=0) as sock:
        with raises_errno(errno.E2BIG):
            sctpx.sctp_bindx(sock, packed, 4)
        sctpx.sctp_bindx(sock, packed, 2)
        assert sock.getladdrs() == [("127.0.0.2", PORT), ("127.0.0.3", PORT)]


@pytest.mark.parametrize("flags", [c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR])
def test_bindx_refuses_flags_in_the_place_of_the_count(flags: int) -> None:
    """To remove two addresses would have added them: the number of SCTP_BINDX_REM_ADDR is the length of the list."""
    addresses = [(HOST, PORT), ("127.0.0.2", PORT)]
    with new_socket(udp_port=0) as sock:
        for form in (addresses, addresses[:1], pack_sockaddrs(addresses)):
            with pytest.raises(OSError, match=r"flags=SCTP_BINDX_(ADD|REM)_ADDR") as caught:
                sctpx.sctp_bindx(sock, form, flags)
            assert caught.value.errno == errno.EINVAL
        assert sock.getladdrs() == []


@linux_only
def test_bindx_adds_and_removes_addresses_for_associations_to_come() -> None:
    with listening(address=("127.0.0.2", PORT)) as server:
        server.bindx([("127.0.0.3", PORT), ("127.0.0.4", 0)])
        server.bindx([("127.0.0.2", PORT)], REMOVE)
        assert server.getladdrs() == [("127.0.0.3", PORT), ("127.0.0.4", PORT)]
        with client(server) as sock:
            sock.connect(("127.0.0.3", PORT))
            assert sorted(sock.getpaddrs()) == [("127.0.0.3", PORT), ("127.0.0.4", PORT)]


@linux_only
def test_bindx_refuses_what_makes_no_sense_and_changes_nothing() -> None:
    with new_socket(udp_port=0) as sock:
        with raises_errno(errno.EINVAL):
            sock.bindx([("127.0.0.2", PORT)], REMOVE)
        with raises_errno(errno.EINVAL):
            sock.bindx([("127.0.0.2", PORT), ("127.0.0.3", PORT + 1)])
        with raises_errno(errno.EINVAL):
            sock.bindx([("", PORT), ("127.0.0.3", PORT)])
        with raises_errno(errno.EINVAL):
            sock.bindx([])
        sock.bind(("127.0.0.2", PORT))
        for addresses, flags in (
            ([("127.0.0.3", PORT + 1)], c.SCTP_BINDX_ADD_ADDR),
            ([("", PORT)], c.SCTP_BINDX_ADD_ADDR),
            ([("127.0.0.3", PORT)], 0),
            ([("127.0.0.3", PORT)], 3),
            ([("127.0.0.3", PORT)], REMOVE),
            ([("127.0.0.2", PORT)], REMOVE),
        ):
            with raises_errno(errno.EINVAL):
                sock.bindx(addresses, flags)
        assert sock.getladdrs() == [("127.0.0.2", PORT)]


def test_the_addresses_of_associations_cannot_be_changed() -> None:
    with connected() as (a, b):
        for sock in (a, b):
            with raises_errno(errno.EOPNOTSUPP):
                sock.bindx([("127.0.0.5", sock.getsockname()[1])])


@with_ipv6
@linux_only
def test_a_socket_that_listens_can_be_bound_anew_whatever_was_accepted_before() -> None:
    old, new = ("127.0.0.2", PORT), ("127.0.0.3", PORT)
    with new_socket(udp_port=0) as server:
        server.bind(old)
        server.listen()
        with client(server) as a, client(server) as other:
            a.connect(old)
            with accepted(server) as b:
                sctpx.sctp_bindx(server, [new])
                sctpx.sctp_bindx(server, [old], flags=REMOVE)
                assert (server.getladdrs(), b.getladdrs()) == ([new], [old])
                with pytest.raises(ConnectionRefusedError):
                    other.connect(old)
                other.connect(new)
                with accepted(server) as newer:
                    assert newer.getladdrs() == [new]
                a.send(b"as before")
                assert b.recv(100) == b"as before"
                with raises_errno(errno.EOPNOTSUPP):
                    sctpx.sctp_bindx(b, [new])


def test_a_socket_of_family_ipv6_has_addresses_of_both_families() -> None:
    with new_socket(sctpx.AF_INET6, udp_port=0) as server:
        server.bindx([("::1", PORT), (HOST, PORT)])
        assert server.getladdrs() == [("::1", PORT, 0, 0), (HOST, PORT)]
        server.setsockopt(c.IPPROTO_SCTP, c.SCTP_I_WANT_MAPPED_V4_ADDR, 1)
        assert server.getladdrs()[1] == (f"::ffff:{HOST}", PORT, 0, 0)
        server.listen()
        with client(server) as sock:
            accepting = Thread(server.accept)
            sock.connect(("::1", PORT, 0, 0))
            with accepting.result()[0] as other:
                assert other.getpeername()[0] in ("::1", f"::ffff:{HOST}")
