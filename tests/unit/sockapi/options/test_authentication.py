"""Options of authentication (RFC 6458 sections 8.1.17, 8.1.18, 8.2.3, 8.2.4 and 8.3.2 to 8.3.5)."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.sockapi import constants as c
from sctpx.sockapi.options import pack_value
from sctpx.sockapi.structs import AssocValue, AuthChunk, AuthChunks, AuthKey, AuthKeyId, HmacAlgo
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

CONFIG = AssociationConfig(authenticated_chunks=(0, 7), shared_keys=((1, b"one"), (2, b"two")))


def key(number: int, assoc_id: int = 0) -> AuthKeyId:
    return AuthKeyId(scact_keynumber=number, scact_assoc_id=assoc_id)


def active(socket: Socket, assoc_id: int | None = None) -> int:
    value = socket.get(c.SCTP_AUTH_ACTIVE_KEY, None, assoc_id)
    assert isinstance(value, AuthKeyId)
    return value.scact_keynumber


def chunks(socket: Socket, name: int, assoc_id: int | None = None) -> tuple[int, ...]:
    value = socket.get(name, None, assoc_id)
    assert isinstance(value, AuthChunks)
    return value.gauth_chunks


# --- sections 8.1.17 and 8.3.2 ---


def test_hmac_algorithms_are_set_in_their_order() -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_HMAC_IDENT) == HmacAlgo(shmac_idents=(3, 1))
    socket.set(c.SCTP_HMAC_IDENT, HmacAlgo(shmac_idents=(1, 3)))
    assert socket.get(c.SCTP_HMAC_IDENT) == HmacAlgo(shmac_idents=(1, 3))
    assert socket.settings.future.config.authenticates


@pytest.mark.parametrize("idents", [(), (3,), (1, 2), (1, 1)], ids=str)
def test_without_sha_1_or_with_an_unknown_algorithm_it_is_an_error(idents: tuple[int, ...]) -> None:
    socket = make_socket()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_HMAC_IDENT, HmacAlgo(shmac_idents=idents))
    assert not socket.settings.future.config.authenticates


def test_chunk_types_are_added_one_by_one_and_switch_authentication_on() -> None:
    """8.3.2: "The usage of this option enables SCTP AUTH"."""
    socket = make_socket()
    for kind in (0, 192, 0):
        socket.set(c.SCTP_AUTH_CHUNK, AuthChunk(sauth_chunk=kind))
    assert socket.settings.future.config.authenticated_chunks == (0, 192)
    assert chunks(socket, c.SCTP_LOCAL_AUTH_CHUNKS) == (0, 192)
    assert socket.get(c.SCTP_AUTH_SUPPORTED) == AssocValue(assoc_value=1)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_AUTH_SUPPORTED, AssocValue(assoc_value=0))


@pytest.mark.parametrize("kind", [1, 2, 14, 15])
def test_chunks_that_cannot_be_authenticated_are_an_error(kind: int) -> None:
    socket = make_socket()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_AUTH_CHUNK, AuthChunk(sauth_chunk=kind))


def test_authentication_is_off_until_the_program_asks_for_it() -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_AUTH_SUPPORTED) == AssocValue(assoc_value=0)
    socket.set(c.SCTP_AUTH_SUPPORTED, AssocValue(assoc_value=1))
    assert socket.settings.future.config.authentication
    socket.set(c.SCTP_AUTH_SUPPORTED, AssocValue(assoc_value=0))
    assert not socket.settings.future.config.authenticates


# --- sections 8.2.3 and 8.2.4 ---


def test_an_association_tells_what_both_sides_demand() -> None:
    socket, pair = connected(one_to_many=True, config=CONFIG)
    number = pair.a.association.id
    assert chunks(socket, c.SCTP_PEER_AUTH_CHUNKS, number) == (0, 7)
    assert chunks(socket, c.SCTP_LOCAL_AUTH_CHUNKS, number) == (0, 7)
    assert socket.get(c.SCTP_AUTH_SUPPORTED, None, number) == AssocValue(assoc_id=number, assoc_value=1)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_AUTH_SUPPORTED, AssocValue(assoc_id=number, assoc_value=0))


def test_a_list_that_does_not_fit_its_buffer_is_enobufs() -> None:
    with raises(errno.ENOBUFS):
        pack_value(AuthChunks(gauth_chunks=(1, 2, 3)), 8)


# --- keys ---


def test_keys_of_the_socket_are_for_associations_to_come() -> None:
    socket = make_socket()
    assert active(socket) == 0
    socket.set(c.SCTP_AUTH_KEY, AuthKey(sca_keynumber=5, sca_key=b"five"))
    socket.set(c.SCTP_AUTH_ACTIVE_KEY, key(5))
    assert active(socket) == 5
    config = socket.settings.future.config
    assert (config.authentication, config.shared_keys, config.first_key) == (True, ((0, b""), (5, b"five")), 5)
    socket.set(c.SCTP_AUTH_DEACTIVATE_KEY, key(0))
    assert socket.settings.future.config.deactivated_keys == (0,)
    socket.set(c.SCTP_AUTH_DELETE_KEY, key(0))
    assert socket.settings.future.config.shared_keys == ((5, b"five"),)


@pytest.mark.parametrize("one_to_many", [False, True])
def test_what_cannot_be_done_with_a_key_changes_nothing(one_to_many: bool) -> None:
    socket, pair = connected(one_to_many=one_to_many, config=CONFIG)
    number = pair.a.association.id
    for option in (c.SCTP_AUTH_ACTIVE_KEY, c.SCTP_AUTH_DEACTIVATE_KEY, c.SCTP_AUTH_DELETE_KEY):
        with raises(errno.EINVAL):
            socket.set(option, key(9, number))
    for option in (c.SCTP_AUTH_DEACTIVATE_KEY, c.SCTP_AUTH_DELETE_KEY):
        with raises(errno.EINVAL):
            socket.set(option, key(1, number))
    assert active(socket, number) == 1


def test_keys_of_an_association_are_its_own() -> None:
    socket, pair = connected(one_to_many=True, config=CONFIG)
    number = pair.a.association.id
    socket.set(c.SCTP_AUTH_KEY, AuthKey(sca_assoc_id=number, sca_keynumber=3, sca_key=b"three"))
    socket.set(c.SCTP_AUTH_ACTIVE_KEY, key(3, number))
    socket.set(c.SCTP_AUTH_DEACTIVATE_KEY, key(1, number))
    assert active(socket, number) == 3
    assert active(socket) != 3
    assert pair.a.association.shared_keys.find(3) == b"three"
    with raises(errno.EINVAL):
        socket.set(c.SCTP_AUTH_ACTIVE_KEY, key(1, number))
    socket.set(c.SCTP_AUTH_DELETE_KEY, key(1, number))
    assert pair.a.association.shared_keys.find(1) is None


def test_a_key_for_all_associations_is_for_those_to_come_as_well() -> None:
    socket, pair = connected(one_to_many=True, config=CONFIG)
    value: Any = AuthKey(sca_assoc_id=c.SCTP_ALL_ASSOC, sca_keynumber=3, sca_key=b"three")
    socket.set(c.SCTP_AUTH_KEY, value)
    assert pair.a.association.shared_keys.find(3) == b"three"
    assert (3, b"three") in socket.settings.future.config.shared_keys


def test_a_key_that_waits_for_its_last_messages_cannot_be_replaced_anywhere() -> None:
    """EBUSY, before the key of any association, or of those to come, is another one."""
    socket, pair = connected(one_to_many=True, config=CONFIG)
    pair.network.drop("SACK", times=None)
    pair.a.send(b"with one")
    pair.network.run_for(0.1)
    everywhere = c.SCTP_ALL_ASSOC
    socket.set(c.SCTP_AUTH_KEY, AuthKey(sca_assoc_id=c.SCTP_FUTURE_ASSOC, sca_keynumber=1, sca_key=b"future"))
    socket.set(c.SCTP_AUTH_ACTIVE_KEY, key(2, pair.a.association.id))
    socket.set(c.SCTP_AUTH_DEACTIVATE_KEY, key(1, pair.a.association.id))
    with raises(errno.EBUSY):
        socket.set(c.SCTP_AUTH_KEY, AuthKey(sca_assoc_id=everywhere, sca_keynumber=1, sca_key=b"another"))
    assert (1, b"future") in socket.settings.future.config.shared_keys
    with raises(errno.EBUSY):
        socket.set(c.SCTP_AUTH_DELETE_KEY, key(1, pair.a.association.id))
