"""connectx and the addresses of the peer: listed, duplicate, dropped, learnt (CX3, CX4, CX5, CX7)."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CHANGE_CONFIRMED, CHANGE_STATE, CommunicationUp, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import Pair, pack_address
from sctpx.wire.codes import CHUNK_INIT_ACK
from sctpx.wire.tlv import chunk, item
from tests.sim.connectx import RTT, attempt, check_that_data_flows, inits, reports
from tests.sim.scripted import Scripted


def heartbeats(pair: Pair, to: str) -> list[float]:
    """When A sent HEARTBEATs to an address."""
    return [
        round((packet.sent - pair.network.clock.start) / 1e9, 6)
        for packet in pair.network.packets()
        if "HEARTBEAT" in packet.chunks and packet.destination_text == to
    ]


# CX3


def test_listed_addresses_are_confirmed_when_the_association_comes_up() -> None:
    """RFC 9260 5.4, rule 1: "Any addresses passed to the sender of the INIT chunk by its upper layer in the request
    to initialize an association are automatically considered to be CONFIRMED."
    """
    with Pair(1, paths=4) as pair:
        attempt(pair)
        assert [path.confirmed for path in pair.a.association.paths] == [True] * 4
        assert [event.what for event in pair.a.events_of(PathChange)] == []


def test_the_winner_and_addresses_that_were_not_asked_see_no_heartbeat_before_the_interval_is_over() -> None:
    """RFC 9260 8.3: once per RTO and HB.interval, give or take half an RTO: not before 30.5 s."""
    with Pair(1, paths=3) as pair:
        attempt(pair)
        pair.network.run_for(36)
        for path, address in zip(pair.a.association.paths, pair.b.host.addresses, strict=True):
            assert path.state == PATH_ACTIVE
            assert 30.5 <= heartbeats(pair, address)[0] <= 31.5 + 3  # HB.Max.Burst spreads them.


def test_an_address_that_did_not_answer_starts_potentially_failed_and_is_asked_at_once() -> None:
    """Confirmed is not reachable."""
    with Pair(1, paths=3) as pair:
        pair.set_path(1, delay=0.2)
        attempt(pair)
        slow, winner, unasked = pair.a.association.paths
        assert [path.state for path in (slow, winner, unasked)] == [
            PATH_POTENTIALLY_FAILED,
            PATH_ACTIVE,
            PATH_ACTIVE,
        ]
        pair.network.run_for(1)
        assert heartbeats(pair, "10.0.1.2") == [0.14]
        assert heartbeats(pair, "10.0.2.2") == heartbeats(pair, "10.0.3.2") == []
        assert slow.state == PATH_ACTIVE


def test_several_of_them_are_asked_at_most_hb_max_burst_per_rto() -> None:
    """RFC 9260 5.4: "The number of packets containing HEARTBEAT chunks sent at each RTO SHOULD be limited"."""
    with Pair(1, paths=6) as pair:
        for path in range(1, 6):
            pair.set_path(path, delay=0.3)
        attempt(pair)
        pair.network.run_for(8)
        sent = sorted(time for address in pair.b.host.addresses for time in heartbeats(pair, address))
        assert all(later - sooner >= 1.0 for sooner, later in pairwise(sent))
        assert [path.state for path in pair.a.association.paths] == [PATH_ACTIVE] * 6


@pytest.mark.parametrize("burst", [2, 5])
def test_with_a_larger_hb_max_burst_sooner(burst: int) -> None:
    with Pair(1, paths=6, config=AssociationConfig(heartbeat_max_burst=burst)) as pair:
        for path in range(1, 6):
            pair.cut(path)
        attempt(pair)
        pair.network.run_for(0.5)
        assert sum(len(heartbeats(pair, address)) for address in pair.b.host.addresses) == burst


def test_on_the_server_only_the_address_the_init_ack_was_sent_to_is_confirmed() -> None:
    """RFC 9260 5.4, rule 2."""
    with Pair(1, paths=3) as pair:
        attempt(pair)
        assert [path.confirmed for path in pair.b.association.paths] == [True, False, False]
        pair.network.run_for(4)
        assert [path.confirmed for path in pair.b.association.paths] == [True, True, True]
        assert [event.what for event in pair.b.events_of(PathChange)] == [CHANGE_CONFIRMED] * 2


# CX4


@pytest.mark.parametrize("winner", [1, 2, 3])
def test_an_address_the_init_ack_does_not_list_is_dropped_without_a_word(winner: int) -> None:
    with Pair(1, paths=4) as pair:
        pair.b.endpoint.announce[:] = pair.b.endpoint.local[:] = pair.b.host.packed[:3]
        for path in range(1, winner):
            pair.cut(path)
        attempt(pair)
        assert [path.remote for path in pair.a.association.paths] == list(pair.b.host.packed[:3])
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)
        pair.network.run_for(100)
        assert not [event for event in pair.a.events_of(PathChange) if event.remote == pair.b.host.packed[3]]
        assert heartbeats(pair, "10.0.4.2") == []


def test_an_address_the_init_ack_came_from_is_kept_even_if_it_is_not_listed() -> None:
    """RFC 9260 5.1.2 C: "AND the source IP address that sent the INIT or INIT ACK chunk"."""
    with Pair(1, paths=3) as pair:
        pair.b.endpoint.announce[:] = pair.b.host.packed[1:]
        attempt(pair)
        assert {path.remote for path in pair.a.association.paths} == set(pair.b.host.packed)


def test_an_init_ack_without_addresses_means_its_source_alone() -> None:
    """RFC 9260 5.1.2 A: "MUST take the source IP address from which the chunk arrives [...] as the only"."""
    with Pair(1, paths=3) as pair:
        pair.b.endpoint.announce.clear()
        pair.cut(1)
        attempt(pair)
        assert [path.remote for path in pair.a.association.paths] == [pair.b.host.packed[1]]
        assert [report.kept for report in reports(pair).values()] == [False, True, False]


def test_a_dropped_address_no_longer_belongs_to_the_association() -> None:
    """A second association to it can be set up from the same port."""
    with Pair(1, paths=2) as pair:
        stranger = pair.network.add_host("stranger", ["10.0.9.2"])
        stranger.open_endpoint(5000).listen()
        pair.b.endpoint.listen()
        listed = [*pair.b.host.peer_addresses, *stranger.peer_addresses]
        first = pair.a.endpoint.connect(pair.a.host.now, listed, 5000)
        with pytest.raises(OSError, match="association") as failed:
            pair.a.endpoint.connect(pair.a.host.now, stranger.peer_addresses, 5000)
        assert failed.value.errno == errno.EALREADY
        pair.network.run(lambda: pair.a.host.events)
        assert [path.remote for path in first.paths] == list(pair.b.host.packed)
        second = pair.a.endpoint.connect(pair.a.host.now, stranger.peer_addresses, 5000)
        pair.network.run(lambda: len(pair.a.host.events) == 2)
        assert second.id != first.id
        with pytest.raises(OSError, match="association") as failed:
            pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        assert failed.value.errno == errno.EISCONN


def test_a_list_of_two_machines_gives_an_association_with_the_one_that_answers_first() -> None:
    """A host name may stand for several machines (CX12): the losers fall out."""
    with Pair(1) as pair:
        other = pair.network.add_host("other", ["10.0.9.2"])
        other.open_endpoint(5000).listen()
        pair.b.endpoint.listen()
        pair.network.set("10.0.1.2", delay=0.2)
        listed = [*pair.b.host.peer_addresses, *other.peer_addresses]
        association = pair.a.endpoint.connect(pair.a.host.now, listed, 5000)
        pair.network.run(lambda: pair.a.host.events)
        pair.network.run_for(5)
        assert [path.remote for path in association.paths] == list(other.packed)
        assert not association.ended
        assert pair.b.host.events == []


# Addresses learnt from the INIT ACK


def test_an_address_that_was_not_listed_is_unconfirmed_until_its_nonce_came_back() -> None:
    """RFC 9260 5.4, rule 3, and a HEARTBEAT "including a 64-bit random nonce" at once, one per RTO."""
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        held = pair.network.hold("HEARTBEAT ACK", source="10.0.2.2")
        pair.network.run(lambda: pair.a.host.events)
        listed, learnt = association.paths
        assert (listed.confirmed, learnt.confirmed) == (True, False)
        assert association.primary is listed
        pair.network.run_for(0.5)
        assert heartbeats(pair, "10.0.2.2") == [2 * RTT]
        assert not learnt.confirmed
        held.release()
        pair.network.run_for(0.1)
        assert learnt.confirmed
        changes = pair.a.events_of(PathChange)
        assert [(event.remote, event.what) for event in changes] == [(learnt.remote, CHANGE_CONFIRMED)]
        assert heartbeats(pair, "10.0.1.2") == []


def test_nothing_but_heartbeats_goes_to_an_unconfirmed_address() -> None:
    """RFC 9260 5.4: "An endpoint MUST NOT send any chunks to an UNCONFIRMED address", with exceptions.

    The primary path is cut and data is waiting: it must wait.
    """
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        pair.network.drop("HEARTBEAT ACK", times=None, source="10.0.2.2")
        pair.network.run(lambda: pair.a.host.events)
        pair.cut(1)
        association.send(pair.a.host.now, b"important")
        pair.network.run_for(20)
        to_unconfirmed = [packet.chunks for packet in pair.network.packets() if packet.destination_text == "10.0.2.2"]
        assert len(to_unconfirmed) > 2
        assert all(chunks == ["HEARTBEAT"] or chunks == ["HEARTBEAT ACK"] for chunks in to_unconfirmed)
        assert b"important" in [data for data, *_ in association.undelivered()]


def test_an_unconfirmed_address_cannot_become_primary() -> None:
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        pair.network.drop("HEARTBEAT ACK", times=None, source="10.0.2.2")
        pair.network.run(lambda: pair.a.host.events)
        with pytest.raises(OSError, match="not confirmed") as refused:
            association.set_primary(pair.a.host.now, pair.b.host.packed[1])
        assert refused.value.errno == errno.EINVAL


def test_an_init_ack_from_an_address_nobody_listed_wins_for_the_listed_one() -> None:
    """The COOKIE ECHO goes to a confirmed address: the one that the caller listed."""
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        addresses = [pack_address(address) for address in lab.p.addresses]
        lab.say(lab.init_ack(addresses=addresses), source="10.0.2.2")
        lab.network.run_for(0.05)
        assert [(packet.destination_text, packet.chunks) for packet in lab.heard] == [
            ("10.0.1.2", ["INIT"]),
            ("10.0.1.2", ["COOKIE ECHO"]),
        ]
        assert [(path.remote, path.confirmed) for path in association.paths] == [
            (addresses[0], True),
            (addresses[1], False),
        ]


def test_an_init_ack_without_addresses_from_an_address_nobody_listed_is_verified_with_the_cookie_echo() -> None:
    """RFC 9260 5.4: a COOKIE ECHO to an unconfirmed address "MUST be bundled with a HEARTBEAT chunk including a
    nonce".
    """
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        value = lab.init_ack()[4:] + item(0xFFF0, b"an unknown parameter that may not be reported there")
        lab.say(chunk(CHUNK_INIT_ACK, 0, value), source="10.0.2.2")
        lab.network.run_for(10)
        echoes = [packet for packet in lab.heard if "COOKIE ECHO" in packet.chunks]
        assert len(echoes) >= 3
        assert {packet.destination_text for packet in echoes} == {"10.0.2.2"}
        assert all(packet.chunks == ["COOKIE ECHO", "HEARTBEAT"] for packet in echoes)
        assert [(path.remote, path.confirmed) for path in association.paths] == [(pack_address("10.0.2.2"), False)]


# CX7, CX5


def test_duplicates_in_the_list_are_one_address() -> None:
    with Pair(1, paths=2) as pair:
        pair.cut(1)
        first, second = pair.b.host.peer_addresses
        pair.b.endpoint.listen()
        again = PeerAddress(first.ip, first.udp_port)
        listed = [first, again, second, first, second]
        association = pair.a.endpoint.connect(pair.a.host.now, listed, 5000)
        pair.network.run(lambda: pair.a.host.events)
        assert [init.to for init in inits(pair.network)] == ["10.0.1.2", "10.0.2.2"]
        assert len(association.paths) == len(association.report) == 2


def test_the_id_is_known_at_once_and_stays() -> None:
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        assert association.id > 0
        assert pair.a.endpoint.associations == {association.id: association}
        pair.network.run(lambda: pair.a.host.events)
        [up] = pair.a.events_of(CommunicationUp)
        assert up.association.id == association.id


def test_ids_are_unique_in_a_stack_and_not_used_again() -> None:
    with Pair(1) as pair:
        seen = set()
        for number in range(5):
            endpoint = pair.a.host.open_endpoint()
            association = endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000 + number)
            seen.add(association.id)
            endpoint.close(pair.a.host.now)
        assert len(seen) == 5


def test_an_empty_list_is_einval() -> None:
    with Pair(1) as pair, pytest.raises(OSError, match="no addresses") as failed:
        pair.a.endpoint.connect(pair.a.host.now, [], 5000)
    assert failed.value.errno == errno.EINVAL


def test_no_path_change_is_told_for_an_association_whose_addresses_all_answer() -> None:
    with Pair(1, paths=4) as pair:
        attempt(pair)
        pair.network.run_for(200)
        assert [event for event in pair.a.events_of(PathChange) if event.what == CHANGE_STATE] == []
