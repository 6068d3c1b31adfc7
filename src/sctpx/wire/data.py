"""The headers of chunks with user data: DATA (RFC 9260 section 3.3.1) and I-DATA (RFC 8260 section 2.1).

    DATA     Type 0  | I U B E | Length | TSN | Stream Identifier | SSN            | PPID        | user data
    I-DATA   Type 64 | I U B E | Length | TSN | Stream Identifier | reserved | MID | PPID or FSN | user data

Both are packed from, and unpacked to, seven numbers.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from .compiled import COMPILED

if COMPILED or TYPE_CHECKING:
    from librt.strings import read_i64_be

DATA: Final = Struct(">BBHIHHI")
"""type, flags, length, TSN, stream, SSN, PPID."""

# The reserved bits "MUST be set to 0 by the sender and MUST be ignored by the receiver" (RFC 8260 section 2.1).
I_DATA: Final = Struct(">BBHIHxxII")
"""type, flags, length, TSN, stream, Message Identifier, PPID or Fragment Sequence Number."""

PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""Padding for a length, by its two low bits."""


def unpack_data(data: bytes, offset: int) -> tuple[int, int, int, int, int, int, int]:
    """What ``DATA.unpack_from`` gives, for compiled callers: ten times as fast there."""
    if not COMPILED:
        return DATA.unpack_from(data, offset)
    head = read_i64_be(data, offset)
    rest = read_i64_be(data, offset + 8)
    return (
        (head >> 56) & 0xFF,
        (head >> 48) & 0xFF,
        (head >> 32) & 0xFFFF,
        head & 0xFFFFFFFF,
        (rest >> 48) & 0xFFFF,
        (rest >> 32) & 0xFFFF,
        rest & 0xFFFFFFFF,
    )
