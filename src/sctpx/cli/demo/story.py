"""What the demonstration shows, whatever link carries it: the plot, what was measured, what must hold.

The plot: connect to four addresses of which the first is silent and the second refuses; send, and cut the primary
path in the middle; end with SHUTDOWN. An ``Outcome`` is filled in as it goes; its ``checks`` decide the exit status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, final

from ...sockapi.status import AddressReport, PathInfo
from ..report import report_json

MESSAGE_SIZE: Final = 64 * 1024
MINIMUM_SIZE: Final = 1_000_000
"""Bytes to send at least, so that some are on the way when the path is cut."""
SCTP_PORT: Final = 36412
"""That of S1AP, which would be used so."""


@final
@dataclass(frozen=True, slots=True)
class Total:
    """What one side sent or received."""

    bytes: int = 0
    messages: int = 0
    sha256: str = ""


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """How far the transfer is at one moment."""

    now: float
    """Seconds from the beginning of the connect."""
    seconds: float
    """Seconds from the beginning of the transfer."""
    sent: int
    total: int
    paths: Sequence[PathInfo]
    cut: str
    """The path that was cut; ``""`` if none is."""

    @property
    def percent(self) -> int:
        """Of the whole."""
        return self.sent * 100 // self.total

    @property
    def rate(self) -> float:
        """Bytes per second so far."""
        return self.sent / self.seconds if self.seconds > 0 else 0.0


@final
@dataclass(slots=True)
class Outcome:
    """What was measured. Moments (``_at``) are seconds from the beginning of the connect."""

    link: str
    """``loopback`` or ``simulated``."""
    report: Sequence[AddressReport] = ()
    up_at: float = 0.0
    primary: str = ""
    """The primary path of the beginning, which is cut."""
    cut_at: float | None = None
    failed_over_at: float | None = None
    failed_over_to: str = ""
    longest_gap: float = 0.0
    """The longest time the receiver got nothing, seconds."""
    sending_seconds: float = 0.0
    sent: Total = Total()
    received: Total = Total()
    chunks_retransmitted: int = 0
    graceful: bool = False
    """Both sides saw the end of the SHUTDOWN."""
    paths: Sequence[PathInfo] = ()
    seconds: float = 0.0
    """The whole demonstration, by the clock on the wall."""

    @property
    def cut(self) -> str:
        """The path that was cut; ``""`` as long as none is."""
        return "" if self.cut_at is None else self.primary

    @property
    def rate(self) -> float:
        """Bytes per second while sending."""
        return self.sent.bytes / self.sending_seconds if self.sending_seconds else 0.0

    def checks(self) -> dict[str, bool]:
        """What must hold, by name."""
        first, second = [*self.report[:2], None, None][:2]
        return {
            "first_address_silent": first is not None and first.inits > 0 and first.answered is None,
            "second_address_refused": second is not None and second.inits > 0 and second.error != 0,
            "connected_to_another": self.primary not in ("", *(entry.address for entry in self.report[:2])),
            "failed_over": self.failed_over_at is not None and self.failed_over_to not in ("", self.primary),
            "all_received": 0 < self.sent.bytes == self.received.bytes and self.sent.messages == self.received.messages,
            "sha256_equal": self.sent.sha256 != "" and self.sent.sha256 == self.received.sha256,
            "graceful_end": self.graceful,
        }

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        checks = self.checks()
        return {
            "ok": all(checks.values()),
            "checks": checks,
            **asdict(self),
            "mb_per_s": round(self.rate / 1e6, 1),
            "report": report_json(self.report),
        }


class Teller:
    """Shows the story as it happens. This one shows nothing; ``screen`` has one that does."""

    def note(self, text: str) -> None:
        """A remark."""

    def connecting(self, addresses: Sequence[str]) -> None:
        """Chapter one begins."""

    def connected(self, outcome: Outcome) -> None:
        """The association is up."""

    def sending(self, total: int) -> None:
        """Chapter two begins."""

    def progress(self, progress: Progress) -> None:
        """So far it is. To be called often: what is not worth showing is not shown."""

    def event(self, at: float, text: str) -> None:
        """Something happened."""

    def sent(self, outcome: Outcome) -> None:
        """Everything was sent and acknowledged: chapter three begins."""

    def finished(self, outcome: Outcome) -> None:
        """The end: the summary."""
