"""The heap of deadlines: the earliest comes first, nothing piles up, and what has ended is let go."""

from __future__ import annotations

import gc

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED
from sctpx.core.deadlines import Deadlines
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER
from sctpx.testing import seeded_bytes

NOW = 10**18
OWN = bytes((10, 0, 1, 1))
PEER = bytes((10, 0, 1, 2))


def associations(count: int) -> list[Association]:
    """So many of one stack, whose deadlines are this test's affair."""
    endpoint = Stack(seeded_bytes(1), NOW).open_endpoint(5000, [OWN])
    return [endpoint.connect(NOW, [PeerAddress(PEER, 9899)], 6000 + number) for number in range(count)]


def test_the_earliest_deadline_comes_first_and_a_later_one_changes_nothing() -> None:
    first, second = associations(2)
    deadlines = Deadlines()
    deadlines.enter(first, 300)
    deadlines.enter(second, 200)
    deadlines.enter(first, 400)
    assert (deadlines.first(), first.scheduled) == (200, 300)
    deadlines.enter(first, 100)
    assert (deadlines.first(), deadlines.due(99), deadlines.due(100)) == (100, None, first)
    deadlines.take()
    assert (first.scheduled, deadlines.due(199), deadlines.due(200)) == (NEVER, None, second)
    deadlines.forget(second)
    assert (deadlines.first(), deadlines.due(10**9)) == (NEVER, None)


def test_of_two_deadlines_at_one_time_the_one_that_was_entered_first_comes_first() -> None:
    first, second = associations(2)
    deadlines = Deadlines()
    deadlines.enter(first, 100)
    deadlines.enter(second, 100)
    found = []
    while (due := deadlines.due(100)) is not None:
        found.append(due)
        deadlines.take()
    assert found == [first, second]


def test_one_that_is_forgotten_can_be_entered_with_a_later_deadline() -> None:
    [association] = associations(1)
    deadlines = Deadlines()
    deadlines.enter(association, 100)
    deadlines.forget(association)
    deadlines.enter(association, 200)
    assert (deadlines.first(), deadlines.due(199), deadlines.due(200)) == (200, None, association)
    deadlines.take()
    deadlines.forget(association)
    deadlines.enter(association, 300)
    assert deadlines.first() == 300


def test_the_same_deadline_once_more_makes_no_entry() -> None:
    [association] = associations(1)
    deadlines = Deadlines()
    for _ in range(3):
        deadlines.enter(association, 100)
    assert len(deadlines) == 1


def test_so_many_entries_that_were_superseded_stay_and_then_none_does() -> None:
    """As many as count, and 64 more; those that count keep their order."""
    both = associations(2)
    deadlines = Deadlines()
    deadlines.enter(both[1], 500)
    sizes = []
    for deadline in range(1000, 1000 - 70, -1):
        deadlines.enter(both[0], deadline)
        sizes.append(len(deadlines))
    # The entry that is replaced is out before the new one is in.
    assert sizes == [*range(2, 68), 2, 3, 4, 5]
    found = []
    while (due := deadlines.due(1000)) is not None:
        found.append(due)
        deadlines.take()
    assert found == [both[1], both[0]]


def test_the_earliest_comes_first_when_others_were_thrown_out() -> None:
    first, late, early, busy = associations(4)
    deadlines = Deadlines()
    for association, deadline in ((first, 1), (late, 10), (early, 2)):
        deadlines.enter(association, deadline)
    for deadline in range(1000, 1000 - 68, -1):
        deadlines.enter(busy, deadline)
    assert len(deadlines) == 3 + 68
    deadlines.forget(first)
    assert len(deadlines) == 3
    assert (deadlines.first(), deadlines.due(2)) == (2, early)


def test_deadlines_that_were_superseded_do_not_pile_up() -> None:
    """Each SACK that is put off sets a nearer deadline than the next HEARTBEAT's, again and again."""
    both = associations(2)
    deadlines = Deadlines()
    for deadline in range(5000, 0, -1):
        for association in both:
            deadlines.enter(association, deadline)
    assert len(deadlines) < 100
    assert deadlines.first() == 1


def test_an_association_that_has_ended_is_let_go_without_the_garbage_collector() -> None:
    """Servers set up and end thousands a second: what is found by the collector alone fills memory in between."""
    stack = Stack(seeded_bytes(1), NOW)
    endpoint = stack.open_endpoint(5000, [OWN])
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        for _ in range(10):
            association = endpoint.connect(NOW, [PeerAddress(PEER, 9899)], 6000)
            association.abort(NOW)
            while stack.poll_transmit(NOW) is not None:
                pass
            while stack.poll_event() is not None:
                pass
            assert association.tcb.state == CLOSED
        del association
        gc.collect()
        assert [thing for thing in gc.garbage if isinstance(thing, Association)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_an_association_that_was_not_entered_to_the_end_can_be_forgotten() -> None:
    """An exception may leave ``enter`` at any step, from a trace function for example; the association then ends."""
    [association] = associations(1)
    association.entry = 7
    deadlines = Deadlines()
    deadlines.forget(association)
    assert (association.scheduled, deadlines.first(), len(deadlines)) == (NEVER, NEVER, 0)
