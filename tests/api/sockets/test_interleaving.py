"""Interleaved messages on sockets (RFC 8260 section 4): the options, and parts that come in turn."""

from __future__ import annotations

import errno

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import IPPROTO_SCTP, connected
from tests.api.support import raises_errno

LARGE = 400_000


def interleave(sock: sctpx.Socket) -> None:
    """What a program sets that is ready for parts of messages in turn (section 4.3.1)."""
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 2)
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_INTERLEAVING_SUPPORTED, s.AssocValue(assoc_value=1))
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_STREAM_SCHEDULER, s.AssocValue(assoc_value=c.SCTP_SS_RR))
    sock.setsockopt(sctpx.SOL_SOCKET, c.SO_RCVBUF, 50_000)


def receive(sock: sctpx.Socket, count: int) -> list[tuple[int, bytes]]:
    """So many messages, each with its stream, put together from their parts."""
    parts: dict[int, list[bytes]] = {}
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        part = sctpx.sctp_recvv(sock, 100_000)
        assert isinstance(part.info, s.RcvInfo)
        parts.setdefault(part.info.rcv_sid, []).append(part.data)
        if part.flags & c.MSG_EOR:
            found.append((part.info.rcv_sid, b"".join(parts.pop(part.info.rcv_sid))))
    return found


def send(sock: sctpx.Socket, sizes: dict[int, int]) -> None:
    for stream, size in sizes.items():
        sctpx.sctp_sendv(sock, [bytes([stream]) * size], info=s.SndInfo(snd_sid=stream))


@pytest.mark.parametrize("way", ["up", "down"])
def test_large_messages_on_several_streams_arrive_together(way: str) -> None:
    sizes = {0: LARGE, 1: LARGE, 2: 10}
    with connected(interleave, interleave) as (a, b):
        if way == "down":
            a, b = b, a
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_INTERLEAVING_SUPPORTED).assoc_value == 1
        send(a, sizes)  # The send buffer has room for all, and the receive buffer for none of the large ones.
        found = receive(b, len(sizes))
        assert sorted(found) == [(stream, bytes([stream]) * size) for stream, size in sizes.items()]
        assert found[0] == (2, bytes([2]) * 10)


def test_with_one_side_that_does_not_offer_it_messages_follow_each_other() -> None:
    with connected(interleave) as (a, b):
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_INTERLEAVING_SUPPORTED).assoc_value == 0
        b.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        sizes = {0: 30_000, 1: 10}
        send(a, sizes)
        assert receive(b, 2) == [(stream, bytes([stream]) * size) for stream, size in sizes.items()]


def test_what_was_negotiated_cannot_be_changed() -> None:
    with connected(interleave, interleave) as (a, _), raises_errno(errno.EINVAL):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_INTERLEAVING_SUPPORTED, s.AssocValue(assoc_value=0))
