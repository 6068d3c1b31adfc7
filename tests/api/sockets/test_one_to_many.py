"""One-to-many sockets: associations by id, SCTP_SENDALL, ``sctp_peeloff``, addresses."""

from __future__ import annotations

import errno

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    IPPROTO_SCTP,
    Thread,
    associated,
    client,
    drain,
    fill,
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
        with raises_errno(errno.EINVAL):
            send(server, b"data", 0, c.SCTP_SENDALL | c.SCTP_EOF)
        server.sendmsg([b""], [(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_flags=c.SCTP_SENDALL | c.SCTP_EOF))])
        states = [notification(server).sac_state for _ in range(2)]
        assert states == [c.SCTP_SHUTDOWN_COMP] * 2


def test_a_message_to_all_goes_to_all_or_to_none() -> None:
    few = sctpx.AssociationConfig(max_inbound_streams=2)
    with listening(MANY) as server, client(server, MANY) as one, client(server, MANY, config=few) as two:
        for sock in (one, two):
            sock.sendto(b"here", HERE)
            assert server.recv(100) == b"here"
        with raises_errno(errno.EINVAL):
            server.sendv(b"on a stream that one of them has", info=s.SndInfo(snd_sid=5, snd_flags=c.SCTP_SENDALL))
        to_two = s.SndInfo(snd_assoc_id=sctpx.sctp_getassocid(server, two.getladdrs()[0]))
        fill(server, to_two)
        server.setblocking(False)
        with raises_errno(errno.EAGAIN):
            send(server, b"to both", 0, c.SCTP_SENDALL)
        server.setblocking(True)
        sending = Thread(lambda: send(server, b"to both", 0, c.SCTP_SENDALL))
        drain(two)
        sending.result()
        assert one.recv(100) == b"to both"
