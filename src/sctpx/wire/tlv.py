"""The one loop over type-length-value items: chunks, parameters and error causes (RFC 9260 section 3.2).

Each item starts with four bytes: one 16-bit word (a type; for chunks type and flags) and the length, which
counts these four bytes but not the padding to the next multiple of four. ``split`` cannot stand still: every
step moves on by at least four bytes, and a length that does not fit ends it. What that means is the caller's:
``items`` raises ``ParseError``, ``packet.chunks`` drops the rest.

Padding is in the length of what is around an item, but for the last one: a chunk's length "does not count any
chunk padding. However, it does include any padding of variable-length parameters other than the last parameter
in the chunk" (section 3.2). So ``join`` leaves the last padding to ``chunk``, which does not count it.
"""

from __future__ import annotations

from typing import Final

MAX_LENGTH: Final = 0xFFFF
"""The longest item its length field can count, header and all."""


class ParseError(ValueError):
    """Bytes that do not follow the RFC. Raised by the parsers of ``wire`` and caught in the core."""


def split(data: bytes, offset: int = 0) -> tuple[list[tuple[int, bytes]], int]:
    """The whole items of ``data`` from ``offset`` on as (type, value) pairs, and where they end.

    The end is ``len(data)`` if nothing is left over. Padding missing behind the last item is accepted ("A robust
    implementation is expected to accept the chunk whether or not the final padding has been included", section 3.2).
    """
    found: list[tuple[int, bytes]] = []
    end = len(data)
    while end - offset >= 4:
        length = data[offset + 2] << 8 | data[offset + 3]
        if length < 4 or offset + length > end:
            break
        found.append((data[offset] << 8 | data[offset + 1], data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found, min(offset, end)


def items(data: bytes, offset: int = 0) -> list[tuple[int, bytes]]:
    """Split ``data`` from ``offset`` on into (type, value) pairs; ParseError if it does not come out even."""
    found, stop = split(data, offset)
    if stop < len(data):
        raise ParseError(f"malformed item at {stop} of {len(data)} bytes")
    return found


def item(kind: int, value: bytes) -> bytes:
    """One item with its header and zero padding; OverflowError if it is longer than ``MAX_LENGTH``."""
    length = len(value) + 4
    if length > MAX_LENGTH:
        raise OverflowError(f"an item of {length} bytes")
    padding = -length & 3
    if padding:
        value += bytes(padding)
    return (kind << 16 | length).to_bytes(4, "big") + value


def join(parts: list[tuple[int, bytes]]) -> bytes:
    """Items one behind the other, the last without its padding: what ``items`` takes apart."""
    if not parts:
        return b""
    joined = b"".join([item(kind, value) for kind, value in parts])
    return joined[: len(joined) - (-len(parts[-1][1]) & 3)]


def chunk(kind: int, flags: int, value: bytes) -> bytes:
    """One chunk with its header and zero padding; OverflowError if it is longer than ``MAX_LENGTH``."""
    return item(kind << 8 | flags, value)
