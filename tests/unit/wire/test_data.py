"""The header of DATA chunks (RFC 9260 section 3.3.1)."""

from __future__ import annotations

import pytest

from sctpx.wire.codes import CHUNK_DATA, DATA_BEGIN, DATA_END, DATA_HEADER, DATA_IMMEDIATE, DATA_UNORDERED
from sctpx.wire.data import DATA, PADDING, unpack_data
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import chunk


def test_the_header_is_laid_out_as_in_the_figure() -> None:
    flags = DATA_BEGIN | DATA_END
    assert DATA.pack(CHUNK_DATA, flags, 16 + 3, 0xFFFFFFFE, 5, 6, 60) == bytes.fromhex(
        "00 03 0013  fffffffe  0005 0006  0000003c"
    )
    assert DATA.size == DATA_HEADER


@pytest.mark.parametrize(
    ("flag", "bit"), [(DATA_END, 0x01), (DATA_BEGIN, 0x02), (DATA_UNORDERED, 0x04), (DATA_IMMEDIATE, 0x08)]
)
def test_the_flags_are_the_low_four_bits_i_u_b_e(flag: int, bit: int) -> None:
    assert flag == bit


def test_the_header_is_read_as_it_is_written_wherever_it_stands() -> None:
    numbers = (CHUNK_DATA, 0xFF, 0xFEDC, 0xFFFFFFFE, 0xABCD, 0x8001, 0x89ABCDEF)
    assert unpack_data(b"before" + DATA.pack(*numbers), 6) == numbers


@pytest.mark.parametrize("length", range(1, 9))
def test_the_padding_for_a_length_is_what_every_chunk_gets(length: int) -> None:
    user_data = bytes(range(1, length + 1))
    encoded = DATA.pack(CHUNK_DATA, 3, DATA_HEADER + length, 7, 1, 2, 60) + user_data + PADDING[length & 3]
    assert encoded == chunk(CHUNK_DATA, 3, encoded[4:DATA_HEADER] + user_data)
    assert chunks(bytes(12) + encoded) == [(CHUNK_DATA, 3, encoded[4 : DATA_HEADER + length])]
