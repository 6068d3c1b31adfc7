"""connectx: the first listed address stays the caller's primary, if it answers after all (CX10)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.events import CHANGE_PRIMARY, CommunicationUp, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.testing import Pair
from tests.sim.connectx import abort_it, attempt
from tests.sim.scripted import return_by_icmp


def primary_changes(pair: Pair) -> list[bytes]:
    return [event.remote for event in pair.a.events_of(PathChange) if event.what == CHANGE_PRIMARY]


def loser_is_first(seed: int = 1, paths: int = 3) -> Pair:
    """The first address loses the race, but answers later."""
    pair = Pair(seed, paths=paths)
    pair.set_path(1, delay=0.2)
    attempt(pair)
    assert pair.a.association.primary is pair.a.association.paths[1]
    return pair


def test_it_becomes_primary_once_with_one_notification() -> None:
    with loser_is_first() as pair:
        pair.network.run_for(1)
        assert pair.a.association.primary is pair.a.association.paths[0]
        pair.network.run_for(200)
        assert primary_changes(pair) == [pair.b.host.packed[0]]


def test_data_goes_there_then() -> None:
    with loser_is_first() as pair:
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        pair.a.send(b"before")
        pair.network.run_for(1)
        pair.a.send(b"after")
        pair.drain()
        sent = [packet.destination_text for packet in pair.network.packets() if "DATA" in packet.chunks]
        assert sent == ["10.0.2.2", "10.0.1.2"]


def test_it_does_not_if_the_user_chose_another() -> None:
    with loser_is_first() as pair:
        pair.a.association.set_primary(pair.a.host.now, pair.b.host.packed[2])
        pair.network.run_for(200)
        assert pair.a.association.primary is pair.a.association.paths[2]
        assert primary_changes(pair) == [pair.b.host.packed[2]]


def test_it_does_not_if_the_user_chose_the_winner() -> None:
    with loser_is_first() as pair:
        pair.a.association.set_primary(pair.a.host.now, pair.b.host.packed[1])
        pair.network.run_for(200)
        assert pair.a.association.primary is pair.a.association.paths[1]
        assert primary_changes(pair) == []


def test_it_does_not_if_it_failed_since() -> None:
    """Its HEARTBEATs were lost until it was inactive: the wish has lapsed."""
    with Pair(1, paths=2) as pair:
        pair.cut(1)
        attempt(pair)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_INACTIVE, 300)
        pair.heal(1)
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 300)
        pair.network.run_for(200)
        assert pair.a.association.primary is pair.a.association.paths[1]
        assert primary_changes(pair) == []


def test_it_does_not_if_a_late_abort_said_that_nobody_is_there() -> None:
    with Pair(1, paths=2) as pair:
        pair.set_path(1, delay=0.2)
        pair.network.answer("10.0.1.2", abort_it)
        attempt(pair)
        pair.network.run_for(1)
        assert pair.a.association.paths[0].state == PATH_INACTIVE
        pair.network.heal("10.0.1.2")
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 300)
        assert pair.a.association.primary is pair.a.association.paths[1]
        assert primary_changes(pair) == []


def test_it_does_not_if_icmp_said_often_enough_that_it_is_unreachable() -> None:
    with Pair(1, paths=2) as pair:
        pair.cut(1)
        attempt(pair)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        pair.network.run_for(0.1)
        heartbeats = [packet for packet in pair.network.packets() if packet.destination_text == "10.0.1.2"]
        pair.heal(1)
        dropped = pair.network.drop("HEARTBEAT", times=None, to="10.0.1.2")
        while pair.a.association.paths[0].state != PATH_INACTIVE:
            return_by_icmp(pair.network, heartbeats[-1], errno.EHOSTUNREACH)
            pair.network.run_for(1.0)  # One error counts in an RTO.
        dropped.stop()
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 300)
        assert primary_changes(pair) == []


def test_it_does_not_if_it_was_dropped() -> None:
    with Pair(1, paths=2) as pair:
        pair.set_path(1, delay=0.2)
        pair.b.endpoint.announce[:] = pair.b.endpoint.local[:] = pair.b.host.packed[1:]
        attempt(pair)
        pair.network.run_for(200)
        assert pair.a.association.primary is pair.a.association.paths[0]
        assert pair.a.association.primary.remote == pair.b.host.packed[1]
        assert primary_changes(pair) == []


def test_a_late_init_ack_alone_does_not_make_it_primary() -> None:
    """RFC 9260 5.2.3: the INIT ACK is discarded. It becomes active by a HEARTBEAT ACK or acknowledged data."""
    with Pair(1, paths=2) as pair:
        pair.set_path(1, delay=0.2)
        pair.network.drop("HEARTBEAT ACK", times=2, source="10.0.1.2")
        attempt(pair)
        pair.network.run_for(0.7)
        assert any(
            packet.chunks == ["INIT ACK"] and packet.source_text == "10.0.1.2" for packet in pair.network.packets()
        )
        assert primary_changes(pair) == []
        pair.network.run_for(10)
        assert primary_changes(pair) == [pair.b.host.packed[0]]


def test_the_first_address_that_wins_is_primary_from_the_start_without_a_notification() -> None:
    with Pair(1, paths=3) as pair:
        attempt(pair)
        pair.network.run_for(100)
        assert pair.a.association.primary is pair.a.association.paths[0]
        assert primary_changes(pair) == []


@pytest.mark.parametrize("seed", range(3))
def test_it_becomes_primary_when_it_acknowledges_the_cookie(seed: int) -> None:
    """The winner's COOKIE ECHO is lost; the first address, silent so far, acknowledges the next one."""
    with Pair(seed, paths=2) as pair:
        pair.network.drop("INIT", times=1, to="10.0.1.2")
        pair.network.drop("COOKIE ECHO", times=1, to="10.0.2.2")
        attempt(pair)
        pair.network.run_for(3)
        assert pair.a.association.primary is pair.a.association.paths[0]
        assert primary_changes(pair) == [pair.b.host.packed[0]]


def test_an_address_that_refused_becomes_primary_if_it_answers_a_heartbeat() -> None:
    """It refused the INIT (a stale firewall, say) before anybody had won; kept, it starts potentially failed."""
    with Pair(1, paths=2) as pair:
        pair.network.answer("10.0.1.2", abort_it)
        attempt(pair)
        pair.network.heal("10.0.1.2")
        pair.network.run_for(10)
        assert primary_changes(pair) == [pair.b.host.packed[0]]
