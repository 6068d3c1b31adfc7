"""Streams that are reset and added, with sockets: options, notifications, ancillary data (RFC 6525 section 6)."""

from __future__ import annotations

import errno

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import IPPROTO_SCTP, connected, notification, subscribe
from tests.api.support import raises_errno

EVERYTHING = c.SCTP_ENABLE_RESET_STREAM_REQ | c.SCTP_ENABLE_RESET_ASSOC_REQ | c.SCTP_ENABLE_CHANGE_ASSOC_REQ


def allow(sock: sctpx.Socket) -> None:
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_ENABLE_STREAM_RESET, s.AssocValue(assoc_value=EVERYTHING))
    for kind in (c.SCTP_STREAM_RESET_EVENT, c.SCTP_ASSOC_RESET_EVENT, c.SCTP_STREAM_CHANGE_EVENT):
        subscribe(sock, kind)


def ssn(sock: sctpx.Socket) -> int:
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_EVENTS, s.EventSubscribe(sctp_data_io_event=1, sctp_stream_reset_event=1))
    _, _, info, _ = sctpx.sctp_recvmsg(sock, 100)
    assert info is not None
    return info.sinfo_ssn


def test_streams_are_reset_and_both_sides_are_told() -> None:
    with connected(allow, allow) as (a, b):
        sctpx.sctp_sendmsg(a, b"before", stream_no=3)
        assert ssn(b) == 0
        outgoing = s.ResetStreams(srs_flags=c.SCTP_STREAM_RESET_OUTGOING, srs_stream_list=(3,))
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_STREAMS, outgoing)
        with raises_errno(errno.EALREADY):
            a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_STREAMS, outgoing.pack())
        ours, theirs = notification(a), notification(b)
        assert isinstance(ours, s.StreamResetEvent)
        assert isinstance(theirs, s.StreamResetEvent)
        assert (ours.strreset_flags, ours.strreset_stream_list) == (c.SCTP_STREAM_RESET_OUTGOING_SSN, (3,))
        assert (theirs.strreset_flags, theirs.strreset_stream_list) == (c.SCTP_STREAM_RESET_INCOMING_SSN, (3,))
        sctpx.sctp_sendmsg(a, b"after", stream_no=3)
        assert ssn(b) == 0


def test_incoming_streams_are_reset_by_the_peer() -> None:
    with connected(allow, allow) as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_STREAMS, s.ResetStreams(srs_flags=c.SCTP_STREAM_RESET_INCOMING))
        ours, theirs = notification(a), notification(b)
        assert ours.sn_flags == c.SCTP_STREAM_RESET_INCOMING_SSN
        assert theirs.sn_flags == c.SCTP_STREAM_RESET_OUTGOING_SSN


def test_streams_are_added() -> None:
    with connected(allow, allow) as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_ADD_STREAMS, s.AddStreams(sas_outstrms=5))
        ours, theirs = notification(a), notification(b)
        assert isinstance(ours, s.StreamChangeEvent)
        assert isinstance(theirs, s.StreamChangeEvent)
        assert (ours.strchange_flags, ours.strchange_outstrms) == (0, 15)
        assert (theirs.strchange_flags, theirs.strchange_instrms) == (0, 15)
        status = a.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS)
        assert (status.sstat_outstrms, status.sstat_instrms) == (15, 10)


@pytest.mark.parametrize("value", [s.AssocValue(), bytes(4)])
def test_tsns_are_reset(value: s.AssocValue | bytes) -> None:
    with connected(allow, allow) as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_ASSOC, value)
        ours, theirs = notification(a), notification(b)
        assert isinstance(ours, s.AssocResetEvent)
        assert isinstance(theirs, s.AssocResetEvent)
        assert (ours.assocreset_flags, theirs.assocreset_flags) == (0, 0)
        assert ours.assocreset_local_tsn == theirs.assocreset_remote_tsn
        assert ours.assocreset_remote_tsn == theirs.assocreset_local_tsn


def test_the_default_is_to_deny() -> None:
    with connected(allow) as (a, _):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_ASSOC, s.AssocValue())
        assert notification(a).sn_flags == c.SCTP_ASSOC_RESET_DENIED
        a.setsockopt(IPPROTO_SCTP, c.SCTP_ADD_STREAMS, s.AddStreams(sas_instrms=1))
        assert notification(a).sn_flags == c.SCTP_STREAM_CHANGE_DENIED
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RESET_STREAMS, s.ResetStreams(srs_flags=c.SCTP_STREAM_RESET_OUTGOING))
        assert notification(a).sn_flags == c.SCTP_STREAM_RESET_OUTGOING_SSN | c.SCTP_STREAM_RESET_DENIED
