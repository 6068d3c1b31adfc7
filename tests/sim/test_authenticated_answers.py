"""Answers that belong to no association, where the peer takes them only if they are authenticated (RFC 4895)."""

from __future__ import annotations

from errno import ECONNREFUSED

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationLost, CommunicationUp, Restarted
from sctpx.testing import LinkSettings, Network, Pair
from sctpx.wire import control
from sctpx.wire.auth import HMAC_SHA_1, AssociationKey, AuthParameters, association_key
from sctpx.wire.codes import (
    CAUSE_OUT_OF_RESOURCE,
    CAUSE_PROTOCOL_VIOLATION,
    CHUNK_ABORT,
    CHUNK_AUTH,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_ERROR,
)
from tests.sim.connectx import check_that_data_flows
from tests.sim.scripted import PORT, Scripted
from tests.sim.test_authentication import EVERYTHING, config, names
from tests.sim.test_restart import Reborn, check_data_both_ways

SLOW = LinkSettings(delay=0.15)
AUTH = AuthParameters(bytes(32), bytes((CHUNK_ABORT, CHUNK_DATA)), b"\0\1")


@pytest.mark.parametrize("kinds", [(CHUNK_ERROR,), EVERYTHING], ids=["ERROR", "everything"])
def test_a_stale_cookie_is_told_with_the_keys_of_the_cookie(kinds: tuple[int, ...]) -> None:
    """6.2: "Endpoints MUST send all requested chunks that have been authenticated where this has been requested"."""
    with Pair(1, link=SLOW, config=config(*kinds), b_config=config(*kinds, cookie_life=0.2)) as pair:
        pair.connect()
        assert ("AUTH", "ERROR") in names(pair, "B")
        assert ("ERROR",) not in names(pair, "B")
        assert pair.a.association.stats.unauthenticated_chunks == 0
        check_that_data_flows(pair)


def test_so_it_is_while_an_association_from_before_a_restart_is_there() -> None:
    first, slow = config(CHUNK_ERROR), config(CHUNK_ERROR, cookie_life=0.2)
    with Pair(1, link=SLOW, config=first, b_config=slow).connect() as pair:
        pair.network.recording.clear()
        association = Reborn(pair, first).connect()
        pair.network.run(lambda: pair.b.events_of(Restarted))
        assert ("AUTH", "ERROR") in names(pair, "B")
        check_data_both_ways(pair, association)


@pytest.mark.parametrize("kinds", [(CHUNK_ABORT,), EVERYTHING], ids=["ABORT", "everything"])
def test_an_association_is_refused_with_the_keys_of_the_cookie(kinds: tuple[int, ...]) -> None:
    with Pair(1, config=config(*kinds)) as pair:
        pair.b.endpoint.listen(backlog=1)
        pair.b.host.handlers.clear()
        for _ in range(2):
            client = pair.a.host.open_endpoint(config=config(*kinds))
            client.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run_for(1)
        assert len(pair.a.events_of(CommunicationUp)) == 1
        [refused] = pair.a.events_of(CannotStart)
        assert (refused.error, refused.causes) == (ECONNREFUSED, [(CAUSE_OUT_OF_RESOURCE, b"")])
        assert ("AUTH", "ABORT") in names(pair, "B")


def test_what_the_peer_does_not_demand_is_told_as_it_is() -> None:
    with Pair(1, link=SLOW, config=config(CHUNK_DATA), b_config=config(CHUNK_DATA, cookie_life=0.2)) as pair:
        pair.connect()
        assert ("ERROR",) in names(pair, "B")


def test_an_sctp_port_that_nobody_has_any_more_has_no_keys() -> None:
    """What it answers is not authenticated, and the peer waits for T1-cookie."""
    with Pair(1, config=config(CHUNK_ABORT)) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run(lambda: "INIT ACK" in [name for one in names(pair, "B") for name in one])
        pair.b.endpoint.close(pair.b.host.now)
        pair.network.run_for(0.5)
        assert ("ABORT",) in names(pair, "B")
        assert pair.a.failure == ""
        assert pair.a.association.stats.unauthenticated_chunks == 1


def test_one_that_has_left_its_udp_port_is_told_with_the_keys_that_it_had() -> None:
    """RFC 6951 section 5.1: two stacks behind one IP address, one of which could not be asked whether it lives."""
    made = config(CHUNK_ABORT, CHUNK_DATA)
    with Network(1) as network:
        server = network.add_host("server", ["10.0.1.1"])
        server.open_endpoint(PORT, made).listen()
        alice, bob = [network.add_host(name, ["10.0.9.9"], port) for name, port in (("alice", 40_000), ("bob", 40_001))]
        first = alice.open_endpoint(2905, made).connect(alice.now, server.peer_addresses, PORT)
        network.run(lambda: first.state == ESTABLISHED)
        network.drop("HEARTBEAT", times=None)
        bob.open_endpoint(2905, made).connect(bob.now, server.peer_addresses, PORT)
        network.run(lambda: first.ended, 60)
        lost = alice.events[-1]
        assert isinstance(lost, CommunicationLost)
        assert [code for code, _ in lost.causes] == [CAUSE_PROTOCOL_VIOLATION]
        assert first.stats.unauthenticated_chunks == 0


# --- a peer that changes its mind ---


def test_a_peer_that_takes_its_parameters_back_in_a_collision_gets_plain_packets() -> None:
    """Section 6.1, and RFC 9260 section 5.2.4 B: what the INIT says counts, not what the INIT ACK has said."""
    with Scripted(config=AssociationConfig(authentication=True)) as lab:
        association = lab.connect()
        lab.ask(lab.init_ack(auth=AUTH))
        assert association.authenticates
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        assert association.state == ESTABLISHED
        assert not association.authenticates
        association.send(lab.a.now, b"plain")
        association.abort(lab.a.now)
        lab.network.run_for(0.05)
        assert "AUTH" not in [name for packet in lab.heard for name in packet.chunks]
        assert association.tcb.packet_limit == 1472


def test_a_peer_that_says_them_only_then_gets_authenticated_ones() -> None:
    with Scripted(config=AssociationConfig(authentication=True)) as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        lab.p_tag += 1
        lab.ask(lab.init(auth=AUTH), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        assert association.authenticates
        association.send(lab.a.now, b"authentic")
        lab.network.run_for(0.05)
        [packet] = [packet for packet in lab.heard if "DATA" in packet.chunks]
        assert packet.chunks == ["AUTH", "DATA"]


def test_a_cookie_echo_of_a_collision_brings_the_random_number_of_its_init_to_an_association_that_is_up() -> None:
    """6.1: "the rules governing the handling of this Random Number follow the same pattern as those for the
    Verification Tag": RFC 9260 section 5.2.4 B has the tag of an association that is up replaced as well.
    """
    other = AuthParameters(bytes(range(32)), AUTH.chunk_types, AUTH.algorithms)
    with Scripted(config=AssociationConfig(authentication=True)) as lab:
        association = lab.connect()
        ours = lab.setup().auth
        assert ours is not None
        lab.ask(lab.init_ack(auth=AUTH))
        lab.p_tag += 1
        lab.ask(lab.init(auth=other), tag=0)
        lab.ask(control.cookie_ack())
        assert association.state == ESTABLISHED
        for said, random in ((b"before", AUTH), (b"after", other)):
            association.send(lab.a.now, said)
            lab.network.run_for(0.05)
            [body] = [packet.data[12:] for packet in lab.heard[-1:]]
            secret = association_key(b"", ours.key_vector(), random.key_vector())
            assert AssociationKey(0, HMAC_SHA_1, secret).verify(body, 0)
            lab.ask(lab.sack(1 if said == b"before" else 2))
            if said == b"before":
                lab.ask(control.cookie_echo(lab.cookie()))
                assert association.state == ESTABLISHED


def test_an_auth_chunk_before_a_cookie_echo_that_no_key_fits_draws_nothing() -> None:
    """6.3: "If authentication fails, then the packet is discarded"."""
    with Scripted(config=AssociationConfig(authenticated_chunks=(CHUNK_COOKIE_ECHO, CHUNK_COOKIE_ACK))) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(auth=AUTH), tag=0)
        for identifier in (1, 2, 3):
            blank = bytes((CHUNK_AUTH, 0, 0, 28, 0, 0, 0, identifier)) + bytes(20)
            assert lab.ask(blank + control.cookie_echo(lab.cookie())) == []
        assert lab.a.stack.stats.cookies_unauthenticated == 3
        assert lab.endpoint.associations == {}


def test_a_peer_that_knows_the_old_key_can_restart_where_cookie_echos_are_authenticated() -> None:
    """6.3: "he can successfully send the COOKIE-ECHO chunk [...] by using this old association shared key", and after
    that "both endpoints have to use the new association shared key".
    """
    first = AuthParameters(bytes(32), bytes((CHUNK_COOKIE_ACK, CHUNK_DATA)), b"\0\1")
    second = AuthParameters(bytes(range(32)), first.chunk_types, first.algorithms)

    def key(theirs: AuthParameters) -> AssociationKey:
        ours = lab.setup("INIT ACK").auth
        assert ours is not None
        return AssociationKey(0, HMAC_SHA_1, association_key(b"", ours.key_vector(), theirs.key_vector()))

    with Scripted(config=AssociationConfig(authenticated_chunks=(CHUNK_COOKIE_ECHO,))) as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(auth=first), tag=0)
        old = key(first)
        lab.ask(old.authenticate(control.cookie_echo(lab.cookie())))
        [up] = lab.events_of(CommunicationUp)
        lab.p_tag += 1
        lab.ask(lab.init(auth=second), tag=0)
        new = key(second)
        lab.ask(new.authenticate(control.cookie_echo(lab.cookie())))
        assert lab.events_of(Restarted) == []
        lab.ask(old.authenticate(control.cookie_echo(lab.cookie())))
        [again] = lab.events_of(Restarted)
        assert again.association is up.association
        association_of(again).send(lab.a.now, b"with the new key")
        lab.network.run_for(0.05)
        for packet, name in zip(lab.heard[-2:], ("COOKIE ACK", "DATA"), strict=True):
            assert packet.chunks == ["AUTH", name]
            assert new.verify(packet.data[12:], 0)
