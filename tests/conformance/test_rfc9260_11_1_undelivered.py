"""RFC 9260 sections 11.1.14 and 11.1.15: what the user gets back of the data that did not reach the peer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.peer import FULL, Peer


def left(peer: Peer) -> list[tuple[int, bool]]:
    """Size of each piece and whether it was sent."""
    return [(len(data), sent) for data, _, _, sent, *_ in peer.association.undelivered()]


def test_what_gap_blocks_acknowledged_has_arrived() -> None:
    peer = Peer()
    peer.send(11, 12, 13, 14)
    peer.sack(1, (3, 3))
    assert left(peer) == [(12, True), (14, True)]


def test_the_parts_of_two_messages_are_never_joined() -> None:
    """The end of the first and the beginning of the second were acknowledged."""
    peer = Peer(max_burst=100)
    peer.grow(20_000)
    base = peer.last_tsn
    peer.send(2 * FULL, 2 * FULL)
    assert peer.take_tsns()[-4:] == [base + 1, base + 2, base + 3, base + 4]
    peer.sack(base, (base + 2, base + 3))
    assert left(peer) == [(FULL, True), (FULL, True)]


def test_of_a_message_acknowledged_in_the_middle_both_ends_come_as_one() -> None:
    peer = Peer(max_burst=100)
    peer.grow(20_000)
    base = peer.last_tsn
    peer.send(3 * FULL)
    peer.sack(base, (base + 2, base + 2))
    assert left(peer) == [(2 * FULL, True)]


def test_a_message_sent_in_part_comes_with_what_was_not_sent() -> None:
    peer = Peer()
    peer.send(6 * FULL, 100)
    sent = len(peer.take_tsns())
    assert 1 < sent < 6
    peer.sack(1, a_rwnd=0)
    assert left(peer) == [(5 * FULL, True), (100, False)]


def places(peer: Peer) -> list[tuple[int, object, bool]]:
    """Size of each piece, the context it was sent with, and whether it is all of its message."""
    return [(len(data), context, whole) for data, _, _, _, _, context, whole in peer.association.undelivered()]


def test_each_message_has_the_context_it_was_sent_with() -> None:
    peer = Peer(max_burst=100)
    peer.grow(20_000)
    base = peer.last_tsn
    peer.send(11, context="first")
    peer.send(12)
    peer.send(2 * FULL, 13, context="last")
    assert places(peer) == [(11, "first", True), (12, None, True), (2 * FULL, "last", True), (13, "last", True)]
    peer.sack(base + 1)
    assert places(peer) == [(12, None, True), (2 * FULL, "last", True), (13, "last", True)]
    peer.sack(base + 2)
    assert places(peer) == [(2 * FULL, "last", True), (13, "last", True)]


def test_contexts_of_what_has_arrived_are_not_kept() -> None:
    peer = Peer()
    for tsn in range(1, 1001):
        peer.send(100, context=tsn)
        peer.sack(tsn)
    assert not peer.association.tcb.send_queue.contexts


def test_what_waits_to_be_sent_has_its_context_too() -> None:
    peer = Peer(a_rwnd=1500)
    peer.send(1400)
    peer.send(2 * FULL, context=1)
    peer.send(100, context=2)
    assert places(peer) == [(1400, None, True), (2 * FULL, 1, True), (100, 2, True)]


@pytest.mark.parametrize(
    ("acknowledged", "left"), [((0,), 3), ((1,), 2), ((2,), 1), ((0, (3, 3)), 2), ((0, (2, 2)), 2)]
)
def test_a_message_of_which_something_has_arrived_is_not_whole(acknowledged: tuple[Any, ...], left: int) -> None:
    peer = Peer(max_burst=100)
    peer.grow(20_000)
    base = peer.last_tsn
    peer.send(3 * FULL, context=7)
    cumulative, *gaps = acknowledged
    peer.sack(base + cumulative, *[(base + first, base + last) for first, last in gaps])
    assert places(peer) == [(left * FULL, 7, left == 3)]


def test_a_message_of_which_the_beginning_has_arrived_and_the_end_was_not_sent_is_not_whole() -> None:
    peer = Peer()
    peer.send(6 * FULL, 100, context=7)
    assert 1 < len(peer.take_tsns()) < 6
    assert places(peer) == [(6 * FULL, 7, True), (100, 7, True)]
    peer.sack(1, a_rwnd=0)
    assert places(peer) == [(5 * FULL, 7, False), (100, 7, True)]


def test_unordered_messages_are_told_from_ordered_ones() -> None:
    peer = Peer(a_rwnd=1500)
    for size in (1000, 1000):
        peer.send(size, unordered=True)
        peer.send(size)
    assert [unordered for _, _, _, _, unordered, _, _ in peer.association.undelivered()] == [True, False] * 2
