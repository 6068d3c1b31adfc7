"""RFC 9260 section 6.2: acknowledgement on reception of DATA chunks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sctpx.core.association.state import SHUTDOWN_ACK_SENT, SHUTDOWN_RECEIVED, SHUTDOWN_SENT
from sctpx.core.association.transfer import MAX_SACKS
from sctpx.core.events import CommunicationLost
from sctpx.core.overhead import MESSAGE
from sctpx.core.rx.tsn_map import MAX_RANGES
from sctpx.wire import control
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_NO_USER_DATA, CAUSE_PROTOCOL_VIOLATION, DATA_IMMEDIATE
from sctpx.wire.data import DATA
from tests.conformance.peer import FULL, Peer

BUFFER = 1 << 20


def settled(**how: object) -> Peer:
    """A peer whose first chunk was acknowledged at once, as the first one is."""
    peer = Peer(**how)  # type: ignore[arg-type]
    peer.deliver(peer.data(1))
    assert peer.take()[0].sack.cumulative == 1
    return peer


def sacks(peer: Peer) -> list[int]:
    """The Cumulative TSN Acks of the SACKs that left."""
    return [packet.sack.cumulative for packet in peer.take() if "SACK" in packet.names]


# Delayed acknowledgement.


def test_at_least_every_second_packet_is_acknowledged() -> None:
    peer = settled()
    for tsn in range(2, 10):
        peer.deliver(peer.data(tsn))
    assert sacks(peer) == [3, 5, 7, 9]


def test_every_second_packet_not_every_second_chunk() -> None:
    peer = settled()
    for first in (2, 12, 22, 32):
        peer.deliver(*[peer.data(tsn, 10) for tsn in range(first, first + 10)])
    assert sacks(peer) == [21, 41]


def test_packets_that_arrive_together_are_acknowledged_two_by_two_as_well() -> None:
    peer = settled()
    peer.deliver_together(*[peer.data(tsn, FULL) for tsn in range(2, 12)])
    assert sacks(peer) == [3, 5, 7, 9, 11]


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.5])
def test_one_packet_alone_is_acknowledged_after_sack_delay(delay: float) -> None:
    peer = settled(sack_delay=delay)
    peer.advance(1)
    peer.deliver(peer.data(2))
    [packet] = peer.wait(1)
    assert packet.at == pytest.approx(1 + delay)
    assert packet.sack.cumulative == 2


def test_the_delay_counts_from_the_first_packet_that_is_not_acknowledged() -> None:
    peer = settled()
    for tsn in (2, 3, 4):
        peer.advance(0.15)
        peer.deliver(peer.data(tsn))
    assert sacks(peer) == [3]
    peer.advance(0.19)
    assert sacks(peer) == []
    peer.advance(0.02)
    assert sacks(peer) == [4]


def test_there_is_no_more_than_one_sack_for_each_packet() -> None:
    peer = settled()
    for tsn in range(2, 400, 3):
        peer.deliver(peer.data(tsn + 1), peer.data(tsn), peer.data(tsn), peer.data(tsn + 2))
        assert len(sacks(peer)) == 1


# At once.


@pytest.mark.parametrize("ahead", [b"", control.padding(8)], ids=["alone", "behind another chunk"])
def test_the_i_bit_is_answered_at_once(ahead: bytes) -> None:
    peer = settled()
    peer.deliver(ahead, peer.data(2, flags=3 | DATA_IMMEDIATE))
    assert sacks(peer) == [2]
    peer.deliver(ahead, peer.data(3), peer.data(4, flags=3 | DATA_IMMEDIATE), peer.data(5))
    assert sacks(peer) == [5]
    peer.deliver(ahead, peer.data(6))
    assert sacks(peer) == []


def test_a_packet_with_nothing_but_duplicates_is_acknowledged_at_once_and_they_are_reported() -> None:
    peer = settled()
    peer.deliver(peer.data(2), peer.data(3))
    peer.deliver(peer.data(1), peer.data(3))
    [packet] = peer.take()
    assert packet.sack == (3, BUFFER - 300, [], [1, 3])
    peer.deliver(peer.data(4))
    peer.deliver(peer.data(5))
    [packet] = peer.take()
    assert packet.sack.duplicates == []  # Reported once.


def test_a_duplicate_that_was_acknowledged_in_a_gap_block_is_one_as_well() -> None:
    peer = settled()
    peer.deliver(peer.data(3))
    peer.deliver(peer.data(3))
    assert [packet.sack for packet in peer.take()] == [
        (1, BUFFER - 200, [(3, 3)], []),
        (1, BUFFER - 200, [(3, 3)], [3]),
    ]
    assert len(peer.read()) == 1


def test_a_hole_is_reported_at_once_and_with_each_packet_until_it_is_filled() -> None:
    peer = settled()
    peer.deliver(peer.data(3))
    peer.deliver(peer.data(4))
    peer.deliver(peer.data(6))
    peer.deliver(peer.data(2))
    peer.deliver(peer.data(5))
    assert [packet.sack[::2] for packet in peer.take()] == [
        (1, [(3, 3)]),
        (1, [(3, 4)]),
        (1, [(3, 4), (6, 6)]),
        (4, [(6, 6)]),
        (6, []),
    ]
    peer.deliver(peer.data(7))
    assert sacks(peer) == []  # As it was before.


# What a SACK says.


def test_gap_ack_blocks_are_apart_from_each_other() -> None:
    """Section 3.3.4: "The Gap Ack Blocks SHOULD be isolated", by a TSN at least that has not come."""
    peer = Peer()
    for tsn in (1, 3, 6, 5, 8, 4):
        peer.deliver(peer.data(tsn))
    # Offsets from the Cumulative TSN Ack, as they are on the wire: a parser may put together what touches.
    assert peer.take()[-1].value("SACK")[8:] == bytes((0, 2, 0, 0, 0, 2, 0, 5, 0, 7, 0, 7))
    peer.deliver(peer.data(7))
    assert peer.take()[-1].value("SACK")[8:] == bytes((0, 1, 0, 0, 0, 2, 0, 7))


def test_all_gap_ack_blocks_are_reported_that_fit_into_a_packet_from_the_lowest_on() -> None:
    peer = settled()
    most = (1472 - 12 - 16) // 4
    for tsn in range(3, 3 + 2 * most, 2):
        peer.deliver(peer.data(tsn, 1))
    packet = peer.take()[-1]
    assert packet.sack.gaps == [(tsn, tsn) for tsn in range(3, 3 + 2 * most, 2)]
    assert len(packet.bytes) == 1472
    peer.deliver(peer.data(3 + 2 * most, 1))
    packets = peer.take()
    assert len(packets) == 1  # "MUST send only one SACK chunk"
    assert packets[0].sack.gaps == [(tsn, tsn) for tsn in range(3, 3 + 2 * most, 2)]


def test_duplicates_are_reported_in_what_the_gap_ack_blocks_leave() -> None:
    peer = settled()
    for tsn in range(3, 721, 2):
        peer.deliver(peer.data(tsn, 1))
    peer.take()
    peer.deliver(*[peer.data(tsn, 1) for tsn in (3, 5, 7, 9)])
    [packet] = peer.take()
    assert len(packet.sack.gaps) == 359
    assert packet.sack.duplicates == [3, 5]
    assert len(packet.bytes) == 1472


def test_a_chunk_is_acknowledged_no_further_ahead_than_a_gap_ack_block_can_say() -> None:
    peer = settled()
    peer.deliver(peer.data(1 + 65535))
    assert peer.take()[-1].sack.gaps == [(65536, 65536)]
    peer.deliver(peer.data(1 + 65536))
    assert peer.take()[-1].sack.gaps == [(65536, 65536)]
    assert peer.association.stats.packets_discarded == 1


# The window.


def test_a_rwnd_shrinks_with_what_is_held_and_grows_with_what_is_read() -> None:
    peer = settled()
    for tsn in range(2, 200):
        peer.deliver(peer.data(tsn, 1000))
    assert peer.take()[-1].sack.a_rwnd == BUFFER - 100 - 198 * 1000
    peer.read(100)
    peer.deliver(peer.data(200, 1000), peer.data(202, 1000))
    assert peer.take()[-1].sack.a_rwnd == BUFFER - 101 * 1000


def test_what_waits_in_reassembly_or_for_its_turn_is_held() -> None:
    peer = settled()
    peer.deliver(peer.data(2, 1000, stream=1, ssn=7))
    peer.deliver(peer.data(3, 1000, flags=2, ssn=1))
    peer.read()
    peer.deliver(peer.data(5, 1000, flags=0))
    # The hundred bytes that were read are too small a step to tell of.
    assert peer.take()[-1].sack.a_rwnd == BUFFER - 3100
    assert peer.association.readable == 0


def test_the_right_edge_of_the_window_never_moves_back_and_on_by_a_packet_at_least() -> None:
    peer = Peer(receive_buffer=20_000)
    edge = 20_000
    received = 0
    tsn = 0
    steps = []
    for number in range(400):
        if peer.association.tcb.window.credit >= 100:
            tsn += 1
            received += 100
            peer.deliver(peer.data(tsn, 100))
        if number % 3:
            peer.read(1)
        for packet in peer.take():
            moved = received + packet.sack.a_rwnd - edge
            edge += moved
            if moved:
                steps.append(moved)
    assert steps
    assert min(steps) >= 1500


def test_a_buffer_that_becomes_smaller_takes_what_the_peer_was_told_of() -> None:
    """Section 3.3.2: "this buffer space SHOULD NOT be reduced". Its user may do so; what the peer was told that there
    is room for is taken all the same, within the four-fold memory of the new buffer.
    """
    peer = Peer(receive_buffer=20_000)
    peer.deliver(peer.data(1, 1000))
    assert peer.take()[-1].sack.a_rwnd == 19_000
    peer.association.reconfigure(peer.now, replace(peer.association.config, receive_buffer=8192))
    for tsn in range(2, 21):
        peer.deliver(peer.data(tsn, 1000))
    peer.take()
    assert peer.association.stats.packets_discarded == 0
    assert peer.wait(1)[-1].sack == (20, 0, [], [])
    assert len(peer.read()) == 20
    assert peer.take()[-1].sack.a_rwnd == 8192


def test_with_the_window_closed_chunks_above_the_highest_tsn_are_dropped_and_answered_at_once() -> None:
    peer = Peer(receive_buffer=5000)
    peer.deliver(peer.data(1, 1000))
    peer.deliver(peer.data(3, 1000))
    peer.deliver(peer.data(4, 1000))
    peer.deliver(peer.data(5, 1000))
    peer.deliver(peer.data(6, 1000))
    assert peer.take()[-1].sack == (1, 0, [(3, 6)], [])
    for tsn in (7, 8):
        peer.deliver(peer.data(tsn, 1000))
        [packet] = peer.take()
        assert packet.sack == (1, 0, [(3, 6)], [])


def test_with_the_window_closed_a_chunk_that_fills_a_hole_is_taken_and_nothing_acknowledged_is_dropped() -> None:
    peer = Peer(receive_buffer=5000)
    for tsn in (1, 3, 4, 5, 6):
        peer.deliver(peer.data(tsn, 1000))
    peer.deliver(peer.data(2, 1000))
    assert peer.take()[-1].sack == (6, 0, [], [])
    assert len(peer.read()) == 6


def test_what_fills_holes_is_taken_up_to_twice_the_buffer_only() -> None:
    peer = Peer(receive_buffer=5000)
    peer.deliver(peer.data(60, 5000))
    for tsn in range(2, 59):
        peer.deliver(peer.data(tsn, 1000))
    assert peer.association.tcb.window.held == 10_000
    assert peer.take()[-1].sack[::2] == (0, [(2, 6), (60, 60)])


def test_a_window_update_is_sent_when_a_quarter_of_the_buffer_was_read() -> None:
    peer = Peer(receive_buffer=40_000)
    for tsn in range(1, 41):
        peer.deliver(peer.data(tsn, 1000))
    peer.advance(1)
    assert peer.take()[-1].sack.a_rwnd == 0
    updates = []
    for number in range(1, 41):
        peer.read(1)
        updates += [(number, packet.sack.a_rwnd) for packet in peer.take()]
    assert updates == [(10, 10_000), (20, 20_000), (30, 30_000), (40, 40_000)]


def test_a_reader_that_keeps_up_causes_no_window_updates() -> None:
    peer = Peer()
    for tsn in range(1, 1001):
        peer.deliver(peer.data(tsn, FULL))
        peer.read()
    assert len(peer.take()) <= 1001 // 2 + 1


def test_a_chunk_that_the_whole_buffer_has_no_memory_for_is_taken_once_if_there_is_room() -> None:
    """6.1 A: a peer that was told of any room may have one chunk in flight. The buffer was made smaller meanwhile."""
    peer = Peer(receive_buffer=4096)
    peer.deliver(peer.data(1, 60_000))
    peer.deliver(peer.data(2, 60_000))
    assert peer.association.tcb.tsn_map.cumulative_tsn & 0xFFFFFFFF == peer.peer_tsn
    assert [len(message) for message in peer.read()] == [60_000]
    peer.deliver(peer.data(2, 60_000))
    assert [len(message) for message in peer.read()] == [60_000]


def test_a_flood_of_tiny_messages_that_nobody_reads_is_bounded_by_the_window() -> None:
    peer = Peer(receive_buffer=4096)
    for first in range(1, 20_000, 50):
        peer.deliver(*[peer.data(tsn, 1) for tsn in range(first, first + 50)])
    assert peer.association.readable == 4 * 4096 // (1 + MESSAGE)
    assert peer.take()[-1].sack == (peer.association.readable, 0, [], [])


def test_messages_that_are_never_due_are_dropped_before_they_cost_too_much() -> None:
    """In sequence, with SSNs that begin at 1: nothing that could still come makes it their turn."""
    peer = Peer(receive_buffer=4096)
    for first in range(1, 20_000, 50):
        peer.deliver(*[peer.data(tsn, 1, ssn=tsn) for tsn in range(first, first + 50)])
    assert peer.association.tcb.reassembly.apart == 2 * 4 * 4096 // (1 + MESSAGE * 3 // 2)
    assert peer.association.readable == 0
    assert not peer.association.ended


@pytest.mark.parametrize(("buffer", "kept"), [(4096, 4 * 4096 // (1 + 2 * MESSAGE) + 1), (1 << 20, MAX_RANGES)])
def test_a_flood_of_tiny_fragments_is_bounded_by_what_they_cost_and_by_the_ranges_that_are_kept(
    buffer: int, kept: int
) -> None:
    peer = Peer(receive_buffer=buffer)
    for first in range(2, 40_000, 100):
        peer.deliver(*[peer.data(tsn, 1, flags=0, ssn=0) for tsn in range(first, first + 100, 2)])
    assert peer.association.tcb.window.held == kept
    assert peer.association.readable == 0


def test_what_comes_next_in_sequence_is_taken_although_what_waits_for_it_has_filled_the_memory() -> None:
    peer = Peer(receive_buffer=4096)
    for tsn in range(100, 1, -1):
        peer.deliver(peer.data(tsn, 1))
    waiting = peer.association.tcb.reassembly.apart
    assert 40 < waiting < 45
    for tsn in range(1, 100 - waiting + 1):
        peer.deliver(peer.data(tsn, 1))
    assert peer.association.readable == 100


# In which states.


def test_data_is_taken_in_shutdown_sent_and_answered_with_a_shutdown_at_once() -> None:
    peer = settled()
    peer.shutdown()
    assert peer.association.state == SHUTDOWN_SENT
    peer.take()
    peer.deliver(peer.data(2))
    [packet] = peer.take()
    assert packet.names == ["SHUTDOWN"]
    assert packet.value("SHUTDOWN") == (peer.peer_tsn + 1).to_bytes(4, "big")
    assert len(peer.read()) == 2


def test_in_shutdown_sent_a_sack_tells_of_holes_duplicates_and_dropped_chunks() -> None:
    peer = settled(receive_buffer=5000)
    peer.shutdown()
    peer.take()
    peer.deliver(peer.data(3, 4900))
    [packet] = peer.take()
    assert sorted(packet.names) == ["SACK", "SHUTDOWN"]
    assert packet.sack == (1, 0, [(3, 3)], [])
    peer.deliver(peer.data(3, 4900))
    assert peer.take()[0].sack.duplicates == [3]
    peer.deliver(peer.data(2))
    assert peer.take()[0].sack.cumulative == 3
    peer.deliver(peer.data(4))
    assert peer.take()[0].sack == (3, 0, [], [])


def test_in_shutdown_sent_reading_opens_the_window_as_before() -> None:
    peer = settled(receive_buffer=5000)
    peer.shutdown()
    peer.deliver(peer.data(2, 4900))
    peer.take()
    peer.read()
    assert peer.take()[0].sack.a_rwnd == 5000


@pytest.mark.parametrize("state", [SHUTDOWN_RECEIVED, SHUTDOWN_ACK_SENT])
def test_data_is_discarded_once_the_peer_said_there_is_none_left(state: int) -> None:
    peer = settled()
    if state == SHUTDOWN_RECEIVED:
        peer.send(100)
    peer.deliver(peer.shutdown_chunk(0))
    assert peer.association.state == state
    peer.take()
    peer.deliver(peer.data(2))
    assert peer.take() == []
    assert len(peer.read()) == 1


# What is wrong.


def test_a_chunk_without_user_data_aborts_the_association() -> None:
    peer = settled()
    peer.deliver(peer.data(2, b""))
    [packet] = peer.take()
    assert packet.names == ["ABORT"]
    assert parse_causes(packet.value("ABORT")) == [(CAUSE_NO_USER_DATA, (peer.peer_tsn + 1).to_bytes(4, "big"))]
    assert peer.events_of(CommunicationLost)


@pytest.mark.parametrize("length", [4, 8, 15])
def test_a_chunk_shorter_than_its_header_aborts_the_association(length: int) -> None:
    peer = settled()
    peer.deliver(DATA.pack(0, 3, length, 0, 0, 0, 0)[: (length + 3) & ~3])
    [packet] = peer.take()
    assert [code for code, _ in parse_causes(packet.value("ABORT"))] == [CAUSE_PROTOCOL_VIOLATION]


def test_flags_that_mean_nothing_yet_are_ignored() -> None:
    peer = settled()
    peer.deliver(peer.data(2, b"a", flags=0xF2, ssn=1))
    peer.deliver(peer.data(3, b"b", flags=0xF0, ssn=1))
    peer.deliver(peer.data(4, b"c", flags=0x01, ssn=1))
    assert peer.read()[1:] == [b"abc"]


# The option stretch_sack, a documented departure from the rule of every second packet.


def burst(peer: Peer, first: int, packets: int, size: int = FULL) -> list[int]:
    """Packets that arrive together and are read: the SACKs they draw."""
    peer.deliver_together(*[peer.data(tsn, size) for tsn in range(first, first + packets)])
    found = sacks(peer)
    peer.read()
    peer.take()
    return found


def steady(**how: object) -> tuple[Peer, int]:
    """A peer that got the first MiB in bursts, and the next TSN."""
    peer = settled(stretch_sack=True, **how)
    tsn = 2
    while peer.association.stats.bytes_received <= 1 << 20:
        assert len(burst(peer, tsn, 16)) == 8
        peer.advance(0.01)
        tsn += 16
    return peer, tsn


def test_stretching_acknowledges_a_burst_at_its_end_and_sixteen_packets_at_most() -> None:
    peer, tsn = steady()
    assert burst(peer, tsn, 10) == [tsn + 9]
    assert burst(peer, tsn + 10, 40) == [tsn + 25, tsn + 41, tsn + 49]


def test_stretching_stops_for_a_mebibyte_after_a_hole_a_duplicate_or_an_idle_second() -> None:
    for disturbance in ("hole", "duplicate", "idle"):
        peer, tsn = steady()
        if disturbance == "hole":
            peer.deliver(peer.data(tsn + 1))
            peer.deliver(peer.data(tsn))
            tsn += 2
        elif disturbance == "duplicate":
            peer.deliver(peer.data(tsn - 1))
        else:
            peer.advance(1.1)
        peer.take()
        until = peer.association.stats.bytes_received + (1 << 20) - 20 * FULL
        while peer.association.stats.bytes_received < until:
            assert len(burst(peer, tsn, 16)) == 8
            tsn += 16
        burst(peer, tsn, 40)
        assert len(burst(peer, tsn + 40, 16)) == 1


def test_stretching_never_delays_what_has_the_i_bit() -> None:
    peer, tsn = steady()
    packets = [peer.data(tsn + number, FULL, flags=3 | (DATA_IMMEDIATE if number == 4 else 0)) for number in range(10)]
    peer.deliver_together(*packets)
    assert sacks(peer) == [tsn + 4, tsn + 9]


def test_a_sack_answers_where_the_last_data_came_from() -> None:
    peer = settled(paths=3)
    for tsn, path in ((3, 2), (5, 3), (7, 1)):
        peer.deliver(peer.data(tsn), path=path)
        assert [packet.path for packet in peer.take()] == [path]


def test_a_sack_may_travel_with_other_answers() -> None:
    peer = settled()
    peer.deliver(control.heartbeat(b"info"), peer.data(3))
    [packet] = peer.take()
    assert packet.names == ["HEARTBEAT ACK", "SACK"]


def test_while_the_link_takes_nothing_the_sacks_that_wait_are_bounded() -> None:
    """A driver that cannot send goes on receiving: the last SACK says what all before it said."""
    peer = Peer()
    count = 4 * MAX_SACKS + 1
    peer.deliver_together(*[peer.data(tsn) for tsn in range(1, count + 1)])
    sacks = [packet.sack.cumulative for packet in peer.take()]
    assert len(sacks) <= MAX_SACKS
    assert sacks[-1] == count


def test_a_sack_has_as_many_blocks_as_its_path_takes_however_small_the_chunks_are_that_we_send() -> None:
    """6.2: Gap Ack Blocks are limited by the PMTU, not by what the user set for DATA chunks."""
    peer = Peer(max_segment=484)
    for tsn in range(2, 802, 2):
        peer.deliver(peer.data(tsn, 1))
    sacks = [packet.sack for packet in peer.take()]
    assert len(sacks[-1].gaps) == (1472 - 12 - 16) // 4


def test_the_tsn_behind_the_cumulative_tsn_ack_stays_in_flight_whatever_a_block_says() -> None:
    """A peer that acknowledges everything by a block alone would leave nothing to time out."""
    peer = Peer()
    peer.send(100, 100, 100)
    peer.sack(0, (1, 3))
    assert peer.t3() < 2
    peer.advance(1.0)
    assert peer.take_tsns()[-1] == 1


def test_where_messages_came_from_takes_no_memory_for_what_is_no_message_yet() -> None:
    peer = Peer(paths=2)
    peer.deliver(peer.data(1))
    for tsn in range(2, 2000):
        peer.deliver(peer.data(tsn, 1, flags=2 if tsn == 2 else 0, ssn=1), path=1 + tsn % 2)
    assert len(peer.association.tcb.sources) <= 2
