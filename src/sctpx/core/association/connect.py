"""One attempt to set up an association over several addresses of the peer: the contract of sctp_connectx.

The INIT goes to the next address ``attempt_delay`` after the last one went out, while the earlier ones stay
open; each address has its own T1-init and Max.Init.Retransmits, and the first INIT ACK wins. A refusal moves
on to the next address at once. With ``attempt_delay=None`` one address is tried at a time, in rotation
(RFC 9260 section 5.1). No attempt fails before every address got at least one INIT.

The attempt decides when an INIT is sent where; it builds nothing and sends nothing. Its candidates become
the report and outlive it.
"""

from __future__ import annotations

from errno import ECONNREFUSED, ETIMEDOUT
from typing import Final, final

from ...wire.causes import Cause
from ..config import AssociationConfig
from ..timers import NEVER, nanoseconds

ANSWER_SILENCE: Final = 0
ANSWER_INIT_ACK: Final = 1
ANSWER_ABORT: Final = 2
ANSWER_ICMP: Final = 3
ANSWER_SEND_ERROR: Final = 4
ANSWER_MALFORMED: Final = 5
"""An INIT ACK that could not be used."""
ANSWER_COOKIE_ECHO: Final = 6
"""Both sides began: the peer's own INIT or COOKIE ECHO came from there (RFC 9260 section 5.2.4 B)."""

ANSWER_NAMES: Final[tuple[str, ...]] = (
    "silence",
    "INIT ACK",
    "ABORT",
    "ICMP",
    "send error",
    "malformed INIT ACK",
    "COOKIE ECHO",
)
_REFUSALS: Final = (ANSWER_ABORT, ANSWER_ICMP, ANSWER_SEND_ERROR, ANSWER_MALFORMED)


@final
class AddressReport:
    """What became of one address that an association was to be set up over."""

    __slots__ = (
        "answer",
        "answered",
        "causes",
        "deadline",
        "error",
        "first_sent",
        "inits",
        "ip",
        "kept",
        "listed",
        "refusal",
        "rto",
        "source",
        "tries",
        "udp_port",
    )

    def __init__(self, ip: bytes, udp_port: int, source: bytes, listed: bool, rto: int) -> None:
        self.ip = ip
        """The address, packed."""
        self.udp_port = udp_port
        """UDP encapsulation port; 0 for none."""
        self.source = source
        """Our source address towards it, packed; ``b""`` for any."""
        self.listed = listed
        """Whether the caller listed it; else it was learnt from the INIT ACK."""
        self.inits = 0
        """INITs sent to it."""
        self.tries = 0
        """Those of the present round: a stale cookie begins another one."""
        self.first_sent = -1
        """When the first INIT left, ns; -1 for never."""
        self.answered = -1
        """When it answered first, ns; -1 for never."""
        self.answer: int = ANSWER_SILENCE
        self.causes: list[Cause] = []
        """Error causes of an ABORT."""
        self.error = 0
        """errno of a refusal."""
        self.kept = False
        """Whether it became a path of the association."""
        self.rto = rto
        self.deadline = NEVER
        """T1-init of this address."""
        self.refusal = 0
        """errno of a refusal in the present round: it is not asked any more, whatever it answered in an earlier one."""

    def on_answer(self, now: int, answer: int, error: int, causes: list[Cause]) -> None:
        """Note the first answer of any kind; what proves the peer is worth more than a refusal before it."""
        if self.answered < 0 or (self.refused and answer not in _REFUSALS):
            self.answered = now
            self.answer = answer
            self.error = error
            self.causes = causes

    @property
    def refused(self) -> bool:
        """True if its answer is a refusal."""
        return self.answer in _REFUSALS

    @property
    def unanswered(self) -> int:
        """INITs that drew no answer yet."""
        return self.inits - (1 if self.answered >= 0 else 0)


@final
class Attempt:
    """The INITs of one association that is being set up."""

    __slots__ = ("_asked", "_current", "_delay", "_longest", "_next", "_next_start", "_tries", "candidates", "deadline")

    def __init__(self, candidates: list[AddressReport], now: int, config: AssociationConfig) -> None:
        self.candidates = candidates
        """In the caller's order, each address once."""
        self._asked = candidates  # Those that INITs go to, in this order.
        self.deadline = NEVER if config.connect_timeout is None else now + nanoseconds(config.connect_timeout)
        """When the whole attempt is given up."""
        self._delay = -1 if config.attempt_delay is None else nanoseconds(config.attempt_delay)
        self._tries = config.max_init_retransmits + 1
        # "For the INIT message, this value may override RTO.Max" (RFC 6458 section 5.3.1).
        self._longest = nanoseconds(config.rto_max if config.max_init_timeout is None else config.max_init_timeout)
        self._next = 0  # The candidate whose first INIT is sent next.
        self._next_start = now
        self._current = -1  # In rotation: the candidate whose T1-init runs.

    def next_deadline(self) -> int:
        """When there is something to do."""
        deadline = min(self.deadline, self._next_start)
        for candidate in self.candidates:
            if candidate.deadline < deadline:
                deadline = candidate.deadline
        return deadline

    def due(self, now: int) -> list[AddressReport]:
        """The candidates to which an INIT is sent now."""
        due = self._rotate(now) if self._delay < 0 else self._race(now)
        for candidate in due:
            candidate.inits += 1
            candidate.tries += 1
            if candidate.first_sent < 0:
                candidate.first_sent = now
            candidate.deadline = now + min(candidate.rto, self._longest)
        return due

    def _race(self, now: int) -> list[AddressReport]:
        due: list[AddressReport] = []
        for candidate in self._asked:
            if candidate.deadline <= now:
                self._expire(candidate)
                if not self._done(candidate):
                    due.append(candidate)
        while self._next < len(self._asked) and self._next_start <= now:
            candidate = self._asked[self._next]
            self._next += 1
            if not candidate.refusal:
                due.append(candidate)
                self._next_start = now + self._delay
        if self._next == len(self._asked):
            self._next_start = NEVER
        return due

    def _rotate(self, now: int) -> list[AddressReport]:
        """One address at a time: when its T1-init expired or it refused, the next one that is not done."""
        expired = [candidate for candidate in self._asked if candidate.deadline <= now]
        if not expired and self._next_start > now:
            return []
        for candidate in expired:
            self._expire(candidate)
        self._next_start = NEVER
        for step in range(1, len(self._asked) + 1):
            index = (self._current + step) % len(self._asked)
            if not self._done(self._asked[index]):
                self._current = index
                return [self._asked[index]]
        return []

    def _expire(self, candidate: AddressReport) -> None:
        candidate.deadline = NEVER
        candidate.rto = min(candidate.rto * 2, self._longest)

    def _done(self, candidate: AddressReport) -> bool:
        """True if no further INIT goes to it."""
        return candidate.refusal != 0 or candidate.tries >= self._tries

    def find(self, ip: bytes) -> AddressReport | None:
        """The candidate with that address."""
        for candidate in self.candidates:
            if candidate.ip == ip:
                return candidate
        return None

    def refuse(self, candidate: AddressReport, now: int, answer: int, error: int, causes: list[Cause]) -> None:
        """The address refused: move on to the next one at once (CX8), if it was asked."""
        candidate.on_answer(now, answer, error, causes)
        candidate.refusal = error
        if candidate.deadline != NEVER:
            candidate.deadline = NEVER
            self._next_start = now

    def stop(self) -> None:
        """An INIT ACK was accepted: no INIT leaves any more (CX2). The limit on the whole attempt stays."""
        self._next_start = NEVER
        for candidate in self.candidates:
            candidate.deadline = NEVER

    def again(self, candidates: list[AddressReport], now: int, rto: int) -> None:
        """Begin another round, with these of the candidates in this order (section 5.2.6)."""
        self.candidates = [candidate for candidate in self.candidates if candidate.listed]
        for candidate in self.candidates:
            candidate.kept = False
            candidate.tries = 0
            candidate.refusal = 0
            candidate.rto = rto
        self._asked = candidates
        self._next = 0
        self._next_start = now
        self._current = -1

    def failed(self, now: int) -> bool:
        """True if every address refused or ran out of INITs, or the time is up."""
        waiting = [c for c in self._asked if c.deadline != NEVER or not self._done(c)]
        return now >= self.deadline or not waiting

    def error(self) -> int:
        """The errno of the failure: any silence ETIMEDOUT, any refusal ECONNREFUSED, else what ICMP said."""
        errors = [candidate.refusal or ETIMEDOUT for candidate in self.candidates]
        if ETIMEDOUT in errors:
            return ETIMEDOUT
        return ECONNREFUSED if ECONNREFUSED in errors else errors[0]
