"""``SackPolicy`` against the rules of RFC 9260 section 6.2, counted by hand.

The machine does what the association does: it counts packets, reports disturbances, and makes a SACK as soon
as the policy wants one.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.rx.sack_policy import STEADY_BYTES, STRETCHED, SackPolicy
from sctpx.core.timers import MILLISECOND, NEVER, SECOND

DELAY = 200 * MILLISECOND
PACKET = 1440


def burst(policy: SackPolicy, now: int, packets: int, received: int) -> list[int]:
    """Packets of DATA in sequence that arrive together: behind which of them a SACK is made."""
    policy.begin_burst(now)
    made = []
    for number in range(1, packets + 1):
        policy.packets += 1
        if policy.packets >= policy.every:
            policy.on_sack()
            made.append(number)
    if policy.end_burst(now, received):
        policy.on_sack()
        made.append(packets)
    return made


class SackPolicyMachine(RuleBasedStateMachine):
    """Packets that wait for their acknowledgement, and since when."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = SackPolicy(DELAY, False)
        self.stretch = False
        self.now = 10 * SECOND
        self.waiting = 0
        self.since = 0
        self.first = True
        self.steady = 0
        self.last_burst = 0

    @initialize(stretch=st.booleans())
    def begin(self, stretch: bool) -> None:
        self.stretch = stretch
        self.policy = SackPolicy(DELAY, stretch)

    @rule(
        packets=st.integers(1, 40),
        disturbed=st.sets(st.integers(0, 39), max_size=2),
        size=st.sampled_from([1, PACKET, 60_000]),
    )
    def packets_arrive(self, packets: int, disturbed: set[int], size: int) -> None:
        policy = self.policy
        policy.begin_burst(self.now)
        if self.now - self.last_burst > SECOND:
            self.steady = 0
        self.last_burst = self.now
        limit = STRETCHED if self.stretch and self.steady >= STEADY_BYTES else 2
        for number in range(packets):
            policy.packets += 1
            if number in disturbed:
                policy.on_disturbance()
                self.steady = 0
                limit = 2
            wanted = number in disturbed or policy.packets >= policy.every
            assert wanted == (number in disturbed or self.first or self.waiting + 1 >= limit)
            self.first = False
            if wanted:
                policy.on_sack()
                self.waiting = 0
            else:
                self.since = self.since if self.waiting else self.now
                self.waiting += 1
        self.steady += packets * size
        ended = policy.end_burst(self.now, packets * size)
        assert ended == (self.waiting >= 2)
        if ended:
            policy.on_sack()
            self.waiting = 0

    @rule(milliseconds=st.sampled_from([1, 50, 150, 1100]))
    def time_passes(self, milliseconds: int) -> None:
        later = self.now + milliseconds * MILLISECOND
        if self.policy.deadline <= later:
            self.now = self.policy.deadline
            self.policy.on_sack()
            self.waiting = 0
        self.now = later

    @precondition(lambda self: self.waiting)
    @rule()
    def data_leaves_and_takes_a_sack_with_it(self) -> None:
        self.policy.on_sack()
        self.waiting = 0

    @invariant()
    def a_packet_that_waits_has_a_deadline(self) -> None:
        assert self.policy.packets == self.waiting < 2
        assert self.policy.deadline == (self.since + DELAY if self.waiting else NEVER)


TestSackPolicy = SackPolicyMachine.TestCase


def test_the_first_packet_is_acknowledged_at_once_and_then_every_second() -> None:
    assert burst(SackPolicy(DELAY, False), 0, 8, 8 * PACKET) == [1, 3, 5, 7]


def test_a_burst_is_stretched_by_sixteen_packets_once_a_mebibyte_came_without_loss() -> None:
    policy = SackPolicy(DELAY, True)
    assert burst(policy, 0, 5, STEADY_BYTES - 1) == [1, 3, 5]
    assert burst(policy, 1, 4, 1) == [2, 4]
    assert burst(policy, 2, 40, 40 * PACKET) == [16, 32, 40]


def test_stretching_begins_anew_after_a_disturbance_and_after_an_idle_second() -> None:
    policy = SackPolicy(DELAY, True)
    burst(policy, 0, 1, STEADY_BYTES)
    assert burst(policy, 1, 20, PACKET) == [16, 20]
    policy.on_disturbance()
    assert burst(policy, 2, 4, STEADY_BYTES) == [2, 4]
    assert burst(policy, 3, 20, PACKET) == [16, 20]
    assert burst(policy, SECOND + 4, 4, STEADY_BYTES) == [2, 4]
    assert burst(policy, SECOND + 5, 20, PACKET) == [16, 20]


@pytest.mark.parametrize("stretch", [False, True])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("packets", range(1, 8))
def test_a_run_of_packets_owes_what_they_owe_one_by_one(packets: int, before: int, stretch: bool) -> None:
    """RFC 9260 section 6.2: a SACK for every second packet."""
    whole, single = [SackPolicy(DELAY, stretch) for _ in range(2)]
    for policy in (whole, single):
        policy.on_sack()  # The first packet of the association is acknowledged by itself.
        policy.packets = before
        policy.deadline = 5 if before else NEVER
    assert whole.until_owed == 2 - before
    made = 0
    for _ in range(packets):
        single.packets += 1
        if single.packets >= single.every:
            single.on_sack()
            made += 1
    assert whole.take(packets) == made
    assert (whole.packets, whole.deadline) == (single.packets, single.deadline)


def test_a_sack_that_is_overdue_is_owed_with_the_next_packet() -> None:
    policy = SackPolicy(DELAY, True)
    policy.every, policy.packets = STRETCHED, 5
    assert policy.until_owed == STRETCHED - 5
    policy.reconfigure(0, DELAY, False)
    assert policy.until_owed == 1
    assert policy.take(1) == 1


def test_a_delayed_sack_waits_from_the_first_packet_on_and_no_longer_than_is_configured() -> None:
    """RFC 9260 section 6.2: SACK.Delay; "within 200 ms of the arrival of any unacknowledged DATA chunk"."""
    policy = SackPolicy(DELAY, False)
    policy.on_sack()
    policy.packets = 1
    for now in (1000, 2000):
        policy.begin_burst(now)
        assert not policy.end_burst(now, 0)
        assert policy.deadline == 1000 + DELAY
    policy.reconfigure(5000, DELAY, False)
    assert policy.deadline == 1000 + DELAY
    policy.reconfigure(5000, 10, False)
    assert policy.deadline == 5010
    policy.on_sack()
    policy.reconfigure(5000, 10, False)
    assert policy.deadline == NEVER
