"""What an association knows only while the peer's window has no room: zero window probing (RFC 9260 section 6.1 A).

It is made when the next chunk finds no room, and gone when the window is open and nothing is in flight.
"""

from __future__ import annotations

from typing import Final, final

from ..timers import NEVER

IDLE: Final = 0
"""Nothing of what is in flight is a probe."""
SENT: Final = 1
ANSWERED: Final = 2
"""The peer answers probes: the timeout of one is no error."""


@final
class Probe:
    """When the next probe leaves, and what became of the last one."""

    __slots__ = ("deadline", "interval", "state")

    def __init__(self) -> None:
        self.deadline = NEVER
        """When a probe is sent."""
        self.interval = 0
        """How long the window has to stay closed for that, ns; 0 before the first probe."""
        self.state: int = IDLE

    def rest(self) -> None:
        """The window is open: no probe is due."""
        self.deadline = NEVER
        self.interval = 0
