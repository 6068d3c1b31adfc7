"""Congestion control as RFC 9260 section 7.2 has it: slow start, congestion avoidance, loss, idleness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from .controller import Controller


@final
class NewReno(Controller):
    """The controller of RFC 9260, which grows by a packet per round trip and is halved by a loss."""

    __slots__ = ("partial_bytes_acked", "slow_start_chunks")

    def __init__(self, pmdcs: int, ipv4: bool) -> None:
        super().__init__(pmdcs, ipv4)
        self.partial_bytes_acked = 0
        """Bytes acknowledged in congestion avoidance that no growth has been given for (section 7.2.2)."""
        self.slow_start_chunks = 1
        """What a step of slow start adds at most, in PMDCS: L of section 7.2.1."""

    def on_acknowledged(self, now: int, sizes: Sequence[int]) -> None:
        """Grow the window, if it was fully used."""
        if self.cwnd <= self.ssthresh and not self.was_full:
            return
        for acknowledged in sizes:
            if self.cwnd <= self.ssthresh:
                self.cwnd += min(acknowledged, self.slow_start_chunks * self.pmdcs)  # Slow start (section 7.2.1).
                continue
            # Congestion avoidance (section 7.2.2).
            self.partial_bytes_acked += acknowledged
            if self.partial_bytes_acked >= self.cwnd:
                if self.was_full:
                    self.partial_bytes_acked -= self.cwnd
                    self.cwnd += self.pmdcs
                else:
                    self.partial_bytes_acked = self.cwnd

    def on_all_acknowledged(self) -> None:
        """The last item of section 7.2.2."""
        self.partial_bytes_acked = 0

    def on_loss(self) -> None:
        """Halve the window (section 7.2.3)."""
        self.ssthresh = max(self.cwnd // 2, 4 * self.pmdcs)
        self.cwnd = self.ssthresh
        # "L SHOULD be 1 and MAY be larger than 1": it is 2 in the one step behind Fast Recovery, so that all counts
        # that a SACK of two packets acknowledges.
        self.slow_start_chunks = 2
        self.partial_bytes_acked = 0

    def on_ecn(self) -> None:
        """As to a loss (RFC 3168 section 5), but the window never grows by it; nothing is lost, so L stays."""
        self.ssthresh = max(self.cwnd // 2, 4 * self.pmdcs)
        self.cwnd = min(self.cwnd, self.ssthresh)
        self.partial_bytes_acked = 0

    def on_timeout(self) -> None:
        """Go back to one packet in flight (section 7.2.3)."""
        self.ssthresh = max(self.cwnd // 2, 4 * self.pmdcs)
        self.cwnd = self.pmdcs
        self.slow_start_chunks = 1
        self.partial_bytes_acked = 0

    def on_idle(self, periods: int) -> None:
        """Halve the window once per RTO that passed (section 7.2.1)."""
        floor = 4 * self.pmdcs
        if self.cwnd <= floor:
            return
        # "Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
        self.ssthresh = self.cwnd
        self.slow_start_chunks = 1
        self.cwnd = max(self.cwnd >> min(periods, 32), floor)
