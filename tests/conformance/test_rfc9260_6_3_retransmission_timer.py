"""RFC 9260 section 6.3: management of the retransmission timer, by the names of its rules.

The formulas of section 6.3.1 are held exactly by ``tests/unit/core/path/test_rto.py``.
"""

from __future__ import annotations

import pytest

from sctpx.core.timers import MILLISECOND, SECOND
from sctpx.wire import control
from sctpx.wire.control import parse_heartbeat_info
from tests.conformance.peer import FULL, PMDCS, Peer

NO_TIMER = 1e6


def srtt(peer: Peer, path: int = 1) -> float:
    return peer.path(path).srtt / SECOND


# 6.3.1: RTO.


def test_c1_rto_is_rto_initial_on_a_path_that_was_never_measured() -> None:
    peer = Peer(paths=2, rto_initial=3.0, rtt=0.05)
    assert peer.path(2).rto == 3 * SECOND
    assert peer.path(1).rto == 1 * SECOND  # INIT and COOKIE ECHO measured it.


def test_c2_c3_the_handshake_and_data_measure_the_round_trip() -> None:
    peer = Peer(rtt=0.04)
    assert srtt(peer) == pytest.approx(0.04)
    peer.send(100)
    peer.sack(1, after=0.12)
    assert srtt(peer) == pytest.approx(0.04 + (0.12 - 0.04) / 8)


def test_c4_there_is_a_measurement_each_round_trip_and_one_only() -> None:
    peer = Peer(max_burst=100)
    last = peer.grow(20 * PMDCS)
    peer.send(*[FULL] * 200)
    measured = []
    for _ in range(12):
        peer.advance(0.05)
        # Acknowledged two by two, over 50 ms: what changes SRTT is one chunk in each window.
        window = peer.last_tsn
        changes = 0
        while last < window:
            before = srtt(peer)
            last = min(last + 2, window)
            peer.sack(last, after=0.0005)
            changes += srtt(peer) != before
        measured.append(changes)
        if peer.association.tcb.outstanding.empty:
            break
    assert set(measured) == {1}


def test_c5_a_chunk_that_was_retransmitted_measures_nothing() -> None:
    peer = Peer(rtt=0.02)
    peer.send(100)
    peer.advance(1.5)
    peer.sack(1)
    assert srtt(peer) == pytest.approx(0.02)


def test_c5_a_fast_retransmission_measures_nothing() -> None:
    peer = Peer(rtt=0.02)
    before = srtt(peer)
    peer.send(*[100] * 5)
    assert peer.path().rtt_tsn >= 0
    for last in (2, 3, 4):
        peer.sack(0, (2, last))
    assert peer.take_tsns()[-1] == 1
    peer.sack(5, after=0.7)
    assert srtt(peer) == before


def test_c5_a_chunk_measures_nothing_if_a_lower_one_was_retransmitted_since_it_was_sent() -> None:
    peer = Peer(rtt=0.02, max_burst=100)
    first = peer.grow(20 * PMDCS) + 1
    before = srtt(peer)
    peer.send(*[FULL] * 6)
    peer.sack(first, after=0.05)  # The measurement of the first is over.
    measured = srtt(peer)
    assert measured > before
    peer.send(FULL, FULL)
    for last in (2, 3, 4):
        peer.sack(first, (first + 2, first + last))
    assert first + 1 in peer.take_tsns()
    assert peer.path().rtt_tsn == -1
    peer.sack(first + 5, after=0.2)
    peer.sack(first + 7, after=0.3)
    assert srtt(peer) == measured


def test_c5_holds_when_the_lower_chunk_was_retransmitted_on_another_path() -> None:
    peer = Peer(paths=3, rtt=0.02)
    peer.send(100, remote=peer.path(1).remote)
    peer.advance(0.5)
    peer.send(100, remote=peer.path(3).remote)
    before = srtt(peer, 3)
    peer.advance(0.6)
    assert [(packet.path, packet.tsns) for packet in peer.take()][-1] == (2, [1])
    # The SACK may have waited for the retransmission of 1: how long 2 took cannot be said.
    peer.sack(2, after=0.1)
    assert srtt(peer, 3) == before


def test_c6_c7_rto_stays_between_rto_min_and_rto_max() -> None:
    peer = Peer(rto_min=0.5, rto_max=2.0, rtt=0.01)
    assert peer.path().rto == 500 * MILLISECOND
    peer.send(100)
    for _ in range(4):
        peer.advance_to(peer.path().t3_deadline)
    assert peer.path().rto == 2 * SECOND


def test_a_heartbeat_measures_its_path() -> None:
    peer = Peer(paths=2)
    peer.request_heartbeat(2)
    [packet] = peer.take()
    assert packet.path == 2
    peer.advance(0.25)
    peer.deliver(control.heartbeat_ack(packet.value("HEARTBEAT")), path=2)
    assert srtt(peer, 2) == pytest.approx(0.25)
    assert len(parse_heartbeat_info(packet.value("HEARTBEAT"))) == 8 + 4


# 6.3.2: when the timer runs.


def test_r1_sending_starts_the_timer_with_the_rto_of_the_path() -> None:
    peer = Peer(paths=2, rto_initial=3.0, rtt=0.05)
    peer.send(100)
    peer.send(100, remote=peer.path(2).remote)
    assert (peer.t3(1), peer.t3(2)) == (1.0, 3.0)


def test_r2_the_timer_stops_when_all_that_was_sent_there_is_acknowledged() -> None:
    peer = Peer(paths=2)
    peer.send(100)
    peer.send(100, remote=peer.path(2).remote)
    peer.sack(0, (2, 2))
    assert peer.t3(2) > NO_TIMER
    assert peer.t3(1) == 1.0
    peer.sack(2)
    assert peer.t3(1) > NO_TIMER


def test_r3_the_timer_is_restarted_when_the_earliest_chunk_sent_there_is_acknowledged() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.sack(1, after=0.5)
    assert peer.t3() == 1.0
    peer.sack(1, (3, 3), after=0.25)
    assert peer.t3() == pytest.approx(0.75)
    peer.sack(3, after=0.25)
    assert peer.t3() == 1.0


def test_r3_each_path_has_its_own_earliest_chunk() -> None:
    peer = Peer(paths=2)
    for path in (1, 2, 1, 2):
        peer.send(100, remote=peer.path(path).remote)
    peer.advance(0.5)
    peer.sack(1, (4, 4))
    assert (peer.t3(1), peer.t3(2)) == (1.0, 0.5)
    peer.advance(0.25)
    peer.sack(1, (3, 4))
    assert peer.t3(1) > NO_TIMER
    assert peer.t3(2) == pytest.approx(0.25)


def test_r3_holds_for_paths_used_by_turns_while_sacks_come_in_sequence() -> None:
    peer = Peer(paths=2)
    for path in (1, 2, 1, 2, 1):
        peer.send(100, remote=peer.path(path).remote)
    for acknowledged in range(1, 5):
        peer.sack(acknowledged, after=0.05)
        mine = acknowledged % 2 == 1  # The odd ones went to path 1.
        assert peer.t3(1 if mine else 2) == (1.0 if acknowledged < 4 else peer.t3(2))
    assert peer.t3(2) > NO_TIMER
    outstanding = peer.association.tcb.outstanding
    for number in (1, 2):
        assert peer.path(number).earliest_tsn == outstanding.find_earliest(peer.path(number))


def test_r4_the_timer_is_started_for_what_is_taken_back() -> None:
    peer = Peer(paths=2)
    peer.send(100)
    peer.send(100, remote=peer.path(2).remote)
    peer.sack(0, (2, 2))
    peer.sack(0, after=0.25)
    assert (peer.t3(1), peer.t3(2)) == (0.75, 1.0)


# 6.3.3: when it expires.


def test_e1_the_window_of_the_path_falls_to_one_chunk() -> None:
    peer = Peer(paths=2)
    peer.send(*[FULL] * 4)
    peer.advance(1)
    assert (peer.path(1).cwnd, peer.path(1).ssthresh) == (PMDCS, 4 * PMDCS)
    assert peer.path(2).cwnd == 4404


def test_e2_rto_doubles_for_the_path_only() -> None:
    peer = Peer(paths=2)
    peer.send(100)
    peer.advance(1)
    assert (peer.path(1).rto, peer.path(2).rto) == (2 * SECOND, 1 * SECOND)


def test_e3_the_earliest_chunks_that_fit_into_one_packet_go_at_once() -> None:
    peer = Peer()
    peer.send(*[400] * 9)
    peer.take()
    peer.advance(1)
    assert [packet.tsns for packet in peer.take()] == [[1, 2, 3]]
    peer.sack(3)
    assert peer.take_tsns()[:6] == [4, 5, 6, 7, 8, 9]


def test_e4_the_timer_of_the_path_that_takes_the_retransmission_starts() -> None:
    peer = Peer(paths=2, rto_initial=3.0, rtt=0.05)
    peer.send(100)
    peer.advance(1)
    assert peer.t3(1) > NO_TIMER
    assert peer.t3(2) == 3.0


def test_after_a_timeout_a_measurement_collapses_rto() -> None:
    peer = Peer(rtt=0.02)
    peer.send(100)
    peer.advance(1)
    peer.sack(1)
    assert peer.path().rto == 2 * SECOND
    peer.send(100)
    peer.sack(2, after=0.02)
    assert peer.path().rto == 1 * SECOND


def test_after_a_timeout_a_heartbeat_collapses_rto() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0, rtt=0.02)
    peer.send(100)
    peer.advance(1)
    heartbeats = [packet for packet in peer.take() if packet.names == ["HEARTBEAT"] and packet.path == 1]
    assert peer.path(1).rto == 2 * SECOND
    peer.advance(0.02)
    peer.deliver(control.heartbeat_ack(heartbeats[-1].value("HEARTBEAT")), path=1)
    assert peer.path(1).rto == 1 * SECOND


def test_f1_on_a_switch_to_another_path_the_timer_of_the_old_one_is_left_running() -> None:
    peer = Peer(paths=2)
    peer.send(100)
    peer.advance(0.5)
    peer.set_primary(2)
    peer.send(100)
    assert [packet.path for packet in peer.take()] == [1, 2]
    assert (peer.t3(1), peer.t3(2)) == (0.5, 1.0)
