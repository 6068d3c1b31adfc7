"""RFC 4895 on the wire: key vectors and keys as section 6.1 has them, AUTH chunks as figures 5 and 6 have them."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from sctpx.wire.auth import HMAC_SHA_1, HMAC_SHA_256, AssociationKey, AuthParameters, association_key, encode_algorithms
from sctpx.wire.codes import CHUNK_DATA, CHUNK_INIT
from sctpx.wire.packet import chunks
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import join

ONES = bytes(range(32))
OTHERS = bytes(range(100, 132))


def test_a_key_vector_is_the_three_parameters_in_their_order_without_padding() -> None:
    said = AuthParameters(ONES, b"\xc1\x80\x00", encode_algorithms((3, 1)))
    by_hand = "80020024" + ONES.hex() + "80030007c18000" + "8004000800030001"
    assert said.key_vector().hex() == by_hand


def test_identifiers_have_two_bytes_each() -> None:
    assert AuthParameters(ONES, None, b"\1\2\0\3").identifiers == [0x0102, 3]
    assert AuthParameters(ONES, None, b"").identifiers == []


def test_a_parameter_that_was_not_sent_is_omitted_and_an_empty_one_is_not() -> None:
    assert AuthParameters(ONES, None, b"\0\1").key_vector().hex() == "80020024" + ONES.hex() + "800400060001"
    assert (
        AuthParameters(ONES, b"", b"\0\1").key_vector().hex() == "80020024" + ONES.hex() + "80030004" + "800400060001"
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (b"\1\0", b"\0\xff", b"key\0\xff\1\0"),  # The numerically smaller one is first,
        (b"\2", b"\1\0", b"key\2\1\0"),  # whatever the first bytes are;
        (b"\0\0\5", b"\5", b"key\5\0\0\5"),  # of equal numbers, the shorter one;
        (b"\5", b"\5", b"key\5\5"),  # equal vectors "in any order".
    ],
)
def test_the_vectors_are_compared_as_numbers(one: bytes, other: bytes, expected: bytes) -> None:
    assert association_key(b"key", one, other) == association_key(b"key", other, one) == expected


def test_a_key_computed_by_hand_authenticates_a_chunk() -> None:
    """Figure 6: the AUTH chunk with zeroes for the HMAC, then the chunks with their padding."""
    local = AuthParameters(ONES, b"\0", encode_algorithms((1,)))
    peer = AuthParameters(OTHERS, None, encode_algorithms((1,)))
    vector = bytes.fromhex("80020024") + ONES + bytes.fromhex("8003000500") + bytes.fromhex("800400060001")
    other = bytes.fromhex("80020024") + OTHERS + bytes.fromhex("800400060001")
    # The second vector is shorter by five bytes, so that it is the smaller number.
    secret = b"shared" + other + vector
    assert association_key(b"shared", local.key_vector(), peer.key_vector()) == secret
    chunk = bytes.fromhex("0003001100000001000000000000000061000000")
    header = bytes.fromhex("0f00001c00070001")
    expected = hmac.new(secret, header + bytes(20) + chunk, hashlib.sha1).digest()
    made = AssociationKey(7, HMAC_SHA_1, secret).authenticate(chunk)
    assert made == header + expected + chunk


@pytest.mark.parametrize(("algorithm", "name", "length"), [(HMAC_SHA_1, "sha1", 20), (HMAC_SHA_256, "sha256", 32)])
def test_the_hmac_is_that_of_the_library(algorithm: int, name: str, length: int) -> None:
    key = AssociationKey(0x1234, algorithm, b"k" * 100)
    made = key.authenticate(b"\x03\0\0\x04")
    assert key.length == 8 + length
    assert made[:8] == bytes((15, 0, 0, 8 + length, 0x12, 0x34, 0, algorithm))
    assert made[8 : 8 + length] == hmac.digest(b"k" * 100, made[:8] + bytes(length) + b"\x03\0\0\x04", name)
    assert key.verify(b"before" + made, 6)


def test_flags_are_ignored_but_covered() -> None:
    """Section 5.1: "MUST be ignored on receipt"."""
    key = AssociationKey(1, HMAC_SHA_1, b"key")
    made = key.authenticate(b"data")
    flagged = made[:1] + b"\xff" + made[2:]
    assert not key.verify(flagged, 0)
    digest = hmac.digest(b"key", flagged[:8] + bytes(20) + b"data", "sha1")
    assert key.verify(flagged[:8] + digest + b"data", 0)


def test_every_bit_of_what_is_authenticated_counts() -> None:
    key = AssociationKey(1, HMAC_SHA_256, b"key")
    made = key.authenticate(bytes(range(20)))
    for bit in range(8 * len(made)):
        spoilt = bytearray(made)
        spoilt[bit >> 3] ^= 1 << (bit & 7)
        assert not key.verify(bytes(spoilt), 0), bit


def test_what_is_said_comes_back_from_the_wire_and_counts_once() -> None:
    setup = Setup(1, 1 << 16, 1, 1, 1)
    setup.auth = AuthParameters(ONES, bytes((CHUNK_DATA, CHUNK_INIT)), encode_algorithms((1, 3)))
    [(_, _, value)] = chunks(bytes(12) + setup.encode())
    again = AuthParameters(OTHERS, b"\x40", encode_algorithms((3, 1)))
    found = parse(value + join(again.parameters())).auth
    assert found is not None
    assert found.key_vector() == setup.auth.key_vector()
    assert found.identifiers == [1, 3]
    assert found.demanded == {CHUNK_DATA}  # INIT "MUST be ignored" (section 3.2).
