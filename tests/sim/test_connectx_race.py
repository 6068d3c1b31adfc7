"""connectx races its INITs: a dead address costs a tenth of a second (CX2, CX9)."""

from __future__ import annotations

import errno
from itertools import combinations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import LinkSettings, Pair
from sctpx.wire.packet import parse_prefix
from tests.sim.connectx import RTT, attempt, check_that_data_flows, failure, inits


def test_the_next_address_is_asked_every_tenth_of_a_second_and_the_first_answer_wins() -> None:
    with Pair(1, paths=4) as pair:
        pair.cut(1)
        pair.cut(2)
        attempt(pair)
        pair.network.assert_ladder(
            """
            0.00 A 10.0.1.1 -> INIT -> lost 10.0.1.2
            0.10 A 10.0.2.1 -> INIT -> lost 10.0.2.2
            0.20 A 10.0.3.1 -> INIT -> B 10.0.3.2
            0.21 B 10.0.3.2 -> INIT ACK -> A 10.0.3.1
            0.22 A 10.0.3.1 -> COOKIE ECHO -> B 10.0.3.2
            0.23 B 10.0.3.2 -> COOKIE ACK -> A 10.0.3.1
            """,
            ignore=["HEARTBEAT"],
        )


@pytest.mark.parametrize("dead", [set(dead) for count in range(4) for dead in combinations((1, 2, 3, 4), count)])
def test_with_up_to_three_of_four_addresses_silent_it_is_up_in_a_third_of_a_second_and_two_round_trips(
    dead: set[int],
) -> None:
    with Pair(1, paths=4) as pair:
        for path in dead:
            pair.cut(path)
        assert attempt(pair) <= 0.35 + 2 * RTT
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


@pytest.mark.parametrize("count", [10, 20])
@pytest.mark.parametrize("ipv6", [False, True])
def test_only_the_last_of_many_addresses_is_alive(count: int, ipv6: bool) -> None:
    """CX2: no matter how many there are."""
    with Pair(1, paths=count, ipv6=ipv6) as pair:
        for path in range(1, count):
            pair.cut(path)
        assert attempt(pair) == pytest.approx(0.1 * (count - 1) + 2 * RTT)


@pytest.mark.parametrize("delay", [0.01, 0.25, 2.0])
def test_the_delay_between_addresses_is_the_callers(delay: float) -> None:
    with Pair(1, paths=3, config=AssociationConfig(attempt_delay=delay)) as pair:
        pair.cut(1)
        pair.cut(2)
        assert attempt(pair) == pytest.approx(2 * delay + 2 * RTT)


def test_the_attempt_delay_has_a_floor_of_ten_milliseconds() -> None:
    with pytest.raises(ValueError, match="attempt_delay"):
        AssociationConfig(attempt_delay=0.009)


def test_an_answer_that_is_late_does_not_hold_up_the_others() -> None:
    """The first address answers, but only after the second one has: it lost."""
    with Pair(1, paths=2) as pair:
        pair.set_path(1, delay=0.2)
        assert attempt(pair) == pytest.approx(0.1 + 2 * RTT)
        assert pair.a.association.primary is pair.a.association.paths[1]


def test_each_address_has_its_own_t1_init_and_its_own_max_init_retransmits() -> None:
    """RFC 9260 5.1: "there SHOULD be a T1-init and T1-cookie timer for each address of the peer".

    RFC 9260 6.3.3: each expiry doubles RTO, up to RTO.Max. Max.Init.Retransmits is 8 (section 16).
    """
    with Pair(1, paths=3) as pair:
        for path in (1, 2, 3):
            pair.cut(path)
        took = attempt(pair)
        rhythm = [0, 1, 3, 7, 15, 31, 63, 123, 183]
        for number, address in enumerate(pair.b.host.addresses):
            times = [init.time for init in inits(pair.network) if init.to == address]
            assert times == pytest.approx([0.1 * number + time for time in rhythm])
        assert took == pytest.approx(0.2 + 183 + 60)
        assert failure(pair) == errno.ETIMEDOUT


def test_all_inits_are_the_same_bytes_from_the_same_udp_port() -> None:
    """RFC 9260 5.1.6: "the same INIT [...] with the same Initiate Tag [...] is retransmitted"."""
    with Pair(1, paths=5, config=AssociationConfig(max_init_retransmits=3), udp_port=9900) as pair:
        for path in range(1, 6):
            pair.cut(path)
        attempt(pair)
        sent = [packet for packet in pair.network.packets() if packet.chunks == ["INIT"]]
        assert len(sent) == 20
        assert len({packet.data for packet in sent}) == 1
        assert {packet.source_port for packet in sent} == {9900}
        assert {parse_prefix(packet.data)[2] for packet in sent} == {0}  # RFC 9260 8.5.1 A


def test_no_init_leaves_once_an_init_ack_was_accepted() -> None:
    """RFC 9260 5.1 C: "A" stops the T1-init timer and leaves the COOKIE-WAIT state."""
    with Pair(1, paths=6) as pair:
        pair.cut(1)
        pair.network.drop("COOKIE ECHO", times=3)
        attempt(pair)
        accepted = min(packet.sent for packet in pair.network.packets() if packet.chunks[0] == "COOKIE ECHO")
        assert [init.time for init in inits(pair.network, since=accepted) if init.time >= 0] == []
        assert len(inits(pair.network)) == 2


def test_a_lost_init_does_not_stop_the_race() -> None:
    with Pair(1, paths=2) as pair:
        pair.network.drop("INIT", times=2)
        assert attempt(pair) == pytest.approx(1.0 + 2 * RTT)


@pytest.mark.parametrize("seed", range(20))
def test_it_comes_up_whatever_the_network_loses(seed: int) -> None:
    with Pair(seed, paths=4, link=LinkSettings(delay=0.05, jitter=0.1, loss=0.2)) as pair:
        pair.cut(1)
        attempt(pair)
        assert pair.a.events_of(CommunicationUp)
        assert not pair.a.events_of(CannotStart)
        pair.network.set(loss=0.0)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


def test_ipv4_and_ipv6_addresses_race_together() -> None:
    """CX12."""
    both = ["10.0.1.{}", "2001:db8:1::{}", "10.0.2.{}", "2001:db8:2::{}"]
    with Pair(1, a=[form.format(1) for form in both], b=[form.format(2) for form in both]) as pair:
        pair.network.cut("10.0.1.2", "2001:db8:1::2", "10.0.2.2")
        assert attempt(pair) == pytest.approx(0.3 + 2 * RTT)
        assert [path.remote for path in pair.a.association.paths] == list(pair.b.host.packed)
        assert [path.confirmed for path in pair.a.association.paths] == [True] * 4
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


def test_an_address_of_a_family_we_have_none_of_is_refused_at_once() -> None:
    """CX8, a local send error: there is no source address for it."""
    with Pair(1, a=["10.0.1.1"], b=["2001:db8::2", "10.0.1.2"]) as pair:
        assert attempt(pair) == pytest.approx(2 * RTT)


def test_without_udp_encapsulation_it_is_the_same() -> None:
    with Pair(1, paths=4, udp_port=0) as pair:
        pair.cut(1)
        pair.cut(2)
        assert attempt(pair) == pytest.approx(0.2 + 2 * RTT)


def test_addresses_race_to_their_own_udp_ports_and_from_their_own_sources() -> None:
    """CX12: options by address."""
    with Pair(1, a=["10.0.1.1", "10.0.2.1"], b=["10.0.1.2", "10.0.2.2"]) as pair:
        near, far = pair.b.host.packed
        crossed = [PeerAddress(near, 1234, pair.a.host.packed[1]), PeerAddress(far, 9899, pair.a.host.packed[0])]
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, crossed, 5000)
        pair.network.run(lambda: pair.a.host.events)
        pair.network.assert_ladder(
            """
            0.00 A 10.0.2.1 -> INIT -> B 10.0.1.2        # to a port where nobody is: refused
            B 10.0.1.2 -> ICMP ECONNREFUSED -> A 10.0.2.1
            0.02 A 10.0.1.1 -> INIT -> B 10.0.2.2
            B 10.0.2.2 -> INIT ACK -> A 10.0.1.1
            A 10.0.1.1 -> COOKIE ECHO -> B 10.0.2.2
            B 10.0.2.2 -> COOKIE ACK -> A 10.0.1.1
            """,
            ignore=["HEARTBEAT"],
        )
        assert [path.encaps_port for path in association.paths] == [1234, 9899]
        assert [path.local for path in association.paths] == [pair.a.host.packed[1], pair.a.host.packed[0]]


@pytest.mark.parametrize("count", [2, 4, 10, 20])
@pytest.mark.parametrize("lost", ["COOKIE ECHO", "COOKIE ACK"])
def test_one_lost_packet_of_the_winner_does_not_lose_an_attempt_with_one_address_alive(count: int, lost: str) -> None:
    """RFC 9260 5.1: "Retransmissions of [...] COOKIE ECHO chunks SHOULD use all addresses of the peer"; the dead ones,
    too, but not at the cost of the one that answered.
    """
    with Pair(1, paths=count) as pair:
        for path in range(1, count):
            pair.cut(path)
        pair.network.drop(lost)
        took = attempt(pair)
        assert pair.a.events_of(CommunicationUp)
        assert took <= 0.1 * (count - 1) + 10


def test_every_kept_address_gets_a_cookie_echo_before_the_attempt_fails() -> None:
    """All that was alive dies as the race is won; Max.Init.Retransmits counts beyond the first one to each address."""
    config = AssociationConfig(max_init_retransmits=2)
    with Pair(1, paths=12, config=config) as pair:
        pair.network.drop("COOKIE ECHO", times=None)
        attempt(pair)
        assert failure(pair) == errno.ETIMEDOUT
        asked = [packet.destination_text for packet in pair.network.packets() if "COOKIE ECHO" in packet.chunks]
        assert set(asked) == set(pair.b.host.addresses)
        assert len(asked) == 12 + 2


@pytest.mark.parametrize(("pfmr", "state"), [(0, PATH_POTENTIALLY_FAILED), (5, PATH_ACTIVE)])
def test_a_kept_loser_begins_with_one_error_and_carries_nothing_until_it_answers(pfmr: int, state: int) -> None:
    """PF only where one error makes it so (RFC 7829 section 3.2 (2))."""
    with Pair(1, paths=2, config=AssociationConfig(potentially_failed_max_retrans=pfmr)) as pair:
        pair.network.cut("10.0.1.2")
        attempt(pair)
        loser, winner = pair.a.association.paths
        assert (loser.state, loser.error_count) == (state, 1)
        for _ in range(5):
            pair.a.send(bytes(1000))
        pair.network.run_for(0.2)
        assert (loser.flight_size, len(pair.b.received)) == (0, 5)
        assert pair.a.association.primary is winner
