"""What a congestion controller is: the congestion window of one path, and what happens to it.

A controller decides how many bytes may be in flight to one destination address. It is told what was sent there, what
was acknowledged and what was lost, and answers how much more may leave: ``room``. It knows neither the path nor the
association, so that its arithmetic can be tested by itself. Everything else of a path (flight size, RTO, T3-rtx) stays
in ``Path``, which owns one controller. No other place reads or writes the window, but reports of its status.

A controller of another kind derives from ``Controller``; ``Path`` makes the one that ``AssociationConfig.congestion``
names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

INITIAL_IPV4: Final = 4404
INITIAL_IPV6: Final = 4344
UNLIMITED: Final = 1 << 31


class Controller:
    """The congestion window of one path. Numbers are bytes of chunks, with their headers and padding."""

    __slots__ = ("cwnd", "pmdcs", "ssthresh", "was_full")

    def __init__(self, pmdcs: int, ipv4: bool) -> None:
        self.pmdcs = pmdcs
        """Path Maximum DATA Chunk Size."""
        self.cwnd = min(4 * pmdcs, max(2 * pmdcs, INITIAL_IPV4 if ipv4 else INITIAL_IPV6))
        """The congestion window. The initial one is that of RFC 9260 section 7.2.1."""
        self.ssthresh = UNLIMITED
        """Slow start ends above this."""
        self.was_full = False
        """Whether the last sending left the congestion window fully used.

        Whether the window is *fully utilized* (section 7.2.1) is judged by how the last sending left it, not by the
        flight size at each SACK: the SACKs of one batch of input are processed with no sending between them, so that
        all but the first would find the window drained by their predecessors.
        """

    def room(self, flight_size: int) -> int:
        """Bytes until the window is full with ``flight_size`` in flight; 0 or less if it is (section 6.1 B).

        After a timeout it is full with one packet in flight, whatever its size (sections 7.2.1 and 7.2.3).
        """
        if self.cwnd <= self.pmdcs and flight_size:
            return 0
        return self.cwnd - flight_size

    @property
    def one_packet(self) -> bool:
        """Whether a single packet may be in flight: so it is after a timeout (section 7.2.3)."""
        return self.cwnd <= self.pmdcs

    @property
    def few_packets(self) -> bool:
        """Whether the window holds no more packets than it does at the beginning, or after a loss."""
        return self.cwnd <= 4 * self.pmdcs

    def take_over(self, other: Controller) -> None:
        """Go on from the window of another controller, which this one replaces."""
        self.cwnd = other.cwnd
        self.ssthresh = other.ssthresh
        self.was_full = other.was_full

    def on_sent(self, now: int, flight_size: int) -> None:
        """All that may be sent now was sent: ``flight_size`` bytes are in flight. ``now`` is in ns."""
        self.was_full = self.room(flight_size) <= 0

    def on_rtt(self, srtt: int) -> None:
        """A round trip was measured: smoothed, round trips take so long now, ns. Once in a round trip at most."""

    def on_acknowledged(self, now: int, sizes: Sequence[int]) -> None:
        """SACKs acknowledged so many bytes sent here, each of them, outside Fast Recovery."""
        raise NotImplementedError

    def on_all_acknowledged(self) -> None:
        """Nothing is outstanding any more."""
        raise NotImplementedError

    def on_loss(self) -> None:
        """Gap reports told of a loss, which Fast Recovery begins with (section 7.2.4)."""
        raise NotImplementedError

    def on_ecn(self) -> None:
        """The network marked a packet instead of dropping it (RFC 3168): once for a window of data."""
        raise NotImplementedError

    def on_timeout(self) -> None:
        """T3-rtx expired (section 7.2.3)."""
        raise NotImplementedError

    def on_idle(self, periods: int) -> None:
        """Data is about to be sent after so many RTOs, at least one, in which none was sent (section 7.2.1)."""
        raise NotImplementedError
