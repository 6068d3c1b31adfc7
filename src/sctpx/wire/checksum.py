"""CRC32c of SCTP packets (RFC 9260 section 6.8 and appendix A), by a library, in one call a packet.

The checksum field counts as zero. So ``header_checksum`` of an association's ports and tag is computed once,
and the checksum of each of its packets is ``crc32c(packet[12:], header_checksum)``.
"""

from __future__ import annotations

from fastcrc.crc32 import iscsi as crc32c

from .codes import COMMON_HEADER

__all__ = ["crc32c", "finish_packet", "header_checksum", "verify_packet"]


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
