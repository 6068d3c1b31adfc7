"""ASCONF and ASCONF-ACK: what is written is read again, and what is broken is refused (RFC 5061 sections 4.1, 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import asconf, causes
from sctpx.wire.asconf import Answer
from sctpx.wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_REFUSED_FOR_RESOURCES,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_HOST_NAME,
    PARAM_SET_PRIMARY,
    PARAM_SUCCESS,
)
from sctpx.wire.params import address
from sctpx.wire.tlv import ParseError, item

IPV4 = bytes((192, 0, 2, 1))
IPV6 = bytes.fromhex("20010db8000000000000000000000001")
IPS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
NUMBERS = st.integers(0, 0xFFFFFFFF)


def test_an_add_request_is_the_example_of_the_rfc() -> None:
    """Section 4.2.1."""
    request = asconf.request(PARAM_ADD_IP, 0x01023474, IPV4)
    assert item(request.kind, request.value).hex(" ", 4) == "c0010010 01023474 00050008 c0000201"


def test_a_set_primary_request_is_the_example_of_the_rfc() -> None:
    """Section 4.2.4."""
    request = asconf.request(PARAM_SET_PRIMARY, 0x01023479, IPV4)
    assert item(request.kind, request.value).hex(" ", 4) == "c0040010 01023479 00050008 c0000201"


@pytest.mark.parametrize(
    ("kind", "code", "hexed"),
    [
        (PARAM_DELETE_IP, CAUSE_DELETE_LAST_IP, "c003001c 01023476 00a00014 c0020010 01023476 00050008 c0000201"),
        (PARAM_ADD_IP, CAUSE_REFUSED_FOR_RESOURCES, "c003001c 01023476 00a10014 c0010010 01023476 00050008 c0000201"),
    ],
)
def test_a_refusal_is_the_example_of_the_rfc(kind: int, code: int, hexed: str) -> None:
    """Sections 4.3.1 and 4.3.2."""
    request = asconf.request(kind, 0x01023476, IPV4)
    answer = Answer(request.correlation, [causes.refused(code, (request.kind, request.value))])
    assert item(*answer.parameter).hex(" ", 4) == hexed


def test_success_of_everything_is_eight_bytes() -> None:
    """Section 4.1.2: "Chunk Length (set to 8)"."""
    assert asconf.encode_ack(7, []) == bytes((CHUNK_ASCONF_ACK, 0, 0, 8, 0, 0, 0, 7))


def test_the_address_parameter_comes_first() -> None:
    """Section 4.1.1."""
    chunk = asconf.encode(5, IPV4, [])
    assert chunk == bytes((CHUNK_ASCONF, 0, 0, 16, 0, 0, 0, 5)) + address(IPV4)


@given(NUMBERS, IPS, st.lists(st.tuples(st.sampled_from(asconf.REQUESTS), NUMBERS, IPS), max_size=5))
def test_what_is_written_is_read_again(serial: int, lookup: bytes, wanted: list[tuple[int, int, bytes]]) -> None:
    requests = [asconf.request(*one) for one in wanted]
    chunk = asconf.encode(serial, lookup, requests)
    assert len(chunk) <= asconf.size(requests) == len(asconf.encode(serial, IPV6, requests))
    number, found = asconf.parse(chunk[4:])
    assert number == serial
    assert [(one.kind, one.correlation, one.ip) for one in found] == wanted
    assert [one.is_wildcard for one in found] == [not any(ip) for _, _, ip in wanted]
    assert not any(one.is_host_name for one in [*requests, *found])


@given(
    NUMBERS,
    st.lists(st.tuples(NUMBERS, st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9)))), max_size=5),
)
def test_answers_that_are_written_are_read_again(serial: int, said: list[tuple[int, list[tuple[int, bytes]]]]) -> None:
    chunk = asconf.encode_ack(serial, [Answer(*one) for one in said])
    length = int.from_bytes(chunk[2:4], "big")
    number, found, others = asconf.parse_ack(chunk[4:length])
    assert (number, others) == (serial, [])
    assert [(one.correlation, one.causes) for one in found] == said


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0\0",
        bytes(4),
        bytes(4) + item(PARAM_ADD_IP, bytes(4) + address(IPV4)),
        bytes(4) + item(PARAM_ADD_IP, IPV6),
        bytes(4) + item(0x8765, IPV6),
        bytes(4) + address(IPV4)[:6],
        bytes(4) + item(5, IPV6),
        bytes(4) + address(IPV4) + b"\xc0\1\0\3",
        bytes(4) + address(IPV4) + b"\xc0\1\0\x20",
    ],
)
def test_an_asconf_without_an_address_parameter_or_with_broken_lengths_is_malformed(value: bytes) -> None:
    with pytest.raises(ParseError):
        asconf.parse(value)


@pytest.mark.parametrize("ip", [IPV4, IPV6, bytes(4), bytes(16)])
def test_the_address_parameter_is_read(ip: bytes) -> None:
    assert asconf.lookup_of(asconf.encode(5, ip, [asconf.request(PARAM_ADD_IP, 1, IPV4)])[4:]) == ip


@pytest.mark.parametrize(
    "behind",
    [
        b"",
        b"\0",
        b"\0\5\0",
        address(IPV4)[:7],
        address(IPV6)[:19],
        item(5, IPV6),
        item(6, IPV4),
        item(5, b""),
        item(PARAM_HOST_NAME, b"host"),
        item(0x8765, IPV4),
        item(0x8765, b"a"),
        b"\0\5\1\x08" + IPV4,
        item(PARAM_ADD_IP, bytes(4) + address(IPV4)),
    ],
)
def test_what_is_no_address_parameter_is_none(behind: bytes) -> None:
    """Section 4.1.1: "The host name address [...] MUST be ignored"."""
    assert asconf.lookup_of(bytes(4) + behind) == b""


@given(st.binary(max_size=30))
def test_the_address_parameter_of_any_bytes_is_that_of_the_whole_chunk(value: bytes) -> None:
    ip = asconf.lookup_of(value)
    try:
        asconf.parse(value)
    except ParseError:
        return
    assert ip or value[4:6] == PARAM_HOST_NAME.to_bytes(2, "big")


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9))))
def test_the_size_of_an_answer_is_what_it_takes_in_the_chunk(number: int, why: list[tuple[int, bytes]]) -> None:
    one = Answer(number, why)
    assert len(asconf.encode_ack(7, [one, one])) == 8 + 2 * one.size


def test_a_host_name_in_place_of_the_address_parameter_is_ignored() -> None:
    """Section 4.1.1."""
    _, found = asconf.parse(bytes(4) + item(PARAM_HOST_NAME, b"host") + item(PARAM_ADD_IP, bytes(4) + address(IPV4)))
    assert [one.ip for one in found] == [IPV4]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0",
        bytes(4),
        bytes(4) + item(5, IPV6),
        bytes(4) + address(IPV4) * 2,
        bytes(4) + address(IPV4) + b"\0",
        bytes(4) + item(99, IPV4),
    ],
)
def test_a_request_that_is_malformed_inside_has_no_address_and_spoils_no_other(value: bytes) -> None:
    other = item(PARAM_DELETE_IP, bytes(4) + address(IPV6))
    _, found = asconf.parse(bytes(4) + address(IPV4) + item(PARAM_ADD_IP, value) + other)
    assert [(one.kind, one.ip, one.is_wildcard) for one in found] == [
        (PARAM_ADD_IP, b"", False),
        (PARAM_DELETE_IP, IPV6, False),
    ]


@pytest.mark.parametrize(("value", "correlation"), [(b"", 0), (b"\0\0\1", 0), (b"\1\2\3\4", 0x01020304)])
def test_a_request_without_an_address_has_a_correlation_id_if_there_is_room_for_it(
    value: bytes, correlation: int
) -> None:
    assert asconf.parse_request(PARAM_ADD_IP, value).correlation == correlation


def test_an_address_is_read_in_known_requests_only() -> None:
    unknown = asconf.parse_request(0xC123, bytes(4) + address(IPV4))
    assert (unknown.kind, unknown.ip) == (0xC123, b"")


def test_a_host_name_in_a_request_is_seen() -> None:
    _, [found] = asconf.parse(bytes(4) + address(IPV4) + item(PARAM_ADD_IP, bytes(4) + item(PARAM_HOST_NAME, b"host")))
    assert found.is_host_name
    assert not found.ip


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0\0",
        bytes(4) + item(PARAM_SUCCESS, b"\0"),
        bytes(4) + item(PARAM_ERROR_CAUSE, bytes(4)),
        bytes(4) + item(PARAM_ERROR_CAUSE, bytes(6)),
    ],
)
def test_an_answer_without_what_it_must_have_is_malformed(value: bytes) -> None:
    with pytest.raises(ParseError):
        asconf.parse_ack(value)


def test_other_parameters_of_an_answer_are_told_apart() -> None:
    _, answers, others = asconf.parse_ack(bytes(4) + item(0xC123, b"abcd") + item(PARAM_SUCCESS, b"\0\0\0\7"))
    assert others == [(0xC123, b"abcd")]
    assert [(one.correlation, one.causes) for one in answers] == [(7, [])]


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_malformed(value: bytes) -> None:
    for parse in (asconf.parse, asconf.parse_ack):
        try:
            parse(value)
        except ParseError:
            continue
