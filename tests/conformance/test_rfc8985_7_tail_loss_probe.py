"""RFC 8985 section 7: tail loss probes. On one path, and where there is another one to ask over."""

from __future__ import annotations

import pytest

from sctpx.core.timers import MILLISECOND, NEVER, SECOND
from sctpx.core.tx.reliability import RETRANSMISSIONS, TIMED
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_DATA, CHUNK_I_DATA, CHUNK_I_FORWARD_TSN, DATA_IMMEDIATE
from tests.conformance.peer import FULL, PMDCS, Peer, Sent

RTT = 0.04
PTO = 2 * RTT
DELAY = 0.2
"""What the peer is taken to delay the SACK of a single packet."""


def up(paths: int = 1, **how: object) -> Peer:
    """A peer that takes 40 ms to answer."""
    return Peer(paths=paths, rtt=RTT, loss_recovery="rack", **how)  # type: ignore[arg-type]


def two_paths(**how: object) -> Peer:
    """Both of them confirmed and measured; HEARTBEATs are on."""
    peer = up(2, heartbeat_interval=30.0, **how)
    peer.request_heartbeat(2)
    asked = next(packet for packet in peer.take() if packet.path == 2)
    peer.advance(RTT)
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")), path=2)
    return peer


def is_immediate(packet: Sent) -> bool:
    """Whether its DATA asks for a SACK at once (RFC 7053)."""
    return all(flags & DATA_IMMEDIATE for kind, flags, _ in packet.chunks if kind in (CHUNK_DATA, CHUNK_I_DATA))


# 7.2: when.


def test_7_2_it_is_sent_after_two_round_trips_without_a_sack() -> None:
    peer = up()
    peer.send(FULL, FULL)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(PTO)


def test_7_2_with_one_packet_in_flight_the_peer_may_delay_its_sack() -> None:
    """ "the sender MAY inflate the PTO by TLP.max_ack_delay"."""
    peer = up()
    peer.send(100)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(PTO + DELAY)


def test_7_2_not_any_more_when_a_second_packet_follows() -> None:
    peer = up()
    peer.send(100)
    peer.advance(0.03)
    peer.send(100)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(0.03 + PTO)


def test_7_2_what_is_acknowledged_puts_it_off() -> None:
    peer = up()
    peer.send(*[FULL] * 3)
    peer.take()
    peer.sack(1, after=RTT)
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(RTT + PTO)


def test_7_2_on_a_short_path_a_busy_host_has_some_time() -> None:
    peer = Peer(rtt=0.0001, loss_recovery="rack")
    peer.send(FULL, FULL)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(0.01)


def test_7_2_without_a_measurement_there_is_none() -> None:
    """ "when there is no SRTT estimate available, the PTO SHOULD be 1 second", which is RTO.Initial: T3-rtx comes."""
    peer = up(2)
    peer.send(100, remote=peer.path(2).remote)
    peer.take()
    peer.advance(0.99)
    assert peer.take() == []


def test_7_2_no_timer_runs_when_nothing_is_in_flight() -> None:
    peer = up()
    peer.send(FULL, FULL)
    peer.sack(2, after=RTT)
    assert peer.path().loss_deadline == peer.path().t3_deadline == NEVER
    peer.advance(100)
    assert peer.association.stats.tail_probes_sent == 0


def test_7_2_it_comes_no_later_than_t3_rtx() -> None:
    peer = up(rto_initial=0.1, rto_min=0.1, rto_max=1.0)
    peer.send(100)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.at == pytest.approx(0.1)
    assert peer.association.stats.t3_timeouts == 0


def test_7_2_what_is_sent_meanwhile_does_not_put_it_off_without_end() -> None:
    peer = up()
    peer.send(*[FULL] * 3)
    for _ in range(5):
        peer.advance(0.02)
        peer.send(10)
    assert peer.association.stats.tail_probes_sent == 1


# 7.3: what.


def test_7_3_it_is_new_data_if_there_is_some_whatever_cwnd_says() -> None:
    peer = up()
    peer.send(*[FULL] * 6)
    sent = peer.take_tsns()
    assert peer.path().room <= 0
    [probe] = peer.wait(1)
    assert probe.tsns == [sent[-1] + 1]
    assert is_immediate(probe)
    assert peer.path().flight_size > peer.path().cwnd


def test_7_3_else_it_is_what_was_sent_last() -> None:
    peer = up()
    peer.send(FULL, FULL, 100)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.tsns == [3]
    assert is_immediate(probe)
    assert peer.association.stats.chunks_retransmitted == 1


def test_7_3_new_data_has_to_fit_the_window_of_the_peer() -> None:
    peer = up(a_rwnd=2 * FULL)
    peer.send(FULL, FULL, FULL)
    assert peer.take_tsns() == [1, 2]
    [probe] = peer.wait(1)
    assert probe.tsns == [2]


def test_7_3_there_is_one_probe_and_then_t3_rtx_which_begins_anew() -> None:
    """ "there is no other previous loss probe still in flight"; "MUST re-arm the RTO timer, not the PTO timer"."""
    peer = up()
    peer.send(FULL, FULL)
    peer.take()
    peer.wait(1)
    again = peer.wait(5)
    assert again[0].at == pytest.approx(PTO + 1.0)
    assert again[0].tsns == [1]
    assert peer.association.stats.t3_timeouts == 1


def test_7_3_the_next_one_needs_a_new_measurement() -> None:
    """ "the sender has obtained an RTT measurement since the last loss probe transmission"."""
    peer = up()
    peer.send(FULL)
    peer.wait(1)
    peer.advance(PTO + DELAY)
    peer.sack(1, after=RTT)  # Of what was sent twice, nothing is measured.
    peer.send(FULL, FULL)
    peer.take()
    peer.advance(0.9)
    assert peer.take() == []
    peer.sack(3)
    peer.send(FULL, FULL)
    peer.take()
    [probe] = peer.wait(5)
    assert probe.tsns == [5]


def test_7_3_a_path_that_timed_out_is_left_to_t3_rtx() -> None:
    peer = up()
    peer.send(FULL, FULL)
    peer.advance(1.5)
    assert peer.association.stats.t3_timeouts == 1
    peer.advance(30)
    assert peer.association.stats.tail_probes_sent == 1


def test_7_3_while_the_peer_has_no_room_it_is_asked_by_zero_window_probes_alone() -> None:
    """Section 8: the timers "are mutually exclusive"."""
    peer = up()
    peer.send(FULL)
    peer.sack(1, a_rwnd=0, after=RTT)
    peer.send(FULL)
    for _ in range(5):
        peer.advance(1.0)
        peer.sack(1, a_rwnd=0)
    assert peer.association.stats.tail_probes_sent == 0


def test_7_3_a_message_that_may_not_be_sent_again_is_not() -> None:
    """RFC 7496 section 3.1: the probe would be a retransmission."""
    peer = up(forwards=True)
    peer.send(FULL, FULL, policy=RETRANSMISSIONS, value=0)
    peer.take()
    peer.advance(0.9)
    assert peer.take() == []


def test_7_3_one_that_may_be_sent_again_once_is_probed_with_once() -> None:
    peer = up(forwards=True)
    peer.send(FULL, FULL, policy=RETRANSMISSIONS, value=1)
    peer.take()
    assert peer.wait(1)[0].tsns == [2]
    peer.advance(PTO)
    peer.sack(0, (2, 2), after=RTT)
    assert peer.take_tsns() == [1]


def test_7_3_one_whose_lifetime_is_over_is_not_sent_again() -> None:
    peer = up(forwards=True)
    peer.send(FULL, FULL, policy=TIMED, value=50 * MILLISECOND)
    peer.take()
    peer.advance(0.9)
    assert peer.association.stats.tail_probes_sent == 0


def test_7_3_with_i_data_as_well() -> None:
    peer = up(extensions=[CHUNK_I_DATA, CHUNK_I_FORWARD_TSN], forwards=True, interleaving=True)
    peer.send(1000, 1000)
    peer.take()
    [probe] = peer.wait(1)
    assert probe.names == ["I-DATA"]
    assert is_immediate(probe)


# 7.4: what becomes of it.


def test_7_4_1_the_sack_of_a_probe_shows_what_was_lost_before_it() -> None:
    peer = up()
    peer.send(*[FULL] * 3)
    peer.take()
    assert peer.wait(1)[0].tsns == [3]
    peer.sack(0, (3, 3), after=RTT)
    assert peer.take_tsns() == [1, 2]
    assert peer.association.stats.t3_timeouts == 0


def grown() -> tuple[Peer, int]:
    """A window that can be halved; the TSN before the next one."""
    peer = up(max_burst=100)
    peer.send(*[FULL] * 60)
    acknowledged = 0
    while not peer.association.tcb.outstanding.empty:
        peer.advance(RTT)
        sent, acknowledged = acknowledged, peer.last_tsn
        for tsn in range(sent, acknowledged):
            peer.sack(tsn + 1)
    peer.take()
    return peer, peer.last_tsn


def repaired(duplicates: bool) -> tuple[int, int]:
    """The last packet of a flight is sent again by a probe, and data follows: the window before and after that."""
    peer, last = grown()
    peer.send(FULL, FULL)
    peer.take()
    assert peer.wait(1)[0].tsns == [last + 2]
    cwnd = peer.path().cwnd
    peer.sack(last + 2, after=RTT)
    if duplicates:
        peer.deliver(peer.sack_chunk(last + 2, duplicates=[last + 2]))
    peer.send(FULL)
    peer.sack(last + 3, after=RTT)
    return cwnd, peer.path().cwnd


def test_7_4_2_a_loss_that_the_probe_has_repaired_is_congestion_all_the_same() -> None:
    """ "The sender then SHOULD invoke a congestion control response equivalent to a fast recovery"."""
    before, after = repaired(duplicates=False)
    assert after == max(before // 2, 4 * PMDCS) < before


def test_7_4_2_if_probe_and_data_have_both_arrived_nothing_was_lost() -> None:
    before, after = repaired(duplicates=True)
    assert after >= before


def test_a_lost_retransmission_behind_which_nothing_is_sent_is_probed_for_too() -> None:
    """Section 7.2 has no probe in a recovery: RACK finds no loss there if nothing is sent any more."""
    peer = up()
    peer.send(FULL, FULL)
    peer.sack(0, (2, 2), after=RTT)
    peer.advance(RTT / 4)
    assert peer.take_tsns()[-1] == 1
    again = peer.wait(1)
    assert again[0].tsns == [1]
    assert peer.association.stats.t3_timeouts == 0


# Where there is another path (RFC 9260 section 6.4.1, RFC 7829).


def test_another_path_is_asked_with_what_the_peer_waits_for_and_a_heartbeat_asks_on_the_path_itself() -> None:
    peer = two_paths()
    begin = peer.elapsed
    peer.send(*[FULL] * 3)
    peer.take()
    asked, probe = peer.wait(1)
    assert (asked.path, asked.names) == (1, ["HEARTBEAT"])
    assert (probe.path, probe.tsns) == (2, [1])
    assert probe.at - begin == pytest.approx(PTO)
    assert is_immediate(probe)


def test_if_it_answers_and_the_path_does_not_data_moves_and_no_error_is_counted() -> None:
    peer = two_paths()
    peer.send(*[FULL] * 3)
    peer.take()
    peer.wait(1)
    peer.sack(1, path=2, after=RTT)
    assert peer.path(1).doubtful
    peer.send(100)
    assert [(packet.path, packet.tsns) for packet in peer.take()] == [(2, [4])]
    peer.advance(0.01)
    assert [(packet.path, packet.tsns) for packet in peer.take()] == [(2, [2]), (2, [3])]
    assert peer.path(1).error_count == peer.path(2).error_count == 0
    assert peer.association.stats.t3_timeouts == 0


def test_the_path_turns_potentially_failed_when_its_heartbeat_is_not_answered_for_an_rto() -> None:
    peer = two_paths()
    peer.send(*[FULL] * 3)
    peer.take()
    peer.wait(1)
    asked = peer.now
    peer.sack(1, path=2, after=RTT)
    peer.advance(0.01)
    peer.sack(3, path=2, after=RTT)
    peer.advance_to(asked + SECOND - MILLISECOND)
    assert peer.path(1).error_count == 0
    peer.advance(0.001)
    assert peer.path(1).error_count == 1


def test_if_the_path_answers_data_stays_there() -> None:
    peer = two_paths()
    peer.send(*[FULL] * 3)
    peer.take()
    asked, _ = peer.wait(1)
    peer.advance(RTT)
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")), path=1)
    peer.sack(1, path=2)
    assert not peer.path(1).doubtful
    peer.advance(0.01)
    assert [(packet.path, packet.tsns) for packet in peer.take()] == [(1, [2]), (1, [3])]


def test_data_returns_when_the_heartbeat_is_answered_later() -> None:
    peer = two_paths()
    peer.send(*[FULL] * 3)
    peer.take()
    asked, _ = peer.wait(1)
    peer.sack(1, path=2, after=RTT)
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")), path=1)
    peer.send(100)
    assert [packet.path for packet in peer.take() if packet.tsns] == [1]


def test_what_the_path_delivers_within_ten_milliseconds_is_not_lost() -> None:
    """A host that was busy may read one socket before another."""
    peer = two_paths()
    peer.send(*[FULL] * 3)
    peer.take()
    peer.wait(1)
    peer.sack(1, path=2, after=RTT)
    peer.sack(3, after=0.009)
    peer.advance(0.1)
    assert peer.association.stats.fast_retransmits == 0


def test_without_heartbeats_the_path_itself_is_asked() -> None:
    peer = up(2)
    peer.send(*[FULL] * 3)
    peer.take()
    [probe] = peer.wait(1)
    assert (probe.path, probe.tsns) == (1, [3])


def test_a_zero_window_probe_that_is_not_answered_goes_over_the_other_path_as_well() -> None:
    """The window had closed when the path was cut: the peer is there, and perhaps its window is open again."""
    peer = two_paths()
    peer.send(FULL)
    peer.take()
    peer.sack(1, a_rwnd=1000, after=RTT)
    peer.send(FULL)
    assert peer.take_tsns() == [2]
    asked, probe = peer.wait(1)
    assert (asked.path, probe.path, probe.tsns) == (1, 2, [2])
    peer.sack(2, path=2, after=RTT)
    assert peer.path(1).doubtful
    peer.send(100)
    assert [packet.path for packet in peer.take()] == [2]


def test_a_window_that_stays_closed_is_asked_for_on_and_on() -> None:
    """A window that stays closed is no error of a path (RFC 9260 section 6.1 A)."""
    peer = two_paths()
    peer.send(FULL)
    peer.sack(1, a_rwnd=0, after=RTT)
    peer.send(FULL)
    for _ in range(30):
        for packet in peer.wait(100):
            if packet.names == ["HEARTBEAT"]:
                peer.deliver(control.heartbeat_ack(packet.value("HEARTBEAT")), path=packet.path)
            elif packet.tsns:
                peer.sack(1, a_rwnd=0, path=packet.path, after=RTT)
    assert peer.path(1).error_count == peer.path(2).error_count == 0
    assert not peer.association.ended


def test_a_path_that_has_failed_is_not_asked_over() -> None:
    peer = two_paths()
    peer.path(2).error_count = 1
    peer.path(2).state = 1
    peer.send(*[FULL] * 3)
    peer.take()
    assert [packet.path for packet in peer.wait(1) if packet.tsns] == [1]


def test_the_only_packet_in_flight_moves_to_the_other_path() -> None:
    peer = two_paths()
    peer.send(100)
    peer.take()
    peer.wait(1)
    assert (peer.path(1).flight_size, peer.path(2).flight_size) == (0, 116)
    assert peer.t3(1) > 1e6
    assert peer.t3(2) <= 1.0
