"""Options of partial reliability (RFC 6458 section 8.1.32, RFC 7496 section 4)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.tx.reliability import RETRANSMISSIONS, TIMED
from sctpx.sockapi import constants as c
from sctpx.sockapi.structs import AssocValue, DefaultPrInfo, PrStatus, SndRcvInfo
from tests.unit.sockapi.holder import connected, make_socket, raises

MILLISECOND = 1_000_000


def test_the_default_policy_is_kept_and_told() -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == DefaultPrInfo()
    wanted = DefaultPrInfo(pr_policy=c.SCTP_PR_SCTP_RTX, pr_value=3)
    socket.set(c.SCTP_DEFAULT_PRINFO, wanted)
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == wanted
    with raises(errno.EINVAL):
        socket.set(c.SCTP_DEFAULT_PRINFO, DefaultPrInfo(pr_policy=c.SCTP_PR_SCTP_ALL))
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == wanted


def test_a_time_to_live_of_the_older_option_is_the_same_default() -> None:
    socket = make_socket()
    socket.set(c.SCTP_DEFAULT_SEND_PARAM, SndRcvInfo(sinfo_timetolive=250, sinfo_stream=2))
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == DefaultPrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=250)
    assert socket.get(c.SCTP_DEFAULT_SEND_PARAM) == SndRcvInfo(sinfo_timetolive=250, sinfo_stream=2)
    socket.set(c.SCTP_DEFAULT_SEND_PARAM, SndRcvInfo())
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == DefaultPrInfo()


def test_each_association_has_a_default_of_its_own() -> None:
    socket, pair = connected(one_to_many=True)
    number = pair.a.association.id
    wanted = DefaultPrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=9, pr_assoc_id=number)
    socket.set(c.SCTP_DEFAULT_PRINFO, wanted)
    assert socket.get(c.SCTP_DEFAULT_PRINFO, assoc_id=number) == wanted
    assert socket.get(c.SCTP_DEFAULT_PRINFO) == DefaultPrInfo()


def test_support_is_on_and_can_be_switched_off_for_future_associations() -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_PR_SUPPORTED) == AssocValue(assoc_value=1)
    socket.set(c.SCTP_PR_SUPPORTED, AssocValue())
    assert socket.get(c.SCTP_PR_SUPPORTED) == AssocValue()
    assert not socket.settings.future.config.partial_reliability


@pytest.mark.parametrize("on", [False, True])
def test_of_an_association_it_tells_what_was_negotiated_and_cannot_be_set(on: bool) -> None:
    socket, pair = connected(one_to_many=True, config=AssociationConfig(partial_reliability=on))
    number = pair.a.association.id
    assert socket.get(c.SCTP_PR_SUPPORTED, assoc_id=number) == AssocValue(assoc_id=number, assoc_value=int(on))
    for assoc_id in (number, c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC):
        with raises(errno.EINVAL):
            socket.set(c.SCTP_PR_SUPPORTED, AssocValue(assoc_id=assoc_id, assoc_value=0))


def test_status_counts_what_was_given_up_by_stream_and_policy_and_in_all() -> None:
    socket, pair = connected(one_to_many=True)
    association = pair.a.association
    pair.network.cut(*pair.a.host.addresses)
    now = pair.a.host.now
    association.send(now, bytes(10), stream=1, policy=RETRANSMISSIONS)
    pair.network.run_for(5)
    for _ in range(3):  # cwnd is full with what T3-rtx sends again.
        association.send(pair.a.host.now, bytes(1400), stream=2)
    for stream in (1, 2, 2):
        association.send(pair.a.host.now, bytes(10), stream=stream, policy=TIMED, value=MILLISECOND)
    pair.network.run_for(1)

    def status(option: int, stream: int, policy: int) -> tuple[int, int]:
        asked = PrStatus(sprstat_assoc_id=association.id, sprstat_sid=stream, sprstat_policy=policy)
        told = socket.get(option, asked)
        assert isinstance(told, PrStatus)
        assert (told.sprstat_assoc_id, told.sprstat_sid, told.sprstat_policy) == (association.id, stream, policy)
        return told.sprstat_abandoned_unsent, told.sprstat_abandoned_sent

    assert status(c.SCTP_PR_STREAM_STATUS, 1, c.SCTP_PR_SCTP_RTX) == (0, 1)
    assert status(c.SCTP_PR_STREAM_STATUS, 1, c.SCTP_PR_SCTP_TTL) == (1, 0)
    assert status(c.SCTP_PR_STREAM_STATUS, 1, c.SCTP_PR_SCTP_ALL) == (1, 1)
    assert status(c.SCTP_PR_STREAM_STATUS, 2, c.SCTP_PR_SCTP_ALL) == (2, 0)
    assert status(c.SCTP_PR_STREAM_STATUS, 0, c.SCTP_PR_SCTP_ALL) == (0, 0)
    assert status(c.SCTP_PR_ASSOC_STATUS, 77, c.SCTP_PR_SCTP_TTL) == (3, 0)
    assert status(c.SCTP_PR_ASSOC_STATUS, 0, c.SCTP_PR_SCTP_ALL) == (3, 1)


@pytest.mark.parametrize("option", [c.SCTP_PR_STREAM_STATUS, c.SCTP_PR_ASSOC_STATUS])
def test_status_of_nothing_is_an_error(option: int) -> None:
    socket, pair = connected(one_to_many=True)
    number = pair.a.association.id
    wrong = [
        PrStatus(sprstat_assoc_id=number, sprstat_policy=c.SCTP_PR_SCTP_NONE),
        PrStatus(sprstat_assoc_id=number, sprstat_policy=5),
        PrStatus(sprstat_assoc_id=c.SCTP_FUTURE_ASSOC, sprstat_policy=c.SCTP_PR_SCTP_ALL),
        PrStatus(sprstat_assoc_id=c.SCTP_CURRENT_ASSOC, sprstat_policy=c.SCTP_PR_SCTP_ALL),
    ]
    if option == c.SCTP_PR_STREAM_STATUS:
        wrong.append(PrStatus(sprstat_assoc_id=number, sprstat_sid=10, sprstat_policy=c.SCTP_PR_SCTP_ALL))
    for asked in wrong:
        with raises(errno.EINVAL):
            socket.get(option, asked)
    with raises(errno.EOPNOTSUPP):
        socket.set(option, PrStatus(sprstat_assoc_id=number, sprstat_policy=c.SCTP_PR_SCTP_ALL))
