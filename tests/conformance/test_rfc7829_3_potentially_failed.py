"""RFC 7829 section 3.2, rule by rule: destinations that may have failed; more in tests/sim/test_failover.py."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_STATE, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.wire import control
from tests.conformance.peer import Peer, Sent

RARELY = 3600.0
"""HB.interval: no HEARTBEAT that a test does not cause."""


def heartbeats(packets: list[Sent], path: int) -> list[Sent]:
    return [packet for packet in packets if packet.path == path and "HEARTBEAT" in packet.names]


def answer(peer: Peer, packet: Sent) -> None:
    peer.deliver(control.heartbeat_ack(packet.value("HEARTBEAT")), path=packet.path)


def where(peer: Peer) -> list[tuple[int, list[int]]]:
    """Path and TSNs of each packet with DATA that left."""
    return [(packet.path, packet.tsns) for packet in peer.take() if packet.tsns]


def facts(peer: Peer) -> list[tuple[int, int]]:
    """State and error count of each path."""
    return [(path.state, path.error_count) for path in peer.association.paths]


def told(peer: Peer) -> list[tuple[int, int]]:
    """What the user was told: path and state."""
    return [(event.remote[2], event.state) for event in peer.events_of(PathChange) if event.what == CHANGE_STATE]


def first_may_have_failed(**config: Any) -> Peer:
    """A message to path 1 has timed out; it is acknowledged after it went to path 2."""
    peer = Peer(paths=3, heartbeat_interval=RARELY, **config)
    peer.send(10)
    peer.advance(1)
    peer.sack(1, path=2)
    assert facts(peer) == [(PATH_POTENTIALLY_FAILED, 1), (PATH_ACTIVE, 0), (PATH_ACTIVE, 0)]
    return peer


def test_rule_1_the_recommended_threshold_is_the_default() -> None:
    """ "The RECOMMENDED value of PFMR is 0." """
    assert AssociationConfig().potentially_failed_max_retrans == 0


@pytest.mark.parametrize("pfmr", [2, 3])
def test_rule_1_with_a_threshold_at_pmr_or_above_there_is_no_pf_state(pfmr: int) -> None:
    peer = Peer(path_max_retrans=2, potentially_failed_max_retrans=pfmr)
    peer.send(10)
    peer.advance(20)
    assert told(peer) == [(1, PATH_INACTIVE)]


@pytest.mark.parametrize("pfmr", [0, 1, 3])
def test_rule_2_timeouts_of_data_count_and_more_than_pfmr_make_it_pf(pfmr: int) -> None:
    peer = Peer(potentially_failed_max_retrans=pfmr)
    peer.send(10)
    for errors in range(1, pfmr + 2):
        assert peer.path().state == PATH_ACTIVE
        peer.advance(peer.t3())
        assert peer.path().error_count == errors
    assert peer.path().state == PATH_POTENTIALLY_FAILED


def test_rule_2_heartbeats_on_an_idle_path_count_too() -> None:
    peer = Peer(paths=2, heartbeat_interval=5.0)
    while not (asked := heartbeats(peer.wait(), 2)):
        pass
    peer.take()
    peer.advance_to(peer.path(2).heartbeat_timeout - 1)
    assert (peer.path(2).state, peer.path(2).error_count) == (PATH_ACTIVE, 0)
    peer.advance(0.001)
    assert (peer.path(2).state, peer.path(2).error_count) == (PATH_POTENTIALLY_FAILED, 1)
    assert asked


def test_rule_3_i_new_data_goes_to_an_active_destination() -> None:
    peer = first_may_have_failed()
    peer.take()
    before = facts(peer)
    peer.send(10)
    [(path, _)] = where(peer)
    assert path in (2, 3)
    assert facts(peer) == before


def test_rule_3_ii_data_that_timed_out_goes_to_an_active_destination() -> None:
    peer = first_may_have_failed()
    peer.take()
    peer.send(10)
    [(path, _)] = where(peer)
    peer.advance(1)
    assert where(peer) == [(5 - path, [2])]


def test_rule_3_iii_the_users_destination_is_not_used_while_it_is_pf() -> None:
    peer = first_may_have_failed()
    peer.take()
    before = facts(peer)
    peer.send(10, remote=peer.path(1).remote)
    [(path, _)] = where(peer)
    assert path in (2, 3)
    assert facts(peer) == before


def test_rule_4_with_no_active_destination_the_pf_one_with_the_fewest_errors_is_used() -> None:
    """ "The sender MUST choose one destination address in PF state", and "MUST NOT change the state and the error
    counter of any destination addresses as the result of the selection".
    """
    peer = Peer(paths=3, path_max_retrans=5, association_max_retrans=50)
    states = [PATH_POTENTIALLY_FAILED, PATH_POTENTIALLY_FAILED, PATH_INACTIVE]
    for path, state, errors in zip(peer.association.paths, states, (3, 2, 6), strict=True):
        path.state, path.error_count = state, errors
    before = facts(peer)
    peer.send(10)
    assert where(peer) == [(2, [1])]
    assert facts(peer) == before


def test_rules_5_and_6_a_pf_destination_is_asked_once_per_rto_and_each_loss_counts_and_doubles_rto() -> None:
    """ "The HB.Interval [...] MUST be ignored for destination addresses in PF state", and "the sender transmits another
    packet containing the HEARTBEAT chunk immediately after timeout expiration".
    """
    peer = first_may_have_failed()
    asked = [packet.at for packet in heartbeats(peer.take(), 1)]
    counts = [peer.path().error_count]
    rtos = [peer.path().rto]
    while peer.path().error_count < 5:
        asked += [packet.at for packet in heartbeats(peer.wait(), 1)]
        counts.append(peer.path().error_count)
        rtos.append(peer.path().rto)
    assert counts == [1, 2, 3, 4, 5]
    assert [rto / rtos[0] for rto in rtos] == [1, 2, 4, 8, 16]
    assert asked[0] == pytest.approx(1.0)
    gaps = [later - sooner for sooner, later in pairwise(asked)]
    assert gaps[:4] == pytest.approx([rto / 1e9 for rto in rtos[:4]], abs=0.01)


def test_rule_5_where_heartbeats_are_off_none_is_sent() -> None:
    """ "If the Path Heartbeat function is disabled for the destination address in question, HEARTBEATs MUST NOT be
    sent."
    """
    peer = first_may_have_failed()
    for path in peer.association.paths:
        peer.association.configure_path(peer.now, path.remote, heartbeats=False)
    peer.take()
    peer.advance(200)
    assert peer.take() == []
    assert peer.path().state == PATH_POTENTIALLY_FAILED


def test_rule_6_while_data_is_outstanding_there_the_loss_of_a_heartbeat_does_not_count() -> None:
    peer = Peer(paths=2, heartbeat_interval=RARELY)
    for path in peer.association.paths:
        path.state, path.error_count = PATH_POTENTIALLY_FAILED, 1
    peer.request_heartbeat(1)
    peer.advance(0.5)
    peer.send(10)
    peer.advance(0.5)
    assert (peer.path(1).flight_size > 0, peer.path(1).error_count) == (True, 1)
    peer.advance(0.5)
    assert peer.path(1).error_count == 2


def test_rule_7_an_answered_heartbeat_makes_it_active_and_clears_its_errors() -> None:
    peer = first_may_have_failed()
    answer(peer, heartbeats(peer.take(), 1)[0])
    assert facts(peer)[0] == (PATH_ACTIVE, 0)
    peer.send(10)
    assert where(peer) == [(1, [2])]
    # "It MUST do this following the prescriptions of Section 7.2": T3-rtx has left a window of one packet.
    assert peer.path().cwnd == peer.path().pmdcs


@pytest.mark.parametrize(("pfmr", "pmr"), [(0, 2), (1, 4), (0, 0)])
def test_rule_8_pmr_minus_pfmr_further_losses_make_it_inactive_and_heartbeats_rare(pfmr: int, pmr: int) -> None:
    peer = Peer(paths=2, path_max_retrans=pmr, potentially_failed_max_retrans=pfmr, heartbeat_interval=RARELY)
    peer.request_heartbeat(1)
    while peer.path(1).state != PATH_INACTIVE:
        peer.advance(0.5)
        if peer.path(1).state == PATH_ACTIVE and not heartbeats(peer.take(), 1):
            peer.request_heartbeat(1)
    assert peer.path(1).error_count == pmr + 1
    assert told(peer) == ([(1, PATH_POTENTIALLY_FAILED)] if pfmr < pmr else []) + [(1, PATH_INACTIVE)]
    peer.take()
    peer.advance(RARELY / 2)
    assert not heartbeats(peer.take(), 1)


def test_rule_9_what_went_to_two_destinations_clears_nothing() -> None:
    peer = first_may_have_failed()
    peer.take()
    assert facts(peer)[0] == (PATH_POTENTIALLY_FAILED, 1)
    path = peer.path(2)
    path.state, path.error_count = PATH_INACTIVE, 6
    peer.send(10, remote=peer.path(3).remote)
    peer.advance(1)
    assert len({where_to for where_to, _ in where(peer)}) == 2
    before = facts(peer)
    peer.sack(2, path=3)
    assert facts(peer) == before


def test_rule_10_what_went_to_one_destination_makes_it_active_and_clears_its_errors() -> None:
    """New data is sent to a PF destination, as all are PF."""
    peer = Peer(paths=2)
    for path in peer.association.paths:
        path.state, path.error_count = PATH_POTENTIALLY_FAILED, 2
    peer.send(10)
    [(path_used, _)] = where(peer)
    peer.sack(1, path=path_used)
    assert facts(peer)[path_used - 1] == (PATH_ACTIVE, 0)
    assert facts(peer)[2 - path_used] == (PATH_POTENTIALLY_FAILED, 2)


def test_rule_10_after_a_spurious_timeout_the_late_acknowledgement_does() -> None:
    """ "Acknowledgments start to arrive for data sent prior to occurrence of the spurious T3-rtx and data has not yet
    been retransmitted towards other destinations." Two messages time out; cwnd allows one to be sent again.
    """
    peer = Peer(paths=2, max_burst=1)
    peer.path(2).controller.on_timeout()
    for _ in range(3):
        peer.send(1400)
        peer.advance(0)
    peer.advance(1)
    assert facts(peer)[0] == (PATH_POTENTIALLY_FAILED, 1)
    peer.sack(3, path=1)
    assert facts(peer)[0] == (PATH_ACTIVE, 0)


def test_rule_12_the_user_is_told_of_pf_and_of_its_end() -> None:
    peer = first_may_have_failed()
    answer(peer, heartbeats(peer.take(), 1)[0])
    assert told(peer) == [(1, PATH_POTENTIALLY_FAILED), (1, PATH_ACTIVE)]
    assert [event.before for event in peer.events_of(PathChange)] == [PATH_ACTIVE, PATH_POTENTIALLY_FAILED]
