"""``sctp_peeloff``: an association becomes a socket of its own."""

from __future__ import annotations

import errno

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    HOST,
    IPPROTO_SCTP,
    PORT,
    Thread,
    associated,
    closed_udp_port,
    connected,
    fill,
    listening,
    new_socket,
    silent,
)
from tests.api.support import raises_errno


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
            sctpx.sctp_sendv(b, b"x", info=s.SndInfo(snd_assoc_id=b_id))
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


def test_it_cannot_begin_another_association() -> None:
    with associated() as (_, b, _, b_id), listening(address=(HOST, PORT + 1)), b.peeloff(b_id) as own:
        with raises_errno(errno.EISCONN):
            own.connect((HOST, PORT + 1))
        with raises_errno(errno.EINVAL):
            own.sendto(b"x", (HOST, PORT + 1))


def test_an_association_that_is_not_up_cannot_be_peeled_off() -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), new_socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET, peer_udp_port=udp_port) as a:
        a.setblocking(False)
        assert a.connect_ex(HERE) == errno.EINPROGRESS
        with raises_errno(errno.EINVAL):
            a.peeloff(sctpx.sctp_getassocid(a, HERE))


def test_a_closed_socket_has_nothing_to_peel_off() -> None:
    with associated() as (a, _, a_id, _):
        descriptor = a.fileno()
        a.close()
        for sock in (a, descriptor):
            with raises_errno(errno.EBADF):
                sctpx.sctp_peeloff(sock, a_id)


def test_calls_that_wait_for_an_association_learn_that_it_was_peeled_off() -> None:
    with associated() as (a, _, a_id, _):
        own = s.SndInfo(snd_assoc_id=a_id)
        fill(a, own)
        a.settimeout(None)
        sending = Thread(lambda: sctpx.sctp_sendv(a, b"x", info=own))
        receiving = Thread(lambda: a.recv(1))
        with a.peeloff(a_id):
            with raises_errno(errno.EPIPE):
                sending.result()
            with raises_errno(errno.ENOTCONN):
                receiving.result()
