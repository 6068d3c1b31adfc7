"""``Attempt``, the race of the INITs, against the promises of ``sctp_connectx`` (CX2, CX8, CX9).

The machine lets time pass and addresses refuse, at any moment, and keeps its own account of every INIT.
"""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.association.connect import (
    ANSWER_ABORT,
    ANSWER_ICMP,
    ANSWER_INIT_ACK,
    ANSWER_SEND_ERROR,
    AddressReport,
    Attempt,
    find_candidate,
)
from sctpx.core.config import AssociationConfig
from sctpx.core.timers import MILLISECOND, NEVER, SECOND, nanoseconds

START = 10**18


def candidates(count: int, config: AssociationConfig) -> list[AddressReport]:
    rto = nanoseconds(config.rto_initial)
    return [AddressReport(bytes((10, 0, number, 2)), 9899, b"", True, rto) for number in range(count)]


class AttemptMachine(RuleBasedStateMachine):
    """When each address was sent an INIT, and which refused."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(1, 0.1, 8)

    @initialize(
        count=st.integers(1, 12),
        delay=st.sampled_from([0.1, 0.01, 1.5, None]),
        retransmits=st.integers(0, 4),
    )
    def begin(self, count: int, delay: float | None, retransmits: int) -> None:
        self.config = AssociationConfig(attempt_delay=delay, max_init_retransmits=retransmits, rto_max=5.0)
        self.delay = None if delay is None else nanoseconds(delay)
        self.now = START
        self.attempt = Attempt(candidates(count, self.config), START, self.config.rules)
        self.sent: dict[bytes, list[int]] = {candidate.ip: [] for candidate in self.attempt.candidates}
        self.refused: set[bytes] = set()
        self.won = False
        self.last_first = START
        self.hurried = True
        """The first INIT to the next address may go at once: nothing went before, or an address has just refused."""

    @property
    def tries(self) -> int:
        return self.config.max_init_retransmits + 1

    def send(self) -> None:
        """Take what is due, and check that each INIT may go now."""
        for candidate in self.attempt.due(self.now):
            assert not self.won
            assert candidate.ip not in self.refused
            times = self.sent[candidate.ip]
            if self.delay is None:
                pass
            elif times:
                # Each address has its own T1-init, doubling up to RTO.Max.
                assert self.now == times[-1] + min(SECOND << len(times) - 1, 5 * SECOND)
            else:
                assert self.hurried or self.now == self.last_first + self.delay
                self.last_first = self.now
                self.hurried = False
                # In the caller's order.
                earlier = self.attempt.candidates[: self.attempt.candidates.index(candidate)]
                assert all(self.sent[other.ip] for other in earlier)
            times.append(self.now)
            candidate.on_sent()

    @rule()
    def the_next_deadline_comes(self) -> None:
        deadline = self.attempt.next_deadline()
        if deadline != NEVER:
            self.now = max(self.now, deadline)
            self.send()

    @rule(share=st.floats(0, 0.9))
    def less_time_passes(self, share: float) -> None:
        deadline = self.attempt.next_deadline()
        if deadline == NEVER or deadline <= self.now:
            return
        self.now += int((deadline - self.now) * share)
        assert self.attempt.due(self.now) == []

    @precondition(lambda self: any(self.sent.values()) and not self.won)
    @rule(data=st.data(), error=st.sampled_from([ECONNREFUSED, EHOSTUNREACH, ENETUNREACH]))
    def an_address_refuses(self, data: st.DataObject, error: int) -> None:
        open_ones = [one for one in self.attempt.candidates if self.sent[one.ip] and one.ip not in self.refused]
        if not open_ones:
            return
        candidate = data.draw(st.sampled_from(open_ones))
        answer = ANSWER_ABORT if error == ECONNREFUSED else data.draw(st.sampled_from([ANSWER_ICMP, ANSWER_SEND_ERROR]))
        self.attempt.refuse(candidate, self.now, answer, error, [])
        self.refused.add(candidate.ip)
        assert candidate.refused
        assert candidate.error == error
        waiting = [one for one in self.attempt.candidates if not self.sent[one.ip]]
        running = self.attempt.next_deadline() <= self.now
        if waiting and self.delay is not None and running:
            self.hurried = True  # CX8: the next one at once.
        self.send()

    @rule()
    def an_init_ack_comes(self) -> None:
        answered = [one for one in self.attempt.candidates if self.sent[one.ip] and one.ip not in self.refused]
        if answered:
            answered[0].on_answer(self.now, ANSWER_INIT_ACK, 0, [])
            self.attempt.stop()
            self.won = True
            assert self.attempt.next_deadline() == NEVER

    @invariant()
    def no_address_gets_too_many_and_the_report_says_what_was_sent(self) -> None:
        for candidate in self.attempt.candidates:
            times = self.sent[candidate.ip]
            assert candidate.inits == len(times) <= self.tries
            assert candidate.first_sent == (times[0] if times else -1)
            assert candidate.refused == (candidate.ip in self.refused)

    @invariant()
    def it_fails_when_nobody_is_left_and_not_before_everybody_was_asked(self) -> None:
        if self.won:
            return
        left = [
            one
            for one in self.attempt.candidates
            if one.ip not in self.refused and (len(self.sent[one.ip]) < self.tries or one.deadline != NEVER)
        ]
        assert self.attempt.failed(self.now) is not bool(left)
        if left:
            assert self.attempt.next_deadline() != NEVER  # It goes on.
        else:
            assert all(self.sent.values())  # CX2
            errors = {one.error for one in self.attempt.candidates if one.refused}
            silent = len(self.refused) < len(self.sent)
            if silent:
                assert self.attempt.error() == ETIMEDOUT
            elif ECONNREFUSED in errors:
                assert self.attempt.error() == ECONNREFUSED
            else:
                assert self.attempt.error() in errors

    @invariant()
    def without_a_race_one_address_is_asked_at_a_time(self) -> None:
        if self.delay is None:
            assert sum(one.deadline != NEVER for one in self.attempt.candidates) <= 1


TestAttempt = AttemptMachine.TestCase


def run_out(count: int, config: AssociationConfig) -> list[tuple[int, int]]:
    """Nobody answers: (milliseconds, number of the address) of every INIT until the attempt has failed."""
    attempt = Attempt(candidates(count, config), START, config.rules)
    sent = []
    now = START
    while not attempt.failed(now):
        now = attempt.next_deadline()
        sent += [((now - START) // MILLISECOND, attempt.candidates.index(one)) for one in attempt.due(now)]
    return sent


def test_a_race_starts_an_address_every_tenth_of_a_second_and_each_has_its_own_timer() -> None:
    config = AssociationConfig(max_init_retransmits=2)
    assert run_out(3, config) == [
        (0, 0),
        (100, 1),
        (200, 2),
        (1000, 0),
        (1100, 1),
        (1200, 2),
        (3000, 0),
        (3100, 1),
        (3200, 2),
    ]


def test_a_rotation_asks_one_after_the_other() -> None:
    config = AssociationConfig(max_init_retransmits=1, attempt_delay=None)
    assert run_out(3, config) == [(0, 0), (1000, 1), (2000, 2), (3000, 0), (5000, 1), (7000, 2)]


@pytest.mark.parametrize("count", [1, 8, 9, 64])
@pytest.mark.parametrize("delay", [0.1, None])
def test_every_address_is_asked_however_many_there_are(count: int, delay: float | None) -> None:
    sent = run_out(count, AssociationConfig(attempt_delay=delay))
    assert [[address for _, address in sent].count(number) for number in range(count)] == [9] * count


def test_an_attempt_with_a_limit_fails_when_it_is_reached() -> None:
    config = AssociationConfig(connect_timeout=0.35)
    attempt = Attempt(candidates(9, config), START, config.rules)
    while not attempt.failed(now := attempt.next_deadline()):
        for one in attempt.due(now):
            one.on_sent()
    assert now == START + 350 * MILLISECOND
    assert [one.inits for one in attempt.candidates] == [1, 1, 1, 1, 0, 0, 0, 0, 0]


def test_an_init_ack_is_worth_more_than_a_refusal_before_it() -> None:
    [candidate] = candidates(1, AssociationConfig())
    for _ in range(4):
        candidate.on_sent()
    candidate.on_answer(1, ANSWER_ABORT, ECONNREFUSED, [])
    candidate.on_answer(2, ANSWER_ICMP, EHOSTUNREACH, [])
    assert (candidate.answered, candidate.answer, candidate.error) == (1, ANSWER_ABORT, ECONNREFUSED)
    candidate.on_answer(3, ANSWER_INIT_ACK, 0, [])
    assert (candidate.answered, candidate.answer, candidate.error, candidate.refused) == (3, ANSWER_INIT_ACK, 0, False)
    assert candidate.unanswered == 1


@pytest.mark.parametrize(
    ("asked", "port", "expected"),
    [
        ((), 9899, 1),  # That very port.
        ((), 0, 0),
        ((0,), 9899, 1),
        ((), 20000, 1),  # Another UDP port than it was asked at, and none with UDP was asked: one with UDP at least.
        ((0, 1, 2), 20000, 1),
        ((0, 2), 20000, 2),  # Who was asked comes before who was not.
        ((0,), 20000, 0),
    ],
)
def test_an_answer_from_another_udp_port_is_of_the_candidate_asked_in_the_same_way(
    asked: tuple[int, ...], port: int, expected: int
) -> None:
    """RFC 6951 section 5.1: an answer may come from another port."""
    ip = bytes((10, 0, 0, 2))
    found = [AddressReport(ip, udp_port, b"", True, SECOND) for udp_port in (0, 9899, 9900)]
    for index in asked:
        found[index].inits = 1
    others = [AddressReport(bytes((10, 0, 1, 2)), 20000, b"", True, SECOND)]
    assert find_candidate([*others, *found], ip, port) is found[expected]
    assert find_candidate(others, ip, port) is None
