"""A path heals after it has failed, and the only path that worked meanwhile is cut before anybody has noticed.

The failed path is asked by HEARTBEATs, at longer and longer intervals. When nothing is heard of the other one, it is
asked at once: no interval is waited for.
"""

from __future__ import annotations

from functools import partial

import pytest

from sctpx.core.events import CommunicationLost
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.core.timers import SECOND
from sctpx.testing import Pair
from tests.sim.test_rack_failover import longest_gap, ready
from tests.sweeps import seeds, some

EVERY = 0.01


def send_for(pair: Pair, seconds: float) -> float:
    """Send a message every 10 ms for so long, and run until all have come: how long none came, in seconds."""
    before = len(pair.b.received)
    count = int(seconds / EVERY)
    for number in range(count):
        pair.network.at(number * EVERY, partial(pair.a.send, b"%d" % number))
    return longest_gap(pair, before + count)


def send_without(pair: Pair, seconds: float, *cut: int) -> None:
    """Cut these paths, and send for so long over the others."""
    for number in cut:
        pair.cut(number)
    send_for(pair, seconds)


def gap_after_another_path_is_cut(pair: Pair, down: float) -> float:
    """Cut path 1 for so many seconds, then heal it and cut path 2: how long no message comes."""
    send_without(pair, down, 1)
    pair.heal(1)
    pair.cut(2)
    return send_for(pair, 2)


@pytest.mark.parametrize("seed", seeds(1, 20))
@pytest.mark.parametrize("rtt", some([0.001, 0.02], [0.01, 0.06]))
@pytest.mark.parametrize("down", some([0.3, 1.5, 40.0], [4.0, 10.0, 90.0]))
def test_a_path_that_has_healed_carries_the_data_within_a_few_round_trips(seed: int, rtt: float, down: float) -> None:
    """It was doubtful, potentially failed or inactive: the next HEARTBEAT was due in up to 31.5 s."""
    with ready(seed, rtt) as pair:
        assert gap_after_another_path_is_cut(pair, down) <= 5 * rtt + 0.05
        pair.drain()


@pytest.mark.parametrize("healed", some([1, 6], [2, 3, 4, 5, 7]))
@pytest.mark.parametrize("down", some([3.0, 10.0], [6.0, 20.0]))
def test_of_many_failed_paths_the_one_that_has_healed_is_found(healed: int, down: float) -> None:
    """HB.Max.Burst, one HEARTBEAT in an RTO, holds back those that are due on most of them."""
    with ready(1, 0.02, 8) as pair:
        send_without(pair, down, *range(1, 8))
        pair.heal(healed)
        pair.cut(8)
        assert send_for(pair, 2) <= 1 + 5 * 0.02


def test_a_path_that_has_healed_is_found_while_the_window_of_the_peer_is_closed() -> None:
    with ready(1, 0.02) as pair:
        send_without(pair, 90, 1)
        pair.b.reading = False
        for _ in range(2500):
            pair.a.send(bytes(1400))
        pair.network.run_for(5)
        assert pair.a.association.tcb.peer_rwnd < 1400
        pair.heal(1)
        pair.cut(2)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 4)


def test_the_rto_of_the_path_that_was_found_follows_from_its_answer() -> None:
    """It had been backed off to many seconds, and the path now carries all data (section 6.3.1, C5)."""
    with ready(1, 0.02) as pair:
        gap_after_another_path_is_cut(pair, 20.0)
        assert pair.a.association.paths[0].rto == SECOND


def lose_data(pair: Pair, number: int) -> list[int]:
    """Send for a minute over a path that loses some of it: how many HEARTBEATs have left for each path meanwhile."""
    before = [path.heartbeats_sent for path in pair.a.association.paths]
    had = len(pair.b.received)
    pair.set_path(number, loss=0.05)
    for count in range(3000):
        pair.network.at(count * 0.02, partial(pair.a.send, bytes(1000)))
    pair.run(lambda: len(pair.b.received) == had + 3000, 100)
    assert pair.a.association.stats.tail_probes_sent > 20
    return [path.heartbeats_sent - sent for path, sent in zip(pair.a.association.paths, before, strict=True)]


def test_losses_on_the_only_path_that_works_have_a_dead_one_asked_hardly_more_often() -> None:
    """Tail loss probes follow many of them, and are no sign that the path is cut."""
    with ready(1, 0.02) as pair:
        send_without(pair, 90, 1)
        assert lose_data(pair, 2)[0] <= 8


def test_while_another_path_works_a_failed_one_is_asked_in_its_turn_only() -> None:
    with ready(1, 0.02, 3) as pair:
        send_without(pair, 90, 1)
        pair.a.association.paths[1].heartbeat_enabled = False  # Probes go there themselves.
        assert lose_data(pair, 2)[0] <= 2


def test_a_path_whose_heartbeats_are_off_is_not_asked() -> None:
    """RFC 7829 section 3.2 (5)."""
    with ready(1, 0.02) as pair:
        send_without(pair, 90, 1)
        off = pair.a.association.paths[0]
        off.heartbeat_enabled = False
        sent = off.heartbeats_sent
        pair.cut(2)
        pair.a.send(b"?")
        pair.network.run_for(0.9)
        assert off.heartbeats_sent == sent


def test_an_ordinary_loss_shortly_before_does_not_have_the_healed_path_found_late() -> None:
    """The question that followed the loss was not answered: the next one has a pause of its own, and not the RTO."""
    with ready(1, 0.02) as pair:
        send_without(pair, 40, 1)
        pair.drain()
        pair.network.drop("DATA", 1, to="10.0.2.2")
        pair.a.send(b"lost once")
        pair.drain()
        assert pair.a.association.stats.tail_probes_sent
        send_for(pair, 3)
        pair.heal(1)
        pair.cut(2)
        assert send_for(pair, 2) <= 5 * 0.02 + 0.05


@pytest.mark.parametrize("recovery", ["rack", "rfc9260"])
def test_a_single_message_that_timed_out_goes_over_the_path_that_answers(recovery: str) -> None:
    """The timeout has it go to its own path once more, which has fewer errors, and asks the other one."""
    with ready(1, 0.02, loss_recovery=recovery) as pair:
        send_without(pair, 40, 1)
        pair.drain()
        pair.heal(1)
        pair.cut(2)
        if recovery == "rack":
            pair.network.drop("HEARTBEAT", 1, to="10.0.1.2")
        pair.a.send(b"?")
        assert longest_gap(pair, 4001) <= 1 + 0.24 + 5 * 0.02  # T3-rtx begins anew with the tail loss probe.


def test_a_probe_that_is_superseded_is_no_loss() -> None:
    """Only its SACK was lost: the congestion window stays as it is."""
    with ready(1, 0.02) as pair:
        send_without(pair, 40, 1)
        for _ in range(300):
            pair.a.send(bytes(1400))
        pair.drain()
        pair.heal(1)
        pair.set_path(1, delay=0.002)
        works = pair.a.association.paths[1]
        cwnd = works.cwnd
        assert cwnd > 50_000  # A window that is small already is not halved.
        pair.network.drop("SACK", 1, to="10.0.2.1")
        pair.a.send(b"?")
        pair.drain()
        assert works.cwnd >= cwnd


def test_an_address_that_was_never_verified_is_not_asked_out_of_turn() -> None:
    """Section 5.4: one HEARTBEAT in an RTO at most."""
    with Pair(1, paths=2) as pair:
        pair.network.drop("HEARTBEAT ACK", None)
        pair.connect()
        unverified = pair.b.association.paths[1]  # A listed the addresses of B, and so need not verify them.
        pair.cut(1)
        pair.b.send(b"?")
        pair.network.run_for(1.1)
        assert pair.b.association.stats.t3_timeouts == 1
        assert not unverified.confirmed
        assert unverified.heartbeats_sent <= 2


def test_the_only_path_is_asked_by_the_probe_itself() -> None:
    with ready(1, 0.02, 1) as pair:
        pair.a.send(b"!")
        pair.drain()
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run_for(0.9)
        assert pair.a.association.stats.tail_probes_sent == 1
        assert pair.a.association.paths[0].heartbeats_sent == 0


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
