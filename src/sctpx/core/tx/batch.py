"""What one call of the send queue cut: consecutive TSNs in packets of one size for one path, kept as they were sent."""

from __future__ import annotations

from typing import final

from ...wire.codes import COMMON_HEADER
from ..path.path import Path


@final
class Batch:
    """Consecutive TSNs sent together, in one ``bytes``. Chunks are found in it when they are needed."""

    __slots__ = ("_offsets", "data", "first_tsn", "packets", "path", "payload", "segment", "sizes", "total")

    def __init__(self, first_tsn: int, path: Path) -> None:
        self.first_tsn = first_tsn
        self.path = path
        """Where it was first sent."""
        self.sizes: list[int] = []
        """Size of each chunk with its header and padding."""
        self.data = b""
        self.segment = 0
        """Size of each packet but the last."""
        self.packets = 0
        self.payload = 0
        """Bytes of user data."""
        self.total = 0
        self._offsets: list[int] | None = None

    def finish(self, data: bytes, segment: int) -> None:
        """All chunks were cut: these are the packets."""
        self.data = data
        self.segment = segment
        self.total = sum(self.sizes)

    def chunk(self, index: int) -> bytes:
        """The DATA chunk with that index, with its padding."""
        if self._offsets is None:
            self._offsets = self._find_offsets()
        offset = self._offsets[index]
        return self.data[offset : offset + self.sizes[index]]

    def _find_offsets(self) -> list[int]:
        """Where the chunks start. DATA chunks come last in a packet, behind what was bundled with them."""
        offsets: list[int] = []
        index = 0
        for start in range(0, len(self.data), self.segment):
            stop = min(start + self.segment, len(self.data))
            offset = start + COMMON_HEADER
            while offset < stop:
                if self.data[offset] != 0:
                    offset += (int.from_bytes(self.data[offset + 2 : offset + 4], "big") + 3) & ~3
                    continue
                offsets.append(offset)
                offset += self.sizes[index]
                index += 1
        return offsets
