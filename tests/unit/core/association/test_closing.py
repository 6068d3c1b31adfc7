"""The timers of a graceful end, by themselves (RFC 9260 section 9.2)."""

from __future__ import annotations

import pytest

from sctpx.core.association.closing import Closing
from sctpx.core.config import AssociationConfig
from sctpx.core.timers import NEVER, SECOND

CONFIG = AssociationConfig(shutdown_guard=20.0, drain_guard=30.0)


@pytest.mark.parametrize("now", [0, 10**18])
def test_t5_and_the_drain_guard_expire_as_long_after_their_starts_as_is_configured(now: int) -> None:
    closing = Closing()
    closing.schedule_guards(CONFIG)
    assert closing.next_deadline() == NEVER
    closing.t5_started = now
    closing.schedule_guards(CONFIG)
    assert (closing.t5_deadline, closing.drain_deadline) == (now + 20 * SECOND, NEVER)
    closing.drain_started = now
    closing.schedule_guards(CONFIG)
    assert (closing.t5_deadline, closing.drain_deadline) == (now + 20 * SECOND, now + 30 * SECOND)


def test_without_a_drain_guard_there_is_no_deadline_for_it() -> None:
    closing = Closing()
    closing.drain_started = 0
    closing.schedule_guards(CONFIG)
    closing.schedule_guards(AssociationConfig(drain_guard=None))
    assert closing.next_deadline() == NEVER


def test_a_drain_guard_that_was_stopped_stays_so_when_the_times_are_configured_anew() -> None:
    closing = Closing()
    closing.drain_started = 0
    closing.schedule_guards(CONFIG)
    closing.stop_drain_guard()
    assert closing.next_deadline() == NEVER
    closing.schedule_guards(CONFIG)
    assert closing.next_deadline() == NEVER


def test_the_deadline_is_the_earliest_one() -> None:
    closing = Closing()
    closing.t2_deadline, closing.t5_deadline, closing.drain_deadline = 3, 2, 1
    assert closing.next_deadline() == 1
    closing.stop_drain_guard()
    assert closing.next_deadline() == 2
    closing.t2_deadline = 1
    assert closing.next_deadline() == 1
