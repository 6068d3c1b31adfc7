"""What every extension is, unless it says otherwise."""

from __future__ import annotations

from sctpx.core.association.state import SHUTDOWN_SENT
from sctpx.core.ext.auth import KeyWatch
from sctpx.core.ext.partial_reliability import PartialReliability
from sctpx.core.extension import find
from sctpx.core.timers import NEVER
from sctpx.core.tx.reliability import RETRANSMISSIONS
from tests.conformance.peer import Peer


def test_an_extension_that_is_used_delays_no_shutdown_and_holds_up_no_packets() -> None:
    peer = Peer(forwards=True)
    peer.send(10, policy=RETRANSMISSIONS, value=3)
    [used] = peer.association.tcb.extensions
    assert (used.deadline, used.delays_shutdown, used.holds) == (NEVER, False, False)
    peer.sack(1)
    peer.take()
    peer.shutdown()
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN"]]
    assert peer.association.state == SHUTDOWN_SENT


def test_an_extension_is_found_by_its_kind() -> None:
    peer = Peer(forwards=True)
    assert find(peer.association.tcb.extensions, PartialReliability) is None
    peer.send(10, policy=RETRANSMISSIONS, value=3)
    extensions = peer.association.tcb.extensions
    assert find(extensions, PartialReliability) is extensions[0]
    assert find(extensions, KeyWatch) is None
