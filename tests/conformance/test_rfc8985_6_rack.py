"""RFC 8985 section 6: losses are found by time (RACK), on each path of an association by itself.

The arithmetic is held exactly by ``tests/unit/core/tx/test_rack.py``, against the pseudocode of the RFC.
"""

from __future__ import annotations

from sctpx.core.timers import MILLISECOND
from tests.conformance.peer import FULL, PMDCS, Peer

RTT = 0.04
WINDOW = RTT / 4


def up(paths: int = 1, **how: object) -> Peer:
    """A peer that takes 40 ms to answer, and a sender that may send many packets at once."""
    return Peer(paths=paths, rtt=RTT, max_burst=100, loss_recovery="rack", **how)  # type: ignore[arg-type]


def grown(packets: int = 40) -> tuple[Peer, int]:
    """The window has room for many packets; the TSN before the next one."""
    peer = up()
    peer.send(*[FULL] * 3 * packets)
    acknowledged = 0
    while not peer.association.tcb.outstanding.empty:
        peer.advance(RTT)
        sent, acknowledged = acknowledged, peer.last_tsn
        for tsn in range(sent, acknowledged):
            peer.sack(tsn + 1)
    peer.take()
    assert peer.path().least_rtt == peer.path().srtt == RTT * 1000 * MILLISECOND
    return peer, peer.last_tsn


def test_6_2_one_later_packet_that_arrived_is_enough_when_the_reordering_window_has_passed() -> None:
    """Step 5: "a different segment that was sent later has been delivered, and the reordering window has passed"."""
    peer = up()
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(0, (2, 2), after=RTT)
    assert peer.take() == []
    peer.advance(WINDOW - 0.001)
    assert peer.take() == []
    peer.advance(0.001)
    assert peer.take_tsns() == [1]
    assert peer.association.stats.fast_retransmits == 1
    assert peer.association.stats.t3_timeouts == 0


def test_6_2_what_was_sent_so_long_before_that_the_window_has_passed_is_lost_at_once() -> None:
    peer = up()
    peer.send(FULL)
    peer.advance(WINDOW)
    peer.send(FULL)
    peer.take()
    peer.sack(0, (2, 2), after=RTT)
    assert peer.take_tsns() == [1]


def test_6_2_what_arrives_within_the_window_is_not_sent_again() -> None:
    peer = up()
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(0, (2, 2), after=RTT)
    cwnd = peer.path().cwnd
    peer.sack(2, after=WINDOW / 2)
    assert peer.path().cwnd >= cwnd
    peer.advance(5)
    assert peer.take() == []


def test_6_2_the_third_sack_with_something_overtaken_does_not_wait_while_no_reordering_was_seen() -> None:
    """Step 4: "if no reordering has been observed [...] the number of SACKed segments matches or exceeds DupThresh"."""
    peer = up()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(0, (2, 2), after=RTT)
    peer.sack(0, (2, 3))
    assert peer.take() == []
    peer.sack(0, (2, 4))
    assert peer.take_tsns() == [1]


def test_6_2_once_reordering_was_seen_it_does() -> None:
    """Step 4: "if some reordering has been observed, then RACK does not trigger fast recovery based on DupThresh"."""
    peer, last = grown()
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(last, (last + 2, last + 2), after=RTT)
    peer.sack(last + 2)  # Step 3: the first of the two came second.
    peer.send(*[FULL] * 6)
    last += 2
    peer.take()
    peer.advance(RTT)
    for number in range(2, 7):
        peer.sack(last, (last + 2, last + number))
    assert peer.take() == []
    peer.advance(WINDOW)
    assert peer.take_tsns() == [last + 1]


def test_6_2_in_a_recovery_all_that_was_overtaken_is_lost_at_once() -> None:
    """Step 4: "when no reordering has been observed, the RACK.reo_wnd is set to 0 both upon entering and during fast
    recovery".
    """
    peer, last = grown()
    peer.send(*[FULL] * 12)
    peer.take()
    peer.advance(RTT)
    for number in (2, 3, 4):
        peer.sack(last, (last + 2, last + number))
    assert peer.take_tsns()[0] == last + 1
    peer.sack(last, (last + 2, last + 6), (last + 8, last + 8))
    assert last + 7 in peer.take_tsns()


def test_6_2_a_retransmission_that_is_lost_goes_again_a_round_trip_later_with_no_new_data() -> None:
    """Section 9.1, 2: two retransmissions, of which the first is lost."""
    peer, last = grown()
    peer.send(*[FULL] * 5)
    peer.take()
    peer.advance(RTT)
    for number in (3, 4, 5):
        peer.sack(last, (last + 3, last + number))
    assert peer.take_tsns() == [last + 1, last + 2]
    peer.sack(last, (last + 2, last + 5), after=RTT)
    assert peer.take_tsns() == [last + 1]
    peer.sack(last + 5, after=RTT)
    assert peer.association.stats.t3_timeouts == 0


def test_6_2_the_acknowledgement_of_a_retransmission_shows_what_was_sent_before_it() -> None:
    """Section 9.1, 1: the first and the last packet of a flight are lost."""
    peer = up()
    for _ in range(3):
        peer.send(FULL)
        peer.advance(0.011)
    peer.take()
    peer.sack(0, (2, 2), after=RTT - 0.01)
    assert peer.take_tsns() == [1]
    peer.sack(2, after=RTT)
    assert peer.take_tsns() == [3]


def test_6_2_a_retransmission_that_is_answered_sooner_than_anything_can_be_says_nothing() -> None:
    """Step 2: "The segment was last retransmitted less than RACK.min_rtt ago": the first transmission has arrived."""
    peer, last = grown()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.advance(RTT)
    for number in (2, 3, 4):
        peer.sack(last, (last + 2, last + number))
    assert peer.take_tsns() == [last + 1]
    peer.send(FULL)  # Before the retransmission is answered, in the same window.
    peer.advance(0.001)
    peer.sack(last + 4)
    peer.advance(0.005)
    assert peer.association.stats.fast_retransmits == 1


def test_6_2_the_window_grows_by_what_came_twice() -> None:
    """Step 4: "after N round trips in which a DSACK is received, the RACK.reo_wnd becomes (N+1) * min_RTT / 4"."""
    peer, last = grown()
    for _ in range(3):
        peer.send(FULL, FULL)
        peer.take()
        peer.sack(last, (last + 2, last + 2), after=RTT)
        assert peer.wait(1)[0].tsns == [last + 1]
        peer.deliver(peer.sack_chunk(last + 2))
        peer.deliver(peer.sack_chunk(last + 2, duplicates=[last + 1]))
        last += 2
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(last, (last + 2, last + 2), after=RTT)
    peer.advance(4 * WINDOW - 0.001)
    assert peer.take() == []
    peer.advance(0.001)
    assert peer.take_tsns() == [last + 1]


def test_9_3_losses_of_one_window_reduce_it_once_and_a_lost_retransmission_again() -> None:
    """ "when RACK-TLP detects a lost retransmission, the congestion control MUST trigger an additional congestion
    response"; "only reacts once per window".
    """
    peer, last = grown()
    cwnd = peer.path().cwnd
    peer.send(*[FULL] * 12)
    peer.take()
    peer.advance(RTT)
    for number in (4, 5, 6):
        peer.sack(last, (last + 4, last + number))
    peer.sack(last, (last + 4, last + 7), (last + 9, last + 9))
    halved = peer.path().cwnd
    assert cwnd // 2 - PMDCS <= halved <= cwnd // 2 + PMDCS
    assert sorted(peer.take_tsns()) == [last + 1, last + 2, last + 3, last + 8]
    # Two of the retransmissions are lost, the next SACKs show them one by one.
    peer.advance(RTT)
    peer.sack(last, (last + 2, last + 2), (last + 4, last + 7), (last + 9, last + 9))
    quartered = peer.path().cwnd
    assert halved // 2 - PMDCS <= quartered <= halved // 2 + PMDCS
    peer.sack(last, (last + 2, last + 2), (last + 4, last + 12))
    assert peer.path().cwnd == quartered


def test_paths_are_judged_apart() -> None:
    """What was sent to another path later and arrives sooner says nothing of this one."""
    peer = up(paths=2)
    peer.send(FULL, FULL)
    peer.send(*[FULL] * 3, remote=peer.path(2).remote)
    peer.take()
    for number in (3, 4, 5):
        peer.sack(0, (3, number), after=0.02)
    peer.advance(0.01)
    assert peer.take() == []
    peer.sack(5)
    assert peer.association.stats.chunks_retransmitted == 0


def test_what_the_peer_takes_back_waits_as_if_it_had_been_sent_then() -> None:
    """RFC 9260 section 6.2.1 D iii: SACKs may have overtaken each other, so it is not lost at once."""
    peer, last = grown()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(last + 1, (last + 3, last + 3), after=RTT)
    peer.sack(last + 1)
    assert peer.take() == []
    peer.sack(last + 4, after=0.001)
    peer.advance(1)
    assert peer.take() == []


def test_what_is_taken_back_for_good_goes_again() -> None:
    peer, last = grown()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(last + 1, (last + 3, last + 3), after=RTT)
    peer.sack(last + 1)
    assert peer.wait(1)[0].tsns == [last + 2]
    peer.sack(last + 2, after=RTT)
    peer.advance(WINDOW)
    assert last + 3 in peer.take_tsns()


def test_with_rfc9260_only_miss_indications_count() -> None:
    peer = Peer(rtt=RTT, loss_recovery="rfc9260")
    peer.send(FULL, FULL)
    peer.take()
    peer.sack(0, (2, 2), after=RTT)
    peer.advance(0.9)
    assert peer.take() == []
    assert peer.path().loss_deadline > peer.now + 3600 * 1000 * MILLISECOND
