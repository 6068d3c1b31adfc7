"""The headers of DATA (RFC 9260 section 3.3.1) and I-DATA chunks (RFC 8260 section 2.1), packed in every way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import runs
from sctpx.wire.checksum import header_checksum
from sctpx.wire.codes import CHUNK_DATA, CHUNK_I_DATA
from sctpx.wire.compiled import COMPILED
from sctpx.wire.data import I_DATA
from sctpx.wire.framing import DATA_FRAMING, I_DATA_FRAMING, Framing
from sctpx.wire.packet import prefix
from sctpx.wire.seal import Seal
from sctpx.wire.tlv import chunk

FRAMINGS = st.sampled_from([DATA_FRAMING, I_DATA_FRAMING])
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)


def test_the_i_data_header_is_laid_out_as_in_figure_3() -> None:
    header = I_DATA_FRAMING.layout.pack(CHUNK_I_DATA, 2, 20 + 3, 0xFFFFFFFE, 5, 0x01020304, 60)
    assert header == bytes.fromhex("40 02 0017  fffffffe  0005 0000  01020304  0000003c")
    assert (I_DATA_FRAMING.kind, I_DATA_FRAMING.header, I_DATA.size) == (64, 20, 20)
    assert (DATA_FRAMING.kind, DATA_FRAMING.header) == (CHUNK_DATA, 16)


def test_the_reserved_bits_of_i_data_are_ignored() -> None:
    header = bytes.fromhex("40 02 0017  fffffffe  0005 ffff  01020304  0000003c")
    assert I_DATA_FRAMING.unpack(header, 0) == (64, 2, 23, 0xFFFFFFFE, 5, 0x01020304, 60)


@given(framing=FRAMINGS, flags=st.integers(0, 255), length=U16, tsn=U32, stream=U16, number=U32, last=U32)
def test_a_header_is_unpacked_to_what_it_was_packed_from(
    framing: Framing, flags: int, length: int, tsn: int, stream: int, number: int, last: int
) -> None:
    number &= framing.number_mask
    fields = (framing.kind, flags, length, tsn, stream, number, last)
    assert framing.unpack(b"before" + framing.layout.pack(*fields) + b"behind", 6) == fields


@given(framing=FRAMINGS, flags=st.integers(0, 15), length=U16, tsn=U32, stream=U16, number=U32, last=U32)
def test_the_numbers_of_a_run_are_those_of_the_header(
    framing: Framing, flags: int, length: int, tsn: int, stream: int, number: int, last: int
) -> None:
    number &= framing.number_mask
    header = framing.layout.pack(framing.kind, flags, length, tsn, stream, number, last)
    assert framing.first_word(flags, length, tsn + (1 << 32)).to_bytes(8, "big") == header[:8]
    assert framing.second_word(stream, number, last).to_bytes(8, "big") == header[8:16]


@pytest.mark.skipif(not COMPILED, reason="for compiled callers")
@given(
    framing=FRAMINGS, flags=st.integers(0, 15), tsn=U32, stream=U16, number=U32, last=U32, data=st.binary(min_size=1)
)
def test_a_chunk_is_written_as_it_is_packed(
    framing: Framing, flags: int, tsn: int, stream: int, number: int, last: int, data: bytes
) -> None:
    from librt.strings import BytesWriter  # noqa: PLC0415

    number &= framing.number_mask
    writer = BytesWriter()
    length = framing.header + len(data)
    framing.write(writer, flags, length, tsn, stream, number, last, data)
    header = framing.layout.pack(framing.kind, flags, length, tsn, stream, number, last)
    assert writer.getvalue() == chunk(framing.kind, flags, header[4:] + data)


@given(
    length=st.integers(1, 300),
    count=st.integers(4, 40),
    stream=U16,
    mid=U32,
    fragment=st.integers(0, 0xFFFFFFFF - 50),
    damage=st.none() | st.tuples(st.integers(0, 39), st.integers(0, 331), st.integers(0, 7)),
)
def test_a_run_of_i_data_is_cut_and_collected(
    length: int, count: int, stream: int, mid: int, fragment: int, damage: tuple[int, int, int] | None
) -> None:

    beginning = prefix(1, 2, 3)
    seal = Seal(beginning)
    data = bytes(index % 251 for index in range(length * count))
    parts = [data[start : start + length] for start in range(0, len(data), length)]
    packets = [
        seal.packet(I_DATA.pack(CHUNK_I_DATA, 0, 20 + length, 7 + index, stream, mid, fragment + index) + part)
        for index, part in enumerate(parts)
    ]
    words = I_DATA_FRAMING.first_word(0, 20 + length, 7), I_DATA_FRAMING.second_word(stream, mid, 0)
    assert b"".join(seal.fragments(data, 0, length, count, *words, fragment)) == b"".join(packets)
    good = count
    if damage is not None and damage[0] < count:
        good, position, bit = damage
        packet = bytearray(packets[good])
        packet[position % len(packet)] ^= 1 << bit
        packets[good] = bytes(packet)
    found = runs.collect(b"".join(packets), 0, length, count, beginning, header_checksum(beginning), *words, fragment)
    assert list(found) == parts[:good] or (good < runs.WORTHWHILE and not found)
