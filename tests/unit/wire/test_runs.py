"""Runs of packets against the way of a packet at a time, at any length and with any damage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import runs
from sctpx.wire.checksum import NO_CHECKSUM, crc32c, crc_pair, header_checksum
from sctpx.wire.codes import CHUNK_DATA, COMMON_HEADER, DATA_HEADER
from sctpx.wire.framing import DATA_FRAMING
from sctpx.wire.sack import encode
from sctpx.wire.seal import finish_packet

PREFIX = bytes.fromhex("1388 8e3c fedcba98")
SEED = header_checksum(PREFIX)
COUNT = st.integers(1, 70)
WORD = st.integers(0, (1 << 64) - 1) | st.sampled_from([0, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
U32 = st.integers(0, (1 << 32) - 1)


@given(first=st.integers(-(1 << 63), (1 << 63) - 1), rest=st.integers(-(1 << 63), (1 << 63) - 1), start=U32)
def test_the_checksum_of_two_numbers_is_that_of_their_bytes(first: int, rest: int, start: int) -> None:
    assert crc_pair(first, rest, start) == crc32c(struct.pack(">qq", first, rest), start)


def fragments(data: bytes, length: int, first: int, rest: int) -> list[bytes]:
    """Packets of one DATA chunk each, made one by one."""
    return [
        finish_packet(PREFIX, struct.pack(">QQ", first + index, rest) + data[start : start + length])
        for index, start in enumerate(range(0, len(data), length))
    ]


@given(count=COUNT, length=st.integers(1, 40).map(lambda words: 4 * words), skip=st.integers(0, 9), rest=WORD, tsn=U32)
def test_a_run_is_cut_into_the_packets_that_would_be_made_one_by_one(
    count: int, length: int, skip: int, rest: int, tsn: int
) -> None:
    first = DATA_FRAMING.first_word(0, DATA_HEADER + length, min(tsn, (1 << 32) - count))
    data = bytes(index % 251 for index in range(count * length))
    pieces = runs.cut(bytes(skip) + data + b"more", skip, length, count, PREFIX, SEED, first, rest)
    assert b"".join(pieces) == b"".join(fragments(data, length, first, rest))


def test_the_number_that_a_header_begins_with_has_type_flags_length_and_tsn() -> None:
    assert DATA_FRAMING.first_word(3, 20, 0x1_80000001).to_bytes(8, "big") == bytes(
        [CHUNK_DATA, 3, 0, 20, 0x80, 0, 0, 1]
    )


@given(
    count=COUNT,
    length=st.integers(1, 20).map(lambda words: 4 * words),
    rest=WORD,
    damaged=st.lists(st.tuples(st.integers(0, 69), st.integers(0, 200), st.integers(0, 7)), max_size=2),
    another=st.none() | st.tuples(st.integers(0, 69), st.sampled_from(["first", "rest", "tag"])),
)
def test_user_data_is_collected_up_to_the_first_packet_that_is_not_as_expected(
    count: int,
    length: int,
    rest: int,
    damaged: list[tuple[int, int, int]],
    another: tuple[int, str] | None,
) -> None:
    first = DATA_FRAMING.first_word(0, DATA_HEADER + length, 7)
    data = bytes(index % 251 for index in range(count * length))
    packets = fragments(data, length, first, rest)
    good = count
    if another is not None and another[0] < count:
        good, what = another
        if what == "tag":
            packets[good] = finish_packet(PREFIX[:7] + b"!", packets[good][COMMON_HEADER:])
        else:
            words = (first + good + 1, rest) if what == "first" else (first + good, rest ^ 1)
            packets[good] = finish_packet(PREFIX, struct.pack(">QQ", *words) + bytes(length))
    for index, position, bit in damaged:
        if index < count:
            packet = bytearray(packets[index])
            packet[position % len(packet)] ^= 1 << bit
            packets[index] = bytes(packet)
            good = min(good, index)
    if len(damaged) == 2 and damaged[0] == damaged[1]:
        return  # Mended again.
    found = runs.collect(b"skip" + b"".join(packets), 4, length, count, PREFIX, SEED, first, rest)
    expected = [data[start : start + length] for start in range(0, min(good, runs.MOST) * length, length)]
    if good >= runs.WORTHWHILE:
        assert list(found) == expected
    else:
        assert list(found) in ([], expected)


def sealed(seed: int, chunks: list[bytes]) -> list[bytes]:
    """A packet of each chunk, one by one."""
    sums = [crc32c(chunk, seed) if seed >= 0 else 0 for chunk in chunks]
    return [PREFIX + checksum.to_bytes(4, "little") + chunk for checksum, chunk in zip(sums, chunks, strict=True)]


def with_another_checksum(packets: list[bytes], index: int) -> bytes:
    packet = bytearray(packets[index])
    packet[8] ^= 1
    return b"".join([*packets[:index], bytes(packet), *packets[index + 1 :]])


@pytest.mark.parametrize("seed", [SEED, 0, NO_CHECKSUM], ids=["a seed", "zero", "no checksum"])
def test_packets_have_a_checksum_with_any_seed_and_zero_without_one(seed: int) -> None:
    """RFC 9653: a packet without a checksum has zero there. What has another number is not read."""
    first = DATA_FRAMING.first_word(0, DATA_HEADER + 8, 7)
    pieces = [bytes([index] * 8) for index in range(10)]
    packets = sealed(seed, [struct.pack(">QQ", first + index, 5) + piece for index, piece in enumerate(pieces)])
    written = b"".join(runs.cut(b"".join(pieces), 0, 8, 10, PREFIX, seed, first, 5))
    assert written == b"".join(packets)
    assert list(runs.collect(written, 0, 8, 10, PREFIX, seed, first, 5)) == pieces
    damaged = with_another_checksum(packets, 6)
    assert list(runs.collect(damaged, 0, 8, 10, PREFIX, seed, first, 5)) == pieces[:6]
    sacks = [encode(100 + index, 5000, [], []) for index in range(10)]
    packets = sealed(seed, sacks)
    assert runs.seal(PREFIX, seed, sacks) == b"".join(packets)
    assert runs.read_sacks(b"".join(packets), 0, PREFIX, seed) == (list(range(100, 110)), [5000] * 10)
    assert runs.read_sacks(with_another_checksum(packets, 6), 0, PREFIX, seed) == (list(range(100, 106)), [5000] * 6)


def test_one_call_reads_a_bounded_number_of_packets() -> None:
    first = DATA_FRAMING.first_word(0, DATA_HEADER + 4, 7)
    packets = b"".join(fragments(bytes(4 * 100), 4, first, 5))
    assert len(runs.collect(packets, 0, 4, 100, PREFIX, SEED, first, 5)) == runs.MOST


@given(
    tsn=st.integers(0, (1 << 32) - 400), step=st.integers(1, 16), a_rwnd=U32, fall=st.integers(1, 60_000), count=COUNT
)
def test_a_run_of_sacks_is_encoded_as_each_of_them_would_be(
    tsn: int, step: int, a_rwnd: int, fall: int, count: int
) -> None:
    a_rwnd = max(a_rwnd, fall * count)
    one_by_one = [encode(tsn + step * index, a_rwnd - fall * index, [], []) for index in range(count)]
    assert list(runs.encode_sacks(tsn, step, a_rwnd, fall, count)) == one_by_one


@given(count=COUNT, size=st.sampled_from([16, 20, 1000]))
def test_chunks_are_sealed_as_each_of_them_would_be(count: int, size: int) -> None:
    chunks = [bytes([index]) * size for index in range(count)]
    assert runs.seal(PREFIX, SEED, chunks) == b"".join([finish_packet(PREFIX, chunk) for chunk in chunks])


@given(
    sacks=st.lists(st.tuples(U32, U32), max_size=66),
    another=st.none()
    | st.tuples(
        st.integers(0, 65),
        st.sampled_from(
            [
                finish_packet(PREFIX[:7] + b"!", encode(1, 2, [], [])),
                finish_packet(PREFIX, encode(1, 2, [], [])[:-1] + b"\1"),
                finish_packet(PREFIX, encode(1, 2, [], [])[:-3] + b"\1\0\0"),
                finish_packet(PREFIX, b"\3\0\0\x0f" + bytes(12)),
                finish_packet(PREFIX, b"\2\0\0\x10" + bytes(12)),
                finish_packet(PREFIX, encode(1, 2, [], []))[:-1] + b"\1",
            ]
        ),
    ),
    tail=st.sampled_from([b"", bytes(27)]),
)
def test_sacks_are_read_up_to_the_first_packet_that_is_none_or_wrong(
    sacks: list[tuple[int, int]], another: tuple[int, bytes] | None, tail: bytes
) -> None:
    packets = [finish_packet(PREFIX, encode(tsn, a_rwnd, [], [])) for tsn, a_rwnd in sacks]
    if another is not None:
        packets.insert(another[0], another[1])
        sacks = sacks[: another[0]]
    cumulatives, windows = runs.read_sacks(b"skip" + b"".join(packets) + tail, 4, PREFIX, SEED)
    assert list(zip(cumulatives, windows, strict=True)) == sacks[: runs.MOST]
