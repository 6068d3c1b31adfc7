"""How long a Transmit is kept that a queue of this host has no room for."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.outputs import Transmit
from sctpx.link.patience import TRIES, Patience

HERE, THERE = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


def transmit(size: int = 3000) -> Transmit:
    return Transmit(HERE, THERE, 9899, bytes(size), 1000)


def test_an_interface_that_never_has_room_is_tried_so_often_and_no_more() -> None:
    patience, one = Patience(), transmit()
    assert [patience.keeps(one, errno.ENOBUFS) for _ in range(TRIES)] == [True] * (TRIES - 1) + [False]


def test_the_next_one_is_tried_as_often() -> None:
    patience = Patience()
    for one in (transmit(), transmit(), transmit(1000)):
        assert sum(patience.keeps(one, errno.ENOBUFS) for _ in range(TRIES)) == TRIES - 1


def test_where_something_of_it_goes_the_rest_is_tried_as_often_again() -> None:
    patience, one = Patience(), transmit()
    for left in (3000, 2000, 1000):
        one.data = bytes(left)
        assert all(patience.keeps(one, errno.ENOBUFS) for _ in range(TRIES - 1))
    assert not patience.keeps(one, errno.ENOBUFS)


def test_a_socket_whose_buffer_is_full_is_waited_for_as_long_as_it_takes() -> None:
    patience, one = Patience(), transmit()
    assert all(patience.keeps(one, errno.EAGAIN) for _ in range(10 * TRIES))


@pytest.mark.parametrize("error", [errno.ENETUNREACH, errno.EMSGSIZE, errno.EPERM])
def test_other_errors_are_final(error: int) -> None:
    assert not Patience().keeps(transmit(), error)
