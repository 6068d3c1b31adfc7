"""SACK chunks, and tidying what dishonest peers put into them (RFC 9260 section 3.3.4)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.packet import chunks
from sctpx.wire.ranges import Ranges
from sctpx.wire.sack import encode, parse
from sctpx.wire.tlv import ParseError


def sack_value(cumulative: int, a_rwnd: int, blocks: list[tuple[int, int]], duplicates: list[int]) -> bytes:
    """A SACK chunk value from raw 16-bit block offsets, in whatever order they are."""
    value = struct.pack(">IIHH", cumulative, a_rwnd, len(blocks), len(duplicates))
    value += b"".join([struct.pack(">HH", start, end) for start, end in blocks])
    return value + b"".join([struct.pack(">I", tsn) for tsn in duplicates])


def runs(tsns: set[int]) -> Ranges:
    """The naive model: a set of TSNs as ranges."""
    starts = [tsn for tsn in sorted(tsns) if tsn - 1 not in tsns]
    ends = [tsn + 1 for tsn in sorted(tsns) if tsn + 1 not in tsns]
    return list(zip(starts, ends, strict=True))


def test_the_example_of_the_rfc_is_encoded_as_it_says() -> None:
    # 10, 11, 12, 14, 15 and 17 have arrived, a_rwnd is 4660: blocks 2 to 3 and 5 to 5.
    assert encode(12, 4660, [(14, 16), (17, 18)], []) == bytes.fromhex(
        "03 00 0018  0000000c  00001234  0002 0000  0002 0003  0005 0005"
    )


def test_the_example_of_the_rfc_is_parsed_back() -> None:
    value = bytes.fromhex("0000000c 00001234 0002 0000 0002 0003 0005 0005")
    assert parse(value, 10) == (12, 4660, [(14, 16), (17, 18)], [])


def test_duplicates_follow_the_blocks_as_often_as_they_came() -> None:
    encoded = encode(12, 4660, [(14, 16)], [9, 9, 14])
    assert encoded == bytes.fromhex("03 00 0020  0000000c  00001234  0001 0003  0002 0003  00000009 00000009 0000000e")
    assert parse(encoded[4:], 12) == (12, 4660, [(14, 16)], [9, 9, 14])


def test_a_sack_without_blocks_and_duplicates_is_16_bytes_long() -> None:
    encoded = encode(0xFFFFFFFF, 0, [], [])
    assert encoded == bytes.fromhex("03 00 0010  ffffffff  00000000  0000 0000")
    assert parse(encoded[4:], 0xFFFFFFF0) == (0xFFFFFFFF, 0, [], [])


def test_tsns_are_cut_to_32_bits_and_extended_again_around_the_wrap() -> None:
    cumulative = 0x1_FFFFFFFE
    ranges = [(0x2_00000000, 0x2_00000003)]
    duplicates = [0x1_FFFFFFFF, 0x2_00000000]
    encoded = encode(cumulative, 100, ranges, duplicates)
    assert encoded == bytes.fromhex("03 00 001c  fffffffe  00000064  0001 0002  0002 0004  ffffffff 00000000")
    assert parse(encoded[4:], 0x2_00000001) == (cumulative, 100, ranges, duplicates)


def test_a_cumulative_tsn_ack_before_the_first_tsn_is_below_zero() -> None:
    # The Initial TSN is 0 and nothing has arrived in order.
    assert parse(encode(-1, 100, [(1, 2)], [])[4:], 0) == (-1, 100, [(1, 2)], [])


def test_the_farthest_block_reaches_offset_65535() -> None:
    encoded = encode(100, 1, [(100 + 65535, 100 + 65536)], [])
    assert encoded[16:] == bytes.fromhex("ffff ffff")
    assert parse(encoded[4:], 100)[2] == [(65635, 65636)]


@pytest.mark.parametrize(
    ("blocks", "ranges"),
    [
        ([(5, 5), (2, 3)], [(102, 104), (105, 106)]),  # out of order
        ([(2, 4), (3, 6)], [(102, 107)]),  # overlapping
        ([(2, 9), (3, 4)], [(102, 110)]),  # one inside the other
        ([(2, 3), (4, 5)], [(102, 106)]),  # not isolated
        ([(2, 3), (2, 3)], [(102, 104)]),  # twice the same
        ([(0, 3)], []),  # starts at the Cumulative TSN Ack
        ([(4, 3), (7, 8)], [(107, 109)]),  # ends before it starts
        ([(1, 2)], [(101, 103)]),  # leaves no gap; what it names has arrived
    ],
)
def test_blocks_are_tidied_to_the_union_of_what_they_name(blocks: list[tuple[int, int]], ranges: Ranges) -> None:
    assert parse(sack_value(100, 0, blocks, []), 100)[2] == ranges


OFFSETS = st.one_of(st.integers(0, 40), st.integers(65500, 65535))


@given(
    cumulative=st.integers(0, 0xFFFFFFFF),
    blocks=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12),
    duplicates=st.lists(st.integers(0, 0xFFFFFFFF), max_size=5),
)
def test_any_blocks_become_the_runs_of_the_set_they_name(
    cumulative: int, blocks: list[tuple[int, int]], duplicates: list[int]
) -> None:
    named = {cumulative + offset for start, end in blocks if start for offset in range(start, end + 1)}
    parsed = parse(sack_value(cumulative, 7, blocks, duplicates), cumulative)
    assert parsed[:3] == (cumulative, 7, runs(named))
    assert [tsn & 0xFFFFFFFF for tsn in parsed[3]] == duplicates


@given(
    cumulative=st.integers(-1, 1 << 40),
    a_rwnd=st.integers(0, 0xFFFFFFFF),
    offsets=st.sets(OFFSETS.filter(lambda offset: offset > 0), max_size=30),
    duplicates=st.lists(st.integers(-1000, 1000), max_size=5),
    behind=st.integers(-1000, 1000),
)
def test_every_sack_can_be_parsed_back(
    cumulative: int, a_rwnd: int, offsets: set[int], duplicates: list[int], behind: int
) -> None:
    ranges = runs({cumulative + offset for offset in offsets})
    received = [cumulative + distance for distance in duplicates]
    [(kind, flags, value)] = chunks(bytes(12) + encode(cumulative, a_rwnd, ranges, received))
    assert (kind, flags) == (3, 0)
    assert parse(value, cumulative - behind) == (cumulative, a_rwnd, ranges, received)


def test_a_sack_cut_anywhere_is_malformed() -> None:
    value = encode(12, 4660, [(14, 16), (17, 18)], [9])[4:]
    for cut in range(len(value)):
        with pytest.raises(ParseError):
            parse(value[:cut], 12)


def test_counts_beyond_the_bytes_are_malformed() -> None:
    for counts in ("ffff 0000", "0000 ffff", "ffff ffff", "0001 0002"):
        with pytest.raises(ParseError):
            parse(bytes.fromhex(f"0000000c 00001234 {counts} 0002 0003 00000001"), 12)


def test_bytes_behind_the_counted_ones_are_not_looked_at() -> None:
    assert parse(encode(12, 4660, [], [])[4:] + b"more", 12) == (12, 4660, [], [])
