"""When to acknowledge (RFC 9260 section 6.2).

At least every second packet with DATA, or SACK.Delay after the first one that was not acknowledged; at once
for the first DATA of the association, a hole, a duplicate, or the I bit. With ``stretch_sack`` a burst that
arrived together is acknowledged at its end, at most 16 packets at a time, and only in a loss-free steady
phase: not in the first MiB, nor in the first MiB after a hole, a duplicate or an idle second.
"""

from __future__ import annotations

from typing import Final, final

from ..timers import NEVER, SECOND

FIRST: Final = 1  # The first DATA of the association is acknowledged at once (section 5.1).
EVERY: Final = 2
STRETCHED: Final = 16
STEADY_BYTES: Final = 1 << 20


@final
class SackPolicy:
    """Decides when a SACK is owed."""

    __slots__ = ("_last_burst", "_stretch", "_unsteady_bytes", "deadline", "delay", "every", "packets")

    def __init__(self, delay: int, stretch: bool) -> None:
        self.delay = delay
        """SACK.Delay, ns."""
        self.deadline = NEVER
        """When the delayed SACK is sent."""
        self.every = FIRST
        """Packets with DATA that call for a SACK, in the present burst."""
        self.packets = 0
        """Packets with DATA since the last SACK."""
        self._stretch = stretch
        self._unsteady_bytes = STEADY_BYTES
        self._last_burst = 0

    def reconfigure(self, now: int, delay: int, stretch: bool) -> None:
        """Another SACK.Delay, also for the SACK that is being delayed, and whether SACKs may be stretched."""
        self.delay = delay
        if self.deadline != NEVER:
            self.deadline = min(self.deadline, now + delay)
        self._stretch = stretch
        if not stretch:
            self.every = min(self.every, EVERY)

    def begin_burst(self, now: int) -> None:
        """Packets arrive together."""
        if self._stretch:
            if now - self._last_burst > SECOND:
                self._unsteady_bytes = STEADY_BYTES
            self._last_burst = now
            if self.every != FIRST:
                self.every = EVERY if self._unsteady_bytes > 0 else STRETCHED

    def end_burst(self, now: int, received: int) -> bool:
        """The burst is over, having brought ``received`` bytes: True if a SACK is owed now."""
        self._unsteady_bytes -= received
        if self.packets >= EVERY:
            return True
        if self.packets and self.deadline == NEVER:
            self.deadline = now + self.delay
        return False

    @property
    def until_owed(self) -> int:
        """Packets with DATA until a SACK is owed, if they come in sequence."""
        return max(self.every - self.packets, 1)

    def take(self, packets: int) -> int:
        """So many packets with DATA came in sequence: how many SACKs are owed for them. They count as made."""
        first = self.until_owed
        if packets < first:
            self.packets += packets
            return 0
        step = self.every
        owed = (packets - first) // step + 1
        self.on_sack()
        self.packets = packets - first - (owed - 1) * step
        return owed

    def on_disturbance(self) -> None:
        """A hole or a duplicate was seen."""
        self._unsteady_bytes = STEADY_BYTES
        self.every = min(self.every, EVERY)

    def on_sack(self) -> None:
        """A SACK was made: everything received so far is acknowledged."""
        self.packets = 0
        self.deadline = NEVER
        self.every = max(self.every, EVERY)
