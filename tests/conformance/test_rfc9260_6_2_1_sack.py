"""RFC 9260 section 6.2.1: processing a received SACK chunk."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.events import CommunicationLost, SenderDry, Writable
from sctpx.core.overhead import MESSAGE
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_PROTOCOL_VIOLATION
from sctpx.wire.tlv import chunk
from tests.conformance.peer import FULL, PMDCS, Peer


def rwnd(peer: Peer) -> int:
    """What the stack thinks the peer has room for."""
    return peer.association.tcb.peer_rwnd


def test_a_rwnd_begins_as_the_a_rwnd_of_the_init_ack() -> None:
    assert rwnd(Peer(a_rwnd=77_777)) == 77_777


def test_b_what_is_sent_and_sent_again_is_subtracted_by_its_data_size() -> None:
    peer = Peer(a_rwnd=50_000)
    peer.send(1000, 1000, 500)
    assert rwnd(peer) == 50_000 - 2500
    peer.advance(1)
    assert peer.path().flight_size == 1016  # The others wait for cwnd.
    assert rwnd(peer) == 50_000 - 1000


def test_c_what_t3_rtx_marks_is_added() -> None:
    peer = Peer(a_rwnd=50_000)
    peer.send(*[FULL] * 4)
    assert rwnd(peer) == 50_000 - 4 * FULL
    peer.advance(1)
    assert rwnd(peer) == 50_000 - FULL


def test_c_what_a_third_miss_marks_is_added() -> None:
    peer = Peer(a_rwnd=100_000)
    peer.send(*[FULL] * 4)
    for last in (2, 3, 4):
        peer.sack(0, (2, last), a_rwnd=100_000 - (last - 1) * FULL)
    assert peer.take_tsns()[-1] == 1
    assert rwnd(peer) == 100_000 - 3 * FULL - FULL


def test_d_i_an_older_sack_is_dropped() -> None:
    peer = Peer(a_rwnd=50_000)
    peer.send(*[FULL] * 4)
    peer.sack(2)
    before = (rwnd(peer), peer.path().flight_size, peer.path().cwnd)
    peer.sack(1, (3, 4), a_rwnd=7)
    assert (rwnd(peer), peer.path().flight_size, peer.path().cwnd) == before


def test_d_ii_rwnd_is_the_a_rwnd_less_what_is_still_outstanding() -> None:
    peer = Peer(a_rwnd=50_000)
    peer.send(*[FULL] * 4)
    peer.sack(1, (3, 3), a_rwnd=30_000)
    assert rwnd(peer) == 30_000 - 2 * FULL
    peer.sack(1, (3, 3), a_rwnd=1000)
    assert rwnd(peer) == 0


def test_d_ii_padding_counts_for_three_bytes_a_chunk_at_most() -> None:
    peer = Peer(a_rwnd=50_000)
    peer.send(*[1] * 100)
    peer.sack(0, (100, 100), a_rwnd=50_000)
    assert 50_000 - 4 * 99 <= rwnd(peer) <= 50_000 - 99


def test_d_iii_what_was_taken_back_is_in_flight_again_and_has_one_miss_indication() -> None:
    peer = Peer()
    peer.send(*[100] * 12)
    peer.sack(0, (4, 6))
    flight = peer.path().flight_size
    peer.sack(0, (4, 5))
    assert peer.path().flight_size == flight + 116
    # 6 has one miss indication; two more make three.
    peer.sack(0, (4, 5), (7, 7))
    assert 6 not in peer.take_tsns()[12:]
    peer.sack(0, (4, 5), (7, 8))
    assert 6 in peer.take_tsns()


def test_d_iii_t3_rtx_is_started_for_what_was_taken_back() -> None:
    peer = Peer(paths=2)
    peer.send(FULL)
    peer.send(FULL, remote=peer.path(2).remote)
    peer.sack(0, (2, 2))
    assert peer.t3(2) > 1e6
    peer.advance(0.5)
    peer.sack(0)
    assert peer.t3(2) == 1.0  # Section 6.3.2 R4.
    assert peer.t3(1) == pytest.approx(0.5)


def test_d_iv_fast_recovery_ends_when_all_that_was_outstanding_is_acknowledged() -> None:
    peer = Peer()
    first = peer.grow(20 * PMDCS) + 1
    peer.send(*[FULL] * 10)
    last = peer.last_tsn
    for arrived in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + arrived))
    outstanding = peer.association.tcb.outstanding
    assert outstanding.in_fast_recovery
    newest = peer.last_tsn
    assert newest > last
    peer.sack(outstanding.fast_recovery_exit - peer.tsn - (1 << 32))
    assert outstanding.in_fast_recovery
    peer.sack(outstanding.fast_recovery_exit - peer.tsn - (1 << 32) + 1)
    assert not outstanding.in_fast_recovery


@pytest.mark.parametrize(("cumulative", "gap"), [(5, None), (100_000, None), (1, (3, 5)), (0, (4, 60_000))])
def test_a_sack_of_a_tsn_never_sent_aborts_the_association(cumulative: int, gap: tuple[int, int] | None) -> None:
    peer = Peer()
    peer.send(*[100] * 4)
    peer.take()
    peer.sack(cumulative, *([gap] if gap else []))
    [packet] = peer.take()
    assert [code for code, _ in parse_causes(packet.value("ABORT"))] == [CAUSE_PROTOCOL_VIOLATION]
    [lost] = peer.events_of(CommunicationLost)
    assert not lost.by_peer


def test_everything_up_to_the_last_tsn_sent_may_be_acknowledged() -> None:
    peer = Peer()
    peer.send(*[100] * 4)
    peer.sack(0, (2, 4))
    peer.sack(4)
    assert peer.association.state == ESTABLISHED
    assert peer.association.tcb.outstanding.empty


@pytest.mark.parametrize(
    "value",
    [b"", bytes(11), b"\xff" * 8 + b"\0\1\0\0", b"\xff" * 8 + b"\0\0\0\1" + bytes(3)],
    ids=["empty", "short", "a block missing", "a duplicate missing"],
)
def test_a_malformed_sack_changes_nothing(value: bytes) -> None:
    peer = Peer()
    peer.send(*[100] * 4)
    before = (rwnd(peer), peer.path().flight_size)
    peer.deliver(chunk(3, 0, value))
    assert peer.association.state == ESTABLISHED
    assert (rwnd(peer), peer.path().flight_size) == before


def test_gap_ack_blocks_that_overlap_or_stand_out_of_order_count_once() -> None:
    peer = Peer()
    peer.send(*[100] * 10)
    peer.sack(0, (6, 8), (3, 6), (4, 4), (10, 9))
    assert peer.association.tcb.outstanding.flight_chunks == 4
    peer.sack(10)
    assert peer.path().flight_size == 0


def test_duplicates_in_a_sack_change_nothing() -> None:
    peer = Peer()
    peer.send(*[100] * 4)
    peer.deliver(peer.sack_chunk(2, duplicates=[1, 1, 2, 77]))
    assert peer.association.tcb.outstanding.flight_chunks == 2


def test_acknowledged_data_makes_room_in_the_send_buffer_and_the_last_makes_it_dry() -> None:
    cost = 1000 + MESSAGE
    peer = Peer(send_buffer=3 * cost)
    peer.association.want_writable()
    for _ in range(4):
        peer.send(1000)
    assert (peer.association.send_space, peer.association.pending) == (-cost, 4000)
    peer.sack(1)
    assert (peer.association.send_space, len(peer.events_of(Writable))) == (0, 0)
    peer.sack(2)
    assert (peer.association.send_space, len(peer.events_of(Writable))) == (cost, 1)
    assert not peer.events_of(SenderDry)
    peer.sack(4)
    assert (peer.association.send_space, len(peer.events_of(SenderDry))) == (3 * cost, 1)
    assert peer.association.pending == 0


def test_a_shutdown_acknowledges_and_takes_nothing_back_and_counts_into_the_window() -> None:
    peer = Peer(a_rwnd=10_000)
    peer.send(*[1000] * 10)
    peer.sack(1, (4, 4), a_rwnd=8000)
    flight = peer.path().flight_size
    window = rwnd(peer)
    peer.deliver(peer.shutdown_chunk(2))
    assert peer.association.tcb.outstanding.gaps
    assert peer.path().flight_size + rwnd(peer) + 16 >= flight + window


def test_sacks_that_arrive_together_do_what_they_do_one_by_one() -> None:
    states = []
    for together in (True, False):
        peer = Peer(rtt=0.02, max_burst=1000)
        acknowledged = peer.grow(20 * PMDCS)
        peer.send(*[FULL] * 400)
        for _ in range(8):
            peer.advance(0.05)
            sacks = [peer.sack_chunk(acknowledged + number) for number in (1, 2, 4, 8)]
            acknowledged += 8
            if together:
                peer.deliver_together(*sacks)
            else:
                for one in sacks:
                    peer.deliver(one)
            peer.association.tcb.outstanding.check_invariants()
        path = peer.path()
        states.append((path.flight_size, path.cwnd, peer.last_tsn, rwnd(peer), peer.t3(), path.earliest_tsn))
    assert states[0] == states[1]
