"""RFC 9260 sections 6.5 and 6.6: streams, ordered and unordered delivery."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.events import RemoteError
from sctpx.wire import causes, control
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_INVALID_STREAM, DATA_BEGIN, DATA_END, DATA_UNORDERED
from tests.conformance.peer import FULL, PMDCS, Data, Peer


def chunks(peer: Peer) -> list[Data]:
    return [chunk for packet in peer.take() for chunk in packet.data]


def test_an_invalid_stream_is_acknowledged_reported_at_once_and_discarded() -> None:
    peer = Peer(streams=3)
    peer.deliver(peer.data(1))
    peer.take()
    peer.deliver(peer.data(2, stream=3))
    [packet] = peer.take()
    assert sorted(packet.names) == ["ERROR", "SACK"]
    assert packet.sack.cumulative == 2
    assert parse_causes(packet.value("ERROR")) == [(CAUSE_INVALID_STREAM, b"\0\3\0\0")]
    assert packet.sack.a_rwnd == (1 << 20) - 100
    assert len(peer.read()) == 1
    peer.deliver(peer.data(3, stream=2, ssn=0))
    assert len(peer.read()) == 1


def test_an_error_from_the_peer_is_told_and_ends_nothing() -> None:
    peer = Peer()
    peer.deliver(control.error([causes.invalid_stream(9)]))
    [event] = peer.events_of(RemoteError)
    assert event.causes == [(CAUSE_INVALID_STREAM, b"\0\x09\0\0")]
    assert peer.association.state == ESTABLISHED
    assert peer.take() == []


def test_no_message_is_sent_on_a_stream_the_peer_has_not() -> None:
    peer = Peer(streams=3)
    assert peer.association.outbound_streams == 3
    with pytest.raises(OSError, match="stream 3"):
        peer.send(1, stream=3)


def test_the_stream_sequence_numbers_of_every_stream_start_at_0_and_count_messages() -> None:
    peer = Peer()
    for stream in (0, 1, 0, 9, 0, 1):
        peer.send(10, stream=stream)
    assert [(chunk.stream, chunk.ssn) for chunk in chunks(peer)] == [(0, 0), (1, 0), (0, 1), (9, 0), (0, 2), (1, 1)]


@pytest.mark.parametrize("fragments", [1, 2])
def test_after_65535_comes_0(fragments: int) -> None:
    """65,535 messages, and then three that are whole, or cut in two."""
    peer = Peer(max_burst=1000)
    ssns: list[int] = []
    messages = [1] * 65535 + [1 if fragments == 1 else FULL + 1] * 3
    for start in range(0, len(messages), 1000):
        peer.send(*messages[start : start + 1000])
        while not peer.association.tcb.outstanding.empty:
            ssns += [chunk.ssn for chunk in chunks(peer)]
            peer.sack(peer.last_tsn)
    assert ssns == [*range(65535), *[ssn for ssn in (65535, 0, 1) for _ in range(fragments)]]


@pytest.mark.parametrize("size", [10, FULL + 1], ids=["whole", "fragmented"])
def test_unordered_messages_take_no_stream_sequence_number(size: int) -> None:
    peer = Peer(max_burst=20)
    peer.grow(20 * PMDCS)
    before = peer.last_tsn
    for unordered in (False, True, True, False):
        peer.send(size, unordered=unordered)
    sent = [chunk for chunk in chunks(peer) if chunk.tsn > before and chunk.flags & DATA_BEGIN]
    assert [bool(chunk.flags & DATA_UNORDERED) for chunk in sent] == [False, True, True, False]
    assert sent[3].ssn == sent[0].ssn + 1


# 6.6


def test_messages_of_a_stream_are_delivered_in_the_order_of_their_ssns() -> None:
    peer = Peer()
    peer.deliver(peer.data(1, b"third", ssn=2))
    peer.deliver(peer.data(2, b"second", ssn=1))
    assert peer.read() == []
    peer.deliver(peer.data(3, b"first", ssn=0))
    assert peer.read() == [b"first", b"second", b"third"]


def test_a_hole_in_one_stream_holds_up_no_other() -> None:
    peer = Peer()
    peer.deliver(peer.data(2, b"0:1", stream=0, ssn=1))
    peer.deliver(peer.data(3, b"1:0", stream=1, ssn=0))
    assert peer.read() == [b"1:0"]
    peer.deliver(peer.data(1, b"0:0", stream=0, ssn=0))
    assert peer.read() == [b"0:0", b"0:1"]


def test_ssns_are_in_order_across_the_wrap() -> None:
    peer = Peer()
    for first in range(1, 65_401, 200):
        peer.deliver(*[peer.data(tsn, 1) for tsn in range(first, first + 20)])
        for more in range(first + 20, first + 200, 20):
            peer.deliver(*[peer.data(tsn, 1) for tsn in range(more, more + 20)])
        peer.read()
    for tsn in range(65_401, 65_536):
        peer.deliver(peer.data(tsn, 1))
    peer.read()
    peer.deliver(peer.data(65_538, b"1", ssn=1), peer.data(65_537, b"0", ssn=0))
    assert peer.read() == []
    peer.deliver(peer.data(65_536, b"65535", ssn=65_535))
    assert peer.read() == [b"65535", b"0", b"1"]


def test_unordered_data_bypasses_what_waits() -> None:
    peer = Peer()
    peer.deliver(peer.data(2, b"waits", ssn=1))
    peer.deliver(peer.data(3, b"bypasses", flags=7, ssn=12345))
    assert peer.read() == [b"bypasses"]


def test_unordered_data_is_delivered_after_reassembly() -> None:
    peer = Peer()
    flags = DATA_UNORDERED
    peer.deliver(peer.data(4, b"c", flags=flags | DATA_END, ssn=9))
    peer.deliver(peer.data(2, b"a", flags=flags | DATA_BEGIN, ssn=7))
    assert peer.read() == []
    peer.deliver(peer.data(3, b"b", flags=flags, ssn=8))
    assert peer.read() == [b"abc"]


def test_fragments_of_an_unordered_message_all_have_the_u_flag() -> None:
    peer = Peer()
    peer.send(2 * FULL + 1, unordered=True)
    sent = chunks(peer)
    assert [chunk.flags & ~8 for chunk in sent] == [
        DATA_UNORDERED | DATA_BEGIN,
        DATA_UNORDERED,
        DATA_UNORDERED | DATA_END,
    ]
