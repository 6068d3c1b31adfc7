"""RFC 3758 sections 3.5 and 4.1 with RFC 7496 section 3: what a sender abandons, and how it tells the peer."""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.core.events import Abandoned, CommunicationLost, SenderDry, Writable
from sctpx.core.tx.reliability import PRIORITY, RETRANSMISSIONS, TIMED
from tests.conformance.peer import FULL, Forward, Peer, Sent

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


def forwards(sent: list[Sent]) -> list[Forward]:
    """The FORWARD-TSNs in these packets."""
    return [found for found in (packet.forward_tsn for packet in sent) if found is not None]


def abandoned(peer: Peer) -> list[tuple[int, bool]]:
    """Of each message that was abandoned: the bytes that are told of, and whether it was sent."""
    return [(len(event.message[0]), event.message[3]) for event in peer.events_of(Abandoned)]


def lose(peer: Peer, lost: int, upto: int) -> None:
    """SACKs that leave out one TSN, until it has its third miss indication."""
    for last in range(upto - 2, upto + 1):
        peer.sack(lost - 1, (lost + 1, last))


def give_up(**how: Any) -> dict[str, Any]:
    return {"policy": RETRANSMISSIONS, "value": 0, **how}


# 4.1: timed reliability.


def test_tr2_within_its_lifetime_a_message_is_as_reliable_as_any() -> None:
    peer = Peer(forwards=True)
    peer.send(100, policy=TIMED, value=10 * SECOND)
    peer.take()
    peer.advance(1.1)
    assert [packet.tsns for packet in peer.take()] == [[1]]  # T3-rtx.
    peer.sack(1)
    peer.advance(60)
    assert not peer.take()
    assert not peer.events_of(Abandoned)


def test_tr3_a_message_that_expires_unsent_gets_no_tsn_and_costs_nothing() -> None:
    peer = Peer(forwards=True, a_rwnd=1500)
    peer.send(1400)
    peer.send(1200, policy=TIMED, value=100 * MILLISECOND)
    peer.take()
    peer.advance(0.5)
    assert abandoned(peer) == [(1200, False)]
    peer.sack(1)
    peer.send(500)
    sent = peer.take()
    assert [packet.tsns for packet in sent] == [[2]]
    assert sent[0].data[0].ssn == 1
    assert not forwards(sent)
    assert peer.association.send_space == peer.association.config.send_buffer - 500 - 256
    stats = peer.association.stats
    assert (stats.messages_abandoned_unsent, stats.messages_abandoned_sent, stats.forward_tsns_sent) == (1, 0, 0)


def test_tr4_before_it_is_retransmitted_the_lifetime_is_evaluated() -> None:
    peer = Peer(forwards=True)
    peer.send(100, policy=TIMED, value=500 * MILLISECOND, stream=3)
    peer.take()
    peer.advance(0.9)
    assert not peer.events_of(Abandoned)  # It is in flight, and has probably arrived.
    peer.advance(0.2)
    assert abandoned(peer) == [(100, True)]
    assert forwards(peer.take()) == [Forward(1, [(3, 0, False)])]


def test_tr4_what_waits_for_its_retransmission_is_abandoned_when_it_is_too_old() -> None:
    """The peer's window is closed, so what T3-rtx has marked goes one by one."""
    peer = Peer(forwards=True)
    peer.send(*[FULL] * 4, policy=TIMED, value=1500 * MILLISECOND)
    peer.take()
    peer.advance(1.0)
    assert [packet.tsns for packet in peer.take()] == [[1]]  # cwnd is one packet.
    peer.advance(0.6)
    assert len(abandoned(peer)) == 3  # The first one is in flight.
    assert not forwards(peer.take())
    peer.advance(2.0)
    assert forwards(peer.take()) == [Forward(4, [(0, 3, False)])]


def test_a_lifetime_of_zero_is_now_or_never() -> None:
    peer = Peer(forwards=True)
    peer.send(100, policy=TIMED, value=0)
    assert [packet.tsns for packet in peer.take()] == [[1]]
    peer.send(*[FULL] * 40, policy=TIMED, value=0)
    sent = len(peer.take())
    peer.advance(0.002)
    assert abandoned(peer) == [(FULL, False)] * (40 - sent)


# RFC 7496 3.1: limited retransmissions.


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_message_is_abandoned_when_a_chunk_would_go_again_too_often(limit: int) -> None:
    peer = Peer(forwards=True, rto_max=1.0)
    peer.send(100, policy=RETRANSMISSIONS, value=limit)
    peer.take()
    for _ in range(limit):
        assert [packet.tsns for packet in peer.wait()] == [[1]]
    assert forwards(peer.wait()) == [Forward(1, [(0, 0, False)])]
    assert abandoned(peer) == [(100, True)]
    assert peer.association.tcb.error_count == limit + 1  # "using this policy does not affect the [...] thresholds"


def test_fast_retransmissions_count_too() -> None:
    peer = Peer(forwards=True)
    peer.send(FULL, **give_up())
    peer.send(*[FULL] * 3)
    peer.take()
    lose(peer, 1, 4)
    assert forwards(peer.take()) == [Forward(1, [(0, 0, False)])]
    assert peer.association.stats.chunks_retransmitted == 0


def test_a_peer_that_is_silent_ends_the_association_all_the_same() -> None:
    peer = Peer(forwards=True, association_max_retrans=3, rto_max=1.0)
    peer.send(100, **give_up())
    peer.advance(10)
    assert peer.association.state == CLOSED
    assert peer.events_of(CommunicationLost)


# RFC 7496 3.2: priority.


def fill(peer: Peer, *priorities: int) -> None:
    """Have messages of 1000 bytes with these priorities wait, and the send buffer full."""
    peer.send(FULL)
    for priority in priorities:
        peer.send(1000, policy=PRIORITY, value=priority)
    assert peer.association.send_space <= 0
    peer.take()


def test_lower_priorities_make_room_for_higher_ones_the_lowest_first() -> None:
    peer = Peer(forwards=True, a_rwnd=1500, send_buffer=5000)
    fill(peer, 5, 7, 6)
    peer.association.make_room(peer.now, PRIORITY, 4)
    assert [event.message[0] for event in peer.events_of(Abandoned)] == []
    peer.advance(0)
    assert peer.association.abandoned(policy=PRIORITY) == (1, 0)
    assert peer.association.send_space > 0
    peer.association.make_room(peer.now, PRIORITY, 0)
    assert peer.association.abandoned() == (1, 0)  # There is room.


def test_as_high_a_priority_makes_no_room_and_reliable_messages_always_do() -> None:
    peer = Peer(forwards=True, a_rwnd=1500, send_buffer=5000)
    fill(peer, 0, 0, 0)
    peer.association.make_room(peer.now, PRIORITY, 0)
    assert peer.association.abandoned() == (0, 0)
    peer.association.make_room(peer.now)
    assert peer.association.abandoned(stream=0) == (1, 0)
    assert peer.association.abandoned(stream=1) == (0, 0)


def test_room_is_made_of_what_is_lost_not_of_what_is_in_flight() -> None:
    peer = Peer(forwards=True, send_buffer=4000)
    for _ in range(4):
        peer.send(1000, policy=PRIORITY, value=9)
    assert peer.association.send_space <= 0
    peer.association.make_room(peer.now)
    assert peer.association.abandoned() == (0, 0)
    peer.advance(1.0)  # T3-rtx: one packet goes again, the others wait.
    peer.take()
    peer.association.make_room(peer.now)
    assert peer.association.abandoned() == (0, 1)  # As many as it takes.
    peer.send(10)
    assert forwards(peer.take()) == []  # The first one is not abandoned.


# 3.5: A1 to A5.


def test_a2_what_is_abandoned_is_acked_and_does_not_grow_the_window() -> None:
    peer = Peer(forwards=True)
    peer.grow(20_000)
    first = peer.last_tsn
    cwnd = peer.path().cwnd
    peer.send(*[FULL] * 4, **give_up())
    peer.take()
    peer.advance(1.1)
    [skip] = forwards(peer.take())
    assert skip == Forward(first + 4, [(0, first + 3, False)])
    outstanding = peer.association.tcb.outstanding
    assert outstanding.flight_size == 0
    assert peer.path().flight_size == 0
    assert outstanding.marked_chunks == 0
    assert peer.association.send_space == peer.association.config.send_buffer
    assert peer.path().cwnd == 1460 < cwnd  # F5: T3-rtx does to cwnd what it always does.
    peer.sack(skip.tsn)
    assert peer.path().cwnd == 1460
    assert outstanding.empty


def test_a3_all_fragments_are_abandoned_at_once_and_nothing_more_is_sent_of_the_message() -> None:
    peer = Peer(forwards=True)
    peer.send(20 * FULL, **give_up(stream=2))
    sent = [tsn for packet in peer.take() for tsn in packet.tsns]
    assert 1 < len(sent) < 20
    peer.sack(1, (3, 4))  # The last of these fragments arrived out of order.
    sent += peer.take_tsns()
    peer.advance(1.1)
    last = peer.last_tsn
    assert last == max(sent) + 1  # An end that is never sent.
    [skip] = forwards(peer.take())
    assert skip == Forward(last, [(2, 0, False)])
    assert abandoned(peer) == [(17 * FULL, True)]  # Three were acknowledged.
    peer.sack(last)
    assert not peer.take()
    assert peer.association.send_space == peer.association.config.send_buffer
    assert peer.association.undelivered() == []
    peer.send(100, stream=2)
    [packet] = peer.take()
    assert [(one.tsn, one.ssn) for one in packet.data] == [(last + 1, 1)]


def test_c1_to_c3_the_point_moves_over_what_is_abandoned_and_no_further() -> None:
    """The example of the section: 103 and 104 abandoned, 105 outstanding, 106 acknowledged."""
    peer = Peer(forwards=True)
    peer.send(100)
    peer.send(FULL, FULL, **give_up())
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(1)
    for gap in (5, 5, 5):
        peer.sack(1, (gap, gap))
    peer.advance(1.1)
    assert forwards(peer.take()) == [Forward(3, [(0, 2, False)])]


def test_c3_it_is_said_again_one_round_trip_later_if_a_sack_shows_that_it_was_lost() -> None:
    peer = Peer(forwards=True, rtt=0.1)
    peer.send(FULL, **give_up())
    peer.send(*[FULL] * 3)
    peer.take()
    peer.advance(0.1)
    lose(peer, 1, 4)
    assert len(forwards(peer.take())) == 1
    peer.sack(0, (2, 4), after=0.01)
    assert not forwards(peer.take())
    peer.sack(0, (2, 4), after=0.5)
    assert forwards(peer.take()) == [Forward(1, [(0, 0, False)])]
    peer.sack(4)
    peer.advance(100)
    assert not peer.take()


def test_c4_each_stream_is_named_once_with_its_largest_ssn_and_unordered_messages_are_not() -> None:
    peer = Peer(forwards=True)
    for stream in (1, 2, 1, 1):
        peer.send(100, **give_up(stream=stream))
    peer.send(100, **give_up(stream=3, unordered=True))
    peer.take()
    peer.advance(1.1)
    assert forwards(peer.take()) == [Forward(5, [(1, 2, False), (2, 0, False)])]


def test_c4_a_chunk_that_would_not_fit_a_packet_lowers_the_point() -> None:
    peer = Peer(forwards=True, max_burst=10, streams=500)
    first = peer.grow(20_000)
    for stream in range(1, 500):
        peer.association.send(peer.now, bytes(1), stream=stream, policy=RETRANSMISSIONS, value=0)
    peer.send(1)
    assert peer.take_tsns()[-1] == first + 500
    peer.advance(1.1)
    most = (1472 - 12 - 8) // 4
    [packet] = [packet for packet in peer.take() if packet.forward_tsn]
    assert packet.forward_tsn == Forward(first + most, [(stream, 0, False) for stream in range(1, most + 1)])
    assert len(packet.bytes) <= 1472
    peer.sack(first + most)
    assert forwards(peer.take()) == [Forward(first + 499, [(stream, 0, False) for stream in range(most + 1, 500)])]


def test_c5_t3_rtx_runs_while_the_peer_has_not_confirmed() -> None:
    peer = Peer(forwards=True, rto_max=1.0)
    peer.send(100, **give_up())
    peer.take()
    for _ in range(3):
        assert forwards(peer.wait()) == [Forward(1, [(0, 0, False)])]
        assert 0 < peer.t3() <= 1
    peer.sack(1)
    assert peer.t3() > 1e6
    assert peer.events_of(SenderDry)


def test_c5_it_goes_to_another_path_when_one_is_dead() -> None:
    peer = Peer(forwards=True, paths=2, rto_max=1.0)
    peer.send(100, **give_up())
    peer.take()
    assert [packet.path for packet in peer.wait() if packet.forward_tsn] == [2]
    peer.deliver(peer.sack_chunk(1), path=2)
    assert peer.association.tcb.outstanding.empty


# F1 to F5.


def test_f1_nothing_is_skipped_without_a_policy() -> None:
    peer = Peer(forwards=True)
    peer.send(*[FULL] * 4)
    peer.take()
    peer.advance(10)
    assert not forwards(peer.take())


def test_f2_it_is_bundled_with_data() -> None:
    peer = Peer(forwards=True)
    peer.send(FULL, **give_up())
    peer.send(*[100] * 3)
    peer.take()
    peer.sack(0, (2, 2))
    peer.sack(0, (2, 3))
    peer.association.send(peer.now, bytes(50))
    peer.sack(0, (2, 4))
    [packet] = [packet for packet in peer.take() if packet.forward_tsn]
    assert packet.names == ["FORWARD-TSN", "DATA"]


def test_f4_a_sack_below_the_point_is_not_out_of_order() -> None:
    peer = Peer(forwards=True)
    peer.send(FULL, FULL, **give_up())
    peer.take()
    peer.advance(1.1)
    assert forwards(peer.take()) == [Forward(2, [(0, 1, False)])]
    peer.sack(1)  # It had arrived after all.
    peer.advance(1.1)
    assert forwards(peer.take())[-1] == Forward(2, [(0, 1, False)])
    peer.sack(2)
    assert peer.association.tcb.outstanding.empty


def test_f5_fast_retransmit_halves_the_window_though_nothing_is_retransmitted() -> None:
    peer = Peer(forwards=True)
    peer.grow(20_000)
    cwnd = peer.path().cwnd
    first = peer.last_tsn
    peer.send(*[FULL] * 8, **give_up())
    peer.take()
    for last in range(first + 2, first + 5):
        peer.sack(first, (first + 2, last))
    assert peer.path().cwnd == max(cwnd // 2, 4 * 1460)
    assert forwards(peer.take())[0].tsn == first + 1


# 3.3: without an agreement.


def test_without_an_agreement_what_was_sent_is_reliable_and_what_was_not_is_abandoned_all_the_same() -> None:
    peer = Peer(a_rwnd=1500)
    assert not peer.association.partial_reliability
    peer.send(1400, **give_up())
    peer.send(1000, policy=TIMED, value=MILLISECOND)
    peer.take()
    peer.advance(1.1)
    assert [packet.tsns for packet in peer.take()] == [[1]]
    assert abandoned(peer) == [(1000, False)]


# The user.


def test_whoever_waits_for_room_is_told_when_messages_are_abandoned() -> None:
    peer = Peer(forwards=True, a_rwnd=1500, send_buffer=2000)
    peer.send(1400)
    peer.send(1000, policy=TIMED, value=100 * MILLISECOND)
    peer.association.want_writable()
    peer.advance(0.2)
    assert peer.events_of(Writable)


def test_a_shutdown_does_not_wait_for_what_was_abandoned() -> None:
    peer = Peer(forwards=True)
    peer.send(100, **give_up())
    peer.take()
    peer.shutdown()
    assert forwards(peer.wait())
    peer.sack(1)
    assert ["SHUTDOWN"] in [packet.names for packet in peer.take()]


def test_c5_the_timer_ends_with_what_it_was_started_for() -> None:
    """What is sent next to that path has a whole RTO (RFC 9260 section 6.3.2 R1 and R2)."""
    peer = Peer(forwards=True, paths=2)
    peer.send(100, **give_up())
    peer.take()
    [packet] = peer.wait()
    assert (packet.path, forwards([packet]), packet.at) == (2, [Forward(1, [(0, 0, False)])], 1.0)
    peer.sack(1, after=0.1)
    peer.advance(0.8)
    peer.send(100)
    assert [(one.path, one.tsns) for one in peer.take()] == [(2, [2])]
    assert peer.wait()[0].at == pytest.approx(2.9)


def test_lifetimes_of_messages_that_are_over_are_forgotten_and_those_of_others_hold() -> None:
    peer = Peer(forwards=True)
    for number in range(1, 301):
        peer.send(10, policy=TIMED, value=100 * SECOND)
        peer.sack(number)
    peer.take()
    peer.send(100, policy=TIMED, value=500 * MILLISECOND)
    peer.advance(1.1)
    assert abandoned(peer) == [(100, True)]
