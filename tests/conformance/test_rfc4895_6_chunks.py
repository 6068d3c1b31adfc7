"""RFC 4895 sections 4 to 6.3: what is sent authenticated, and what counts of what comes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.events import KEY_FREE, KEY_NEW, CommunicationLost, KeyChange
from sctpx.wire import causes, control
from sctpx.wire.auth import HMAC_SHA_256, AuthParameters
from sctpx.wire.codes import (
    CAUSE_UNSUPPORTED_HMAC,
    CHUNK_ABORT,
    CHUNK_AUTH,
    CHUNK_DATA,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_I_DATA,
    CHUNK_SACK,
    CHUNK_SHUTDOWN,
)
from tests.conformance.peer import Peer

RANDOM = bytes(range(32))
SHA_1 = b"\0\1"
BOTH = b"\0\3\0\1"
KEYS = ((1, b"one"), (2, b"two"))


def demanding(*kinds: int, **config: Any) -> Peer:
    """A stack whose peer demands that these are authenticated, by SHA-1."""
    return Peer(authentication=True, auth=AuthParameters(RANDOM, bytes(kinds), SHA_1), **config)


def guarded(*kinds: int, **config: Any) -> Peer:
    """A stack that demands that these are authenticated."""
    return Peer(authenticated_chunks=kinds, auth=AuthParameters(RANDOM, None, BOTH), **config)


# --- 6.2: sending ---


def test_chunks_that_the_peer_has_listed_come_behind_an_auth_chunk() -> None:
    """6.2: "Endpoints MUST send all requested chunks that have been authenticated where this has been requested"."""
    peer = demanding(CHUNK_DATA)
    peer.send(100, 3000)
    sent = peer.take()
    assert [names[:2] for names in (one.names for one in sent)] == [["AUTH", "DATA"]] * len(sent)
    assert all(peer.is_authentic(one, peer.key()) for one in sent)
    assert all(one.names.count("AUTH") == 1 for one in sent)


def test_chunks_that_the_peer_has_not_listed_go_as_they_are() -> None:
    peer = demanding(CHUNK_HEARTBEAT_ACK)
    peer.send(100)
    peer.deliver(control.heartbeat(b"info"))
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2))
    names = [one.names for one in peer.take()]
    assert names == [["DATA"], ["AUTH", "HEARTBEAT ACK"], ["SACK"]]


@pytest.mark.parametrize("kind", [CHUNK_SACK, CHUNK_DATA])
def test_a_sack_that_leads_data_is_authenticated_as_is_demanded(kind: int) -> None:
    peer = demanding(kind)
    peer.deliver(peer.data(1), peer.data(2))
    peer.take()
    peer.deliver(peer.data(3))
    peer.send(50)
    [sent] = peer.take()
    assert sent.names == (["AUTH", "SACK", "DATA"] if kind == CHUNK_SACK else ["SACK", "AUTH", "DATA"])
    at = sent.bytes.index(bytes((CHUNK_AUTH, 0, 0, 28)))
    assert peer.key().verify(sent.bytes, at)


def test_sacks_that_leave_together_are_authenticated_each() -> None:
    peer = demanding(CHUNK_SACK)
    peer.deliver_together(*[peer.data(tsn) for tsn in range(1, 9)])
    sent = peer.take()
    assert [one.names for one in sent] == [["AUTH", "SACK"]] * 4
    assert all(peer.is_authentic(one, peer.key()) for one in sent)


def test_a_packet_has_room_for_its_auth_chunk() -> None:
    """6.2: the sender "MUST bundle chunks in order to authenticate them"."""
    peer = demanding(CHUNK_DATA)
    peer.send(20_000)
    assert max(len(one.bytes) for one in peer.take()) == 1472
    for size in range(1380, 1480):
        one = demanding(CHUNK_DATA)
        one.send(size)
        sent = one.take()
        assert sum(len(data.data) for packet in sent for data in packet.data) == size
        assert max(len(packet.bytes) for packet in sent) <= 1472


def test_a_heartbeat_that_fills_a_packet_is_not_answered_by_one_that_is_too_large() -> None:
    peer = demanding(CHUNK_HEARTBEAT_ACK)
    peer.deliver(control.heartbeat(bytes(1444)))
    peer.deliver(control.heartbeat(bytes(1400)))
    assert [len(one.bytes) <= 1472 for one in peer.take()] == [True]


def test_without_shared_keys_the_identifier_is_0_and_the_key_is_empty() -> None:
    """6.2: "it MUST use Shared Key Identifier zero with an empty endpoint pair shared key"."""
    peer = demanding(CHUNK_DATA)
    peer.send(10)
    [sent] = peer.take()
    assert sent.value("AUTH")[:4] == bytes((0, 0, 0, 1))
    assert peer.is_authentic(sent, peer.key(0, b""))


def test_one_of_several_shared_keys_is_selected() -> None:
    """6.2: "the sender selects one and uses the corresponding Shared Key Identifier"."""
    peer = demanding(CHUNK_DATA, shared_keys=KEYS, active_key=2)
    peer.send(10)
    [sent] = peer.take()
    assert sent.value("AUTH")[:4] == bytes((0, 2, 0, 1))
    assert peer.is_authentic(sent, peer.key(2, b"two"))


def test_messages_with_different_keys_are_not_bundled() -> None:
    """RFC 6458 section 8.1.18."""
    peer = demanding(CHUNK_DATA, shared_keys=KEYS)
    peer.association.send(peer.now, b"with one")
    peer.association.activate_key(peer.now, 2)
    peer.association.send(peer.now, b"with two")
    peer.association.send(peer.now, b"with one again", key=1)
    peer.settle()
    sent = peer.take()
    assert [one.names for one in sent] == [["AUTH", "DATA"]] * 3
    keys = [peer.key(1, b"one"), peer.key(2, b"two"), peer.key(1, b"one")]
    assert all(peer.is_authentic(one, key) for one, key in zip(sent, keys, strict=True))


def test_what_is_lost_goes_again_with_the_key_that_it_had() -> None:
    peer = demanding(CHUNK_DATA, shared_keys=KEYS)
    for number in range(6):
        peer.association.send(peer.now, bytes(100), key=1 if number < 3 else 2)
    peer.settle()
    first = peer.take()
    assert [one.tsns for one in first] == [[1, 2, 3], [4, 5, 6]]
    peer.association.activate_key(peer.now, 2)
    again = peer.wait()
    assert again[0].tsns == [1, 2, 3]
    assert peer.is_authentic(again[0], peer.key(1, b"one"))
    peer.sack(3)
    more = peer.take()
    assert [one.tsns for one in more] == [[4, 5, 6]]
    assert peer.is_authentic(more[0], peer.key(2, b"two"))


def test_a_key_is_free_when_all_that_had_it_is_acknowledged() -> None:
    """RFC 6458 sections 6.1.8, 8.3.4 and 8.3.5."""
    peer = demanding(CHUNK_DATA, shared_keys=KEYS)
    peer.send(3000)
    sent = sum(len(one.tsns) for one in peer.take())
    peer.association.activate_key(peer.now, 2)
    peer.association.deactivate_key(peer.now, 1)
    peer.settle()
    assert peer.events_of(KeyChange) == []
    with pytest.raises(OSError, match="still used"):
        peer.association.delete_key(peer.now, 1)
    with pytest.raises(OSError, match="deactivated"):
        peer.association.send(peer.now, b"no", key=1)
    peer.sack(sent)
    [event] = peer.events_of(KeyChange)
    assert (event.indication, event.key_id) == (KEY_FREE, 1)
    peer.association.delete_key(peer.now, 1)
    peer.send(10)
    [last] = peer.take()
    assert peer.is_authentic(last, peer.key(2, b"two"))


def test_the_end_of_an_association_is_authenticated_as_well() -> None:
    peer = demanding(CHUNK_ABORT, CHUNK_SHUTDOWN)
    peer.shutdown()
    [sent] = peer.take()
    assert sent.names == ["AUTH", "SHUTDOWN"]
    peer.association.abort(peer.now)
    peer.settle()
    [sent] = peer.take()
    assert sent.names == ["AUTH", "ABORT"]
    assert peer.is_authentic(sent, peer.key())


@pytest.mark.parametrize("kind", [CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK])
@pytest.mark.parametrize("interleaving", [False, True])
def test_user_data_of_either_kind_is_authenticated_and_goes_again(kind: int, interleaving: bool) -> None:
    """6.2: "The other chunks MAY be sent whether or not they have been authenticated": so is what takes the place of a
    chunk that is listed. All packets with user data are, and what was lost is found in them again.
    """
    peer = Peer(
        authentication=True,
        interleaving=interleaving,
        extensions=[CHUNK_I_DATA],
        auth=AuthParameters(RANDOM, bytes((kind,)), SHA_1),
    )
    peer.send(1400, 2000)
    first = peer.take()
    again = peer.wait()
    name = "I-DATA" if interleaving else "DATA"
    for one in (*first, *again):
        assert one.names[:2] == ["AUTH", name]
        assert peer.is_authentic(one, peer.key())
    assert again[0].bytes[40:] == first[0].bytes[40:]


def test_i_data_is_authenticated() -> None:
    peer = Peer(
        authentication=True,
        interleaving=True,
        extensions=[CHUNK_I_DATA],
        auth=AuthParameters(RANDOM, bytes((CHUNK_I_DATA,)), BOTH),
    )
    peer.send(4000)
    sent = peer.take()
    assert {tuple(one.names) for one in sent} == {("AUTH", "I-DATA")}
    assert all(peer.is_authentic(one, peer.key(algorithm=HMAC_SHA_256)) for one in sent)


# --- 6.3: receiving ---


def test_chunks_that_have_to_be_authenticated_are_silently_discarded_without() -> None:
    """6.3: "It MUST silently discard these chunks if they are not placed after an AUTH chunk in the packet"."""
    peer = guarded(CHUNK_DATA, CHUNK_ABORT)
    peer.deliver(peer.data(1))
    peer.deliver_together(*[peer.data(tsn) for tsn in range(1, 9)])
    peer.deliver(control.abort([]))
    assert peer.take() == []
    assert peer.read() == []
    assert peer.association.state == ESTABLISHED
    assert peer.association.stats.unauthenticated_chunks == 10


def test_other_chunks_of_the_packet_count_all_the_same() -> None:
    peer = guarded(CHUNK_DATA)
    peer.deliver(control.heartbeat(b"info"), peer.data(1))
    assert [one.names for one in peer.take()] == [["HEARTBEAT ACK"]]
    assert peer.read() == []


def test_sacks_have_to_be_authenticated_where_that_is_demanded() -> None:
    peer = guarded(CHUNK_SACK)
    peer.send(10)
    peer.take()
    peer.sack(1)
    assert peer.association.unacknowledged == 1
    peer.deliver(peer.key().authenticate(peer.sack_chunk(1)))
    assert peer.association.unacknowledged == 0


@pytest.mark.parametrize("algorithm", [1, 3])
def test_chunks_behind_an_auth_chunk_count_by_either_algorithm(algorithm: int) -> None:
    """6.3: "The receiver MUST use the HMAC algorithm indicated in the HMAC Identifier field"."""
    peer = guarded(CHUNK_DATA)
    peer.deliver(peer.key(algorithm=algorithm).authenticate(peer.data(1) + peer.data(2)))
    assert len(peer.read()) == 2


def test_what_comes_before_the_auth_chunk_is_not_authenticated() -> None:
    """5.1: "Those chunks placed in a packet before the AUTH chunk are not authenticated"."""
    peer = guarded(CHUNK_HEARTBEAT, CHUNK_DATA)
    peer.deliver(control.heartbeat(b"one"), peer.key().authenticate(control.heartbeat(b"two") + peer.data(1)))
    [sent] = peer.take()
    assert sent.names.count("HEARTBEAT ACK") == 1
    assert len(peer.read()) == 1
    assert peer.association.stats.unauthenticated_chunks == 1


def test_padding_is_covered() -> None:
    """6.2: "The padding of all chunks being authenticated MUST be included in the HMAC computation"."""
    peer = guarded(CHUNK_DATA)
    chunk = peer.data(1, b"odd")
    peer.deliver(peer.key().authenticate(chunk[:-1]) + b"\0")
    assert peer.read() == []
    peer.deliver(peer.key().authenticate(chunk))
    assert len(peer.read()) == 1


def spoil(chunk: bytes, what: str) -> bytes:
    """An AUTH chunk of SHA-1, and the chunks behind it, with one thing wrong."""
    if what == "hmac":
        return chunk[:8] + bytes((chunk[8] ^ 1,)) + chunk[9:]
    if what == "data":
        return chunk[:-1] + bytes((chunk[-1] ^ 1,))
    if what == "key":
        return chunk[:4] + b"\0\7" + chunk[6:]
    if what == "length":
        return chunk[:2] + b"\0\x18" + chunk[4:24] + chunk[28:]
    if what == "short":
        return chunk[:2] + b"\0\4" + chunk[28:]
    return chunk


@pytest.mark.parametrize("what", ["hmac", "data", "key", "length", "short"])
def test_what_is_behind_an_auth_chunk_that_does_not_fit_is_silently_discarded(what: str) -> None:
    """6.3: "all the chunks following the AUTH chunk MUST be silently discarded", whether they are demanded or not."""
    peer = guarded(CHUNK_DATA)
    made = peer.key().authenticate(peer.data(1) + control.heartbeat(b"info"))
    peer.deliver(control.heartbeat(b"before"), spoil(made, what))
    assert [one.names for one in peer.take()] == [["HEARTBEAT ACK"]]
    assert peer.read() == []
    assert peer.association.stats.auth_chunks_rejected == 1
    peer.deliver(made)
    assert len(peer.read()) == 1


def test_an_algorithm_that_was_not_listed_is_reported() -> None:
    """6.3: "an ERROR chunk SHOULD be sent with the error cause defined in Section 4.1", whose length is 6."""
    peer = guarded(CHUNK_DATA, hmac_algorithms=(1,))
    peer.deliver(peer.key(algorithm=HMAC_SHA_256).authenticate(peer.data(1)))
    [sent] = peer.take()
    assert sent.names == ["ERROR"]
    assert sent.value("ERROR") == struct.pack(">HHH", CAUSE_UNSUPPORTED_HMAC, 6, 3)
    assert causes.parse(sent.value("ERROR")) == [(CAUSE_UNSUPPORTED_HMAC, b"\0\3")]
    assert peer.read() == []


@pytest.mark.parametrize("hmac", [b"", bytes(20)])
@pytest.mark.parametrize("identifier", [0, 2, 4, 0xFFFF])
def test_an_algorithm_that_was_not_listed_is_reported_whatever_is_behind_the_chunk(
    identifier: int, hmac: bytes
) -> None:
    """6.3: "the AUTH chunk and all the chunks after it MUST be discarded and an ERROR chunk SHOULD be sent"."""
    peer = guarded(CHUNK_DATA)
    made = struct.pack(">BBHHH", CHUNK_AUTH, 0, 8 + len(hmac), 0, identifier) + hmac
    for behind in ([], [peer.data(1)]):
        peer.deliver(control.heartbeat(b"info"), made, *behind)
        [sent] = peer.take()
        assert sorted(sent.names) == ["ERROR", "HEARTBEAT ACK"]
        assert causes.parse(sent.value("ERROR")) == [(CAUSE_UNSUPPORTED_HMAC, identifier.to_bytes(2, "big"))]
    assert peer.read() == []
    assert peer.association.stats.auth_chunks_rejected == 2


def test_an_endpoint_without_shared_keys_takes_no_other_identifier_than_0() -> None:
    """6.3: "it MUST silently discard all authenticated chunks"."""
    peer = guarded(CHUNK_DATA)
    peer.deliver(peer.key(1).authenticate(peer.data(1)))
    assert peer.read() == []


def test_an_endpoint_with_shared_keys_does_not_take_the_empty_one() -> None:
    """6.3: "If no endpoint pair shared key has been configured for that Shared Key Identifier, all authenticated chunks
    MUST be silently discarded"; section 9 tells what else an attacker could do.
    """
    peer = guarded(CHUNK_DATA, shared_keys=KEYS)
    peer.deliver(peer.key(0).authenticate(peer.data(1)))
    assert peer.read() == []
    peer.deliver(peer.key(2, b"two").authenticate(peer.data(1)))
    assert len(peer.read()) == 1


def test_the_user_hears_when_the_peer_uses_another_key() -> None:
    """RFC 6458 section 6.1.8: "used for the first time by the peer"."""
    peer = guarded(CHUNK_DATA, shared_keys=KEYS)
    for tsn, key in enumerate([(1, b"one"), (1, b"one"), (2, b"two")], 1):
        peer.deliver(peer.key(*key).authenticate(peer.data(tsn)))
    assert [(event.indication, event.key_id) for event in peer.events_of(KeyChange)] == [(KEY_NEW, 1), (KEY_NEW, 2)]


def test_the_second_auth_chunk_of_a_packet_ends_it() -> None:
    """5.1: it "MUST NOT appear more than once in an SCTP packet"."""
    peer = guarded(CHUNK_DATA)
    inner = peer.key().authenticate(peer.data(2))
    peer.deliver(peer.key().authenticate(peer.data(1) + inner))
    assert len(peer.read()) == 1
    assert peer.association.stats.auth_chunks_rejected == 1


def test_an_auth_chunk_with_nothing_behind_it_says_nothing() -> None:
    peer = guarded(CHUNK_DATA)
    peer.deliver(control.heartbeat(b"info"), bytes((CHUNK_AUTH, 0, 0, 28, 0, 0, 0, 1)) + bytes(20))
    assert [one.names for one in peer.take()] == [["HEARTBEAT ACK"]]
    assert peer.association.stats.auth_chunks_rejected == 0


def test_an_abort_with_the_t_bit_has_to_be_authenticated_as_well() -> None:
    """6.3: requiring that of ABORTs "makes it impossible for an attacker to bring down [...] an association"."""
    peer = guarded(CHUNK_ABORT)
    reflected = control.abort([], reflected=True)
    for chunk in (reflected, spoil(peer.key().authenticate(reflected), "hmac")):
        peer.deliver_reflected(chunk)
        assert peer.association.state == ESTABLISHED
    peer.deliver_reflected(peer.key().authenticate(reflected))
    assert len(peer.events_of(CommunicationLost)) == 1
