"""RFC 9406 section 4: HyStart++, the first slow start of a path with CUBIC, as an association has it.

Rounds and the arithmetic are held by ``tests/unit/core/path/test_hystart.py``.
"""

from __future__ import annotations

import pytest

from tests.conformance.full_path import FullPath
from tests.conformance.peer import FULL


def test_while_round_trips_are_as_short_as_before_the_window_doubles() -> None:
    path = FullPath()
    for _ in range(5):
        assert path.round(0.05) >= 1.9
    assert path.in_first_slow_start


@pytest.mark.parametrize(("acknowledged", "added"), [(1, 1), (8, 8), (9, 8), (30, 8)])
def test_a_sack_adds_eight_packets_at_most(acknowledged: int, added: int) -> None:
    """L is 8 for senders that do not pace (section 4.2)."""
    path = FullPath()
    path.grow(40)
    first = path.peer.last_tsn + 1
    path.peer.send(*[FULL] * 200)
    before = path.cwnd
    path.peer.sack(first + acknowledged - 1)
    assert path.cwnd - before == added


def test_longer_round_trips_end_slow_start_before_anything_is_lost() -> None:
    path = FullPath()
    while path.cwnd < 50:
        path.round(0.05)
    growth = [path.round(0.07) for _ in range(8)]
    assert growth[0] > 1.3  # Eight round trips have to be measured.
    assert all(1.1 < each < 1.3 for each in growth[1:4])
    assert not path.in_first_slow_start
    assert growth[-1] < 1.1
    assert path.peer.association.stats.fast_retransmits == 0


def test_round_trips_that_were_longer_by_chance_do_not_end_it() -> None:
    path = FullPath()
    while path.cwnd < 50:
        path.round(0.05)
    path.round(0.07)
    assert path.round(0.07) < 1.3
    path.round(0.05)
    assert path.round(0.05) >= 1.9
    assert path.in_first_slow_start


def test_a_loss_ends_it() -> None:
    path = FullPath()
    path.grow(50)
    first = path.peer.last_tsn + 1
    path.peer.send(*[FULL] * 10)
    for last in (1, 2, 3):
        path.peer.sack(first - 1, (first + 1, first + last))
    assert not path.in_first_slow_start
    assert path.peer.path().cwnd == path.peer.path().ssthresh


def test_only_the_first_slow_start_is_one() -> None:
    """Section 4.3: others end at the ssthresh that is known."""
    path = FullPath()
    path.grow(200)
    path.time_out()
    for rtt in (0.05, 0.05, 0.05, 0.1, 0.2, 0.2, 0.2):
        assert 1.25 <= path.round(rtt) <= 2  # Longer round trips change nothing.
    assert path.cwnd < path.ssthresh


def test_newreno_has_no_such_end() -> None:
    path = FullPath("newreno")
    while path.cwnd < 50:
        path.round(0.05)
    for _ in range(6):
        assert path.round(0.1) >= 1.35
    assert path.in_first_slow_start
