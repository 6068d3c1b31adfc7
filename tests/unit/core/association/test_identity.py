"""An association by its name: what the stack knows of one that has just been made."""

from __future__ import annotations

from sctpx.core.association.identity import NOBODY
from sctpx.core.deadlines import Deadlines
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import SenderDry
from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER
from sctpx.testing import seeded_bytes
from tests.conformance.peer import Peer

OWN = bytes((10, 0, 1, 1))


def test_a_new_association_has_no_deadline_in_the_heap_and_takes_none_away() -> None:
    endpoint = Stack(seeded_bytes(1), 0).open_endpoint(5000, [OWN])
    first, second = [endpoint.connect(0, [PeerAddress(OWN, 9899)], port) for port in (6000, 6001)]
    deadlines = Deadlines()
    for association in (first, second):
        deadlines.enter(association, 100)
    found = []
    while (due := deadlines.due(100)) is not None:
        found.append(due)
        deadlines.take()
    assert found == [first, second]


def test_nobody_has_messages_or_a_place_anywhere() -> None:
    assert (NOBODY.readable, NOBODY.ready, NOBODY.admitted_as, NOBODY.indexed) == (0, False, b"", [])
    assert (NOBODY.owner, NOBODY.ignores_dry, NOBODY.scheduled) == (None, False, NEVER)


def test_that_all_was_acknowledged_is_told_unless_nobody_wants_to_hear_it() -> None:
    """RFC 6458 section 6.1.9."""
    for ignores in (False, True):
        peer = Peer()
        if ignores:
            peer.association.ignores_dry = True
        peer.send(10)
        peer.sack(1)
        assert len(peer.events_of(SenderDry)) == int(not ignores)
