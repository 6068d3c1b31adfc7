"""RFC 9260 sections 11.1.14 and 11.1.15: what the user gets back of the data that did not reach the peer."""

from __future__ import annotations

from tests.conformance.peer import FULL, Peer


def left(peer: Peer) -> list[tuple[int, bool]]:
    """Size of each piece and whether it was sent."""
    return [(len(data), sent) for data, _, _, sent in peer.association.undelivered()]


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
