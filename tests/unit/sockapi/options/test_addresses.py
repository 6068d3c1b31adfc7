"""Options of RFC 5061: SCTP_ASCONF_SUPPORTED, SCTP_AUTO_ASCONF, SCTP_SET_PEER_PRIMARY_ADDR, SCTP_ADAPTATION_LAYER."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import ADDRESS_MADE_PRIMARY, ASCONF_DONE, LocalAddressChange
from sctpx.sockapi import constants as c
from sctpx.sockapi.structs import AssocValue, SetAdaptation, SetPeerPrim
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

OFFERED = AssociationConfig(address_reconfiguration=True)


def supported(socket: Socket, assoc_id: int | None = None) -> int:
    value = socket.get(c.SCTP_ASCONF_SUPPORTED, None, assoc_id)
    assert isinstance(value, AssocValue)
    return value.assoc_value


def test_it_is_offered_if_it_is_switched_on_and_cannot_change_afterwards() -> None:
    socket = make_socket()
    assert supported(socket) == 0
    socket.set(c.SCTP_ASCONF_SUPPORTED, AssocValue(assoc_value=1))
    assert socket.settings.future.config.address_reconfiguration
    assert supported(socket) == 1
    for config in (OFFERED, AssociationConfig()):
        socket, pair = connected(one_to_many=True, config=config)
        number = pair.a.association.id
        assert supported(socket, number) == config.address_reconfiguration
        with raises(errno.EINVAL):
            socket.set(c.SCTP_ASCONF_SUPPORTED, AssocValue(assoc_id=number, assoc_value=1))


@pytest.mark.parametrize("one_to_many", [False, True])
def test_that_the_hosts_addresses_are_followed_is_for_all_associations_of_the_socket(one_to_many: bool) -> None:
    socket, pair = connected(one_to_many=one_to_many, config=OFFERED)
    for value in (1, 0, 7):
        socket.set(c.SCTP_AUTO_ASCONF, value)
        assert socket.get(c.SCTP_AUTO_ASCONF) == (value != 0)
        assert pair.a.association.config.auto_asconf is (value != 0)


@pytest.mark.parametrize("one_to_many", [False, True])
def test_the_peer_is_asked_to_prefer_an_address(one_to_many: bool) -> None:
    socket, pair = connected(one_to_many=one_to_many, config=OFFERED, paths=2)
    number = pair.a.association.id if one_to_many else 0
    for address, code in (
        (None, errno.EINVAL),
        (("10.0.9.1", 0), errno.EADDRNOTAVAIL),
        (("10.0.2.1", 1), errno.EADDRNOTAVAIL),
    ):
        with raises(code):
            socket.set(c.SCTP_SET_PEER_PRIMARY_ADDR, SetPeerPrim(sspp_assoc_id=number, sspp_addr=address))
    socket.set(c.SCTP_SET_PEER_PRIMARY_ADDR, SetPeerPrim(sspp_assoc_id=number, sspp_addr=("10.0.2.1", 0)))
    pair.run(lambda: pair.a.events_of(LocalAddressChange))
    [event] = pair.a.events_of(LocalAddressChange)
    assert (event.local, event.what, event.result) == (bytes((10, 0, 2, 1)), ADDRESS_MADE_PRIMARY, ASCONF_DONE)
    primary = pair.b.association.tcb.primary
    assert primary is not None
    assert primary.remote == bytes((10, 0, 2, 1))


def test_a_peer_that_does_not_speak_it_is_not_asked() -> None:
    socket, _ = connected()
    with raises(errno.EOPNOTSUPP):
        socket.set(c.SCTP_SET_PEER_PRIMARY_ADDR, SetPeerPrim(sspp_addr=("10.0.1.1", 0)))


@pytest.mark.parametrize("number", [0, 7, 0xFFFFFFFF])
def test_the_adaptation_layer_is_said_in_associations_to_come(number: int) -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_ADAPTATION_LAYER) == SetAdaptation()
    assert socket.settings.future.config.adaptation_layer is None
    socket.set(c.SCTP_ADAPTATION_LAYER, SetAdaptation(ssb_adaptation_ind=number))
    assert socket.settings.future.config.adaptation_layer == number
    assert socket.get(c.SCTP_ADAPTATION_LAYER) == SetAdaptation(ssb_adaptation_ind=number)
