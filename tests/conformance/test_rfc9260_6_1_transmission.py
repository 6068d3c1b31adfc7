"""RFC 9260 section 6.1: transmission of DATA chunks."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from sctpx.core.events import CommunicationLost
from sctpx.core.path.states import PATH_POTENTIALLY_FAILED
from sctpx.wire import control
from sctpx.wire.codes import DATA_IMMEDIATE
from tests.conformance.peer import FULL, PMDCS, Peer

# Section 6: in which states there is data.


def test_data_is_still_sent_in_shutdown_pending() -> None:
    peer = Peer()
    peer.send(*[FULL] * 8)
    sent = peer.take_tsns()
    peer.shutdown()
    assert peer.association.state == SHUTDOWN_PENDING
    peer.sack(len(sent))
    assert peer.take_tsns() == [*range(len(sent) + 1, 9)]


def test_data_is_still_sent_in_shutdown_received() -> None:
    peer = Peer()
    peer.send(*[FULL] * 8)
    sent = peer.take_tsns()
    peer.deliver(peer.shutdown_chunk(0))
    assert peer.association.state == SHUTDOWN_RECEIVED
    peer.sack(len(sent))
    assert peer.take_tsns() == [*range(len(sent) + 1, 9)]


def test_no_new_data_is_accepted_once_a_shutdown_has_begun() -> None:
    for by_peer in (False, True):
        peer = Peer()
        peer.send(*[FULL] * 8)
        if by_peer:
            peer.deliver(peer.shutdown_chunk(0))
        else:
            peer.shutdown()
        with pytest.raises(OSError, match="shutting down") as caught:
            peer.send(1)
        assert caught.value.errno == errno.EPIPE


# A: the peer's window.


def test_a_no_new_data_beyond_the_peers_window() -> None:
    peer = Peer(a_rwnd=2 * FULL + 100)
    peer.send(FULL, FULL, FULL)
    assert peer.take_tsns() == [1, 2]
    peer.sack(1, a_rwnd=FULL + 100)  # It holds what it acknowledges: the right edge has not moved.
    assert peer.take_tsns() == []
    peer.sack(2, a_rwnd=FULL)
    assert peer.take_tsns() == [3]


def test_a_a_closed_window_is_probed_after_one_rto_and_then_at_doubling_intervals() -> None:
    peer = Peer(a_rwnd=1500, rto_max=8.0)
    peer.send(*[FULL] * 20)
    assert peer.take_tsns() == [1]
    peer.sack(1, a_rwnd=0)
    # The peer takes each probe and keeps its window closed.
    probes = []
    for _ in range(6):
        sent = peer.wait()
        probes.append((peer.elapsed, [packet.tsns for packet in sent]))
        peer.sack(sent[0].tsns[-1], a_rwnd=0)
    intervals = [after - before for (before, _), (after, _) in zip([(0.0, []), *probes], probes, strict=False)]
    assert intervals == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]  # Up to RTO.Max.
    assert all(len(tsns) == 1 for _, tsns in probes)  # One packet each.


def close_the_window(**config: Any) -> Peer:
    """A peer with two paths, its window closed, with one message waiting."""
    peer = Peer(paths=2, a_rwnd=1500, heartbeat_interval=30.0, **config)
    peer.send(FULL, FULL)
    peer.sack(1, a_rwnd=0)
    assert peer.take_tsns() == [1]
    return peer


def test_a_with_several_paths_a_heartbeat_goes_before_the_first_probe() -> None:
    peer = close_the_window()
    [asked] = peer.wait()
    assert (asked.at, asked.path, asked.names) == (0.05, 1, ["HEARTBEAT"])
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")))
    [probe] = peer.wait()
    assert (probe.at, probe.path, probe.tsns) == (1.05, 1, [2])
    assert probe.data[0].flags & DATA_IMMEDIATE  # Nothing else may follow for long.


def test_a_the_first_probe_avoids_a_path_that_does_not_answer() -> None:
    """A cut while the window is closed costs one timeout, as at any other time."""
    peer = close_the_window()
    peer.advance(1.04)
    peer.take()
    sent = peer.wait()
    assert [(packet.at, packet.path, packet.tsns) for packet in sent if packet.tsns] == [(1.05, 2, [2])]
    assert peer.path(1).state == PATH_POTENTIALLY_FAILED


def test_a_a_window_that_opens_soon_draws_no_heartbeat() -> None:
    peer = close_the_window()
    peer.sack(1, a_rwnd=100_000, after=0.04)
    peer.sack(2, a_rwnd=100_000)
    peer.advance(5)
    assert [packet.names for packet in peer.take()] == [["DATA"]]


def test_a_without_heartbeats_the_first_probe_goes_after_one_rto() -> None:
    peer = Peer(paths=2, a_rwnd=1500)
    peer.send(FULL, FULL)
    peer.sack(1, a_rwnd=0)
    peer.take()
    [probe] = peer.wait()
    assert (probe.at, probe.path, probe.tsns) == (1.0, 1, [2])


def test_a_after_a_timeout_behind_a_closed_window_new_data_waits_for_the_path_to_answer() -> None:
    """It may be the window, then it is no error, or a cut: the HEARTBEAT tells, and meanwhile there is another path."""
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.send(FULL, FULL)
    peer.sack(0, a_rwnd=0)
    peer.take()
    sent = peer.wait()
    assert peer.path(1).error_count == 0
    assert [(packet.path, packet.tsns) for packet in sent if packet.tsns] == [(2, [1])]
    [asked] = [packet for packet in sent if packet.names == ["HEARTBEAT"]]
    assert asked.path == 1
    peer.sack(1, path=2)
    peer.sack(2, path=2)
    peer.take()
    peer.send(10)
    assert [(packet.path, packet.tsns) for packet in peer.take()] == [(2, [3])]
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")))
    peer.sack(3, path=2)
    peer.send(10)
    assert [(packet.path, packet.tsns) for packet in peer.take()] == [(1, [4])]


def test_a_a_probe_that_the_peer_drops_is_repeated_at_doubling_intervals_and_is_no_error() -> None:
    peer = Peer(a_rwnd=1500, association_max_retrans=2, path_max_retrans=1)
    peer.send(FULL, FULL)
    peer.sack(1, a_rwnd=0)
    peer.take()
    times = []
    for _ in range(7):
        sent = peer.wait()
        assert [packet.tsns for packet in sent] == [[2]]
        times.append(peer.elapsed)
        peer.sack(1, a_rwnd=0)
    assert [after - before for before, after in zip([0.0, *times], times, strict=False)] == [1, 1, 2, 4, 8, 16, 32]
    assert peer.association.state == ESTABLISHED
    assert peer.path().error_count == 0


def test_a_a_probe_that_is_never_answered_is_an_error_like_any_other() -> None:
    peer = Peer(a_rwnd=1500, association_max_retrans=3)
    peer.send(FULL, FULL)
    peer.sack(1, a_rwnd=0)
    peer.advance(100)
    [lost] = peer.events_of(CommunicationLost)
    assert lost.error == errno.ETIMEDOUT
    assert [packet.at for packet in peer.take() if packet.tsns == [2]] == [1, 2, 4, 8]


def test_a_probing_does_not_change_the_congestion_window() -> None:
    peer = Peer(rto_min=60.0, rto_initial=60.0)
    last = peer.grow(20 * PMDCS)
    peer.sack(last, a_rwnd=0)
    peer.send(FULL, FULL)
    peer.wait()
    # An idle path has lost half its window by now (section 7.2.1); that is all.
    cwnd, ssthresh = peer.path().cwnd, peer.path().ssthresh
    assert cwnd >= 10 * PMDCS
    for _ in range(5):
        peer.sack(last, a_rwnd=0)
        assert [packet.tsns for packet in peer.wait()] == [[last + 1]]
    assert (peer.path().cwnd, peer.path().ssthresh) == (cwnd, ssthresh)


def test_a_a_window_update_after_a_dropped_probe_brings_the_data_at_once() -> None:
    peer = Peer(a_rwnd=1500)
    peer.send(FULL, FULL)
    peer.sack(1, a_rwnd=0)
    for _ in range(5):
        peer.advance(5)
        peer.sack(1, a_rwnd=0)
    peer.take()
    peer.sack(1, a_rwnd=100_000, after=0.1)
    assert peer.take_tsns() == [2]


def test_a_what_was_in_flight_when_the_window_closed_may_time_out_without_end() -> None:
    """The peer dropped it, and says so again and again: "the peer could keep its window closed for an indefinite
    time". No timeout is an error, cwnd stays, and no more than one packet at a time asks for room."""
    peer = Peer(association_max_retrans=3)
    peer.send(*[FULL] * 10)
    assert len(peer.take_tsns()) == 4
    peer.sack(1, a_rwnd=0)
    cwnd = peer.path().cwnd
    for _ in range(12):
        peer.sack(1, a_rwnd=0)
        assert peer.take() == []
        [packet] = peer.wait()
        assert packet.tsns == [2]
    assert (peer.association.tcb.error_count, peer.path().error_count) == (0, 0)
    assert peer.path().cwnd == cwnd
    peer.sack(1, a_rwnd=0)
    # The window opens: it goes on at once.
    peer.sack(1, a_rwnd=1 << 20)
    assert peer.take_tsns()[:3] == [2, 3, 4]


def test_a_a_window_that_opens_again_and_again_draws_the_flight_once_an_rto_and_else_a_packet_each_time() -> None:
    """Two small SACKs, whenever the peer likes, for all that is in flight: an amplifier."""
    peer = Peer(max_burst=100)
    last = peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 30)
    flight = len(peer.take_tsns())
    for _ in range(50):
        peer.sack(last, a_rwnd=0)
        peer.sack(last)
    assert len(peer.take_tsns()) == flight + 49
    peer.sack(last, a_rwnd=0)
    peer.sack(last, after=1.0)
    assert len(peer.take_tsns()) <= 2 * flight


def test_a_what_a_window_draws_that_opens_again_and_again_is_bounded_by_what_is_acknowledged() -> None:
    peer = Peer(max_burst=100)
    last = peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 30)
    peer.take()
    peer.sack(last, a_rwnd=0)
    peer.sack(last)
    peer.take()
    for tsn in range(last + 1, last + 20):
        peer.sack(tsn - 1, a_rwnd=0)
        peer.sack(tsn - 1)
        assert peer.take_tsns() == [tsn]
        peer.sack(tsn)
        assert peer.take_tsns() == [tsn + 1, tsn + 2]


def test_a_a_window_that_closes_and_opens_twice_within_an_rto_costs_round_trips_and_no_timeout() -> None:
    peer = Peer(max_burst=100)
    last = peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 30)
    assert len(peer.take_tsns()) == 30
    for _ in range(2):
        peer.sack(last, a_rwnd=0, after=0.01)
        peer.sack(last, after=0.01)
    missing = set(range(last + 1, last + 31))
    peer.take()  # All of that is dropped, but for the last packet.
    missing.remove(last + 1)
    rounds = 0
    while missing:
        rounds += 1
        assert rounds < 10
        peer.sack(min(missing) - 1, after=0.01)
        missing.difference_update(peer.take_tsns())
    assert peer.elapsed < 0.2


def test_a_marked_chunks_go_on_while_the_window_has_room_for_them() -> None:
    """The window has closed and opened again since they were marked, with something in flight."""
    peer = Peer(max_burst=100)
    last = peer.grow(10 * PMDCS)
    peer.send(*[FULL] * 40)
    peer.take()
    peer.sack(last, a_rwnd=0)
    peer.sack(last)
    sent = peer.take_tsns()
    assert sent[0] == last + 1
    peer.sack(last, a_rwnd=0, after=0.01)
    peer.sack(last, after=0.01)
    assert peer.take_tsns() == [last + 1]
    peer.sack(last + 1)
    assert peer.take_tsns() == [last + 2, last + 3]


def test_a_a_window_that_opens_a_little_draws_as_much_as_it_has_room_for() -> None:
    peer = Peer(max_burst=100)
    last = peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 30)
    peer.take()
    peer.sack(last, a_rwnd=0)
    peer.sack(last, a_rwnd=5 * FULL)
    assert peer.take_tsns() == [*range(last + 1, last + 6)]


def test_a_an_error_that_was_counted_before_the_peer_said_that_it_has_no_room_is_forgiven() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.wait()
    assert peer.wait()[0].tsns == [1]
    assert peer.association.tcb.error_count == 1
    peer.sack(0, a_rwnd=100)
    assert peer.association.tcb.error_count == 0


def test_a_when_the_window_opens_probing_is_over_and_timeouts_are_errors_again() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(4, a_rwnd=0)
    peer.send(*[FULL] * 8)
    assert peer.wait()[0].tsns == [5]
    peer.sack(4, a_rwnd=0)
    peer.sack(5)
    assert len(peer.take_tsns()) >= 3
    cwnd = peer.path().cwnd
    peer.wait()
    assert peer.association.tcb.error_count == 1
    assert peer.path().cwnd < cwnd


def test_a_a_message_larger_than_the_peers_whole_window_is_cut_to_fit_it() -> None:
    """Packets as large as the link takes would never fit: it would all go by probes."""
    peer = Peer(a_rwnd=4096, mtu=9000)
    peer.send(20_000)
    assert peer.take_tsns() == [1, 2]
    assert peer.elapsed == 0


def test_a_no_probe_while_data_is_in_flight() -> None:
    """Not even into a window that is partly open, where a full chunk goes at once with nothing in flight."""
    peer = Peer(a_rwnd=FULL + 1000)
    peer.send(FULL, FULL)
    assert peer.take_tsns() == [1]
    peer.advance(20)
    assert set(peer.take_tsns()) == {1}
    peer.sack(1, a_rwnd=1000)
    assert peer.take_tsns() == [2]


def test_a_the_sender_never_cuts_a_chunk_to_fit_what_is_left_of_the_window() -> None:
    peer = Peer(a_rwnd=FULL + 500)
    peer.send(10 * FULL)
    assert [len(packet.data[0].data) for packet in peer.take()] == [FULL]
    for tsn, a_rwnd in enumerate((1, 100, 1000, FULL - 1, FULL), 1):
        peer.sack(tsn, a_rwnd=a_rwnd)
        assert [(packet.tsns, len(packet.data[0].data)) for packet in peer.take()] == [([tsn + 1], FULL)]


def test_a_a_full_chunk_goes_at_once_into_a_window_that_is_partly_open_when_nothing_is_in_flight() -> None:
    peer = Peer(a_rwnd=2 * FULL + 500)
    peer.send(10 * FULL)
    assert peer.take_tsns() == [1, 2]
    peer.sack(1, a_rwnd=FULL + 500)
    assert peer.take_tsns() == []  # TSN 2 is in flight.
    peer.sack(2, a_rwnd=500)
    [probe] = peer.take()
    assert probe.tsns == [3]
    assert probe.data[0].flags & DATA_IMMEDIATE
    peer.sack(2, a_rwnd=500)  # The peer had no room for it: no more than that is sent before it asks for more.
    assert peer.take() == []
    assert peer.t3() == 1.0


def test_a_a_small_chunk_waits_for_more_of_a_window_that_is_partly_open_but_not_for_an_rto() -> None:
    """More of a window would fill its packet; RFC 1122 section 4.2.3.4 has the wait end after 0.1 to 1 second."""
    peer = Peer(a_rwnd=2000)
    peer.send(*[700] * 8)
    assert peer.take_tsns() == [1, 2]
    peer.sack(2, a_rwnd=600)
    assert peer.take() == []
    [probe] = peer.wait()
    assert probe.at == pytest.approx(0.2)
    assert probe.tsns == [3]
    peer.sack(3, a_rwnd=600)
    peer.sack(3, a_rwnd=1500, after=0.1)  # The peer has read: its window update comes first.
    assert peer.take_tsns() == [4, 5]


def test_a_the_chunk_that_fills_the_peers_window_asks_for_a_sack_at_once() -> None:
    """ "The sending of a DATA chunk fills the congestion or receiver window." """
    for size in (100, 700, FULL, 50 * FULL):
        peer = Peer(max_burst=100)
        peer.sack(peer.grow(20 * PMDCS), a_rwnd=10 * FULL + 50)
        peer.send(*[size] * (50 * FULL // size))
        chunks = [one for packet in peer.take() for one in packet.data]
        assert chunks[-1].flags & DATA_IMMEDIATE
        asking = sum(len(one.data) for one in chunks if one.flags & DATA_IMMEDIATE)
        assert asking < 2 * FULL


def test_a_data_that_leaves_room_in_the_peers_window_asks_for_no_sack() -> None:
    peer = Peer(max_burst=100)
    peer.grow(20 * PMDCS)
    peer.send(10 * FULL)
    assert not any(one.flags & DATA_IMMEDIATE for packet in peer.take() for one in packet.data)


# B: the congestion window.


def test_b_new_data_is_sent_while_the_flight_is_below_cwnd_and_exceeds_it_by_one_packet_at_most() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[FULL] * 20)
    assert peer.path().cwnd == 4404
    assert len(peer.take()) == 4  # 3 * 1460 = 4380 bytes are below cwnd.
    assert peer.path().flight_size == 4 * PMDCS < 4404 + PMDCS


def test_b_nothing_leaves_while_the_window_is_full_but_the_user_may_go_on_sending() -> None:
    peer = Peer()
    peer.send(*[FULL] * 20)
    peer.take()
    peer.send(*[10] * 20)
    peer.send(FULL)
    assert peer.take() == []
    peer.sack(4)
    assert peer.take_tsns()


# C: retransmissions first.


def test_c_what_is_marked_for_retransmission_goes_before_new_data_and_within_cwnd() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[FULL] * 20)
    assert peer.take_tsns() == [1, 2, 3, 4]
    peer.advance(1)
    assert peer.take_tsns() == [1]
    peer.sack(1)
    assert peer.take_tsns() == [2, 3]
    peer.sack(3)
    assert peer.take_tsns() == [4, 5, 6]


# D: Max.Burst.


@pytest.mark.parametrize("max_burst", [1, 2, 4, 8])
def test_d_after_a_pause_no_more_than_max_burst_packets_leave_at_once(max_burst: int) -> None:
    peer = Peer(max_burst=max_burst)
    peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 20)
    assert len(peer.take()) == max_burst
    assert peer.path().cwnd >= 40 * PMDCS  # It is not changed for that.


def test_d_an_acknowledgement_lets_go_what_it_acknowledged_and_max_burst() -> None:
    peer = Peer()
    last = peer.grow(40 * PMDCS)
    peer.send(*[FULL] * 100)
    assert len(peer.take()) == 4
    peer.sack(last + 2)
    assert len(peer.take()) == 2 + 4


# Bundling.


@pytest.mark.parametrize("bound", [True, False])
def test_a_sack_that_is_owed_travels_with_data(bound: bool) -> None:
    peer = Peer(bound=bound)
    peer.deliver(peer.data(1))
    peer.take()
    peer.deliver(peer.data(2))
    assert peer.take() == []
    peer.send(100)
    [packet] = peer.take()
    assert packet.names == ["SACK", "DATA"]
    assert packet.sack.cumulative == 2
    peer.advance(1)
    assert "SACK" not in [name for packet in peer.take() for name in packet.names]


def test_a_sack_goes_ahead_where_it_does_not_fit_into_the_packet() -> None:
    peer = Peer()
    for tsn in range(3, 603, 2):
        peer.deliver(peer.data(tsn, 1))
    peer.take()
    peer.deliver_together(peer.data(603, 1))
    peer.send(1000)
    packets = peer.take()
    assert [packet.names for packet in packets] == [["SACK"], ["DATA"]]
    assert all(len(packet.bytes) <= 1472 for packet in packets)


# T3-rtx.


def test_t3_rtx_is_started_with_the_first_data_and_not_restarted_by_the_next() -> None:
    peer = Peer()
    assert peer.t3() > 1e6
    peer.send(100)
    assert peer.t3() == 1.0
    peer.advance(0.4)
    peer.send(100)
    assert peer.t3() == pytest.approx(0.6)


def test_t3_rtx_is_restarted_when_the_earliest_outstanding_chunk_is_retransmitted() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[200] * 6)
    peer.advance(0.5)
    peer.send(*[200] * 6)
    peer.advance(0.3)
    for last in (4, 5, 6):
        peer.sack(0, (2, last))
    assert peer.take_tsns()[-1] == 1
    assert peer.t3() == 1.0


def test_t3_rtx_is_not_restarted_when_a_later_chunk_is_retransmitted() -> None:
    peer = Peer(max_burst=100)
    first = peer.grow(20 * PMDCS) + 1
    peer.send(*[FULL] * 14)
    peer.take()
    peer.advance(0.5)
    # The first chunk is missing as well, but has been fast retransmitted already.
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    assert peer.take_tsns()[0] == first
    assert peer.t3() == 1.0
    peer.advance(0.25)
    for last in (7, 8, 9):
        peer.sack(first - 1, (first + 1, first + 4), (first + 6, first + last))
    assert first + 5 in peer.take_tsns()
    assert peer.t3() == pytest.approx(0.75)


# TSNs and SSNs.


def test_the_stack_counts_tsns_across_the_wrap() -> None:
    peer = Peer(tsn=0xFFFFFFFE, peer_tsn=0xFFFFFFFD)
    peer.send(*[100] * 6)
    assert peer.take_tsns() == [1, 2, 3, 4, 5, 6]
    peer.sack(6)
    assert peer.association.tcb.outstanding.empty
    for tsn in range(1, 7):
        peer.deliver(peer.data(tsn))
    assert peer.take()[-1].sack.cumulative == 5
    peer.deliver(peer.data(8))
    assert peer.take()[-1].sack == (6, (1 << 20) - 700, [(8, 8)], [])
    assert len(peer.read()) == 6


def test_no_stream_has_more_than_65535_messages_in_the_window() -> None:
    peer = Peer(a_rwnd=1 << 31, max_burst=1 << 16, send_buffer=1 << 30)
    peer.grow(4 << 20)
    before = peer.last_tsn
    peer.send(*[1] * 70_000)
    assert 50_000 < peer.last_tsn - before <= 65535
    assert peer.path().flight_size < peer.path().cwnd


# The I bit.


def flags(peer: Peer) -> list[bool]:
    """The I bits of what left."""
    return [bool(chunk.flags & DATA_IMMEDIATE) for packet in peer.take() for chunk in packet.data]


def test_the_user_can_ask_for_the_i_bit_and_the_last_chunk_of_the_message_has_it() -> None:
    peer = Peer(max_burst=2)
    peer.grow(40 * PMDCS)
    peer.send(10)
    assert flags(peer) == [False]
    peer.send(10, immediate=True)
    assert flags(peer) == [True]
    peer.send(FULL + 10, immediate=True)
    assert flags(peer) == [False, True]


def test_data_in_shutdown_pending_has_the_i_bit() -> None:
    peer = Peer(max_burst=1)
    peer.grow(40 * PMDCS)
    peer.send(FULL, FULL)
    assert flags(peer) == [False]
    peer.shutdown()
    assert flags(peer) == [True]


def test_data_that_fills_a_small_congestion_window_has_the_i_bit() -> None:
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    assert flags(peer) == [False, False, False]
    peer.send(FULL)
    assert flags(peer) == [True]
    assert peer.path().flight_size >= peer.path().cwnd


def test_a_heartbeats_that_are_off_stay_off_also_before_a_probe() -> None:
    peer = Peer(paths=2, a_rwnd=1500, heartbeat_interval=30.0)
    peer.association.configure_path(peer.now, peer.path(1).remote, heartbeats=False)
    peer.send(FULL)
    peer.sack(1, a_rwnd=0)
    peer.take()
    peer.send(100, remote=peer.path(2).remote)
    peer.advance(0.5)
    assert peer.take() == []
    assert [packet.tsns for packet in peer.wait(1)] == [[2]]
