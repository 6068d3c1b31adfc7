"""What an association knows while this side sets it up (RFC 9260 section 5.1)."""

from __future__ import annotations

from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT
from sctpx.core.events import CannotStart
from sctpx.wire import causes, control
from tests.sim.scripted import Scripted

STALE = control.error([causes.stale_cookie(1)])


def test_after_a_stale_cookie_all_is_offered_again() -> None:
    """Section 5.2.6: another INIT asks, and the peer may answer it in another way."""
    with Scripted() as lab:
        association = lab.connect()
        assert association.partial_reliability
        lab.ask(lab.init_ack())
        assert not association.partial_reliability
        lab.ask(STALE)
        assert association.state == COOKIE_WAIT
        assert association.partial_reliability


def test_the_third_stale_cookie_ends_the_attempt() -> None:
    """Section 5.2.6: such a peer keeps no time."""
    with Scripted() as lab:
        association = lab.connect()
        for stale in range(3):
            lab.ask(lab.init_ack())
            assert (association.state, stale) == (COOKIE_ECHOED, stale)
            lab.ask(STALE)
        assert association.ended
        assert len(lab.events_of(CannotStart)) == 1
