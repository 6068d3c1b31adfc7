"""A path heals after it has failed, and the only path that worked meanwhile is cut before anybody has noticed.

The failed path is asked by HEARTBEATs, at longer and longer intervals. When nothing is heard of the other one, it is
asked at once: no interval is waited for.
"""

from __future__ import annotations

from functools import partial

import pytest

from sctpx.core.events import CommunicationLost
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.testing import Pair
from tests.sim.test_rack_failover import longest_gap, ready
from tests.sweeps import seeds, some

EVERY = 0.01


def send_steadily(pair: Pair, messages: int) -> None:
    for number in range(messages):
        pair.network.at(number * EVERY, partial(pair.a.send, b"%d" % number))


def gap_after_another_path_is_cut(pair: Pair, down: float) -> float:
    """Cut path 1 for so many seconds, then heal it and cut path 2: how long no message comes."""
    before = int(down / EVERY)
    pair.cut(1)
    send_steadily(pair, before)
    longest_gap(pair, before)
    pair.heal(1)
    pair.cut(2)
    send_steadily(pair, 200)
    return longest_gap(pair, before + 200)


@pytest.mark.parametrize("seed", seeds(1, 20))
@pytest.mark.parametrize("rtt", some([0.001, 0.02], [0.01, 0.06]))
@pytest.mark.parametrize("down", some([0.3, 1.5, 40.0], [4.0, 10.0, 90.0]))
def test_a_path_that_has_healed_carries_the_data_within_a_few_round_trips(seed: int, rtt: float, down: float) -> None:
    """It was doubtful, potentially failed or inactive: the next HEARTBEAT was due in up to 31.5 s."""
    with ready(seed, rtt) as pair:
        assert gap_after_another_path_is_cut(pair, down) <= 5 * rtt + 0.05
        pair.drain()


def test_of_three_paths_the_one_that_has_healed_is_found() -> None:
    with ready(1, 0.02, 3) as pair:
        for number in (1, 2):
            pair.cut(number)
        send_steadily(pair, 15000)
        longest_gap(pair, 15000)
        assert [path.state for path in pair.a.association.paths] == [PATH_INACTIVE, PATH_INACTIVE, PATH_ACTIVE]
        pair.heal(2)
        pair.cut(3)
        send_steadily(pair, 200)
        assert longest_gap(pair, 15200) <= 5 * 0.02 + 0.05


@pytest.mark.parametrize("down", [0.3, 10.0, 40.0])
def test_by_timeouts_alone_the_path_that_has_healed_is_found_at_the_first_one(down: float) -> None:
    """RTO.Min, a round trip of the HEARTBEAT, and what the retransmission takes."""
    with ready(1, 0.02, loss_recovery="rfc9260") as pair:
        assert gap_after_another_path_is_cut(pair, down) <= 1 + 5 * 0.02


@pytest.mark.parametrize(("paths", "least"), [(2, 120), (3, 30), (4, 25)])
def test_a_peer_that_is_gone_is_given_up_no_sooner_for_being_asked_more_often(paths: int, least: float) -> None:
    with ready(1, 0.02, paths) as pair:
        for number in range(1, paths + 1):
            pair.cut(number)
        pair.a.send(b"?")
        begun = pair.network.elapsed
        pair.network.run(lambda: pair.a.events_of(CommunicationLost), 400)
        assert pair.network.elapsed - begun >= least
