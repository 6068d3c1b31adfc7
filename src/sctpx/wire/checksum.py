"""CRC32c of SCTP packets (RFC 9260 section 6.8 and appendix A), by a library, in one call a packet.

The checksum field counts as zero. So ``header_checksum`` of an association's ports and tag is computed once,
and the checksum of each of its packets is ``crc32c(packet[12:], header_checksum)``.

A checksum can be continued: where the sixteen bytes of a chunk header have been read as numbers, or have not become
bytes yet, compiled code has their part from a table, and calls the library for the user data as it lies there.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from fastcrc.crc32 import iscsi as crc32c

from .codes import COMMON_HEADER
from .compiled import COMPILED

if TYPE_CHECKING:
    from mypy_extensions import i64

if COMPILED:
    from librt.strings import read_i32_le, read_i64_le

__all__ = [
    "NO_CHECKSUM",
    "checksum_of",
    "crc32c",
    "crc_pair",
    "crc_word",
    "header_checksum",
    "read_checksum",
    "verify_packet",
]


NO_CHECKSUM: Final = -1
"""In place of the checksum of a header: packets have 0 where others have their checksum (RFC 9653)."""
LARGE: Final = 4096
"""Bytes from which on a view is cheaper than a copy."""
_PAIR: Final = Struct(">qq")


def _make_table() -> bytes:
    """CRC32c of each byte, and of each byte with one, two, three zeros behind it; eight bytes a value."""
    values: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        values.append(byte)
    for index in range(768):
        values.append(values[index] >> 8 ^ values[values[index] & 0xFF])
    return b"".join([value.to_bytes(8, "little") for value in values])


_TABLE: Final = _make_table() if COMPILED else b""


def _add_word(state: i64, word: i64) -> i64:
    """The state of the checksum four bytes further: the low ones of ``word``, the highest of them first."""
    return (
        read_i64_le(_TABLE, ((state ^ word >> 24) & 0xFF) * 8 + 6144)
        ^ read_i64_le(_TABLE, ((state >> 8 ^ word >> 16) & 0xFF) * 8 + 4096)
        ^ read_i64_le(_TABLE, ((state >> 16 ^ word >> 8) & 0xFF) * 8 + 2048)
        ^ read_i64_le(_TABLE, ((state >> 24 ^ word) & 0xFF) * 8)
    )


def crc_pair(first: i64, rest: i64, start: i64) -> i64:
    """The checksum continued by two numbers of eight bytes, for compiled callers: half the time of the call."""
    if not COMPILED:
        return crc32c(_PAIR.pack(first, rest), start)
    state = _add_word(start ^ 0xFFFFFFFF, first >> 32)
    state = _add_word(state, first)
    state = _add_word(state, rest >> 32)
    return _add_word(state, rest) ^ 0xFFFFFFFF


def crc_word(word: i64, start: i64) -> i64:
    """The checksum continued by a number of four bytes, for compiled callers."""
    if not COMPILED:
        return crc32c(int(word).to_bytes(4, "big"), start)
    return _add_word(start ^ 0xFFFFFFFF, word) ^ 0xFFFFFFFF


def read_checksum(data: bytes, offset: int) -> int:
    """The checksum in the common header at ``offset``; what there is of it if that is cut short."""
    if COMPILED and offset + COMMON_HEADER <= len(data):
        return int(read_i32_le(data, offset + 8)) & 0xFFFFFFFF
    return int.from_bytes(data[offset + 8 : offset + COMMON_HEADER], "little")


def checksum_of(data: bytes, start: int, stop: int, seed: int) -> int:
    """``crc32c(data[start:stop], seed)``; a large part is not copied for it. 0 if ``seed`` is ``NO_CHECKSUM``."""
    if seed < 0:
        return 0
    if stop - start > LARGE:
        return crc32c(memoryview(data)[start:stop], seed)
    return crc32c(data[start:stop], seed)


def header_checksum(prefix: bytes) -> int:
    """CRC32c of a common header: its first 8 bytes (ports, Verification Tag) and a zero checksum field."""
    return crc32c(prefix + b"\0\0\0\0")


def verify_packet(packet: bytes) -> bool:
    """True if the packet has a common header and its checksum is right."""
    if len(packet) < COMMON_HEADER:
        return False
    expected = crc32c(packet[COMMON_HEADER:], crc32c(packet[:8] + b"\0\0\0\0"))
    return packet[8:12] == expected.to_bytes(4, "little")
