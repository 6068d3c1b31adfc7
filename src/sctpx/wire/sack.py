"""SACK chunks (RFC 9260 section 3.3.4).

    Cumulative TSN Ack | a_rwnd | number of Gap Ack Blocks, of Duplicate TSNs | blocks | duplicates

Gap Ack Blocks are 16-bit offsets to the Cumulative TSN Ack. Here they are ranges of extended TSNs,
``[start, end)``, sorted and apart from each other; no ``end`` is more than 65,536 above the Cumulative TSN Ack.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from .codes import CHUNK_SACK, SACK_HEADER
from .compiled import COMPILED
from .ranges import Ranges, merged
from .serial import TSN_MASK, extend_tsn
from .tlv import ParseError

if COMPILED:
    from librt.strings import BytesWriter, read_i64_be, write_i64_be

PLAIN_SACK: Final = CHUNK_SACK << 24 | SACK_HEADER
"""The first four bytes of a SACK without blocks and duplicates, as a number."""

SACK: Final = Struct(">BBHIIHH")
"""type, flags, length, Cumulative TSN Ack, a_rwnd, number of blocks, number of duplicates."""

FIXED: Final = Struct(">IIHH")
"""The same without the chunk header: what a SACK chunk value begins with."""


def encode(cumulative_tsn_ack: int, a_rwnd: int, ranges: Ranges, duplicates: list[int]) -> bytes:
    """A SACK chunk; ``ranges`` and ``duplicates`` have been cut to what fits the packet and 16-bit offsets."""
    if COMPILED and not ranges and not duplicates:
        writer = BytesWriter()
        write_i64_be(writer, PLAIN_SACK << 32 | cumulative_tsn_ack & TSN_MASK)
        write_i64_be(writer, (a_rwnd - ((a_rwnd & 0x80000000) << 1)) << 32)
        return writer.getvalue()
    head = SACK.pack(
        CHUNK_SACK,
        0,
        16 + 4 * len(ranges) + 4 * len(duplicates),
        cumulative_tsn_ack & TSN_MASK,
        a_rwnd,
        len(ranges),
        len(duplicates),
    )
    if not ranges and not duplicates:
        return head
    words = [start - cumulative_tsn_ack << 16 | end - 1 - cumulative_tsn_ack for start, end in ranges]
    words.extend([tsn & TSN_MASK for tsn in duplicates])
    return head + Struct(f">{len(words)}I").pack(*words)


def parse(value: bytes, reference: int) -> tuple[int, int, Ranges, list[int]]:
    """(Cumulative TSN Ack, a_rwnd, ranges, duplicates) of a SACK chunk value, TSNs extended near ``reference``.

    Blocks that are empty, overlap or stand out of order are tidied: the union of what they name is kept.
    """
    if len(value) < 12:
        raise ParseError("SACK too short")
    if COMPILED:
        head = read_i64_be(value, 0)
        cumulative = int(head >> 32) & TSN_MASK
        a_rwnd = int(head) & 0xFFFFFFFF
        blocks = value[8] << 8 | value[9]
        duplicate_count = value[10] << 8 | value[11]
    else:
        cumulative, a_rwnd, blocks, duplicate_count = FIXED.unpack_from(value)
    if 12 + 4 * (blocks + duplicate_count) > len(value):
        raise ParseError("SACK shorter than its counts")
    cumulative_tsn_ack = extend_tsn(cumulative, reference)
    if not blocks and not duplicate_count:
        return cumulative_tsn_ack, a_rwnd, [], []
    ranges: Ranges = []
    for word in Struct(f">{blocks}I").unpack_from(value, 12):
        start = word >> 16
        end = word & 0xFFFF
        if start and end >= start:
            ranges.append((cumulative_tsn_ack + start, cumulative_tsn_ack + end + 1))
    words = Struct(f">{duplicate_count}I").unpack_from(value, 12 + 4 * blocks)
    duplicates = [extend_tsn(tsn, cumulative_tsn_ack) for tsn in words]
    return cumulative_tsn_ack, a_rwnd, _tidy(ranges, cumulative_tsn_ack), duplicates


def _tidy(ranges: Ranges, last: int) -> Ranges:
    """Sorted, merged ranges, all above ``last``; the list itself where it is tidy already, as an honest peer's is."""
    for start, end in ranges:
        if start <= last:
            break
        last = end
    else:
        return ranges
    return merged(ranges)
