"""HyStart++ (RFC 9406): a slow start that ends when round trips become longer, before packets are lost.

Slow start doubles the window in a round trip. Without an end it overfills the queue of the narrowest link, and loses a
window of packets at once. A queue that begins to fill is seen before: the shortest round trip of a round is longer than
that of the round before. Growth then becomes slow (Conservative Slow Start, CSS). If round trips become short again, it
was no queue, and slow start goes on; else congestion avoidance begins after five rounds.

Round trips are measured here, and not taken from the path, which measures one in a round trip (RFC 9260 section 6.3.1):
eight are needed. They are measured in bytes: all that was ever sent is what was acknowledged and what is in flight.
Each sending leaves a mark, the sum of these and the time, and the SACK that reaches the mark ends a round trip. Data
that is taken out of flight by something else than a SACK, for example because it was given up, makes the sum smaller;
then the marks are dropped. Losses need no care: HyStart++ ends with the first one.

A part of ``cubic``, which has the window.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from ..timers import MILLISECOND, NEVER

MIN_RTT_THRESH: Final = 4 * MILLISECOND
MAX_RTT_THRESH: Final = 16 * MILLISECOND
MIN_RTT_DIVISOR: Final = 8
N_RTT_SAMPLE: Final = 8
CSS_GROWTH_DIVISOR: Final = 4
CSS_ROUNDS: Final = 5
MOST_MARKS: Final = 64
"""Marks that wait for their SACKs at most. What is sent beyond leaves none: the shortest of so many will do."""


@final
class HyStart:
    """The state of one slow start, which is the first one of its path (section 4.3)."""

    __slots__ = (
        "_baseline",
        "_samples",
        "_sent",
        "_window_end",
        "acknowledged",
        "current_round_min_rtt",
        "done",
        "last_round_min_rtt",
        "marks",
        "rounds",
    )

    def __init__(self) -> None:
        self.acknowledged = 0
        """Bytes acknowledged so far."""
        self.rounds = 0
        """Rounds of it that are complete; the one in which it began counts, though it is not whole."""
        self.done = False
        """Congestion avoidance is to begin."""
        self.last_round_min_rtt = NEVER
        """The shortest round trip of the round before, ns; ``NEVER``: none was measured."""
        self.current_round_min_rtt = NEVER
        self.marks: deque[tuple[int, int]] = deque()
        """Of each sending that waits for its SACK: bytes sent with it in all, and when."""
        self._baseline = NEVER  # cssBaselineMinRtt: CSS began with it; NEVER while there is none.
        self._samples = 0  # Round trips measured in this round.
        self._sent = 0  # Bytes sent so far.
        self._window_end = 0  # Sent when the round began: beyond, the next one begins.

    @property
    def conservative(self) -> bool:
        """Whether this is Conservative Slow Start."""
        return self._baseline != NEVER

    def on_sent(self, now: int, flight_size: int) -> None:
        """All that may be sent now was sent."""
        sent = self.acknowledged + flight_size
        if sent < self._sent:
            self.marks.clear()
            self._window_end = min(self._window_end, sent)
        elif sent > self._sent and len(self.marks) < MOST_MARKS:
            self.marks.append((sent, now))
        self._sent = sent

    def on_acknowledged(self, now: int, size: int) -> None:
        """A SACK acknowledged so many bytes."""
        self.acknowledged += size
        if self.acknowledged > self._window_end:
            self._begin_round()
        marks = self.marks
        left = -1
        while marks and marks[0][0] <= self.acknowledged:
            left = marks.popleft()[1]  # Of several, the last one: the SACK was not delayed for it.
        if left >= 0:
            self.current_round_min_rtt = min(self.current_round_min_rtt, now - left)
            self._samples += 1
            self._judge()

    def growth(self, size: int) -> int:
        """What is added to the window where slow start would add ``size`` bytes (section 4.2)."""
        return size // CSS_GROWTH_DIVISOR if self.conservative else size

    def _judge(self) -> None:
        """Have round trips become longer, or were they longer by chance (section 4.2)?"""
        current, last = self.current_round_min_rtt, self.last_round_min_rtt
        if self._samples < N_RTT_SAMPLE:
            return
        if self.conservative:
            if current < self._baseline:
                self._baseline = NEVER
        elif last != NEVER:
            threshold = max(MIN_RTT_THRESH, min(last // MIN_RTT_DIVISOR, MAX_RTT_THRESH))
            if current >= last + threshold:
                self._baseline = current
                self.rounds = 0

    def _begin_round(self) -> None:
        """Something is acknowledged that was sent in answer to this round: the next one begins (section 4.2)."""
        if self.conservative:
            self.rounds += 1
            self.done = self.rounds >= CSS_ROUNDS
        self.last_round_min_rtt = self.current_round_min_rtt
        self.current_round_min_rtt = NEVER
        self._samples = 0
        self._window_end = self._sent
