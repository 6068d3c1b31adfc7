"""CUBIC (RFC 9438) for the paths of an association: a window that grows with time, and not with round trips.

NewReno adds a packet in a round trip. After a loss it needs half a window of round trips to be where it was: minutes on
a fast line with a long round trip. CUBIC follows a curve over the time since congestion avoidance began,

    W_cubic(t) = C * (t - K)^3 + W_max

which rises quickly, is flat about the window of the last loss (``w_max``, reached after ``K`` seconds) and then rises
ever faster. Where round trips are short, NewReno is quicker than the curve: then the window is that of an estimate of
NewReno, ``w_est``, so that neither takes the other's share (the Reno-friendly region, section 4.3).

The clock of the curve runs only while the window is fully used: t "MUST NOT include" other times (section 4.2). What is
not fully used does not grow either, so that cwnd can stand for the flight size at a loss (section 4.6).

The window grows by whole packets, as in congestion avoidance of RFC 9260 section 7.2.2: it is filled up to the packet
that exceeds it, so that a fraction of a packet would have the effect of a whole one.

Sizes are in bytes, where the RFC has segments: C and the growth of ``w_est`` have the PMDCS as a factor, and a SACK
counts by the bytes that it acknowledges. RFC 9260 gives the rest: no growth in Fast Recovery, cwnd of one packet after
a timeout, of four at least after a loss, halved in each RTO without data, Max.Burst. The first slow start is that of
``hystart``; the later ones, which end at a known ssthresh, are those of RFC 9260. There is one step of that behind each
Fast Recovery. If it were of two packets, as it is in ``newreno``, it would take the place of some round trips of
``w_est``, and CUBIC would have more than its share of a line of low rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, final

from ..timers import SECOND
from .controller import UNLIMITED, Controller
from .hystart import HyStart

C: Final = 0.4
"""How steep the curve is, packets per cubic second (section 5.1)."""
BETA: Final = 0.7
"""What a congestion event leaves of the window (section 4.6)."""
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)
"""Packets a round trip by which ``w_est`` grows, so that with BETA it has NewReno's average (section 4.3)."""
MOST_GROWTH: Final = 1.5
"""What the window may grow to in a round trip, of its size (section 4.2)."""
BYTE_LIMIT: Final = 8
"""What a SACK adds in the first slow start at most, in PMDCS: L of RFC 9406 for senders that do not pace."""
STOPPED: Final = -1


@final
class Cubic(Controller):
    """The controller of RFC 9438."""

    __slots__ = (
        "_clock",
        "_elapsed",
        "_growth",
        "_hystart",
        "_in_epoch",
        "_scale",
        "_srtt",
        "cwnd_prior",
        "k",
        "w_est",
        "w_max",
    )

    def __init__(self, pmdcs: int, ipv4: bool) -> None:
        super().__init__(pmdcs, ipv4)
        self.w_max = 0.0
        """Where the curve is flat: cwnd before the last congestion event, or less (section 4.7). 0: there was none."""
        self.w_est = 0.0
        """What NewReno's window would be about."""
        self.k = 0.0
        """Seconds until the curve is at ``w_max``."""
        self.cwnd_prior = 0.0
        """cwnd before the last congestion event, or when slow start ended without one; 0 before that."""
        self._in_epoch = False  # Congestion avoidance has begun: the curve is known.
        self._elapsed = 0  # Since then, ns, as far as the window was fully used.
        self._clock = STOPPED  # Up to when ``_elapsed`` counts; the window is not fully used while it is stopped.
        self._scale = 0.0  # C for a window in bytes.
        self._growth = 0.0  # What the window is to grow by, until it is a packet.
        self._srtt = 0  # ns
        self._hystart: HyStart | None = HyStart()

    def take_over(self, other: Controller) -> None:
        """Go on from the window of another controller; a slow start that has an end already is an ordinary one."""
        super().take_over(other)
        if self.ssthresh != UNLIMITED:
            self._hystart = None

    def on_sent(self, now: int, flight_size: int) -> None:
        """Note whether the window is fully used. If not, the clock stands still."""
        super().on_sent(now, flight_size)
        if not self.was_full:
            self._clock = STOPPED
        elif self._clock == STOPPED:
            self._clock = now
        if self._hystart is not None:
            self._hystart.on_sent(now, flight_size)

    def on_rtt(self, srtt: int) -> None:
        """The curve is looked at one round trip ahead."""
        self._srtt = srtt

    def on_acknowledged(self, now: int, sizes: Sequence[int]) -> None:
        """Grow the window, if it was fully used."""
        for acknowledged in sizes:
            if self._hystart is not None:
                self._start(now, self._hystart, acknowledged)
            elif not self.was_full:
                return
            elif self.cwnd <= self.ssthresh:
                self.cwnd += min(acknowledged, self.pmdcs)  # Slow start of RFC 9260 section 7.2.1, L is 1.
            else:
                self._avoid(now, acknowledged)

    def _start(self, now: int, hystart: HyStart, acknowledged: int) -> None:
        """The first slow start (RFC 9406 section 4.2)."""
        hystart.on_acknowledged(now, acknowledged)
        if self.was_full:
            self.cwnd += hystart.growth(min(acknowledged, BYTE_LIMIT * self.pmdcs))
        if hystart.done:
            # There was no congestion event: the curve begins where it is flat (RFC 9438 section 4.10).
            self.ssthresh = self.cwnd
            self.cwnd_prior = float(self.cwnd)
            self._hystart = None

    def _avoid(self, now: int, acknowledged: int) -> None:
        """Congestion avoidance: follow the curve, or the estimate of NewReno where that is above it."""
        if not self._in_epoch:
            self._begin_epoch()
        elif self._clock != STOPPED:
            self._elapsed += now - self._clock
        self._clock = now
        cwnd = float(self.cwnd)
        alpha = 1.0 if self.w_est >= self.cwnd_prior else ALPHA
        self.w_est += alpha * self.pmdcs * acknowledged / cwnd
        time = self._elapsed / SECOND
        if self._curve(time) < self.w_est:
            self._growth = max(self._growth, self.w_est - cwnd)
        else:
            target = min(max(self._curve(time + self._srtt / SECOND), cwnd), MOST_GROWTH * cwnd)
            self._growth += (target - cwnd) * acknowledged / cwnd
        if self._growth >= self.pmdcs:
            whole = int(self._growth) // self.pmdcs * self.pmdcs
            self.cwnd += whole
            self._growth -= whole

    def _begin_epoch(self) -> None:
        """Congestion avoidance begins: find the curve that starts at cwnd and is flat at ``w_max`` (section 4.2)."""
        cwnd = float(self.cwnd)
        self._in_epoch = True
        self._elapsed = 0
        self._scale = C * self.pmdcs
        self._growth = 0.0
        self.w_est = cwnd
        if cwnd < self.w_max:
            self.k = math.cbrt((self.w_max - cwnd) / self._scale)
        else:
            # After a timeout, or a slow start without loss (sections 4.8 and 4.10): it is flat here.
            self.w_max = cwnd
            self.k = 0.0

    def _curve(self, time: float) -> float:
        """W_cubic after so many seconds, bytes."""
        ahead = time - self.k
        return self._scale * ahead * ahead * ahead + self.w_max

    def _on_congestion(self) -> int:
        """A congestion event: remember the window. Returns what is left of it (section 4.6)."""
        cwnd = float(self.cwnd)
        self.cwnd_prior = cwnd
        # Fast convergence (section 4.7): a window that is smaller than the last time makes room for others.
        self.w_max = cwnd * (1 + BETA) / 2 if cwnd < self.w_max else cwnd
        self._in_epoch = False
        return int(cwnd * BETA)

    def on_all_acknowledged(self) -> None:
        """That the window is not used any more is noted by ``on_sent``."""

    def on_loss(self) -> None:
        """Reduce the window, but to no less than RFC 9260 section 7.2.3 has it."""
        self.ssthresh = max(self._on_congestion(), 4 * self.pmdcs)
        self.cwnd = self.ssthresh
        self._hystart = None

    def on_ecn(self) -> None:
        """Reduce the window as often as the network says so, down to a packet: a MUST of section 4.6."""
        left = self._on_congestion()
        self.ssthresh = max(left, 2 * self.pmdcs)
        self.cwnd = min(self.cwnd, max(left, self.pmdcs))
        self._hystart = None

    def on_timeout(self) -> None:
        """Go back to one packet in flight (RFC 9260 section 7.2.3). The next curve is flat where slow start ends."""
        self.ssthresh = max(self._on_congestion(), 4 * self.pmdcs)
        self.w_max = 0.0
        self.cwnd = self.pmdcs
        self._hystart = None

    def on_idle(self, periods: int) -> None:
        """Halve the window once per RTO that passed (RFC 9260 section 7.2.1)."""
        floor = 4 * self.pmdcs
        if self.cwnd <= floor:
            return
        self.ssthresh = self.cwnd
        self.cwnd = max(self.cwnd >> min(periods, 32), floor)
        self._in_epoch = False
        self._hystart = None
