"""What one call of the send queue cut: consecutive TSNs in packets of one size for one path, kept as they were sent."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final, final

from ...wire.codes import COMMON_HEADER
from ..overhead import MESSAGE
from ..path.path import Path

_NOTHING: Final[list[int]] = []


@final
class Batch:
    """Consecutive TSNs sent together, in one ``bytes``. Chunks are found in it when they are needed."""

    __slots__ = (
        "_ahead",
        "_ends",
        "_firsts",
        "_lead",
        "_shifts",
        "charge",
        "data",
        "ends",
        "first_tsn",
        "packets",
        "path",
        "payload",
        "segment",
        "sent_at",
        "sizes",
        "total",
    )

    def __init__(self, first_tsn: int, path: Path, lead: int = 0, ahead: int = 0) -> None:
        self.first_tsn = first_tsn
        self.path = path
        """Where it was first sent."""
        self.sent_at = 0
        """When it left, ns."""
        self.sizes: list[int] = []
        """Size of each chunk with its header and padding."""
        self.data = b""
        self.segment = 0
        """Size of each packet but the last."""
        self.packets = 0
        self.payload = 0
        """Bytes of user data."""
        self.ends = 0
        """Messages of which the last chunk is here."""
        self.charge = 0
        """What the send buffer is charged for these: user data, and each message with its last chunk."""
        self.total = 0
        self._lead = lead  # Bytes of other chunks that go first in the first packet.
        self._ahead = ahead  # Bytes that the seal puts before the chunks of each packet.
        # To find chunks, once the first one was asked for:
        self._ends: list[int] | None = None
        self._firsts = _NOTHING
        self._shifts = _NOTHING

    def finish(self, data: bytes, segment: int) -> None:
        """All chunks were cut: these are the packets."""
        self.data = data
        self.segment = segment
        self.total = sum(self.sizes)
        self.charge = self.payload + MESSAGE * self.ends

    def chunk(self, index: int) -> bytes:
        """The chunk with that index, with its padding."""
        if self._ends is None:
            self._ends = list(accumulate(self.sizes))
            self._firsts = []
            self._shifts = []
            self._find_packets(self._ends)
        end = self._ends[index]
        end += self._shifts[bisect_right(self._firsts, index) - 1]
        return self.data[end - self.sizes[index] : end]

    def _find_packets(self, ends: list[int]) -> None:
        """Find the first chunk of each packet, and what lies in ``data`` before it that is no chunk of this batch.

        ``ends`` is where the chunks would end one behind the other. They come last in a packet, behind what was bundled
        with them in the first one.
        """
        data = self.data
        before = COMMON_HEADER + self._ahead
        first = before + self._lead
        index = 0
        done = 0
        while index < len(ends):
            self._firsts.append(index)
            self._shifts.append(first - done)
            stop = min(first - first % self.segment + self.segment, len(data))
            done += stop - first
            index = bisect_right(ends, done, index)
            first = stop + before
