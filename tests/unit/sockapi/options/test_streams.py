"""Options of message interleaving and of stream schedulers (RFC 8260 section 4.3)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.sockapi import constants as c
from sctpx.sockapi.options.streams import SCHEDULERS
from sctpx.sockapi.structs import AssocValue, StreamValue, Struct
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises


def read(socket: Socket, name: int, asked: Struct | None = None, assoc_id: int | None = None) -> int:
    value = socket.get(name, asked, assoc_id)
    assert isinstance(value, AssocValue | StreamValue)
    return value.assoc_value if isinstance(value, AssocValue) else value.stream_value


# --- section 4.3.1 ---


def test_interleaving_is_off_unless_the_program_asks_for_it() -> None:
    assert read(make_socket(), c.SCTP_INTERLEAVING_SUPPORTED) == 0


def test_interleaving_needs_level_2_of_fragment_interleave_and_keeps_it() -> None:
    socket = make_socket()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_INTERLEAVING_SUPPORTED, AssocValue(assoc_value=1))
    socket.set(c.SCTP_RECVRCVINFO, 1)
    socket.set(c.SCTP_FRAGMENT_INTERLEAVE, 2)
    socket.set(c.SCTP_INTERLEAVING_SUPPORTED, AssocValue(assoc_value=1))
    assert read(socket, c.SCTP_INTERLEAVING_SUPPORTED) == 1
    assert socket.settings.future.config.interleaving
    with raises(errno.EINVAL):
        socket.set(c.SCTP_FRAGMENT_INTERLEAVE, 1)
    socket.set(c.SCTP_INTERLEAVING_SUPPORTED, AssocValue(assoc_value=0))
    socket.set(c.SCTP_FRAGMENT_INTERLEAVE, 1)
    assert not socket.settings.future.config.interleaving


@pytest.mark.parametrize("interleaving", [False, True])
def test_of_an_association_it_tells_what_was_negotiated_and_cannot_be_set(interleaving: bool) -> None:
    socket, pair = connected(one_to_many=True, config=AssociationConfig(interleaving=interleaving))
    number = pair.a.association.id
    assert read(socket, c.SCTP_INTERLEAVING_SUPPORTED, assoc_id=number) == interleaving
    with raises(errno.EINVAL):
        socket.set(c.SCTP_INTERLEAVING_SUPPORTED, AssocValue(assoc_id=number, assoc_value=0))


@pytest.mark.parametrize("number", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC])
def test_it_is_an_error_to_use_it_for_current_or_all_associations(number: int) -> None:
    socket = make_socket(one_to_many=True)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_INTERLEAVING_SUPPORTED, AssocValue(assoc_id=number, assoc_value=0))


# --- section 4.3.2 ---


@pytest.mark.parametrize(("number", "name"), SCHEDULERS.items())
def test_a_scheduler_is_set_for_associations_to_come_and_for_one_that_lives(number: int, name: str) -> None:
    socket, pair = connected(one_to_many=True)
    assert read(socket, c.SCTP_STREAM_SCHEDULER) == c.SCTP_SS_DEFAULT == c.SCTP_SS_FCFS
    living = pair.a.association
    socket.set(c.SCTP_STREAM_SCHEDULER, AssocValue(assoc_id=living.id, assoc_value=number))
    assert living.config.scheduler == name
    assert socket.settings.future.config.scheduler == "fcfs"
    socket.set(c.SCTP_STREAM_SCHEDULER, AssocValue(assoc_id=c.SCTP_ALL_ASSOC, assoc_value=number))
    assert socket.settings.future.config.scheduler == name
    assert read(socket, c.SCTP_STREAM_SCHEDULER, assoc_id=living.id) == number


def test_a_scheduler_that_there_is_not_is_refused() -> None:
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_STREAM_SCHEDULER, AssocValue(assoc_value=6))


# --- section 4.3.3 ---


def test_a_value_of_a_stream_is_set_for_associations_to_come_and_for_one_that_lives() -> None:
    socket, pair = connected(one_to_many=True)
    living = pair.a.association
    name = c.SCTP_STREAM_SCHEDULER_VALUE
    socket.set(name, StreamValue(assoc_id=living.id, stream_id=3, stream_value=7))
    assert living.stream_value(3) == 7
    assert read(socket, name, StreamValue(assoc_id=living.id, stream_id=3)) == 7
    assert read(socket, name, StreamValue(assoc_id=living.id, stream_id=4)) == 0
    assert read(socket, name, StreamValue(stream_id=3)) == 0
    socket.set(name, StreamValue(assoc_id=c.SCTP_FUTURE_ASSOC, stream_id=3, stream_value=5))
    socket.set(name, StreamValue(assoc_id=c.SCTP_FUTURE_ASSOC, stream_id=3, stream_value=6))
    assert socket.settings.future.config.stream_values == ((3, 6),)
    assert read(socket, name, StreamValue(stream_id=3)) == 6


def test_a_stream_that_the_association_has_not_is_refused() -> None:
    socket, _ = connected()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_STREAM_SCHEDULER_VALUE, StreamValue(stream_id=10, stream_value=1))
    with raises(errno.EINVAL):
        socket.get(c.SCTP_STREAM_SCHEDULER_VALUE, StreamValue(stream_id=10))
