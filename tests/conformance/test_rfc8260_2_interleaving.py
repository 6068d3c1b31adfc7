"""RFC 8260 section 2: user message interleaving, its negotiation, and I-DATA at the sender and the receiver."""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost
from sctpx.core.rx.streams import MORE, UNORDERED
from sctpx.testing import Pair
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import (
    CAUSE_NO_USER_DATA,
    CAUSE_PROTOCOL_VIOLATION,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    DATA_BEGIN,
    DATA_END,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
)
from sctpx.wire.setup import parse
from tests.conformance.peer import PMDCS, Peer

FULL = PMDCS - 20
"""User data of an I-DATA chunk that fills a packet."""
WHOLE = DATA_BEGIN | DATA_END


def interleaving_peer(**config: Any) -> Peer:
    return Peer(extensions=[CHUNK_I_DATA], interleaving=True, **config)


def abort_cause(peer: Peer) -> int:
    """Why the stack has aborted the association."""
    assert peer.association.state == CLOSED
    # Packets that came behind may have drawn others, of the rules for packets out of the blue.
    first = next(packet for packet in peer.take() if "ABORT" in packet.names and packet.value("ABORT"))
    [(code, _)] = parse_causes(first.value("ABORT"))
    assert len(peer.events_of(CommunicationLost)) == 1
    return code


def queue(peer: Peer, size: int, **how: Any) -> None:
    """Have the stack send a message with the next one that is sent."""
    peer.association.send(peer.now, bytes(size), **how)


# 2.2.1: negotiation.


@pytest.mark.parametrize("a", [False, True])
@pytest.mark.parametrize("b", [False, True])
def test_it_is_used_if_both_sides_have_indicated_it(a: bool, b: bool) -> None:
    """ "I-DATA chunks MUST be used for all user messages and DATA chunks MUST NOT be used", or the other way round."""
    configs = [AssociationConfig(interleaving=wanted) for wanted in (a, b)]
    with Pair(config=configs[0], b_config=configs[1]).connect() as pair:
        assert pair.a.association.interleaving is pair.b.association.interleaving is (a and b)
        for side in (pair.a, pair.b):
            side.send(bytes(5000))
            side.send(b"small", unordered=True)
        pair.drain()
        kinds = {name for packet in pair.network.packets() for name in packet.chunks} & {"DATA", "I-DATA"}
        assert kinds == ({"I-DATA"} if a and b else {"DATA"})
        assert sorted(pair.b.messages()) == sorted([b"small", bytes(5000)])


@pytest.mark.parametrize(("wanted", "listed"), [(False, b""), (True, bytes((CHUNK_I_DATA, CHUNK_I_FORWARD_TSN)))])
def test_support_is_not_indicated_unless_the_user_asks_for_it(wanted: bool, listed: bytes) -> None:
    with Pair(config=AssociationConfig(interleaving=wanted)).connect() as pair:
        for name in ("INIT", "INIT ACK"):
            [packet] = [packet for packet in pair.network.packets() if packet.chunks == [name]]
            extensions = parse(packet.data[16:], ack=name == "INIT ACK").extensions
            assert bytes(sorted(set(extensions) & {CHUNK_I_DATA, CHUNK_I_FORWARD_TSN})) == listed


def test_associations_with_data_and_with_i_data_live_side_by_side() -> None:
    plain, interleaving = Peer(), interleaving_peer()
    for peer, kind in ((plain, "DATA"), (interleaving, "I-DATA")):
        peer.send(10)
        assert peer.take()[0].names == [kind]


# 2.1 and 2.2.2: the sender.


def test_the_first_fragment_has_the_b_bit_and_the_ppid_the_last_one_the_e_bit_and_the_others_count_up() -> None:
    peer = interleaving_peer()
    peer.send(3 * FULL + 1, ppid=60)
    sent = [chunk for packet in peer.take() for chunk in packet.i_data]
    assert [chunk.flags & 3 for chunk in sent] == [DATA_BEGIN, 0, 0, DATA_END]
    assert [chunk.last for chunk in sent] == [60, 1, 2, 3]
    assert [len(chunk.data) for chunk in sent] == [FULL, FULL, FULL, 1]
    assert [chunk.tsn for chunk in sent] == [1, 2, 3, 4]


def test_reserved_bits_are_sent_as_0() -> None:
    peer = interleaving_peer()
    peer.send(10, stream=7, ppid=60)
    peer.send(3 * FULL, stream=7, ppid=60)
    for packet in peer.take():
        assert all(flags & 0xF0 == 0 and value[6:8] == b"\0\0" for _, flags, value in packet.chunks)


def test_each_stream_counts_its_ordered_and_its_unordered_messages() -> None:
    peer = interleaving_peer()
    for stream, unordered in ((0, False), (0, True), (0, False), (1, True), (0, True), (0, True), (1, False)):
        peer.send(10, stream=stream, unordered=unordered)
    sent = [chunk for packet in peer.take() for chunk in packet.i_data]
    assert [(chunk.stream, chunk.flags & DATA_UNORDERED != 0, chunk.mid) for chunk in sent] == [
        (0, False, 0),
        (0, True, 0),
        (0, False, 1),
        (1, True, 0),
        (0, True, 1),
        (0, True, 2),
        (1, False, 0),
    ]


@pytest.mark.parametrize("scheduler", ["fcfs", "rr", "rr_pkt", "prio", "fc", "wfq"])
def test_no_more_than_one_message_of_a_stream_is_under_way(scheduler: str) -> None:
    """ "The sender MUST NOT process [...] more than one user message in any given stream at any time." """
    peer = interleaving_peer(scheduler=scheduler)
    for stream in (0, 1, 0, 2, 1, 0):
        peer.send(4 * FULL, stream=stream)
        peer.send(4 * FULL, stream=stream, unordered=True)
    begun: dict[int, tuple[int, int]] = {}
    while peer.last_tsn < 48:
        peer.sack(peer.last_tsn)
        for packet in peer.take():
            for chunk in packet.i_data:
                message = chunk.flags & DATA_UNORDERED, chunk.mid
                if chunk.flags & DATA_BEGIN:
                    assert chunk.stream not in begun
                    begun[chunk.stream] = message
                assert begun[chunk.stream] == message
                if chunk.flags & DATA_END:
                    del begun[chunk.stream]
    assert not begun


def test_messages_on_different_streams_alternate_and_tsns_follow_each_other() -> None:
    peer = interleaving_peer(scheduler="rr")
    queue(peer, 6 * FULL, stream=0)
    peer.send(6 * FULL, stream=1)
    chunks = [chunk for packet in peer.take() for chunk in packet.i_data]
    while peer.last_tsn < 12:
        peer.sack(peer.last_tsn)
        chunks += [chunk for packet in peer.take() for chunk in packet.i_data]
    assert [chunk.tsn for chunk in chunks] == [*range(1, 13)]
    assert [chunk.stream for chunk in chunks] == [0, 1] * 6


def test_the_i_bit_is_set_as_in_data() -> None:
    """ "The handling of the I bit for the I-DATA chunk corresponds to [...] the DATA chunk described in [RFC7053]." """
    peer = interleaving_peer()
    peer.grow(20_000)
    peer.send(2 * FULL + 10, immediate=True)
    sent = [chunk for packet in peer.take() for chunk in packet.i_data]
    assert [chunk.flags & DATA_IMMEDIATE != 0 for chunk in sent] == [False, False, True]
    peer.deliver(peer.i_data(1))
    peer.take()
    peer.deliver(peer.i_data(2, flags=WHOLE | DATA_IMMEDIATE))
    assert peer.take()[0].sack.cumulative == 2


def test_congestion_and_receive_window_hold_for_i_data() -> None:
    peer = interleaving_peer(a_rwnd=3 * FULL + 100)
    peer.send(10 * FULL)
    sent = peer.take()
    assert [len(chunk.data) for packet in sent for chunk in packet.i_data] == [FULL] * 3
    assert peer.association.peer_rwnd == 100
    assert peer.path().flight_size == 3 * PMDCS


def test_what_is_lost_goes_again_byte_by_byte() -> None:
    peer = interleaving_peer()
    for stream in range(4):
        peer.send(FULL, stream=stream)
    first = peer.take()
    peer.advance(1.0)
    [again] = peer.take()
    assert again.chunks == first[0].chunks


# 2.2.3: the receiver.


def test_fragments_are_found_by_stream_u_bit_mid_and_fsn_and_not_by_tsn() -> None:
    """ "The receiver MUST NOT make any assumption about the TSN assignments of the sender." """
    peer = interleaving_peer()
    said = [
        peer.i_data(1, b"C", flags=DATA_END, stream=3, mid=0, last=2),
        peer.i_data(2, b"3", flags=DATA_END | DATA_UNORDERED, stream=3, mid=0, last=2),
        peer.i_data(3, b"b", flags=0, stream=4, mid=0, last=1),
        peer.i_data(4, b"2", flags=DATA_UNORDERED, stream=3, mid=0, last=1),
        peer.i_data(5, b"B", flags=0, stream=3, mid=0, last=1),
        peer.i_data(6, b"1", flags=DATA_BEGIN | DATA_UNORDERED, stream=3, mid=0, last=61),
        peer.i_data(7, b"c", flags=DATA_END, stream=4, mid=0, last=2),
        peer.i_data(8, b"A", flags=DATA_BEGIN, stream=3, mid=0, last=60),
        peer.i_data(9, b"a", flags=DATA_BEGIN, stream=4, mid=0, last=62),
    ]
    for chunk in said:
        peer.deliver(chunk)
    assert [(message[0], message[1], message[2], message[5]) for message in peer.association.read()] == [
        (b"123", 3, 61, UNORDERED),
        (b"ABC", 3, 60, 0),
        (b"abc", 4, 62, 0),
    ]


def test_ordered_messages_wait_for_their_mid_and_unordered_ones_do_not() -> None:
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, b"second", mid=1))
    peer.deliver(peer.i_data(2, b"unordered", mid=5, flags=WHOLE | DATA_UNORDERED))
    assert peer.read() == [b"unordered"]
    peer.deliver(peer.i_data(3, b"first", mid=0))
    assert peer.read() == [b"first", b"second"]


def test_reserved_bits_are_ignored() -> None:
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, b"x", flags=0xF0 | WHOLE, reserved=0xFFFF))
    assert peer.read() == [b"x"]


def test_a_large_message_does_not_hold_up_another_stream() -> None:
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, 1000, flags=DATA_BEGIN, stream=0, mid=0))
    peer.deliver(peer.i_data(2, b"small", stream=1, mid=0))
    assert peer.read() == [b"small"]


def test_parts_of_messages_on_different_streams_come_in_turn_and_those_of_one_stream_do_not() -> None:
    peer = interleaving_peer(partial_delivery_point=1000, streams=3)
    tsn = 0
    for fsn in range(4):
        for stream in (0, 1):
            tsn += 1
            flags = (DATA_BEGIN if fsn == 0 else 0) | (DATA_END if fsn == 3 else 0)
            peer.deliver(peer.i_data(tsn, 1000, flags=flags, stream=stream, mid=0, last=fsn))
        if fsn == 1:
            tsn += 1
            peer.deliver(peer.i_data(tsn, b"waits", flags=WHOLE | DATA_UNORDERED, stream=0, mid=0))
    read = [(message[1], len(message[0]), message[5]) for message in peer.association.read()]
    parts = [(0, 1000, MORE), (1, 1000, MORE)] * 3
    assert read == [*parts, (0, 1000, 0), (0, 5, UNORDERED), (1, 1000, 0)]


def test_data_after_i_data_was_negotiated_aborts_the_association() -> None:
    """ "The receiver of the DATA chunk MUST abort the association by sending an ABORT chunk." """
    peer = interleaving_peer()
    peer.deliver(peer.data(1))
    assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION
    peer = interleaving_peer()
    peer.deliver_together(*[peer.data(tsn, 1000) for tsn in range(1, 9)])
    assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION


def test_i_data_that_was_not_negotiated_aborts_the_association() -> None:
    """ "The same applies if I-DATA support has not been negotiated [...] and an I-DATA chunk is received." """
    for peer in (Peer(), Peer(interleaving=True), Peer(extensions=[CHUNK_I_DATA])):
        peer.deliver(peer.i_data(1))
        assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION


def test_both_behind_each_other_in_one_packet_abort_the_association() -> None:
    for peer, said in (
        (interleaving_peer(), (Peer.i_data, Peer.data)),
        (Peer(), (Peer.data, Peer.i_data)),
    ):
        peer.deliver(said[0](peer, 1), said[1](peer, 2))
        assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION


def test_i_data_without_user_data_aborts_the_association() -> None:
    """As DATA does (RFC 9260 section 6.2)."""
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, b""))
    assert abort_cause(peer) == CAUSE_NO_USER_DATA


@pytest.mark.parametrize("length", [4, 8, 16, 19])
def test_i_data_that_is_too_short_aborts_the_association(length: int) -> None:
    peer = interleaving_peer()
    chunk = bytearray(peer.i_data(1, 100))
    chunk[2:4] = length.to_bytes(2, "big")
    peer.deliver(bytes(chunk[: length + 3 & ~3]))
    assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION


def test_fragments_that_contradict_each_other_abort_the_association() -> None:
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, flags=DATA_BEGIN, mid=0))
    peer.deliver(peer.i_data(2, flags=DATA_BEGIN, mid=0))
    assert abort_cause(peer) == CAUSE_PROTOCOL_VIOLATION


def test_a_duplicate_is_told_and_delivered_once() -> None:
    peer = interleaving_peer()
    peer.deliver(peer.i_data(1, b"x"))
    peer.take()
    peer.deliver(peer.i_data(1, b"x"))
    assert peer.take()[0].sack.duplicates == [1]
    assert peer.read() == [b"x"]


# 4.1: what the user is told.


def test_the_ssn_is_the_low_half_of_the_mid() -> None:
    with Pair(config=AssociationConfig(interleaving=True)).connect() as pair:
        for _ in range(3):
            pair.a.send(b"x")
        pair.drain()
        assert [message.ssn for message in pair.b.received] == [0, 1, 2]


# Bad luck: what a restart and an end leave.


def test_undelivered_messages_are_told_whole_also_if_they_were_interleaved() -> None:
    peer = interleaving_peer(scheduler="rr")
    for stream in (0, 1):
        queue(peer, 4 * FULL, stream=stream, ppid=60 + stream, context=stream)
    peer.send(4 * FULL, stream=2, ppid=62, context=2)
    sent = [chunk for packet in peer.take() for chunk in packet.i_data]
    assert {chunk.stream for chunk in sent} >= {0, 1}
    peer.association.abort(peer.now)
    found = peer.association.undelivered()
    assert sorted((stream, ppid, len(data), context, whole) for data, stream, ppid, _, _, context, whole in found) == [
        (stream, 60 + stream, 4 * FULL, stream, True) for stream in (0, 1, 2)
    ]


def test_what_is_left_of_a_message_that_was_acknowledged_in_part_has_its_ppid() -> None:
    peer = interleaving_peer()
    peer.send(3 * FULL, ppid=60, stream=5)
    peer.sack(1)
    peer.association.abort(peer.now)
    [(data, stream, ppid, sent, unordered, _, whole)] = peer.association.undelivered()
    assert (len(data), stream, ppid, sent, unordered, whole) == (2 * FULL, 5, 60, True, False, False)


@pytest.mark.parametrize("last", [100, FULL])
def test_what_all_others_wait_for_is_taken_although_the_window_is_closed(last: int) -> None:
    """RFC 9260 section 6.2: what fills the buffer waits for this fragment, and nothing of it can be read."""
    peer = interleaving_peer(receive_buffer=4096, partial_delivery_point=1000)
    peer.deliver(peer.i_data(1, 1200, flags=DATA_BEGIN, mid=0))
    assert len(peer.read()) == 1
    tsn = 2
    while peer.association.local_rwnd:
        peer.deliver(peer.i_data(tsn, 1000, flags=WHOLE | DATA_UNORDERED, mid=tsn - 2))
        tsn += 1
    assert not peer.association.readable
    peer.deliver(peer.i_data(tsn, last, flags=DATA_END, mid=0, last=1))
    assert [len(message) for message in peer.read()] == [last] + [1000] * (tsn - 2)
    assert peer.association.tcb.window.held == 0
