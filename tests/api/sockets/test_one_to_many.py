"""One-to-many sockets: associations by id, SCTP_SENDALL, ``sctp_peeloff``, addresses."""

from __future__ import annotations

import errno

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    IPPROTO_SCTP,
    associated,
    client,
    connected,
    listening,
    notification,
    subscribe,
)
from tests.api.support import raises_errno

MANY = sctpx.SOCK_SEQPACKET


def send(sock: sctpx.Socket, data: bytes, assoc_id: int, flags: int = 0) -> None:
    sctpx.sctp_sendv(sock, data, info=s.SndInfo(snd_assoc_id=assoc_id, snd_flags=flags))


def test_both_sides_hear_of_an_association_that_a_message_set_up() -> None:
    with listening(MANY) as b, client(b, MANY) as a:
        for sock in (a, b):
            subscribe(sock, c.SCTP_ASSOC_CHANGE)
        a.sendto(b"hello", HERE)
        for sock in (a, b):
            assert notification(sock).sac_state == c.SCTP_COMM_UP
        assert b.recv(100) == b"hello"


def test_messages_go_by_id_or_by_address() -> None:
    with associated() as (a, b, a_id, b_id):
        send(a, b"by id", a_id)
        a.sendto(b"by address", HERE)
        assert [b.recv(100), b.recv(100)] == [b"by id", b"by address"]
        send(b, b"answer", b_id)
        b.sendto(b"again", a.getsockname())
        assert [a.recv(100), a.recv(100)] == [b"answer", b"again"]


def test_an_id_there_is_not_is_refused_everywhere() -> None:
    with associated() as (a, _, a_id, _):
        with raises_errno(errno.EPIPE):
            send(a, b"x", a_id + 100)
        with raises_errno(errno.EINVAL):
            a.getpaddrs(a_id + 100)
        with raises_errno(errno.EINVAL):
            a.getladdrs(a_id + 100)
        with raises_errno(errno.EINVAL):
            a.peeloff(a_id + 100)
        with raises_errno(errno.EINVAL):
            sctpx.sctp_opt_info(a, a_id + 100, c.SCTP_STATUS)
        with raises_errno(errno.EINVAL):
            a.report(a_id + 100)


def test_a_message_can_go_to_all() -> None:
    with listening(MANY) as server, client(server, MANY) as one, client(server, MANY) as two:
        subscribe(server, c.SCTP_ASSOC_CHANGE)
        for sock in (one, two):
            sock.connect(HERE)
            notification(server)
        server.sendmsg([b"to all"], [(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_flags=c.SCTP_SENDALL))])
        assert [one.recv(100), two.recv(100)] == [b"to all"] * 2
        server.sendmsg([b""], [(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_flags=c.SCTP_SENDALL | c.SCTP_EOF))])
        states = [notification(server).sac_state for _ in range(2)]
        assert states == [c.SCTP_SHUTDOWN_COMP] * 2


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
    with sctpx.socket() as sock:
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


# --- sctp_peeloff ---


def test_a_peeled_off_association_is_a_socket_of_its_own_with_what_had_arrived() -> None:
    with associated() as (a, b, _, b_id):
        a.sendto(b"before", HERE)
        assert b.recv(3) == b"bef"
        with sctpx.sctp_peeloff(b, b_id) as own:
            assert own.type == sctpx.SOCK_STREAM
            assert (own.getsockname(), own.getpeername()) == (HERE, a.getsockname())
            assert own.recv(100) == b"ore"
            own.send(b"to the peer")
            assert a.recv(100) == b"to the peer"
            a.sendto(b"back", HERE)
            assert own.recv(100) == b"back"
            b.close()
            own.send(b"without the other")
            assert a.recv(100) == b"without the other"


def test_a_peeled_off_association_is_not_the_old_sockets_any_more() -> None:
    with associated() as (_, b, _, b_id), b.peeloff(b_id) as own:
        with raises_errno(errno.EPIPE):
            send(b, b"x", b_id)
        for sock in (b, own):
            with raises_errno(errno.EINVAL):
                sctpx.sctp_peeloff(sock, b_id)
        with raises_errno(errno.EINVAL):
            own.listen()
        with raises_errno(errno.EADDRNOTAVAIL):
            b.sendto(b"x", own.getpeername())


def test_only_one_to_many_sockets_have_associations_to_peel_off() -> None:
    with connected() as (a, _), raises_errno(errno.EINVAL):
        sctpx.sctp_peeloff(a, a.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS).sstat_assoc_id)


def test_the_options_of_an_association_go_with_it() -> None:
    with associated() as (_, b, _, b_id):
        b.setsockopt(IPPROTO_SCTP, c.SCTP_CONTEXT, s.AssocValue(assoc_id=b_id, assoc_value=5))
        b.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        with b.peeloff(b_id) as own:
            assert own.getsockopt(IPPROTO_SCTP, c.SCTP_CONTEXT).assoc_value == 5
            assert own.getsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO) == 1


# --- options ---


def test_options_are_values_or_bytes() -> None:
    with sctpx.socket() as sock:
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY) == 0
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, b"\1\0\0\0")
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 4) == b"\1\0\0\0"
        info = sock.getsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO)
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO, info.pack())
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO, 100) == info.pack()


@pytest.mark.parametrize(
    ("level", "option", "value", "code"),
    [
        (IPPROTO_SCTP, c.SCTP_NODELAY, b"\1", errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_RTOINFO, s.RtoInfo().pack()[:-1], errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_RTOINFO, 5, errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_STATUS, s.Status(), errno.EOPNOTSUPP),
        (IPPROTO_SCTP, c.SCTP_AUTH_CHUNK, s.AuthChunk(), errno.EOPNOTSUPP),
        (IPPROTO_SCTP, 4711, 1, errno.ENOPROTOOPT),
        (6, 1, 1, errno.ENOPROTOOPT),
    ],
)
def test_a_wrong_option_raises(level: int, option: int, value: object, code: int) -> None:
    with sctpx.socket() as sock:
        with raises_errno(code):
            sock.setsockopt(level, option, value)  # type: ignore[arg-type]
        sock.close()
        with raises_errno(errno.EBADF):
            sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1)
        with raises_errno(errno.EBADF):
            sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY)


def test_options_set_before_connecting_hold_for_the_association() -> None:
    def prepare(sock: sctpx.Socket) -> None:
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_INITMSG, s.InitMsg(sinit_num_ostreams=5, sinit_max_instreams=4))

    with connected(prepare, prepare) as (a, b):
        for sock in (a, b):
            status = sock.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS)
            assert (status.sstat_outstrms, status.sstat_instrms) == (4, 4)
