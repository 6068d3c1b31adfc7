"""An association ends gracefully: nothing is lost, whatever is lost on the way (RFC 9260 section 9.2)."""

from __future__ import annotations

import errno
from functools import partial

import pytest

from sctpx.core.association.state import (
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
)
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, PeerShutdown, ShutdownComplete
from sctpx.testing import LinkSettings, Pair, Side, seeded_random
from sctpx.wire import control
from tests.sim.scripted import Scripted

NAMES = ["SHUTDOWN", "SHUTDOWN ACK", "SHUTDOWN COMPLETE"]


def both_done(pair: Pair) -> bool:
    return bool(pair.a.events_of(ShutdownComplete) and pair.b.events_of(ShutdownComplete))


def ask_to_end(side: Side) -> None:
    side.association.shutdown(side.host.now)


def check_nothing_is_left(pair: Pair) -> None:
    pair.network.run_for(400)
    for side in (pair.a, pair.b):
        assert len(side.events_of(ShutdownComplete)) == 1
        assert side.events_of(CommunicationLost) == []
        assert side.endpoint.associations == {}
        assert side.association.undelivered() == []
        assert side.host.stack.next_timeout() is None


def test_three_packets_end_it() -> None:
    with Pair(1).connect() as pair:
        pair.network.recording.clear()
        pair.shutdown()
        pair.network.assert_ladder(
            """
            A -> SHUTDOWN -> B
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE -> B
            """
        )
        assert len(pair.b.events_of(PeerShutdown)) == 1
        assert pair.a.events_of(PeerShutdown) == []
        check_nothing_is_left(pair)


def test_the_shutdown_acknowledges_what_was_received() -> None:
    """RFC 9260 9.2: "including in the Cumulative TSN Ack field the last sequential TSN it has received from the
    peer".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        lab.ask(lab.data(), lab.data(), lab.data())
        association.shutdown(lab.a.now)
        assert lab.listen_for(0.02) == ["P: SHUTDOWN cum 7002"]


def test_all_data_of_both_sides_arrives_first() -> None:
    """Section 9: "all data in queue by either endpoint is delivered to the respective peers"."""
    with Pair(1, paths=2, link=LinkSettings(rate=1e7, loss=0.02)).connect() as pair:
        from_a = [b"a%03d" % number * 500 for number in range(200)]
        from_b = [b"b%03d" % number * 500 for number in range(200)]
        for one, other in zip(from_a, from_b, strict=True):
            pair.a.association.send(pair.a.host.now, one)
            pair.b.association.send(pair.b.host.now, other)
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run(lambda: both_done(pair), 300)
        assert pair.b.messages() == from_a
        assert pair.a.messages() == from_b
        check_nothing_is_left(pair)


def test_the_side_that_asks_takes_no_more_data() -> None:
    """RFC 9260 9.2: "The endpoint accepts no new data from its upper layer"."""
    with Pair(1).connect() as pair:
        pair.a.association.send(pair.a.host.now, b"before")
        pair.a.association.shutdown(pair.a.host.now)
        assert pair.a.association.state == SHUTDOWN_PENDING
        with pytest.raises(OSError, match="shutting down") as late:
            pair.a.association.send(pair.a.host.now, b"after")
        assert late.value.errno == errno.EPIPE
        pair.network.run(lambda: both_done(pair))
        assert pair.b.messages() == [b"before"]


def test_the_other_side_neither_once_it_has_been_told() -> None:
    """RFC 9260 9.2: "stop accepting new data from its SCTP user", but what it had queued is sent."""
    with Pair(1, link=LinkSettings(rate=1e6)).connect() as pair:
        queued = [bytes([number]) * 1000 for number in range(100)]
        for message in queued:
            pair.b.association.send(pair.b.host.now, message)
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run(lambda: pair.b.events_of(PeerShutdown))
        assert pair.b.association.state == SHUTDOWN_RECEIVED
        with pytest.raises(OSError, match="shutting down"):
            pair.b.association.send(pair.b.host.now, b"after")
        pair.network.run(lambda: both_done(pair))
        assert pair.a.messages() == queued


def test_a_shutdown_of_the_other_user_is_ignored_then() -> None:
    """RFC 9260 9.2: "Once an endpoint has reached the SHUTDOWN-RECEIVED state, it MUST ignore ULP shutdown requests but
    MUST continue responding to SHUTDOWN chunks from its peer".
    """
    with Pair(1, link=LinkSettings(rate=1e6)).connect() as pair:
        for number in range(100):
            pair.b.association.send(pair.b.host.now, bytes([number]) * 1000)
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run(lambda: pair.b.events_of(PeerShutdown))
        pair.b.association.shutdown(pair.b.host.now)
        assert pair.b.association.state == SHUTDOWN_RECEIVED
        pair.network.run(lambda: both_done(pair))
        assert len(pair.a.messages()) == 100
        check_nothing_is_left(pair)


def test_both_sides_ask_at_the_same_time() -> None:
    """RFC 9260 9.2: "If an endpoint is in the SHUTDOWN-SENT state and receives a SHUTDOWN chunk from its peer, the
    endpoint SHOULD respond immediately with a SHUTDOWN ACK chunk [...] and move into the SHUTDOWN-ACK-SENT state";
    there, a SHUTDOWN ACK ends it.
    """
    with Pair(1).connect() as pair:
        pair.network.recording.clear()
        pair.a.association.shutdown(pair.a.host.now)
        pair.b.association.shutdown(pair.b.host.now)
        pair.network.run(lambda: both_done(pair))
        pair.network.assert_ladder(
            """
            A -> SHUTDOWN -> B
            B -> SHUTDOWN -> A
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN ACK -> B
            A -> SHUTDOWN COMPLETE -> B
            B -> SHUTDOWN COMPLETE -> A
            """
        )
        check_nothing_is_left(pair)


def test_both_ask_with_data_under_way_in_both_directions() -> None:
    with Pair(1, link=LinkSettings(rate=1e6, loss=0.05)).connect() as pair:
        for number in range(50):
            pair.a.association.send(pair.a.host.now, bytes([number]) * 3000)
            pair.b.association.send(pair.b.host.now, bytes([number]) * 3000)
        pair.a.association.shutdown(pair.a.host.now)
        pair.b.association.shutdown(pair.b.host.now)
        pair.network.run(lambda: both_done(pair), 300)
        assert len(pair.a.messages()) == len(pair.b.messages()) == 50
        check_nothing_is_left(pair)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("times", [1, 3])
def test_any_packet_of_it_may_be_lost(name: str, times: int) -> None:
    """RFC 9260 9.2: "If the timer expires, the endpoint MUST resend the SHUTDOWN chunk", or the SHUTDOWN ACK; an
    endpoint that is done answers a SHUTDOWN ACK out of the blue (section 8.4, rule 5).
    """
    with Pair(1).connect() as pair:
        pair.network.drop(name, times)
        start = pair.network.elapsed
        pair.shutdown(200)
        assert 1.0 <= pair.network.elapsed - start <= 2**times - 1 + 0.1  # T2-shutdown, which doubles.
        check_nothing_is_left(pair)


def test_when_the_shutdown_complete_is_lost_the_shutdown_ack_is_answered_out_of_the_blue() -> None:
    with Pair(1).connect() as pair:
        pair.network.drop("SHUTDOWN COMPLETE")
        pair.network.recording.clear()
        pair.shutdown()
        pair.network.assert_ladder(
            """
            A -> SHUTDOWN -> B
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE -> lost
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE T -> B
            """
        )


def test_when_the_shutdown_ack_is_lost_both_timers_run() -> None:
    with Pair(1, b_config=AssociationConfig(rto_initial=1.5, rto_min=1.5)).connect() as pair:
        pair.network.drop("SHUTDOWN ACK")
        pair.network.recording.clear()
        pair.shutdown()
        pair.network.assert_ladder(
            """
            A -> SHUTDOWN -> B
            B -> SHUTDOWN ACK -> lost
            A -> SHUTDOWN -> B          # T2 of A, earlier than that of B
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE -> B
            """
        )


@pytest.mark.parametrize("seed", range(40))
def test_it_ends_well_over_a_bad_network(seed: int) -> None:
    random = seeded_random("shutdown", seed)
    rough = LinkSettings(delay=0.05, jitter=0.1, loss=0.15, duplicate=0.1, reorder=0.1, reorder_delay=0.3)
    with Pair(seed, paths=2, link=rough, config=AssociationConfig(association_max_retrans=30)).connect(300) as pair:
        pair.a.association.send(pair.a.host.now, b"from A")
        pair.b.association.send(pair.b.host.now, b"from B")
        for side in random.sample([pair.a, pair.b], random.choice([1, 2])):
            pair.network.at(random.uniform(0, 0.3), partial(ask_to_end, side))
        pair.network.run(lambda: both_done(pair), 600)
        assert pair.a.messages() == [b"from B"]
        assert pair.b.messages() == [b"from A"]
        check_nothing_is_left(pair)


# Limits


@pytest.mark.parametrize("lost", ["SHUTDOWN", "SHUTDOWN ACK"])
def test_t2_shutdown_gives_up_after_association_max_retrans(lost: str) -> None:
    """RFC 9260 9.2: "limit the number of retransmissions of the SHUTDOWN chunk to [...] 'Association.Max.Retrans'. If
    this threshold is exceeded, the endpoint SHOULD destroy the TCB and SHOULD report the peer endpoint unreachable".
    """
    with Pair(1, config=AssociationConfig(association_max_retrans=4, shutdown_guard=10_000)).connect() as pair:
        pair.network.drop(lost, times=None)
        start = pair.network.elapsed
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run(lambda: pair.a.association.ended, 3000)
        assert pair.network.elapsed - start == pytest.approx(1 + 2 + 4 + 8 + 16)
        [event] = pair.a.events_of(CommunicationLost)
        assert (event.error, event.by_peer) == (errno.ETIMEDOUT, False)
        assert sum(packet.chunks == ["SHUTDOWN"] for packet in pair.network.packets()) == 5


def test_shutdown_acks_are_limited_too() -> None:
    with Scripted(config=AssociationConfig(association_max_retrans=4)) as lab:
        association = lab.up_outgoing()
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        heard = lab.listen_for(1000)
        assert heard == ["P: SHUTDOWN ACK"] * 4 + ["P: ABORT"]  # And the first one, before.
        [event] = lab.events_of(CommunicationLost)
        assert event.error == errno.ETIMEDOUT


def test_t2_shutdown_doubles_up_to_rto_max() -> None:
    """RFC 9260 9.2: "The rules in Section 6.3 MUST be followed to determine the proper timer value for T2-shutdown"."""
    with Scripted(config=AssociationConfig(shutdown_guard=10_000)) as lab:
        association = lab.up_outgoing()
        start = lab.a.now
        association.shutdown(lab.a.now)
        lab.network.run_for(1000)
        times = [(packet.sent - start) / 1e9 for packet in lab.heard if packet.chunks == ["SHUTDOWN"]]
        assert times == pytest.approx([0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303], abs=0.001)


def test_t2_shutdown_uses_the_other_path() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.cut(1)
        pair.a.association.shutdown(pair.a.host.now)
        start = pair.network.elapsed
        pair.network.run(lambda: both_done(pair))
        assert pair.network.elapsed - start < 3.1


@pytest.mark.parametrize("guard", [20.0, 300.0])
def test_t5_shutdown_guard_bounds_a_peer_that_keeps_talking(guard: float) -> None:
    """RFC 9260 9.2: "to bound the overall time for the shutdown sequence. At the expiration of this timer, the sender
    SHOULD abort the association by sending an ABORT chunk"; by default five times RTO.Max.
    """
    with Scripted(config=AssociationConfig(shutdown_guard=guard)) as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        start = lab.network.elapsed
        lab.network.run_for(0.01)
        while not association.ended and lab.network.elapsed - start < 400:
            lab.ask(lab.data(), seconds=0.5)
            association.read()
        assert lab.network.elapsed - start == pytest.approx(guard, abs=0.6)
        assert "P: ABORT" in lab.tell(lab.heard)[-2:]
        [event] = lab.events_of(CommunicationLost)
        assert (event.error, event.by_peer) == (errno.ETIMEDOUT, False)


def test_t5_is_five_times_rto_max_by_default() -> None:
    for rto_max in (2.0, 60.0):
        assert AssociationConfig(rto_max=rto_max).t5_shutdown_guard == 5 * rto_max
        assert AssociationConfig(rto_max=rto_max, shutdown_guard=7.0).t5_shutdown_guard == 7.0


# SHUTDOWN-SENT


def test_each_packet_with_data_draws_a_shutdown_at_once() -> None:
    """RFC 9260 9.2: "MUST immediately respond to each received packet containing one or more DATA chunks with a
    SHUTDOWN chunk and restart the T2-shutdown timer".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        lab.network.run_for(0.05)
        for cumulative in (7001, 7003, 7005):
            assert lab.ask(lab.data(), lab.data()) == [f"P: SHUTDOWN cum {cumulative}"]
        assert len(association.read()) == 6
        assert association.state == SHUTDOWN_SENT
        assert lab.listen_for(0.9) == []
        assert lab.listen_for(0.1) == ["P: SHUTDOWN cum 7005"]


def test_gaps_and_duplicates_are_told_in_a_sack_besides() -> None:
    """RFC 9260 9.2: "If a SHUTDOWN chunk by itself cannot acknowledge all of the received DATA chunks [...] or if
    duplicate TSNs have been received, then a SACK chunk MUST also be sent".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        lab.network.run_for(0.05)
        [told] = lab.ask(lab.data(tsn=7002))
        assert told.startswith("P: SHUTDOWN cum 6999; SACK cum 6999 ")
        assert told.endswith(" gaps 7002")
        [told] = lab.ask(lab.data(tsn=7002))
        assert told.endswith(" gaps 7002 dups 7002")
        [told] = lab.ask(lab.data(tsn=7000), lab.data(tsn=7001))
        assert told.startswith("P: SHUTDOWN cum 7002")


def test_any_packet_clears_the_count_of_t2() -> None:
    """RFC 9260 9.2: "The reception of any packet from its peer [...] SHOULD clear the endpoint's retransmission count
    [...], giving its peer ample opportunity". What is no DATA does not put the next SHUTDOWN off.
    """
    with Scripted(config=AssociationConfig(association_max_retrans=2)) as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        for _ in range(20):
            lab.ask(control.heartbeat_ack(b"\0\1\0\4"), seconds=2.5)
            assert not association.ended
        lab.network.run_for(180)
        assert association.ended


def test_heartbeats_of_a_peer_that_never_got_the_shutdown_do_not_put_it_off() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        heard = [told for _ in range(70) for told in lab.ask(control.heartbeat(b"info"), seconds=0.4)]
        assert [told for told in heard if "SHUTDOWN" in told] == ["P: SHUTDOWN cum 6999"] * 5  # After 0, 1, 3, 7, 15 s.
        assert not association.ended


def test_heartbeats_are_no_longer_sent() -> None:
    """Section 8.3: "is discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk"."""
    config = AssociationConfig(heartbeat_interval=0.5, association_max_retrans=30, shutdown_guard=1000)
    with Scripted(config=config) as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        assert set(lab.listen_for(100)) == {"P: SHUTDOWN cum 6999"}
    with Scripted(config=config) as lab:
        association = lab.up_outgoing()
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert set(lab.listen_for(100)) == {"P: SHUTDOWN ACK"}
        assert not association.ended


# SHUTDOWN-RECEIVED


def test_a_repeated_shutdown_acknowledges_in_shutdown_received() -> None:
    """RFC 9260 9.2: "MUST continue responding to SHUTDOWN chunks from its peer": it acknowledges like a SACK."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        for _ in range(3):
            association.send(lab.a.now, b"x" * 1000)
        lab.network.run_for(0.02)
        assert lab.ask(control.shutdown(lab.a_tsn - 1), seconds=0.03) == []
        assert lab.ask(control.shutdown(lab.a_tsn), seconds=0.03) == []
        assert association.state == SHUTDOWN_RECEIVED
        assert lab.ask(control.shutdown(lab.a_tsn + 2)) == ["P: SHUTDOWN ACK"]
        assert association.state == SHUTDOWN_ACK_SENT


def test_data_that_comes_behind_the_peers_shutdown_is_discarded() -> None:
    """Section 6: DATA is taken in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-SENT; the peer has no more to send."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.send(lab.a.now, b"in flight")
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_RECEIVED
        assert lab.ask(lab.data()) == []
        assert association.read() == []


def test_lost_data_is_retransmitted_in_shutdown_received_and_shutdown_pending() -> None:
    """RFC 9260 9.2: "MUST continue to follow normal data transmission procedures"; "retransmits data to the peer
    endpoint if necessary".
    """
    for asks in ("a", "b"):
        with Pair(1).connect() as pair:
            pair.network.drop("DATA", 2, source="10.0.1.1")
            pair.a.association.send(pair.a.host.now, b"lost twice")
            side = pair.a if asks == "a" else pair.b
            side.association.shutdown(side.host.now)
            pair.network.run(lambda: both_done(pair))
            assert pair.b.messages() == [b"lost twice"]


def test_the_last_data_asks_for_an_immediate_sack() -> None:
    """Section 6.1 and RFC 7053: nothing follows that could make the peer acknowledge sooner."""
    with Pair(1).connect() as pair:
        pair.a.send(b"first")
        pair.drain()
        pair.a.association.send(pair.a.host.now, b"last")
        pair.a.association.shutdown(pair.a.host.now)
        start = pair.network.elapsed
        pair.network.run(lambda: both_done(pair))
        assert pair.network.elapsed - start == pytest.approx(0.05)  # No SACK.Delay.


# Breaking the rules


@pytest.mark.parametrize("beyond", [1, 1000, 0x7FFFFFF0])
def test_a_shutdown_that_acknowledges_what_was_never_sent_ends_it(beyond: int) -> None:
    """Section 6.2.1 as for a SACK: the peer breaks the protocol."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        [told] = lab.ask(control.shutdown(lab.a_tsn - 1 + beyond))
        assert told.startswith("P: ABORT Protocol Violation")
        assert association.ended


@pytest.mark.parametrize("length", [0, 3, 5, 8])
def test_a_shutdown_of_a_wrong_length_is_dropped(length: int) -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        value = bytes(length)
        assert lab.ask(bytes([7, 0, 0, 4 + length]) + value + bytes(-length & 3)) == []
        assert not association.ended
        assert association.state == 3


@pytest.mark.parametrize("echoed", [False, True])
def test_a_shutdown_before_it_is_up_is_silently_discarded(echoed: bool) -> None:
    """RFC 9260 9.2: "If a SHUTDOWN chunk is received in the COOKIE-WAIT or COOKIE ECHOED state, the SHUTDOWN chunk
    SHOULD be silently discarded".
    """
    with Scripted() as lab:
        association = lab.connect()
        if echoed:
            lab.ask(lab.init_ack())
        state = association.state
        assert lab.ask(control.shutdown(lab.a_tsn - 1)) == []
        assert association.state == state


def test_an_old_shutdown_changes_nothing() -> None:
    """A duplicate from before, in SHUTDOWN-ACK-SENT, draws the SHUTDOWN ACK again."""
    with Scripted() as lab:
        lab.up_outgoing()
        assert lab.ask(control.shutdown(lab.a_tsn - 1), control.shutdown(lab.a_tsn - 1)) == ["P: SHUTDOWN ACK"]
        assert lab.ask(control.shutdown(lab.a_tsn - 2)) == ["P: SHUTDOWN ACK"]
