"""RFC 9260 section 7.2: slow start, congestion avoidance, congestion control.

The arithmetic on one path is held by ``tests/unit/core/path/test_newreno.py``; here it is the association
that sends, and the rules on when what applies.
"""

from __future__ import annotations

import pytest

from sctpx.testing import Pair
from tests.conformance.peer import FULL, PMDCS, Peer


def acknowledge_all(peer: Peer) -> int:
    """Acknowledge everything until all that was queued has left; how many packets left meanwhile."""
    count = 0
    while not peer.association.tcb.outstanding.empty:
        peer.sack(peer.last_tsn)
        count += len(peer.take())
    return count


def avoid(peer: Peer) -> int:
    """Bring the path into congestion avoidance by a loss; the last TSN, and all is acknowledged."""
    first = peer.grow(40 * PMDCS) + 1
    peer.send(*[FULL] * 10)
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    acknowledge_all(peer)
    peer.take()
    return peer.last_tsn


# 7.2.1: slow start.


@pytest.mark.parametrize(("ipv6", "cwnd"), [(False, 4404), (True, 4344)])
def test_the_initial_window(ipv6: bool, cwnd: int) -> None:
    with Pair(ipv6=ipv6).connect() as pair:
        assert [path.cwnd for path in (*pair.a.association.paths, *pair.b.association.paths)] == [cwnd, cwnd]


def test_each_path_has_a_window_of_its_own() -> None:
    """RFC 9260 section 7.1."""
    peer = Peer(paths=2)
    peer.send(*[FULL] * 4)
    peer.send(*[FULL] * 4, remote=peer.path(2).remote)
    peer.sack(4)
    assert (peer.path(1).cwnd, peer.path(2).cwnd) == (4404 + PMDCS, 4404)
    peer.sack(8)
    assert (peer.path(1).cwnd, peer.path(2).cwnd) == (4404 + PMDCS, 4404 + PMDCS)


def test_ssthresh_begins_arbitrarily_high() -> None:
    assert Peer(a_rwnd=1 << 31).path().ssthresh >= 1 << 31


def test_after_a_timeout_one_packet_is_in_flight_until_something_is_acknowledged() -> None:
    for size in (FULL, 1000, 100):
        peer = Peer(max_burst=100)
        peer.send(*[size] * 20)
        peer.take()
        peer.advance(1)
        assert peer.path().cwnd == PMDCS
        assert len(peer.take()) == 1
        peer.send(*[size] * 3)
        peer.advance(0.5)
        assert peer.take() == []
        peer.sack(1)
        assert peer.take() != []


def test_new_data_waits_as_well_after_a_timeout() -> None:
    peer = Peer()
    peer.send(100)
    peer.advance(1)
    assert len(peer.take()) == 2
    peer.send(1000, 1000, 1000)
    assert peer.take() == []
    peer.sack(1)
    assert peer.take_tsns()
    assert peer.path().cwnd == PMDCS + 116


def test_slow_start_adds_a_chunk_for_each_sack_while_the_window_is_fully_used() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[FULL] * 40)
    for acknowledged in range(1, 20):
        before = peer.path().cwnd
        peer.sack(acknowledged)
        assert peer.path().cwnd == before + PMDCS


def test_slow_start_adds_no_more_than_was_acknowledged() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[200] * 100)
    before = peer.path().cwnd
    peer.sack(1)
    assert peer.path().cwnd == before + 216


def test_slow_start_adds_nothing_while_the_window_is_not_fully_used() -> None:
    peer = Peer()
    for acknowledged in range(1, 20):
        peer.send(FULL)
        peer.sack(acknowledged)
    assert peer.path().cwnd == 4404


def test_splitting_an_acknowledgement_gains_nothing() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[FULL] * 40)
    before = peer.path().cwnd
    for _ in range(10):
        peer.sack(1)
    assert peer.path().cwnd == before + PMDCS


def test_nothing_is_added_in_fast_recovery() -> None:
    peer = Peer(max_burst=100)
    first = peer.grow(40 * PMDCS) + 1
    peer.send(*[FULL] * 60)
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    cwnd = peer.path().cwnd
    for last in range(4, 20):
        peer.sack(first - 1, (first + 1, first + last))
        assert peer.path().cwnd == cwnd
    peer.sack(first + 19)
    assert peer.path().cwnd == cwnd
    assert peer.association.tcb.outstanding.in_fast_recovery


@pytest.mark.parametrize(("idle", "share"), [(0.9, 1), (1.1, 2), (2.1, 4), (3.5, 8)])
def test_an_idle_path_loses_half_of_its_window_each_rto(idle: float, share: int) -> None:
    """RFC 9260 sections 7.1 and 7.2.1."""
    peer = Peer()
    peer.grow(100 * PMDCS)
    cwnd = peer.path().cwnd
    peer.advance(idle)
    peer.send(10)
    assert peer.path().cwnd == cwnd // share
    assert peer.path().ssthresh == (cwnd if share > 1 else 1 << 31)


def test_an_idle_path_keeps_four_chunks() -> None:
    peer = Peer()
    peer.grow(100 * PMDCS)
    peer.advance(1000)
    peer.send(10)
    assert peer.path().cwnd == 4 * PMDCS


# 7.2.2: congestion avoidance.


def test_congestion_avoidance_adds_one_chunk_for_each_window() -> None:
    """RFC 9260 section 7.2.2."""
    peer = Peer(max_burst=100)
    avoid(peer)
    peer.path()
    cwnd = peer.path().cwnd
    assert cwnd == peer.path().ssthresh
    peer.send(*[FULL] * 300)
    # At ssthresh it is slow start (section 7.2.1); above it, congestion avoidance.
    acknowledged = peer.last_tsn - cwnd // PMDCS
    peer.sack(acknowledged)
    base = peer.path().cwnd
    assert base == cwnd + PMDCS
    growth = []
    for _ in range(6):
        window = peer.last_tsn
        before = peer.path().cwnd
        while acknowledged < window:
            acknowledged = min(acknowledged + 2, window)
            peer.sack(acknowledged)
        growth.append(peer.path().cwnd - before)
    assert set(growth) <= {0, PMDCS}
    assert sum(growth) >= 5 * PMDCS


def test_when_everything_is_acknowledged_partial_bytes_acked_is_0() -> None:
    """RFC 9260 section 7.2.2."""
    peer = Peer(max_burst=100)
    last = avoid(peer)
    peer.send(*[FULL] * 30)
    peer.sack(last + 2)
    peer.sack(last + 10)
    assert peer.partial_bytes_acked() > 0
    acknowledge_all(peer)
    assert peer.partial_bytes_acked() == 0


# 7.2.3: what a loss does.


def test_congestion_avoidance_grows_as_fast_when_the_sacks_of_a_window_arrive_together() -> None:
    """They acknowledge all there is in flight, but with the data that waits it would never have come to that."""
    peer = Peer(max_burst=100)
    acknowledged = avoid(peer)
    peer.send(*[FULL] * 400)
    before = peer.path().cwnd
    for _ in range(12):
        tsns = range(acknowledged + 2, peer.last_tsn + 1, 2)
        peer.deliver_together(*[peer.sack_chunk(tsn) for tsn in tsns])
        acknowledged = tsns[-1]
    # The first round has one step of slow start, of two chunks; the rest is congestion avoidance.
    assert 10 * PMDCS <= peer.path().cwnd - before <= 13 * PMDCS


def test_a_loss_halves_the_window() -> None:
    """RFC 9260 section 7.2.3."""
    peer = Peer(max_burst=100)
    first = peer.grow(40 * PMDCS) + 1
    cwnd = peer.path().cwnd
    peer.send(*[FULL] * 60)
    for last in (1, 2):
        peer.sack(first - 1, (first + 1, first + last))
    before = peer.path().cwnd
    assert before >= cwnd
    peer.sack(first - 1, (first + 1, first + 3))
    # The growth that this SACK brings comes first (section 7.2.4).
    assert peer.path().cwnd == peer.path().ssthresh == (before + PMDCS) // 2
    assert peer.partial_bytes_acked() == 0


def test_a_timeout_sets_the_threshold_to_half_the_window_and_begins_slow_start() -> None:
    """RFC 9260 section 7.2.3."""
    peer = Peer(max_burst=100)
    peer.grow(40 * PMDCS)
    cwnd = peer.path().cwnd
    peer.send(*[FULL] * 60)
    sent = peer.last_tsn
    peer.advance(1)
    assert (peer.path().cwnd, peer.path().ssthresh) == (PMDCS, cwnd // 2)
    peer.take()
    # All of it was lost; each acknowledgement doubles what is in flight.
    counts = []
    outstanding = peer.association.tcb.outstanding
    while peer.path().cwnd < peer.path().ssthresh:
        before = outstanding.marked_chunks
        lowest = outstanding.cumulative_tsn_ack_point - peer.tsn - (1 << 32) + 1
        in_flight = outstanding.flight_chunks
        for number in range(1, in_flight + 1):
            peer.sack(lowest + number)
        counts.append(before - outstanding.marked_chunks)
        if not outstanding.marked_chunks:
            break
    assert counts[:4] == [2, 4, 8, 16]
    assert peer.last_tsn >= sent
