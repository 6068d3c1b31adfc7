"""DATA and SACK (RFC 9260 section 6): what each counts, moves and draws, one by one."""

from __future__ import annotations

import pytest

from sctpx.core.association import probe, transfer
from sctpx.core.association.probe import Probe
from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.association.transfer import LATE, MAX_LONG_SACKS, MAX_SACKS
from sctpx.core.events import SenderDry, Writable
from sctpx.core.path.newreno import NewReno
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.core.timers import NEVER
from sctpx.wire.codes import DATA_BEGIN, DATA_IMMEDIATE
from sctpx.wire.serial import extend_tsn
from tests.conformance.peer import FULL, PMDCS, Peer


def receive(peer: Peer, tsn: int, length: int = 100, *, flags: int = 3, stream: int = 0) -> int:
    """What the SACK has to know of one DATA chunk; TSNs count from 1."""
    tcb = peer.association.tcb
    tcb.begin_packet(peer.path())
    number = (peer.peer_tsn + tsn - 1) & 0xFFFFFFFF
    return transfer.handle_data(tcb, flags, number, stream, tsn - 1, 0, bytes(length))


# --- DATA ---


def test_a_tsn_that_came_before_is_counted_and_acknowledged_at_once() -> None:
    """Section 6.2."""
    peer = Peer()
    assert [receive(peer, tsn) for tsn in (1, 1, 2)] == [0, 2, 0]
    stats = peer.association.stats
    assert (stats.duplicate_tsns, stats.messages_received, stats.bytes_received) == (1, 2, 200)
    peer.deliver(peer.data(1), peer.data(2))
    assert peer.take()[-1].sack.duplicates == [1, 1, 2]
    peer.deliver(peer.data(3), peer.data(4))
    peer.advance(0.3)
    assert peer.take()[-1].sack == (4, peer.association.local_rwnd, [], [])


def test_a_gap_is_acknowledged_at_once_until_it_is_closed() -> None:
    """Section 6.7."""
    peer = Peer()
    assert [receive(peer, tsn) for tsn in (1, 3, 4, 2, 5)] == [0, 1, 1, 1, 0]
    assert peer.association.stats.out_of_sequence_tsns == 2
    assert peer.association.readable == 5


def test_the_i_bit_asks_for_an_acknowledgement_at_once() -> None:
    """RFC 7053 section 5.2."""
    assert receive(Peer(), 1, flags=3 | DATA_IMMEDIATE) == 1


def test_a_chunk_without_data_ends_the_association() -> None:
    """Section 6.2."""
    peer = Peer()
    assert receive(peer, 1, 0) == -1
    peer.stack.touch(peer.association)
    peer.settle()
    [packet] = peer.take()
    assert packet.names == ["ABORT"]
    assert packet.value("ABORT")[4:] == peer.peer_tsn.to_bytes(4, "big")


def test_fragments_that_break_the_rules_end_the_association() -> None:
    """Section 6.9."""
    peer = Peer()
    assert receive(peer, 1, flags=DATA_BEGIN) == 0
    assert receive(peer, 2, flags=DATA_BEGIN) == -1
    assert peer.association.state == CLOSED


def test_data_on_a_stream_that_is_not_there_is_acknowledged_reported_and_dropped() -> None:
    """Section 6.5."""
    peer = Peer()
    streams = peer.association.inbound_streams
    assert [receive(peer, tsn, stream=stream) for tsn, stream in ((1, streams - 1), (2, streams))] == [0, 1]
    assert (peer.association.stats.invalid_streams, peer.association.readable) == (1, 1)
    peer.stack.touch(peer.association)
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["ERROR"]]


def test_what_a_gap_has_held_up_is_handed_over_when_the_gap_closes() -> None:
    peer = Peer()
    receive(peer, 2)
    assert peer.association.readable == 0
    receive(peer, 1)
    assert peer.association.readable == 2


def test_while_the_window_is_closed_only_what_comes_before_the_highest_tsn_is_taken() -> None:
    """Section 6.2: "the receiver MUST only accept DATA chunks that cause the Cumulative TSN Ack to be incremented"."""
    peer = Peer(receive_buffer=4096)
    window = peer.association.tcb.window
    assert [receive(peer, tsn, 1400) for tsn in (2, 4, 5)] == [1, 1, 1]
    assert receive(peer, 6, 10) == 1
    assert peer.association.stats.packets_discarded == 1
    assert [receive(peer, tsn, 1400) for tsn in (1, 3)] == [1, 1]
    assert (window.held, peer.association.readable) == (5 * 1400, 5)
    assert receive(peer, 6, 10) == 1
    assert peer.association.readable == 5
    peer.read()
    transfer.make_sack(peer.association.tcb)
    assert receive(peer, 6, 10) == 0


def test_an_acknowledgement_goes_to_where_the_last_data_came_from_and_from_where_it_came_to() -> None:
    """Section 6.4."""
    peer = Peer(paths=2)
    for tsn, path in ((1, 1), (2, 2), (3, 2), (4, 1)):
        peer.deliver(peer.data(tsn), peer.data(tsn), path=path)
        [packet] = peer.take()
        assert (packet.path, packet.source) == (path, bytes((10, 0, path, 1)))


def test_in_shutdown_sent_data_draws_a_shutdown_and_a_sack_if_there_is_a_gap() -> None:
    """Section 9.2."""
    peer = Peer()
    peer.shutdown()
    peer.take()
    peer.deliver(peer.data(1))
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN"]]
    peer.deliver(peer.data(3))
    assert [sorted(packet.names) for packet in peer.take()] == [["SACK", "SHUTDOWN"]]
    peer.advance(0.5)
    assert peer.take() == []  # No SACK is delayed.


# --- SACKs of ours ---


def test_a_sack_has_as_many_blocks_as_a_packet_has_room_for() -> None:
    """Section 6.7: "from the lowest to highest TSNs", and duplicates in what room is left."""
    peer = Peer()
    peer.association.configure_path(peer.now, peer.path().remote, mtu=600)
    for tsn in range(2, 400, 2):
        receive(peer, tsn, 1)
    peer.deliver(peer.data(402, 1))
    [packet] = peer.take()
    room = (600 - 12 - 16) // 4
    assert len(packet.bytes) == 12 + 16 + 4 * room <= 600
    assert packet.sack.gaps == [(tsn, tsn) for tsn in range(2, 2 * room + 1, 2)]
    assert packet.sack.duplicates == []
    peer.association.configure_path(peer.now, peer.path().remote, mtu=1000)
    receive(peer, 2, 1)
    receive(peer, 2, 1)
    peer.deliver(peer.data(404, 1))
    [packet] = peer.take()
    assert (len(packet.sack.gaps), packet.sack.duplicates) == (201, [2, 2])


@pytest.mark.parametrize(("gap", "most"), [(False, MAX_SACKS), (True, MAX_LONG_SACKS)])
def test_few_sacks_wait_while_the_link_takes_nothing(gap: bool, most: int) -> None:
    """The last one says it all."""
    peer = Peer()
    tcb = peer.association.tcb
    receive(peer, 2 if gap else 1)
    for number in range(1, most + 3):
        transfer.make_sack(tcb)
        assert len(tcb.sack_chunks) == (number if number <= most else number - most)
    assert tcb.stats.sacks_sent == most + 2


# --- SACKs of the peer ---


def test_sacks_are_counted_and_those_with_blocks_apart() -> None:
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    before = peer.association.stats.sacks_received
    peer.sack(1)
    peer.sack(1, (3, 3))
    peer.sack(3)
    stats = peer.association.stats
    assert (stats.sacks_received - before, stats.gap_sacks_received) == (3, 1)


@pytest.mark.parametrize(
    ("cumulative", "gaps", "lie"), [(2, [], False), (3, [], True), (0, [(2, 2)], False), (0, [(2, 3)], True)]
)
def test_to_acknowledge_what_was_never_sent_ends_the_association(
    cumulative: int, gaps: list[tuple[int, int]], lie: bool
) -> None:
    """Section 12.4."""
    peer = Peer()
    peer.send(FULL, FULL)
    peer.sack(cumulative, *gaps)
    assert peer.association.state == (CLOSED if lie else ESTABLISHED)


def test_a_block_cannot_cover_the_tsn_that_is_missing() -> None:
    """Whatever it says, that TSN is in flight."""
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    peer.sack(0, (1, 2))
    assert peer.path().flight_size == 2 * PMDCS
    peer.sack(0, (1, 1))
    assert peer.association.unacknowledged == 3


@pytest.mark.parametrize("short", [True, False])
def test_an_acknowledgement_ends_timeouts_and_restarts_the_timer(short: bool) -> None:
    """Sections 6.3.2 (R2, R3) and 8.1; a duplicate TSN in front of it, which says nothing, sends it the long way."""
    peer = Peer(rtt=0.1)
    peer.send(FULL, FULL)
    tcb, path = peer.association.tcb, peer.path()
    for number in (1, 2):
        tcb.error_count = 3
        tcb.probe = Probe()
        tcb.probe.state = probe.SENT
        if short:
            peer.sack(number, after=0.1)
        else:
            peer.deliver(peer.sack_chunk(number, (number + 1, number + 1)) if number == 1 else peer.sack_chunk(number))
        assert tcb.error_count == 0
        if number == 1:
            assert path.t3_deadline == peer.now + path.rto
            assert path.moved_on_at == path.last_acknowledged == peer.now
    assert (path.t3_deadline, path.earliest_tsn, path.flight_size) == (NEVER, -1, 0)
    assert tcb.probe is None


def test_the_window_of_the_peer_is_what_it_says_without_what_is_in_flight() -> None:
    """Section 6.2.1 D ii."""
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    peer.sack(1, a_rwnd=10_000)
    assert peer.association.peer_rwnd == 10_000 - 2 * FULL
    peer.sack(2, a_rwnd=100)
    assert peer.association.peer_rwnd == 0


def test_a_round_releases_what_was_acknowledged_beside_max_burst() -> None:
    """Section 6.1 D."""
    for blocks in ([], [(5, 5)]):
        peer = Peer(max_burst=1)
        tcb = peer.association.tcb
        peer.grow(20 * PMDCS)
        last = peer.last_tsn
        peer.send(*[FULL] * 40)
        for _ in range(9):
            peer.association.begin_round()
            peer.stack.touch(peer.association)
            peer.settle()
        assert peer.last_tsn == last + 10
        peer.take()
        peer.sack(last + 3, *[(last + first, last + end) for first, end in blocks])
        assert len(peer.take_tsns()) == 1 + 3 + len(blocks)
        assert tcb.burst == 0


@pytest.mark.parametrize("why", ["doubtful", "errors", "init", "state", "preferred"])
def test_whatever_was_held_against_a_path_ends_when_it_carries_data(why: str) -> None:
    """Section 8.1; CX10 for the user's first address, which gets the data once it answers."""
    peer = Peer(paths=2)
    tcb, path = peer.association.tcb, peer.path(2)
    peer.send(100, remote=path.remote)
    if why == "doubtful":
        path.doubtful = True
    elif why == "errors":
        path.error_count = 1
    elif why == "init":
        path.unanswered_inits = 1
    elif why == "state":
        path.state = PATH_POTENTIALLY_FAILED
    else:
        tcb.preferred_primary = path
    peer.sack(1, path=2)
    assert (path.doubtful, path.error_count, path.unanswered_inits, path.state) == (False, 0, 0, PATH_ACTIVE)
    assert path.last_acknowledged == peer.now
    assert (tcb.primary is path) is (why == "preferred")


def test_a_large_packet_that_has_passed_lifts_the_suspicion_of_a_black_hole_and_a_small_one_does_not() -> None:
    """RFC 8899 section 4.3."""
    for size, kept in ((100, True), (FULL, False)):
        peer = Peer()
        path = peer.path()
        path.timed_out_tsn = 5
        peer.send(size)
        peer.sack(1)
        assert (path.timed_out_tsn == 5) is kept


def test_the_congestion_window_grows_with_what_is_acknowledged_and_not_in_fast_recovery() -> None:
    """Section 7.2.1."""
    peer = Peer()
    peer.send(*[FULL] * 20)
    cwnd = peer.path().cwnd
    peer.sack(1)
    assert peer.path().cwnd == cwnd + PMDCS
    peer.sack(1, (3, 3))
    assert peer.path().cwnd == cwnd + 2 * PMDCS
    peer = Peer()
    peer.grow(20 * PMDCS)
    last = peer.last_tsn
    peer.send(*[FULL] * 20)
    for end in (2, 3, 4):
        peer.sack(last, (last + 2, last + end))
    cwnd = peer.path().cwnd
    peer.sack(last + 1, (last + 3, last + 8))
    assert peer.path().cwnd == cwnd


def test_a_shutdown_that_acknowledges_nothing_new_says_nothing() -> None:
    """Section 9.2: it has no Gap Ack Blocks, and takes nothing back."""
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    peer.sack(1, (3, 3))
    before = (peer.path().flight_size, peer.association.peer_rwnd)
    transfer.acknowledge_by_shutdown(peer.association.tcb, peer.now, peer.association.tcb.outstanding.next_tsn - 3)
    assert (peer.path().flight_size, peer.association.peer_rwnd) == before
    transfer.acknowledge_by_shutdown(peer.association.tcb, peer.now, peer.association.tcb.outstanding.next_tsn)
    assert peer.association.state == CLOSED


@pytest.mark.parametrize(("a_rwnd", "state"), [(0, probe.ANSWERED), (99, probe.ANSWERED), (100, probe.IDLE)])
def test_a_sack_that_acknowledges_no_probe_since_there_is_no_room_is_an_answer(a_rwnd: int, state: int) -> None:
    """Section 6.1 A: no timeout of what the peer has dropped is an error."""
    peer = Peer()
    peer.send(100)
    tcb = peer.association.tcb
    tcb.error_count = 2
    peer.sack(0, a_rwnd=a_rwnd)
    assert (probe.IDLE if tcb.probe is None else tcb.probe.state) == state
    assert tcb.error_count == (0 if state else 2)


def test_when_the_window_opens_what_was_dropped_goes_again_once_per_rto_as_far_as_there_is_room() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(0, a_rwnd=0)
    peer.sack(0, a_rwnd=2 * FULL)
    assert peer.take_tsns() == [1, 2]
    peer.sack(0, a_rwnd=0)
    peer.sack(0, a_rwnd=1 << 20)  # Within the same RTO: one packet asks.
    assert peer.take_tsns() == [1]
    assert peer.association.tcb.no_repeat_until == peer.now + peer.path().rto


def test_room_and_dryness_are_told_once() -> None:
    """RFC 6458 section 6.1.9 for the latter."""
    peer = Peer(send_buffer=656)
    for _ in range(3):
        peer.send(400)
    peer.association.want_writable()
    peer.sack(1)
    peer.sack(2)
    assert (peer.association.send_space, peer.events_of(Writable)) == (0, [])
    peer.association.want_writable()
    peer.send(100)
    peer.sack(3)
    assert len(peer.events_of(Writable)) == 1
    assert peer.events_of(SenderDry) == []
    peer.sack(4)
    peer.sack(4)
    assert (len(peer.events_of(Writable)), len(peer.events_of(SenderDry))) == (1, 1)
    peer.send(10)
    peer.sack(5)
    assert len(peer.events_of(SenderDry)) == 2


def test_the_congestion_controller_learns_that_all_is_acknowledged() -> None:
    """Section 7.2.2: partial_bytes_acked is reset when all data was acknowledged."""
    peer = Peer(congestion="newreno")
    peer.grow(10 * PMDCS)
    controller = peer.path().controller
    assert isinstance(controller, NewReno)
    controller.partial_bytes_acked = 77
    last = peer.last_tsn
    peer.send(100)
    peer.sack(last + 1)
    assert controller.partial_bytes_acked == 0


@pytest.mark.parametrize(("ahead", "short"), [(-1, False), (0, False), (1, True), (2, True), (4, True), (5, False)])
@pytest.mark.parametrize("tsn", [1, 0xFFFFFFFE])
def test_the_short_way_is_for_acknowledgements_of_what_is_in_flight_without_gaps(
    tsn: int, ahead: int, short: bool
) -> None:
    peer = Peer(tsn=tsn)
    peer.send(10, 10, 10, 10)
    tcb = peer.association.tcb
    said = ((tsn + ahead - 1) & 0xFFFFFFFF).to_bytes(4, "big")
    assert transfer.acknowledges_in_sequence(tcb, said) is short
    peer.sack(0, (3, 3))
    assert not transfer.acknowledges_in_sequence(tcb, said)


@pytest.mark.parametrize(
    ("former", "behind", "late"),
    [(-1, 0, False), (0, 0, True), (1000, 0, True), (1000, LATE, True), (1000, LATE + 1, False), (1000, -1, False)],
)
def test_what_acknowledges_tsns_from_before_a_reset_is_late_and_no_lie(former: int, behind: int, late: bool) -> None:
    """RFC 6525 section 5.2.7."""
    peer = Peer(tsn=0xA0000000)
    tcb = peer.association.tcb
    tcb.former_tsn = former
    before = tcb.stats.packets_discarded
    said = extend_tsn((former - behind) & 0xFFFFFFFF, tcb.outstanding.next_tsn)
    said += (1 << 32) * (said < tcb.outstanding.next_tsn)
    transfer.acknowledge(tcb, peer.now, said, 1 << 16, [])
    assert (peer.association.state == ESTABLISHED) is late
    assert tcb.stats.packets_discarded - before == late


def test_what_the_peer_takes_back_is_counted() -> None:
    """Section 6.2.1: a TSN that was in a block, and is in none any more."""
    peer = Peer()
    peer.send(FULL, FULL, FULL)
    peer.sack(0, (2, 3))
    peer.sack(0, (3, 3))
    assert peer.association.stats.tsns_taken_back == 1
    assert peer.path().flight_size == 2 * PMDCS


def test_an_acknowledgement_leaves_from_the_address_that_the_data_came_to() -> None:
    """It works, whatever became of the others."""
    peer = Peer(paths=2)
    remote, other = bytes((10, 0, 1, 2)), bytes((10, 0, 2, 1))
    peer.deliver_between(remote, other, peer.data(1), peer.data(1))
    [packet] = peer.take()
    assert (packet.destination, packet.source) == (remote, other)


def test_a_new_source_is_noted_with_the_first_message_from_there() -> None:
    peer = Peer(paths=2)
    for tsn, path in ((1, 1), (2, 2), (3, 2), (4, 1)):
        peer.deliver(peer.data(tsn), path=path)
    assert transfer.all_sources(peer.association.tcb) == [bytes((10, 0, path, 2)) for path in (1, 2, 2, 1)]
    assert len(peer.association.tcb.sources) == 3


def test_probing_rests_when_the_window_is_open_and_nothing_is_in_flight() -> None:
    """Section 6.1 A."""
    for in_flight, a_rwnd, rests in ((False, 1, True), (False, 0, False), (True, 1 << 16, False)):
        peer = Peer()
        peer.send(*[FULL] * 2)
        used = peer.association.tcb.probe = Probe()
        used.deadline, used.interval = peer.now + 10**12, 7
        peer.sack(1 if in_flight else 2, a_rwnd=a_rwnd)
        assert (used.interval == 0) is rests
        assert (used.deadline == NEVER) is rests


def test_a_reader_who_comes_after_the_peer_has_said_that_it_is_done_opens_no_window() -> None:
    """Section 9.2: in SHUTDOWN-RECEIVED no data comes any more."""
    peer = Peer(receive_buffer=8192)
    peer.send(10)
    for tsn in range(1, 6):
        peer.deliver(peer.data(tsn, 1400))
    peer.deliver(peer.shutdown_chunk(0))
    peer.advance(0.3)
    peer.take()
    peer.read()
    assert peer.take() == []
