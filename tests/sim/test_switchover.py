"""The primary path fails and another one takes its place, for good (RFC 7829 section 5); nothing is lost."""

from __future__ import annotations

import errno
from functools import partial

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_PRIMARY, CHANGE_STATE, PathChange
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.testing import LinkSettings, Pair
from tests.sim.scripted import return_by_icmp
from tests.sweeps import seeds

FIRST = "10.0.1.2"
SECOND = "10.0.2.2"


def switching(psmr: int | None, seed: int = 1, paths: int = 2, link: LinkSettings | None = None) -> Pair:
    """All paths are confirmed on both sides."""
    config = AssociationConfig(primary_switchover_max_retrans=psmr, association_max_retrans=50)
    pair = Pair(seed, paths=paths, config=config, link=link or LinkSettings()).connect()
    pair.network.run(lambda: all(path.confirmed for path in pair.b.association.paths))
    pair.network.recording.clear()
    return pair


def changes(pair: Pair) -> list[str]:
    """The primary paths that A was told of."""
    return [".".join(map(str, event.remote)) for event in pair.a.events_of(PathChange) if event.what == CHANGE_PRIMARY]


def went_to(pair: Pair) -> list[str]:
    """Where A's DATA went since the last time."""
    found = [packet.destination_text for packet in pair.network.packets() if "DATA" in packet.chunks]
    pair.network.recording.clear()
    return found


def send_for(pair: Pair, seconds: float, first: int = 0) -> int:
    """A sends a numbered message every 50 ms, from ``first`` on, for so long; the next number."""
    count = round(seconds / 0.05)
    for number in range(count):
        pair.network.at(number * 0.05, partial(pair.a.send, b"%d" % (first + number)))
    pair.network.run_for(seconds)
    return first + count


def test_with_the_recommended_value_data_moves_after_one_timeout_and_stays_when_the_old_path_works_again() -> None:
    with switching(0) as pair:
        sent = send_for(pair, 1)
        pair.cut(1)
        sent = send_for(pair, 3, sent)
        assert changes(pair) == [SECOND]
        pair.heal(1)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 100)
        went_to(pair)
        sent = send_for(pair, 5, sent)
        assert set(went_to(pair)) == {SECOND}
        pair.drain()
        assert pair.b.messages() == [b"%d" % number for number in range(sent)]
        assert changes(pair) == [SECOND]


@pytest.mark.parametrize(("cut_for", "stays"), [(4.0, FIRST), (40.0, SECOND)])
def test_with_a_higher_value_a_short_failure_is_forgiven_and_a_long_one_is_not(cut_for: float, stays: str) -> None:
    """PSMR 3: HEARTBEATs fail 1, 2, 4 and 8 s after the data did."""
    with switching(3) as pair:
        pair.cut(1)
        sent = send_for(pair, cut_for)
        pair.heal(1)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 200)
        went_to(pair)
        sent = send_for(pair, 2, sent)
        assert set(went_to(pair)) == {stays}
        pair.drain()
        assert pair.b.messages() == [b"%d" % number for number in range(sent)]
        assert changes(pair) == ([] if stays == FIRST else [SECOND])


def test_without_it_data_returns() -> None:
    with switching(None) as pair:
        pair.cut(1)
        sent = send_for(pair, 40)
        pair.heal(1)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 200)
        went_to(pair)
        send_for(pair, 2, sent)
        assert set(went_to(pair)) == {FIRST}
        assert changes(pair) == []


def test_the_users_choice_holds_until_that_path_fails_too() -> None:
    with switching(0, paths=3) as pair:
        pair.cut(1)
        pair.a.send(b"moves")
        pair.drain()
        pair.network.run(lambda: changes(pair))  # The HEARTBEAT beside the tail loss probe is lost, too.
        pair.heal(1)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 100)
        pair.a.association.set_primary(pair.a.host.now, pair.b.host.packed[0])
        went_to(pair)
        pair.a.send(b"back")
        pair.drain()
        assert went_to(pair) == [FIRST]
        pair.cut(1)
        pair.a.send(b"moves again")
        pair.drain()
        pair.network.run_for(1.5)
        assert changes(pair)[-1] != FIRST
        assert pair.b.messages() == [b"moves", b"back", b"moves again"]


def test_an_idle_association_moves_by_its_heartbeats() -> None:
    with switching(0) as pair:
        pair.cut(1)
        pair.network.run(lambda: changes(pair), 100)
        assert changes(pair) == [SECOND]


def test_an_icmp_error_moves_it_at_once() -> None:
    with switching(0) as pair:
        start = pair.network.elapsed
        pair.network.drop("DATA", to=FIRST)
        pair.a.send(b"refused")
        pair.network.run_for(0.001)
        [packet] = [packet for packet in pair.network.packets() if "DATA" in packet.chunks]
        return_by_icmp(pair.network, packet, errno.EHOSTUNREACH)
        pair.network.run(lambda: changes(pair))
        assert pair.network.elapsed - start < 0.1
        pair.drain()
        assert pair.b.messages() == [b"refused"]


def test_a_switch_during_a_bulk_transfer_loses_and_repeats_nothing() -> None:
    with switching(0) as pair:
        data = bytes(range(256)) * 4000
        pair.network.at(0.05, lambda: pair.cut(1))
        pair.a.send(data)
        pair.drain()
        assert b"".join(pair.b.messages()) == data
        pair.network.run_for(1.5)
        assert changes(pair) == [SECOND]


@pytest.mark.parametrize("seed", seeds(3, 30))
@pytest.mark.parametrize("psmr", [0, 1])
def test_nothing_is_lost_when_paths_come_and_go(seed: int, psmr: int) -> None:
    """Each switch goes to a path that had not failed; what the user is told is what holds."""
    with switching(psmr, seed, 3, LinkSettings(loss=0.02, jitter=0.02)) as pair:
        sent = 0
        for round_ in range(10):
            pair.cut(1 + (seed + round_) % 3)
            sent = send_for(pair, 1.5, sent)
            pair.heal(1 + (seed + round_) % 3)
            sent = send_for(pair, 0.5, sent)
        pair.drain()
        assert pair.b.messages() == [b"%d" % number for number in range(sent)]
        primary = pair.a.association.primary
        assert primary is not None
        told = [event.remote for event in pair.a.events_of(PathChange) if event.what == CHANGE_PRIMARY]
        assert told
        assert told[-1] == primary.remote
        for path in pair.a.association.paths:
            states = [
                event.state
                for event in pair.a.events_of(PathChange)
                if event.what == CHANGE_STATE and event.remote == path.remote
            ]
            assert not states or states[-1] == path.state
