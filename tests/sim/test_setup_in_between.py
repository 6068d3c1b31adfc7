"""Packets that change what the rest of them is about, and chunks that meet an association which is not up yet."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_STATE, CommunicationUp, PathChange
from sctpx.core.path.states import PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.wire import control
from sctpx.wire.tlv import chunk
from tests.sim.scripted import Scripted, return_by_icmp
from tests.sim.states import bring_to

STALE = control.error([(3, b"\0\0\0\1")])
BESIDE = {
    "a HEARTBEAT": control.heartbeat(b"?"),
    "a COOKIE ACK": control.cookie_ack(),
    "a SHUTDOWN ACK": control.shutdown_ack(),
    "a SHUTDOWN": control.shutdown(1),
    "an unknown chunk": chunk(0xC1, 0, b"what?"),
    "another one": STALE,
    "a SACK": chunk(3, 0, bytes(12)),
    "an ABORT": control.abort([]),
    "DATA": chunk(0, 3, bytes(12) + b"data"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_behind_a_stale_cookie_error_is_dropped(name: str) -> None:
    """The attempt begins anew (section 5.2.6): the path the packet came from is no more."""
    with Scripted() as lab:
        association = bring_to(lab, COOKIE_ECHOED)
        heard = lab.ask(STALE, BESIDE[name], BESIDE[name])
        assert [line.split()[1] for line in heard] == ["INIT"]
        assert association.state == COOKIE_WAIT
        lab.ask(lab.init_ack())
        lab.ask(control.cookie_ack())
        assert lab.events_of(CommunicationUp)


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_in_front_of_it_is_forgotten_with_the_path(name: str) -> None:
    with Scripted() as lab:
        bring_to(lab, COOKIE_ECHOED)
        heard = lab.ask(BESIDE[name], STALE)
        assert len(heard) <= 2
        lab.network.run_for(30)


def test_a_stale_cookie_error_behind_packets_that_arrive_together_ends_the_burst() -> None:
    with Scripted() as lab:
        association = bring_to(lab, COOKIE_ECHOED)
        lab.say(STALE)
        lab.say(control.heartbeat(b"?"))
        lab.say(STALE)
        lab.network.run_for(0.05)
        assert association.state == COOKIE_WAIT


def test_a_failure_before_it_is_up_is_told_when_it_is() -> None:
    """Nobody knows the association before CommunicationUp: a PathChange in front of it would be about nothing."""
    with Scripted(paths=2) as lab:
        association = lab.connect()
        lab.network.run_for(0.11)
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)))
        assert association.state == COOKIE_ECHOED
        lab.ask(control.abort([]), source="10.0.2.2")  # The answer to the INIT there.
        assert lab.events_of(PathChange) == []
        lab.ask(control.cookie_ack())
        told = [event for event in lab.a.events if isinstance(event, (CommunicationUp, PathChange))]
        assert isinstance(told[0], CommunicationUp)
        [change] = lab.events_of(PathChange)
        assert (change.remote, change.what, change.state) == (lab.p.packed[1], CHANGE_STATE, PATH_INACTIVE)


def test_an_icmp_error_before_it_is_up_is_no_event() -> None:
    with Scripted(paths=2) as lab:
        association = bring_to(lab, COOKIE_ECHOED)
        echo = next(packet for packet in lab.heard if "COOKIE ECHO" in packet.chunks)
        return_by_icmp(lab.network, echo, errno.EHOSTUNREACH)
        lab.network.run_for(0.02)
        assert association.paths[0].state == PATH_POTENTIALLY_FAILED
        assert lab.events_of(PathChange) == []


def test_a_path_on_which_t2_shutdown_expires_is_told_of() -> None:
    """Section 8.2: "a notification SHOULD be sent to the upper layer"."""
    with Scripted(paths=2, config=AssociationConfig(heartbeat_interval=0)) as lab:
        association = lab.up_outgoing(addresses=list(lab.p.packed))
        association.shutdown(lab.a.now)
        lab.network.run_for(1.5)
        [change] = lab.events_of(PathChange)
        assert (change.remote, change.state) == (lab.p.packed[0], PATH_POTENTIALLY_FAILED)


def test_with_heartbeats_off_an_address_that_lost_the_race_begins_like_any_other() -> None:
    """Nothing but data could ever show that it works: it would be suspected for ever."""
    for interval, expected in ((0.0, [0, 0]), (30.0, [PATH_POTENTIALLY_FAILED, 0])):
        with Scripted(paths=2, config=AssociationConfig(heartbeat_interval=interval)) as lab:
            association = lab.connect()
            lab.network.run_for(0.11)
            lab.ask(lab.init_ack(addresses=list(lab.p.packed)), source="10.0.2.2", seconds=0.02)
            assert [path.state for path in association.paths] == expected


def test_duplicates_of_the_cookie_echo_do_not_keep_an_address_from_being_verified() -> None:
    """Each draws a COOKIE ACK with a HEARTBEAT (section 5.4); the answer to any counts, and measures nothing."""
    with Scripted(paths=2) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source="10.0.1.2")
        echo = control.cookie_echo(lab.cookie())
        lab.ask(echo, source="10.0.2.2")
        first = lab.chunk("HEARTBEAT")
        for _ in range(5):
            lab.ask(echo, source="10.0.2.2")
        assert lab.chunk("HEARTBEAT") == first
        [association] = lab.endpoint.associations.values()
        before = association.paths[1].srtt
        lab.ask(control.heartbeat_ack(first), source="10.0.2.2")
        assert association.paths[1].confirmed
        assert association.paths[1].srtt == before == 0


@pytest.mark.parametrize(("burst", "heard"), [(1, ["10.0.1.2"]), (2, ["10.0.1.2", "10.0.2.2"])])
def test_hb_max_burst_holds_nothing_back_before_it_is_used_up(burst: int, heard: list[str]) -> None:
    """Section 5.4: "The number of packets containing HEARTBEAT chunks sent at each RTO SHOULD be limited": not those
    below the limit.
    """
    with Scripted(paths=2, config=AssociationConfig(heartbeat_max_burst=burst)) as lab:
        lab.up_outgoing(addresses=list(lab.p.packed))
        lab.network.run_for(1.0)
        echo = next(packet for packet in lab.heard if "COOKIE ECHO" in packet.chunks)
        other = echo.duplicate(lab.a.now)
        other.destination = lab.p.packed[1]
        lab.heard.clear()
        for packet in (echo, other):  # A path that may have failed is asked at once.
            return_by_icmp(lab.network, packet, errno.EHOSTUNREACH)
            lab.network.run_for(0.3)
        assert [packet.destination_text for packet in lab.heard if "HEARTBEAT" in packet.chunks] == heard
