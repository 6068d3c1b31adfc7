"""Keys of one association (RFC 4895): which of them count for a COOKIE ECHO, and how they come and go."""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.arrival import Arrival
from sctpx.core.association.state import COOKIE_ECHOED, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import KeyChange
from sctpx.core.ext import auth
from sctpx.core.stack import Stack
from sctpx.core.state_cookie import Cookie
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.auth import HMAC_SHA_1, AssociationKey, AuthParameters, association_key
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_AUTH, CHUNK_COOKIE_ECHO, CHUNK_DATA, CHUNK_HEARTBEAT_ACK
from sctpx.wire.packet import finish_packet, prefix
from tests.conformance.peer import Peer
from tests.sim.scripted import Scripted

SHA_1 = b"\0\1"
KEYS = ((1, b"one"), (2, b"two"))
COOKIE_ECHO = control.cookie_echo(b"a cookie")
OURS = AuthParameters(bytes(range(32)), bytes((CHUNK_COOKIE_ECHO,)), SHA_1)
THEIRS = AuthParameters(bytes(32), None, SHA_1)
OTHER = AuthParameters(bytes(range(32, 64)), None, SHA_1)


def key(theirs: AuthParameters = THEIRS, ours: AuthParameters = OURS, shared: bytes = b"", key_id: int = 0) -> Any:
    """The association shared key of two sides."""
    return AssociationKey(key_id, HMAC_SHA_1, association_key(shared, ours.key_vector(), theirs.key_vector()))


def cookie_of(local: AuthParameters | None, peer: AuthParameters | None) -> Cookie:
    cookie = Cookie()
    cookie.local_auth, cookie.peer_auth = local, peer
    return cookie


def arrival(said: bytes) -> Arrival:
    return Arrival(0, bytes(4), bytes(4), 9899, finish_packet(prefix(1, 2, 3), said))


def guarded(*kinds: int, **config: Any) -> Peer:
    """A stack that demands that these are authenticated."""
    return Peer(authenticated_chunks=kinds, auth=AuthParameters(bytes(32), None, SHA_1), **config)


def demanding(*kinds: int, **config: Any) -> Peer:
    """A stack whose peer demands that these are authenticated."""
    return Peer(authentication=True, auth=AuthParameters(bytes(32), bytes(kinds), SHA_1), **config)


# --- COOKIE ECHO (section 6.3) ---


def test_a_cookie_echo_counts_as_both_sides_have_agreed_by_its_init() -> None:
    endpoint = Stack(seeded_bytes(1), 0).open_endpoint(5000, [bytes((10, 0, 0, 1))])
    plain, authentic, other = COOKIE_ECHO, key().authenticate(COOKIE_ECHO), key(OTHER).authenticate(COOKIE_ECHO)
    lax = AuthParameters(OURS.random, None, SHA_1)
    lax_key = key(ours=lax).authenticate(COOKIE_ECHO)

    def counts(local: AuthParameters | None, peer: AuthParameters | None, said: bytes) -> bool:
        return auth.admits_cookie(None, endpoint, cookie_of(local, peer), arrival(said))

    assert [counts(OURS, THEIRS, said) for said in (plain, authentic, other)] == [False, True, False]
    assert [counts(lax, THEIRS, said) for said in (plain, lax_key, other)] == [True, True, False]
    # Not agreed on, AUTH is an unknown chunk, which ends the packet (RFC 9260 section 3.2).
    for local, peer in ((None, None), (OURS, None), (None, THEIRS)):
        assert [counts(local, peer, said) for said in (plain, authentic)] == [True, False]


def test_the_shared_keys_are_those_of_the_association_or_else_of_the_sctp_port() -> None:
    endpoint = Stack(seeded_bytes(1), 0).open_endpoint(
        5000, [bytes((10, 0, 0, 1))], AssociationConfig(authentication=True, shared_keys=((1, b"of the port"),))
    )
    peer = guarded(CHUNK_COOKIE_ECHO, shared_keys=((1, b"own"),))
    cookie = cookie_of(OURS, THEIRS)
    for tcb, side, shared in ((None, endpoint, b"of the port"), (peer.association.tcb, endpoint, b"own")):
        found = auth.of_cookie(tcb, side, cookie)
        assert found is not None
        assert found.keys.find(1) == shared
    assert auth.of_cookie(None, None, cookie) is None
    for incomplete in (cookie_of(OURS, None), cookie_of(None, THEIRS)):
        assert auth.of_cookie(None, endpoint, incomplete) is None


def test_in_a_collision_the_keys_are_those_of_the_peers_init_and_not_of_its_init_ack() -> None:
    """Section 6.1: RANDOM follows "the same pattern as those for the Verification Tag" (RFC 9260 section 5.2.4 B)."""
    with Scripted(config=AssociationConfig(authenticated_chunks=(CHUNK_COOKIE_ECHO,))) as lab:
        association = lab.connect()
        ours = lab.setup().auth
        assert ours is not None
        lab.ask(lab.init_ack(auth=THEIRS))
        lab.p_tag += 1
        lab.ask(lab.init(auth=OTHER), tag=0)
        for said, state in ((THEIRS, COOKIE_ECHOED), (OTHER, ESTABLISHED)):
            lab.ask(key(said, ours).authenticate(control.cookie_echo(lab.cookie())))
            assert association.state == state
        assert lab.a.stack.stats.cookies_unauthenticated == 1


def test_an_association_that_is_up_has_its_own_keys_whatever_a_cookie_says() -> None:
    peer = guarded(CHUNK_COOKIE_ECHO)
    said = peer.key().authenticate(COOKIE_ECHO)
    cookie = cookie_of(OURS, OTHER)
    assert auth.admits_cookie(peer.association.tcb, peer.endpoint, cookie, arrival(said))
    assert not auth.admits_cookie(
        peer.association.tcb, peer.endpoint, cookie, arrival(key(OTHER).authenticate(COOKIE_ECHO))
    )


# --- what is counted ---


def test_chunks_that_do_not_count_are_counted_whichever_tag_their_packet_has() -> None:
    peer = guarded(CHUNK_ABORT)
    reflected = control.abort([], reflected=True)
    stats = peer.association.stats
    peer.deliver_reflected(reflected)
    assert (stats.unauthenticated_chunks, stats.auth_chunks_rejected) == (1, 0)
    wrong = bytes((CHUNK_AUTH, 0, 0, 28, 0, 0, 0, 1)) + bytes(20)
    peer.deliver_reflected(wrong, reflected)
    assert (stats.unauthenticated_chunks, stats.auth_chunks_rejected) == (1, 1)
    peer.deliver(control.abort([]))
    assert (stats.unauthenticated_chunks, stats.auth_chunks_rejected) == (2, 1)
    peer.deliver(wrong, control.abort([]))
    assert (stats.unauthenticated_chunks, stats.auth_chunks_rejected) == (2, 2)
    assert peer.association.state == ESTABLISHED


# --- keys that come and go ---


def test_a_key_that_is_replaced_counts_at_once_both_ways() -> None:
    """RFC 6458 section 8.3.3."""
    peer = Peer(
        authenticated_chunks=(CHUNK_DATA,),
        auth=AuthParameters(bytes(32), bytes((CHUNK_DATA,)), SHA_1),
        shared_keys=KEYS,
    )
    for tsn, secret in enumerate((b"one", b"another"), 1):
        peer.association.set_key(peer.now, 1, secret)
        for stale in (b"one", b"another"):
            peer.deliver(peer.key(1, stale).authenticate(peer.data(tsn)))
            assert len(peer.read()) == (stale == secret)
            if stale == secret:
                break
        peer.advance(1.0)  # The SACK leaves.
        peer.take()
        peer.send(10)
        [sent] = peer.take()
        assert peer.is_authentic(sent, peer.key(1, secret))
        peer.sack(tsn)


def test_control_chunks_have_the_new_key_as_soon_as_the_active_one_is_replaced() -> None:
    peer = demanding(CHUNK_HEARTBEAT_ACK, shared_keys=KEYS)
    for secret in (b"one", b"another"):
        peer.association.set_key(peer.now, 1, secret)
        peer.deliver(control.heartbeat(b"info"))
        [sent] = peer.take()
        assert sent.names == ["AUTH", "HEARTBEAT ACK"]
        assert peer.is_authentic(sent, peer.key(1, secret))


def test_the_user_hears_of_key_0_too() -> None:
    """RFC 6458 section 6.1.8; RFC 4895 section 6.2: 0 is an identifier as any other."""
    peer = guarded(CHUNK_DATA, shared_keys=((0, b"zero"), (1, b"one")))
    for tsn, (key_id, secret) in enumerate([(1, b"one"), (0, b"zero"), (1, b"one")], 1):
        peer.deliver(peer.key(key_id, secret).authenticate(peer.data(tsn)))
    assert [event.key_id for event in peer.events_of(KeyChange)] == [1, 0, 1]


def test_only_where_both_sides_authenticate_a_peers_random_number_is_replaced() -> None:
    plain = Peer()
    auth.on_peer_random(plain.association.tcb, OTHER)
    assert plain.association.tcb.authentication is None
    peer = demanding(CHUNK_DATA)
    first = peer.association.tcb.authentication
    assert first is not None
    auth.on_peer_random(peer.association.tcb, None)
    assert peer.association.tcb.authentication is first
    auth.on_peer_random(peer.association.tcb, OTHER)
    second = peer.association.tcb.authentication
    assert second is not None
    assert second.peer is OTHER


def test_a_key_that_is_deleted_and_set_anew_is_the_new_one() -> None:
    """RFC 6458 section 8.3.5."""
    peer = guarded(CHUNK_DATA, shared_keys=KEYS)
    peer.deliver(peer.key(2, b"two").authenticate(peer.data(1)))
    assert len(peer.read()) == 1
    peer.association.delete_key(peer.now, 2)
    peer.deliver(peer.key(2, b"two").authenticate(peer.data(2)))
    assert peer.read() == []
    peer.association.set_key(peer.now, 2, b"new")
    peer.deliver(peer.key(2, b"two").authenticate(peer.data(2)))
    assert peer.read() == []
    peer.deliver(peer.key(2, b"new").authenticate(peer.data(2)))
    assert len(peer.read()) == 1


def test_a_key_is_told_to_be_free_once() -> None:
    """RFC 6458 section 6.1.8."""
    peer = demanding(CHUNK_DATA, shared_keys=(*KEYS, (3, b"three")))
    assert peer.association.tcb.extensions == []
    for key_id in (2, 3):
        peer.association.deactivate_key(peer.now, key_id)
    peer.settle()
    assert len(peer.association.tcb.extensions) == 1
    for _ in range(2):
        peer.send(10)
    assert [event.key_id for event in peer.events_of(KeyChange)] == [2, 3]
    with pytest.raises(OSError, match="was deactivated"):
        peer.association.send(peer.now, b"no", key=2)


@pytest.mark.parametrize("sent", [False, True])
def test_a_key_of_a_message_that_waits_or_is_not_acknowledged_is_used(sent: bool) -> None:
    peer = demanding(CHUNK_DATA, shared_keys=KEYS, a_rwnd=1500)
    if not sent:
        peer.send(1400)
    peer.association.send(peer.now, bytes(200), key=2)
    peer.settle()
    assert auth.is_used(peer.association.tcb, 2)
    peer.association.deactivate_key(peer.now, 2)
    peer.settle()
    assert peer.events_of(KeyChange) == []
    while not peer.association.tcb.outstanding.empty:
        peer.sack(peer.last_tsn)
    assert [event.key_id for event in peer.events_of(KeyChange)] == [2]


def test_where_data_is_not_authenticated_no_message_uses_a_key() -> None:
    peer = demanding(CHUNK_ABORT, shared_keys=KEYS)
    peer.send(10)
    assert not auth.is_used(peer.association.tcb, 1)


def test_before_both_sides_have_agreed_keys_can_be_set() -> None:
    stack = Stack(seeded_bytes(1), 0)
    endpoint = stack.open_endpoint(5000, [bytes((10, 0, 0, 1))], AssociationConfig(authentication=True))
    tcb = stack.make_association(endpoint, 5000, endpoint.config, 0, -1).tcb
    auth.set_key(tcb, 7, b"seven")
    auth.activate_key(tcb, 7)
    assert tcb.keys is not None
    assert (tcb.keys.find(7), tcb.keys.active) == (b"seven", 7)
