"""CRC32c of SCTP packets (RFC 9260 section 6.8 and appendix A), by a library, in one call a packet.

The checksum field counts as zero. So ``header_checksum`` of an association's ports and tag is computed once,
and the checksum of each of its packets is ``crc32c(packet[12:], header_checksum)``.
"""

from __future__ import annotations

from fastcrc.crc32 import iscsi as crc32c

from .codes import COMMON_HEADER
from .compiled import COMPILED

if COMPILED:
    from librt.strings import read_i32_le

__all__ = ["crc32c", "finish_packet", "header_checksum", "read_checksum", "verify_packet"]


def read_checksum(data: bytes, offset: int) -> int:
    """The checksum in the common header at ``offset``; what there is of it if that is cut short."""
    if COMPILED and offset + COMMON_HEADER <= len(data):
        return int(read_i32_le(data, offset + 8)) & 0xFFFFFFFF
    return int.from_bytes(data[offset + 8 : offset + COMMON_HEADER], "little")


def header_checksum(prefix: bytes) -> int:
    """CRC32c of a common header: its first 8 bytes (ports, Verification Tag) and a zero checksum field."""
    return crc32c(prefix + b"\0\0\0\0")


def finish_packet(prefix: bytes, chunks: bytes) -> bytes:
    """A whole packet from the first 8 bytes of its header and its chunks."""
    # The CRC goes out with its least significant byte first (appendix A).
    return prefix + crc32c(chunks, crc32c(prefix + b"\0\0\0\0")).to_bytes(4, "little") + chunks


def verify_packet(packet: bytes) -> bool:
    """True if the packet has a common header and its checksum is right."""
    if len(packet) < COMMON_HEADER:
        return False
    expected = crc32c(packet[COMMON_HEADER:], crc32c(packet[:8] + b"\0\0\0\0"))
    return packet[8:12] == expected.to_bytes(4, "little")
