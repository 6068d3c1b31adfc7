"""The one place where a packet becomes final: behind it no byte of the packet changes.

What makes a packet final is its CRC32c (RFC 9260 section 6.8). A ``Seal`` belongs to one association and has the
packets' common header; whoever builds chunks hands them over here, one packet or many at a time. ``finish_packet`` is
for packets that belong to no association.

A seal for a peer that takes packets without a checksum (RFC 9653) leaves 0 in its place, but in those packets that
must have one. An ``AuthSeal`` puts an AUTH chunk before the chunks that the peer takes only if they are authenticated
(RFC 4895), which costs room in the packet: ``Seal.ahead`` and ``Seal.overhead`` say how much, and are 0 without it.
"""

from __future__ import annotations

from typing import Final, final

from . import runs
from .auth import WITH_DATA, AssociationKey
from .checksum import NO_CHECKSUM, crc32c, header_checksum
from .codes import (
    CHUNK_ASCONF,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_FORWARD_TSN,
    CHUNK_HEADER,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_INIT,
    CHUNK_RE_CONFIG,
    CHUNK_SACK,
    COMMON_HEADER,
)

_ALWAYS_CHECKED: Final = (CHUNK_INIT, CHUNK_COOKIE_ECHO, CHUNK_ASCONF)
"""Chunks whose packets have a right checksum whatever the peer takes (RFC 9653 section 5.2)."""
# Chunks that are made as large as a packet of ``Tcb.packet_limit`` bytes takes.
_LARGE: Final = (CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK, CHUNK_FORWARD_TSN, CHUNK_I_FORWARD_TSN, CHUNK_RE_CONFIG)
FEW: Final = 4
"""Pieces of a packet up to which each is added to the checksum: more of them are joined first."""


def finish_packet(prefix: bytes, chunks: bytes) -> bytes:
    """A whole packet from the first 8 bytes of its header and its chunks."""
    return prefix + crc32c(chunks, header_checksum(prefix)).to_bytes(4, "little") + chunks


def _is_always_checked(chunks: bytes) -> bool:
    """Whether a packet of these chunks has a checksum for any peer. User data comes last in a packet."""
    offset = 0
    while len(chunks) - offset >= CHUNK_HEADER and chunks[offset] not in (CHUNK_DATA, CHUNK_I_DATA):
        if chunks[offset] in _ALWAYS_CHECKED:
            return True
        length = chunks[offset + 2] << 8 | chunks[offset + 3]
        offset += max(length + 3 & ~3, CHUNK_HEADER)
    return False


class Seal:
    """Makes the packets of one association and direction final."""

    __slots__ = ("_prefix", "_seed", "ahead", "checked", "overhead", "reserve")

    def __init__(self, prefix: bytes, checked: bool = True) -> None:
        """``prefix`` is what all the packets begin with: ports and Verification Tag."""
        self._prefix = prefix
        self.checked = checked
        """Whether all packets have a checksum; False for a peer that takes them without."""
        self._seed = header_checksum(prefix) if checked else NO_CHECKSUM
        self.ahead = 0
        """Bytes that are added to each packet with user data."""
        self.overhead = 0
        """Bytes that may be added to a packet."""
        self.reserve = 0
        """Bytes of them that ``Tcb.packet_limit`` leaves free."""

    def added_to(self, kinds: tuple[int, ...]) -> int:
        """Bytes that are added to a packet of chunks of these types, without user data."""
        return 0

    def protect(self, chunks: bytes) -> bytes:
        """The chunks of a packet, with an AUTH chunk where one has to be."""
        return chunks

    def packet(self, chunks: bytes) -> bytes:
        """One packet."""
        if not self.checked:
            if _is_always_checked(chunks):
                return finish_packet(self._prefix, chunks)
            return self._prefix + b"\0\0\0\0" + chunks
        # The CRC goes out with its least significant byte first (RFC 9260 appendix A).
        return self._prefix + crc32c(chunks, self._seed).to_bytes(4, "little") + chunks

    def append(self, parts: list[bytes], pieces: list[bytes]) -> int:
        """Append one packet to ``parts``, whose chunks come in ``pieces``. Returns the packet's size."""
        if len(pieces) > FEW:
            pieces = [b"".join(pieces)]
        checksum = self._seed
        length = COMMON_HEADER
        if checksum < 0:
            pieces = [b"".join(pieces)]
            checksum = header_checksum(self._prefix) if _is_always_checked(pieces[0]) else NO_CHECKSUM
        for piece in pieces:
            if checksum >= 0:
                checksum = crc32c(piece, checksum)
            length += len(piece)
        checksum = max(checksum, 0)
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


@final
class AuthSeal(Seal):
    """Puts an AUTH chunk right before the first chunk of a packet that the peer takes only if it is authenticated.

    All packets with user data have it or none has, so that each has as much room. They have it if the peer demands it
    of DATA or I-DATA, whichever of both is spoken, or of SACKs, which may lead them.
    """

    __slots__ = ("_demanded", "control_key", "data_key")

    def __init__(self, prefix: bytes, checked: bool, demanded: frozenset[int], key: AssociationKey) -> None:
        """``demanded`` are the chunk types that the peer takes only so."""
        super().__init__(prefix, checked)
        covers_data = not demanded.isdisjoint(WITH_DATA)
        self._demanded = demanded | {CHUNK_DATA, CHUNK_I_DATA} if covers_data else demanded
        self.control_key = key
        """For packets without user data."""
        self.data_key = key
        """For the next packets with user data: that of their messages."""
        if self._demanded:
            self.overhead = key.length
        if not self._demanded.isdisjoint(_LARGE):
            self.reserve = key.length
        if covers_data:
            self.ahead = key.length

    def added_to(self, kinds: tuple[int, ...]) -> int:
        """Bytes that are added to a packet of chunks of these types, without user data."""
        return 0 if self._demanded.isdisjoint(kinds) else self.control_key.length

    def packet(self, chunks: bytes) -> bytes:
        """One packet."""
        return super().packet(self.protect(chunks))

    def append(self, parts: list[bytes], pieces: list[bytes]) -> int:
        """Append one packet to ``parts``, whose chunks come in ``pieces``. Returns the packet's size."""
        return super().append(parts, [self.protect(b"".join(pieces))])

    def packets(self, chunks: list[bytes]) -> bytes:
        """Packets of one chunk each, one behind the other. All chunks are of one size."""
        return super().packets([self.protect(chunk) for chunk in chunks])

    def protect(self, chunks: bytes) -> bytes:
        """The chunks of a packet, with an AUTH chunk where one has to be."""
        first = -1
        at = 0
        key = self.control_key
        while len(chunks) - at >= CHUNK_HEADER:
            kind = chunks[at]
            if first < 0 and kind in self._demanded:
                first = at
            if kind in (CHUNK_DATA, CHUNK_I_DATA):
                key = self.data_key
                break
            length = chunks[at + 2] << 8 | chunks[at + 3]
            at += max(length + 3 & ~3, CHUNK_HEADER)
        if first < 0:
            return chunks
        return chunks[:first] + key.authenticate(chunks[first:])
