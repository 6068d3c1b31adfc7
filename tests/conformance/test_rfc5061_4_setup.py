"""RFC 5061 sections 4.2 and 6: what INIT and INIT ACK say, what has to be authenticated, the adaptation layer."""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import Any

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import AdaptationIndication, CannotStart, CommunicationUp, Restarted
from sctpx.testing import Pair
from sctpx.wire import asconf as wire
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import (
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_AUTH,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_SET_PRIMARY,
    PARAM_SUCCESS,
)
from sctpx.wire.packet import chunks, finish_packet
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import ParseError, chunk, item
from tests.conformance.asconf import SUPPORTED, add, asconf, change, heard, ours, remotes, theirs
from tests.conformance.peer import Peer, Sent
from tests.sim.scripted import Scripted

NEW = bytes((10, 0, 9, 2))
OURS = bytes((10, 0, 9, 1))
RANDOM = bytes(range(32))
SHA_1 = b"\0\1"
BOTH = bytes(SUPPORTED)
AUTH = AuthParameters(RANDOM, BOTH, SHA_1)


def first_packet(name: str, **config: Any) -> Setup:
    """The INIT or the INIT ACK between two sides of this configuration."""
    with Pair(1, config=AssociationConfig(**config)).connect() as pair:
        packets = [packet.data for packet in pair.network.packets()]
        return parse(chunks(packets[name == "INIT ACK"])[0][2], ack=name == "INIT ACK")


def answer_to(setup: Setup, **config: Any) -> str:
    """What an INIT draws from a listener with this configuration."""
    scripted = Scripted(config=AssociationConfig(**config))
    scripted.endpoint.listen()
    setup.initiate_tag = scripted.p_tag
    with scripted:
        [line] = scripted.ask(setup.encode(), tag=0)
    return line


def init() -> Setup:
    return Setup(1, 1 << 16, 10, 10, 1)


# --- what is offered (4.2.7), and what is refused (6) -------------------------------------------------------


@pytest.mark.parametrize("name", ["INIT", "INIT ACK"])
def test_asconf_its_answer_and_auth_are_listed(name: str) -> None:
    """4.2.7: "MUST list the ASCONF,the ASCONF-ACK, and the AUTH chunks in its INIT and INIT-ACK parameters"."""
    setup = first_packet(name, address_reconfiguration=True)
    assert {CHUNK_ASCONF, CHUNK_ASCONF_ACK, CHUNK_AUTH} <= set(setup.extensions)
    assert setup.auth is not None
    assert setup.auth.chunk_types is not None
    assert set(BOTH) <= set(setup.auth.chunk_types)


@pytest.mark.parametrize("name", ["INIT", "INIT ACK"])
def test_what_is_not_switched_on_is_not_listed(name: str) -> None:
    setup = first_packet(name)
    assert {CHUNK_ASCONF, CHUNK_ASCONF_ACK, CHUNK_AUTH}.isdisjoint(setup.extensions)
    assert setup.auth is None


@pytest.mark.parametrize("other", ["a", "b"])
def test_one_side_alone_changes_no_addresses(other: str) -> None:
    plain, able = AssociationConfig(), AssociationConfig(address_reconfiguration=True)
    first, second = (plain, able) if other == "a" else (able, plain)
    with Pair(1, config=first, b_config=second).connect() as pair:
        assert not pair.a.association.address_reconfigurable
        assert not pair.b.association.address_reconfigurable


def test_an_init_that_lists_asconf_without_authentication_is_refused() -> None:
    """6: "the receiver of such an INIT MUST send an ABORT in response"."""
    setup = init()
    setup.extensions = BOTH
    assert "ABORT" in answer_to(setup, address_reconfiguration=True)
    assert "INIT ACK" in answer_to(setup)  # Who does not support the extension does not know.
    assert "INIT ACK" in answer_to(setup, address_reconfiguration=True, unauthenticated_asconf=True)


def test_an_init_without_either_is_accepted() -> None:
    line = answer_to(init(), address_reconfiguration=True)
    assert "INIT ACK" in line
    assert "ASCONF" not in line


def test_an_init_ack_that_lists_asconf_without_authentication_ends_the_attempt() -> None:
    """6: "MUST NOT send the COOKIE-ECHO", "report to the upper-layer user"."""
    with Scripted(config=AssociationConfig(address_reconfiguration=True)) as scripted:
        association = scripted.connect()
        [line] = scripted.ask(scripted.init_ack(extensions=BOTH))
        assert "ABORT" in line
        assert [event.error for event in scripted.events_of(CannotStart)] == [ECONNREFUSED]
        assert association.ended


def test_without_authentication_where_that_is_allowed() -> None:
    peer = Peer(extensions=SUPPORTED, address_reconfiguration=True, unauthenticated_asconf=True)
    assert peer.association.address_reconfigurable
    assert peer.association.tcb.authentication is None


# --- authentication (4.1.1, 4.1.2, 5.2 D5) ------------------------------------------------------------------


def authenticating(*listed: int, **config: Any) -> Peer:
    """A peer that changes addresses, and has these chunk types in its list."""
    auth = AuthParameters(RANDOM, bytes(listed) or None, SHA_1)
    return Peer(extensions=SUPPORTED, auth=auth, address_reconfiguration=True, **config)


def signed(peer: Peer, *said: bytes) -> bytes:
    """An AUTH chunk that fits, and these chunks behind it."""
    return peer.key().authenticate(b"".join(said))


def names(sent: list[Sent]) -> list[list[str]]:
    return [one.names for one in sent]


@pytest.mark.parametrize("listed", [SUPPORTED, ()])
def test_an_asconf_leaves_authenticated_whatever_the_peer_has_listed(listed: tuple[int, ...]) -> None:
    """4.1.1: "This chunk MUST be sent in an authenticated way"."""
    peer = authenticating(*listed)
    [sent] = change(peer, OURS)
    assert sent.names == ["AUTH", "ASCONF"]
    assert peer.is_authentic(sent, peer.key())


@pytest.mark.parametrize("listed", [SUPPORTED, ()])
def test_an_answer_leaves_authenticated_whatever_the_peer_has_listed(listed: tuple[int, ...]) -> None:
    """4.1.2"""
    peer = authenticating(*listed)
    peer.deliver(signed(peer, asconf(peer, 1, add(NEW))))
    sent = peer.take()
    assert names(sent)[0] == ["AUTH", "ASCONF-ACK"]
    assert peer.is_authentic(sent[0], peer.key())
    assert remotes(peer) == [theirs(1), NEW]


def test_an_asconf_that_is_not_authenticated_is_discarded_with_the_rest_of_its_packet() -> None:
    """D5: "the receiver MUST silently discard this chunk and the rest of the packet"."""
    peer = authenticating(*SUPPORTED)
    peer.deliver(peer.data(1), asconf(peer, 1, add(NEW)), peer.data(2))
    assert remotes(peer) == [theirs(1)]
    assert len(peer.read()) == 1
    assert peer.association.stats.unauthenticated_chunks == 1
    assert [one for one in peer.take() if "ASCONF-ACK" in one.names] == []


def test_an_asconf_with_a_wrong_key_is_discarded() -> None:
    peer = authenticating(*SUPPORTED)
    said = asconf(peer, 1, add(NEW))
    for forged in (peer.key(0, b"guess"), peer.key(7)):
        peer.deliver(forged.authenticate(said))
    spoiled = bytearray(signed(peer, said))
    spoiled[-1] ^= 1
    peer.deliver(bytes(spoiled))
    assert remotes(peer) == [theirs(1)]
    assert peer.association.stats.asconfs == 0
    peer.deliver(signed(peer, said))
    assert remotes(peer) == [theirs(1), NEW]


def test_an_answer_that_is_not_authenticated_is_discarded() -> None:
    """4.1.2"""
    peer = authenticating(*SUPPORTED)
    [(serial, _, _, _)] = heard(change(peer, OURS))
    peer.deliver(wire.encode_ack(serial, []))
    assert peer.association.local_addresses == [ours(1)]
    peer.deliver(signed(peer, wire.encode_ack(serial, [])))
    assert peer.association.local_addresses == [ours(1), OURS]


def test_an_unasked_answer_that_is_not_authenticated_does_not_end_the_association() -> None:
    """F0 is for the peer, not for a stranger."""
    peer = authenticating(*SUPPORTED)
    peer.deliver(wire.encode_ack(peer.tsn, []))
    assert peer.association.state == ESTABLISHED


def test_from_an_unknown_address_only_what_is_authenticated_counts() -> None:
    """D5: else "the receiver MUST silently discard this chunk and the rest of the packet"."""
    peer = authenticating(*SUPPORTED)
    said = asconf(peer, 1, add(NEW))
    for forged in (said, peer.key(0, b"guess").authenticate(said), said + signed(peer, said)):
        peer.deliver_between(NEW, ours(1), forged)
        assert peer.take() == []
    assert remotes(peer) == [theirs(1)]
    peer.deliver_between(NEW, ours(1), signed(peer, said))
    [sent] = peer.take()
    assert sent.names == ["AUTH", "ASCONF-ACK", "HEARTBEAT"]
    assert sent.destination == NEW
    assert remotes(peer) == [theirs(1), NEW]


def test_an_asconf_with_its_auth_chunk_is_no_larger_than_a_packet() -> None:
    peer = authenticating(*SUPPORTED, mtu=576)
    sent = change(peer, *[bytes((10, 1, 0, number)) for number in range(1, 60)])
    assert 576 - 28 - 40 < len(sent[0].bytes) <= 576 - 28


# --- the adaptation layer (4.2.6) ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 7, 0xFFFFFFFF])
def test_the_adaptation_layer_of_each_side_is_told_to_the_other_one(number: int) -> None:
    """4.2.6: "SHOULD be passed to the receiver's upper-layer protocol"."""
    one, other = AssociationConfig(adaptation_layer=number), AssociationConfig(adaptation_layer=1)
    with Pair(1, config=one, b_config=other).connect() as pair:
        for side, told in ((pair.a, 1), (pair.b, number)):
            kinds = [type(event) for event in side.host.events]
            assert kinds.index(AdaptationIndication) == kinds.index(CommunicationUp) + 1
            assert [event.code_point for event in side.events_of(AdaptationIndication)] == [told]
        assert not pair.a.association.address_reconfigurable


def test_a_peer_that_says_nothing_of_it_is_told_of_by_nothing() -> None:
    with Pair(1).connect() as pair:
        assert pair.a.events_of(AdaptationIndication) + pair.b.events_of(AdaptationIndication) == []


def test_the_adaptation_layer_is_told_again_after_a_restart() -> None:
    with Pair(1, config=AssociationConfig(adaptation_layer=7)).connect() as pair:
        pair.a.host.restart()
        endpoint = pair.a.host.open_endpoint(5000, AssociationConfig(adaptation_layer=8))
        endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda: pair.b.events_of(Restarted), 30)
        assert [event.code_point for event in pair.b.events_of(AdaptationIndication)] == [7, 8]


def test_an_adaptation_layer_of_a_wrong_length_is_malformed() -> None:
    for length in (0, 3, 5, 8):
        with pytest.raises(ParseError):
            parse(init().encode()[4:] + item(0xC006, bytes(length)))


# --- set primary in INIT and INIT ACK (4.2.4, 5.4) ----------------------------------------------------------


def preferring(pair: Pair, which: str, ip: bytes) -> None:
    """Have the INIT or the INIT ACK ask for a primary address."""

    def rewrite(data: bytes) -> bytes:
        kind, flags, value = chunks(data)[0]
        wished = wire.request(PARAM_SET_PRIMARY, 1, ip)
        padded = value + bytes(-len(value) & 3) + item(wished.kind, wished.value)
        return finish_packet(data[:8], chunk(kind, flags, padded))

    pair.network.alter(which, rewrite)


@pytest.mark.parametrize("which", ["INIT", "INIT ACK"])
def test_a_primary_address_that_is_asked_for_at_setup_is_used_once_it_is_confirmed(which: str) -> None:
    """5.4: "advice to the peer as to which of its addresses the sender [...] would prefer as the primary address"."""
    with Pair(1, paths=2, config=AssociationConfig(attempt_delay=None)) as pair:
        asked, other = (pair.b, pair.a) if which == "INIT" else (pair.a, pair.b)
        preferring(pair, which, other.host.packed[1])
        pair.connect()
        pair.network.run_for(5)
        primary = asked.association.primary
        assert primary is not None
        assert primary.remote == other.host.packed[1]


def test_a_primary_address_that_the_peer_does_not_have_is_ignored() -> None:
    with Pair(1, paths=2) as pair:
        preferring(pair, "INIT", NEW)
        pair.connect()
        primary = pair.b.association.primary
        assert primary is not None
        assert primary.remote == pair.a.host.packed[0]


@pytest.mark.parametrize("kind", [PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_ERROR_CAUSE, PARAM_SUCCESS])
def test_a_parameter_that_an_init_must_not_have_is_ignored(kind: int) -> None:
    """4.2: "A robust implementation SHOULD ignore the parameter and leave the association intact"."""
    setup = parse(init().encode()[4:] + item(kind, bytes(12)))
    assert setup.unrecognized == []


def test_an_association_is_set_up_over_a_lossy_network_with_all_of_it() -> None:
    config = AssociationConfig(address_reconfiguration=True, adaptation_layer=3)
    with Pair(5, paths=2, config=config) as pair:
        pair.network.set(loss=0.3)
        pair.connect(300)
        assert pair.a.association.address_reconfigurable
