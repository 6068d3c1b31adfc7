"""A seal's ways to many packets give, byte by byte, what it gives for each of them alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.checksum import verify_packet
from sctpx.wire.codes import COMMON_HEADER
from sctpx.wire.packet import prefix
from sctpx.wire.seal import Seal, finish_packet

PREFIX = prefix(5000, 5001, 0x12345678)
SEAL = Seal(PREFIX)


@given(chunks=st.binary(max_size=200))
def test_a_packet_is_the_header_the_checksum_and_the_chunks(chunks: bytes) -> None:
    packet = SEAL.packet(chunks)
    assert packet[:8] == PREFIX
    assert packet[COMMON_HEADER:] == chunks
    assert verify_packet(packet)
    assert packet == finish_packet(PREFIX, chunks)


@given(pieces=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=9))
def test_a_packet_in_pieces_is_appended_whole(pieces: list[bytes]) -> None:
    parts = [b"before"]
    packet = SEAL.packet(b"".join(pieces))
    assert SEAL.append(parts, pieces) == len(packet)
    assert b"".join(parts) == b"before" + packet


@given(size=st.sampled_from([4, 16, 20, 1000]), count=st.integers(1, 50))
def test_packets_of_one_chunk_each_are_those_made_one_by_one(size: int, count: int) -> None:
    chunks = [bytes([index]) * size for index in range(count)]
    assert SEAL.packets(chunks) == b"".join([SEAL.packet(chunk) for chunk in chunks])


@given(length=st.integers(1, 1500), count=st.integers(4, 44))
def test_fragments_are_sealed_as_packets_made_one_by_one(length: int, count: int) -> None:
    data = bytes(range(256)) * (length * count // 256 + 1)
    first, rest = 0x0000_05B4_0000_0007, 0x0001_0002_0000_0003
    one_by_one = [
        SEAL.packet(
            (first + index).to_bytes(8, "big") + rest.to_bytes(8, "big") + data[index * length : (index + 1) * length]
        )
        for index in range(count)
    ]
    assert b"".join(SEAL.fragments(data, 0, length, count, first, rest, -1)) == b"".join(one_by_one)
