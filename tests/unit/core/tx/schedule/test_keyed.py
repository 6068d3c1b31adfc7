"""A schedule whose messages have keys (RFC 4895): packets of one key, and which keys are still used."""

from __future__ import annotations

from sctpx.core.tx.schedule import Keyed, make_schedule
from tests.unit.core.tx.schedule.test_base import cut, message, pushed


def make(*, active: int = 1) -> Keyed:
    return Keyed(make_schedule("rr", True, {}), active)


def test_messages_that_wait_already_have_the_active_key() -> None:
    inner = make_schedule("rr", True, {})
    waits = message(1)
    inner.push(waits)
    keyed = Keyed(inner, 7)
    assert (keyed.key_of(waits), keyed.waiting) == (7, {7: 1})


def test_a_key_that_was_given_is_for_one_message() -> None:
    keyed = make()
    for given in (0, 5):
        keyed.given = given
        first, second = pushed(keyed, (1, 100), (1, 100))
        assert (keyed.key_of(first), keyed.key_of(second)) == (given, 1)
    assert keyed.waiting == {0: 1, 1: 2, 5: 1}


def test_keys_are_counted_as_messages_come_and_go() -> None:
    keyed = make()
    first, second, third = pushed(keyed, (1, 200), (1, 100), (1, 100))
    assert keyed.waiting == {1: 3}
    assert cut(keyed) is first
    assert keyed.waiting == {1: 3}
    assert cut(keyed) is first
    assert keyed.waiting == {1: 2}
    keyed.remove(second)
    assert (keyed.waiting, keyed.messages()) == ({1: 1}, [third])
    assert cut(keyed) is third
    assert (keyed.waiting, len(keyed)) == ({}, 0)


def test_a_packet_has_messages_of_one_key() -> None:
    """RFC 6458 section 8.1.18: "The SCTP implementation must not bundle" others."""
    keyed = make()
    keyed.given = 0
    zero, one, other = pushed(keyed, (1, 100), (2, 100), (3, 100))
    assert cut(keyed) is zero
    assert keyed.peek() is None
    keyed.end_packet()
    assert [cut(keyed), cut(keyed)] == [one, other]


def test_the_end_of_a_packet_is_the_end_of_a_turn() -> None:
    keyed = Keyed(make_schedule("rr_pkt", True, {}), 1)
    first, second = pushed(keyed, (1, 300), (2, 100))
    assert cut(keyed, packet=True) is first
    assert cut(keyed, packet=True) is second
