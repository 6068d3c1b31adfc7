"""An association ends abruptly: by its user, by the peer's, or because nobody is there (RFC 9260 section 9.1)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, CommunicationUp, SenderDry, ShutdownComplete
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import causes
from tests.sim.connectx import check_that_data_flows


def test_the_peers_user_is_told_the_reason() -> None:
    """RFC 9260 9.1: "If the association is aborted on request of the upper layer, a "User-Initiated Abort" error
    cause [...] SHOULD be present"; "the Upper Layer Abort Reason SHOULD be made available to the upper layer".
    """
    with Pair(1).connect() as pair:
        pair.network.recording.clear()
        pair.a.association.abort(pair.a.host.now, b"out of coffee")
        pair.network.run_for(1)
        pair.network.assert_ladder("A -> ABORT User-Initiated Abort ('out of coffee') -> B")
        [ours], [theirs] = pair.a.events_of(CommunicationLost), pair.b.events_of(CommunicationLost)
        reason = [causes.user_abort(b"out of coffee")]
        assert (ours.error, ours.by_peer, ours.causes) == (errno.ECONNABORTED, False, reason)
        assert (theirs.error, theirs.by_peer, theirs.causes) == (errno.ECONNRESET, True, reason)
        for side in (pair.a, pair.b):
            assert side.association.state == CLOSED
            assert side.endpoint.associations == {}
            assert side.host.stack.next_timeout() is None


@pytest.mark.parametrize("length", [0, 1, 1000, 100_000])
def test_a_reason_of_any_length_goes_into_one_packet(length: int) -> None:
    with Pair(1).connect() as pair:
        pair.a.association.abort(pair.a.host.now, b"x" * length)
        pair.network.run_for(1)
        [lost] = pair.b.events_of(CommunicationLost)
        [(code, reason)] = lost.causes
        assert code == 12
        assert reason == b"x" * min(length, 1024)


def test_an_abort_is_alone_in_its_packet_and_no_data_follows() -> None:
    """RFC 9260 9.1: "MUST NOT bundle any DATA chunk with the ABORT chunk"."""
    with Pair(1).connect() as pair:
        for _ in range(10):
            pair.a.send(bytes(1000))
        pair.a.association.abort(pair.a.host.now)
        pair.network.recording.clear()
        pair.network.run_for(1)
        assert [packet.chunks for packet in pair.network.packets()] == [["ABORT"]]


def test_data_on_either_side_is_discarded_and_can_be_asked_for() -> None:
    """Section 9: "any data pending on either end of the association is discarded and not delivered to the peer"."""
    with Pair(1, link=LinkSettings(rate=1e6)).connect() as pair:
        sent = [b"%03d" % number * 400 for number in range(100)]
        for message in sent:
            pair.a.association.send(pair.a.host.now, message)
        pair.network.run_for(0.3)
        pair.b.association.abort(pair.b.host.now)
        pair.network.run(lambda: pair.a.events_of(CommunicationLost))
        received = pair.b.messages()
        assert 0 < len(received) < 100
        left = pair.a.association.undelivered()
        assert [data for data, *_ in left] == sent[100 - len(left) :]
        assert len(left) + len(received) >= 100
        assert {was_sent for _, _, _, was_sent, *_ in left} == {True, False}


def test_what_was_received_can_still_be_read() -> None:
    with Pair(1).connect() as pair:
        pair.b.reading = False
        pair.a.send(b"last words")
        pair.drain()
        pair.a.association.abort(pair.a.host.now)
        pair.network.run_for(1)
        pair.b.read()
        assert pair.b.messages() == [b"last words"]


def test_nothing_can_be_sent_afterwards_and_a_second_abort_does_nothing() -> None:
    with Pair(1).connect() as pair:
        pair.a.association.abort(pair.a.host.now)
        with pytest.raises(OSError, match="over") as late:
            pair.a.association.send(pair.a.host.now, b"?")
        assert late.value.errno == errno.EPIPE
        pair.a.association.abort(pair.a.host.now)
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run_for(1)
        assert len(pair.a.events_of(CommunicationLost)) == 1
        assert pair.a.events_of(ShutdownComplete) == []


def test_both_abort_at_once() -> None:
    """Each ABORT is out of the blue where it arrives: rule 2 of section 8.4."""
    with Pair(1).connect() as pair:
        pair.network.recording.clear()
        pair.a.association.abort(pair.a.host.now)
        pair.b.association.abort(pair.b.host.now)
        pair.network.run_for(10)
        pair.network.assert_ladder(
            """
            A -> ABORT -> B
            B -> ABORT -> A
            """
        )


def test_a_lost_abort_is_found_out_by_the_next_data() -> None:
    """Section 8.3: "only sending DATA chunks to the association will discover a lost ABORT chunk from the peer"."""
    with Pair(1).connect() as pair:
        pair.network.drop("ABORT")
        pair.a.association.abort(pair.a.host.now)
        pair.network.run_for(1)
        assert not pair.b.association.ended
        pair.network.recording.clear()
        pair.b.association.send(pair.b.host.now, b"?")
        pair.network.run_for(1)
        pair.network.assert_ladder(
            """
            B -> DATA -> A
            A -> ABORT T -> B
            """
        )
        assert pair.b.events_of(CommunicationLost)[0].by_peer


def test_or_by_the_next_heartbeat() -> None:
    with Pair(1).connect() as pair:
        pair.network.drop("ABORT")
        pair.a.association.abort(pair.a.host.now)
        pair.network.run(lambda: pair.b.association.ended, 40)


def test_an_abort_uses_a_path_that_works() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.cut(1)
        pair.a.send(b"fails over")
        pair.network.run(lambda: pair.b.received)
        pair.a.association.abort(pair.a.host.now)
        pair.network.run(lambda: pair.b.association.ended, 0.1)


def test_closing_an_endpoint_aborts_what_it_has_and_frees_its_port() -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen()
        clients = [pair.a.host.open_endpoint() for _ in range(5)]
        for client in clients:
            client.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: len(pair.b.events_of(CommunicationUp)) == 5)
        pair.b.endpoint.close(pair.b.host.now)
        pair.network.run_for(1)
        assert len(pair.a.events_of(CommunicationLost)) == 5
        again = pair.b.host.open_endpoint(5000)
        again.listen()
        association = clients[0].connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: len(pair.a.events_of(CommunicationUp)) == 6)
        assert not association.ended


def test_an_abort_while_thousands_of_chunks_are_in_flight_leaves_nothing_running() -> None:
    with Pair(1, paths=2, link=LinkSettings(delay=0.1, loss=0.02)).connect() as pair:
        for _ in range(300):
            pair.a.send(bytes(10_000))
        pair.network.run_for(1.5)
        pair.a.association.abort(pair.a.host.now)
        pair.network.run(lambda: pair.b.association.ended)
        pair.network.run_for(1)
        assert pair.a.host.stack.next_timeout() is None
        assert pair.b.host.stack.next_timeout() is None
        assert pair.a.events_of(SenderDry) == []


def test_a_new_association_can_be_set_up_at_once() -> None:
    with Pair(1).connect() as pair:
        pair.a.association.abort(pair.a.host.now)
        pair.a.host.events.clear()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.a.events_of(CommunicationUp))
        assert not association.ended


def test_an_abort_of_one_association_leaves_the_others_alone() -> None:
    with Pair(1).connect() as pair:
        other = pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: len(pair.a.events_of(CommunicationUp)) == 2)
        other.abort(pair.a.host.now)
        pair.network.run_for(0.1)
        check_that_data_flows(pair)


@pytest.mark.parametrize("timeout", [1.0, 30.0])
def test_an_unreachable_peer_ends_it(timeout: float) -> None:
    """Section 8.1: "SHALL stop transmitting any more data to it (and thus the association enters the CLOSED state)"."""
    config = AssociationConfig(association_max_retrans=3, rto_initial=timeout, rto_min=timeout, loss_recovery="rfc9260")
    with Pair(1, config=config).connect() as pair:
        pair.cut(1)
        pair.a.association.send(pair.a.host.now, b"?")
        start = pair.network.elapsed
        pair.network.run(lambda: pair.a.association.ended, 1000)
        assert pair.network.elapsed - start == pytest.approx(sum(min(timeout * 2**n, 60) for n in range(4)))
        [lost] = pair.a.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ETIMEDOUT, False)
        assert pair.a.association.undelivered() == [(b"?", 0, 0, True, False, None, True)]
