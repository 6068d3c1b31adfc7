"""The dictionary that starts over when it is full."""

from __future__ import annotations

from sctpx.link.remembered import CAPACITY, Remembered


def test_what_is_remembered_is_returned_and_found_again() -> None:
    squares: Remembered[int, int] = Remembered()
    assert squares.remember(3, 9) == 9
    assert squares.get(3) == 9
    assert squares.get(4) is None


def test_it_never_holds_more_than_its_capacity() -> None:
    squares: Remembered[int, int] = Remembered()
    for number in range(3 * CAPACITY):
        squares.remember(number, number * number)
        assert len(squares) <= CAPACITY
        assert squares[number] == number * number
