"""RE-CONFIG parameters as their figures have them (RFC 6525 section 4)."""

from __future__ import annotations

import pytest

from sctpx.wire import reconfig
from sctpx.wire.codes import (
    CHUNK_RE_CONFIG,
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_TSN_RESET,
)
from sctpx.wire.reconfig import Parameter
from sctpx.wire.tlv import ParseError, item

VECTORS = [
    (reconfig.outgoing_reset(1, 2, 3, [4, 5]), "000d 0014 00000001 00000002 00000003 0004 0005"),
    (reconfig.outgoing_reset(1, 2, 3, []), "000d 0010 00000001 00000002 00000003"),
    (reconfig.incoming_reset(1, [0x102]), "000e 000a 00000001 0102"),
    (reconfig.tsn_reset(0xFFFFFFFF), "000f 0008 ffffffff"),
    (reconfig.response(1, 6), "0010 000c 00000001 00000006"),
    (reconfig.response(1, 1, (7, 8)), "0010 0014 00000001 00000001 00000007 00000008"),
    (reconfig.add_outgoing(1, 0x203), "0011 000c 00000001 0203 0000"),
    (reconfig.add_incoming(1, 0x203), "0012 000c 00000001 0203 0000"),
]
EVERYTHING = ("kind", "number", "response_number", "last_tsn", "streams", "count", "result", "next_tsns")


def seen(parameter: Parameter) -> list[object]:
    return [getattr(parameter, name) for name in EVERYTHING]


@pytest.mark.parametrize(("parameter", "encoded"), VECTORS)
def test_a_parameter_is_laid_out_as_in_its_figure_and_can_be_parsed_back(parameter: Parameter, encoded: str) -> None:
    value = bytes.fromhex(encoded)
    assert reconfig.encode([parameter])[: 4 + len(value)] == bytes((CHUNK_RE_CONFIG, 0, 0, 4 + len(value))) + value
    [found], reported = reconfig.parse(value)
    assert seen(found) == seen(parameter)
    assert reported == []


def test_what_a_kind_does_not_have_is_below_zero_or_empty() -> None:
    assert seen(reconfig.tsn_reset(9)) == [PARAM_TSN_RESET, 9, -1, -1, [], -1, -1, None]


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        (PARAM_OUTGOING_RESET, {12, 14, 16}),
        (PARAM_INCOMING_RESET, {4, 6, 8, 10, 12, 14, 16}),
        (PARAM_TSN_RESET, {4}),
        (PARAM_RECONFIG_RESPONSE, {8, 16}),
        (PARAM_ADD_OUTGOING, {8}),
        (PARAM_ADD_INCOMING, {8}),
    ],
)
def test_a_parameter_of_a_length_that_its_kind_cannot_have_is_malformed(kind: int, lengths: set[int]) -> None:
    for length in range(17):
        if length in lengths:
            assert len(reconfig.parse(item(kind, bytes(length)))[0]) == 1
        else:
            with pytest.raises(ParseError):
                reconfig.parse(item(kind, bytes(length)))


@pytest.mark.parametrize("count", range(5))
def test_the_size_of_a_reset_is_known_before_it_is_made(count: int) -> None:
    streams = list(range(count))
    out, back = reconfig.outgoing_reset(1, 2, 3, streams), reconfig.incoming_reset(1, streams)
    assert reconfig.size_of_reset(count, True, False) == len(reconfig.encode([out]))
    assert reconfig.size_of_reset(count, False, True) == len(reconfig.encode([back]))
    assert reconfig.size_of_reset(count, True, True) == len(reconfig.encode([out, back]))
