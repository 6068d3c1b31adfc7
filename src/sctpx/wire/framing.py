"""Chunks with user data: DATA (RFC 9260 section 3.3.1), and I-DATA, which allows interleaving (RFC 8260 section 2.1).

    DATA     Type 0  | I U B E | Length | TSN | Stream Identifier | SSN                                   | PPID
    I-DATA   Type 64 | I U B E | Length | TSN | Stream Identifier | reserved | MID (Message Identifier)   | PPID or FSN

An association uses one of both for all its user data. Which one follows from what the two sides agreed on, and is
chosen once: ``Framing`` is what they differ in. What they have in common is the *number* of a message in its stream,
SSN or MID, and the flags. The last field of an I-DATA chunk is the PPID in the first fragment of a message and the
Fragment Sequence Number in the others.

On the data path there are no chunk objects: headers are packed and unpacked in place.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, final

from .codes import CHUNK_DATA, CHUNK_I_DATA
from .compiled import COMPILED
from .data import DATA, I_DATA, PADDING, unpack_data
from .serial import MID_MASK, SSN_MASK, TSN_MASK

if COMPILED or TYPE_CHECKING:
    from librt.strings import BytesWriter, read_i32_be, read_i64_be, write_i32_be, write_i64_be

if TYPE_CHECKING:
    from mypy_extensions import i64

Header = tuple[int, int, int, int, int, int, int]
"""(type, flags, length, TSN, stream, SSN or MID, PPID or FSN)."""


@final
class Framing:
    """How an association puts user data into chunks."""

    __slots__ = ("header", "interleaves", "kind", "layout", "number_mask")

    def __init__(self, kind: int, layout: Struct, number_mask: int) -> None:
        self.kind = kind
        """The chunk type."""
        self.header = layout.size
        """Bytes of the chunk header."""
        self.layout = layout
        """Packs and unpacks a ``Header``."""
        self.number_mask = number_mask
        """Numbers of messages go round behind this one."""
        self.interleaves = kind == CHUNK_I_DATA
        """Whether fragments of several messages may alternate."""

    def unpack(self, data: bytes, offset: int) -> Header:
        """The header at ``offset``. For compiled callers: several times as fast there as ``layout``."""
        if not COMPILED:
            return self.layout.unpack_from(data, offset)
        if not self.interleaves:
            return unpack_data(data, offset)
        head = read_i64_be(data, offset)
        rest = read_i64_be(data, offset + 8)
        return (
            (head >> 56) & 0xFF,
            (head >> 48) & 0xFF,
            (head >> 32) & 0xFFFF,
            head & 0xFFFFFFFF,
            (rest >> 48) & 0xFFFF,
            rest & 0xFFFFFFFF,
            int(read_i32_be(data, offset + 16)) & 0xFFFFFFFF,
        )

    def write(
        self, writer: BytesWriter, flags: int, length: int, tsn: int, stream: int, number: int, last: int, data: bytes
    ) -> None:
        """Append a chunk with its padding, for compiled callers. ``length`` is that of header and data together."""
        head: i64 = self.kind
        write_i64_be(writer, head << 56 | flags << 48 | length << 32 | tsn)
        if self.interleaves:
            write_i64_be(writer, (stream - ((stream & 0x8000) << 1)) << 48 | number)
            write_i32_be(writer, last - ((last & 0x80000000) << 1))
        else:
            write_i64_be(writer, (stream - ((stream & 0x8000) << 1)) << 48 | number << 32 | last)
        writer.write(data)
        if length & 3:
            writer.write(PADDING[length & 3])

    def first_word(self, flags: int, length: int, tsn: int) -> int:
        """The first eight bytes of a header as a number."""
        return self.kind << 56 | flags << 48 | length << 32 | tsn & TSN_MASK

    def second_word(self, stream: int, number: int, ppid: int) -> int:
        """The second eight bytes of the header of a fragment as a number; what follows in I-DATA is its FSN."""
        if self.interleaves:
            return stream << 48 | number
        return stream << 48 | number << 32 | ppid


DATA_FRAMING: Final = Framing(CHUNK_DATA, DATA, SSN_MASK)
I_DATA_FRAMING: Final = Framing(CHUNK_I_DATA, I_DATA, MID_MASK)
