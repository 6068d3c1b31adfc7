"""connectx races encapsulations as it races addresses: native SCTP first, SCTP over UDP half an attempt_delay later.

An address that is tried in both ways is one path. The promises CX1 to CX12 hold as they do for addresses, and those of
RFC 6951: a path keeps the encapsulation of the packets that pass the checks of RFC 9260 section 8.5, and no INIT, early
or late, changes it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import product
from typing import Final, Literal

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.connect import ANSWER_NAMES, AddressReport
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import (
    CHANGE_PRIMARY,
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    PathChange,
    Restarted,
)
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import SECOND, Host, LinkSettings, Network, Packet
from sctpx.wire import causes, control
from sctpx.wire.packet import chunks, finish_packet, prefix
from tests.sim.connectx import answer_to, is_init
from tests.sim.scripted import PORT, return_by_icmp

UDP: Final = 9899
NATIVE: Final = 0
RTT: Final = 0.02
Speaks = Literal["native", "udp", "both", "neither"]


class Lab:
    """Host A, which has both, and host B, which speaks what the test says."""

    def __init__(
        self, speaks: Speaks = "both", paths: int = 1, config: AssociationConfig | None = None, b_port: int = PORT
    ) -> None:
        self.network = Network(1, link=LinkSettings(delay=RTT / 2))
        self.a = self.network.add_host("A", [f"10.0.{n}.1" for n in range(1, paths + 1)], native=True)
        b_addresses = [f"10.0.{n}.2" for n in range(1, paths + 1)]
        udp_port = {"native": 0, "udp": UDP, "both": UDP, "neither": 7777}[speaks]
        self.b = self.network.add_host("B", b_addresses, udp_port, native=speaks == "both")
        self.b_endpoint = self.b.open_endpoint(b_port)
        self.b_endpoint.listen()
        self.a_endpoint = self.a.open_endpoint(PORT, config)

    def start(self, ips: Sequence[bytes] = ()) -> Association:
        """A begins to connect to these addresses of B, by default all, in both ways."""
        ways = ((NATIVE, False), (UDP, True))
        remotes = [PeerAddress(ip, port, alternative=other) for ip in ips or self.b.packed for port, other in ways]
        return self.a_endpoint.connect(self.a.now, remotes, PORT)

    def connect(self) -> Association:
        """A connects, and that is decided."""
        association = self.start()
        self.network.run(lambda: self.events(CannotStart) or self.events(CommunicationUp), 1000)
        return association

    def events(self, kind: type) -> list[object]:
        """What A was told of that kind."""
        return [event for event in self.a.events if isinstance(event, kind)]

    def cut_way(self, udp_port: int, *addresses: str) -> None:
        """Packets in this encapsulation vanish, from and to these addresses, or all."""

        def is_it(packet: Packet) -> bool:
            by_udp = bool(packet.source_port or packet.destination_port)
            at = {packet.source_text, packet.destination_text}
            return by_udp == bool(udp_port) and (not addresses or not at.isdisjoint(addresses))

        self.network.drop(is_it, times=None)

    @property
    def b_association(self) -> Association:
        [association] = self.b_endpoint.associations.values()
        return association

    def check_data(self) -> None:
        """Messages pass in both directions."""
        a, b = next(iter(self.a_endpoint.associations.values())), self.b_association
        a.send(self.a.now, b"to B")
        b.send(self.b.now, b"to A")
        self.network.run_for(5)
        assert [message[0] for message in b.read()] == [b"to B"]
        assert [message[0] for message in a.read()] == [b"to A"]

    def inits(self) -> list[tuple[float, str, int]]:
        """When A's INITs left, where to and to which UDP port."""
        return [
            (
                round((packet.sent - self.network.clock.start) / SECOND, 6),
                packet.destination_text,
                packet.destination_port,
            )
            for packet in self.network.packets()
            if packet.chunks == ["INIT"] and self.network.name_of(packet.source) == "A"
        ]

    def encapsulations(self) -> tuple[list[int], list[int]]:
        """The UDP ports of the paths of A and of B."""
        [a] = self.a_endpoint.associations.values()
        return [path.encaps_port for path in a.paths], [path.encaps_port for path in self.b_association.paths]


def told(association: Association) -> list[tuple[int, int, str, bool]]:
    """UDP port, INITs, answer and whether it was kept, of each entry of the report."""
    return [(entry.udp_port, entry.inits, ANSWER_NAMES[entry.answer], entry.kept) for entry in association.report]


# --- who wins ---


def test_a_peer_with_both_is_reached_natively_and_udp_is_not_asked() -> None:
    lab = Lab()
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE)]
        assert told(association) == [(NATIVE, 1, "INIT ACK", True), (UDP, 0, "not asked", False)]
        assert lab.network.elapsed == pytest.approx(2 * RTT)
        lab.check_data()
        assert lab.encapsulations() == ([NATIVE], [NATIVE])


def test_a_peer_with_udp_alone_refuses_native_packets_by_icmp_and_udp_is_asked_at_once() -> None:
    lab = Lab("udp")
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE), (RTT, "10.0.1.2", UDP)]
        assert told(association) == [(NATIVE, 1, "ICMP", False), (UDP, 1, "INIT ACK", True)]
        assert association.report[0].error == errno.ENOPROTOOPT
        lab.check_data()
        assert lab.encapsulations() == ([UDP], [UDP])


def test_where_native_packets_vanish_udp_is_asked_half_an_attempt_delay_later() -> None:
    """Most firewalls drop IP protocol 132."""
    lab = Lab()
    lab.cut_way(NATIVE)
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE), (0.05, "10.0.1.2", UDP)]
        assert told(association) == [(NATIVE, 1, "silence", False), (UDP, 1, "INIT ACK", True)]
        [path] = association.paths
        assert (path.confirmed, path.state) == (True, PATH_ACTIVE)
        lab.check_data()


@pytest.mark.parametrize("vanishes", [False, True])
def test_a_peer_with_native_sctp_alone(vanishes: bool) -> None:
    lab = Lab("native")
    if vanishes:
        lab.cut_way(UDP)
    with lab.network:
        association = lab.connect()
        assert told(association) == [(NATIVE, 1, "INIT ACK", True), (UDP, 0, "not asked", False)]
        lab.check_data()


def test_a_refusal_of_the_other_way_that_comes_behind_the_init_ack_only_enters_the_report() -> None:
    lab = Lab("native")
    lab.network.set(delay=0.1)
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE), (0.05, "10.0.1.2", UDP)]
        assert told(association) == [(NATIVE, 1, "INIT ACK", True), (UDP, 1, "ICMP", False)]
        assert [path.state for path in association.paths] == [PATH_ACTIVE]
        lab.check_data()


# --- nobody wins ---


def test_an_address_has_refused_when_both_ways_have() -> None:
    lab = Lab("neither", paths=2)
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [
            (0.0, "10.0.1.2", NATIVE),
            (0.02, "10.0.1.2", UDP),
            (0.04, "10.0.2.2", NATIVE),
            (0.06, "10.0.2.2", UDP),
        ]
        [event] = lab.events(CannotStart)
        assert isinstance(event, CannotStart)
        assert event.error == errno.ECONNREFUSED
        assert lab.network.elapsed == pytest.approx(0.08)
        assert told(association) == [(NATIVE, 1, "ICMP", False), (UDP, 1, "ICMP", False)] * 2


@pytest.mark.parametrize("silent", [NATIVE, UDP])
def test_an_address_that_is_silent_in_one_way_has_not_refused(silent: int) -> None:
    lab = Lab("neither", config=AssociationConfig(max_init_retransmits=2))
    lab.cut_way(silent)
    with lab.network:
        association = lab.connect()
        [event] = lab.events(CannotStart)
        assert isinstance(event, CannotStart)
        assert event.error == errno.ETIMEDOUT
        answers = {entry.udp_port: (entry.inits, ANSWER_NAMES[entry.answer]) for entry in association.report}
        assert answers == {silent: (3, "silence"), UDP - silent: (1, "ICMP")}


def test_what_the_network_says_of_both_ways_is_the_error() -> None:
    lab = Lab()
    lab.network.refuse("10.0.1.2", errno.EHOSTUNREACH)
    with lab.network:
        lab.connect()
        [event] = lab.events(CannotStart)
        assert isinstance(event, CannotStart)
        assert event.error == errno.EHOSTUNREACH


def test_an_abort_refuses_one_way_and_the_other_is_asked_at_once() -> None:
    """The host answers native packets, but nobody has the port there (RFC 9260 section 8.4)."""
    lab = Lab()

    def refuse(packet: Packet) -> bool:
        if is_init(packet) and not packet.destination_port:
            abort = answer_to(packet, control.abort([]))
            answer = Packet(lab.network.clock.now, packet.destination, packet.source, NATIVE, NATIVE, abort)
            lab.network.at(RTT / 2, lambda: lab.network.carry(answer))
            return False
        return True

    lab.network.filters.append(refuse)
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE), (RTT, "10.0.1.2", UDP)]
        assert told(association) == [(NATIVE, 1, "ABORT", False), (UDP, 1, "INIT ACK", True)]
        lab.check_data()


# --- several addresses ---


def test_the_time_of_each_address_is_what_it_was() -> None:
    """CX9: the addresses begin an attempt_delay apart; each has both ways within its own time."""
    lab = Lab(paths=3)
    for path in (1, 2, 3):
        lab.network.cut(f"10.0.{path}.2")
    with lab.network:
        lab.start()
        lab.network.run_for(0.5)
        assert lab.inits() == [
            (0.0, "10.0.1.2", NATIVE),
            (0.05, "10.0.1.2", UDP),
            (0.1, "10.0.2.2", NATIVE),
            (0.15, "10.0.2.2", UDP),
            (0.2, "10.0.3.2", NATIVE),
            (0.25, "10.0.3.2", UDP),
        ]


@pytest.mark.parametrize("speaks", ["native", "udp", "both"])
@pytest.mark.parametrize("dead", [1, 2, 3])
def test_dead_first_addresses_cost_a_tenth_of_a_second_each(speaks: Speaks, dead: int) -> None:
    lab = Lab(speaks, paths=4)
    for path in range(1, dead + 1):
        lab.network.cut(f"10.0.{path}.2")
    with lab.network:
        association = lab.connect()
        refused = RTT if speaks == "udp" else 0
        assert lab.network.elapsed == pytest.approx(0.1 * dead + refused + 2 * RTT)
        expected = UDP if speaks == "udp" else NATIVE
        assert [path.encaps_port for path in association.paths] == [expected] * 4
        assert [path.confirmed for path in association.paths] == [True] * 4  # CX3
        assert association.primary is association.paths[dead]
        lab.check_data()


def test_the_first_address_is_the_primary_one_when_it_answers_later_in_either_way() -> None:
    """CX10: the caller's choice is of an address, not of an encapsulation."""
    lab = Lab(paths=2)
    lab.network.cut("10.0.1.2")
    with lab.network:
        association = lab.connect()
        assert association.primary is association.paths[1]
        lab.network.heal("10.0.1.2")
        lab.network.run_for(40)
        assert association.primary is association.paths[0]
        changes = [event for event in lab.events(PathChange) if isinstance(event, PathChange)]
        assert [event.remote for event in changes if event.what == CHANGE_PRIMARY] == [lab.b.packed[0]]
        lab.check_data()


def test_the_other_addresses_begin_with_the_encapsulation_of_the_winner() -> None:
    """RFC 6951 section 5.4: that of the packet with the INIT ACK. What is left to learn is learnt from packets."""
    lab = Lab(paths=3)
    lab.cut_way(NATIVE)
    with lab.network:
        association = lab.connect()
        assert told(association)[:2] == [(NATIVE, 1, "silence", False), (UDP, 1, "INIT ACK", True)]
        assert lab.encapsulations()[0] == [UDP] * 3
        lab.network.run_for(60)
        assert [path.state for path in association.paths] == [PATH_ACTIVE] * 3
        assert lab.encapsulations() == ([UDP] * 3, [UDP] * 3)


def test_an_address_that_stayed_silent_in_any_way_begins_potentially_failed() -> None:
    lab = Lab(paths=2)
    lab.network.cut("10.0.1.2")
    with lab.network:
        association = lab.connect()
        assert [path.state for path in association.paths] == [PATH_POTENTIALLY_FAILED, PATH_ACTIVE]
        assert not lab.events(PathChange)
        lab.network.heal("10.0.1.2")
        lab.network.run_for(2)
        assert [path.state for path in association.paths] == [PATH_ACTIVE, PATH_ACTIVE]


# --- the rules of an attempt ---


def test_all_inits_are_the_same_bytes_and_none_leaves_after_an_init_ack() -> None:
    lab = Lab(paths=4)
    for path in (1, 2, 3):
        lab.network.cut(f"10.0.{path}.2")
    with lab.network:
        lab.connect()
        lab.network.run_for(100)
        sent = {packet.data for packet in lab.network.packets() if packet.chunks == ["INIT"]}
        assert len(sent) == 1
        assert lab.inits()[-1] == (0.3, "10.0.4.2", NATIVE)


def test_each_way_has_its_own_t1_init_and_its_own_max_init_retransmits() -> None:
    lab = Lab(config=AssociationConfig(max_init_retransmits=2))
    lab.network.cut("10.0.1.2")
    with lab.network:
        association = lab.connect()
        times = (0.0, 1.0, 3.0)
        expected = [(time + late, "10.0.1.2", port) for time in times for late, port in ((0, NATIVE), (0.05, UDP))]
        assert lab.inits() == expected
        assert told(association) == [(NATIVE, 3, "silence", False), (UDP, 3, "silence", False)]
        assert lab.network.elapsed == pytest.approx(7.05)


def test_in_rotation_native_goes_round_all_addresses_before_udp() -> None:
    lab = Lab(paths=2, config=AssociationConfig(attempt_delay=None, max_init_retransmits=1))
    lab.network.cut("10.0.1.2", "10.0.2.2")
    with lab.network:
        lab.connect()
        assert lab.inits() == [
            (0.0, "10.0.1.2", NATIVE),
            (1.0, "10.0.2.2", NATIVE),
            (2.0, "10.0.1.2", UDP),
            (3.0, "10.0.2.2", UDP),
            (4.0, "10.0.1.2", NATIVE),
            (6.0, "10.0.2.2", NATIVE),
            (8.0, "10.0.1.2", UDP),
            (10.0, "10.0.2.2", UDP),
        ]


def test_in_rotation_a_refusal_moves_on_at_once() -> None:
    lab = Lab("udp", paths=2, config=AssociationConfig(attempt_delay=None))
    with lab.network:
        association = lab.connect()
        assert lab.inits() == [(0.0, "10.0.1.2", NATIVE), (0.02, "10.0.2.2", NATIVE), (0.04, "10.0.1.2", UDP)]
        assert lab.encapsulations()[0] == [UDP, UDP]
        assert not association.ended


@pytest.mark.parametrize("winner", [NATIVE, UDP])
def test_after_a_stale_cookie_the_way_that_was_kept_is_asked_again(winner: int) -> None:
    lab = Lab("udp" if winner else "native")
    with lab.network:
        stale: list[Packet] = []

        def make_stale(packet: Packet) -> bool:
            if packet.chunks == ["COOKIE ECHO"] and not stale:
                stale.append(packet)
                error = answer_to_echo(association, control.error([causes.stale_cookie(1)]))
                answer = Packet(
                    lab.network.clock.now, packet.destination, packet.source, winner, packet.source_port, error
                )
                lab.network.at(RTT / 2, lambda: lab.network.carry(answer))
                return False
            return True

        lab.network.filters.append(make_stale)
        association = lab.start()
        lab.network.run(lambda: lab.events(CommunicationUp), 100)
        assert len(stale) == 1
        assert lab.inits()[-1][2] == winner
        assert {entry.udp_port: entry.kept for entry in association.report} == {winner: True, UDP - winner: False}
        lab.check_data()


def answer_to_echo(association: Association, chunk: bytes) -> bytes:
    """A packet with this chunk and the tag of A."""
    return finish_packet(prefix(PORT, PORT, association.tcb.local_tag), chunk)


# --- INITs that arrive when the association is up ---


@pytest.mark.parametrize("late", [NATIVE, UDP])
@pytest.mark.parametrize("paths", [1, 3])
def test_the_losers_init_arrives_when_the_association_is_up(late: int, paths: int) -> None:
    """The server has the duplicate of RFC 9260 section 5.2.2; no path changes its encapsulation (RFC 6951 5.4)."""
    lab = Lab(paths=paths, config=AssociationConfig(heartbeat_interval=0.0))
    with lab.network:
        # The winner is asked in both ways, and only one of the INITs gets there in time.
        held = lab.network.hold(lambda packet: is_init(packet) and packet.destination_port == late, times=None)
        if late == UDP:
            lab.network.set(delay=0.06)  # Both have been asked before anybody answers.
        association = lab.connect()
        lab.network.run_for(1)
        winner = UDP - late
        before = lab.encapsulations()
        assert before == ([winner] * paths, [winner] * paths)
        assert held.packets
        tags = association.tcb.peer_tag, lab.b_association.tcb.peer_tag
        for packet in held.packets:
            packet.release()
        lab.network.run_for(1)
        assert lab.encapsulations() == before
        assert (association.tcb.peer_tag, lab.b_association.tcb.peer_tag) == tags
        answers = {ANSWER_NAMES[entry.answer] for entry in association.report if entry.udp_port == late and entry.inits}
        assert answers == {"INIT ACK"}
        assert [entry.kept for entry in association.report if entry.udp_port == late] == [False] * paths
        assert not lab.events(Restarted)
        lab.check_data()
        lab.network.run_for(100)
        assert lab.encapsulations() == before
        lab.check_data()


ABORTS: Final = {
    "8.4": control.abort([]),
    "5.1": control.abort([causes.out_of_resource()]),
    "5.2.2": control.abort([causes.restart_with_new_addresses([bytes(4)])]),
}


@pytest.mark.parametrize(("late", "abort"), list(product([NATIVE, UDP], ABORTS)))
def test_an_abort_that_answers_the_losers_init_does_no_harm(late: int, abort: str) -> None:
    """Each INIT, by address and encapsulation, excuses one ABORT; the path of the winner stays active."""
    lab = Lab(config=AssociationConfig(heartbeat_interval=0.0))
    with lab.network:
        held = lab.network.hold(lambda packet: is_init(packet) and packet.destination_port == late, times=None)
        if late == UDP:
            lab.network.set(delay=0.06)
        association = lab.connect()
        lab.network.run_for(0.5)
        [init] = held.packets
        answer = answer_to(init, ABORTS[abort])
        for count in range(2):
            lab.network.carry(
                Packet(lab.network.clock.now, init.destination, init.source, late, init.source_port, answer)
            )
            lab.network.run_for(0.5)
            assert association.ended == (count == 1)
            if not count:
                assert [path.state for path in association.paths] == [PATH_ACTIVE]
                assert not lab.events(PathChange)
                entry = find(association.report, late)
                assert ANSWER_NAMES[entry.answer] == "ABORT"
                lab.check_data()
        assert len(lab.events(CommunicationLost)) == 1


def find(report: list[AddressReport], udp_port: int) -> AddressReport:
    """The one entry with that UDP port."""
    [entry] = [entry for entry in report if entry.udp_port == udp_port]
    return entry


@pytest.mark.parametrize("late", [NATIVE, UDP])
def test_a_late_icmp_error_about_the_losers_init_only_enters_the_report(late: int) -> None:
    lab = Lab(config=AssociationConfig(heartbeat_interval=0.0))
    with lab.network:
        held = lab.network.hold(lambda packet: is_init(packet) and packet.destination_port == late, times=None)
        if late == UDP:
            lab.network.set(delay=0.06)
        association = lab.connect()
        lab.network.run_for(0.5)
        [init] = held.packets
        return_by_icmp(lab.network, init, errno.ECONNREFUSED if late else errno.ENOPROTOOPT)
        lab.network.run_for(0.5)
        assert ANSWER_NAMES[find(association.report, late).answer] == "ICMP"
        assert [path.state for path in association.paths] == [PATH_ACTIVE]
        lab.check_data()


# --- paths that change their encapsulation ---


@pytest.mark.parametrize("winner", [NATIVE, UDP])
def test_a_path_follows_the_packets_of_the_association(winner: int) -> None:
    """RFC 6951 section 5.4: the UDP port of each packet with the right tag is stored; the PMTU goes with it (5.6)."""
    lab = Lab(config=AssociationConfig(heartbeat_interval=0.0))
    lab.cut_way(UDP - winner)
    with lab.network:
        association = lab.connect()
        lab.network.run_for(1)
        lab.network.filters.clear()
        [path] = association.paths
        [theirs] = lab.b_association.paths
        before = path.mtu
        assert path.encaps_port == theirs.encaps_port == winner
        theirs.set_encapsulation(UDP - winner)
        lab.b_association.send(lab.b.now, b"by another way")
        lab.network.run_for(1)
        assert [message[0] for message in association.read()] == [b"by another way"]
        assert path.encaps_port == UDP - winner
        assert path.mtu == before + (8 if winner == UDP else -8)
        lab.check_data()


def test_a_protocol_unreachable_for_what_went_natively_ends_no_association_over_udp() -> None:
    """ICMP8 is about a peer without SCTP; this one has it, over UDP, where the path goes now."""
    lab = Lab(config=AssociationConfig(heartbeat_interval=0.0))
    lab.cut_way(UDP)
    with lab.network:
        association = lab.connect()
        association.send(lab.a.now, b"natively")
        lab.network.run_for(1)
        lab.network.filters.clear()
        [natively] = [packet for packet in lab.network.packets() if packet.chunks == ["DATA"]]
        [theirs] = lab.b_association.paths
        theirs.set_encapsulation(UDP)
        lab.b_association.send(lab.b.now, b"over UDP")
        lab.network.run_for(1)
        assert [path.encaps_port for path in association.paths] == [UDP]
        assert lab.b_association.read()
        assert association.read()
        return_by_icmp(lab.network, natively, errno.ENOPROTOOPT)
        lab.network.run_for(1)
        assert not association.ended
        lab.check_data()


@pytest.mark.parametrize("first", [NATIVE, UDP])
def test_a_peer_that_restarts_and_comes_in_the_other_way(first: int) -> None:
    """It is the same peer (RFC 6951 section 5.4): a restart, once nobody answers at the old place."""
    lab = Lab(config=AssociationConfig(heartbeat_interval=0.0))
    lab.cut_way(UDP - first)
    with lab.network:
        lab.connect()
        lab.network.run_for(1)
        lab.check_data()
        lab.network.filters.clear()
        lab.a.restart()
        lab.a.events.clear()
        lab.cut_way(first)
        lab.a_endpoint = lab.a.open_endpoint(PORT)
        lab.start()
        lab.network.run(lambda: lab.events(CommunicationUp), 60)
        lab.network.run_for(1)
        assert len([event for event in lab.b.events if isinstance(event, Restarted)]) == 1
        assert lab.encapsulations() == ([UDP - first], [UDP - first])
        lab.check_data()


def test_two_that_begin_at_once_are_one_association() -> None:
    """RFC 9260 section 5.2.1: both race, and their INITs cross in both encapsulations."""
    lab = Lab()
    lab.network.set(delay=0.07)
    with lab.network:
        association = lab.start()
        ways = ((NATIVE, False), (UDP, True))
        remotes = [PeerAddress(ip, port, alternative=other) for ip in lab.a.packed for port, other in ways]
        other = lab.b_endpoint.connect(lab.b.now, remotes, PORT)
        lab.network.run_for(5)
        assert [association.tcb.peer_tag, other.tcb.peer_tag] == [other.tcb.local_tag, association.tcb.local_tag]
        assert lab.b_association is other
        lab.check_data()
        assert lab.encapsulations() == ([NATIVE], [NATIVE])


# --- packets ---


@pytest.mark.parametrize("winner", [NATIVE, UDP])
def test_packets_are_as_large_as_their_encapsulation_lets_them_be(winner: int) -> None:
    """RFC 6951 section 5.6: the UDP header counts."""
    lab = Lab()
    lab.cut_way(UDP - winner)
    with lab.network:
        association = lab.connect()
        association.send(lab.a.now, bytes(100_000))
        lab.network.run_for(5)
        largest = max(packet.ip_size for packet in lab.network.packets() if "DATA" in packet.chunks)
        assert largest == 1500
        assert association.paths[0].mtu == 1480 - (8 if winner else 0)


@pytest.mark.parametrize("way", [NATIVE, UDP])
def test_answers_to_strangers_go_the_way_the_packet_came(way: int) -> None:
    """RFC 6951 section 5.5: nobody has that SCTP port, and the ABORT says so."""
    lab = Lab(b_port=PORT + 1)
    lab.cut_way(UDP - way)
    with lab.network:
        association = lab.connect()
        entry = find(association.report, way)
        assert ANSWER_NAMES[entry.answer] == "ABORT"
        [abort] = [packet for packet in lab.network.packets() if packet.chunks == ["ABORT"]][:1]
        assert (abort.source_port, abort.destination_port) == (way, way)
        assert len(chunks(abort.data)) == 1


def test_hosts_of_the_simulation_carry_both() -> None:
    network = Network(1)
    host = network.add_host("A", ["10.0.1.1"], native=True)
    with pytest.raises(ValueError, match="belongs to another host"):
        network.add_host("B", ["10.0.1.1"], 0)
    assert isinstance(host, Host)
    assert host.hears(host.packed[0], 0)
    assert host.hears(host.packed[0], UDP)
    assert [(one.udp_port, one.alternative) for one in host.peer_addresses] == [(0, False), (UDP, True)]
