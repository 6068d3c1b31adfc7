"""What an association knows of the tail loss probe that is under way (RFC 8985 section 7), and when one is due.

When nothing was heard of a path for two round trips though data is in flight there, one packet is sent to have the peer
say what it has: a SACK tells then by RACK (``tx.rack``) what is lost, and no timeout is needed. There is one probe at a
time. ``recovery`` says when it leaves, and what becomes of it; ``outbound`` sends it.
"""

from __future__ import annotations

from typing import Final, final

from ..path.path import Path
from ..timers import MILLISECOND, NEVER

LEAST: Final = 10 * MILLISECOND
"""The shortest time that is waited: as long as a busy host may take to do anything at all."""
SACK_DELAY: Final = 200 * MILLISECOND
"""TLP.max_ack_delay: how long a peer is taken to delay the SACK of a single packet (RFC 9260 section 6.2)."""


@final
class TailProbe:
    """A probe that is owed, or was sent and not yet understood."""

    __slots__ = ("answered", "end", "path", "repairs", "sent_at", "size", "to", "tsn")

    def __init__(self, path: Path, to: Path, tsn: int) -> None:
        self.path = path
        """Which it asks about."""
        self.to = to
        """Where it is sent: another path tells whether the data or the path is lost."""
        self.tsn = tsn
        """The TSN that is sent again, or below 0 new data; once it was sent, its TSN."""
        self.size = path.flight_size
        """Bytes that were in flight there."""
        self.repairs = False
        """It was no new data, and as far as is known it did not come twice: TLP.is_retrans."""
        self.end = -1
        """The lowest TSN not sent yet when the probe left: TLP.end_seq; below 0 while the probe is owed."""
        self.sent_at = 0
        self.answered = NEVER
        """When a SACK acknowledged it."""

    @property
    def is_owed(self) -> bool:
        """It was not sent yet."""
        return self.end < 0


def patience(path: Path) -> int:
    """PTO: how long nothing has to be heard of ``path``, ns (section 7.2)."""
    least = max(2 * path.srtt, LEAST)
    if path.flight_size <= path.pmdcs and path.earliest_tsn >= path.last_batch_tsn:
        return least + SACK_DELAY  # There may be one packet in flight.
    return least


def due(path: Path) -> int:
    """When nothing will have been heard of ``path`` for so long that a probe is due, ns; ``NEVER`` for not at all.

    Not later than T3-rtx (section 7.2). A path that timed out is left to T3-rtx, and to HEARTBEATs (RFC 7829).
    """
    if not path.srtt or path.error_count or path.flight_size == 0:
        return NEVER
    return min(max(path.last_acknowledged, path.moved_on_at) + patience(path), path.t3_deadline)
