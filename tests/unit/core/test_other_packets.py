"""Packets with the tag of nobody here, from the peer of an association."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import COOKIE_WAIT, ESTABLISHED
from sctpx.core.events import CannotStart
from sctpx.testing import pack_address
from sctpx.wire import causes, control
from sctpx.wire.packet import finish_packet, prefix
from tests.conformance.peer import PORT, Peer
from tests.sim.scripted import Scripted


@pytest.mark.parametrize("said", [control.heartbeat(b"1234"), control.abort([]), control.abort([], reflected=True)])
def test_a_packet_with_a_wrong_tag_is_silently_discarded_and_counted(said: bytes) -> None:
    """RFC 9260 section 8.5: "the receiver [...] MUST silently discard the packet"."""
    peer = Peer()
    peer.deliver_bytes(finish_packet(prefix(PORT, PORT, 12345), said))
    assert peer.take() == []
    assert peer.stack.stats.discarded == 1
    assert peer.association.state == ESTABLISHED


def test_an_abort_with_the_tag_of_an_init_ack_that_counts_no_more_ends_nothing() -> None:
    """RFC 9260 section 5.2.6: after a stale cookie the association is in COOKIE-WAIT again; what the COOKIE ECHO draws
    late is about the tag that the peer has given up."""
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        lab.ask(control.error([causes.stale_cookie(1)]))
        assert association.state == COOKIE_WAIT
        lab.ask(control.abort([], reflected=True), tag=lab.p_tag)
        assert association.state == COOKIE_WAIT
        assert lab.events_of(CannotStart) == []
        assert association.tcb.find_path(pack_address("10.0.1.2")) is None
