"""How much of its Gap Ack Blocks a peer may take back (RFC 9260 section 6.2.1 D iii).

All in all, that is as much as was sent to it. A peer that takes back more, again and again, is not believed: of all
that is outstanding then, only the cumulative acknowledgement counts. Else two small SACKs in turn could have us walk
over a whole window as often as they come.
"""

from __future__ import annotations

from typing import Final, final

from ...wire.ranges import Ranges

MOST: Final = 1 << 16
"""TSNs that a peer may take back beyond what is sent to it from now on."""


@final
class Patience:
    """What one peer may still take back."""

    __slots__ = ("_forbearance", "_unbelieved")

    def __init__(self, initial_tsn: int) -> None:
        self._forbearance = initial_tsn  # Up to the next TSN, so many may still be taken back.
        self._unbelieved = 0

    def believes(self, cumulative: int) -> bool:
        """Whether Gap Ack Blocks above this cumulative TSN ack count."""
        return cumulative + 1 >= self._unbelieved

    def bears(self, reneged: Ranges, next_tsn: int) -> bool:
        """Whether the peer may take this back; if not, it is not believed below ``next_tsn``, which is not sent yet."""
        self._forbearance = max(self._forbearance, next_tsn - MOST)
        self._forbearance += sum([end - start for start, end in reneged])
        if self._forbearance <= next_tsn:
            return True
        self._forbearance = self._unbelieved = next_tsn
        return False

    def on_resent(self) -> None:
        """A TSN was sent again."""
        self._forbearance -= 1
