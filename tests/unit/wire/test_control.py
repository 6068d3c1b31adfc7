"""Every small control chunk as its figure has it (RFC 9260 sections 3.3.5 to 3.3.13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import causes, control
from sctpx.wire.codes import CHUNK_AUTH
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import ParseError, chunk, item

VECTORS = [
    (control.abort([]), "06 00 0004"),
    (control.abort([], reflected=True), "06 01 0004"),
    (control.abort([causes.user_abort(b"bye")]), "06 00 000b  000c 0007 627965 00"),
    (
        control.abort([causes.user_abort(b"bye"), causes.no_user_data(7)], reflected=True),
        "06 01 0014  000c 0007 627965 00  0009 0008 00000007",
    ),
    (control.error([causes.out_of_resource()]), "09 00 0008  0004 0004"),
    (control.error([causes.missing_parameter([7])]), "09 00 000e  0002 000a 00000001 0007 0000"),
    (control.heartbeat(b"12345678"), "04 00 0010  0001 000c 3132333435363738"),
    (control.heartbeat(b"12345"), "04 00 000d  0001 0009 3132333435 000000"),
    (control.heartbeat_ack(bytes.fromhex("0001 0009 3132333435")), "05 00 000d  0001 0009 3132333435 000000"),
    (control.shutdown(0x1_FFFFFFFE), "07 00 0008  fffffffe"),
    (control.shutdown(-1), "07 00 0008  ffffffff"),
    (control.shutdown_ack(), "08 00 0004"),
    (control.padding(4), "84 00 0004"),
    (control.padding(8), "84 00 0008 00000000"),
    (control.probe(b"1234", 20), "04 00 000c  0001 0008 31323334  84 00 0008 00000000"),
    (control.shutdown_complete(), "0e 00 0004"),
    (control.shutdown_complete(reflected=True), "0e 01 0004"),
    (control.cookie_echo(b"cookie"), "0a 00 000a  636f6f6b6965 0000"),
    (control.cookie_ack(), "0b 00 0004"),
]


@pytest.mark.parametrize(("encoded", "figure"), VECTORS)
def test_a_chunk_is_laid_out_as_in_its_figure(encoded: bytes, figure: str) -> None:
    assert encoded == bytes.fromhex(figure)


@given(st.binary(max_size=100))
def test_heartbeat_info_comes_back_in_the_heartbeat_ack(info: bytes) -> None:
    [(_, _, value)] = chunks(bytes(12) + control.heartbeat(info))
    assert control.parse_heartbeat_info(value) == info
    [(_, _, returned)] = chunks(bytes(12) + control.heartbeat_ack(value))
    assert returned == value


def test_other_parameters_of_a_heartbeat_are_passed_over() -> None:
    assert control.parse_heartbeat_info(item(0x8005, b"pad") + item(1, b"info")) == b"info"


@pytest.mark.parametrize("value", [b"", item(2, b"info"), item(1, b"information")[:8], bytes.fromhex("0001 0000")])
def test_a_heartbeat_without_a_whole_heartbeat_info_is_malformed(value: bytes) -> None:
    with pytest.raises(ParseError):
        control.parse_heartbeat_info(value)


def test_a_heartbeat_cut_anywhere_is_malformed() -> None:
    value = item(1, b"12345678")
    for cut in range(len(value)):
        with pytest.raises(ParseError):
            control.parse_heartbeat_info(value[:cut])


@pytest.mark.parametrize("length", [20, 21, 300])
def test_a_probe_may_stand_behind_an_auth_chunk(length: int) -> None:
    """Nothing but the two chunks of ``probe`` is a probe, however long the AUTH chunk and the Heartbeat Info are."""
    auth = chunk(CHUNK_AUTH, 0, bytes(length))
    for before in (b"", auth):
        for info in (b"", b"12345", bytes(400)):
            asking = control.heartbeat(info)
            assert control.is_probe(before + control.probe(info, len(asking) + 4))
            assert not control.is_probe(before + asking)
            assert not control.is_probe(before + asking + asking)
            assert not control.is_probe(before + control.heartbeat_ack(info) + control.padding(8))
        assert not control.is_probe(before + control.cookie_ack())
    assert not control.is_probe(auth)
    assert not control.is_probe(auth + auth + control.probe(b"", 16))


@given(st.integers(0, 0xFFFFFFFF))
def test_the_cumulative_tsn_ack_of_a_shutdown_can_be_parsed_back(tsn: int) -> None:
    assert control.parse_shutdown(control.shutdown(tsn)[4:]) == tsn


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8])
def test_a_shutdown_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(ParseError):
        control.parse_shutdown(bytes(length))


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=5))
def test_the_causes_of_abort_and_error_can_be_parsed_back(reported: list[causes.Cause]) -> None:
    for encoded in (control.abort(reported), control.error(reported)):
        [(_, _, value)] = chunks(bytes(12) + encoded)
        assert causes.parse(value) == reported
