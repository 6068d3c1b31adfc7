"""What an association knows only while it is being set up by this side: from the first INIT to the COOKIE ACK.

It is made with the INIT, and gone when the association is up or over (RFC 9260 section 5.1). A listener has none: its
side is in the cookie.
"""

from __future__ import annotations

from typing import final

from ...wire.causes import Cause
from ...wire.setup import Setup
from ..path.path import Path
from ..timers import NEVER
from .connect import AddressReport, Attempt


@final
class Opening:
    """INITs, T1-init, the COOKIE ECHO, T1-cookie."""

    __slots__ = (
        "attempt",
        "cookie",
        "init_chunk",
        "init_targets",
        "offered",
        "retries",
        "said",
        "stale_retries",
        "t1_cookie_deadline",
        "t1_cookie_path",
        "t1_cookie_sent",
        "unrecognized",
    )

    def __init__(self, attempt: Attempt, said: Setup, offered: int) -> None:
        self.attempt = attempt
        self.said = said
        """What the INIT says."""
        self.offered = offered
        """What we can do beyond RFC 9260 (``core.capabilities``), whether the INIT says so or not."""
        self.init_chunk = said.encode()
        self.init_targets: list[AddressReport] = []
        """Where the INIT goes now."""
        self.cookie = b""
        """The peer's State Cookie."""
        self.unrecognized: list[Cause] = []
        """Unknown parameters of the INIT ACK, reported with the COOKIE ECHO (section 3.2.2)."""
        self.t1_cookie_deadline = NEVER
        self.t1_cookie_path: Path | None = None
        """Where the COOKIE ECHO went last, or goes now."""
        self.t1_cookie_sent = 0
        self.retries = 0
        """COOKIE ECHOs that were sent again."""
        self.stale_retries = 0
        """Cookies that were stale (section 5.2.6)."""

    def next_deadline(self) -> int:
        """When there is something to do."""
        return min(self.t1_cookie_deadline, self.attempt.next_deadline())
