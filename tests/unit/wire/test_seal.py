"""A seal's ways to many packets give, byte by byte, what it gives for each of them alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.auth import HMAC_SHA_1, AssociationKey
from sctpx.wire.checksum import header_checksum, verify_packet
from sctpx.wire.codes import (
    CHUNK_ASCONF,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_I_DATA,
    CHUNK_INIT,
    CHUNK_SACK,
    COMMON_HEADER,
)
from sctpx.wire.packet import prefix
from sctpx.wire.seal import AuthSeal, Seal, finish_packet
from sctpx.wire.tlv import chunk

PREFIX = prefix(5000, 5001, 0x12345678)
SEAL = Seal(PREFIX)
KEY = AssociationKey(0, HMAC_SHA_1, b"key")
OTHER_KEY = AssociationKey(1, HMAC_SHA_1, b"another")
BEFORE = [b"", *(chunk(CHUNK_SACK, 0, bytes(length)) for length in (0, 1, 12, 300, 301))]
"""What may stand before a chunk: chunks of short and long lengths, with padding and without."""


@given(chunks=st.binary(max_size=200))
def test_a_packet_is_the_header_the_checksum_and_the_chunks(chunks: bytes) -> None:
    packet = SEAL.packet(chunks)
    assert packet[:8] == PREFIX
    assert packet[COMMON_HEADER:] == chunks
    assert verify_packet(packet)
    assert packet == finish_packet(PREFIX, chunks)


@given(pieces=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=9))
def test_a_packet_in_pieces_is_appended_whole(pieces: list[bytes]) -> None:
    parts = [b"before"]
    packet = SEAL.packet(b"".join(pieces))
    assert SEAL.append(parts, pieces) == len(packet)
    assert b"".join(parts) == b"before" + packet


@given(size=st.sampled_from([4, 16, 20, 1000]), count=st.integers(1, 50))
def test_packets_of_one_chunk_each_are_those_made_one_by_one(size: int, count: int) -> None:
    chunks = [bytes([index]) * size for index in range(count)]
    assert SEAL.packets(chunks) == b"".join([SEAL.packet(chunk) for chunk in chunks])


@given(length=st.integers(1, 1500), count=st.integers(4, 44))
def test_fragments_are_sealed_as_packets_made_one_by_one(length: int, count: int) -> None:
    data = bytes(range(256)) * (length * count // 256 + 1)
    first, rest = 0x0000_05B4_0000_0007, 0x0001_0002_0000_0003
    one_by_one = [
        SEAL.packet(
            (first + index).to_bytes(8, "big") + rest.to_bytes(8, "big") + data[index * length : (index + 1) * length]
        )
        for index in range(count)
    ]
    assert b"".join(SEAL.fragments(data, 0, length, count, first, rest, -1)) == b"".join(one_by_one)


def test_packets_with_a_header_whose_own_checksum_is_zero_have_a_checksum_as_all_others() -> None:
    zero = prefix(5000, 5001, 0x46C865E)
    assert header_checksum(zero) == 0
    for kind in (CHUNK_COOKIE_ECHO, CHUNK_COOKIE_ACK):
        parts: list[bytes] = []
        Seal(zero).append(parts, [chunk(kind, 0, b"cookie")])
        assert b"".join(parts) == finish_packet(zero, chunk(kind, 0, b"cookie"))
    parts = []
    Seal(zero, checked=False).append(parts, [chunk(CHUNK_COOKIE_ECHO, 0, b"cookie")])
    assert b"".join(parts) == finish_packet(zero, chunk(CHUNK_COOKIE_ECHO, 0, b"cookie"))


def unchecked(chunks: bytes) -> bytes:
    """The checksum field of a packet to a peer that takes packets without a checksum."""
    seal = Seal(PREFIX, checked=False)
    packet = seal.packet(chunks)
    parts: list[bytes] = []
    seal.append(parts, [chunks[:3], chunks[3:]])
    assert b"".join(parts) == packet
    assert packet == PREFIX + packet[8:12] + chunks
    return packet[8:12]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("kind", [CHUNK_INIT, CHUNK_COOKIE_ECHO, CHUNK_ASCONF])
@pytest.mark.parametrize("value", [b"", b"value"])
def test_some_chunks_have_a_checksum_for_any_peer(before: bytes, kind: int, value: bytes) -> None:
    """RFC 9653 section 5.2."""
    chunks = before + chunk(kind, 0, value)
    assert unchecked(chunks) == finish_packet(PREFIX, chunks)[8:12]


@pytest.mark.parametrize("before", BEFORE)
def test_other_packets_have_none_and_user_data_is_not_looked_at(before: bytes) -> None:
    data = chunk(CHUNK_DATA, 3, bytes(12)) + chunk(CHUNK_INIT, 0, b"user data that looks like a chunk")
    assert unchecked(before + chunk(CHUNK_COOKIE_ACK, 0, b"")) == bytes(4)
    assert unchecked(before + data) == bytes(4)


def test_nothing_is_added_to_packets_without_authentication() -> None:
    assert (SEAL.overhead, SEAL.reserve, SEAL.ahead, SEAL.added_to((CHUNK_DATA, CHUNK_ASCONF))) == (0, 0, 0, 0)
    none = AuthSeal(PREFIX, True, frozenset(), KEY)
    assert (none.overhead, none.reserve, none.ahead, none.added_to((CHUNK_DATA, CHUNK_ASCONF))) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("demanded", "reserve", "ahead"),
    [
        ({CHUNK_ASCONF}, False, False),  # No chunk that fills a packet.
        ({CHUNK_DATA}, True, True),
        ({CHUNK_I_DATA}, True, True),
        ({CHUNK_SACK}, True, True),  # A SACK may lead user data, and all packets with user data have as much room.
    ],
)
def test_there_is_room_for_auth_chunks_where_they_may_be(demanded: set[int], reserve: bool, ahead: bool) -> None:
    seal = AuthSeal(PREFIX, True, frozenset(demanded), KEY)
    assert (seal.overhead, seal.reserve, seal.ahead) == (KEY.length, KEY.length * reserve, KEY.length * ahead)
    for kind in (CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK, CHUNK_ASCONF, CHUNK_COOKIE_ACK):
        authenticated = kind in demanded or (ahead and kind in {CHUNK_DATA, CHUNK_I_DATA})
        assert seal.added_to((CHUNK_COOKIE_ACK, kind)) == (KEY.length if authenticated else 0)
        alone = chunk(kind, 0, bytes(16))
        assert seal.protect(alone) == (KEY.authenticate(alone) if authenticated else alone)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("value", [b"", b"value"])
def test_the_auth_chunk_is_right_before_the_first_chunk_that_needs_it(before: bytes, value: bytes) -> None:
    """RFC 4895 section 6.2."""
    seal = AuthSeal(PREFIX, True, frozenset({CHUNK_ASCONF}), KEY)
    needing = chunk(CHUNK_ASCONF, 0, value)
    for chunks in (needing, needing + needing, needing + chunk(CHUNK_COOKIE_ACK, 0, b"")):
        assert seal.protect(before + chunks) == before + KEY.authenticate(chunks)
        assert seal.packet(before + chunks) == finish_packet(PREFIX, before + KEY.authenticate(chunks))
    assert seal.protect(before) == before


def test_user_data_has_the_key_of_its_messages_and_all_else_the_key_of_the_association() -> None:
    seal = AuthSeal(PREFIX, True, frozenset({CHUNK_DATA, CHUNK_ASCONF}), KEY)
    seal.data_key = OTHER_KEY
    data, asconf = chunk(CHUNK_DATA, 3, bytes(13)), chunk(CHUNK_ASCONF, 0, b"")
    assert seal.protect(asconf) == KEY.authenticate(asconf)
    assert seal.protect(data) == OTHER_KEY.authenticate(data)
    assert seal.protect(asconf + data) == OTHER_KEY.authenticate(asconf + data)
