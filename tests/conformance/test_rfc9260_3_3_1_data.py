"""RFC 9260 section 3.3.1: what the DATA chunks of one message have in common, and how they count (section 7.2)."""

from __future__ import annotations

import errno

import pytest

from tests.conformance.peer import FULL, PMDCS, Peer


def _never(_: object) -> tuple[bytes, int, int, bool]:
    raise AssertionError("there is nothing to convert")


@pytest.mark.parametrize("unordered", [False, True])
def test_each_fragment_has_the_payload_protocol_identifier_and_the_ssn_of_its_message(unordered: bool) -> None:
    """ "the same Stream Sequence Number MUST be carried in each of the fragments"; the identifier "MUST be sent even in
    fragmented DATA chunks".
    """
    peer = Peer(max_burst=50)
    peer.grow(40 * PMDCS)
    peer.send(1, stream=3)
    peer.take()
    peer.send(20 * FULL + 1, stream=3, ppid=0x12345678, unordered=unordered)
    sent = [chunk for packet in peer.take() for chunk in packet.data]
    assert len(sent) == 21
    assert {(chunk.stream, chunk.ppid) for chunk in sent} == {(3, 0x12345678)}
    assert {chunk.ssn for chunk in sent} == {0 if unordered else 1}


def test_a_message_has_a_byte_at_least() -> None:
    """ "L MUST be greater than 0"; section 6.2: "An endpoint SHOULD NOT send a DATA chunk with no user data part"."""
    peer = Peer()
    with pytest.raises(OSError, match="empty") as caught:
        peer.send(0)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError, match="empty"):
        peer.association.send_many(iter([b"first", b""]), _never, 1 << 16)
    peer.settle()
    assert [len(chunk.data) for packet in peer.take() for chunk in packet.data] == [5]


@pytest.mark.parametrize(("size", "padded"), [(1, 20), (2, 20), (4, 20), (5, 24)])
def test_in_flight_a_chunk_counts_with_its_padding(size: int, padded: int) -> None:
    """Section 7.2: "the length of the DATA chunk, including the padding, SHOULD be used"."""
    peer = Peer()
    peer.send(size)
    [packet] = peer.take()
    assert len(packet.bytes) == 12 + padded
    assert peer.path().flight_size == padded
