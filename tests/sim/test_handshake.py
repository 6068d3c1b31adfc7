"""The four-way handshake, with every one of its packets lost, delayed or repeated (RFC 9260 section 5.1)."""

from __future__ import annotations

import errno
from itertools import product

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.association.state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.testing import LinkSettings, Pair
from sctpx.wire.packet import parse_prefix
from tests.sim.connectx import attempt, check_that_data_flows, failure

SETUP = ["INIT", "INIT ACK", "COOKIE ECHO", "COOKIE ACK"]


def test_four_packets_set_it_up() -> None:
    with Pair(1).connect() as pair:
        pair.network.assert_ladder(
            """
            0.00 A -> INIT -> B
            0.01 B -> INIT ACK -> A
            0.02 A -> COOKIE ECHO -> B
            0.03 B -> COOKIE ACK -> A
            """
        )
        assert pair.a.association.state == pair.b.association.state == ESTABLISHED


def test_each_state_is_entered_in_its_turn() -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        states = []
        for _ in range(5):
            states.append(pair.a.association.state)
            pair.network.run_for(0.01)
        assert states == [COOKIE_WAIT, COOKIE_WAIT, COOKIE_ECHOED, COOKIE_ECHOED, ESTABLISHED]


def test_init_has_tag_0_and_every_other_packet_the_tag_of_its_receiver() -> None:
    """RFC 9260 8.5: the Initiate Tag of the INIT or INIT ACK received; 5.1: Tag_A, Tag_Z."""
    with Pair(1).connect() as pair:
        check_that_data_flows(pair)
        tags = {(packet.source_text, parse_prefix(packet.data)[2]) for packet in pair.network.packets()}
        from_a = {tag for source, tag in tags if source == "10.0.1.1"}
        from_b = {tag for source, tag in tags if source == "10.0.1.2"}
        assert len(from_a) == 2
        assert 0 in from_a
        assert len(from_b) == 1
        assert 0 not in from_b


@pytest.mark.parametrize("lost", SETUP)
@pytest.mark.parametrize("times", [1, 2, 8])
def test_any_packet_may_be_lost_up_to_max_init_retransmits_times(lost: str, times: int) -> None:
    """RFC 9260 5.1.6: "the same INIT or COOKIE ECHO chunk with the same Initiate Tag [...] is retransmitted"."""
    with Pair(1, config=AssociationConfig(cookie_life=200)) as pair:
        pair.network.drop(lost, times)
        took = attempt(pair)
        waited = sum([min(2**number, 60) for number in range(times)])
        assert took == pytest.approx(waited + 0.04)
        assert pair.a.events_of(CommunicationUp)
        repeated = [packet.data for packet in pair.network.packets() if packet.chunks == ["INIT"]]
        echoes = [packet.data for packet in pair.network.packets() if packet.chunks == ["COOKIE ECHO"]]
        assert len(set(repeated)) == len(set(echoes)) == 1
        check_that_data_flows(pair)
        assert len(pair.b.events_of(CommunicationUp)) == 1


@pytest.mark.parametrize("lost", SETUP)
def test_beyond_that_it_is_given_up(lost: str) -> None:
    """RFC 9260 5.1.4 and 5.1.6: "considers "Z" unreachable and reports the failure to its upper layer"."""
    with Pair(1) as pair:
        pair.network.drop(lost, times=None)
        took = attempt(pair)
        assert failure(pair) == errno.ETIMEDOUT
        assert took == pytest.approx(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60, abs=0.1)
        assert pair.a.association.state == CLOSED
        assert pair.a.endpoint.associations == {}


@pytest.mark.parametrize("retransmits", [0, 1, 3])
@pytest.mark.parametrize("lost", SETUP)
def test_max_init_retransmits_can_be_set(lost: str, retransmits: int) -> None:
    with Pair(1, config=AssociationConfig(max_init_retransmits=retransmits)) as pair:
        pair.network.drop(lost, times=None)
        attempt(pair)
        assert failure(pair) == errno.ETIMEDOUT
        repeated = "INIT" if lost.startswith("INIT") else "COOKIE ECHO"
        assert sum(packet.chunks == [repeated] for packet in pair.network.packets()) == retransmits + 1


@pytest.mark.parametrize("lost", list(product([0, 1], repeat=4)), ids=str)
def test_any_of_the_packets_may_be_lost_together(lost: tuple[int, ...]) -> None:
    with Pair(1) as pair:
        for name, times in zip(SETUP, lost, strict=True):
            if times:
                pair.network.drop(name, times)
        attempt(pair)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


@pytest.mark.parametrize("name", SETUP)
def test_any_packet_may_come_twice(name: str) -> None:
    """RFC 9260 5.2: case E, "the peer never received the COOKIE ACK", and C, stale packets."""
    with Pair(1) as pair:
        pair.network.set(duplicate=1.0)
        pair.network.filters.append(lambda packet: packet.chunks == [name] or not packet.copy)
        attempt(pair)
        pair.network.set(duplicate=0.0)
        pair.network.run_for(5)
        check_that_data_flows(pair)
        assert len(pair.a.events_of(CommunicationUp)) == len(pair.b.events_of(CommunicationUp)) == 1


@pytest.mark.parametrize("name", SETUP)
def test_a_duplicate_that_comes_a_minute_later_changes_nothing(name: str) -> None:
    """RFC 9260 5.2, scenario C; a COOKIE ECHO is valid even if its lifespan is over: both tags match (5.2.4, 3)."""
    with Pair(1).connect() as pair:
        check_that_data_flows(pair)
        old = next(packet for packet in pair.network.packets() if packet.chunks == [name])
        pair.network.run_for(61)
        pair.network.carry(old.duplicate(pair.network.clock.now))
        pair.network.run_for(1)
        check_that_data_flows(pair)
        assert len(pair.a.events_of(CommunicationUp)) == len(pair.b.events_of(CommunicationUp)) == 1


def test_a_duplicate_cookie_echo_draws_a_cookie_ack_and_no_second_association() -> None:
    """RFC 9260 5.2.4, action D."""
    with Pair(1).connect() as pair:
        old = next(packet for packet in pair.network.packets() if packet.chunks == ["COOKIE ECHO"])
        pair.network.recording.clear()
        pair.network.carry(old.duplicate(pair.network.clock.now))
        pair.network.run_for(0.1)
        pair.network.assert_ladder(
            """
            A -> COOKIE ECHO -> B (copy)
            B -> COOKIE ACK -> A
            """
        )
        assert len(pair.b.endpoint.associations) == 1


def test_data_waits_until_the_cookie_ack_is_there() -> None:
    """RFC 9260 5.1 C: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets"."""
    with Pair(1) as pair:
        pair.network.drop("COOKIE ACK", 2)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(1)
        with pytest.raises(OSError, match="not up") as early:
            pair.a.association.send(pair.a.host.now, b"too early")
        assert early.value.errno == errno.ENOTCONN
        pair.network.run(lambda: pair.a.events_of(CommunicationUp))
        assert {tuple(p.chunks) for p in pair.network.packets() if p.source_text == "10.0.1.1"} == {
            ("INIT",),
            ("COOKIE ECHO",),
        }


def test_the_first_data_is_acknowledged_at_once() -> None:
    """RFC 9260 5.1: "After the reception of the first DATA chunk [...] MUST immediately respond with a SACK chunk"."""
    with Pair(1).connect() as pair:
        start = pair.network.elapsed
        pair.a.send(b"one")
        pair.drain()
        assert pair.network.elapsed - start == pytest.approx(0.02)
        pair.a.send(b"two")
        pair.drain()
        assert pair.network.elapsed - start == pytest.approx(0.04 + 0.2)  # SACK.Delay


@pytest.mark.parametrize(("ours", "theirs"), [((10, 65535), (10, 65535)), ((5, 3), (7, 65535)), ((100, 2), (1, 50))])
def test_streams_are_the_least_of_what_one_wants_and_the_other_allows(
    ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    """RFC 9260 5.1.1: "the endpoint MUST use MIS outbound streams"; identifiers are 0 to min(local OS, remote MIS) -
    1.
    """
    configs = [AssociationConfig(streams=streams, max_inbound_streams=limit) for streams, limit in (ours, theirs)]
    with Pair(1, config=configs[0], b_config=configs[1]).connect() as pair:
        assert pair.a.association.outbound_streams == pair.b.association.inbound_streams == min(ours[0], theirs[1])
        assert pair.b.association.outbound_streams == pair.a.association.inbound_streams == min(theirs[0], ours[1])
        last = pair.a.association.outbound_streams - 1
        pair.a.send(b"last stream", stream=last)
        with pytest.raises(OSError, match="stream"):
            pair.a.association.send(pair.a.host.now, b"beyond", stream=last + 1)
        pair.drain()
        assert pair.b.messages(stream=last) == [b"last stream"]


def test_the_round_trip_of_the_init_measures_the_path_and_a_repeated_one_does_not() -> None:
    """RFC 9260 8.3: INIT can be used for updating the RTT; 6.3.1 C5 (Karn): not if it was retransmitted."""
    with Pair(1, link=LinkSettings(delay=0.3), config=AssociationConfig(rto_min=0.1)) as pair:
        attempt(pair)
        assert pair.a.association.paths[0].srtt == pytest.approx(0.6e9)
    with Pair(1, config=AssociationConfig(rto_min=0.1)) as pair:
        pair.network.drop("INIT")
        pair.network.drop("COOKIE ACK")
        attempt(pair)
        assert pair.a.association.paths[0].srtt == 0


@pytest.mark.parametrize("seed", range(30))
def test_it_is_set_up_over_a_bad_network(seed: int) -> None:
    rough = LinkSettings(delay=0.05, jitter=0.5, loss=0.2, duplicate=0.2, reorder=0.3, reorder_delay=1.0)
    with Pair(seed, paths=2, link=rough) as pair:
        pair.connect(300)
        pair.network.set(loss=0.0)
        check_that_data_flows(pair)
        assert len(pair.a.events_of(CommunicationUp)) == len(pair.b.events_of(CommunicationUp)) == 1


# Backlog and refusals of a listener


def test_a_port_where_nobody_listens_refuses() -> None:
    """RFC 9260 8.4, rule 3: an ABORT with the INIT's tag, T bit not set."""
    with Pair(1) as pair:
        pair.a.connect(pair.b)
        pair.network.run(lambda: pair.a.host.events)
        assert failure(pair) == errno.ECONNREFUSED
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> ABORT -> A
            """
        )


def test_a_listener_that_has_stopped_refuses_but_keeps_what_it_has() -> None:
    with Pair(1).connect() as pair:
        pair.b.endpoint.stop_listening()
        second = pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: second.ended)
        check_that_data_flows(pair)


def test_a_full_backlog_refuses_for_lack_of_resources() -> None:
    """RFC 9260 5.1: "decides not to establish the new association due to [...] lack of local resources, it SHOULD
    respond with an ABORT chunk".
    """
    with Pair(1) as pair:
        pair.b.endpoint.listen(backlog=2)
        pair.b.host.handlers.clear()  # Nobody accepts.
        clients = [pair.a.host.open_endpoint() for _ in range(3)]
        for client in clients:
            client.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
            pair.network.run_for(0.1)
        assert len(pair.a.events_of(CommunicationUp)) == 2
        [refused] = pair.a.events_of(CannotStart)
        assert (refused.error, refused.causes) == (errno.ECONNREFUSED, [(4, b"")])  # Out of Resource
        pair.b.endpoint.accept(association_of(pair.b.events_of(CommunicationUp)[0]))
        clients[2].connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run_for(0.1)
        assert len(pair.a.events_of(CommunicationUp)) == 3


def test_a_backlog_that_fills_up_between_init_and_cookie_echo_refuses_then() -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen(backlog=1)
        pair.b.host.handlers.clear()
        for _ in range(2):
            pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run_for(1)
        assert len(pair.a.events_of(CommunicationUp)) == 1
        [refused] = pair.a.events_of(CannotStart)
        assert (refused.error, refused.causes) == (errno.ECONNREFUSED, [(4, b"")])


def test_an_association_that_ended_before_it_was_accepted_no_longer_counts() -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen(backlog=1)
        pair.b.host.handlers.clear()
        for _ in range(3):
            association = pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
            pair.network.run_for(0.1)
            association.abort(pair.a.host.now)
            pair.network.run_for(0.1)
        assert len(pair.a.events_of(CommunicationUp)) == 3


# What the user may do meanwhile


@pytest.mark.parametrize("seconds", [0.0, 0.015, 0.035])
def test_a_shutdown_during_the_handshake_is_done_when_it_is_up(seconds: float) -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(seconds)
        pair.shutdown()
        assert pair.a.events_of(CommunicationUp)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "ABORT T"), (0.015, "ABORT T"), (0.025, "ABORT User-Initiated Abort")]
)
def test_an_abort_during_the_handshake_ends_it(seconds: float, said: str) -> None:
    """The peer can be told only when its tag is known (RFC 9260 8.5.1 B); until then, its INIT ACK is out of the
    blue.
    """
    with Pair(1) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(seconds)
        pair.a.association.abort(pair.a.host.now, b"changed my mind")
        pair.network.run_for(1)
        assert failure(pair) == errno.ECONNABORTED
        [abort] = [packet for packet in pair.network.packets() if "ABORT" in packet.chunks]
        assert said in abort.description
        assert pair.b.endpoint.associations == {}


def test_two_associations_between_the_same_hosts_by_different_ports_do_not_disturb_each_other() -> None:
    """RFC 9260 9.2, note: another port "indicates the initialization of a separate association"."""
    with Pair(1).connect() as pair:
        other = pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: other.state == ESTABLISHED)
        other.abort(pair.a.host.now)
        pair.network.run_for(1)
        check_that_data_flows(pair)


@pytest.mark.parametrize("times", [1, 3])
def test_a_local_send_error_is_a_loss_like_any_other_once_the_peer_has_answered(times: int) -> None:
    with Pair(1) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(0.015)
        pair.a.host.fail_sends("10.0.1.2", errno.ENOBUFS)
        pair.network.at(2**times - 1.5, lambda: pair.a.host.fail_sends("10.0.1.2", 0))
        pair.network.run(lambda: pair.a.events_of(CommunicationUp))
        pair.a.host.fail_sends("10.0.1.2", errno.ENOBUFS)
        pair.a.association.send(pair.a.host.now, b"sent later")
        pair.network.at(0.5, lambda: pair.a.host.fail_sends("10.0.1.2", 0))
        pair.network.run(lambda: pair.b.received)
