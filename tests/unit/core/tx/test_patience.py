"""How much a peer may take back of its Gap Ack Blocks (RFC 9260 section 6.2.1 D iii)."""

from __future__ import annotations

from sctpx.core.tx.patience import MOST, Patience


def test_a_peer_may_take_back_as_much_as_was_sent_to_it() -> None:
    patience = Patience(1)
    assert patience.bears([(1, 41), (61, 121)], 101)
    assert patience.believes(0)


def test_what_is_sent_again_may_be_taken_back_again() -> None:
    patience = Patience(1)
    assert patience.bears([(1, 101)], 101)
    for _ in range(100):
        patience.on_resent()
    assert patience.bears([(1, 101)], 101)
    assert not patience.bears([(1, 2)], 101)


def test_a_peer_that_takes_back_more_is_not_believed_below_what_is_sent_next() -> None:
    patience = Patience(1)
    assert not patience.bears([(1, 102)], 101)
    assert not patience.believes(99)
    assert patience.believes(100)
    assert patience.bears([(101, 151)], 151)
    assert not patience.bears([(101, 102)], 151)
    assert not patience.believes(149)


def test_however_much_was_sent_no_more_than_a_bounded_number_is_taken_back_at_once() -> None:
    next_tsn = 10 * MOST
    assert Patience(1).bears([(1, 1 + MOST)], next_tsn)
    assert not Patience(1).bears([(1, 2 + MOST)], next_tsn)
