"""RFC 9260 section 5.2: duplicate or unexpected INIT, INIT ACK, COOKIE ECHO and COOKIE ACK, in every state; the actions
A to D are in tests/sim/test_collision.py and test_restart.py, stale cookies in test_cookie.py.
"""

from __future__ import annotations

import pytest

from sctpx.core.association.state import (
    COOKIE_ECHOED,
    COOKIE_WAIT,
    SHUTDOWN_ACK_SENT,
    STATE_NAMES,
)
from sctpx.core.config import AssociationConfig
from sctpx.core.events import RemoteError, Restarted
from sctpx.wire import control
from tests.sim.scripted import Scripted
from tests.sim.states import STATES, bring_to

UP = [state for state in STATES if state not in (COOKIE_WAIT, COOKIE_ECHOED, SHUTDOWN_ACK_SENT)]


def name(state: int) -> str:
    return STATE_NAMES[state]


@pytest.mark.parametrize("state", [COOKIE_WAIT, COOKIE_ECHOED], ids=name)
def test_5_2_1_the_answer_has_the_tag_of_our_init_and_changes_nothing(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        ours = lab.setup("INIT")
        assert lab.ask(lab.init(initiate_tag=0x66), tag=0)[0].startswith("0x00000066: INIT ACK")
        ack = lab.setup("INIT ACK")
        assert (ack.initiate_tag, ack.initial_tsn, ack.a_rwnd) == (ours.initiate_tag, ours.initial_tsn, ours.a_rwnd)
        assert association.state == state


@pytest.mark.parametrize("state", UP, ids=name)
def test_5_2_2_the_answer_has_a_new_tag_and_changes_nothing(state: int) -> None:
    """ "the INIT ACK chunk MUST contain a new Initiate Tag (randomly generated)"; "the existing association, including
    its current state, and the corresponding TCB MUST NOT be changed".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        tag = lab.a_tag
        assert lab.ask(lab.init(initiate_tag=0x66), tag=0)[0].startswith("0x00000066: INIT ACK")
        assert lab.a_tag not in (tag, 0)
        assert association.state == state
        lab.a_tag = tag
        assert any("HEARTBEAT ACK" in line for line in lab.ask(control.heartbeat(b"?")))


@pytest.mark.parametrize("state", [COOKIE_ECHOED, *UP], ids=name)
def test_5_2_2_new_addresses_are_refused_and_change_nothing(state: int) -> None:
    """ "the endpoint MUST respond with an ABORT chunk, copying the 'Initiate Tag' of the unexpected INIT chunk into the
    'Verification Tag'"; "The error SHOULD list the addresses that were added".
    """
    with Scripted(paths=2) as lab:
        association = STATES[state](lab)
        before = [path.remote for path in association.paths]
        added = bytes((10, 0, 9, 9))
        [answer] = lab.ask(lab.init(initiate_tag=0x66, addresses=[lab.p.packed[0], added]), tag=0)
        assert answer.startswith("0x00000066: ABORT Restart of an Association with New Addresses")
        assert "10.0.9.9" in answer
        assert association.state == state
        assert [path.remote for path in association.paths] == before


@pytest.mark.parametrize("state", [state for state in STATES if state != COOKIE_WAIT], ids=name)
def test_5_2_3_an_unexpected_init_ack_is_discarded(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        heard = lab.ask(lab.init_ack(initiate_tag=0x66))
        assert not any("COOKIE ECHO" in line or "ABORT" in line for line in heard)
        assert association.state == state


@pytest.mark.parametrize("state", [state for state in STATES if state != COOKIE_WAIT], ids=name)
def test_5_2_4_a_cookie_that_is_none_of_ours_is_silently_discarded(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        heard = lab.ask(control.cookie_echo(bytes(200)))
        assert not any("COOKIE ACK" in line or "ERROR" in line or "ABORT" in line for line in heard)
        assert association.state == state


@pytest.mark.parametrize("state", [state for state in STATES if state != COOKIE_ECHOED], ids=name)
def test_5_2_5_a_cookie_ack_in_any_other_state_is_silently_discarded(state: int) -> None:
    """5.2.5: "At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard a received COOKIE ACK"."""
    with Scripted() as lab:
        association = bring_to(lab, state)
        heard = lab.ask(control.cookie_ack())
        assert not any("ABORT" in line or "ERROR" in line for line in heard)
        assert association.state == state


@pytest.mark.parametrize("state", [state for state in STATES if state != COOKIE_ECHOED], ids=name)
def test_5_2_6_a_stale_cookie_error_in_any_other_state_is_silently_discarded(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        lab.ask(control.error([(3, bytes(4))]))
        assert association.state == state
        assert lab.events_of(RemoteError) == []


def test_5_2_4_a_stale_cookie_with_both_tags_is_valid() -> None:
    """5.2.4, 3: "If both Verification Tags in the State Cookie match [...], consider the State Cookie valid [...], even
    if the lifespan is exceeded".
    """
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        echo = control.cookie_echo(lab.cookie())
        lab.ask(echo)
        lab.network.run_for(300)
        assert "P: COOKIE ACK" in lab.ask(echo)
        assert lab.events_of(Restarted) == []


def test_5_2_1_in_cookie_echoed_the_tie_tags_are_in_the_cookie_and_the_tcb() -> None:
    """5.2.1: "it MUST populate its Tie-Tags within both the association TCB and inside the State Cookie"."""
    with Scripted() as lab:
        association = bring_to(lab, COOKIE_ECHOED)
        assert (association.tcb.local_tie_tag, association.tcb.peer_tie_tag) == (0, 0)
        tags = lab.a_tag, lab.p_tag
        lab.ask(lab.init(initiate_tag=0x66), tag=0)
        ties = association.tcb.local_tie_tag, association.tcb.peer_tie_tag
        assert 0 not in ties
        # They are not the tags themselves, which a cookie that is not encrypted must not show (section 5.1.3).
        assert set(ties).isdisjoint(tags)
        cookie = lab.cookie()
        assert all(tie.to_bytes(4, "big") in cookie for tie in ties)


@pytest.mark.parametrize("state", UP, ids=name)
def test_5_2_2_the_answer_has_the_parameters_of_the_association(state: int) -> None:
    """5.2.2: "Other parameters for the endpoint SHOULD be copied from the existing parameters of the association (e.g.,
    number of outbound streams) into the INIT ACK chunk and cookie." Those of the port may have changed since.
    """
    with Scripted(config=AssociationConfig(streams=6, max_inbound_streams=9, receive_buffer=50_000)) as lab:
        bring_to(lab, state)
        lab.endpoint.config = AssociationConfig(streams=3, max_inbound_streams=4, receive_buffer=60_000)
        lab.ask(lab.init(initiate_tag=0x66), tag=0)
        ack = lab.setup("INIT ACK")
        assert (ack.outbound_streams, ack.inbound_streams, ack.a_rwnd) == (6, 9, 50_000)
