"""RFC 9260 section 9: ABORT and SHUTDOWN, sentence by sentence; see tests/sim/test_shutdown.py and test_abort.py."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import (
    COOKIE_ECHOED,
    COOKIE_WAIT,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from sctpx.core.events import CommunicationLost, PeerShutdown, ShutdownComplete
from sctpx.wire import control
from sctpx.wire.causes import user_abort
from sctpx.wire.codes import CAUSE_USER_ABORT
from tests.conformance.peer import Peer
from tests.sim.scripted import Scripted
from tests.sim.states import STATES, bring_to


def name(state: int) -> str:
    return STATE_NAMES[state]


@pytest.mark.parametrize("state", [state for state in STATES if state != COOKIE_WAIT], ids=name)
def test_9_1_the_users_abort_is_told_to_the_peer_with_its_reason(state: int) -> None:
    """ "it MUST send an ABORT chunk to its peer endpoint. The sender MUST fill in the peer's Verification Tag [...] a
    "User-Initiated Abort" error cause [...] SHOULD be present".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        before = len(lab.heard)
        association.abort(lab.a.now, b"enough")
        lab.network.run_for(0.05)
        assert [packet.chunks for packet in lab.heard[before:]] == [["ABORT"]]
        [line] = lab.tell(lab.heard[before:])
        assert line.startswith("P: ABORT User-Initiated Abort")


def test_9_1_no_data_is_bundled_with_it() -> None:
    """ "MUST NOT bundle any DATA chunk with the ABORT chunk"."""
    peer = Peer()
    peer.association.send(peer.now, bytes(100))
    peer.association.abort(peer.now)
    peer.advance(0)
    while (transmit := peer.stack.poll_transmit(peer.now)) is not None:
        assert transmit.data[12] == 6


@pytest.mark.parametrize("state", list(STATES), ids=name)
def test_9_1_a_packet_with_an_abort_draws_nothing(state: int) -> None:
    """ "An endpoint MUST NOT respond to any received packet that contains an ABORT chunk"; the receiver "MUST remove
    the association from its record".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        assert lab.ask(control.heartbeat(b"?"), control.abort([user_abort(b"why")])) == []
        assert association.ended
        assert lab.endpoint.associations == {}


def test_9_1_the_reason_reaches_the_user() -> None:
    peer = Peer()
    peer.deliver(control.abort([user_abort(b"because")]))
    [lost] = peer.events_of(CommunicationLost)
    assert lost.causes == [(CAUSE_USER_ABORT, b"because")]


def test_9_2_shutdown_pending_lasts_until_all_is_acknowledged() -> None:
    """ "remains there until all outstanding data has been acknowledged by its peer"; then the SHUTDOWN carries "the
    last sequential TSN it has received from the peer".
    """
    peer = Peer()
    peer.send(100, 100)
    peer.deliver(peer.data(1), peer.data(3))
    peer.take()
    peer.shutdown()
    assert peer.association.state == SHUTDOWN_PENDING
    peer.sack(1)
    assert peer.take() == []
    peer.sack(2)
    [packet] = peer.take()
    assert packet.names == ["SHUTDOWN"]
    assert packet.value("SHUTDOWN") == peer.peer_tsn.to_bytes(4, "big")
    assert peer.association.state == SHUTDOWN_SENT


def test_9_2_a_repeated_shutdown_has_the_tsn_of_now() -> None:
    """ "the endpoint MUST resend the SHUTDOWN chunk with the updated last sequential TSN received from its peer"."""
    peer = Peer()
    peer.shutdown()
    peer.take()
    peer.deliver(peer.data(1))
    peer.take()
    [packet] = peer.wait()
    assert packet.value("SHUTDOWN") == peer.peer_tsn.to_bytes(4, "big")


@pytest.mark.parametrize("state", [SHUTDOWN_PENDING, SHUTDOWN_SENT, SHUTDOWN_RECEIVED, SHUTDOWN_ACK_SENT], ids=name)
def test_9_2_new_data_is_rejected(state: int) -> None:
    """ "SHOULD reject any new data request from its upper layer"."""
    with Scripted() as lab:
        association = bring_to(lab, state)
        with pytest.raises(OSError, match="shutting down") as refused:
            association.send(lab.a.now, b"late")
        assert refused.value.errno == errno.EPIPE


@pytest.mark.parametrize("times", [1, 3])
def test_9_2_retransmissions_are_limited_and_the_user_is_told(times: int) -> None:
    """ "SHOULD limit the number of retransmissions of the SHUTDOWN chunk to the protocol parameter
    'Association.Max.Retrans'"; the same for the SHUTDOWN ACK.
    """
    for acknowledged in (False, True):
        peer = Peer(association_max_retrans=times)
        if acknowledged:
            peer.deliver(peer.shutdown_chunk(0))
        else:
            peer.shutdown()
        peer.advance(250)
        *repeated, last = peer.take()
        assert len(repeated) == 1 + times
        assert last.value("ABORT") == b""
        [lost] = peer.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ETIMEDOUT, False)


def test_9_2_the_receiver_of_a_shutdown_with_data_left_goes_on_until_it_is_acknowledged() -> None:
    """ "MUST continue to follow normal data transmission procedures [...] until all outstanding DATA chunks are
    acknowledged"; "MUST ignore ULP shutdown requests but MUST continue responding to SHUTDOWN chunks".
    """
    # RFC 9260 section 3.3.9.
    peer = Peer()
    peer.send(100)
    peer.take()
    peer.deliver(peer.shutdown_chunk(0))
    assert peer.association.state == SHUTDOWN_RECEIVED
    assert len(peer.events_of(PeerShutdown)) == 1
    peer.shutdown()
    assert peer.association.state == SHUTDOWN_RECEIVED
    assert [packet.tsns for packet in peer.wait()] == [[1]]
    peer.deliver(peer.shutdown_chunk(1))
    [packet] = peer.take()
    assert packet.names == ["SHUTDOWN ACK"]
    assert peer.association.state == SHUTDOWN_ACK_SENT


def test_9_2_each_packet_with_data_draws_a_shutdown_and_a_sack_where_it_says_more() -> None:
    """ "MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk and
    restart the T2-shutdown timer. If a SHUTDOWN chunk by itself cannot acknowledge all [...] a SACK chunk MUST also be
    sent."
    """
    peer = Peer()
    peer.shutdown()
    peer.take()
    peer.deliver(peer.data(1), peer.data(2))
    peer.advance(0.9)
    peer.deliver(peer.data(4))
    packets = peer.take()
    assert packets[0].names == ["SHUTDOWN"]
    assert sorted(name for packet in packets[1:] for name in packet.names) == ["SACK", "SHUTDOWN"]
    peer.advance(0.9)  # T2 was restarted.
    assert peer.take() == []


@pytest.mark.parametrize("state", [COOKIE_WAIT, COOKIE_ECHOED], ids=name)
def test_9_2_a_shutdown_before_it_is_up_is_silently_discarded(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        assert lab.ask(control.shutdown(lab.a_tsn - 1)) == []
        assert association.state == state


def test_9_2_a_shutdown_in_shutdown_sent_is_answered_at_once_and_t2_begins_again() -> None:
    """ "SHOULD respond immediately with a SHUTDOWN ACK chunk to its peer and move into the SHUTDOWN-ACK-SENT state,
    restarting its T2-shutdown timer".
    """
    peer = Peer()
    peer.shutdown()
    peer.advance(0.9)
    peer.take()
    peer.deliver(peer.shutdown_chunk(0))
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN ACK"]]
    assert peer.association.state == SHUTDOWN_ACK_SENT
    peer.advance(0.9)
    assert peer.take() == []
    peer.advance(0.2)
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN ACK"]]


@pytest.mark.parametrize("state", [SHUTDOWN_SENT, SHUTDOWN_ACK_SENT], ids=name)
def test_9_2_a_shutdown_ack_is_answered_with_shutdown_complete_and_ends_it(state: int) -> None:
    """ "MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE chunk to its peer, and remove all record"."""
    with Scripted() as lab:
        association = bring_to(lab, state)
        assert lab.ask(control.shutdown_ack()) == ["P: SHUTDOWN COMPLETE"]
        assert association.ended
        assert len(lab.events_of(ShutdownComplete)) == 1
        assert lab.a.stack.next_timeout() is None


def test_9_2_what_comes_with_the_last_shutdown_ack_draws_no_abort() -> None:
    """A peer sends a window update behind its SHUTDOWN ACK; an ABORT for it would be there before SHUTDOWN COMPLETE."""
    peer = Peer()
    peer.shutdown()
    assert [sent.names for sent in peer.take()] == [["SHUTDOWN"]]
    update = peer.sack_chunk(peer.last_tsn)
    peer.deliver_at_once(control.shutdown_ack(), update, update)
    assert [sent.names for sent in peer.take()] == [["SHUTDOWN COMPLETE"]]
    peer.deliver(update)  # Now it is out of the blue (section 8.4).
    assert [sent.names for sent in peer.take()] == [["ABORT"]]


def test_8_4_what_has_left_is_out_of_the_blue_also_after_a_restart_that_ends_at_once() -> None:
    with Scripted() as lab:
        lab.up_incoming()
        former = lab.a_tag
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()), control.abort([]))
        assert lab.events_of(CommunicationLost)
        for tag in (former, lab.a_tag):
            assert any("ABORT" in line for line in lab.ask(control.shutdown(0), tag=tag)), hex(tag)


@pytest.mark.parametrize("state", list(STATES), ids=name)
def test_9_2_a_shutdown_complete_counts_in_shutdown_ack_sent_only(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        lab.ask(control.shutdown_complete())
        assert association.ended == (state == SHUTDOWN_ACK_SENT)
