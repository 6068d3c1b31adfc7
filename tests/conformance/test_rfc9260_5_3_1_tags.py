"""RFC 9260 section 5.3.1: "A new Verification Tag value MUST be used each time the endpoint tears down and then
reestablishes an association to the same peer".

A State Cookie has the tags of both sides, and is good for a minute whatever became of the association. Its COOKIE ECHO
may come once more, or late: a network may do both.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sctpx.core.events import CommunicationUp, Restarted
from sctpx.wire import control
from tests.sim.scripted import Scripted


def aborted_by_the_peer(lab: Scripted) -> None:
    lab.ask(control.abort([]))


def aborted_by_us(lab: Scripted) -> None:
    [association] = lab.endpoint.associations.values()
    association.abort(lab.a.now)
    lab.listen_for(0.05)


def shut_down(lab: Scripted) -> None:
    assert lab.ask(control.shutdown(lab.a_tsn - 1 & 0xFFFFFFFF)) == ["P: SHUTDOWN ACK"]
    lab.ask(control.shutdown_complete())


ENDS = [aborted_by_the_peer, aborted_by_us, shut_down]


@pytest.mark.parametrize("end", ENDS)
def test_a_copy_of_a_cookie_echo_sets_up_nothing_once_its_association_is_over(end: Callable[[Scripted], None]) -> None:
    """RFC 9260 section 14.2."""
    with Scripted() as lab:
        lab.up_incoming()
        echo = control.cookie_echo(lab.cookie())
        end(lab)
        assert lab.endpoint.associations == {}
        assert lab.ask(echo, lab.data(b"once more")) == ["A: ABORT T"]
        assert lab.endpoint.associations == {}
        assert len(lab.events_of(CommunicationUp)) == 1
        assert lab.a.stack.stats.cookies_rejected == 1


def test_a_copy_counts_as_before_while_its_association_lives() -> None:
    """Section 5.2.4, action D."""
    with Scripted() as lab:
        lab.up_incoming()
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]
        assert lab.a.stack.stats.cookies_rejected == 0


def test_after_a_collision_the_cookie_of_the_other_init_sets_up_nothing() -> None:
    """The peer's INIT was answered, with a tag of its own, before we sent ours; our INIT has set up the association.
    The peer's tag is the same in both.
    """
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        tag, echo = lab.a_tag, control.cookie_echo(lab.cookie())
        lab.up_outgoing()
        assert lab.a_tag != tag
        aborted_by_us(lab)
        assert lab.ask(echo, tag=tag) == [f"{tag:#010x}: ABORT T"]
        assert lab.endpoint.associations == {}
        assert len(lab.events_of(CommunicationUp)) == 1


def test_after_a_collision_the_peers_own_cookie_sets_up_nothing() -> None:
    """The INIT of the peer came in COOKIE-WAIT, and was answered with the tag of our INIT (section 5.2.1)."""
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.connect()
        lab.ask(lab.init(), tag=0)
        echo = control.cookie_echo(lab.cookie())
        assert lab.ask(echo) == ["P: COOKIE ACK"]
        aborted_by_the_peer(lab)
        assert lab.ask(echo) == ["A: ABORT T"]
        assert lab.endpoint.associations == {}


def test_after_a_restart_the_cookie_of_the_first_life_sets_up_nothing() -> None:
    with Scripted() as lab:
        lab.up_incoming()
        tag, echo = lab.a_tag, control.cookie_echo(lab.cookie())
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]
        assert len(lab.events_of(Restarted)) == 1
        aborted_by_the_peer(lab)
        assert lab.ask(echo, tag=tag) == [f"{tag:#010x}: ABORT T"]
        assert lab.endpoint.associations == {}


def test_a_peer_whose_tag_is_always_the_same_is_taken_as_before() -> None:
    """It breaks the rule, and its cookie is a new one all the same."""
    with Scripted() as lab:
        for count in range(1, 4):
            lab.up_incoming()
            aborted_by_the_peer(lab)
            assert len(lab.events_of(CommunicationUp)) == count
        assert lab.a.stack.stats.cookies_rejected == 0
