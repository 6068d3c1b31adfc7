"""Notifications of sockets (RFC 6458 section 6): in which order they come, and what they return."""

from __future__ import annotations

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    IPPROTO_SCTP,
    connected,
    notification,
    subscribe,
)

KINDS = (c.SCTP_ASSOC_CHANGE, c.SCTP_AUTHENTICATION_EVENT, c.SCTP_SHUTDOWN_EVENT)


def test_both_ends_hear_of_the_association_then_of_authentication_and_of_the_end_behind_the_data() -> None:
    with connected(lambda sock: subscribe(sock, *KINDS), lambda sock: subscribe(sock, *KINDS)) as pair:
        for sock in pair:
            assert notification(sock).sac_state == c.SCTP_COMM_UP
            no_auth = notification(sock)
            assert (no_auth.sn_type, no_auth.auth_indication) == (c.SCTP_AUTHENTICATION_EVENT, c.SCTP_AUTH_NO_AUTH)
        a, b = pair
        b.send(b"data")
        b.close()
        assert a.recv(100) == b"data"
        assert notification(a).sn_type == c.SCTP_SHUTDOWN_EVENT
        assert notification(a).sac_state == c.SCTP_SHUTDOWN_COMP


def test_who_did_not_ask_is_not_told_of_authentication() -> None:
    with connected(lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE)) as (a, b):
        assert notification(a).sac_state == c.SCTP_COMM_UP
        b.send(b"data")
        assert a.recv(100) == b"data"


def test_messages_that_the_peer_did_not_take_come_back_as_they_were_sent() -> None:
    """The peer's window has room for the first ones only."""

    def prepare(sock: sctpx.Socket) -> None:
        subscribe(sock, c.SCTP_SEND_FAILED_EVENT, c.SCTP_ASSOC_CHANGE)
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1)

    def configure(sock: sctpx.Socket) -> None:
        sock.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 4096)

    with connected(prepare, configure) as (a, b):
        assert notification(a).sac_state == c.SCTP_COMM_UP
        for context in range(1, 9):
            sctpx.sctp_sendmsg(a, bytes(3000 + context), ppid=60 + context, stream_no=2, context=context)
        assert b.recv(1, c.MSG_PEEK)
        sctpx.sctp_sendmsg(b, b"enough", flags=c.SCTP_ABORT)
        told = [notification(a)]
        while isinstance(told[-1], s.SendFailedEvent):
            told.append(notification(a))
        assert told[-1].sac_state == c.SCTP_COMM_LOST
        failed = told[:-1]
        assert len(failed) >= 5
        first = 9 - len(failed)
        for context, event in enumerate(failed, first):
            info = event.ssfe_info
            assert (info.snd_context, info.snd_ppid, info.snd_sid) == (context, 60 + context, 2)
            whole = info.snd_flags == c.SCTP_DATA_NOT_FRAG
            assert whole or info.snd_flags == c.SCTP_DATA_LAST_FRAG
            assert (len(event.ssfe_data) == 3000 + context) is whole
        assert failed[-1].ssfe_flags == c.SCTP_DATA_UNSENT
