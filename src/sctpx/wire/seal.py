"""The one place where a packet becomes final: behind it no byte of the packet changes.

What makes a packet final is its CRC32c (RFC 9260 section 6.8). A ``Seal`` belongs to one association and has the
packets' common header; whoever builds chunks hands them over here, one packet or many at a time. ``finish_packet`` is
for packets that belong to no association.

A form without checksum (RFC 9653), or with an AUTH chunk whose HMAC is computed last (RFC 4895), is another ``Seal``.
"""

from __future__ import annotations

from typing import Final, final

from . import runs
from .checksum import crc32c, header_checksum
from .codes import COMMON_HEADER

FEW: Final = 4
"""Pieces of a packet up to which each is added to the checksum: more of them are joined first."""


def finish_packet(prefix: bytes, chunks: bytes) -> bytes:
    """A whole packet from the first 8 bytes of its header and its chunks."""
    return prefix + crc32c(chunks, header_checksum(prefix)).to_bytes(4, "little") + chunks


@final
class Seal:
    """Makes the packets of one association and direction final."""

    __slots__ = ("_prefix", "_seed")

    def __init__(self, prefix: bytes) -> None:
        """``prefix`` is what all the packets begin with: ports and Verification Tag."""
        self._prefix = prefix
        self._seed = header_checksum(prefix)

    def packet(self, chunks: bytes) -> bytes:
        """One packet."""
        # The CRC goes out with its least significant byte first (RFC 9260 appendix A).
        return self._prefix + crc32c(chunks, self._seed).to_bytes(4, "little") + chunks

    def append(self, parts: list[bytes], pieces: list[bytes]) -> int:
        """Append one packet to ``parts``, whose chunks come in ``pieces``. Returns the packet's size."""
        if len(pieces) > FEW:
            pieces = [b"".join(pieces)]
        checksum = self._seed
        length = COMMON_HEADER
        for piece in pieces:
            checksum = crc32c(piece, checksum)
            length += len(piece)
        parts.append(self._prefix)
        parts.append(checksum.to_bytes(4, "little"))
        parts.extend(pieces)
        return length

    def packets(self, chunks: list[bytes]) -> bytes:
        """Packets of one chunk each, one behind the other. All chunks are of one size."""
        return runs.seal(self._prefix, self._seed, chunks)

    def fragments(
        self, data: bytes, offset: int, length: int, count: int, first: int, rest: int, fragment: int
    ) -> list[bytes]:
        """Packets of one chunk each with the next ``length`` bytes of ``data``; see ``runs.cut``."""
        return runs.cut(data, offset, length, count, self._prefix, self._seed, first, rest, fragment)
