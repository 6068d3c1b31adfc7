"""Every packet is marked as its association is: DSCP (RFC 2474) and IPv6 flow label (RFC 6437)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import Restarted
from sctpx.testing import Packet, Pair, pack_address
from tests.sim.test_restart import Reborn

EF, CS5 = 46, 40
"""Expedited Forwarding (RFC 3246) and a class selector that signalling uses (RFC 2474 section 4.2.2)."""
LABEL = 0xABCDE


def sent_by(pair: Pair, host: str) -> list[Packet]:
    return [packet for packet in pair.network.packets() if pair.network.name_of(packet.source) == host]


def marks(packets: list[Packet]) -> set[tuple[int, int]]:
    return {(packet.dscp, packet.flow_label) for packet in packets}


def remotes(pair: Pair) -> list[bytes]:
    return [path.remote for path in pair.a.association.paths]


@pytest.mark.parametrize("ipv6", [False, True])
def test_all_packets_of_both_sides_are_marked_from_the_init_to_the_end(ipv6: bool) -> None:
    """Setup, data that is lost and sent again, SACKs, HEARTBEATs, the shutdown. IPv4 has no flow label."""
    ours, theirs = AssociationConfig(dscp=EF, flow_label=LABEL), AssociationConfig(dscp=CS5, flow_label=5)
    with Pair(1, paths=2, ipv6=ipv6, config=ours, b_config=theirs) as pair:
        pair.connect()
        pair.network.drop(lambda packet: "DATA" in packet.chunks, 2)
        pair.a.send(bytes(200_000))
        pair.b.send(b"answer")
        pair.drain()
        pair.network.run_for(60)
        pair.shutdown()
        seen = {chunk for packet in pair.network.packets() for chunk in packet.chunks}
        assert {"INIT", "INIT ACK", "COOKIE ECHO", "DATA", "SACK", "HEARTBEAT", "SHUTDOWN COMPLETE"} <= seen
        assert marks(sent_by(pair, "A")) == {(EF, LABEL if ipv6 else 0)}
        assert marks(sent_by(pair, "B")) == {(CS5, 5 if ipv6 else 0)}


def test_packets_are_not_marked_by_default() -> None:
    with Pair(1, ipv6=True).connect() as pair:
        assert marks(list(pair.network.packets())) == {(0, 0)}


def test_an_answer_to_a_stranger_is_marked_as_the_port_that_answers() -> None:
    """An ABORT where nobody listens; a port that nobody has marks nothing."""
    with Pair(1, config=AssociationConfig(dscp=EF)) as pair:
        pair.a.connect(pair.b)
        pair.network.run_for(1)
        assert [(packet.chunks, packet.dscp) for packet in sent_by(pair, "B")] == [(["ABORT"], EF)]
    with Pair(1, config=AssociationConfig(dscp=EF)) as pair:
        pair.b.endpoint.close(0)
        pair.a.connect(pair.b)
        pair.network.run_for(1)
        assert [(packet.chunks, packet.dscp) for packet in sent_by(pair, "B")] == [(["ABORT"], 0)]


def test_a_path_can_have_marks_of_its_own_which_the_association_does_not_change() -> None:
    with Pair(1, paths=2, ipv6=True, config=AssociationConfig(dscp=EF)).connect() as pair:
        association, now = pair.a.association, pair.network.clock.now
        first, second = remotes(pair)
        association.configure_path(now, second, dscp=0, flow_label=LABEL)
        association.reconfigure(now, replace(association.config, dscp=CS5, flow_label=7))
        before = len(list(pair.network.packets()))
        for remote in (first, second):
            association.send(now, b"data", remote=remote)
        pair.drain()
        pair.network.run_for(60)
        after = [packet for packet in list(pair.network.packets())[before:] if packet.source_text.endswith("::1")]
        assert marks([packet for packet in after if packet.destination == first]) == {(CS5, 7)}
        assert marks([packet for packet in after if packet.destination == second]) == {(0, LABEL)}


def test_the_marks_of_a_path_survive_a_restart_of_the_peer() -> None:
    with Pair(1, config=AssociationConfig(dscp=EF)).connect() as pair:
        [remote] = [path.remote for path in pair.b.association.paths]
        pair.b.association.configure_path(pair.network.clock.now, remote, dscp=CS5)
        Reborn(pair).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        pair.network.run_for(1)
        answers = [packet for packet in sent_by(pair, "B") if packet.chunks[:1] in (["INIT ACK"], ["COOKIE ACK"])]
        assert [packet.dscp for packet in answers] == [EF, EF, CS5, CS5]


def test_packets_with_different_marks_leave_apart_though_they_go_to_the_same_place() -> None:
    """HEARTBEATs of several associations with one peer leave as one send, those with the same marks."""
    with Pair(1) as pair:
        host, peer = pair.a.host, pair.b.host
        pair.b.endpoint.listen()
        for port, dscp in ((1, EF), (2, EF), (3, CS5)):
            endpoint = host.open_endpoint(port, AssociationConfig(dscp=dscp))
            endpoint.connect(host.now, peer.peer_addresses, 5000)
            host.drain()
        pair.network.run_for(5)
        remote = pack_address("10.0.1.2")
        for endpoint in host.stack.endpoints.values():
            for association in endpoint.associations.values():
                association.request_heartbeat(host.now, remote)
        transmits = []
        while (transmit := host.stack.poll_transmit(host.now)) is not None:
            transmits.append((len(transmit.data) // transmit.segment or 1, transmit.flowinfo >> 22))
        assert sorted(transmits) == [(1, CS5), (2, EF)]
