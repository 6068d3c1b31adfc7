"""A path that failed works again: its HEARTBEAT ACK lets the data go that waits for a T3-rtx that was doubled.

RFC 9260 section 6.3.3: the HEARTBEAT measures the path, and RTO "collapses"; RFC 7829 section 3.2: the path is active.
"""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import control
from tests.conformance.peer import FULL, Peer


def heal(warm: float, cut: float, paths: int = 1) -> tuple[float, float]:
    """Cut all paths for so long with data in flight: when the first path is active again, and when all data is there.

    In seconds since the first path was mended; ``warm`` seconds before, HEARTBEATs measured the paths.
    """
    config = AssociationConfig(heartbeat_interval=1.0 if paths == 1 else 5.0, loss_recovery="rfc9260")
    with Pair(1, paths=paths, config=config, link=LinkSettings(delay=0.01)).connect() as pair:
        pair.network.run_for(warm)
        for path in range(1, paths + 1):
            pair.cut(path)
        for _ in range(20):
            pair.a.send(bytes(1000))
        pair.network.run_for(cut)
        pair.heal(1)
        mended = pair.network.elapsed
        pair.run(lambda: pair.a.association.paths[0].error_count == 0)
        active = pair.network.elapsed - mended
        pair.run(lambda: len(pair.b.received) == 20)
        return active, pair.network.elapsed - mended


@pytest.mark.parametrize("warm", [5.3, 5.6, 5.9, 6.2])
def test_data_goes_on_an_only_path_as_soon_as_a_heartbeat_ack_shows_that_it_works(warm: float) -> None:
    active, complete = heal(warm, 3.5)
    assert active < 0.6
    assert complete - active < 0.15


def test_data_in_flight_to_another_failed_path_goes_to_the_one_that_works_again() -> None:
    active, complete = heal(5.0, 6.0, paths=2)
    assert active < 0.7
    assert complete - active < 0.15


def fail() -> tuple[Peer, bytes]:
    """A peer whose only path has timed out once, with a HEARTBEAT sent after the retransmission; its information."""
    peer = Peer(heartbeat_interval=30.0)
    peer.send(FULL, FULL, FULL)
    peer.take()
    peer.advance(1.0)
    assert peer.take_tsns() == [1]
    peer.advance(0.3)
    peer.request_heartbeat(1)
    [asked] = peer.take()
    peer.advance(0.05)
    return peer, asked.value("HEARTBEAT")


def test_one_packet_goes_as_after_a_timeout_and_t3_rtx_has_the_rto_that_was_measured() -> None:
    peer, info = fail()
    peer.deliver(control.heartbeat_ack(info))
    assert peer.take_tsns() == [1]
    assert peer.t3() == 1.0  # RTO.Min.
    assert peer.path().error_count == 0
    peer.sack(1)
    assert peer.take_tsns() == [2, 3]


def test_data_that_was_sent_after_the_heartbeat_is_not_repeated_for_its_answer() -> None:
    peer = Peer(heartbeat_interval=30.0)
    peer.send(FULL)
    peer.take()
    peer.advance(0.999)
    peer.request_heartbeat(1)
    [asked] = peer.take()
    peer.advance(0.001)
    assert peer.take_tsns() == [1]  # T3-rtx has expired.
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")))
    assert peer.take_tsns() == []


def test_where_heartbeats_pass_and_data_does_not_the_association_still_ends() -> None:
    config = AssociationConfig(heartbeat_interval=1.0)
    with Pair(1, config=config, link=LinkSettings(delay=0.01)).connect() as pair:
        pair.network.drop("DATA", times=None)
        pair.a.send(b"lost")
        pair.network.run_for(600)
        assert pair.a.events_of(CommunicationLost)
