"""Every error cause as its figure has it (RFC 9260 section 3.3.10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import causes, params
from sctpx.wire.causes import Cause
from sctpx.wire.codes import PARAM_HOST_NAME, PARAM_STATE_COOKIE
from sctpx.wire.tlv import ParseError, item

IPV4 = bytes.fromhex("c0000201")
IPV6 = bytes.fromhex("20010db8 00000000 00000000 00000001")

# The last padding is the chunk's and is not here.
VECTORS: list[tuple[Cause, str]] = [
    (causes.invalid_stream(0x0102), "0001 0008 0102 0000"),
    (causes.missing_parameter([PARAM_STATE_COOKIE]), "0002 000a 00000001 0007"),
    (causes.missing_parameter([PARAM_STATE_COOKIE, 0x8008]), "0002 000c 00000002 0007 8008"),
    (causes.stale_cookie(0), "0003 0008 00000000"),
    (causes.stale_cookie(1_000_000), "0003 0008 000f4240"),
    (causes.stale_cookie(1 << 40), "0003 0008 ffffffff"),
    (causes.out_of_resource(), "0004 0004"),
    (causes.unresolvable_address(params.address(IPV4)), "0005 000c 0005 0008 c0000201"),
    (causes.unresolvable_address(item(PARAM_HOST_NAME, b"a.b\0")), "0005 000c 000b 0008 612e6200"),
    (causes.unrecognized_chunk(bytes.fromhex("4a010005 61")), "0006 0009 4a 01 0005 61"),
    (causes.invalid_parameter(), "0007 0004"),
    (causes.unrecognized_parameters([(0xC123, b"a"), (0x4001, b"")]), "0008 0010 c123 0005 61 000000 4001 0004"),
    (causes.unrecognized_parameters([(0x4001, b""), (0xC123, b"a")]), "0008 000d 4001 0004 c123 0005 61"),
    (causes.no_user_data(0xFFFFFFFE), "0009 0008 fffffffe"),
    (causes.cookie_while_shutting_down(), "000a 0004"),
    (
        causes.restart_with_new_addresses([IPV4, IPV6]),
        "000b 0020 0005 0008 c0000201 0006 0014 20010db8 00000000 00000000 00000001",
    ),
    (causes.user_abort(b""), "000c 0004"),
    (causes.user_abort(b"bye"), "000c 0007 627965"),
    (causes.protocol_violation("no"), "000d 0006 6e6f"),
]


@pytest.mark.parametrize(("cause", "encoded"), VECTORS)
def test_a_cause_is_laid_out_as_in_its_figure(cause: Cause, encoded: str) -> None:
    assert causes.encode([cause]) == bytes.fromhex(encoded)


@pytest.mark.parametrize(("cause", "encoded"), VECTORS)
def test_a_cause_can_be_parsed_back(cause: Cause, encoded: str) -> None:
    assert causes.parse(bytes.fromhex(encoded)) == [cause]


def test_every_cause_of_the_rfc_is_built() -> None:
    assert {code for (code, _), _ in VECTORS} == set(range(1, 14))


def test_causes_are_padded_between_each_other_and_not_at_the_end() -> None:
    encoded = causes.encode([causes.user_abort(b"bye"), causes.protocol_violation("no")])
    assert encoded == bytes.fromhex("000c 0007 627965 00  000d 0006 6e6f")


def test_no_causes_are_no_bytes() -> None:
    assert causes.encode([]) == b""
    assert causes.parse(b"") == []


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=8))
def test_all_causes_can_be_parsed_back(reported: list[Cause]) -> None:
    assert causes.parse(causes.encode(reported)) == reported


def test_causes_cut_inside_one_are_malformed() -> None:
    encoded = causes.encode([causes.invalid_stream(1), causes.user_abort(b"bye")])
    for cut in set(range(len(encoded))) - {0, 8}:
        with pytest.raises(ParseError):
            causes.parse(encoded[:cut])


@pytest.mark.parametrize("length", range(4))
def test_a_cause_length_below_four_is_malformed(length: int) -> None:
    with pytest.raises(ParseError):
        causes.parse(bytes([0, 4, 0, length]))
