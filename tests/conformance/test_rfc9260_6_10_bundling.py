"""RFC 9260 section 6.10: bundling; and the rule of section 12.4 on answers to one packet."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_RECEIVED
from sctpx.core.events import RemoteError
from sctpx.wire import causes, control
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_UNRECOGNIZED_CHUNK
from sctpx.wire.tlv import chunk
from tests.conformance.peer import FULL, Peer

SKIP, SKIP_AND_REPORT, STOP, STOP_AND_REPORT = 0xBE, 0xFE, 0x3E, 0x7E
"""Chunk types nobody knows, by what their high bits ask for (section 3.2)."""


def test_packets_are_no_larger_than_the_pmtu_and_tsns_in_them_grow() -> None:
    peer = Peer(max_burst=100)
    peer.grow(60_000)
    peer.send(*[7 * number % 3000 + 1 for number in range(60)])
    packets = peer.take()
    assert max(len(packet.bytes) for packet in packets) <= 1472
    for packet in packets:
        assert all(before < after for before, after in pairwise(packet.tsns))


def test_retransmitted_chunks_are_bundled_in_the_order_of_their_tsns() -> None:
    peer = Peer()
    peer.send(*[300] * 8)
    peer.take()
    peer.advance(1)
    assert peer.take_tsns() == [1, 2, 3, 4]


def test_control_chunks_come_first() -> None:
    peer = Peer()
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2))
    peer.take()
    peer.association.send(peer.now, bytes(100))
    peer.deliver(control.heartbeat(b"info"))
    [packet] = peer.take()
    assert packet.names == ["HEARTBEAT ACK", "SACK", "DATA"]


@pytest.mark.parametrize("cut", [1, 4, 50, 99])
def test_a_partial_chunk_is_dropped_and_what_was_before_it_counts(cut: int) -> None:
    peer = Peer()
    peer.deliver(peer.data(1, b"whole"), peer.data(2, 100)[:-cut])
    assert peer.read() == [b"whole"]
    assert peer.take()[0].sack.cumulative == 1
    assert peer.association.state == ESTABLISHED


@pytest.mark.parametrize("length", [0, 1, 3, 2000, 65535])
def test_a_chunk_whose_length_cannot_be_ends_the_packet(length: int) -> None:
    peer = Peer()
    bad = bytes((0, 3)) + length.to_bytes(2, "big") + bytes(96)
    peer.deliver(peer.data(1, b"whole"), bad, peer.data(2))
    assert peer.read() == [b"whole"]
    assert peer.association.state == ESTABLISHED


def test_padding_that_is_missing_at_the_end_of_a_packet_is_no_fault() -> None:
    peer = Peer()
    peer.deliver(peer.data(1), peer.data(2, b"odd")[:-1])
    assert peer.read() == [bytes(100), b"odd"]


def test_padding_is_ignored_whatever_it_is() -> None:
    peer = Peer()
    peer.deliver(peer.data(1, b"odd")[:-1] + b"\xff", peer.data(2, b"next"))
    assert peer.read() == [b"odd", b"next"]


def test_chunks_are_processed_in_their_order() -> None:
    peer = Peer()
    peer.send(100)
    peer.take()
    # The SHUTDOWN comes behind the SACK: everything is acknowledged by then.
    peer.deliver(peer.sack_chunk(1), peer.data(1), peer.shutdown_chunk(1))
    names = [name for packet in peer.take() for name in packet.names]
    assert "SHUTDOWN ACK" in names
    assert len(peer.read()) == 1
    peer = Peer()
    peer.send(100)
    peer.deliver(peer.shutdown_chunk(0), peer.data(1))
    assert peer.association.state == SHUTDOWN_RECEIVED
    assert peer.read() == []


# Section 12.4: "MUST NOT send more than one packet containing chunks other than DATA chunks". SACKs do not count.


def answers(peer: Peer) -> list[list[str]]:
    return [
        names for packet in peer.take() if (names := [name for name in packet.names if name not in ("DATA", "SACK")])
    ]


def test_several_answers_to_one_packet_are_bundled_into_one() -> None:
    peer = Peer(paths=2)
    unknown = chunk(SKIP_AND_REPORT, 0, b"what?")
    for path in (1, 2):
        peer.deliver(control.heartbeat(b"one"), unknown, peer.data(3, stream=77), control.heartbeat(b"two"), path=path)
        packets = peer.take()
        assert [packet.path for packet in packets] == [path] * len(packets)
        found = [[name for name in packet.names if name != "SACK"] for packet in packets]
        assert [names for names in found if names] in (
            [["HEARTBEAT ACK", "ERROR", "ERROR", "HEARTBEAT ACK"]],
            [["HEARTBEAT ACK", "ERROR", "HEARTBEAT ACK"]],  # The second time it is a duplicate.
        )


def test_answers_that_do_not_fit_into_one_packet_are_left_out() -> None:
    peer = Peer()
    peer.deliver(*[control.heartbeat(bytes([number]) * 600) for number in range(8)])
    assert answers(peer) == [["HEARTBEAT ACK", "HEARTBEAT ACK"]]
    peer.deliver(*[chunk(SKIP_AND_REPORT, 0, bytes(40))] * 100)
    [names] = answers(peer)
    assert set(names) == {"ERROR"}


def test_a_heartbeat_larger_than_a_packet_draws_nothing() -> None:
    peer = Peer()
    peer.deliver(control.heartbeat(bytes(5000)))
    assert peer.take() == []


def test_an_unknown_chunk_is_treated_as_its_high_bits_say() -> None:
    for kind, reported, goes_on in (
        (STOP, False, False),
        (STOP_AND_REPORT, True, False),
        (SKIP, False, True),
        (SKIP_AND_REPORT, True, True),
    ):
        peer = Peer()
        unknown = chunk(kind, 5, b"what?")
        peer.deliver(peer.data(1), unknown, peer.data(2))
        assert len(peer.read()) == 1 + goes_on
        errors = [packet.value("ERROR") for packet in peer.take() if "ERROR" in packet.names]
        expected = [[(CAUSE_UNRECOGNIZED_CHUNK, unknown[:9])]] if reported else []
        assert [parse_causes(value) for value in errors] == expected


def test_an_error_is_never_answered() -> None:
    peer = Peer()
    peer.deliver(control.error([causes.invalid_stream(1)]), chunk(9, 0, b"\0"))
    assert peer.take() == []
    assert len(peer.events_of(RemoteError)) == 1


# Nagle's algorithm, off by default; RFC 6458 section 8.1.5.


def test_with_nodelay_small_messages_leave_at_once() -> None:
    peer = Peer()
    for number in range(5):
        peer.send(10)
        assert peer.take_tsns() == [number + 1]


def test_with_nagle_small_messages_wait_while_data_is_in_flight() -> None:
    peer = Peer(nodelay=False)
    peer.send(10)
    assert peer.take_tsns() == [1]
    for _ in range(5):
        peer.send(10)
    assert peer.take() == []
    peer.sack(1)
    assert [packet.tsns for packet in peer.take()] == [[2, 3, 4, 5, 6]]


def test_with_nagle_a_full_packet_does_not_wait() -> None:
    peer = Peer(nodelay=False)
    peer.send(10)
    peer.take()
    peer.send(FULL)
    assert peer.take_tsns() == [2]
    for _ in range(30):
        peer.send(64)
    packets = peer.take()
    assert len(packets[0].tsns) == (1472 - 12) // 80  # 18 of them fill a packet.


def test_with_nagle_a_shutdown_lets_go_what_waits() -> None:
    peer = Peer(nodelay=False)
    peer.send(10)
    peer.send(10)
    peer.take()
    peer.shutdown()
    assert peer.take_tsns() == [2]
