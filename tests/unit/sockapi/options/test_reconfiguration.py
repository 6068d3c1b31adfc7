"""Options of stream reconfiguration (RFC 6525 section 6.3)."""

from __future__ import annotations

import errno
import struct

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import AssociationReset, StreamsAdded, StreamsReset
from sctpx.sockapi import constants as c
from sctpx.sockapi.structs import AddStreams, AssocValue, ResetStreams
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

ALL = c.SCTP_ENABLE_RESET_STREAM_REQ | c.SCTP_ENABLE_RESET_ASSOC_REQ | c.SCTP_ENABLE_CHANGE_ASSOC_REQ
ALLOWED = AssociationConfig(allow_stream_reset=True, allow_association_reset=True, allow_added_streams=True)
BOTH = c.SCTP_STREAM_RESET_INCOMING | c.SCTP_STREAM_RESET_OUTGOING


def read(socket: Socket, name: int, assoc_id: int | None = None) -> int:
    value = socket.get(name, None, assoc_id)
    assert isinstance(value, AssocValue)
    return value.assoc_value


# --- section 6.3.1 ---


def test_the_default_is_to_deny_all_requests() -> None:
    assert read(make_socket(), c.SCTP_ENABLE_STREAM_RESET) == 0


@pytest.mark.parametrize("flags", range(8))
def test_what_the_peer_may_ask_for_is_set_for_associations_to_come_and_for_one_that_lives(flags: int) -> None:
    socket, pair = connected(one_to_many=True)
    living = pair.a.association
    socket.set(c.SCTP_ENABLE_STREAM_RESET, AssocValue(assoc_id=living.id, assoc_value=flags))
    allowed = (living.config.allow_stream_reset, living.config.allow_association_reset)
    assert allowed == (flags & 1 != 0, flags & 2 != 0)
    assert living.config.allow_added_streams is (flags & 4 != 0)
    assert read(socket, c.SCTP_ENABLE_STREAM_RESET, living.id) == flags
    assert read(socket, c.SCTP_ENABLE_STREAM_RESET) == 0
    socket.set(c.SCTP_ENABLE_STREAM_RESET, AssocValue(assoc_id=c.SCTP_ALL_ASSOC, assoc_value=flags))
    assert read(socket, c.SCTP_ENABLE_STREAM_RESET) == flags


def test_other_flags_are_refused() -> None:
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_ENABLE_STREAM_RESET, AssocValue(assoc_value=ALL + 1))


def test_support_is_offered_unless_it_is_switched_off_and_cannot_change_afterwards() -> None:
    socket = make_socket()
    assert read(socket, c.SCTP_RECONFIG_SUPPORTED) == 1
    socket.set(c.SCTP_RECONFIG_SUPPORTED, AssocValue(assoc_value=0))
    assert not socket.settings.future.config.stream_reconfiguration
    for on in (False, True):
        socket, pair = connected(one_to_many=True, config=AssociationConfig(stream_reconfiguration=on))
        number = pair.a.association.id
        assert read(socket, c.SCTP_RECONFIG_SUPPORTED, number) == on
        with raises(errno.EINVAL):
            socket.set(c.SCTP_RECONFIG_SUPPORTED, AssocValue(assoc_id=number, assoc_value=1))


# --- sections 6.3.2 to 6.3.4 ---


@pytest.mark.parametrize("one_to_many", [False, True])
def test_requests_are_made_by_options(one_to_many: bool) -> None:
    socket, pair = connected(one_to_many=one_to_many, config=ALLOWED)
    number = pair.a.association.id if one_to_many else 0
    socket.set(c.SCTP_RESET_STREAMS, ResetStreams(srs_assoc_id=number, srs_flags=BOTH, srs_stream_list=(1, 2)))
    with raises(errno.EALREADY):
        socket.set(c.SCTP_RESET_STREAMS, ResetStreams(srs_assoc_id=number, srs_flags=BOTH))
    pair.run(lambda: len(pair.a.events_of(StreamsReset)) == 2)
    assert {(event.outgoing, tuple(event.streams), event.result) for event in pair.a.events_of(StreamsReset)} == {
        (True, (1, 2), 0),
        (False, (1, 2), 0),
    }
    pair.network.run_for(1)
    socket.set(c.SCTP_ADD_STREAMS, AddStreams(sas_assoc_id=number, sas_outstrms=2))
    pair.run(lambda: pair.a.events_of(StreamsAdded))
    assert (pair.a.association.outbound_streams, pair.b.association.inbound_streams) == (12, 12)
    pair.network.run_for(1)
    socket.set(c.SCTP_RESET_ASSOC, struct.pack("=i", number))
    pair.run(lambda: pair.a.events_of(AssociationReset) and pair.b.events_of(AssociationReset))


def test_the_association_has_to_be_there_and_the_flags_right() -> None:
    alone = make_socket()
    for name, value in (
        (c.SCTP_RESET_STREAMS, ResetStreams(srs_flags=BOTH)),
        (c.SCTP_RESET_ASSOC, AssocValue()),
        (c.SCTP_ADD_STREAMS, AddStreams(sas_outstrms=1)),
    ):
        with raises(errno.EINVAL):
            alone.set(name, value)
        with raises(errno.EOPNOTSUPP):
            alone.get(name)
    socket, _ = connected(config=ALLOWED)
    for wrong in (0, 4, 7):
        with raises(errno.EINVAL):
            socket.set(c.SCTP_RESET_STREAMS, ResetStreams(srs_flags=wrong))


def test_a_peer_that_cannot_do_it_is_not_asked() -> None:
    socket, _ = connected(config=AssociationConfig(stream_reconfiguration=False))
    with raises(errno.EOPNOTSUPP):
        socket.set(c.SCTP_RESET_ASSOC, AssocValue())
