"""The common header and the chunks of a packet (RFC 9260 sections 3.1 and 6.10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix, verify_packet
from sctpx.wire.tlv import ParseError, chunk

PREFIX = bytes.fromhex("1388 8e3c 01020304")


def test_the_prefix_is_ports_and_verification_tag_in_network_byte_order() -> None:
    assert prefix(5000, 36412, 0x01020304) == PREFIX
    assert parse_prefix(PREFIX) == (5000, 36412, 0x01020304)


def test_a_prefix_is_found_inside_a_batch() -> None:
    assert parse_prefix(b"before" + PREFIX, 6) == (5000, 36412, 0x01020304)


@pytest.mark.parametrize("length", range(8))
def test_a_prefix_cut_short_is_malformed(length: int) -> None:
    with pytest.raises(ParseError):
        parse_prefix(PREFIX[:length])
    with pytest.raises(ParseError):
        parse_prefix(b"before" + PREFIX[:length], 6)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_every_prefix_can_be_parsed_back(source: int, destination: int, tag: int) -> None:
    assert parse_prefix(prefix(source, destination, tag)) == (source, destination, tag)


def test_chunks_come_in_their_order_without_padding() -> None:
    packet = finish_packet(PREFIX, chunk(11, 0, b"") + chunk(77, 3, b"abcde") + chunk(14, 1, b""))
    assert verify_packet(packet)
    assert chunks(packet) == [(11, 0, b""), (77, 3, b"abcde"), (14, 1, b"")]


def test_a_packet_without_chunks_has_none() -> None:
    assert chunks(finish_packet(PREFIX, b"")) == []


@pytest.mark.parametrize("length", range(12))
def test_bytes_shorter_than_a_header_have_no_chunks(length: int) -> None:
    assert chunks(finish_packet(PREFIX, b"")[:length]) == []


def test_a_partial_chunk_is_dropped_and_those_before_it_stay() -> None:
    packet = finish_packet(PREFIX, chunk(11, 0, b"") + chunk(77, 3, b"abcde") + chunk(14, 1, b""))
    whole = chunks(packet)
    ends = [16, 16 + 9, 28 + 4]
    for cut in range(len(packet) + 1):
        assert chunks(packet[:cut]) == whole[: sum(end <= cut for end in ends)]


@pytest.mark.parametrize("length", range(4))
def test_a_chunk_length_below_four_ends_the_packet(length: int) -> None:
    broken = bytes([77, 0, 0, length])
    assert chunks(finish_packet(PREFIX, chunk(11, 0, b"") + broken + chunk(11, 0, b""))) == [(11, 0, b"")]


CHUNK = st.tuples(st.integers(0, 0xFF), st.integers(0, 0xFF), st.binary(max_size=20))


@given(st.lists(CHUNK, max_size=10))
def test_what_is_bundled_can_be_taken_apart(bundle: list[tuple[int, int, bytes]]) -> None:
    packet = finish_packet(PREFIX, b"".join([chunk(kind, flags, value) for kind, flags, value in bundle]))
    assert chunks(packet) == bundle
