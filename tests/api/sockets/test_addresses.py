"""Addresses that come and go while associations live, with sockets (RFC 5061; RFC 6458 sections 6.1.2, 8 and 9.1)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HOST,
    IPPROTO_SCTP,
    PORT,
    Pair,
    accepted,
    associated,
    client,
    connected,
    listening,
    notification,
    subscribe,
)
from tests.api.support import linux_only, raises_errno

ONE, TWO, THREE = ("127.0.0.2", PORT), ("127.0.0.3", PORT), ("127.0.0.4", PORT)
REMOVE = c.SCTP_BINDX_REM_ADDR


def offer(sock: sctpx.Socket) -> None:
    """Speak RFC 5061."""
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue(assoc_value=1))


def follow(sock: sctpx.Socket) -> None:
    """Speak RFC 5061, and hear of the peer's addresses."""
    offer(sock)
    subscribe(sock, c.SCTP_PEER_ADDR_CHANGE)


@contextmanager
def changing() -> Iterator[Pair]:
    """An association that changes addresses, and a socket that was accepted at ``ONE``."""
    with listening(address=ONE) as server, client(server) as a:
        follow(server)
        follow(a)
        a.connect(ONE)
        with accepted(server) as b:
            yield Pair(a, b)


def change(sock: sctpx.Socket, state: int, address: tuple[str, int]) -> None:
    """The next notification tells that of an address of the peer."""
    told = notification(sock)
    assert isinstance(told, s.PaddrChange)
    assert (told.spc_state, told.spc_aaddr) == (state, address)


@linux_only
def test_an_address_is_added_to_an_association_that_lives_and_removed_from_it() -> None:
    with changing() as (a, b):
        sctpx.sctp_bindx(b, [TWO])
        change(a, c.SCTP_ADDR_ADDED, TWO)
        change(a, c.SCTP_ADDR_CONFIRMED, TWO)
        assert sorted(a.getpaddrs()) == sorted(b.getladdrs()) == [ONE, TWO]
        sctpx.sctp_bindx(b, [ONE], flags=REMOVE)
        change(a, c.SCTP_ADDR_REMOVED, ONE)
        change(a, c.SCTP_ADDR_MADE_PRIM, TWO)
        assert a.getpaddrs() == b.getladdrs() == [TWO]
        a.send(b"to the new one")
        assert b.recv(100) == b"to the new one"
        b.send(b"from the new one")
        assert a.recv(100) == b"from the new one"


@linux_only
def test_several_addresses_are_changed_at_once() -> None:
    with changing() as (a, b):
        b.bindx([TWO, THREE])
        told = [notification(a) for _ in range(4)]
        for state in (c.SCTP_ADDR_ADDED, c.SCTP_ADDR_CONFIRMED):
            assert sorted(one.spc_aaddr for one in told if one.spc_state == state) == [TWO, THREE]
        assert sorted(a.getpaddrs()) == [ONE, TWO, THREE]
        b.bindx([ONE, THREE], REMOVE)
        change(a, c.SCTP_ADDR_REMOVED, ONE)
        change(a, c.SCTP_ADDR_MADE_PRIM, TWO)
        change(a, c.SCTP_ADDR_REMOVED, THREE)


@linux_only
def test_the_associations_of_a_listener_that_is_one_to_many_follow_it_and_so_do_those_to_come() -> None:
    with listening(sctpx.SOCK_SEQPACKET, ONE) as b, client(b) as first, client(b) as second:
        offer(b)
        follow(first)
        follow(second)
        first.connect(ONE)
        b.bindx([TWO])
        change(first, c.SCTP_ADDR_ADDED, TWO)
        second.connect(TWO)
        assert sorted(second.getpaddrs()) == [ONE, TWO]
        change(first, c.SCTP_ADDR_CONFIRMED, TWO)
        b.bindx([ONE], REMOVE)
        change(first, c.SCTP_ADDR_REMOVED, ONE)
        assert b.getladdrs() == [TWO]


@linux_only
def test_what_bindx_refuses_on_an_association_that_lives() -> None:
    with changing() as (a, b):
        for addresses, flags, code in (
            ([ONE], REMOVE, errno.EINVAL),  # The last one.
            ([TWO], REMOVE, errno.EINVAL),
            ([("127.0.0.3", PORT + 1)], c.SCTP_BINDX_ADD_ADDR, errno.EINVAL),
            ([("", PORT)], c.SCTP_BINDX_ADD_ADDR, errno.EINVAL),
            ([("192.0.2.77", PORT)], c.SCTP_BINDX_ADD_ADDR, errno.EADDRNOTAVAIL),
            ([TWO, ("192.0.2.77", PORT)], c.SCTP_BINDX_ADD_ADDR, errno.EADDRNOTAVAIL),
        ):
            with raises_errno(code):
                b.bindx(addresses, flags)
        assert b.getladdrs() == [ONE]
        b.bindx([ONE])  # It is there already.
        b.send(b"as before")
        assert a.recv(100) == b"as before"
        assert a.getpaddrs() == [ONE]


@linux_only
@pytest.mark.parametrize("one_sided", [False, True])
def test_a_peer_that_does_not_speak_it_is_not_told(one_sided: bool) -> None:
    with connected(offer if one_sided else lambda sock: None) as (a, b):
        for sock in (a, b):
            assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue()).assoc_value == 0
            port = sock.getsockname()[1]
            with raises_errno(errno.EOPNOTSUPP):
                sock.bindx([("127.0.0.5", port)])
            with raises_errno(errno.EOPNOTSUPP):
                sock.setsockopt(IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, s.SetPeerPrim(sspp_addr=sock.getsockname()))


@linux_only
def test_the_peer_is_asked_to_prefer_an_address() -> None:
    with listening(sctpx.SOCK_SEQPACKET) as b, client(b) as a:
        b.bindx([TWO, THREE])
        offer(b)
        follow(a)
        subscribe(b, c.SCTP_ASSOC_CHANGE)
        a.connect(THREE)
        up = notification(b)
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue()).assoc_value == 1
        for _ in range(2):
            assert notification(a).spc_state == c.SCTP_ADDR_CONFIRMED
        b.setsockopt(
            IPPROTO_SCTP,
            c.SCTP_SET_PEER_PRIMARY_ADDR,
            s.SetPeerPrim(sspp_assoc_id=up.sac_assoc_id, sspp_addr=(TWO[0], 0)),
        )
        change(a, c.SCTP_ADDR_MADE_PRIM, TWO)
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, s.SetPrim()).ssp_addr == TWO
        for address, code in (
            (("127.0.0.9", PORT), errno.EADDRNOTAVAIL),
            ((TWO[0], PORT + 1), errno.EADDRNOTAVAIL),
            (None, errno.EINVAL),
        ):
            with raises_errno(code):
                b.setsockopt(
                    IPPROTO_SCTP,
                    c.SCTP_SET_PEER_PRIMARY_ADDR,
                    s.SetPeerPrim(sspp_assoc_id=up.sac_assoc_id, sspp_addr=address),
                )


def test_the_peer_is_asked_only_while_there_is_an_association() -> None:
    with associated() as many:
        for assoc_id in (0, c.SCTP_CURRENT_ASSOC, 12345):
            asked = s.SetPeerPrim(sspp_assoc_id=assoc_id, sspp_addr=(HOST, PORT))
            with pytest.raises(OSError, match="association"):
                many.b.setsockopt(IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, asked)


def test_what_is_offered_is_fixed_with_the_association() -> None:
    with connected(offer, offer) as (a, _):
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue()).assoc_value == 1
        with raises_errno(errno.EINVAL):
            a.setsockopt(IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue(assoc_value=0))


def test_whether_the_hosts_addresses_are_followed_can_be_changed_at_any_time() -> None:
    with connected(offer, offer) as (a, _):
        for value in (1, 0):
            a.setsockopt(IPPROTO_SCTP, c.SCTP_AUTO_ASCONF, value)
            assert a.getsockopt(IPPROTO_SCTP, c.SCTP_AUTO_ASCONF) == value


@pytest.mark.parametrize("named", [(None, 7), (7, None), (7, 0), (0xFFFFFFFF, 1)])
def test_each_side_is_told_what_the_other_one_has_above_sctp(named: tuple[int | None, int | None]) -> None:
    def prepare(number: int | None, sock: sctpx.Socket) -> None:
        subscribe(sock, c.SCTP_ADAPTATION_INDICATION, c.SCTP_SHUTDOWN_EVENT)
        if number is not None:
            sock.setsockopt(IPPROTO_SCTP, c.SCTP_ADAPTATION_LAYER, s.SetAdaptation(ssb_adaptation_ind=number))
            assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_ADAPTATION_LAYER).ssb_adaptation_ind == number

    with connected(lambda sock: prepare(named[0], sock), lambda sock: prepare(named[1], sock)) as (a, b):
        for sock, number in ((a, named[1]), (b, named[0])):
            if number is not None:
                told = notification(sock)
                assert isinstance(told, s.AdaptationEvent)
                assert told.sai_adaptation_ind == number
        a.shutdown(sctpx.SHUT_WR)
        if hasattr(b, "fileno"):
            assert isinstance(notification(b), s.ShutdownEvent)  # And nothing before.


def test_more_changes_than_may_wait_change_nothing_at_all() -> None:
    """ "sctp_bindx() is an atomic operation. Therefore, the binding will either succeed on all addresses or fail on all
    addresses." """
    with changing() as pair:
        many = [(f"127.0.{number >> 8}.{number & 0xFF}", 0) for number in range(0x101, 0x201)]
        before = pair.b.getladdrs()
        for sock in (pair.a, pair.b):
            with raises_errno(errno.ENOBUFS):
                sock.bindx([*many, ("127.0.9.9", 0)])
        assert pair.b.getladdrs() == before
        pair.a.send(b"as before")
        assert pair.b.recv(100) == b"as before"
