"""A peer that does not answer is given up, and told so: perhaps it does hear us (RFC 9260 sections 8.1, 9.1 and 9.2).

What the network says of it (ICMP) never makes that later than silence does.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, SHUTDOWN_ACK_SENT
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationLost, PathChange
from sctpx.core.path.states import PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import Pair
from sctpx.wire import control
from tests.sim.scripted import Scripted


def deafen(pair: Pair) -> None:
    """From now on A hears nothing, and all that A says arrives."""
    for own, peer in zip(pair.a.host.addresses, pair.b.host.addresses, strict=True):
        pair.network.link(peer, own).cut()


def with_data(pair: Pair) -> None:
    pair.a.send(b"never acknowledged")


def idle(pair: Pair) -> None:
    """HEARTBEATs go unanswered."""


def shutting_down(pair: Pair) -> None:
    """T2-shutdown runs."""
    pair.a.association.shutdown(pair.a.host.now)


def out_of_time(pair: Pair) -> None:
    """T5-shutdown-guard expires first."""
    pair.a.association.reconfigure(pair.a.host.now, AssociationConfig(shutdown_guard=20.0))
    shutting_down(pair)


@pytest.mark.parametrize("begin", [with_data, idle, shutting_down, out_of_time])
def test_a_peer_that_hears_us_learns_at_once_that_it_was_given_up(begin: Callable[[Pair], None]) -> None:
    with Pair(1).connect() as pair:
        deafen(pair)
        begin(pair)
        pair.network.run(lambda: pair.a.association.ended, 1000)
        pair.network.run_for(0.02)
        [ours], [theirs] = pair.a.events_of(CommunicationLost), pair.b.events_of(CommunicationLost)
        assert (ours.error, ours.by_peer, ours.causes) == (errno.ETIMEDOUT, False, [])
        assert (theirs.error, theirs.by_peer, theirs.causes) == (errno.ECONNRESET, True, [])


@pytest.mark.parametrize("begin", [with_data, shutting_down, out_of_time])
def test_every_address_is_told_and_the_peer_hears_it_once(begin: Callable[[Pair], None]) -> None:
    with Pair(1, paths=3).connect() as pair:
        deafen(pair)
        begin(pair)
        pair.network.run(lambda: pair.a.association.ended, 1000)
        pair.network.run_for(60)
        told = [(rung.sender, rung.destination) for rung in pair.network.rungs() if "ABORT" in rung.chunks]
        assert sorted(told) == [("A", "10.0.1.2"), ("A", "10.0.2.2"), ("A", "10.0.3.2")]
        assert len(pair.b.events_of(CommunicationLost)) == 1


def test_an_address_that_was_never_verified_is_not_told() -> None:
    """Section 5.4: "MUST NOT send any chunks to an UNCONFIRMED address" but for HEARTBEATs and the like."""
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        pair.network.drop("HEARTBEAT ACK", times=None)
        pair.network.run(lambda: association.ended, 2000)
        assert {rung.destination for rung in pair.network.rungs() if "ABORT" in rung.chunks} == {"10.0.1.2"}


def test_a_shutdown_ack_that_nobody_answers_ends_with_an_abort() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        assert lab.listen_for(1000)[-1] == "P: ABORT"


@pytest.mark.parametrize("config", [AssociationConfig(), AssociationConfig(connect_timeout=5.0)], ids=["T1", "timeout"])
def test_an_association_that_is_up_at_the_peer_and_not_here_is_given_up_on_both_sides(
    config: AssociationConfig,
) -> None:
    """The COOKIE ACKs are lost: T1-cookie expires Max.Init.Retransmits times (section 5.1.4), or the time is up."""
    with Pair(1, paths=2, config=config) as pair:
        pair.network.drop("COOKIE ACK", times=None)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: pair.a.events_of(CannotStart), 1000)
        pair.network.run_for(0.02)
        assert pair.a.events_of(CannotStart)[0].error == errno.ETIMEDOUT
        assert [lost.error for lost in pair.b.events_of(CommunicationLost)] == [errno.ECONNRESET]


def test_while_nobody_has_answered_there_is_nobody_to_tell() -> None:
    with Pair(1, config=AssociationConfig(max_init_retransmits=1)) as pair:
        pair.network.drop("INIT ACK", times=None)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: pair.a.events_of(CannotStart), 1000)
        pair.network.run_for(1)
        assert {name for packet in pair.network.packets() for name in packet.chunks} == {"INIT", "INIT ACK"}


def test_a_peer_that_did_not_get_our_cookie_is_told_under_its_tag() -> None:
    with Scripted(config=AssociationConfig(max_init_retransmits=1)) as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert association.state == COOKIE_ECHOED
        assert lab.listen_for(100)[-1] == "P: ABORT"
        assert lab.ask(control.abort([])) == []


# ICMP


UNREACHABLE: Final = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH]
CONFIGS: Final = {
    "the defaults": AssociationConfig(),
    "a path that fails at once": AssociationConfig(path_max_retrans=0),
    "a path that hardly fails": AssociationConfig(path_max_retrans=10),
    "short intervals": AssociationConfig(heartbeat_interval=1.0, rto_initial=0.2, rto_min=0.2, rto_max=2.0),
    "few retransmissions": AssociationConfig(association_max_retrans=2),
}


def noticed(pair: Pair, begin: Callable[[Pair], None], told: int, crash: bool) -> tuple[float, float, float]:
    """When the first path is avoided, when it is inactive and when the association ends, seconds from the failure.

    From then on nothing reaches B. The network tells A so with the errno ``told``, unless that is 0.
    """
    with pair.connect():
        for own, peer in zip(pair.a.host.addresses, pair.b.host.addresses, strict=True):
            if told:
                pair.network.refuse(peer, told)
            else:
                pair.network.link(own, peer).cut()
        if crash:
            pair.b.host.crash()
        start = pair.network.elapsed
        begin(pair)
        changes: dict[int, float] = {}

        def note(event: object) -> None:
            if isinstance(event, PathChange) and event.remote == pair.b.host.packed[0]:
                changes.setdefault(event.state, pair.network.elapsed - start)

        pair.a.host.handlers.append(note)
        pair.network.run(lambda: pair.a.association.ended, 7200)
        end = pair.network.elapsed - start
        return changes.get(PATH_POTENTIALLY_FAILED, end), changes.get(PATH_INACTIVE, end), end


@pytest.mark.parametrize(
    ("paths", "crash", "begin"),
    [(1, True, idle), (1, False, idle), (1, True, with_data), (1, False, with_data), (3, True, with_data)],
)
@pytest.mark.parametrize("name", CONFIGS)
def test_an_error_that_the_network_tells_makes_nothing_later(
    name: str, paths: int, crash: bool, begin: Callable[[Pair], None]
) -> None:
    """ICMP9: "increment the path error counter". The error stands for the timeout of what it is about, and both count
    once: an inactive path is asked less often, and the association would end later than with a silent network.

    The peer may be gone, or go on sending, so that what we answer is refused, too.
    """
    silence = noticed(Pair(1, paths=paths, config=CONFIGS[name]), begin, 0, crash)
    for error in UNREACHABLE:
        told = noticed(Pair(1, paths=paths, config=CONFIGS[name]), begin, error, crash)
        assert all(early <= late for early, late in zip(told, silence, strict=True)), (told, silence)
