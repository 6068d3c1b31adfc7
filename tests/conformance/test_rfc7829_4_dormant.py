"""RFC 7829 section 4.1: all destinations are inactive."""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.path.failover import DORMANT_FACTOR
from sctpx.core.path.states import PATH_INACTIVE
from tests.conformance.peer import Peer


def dormant(*errors: int, **config: Any) -> Peer:
    peer = Peer(paths=len(errors), association_max_retrans=200, path_max_retrans=2, **config)
    for path, count in zip(peer.association.paths, errors, strict=True):
        path.state, path.error_count = PATH_INACTIVE, count
    return peer


def facts(peer: Peer) -> list[tuple[int, int]]:
    return [(path.state, path.error_count) for path in peer.association.paths]


@pytest.mark.parametrize("pfmr", [0, 2, 9])
def test_rules_1_to_3_data_is_sent_to_the_one_with_the_fewest_errors_which_changes_nothing(pfmr: int) -> None:
    """ "MUST choose one destination and transmit data to this destination address", "MUST NOT change the state of the
    chosen destination address", "MUST NOT clear the error counter". Section 4: "MUST NOT be coupled to the value of the
    PFMR".
    """
    peer = dormant(9, 4, 5, potentially_failed_max_retrans=pfmr)
    before = facts(peer)
    peer.send(10)
    assert [packet.path for packet in peer.take()] == [2]
    assert facts(peer) == before


def test_rule_3_errors_are_counted_far_above_pmr_and_not_for_ever() -> None:
    """ "It is considered reasonable enough to require that the limit be an order of magnitude higher than the PMR
    value."
    """
    peer = dormant(3, 3, rto_max=1.0)
    peer.send(10)
    peer.advance(150)
    limit = DORMANT_FACTOR * 3
    assert [path.error_count for path in peer.association.paths] == [limit, limit]
    assert not peer.association.ended


def test_dormant_destinations_take_turns_as_their_errors_grow() -> None:
    peer = dormant(3, 3, rto_max=1.0)
    peer.send(10)
    peer.advance(10)
    paths = [packet.path for packet in peer.take()]
    assert set(paths) == {1, 2}
    assert abs(paths.count(1) - paths.count(2)) <= 1
