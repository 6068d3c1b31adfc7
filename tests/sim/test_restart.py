"""A host restarts and sets its association up again while the peer still has the old one (RFC 9260 section 5.2.4.1)."""

from __future__ import annotations

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import (
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
)
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint
from sctpx.core.events import CommunicationLost, CommunicationUp, PeerShutdown, Readable, Restarted, ShutdownComplete
from sctpx.testing import LinkSettings, Pair, pack_address
from sctpx.wire import control
from sctpx.wire.packet import parse_prefix
from tests.sim.scripted import Scripted

NEW_TAG = 0x4E455721
NEW_TSN = 900_000


class Reborn:
    """A after its restart: a new stack, and a new association with B on the old ports and addresses."""

    def __init__(self, pair: Pair, config: AssociationConfig | None = None) -> None:
        pair.a.host.crash()
        pair.a.host.events.clear()
        pair.a.host.restart()
        self.pair = pair
        self.endpoint: Endpoint = pair.a.host.open_endpoint(5000, config)

    def connect(self, seconds: float = 60.0) -> Association:
        """Associate with B again, and run until A is up."""
        pair = self.pair
        association = self.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.a.events_of(CommunicationUp), seconds)
        return association


def check_data_both_ways(pair: Pair, association: Association) -> None:
    association.send(pair.a.host.now, b"from the new A")
    pair.b.send(b"to the new A")
    pair.network.run(lambda: pair.b.messages()[-1:] == [b"from the new A"] and association.readable)
    assert [message[0] for message in association.read()] == [b"to the new A"]


@pytest.mark.parametrize("paths", [1, 3])
def test_the_association_begins_anew_under_the_same_name(paths: int) -> None:
    """Action A: "the existing session is treated the same as if it received an ABORT chunk followed by a new COOKIE
    ECHO chunk", but "a RESTART notification SHOULD be sent to the ULP instead of a COMMUNICATION LOST notification".
    """
    with Pair(1, paths=paths).connect() as pair:
        before = pair.b.association
        pair.a.send(b"from the old A")
        pair.drain()
        association = Reborn(pair).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        assert len(pair.b.events_of(Restarted)) == 1
        assert pair.b.events_of(CommunicationLost) == []
        assert len(pair.b.events_of(CommunicationUp)) == 1
        assert list(pair.b.endpoint.associations.values()) == [before]
        assert pair.b.events_of(Restarted)[0].association is before
        check_data_both_ways(pair, association)


def test_the_packets_are_those_of_any_handshake_with_new_tags() -> None:
    """Section 5.2.2: "the INIT ACK chunk MUST contain a new Initiate Tag", and nothing changes before the cookie."""
    with Pair(1).connect() as pair:
        old = {parse_prefix(packet.data)[2] for packet in pair.network.packets()}
        reborn = Reborn(pair)
        pair.network.recording.clear()
        reborn.connect()
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> COOKIE ACK -> A
            """
        )
        new = {parse_prefix(packet.data)[2] for packet in pair.network.packets()}
        assert old & new == {0}
        assert len(new) == 3


def test_what_was_received_but_not_read_before_can_still_be_read() -> None:
    """Section 5.2.4 A: "Any SCTP DATA chunks MAY be retained"."""
    with Pair(1).connect() as pair:
        pair.b.reading = False
        pair.a.send(b"from the old A")
        pair.drain()
        association = Reborn(pair).connect()
        association.send(pair.a.host.now, b"from the new A")
        pair.network.run(lambda: pair.b.association.readable == 2)
        pair.b.read()
        assert pair.b.messages() == [b"from the old A", b"from the new A"]


def test_what_was_received_before_keeps_the_address_it_came_from() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.network.run_for(5)
        pair.b.reading = False
        pair.a.association.send(pair.a.host.now, b"from the old A", remote=pack_address("10.0.2.2"))
        pair.network.run(lambda: pair.b.association.readable == 1)
        association = Reborn(pair).connect()
        association.send(pair.a.host.now, b"from the new A", remote=pack_address("10.0.1.2"))
        pair.network.run(lambda: pair.b.association.readable == 2)
        came = []
        for _ in range(2):
            came.append(pair.b.association.source)
            pair.b.association.read(1)
        assert came == [pack_address("10.0.2.1"), pack_address("10.0.1.1")]


def test_what_was_under_way_to_the_old_host_does_not_reach_the_new_one() -> None:
    with Pair(1).connect() as pair:
        pair.a.host.crash()
        for _ in range(20):
            pair.b.send(b"to the old A")
        pair.network.run_for(0.5)
        association = Reborn(pair).connect()
        pair.b.send(b"to the new A")
        pair.network.run(lambda: association.readable)
        pair.network.run_for(5)
        assert [message[0] for message in association.read()] == [b"to the new A"]
        assert pair.b.association.send_space == AssociationConfig().send_buffer


def test_half_a_message_of_the_old_host_does_not_mix_with_the_new_ones() -> None:
    with Pair(1, link=LinkSettings(rate=1e6)).connect() as pair:
        pair.a.send(b"old" * 20_000)
        pair.network.run_for(0.2)
        association = Reborn(pair).connect()
        for number in range(5):
            association.send(pair.a.host.now, b"new %d" % number * 1000)
        pair.network.run(lambda: len(pair.b.messages()) == 5)
        assert pair.b.messages() == [b"new %d" % number * 1000 for number in range(5)]


def test_a_writer_that_waits_is_woken() -> None:
    """What filled the send buffer is gone."""
    with Pair(1, config=AssociationConfig(send_buffer=10_000)).connect() as pair:
        pair.a.host.crash()
        for number in range(10):
            pair.b.send(bytes([number]) * 5000)
        pair.network.run_for(1)
        association = Reborn(pair).connect()
        pair.network.run_for(5)
        assert [message[0][0] for message in association.read()][-1] == 9


def test_congestion_control_and_error_counts_begin_anew() -> None:
    """Section 5.2.4 A: "All the congestion control parameters (e.g., cwnd, ssthresh) related to this peer MUST be
    reset to their initial values".
    """
    with Pair(1, paths=2).connect() as pair:
        fresh = [(path.cwnd, path.ssthresh) for path in pair.b.association.paths]
        for _ in range(200):
            pair.b.send(bytes(5000))
        pair.drain()
        pair.cut(1)
        pair.b.send(b"times out")
        pair.network.run_for(3)
        assert [(path.cwnd, path.ssthresh) for path in pair.b.association.paths] != fresh
        assert pair.b.association.paths[0].error_count > 0
        pair.heal(1)
        Reborn(pair).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        assert [(path.cwnd, path.ssthresh) for path in pair.b.association.paths] == fresh
        assert [(path.error_count, path.flight_size) for path in pair.b.association.paths] == [(0, 0)] * 2


def test_the_first_data_of_the_new_life_is_acknowledged_at_once() -> None:
    """Section 5.1: "After the reception of the first DATA chunk in an association, the endpoint MUST immediately
    respond with a SACK chunk".
    """
    with Pair(1).connect() as pair:
        pair.a.send(b"one")
        pair.drain()
        association = Reborn(pair).connect()
        pair.network.run_for(1)
        start = pair.network.elapsed
        association.send(pair.a.host.now, b"first")
        pair.network.run(lambda: not association.undelivered())
        assert pair.network.elapsed - start == pytest.approx(0.02)


def test_a_restart_with_other_stream_counts_takes_the_new_ones() -> None:
    with Pair(1).connect() as pair:
        reborn = Reborn(pair, AssociationConfig(streams=2, max_inbound_streams=3))
        reborn.connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        assert pair.b.association.inbound_streams == 2
        assert pair.b.association.outbound_streams == 3


def test_a_restarted_host_behind_another_udp_port_is_answered_there() -> None:
    """RFC 6951 5.4: the port is taken from a packet that proves itself: here, by the Tie-Tags in the cookie."""
    with Pair(1).connect() as pair:
        pair.a.host.udp_port = 9900
        association = Reborn(pair).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        check_data_both_ways(pair, association)
        assert pair.b.association.paths[0].encaps_port == 9900


def test_a_restart_while_data_flows_both_ways_under_loss() -> None:
    with Pair(1, paths=2, link=LinkSettings(loss=0.05)).connect() as pair:
        for number in range(300):
            pair.a.send(bytes([number % 256]) * 2000)
            pair.b.send(bytes([number % 256]) * 2000)
        pair.network.run_for(0.3)
        association = Reborn(pair).connect(200)
        pair.network.run(lambda: pair.b.events_of(Restarted))
        association.send(pair.a.host.now, b"from the new A")
        pair.network.run(lambda: pair.b.messages()[-1:] == [b"from the new A"])


@pytest.mark.parametrize("lost", ["INIT", "INIT ACK", "COOKIE ECHO", "COOKIE ACK"])
def test_any_packet_of_it_may_be_lost(lost: str) -> None:
    with Pair(1).connect() as pair:
        reborn = Reborn(pair)
        pair.network.drop(lost)
        association = reborn.connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        check_data_both_ways(pair, association)
        assert len(pair.b.events_of(Restarted)) == 1


def test_inits_of_either_life_that_come_late_change_nothing() -> None:
    """The old A raced its INITs and so does the new one; what the losers draw comes when both sides are up again."""
    with Pair(1, paths=3) as pair:
        pair.network.delay("INIT", 0.15, times=1, to="10.0.1.2")  # So that a second one goes out.
        old = pair.network.hold("INIT", to="10.0.3.2")
        pair.network.delay("INIT ACK", 0.2, times=2)
        pair.connect()
        reborn = Reborn(pair)
        pair.network.delay("INIT", 0.15, times=1, to="10.0.1.2")
        new = pair.network.hold("INIT", times=None, to="10.0.2.2")
        association = reborn.connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        for held in (old, new):
            assert held.packets
            held.release()
        pair.network.run_for(1)
        check_data_both_ways(pair, association)
        assert len(pair.b.events_of(Restarted)) == 1


def test_it_can_happen_again_and_again() -> None:
    with Pair(1).connect() as pair:
        for count in range(1, 6):
            association = Reborn(pair).connect()
            assert len(pair.b.events_of(Restarted)) == count
            check_data_both_ways(pair, association)


def test_both_hosts_restart() -> None:
    with Pair(1).connect() as pair:
        pair.b.host.crash()
        pair.b.host.restart()
        pair.b.host.open_endpoint(5000).listen()
        association = Reborn(pair).connect()
        assert association.state == ESTABLISHED


def test_a_host_that_restarted_and_does_not_connect_makes_the_peer_lose_the_association() -> None:
    """Section 8.4, rule 8: the next packet is out of the blue there: an ABORT with the T bit."""
    with Pair(1).connect() as pair:
        Reborn(pair)
        pair.b.send(b"are you there?")
        pair.network.run(lambda: pair.b.events_of(CommunicationLost))
        assert pair.b.events_of(CommunicationLost)[0].by_peer


# Addresses


def test_a_restart_from_an_address_the_old_association_did_not_have_is_refused() -> None:
    """Section 5.2.2: "If new addresses are added to the association, the endpoint MUST respond with an ABORT chunk,
    copying the 'Initiate Tag' [...]. The error SHOULD list the addresses that were added."
    """
    with Scripted(paths=3) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed[:2]))
        [answer] = lab.ask(lab.init(initiate_tag=NEW_TAG, addresses=list(lab.p.packed)), tag=0)
        assert answer == (
            f"{NEW_TAG:#010x}: ABORT Restart of an Association with New Addresses (IPv4 Address (10.0.3.2))"
        )
        assert association.state == ESTABLISHED
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]
        assert lab.events_of(Restarted) == []


def test_so_is_one_whose_packet_comes_from_a_new_address() -> None:
    with Scripted(paths=2) as lab:
        lab.up_incoming()
        [answer] = lab.ask(lab.init(initiate_tag=NEW_TAG, addresses=list(lab.p.packed[:1])), tag=0, source="10.0.2.2")
        assert "Restart of an Association with New Addresses (IPv4 Address (10.0.2.2))" in answer


def test_a_stranger_who_names_no_address_of_the_association_gets_one_of_its_own() -> None:
    """Section 5.1.2 D: it belongs to the association only by an address."""
    with Scripted(paths=2) as lab:
        lab.up_incoming()
        [answer] = lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0, source="10.0.2.2")
        assert answer.startswith(f"{NEW_TAG:#010x}: INIT ACK")


def test_a_restart_with_fewer_addresses_has_those_it_names() -> None:
    """Section 5.2.4 A: "as if it received an ABORT chunk followed by a new COOKIE ECHO chunk": the addresses are
    those of the cookie (section 5.1.2 C: "SHOULD use only these transport addresses as destination").
    """
    with Scripted(paths=3) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        assert len(association.paths) == 3
        restart(lab, addresses=list(lab.p.packed[:2]))
        assert [path.remote for path in association.paths] == list(lab.p.packed[:2])


def test_after_a_restart_only_the_address_the_init_ack_went_to_is_confirmed() -> None:
    """Section 5.4, rule 2, for "all addresses of the new association"."""
    with Scripted(paths=2) as lab:
        lab.answers["HEARTBEAT"] = lambda value: [control.heartbeat_ack(value)]
        association = lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(5)
        assert [path.confirmed for path in association.paths] == [True, True]
        lab.answers.clear()
        restart(lab, source="10.0.2.2", addresses=list(lab.p.packed))
        assert {path.remote: path.confirmed for path in association.paths} == {
            lab.p.packed[0]: False,
            lab.p.packed[1]: True,
        }
        assert association.primary is not None
        assert association.primary.remote == lab.p.packed[1]


# In every state


def restart(lab: Scripted, source: str = "10.0.1.2", **changes: object) -> list[str]:
    """P restarts with a new tag and TSN. Returns what it hears to its COOKIE ECHO."""
    lab.p_tag, lab.p_tsn = NEW_TAG, NEW_TSN
    lab.ask(lab.init(**changes), tag=0, source=source)
    return lab.ask(control.cookie_echo(lab.cookie()), source=source)


def test_in_cookie_echoed_the_peers_restart_is_a_collision() -> None:
    """Our tag stays, the peer's is new: action B."""
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert restart(lab) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert lab.events_of(Restarted) == []
        assert len(lab.events_of(CommunicationUp)) == 1


def test_in_established() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert restart(lab) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert len(lab.events_of(Restarted)) == 1
        assert lab.ask(lab.data())[0].startswith(f"P: SACK cum {NEW_TSN} ")


def test_in_shutdown_pending() -> None:
    """The user wanted an end: the new association goes on with that, and has nothing to deliver first."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.send(lab.a.now, b"never acknowledged")
        association.shutdown(lab.a.now)
        assert association.state == SHUTDOWN_PENDING
        assert restart(lab) == [f"P: COOKIE ACK; SHUTDOWN cum {NEW_TSN - 1}"]
        assert association.state == SHUTDOWN_SENT
        [restarted] = lab.events_of(Restarted)
        assert [message[0] for message in restarted.undelivered] == [b"never acknowledged"]


def test_in_shutdown_sent() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.shutdown(lab.a.now)
        lab.network.run_for(0.01)
        assert association.state == SHUTDOWN_SENT
        assert restart(lab) == [f"P: COOKIE ACK; SHUTDOWN cum {NEW_TSN - 1}"]
        assert lab.ask(control.shutdown_ack()) == ["P: SHUTDOWN COMPLETE"]
        assert lab.listen_for(10) == []  # No T2-shutdown.


def test_in_shutdown_received_after_the_user_asked_for_an_end_too() -> None:
    """RFC 9260 9.2: in SHUTDOWN-RECEIVED "it MUST ignore ULP shutdown requests"; the new association knows of it."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.send(lab.a.now, b"never acknowledged")
        lab.ask(control.shutdown(lab.a_tsn - 1))
        association.shutdown(lab.a.now)
        assert association.state == SHUTDOWN_RECEIVED
        assert restart(lab)[-1] == f"P: COOKIE ACK; SHUTDOWN cum {NEW_TSN - 1}"
        assert association.state == SHUTDOWN_SENT


def test_what_was_undelivered_is_told_with_the_restart() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        for text in (b"one", b"two"):
            association.send(lab.a.now, text, stream=1, ppid=7)
        lab.network.run_for(0.01)
        restart(lab)
        [restarted] = lab.events_of(Restarted)
        assert [message[:4] for message in restarted.undelivered] == [(b"one", 1, 7, True), (b"two", 1, 7, True)]
        assert association.undelivered() == []


def test_settings_of_a_path_outlive_the_restart() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.configure_path(lab.a.now, lab.p.packed[0], heartbeats=False, max_retrans=3, mtu=1000)
        association.configure_path(lab.a.now, lab.p.packed[0], primary_switchover_max_retrans=2)
        restart(lab)
        [path] = association.paths
        assert (path.heartbeat_enabled, path.max_retrans, path.mtu) == (False, 3, 1000)
        assert path.primary_switchover_max_retrans == 2
        assert association.fragmentation_point == 1000 - 28


def test_in_shutdown_received() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.send(lab.a.now, b"never acknowledged")
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_RECEIVED
        assert len(lab.events_of(PeerShutdown)) == 1
        assert "P: COOKIE ACK" in restart(lab)
        assert association.state == ESTABLISHED
        association.send(lab.a.now, b"the new one takes data")


def test_in_shutdown_ack_sent_an_init_draws_the_shutdown_ack_again() -> None:
    """Section 9.2: "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk"."""
    with Scripted(paths=2) as lab:
        association = lab.up_outgoing(addresses=[pack_address(address) for address in ("10.0.1.2", "10.0.2.2")])
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        heard = lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0, source="10.0.2.2")
        assert heard == ["P: SHUTDOWN ACK"]
        assert association.state == SHUTDOWN_ACK_SENT


def test_in_shutdown_ack_sent_a_cookie_made_before_draws_the_shutdown_ack_and_an_error() -> None:
    """Action A: "it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR chunk
    with a "Cookie Received While Shutting Down" error cause to its peer".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        lab.ask(lab.init(initiate_tag=NEW_TAG, initial_tsn=NEW_TSN), tag=0)
        new_tag = lab.setup("INIT ACK").initiate_tag
        lab.a_tag = lab.setup("INIT").initiate_tag
        lab.ask(control.shutdown(lab.setup("INIT").initial_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        heard = lab.ask(control.cookie_echo(lab.cookie()), tag=new_tag)
        assert heard == ["P: SHUTDOWN ACK; ERROR Cookie Received While Shutting Down"]
        assert association.state == SHUTDOWN_ACK_SENT
        assert lab.events_of(Restarted) == []


def test_a_host_restarts_while_its_shutdown_ack_is_awaited_and_gets_its_new_association_in_the_end() -> None:
    """Section 9.2: the SHUTDOWN ACK is out of the blue for the new host, and draws SHUTDOWN COMPLETE with the T bit;
    then "normal T1-init timer expiration will cause the INIT or COOKIE chunk to be retransmitted".
    """
    with Pair(1).connect() as pair:
        pair.network.drop("SHUTDOWN ACK", times=1)
        pair.a.association.shutdown(pair.a.host.now)
        pair.network.run_for(0.2)
        assert pair.b.association.state == SHUTDOWN_ACK_SENT
        old = pair.b.association
        reborn = Reborn(pair)
        pair.network.recording.clear()
        association = reborn.connect()
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE T -> B
            A -> INIT -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> COOKIE ACK -> A
            """
        )
        assert pair.b.events_of(ShutdownComplete)[0].association is old
        association.send(pair.a.host.now, b"hello")
        pair.network.run(lambda: any(isinstance(event, Readable) for event in pair.b.host.events))


def test_in_shutdown_ack_sent_forged_inits_do_not_put_the_end_off() -> None:
    """Anybody can send an INIT from an address of the peer: T2-shutdown goes on as it was, and its limit too."""
    with Scripted(config=AssociationConfig(association_max_retrans=2)) as lab:
        association = lab.up_outgoing()
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        for _ in range(100):
            lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0, seconds=0.2)
        assert association.ended  # T2 expired after 1, 3 and 7 s.


def test_nothing_the_old_life_was_in_the_middle_of_is_in_the_new_one() -> None:
    """The zero window probes of the old life had backed off."""
    with Scripted(config=AssociationConfig(heartbeat_interval=0)) as lab:
        association = lab.up_outgoing()
        for _ in range(5):
            association.send(lab.a.now, b"little by little")
        lab.network.run_for(0.02)
        lab.ask(lab.sack(1, a_rwnd=0))
        for taken in range(2, 5):  # Each probe is taken, and the window stays closed.
            lab.network.run_for(20)
            lab.ask(lab.sack(taken, a_rwnd=0))
        restart(lab, a_rwnd=1500)
        assert association.state == ESTABLISHED
        assert association.send_space == association.config.send_buffer
        association.send(lab.a.now, bytes(1000))
        lab.network.run_for(0.02)
        lab.ask(lab.sack(1, a_rwnd=0))
        association.send(lab.a.now, b"waits")
        assert lab.listen_for(0.9) == []
        [probe] = lab.listen_for(0.2)
        assert probe.startswith("P: DATA")


# Cookies that are not a restart


def test_a_cookie_with_other_tie_tags_is_silently_discarded() -> None:
    """Table 12: neither tag matches, and the Tie-Tags do not either: not shown, "silently discarded"."""
    with Scripted() as lab:
        association = lab.up_incoming()
        own = lab.a_tag
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        first, first_tag = lab.cookie(), lab.a_tag
        # The restart that happens makes new Tie-Tags for the next one.
        assert restart(lab) == ["P: COOKIE ACK"]
        assert lab.ask(control.cookie_echo(first), tag=first_tag) == []
        assert len(lab.events_of(Restarted)) == 1
        assert association.state == ESTABLISHED
        assert own != lab.a_tag


def test_a_cookie_from_before_the_association_is_silently_discarded() -> None:
    """Its Tie-Tags are 0: "For a normal association INIT chunk [...], the Tie-Tags MUST be set to 0"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(initiate_tag=0x01010101), tag=0)
        before, tag = lab.cookie(), lab.a_tag
        association = lab.up_incoming()
        assert lab.ask(control.cookie_echo(before), tag=tag) == []
        assert association.state == ESTABLISHED
        assert lab.events_of(Restarted) == []


def test_a_stale_cookie_of_a_restart_draws_an_error_and_changes_nothing() -> None:
    """Section 5.2.4, 3: older than its lifespan, and the tags do not match."""
    with Scripted(config=AssociationConfig(cookie_life=1.0)) as lab:
        association = lab.up_incoming()
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        cookie = lab.cookie()
        lab.network.run_for(2)
        [answer] = lab.ask(control.cookie_echo(cookie))
        assert answer.startswith(f"{NEW_TAG:#010x}: ERROR Stale Cookie (")
        assert association.state == ESTABLISHED
        assert lab.events_of(Restarted) == []


def test_an_unexpected_init_leaves_no_trace() -> None:
    """Section 5.2.2: "After sending the INIT ACK or ABORT chunk, the endpoint MUST take no further actions"."""
    with Scripted() as lab:
        association = lab.up_incoming()
        own, tsn = lab.a_tag, lab.a_tsn
        for number in range(50):
            [answer] = lab.ask(lab.init(initiate_tag=NEW_TAG + number), tag=0)
            assert answer.startswith(f"{NEW_TAG + number:#010x}: INIT ACK")
        lab.a_tag, lab.a_tsn = own, tsn
        association.send(lab.a.now, b"as ever")
        [told] = lab.listen_for(0.05)
        assert f" tsn {tsn} " in told
        lab.ask(lab.sack(1))
        assert association.undelivered() == []


def test_the_init_ack_to_an_unexpected_init_has_a_new_tag_each_time() -> None:
    with Scripted() as lab:
        lab.up_incoming()
        tags = set()
        for number in range(20):
            lab.ask(lab.init(initiate_tag=NEW_TAG + number), tag=0)
            tags.add(lab.setup("INIT ACK").initiate_tag)
        assert len(tags) == 20


def test_the_cookie_does_not_show_the_tags_of_the_association() -> None:
    """Section 5.1.3: "it MUST NOT contain information that is not being envisioned to be shared": who sends an INIT
    from a forged address must not learn the tags. Tie-Tags are random numbers of their own (section 5.2.2).
    """
    with Scripted() as lab:
        lab.up_incoming()
        ours, theirs = lab.a_tag.to_bytes(4, "big"), lab.p_tag.to_bytes(4, "big")
        lab.ask(lab.init(initiate_tag=NEW_TAG), tag=0)
        cookie = lab.cookie()
        for tag in (ours, theirs):
            assert tag not in cookie
            assert tag[::-1] not in cookie
