"""No state of an association's end lasts as long as the peer likes: docs/security.md lists them, with their limits."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, SHUTDOWN_SENT
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, Restarted, ShutdownComplete
from sctpx.testing import Pair
from sctpx.wire import control
from tests.conformance.peer import Peer
from tests.sim.scripted import Scripted

ENDS = pytest.mark.parametrize("state", [SHUTDOWN_PENDING, SHUTDOWN_RECEIVED], ids=["our shutdown", "the peer's"])


def ending(state: int, *sizes: int, **config: object) -> Peer:
    """An association on its way to its end, with messages of these sizes that the peer has not acknowledged."""
    peer = Peer(**{"max_burst": 1000, **config})  # type: ignore[arg-type] # the names of a config
    peer.send(*sizes)
    if state == SHUTDOWN_PENDING:
        peer.shutdown()
    else:
        peer.deliver(peer.shutdown_chunk(0))
    assert peer.association.state == state
    peer.take()
    return peer


def lost(peer: Peer) -> CommunicationLost:
    """Why the association ended."""
    [event] = peer.events_of(CommunicationLost)
    return event


@ENDS
@pytest.mark.parametrize("guard", [20.0, 300.0])
def test_a_peer_that_answers_every_probe_with_a_closed_window_is_left_after_the_drain_guard(
    state: int, guard: float
) -> None:
    peer = ending(state, *[1000] * 20, drain_guard=guard, rto_max=10.0)
    while not peer.association.ended and peer.elapsed < 2 * guard:
        peer.sack(0, a_rwnd=0, after=0.5)
    assert peer.elapsed == pytest.approx(guard, abs=1)
    assert (lost(peer).error, lost(peer).by_peer) == (errno.ETIMEDOUT, False)
    assert peer.take()[-1].names == ["ABORT"]
    assert len(peer.association.undelivered()) == 20


@ENDS
def test_a_peer_that_only_acknowledges_by_gap_blocks_and_takes_it_back_brings_no_progress(state: int) -> None:
    peer = ending(state, *[1000] * 20, drain_guard=20.0)
    while not peer.association.ended and peer.elapsed < 50:
        peer.sack(0, (2, 3), after=0.5)
        peer.sack(0, after=0.5)
    assert peer.elapsed == pytest.approx(20, abs=2)
    assert lost(peer).error == errno.ETIMEDOUT


@ENDS
def test_a_peer_that_reads_slowly_gets_everything(state: int) -> None:
    """One message in each 19 seconds is progress enough for a guard of 20."""
    peer = ending(state, *[1400] * 10, drain_guard=20.0, rto_max=3.0, association_max_retrans=10)
    for acknowledged in range(1, 11):
        for _ in range(19):
            peer.sack(acknowledged - 1, a_rwnd=0, after=1)
        peer.sack(acknowledged, a_rwnd=0)
        assert not peer.association.ended
    assert peer.association.state not in (SHUTDOWN_PENDING, SHUTDOWN_RECEIVED)
    assert not peer.events_of(CommunicationLost)


@ENDS
def test_a_peer_that_is_silent_is_left_to_association_max_retrans(state: int) -> None:
    peer = ending(state, 1000, 1000, drain_guard=20.0, association_max_retrans=9, rto_max=10.0)
    peer.advance(60)
    assert not peer.association.ended
    peer.sack(1)  # Back again, and with progress.
    peer.advance(60)
    assert not peer.association.ended
    peer.advance(45)
    assert peer.elapsed == 165
    assert lost(peer).error == errno.ETIMEDOUT


@ENDS
def test_a_peer_that_was_silent_beyond_the_guard_and_comes_back_without_progress_is_left_at_once(state: int) -> None:
    peer = ending(state, 1000, 1000, drain_guard=20.0, association_max_retrans=9)
    peer.advance(200)
    peer.sack(0, a_rwnd=0)
    assert lost(peer).error == errno.ETIMEDOUT
    assert peer.take()[-1].names == ["ABORT"]


@ENDS
def test_without_a_guard_the_end_waits_for_ever(state: int) -> None:
    peer = ending(state, 1000, 1000, drain_guard=None)
    while peer.elapsed < 2000:
        peer.sack(0, a_rwnd=0, after=1)
    assert not peer.association.ended


def test_the_peers_shutdown_does_not_begin_the_guard_anew() -> None:
    peer = ending(SHUTDOWN_PENDING, 1000, 1000, drain_guard=20.0)
    peer.sack(0, a_rwnd=0, after=15)
    while not peer.association.ended and peer.elapsed < 50:
        peer.deliver(peer.shutdown_chunk(0), peer.sack_chunk(0, a_rwnd=0))
        peer.advance(0.5)
    assert peer.elapsed == pytest.approx(20, abs=1)


def test_restarts_do_not_put_t5_off() -> None:
    """A shutdown goes on after the peer's restart, and so does its limit."""
    with Scripted(config=AssociationConfig(shutdown_guard=30.0)) as lab:
        association = lab.up_incoming()
        association.shutdown(lab.a.now)
        start = lab.network.elapsed
        while not association.ended and lab.network.elapsed - start < 100:
            lab.network.run_for(2)
            lab.p_tag += 1
            lab.ask(lab.init(), tag=0)
            if not association.ended:
                lab.ask(control.cookie_echo(lab.setup("INIT ACK").cookie or b""))
                assert association.state == SHUTDOWN_SENT
        assert len(lab.events_of(Restarted)) > 10
        assert lab.network.elapsed - start == pytest.approx(30, abs=3)
        [event] = lab.events_of(CommunicationLost)
        assert event.error == errno.ETIMEDOUT


def test_an_end_with_much_left_to_send_takes_as_long_as_a_slow_reader_needs() -> None:
    with Pair(1, config=AssociationConfig(drain_guard=10.0)).connect() as pair:
        for number in range(3000):
            pair.a.association.send(pair.a.host.now, bytes([number % 256]) * 1000)
        pair.b.reading = False
        count = 0
        pair.a.association.shutdown(pair.a.host.now)
        for _ in range(400):
            pair.network.run_for(2)
            count += len(pair.b.association.read(10))
            if pair.a.association.ended:
                break
        assert count + len(pair.b.association.read()) == 3000
        assert len(pair.a.events_of(ShutdownComplete)) == 1
        assert pair.network.elapsed > 300
