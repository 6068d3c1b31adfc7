"""The SCTP packet: common header and chunks (RFC 9260 sections 3, 3.1 and 6.10).

    0                   1                   2                   3
    +-------------------------------+-------------------------------+
    |      Source Port Number       |    Destination Port Number    |
    +-------------------------------+-------------------------------+
    |                       Verification Tag                        |
    +---------------------------------------------------------------+
    |                CRC32c, least significant byte first           |
    +---------------------------------------------------------------+

The first eight bytes, the *prefix*, are the same in every packet of an association and direction.
"""

from __future__ import annotations

from .checksum import verify_packet
from .codes import COMMON_HEADER
from .numbers import u16, u32
from .seal import finish_packet
from .tlv import ParseError, split

__all__ = ["chunks", "finish_packet", "parse_prefix", "prefix", "verify_packet"]


def prefix(source_port: int, destination_port: int, verification_tag: int) -> bytes:
    """The first eight bytes of the common header; OverflowError if a number does not fit."""
    return source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big") + verification_tag.to_bytes(4, "big")


def parse_prefix(packet: bytes, offset: int = 0) -> tuple[int, int, int]:
    """(source port, destination port, Verification Tag) of the packet at ``offset``.

    ParseError if its first eight bytes are not all there: ICMP may return no more of a packet than these.
    """
    if len(packet) - offset < 8:
        raise ParseError("no common header")
    return u16(packet, offset), u16(packet, offset + 2), u32(packet, offset + 4)


def chunks(packet: bytes) -> list[tuple[int, int, bytes]]:
    """(type, flags, value) of each whole chunk of a packet, in order.

    A partial chunk ends the list: "If the receiver detects a partial chunk, it MUST drop the chunk"
    (RFC 9260 section 6.10). So does a length below four, which cannot be stepped over.
    """
    found, _ = split(packet, COMMON_HEADER)
    return [(word >> 8, word & 0xFF, value) for word, value in found]
