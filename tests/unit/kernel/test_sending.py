"""What a message is sent with, as the kernel takes it."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx import structs as s
from sctpx.kernel.sending import more_addresses, prepare
from sctpx.sockapi import constants as c

SCTP = c.IPPROTO_SCTP


def test_structs_and_their_bytes_become_control_messages() -> None:
    info = s.SndInfo(snd_sid=3, snd_ppid=60, snd_flags=c.SCTP_UNORDERED, snd_assoc_id=7)
    reliability = s.PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=100)
    found = prepare([(SCTP, c.SCTP_SNDINFO, info), (SCTP, c.SCTP_PRINFO, reliability.pack())])
    assert found.control == (
        (SCTP, c.SCTP_SNDINFO, info.pack()),
        (SCTP, c.SCTP_PRINFO, reliability.pack()),
    )
    assert (found.assoc_id, found.flags) == (7, c.SCTP_UNORDERED)


def test_what_userspace_cannot_do_yet_is_the_kernels_to_judge() -> None:
    old = s.SndRcvInfo(sinfo_timetolive=100, sinfo_flags=c.SCTP_EOF, sinfo_assoc_id=2)
    found = prepare([(SCTP, c.SCTP_SNDRCV, old), (SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=1))])
    assert [kind for _, kind, _ in found.control] == [c.SCTP_SNDRCV, c.SCTP_AUTHINFO]
    assert (found.assoc_id, found.flags) == (2, c.SCTP_EOF)


def test_addresses_stand_apart() -> None:
    found = prepare([(SCTP, c.SCTP_DSTADDRV4, "192.0.2.1"), (SCTP, c.SCTP_DSTADDRV6, "2001:db8::1")])
    assert found.control == ()
    assert [len(ip) for ip in found.addresses] == [4, 16]
    again = more_addresses(found.addresses)
    assert [kind for _, kind, _ in again] == [c.SCTP_DSTADDRV4, c.SCTP_DSTADDRV6]


@pytest.mark.parametrize(
    "items",
    [
        [(c.SOL_SOCKET, c.SCTP_SNDINFO, s.SndInfo())],
        [(SCTP, 99, b"")],
        [(SCTP, c.SCTP_SNDINFO, s.SndInfo()), (SCTP, c.SCTP_SNDRCV, s.SndRcvInfo())],
        [(SCTP, c.SCTP_SNDINFO, s.InitMsg())],
        [(SCTP, c.SCTP_SNDINFO, b"short")],
    ],
)
def test_a_control_message_that_is_none_is_refused(items: list[Any]) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is looked at
        prepare(items)
    assert caught.value.errno == errno.EINVAL
