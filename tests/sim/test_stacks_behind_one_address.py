"""Several stacks behind one IP address: programs of one host, or hosts behind a NAT.

An association is known by its IP addresses and SCTP ports alone (RFC 6951 section 5.4: "the UDP header is removed.
Then, the generic lookup is performed"). Two stacks that use one SCTP port are one endpoint to the peer.
"""

from __future__ import annotations

import errno
import socket

import pytest

import sctpx
from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, CommunicationUp, Restarted
from sctpx.testing import Host, Network
from sctpx.wire import control
from sctpx.wire.codes import CAUSE_PROTOCOL_VIOLATION
from tests.sim.scripted import PORT, UDP_PORT, Scripted

BEHIND = "10.0.9.9"
CLIENT_PORT = 2905


def network_with(*clients: str, config: AssociationConfig | None = None) -> tuple[Network, Host, list[Host]]:
    """A server that listens, and clients behind one address, each with a UDP port of its own."""
    network = Network(1)
    server = network.add_host("server", ["10.0.1.1"])
    server.open_endpoint(PORT, config).listen(1000)
    hosts = [network.add_host(name, [BEHIND], 40_000 + number) for number, name in enumerate(clients)]
    return network, server, hosts


def connect(network: Network, client: Host, server: Host, port: int = CLIENT_PORT) -> Association:
    """The client associates with the server; run until it is up on both sides."""
    ups = sum(isinstance(event, CommunicationUp | Restarted) for event in server.events)
    association = client.open_endpoint(port).connect(client.now, server.peer_addresses, PORT)
    network.run(lambda: sum(isinstance(event, CommunicationUp | Restarted) for event in server.events) > ups)
    network.run(lambda: client.events)
    return association


def test_clients_that_do_not_care_for_their_sctp_port_never_meet() -> None:
    """The port follows the UDP port, which the system chose. By lot some would: 300 * 299 / 2 / 16384 pairs."""
    network, server, clients = network_with(*[f"client{number}" for number in range(300)])
    with network:
        for client in clients:
            client.stack.follow_udp_port(client.udp_port)
            client.open_endpoint().connect(client.now, server.peer_addresses, PORT)
        network.run_for(5)
        assert [type(event) for event in server.events] == [CommunicationUp] * 300
        assert all(len(client.events) == 1 for client in clients)


def test_nor_do_the_sockets_of_one_host() -> None:
    with Network(1) as network:
        network.add_host("server", ["10.0.1.1"])
        host = network.add_host("host", [BEHIND])
        listener = network.hosts["server"].socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET)
        listener.bind(("", PORT))
        listener.listen()
        socks = [host.socket(udp_port=0) for _ in range(100)]  # Each with a UDP port, and so a stack, of its own.
        for number, sock in enumerate(socks):
            sock.connect(("server", PORT))
            sock.send(b"%d" % number)
        assert sorted(int(listener.recv(100)) for _ in socks) == list(range(100))
        assert [sock.getsockname()[1] for sock in socks] == [sock.udp_port for sock in socks]
        assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for sock in socks)


@pytest.mark.parametrize("on_restart", ["continue", "end"])
def test_the_second_one_with_an_sctp_port_takes_it_over_and_the_first_one_is_told(on_restart: str) -> None:
    config = AssociationConfig(on_restart="end" if on_restart == "end" else "continue")
    network, server, [alice, bob] = network_with("alice", "bob", config=config)
    with network:
        first = connect(network, alice, server)
        second = connect(network, bob, server)
        network.run(lambda: first.ended, 1)
        lost = alice.events[-1]
        assert isinstance(lost, CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ECONNRESET, True)
        assert [code for code, _ in lost.causes] == [CAUSE_PROTOCOL_VIOLATION]
        assert b"another UDP port" in lost.causes[0][1]
        assert [type(event) for event in server.events[1:]] == (
            [Restarted] if on_restart == "continue" else [CommunicationLost, CommunicationUp]
        )
        [theirs] = server.stack.endpoints[PORT].associations.values()
        assert [path.encaps_port for path in theirs.paths] == [bob.udp_port]
        second.send(network.clock.now, b"from bob")
        theirs.send(network.clock.now, b"to bob")
        network.run_for(1)
        assert [message[0] for message in (*theirs.read(), *second.read())] == [b"from bob", b"to bob"]


def test_a_restart_at_the_same_udp_port_sends_nothing_but_the_answers() -> None:
    network, server, [alice] = network_with("alice")
    with network:
        connect(network, alice, server)
        alice.crash()
        alice.events.clear()
        alice.restart()
        network.recording.clear()
        connect(network, alice, server)
        network.run_for(5)
        assert {name for packet in network.packets() for name in packet.chunks} == {
            "INIT",
            "INIT ACK",
            "COOKIE ECHO",
            "COOKIE ACK",
        }


def test_a_peer_that_did_restart_does_not_mind_the_abort() -> None:
    """The ABORT carries the old tag, which the peer has forgotten: it is out of the blue (section 8.4, rule 2)."""
    with Scripted() as lab:
        association = lab.up_incoming()
        old_tag, lab.p_tag = lab.p_tag, 0x12121212
        lab.ask(lab.init(), tag=0, udp_port=40_000)
        told = lab.ask(control.cookie_echo(lab.cookie()), udp_port=40_000)
        assert sorted(line.partition(": ")[2].split()[0] for line in told) == ["ABORT", "COOKIE"]
        abort = next(packet for packet in lab.heard if "ABORT" in packet.chunks)
        assert abort.data[4:8] == old_tag.to_bytes(4, "big")
        assert abort.destination_port == UDP_PORT
        assert not association.ended
        assert [path.encaps_port for path in association.paths] == [40_000]


def test_it_is_told_at_each_address_where_another_udp_port_took_its_place_and_at_no_other() -> None:
    """Only where it is confirmed (RFC 9260 section 5.4)."""
    with Scripted(paths=3) as lab:
        lab.answers["HEARTBEAT"] = lambda value: []
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.ask(lab.init(addresses=[lab.p.packed[0], lab.p.packed[1]], initiate_tag=0x12121212), tag=0, udp_port=40_000)
        lab.ask(control.cookie_echo(lab.cookie()), udp_port=40_000)
        aborts = [packet.destination_text for packet in lab.heard if "ABORT" in packet.chunks]
        assert aborts == [lab.p.addresses[0]]
