"""Associations whose chunks are authenticated (RFC 4895): setting up, restarts, collisions, losses, lying peers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import AssociationReset, CannotStart, CommunicationLost, CommunicationUp, Restarted
from sctpx.testing import LinkSettings, Packet, Pair
from sctpx.wire import control
from sctpx.wire.auth import NEVER_LISTED
from sctpx.wire.codes import (
    CHUNK_ABORT,
    CHUNK_AUTH,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_I_DATA,
    CHUNK_NAMES,
    CHUNK_SACK,
)
from sctpx.wire.packet import finish_packet, prefix
from tests.sim.test_collision import check_one_association
from tests.sim.test_restart import Reborn, check_data_both_ways
from tests.sweeps import seeds

EVERYTHING = tuple(kind for kind in CHUNK_NAMES if kind not in NEVER_LISTED)
KEYS = ((1, b"known to both"), (2, b"another one"))


def config(*kinds: int, **more: Any) -> AssociationConfig:
    return AssociationConfig(**{"authenticated_chunks": kinds, "shared_keys": KEYS, **more})


def pair_of(*kinds: int, **more: Any) -> Pair:
    """Both sides demand that these are authenticated, and share two keys."""
    return Pair(1, config=config(*kinds, **more))


def names(pair: Pair, sender: str) -> list[tuple[str, ...]]:
    return [tuple(rung.chunks) for rung in pair.network.rungs() if rung.sender == sender]


def test_everything_is_authenticated_from_the_cookie_echo_on() -> None:
    with pair_of(*EVERYTHING) as pair:
        pair.connect()
        pair.a.send(bytes(10_000))
        pair.b.send(b"back")
        pair.drain()
        pair.network.run_for(60)
        pair.shutdown()
        for sender in "AB":
            sent = names(pair, sender)
            plain = [one for one in sent if one[0] not in ("AUTH", "INIT", "INIT ACK", "SHUTDOWN COMPLETE")]
            assert plain == []
        assert pair.b.messages() == [bytes(10_000)]
        assert pair.a.association.stats.unauthenticated_chunks == 0
        assert pair.b.association.stats.auth_chunks_rejected == 0


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("scheduler", ["fcfs", "rr", "rr_pkt", "prio", "fc", "wfq"])
def test_data_flows_over_a_bad_network(interleaving: bool, scheduler: str) -> None:
    demanded = (CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK)
    made = config(*demanded, interleaving=interleaving, scheduler=scheduler)
    link = LinkSettings(loss=0.05, reorder=0.1, duplicate=0.02, delay=0.01)
    with Pair(4, paths=2, config=made, link=link).connect() as pair:
        messages = [bytes([number]) * (number * 97 % 5000 + 1) for number in range(60)]
        for number, message in enumerate(messages):
            pair.a.send(message, stream=number % 5)
        pair.drain()
        assert sorted(pair.b.messages()) == sorted(messages)
        pair.shutdown()


@pytest.mark.parametrize("side", ["a", "b"])
def test_different_keys_are_no_association(side: str) -> None:
    """6.3: a server "can ensure that only associations from clients with a correct endpoint pair shared key are
    accepted", if COOKIE ECHO chunks have to be authenticated.
    """
    wrong = config(CHUNK_COOKIE_ECHO, CHUNK_COOKIE_ACK, shared_keys=((1, b"wrong"),), max_init_retransmits=2)
    right = config(CHUNK_COOKIE_ECHO, CHUNK_COOKIE_ACK, max_init_retransmits=2)
    a, b = (wrong, right) if side == "a" else (right, wrong)
    with Pair(1, config=a, b_config=b) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: pair.a.failure, 300)
        assert len(pair.a.events_of(CannotStart)) == 1
        assert pair.b.events_of(CommunicationUp) == []
        assert pair.b.endpoint.associations == {}
        assert pair.b.host.stack.stats.cookies_unauthenticated > 0


def _failure(pair: Pair) -> str:
    return pair.a.failure


def test_a_peer_without_authentication_is_refused_where_chunks_are_demanded() -> None:
    for a, b in ((config(CHUNK_DATA), AssociationConfig()), (AssociationConfig(), config(CHUNK_DATA))):
        with Pair(1, config=a, b_config=b) as pair:
            pair.b.endpoint.listen()
            pair.a.connect(pair.b)
            pair.network.run(functools.partial(_failure, pair), 60)
            assert len(pair.a.events_of(CannotStart)) == 1
            assert pair.b.events_of(CommunicationUp) == []


def test_with_a_peer_that_does_not_authenticate_nothing_is_authenticated() -> None:
    with Pair(1, config=AssociationConfig(authentication=True), b_config=AssociationConfig()).connect() as pair:
        pair.a.send(b"plain")
        pair.drain()
        assert not pair.a.association.authenticates
        assert pair.b.messages() == [b"plain"]


def test_what_is_bundled_with_an_authenticated_cookie_echo_is_taken() -> None:
    """6.3: "the COOKIE-ECHO and all the chunks after the COOKIE-ECHO MUST be processed"."""
    with Pair(1, paths=2, config=config(CHUNK_COOKIE_ECHO, CHUNK_HEARTBEAT, CHUNK_HEARTBEAT_ACK)) as pair:
        pair.connect()
        assert ("AUTH", "COOKIE ECHO") in names(pair, "A")
        pair.network.run_for(60)
        assert all(path.confirmed for path in pair.b.association.paths)


def spoil_setup(pair: Pair, name: str, change: Callable[[bytes], bytes | None]) -> list[bytes]:
    """Change, or with None drop, the chunks of the packets that have a chunk of that name; which those were."""
    seen: list[bytes] = []

    def look(packet: Packet) -> bool:
        if name not in packet.chunks:
            return True
        seen.append(packet.data)
        if len(seen) > 1:
            return True
        body = change(packet.data[12:])
        if body is not None:
            packet.data = finish_packet(packet.data[:8], body)
        return body is not None

    pair.network.filters.append(look)
    return seen


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:8] + bytes((body[8] ^ 1,)) + body[9:],
        lambda body: body[body[3] :],
        lambda body: body[:-4] + bytes(4),
    ],
    ids=["a wrong HMAC", "no AUTH chunk", "a wrong cookie"],
)
def test_a_cookie_echo_that_is_not_authentic_is_dropped_and_comes_again(change: Callable[[bytes], bytes]) -> None:
    with pair_of(CHUNK_COOKIE_ECHO) as pair:
        seen = spoil_setup(pair, "COOKIE ECHO", change)
        pair.connect()
        stats = pair.b.host.stack.stats
        assert len(seen) == 2
        assert stats.cookies_unauthenticated + stats.cookies_rejected == 1


def test_the_keys_are_those_of_the_time_of_the_init_ack() -> None:
    """The cookie has both sides' lists: a list that changes between INIT ACK and COOKIE ECHO changes no key."""
    with pair_of(CHUNK_COOKIE_ECHO, CHUNK_DATA) as pair:
        seen = spoil_setup(pair, "COOKIE ECHO", lambda body: None)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: seen)
        pair.b.endpoint.config = config(CHUNK_DATA, CHUNK_HEARTBEAT, hmac_algorithms=(1,))
        pair.network.run(lambda: pair.a.events_of(CommunicationUp) and pair.b.events_of(CommunicationUp), 30)
        pair.a.send(b"one")
        pair.drain()
        assert pair.b.messages() == [b"one"]


# --- restarts and collisions ---


def test_after_a_restart_there_are_new_keys() -> None:
    """6.3: "After this operation, both endpoints have to use the new association shared key"."""
    made = config(CHUNK_DATA, CHUNK_SACK, CHUNK_ABORT)
    with Pair(1, config=made).connect() as pair:
        pair.a.send(b"before")
        pair.drain()
        authentication = pair.b.association.tcb.authentication
        assert authentication is not None
        association = Reborn(pair, made).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        again = pair.b.association.tcb.authentication
        assert again is not None
        assert again.peer.random != authentication.peer.random
        assert again.local.random != authentication.local.random
        check_data_both_ways(pair, association)


def test_a_restart_needs_the_old_key_where_cookie_echos_are_authenticated() -> None:
    """6.3 and 9: "If an endpoint accepts COOKIE-ECHO chunks only in an authenticated way, the restart procedure does
    not work": nobody else can bring the association down so.
    """
    made = config(CHUNK_COOKIE_ECHO, max_init_retransmits=2)
    with Pair(1, config=made).connect() as pair:
        reborn = Reborn(pair, made)
        reborn.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run_for(5)
        assert pair.b.events_of(Restarted) == []
        assert pair.b.association.state == ESTABLISHED
        assert pair.b.host.stack.stats.cookies_unauthenticated > 0


@pytest.mark.parametrize("seed", seeds(24, 120))
def test_inits_that_cross_are_one_association_with_one_key(seed: int) -> None:
    """6.1: "the rules governing the handling of this Random Number follow the same pattern as those for the
    Verification Tag".
    """
    random = Random(seed)
    made = config(*(EVERYTHING if seed % 3 == 0 else (CHUNK_DATA, CHUNK_SACK)))
    with Pair(seed, paths=1 + seed % 2, config=made, link=LinkSettings(delay=0.02)) as pair:
        for side in (pair.a, pair.b):
            side.endpoint.listen()

        def hold(packet: Packet) -> bool:
            if {"INIT", "INIT ACK", "COOKIE ECHO"}.isdisjoint(packet.chunks):
                return True
            packet.release(random.random() * 0.1)
            return False

        pair.network.filters.append(hold)
        pair.a.connect(pair.b)
        pair.network.run_for(random.random() * 0.1)
        if pair.b.endpoint.associations:
            pair.network.run_for(5)
        else:
            pair.b.connect(pair.a)
            pair.network.run_for(5)
            pair.network.filters.clear()
            check_one_association(pair)


# --- lying peers and others ---


def test_nobody_without_the_key_brings_the_association_down() -> None:
    with pair_of(CHUNK_ABORT, CHUNK_DATA).connect() as pair:
        b = pair.b.association
        for chunk in (control.abort([]), bytes((CHUNK_AUTH, 0, 0, 28, 0, 1, 0, 1)) + bytes(20) + control.abort([])):
            packet = finish_packet(prefix(5000, 5000, b.tcb.local_tag), chunk)
            b_ip, a_ip = pair.b.host.packed[0], pair.a.host.packed[0]
            pair.b.host.stack.receive(pair.network.clock.now, b_ip, a_ip, 9899, packet, len(packet))
        pair.network.run_for(1)
        assert pair.b.events_of(CommunicationLost) == []
        pair.a.send(b"alive")
        pair.drain()
        assert pair.b.messages() == [b"alive"]


def test_a_bit_that_is_flipped_anywhere_lets_nothing_in() -> None:
    """A thousand packets, each with one wrong bit and a right checksum, before the true one comes."""
    with pair_of(*EVERYTHING).connect() as pair:
        pair.network.run_for(2)
        caught: list[Packet] = []

        def catch(packet: Packet) -> bool:
            if packet.data[12] == CHUNK_AUTH and "DATA" in packet.chunks and not caught:
                caught.append(packet)
                return False
            return True

        pair.network.filters.append(catch)
        pair.a.send(b"what nobody may change")
        pair.network.run(lambda: caught)
        pair.network.filters.clear()
        [packet] = caught
        b = pair.b.association
        received = b.stats.messages_received
        for bit in range(8 * (len(packet.data) - 12)):
            body = bytearray(packet.data[12:])
            body[bit >> 3] ^= 1 << (bit & 7)
            spoilt = finish_packet(packet.data[:8], bytes(body))
            place = packet.destination, packet.source, packet.source_port
            pair.b.host.stack.receive(pair.network.clock.now, *place, spoilt, len(spoilt))
            assert b.stats.messages_received == received, bit
            assert b.state == ESTABLISHED, bit
        packet.release()
        pair.drain()
        assert pair.b.messages() == [b"what nobody may change"]


SIDES = st.fixed_dictionaries(
    {
        "authenticated_chunks": st.lists(st.sampled_from(EVERYTHING), unique=True, max_size=20).map(tuple),
        "hmac_algorithms": st.sampled_from([(1,), (3, 1), (1, 3)]),
        "interleaving": st.booleans(),
        "sack_delay": st.sampled_from([0.0, 0.2]),
    }
)


@settings(max_examples=60)
@given(a=SIDES, b=SIDES, keys=st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=70)), min_size=1, max_size=3))
def test_any_demands_agree_on_a_key_and_data_flows(
    a: dict[str, Any], b: dict[str, Any], keys: list[tuple[int, bytes]]
) -> None:
    shared = tuple(dict(keys).items())
    both = [AssociationConfig(authentication=True, shared_keys=shared, **side) for side in (a, b)]
    with Pair(7, config=both[0], b_config=both[1], link=LinkSettings(delay=0.001)).connect() as pair:
        first, second = pair.a.association.tcb.authentication, pair.b.association.tcb.authentication
        assert first is not None
        assert second is not None
        for key_id, _ in shared:
            for algorithm in (1, 3):
                one, other = first.key(key_id, algorithm), second.key(key_id, algorithm)
                assert one is not None
                assert other is not None
                assert one.authenticate(b"same") == other.authenticate(b"same")
        assert first.algorithm in b["hmac_algorithms"]
        pair.a.send(bytes(4000))
        pair.b.send(b"short")
        for number, (key_id, _) in enumerate(shared):
            pair.a.association.activate_key(pair.network.clock.now, key_id)
            pair.a.send(bytes([number]) * 50)
        pair.drain()
        assert pair.b.messages() == [bytes(4000), *[bytes([number]) * 50 for number in range(len(shared))]]
        assert pair.a.messages() == [b"short"]
        for side in (pair.a, pair.b):
            assert side.association.stats.unauthenticated_chunks == 0
            assert side.association.stats.auth_chunks_rejected == 0
        pair.shutdown()


def test_data_sent_again_keeps_its_key_after_tsns_were_reset() -> None:
    """RFC 6525 section 5.2.7 H5: TSNs begin elsewhere, perhaps below those that other keys were used for."""
    below = 0
    for seed in range(4):
        with Pair(seed, config=config(CHUNK_DATA, allow_association_reset=True)).connect() as pair:
            association = pair.a.association
            pair.a.send(b"before")
            pair.drain()
            before = association.tcb.outstanding.next_tsn
            association.reset_association(pair.a.host.now)
            pair.network.run(lambda: pair.a.events_of(AssociationReset))
            below += association.tcb.outstanding.next_tsn < before
            pair.network.drop("DATA", times=1)
            pair.a.send(b"after")
            association.activate_key(pair.a.host.now, 2)
            pair.drain()
            assert pair.b.messages() == [b"before", b"after"]
            keys = [packet.data[16:18] for packet in pair.network.packets() if "DATA" in packet.chunks]
            assert keys == [bytes((0, 1))] * 3
    assert below


@pytest.mark.parametrize("demanded", [(CHUNK_HEARTBEAT,), EVERYTHING])
def test_a_path_mtu_is_found_where_the_probes_are_authenticated(demanded: tuple[int, ...]) -> None:
    """RFC 8899 section 6.2: a probe with an AUTH chunk before it is as large as what it probes."""
    with Pair(1, config=config(*demanded), mtu=1400).connect() as pair:
        pair.a.send(bytes(100_000))
        pair.drain()
        pair.network.run_for(10)
        [path] = pair.a.association.paths
        assert path.mtu == 1400 - 28
        pair.a.send(bytes(100_000))
        pair.drain()
        assert pair.b.messages() == [bytes(100_000)] * 2
        assert pair.a.association.stats.path_mtu_black_holes == 0


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: CHUNK_NAMES[kind])
def test_whatever_is_demanded_what_was_lost_goes_again(kind: int, interleaving: bool) -> None:
    """6.2. Room for an AUTH chunk that does not come, or none for one that does, would spoil what is sent again."""
    demands = AssociationConfig(authenticated_chunks=(kind,), interleaving=interleaving)
    speaks = AssociationConfig(authentication=True, interleaving=interleaving)
    link = LinkSettings(delay=0.001, loss=0.1)
    with Pair(1, config=speaks, b_config=demands, link=link).connect() as pair:
        messages = [bytes([size & 0xFF]) * size for size in (1, 1400, 1444, 3000, 20_000)]
        for message in messages:
            pair.a.send(message)
            pair.b.send(message)
        pair.drain()
        assert pair.b.messages() == pair.a.messages() == messages
        assert pair.a.association.stats.chunks_retransmitted > 0
        assert pair.b.association.stats.unauthenticated_chunks == 0
        assert pair.b.association.stats.auth_chunks_rejected == 0
        assert max(len(packet.data) for packet in pair.network.packets()) <= 1472
