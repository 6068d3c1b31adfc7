"""Messages that may be given up (RFC 6458 sections 5.3.7 and 8.1.32, RFC 7496): sockets that tell when, and of what."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import IPPROTO_SCTP, connected, notification, subscribe

TTL = c.SCTP_PR_SCTP_TTL
CONTEXT = 77


def small_window(sock: sctpx.Socket) -> None:
    sock.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 4096)


def small_buffer(sock: sctpx.Socket) -> None:
    subscribe(sock, c.SCTP_SEND_FAILED_EVENT)
    sock.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 20_000)


def send_by_prinfo(sock: sctpx.Socket) -> None:
    info = s.SndInfo(snd_sid=3, snd_ppid=60, snd_context=CONTEXT)
    prinfo = s.PrInfo(pr_policy=TTL, pr_value=50)
    sock.sendmsg([b"perishable"], [(IPPROTO_SCTP, c.SCTP_SNDINFO, info), (IPPROTO_SCTP, c.SCTP_PRINFO, prinfo)])


def send_by_spa(sock: sctpx.Socket) -> None:
    flags = c.SCTP_SEND_SNDINFO_VALID | c.SCTP_SEND_PRINFO_VALID
    info = s.SndInfo(snd_sid=3, snd_ppid=60, snd_context=CONTEXT)
    prinfo = s.PrInfo(pr_policy=TTL, pr_value=50)
    sctpx.sctp_sendv(sock, b"perishable", info=s.SendvSpa(sendv_flags=flags, sendv_sndinfo=info, sendv_prinfo=prinfo))


def send_by_time_to_live(sock: sctpx.Socket) -> None:
    sctpx.sctp_sendmsg(sock, b"perishable", ppid=60, stream_no=3, context=CONTEXT, timetolive=50)


def send_by_default(sock: sctpx.Socket) -> None:
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_DEFAULT_PRINFO, s.DefaultPrInfo(pr_policy=TTL, pr_value=50))
    sock.sendv(b"perishable", info=s.SndInfo(snd_sid=3, snd_ppid=60, snd_context=CONTEXT))


@pytest.mark.parametrize("send", [send_by_prinfo, send_by_spa, send_by_time_to_live, send_by_default])
def test_a_message_that_expires_before_it_could_be_sent_comes_back(send: Any) -> None:
    def prepare(sock: sctpx.Socket) -> None:
        subscribe(sock, c.SCTP_SEND_FAILED_EVENT)

    with connected(prepare, small_window) as (a, b):
        sctpx.sctp_sendmsg(a, bytes(4000))
        assert b.recv(1, c.MSG_PEEK)
        sctpx.sctp_sendmsg(a, bytes(4000))  # There is no room in the peer's window for all of this.
        send(a)
        failed = notification(a)
        assert isinstance(failed, s.SendFailedEvent)
        assert (failed.ssfe_data, failed.ssfe_flags, failed.ssfe_error) == (b"perishable", c.SCTP_DATA_UNSENT, 0)
        info = failed.ssfe_info
        assert (info.snd_sid, info.snd_ppid, info.snd_context) == (3, 60, CONTEXT)
        assert info.snd_flags == c.SCTP_DATA_NOT_FRAG
        asked = s.PrStatus(sprstat_sid=3, sprstat_policy=TTL)
        status = a.getsockopt(IPPROTO_SCTP, c.SCTP_PR_STREAM_STATUS, asked)
        assert (status.sprstat_abandoned_unsent, status.sprstat_abandoned_sent) == (1, 0)
        got = b""
        while len(got) < 8000:
            got += b.recv(5000)
        assert got == bytes(8000)


def test_what_is_sent_in_time_arrives() -> None:
    with connected() as (a, b):
        send_by_prinfo(a)
        assert b.recv(100) == b"perishable"


def test_a_full_buffer_makes_room_by_priority() -> None:
    low = [(IPPROTO_SCTP, c.SCTP_PRINFO, s.PrInfo(pr_policy=c.SCTP_PR_SCTP_PRIO, pr_value=9))]
    high = [(IPPROTO_SCTP, c.SCTP_PRINFO, s.PrInfo(pr_policy=c.SCTP_PR_SCTP_PRIO, pr_value=1))]
    with connected(small_buffer, small_window) as (a, b):
        a.send(bytes(4000))
        assert b.recv(1, c.MSG_PEEK)
        a.setblocking(False)
        taken = 0
        while taken < 1000:
            try:
                a.sendmsg([bytes(1000)], low)
            except BlockingIOError:
                break
            taken += 1
        assert taken < 30
        a.sendmsg([b"important"], high)
        failed = notification(a)
        assert (len(failed.ssfe_data), failed.ssfe_flags) == (1000, c.SCTP_DATA_UNSENT)
        with suppress(BlockingIOError):  # To be full again.
            a.sendmsg([bytes(1000)], low)
        for _ in range(5):
            a.send(b"reliable")
        b.settimeout(10)
        received: list[bytes] = []
        while received.count(b"reliable") < 5:
            received.append(b.recv(5000))
        assert b"important" in received


def test_it_is_told_with_the_association_whether_both_sides_can() -> None:
    for wanted in (1, 0):

        def prepare(sock: sctpx.Socket, wanted: int = wanted) -> None:
            subscribe(sock, c.SCTP_ASSOC_CHANGE)
            sock.setsockopt(IPPROTO_SCTP, c.SCTP_PR_SUPPORTED, s.AssocValue(assoc_value=wanted))

        with connected(prepare) as (a, b):
            assert (c.SCTP_ASSOC_SUPPORTS_PR in notification(a).sac_info) is bool(wanted)
            assert b.getsockopt(IPPROTO_SCTP, c.SCTP_PR_SUPPORTED).assoc_value == wanted
