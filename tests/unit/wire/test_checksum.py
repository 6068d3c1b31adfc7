"""CRC32c against published vectors, the bit-by-bit definition, and its place in a packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.checksum import (
    NO_CHECKSUM,
    checksum_of,
    crc32c,
    crc_word,
    header_checksum,
    read_checksum,
    verify_packet,
)
from sctpx.wire.seal import finish_packet

PREFIX = bytes.fromhex("1388 8e3c 01020304")
COOKIE_ACK = bytes.fromhex("0b000004")


def bit_by_bit(data: bytes) -> int:
    """CRC32c as RFC 9260 appendix A defines it, reflected: polynomial 0x1EDC6F41, all ones before and after."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        # RFC 3720 appendix B.4, which lists the bytes as they are sent: aa 36 91 8a for the first.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_known_data_has_its_published_checksum(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


@given(st.binary(max_size=300))
def test_the_library_agrees_with_the_definition(data: bytes) -> None:
    assert crc32c(data) == bit_by_bit(data)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_checksum_can_be_continued(first: bytes, second: bytes) -> None:
    assert crc32c(second, crc32c(first)) == crc32c(first + second)


@given(st.binary(min_size=4, max_size=4), st.integers(0, 0xFFFFFFFF))
def test_a_checksum_can_be_continued_by_a_number_of_four_bytes(data: bytes, start: int) -> None:
    assert crc_word(int.from_bytes(data, "big"), start) == crc32c(data, start)


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097])
@pytest.mark.parametrize("start", [0, 1, 0xE3069283])
def test_a_part_of_a_buffer_has_its_checksum_whether_it_is_copied_or_not(length: int, start: int) -> None:
    data = bytes(range(256)) * 20
    assert checksum_of(data, 7, 7 + length, start) == crc32c(data[7 : 7 + length], start)


def test_where_packets_have_no_checksum_it_is_zero() -> None:
    """RFC 9653."""
    assert checksum_of(b"some data", 0, 4, NO_CHECKSUM) == 0


def test_the_checksum_is_sent_with_its_least_significant_byte_first() -> None:
    packet = finish_packet(PREFIX, COOKIE_ACK)
    checksum = bit_by_bit(PREFIX + bytes(4) + COOKIE_ACK)
    assert packet[8:12] == bytes(
        [checksum & 0xFF, checksum >> 8 & 0xFF, checksum >> 16 & 0xFF, checksum >> 24],
    )
    assert packet == PREFIX + packet[8:12] + COOKIE_ACK


def test_a_finished_packet_is_right() -> None:
    assert verify_packet(finish_packet(PREFIX, COOKIE_ACK))


def test_a_packet_of_a_header_alone_can_be_right() -> None:
    assert verify_packet(finish_packet(PREFIX, b""))


def test_the_checksum_of_the_header_starts_that_of_the_packet() -> None:
    packet = finish_packet(PREFIX, COOKIE_ACK)
    assert crc32c(packet[12:], header_checksum(PREFIX)).to_bytes(4, "little") == packet[8:12]


@given(bit=st.integers(0, 8 * 40 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    packet = bytearray(finish_packet(PREFIX, bytes(range(28))))
    packet[bit // 8] ^= 1 << bit % 8
    assert not verify_packet(bytes(packet))


def test_the_other_byte_order_is_wrong() -> None:
    packet = finish_packet(PREFIX, COOKIE_ACK)
    assert not verify_packet(packet[:8] + packet[11:7:-1] + packet[12:])


@pytest.mark.parametrize("length", range(12))
def test_bytes_shorter_than_a_header_are_not_a_right_packet(length: int) -> None:
    assert not verify_packet(finish_packet(PREFIX, b"")[:length])


def test_a_header_that_is_cut_short_has_the_checksum_that_is_left_of_it() -> None:
    assert read_checksum(bytes(8) + b"\1\2\3\4", 0) == 0x04030201
    assert [read_checksum((bytes(8) + b"\1\2\3")[:length], 0) for length in (8, 9, 11)] == [0, 1, 0x030201]
