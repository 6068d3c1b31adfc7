"""The option of ECN (RFC 3168)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.sockapi import constants as c
from sctpx.sockapi.structs import AssocValue
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises


def read(socket: Socket, assoc_id: int | None = None) -> int:
    value = socket.get(c.SCTP_ECN_SUPPORTED, None, assoc_id)
    assert isinstance(value, AssocValue)
    return value.assoc_value


@pytest.mark.parametrize("one_to_many", [False, True])
def test_it_is_off_until_associations_to_come_shall_offer_it(one_to_many: bool) -> None:
    socket = make_socket(one_to_many)
    assert read(socket) == 0
    socket.set(c.SCTP_ECN_SUPPORTED, AssocValue(assoc_value=1))
    assert read(socket) == 1
    assert socket.settings.future.config.ecn
    socket.set(c.SCTP_ECN_SUPPORTED, AssocValue())
    assert read(socket) == 0


@pytest.mark.parametrize("on", [False, True])
def test_an_association_tells_what_was_agreed_and_stays_as_it_is(on: bool) -> None:
    socket, pair = connected(one_to_many=True, config=AssociationConfig(ecn=on))
    number = pair.a.association.id
    assert read(socket, number) == int(on)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_ECN_SUPPORTED, AssocValue(assoc_id=number, assoc_value=1))


def test_a_peer_that_does_not_offer_it_leaves_it_off() -> None:
    socket, pair = connected(one_to_many=True, config=AssociationConfig(ecn=True))
    assert read(socket, pair.a.association.id) == 1
    pair.b.association.tcb.capabilities = 0
    socket.attach(pair.b.association)
    assert read(socket, pair.b.association.id) == 0


def test_where_the_ecn_bits_cannot_be_read_nothing_changes() -> None:
    socket = make_socket()
    socket.refuses_ecn = True
    with raises(errno.EOPNOTSUPP):
        socket.set(c.SCTP_ECN_SUPPORTED, AssocValue(assoc_value=1))
    assert read(socket) == 0
    socket.set(c.SCTP_ECN_SUPPORTED, AssocValue(assoc_value=0))


@pytest.mark.parametrize("number", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC, 99])
def test_it_is_for_associations_to_come(number: int) -> None:
    socket = make_socket(one_to_many=True)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_ECN_SUPPORTED, AssocValue(assoc_id=number, assoc_value=1))
