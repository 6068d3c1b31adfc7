"""Addresses that the peer claims are verified before they are used (RFC 9260 section 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from errno import EMSGSIZE
from itertools import pairwise

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import (
    CHANGE_CONFIRMED,
    CHANGE_STATE,
    CannotStart,
    CommunicationUp,
    PathChange,
)
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.testing import LinkSettings, Packet, Pair, pack_address
from sctpx.wire import control
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import chunk, item
from tests.sim.connectx import check_that_data_flows
from tests.sim.scripted import Scripted

ALLOWED = {"HEARTBEAT", "HEARTBEAT ACK", "COOKIE ACK", "COOKIE ECHO"}


def heartbeat_times(lab: Scripted, address: str) -> list[float]:
    """When HEARTBEATs reached an address of P, in seconds."""
    return [
        (packet.sent - lab.network.clock.start) / 1e9
        for packet in lab.heard
        if "HEARTBEAT" in packet.chunks and packet.destination_text == address
    ]


def claiming(lab: Scripted, *addresses: str) -> list[bytes]:
    """P's own first address and those it claims besides."""
    return [lab.p.packed[0], *map(pack_address, addresses)]


def test_every_claimed_address_is_verified_when_the_association_is_up() -> None:
    """RFC 9260 5.4: "These probing procedures are started when an association moves to the ESTABLISHED state and are
    ended when all paths are confirmed."
    """
    with Pair(1, paths=3).connect() as pair:
        pair.network.run(lambda: len(pair.b.events_of(PathChange)) == 2)
        assert all(path.confirmed for path in pair.b.association.paths)
        assert [(event.remote, event.what, event.state) for event in pair.b.events_of(PathChange)] == [
            (pair.a.host.packed[1], CHANGE_CONFIRMED, PATH_ACTIVE),
            (pair.a.host.packed[2], CHANGE_CONFIRMED, PATH_ACTIVE),
        ]
        pair.network.recording.clear()
        pair.network.run_for(20)
        assert pair.network.ladder() == ""


def test_the_heartbeat_has_a_64_bit_nonce_and_names_the_path() -> None:
    """RFC 9260 5.4: "HEARTBEAT chunks including a 64-bit random nonce and a path indicator"."""
    with Scripted(paths=3) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(5)
        nonces = set()
        for packet in lab.heard:
            if "HEARTBEAT" in packet.chunks:
                [(_, _, value)] = chunks(packet.data)
                info = control.parse_heartbeat_info(value)
                assert info[8:] == packet.destination
                nonces.add(info[:8])
        assert len(nonces) == sum("HEARTBEAT" in packet.chunks for packet in lab.heard)


def test_only_the_nonce_that_was_sent_there_confirms() -> None:
    """RFC 9260 5.4: "a verification is made that the nonce included in the Heartbeat Info parameter is the one sent
    to the address indicated inside the Heartbeat Info parameter".
    """
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(0.02)
        value = lab.chunk("HEARTBEAT")
        info = control.parse_heartbeat_info(value)
        unverified = association.paths[1]
        forgeries = [
            bytes(8) + info[8:],
            info[:8] + lab.p.packed[0],
            info[:8],
            info[:7] + info[8:],
            b"",
            info + b"\0",
            info[8:],
        ]
        for forged in forgeries:
            assert lab.ask(control.heartbeat_ack(item(1, forged)), seconds=0.02) == []
            assert not unverified.confirmed
        lab.ask(control.heartbeat_ack(value), seconds=0.02)
        assert unverified.confirmed


def test_the_answer_may_come_from_any_address_of_the_peer() -> None:
    """It is the nonce that counts, not where it comes from."""
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(0.02)
        lab.ask(control.heartbeat_ack(lab.chunk("HEARTBEAT")), source="10.0.1.2")
        assert association.paths[1].confirmed


def test_an_answer_counts_once() -> None:
    with Scripted(paths=2) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(0.02)
        answer = control.heartbeat_ack(lab.chunk("HEARTBEAT"))
        for _ in range(5):
            lab.ask(answer)
        assert len(lab.events_of(PathChange)) == 1


def test_a_malformed_heartbeat_ack_is_dropped() -> None:
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        for value in (b"", b"\0", b"\0\1\0\3", b"\0\1\0\x40", item(2, b"12345678")):
            assert lab.ask(chunk(5, 0, value)) == []
        assert not association.ended
        assert not association.paths[1].confirmed


def test_one_heartbeat_per_rto_and_address_at_most_and_hb_max_burst_in_all() -> None:
    """RFC 9260 5.4: "In each RTO, a probe MAY be sent on an active UNCONFIRMED path"; "the number of packets
    containing HEARTBEAT chunks sent at each RTO SHOULD be limited by the 'HB.Max.Burst' parameter": 1.
    """
    with Scripted(paths=5) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(30)
        times = sorted(time for address in lab.p.addresses[1:] for time in heartbeat_times(lab, address))
        assert len(times) > 10
        assert all(later - sooner >= 0.999 for sooner, later in pairwise(times))


@pytest.mark.parametrize("burst", [1, 2, 4])
def test_with_hb_max_burst_set_so_many_go_out_together(burst: int) -> None:
    with Scripted(paths=5, config=AssociationConfig(heartbeat_max_burst=burst)) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(0.5)
        assert sum(len(heartbeat_times(lab, address)) for address in lab.p.addresses) == burst


def test_an_address_that_does_not_answer_becomes_inactive_and_the_association_lives() -> None:
    """RFC 9260 5.4: "the error counter of any path that was probed but not CONFIRMED is incremented by one and
    subjected to path failure detection [...]. When probing UNCONFIRMED addresses, however, the association overall
    error count is not incremented."
    """
    with Scripted(paths=2, config=AssociationConfig(association_max_retrans=2)) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        own, claimed = association.paths
        lab.answers["HEARTBEAT"] = answer_only(own.remote)
        lab.network.run(lambda: claimed.state == PATH_INACTIVE, 200)
        assert claimed.error_count == claimed.max_retrans + 1
        assert not claimed.confirmed
        lab.network.run_for(1000)
        assert not association.ended
        assert [(event.remote, event.what, event.state) for event in lab.events_of(PathChange)] == [
            (claimed.remote, CHANGE_STATE, PATH_INACTIVE)
        ]


def test_then_it_is_probed_at_the_normal_rate() -> None:
    """RFC 9260 5.4: "If during this probing the path becomes inactive, this rate is lowered to the normal HEARTBEAT
    rate.
    """
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        own, claimed = association.paths
        lab.answers["HEARTBEAT"] = answer_only(own.remote)
        lab.network.run(lambda: claimed.state == PATH_INACTIVE, 200)
        sooner = lab.network.elapsed
        lab.network.run_for(2000)
        times = [time for time in heartbeat_times(lab, "10.0.2.2") if time > sooner]
        assert len(times) >= 10
        assert all(later - sooner >= 30 for sooner, later in pairwise(times))


def test_it_may_still_be_confirmed_later() -> None:
    with Pair(1, paths=2) as pair:
        pair.network.link("10.0.1.2", "10.0.2.1").cut()
        pair.network.link("10.0.2.2", "10.0.2.1").cut()
        pair.connect()
        claimed = pair.b.association.paths[1]
        pair.network.run(lambda: claimed.state == PATH_INACTIVE, 300)
        pair.network.link("10.0.2.2", "10.0.2.1").heal()
        pair.network.run(lambda: claimed.confirmed, 300)
        assert claimed.state == PATH_ACTIVE


def answer_only(address: bytes) -> Callable[[bytes], list[bytes]]:
    """Answer HEARTBEATs that name this address, and no others."""
    return lambda value: [control.heartbeat_ack(value)] if value.endswith(address) else []


# What an unconfirmed address may see


@pytest.mark.parametrize("seed", range(10))
def test_an_unconfirmed_address_sees_nothing_but_what_is_allowed(seed: int) -> None:
    """RFC 9260 5.4: "An endpoint MUST NOT send any chunks to an UNCONFIRMED address, with the following exceptions"."""
    with Pair(seed, paths=3, link=LinkSettings(loss=0.1)) as pair:
        confirmed: set[tuple[str, bytes]] = set()
        bad: list[str] = []

        def check(packet: Packet) -> bool:
            for side, name in ((pair.a, "A"), (pair.b, "B")):
                if packet.source in side.host.packed:
                    for association in side.endpoint.associations.values():
                        known = [path for path in association.paths if path.remote == packet.destination]
                        if known and not known[0].confirmed and not ALLOWED.issuperset(packet.chunks):
                            bad.append(f"{name} -> {packet.chunks} -> {packet.destination_text}")
                        elif known and known[0].confirmed:
                            confirmed.add((name, packet.destination))
                        if known and not known[0].confirmed and "COOKIE ACK" in packet.chunks:
                            assert "HEARTBEAT" in packet.chunks
            return True

        pair.network.filters.append(check)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp) and pair.a.events_of(CommunicationUp))
        for number in range(100):
            pair.a.send(bytes([number]) * 500)
            pair.b.send(bytes([number]) * 500)
        pair.cut(1)
        pair.network.run_for(1)
        pair.heal(1)
        pair.drain()
        assert bad == []
        assert len(confirmed) > 1


def test_a_cookie_ack_to_an_unconfirmed_address_is_bundled_with_a_heartbeat() -> None:
    """RFC 9260 5.4: "A COOKIE ACK chunk MAY be sent to an UNCONFIRMED address, but it MUST be bundled with a
    HEARTBEAT chunk including a nonce." The COOKIE ECHO came from another address than the INIT.
    """
    with Scripted(paths=2) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source="10.0.1.2")
        lab.ask(control.cookie_echo(lab.cookie()), source="10.0.2.2")
        assert (lab.heard[-1].chunks, lab.heard[-1].destination_text) == (["COOKIE ACK", "HEARTBEAT"], "10.0.2.2")
        [association] = lab.endpoint.associations.values()
        lab.ask(control.heartbeat_ack(lab.chunk("HEARTBEAT")), source="10.0.2.2")
        assert [path.confirmed for path in association.paths] == [True, True]


def test_a_heartbeat_from_an_unconfirmed_address_is_answered_there() -> None:
    """RFC 9260 5.4: "A HEARTBEAT ACK chunk MAY be sent to an UNCONFIRMED address"."""
    with Scripted(paths=2) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.ask(control.heartbeat(b"?"), source="10.0.2.2")
        assert (lab.heard[-1].chunks[-1], lab.heard[-1].destination_text) == ("HEARTBEAT ACK", "10.0.2.2")


def test_data_from_an_unconfirmed_address_is_acknowledged_at_a_confirmed_one() -> None:
    """Section 6.4 would send the SACK back there; section 5.4 forbids it."""
    with Scripted(paths=2) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        before = len(lab.heard)
        lab.ask(lab.data(), source="10.0.2.2")
        sacks = [packet.destination_text for packet in lab.heard[before:] if "SACK" in packet.chunks]
        assert sacks == ["10.0.1.2"]


def test_a_shutdown_and_its_answers_stay_on_confirmed_addresses() -> None:
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        lab.ask(control.shutdown(lab.a_tsn - 1), source="10.0.2.2")
        assert association.state == 7
        lab.network.run_for(40)
        answers = {packet.destination_text for packet in lab.heard if "SHUTDOWN ACK" in packet.chunks}
        assert answers == {"10.0.1.2"}


def test_an_abort_goes_to_a_confirmed_address() -> None:
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=list(lab.p.packed))
        association.abort(lab.a.now)
        lab.network.run_for(0.05)
        assert (lab.heard[-1].chunks, lab.heard[-1].destination_text) == (["ABORT"], "10.0.1.2")


def test_a_victim_named_by_a_peer_gets_no_data() -> None:
    """Section 12.2.4.1 and 5.4: the addresses of a third party draw HEARTBEATs at a bounded rate, and no data, ever."""
    with Scripted(paths=1) as lab:
        victim = lab.network.add_host("victim", ["10.0.9.9"])
        lab.network.answer("10.0.9.9", lambda packet: [])
        association = lab.up_incoming(addresses=claiming(lab, "10.0.9.9"))
        for _ in range(100):
            association.send(lab.a.now, bytes(1000))
        lab.network.run_for(60)
        at_victim = [packet for packet in lab.network.packets() if packet.destination in victim.packed]
        assert {name for packet in at_victim for name in packet.chunks} == {"HEARTBEAT"}
        assert len(at_victim) <= 10
        assert sum(len(packet.data) for packet in at_victim) < 600


def test_verified_addresses_carry_data_when_the_first_one_fails() -> None:
    with Pair(1, paths=3).connect() as pair:
        pair.network.run(lambda: all(path.confirmed for path in pair.b.association.paths))
        pair.cut(1)
        pair.b.send(b"over a verified path")
        pair.network.run(lambda: pair.a.received)
        check_that_data_flows(pair)


def test_a_cookie_too_large_for_a_heartbeat_beside_it_does_not_go_to_an_unconfirmed_address() -> None:
    """RFC 9260 5.4: "if the bundled COOKIE ECHO chunk plus HEARTBEAT chunk [...] would result in an SCTP packet larger
    than the PMTU, then the implementation MUST NOT send a COOKIE ECHO chunk to an UNCONFIRMED address".
    """
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.network.run_for(0.02)
        lab.network.set(fragment=True)
        ack = lab.init_ack(cookie=bytes(1440), addresses=[lab.p.packed[1]])
        assert lab.ask(ack, source="10.0.2.2") == []
        assert association.ended
        [failure] = lab.events_of(CannotStart)
        assert failure.error == EMSGSIZE


def test_while_no_address_is_confirmed_none_sees_more_than_that() -> None:
    """RFC 9260 5.4. A peer that lists none of the addresses it was asked at has none that is confirmed."""
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init_ack(addresses=[lab.p.packed[1]]), source="10.0.2.2", seconds=0.02)
        lab.ask(control.cookie_ack(), source="10.0.2.2", seconds=0.02)
        assert lab.events_of(CommunicationUp)
        assert [path.confirmed for path in association.paths] == [False]
        association.send(lab.a.now, b"waits")
        for said in (lab.data(), lab.data(), chunk(0xC1, 0, b"what?"), lab.data(stream=10)):
            lab.ask(said, source="10.0.2.2", seconds=0.05)
        assert association.read()
        lab.ask(control.heartbeat(b"?"), source="10.0.2.2", seconds=0.05)
        seen = {name for packet in lab.heard for name in packet.chunks} - {"INIT"}
        assert seen <= ALLOWED
        before = len(lab.heard)
        lab.ask(control.heartbeat_ack(lab.chunk("HEARTBEAT")), source="10.0.2.2")
        assert {name for packet in lab.heard[before:] for name in packet.chunks} == {"DATA", "SACK"}


@pytest.mark.parametrize("verb", ["abort", "shutdown"])
def test_nor_does_it_when_the_user_ends_the_association(verb: str) -> None:
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init_ack(addresses=[lab.p.packed[1]]), source="10.0.2.2", seconds=0.02)
        lab.ask(control.cookie_ack(), source="10.0.2.2", seconds=0.02)
        getattr(association, verb)(lab.a.now)
        lab.network.run_for(5)
        seen = {name for packet in lab.heard for name in packet.chunks} - {"INIT"}
        assert seen <= ALLOWED


def test_no_chunk_for_another_address_comes_between_the_cookie_ack_and_its_heartbeat() -> None:
    """The SHUTDOWN that waited for the association to be up goes to the primary path at the same time."""
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)), seconds=0.02)
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, seconds=0.02)
        association.shutdown(lab.a.now)
        before = len(lab.heard)
        lab.ask(control.cookie_echo(lab.cookie()), source="10.0.2.2", seconds=0.02)
        assert [(packet.destination_text, packet.chunks) for packet in lab.heard[before:]] == [
            ("10.0.2.2", ["COOKIE ACK", "HEARTBEAT"]),
            ("10.0.1.2", ["SHUTDOWN"]),
        ]
