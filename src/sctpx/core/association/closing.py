"""What an association knows only while it ends: T2-shutdown, T5-shutdown-guard, the drain guard (``shutdown``).

It is made when the user asks for a graceful end, or the peer's SHUTDOWN comes.
"""

from __future__ import annotations

from typing import final

from ..config import AssociationConfig
from ..path.path import Path
from ..timers import NEVER, nanoseconds


@final
class Closing:
    """The timers of a graceful end (RFC 9260 section 9.2)."""

    __slots__ = (
        "drain_deadline",
        "drain_overdue",
        "drain_started",
        "drained_to",
        "t2_deadline",
        "t2_path",
        "t5_deadline",
        "t5_started",
    )

    def __init__(self) -> None:
        self.t2_deadline = NEVER
        self.t2_path: Path | None = None
        """Where the SHUTDOWN or SHUTDOWN ACK went last."""
        self.t5_started = -1
        """When T5-shutdown-guard was started, ns; -1 while it does not run."""
        self.t5_deadline = NEVER
        self.drain_started = -1
        """When the peer last took more of our data, or the end began; -1 while nobody waits for that."""
        self.drain_deadline = NEVER
        """When the peer has taken nothing more for too long."""
        self.drained_to = 0
        """The cumulative TSN ack point at ``drain_started``; 0 before that."""
        self.drain_overdue = False
        """The deadline has passed while the peer did not answer."""

    def schedule_guards(self, config: AssociationConfig) -> None:
        """Set when T5-shutdown-guard and the drain guard expire, those that run."""
        if self.t5_started >= 0:
            self.t5_deadline = self.t5_started + nanoseconds(config.t5_shutdown_guard)
        if self.drain_started >= 0:
            guard = config.drain_guard
            self.drain_deadline = NEVER if guard is None else self.drain_started + nanoseconds(guard)

    def stop_drain_guard(self) -> None:
        """Nobody waits any more for the peer to take our data."""
        self.drain_started = -1
        self.drain_deadline = NEVER

    def next_deadline(self) -> int:
        """When there is something to do."""
        return min(self.t2_deadline, self.t5_deadline, self.drain_deadline)
