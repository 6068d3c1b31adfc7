"""Type-length-value items: lengths, padding and where it counts (RFC 9260 sections 3.2 and 3.2.1)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.tlv import MAX_LENGTH, ParseError, chunk, item, items, join, split

ITEMS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=10)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"", "c123 0004"),
        (b"a", "c123 0005 61 000000"),
        (b"ab", "c123 0006 6162 0000"),
        (b"abc", "c123 0007 616263 00"),
        (b"abcd", "c123 0008 61626364"),
    ],
)
def test_an_item_is_padded_with_zeros_that_its_length_does_not_count(value: bytes, encoded: str) -> None:
    assert item(0xC123, value) == bytes.fromhex(encoded)


def test_a_chunk_has_type_and_flags_before_its_length() -> None:
    assert chunk(0xC1, 0x23, b"a") == bytes.fromhex("c1 23 0005 61 000000")


def test_the_length_around_items_counts_all_padding_but_the_last() -> None:
    value = join([(1, b"a"), (2, b"bc")])
    assert value == bytes.fromhex("0001 0005 61 000000  0002 0006 6263")
    assert chunk(9, 0, value) == bytes.fromhex("09 00 0012  0001 0005 61 000000  0002 0006 6263 0000")


def test_nothing_joined_is_nothing() -> None:
    assert join([]) == b""


def test_an_item_as_long_as_a_length_can_count_can_be_built() -> None:
    assert items(item(1, bytes(MAX_LENGTH - 4))) == [(1, bytes(MAX_LENGTH - 4))]


def test_a_longer_item_cannot_be_built() -> None:
    with pytest.raises(OverflowError):
        item(1, bytes(MAX_LENGTH - 3))


@given(ITEMS)
def test_what_is_joined_can_be_taken_apart(parts: list[tuple[int, bytes]]) -> None:
    assert items(join(parts)) == parts


@given(ITEMS)
def test_the_last_padding_may_be_there_or_not(parts: list[tuple[int, bytes]]) -> None:
    assert items(b"".join([item(kind, value) for kind, value in parts])) == parts


def test_padding_is_not_looked_at() -> None:
    assert items(bytes.fromhex("0001 0005 61 ffffff  0002 0004")) == [(1, b"a"), (2, b"")]


@pytest.mark.parametrize("length", range(4))
def test_a_length_shorter_than_the_header_is_malformed(length: int) -> None:
    data = struct.pack(">HHI", 1, length, 0)
    with pytest.raises(ParseError):
        items(data)
    assert split(data) == ([], 0)


def test_a_length_beyond_the_end_is_malformed() -> None:
    data = bytes.fromhex("0001 0004  0002 0009 61626364")
    with pytest.raises(ParseError):
        items(data)
    assert split(data) == ([(1, b"")], 4)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_header_cut_short_is_malformed(left: int) -> None:
    data = bytes.fromhex("0001 0004") + bytes(left)
    with pytest.raises(ParseError):
        items(data)
    assert split(data) == ([(1, b"")], 4)


def test_items_cut_anywhere_are_the_whole_ones_before_the_cut() -> None:
    parts = [(1, b"a"), (2, b""), (3, b"abcd"), (4, b"abcdef")]
    data = join(parts)
    ends = [8 - 3, 12, 20, 30]
    for cut in range(len(data) + 1):
        assert split(data[:cut])[0] == parts[: sum(end <= cut for end in ends)]


@given(st.binary(max_size=100), st.integers(0, 20))
def test_any_bytes_split_into_items_that_lie_in_them(data: bytes, offset: int) -> None:
    found, stop = split(data, offset)
    for kind, value in found:
        assert data[offset : offset + 4] == struct.pack(">HH", kind, 4 + len(value))
        assert data[offset + 4 : offset + 4 + len(value)] == value
        offset += len(item(kind, value))
    assert stop == min(offset, len(data))
