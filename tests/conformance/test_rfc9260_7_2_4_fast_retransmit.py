"""RFC 9260 section 7.2.4: fast retransmit on gap reports."""

from __future__ import annotations

from tests.conformance.peer import FULL, PMDCS, Peer


def grown(packets: int = 40, **how: object) -> tuple[Peer, int]:
    """A peer with room for many packets, and the first TSN that is yet to be sent."""
    peer = Peer(max_burst=100, **how)  # type: ignore[arg-type]
    return peer, peer.grow(packets * PMDCS) + 1


def test_the_third_miss_indication_brings_the_retransmission() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(0, (2, 2))
    peer.sack(0, (2, 3))
    assert peer.take() == []
    peer.sack(0, (2, 4))
    assert peer.take_tsns() == [1]
    assert peer.association.stats.fast_retransmits == 1
    assert peer.association.stats.t3_timeouts == 0


def test_the_same_sack_again_is_no_further_indication() -> None:
    """Nothing is newly acknowledged, so nothing is below the highest newly acknowledged TSN."""
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.take()
    for _ in range(10):
        peer.sack(0, (2, 4))
    assert peer.take() == []


def test_only_tsns_below_the_highest_newly_acknowledged_one_are_counted() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 20)
    peer.take()
    base = first - 1
    # 1 and 5 are lost. News of 2, 3 and 4 says nothing of 5.
    peer.sack(base, (base + 6, base + 6))
    peer.sack(base, (base + 2, base + 2), (base + 6, base + 6))
    peer.sack(base, (base + 2, base + 3), (base + 6, base + 6))
    assert peer.take_tsns()[0] == base + 1
    peer.sack(base, (base + 2, base + 4), (base + 6, base + 6))
    assert base + 5 not in peer.take_tsns()
    peer.sack(base, (base + 2, base + 4), (base + 6, base + 7))
    peer.sack(base, (base + 2, base + 4), (base + 6, base + 8))
    assert peer.association.tcb.outstanding.was_fast(base + 5 + peer.tsn - 1 + (1 << 32))


def test_the_earliest_lost_chunks_that_fit_into_one_packet_go_whatever_cwnd_says() -> None:
    peer = Peer()
    peer.send(*[300] * 14)
    peer.take()
    assert peer.path().flight_size >= peer.path().cwnd - 316
    for last in (9, 10, 11):
        peer.sack(0, (9, last))
    packets = peer.take()
    assert packets[0].tsns == [1, 2, 3, 4]
    # The rest is marked as well and waits for cwnd.
    outstanding = peer.association.tcb.outstanding
    assert outstanding.marked_chunks + sum(len(packet.tsns) for packet in packets) >= 8


def test_it_does_not_wait_for_room_in_the_window_that_was_halved() -> None:
    """ "the sender SHOULD ignore the value of cwnd and SHOULD NOT delay retransmission for this single packet"."""
    peer, first = grown()
    peer.send(*[FULL] * 40)
    peer.take()
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    assert peer.path().room < 0
    assert peer.take_tsns() == [first]
    peer.sack(first - 1, (first + 1, first + 4))
    assert peer.take_tsns() == []


def test_a_fast_retransmission_that_is_lost_goes_again_only_after_news_of_what_was_sent_behind_it() -> None:
    """Item 5 makes it wait for T3-rtx: we depart from that (ARCHITECTURE.md)."""
    peer, first = grown()
    peer.send(*[FULL] * 30)
    peer.take()
    tsns: list[int] = []
    for last in range(1, 30):
        peer.sack(first - 1, (first + 1, first + last))
        tsns += peer.take_tsns()
    assert tsns.count(first) == 1
    peer.send(*[FULL] * 6)
    behind = peer.take_tsns()
    assert len(behind) >= 3
    for tsn in behind[:2]:
        peer.sack(first - 1, (first + 1, tsn))
        assert first not in peer.take_tsns()
    peer.sack(first - 1, (first + 1, behind[2]))
    assert first in peer.take_tsns()
    assert peer.association.stats.t3_timeouts == 0


def test_a_fast_retransmission_with_nothing_sent_behind_it_waits_for_the_timer() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 30)
    peer.take()
    for last in range(1, 30):
        peer.sack(first - 1, (first + 1, first + last))
        peer.take()
    peer.advance_to(peer.path().t3_deadline)
    assert peer.take_tsns()[0] == first


def test_the_window_is_halved_once_for_all_losses_of_one_window() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 40)
    base = first - 1
    for last in (3, 4, 5):
        peer.sack(base + 1, (base + 3, base + last))
    cwnd = peer.path().cwnd
    for last in (12, 13, 14):
        peer.sack(base + 1, (base + 3, base + 9), (base + 12, base + last))
    assert peer.association.stats.fast_retransmits >= 3
    assert peer.path().cwnd == cwnd


def test_fast_recovery_ends_with_the_highest_tsn_that_was_outstanding_when_it_began() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 20)
    sent = peer.last_tsn
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    outstanding = peer.association.tcb.outstanding
    assert outstanding.in_fast_recovery
    cwnd = peer.path().cwnd
    peer.sack(sent - 1)
    assert outstanding.in_fast_recovery
    peer.send(*[FULL] * 40)
    peer.sack(sent)
    assert not outstanding.in_fast_recovery
    assert peer.path().cwnd == cwnd
    # A loss after that halves it again.
    base = sent
    for last in (1, 2, 3):
        peer.sack(base, (base + 2, base + 1 + last))
    assert outstanding.in_fast_recovery
    assert peer.path().cwnd < cwnd


def test_in_fast_recovery_a_sack_that_moves_the_ack_point_counts_for_everything_it_reports_missing() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 20)
    peer.take()
    base = first - 1
    # 1, 6 and 7 are lost; the retransmission of 1 moves the ack point to 5.
    for last in (2, 3, 4):
        peer.sack(base, (base + 2, base + last))
    peer.sack(base, (base + 2, base + 5), (base + 8, base + 8))
    peer.sack(base, (base + 2, base + 5), (base + 8, base + 9))
    peer.take()
    peer.sack(base + 5, (base + 8, base + 9))
    outstanding = peer.association.tcb.outstanding
    for lost in (6, 7):
        assert outstanding.was_fast(base + lost + peer.tsn - 1 + (1 << 32))


def test_new_acknowledgements_grow_the_window_before_it_is_halved() -> None:
    peer = Peer()
    peer.send(*[FULL] * 40)
    peer.take()
    peer.sack(0, (2, 2))
    peer.sack(0, (2, 3))
    cwnd = peer.path().cwnd
    assert cwnd == 4404 + 2 * PMDCS
    peer.sack(0, (2, 4))
    assert peer.path().cwnd == max((cwnd + PMDCS) // 2, 4 * PMDCS)


def test_a_timeout_ends_fast_recovery_and_slow_start_takes_over() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 30)
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    peer.advance_to(peer.path().t3_deadline)
    assert not peer.association.tcb.outstanding.in_fast_recovery
    assert peer.path().cwnd == PMDCS
    peer.sack(first + 3)
    assert peer.path().cwnd == 2 * PMDCS


def test_data_of_one_path_that_overtakes_that_of_another_is_no_loss_before_the_third_report() -> None:
    peer = Peer(paths=2)
    peer.send(FULL, FULL)
    peer.send(*[FULL] * 3, remote=peer.path(2).remote)
    peer.take()
    peer.sack(0, (3, 3))
    peer.sack(0, (3, 4))
    peer.sack(2, (3, 4))
    peer.sack(5)
    assert peer.take() == []
    assert peer.association.stats.chunks_retransmitted == 0


def test_a_retransmission_that_is_lost_again_halves_the_window_again() -> None:
    peer, first = grown()
    peer.send(*[FULL] * 30)
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    cwnd = peer.path().cwnd
    peer.take()
    peer.sack(first - 1, (first + 1, peer.last_tsn))
    peer.send(*[FULL] * 6)
    behind = peer.take_tsns()
    for tsn in behind[:3]:
        peer.sack(first - 1, (first + 1, tsn))
    assert peer.path().cwnd == max(cwnd // 2, 4 * PMDCS)
    assert peer.association.tcb.outstanding.in_fast_recovery
