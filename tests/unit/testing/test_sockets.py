"""Simulated sockets: virtual time, calls that would wait for ever, hosts and their UDP ports."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

import sctpx
from sctpx import structs as s
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CommunicationUp
from sctpx.testing import Host, LinkSettings, Network, SimulatedSocket, SimulationError
from tests.api.support import raises_errno

PORT = 5000


@pytest.fixture
def network() -> Network:
    network = Network(seed=1, link=LinkSettings(delay=0.05))
    network.add_host("server", ["192.0.2.1", "198.51.100.1"])
    network.add_host("client", ["192.0.2.2"])
    return network


@pytest.fixture
def server(network: Network) -> Host:
    return network.hosts["server"]


@pytest.fixture
def client(network: Network) -> Host:
    return network.hosts["client"]


def listening(host: Host, **options: Any) -> SimulatedSocket:
    sock = host.socket(**options)
    sock.bind(("", PORT))
    sock.listen()
    return sock


def connected(server: Host, client: Host) -> tuple[SimulatedSocket, SimulatedSocket]:
    listener, a = listening(server), client.socket()
    a.connect((server.name, PORT))
    return a, listener.accept()[0]


def test_calls_take_as_long_as_the_packets_are_under_way(network: Network, server: Host, client: Host) -> None:
    a, b = connected(server, client)
    assert network.elapsed == pytest.approx(0.2)  # INIT, INIT ACK, COOKIE ECHO, COOKIE ACK.
    a.send(b"hello")
    assert network.elapsed == pytest.approx(0.2)
    assert b.recv(100) == b"hello"
    assert network.elapsed == pytest.approx(0.25)


def test_the_name_of_a_host_and_other_names_stand_for_addresses(network: Network, server: Host, client: Host) -> None:
    network.names["db.example"] = ["198.51.100.1"]
    listening(server)
    for name, addresses in (("server", list(server.addresses)), ("db.example", ["198.51.100.1"])):
        with client.socket() as a:
            a.connect((name, PORT))
            assert [entry.address for entry in a.report() if entry.listed] == addresses
    with pytest.raises(socket.gaierror, match=r"nobody\.example"):
        client.socket().connect(("nobody.example", PORT))


def test_a_timeout_passes_in_virtual_time(network: Network, server: Host, client: Host) -> None:
    a, _ = connected(server, client)
    a.settimeout(1000)
    before = network.elapsed
    with pytest.raises(TimeoutError):
        a.recv(1)
    assert network.elapsed - before == pytest.approx(1000)


def test_a_call_for_which_nothing_will_ever_happen_says_so_at_once(network: Network, server: Host) -> None:
    listener = listening(server)
    with pytest.raises(SimulationError, match=r"SimulatedSocket one-to-one.* nothing more will happen"):
        listener.accept()
    assert network.elapsed == 0


def test_a_call_that_waits_in_vain_is_given_up_after_an_hour(network: Network, server: Host, client: Host) -> None:
    a, _ = connected(server, client)  # HEARTBEATs go on for ever.
    with pytest.raises(SimulationError, match="in vain"):
        a.recv(1)
    assert network.elapsed == pytest.approx(3600, abs=1)


def test_a_socket_that_does_not_wait_lets_no_time_pass(network: Network, server: Host, client: Host) -> None:
    listening(server)
    a = client.socket()
    a.setblocking(False)
    with pytest.raises(sctpx.ConnectInProgress):
        a.connect(("server", PORT))
    assert network.elapsed == 0
    network.run(lambda: a.writable)
    a.send(b"up")
    with raises_errno(errno.EAGAIN):
        a.recv(1)


def test_the_functions_of_rfc_6458_take_simulated_sockets(server: Host, client: Host) -> None:
    listener, a = listening(server), client.socket()
    assoc_id = sctpx.sctp_connectx(a, [("192.0.2.1", PORT), ("198.51.100.1", PORT)])
    assert sctpx.sctp_getassocid(a, ("192.0.2.1", PORT)) == assoc_id
    b, _ = listener.accept()
    sctpx.sctp_sendv(b, b"data", info=s.SndInfo(snd_ppid=60))
    data, _, info, _ = sctpx.sctp_recvmsg(a, 100)
    assert info is not None
    assert (data, info.sinfo_ppid) == (b"data", 60)


def test_a_cut_path_is_survived_as_in_real_life(network: Network, server: Host, client: Host) -> None:
    a, b = connected(server, client)
    network.cut("192.0.2.1")
    for number in range(20):
        a.send(b"%d" % number)
    assert [b.recv(100) for _ in range(20)] == [b"%d" % number for number in range(20)]
    assert network.elapsed > 0.2


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> str:
        with Network(seed=3, link=LinkSettings(delay=0.02, jitter=0.01, loss=0.1)) as network:
            hosts = [network.add_host(name, [f"10.0.0.{number}"]) for number, name in enumerate("AB", 1)]
            listener, a = listening(hosts[1]), hosts[0].socket()
            a.connect(("B", PORT))
            b, _ = listener.accept()
            for _ in range(20):
                a.send(bytes(1000))
                assert b.recv(2000) == bytes(1000)
            return network.ladder(addresses=True, details=True)

    assert run() == run()


def test_sockets_without_a_udp_port_of_their_own_share_one_and_listeners_have_the_usual_one(
    server: Host, client: Host
) -> None:
    listener = listening(server)
    several = [client.socket() for _ in range(3)]
    for sock in several:
        sock.connect(("server", PORT))
    assert listener.udp_port == 9899
    assert len({sock.udp_port for sock in several}) == 1
    assert several[0].udp_port not in (0, 9899)


def test_a_udp_port_of_another_program_is_in_use(server: Host) -> None:
    server.busy_udp_ports.add(9899)
    with raises_errno(errno.EADDRINUSE):
        listening(server)
    assert listening(server, udp_port=9900).udp_port == 9900


def test_a_listener_on_any_port_is_found_though_another_program_has_the_usual_udp_port(server: Host) -> None:
    server.busy_udp_ports.add(9899)
    listener, a, named = server.socket(), server.socket(), server.socket(udp_port=9900)
    for sock in (listener, named):
        sock.bind(("192.0.2.1", 0))
        sock.listen()
    a.connect(listener.getsockname())
    assert listener.accept()[1] == a.getsockname()
    with pytest.raises(ConnectionRefusedError):
        server.socket().connect(named.getsockname())


def test_any_port_is_one_that_a_listener_can_have_at_the_usual_udp_port(server: Host) -> None:
    drawn = server.socket()
    drawn.bind(("192.0.2.1", 0))
    first = drawn.getsockname()[1]
    for number in (*range(16384, 32768, 2), *range(first + 1, first + 10)):  # Half of those that are drawn later.
        server.socket().bind(("192.0.2.1", number))
    for _ in range(20):
        sock = server.socket()
        sock.bind(("192.0.2.1", 0))
        sock.listen()
        assert sock.udp_port == 9899


def test_a_udp_port_is_free_again_when_its_last_socket_is_gone(network: Network, server: Host, client: Host) -> None:
    a, b = connected(server, client)
    a.close()
    assert b.recv(1) == b""
    b.close()
    assert listening(client, udp_port=a.udp_port or 1).udp_port
    network.run_for(1)
    assert {packet.fate for packet in network.packets()} == {"delivered"}


def test_sockets_and_the_stack_of_a_host_are_apart(network: Network, server: Host, client: Host) -> None:
    listening(server, udp_port=9900)
    own = server.open_endpoint(PORT)
    own.listen()
    client.socket(peer_udp_port=9900).connect(("server", PORT))
    assert own.associations == {}
    client.open_endpoint().connect(client.now, [PeerAddress(server.packed[0], 9899)], PORT)
    network.run(lambda: own.associations and any(isinstance(event, CommunicationUp) for event in client.events[-1:]))


def test_without_udp_sockets_speak_over_ip_directly() -> None:
    with Network() as network:
        hosts = [network.add_host(name, [f"10.0.0.{number}"], udp_port=0) for number, name in enumerate("AB", 1)]
        a, b = connected(hosts[1], hosts[0])
        a.send(b"native")
        assert b.recv(100) == b"native"
        assert (a.udp_port, b.udp_port) == (0, 0)


def test_a_host_that_starts_anew_has_closed_its_sockets_and_their_peers_are_told(
    network: Network, server: Host, client: Host
) -> None:
    a, b = connected(server, client)
    server.crash()
    network.run_for(1)
    server.restart()
    with raises_errno(errno.EBADF):
        b.recv(1)
    listening(server)
    a.send(b"who are you?")
    with pytest.raises(sctpx.AssociationAborted):
        a.recv(1)


def test_a_call_that_would_wait_cannot_be_made_while_the_network_runs(
    network: Network, server: Host, client: Host
) -> None:
    a, _ = connected(server, client)
    network.at(1, lambda: a.recv(1))
    with pytest.raises(RuntimeError, match="running already"):
        network.run_for(2)


def test_ipv6_addresses_and_families() -> None:
    with Network() as network:
        a = network.add_host("A", ["2001:db8::1", "10.0.0.1"])
        b = network.add_host("B", ["2001:db8::2"])
        listener = listening(a, family=sctpx.AF_INET6)
        assert {address[0] for address in listener.getladdrs()} == {"2001:db8::1", "10.0.0.1"}
        sock = b.socket(sctpx.AF_INET6)
        sock.connect(("A", PORT))
        with pytest.raises(socket.gaierror):
            b.socket().connect(("B", PORT))
        with raises_errno(errno.ENETUNREACH):
            b.socket().connect(("10.0.0.1", PORT))


def test_a_peer_that_restarts_is_served_by_the_socket_that_took_the_port_over(server: Host, client: Host) -> None:
    """What a closed socket left with the old life of the peer ends with that."""
    a, b = client.socket(udp_port=9901), listening(server)
    a.bind(("", 2905))
    a.connect(("server", PORT))
    left = b.accept()[0]
    left.send(b"never read")
    client.crash()
    left.close()
    b.close()
    client.restart()
    with server.socket() as again, client.socket(udp_port=9901) as anew:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("", PORT))
        again.listen()
        anew.bind(("", 2905))
        anew.connect(("server", PORT))
        anew.send(b"hello again")
        accepted, _ = again.accept()
        assert accepted.recv(100) == b"hello again"
        accepted.send(b"welcome")
        assert anew.recv(100) == b"welcome"
