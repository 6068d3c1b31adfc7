"""What an association can be asked, before it is up and afterwards."""

from __future__ import annotations

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.ext.address_changes import MAX_WAITING
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import CHUNK_ASCONF, CHUNK_DATA
from tests.conformance.asconf import change, changing, delete, ours, refusals
from tests.conformance.peer import FULL, PORT, START, Peer


def asking(config: AssociationConfig) -> Association:
    """One that is being set up, from 10.0.1.1."""
    endpoint = Stack(seeded_bytes(1), START).open_endpoint(PORT, [ours(1)], config)
    return endpoint.connect(START, [PeerAddress(bytes((10, 0, 1, 2)), 9899)], PORT)


def test_what_is_lost_and_waits_to_go_again_is_not_acknowledged() -> None:
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    assert peer.association.unacknowledged == 3
    peer.advance(1)  # T3-rtx has expired: one of them has left again.
    assert peer.association.unacknowledged == 3
    peer.sack(3)
    assert peer.association.unacknowledged == 0


def test_before_the_peer_answered_nobody_knows_where_messages_are_cut() -> None:
    assert asking(AssociationConfig()).fragmentation_point == 0


def test_addresses_can_be_changed_if_both_sides_have_said_so() -> None:
    """RFC 5061 section 4.2.7."""
    plain, peer = Peer().association, changing().association
    assert (plain.can_change_addresses, peer.can_change_addresses) == (False, True)
    assert peer.places_for_changes == MAX_WAITING


def test_changes_of_our_addresses_take_places_until_they_are_done() -> None:
    peer = changing()
    change(peer, ours(2))
    association = peer.association
    change(peer, ours(3))
    assert association.places_for_changes == MAX_WAITING - 1
    assert not association.has_changed_addresses
    assert [association.uses(ours(number)) for number in (1, 2, 3, 4)] == [True, True, True, False]


def test_without_any_change_an_association_uses_the_addresses_that_it_sends_from() -> None:
    association = Peer(paths=2).association
    assert [association.uses(ours(number)) for number in (1, 2, 3)] == [True, True, False]
    assert not association.has_changed_addresses
    begun = asking(AssociationConfig())
    assert [begun.uses(ours(number)) for number in (1, 2)] == [True, False]


def test_what_the_peer_changes_of_its_own_is_no_change_of_ours() -> None:
    peer = changing(paths=2)
    assert refusals(peer, 1, delete(bytes((10, 0, 2, 2)))) == []
    assert not peer.association.has_changed_addresses


@pytest.mark.parametrize(("chunks", "expected"), [(None, []), (bytes((CHUNK_DATA,)), [CHUNK_DATA])])
def test_chunks_that_the_peer_wants_authenticated_are_those_that_it_has_listed(
    chunks: bytes | None, expected: list[int]
) -> None:
    """RFC 4895 section 3.2: without CHUNKS there are none."""
    peer = Peer(authentication=True, auth=AuthParameters(bytes(32), chunks, b"\0\1"))
    assert peer.association.peer_authenticated_chunks == expected
    assert peer.association.local_authenticated_chunks == []
    assert peer.association.hmac_algorithm == 1


def test_chunks_that_we_want_authenticated_are_known_before_and_afterwards() -> None:
    config = AssociationConfig(authenticated_chunks=(CHUNK_ASCONF,))
    assert asking(config).local_authenticated_chunks == [CHUNK_ASCONF]
    peer = Peer(authenticated_chunks=(CHUNK_ASCONF,), auth=AuthParameters(bytes(32), b"", b"\0\1"))
    assert peer.association.local_authenticated_chunks == [CHUNK_ASCONF]


def test_without_authentication_there_is_no_hmac() -> None:
    """RFC 4895 section 3.3: the identifier 0 is reserved."""
    association = Peer().association
    assert (association.hmac_algorithm, association.peer_authenticated_chunks) == (0, [])
