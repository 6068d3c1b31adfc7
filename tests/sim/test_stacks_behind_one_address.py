"""Several stacks behind one IP address: programs of one host, or hosts behind a NAT.

An association is known by its IP addresses and SCTP ports alone (RFC 6951 section 5.4: "the UDP header is removed.
Then, the generic lookup is performed"). Where two stacks use one SCTP port, a peer must find out whether the second one
is the first one restarted.
"""

from __future__ import annotations

import errno
import socket

import pytest

import sctpx
from sctpx.core.association.association import Association, association_of
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationLost, CommunicationUp, PathChange, Restarted
from sctpx.testing import Host, Network
from sctpx.wire import control
from sctpx.wire.codes import CAUSE_OUT_OF_RESOURCE, CAUSE_PROTOCOL_VIOLATION
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


# One SCTP port


def ups(server: Host) -> list[Association]:
    """The server's associations, in the order in which they came up."""
    return [association_of(event) for event in server.events if isinstance(event, CommunicationUp)]


def check_that_both_work(network: Network, ours: Association, theirs: Association) -> None:
    """Messages go both ways between a client and the server."""
    now = network.clock.now
    ours.send(now, b"question")
    theirs.send(now, b"answer")
    network.run_for(1)
    assert ([message[0] for message in theirs.read()], [message[0] for message in ours.read()]) == (
        [b"question"],
        [b"answer"],
    )


@pytest.mark.parametrize("config", [AssociationConfig(), AssociationConfig(on_restart="end")], ids=["continue", "end"])
def test_where_the_first_one_lives_the_second_one_has_an_association_of_its_own(config: AssociationConfig) -> None:
    network, server, [alice, bob] = network_with("alice", "bob", config=config)
    with network:
        first = connect(network, alice, server)
        second = connect(network, bob, server)
        assert network.elapsed == pytest.approx(0.04 + 1.04)  # The COOKIE ECHO went twice.
        assert [type(event) for event in server.events] == [CommunicationUp, CommunicationUp]
        assert [[path.encaps_port for path in association.paths] for association in ups(server)] == [[40_000], [40_001]]
        for _ in range(2):
            check_that_both_work(network, first, ups(server)[0])
            check_that_both_work(network, second, ups(server)[1])


def test_each_of_them_restarts_and_ends_for_itself() -> None:
    network, server, clients = network_with("alice", "bob", "carol")
    with network:
        for client in clients:
            connect(network, client, server)
        _, bob, carol = clients
        bob.crash()
        bob.events.clear()
        bob.restart()
        again = connect(network, bob, server)
        assert [association_of(event) for event in server.events if isinstance(event, Restarted)] == [ups(server)[1]]
        check_that_both_work(network, again, ups(server)[1])
        # Carol has forgotten everything: what is sent there draws an ABORT with a reflected tag, of no other.
        carol.crash()
        carol.restart()
        ups(server)[2].send(network.clock.now, b"?")
        network.run_for(1)
        assert [association.ended for association in ups(server)] == [False, False, True]
        again.shutdown(network.clock.now)
        network.run_for(1)
        assert [association.ended for association in ups(server)] == [False, True, True]


def test_what_icmp_says_of_one_says_nothing_of_the_others() -> None:
    network, server, clients = network_with("alice", "bob", "carol")
    with network:
        for client in clients:
            connect(network, client, server)
        clients[1].udp_port = 41_000  # Nobody has the old UDP port any more.
        ups(server)[1].send(network.clock.now, b"?")
        network.run_for(0.1)
        assert [association.paths[0].error_count for association in ups(server)] == [0, 1, 0]


@pytest.mark.parametrize("config", [AssociationConfig(), AssociationConfig(on_restart="end")], ids=["continue", "end"])
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "ICMP"])
def test_where_nobody_answers_at_the_old_udp_port_it_is_a_restart(config: AssociationConfig, silent: bool) -> None:
    """RFC 6951 section 5.5: a UDP port that is closed stands for a stack that is gone."""
    network, server, [client, other] = network_with("client", "other", config=config)
    with network:
        connect(network, client, server)
        if silent:
            client.crash()
        else:
            client.udp_port = 41_000
        network.recording.clear()
        again = connect(network, other, server)
        restarted = [Restarted] if config.on_restart == "continue" else [CommunicationLost, CommunicationUp]
        told = [type(event) for event in server.events[1:] if not isinstance(event, PathChange)]
        assert told == restarted
        [theirs] = server.stack.endpoints[PORT].associations.values()
        assert [path.encaps_port for path in theirs.paths] == [other.udp_port]
        check_that_both_work(network, again, theirs)


def test_one_that_lives_and_could_not_be_asked_is_told_by_an_abort() -> None:
    network, server, [alice, bob] = network_with("alice", "bob")
    with network:
        first = connect(network, alice, server)
        network.drop("HEARTBEAT", times=None)
        connect(network, bob, server)
        network.run(lambda: first.ended, 1)
        lost = alice.events[-1]
        assert isinstance(lost, CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ECONNRESET, True)
        assert [code for code, _ in lost.causes] == [CAUSE_PROTOCOL_VIOLATION]
        assert b"another UDP port" in lost.causes[0][1]


def test_what_was_lost_before_is_no_proof_that_the_first_one_is_gone() -> None:
    """Whoever waits at that address for a lost packet could cut the first one off."""
    network, server, [alice, bob] = network_with("alice", "bob")
    with network:
        connect(network, alice, server)
        network.drop("DATA", times=None)
        ups(server)[0].send(network.clock.now, b"?")
        network.run(lambda: ups(server)[0].paths[0].error_count == 2, 5)
        before = network.elapsed
        connect(network, bob, server)
        assert network.elapsed - before == pytest.approx(1.04)
        assert len(ups(server)) == 2
        assert not ups(server)[0].ended


def test_nor_is_a_question_that_was_lost() -> None:
    """The second question comes with the next COOKIE ECHO, and is answered until the one after it."""
    network, server, [alice, bob] = network_with("alice", "bob")
    with network:
        connect(network, alice, server)
        network.drop("HEARTBEAT", times=1)
        before = network.elapsed
        connect(network, bob, server)
        assert network.elapsed - before == pytest.approx(3.04)
        assert len(ups(server)) == 2
        assert not ups(server)[0].ended


def test_an_answer_counts_that_takes_no_time() -> None:
    network, server, [alice, bob] = network_with("alice", "bob")
    with network:
        network.set(delay=0)
        connect(network, alice, server)
        connect(network, bob, server)
        assert len(ups(server)) == 2
        assert not ups(server)[0].ended


def test_how_long_an_answer_is_waited_for_does_not_grow_with_timeouts() -> None:
    """The client is gone, and RTO has been doubled to 16 seconds: the restarted client waits three all the same."""
    network, server, [client, other] = network_with("client", "other")
    with network:
        connect(network, client, server)
        client.crash()
        ups(server)[0].send(network.clock.now, b"?")
        network.run(lambda: ups(server)[0].paths[0].error_count == 4, 20)
        before = network.elapsed
        connect(network, other, server)
        assert network.elapsed - before == pytest.approx(3.04)
        assert any(isinstance(event, Restarted) for event in server.events)


def test_an_inactive_path_is_not_asked() -> None:
    """The association begins anew at once."""
    network, server, [client, other] = network_with("client", "other", config=AssociationConfig(path_max_retrans=0))
    with network:
        connect(network, client, server)
        client.crash()
        ups(server)[0].send(network.clock.now, b"?")
        network.run_for(1.5)
        before = network.elapsed
        connect(network, other, server)
        assert network.elapsed - before == pytest.approx(0.04)
        assert any(isinstance(event, Restarted) for event in server.events)


def test_there_are_no_more_than_eight_of_them() -> None:
    """Each INIT from that address looks at all of them."""
    network, server, clients = network_with(*[f"client{number}" for number in range(9)])
    with network:
        for client in clients[:8]:
            connect(network, client, server)
        clients[8].open_endpoint(CLIENT_PORT).connect(network.clock.now, server.peer_addresses, PORT)
        network.run(lambda: clients[8].events)
        [refused] = clients[8].events
        assert isinstance(refused, CannotStart)
        assert [code for code, _ in refused.causes] == [CAUSE_OUT_OF_RESOURCE]
        assert [association.ended for association in ups(server)] == [False] * 8


def test_the_one_that_a_restart_ends_takes_no_place_of_the_eight() -> None:
    network, server, clients = network_with(
        *[f"client{number}" for number in range(8)], config=AssociationConfig(on_restart="end")
    )
    with network:
        for client in clients:
            connect(network, client, server)
        clients[3].crash()
        clients[3].events.clear()
        clients[3].restart()
        again = connect(network, clients[3], server)
        assert [association.ended for association in ups(server)] == [False] * 3 + [True] + [False] * 5
        check_that_both_work(network, again, ups(server)[8])


def test_two_that_come_at_the_same_time_both_come_up() -> None:
    """When the second INIT is answered, there is no association with the first one yet."""
    network, server, [alice, bob] = network_with("alice", "bob")
    with network:
        endpoints = [client.open_endpoint(CLIENT_PORT) for client in (alice, bob)]
        pairs = [endpoint.connect(network.clock.now, server.peer_addresses, PORT) for endpoint in endpoints]
        network.run(lambda: len(ups(server)) == 2, 5)
        network.run(lambda: alice.events and bob.events)
        by_port = {association.paths[0].encaps_port: association for association in ups(server)}
        for client, association in zip((alice, bob), pairs, strict=True):
            check_that_both_work(network, association, by_port[client.udp_port])


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
        echo = control.cookie_echo(lab.cookie())
        assert [packet.split(" ")[1] for packet in lab.ask(echo, udp_port=40_000)] == ["HEARTBEAT"]
        lab.network.run_for(0.9)
        assert [packet.split(" ")[1] for packet in lab.ask(echo, udp_port=40_000)] == ["HEARTBEAT"]
        lab.network.run_for(1.9)
        told = lab.ask(echo, udp_port=40_000)
        assert sorted(line.partition(": ")[2].split()[0] for line in told) == ["ABORT", "COOKIE"]
        abort = next(packet for packet in lab.heard if "ABORT" in packet.chunks)
        assert abort.data[4:8] == old_tag.to_bytes(4, "big")
        assert abort.destination_port == UDP_PORT
        assert not association.ended
        assert [path.encaps_port for path in association.paths] == [40_000]


def test_it_is_told_at_each_address_where_another_udp_port_took_its_place_and_at_no_other() -> None:
    """Only where it is confirmed (RFC 9260 section 5.4)."""
    with Scripted(paths=3) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.ask(lab.init(addresses=list(lab.p.packed[:2]), initiate_tag=0x12121212), tag=0, udp_port=40_000)
        for _ in range(3):
            lab.ask(control.cookie_echo(lab.cookie()), udp_port=40_000, seconds=1)
        aborts = [packet.destination_text for packet in lab.heard if "ABORT" in packet.chunks]
        assert aborts == [lab.p.addresses[0]]


def test_a_copy_of_the_cookie_echo_right_behind_it_does_not_hurry_the_answer() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        lab.ask(lab.init(initiate_tag=0x12121212), tag=0, udp_port=40_000)
        echo = control.cookie_echo(lab.cookie())
        for _ in range(4):
            lab.say(echo, udp_port=40_000)
        assert [line.split()[1] for line in lab.listen_for(0.4)] == ["HEARTBEAT"]
        assert [path.encaps_port for path in association.paths] == [UDP_PORT]
