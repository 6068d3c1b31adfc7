"""The end of an association (RFC 9260 section 9): each step by itself."""

from __future__ import annotations

import pytest

from sctpx.core.association import shutdown, transfer
from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_ACK_SENT, SHUTDOWN_PENDING, SHUTDOWN_SENT
from sctpx.core.events import CommunicationLost, ShutdownComplete
from sctpx.core.extension import Extension
from sctpx.core.timers import NEVER, SECOND
from sctpx.wire import control
from sctpx.wire.codes import DATA_BEGIN
from tests.conformance.peer import Peer


def test_an_abort_is_alone_in_its_packet_and_leaves_nothing_that_waits() -> None:
    """Section 9.1."""
    peer = Peer()
    tcb = peer.association.tcb
    peer.send(100)
    peer.shutdown()
    peer.take()
    transfer.make_sack(tcb)
    peer.association.abort(peer.now)
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["ABORT"]]
    assert (tcb.opening, tcb.closing, tcb.probe) == (None, None, None)


def test_what_can_be_read_at_the_end_comes_before_the_event_that_tells_of_it() -> None:
    peer = Peer(partial_delivery_point=1000)
    peer.deliver(peer.data(1, 1200, flags=DATA_BEGIN))
    peer.association.abort(peer.now)
    peer.settle()
    [lost] = peer.events_of(CommunicationLost)
    assert lost.readable == peer.association.readable > 0


@pytest.mark.parametrize("asked", [True, False])
def test_the_drain_guard_runs_while_data_is_not_acknowledged(asked: bool) -> None:
    """It counts from the last acknowledgement, or from the beginning of the end."""
    peer = Peer(drain_guard=100.0)
    peer.send(100, 100, 100)
    if asked:
        peer.shutdown()
    else:
        peer.deliver(peer.shutdown_chunk(0))
    closing = peer.association.tcb.closing
    assert closing is not None
    assert closing.drain_deadline == peer.now + 100 * SECOND
    peer.advance(0.5)
    peer.sack(0)
    assert closing.drain_deadline == peer.now + round(99.5 * SECOND)
    peer.sack(1)
    assert closing.drain_deadline == peer.now + 100 * SECOND
    peer.advance(0.2)
    peer.deliver(peer.shutdown_chunk(1))  # The peer wants to end, too: that is no progress.
    assert closing.drain_deadline == peer.now + round(99.8 * SECOND)
    peer.sack(3)
    assert closing.drain_deadline == NEVER


def test_what_was_overdue_has_its_time_again_once_there_is_progress() -> None:
    peer = Peer(drain_guard=100.0)
    peer.send(100, 100)
    peer.shutdown()
    closing = peer.association.tcb.closing
    assert closing is not None
    closing.drain_overdue = True
    peer.sack(1)
    peer.sack(1)
    assert peer.association.state == SHUTDOWN_PENDING
    closing.drain_overdue = True
    peer.sack(1)
    assert peer.association.ended


def test_a_peer_that_only_repeats_its_shutdown_is_given_up_when_that_is_overdue() -> None:
    peer = Peer()
    peer.send(100)
    for overdue in (False, True):
        peer.deliver(peer.shutdown_chunk(0))
        assert not peer.association.ended
        closing = peer.association.tcb.closing
        assert closing is not None
        closing.drain_overdue = overdue
    peer.deliver(peer.shutdown_chunk(0))
    assert peer.association.ended


@pytest.mark.parametrize(("received", "waits"), [(False, True), (True, False)])
def test_a_shutdown_waits_for_an_extension_and_a_shutdown_ack_does_not(received: bool, waits: bool) -> None:
    """RFC 6525 section 5.1.4: behind our SHUTDOWN the response to a reset would not count."""
    peer = Peer()
    extension = Extension()
    extension.delays_shutdown = True
    peer.association.tcb.extensions.append(extension)
    if received:
        peer.deliver(peer.shutdown_chunk(0))
    else:
        peer.shutdown()
    assert [packet.names for packet in peer.take()] == ([] if waits else [["SHUTDOWN ACK"]])


@pytest.mark.parametrize("guard", ["t5_deadline", "drain_deadline"])
@pytest.mark.parametrize("other", ["t2_deadline", "drain_deadline"])
def test_of_guards_that_expire_together_the_first_one_ends_the_association_once(guard: str, other: str) -> None:
    peer = Peer()
    tcb = peer.association.tcb
    peer.shutdown()
    assert tcb.closing is not None
    setattr(tcb.closing, guard, peer.now)
    setattr(tcb.closing, other, peer.now)
    peer.take()
    shutdown.handle_timeout(tcb, peer.now)
    peer.stack.touch(peer.association)
    peer.settle()
    assert len(peer.events_of(CommunicationLost)) == 1
    assert [packet.names for packet in peer.take()] == [["ABORT"]]
    assert tcb.error_count == 0


def test_a_heartbeat_under_way_is_waited_for_no_more() -> None:
    """Section 8.3: they are discontinued."""
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.request_heartbeat(2)
    assert peer.path(2).heartbeat_timeout != NEVER
    peer.shutdown()
    assert {(path.heartbeat_timeout, path.heartbeat_deadline) for path in peer.association.paths} == {(NEVER, NEVER)}


def test_a_shutdown_that_is_never_answered_ends_with_an_abort_and_nothing_else() -> None:
    """Section 9.2."""
    peer = Peer(association_max_retrans=1)
    peer.shutdown()
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN"]]
    assert [packet.names for packet in peer.wait()] == [["SHUTDOWN"]]
    assert [packet.names for packet in peer.wait()] == [["ABORT"]]
    assert len(peer.events_of(CommunicationLost)) == 1


def test_any_packet_of_the_peer_ends_the_count_of_timeouts_in_shutdown_sent() -> None:
    """Section 9.2."""
    peer = Peer()
    peer.shutdown()
    peer.take()
    peer.wait()
    assert peer.association.timeouts == 1
    peer.deliver(control.heartbeat_ack(bytes(16)))
    assert (peer.association.timeouts, peer.association.state) == (0, SHUTDOWN_SENT)


def test_one_shutdown_ack_that_waits_is_enough() -> None:
    """Section 9.2: whoever sends INITs draws one for each packet at most."""
    peer = Peer()
    tcb = peer.association.tcb
    peer.deliver(peer.shutdown_chunk(0))
    peer.take()
    assert peer.association.state == SHUTDOWN_ACK_SENT
    for _ in range(3):
        tcb.begin_packet(peer.path())
        shutdown.resend_shutdown_ack(tcb)
    assert [chunk for _, chunk, _ in tcb.control] == [control.shutdown_ack()]
    tcb.control.insert(0, (peer.path(), control.heartbeat_ack(b""), b""))
    tcb.begin_packet(peer.path())
    shutdown.resend_shutdown_ack(tcb)
    assert len(tcb.control) == 2


@pytest.mark.parametrize(("confirmed", "path"), [(True, 2), (False, 1)])
def test_the_shutdown_complete_goes_to_where_the_shutdown_ack_came_from_if_that_is_confirmed(
    confirmed: bool, path: int
) -> None:
    """Sections 5.4 and 6.4."""
    peer = Peer(paths=2)
    peer.shutdown()
    peer.take()
    peer.path(2).confirmed = confirmed
    peer.deliver(control.shutdown_ack(), path=2)
    assert [(packet.path, packet.names) for packet in peer.take()] == [(path, ["SHUTDOWN COMPLETE"])]
    assert len(peer.events_of(ShutdownComplete)) == 1


def test_nothing_ends_without_being_asked() -> None:
    assert Peer().association.state == ESTABLISHED
