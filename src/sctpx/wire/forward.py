"""FORWARD-TSN (RFC 3758 section 3.2) and I-FORWARD-TSN (RFC 8260 section 2.3.1): what a sender has abandoned.

    FORWARD-TSN    New Cumulative TSN | Stream, Stream Sequence Number | ...
    I-FORWARD-TSN  New Cumulative TSN | Stream, reserved, U | Message Identifier | ...

The first goes with DATA, the second with I-DATA; the coding is all they differ in.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from .codes import CHUNK_FORWARD_TSN, CHUNK_I_FORWARD_TSN
from .serial import TSN_MASK
from .tlv import ParseError, chunk

Skipped = tuple[int, int, bool]
"""(stream, the largest SSN or MID that is skipped there, unordered). FORWARD-TSN says nothing of unordered messages."""

_TSN: Final = Struct(">I")
_SSN: Final = Struct(">HH")
_MID: Final = Struct(">HHI")
_UNORDERED: Final = 1  # All other bits are reserved: "MUST be ignored by the receiver".


def most_streams(interleaves: bool, room: int) -> int:
    """How many streams a chunk of ``room`` bytes can name."""
    return (room - 8) // (_MID.size if interleaves else _SSN.size)


def encode(interleaves: bool, cumulative_tsn: int, skipped: list[Skipped]) -> bytes:
    """The chunk that goes with DATA, or with I-DATA if that ``interleaves``."""
    parts = [_TSN.pack(cumulative_tsn & TSN_MASK)]
    for stream, number, unordered in skipped:
        if interleaves:
            parts.append(_MID.pack(stream, _UNORDERED if unordered else 0, number))
        else:
            parts.append(_SSN.pack(stream, number))
    return chunk(CHUNK_I_FORWARD_TSN if interleaves else CHUNK_FORWARD_TSN, 0, b"".join(parts))


def parse(interleaves: bool, value: bytes) -> tuple[int, list[Skipped]]:
    """(New Cumulative TSN as on the wire, what is skipped); ParseError if the length cannot be right."""
    entry = _MID if interleaves else _SSN
    if len(value) < _TSN.size or (len(value) - _TSN.size) % entry.size:
        raise ParseError("FORWARD-TSN of a wrong length")
    skipped: list[Skipped] = []
    for at in range(_TSN.size, len(value), entry.size):
        if interleaves:
            stream, flags, number = _MID.unpack_from(value, at)
            skipped.append((stream, number, flags & _UNORDERED != 0))
        else:
            stream, number = _SSN.unpack_from(value, at)
            skipped.append((stream, number, False))
    (cumulative_tsn,) = _TSN.unpack_from(value)
    return cumulative_tsn, skipped
