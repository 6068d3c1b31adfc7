"""RFC 9260 section 6.9: fragmentation and reassembly, partial delivery included."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.core.events import CommunicationLost
from sctpx.core.rx.streams import MORE
from sctpx.testing import Pair
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_PROTOCOL_VIOLATION, DATA_BEGIN, DATA_END
from tests.conformance.peer import FULL, PMDCS, Peer


@pytest.mark.parametrize("size", [1, FULL - 1, FULL, FULL + 1, 2 * FULL, 3 * FULL, 3 * FULL + 1])
def test_a_message_is_cut_into_chunks_of_the_largest_size_and_only_if_it_must_be(size: int) -> None:
    peer = Peer()
    peer.send(size)
    sent = [chunk for packet in peer.take() for chunk in packet.data]
    assert [len(chunk.data) for chunk in sent] == [FULL] * (size // FULL) + ([size % FULL] if size % FULL else [])
    assert [chunk.tsn for chunk in sent] == [*range(1, len(sent) + 1)]
    assert {(chunk.stream, chunk.ssn) for chunk in sent} == {(0, 0)}
    first, last = DATA_BEGIN, DATA_END
    expected = [0] * len(sent)
    expected[0] |= first
    expected[-1] |= last
    assert [chunk.flags & 3 for chunk in sent] == expected


def test_chunks_are_cut_for_the_smallest_of_the_paths() -> None:
    """The Association Maximum DATA Chunk Size (section 7.3), so that any path can take a retransmission."""
    with Pair(a=["10.0.1.1", "2001:db8::1"], b=["10.0.1.2", "2001:db8::2"]).connect() as pair:
        paths = pair.a.association.paths
        assert [path.mtu for path in paths] == [1472, 1452]
        pair.a.send(bytes(100_000))
        pair.drain()
        sent = [packet for packet in pair.network.packets() if packet.chunks == ["DATA"]]
        assert {packet.destination for packet in sent} == {paths[0].remote}
        assert max(len(packet.data) for packet in sent) == 1452


def test_fragments_are_put_together_whatever_their_order() -> None:
    peer = Peer()
    order = [3, 1, 5, 4, 2]
    for tsn in order:
        flags = (DATA_BEGIN if tsn == 1 else 0) | (DATA_END if tsn == 5 else 0)
        assert peer.read() == []
        peer.deliver(peer.data(tsn, b"%d" % tsn, flags=flags, ssn=0))
    assert peer.read() == [b"12345"]


def test_a_message_larger_than_the_buffer_is_delivered_in_parts() -> None:
    peer = Peer(receive_buffer=10_000)
    sizes = []
    flags = []
    for tsn in range(1, 51):
        chunk_flags = (DATA_BEGIN if tsn == 1 else 0) | (DATA_END if tsn == 50 else 0)
        peer.deliver(peer.data(tsn, bytes([tsn]) * 1000, flags=chunk_flags, ssn=0))
        for message in peer.association.read():
            sizes.append(len(message[0]))
            flags.append(message[5])
        peer.advance(0)
    assert sum(sizes) == 50_000
    assert max(sizes) <= 10_000
    assert flags == [MORE] * (len(flags) - 1) + [0]


def test_parts_of_a_message_free_the_window_for_its_rest() -> None:
    peer = Peer(receive_buffer=10_000)
    for tsn in range(1, 11):
        peer.deliver(peer.data(tsn, 1000, flags=DATA_BEGIN if tsn == 1 else 0, ssn=0))
    peer.advance(1)
    assert peer.take()[-1].sack.a_rwnd == 0
    assert sum(map(len, peer.read())) >= 5000
    assert peer.take()[-1].sack.a_rwnd >= 5000


def test_no_other_message_comes_between_the_parts_of_one() -> None:
    peer = Peer(receive_buffer=10_000)
    for tsn in range(1, 8):
        peer.deliver(peer.data(tsn, 1000, flags=DATA_BEGIN if tsn == 1 else 0, ssn=0))
    peer.deliver(peer.data(9, b"unordered", flags=7))
    peer.deliver(peer.data(10, b"on another stream", stream=1, ssn=0))
    first = peer.association.read()
    assert {message[1] for message in first} == {0}
    assert {message[5] for message in first} == {MORE}
    peer.deliver(peer.data(8, 1000, flags=DATA_END, ssn=0))
    rest = peer.association.read()
    assert [message[5] & MORE for message in rest] == [0] * len(rest)
    assert [message[0] for message in rest][1:] == [b"unordered", b"on another stream"]


@pytest.mark.parametrize(
    "second",
    [
        {"flags": DATA_BEGIN},
        {"flags": DATA_BEGIN | DATA_END},
        {"flags": 0, "stream": 1},
        {"flags": DATA_END, "ssn": 5},
        {"flags": 4},
    ],
    ids=str,
)
def test_fragments_that_do_not_belong_together_abort_the_association(second: dict[str, int]) -> None:
    for turned in (False, True):
        peer = Peer()
        said = [peer.data(1, flags=DATA_BEGIN, ssn=0), peer.data(2, **{"ssn": 0, **second})]
        for one in reversed(said) if turned else said:
            peer.deliver(one)
        aborts = [packet for packet in peer.take() if packet.names == ["ABORT"]]
        assert [code for code, _ in parse_causes(aborts[0].value("ABORT"))] == [CAUSE_PROTOCOL_VIOLATION]
        assert peer.association.state == CLOSED
        assert peer.events_of(CommunicationLost)


def test_a_fragment_that_was_cut_is_never_cut_again() -> None:
    peer = Peer(paths=2)
    peer.send(2 * FULL)
    before = [chunk for packet in peer.take() for chunk in packet.data]
    peer.advance(1)
    after = [chunk for packet in peer.take() for chunk in packet.data]
    assert [(chunk.tsn, chunk.data) for chunk in after] == [(chunk.tsn, chunk.data) for chunk in before]
    assert len(before[0].data) == PMDCS - 16
