"""RFC 6951 section 5: which UDP port of the peer packets go to, address by address."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_ACK_SENT
from sctpx.core.events import CommunicationUp
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.testing import Pair
from sctpx.wire import control
from sctpx.wire.setup import parse
from tests.sim.scripted import P_TAG, UDP_PORT, Scripted, return_by_icmp

OTHER = 40_000


def ports(association: Association) -> list[int]:
    return [path.encaps_port for path in association.paths]


def last_port(lab: Scripted) -> int:
    """The UDP port that the last packet from A went to."""
    return lab.heard[-1].destination_port


@pytest.mark.parametrize("said", ["DATA", "HEARTBEAT", "SACK", "COOKIE ACK"])
def test_a_packet_with_our_tag_from_an_address_of_the_association_teaches_its_port(said: str) -> None:
    """Section 5.4: "After finding the SCTP association (which includes checking the verification tag), the UDP source
    port MUST be stored as the encapsulation port for the destination address the SCTP packet is received from".
    """
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        packet = {
            "DATA": lab.data(),
            "HEARTBEAT": control.heartbeat(b"?"),
            "SACK": lab.sack(0),
            "COOKIE ACK": control.cookie_ack(),
        }[said]
        lab.ask(packet, udp_port=OTHER)
        assert ports(association) == [OTHER, UDP_PORT]
        association.send(lab.a.now, b"to the new port")
        lab.network.run_for(0.02)
        assert last_port(lab) == OTHER


def test_an_icmp_error_about_the_port_of_before_says_nothing_about_the_path() -> None:
    """Packets do not go to that UDP port any more (section 5.4)."""
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        association.send(lab.a.now, b"to the old port")
        lab.network.run_for(0.02)
        old = lab.heard[-1]
        lab.ask(control.heartbeat(b"?"), udp_port=OTHER)
        return_by_icmp(lab.network, old, errno.ECONNREFUSED)
        lab.network.run_for(0.015)
        assert (association.paths[0].error_count, association.paths[0].state) == (0, PATH_ACTIVE)
        association.send(lab.a.now, b"to the new port")
        lab.network.run_for(0.02)
        return_by_icmp(lab.network, lab.heard[-1], errno.ECONNREFUSED)
        lab.network.run_for(0.015)
        assert association.paths[0].error_count == 1


def test_each_address_has_its_own_port() -> None:
    """Section 5.1: "MUST maintain a remote UDP encapsulation port number per destination address"."""
    with Scripted(paths=3) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        for number, address in enumerate(lab.p.addresses):
            lab.ask(control.heartbeat(b"?"), source=address, udp_port=OTHER + number)
            assert last_port(lab) == OTHER + number
        assert ports(association) == [OTHER, OTHER + 1, OTHER + 2]


def test_data_in_one_packet_after_another_may_come_from_changing_ports() -> None:
    """The fast path must look at the port, too."""
    with Scripted() as lab:
        association = lab.up_incoming()
        for number in range(20):
            lab.ask(lab.data(), udp_port=OTHER + number % 3, seconds=0.25)
            assert ports(association) == [OTHER + number % 3]
            assert last_port(lab) == OTHER + number % 3


def test_packets_that_prove_nothing_teach_no_port() -> None:
    """Never an INIT, a packet with a reflected tag, or one that is discarded."""
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=[lab.p.packed[0]])
        lab.ask(lab.init(), tag=0, udp_port=OTHER)
        lab.a_tag = association_tag(lab)
        lab.ask(control.heartbeat(b"?"), udp_port=OTHER, checksum=False)
        lab.ask(control.heartbeat(b"?"), udp_port=OTHER, tag=lab.a_tag ^ 1)
        lab.ask(control.heartbeat(b"?"), udp_port=OTHER, source="10.0.2.2")
        lab.ask(control.shutdown_complete(reflected=True), udp_port=OTHER, tag=P_TAG)
        lab.ask(control.shutdown_complete(reflected=True), udp_port=OTHER)
        lab.ask(control.abort([], reflected=True), udp_port=OTHER)
        assert ports(association) == [UDP_PORT]
        assert association.state == ESTABLISHED


def association_tag(lab: Scripted) -> int:
    """A's tag in the association, from its first INIT ACK."""
    return parse(lab.chunk("INIT ACK", 0), ack=True).initiate_tag


def test_an_init_for_an_existing_association_is_answered_at_its_own_port_and_changes_nothing() -> None:
    """It carries no tag of ours: the lookup of section 5.4 includes checking it."""
    with Scripted() as lab:
        association = lab.up_incoming()
        own = lab.a_tag
        lab.ask(lab.init(initiate_tag=0x12121212), tag=0, udp_port=OTHER)
        assert (lab.heard[-1].chunks, last_port(lab)) == (["INIT ACK"], OTHER)
        assert ports(association) == [UDP_PORT]
        lab.a_tag = own
        association.send(lab.a.now, b"as before")
        lab.network.run_for(0.02)
        assert (lab.heard[-1].chunks, last_port(lab)) == (["DATA"], UDP_PORT)


def test_stateless_answers_go_to_the_port_the_packet_came_from() -> None:
    with Scripted() as lab:
        lab.endpoint.listen()
        for said, tag in ((lab.init(), 0), (lab.data(), 77), (control.shutdown_ack(), 77)):
            lab.ask(said, tag=tag, udp_port=OTHER)
            assert last_port(lab) == OTHER
        lab.ask(lab.init(), tag=0, udp_port=OTHER, a_port=1)
        assert (lab.heard[-1].chunks, last_port(lab)) == (["ABORT"], OTHER)


def test_listed_addresses_start_with_the_port_of_the_packet_that_listed_them() -> None:
    """Nothing else is known of them yet."""
    with Scripted(paths=2) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, udp_port=OTHER)
        lab.ask(control.cookie_echo(lab.cookie()), udp_port=OTHER)
        [association] = lab.endpoint.associations.values()
        assert ports(association) == [OTHER, OTHER]
    with Scripted(paths=3) as lab:
        association = lab.connect("10.0.1.2", "10.0.2.2")
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)), udp_port=OTHER)
        # The winner's is where it answered from, the other listed one's the caller's, the learnt one's the packet's.
        assert ports(association) == [OTHER, UDP_PORT, OTHER]


def test_the_cookie_echo_may_come_from_another_port_than_the_init() -> None:
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        assert lab.ask(control.cookie_echo(lab.cookie()), udp_port=OTHER) == ["P: COOKIE ACK"]
        assert last_port(lab) == OTHER
        [association] = lab.endpoint.associations.values()
        assert ports(association) == [OTHER]


def test_so_may_one_that_is_repeated() -> None:
    """Action D of section 5.2.4 of RFC 9260: the COOKIE ACK must find its way to where the peer is now."""
    with Scripted() as lab:
        association = lab.up_incoming()
        cookie = lab.cookie()
        assert lab.ask(control.cookie_echo(cookie), udp_port=OTHER) == ["P: COOKIE ACK"]
        assert last_port(lab) == OTHER
        assert ports(association) == [OTHER]


def test_a_shutdown_follows_the_peer_to_its_new_port() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        lab.ask(control.shutdown(lab.a_tsn - 1), udp_port=OTHER)
        assert association.state == SHUTDOWN_ACK_SENT
        assert last_port(lab) == OTHER
        lab.network.run_for(1.5)
        assert last_port(lab) == OTHER


def test_a_peer_whose_nat_gives_it_a_new_port_keeps_its_association() -> None:
    with Pair(1) as pair:
        pair.connect()
        pair.a.send(b"before")
        pair.drain()
        pair.a.host.udp_port = OTHER
        pair.a.send(b"after")
        pair.drain()
        pair.b.send(b"back")
        pair.drain()
        assert pair.b.messages() == [b"before", b"after"]
        assert pair.a.messages() == [b"back"]
        assert len(pair.b.events_of(CommunicationUp)) == 1
