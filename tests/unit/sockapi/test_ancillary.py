"""Control messages of ``sendmsg`` and ``recvmsg`` (RFC 6458 section 5.3)."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.sockapi import constants as c
from sctpx.sockapi.ancillary import (
    Item,
    SendOptions,
    core_policy,
    extrcvinfo,
    from_sendv,
    nxtinfo,
    pack,
    parse,
    rcvinfo,
    received,
    recvv,
    sndrcvinfo,
)
from sctpx.sockapi.receive import Message
from sctpx.sockapi.settings import AssociationSettings, EndpointSettings
from sctpx.sockapi.structs import (
    AuthInfo,
    ExtRcvInfo,
    InitMsg,
    NxtInfo,
    PrInfo,
    RcvInfo,
    RecvvRn,
    SendvSpa,
    ShutdownEvent,
    SndInfo,
    SndRcvInfo,
)
from tests.unit.sockapi.holder import raises

SCTP = c.IPPROTO_SCTP
DEFAULTS = AssociationSettings(sndinfo=SndInfo(snd_sid=9, snd_ppid=1))


# --- sending ---


def test_without_control_messages_the_defaults_hold() -> None:
    assert parse([], DEFAULTS) == SendOptions(stream=9, ppid=1)


@pytest.mark.parametrize("packed", [False, True])
def test_sndinfo_says_how_to_send(packed: bool) -> None:
    flags = c.SCTP_UNORDERED | c.SCTP_SACK_IMMEDIATELY
    info = SndInfo(snd_sid=3, snd_flags=flags, snd_ppid=60, snd_context=7, snd_assoc_id=5)
    options = parse([(SCTP, c.SCTP_SNDINFO, info.pack() if packed else info)], DEFAULTS)
    assert options == SendOptions(stream=3, flags=flags, ppid=60, context=7, assoc_id=5)
    assert options.unordered
    assert options.immediate


def test_sndrcv_says_the_same_in_the_old_form() -> None:
    info = SndRcvInfo(sinfo_stream=3, sinfo_flags=c.SCTP_EOF, sinfo_ppid=60, sinfo_context=7, sinfo_assoc_id=5)
    options = parse([(SCTP, c.SCTP_SNDRCV, info.pack())], DEFAULTS)
    assert options == SendOptions(stream=3, flags=c.SCTP_EOF, ppid=60, context=7, assoc_id=5)


def test_an_association_to_be_set_up_takes_an_init_and_addresses() -> None:
    options = parse(
        [
            (SCTP, c.SCTP_INIT, InitMsg(sinit_num_ostreams=4).pack()),
            (SCTP, c.SCTP_DSTADDRV4, bytes([192, 0, 2, 1])),
            (SCTP, c.SCTP_DSTADDRV4, "192.0.2.2"),
            (SCTP, c.SCTP_DSTADDRV6, bytes.fromhex("20010db8000000000000000000000001")),
        ],
        DEFAULTS,
    )
    assert options.init == InitMsg(sinit_num_ostreams=4)
    assert [len(ip) for ip in options.addresses] == [4, 4, 16]
    assert options.stream == 9


def test_reliable_is_what_messages_are() -> None:
    options = parse([(SCTP, c.SCTP_PRINFO, PrInfo(pr_value=5))], DEFAULTS)
    assert (options.stream, core_policy(options.prinfo)) == (9, (RELIABLE, 0))


@pytest.mark.parametrize(
    ("items", "policy"),
    [
        ([], (RETRANSMISSIONS, 3)),
        ([(SCTP, c.SCTP_SNDINFO, SndInfo())], (RETRANSMISSIONS, 3)),
        ([(SCTP, c.SCTP_PRINFO, PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=100))], (TIMED, 100_000_000)),
        ([(SCTP, c.SCTP_PRINFO, PrInfo(pr_policy=c.SCTP_PR_SCTP_PRIO, pr_value=7))], (PRIORITY, 7)),
        ([(SCTP, c.SCTP_PRINFO, PrInfo())], (RELIABLE, 0)),
        ([(SCTP, c.SCTP_SNDRCV, SndRcvInfo(sinfo_timetolive=100))], (TIMED, 100_000_000)),
        ([(SCTP, c.SCTP_SNDRCV, SndRcvInfo())], (RELIABLE, 0)),
        (
            [(SCTP, c.SCTP_SNDRCV, SndRcvInfo(sinfo_flags=c.SCTP_PR_SCTP_RTX | c.SCTP_UNORDERED, sinfo_timetolive=2))],
            (RETRANSMISSIONS, 2),
        ),
        (
            [
                (SCTP, c.SCTP_PRINFO, PrInfo(pr_policy=c.SCTP_PR_SCTP_RTX, pr_value=1)),
                (SCTP, c.SCTP_SNDRCV, SndRcvInfo(sinfo_timetolive=100)),
            ],
            (RETRANSMISSIONS, 1),
        ),
    ],
)
def test_prinfo_says_when_a_message_may_be_given_up_or_snd_rcv_or_the_default(
    items: list[Item], policy: tuple[int, int]
) -> None:
    """RFC 6458 sections 5.3.2, 5.3.7 and 8.1.32; RFC 7496 section 4.2."""
    defaults = AssociationSettings(prinfo=PrInfo(pr_policy=c.SCTP_PR_SCTP_RTX, pr_value=3))
    assert core_policy(parse(items, defaults).prinfo) == policy


@pytest.mark.parametrize(
    "item",
    [
        (c.SOL_SOCKET, c.SCTP_SNDINFO, SndInfo()),
        (SCTP, 99, SndInfo()),
        (SCTP, c.SCTP_RCVINFO, RcvInfo()),
        (SCTP, c.SCTP_SNDINFO, SndRcvInfo()),
        (SCTP, c.SCTP_SNDINFO, "text"),
        (SCTP, c.SCTP_SNDINFO, SndInfo().pack()[:-1]),
        (SCTP, c.SCTP_SNDINFO, SndInfo().pack() + b"\0"),
        (SCTP, c.SCTP_SNDINFO, SndInfo(snd_sid=70_000)),
        (SCTP, c.SCTP_SNDINFO, SndInfo(snd_flags=0x4000)),
        (SCTP, c.SCTP_SNDRCV, SndRcvInfo(sinfo_flags=0x4000)),
        (SCTP, c.SCTP_INIT, b""),
        (SCTP, c.SCTP_PRINFO, PrInfo(pr_policy=0x1000)),
        (SCTP, c.SCTP_AUTHINFO, b"\0"),
        (SCTP, c.SCTP_DSTADDRV4, bytes(16)),
        (SCTP, c.SCTP_DSTADDRV4, bytes(4)),
        (SCTP, c.SCTP_DSTADDRV4, "224.0.0.1"),
        (SCTP, c.SCTP_DSTADDRV4, "host.example"),
        (SCTP, c.SCTP_DSTADDRV6, "192.0.2.1"),
        (SCTP, c.SCTP_DSTADDRV6, InitMsg()),
    ],
)
def test_a_control_message_that_says_nothing_is_invalid(item: Any) -> None:
    with raises(errno.EINVAL):
        parse([item], DEFAULTS)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((SCTP, c.SCTP_SNDINFO, SndInfo()), (SCTP, c.SCTP_SNDRCV, SndRcvInfo())),
        ((SCTP, c.SCTP_SNDINFO, SndInfo()), (SCTP, c.SCTP_SNDINFO, SndInfo())),
        ((SCTP, c.SCTP_INIT, InitMsg()), (SCTP, c.SCTP_INIT, InitMsg())),
    ],
)
def test_two_control_messages_that_speak_of_the_same_are_invalid(first: Any, second: Any) -> None:
    with raises(errno.EINVAL):
        parse([first, second], DEFAULTS)


@pytest.mark.parametrize("info", [AuthInfo(auth_keynumber=7), AuthInfo(auth_keynumber=7).pack()])
def test_a_message_can_name_its_key(info: Any) -> None:
    """Section 5.3.8."""
    assert parse([(SCTP, c.SCTP_AUTHINFO, info)], DEFAULTS).key == 7
    assert parse([], DEFAULTS).key < 0


# --- sctp_sendv ---


def test_the_info_of_sendv_becomes_control_messages() -> None:
    info = SndInfo(snd_sid=1)
    assert from_sendv(None) == from_sendv(None, c.SCTP_SENDV_NOINFO) == []
    assert from_sendv(info) == from_sendv(info.pack(), c.SCTP_SENDV_SNDINFO) == [(SCTP, c.SCTP_SNDINFO, info)]
    assert from_sendv(PrInfo()) == [(SCTP, c.SCTP_PRINFO, PrInfo())]
    assert from_sendv(AuthInfo()) == [(SCTP, c.SCTP_AUTHINFO, AuthInfo())]


def test_of_several_attributes_those_count_that_are_marked_valid() -> None:
    info = SndInfo(snd_sid=1)
    some = SendvSpa(sendv_flags=c.SCTP_SEND_SNDINFO_VALID, sendv_sndinfo=info)
    assert from_sendv(some.pack(), c.SCTP_SENDV_SPA) == [(SCTP, c.SCTP_SNDINFO, info)]
    kinds = [kind for _, kind, _ in from_sendv(SendvSpa(sendv_flags=7))]
    assert kinds == [c.SCTP_SNDINFO, c.SCTP_PRINFO, c.SCTP_AUTHINFO]


@pytest.mark.parametrize(
    ("info", "infotype"),
    [
        (SndInfo(), c.SCTP_SENDV_PRINFO),
        (SndInfo(), c.SCTP_SENDV_NOINFO),
        (None, c.SCTP_SENDV_SNDINFO),
        (SndInfo(), 99),
        (RcvInfo(), None),
        (b"", None),
        (SndInfo().pack()[:-1], c.SCTP_SENDV_SNDINFO),
    ],
)
def test_an_info_that_is_not_of_its_type_is_invalid(info: Any, infotype: int | None) -> None:
    with raises(errno.EINVAL):
        from_sendv(info, infotype)


# --- receiving ---

MESSAGE = Message(b"data", 3, 60, 5, 1000, 1)
PART = Message(b"part", 4, 61, 0, 1001, 2)
INFO = RcvInfo(
    rcv_sid=3,
    rcv_ssn=5,
    rcv_flags=c.SCTP_UNORDERED,
    rcv_ppid=60,
    rcv_tsn=1000,
    rcv_cumtsn=1002,
    rcv_context=7,
    rcv_assoc_id=9,
)
NEXT = NxtInfo(nxt_sid=3, nxt_flags=c.SCTP_UNORDERED | c.SCTP_COMPLETE, nxt_ppid=60, nxt_length=4, nxt_assoc_id=9)


def test_what_is_known_of_a_message() -> None:
    assert rcvinfo(MESSAGE, 9, context=7, cumulative_tsn=1002) == INFO


def test_what_is_known_of_the_next_one() -> None:
    assert nxtinfo(MESSAGE, 9) == NEXT
    assert nxtinfo(PART, 9) == NxtInfo(nxt_sid=4, nxt_ppid=61, nxt_length=4, nxt_assoc_id=9)
    assert nxtinfo(ShutdownEvent(), 9) == NxtInfo(
        nxt_flags=c.SCTP_NOTIFICATION | c.SCTP_COMPLETE, nxt_length=12, nxt_assoc_id=9
    )


def test_the_old_forms_say_the_same() -> None:
    assert sndrcvinfo(INFO) == SndRcvInfo(
        sinfo_stream=3,
        sinfo_ssn=5,
        sinfo_flags=c.SCTP_UNORDERED,
        sinfo_ppid=60,
        sinfo_context=7,
        sinfo_tsn=1000,
        sinfo_cumtsn=1002,
        sinfo_assoc_id=9,
    )
    assert extrcvinfo(INFO, NEXT) == ExtRcvInfo(
        sinfo_stream=3,
        sinfo_ssn=5,
        sinfo_flags=c.SCTP_UNORDERED,
        sinfo_ppid=60,
        sinfo_context=7,
        sinfo_tsn=1000,
        sinfo_cumtsn=1002,
        serinfo_next_flags=c.SCTP_NEXT_MSG_AVAIL | c.SCTP_NEXT_MSG_ISCOMPLETE | c.SCTP_NEXT_MSG_IS_UNORDERED,
        serinfo_next_stream=3,
        serinfo_next_aid=9,
        serinfo_next_length=4,
        serinfo_next_ppid=60,
        sinfo_assoc_id=9,
    )
    assert extrcvinfo(INFO, None).serinfo_next_flags == 0


def kinds(settings: EndpointSettings, subscribed: bool = False, following: NxtInfo | None = NEXT) -> list[int]:
    """Types of the control messages that come with a message."""
    association = AssociationSettings(subscribed=frozenset({c.SCTP_DATA_IO_EVENT} if subscribed else ()))
    items = received(settings, association, INFO, following)
    assert settings.wants_ancillary(association) or not items
    assert {level for level, _, _ in items} <= {SCTP}
    return [kind for _, kind, _ in items]


def test_by_default_no_control_messages_come() -> None:
    assert kinds(EndpointSettings()) == []


def test_control_messages_come_by_what_is_enabled() -> None:
    assert kinds(EndpointSettings(recvrcvinfo=True)) == [c.SCTP_RCVINFO]
    assert kinds(EndpointSettings(recvnxtinfo=True)) == [c.SCTP_NXTINFO]
    assert kinds(EndpointSettings(recvrcvinfo=True, recvnxtinfo=True), following=None) == [c.SCTP_RCVINFO]
    assert kinds(EndpointSettings(), subscribed=True) == [c.SCTP_SNDRCV]
    assert kinds(EndpointSettings(use_ext_rcvinfo=True), subscribed=True) == [c.SCTP_EXTRCV]
    assert kinds(EndpointSettings(use_ext_rcvinfo=True)) == []


def test_the_info_of_recvv_is_what_is_enabled() -> None:
    both = EndpointSettings(recvrcvinfo=True, recvnxtinfo=True)
    assert recvv(EndpointSettings(), INFO, NEXT) == (c.SCTP_RECVV_NOINFO, None)
    assert recvv(EndpointSettings(recvrcvinfo=True), INFO, NEXT) == (c.SCTP_RECVV_RCVINFO, INFO)
    assert recvv(EndpointSettings(recvnxtinfo=True), INFO, NEXT) == (c.SCTP_RECVV_NXTINFO, NEXT)
    assert recvv(EndpointSettings(recvnxtinfo=True), INFO, None) == (c.SCTP_RECVV_NOINFO, None)
    assert recvv(both, INFO, None) == (c.SCTP_RECVV_RCVINFO, INFO)
    assert recvv(both, INFO, NEXT) == (c.SCTP_RECVV_RN, RecvvRn(recvv_rcvinfo=INFO, recvv_nxtinfo=NEXT))


def test_control_messages_are_packed_as_far_as_the_buffer_goes() -> None:
    items = [(SCTP, c.SCTP_RCVINFO, INFO), (SCTP, c.SCTP_NXTINFO, NEXT)]
    first, second = (SCTP, c.SCTP_RCVINFO, INFO.pack()), (SCTP, c.SCTP_NXTINFO, NEXT.pack())
    # CMSG_SPACE of 28 bytes is 48 and of 16 is 32; the last one needs no padding.
    assert pack(items, 80) == ([first, second], False)
    assert pack(items, 79) == ([first], True)
    assert pack(items, 44) == ([first], True)
    assert pack(items, 43) == ([], True)
    assert pack([], 0) == ([], False)


def test_the_extended_info_is_as_long_as_in_c() -> None:
    assert len(extrcvinfo(INFO, NEXT).pack()) == ExtRcvInfo.size() == 48
