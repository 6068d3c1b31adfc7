"""Hosts that move, and addresses that come and go, while associations live (RFC 5061).

In the random runs the model is naive: a host has a set of addresses, and what is sent is a list of messages. However
the sets change, over whatever network, in the end each side knows the addresses that the other one has and no others,
and all messages have arrived in their order. A run follows from its seed.
"""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import (
    ADDRESS_ADDED,
    ADDRESS_REMOVED,
    ASCONF_DONE,
    ASCONF_FAILED,
    LocalAddressChange,
    Restarted,
)
from sctpx.testing import LinkSettings, Pair, Side
from sctpx.testing.packet import pack_address
from tests.sweeps import seeds

CONFIG = AssociationConfig(address_reconfiguration=True)


def moving(seed: object = 1, **arguments: object) -> Pair:
    return Pair(seed, **{"config": CONFIG, **arguments}).connect(60)  # type: ignore[arg-type]


def move(pair: Pair, side: Side, *addresses: str) -> None:
    """The host of a side has these addresses from now on, and its association follows."""
    pair.network.move(side.host.name, addresses)
    side.association.follow_addresses(side.host.now, side.host.packed)


def packed(*addresses: str) -> list[bytes]:
    return sorted(map(pack_address, addresses))


def known(side: Side) -> list[bytes]:
    """The peer's addresses as a side has them."""
    return sorted(path.remote for path in side.association.paths)


def done(side: Side) -> list[tuple[bytes, int]]:
    return [(event.local, event.what) for event in side.events_of(LocalAddressChange) if event.result == ASCONF_DONE]


def check(pair: Pair) -> None:
    """Each side knows what the other one has, and uses what it has itself."""
    for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
        assert known(side) == sorted(other.host.packed)
        assert sorted(side.association.local_addresses) == sorted(side.host.packed)
        assert {path.local for path in side.association.paths} <= set(side.host.packed)
        assert all(path.confirmed for path in side.association.paths)
        side.association.tcb.outstanding.check_invariants()


# --- one host moves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_host_that_loses_its_only_address_and_gets_another_one_keeps_its_association(ipv6: bool) -> None:
    new = "2001:db8:7::1" if ipv6 else "10.0.7.1"
    with moving(ipv6=ipv6) as pair:
        old = pair.a.host.packed[0]
        move(pair, pair.a)
        pair.network.run_for(3)
        pair.b.send(b"to where it was")
        move(pair, pair.a, new)
        pair.a.send(b"after")
        pair.drain()
        pair.network.run_for(1)
        assert pair.a.messages() == [b"to where it was"]
        assert pair.b.messages() == [b"after"]
        assert done(pair.a) == [(pack_address(new), ADDRESS_ADDED), (old, ADDRESS_REMOVED)]
        check(pair)


def test_a_move_takes_two_round_trips() -> None:
    """The ASCONF and its answer with a HEARTBEAT, the answer to that: then data flows both ways."""
    with moving() as pair:
        move(pair, pair.a, "10.0.7.1")
        pair.b.send(b"to where it was")
        begun = pair.network.elapsed
        pair.drain()
        assert pair.network.elapsed - begun == pytest.approx(0.05)
        pair.network.assert_ladder(
            """
            ...
            0.040000 A -> AUTH, ASCONF -> B
            0.040000 B -> DATA -> lost (no route)
            0.050000 B -> AUTH, ASCONF-ACK, HEARTBEAT -> A
            0.060000 A -> HEARTBEAT ACK -> B
            0.070000 B -> DATA -> A
            0.080000 A -> SACK -> B
            """
        )


def test_a_host_that_gets_its_address_back_has_nothing_to_tell() -> None:
    with moving() as pair:
        move(pair, pair.a)
        pair.b.send(b"while it was away")
        pair.network.run_for(2)
        move(pair, pair.a, "10.0.1.1")
        pair.drain()
        assert pair.b.association.stats.asconfs == 0
        assert not any("ASCONF" in packet.chunks for packet in pair.network.packets())
        check(pair)


@pytest.mark.parametrize("chunk", ["ASCONF", "ASCONF-ACK"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_move_survives_losses(chunk: str, times: int) -> None:
    with moving() as pair:
        pair.network.drop(chunk, times=times)
        move(pair, pair.a, "10.0.7.1")
        pair.a.send(b"from there")
        pair.b.send(b"to there")
        pair.drain()
        pair.network.run_for(10)
        assert pair.b.messages() == [b"from there"]
        assert pair.b.association.stats.asconfs == 1
        assert pair.a.association.stats.asconfs_retransmitted == times
        check(pair)


def test_a_host_that_moves_on_before_it_was_answered_keeps_its_association() -> None:
    with moving() as pair:
        pair.network.drop("ASCONF-ACK", times=2)
        move(pair, pair.a, "10.0.7.1")
        pair.network.run_for(0.5)
        move(pair, pair.a)
        pair.network.run_for(0.5)
        move(pair, pair.a, "10.0.8.1")
        pair.a.send(b"from there")
        pair.b.send(b"to there")
        pair.drain()
        pair.network.run_for(10)
        check(pair)


def test_a_host_that_has_both_networks_for_a_while_loses_no_time() -> None:
    with moving() as pair:
        move(pair, pair.a, "10.0.1.1", "10.0.7.1")
        pair.network.run_for(1)
        assert known(pair.b) == packed("10.0.1.1", "10.0.7.1")
        pair.a.association.set_peer_primary(pair.a.host.now, pack_address("10.0.7.1"))
        pair.network.run_for(1)
        before = pair.b.association.stats.t3_timeouts
        move(pair, pair.a, "10.0.7.1")
        for number in range(100):
            pair.b.send(bytes(1000) + bytes((number,)))
        pair.drain()
        assert pair.b.association.stats.t3_timeouts == before
        pair.network.run_for(1)
        check(pair)


def test_a_host_whose_old_network_dies_silently_reaches_the_peer_from_the_new_one() -> None:
    """The old address is still there, but nothing gets through: the ASCONF is tried from the new one."""
    with moving() as pair:
        pair.network.cut("10.0.1.1")
        move(pair, pair.a, "10.0.1.1", "10.0.7.1")
        pair.network.run_for(5)
        assert known(pair.b) == packed("10.0.1.1", "10.0.7.1")
        move(pair, pair.a, "10.0.7.1")
        pair.a.send(b"from there")
        pair.b.send(b"to there")
        pair.drain()
        pair.network.run_for(10)
        check(pair)


def test_bulk_data_both_ways_moves_along() -> None:
    with moving(link=LinkSettings(delay=0.01, loss=0.01)) as pair:
        sent = [bytes((number & 0xFF,)) * 5000 for number in range(200)]
        for message in sent:
            pair.a.send(message)
            pair.b.send(message)
        for network in (7, 8, 9):
            pair.network.run_for(0.3)
            move(pair, pair.a, f"10.0.{network}.1")
        pair.drain()
        pair.network.run_for(20)
        assert pair.a.messages() == pair.b.messages() == sent
        check(pair)


def test_a_shutdown_is_completed_from_another_address() -> None:
    with moving() as pair:
        pair.a.send(b"last words")
        pair.a.association.shutdown(pair.a.host.now)
        move(pair, pair.a, "10.0.7.1")
        pair.network.run(lambda: pair.a.association.ended and pair.b.association.ended, 60)
        assert not pair.a.failure + pair.b.failure
        assert pair.b.messages() == [b"last words"]


def test_a_peer_without_the_extension_is_left_where_it_was() -> None:
    with Pair(1, config=CONFIG, b_config=AssociationConfig()).connect() as pair:
        move(pair, pair.a, "10.0.1.1", "10.0.7.1")
        pair.a.send(b"as before")
        pair.drain()
        assert known(pair.b) == packed("10.0.1.1")
        assert pair.a.association.tcb.extensions == []


# --- several addresses --------------------------------------------------------------------------------------


def test_both_sides_change_their_addresses_at_once() -> None:
    with moving(paths=2) as pair:
        move(pair, pair.a, "10.0.1.1", "10.0.7.1")
        move(pair, pair.b, "10.0.8.2", "10.0.2.2")
        pair.a.send(b"to b")
        pair.b.send(b"to a")
        pair.drain()
        pair.network.run_for(30)
        check(pair)


def test_both_sides_move_at_once_and_are_reached_where_they_still_have_an_address() -> None:
    """A moves wholly, B in part: A's ASCONF reaches B at the address that stays."""
    with moving(paths=2) as pair:
        move(pair, pair.a, "10.0.7.1")
        move(pair, pair.b, "10.0.2.2", "10.0.8.2")
        pair.a.send(b"to b")
        pair.b.send(b"to a")
        pair.drain()
        pair.network.run_for(60)
        check(pair)


def test_an_address_that_is_deleted_with_data_under_way_loses_nothing() -> None:
    with moving(paths=3, link=LinkSettings(delay=0.05)) as pair:
        sent = [bytes((number,)) * 3000 for number in range(100)]
        for message in sent:
            pair.b.send(message)
        pair.network.run_for(0.2)
        assert pair.b.association.tcb.outstanding.flight_size > 0
        move(pair, pair.a, "10.0.2.1", "10.0.3.1")
        pair.drain()
        assert pair.a.messages() == sent
        pair.network.run_for(10)
        check(pair)


# --- any moves ----------------------------------------------------------------------------------------------


def link(random: Random) -> LinkSettings:
    return LinkSettings(
        delay=random.choice((0.001, 0.02)),
        jitter=random.choice((0.0, 0.01)),
        loss=random.choice((0.0, 0.02, 0.1)),
        duplicate=random.choice((0.0, 0.05)),
        reorder=random.choice((0.0, 0.1)),
        reorder_delay=0.03,
    )


@pytest.mark.parametrize("seed", seeds(15, 400))
def test_in_the_end_each_side_knows_where_the_other_one_is(seed: int) -> None:
    """A has any addresses, or none for a while; B keeps one of its own, where A finds it."""
    random = Random(f"moving {seed}")
    config = AssociationConfig(
        address_reconfiguration=True,
        association_max_retrans=1000,
        unauthenticated_asconf=random.random() < 0.2,
        interleaving=random.random() < 0.2,
    )
    pair = Pair(seed, paths=random.choice((1, 2)), link=link(random), config=config)
    homes = {
        pair.a: [f"10.0.{number}.1" for number in range(1, 5)],
        pair.b: [f"10.0.{number}.2" for number in range(1, 5)],
    }
    sent: dict[Side, list[bytes]] = {pair.a: [], pair.b: []}
    with pair.connect(600):
        for step in range(random.randrange(5, 25)):
            side = random.choice((pair.a, pair.b))
            other = pair.b if side is pair.a else pair.a
            for _ in range(random.choice((0, 1, 5))):
                message = f"{side.host.name} {step} ".encode().ljust(random.choice((10, 2000, 20000)), b".")
                side.send(message)
                sent[other].append(message)
            if random.random() < 0.6:
                count = random.randrange(0 if side is pair.a else 1, 4)
                now_has = random.sample(homes[side], count)
                if side is pair.b and homes[side][0] not in now_has:
                    now_has.append(homes[side][0])
                move(pair, side, *now_has)
            if random.random() < 0.2 and side.host.packed:
                side.association.set_peer_primary(side.host.now, random.choice(side.association.wanted_addresses))
            pair.network.run_for(random.choice((0.0, 0.01, 0.2, 2.0)))
        if not pair.a.host.packed:
            move(pair, pair.a, "10.0.3.1")
        pair.drain(4000)
        pair.network.run_for(1000)
        check(pair)
        assert pair.a.messages() == sent[pair.a]
        assert pair.b.messages() == sent[pair.b]


# --- the peer restarts --------------------------------------------------------------------------------------


def reborn(pair: Pair) -> None:
    """A knows nothing of its former life, and sets the association up again at the first address of B."""
    pair.a.host.events.clear()
    pair.a.host.restart()
    endpoint = pair.a.host.open_endpoint(5000, CONFIG)
    association = endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
    pair.network.run(lambda: pair.b.events_of(Restarted), 60)
    pair.network.run_for(5)
    assert association.state == ESTABLISHED
    association.send(pair.a.host.now, b"from the new A")
    pair.b.send(b"to the new A")
    pair.network.run_for(100)
    assert pair.b.messages() == [b"from the new A"]
    assert [message[0] for message in association.read()] == [b"to the new A"]
    assert association.state == pair.b.association.state == ESTABLISHED


def test_after_a_restart_packets_leave_from_the_addresses_that_the_peer_was_told_then() -> None:
    """RFC 9260 section 8.4: what comes from another address is out of the blue, and draws an ABORT that ends it all."""
    with moving(paths=2) as pair:
        pair.network.move("B", ["10.0.1.2", "10.0.2.2", "10.0.7.2"])
        pair.b.association.change_addresses(pair.b.host.now, packed("10.0.7.2"), packed("10.0.2.2"))
        pair.network.run_for(5)
        assert sorted(pair.b.association.local_addresses) == packed("10.0.1.2", "10.0.7.2")
        reborn(pair)
        assert sorted(pair.b.association.local_addresses) == packed("10.0.1.2", "10.0.2.2")
        assert {path.local for path in pair.b.association.paths} == set(packed("10.0.1.2", "10.0.2.2"))


def test_what_the_peer_was_asked_for_before_its_restart_is_told_as_failed() -> None:
    """Nobody will answer it. While it was under way nothing could leave: that is over, too."""
    with moving() as pair:
        pair.network.drop("ASCONF")
        pair.network.move("B", ["10.0.1.2", "10.0.7.2"])
        pair.b.association.change_addresses(pair.b.host.now, packed("10.0.7.2"), packed("10.0.1.2"))
        pair.network.run_for(0.1)
        pair.b.association.change_addresses(pair.b.host.now, packed("10.0.8.2"), [])
        assert pair.b.association.local_addresses == []
        reborn(pair)
        told = [type(event) for event in pair.b.host.events if isinstance(event, (LocalAddressChange, Restarted))]
        assert told == [LocalAddressChange, LocalAddressChange, LocalAddressChange, Restarted]
        assert {event.result for event in pair.b.events_of(LocalAddressChange)} == {ASCONF_FAILED}
        assert pair.b.association.local_addresses == packed("10.0.1.2")


# --- both families ------------------------------------------------------------------------------------------

A_HOMES = ["10.0.1.1", "10.0.2.1", "2001:db8:1::1", "2001:db8:2::1"]
B_HOMES = ["10.0.1.2", "2001:db8:1::2"]


@pytest.mark.parametrize("seed", seeds(7, 200))
def test_a_host_that_loses_a_family_and_gets_it_back_uses_it_again(seed: int) -> None:
    """What is left of the other family carries everything, and nothing leaves from an address that is no more."""
    random = Random(f"families {seed}")
    config = AssociationConfig(address_reconfiguration=True, association_max_retrans=1000, heartbeat_interval=2.0)
    pair = Pair(seed, a=A_HOMES[::2], b=B_HOMES, link=link(random), config=config)
    pair.network.set(fragment=True)  # What was cut for IPv4 is too large for packets of IPv6.
    sent: dict[Side, list[bytes]] = {pair.a: [], pair.b: []}
    with pair.connect(600):
        for step in range(random.randrange(3, 15)):
            for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
                for _ in range(random.choice((0, 1, 5))):
                    message = f"{side.host.name} {step} ".encode().ljust(random.choice((10, 2000, 20000)), b".")
                    side.send(message)
                    sent[other].append(message)
            move(pair, pair.a, *random.sample(A_HOMES, random.randrange(0, 4)))
            pair.network.run_for(random.choice((0.0, 0.01, 0.2, 5.0)))
        move(pair, pair.a, *random.sample(A_HOMES, random.randrange(1, 4)))
        pair.drain(4000)
        pair.network.run_for(1000)
        assert pair.a.messages() == sent[pair.a]
        assert pair.b.messages() == sent[pair.b]
        assert known(pair.b) == sorted(pair.a.host.packed)
        assert sorted(pair.a.association.local_addresses) == sorted(pair.a.host.packed)
        families = {len(ip) for ip in pair.a.host.packed}
        for path in pair.a.association.paths:
            reached = len(path.remote) in families
            assert path.cut_off is not reached
            assert (path.local in pair.a.host.packed) is reached
        pair.a.association.tcb.outstanding.check_invariants()
        pair.b.association.tcb.outstanding.check_invariants()
