"""RFC 4895 sections 3 and 6.1: RANDOM, CHUNKS and HMAC-ALGO, and the keys that follow from them."""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart
from sctpx.testing import Pair
from sctpx.wire import control
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import (
    CAUSE_MISSING_PARAMETER,
    CAUSE_PROTOCOL_VIOLATION,
    CHUNK_AUTH,
    CHUNK_DATA,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
)
from sctpx.wire.packet import chunks
from sctpx.wire.setup import Setup, parse
from tests.conformance.peer import Peer
from tests.sim.scripted import Scripted

RANDOM = bytes(range(32))
SHA_1 = b"\0\1"
BOTH = b"\0\3\0\1"
WRONG = [
    AuthParameters(RANDOM[:31], None, SHA_1),
    AuthParameters(RANDOM + b"\0", None, SHA_1),
    AuthParameters(b"", None, SHA_1),
    AuthParameters(RANDOM[:31], None, b""),
    AuthParameters(RANDOM, None, b"\0\3"),
    AuthParameters(RANDOM, None, b"\0\1\0"),
    AuthParameters(RANDOM, None, b"\0\1" * 17),
    AuthParameters(RANDOM, bytes(257), SHA_1),
]
"""What breaks a rule."""


def asks(auth: AuthParameters | None, **config: Any) -> tuple[Scripted, str]:
    """What an INIT with these parameters draws from a listener with this configuration."""
    scripted = Scripted(config=AssociationConfig(**config))
    scripted.endpoint.listen()
    init = Setup(scripted.p_tag, 1 << 16, 10, 10, 1)
    init.auth = auth
    with scripted:
        [line] = scripted.ask(init.encode(), tag=0)
    return scripted, line


def init_of(**config: Any) -> Setup:
    with Pair(1, config=AssociationConfig(**config)) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(0.001)
        [packet] = pair.network.packets()
        return parse(chunks(packet.data)[0][2])


def test_an_init_has_the_three_parameters_once_and_a_random_number_of_32_bytes() -> None:
    """3.1, 3.3, 6.1: "MUST be included once", "MUST contain a 32-byte Random Number"."""
    said = init_of(authenticated_chunks=(0, 7)).auth
    assert said is not None
    assert said.random is not None
    assert len(said.random) == 32
    assert said.chunk_types == b"\0\7"
    assert said.algorithms == BOTH
    other = init_of(authenticated_chunks=(0, 7))
    assert CHUNK_AUTH in other.extensions


def test_the_list_of_chunks_is_left_out_if_it_is_empty() -> None:
    """6.1: it "MAY be omitted if it is empty"."""
    said = init_of(authentication=True).auth
    assert said is not None
    assert said.chunk_types is None
    assert said.complete


def test_nothing_is_said_of_what_is_not_offered() -> None:
    setup = init_of()
    assert setup.auth is None
    assert CHUNK_AUTH not in setup.extensions


@pytest.mark.parametrize("kind", [CHUNK_INIT, CHUNK_INIT_ACK, CHUNK_SHUTDOWN_COMPLETE, CHUNK_AUTH])
def test_chunks_that_must_not_be_listed_are_not_listed_and_are_ignored(kind: int) -> None:
    """3.2: they "MUST NOT be listed", and "MUST be ignored" if they are."""
    with pytest.raises(ValueError, match="authenticated_chunks"):
        AssociationConfig(authenticated_chunks=(kind,))
    peer = Peer(authentication=True, auth=AuthParameters(RANDOM, bytes((kind,)), SHA_1))
    assert peer.association.peer_authenticated_chunks == []
    peer.send(10)
    [sent] = peer.take()
    assert sent.names == ["DATA"]


def test_the_init_ack_has_them_for_a_peer_that_sent_them() -> None:
    _, line = asks(AuthParameters(RANDOM, None, SHA_1), authenticated_chunks=(CHUNK_DATA,))
    assert "INIT ACK" in line
    assert "Random" in line
    assert "Chunk List" in line
    assert "Requested HMAC Algorithm" in line


@pytest.mark.parametrize(
    "auth", [None, AuthParameters(None, None, SHA_1), AuthParameters(RANDOM), AuthParameters(None, b"\1\x0f", SHA_1)]
)
def test_without_random_or_hmac_algo_there_is_no_authentication(auth: AuthParameters | None) -> None:
    _, line = asks(auth, authentication=True)
    assert "INIT ACK" in line
    assert "Random" not in line


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        (AuthParameters(None, b"\0", SHA_1), "Random"),
        (AuthParameters(RANDOM, b"\0", b""), "Requested HMAC Algorithm"),
        (AuthParameters(None, b"\0", b""), "Random, Requested HMAC Algorithm"),
    ],
)
def test_a_peer_that_demands_what_it_makes_impossible_is_refused(auth: AuthParameters, missing: str) -> None:
    """3.1, 3.3: both "MUST be included once [...] if the sender wants to send or receive authenticated chunks", which
    CHUNKS says. What it lists could not be sent as 6.2 demands.
    """
    _, line = asks(auth, authentication=True)
    assert f"ABORT Missing Mandatory Parameter ({missing})" in line
    _, line = asks(auth)
    assert "INIT ACK" in line  # "ignore the parameter [...] if the parameter is not understood" (3).


@pytest.mark.parametrize("auth", [None, AuthParameters(None, b"\0", SHA_1), AuthParameters(RANDOM, b"\0", b"")])
def test_a_peer_that_does_not_authenticate_is_refused_by_a_user_who_demands_it(auth: AuthParameters | None) -> None:
    """The RFC is silent. Else whoever is on the way could take a parameter out, and the demand with it."""
    _, line = asks(auth, authenticated_chunks=(CHUNK_DATA,))
    assert "ABORT Missing Mandatory Parameter" in line


@pytest.mark.parametrize("auth", WRONG)
def test_a_wrong_parameter_of_an_init_is_a_protocol_violation(auth: AuthParameters) -> None:
    """6.1: "If the Random Number is not 32 bytes, the association MUST be aborted. The ABORT chunk SHOULD contain the
    error cause 'Protocol Violation'", "SHA-1 MUST be supported and included"; 3.2: the "maximum length is 260 bytes".
    """
    _, line = asks(auth, authentication=True)
    assert "ABORT Protocol Violation" in line


@pytest.mark.parametrize("auth", WRONG)
def test_parameters_that_are_not_understood_are_skipped(auth: AuthParameters) -> None:
    """3: "ignore the parameter and continue processing if the parameter is not understood"."""
    _, line = asks(auth)
    assert "INIT ACK" in line


@pytest.mark.parametrize(
    ("auth", "code"), [*[(auth, CAUSE_PROTOCOL_VIOLATION) for auth in WRONG], (None, CAUSE_MISSING_PARAMETER)]
)
def test_a_wrong_parameter_of_an_init_ack_ends_the_attempt(auth: AuthParameters | None, code: int) -> None:
    with Scripted(config=AssociationConfig(authenticated_chunks=(CHUNK_DATA,))) as scripted:
        association = scripted.connect()
        scripted.network.run_for(0.05)
        answer = Setup(scripted.p_tag, 1 << 16, 10, 10, 1)
        answer.auth = auth
        answer.cookie = b"cookie"
        [line] = scripted.ask(answer.encode(ack=True))
        assert "ABORT" in line
        [event] = scripted.events_of(CannotStart)
        assert event.association is association
        assert event.error == ECONNREFUSED
        assert event.causes[0][0] == code


@pytest.mark.parametrize(
    ("ours", "theirs", "used"),
    [((3, 1), BOTH, 3), ((1, 3), BOTH, 3), ((3, 1), b"\0\1\0\3", 1), ((1,), BOTH, 1), ((3, 1), b"\0\2\0\0\0\1", 1)],
)
def test_the_first_algorithm_listed_that_is_supported_is_used(ours: tuple[int, ...], theirs: bytes, used: int) -> None:
    """6.1: "The receiver of an HMAC-ALGO parameter SHOULD use the first listed algorithm it supports"."""
    peer = Peer(hmac_algorithms=ours, authentication=True, auth=AuthParameters(RANDOM, b"\0", theirs))
    peer.send(10)
    [sent] = peer.take()
    assert peer.association.hmac_algorithm == used
    assert peer.is_authentic(sent, peer.key(algorithm=used))


def test_the_random_number_of_an_init_ack_differs_from_one_to_the_next() -> None:
    """3.1: a Random Number; 6.1: "generated in accordance with RFC 4086"."""
    found = set[bytes]()
    with Scripted(config=AssociationConfig(authentication=True)) as scripted:
        scripted.endpoint.listen()
        for number in range(20):
            init = Setup(scripted.p_tag, 1 << 16, 10, 10, 1)
            init.auth = AuthParameters(RANDOM, None, SHA_1)
            scripted.ask(init.encode(), tag=0, port=6000 + number)
            said = parse(chunks(scripted.heard[-1].data)[0][2], ack=True).auth
            assert said is not None
            assert said.random is not None
            found.add(said.random)
    assert len(found) == 20


def test_the_state_cookie_has_no_shared_key() -> None:
    """6.3: it "MUST NOT contain any endpoint pair shared keys"."""
    with Scripted(config=AssociationConfig(authentication=True, shared_keys=((1, b"a secret of both"),))) as scripted:
        scripted.endpoint.listen()
        init = Setup(scripted.p_tag, 1 << 16, 10, 10, 1)
        init.auth = AuthParameters(RANDOM, None, SHA_1)
        scripted.ask(init.encode(), tag=0)
        assert b"a secret of both" not in scripted.heard[-1].data


def test_an_init_behind_an_auth_chunk_is_no_init() -> None:
    """RFC 9260 section 8.5.1 A: "the packet contains only an INIT chunk"."""
    with Scripted(config=AssociationConfig(authentication=True)) as scripted:
        scripted.endpoint.listen()
        init = Setup(scripted.p_tag, 1 << 16, 10, 10, 1)
        assert scripted.ask(bytes((CHUNK_AUTH, 0, 0, 8, 0, 0, 0, 1)) + init.encode(), tag=0) == []


def test_a_packet_out_of_the_blue_is_answered_as_without_its_auth_chunk() -> None:
    """6.3: it "MUST be based on the packet without taking the AUTH chunk into account"."""
    blank = bytes((CHUNK_AUTH, 0, 0, 28, 0, 0, 0, 1)) + bytes(20)
    with Scripted() as scripted:
        assert scripted.ask(blank + control.abort([]), tag=9) == []
        assert scripted.ask(blank + control.shutdown_ack(), tag=9) == ["0x00000009: SHUTDOWN COMPLETE T"]
        assert scripted.ask(blank + control.heartbeat(b"info"), tag=9) == ["0x00000009: ABORT T"]


@pytest.mark.parametrize(
    ("listed", "interleaving", "said"),
    [
        ((0,), False, (0,)),
        ((64,), False, (64,)),
        ((0,), True, (0, 64)),
        ((64, 7), True, (0, 7, 64)),
        ((194,), True, (192, 194)),
        ((3,), True, (3,)),
    ],
)
def test_what_is_demanded_of_data_is_demanded_of_what_takes_its_place(
    listed: tuple[int, ...], interleaving: bool, said: tuple[int, ...]
) -> None:
    """RFC 8260 sections 2.1 and 2.3.1: I-DATA and I-FORWARD-TSN, if messages are interleaved."""
    found = init_of(authenticated_chunks=listed, interleaving=interleaving).auth
    assert found is not None
    assert found.chunk_types == bytes(said)


def test_an_auth_chunk_that_was_not_agreed_on_ends_its_packet() -> None:
    """5: "ignore the chunk if it is not understood and silently discard all chunks that follow"."""
    peer = Peer()
    peer.deliver(bytes((CHUNK_AUTH, 0, 0, 8, 0, 0, 0, 1)), peer.data(1))
    peer.deliver(peer.data(1), bytes((CHUNK_AUTH, 0, 0, 8, 0, 0, 0, 1)), peer.data(2))
    assert len(peer.read()) == 1
