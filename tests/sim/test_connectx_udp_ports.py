"""connectx to one IP address at several UDP ports: each is tried and reported, and the path takes the winner's.

A path has one IP address and therefore one UDP port (RFC 6951 section 5.1). Another stack may be behind the other
port: what it answers later must not touch the association.
"""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.connect import ANSWER_NAMES
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.testing import Host, Network
from sctpx.wire import causes, control
from tests.sim.scripted import PORT, Scripted, return_by_icmp

FIRST, SECOND = 9899, 9900


def network_of(*udp_ports: int) -> tuple[Network, Host, list[Host]]:
    """A client, and servers with one IP address and these UDP ports, which listen on SCTP port 5000."""
    network = Network(1)
    client = network.add_host("A", ["10.0.1.1"])
    servers = [network.add_host(f"B{port}", ["10.0.1.2"], port) for port in udp_ports]
    for server in servers:
        server.open_endpoint(PORT).listen()
    return network, client, servers


def connect(network: Network, client: Host, *udp_ports: int) -> Association:
    """The client connects to the servers' IP address at these UDP ports; run until that is decided."""
    ip = network.hosts[f"B{SECOND}"].packed[0]
    association = client.open_endpoint().connect(client.now, [PeerAddress(ip, port) for port in udp_ports], PORT)
    network.run(lambda: client.events)
    return association


def told(association: Association) -> list[tuple[int, int, str, bool]]:
    """UDP port, INITs, answer and whether it was kept, of each entry of the report."""
    return [(entry.udp_port, entry.inits, ANSWER_NAMES[entry.answer], entry.kept) for entry in association.report]


def check_that_it_works(network: Network, association: Association, server: Host) -> None:
    """A message arrives at that server."""
    association.send(network.clock.now, b"hello")
    network.run_for(1)
    [other] = server.stack.endpoints[PORT].associations.values()
    assert [message[0] for message in other.read()] == [b"hello"]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_udp_port_of_an_address_is_tried_and_reported(position: int) -> None:
    network, client, [server] = network_of(SECOND)
    with network:
        ports = [7001, 7002, 7003]
        ports[position] = SECOND
        association = connect(network, client, *ports)
        assert isinstance(client.events[0], CommunicationUp)
        answers = [(1, "ICMP", False)] * position + [(1, "INIT ACK", True)] + [(0, "not asked", False)] * 2
        assert told(association) == [(port, *answer) for port, answer in zip(ports, answers, strict=False)]
        [path] = association.paths
        assert (path.encaps_port, path.confirmed, path.state) == (SECOND, True, PATH_ACTIVE)
        check_that_it_works(network, association, server)


def test_if_all_refuse_each_is_reported() -> None:
    network, client, _ = network_of(SECOND)
    with network:
        association = connect(network, client, 7001, 7002)
        assert [type(event) for event in client.events] == [CannotStart]
        assert association.report[0].error == errno.ECONNREFUSED
        assert told(association) == [(7001, 1, "ICMP", False), (7002, 1, "ICMP", False)]


def test_an_address_with_its_udp_port_is_tried_once_however_often_it_is_listed() -> None:
    """CX7."""
    network, client, _ = network_of(SECOND)
    with network:
        association = connect(network, client, FIRST, SECOND, FIRST, SECOND)
        assert told(association) == [(FIRST, 1, "ICMP", False), (SECOND, 1, "INIT ACK", True)]


def test_the_slower_of_two_stacks_at_one_address_changes_nothing() -> None:
    """Its INIT ACK is late: it is reported, and neither its UDP port nor its tag is taken (RFC 9260 section 5.2.3)."""
    network, client, [slow, fast] = network_of(FIRST, SECOND)
    with network:
        held = network.hold("INIT ACK", times=1)
        association = connect(network, client, FIRST, SECOND)
        assert told(association) == [(FIRST, 1, "silence", False), (SECOND, 1, "INIT ACK", True)]
        held.release()
        network.run_for(0.1)
        assert told(association) == [(FIRST, 1, "INIT ACK", False), (SECOND, 1, "INIT ACK", True)]
        assert [path.encaps_port for path in association.paths] == [SECOND]
        check_that_it_works(network, association, fast)
        assert slow.stack.endpoints[PORT].associations == {}


def begin(lab: Scripted, *targets: tuple[int, int], config: AssociationConfig | None = None) -> Association:
    """A begins to connect to addresses of P, each by its number and a UDP port."""
    remotes = [PeerAddress(lab.p.packed[number - 1], port) for number, port in targets]
    association = lab.endpoint.connect(lab.a.now, remotes, PORT, config)
    lab.network.run_for(0.015)
    return association


def test_each_init_to_the_other_udp_port_excuses_one_late_abort_and_no_more() -> None:
    """Nobody listens behind the other port, and says so when the association is up."""
    with Scripted(config=AssociationConfig(attempt_delay=1.5, heartbeat_interval=0.0)) as lab:
        association = begin(lab, (1, FIRST), (1, SECOND))
        lab.network.run_for(1.6)
        assert told(association) == [(FIRST, 2, "silence", False), (SECOND, 1, "silence", False)]
        lab.ask(lab.init_ack(), udp_port=SECOND)
        lab.ask(control.cookie_ack(), udp_port=SECOND)
        for _ in range(2):
            assert lab.ask(control.abort([causes.out_of_resource()]), udp_port=FIRST) == []
        assert told(association) == [(FIRST, 2, "ABORT", False), (SECOND, 1, "INIT ACK", True)]
        [path] = association.paths
        assert (path.encaps_port, path.state, association.state) == (SECOND, PATH_ACTIVE, ESTABLISHED)
        lab.say(control.abort([]), udp_port=FIRST)
        lab.network.run_for(0.05)
        assert association.ended


def test_an_icmp_error_that_comes_late_is_reported() -> None:
    """The report must not call an address silent that has said, if only late, that nobody is there."""
    with Scripted() as lab:
        association = begin(lab, (1, FIRST), (1, SECOND))
        lab.network.run_for(0.2)
        lab.ask(lab.init_ack(), udp_port=SECOND)
        return_by_icmp(lab.network, lab.heard[0], errno.ECONNREFUSED)
        lab.network.run_for(0.05)
        assert told(association) == [(FIRST, 1, "ICMP", False), (SECOND, 1, "INIT ACK", True)]
        assert association.report[0].error == errno.ECONNREFUSED


@pytest.mark.parametrize("winner", [FIRST, SECOND])
def test_other_addresses_take_the_udp_port_with_which_the_peer_was_heard(winner: int) -> None:
    """A stack has one UDP port for all its addresses (RFC 6951 section 5.1): that tells two silent ones apart."""
    with Scripted(paths=2) as lab:
        association = begin(lab, (2, FIRST), (1, FIRST), (1, SECOND), (2, SECOND))
        lab.network.run_for(0.5)
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)), udp_port=winner, source="10.0.1.2")
        assert {path.remote: path.encaps_port for path in association.paths} == dict.fromkeys(lab.p.packed, winner)
        kept = [(entry.ip, entry.udp_port) for entry in association.report if entry.kept]
        assert sorted(kept) == [(ip, winner) for ip in lab.p.packed]


def test_a_udp_port_that_refused_comes_last() -> None:
    with Scripted(paths=2) as lab:
        association = begin(lab, (2, FIRST), (2, SECOND), (1, FIRST))
        return_by_icmp(lab.network, lab.heard[0], errno.ECONNREFUSED)
        lab.network.run_for(0.2)
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)), udp_port=FIRST, source="10.0.1.2")
        assert {path.remote: path.encaps_port for path in association.paths} == {
            lab.p.packed[0]: FIRST,
            lab.p.packed[1]: SECOND,
        }


def test_after_a_stale_cookie_only_what_was_kept_is_asked_again() -> None:
    with Scripted() as lab:
        association = begin(lab, (1, FIRST), (1, SECOND))
        lab.network.run_for(0.2)
        lab.ask(lab.init_ack(), udp_port=SECOND)
        lab.ask(control.error([causes.stale_cookie(1)]), udp_port=SECOND)
        lab.network.run_for(0.2)
        assert [packet.destination_port for packet in lab.heard if packet.chunks == ["INIT"]] == [FIRST, SECOND, SECOND]
        lab.ask(lab.init_ack(), udp_port=SECOND)
        assert told(association) == [(FIRST, 1, "silence", False), (SECOND, 2, "INIT ACK", True)]


def test_an_answer_from_another_udp_port_is_that_of_the_address() -> None:
    """A NAT may have given the peer another one (RFC 6951 section 5.1): the report has the port that was asked."""
    with Scripted() as lab:
        association = begin(lab, (1, FIRST))
        lab.ask(lab.init_ack(), udp_port=7777)
        assert told(association) == [(FIRST, 1, "INIT ACK", True)]
        assert [path.encaps_port for path in association.paths] == [7777]
