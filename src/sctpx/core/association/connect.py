"""One attempt to set up an association over several addresses of the peer: the contract of sctp_connectx.

The INIT goes to the next address ``attempt_delay`` after the last one went out, while the earlier ones stay
open; each address has its own T1-init and Max.Init.Retransmits, and the first INIT ACK wins. A refusal moves
on to the next address at once. With ``attempt_delay=None`` one address is tried at a time, in rotation
(RFC 9260 section 5.1). No attempt fails before every address got at least one INIT.

What is tried, a *candidate*, is an IP address with its encapsulation: the same IP address at two UDP ports is two
candidates. A path of the association has one IP address and therefore takes over one of them.

Where both native SCTP and SCTP over UDP are possible, each address has two candidates, of which one is *alternative*.
They race like the addresses: the alternative is asked half an ``attempt_delay`` behind the other one, or at once when
the other one refuses; the address has refused when both have. In rotation all alternatives come behind all addresses.

The attempt decides when an INIT is sent where; it builds nothing and sends nothing. Its candidates become
the report and outlive it.
"""

from __future__ import annotations

from errno import ECONNREFUSED, ETIMEDOUT
from typing import Final, final

from ...wire.causes import Cause
from ..rules import Rules
from ..timers import NEVER

ANSWER_NOT_ASKED: Final = 0
"""No INIT was sent there: another address answered first, or the attempt ended, or the peer named the address."""
ANSWER_SILENCE: Final = 1
ANSWER_INIT_ACK: Final = 2
ANSWER_ABORT: Final = 3
ANSWER_ICMP: Final = 4
ANSWER_SEND_ERROR: Final = 5
ANSWER_MALFORMED: Final = 6
"""An INIT ACK that could not be used."""
ANSWER_COOKIE_ECHO: Final = 7
"""Both sides began: the peer's own INIT or COOKIE ECHO came from there (RFC 9260 section 5.2.4 B)."""

ANSWER_NAMES: Final[tuple[str, ...]] = (
    "not asked",
    "silence",
    "INIT ACK",
    "ABORT",
    "ICMP",
    "send error",
    "malformed INIT ACK",
    "COOKIE ECHO",
)
_REFUSALS: Final = (ANSWER_ABORT, ANSWER_ICMP, ANSWER_SEND_ERROR, ANSWER_MALFORMED)
_PROOFS: Final = (ANSWER_INIT_ACK, ANSWER_COOKIE_ECHO)


@final
class AddressReport:
    """What became of one candidate: an address, with its encapsulation, that an association was to be set up over."""

    __slots__ = (
        "alternative",
        "answer",
        "answered",
        "causes",
        "deadline",
        "due",
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
        "unanswered",
    )

    def __init__(self, ip: bytes, udp_port: int, source: bytes, listed: bool, rto: int) -> None:
        self.ip = ip
        """The address, packed."""
        self.udp_port = udp_port
        """The UDP encapsulation port INITs are sent to; 0 for none. The peer may answer from another one."""
        self.source = source
        """Our source address towards it, packed; ``b""`` for any."""
        self.listed = listed
        """Whether the caller listed it; else it was learnt from the INIT ACK."""
        self.alternative = False
        """Another way to the address of the candidate before it."""
        self.inits = 0
        """INITs sent to it."""
        self.unanswered = 0
        """INITs that drew no answer yet."""
        self.tries = 0
        """INITs that were due in the present round: a stale cookie begins another one."""
        self.due = -1
        """When the last INIT was due, ns."""
        self.first_sent = -1
        """When the first INIT left, ns; -1 for never."""
        self.answered = -1
        """When it answered first, ns; -1 for never."""
        self.answer: int = ANSWER_NOT_ASKED
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

    def on_sent(self) -> None:
        """The INIT that was due leaves."""
        self.inits += 1
        self.unanswered += 1
        if self.first_sent < 0:
            self.first_sent = self.due
        if self.answer == ANSWER_NOT_ASKED:
            self.answer = ANSWER_SILENCE

    def on_answer(self, now: int, answer: int, error: int, causes: list[Cause]) -> None:
        """Note the first answer of any kind; what proves the peer is worth more than a refusal before it."""
        if self.unanswered:
            self.unanswered -= 1
        if self.answered < 0 or (self.refused and answer not in _REFUSALS):
            self.answered = now
            self.answer = answer
            self.error = error
            self.causes = causes

    def on_late_answer(self, now: int, answer: int, error: int, causes: list[Cause]) -> None:
        """Note an answer that comes after the attempt was decided: it counts if there was none before."""
        if self.answered < 0:
            self.on_answer(now, answer, error, causes)
        elif self.unanswered:
            self.unanswered -= 1

    @property
    def refused(self) -> bool:
        """True if its answer is a refusal."""
        return self.answer in _REFUSALS


def find_candidate(candidates: list[AddressReport], ip: bytes, udp_port: int) -> AddressReport | None:
    """The candidate that a packet from there answers: the one with that UDP port, or the first one asked at that IP.

    A peer may well answer from another UDP port than the one it was asked at (RFC 6951 section 5.1), hardly ever
    without UDP if it was asked over UDP, or the other way round.
    """
    found: AddressReport | None = None
    highest = -1
    for candidate in candidates:
        if candidate.ip == ip:
            if candidate.udp_port == udp_port:
                return candidate
            rank = (2 if candidate.inits else 0) + (1 if (candidate.udp_port == 0) == (udp_port == 0) else 0)
            if rank > highest:
                found = candidate
                highest = rank
    return found


@final
class Attempt:
    """The INITs of one association that is being set up."""

    __slots__ = (
        "_asked",
        "_began",
        "_current",
        "_delay",
        "_longest",
        "_next",
        "_next_start",
        "_tries",
        "_turns",
        "candidates",
        "deadline",
    )

    def __init__(self, candidates: list[AddressReport], now: int, rules: Rules) -> None:
        self.candidates = candidates
        """In the caller's order, each once."""
        self._asked: list[AddressReport] = []  # Those that INITs go to, in this order.
        self._turns: list[list[AddressReport]] = []  # The same by address: the ways to one address have one turn.
        self.deadline = NEVER
        """When the whole attempt is given up."""
        self._began = now
        self._delay = rules.attempt_delay
        self._tries = 0
        self._longest = 0
        self._next = 0  # The turn that is next.
        self._next_start = now
        self._current = -1  # In rotation: the candidate whose T1-init runs.
        self._limit(rules)
        self._ask(candidates)

    def _limit(self, rules: Rules) -> None:
        """How often, how long and for how long to try."""
        self.deadline = NEVER if rules.connect_timeout == NEVER else self._began + rules.connect_timeout
        self._tries = rules.max_init_retransmits + 1
        self._longest = rules.longest_init

    def reconfigure(self, now: int, old: Rules, rules: Rules) -> None:
        """The limits are others. In which order addresses are asked, and how soon the next one, stays as it is."""
        self._limit(rules)
        initial = old.rto_initial
        for candidate in self.candidates:
            if candidate.rto == initial:
                candidate.rto = rules.rto_initial
            if candidate.deadline != NEVER:
                candidate.deadline = min(candidate.deadline, now + min(candidate.rto, self._longest))

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
            candidate.tries += 1
            candidate.due = now
            candidate.deadline = now + min(candidate.rto, self._longest)
        return due

    def _ask(self, candidates: list[AddressReport]) -> None:
        """INITs go to these, in this order."""
        turns: list[list[AddressReport]] = []
        for candidate in candidates:
            if candidate.alternative and turns and turns[-1][0].ip == candidate.ip:
                turns[-1].append(candidate)
            else:
                turns.append([candidate])
        self._turns = turns
        others = [candidate for turn in turns for candidate in turn[1:]]
        self._asked = [turn[0] for turn in turns] + others

    def _race(self, now: int) -> list[AddressReport]:
        due: list[AddressReport] = []
        for candidate in self._asked:
            if candidate.deadline <= now:
                self._expire(candidate)
                if not self._done(candidate):
                    due.append(candidate)
        while self._next < len(self._turns) and self._next_start <= now:
            turn = [candidate for candidate in self._turns[self._next] if not candidate.refusal]
            self._next += 1
            if turn:
                due.append(turn[0])
                self._next_start = now + self._delay
            for place, other in enumerate(turn):
                if place:
                    other.deadline = now + self._delay * place // len(turn)
        if self._next == len(self._turns):
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
        if candidate.tries:  # Else it was only its turn that came.
            candidate.rto = min(candidate.rto * 2, self._longest)

    def _done(self, candidate: AddressReport) -> bool:
        """True if no further INIT goes to it."""
        return candidate.refusal != 0 or candidate.tries >= self._tries

    def find(self, ip: bytes, udp_port: int) -> AddressReport | None:
        """The candidate that a packet from there answers."""
        return find_candidate(self.candidates, ip, udp_port)

    def names(self, ip: bytes) -> bool:
        """Whether a candidate has that IP address."""
        return ip in [candidate.ip for candidate in self.candidates]

    def best(self, ip: bytes, udp_port: int) -> AddressReport | None:
        """The candidate that the path to this IP address takes over, when the peer was heard from ``udp_port``.

        That is the one that answered. Where none did, one that refused comes last, and the encapsulation with which
        the peer was heard elsewhere goes before others: a stack has one UDP port for all its addresses (RFC 6951
        section 5.1).
        """
        found: AddressReport | None = None
        highest = -1
        for candidate in self.candidates:
            if candidate.ip == ip:
                rank = 6 if candidate.answer in _PROOFS else 0 if candidate.refused else 3
                if candidate.udp_port == udp_port:
                    rank += 2
                elif (candidate.udp_port == 0) == (udp_port == 0):
                    rank += 1
                if rank > highest:
                    found = candidate
                    highest = rank
        return found

    def refuse(self, candidate: AddressReport, now: int, answer: int, error: int, causes: list[Cause]) -> None:
        """The address refused: move on to the next one at once (CX8), if it was asked."""
        candidate.on_answer(now, answer, error, causes)
        candidate.refusal = error or ECONNREFUSED
        if candidate.deadline == NEVER:
            return
        candidate.deadline = NEVER
        others = [] if self._delay < 0 else self._other_ways(candidate)
        for other in others:
            if not other.tries:
                other.deadline = now
                return
        if not others:
            self._next_start = now

    def _other_ways(self, candidate: AddressReport) -> list[AddressReport]:
        """The other ways to its address that are asked, or will be."""
        for turn in self._turns:
            if candidate in turn:
                return [other for other in turn if other is not candidate and other.deadline != NEVER]
        return []

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
        self._ask(candidates)
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
