"""RFC 7829 section 5, rule by rule: Primary Path Switchover."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_PRIMARY, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.core.rules import NO_SWITCHOVER
from sctpx.wire import control
from tests.conformance.peer import UDP_PORT, Peer, Sent

RARELY = 3600.0


def heartbeats(packets: list[Sent], path: int) -> list[Sent]:
    return [packet for packet in packets if packet.path == path and "HEARTBEAT" in packet.names]


def answer(peer: Peer, packet: Sent) -> None:
    peer.deliver(control.heartbeat_ack(packet.value("HEARTBEAT")), path=packet.path)


def primary(peer: Peer) -> int:
    """The number of the primary path."""
    found = peer.association.primary
    assert found is not None
    return found.remote[2]


def told(peer: Peer) -> list[int]:
    """The primary paths that the user was told of."""
    return [event.remote[2] for event in peer.events_of(PathChange) if event.what == CHANGE_PRIMARY]


def switching(psmr: int | None, paths: int = 2, **config: Any) -> Peer:
    settings = {"heartbeat_interval": RARELY, "association_max_retrans": 50, **config}
    return Peer(paths=paths, primary_switchover_max_retrans=psmr, **settings)


def lose(peer: Peer, errors: int) -> None:
    """A message and then HEARTBEATs to path 1 are lost until it has so many errors; other paths work."""
    peer.send(10)
    while peer.path(1).error_count < errors:
        for packet in peer.wait():
            if packet.path != 1 and packet.tsns:
                peer.sack(peer.last_tsn, path=packet.path)
            if packet.path != 1 and "HEARTBEAT" in packet.names:
                answer(peer, packet)
    while not peer.association.tcb.outstanding.empty:
        peer.sack(peer.last_tsn, path=2)


# Rule 1: which values there are.


@pytest.mark.parametrize(
    ("pmr", "pfmr", "psmr"),
    [(5, 0, 0), (5, 0, 3), (5, 2, 2), (5, 2, 9), (5, 5, 5), (5, 7, 5), (5, 1 << 16, 5), (5, 0, None), (5, 0, 0xFFFE)],
)
def test_rule_1_values_from_pfmr_on_or_without_pf_from_pmr_on_are_taken(pmr: int, pfmr: int, psmr: int | None) -> None:
    """ "For SCTP-PF implementations, the PSMR MUST be set greater than or equal to the PFMR value. For implementations
    of [RFC4960], the PSMR MUST be set greater than or equal to the PMR value": with PFMR at PMR or above, no
    destination is ever PF (section 3.2, 1).
    """
    config = AssociationConfig(
        path_max_retrans=pmr, potentially_failed_max_retrans=pfmr, primary_switchover_max_retrans=psmr
    )
    assert config.primary_switchover_max_retrans == psmr


@pytest.mark.parametrize(
    ("pmr", "pfmr", "psmr"), [(5, 1, 0), (5, 3, 2), (5, 5, 4), (5, 7, 4), (5, 0, -1), (5, 0, 0xFFFF)]
)
def test_rule_1_other_values_are_rejected(pmr: int, pfmr: int, psmr: int) -> None:
    """ "Implementations MUST reject any other values of PSMR." """
    with pytest.raises(ValueError, match="primary_switchover_max_retrans"):
        AssociationConfig(
            path_max_retrans=pmr, potentially_failed_max_retrans=pfmr, primary_switchover_max_retrans=psmr
        )


def test_rule_1_a_value_that_does_not_count_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="primary_switchover_max_retrans"):
        AssociationConfig(primary_switchover_max_retrans=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"primary_switchover_max_retrans": 1},
        {"potentially_failed_max_retrans": 4},
        {"potentially_failed_max_retrans": 9, "max_retrans": 9},
    ],
)
def test_rule_1_holds_for_the_thresholds_of_one_path(changes: dict[str, Any]) -> None:
    peer = switching(3, potentially_failed_max_retrans=2)
    path = peer.path(2)
    before = (path.max_retrans, path.potentially_failed_max_retrans, path.primary_switchover_max_retrans)
    with pytest.raises(OSError, match="RFC 7829") as caught:
        peer.association.configure_path(peer.now, path.remote, **changes)
    assert caught.value.errno == errno.EINVAL
    assert (path.max_retrans, path.potentially_failed_max_retrans, path.primary_switchover_max_retrans) == before


# Rules 2 and 3: when, and to which.


@pytest.mark.parametrize(("pfmr", "psmr"), [(0, 0), (0, 1), (0, 3), (2, 2), (2, 4), (5, 5), (5, 7)])
def test_rule_2_it_happens_when_the_error_counter_exceeds_psmr(pfmr: int, psmr: int) -> None:
    peer = switching(psmr, potentially_failed_max_retrans=pfmr, path_max_retrans=5, heartbeat_interval=1.0)
    for errors in range(1, psmr + 1):
        lose(peer, errors)
        assert primary(peer) == 1
    lose(peer, psmr + 1)
    assert (primary(peer), told(peer)) == (2, [2])


def test_rule_2_an_icmp_error_counts_as_an_error() -> None:
    peer = switching(0)
    peer.send(10)
    [packet] = peer.take()
    peer.stack.handle_icmp(peer.now, peer.path(1).remote, UDP_PORT, errno.EHOSTUNREACH, packet.bytes)
    peer.settle()
    assert primary(peer) == 2


def test_rule_2_errors_of_another_path_than_the_primary_one_change_nothing() -> None:
    peer = switching(0, paths=3)
    peer.request_heartbeat(2)
    peer.advance(1.1)
    assert peer.path(2).state == PATH_POTENTIALLY_FAILED
    assert (primary(peer), told(peer)) == (1, [])


def test_rule_2_errors_count_from_when_a_path_is_primary_too() -> None:
    """The user makes a path primary that has failed: the next error there exceeds PSMR."""
    peer = switching(0, paths=3)
    peer.request_heartbeat(2)
    peer.advance(1.1)
    peer.set_primary(2)
    assert primary(peer) == 2
    peer.advance(2.1)
    assert primary(peer) in (1, 3)


def test_rule_3_it_is_the_path_that_carries_the_data() -> None:
    """ "MUST be the path that, at the given time, would be chosen for data transfer". Path 2 is PF."""
    peer = switching(0, paths=3)
    peer.request_heartbeat(2)
    peer.advance(1.1)
    peer.take()
    peer.send(10)
    peer.advance(1)
    assert [packet.path for packet in peer.take() if packet.tsns] == [1, 3]
    assert (primary(peer), told(peer)) == (3, [3])


def test_rule_3_a_primary_path_that_still_is_the_best_stays_until_another_one_is() -> None:
    """All paths fail: whichever has the fewest errors is primary; then the one that works again."""
    peer = switching(0, path_max_retrans=30)
    peer.send(10)
    peer.advance(100)
    assert all(path.state == PATH_POTENTIALLY_FAILED for path in peer.association.paths)
    best = min(peer.association.paths, key=lambda path: path.error_count)
    assert peer.path(primary(peer)).error_count == best.error_count
    other = 3 - primary(peer)
    peer.request_heartbeat(other)
    answer(peer, heartbeats(peer.take(), other)[-1])
    assert peer.path(other).state == PATH_ACTIVE
    assert primary(peer) == other


def test_rule_3_an_address_that_is_confirmed_only_then_becomes_primary() -> None:
    peer = switching(0)
    peer.path(2).confirmed = False
    peer.send(10)
    peer.advance(1)
    assert (peer.path(1).state, primary(peer)) == (PATH_POTENTIALLY_FAILED, 1)
    peer.request_heartbeat(2)
    answer(peer, heartbeats(peer.take(), 2)[-1])
    assert (primary(peer), told(peer)) == (2, [2])


def test_rule_3_the_only_path_stays_primary() -> None:
    peer = switching(0, paths=1)
    peer.send(10)
    peer.advance(100)
    assert (peer.path(1).state, primary(peer), told(peer)) == (PATH_INACTIVE, 1, [])


def test_rule_3_an_earlier_primary_path_is_used_again_when_the_present_one_fails() -> None:
    """ "A previously failed primary path can be used as a data transfer path as per normal path selection"."""
    peer = switching(0)
    lose(peer, 1)
    assert primary(peer) == 2
    peer.request_heartbeat(1)
    answer(peer, heartbeats(peer.take(), 1)[-1])
    peer.send(10)
    peer.advance(1)
    assert [packet.path for packet in peer.take() if packet.tsns] == [2, 1]
    assert (primary(peer), told(peer)) == (1, [2, 1])


# Rules 4 to 6: what follows.


@pytest.mark.parametrize(("pmr", "pfmr"), [(5, 0), (5, 1), (1, 1), (1, 5)])
def test_rules_4_and_5_with_the_recommended_value_no_data_returns_by_itself(pmr: int, pfmr: int) -> None:
    """PSMR = PFMR, and without PF states PSMR = PMR: "no forced switchback to a previously failed primary path is
    performed".
    """
    limit = min(pmr, pfmr)
    peer = switching(limit, path_max_retrans=pmr, potentially_failed_max_retrans=pfmr, heartbeat_interval=1.0)
    for errors in range(1, limit + 2):
        lose(peer, errors)
    peer.request_heartbeat(1)
    answer(peer, heartbeats(peer.take(), 1)[-1])
    assert (peer.path(1).state, peer.path(1).error_count) == (PATH_ACTIVE, 0)
    peer.send(10)
    assert [packet.path for packet in peer.take() if packet.tsns] == [2]


@pytest.mark.parametrize("psmr", [None, 3])
def test_rule_6_without_it_or_below_psmr_data_returns_to_the_primary_path(psmr: int | None) -> None:
    """ "It MUST be possible to disable the Primary Path Switchover operation", which is the default."""
    peer = switching(psmr)
    lose(peer, 2)
    peer.request_heartbeat(1)
    answer(peer, heartbeats(peer.take(), 1)[-1])
    peer.send(10)
    assert [packet.path for packet in peer.take() if packet.tsns] == [1]
    assert told(peer) == []


def test_rule_6_it_is_off_by_default() -> None:
    assert AssociationConfig().primary_switchover_max_retrans is None
    assert Peer().path().primary_switchover_max_retrans == NO_SWITCHOVER


# It can be set at any time.


def test_a_primary_path_that_has_failed_already_is_left_when_the_threshold_is_set() -> None:
    peer = switching(None)
    lose(peer, 2)
    assert primary(peer) == 1
    peer.association.configure_path(peer.now, peer.path(1).remote, primary_switchover_max_retrans=2)
    assert primary(peer) == 1
    peer.association.configure_path(peer.now, peer.path(1).remote, primary_switchover_max_retrans=1)
    peer.settle()
    assert (primary(peer), told(peer)) == (2, [2])


def test_the_threshold_of_one_path_is_not_that_of_another() -> None:
    peer = switching(None)
    peer.association.configure_path(peer.now, peer.path(2).remote, primary_switchover_max_retrans=0)
    lose(peer, 2)
    assert primary(peer) == 1
    peer.set_primary(2)
    peer.request_heartbeat(1)
    answer(peer, heartbeats(peer.take(), 1)[-1])
    peer.send(10)
    peer.advance(1)
    assert primary(peer) == 1


def test_a_shutdown_that_is_not_answered_leaves_the_primary_path_too() -> None:
    peer = switching(0)
    peer.shutdown()
    peer.advance(1)
    assert [packet.path for packet in peer.take()] == [1, 2]
    assert primary(peer) == 2
