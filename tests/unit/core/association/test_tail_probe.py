"""When a tail loss probe is due (RFC 8985 section 7.2), for a path by itself."""

from __future__ import annotations

import pytest

from sctpx.core.association.tail_probe import LEAST, SACK_DELAY, due, patience
from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.timers import MILLISECOND, NEVER, SECOND
from tests.conformance.peer import FULL, Peer

NOW = 10**18


def busy_path(srtt: int = 50 * MILLISECOND) -> Path:
    """One with much in flight."""
    path = Path(bytes((10, 0, 1, 2)), b"", 0, AssociationConfig().rules)
    path.srtt = srtt
    path.flight_size = 10 * path.pmdcs
    path.earliest_tsn, path.last_batch_tsn = 10, 15
    path.last_acknowledged = NOW
    path.moved_on_at = NOW
    path.t3_deadline = NOW + SECOND
    return path


@pytest.mark.parametrize(("srtt", "expected"), [(50, 100), (5, 10), (4, 10), (1, 10)])
def test_two_round_trips_are_waited_and_never_less_than_a_busy_host_takes(srtt: int, expected: int) -> None:
    """Section 7.2: "PTO = 2 * SRTT"."""
    assert patience(busy_path(srtt * MILLISECOND)) == expected * MILLISECOND
    assert LEAST == 10 * MILLISECOND


def test_for_a_single_packet_the_peer_may_delay_its_sack() -> None:
    """Section 7.2: "If FlightSize is one segment", the time that a receiver delays its acknowledgement is added."""
    path = busy_path()
    path.flight_size = path.pmdcs
    path.earliest_tsn = path.last_batch_tsn = 15
    assert patience(path) == 100 * MILLISECOND + SACK_DELAY
    path.last_batch_tsn = 13  # The lowest TSN in flight is in the batch that was sent last.
    assert patience(path) == 100 * MILLISECOND + SACK_DELAY


def test_for_a_few_bytes_in_several_packets_it_may_not() -> None:
    """RFC 9260 section 6.2 has the second packet acknowledged at once."""
    path = busy_path()
    path.flight_size = 100
    path.earliest_tsn, path.last_batch_tsn = 10, 11
    assert patience(path) == 100 * MILLISECOND
    path.flight_size = path.pmdcs + 1
    path.earliest_tsn = 11
    assert patience(path) == 100 * MILLISECOND


def test_the_time_counts_from_what_was_heard_last_of_the_path() -> None:
    path = busy_path()
    assert due(path) == NOW + 100 * MILLISECOND
    path.last_acknowledged += 7
    assert due(path) == NOW + 100 * MILLISECOND + 7
    path.moved_on_at += 9
    assert due(path) == NOW + 100 * MILLISECOND + 9


def test_it_is_due_no_later_than_t3_rtx() -> None:
    """Section 7.2: "if (RTO_expiration() - Now() < PTO)", the probe comes with RTO."""
    path = busy_path()
    path.t3_deadline = NOW + 3
    assert due(path) == NOW + 3


@pytest.mark.parametrize("what", ["srtt", "flight_size"])
def test_without_a_round_trip_time_or_data_in_flight_there_is_no_probe(what: str) -> None:
    path = busy_path()
    setattr(path, what, 0)
    assert due(path) == NEVER


def test_a_path_that_timed_out_is_left_to_t3_rtx() -> None:
    """RFC 7829 section 3.2."""
    path = busy_path()
    path.error_count = 1
    assert due(path) == NEVER


@pytest.mark.parametrize(("size", "suspect"), [(FULL, True), (300, False)])
def test_data_that_another_path_had_to_carry_may_have_been_too_large_for_its_own(size: int, suspect: bool) -> None:
    """RFC 8899 section 4.3: a black hole. What is no larger than MIN_PLPMTU passes everywhere."""
    peer = Peer(paths=2, loss_recovery="rack", heartbeat_interval=30.0, rtt=0.02, link_mtu=1500)
    path = peer.path()
    path.sized = True
    path.set_mtu(1472, 1472)
    peer.association.tcb.limit_packets()
    peer.send(100)
    peer.sack(1, after=0.02)
    peer.send(size)
    peer.take()
    probes = [packet for packet in peer.wait(0.9) if packet.tsns]
    assert [(packet.path, packet.tsns) for packet in probes] == [(2, [2])]
    assert path.timed_out_tsn < 0
    peer.sack(2, path=2, after=0.02)
    assert (path.timed_out_tsn >= 0) is suspect
