"""A packet in one line: every chunk, whatever is broken, and never more than a line."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import asconf, causes, control, forward, params, reconfig, sack
from sctpx.wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_NAMES,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_NAMES,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_NAMES,
)
from sctpx.wire.describe import LIMIT, chunk_names, describe
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.setup import Setup
from sctpx.wire.tlv import chunk, item

PREFIX = prefix(5000, 36412, 0x1A2B3C4D)
IPV4 = bytes([192, 0, 2, 1])
IPV6 = bytes.fromhex("20010db8 00000000 00000000 00000001")


def packet(*parts: bytes) -> bytes:
    return finish_packet(PREFIX, b"".join(parts))


def told(*parts: bytes) -> str:
    """What the line says about the chunks."""
    line = describe(packet(*parts))
    head = f"5000 > 36412 tag 0x1a2b3c4d checksum right {len(packet(*parts))} bytes: "
    assert line.startswith(head)
    return line.removeprefix(head)


def setup() -> Setup:
    init = Setup(0x0A0B0C0D, 1 << 20, 10, 65535, 7)
    init.addresses = [IPV4, IPV6]
    return init


def test_the_line_begins_with_ports_tag_checksum_and_size() -> None:
    assert describe(packet(control.cookie_ack())) == ("5000 > 36412 tag 0x1a2b3c4d checksum right 16 bytes: COOKIE ACK")


def test_a_wrong_checksum_is_shown_beside_the_right_one() -> None:
    right = packet(control.cookie_ack())
    wrong = right[:8] + bytes(4) + right[12:]
    assert describe(wrong) == (
        f"5000 > 36412 tag 0x1a2b3c4d checksum wrong (00000000, right is {right[8:12].hex()}) 16 bytes: COOKIE ACK"
    )


@pytest.mark.parametrize(
    ("flags", "letters"),
    [(0, ""), (1, " E"), (2, " B"), (3, " BE"), (7, " UBE"), (0x0F, " IUBE"), (0x13, " BE flags 0x13")],
)
def test_data_is_told_with_its_flags(flags: int, letters: str) -> None:
    encoded = chunk(0, flags, struct.pack(">IHHI", 4294967295, 3, 4, 60) + b"hello")
    assert told(encoded) == f"DATA{letters} tsn 4294967295 stream 3 ssn 4 ppid 60, 5 bytes"


def test_data_without_user_data_is_told() -> None:
    assert told(chunk(0, 3, struct.pack(">IHHI", 7, 3, 4, 60))) == "DATA BE tsn 7 stream 3 ssn 4 ppid 60"


def test_an_init_is_told_with_its_addresses() -> None:
    init = setup()
    init.cookie_preservative = 1500
    init.extensions = bytes([0x82, 0xC1, 99])
    assert told(init.encode()) == (
        "INIT tag 0x0a0b0c0d a_rwnd 1048576 streams 10 out 65535 in tsn 7, "
        "IPv4 Address (192.0.2.1), IPv6 Address (2001:db8::1), Cookie Preservative (1500 ms), "
        "Supported Extensions (RE-CONFIG, ASCONF, chunk 99)"
    )


def test_an_init_ack_is_told_with_cookie_and_reports() -> None:
    answer = setup()
    answer.addresses = []
    answer.cookie = bytes(120)
    answer.unrecognized = [(0xC123, b"abc"), (0xC000, b"")]
    assert told(answer.encode(ack=True)) == (
        "INIT ACK tag 0x0a0b0c0d a_rwnd 1048576 streams 10 out 65535 in tsn 7, State Cookie (120 bytes), "
        "Unrecognized Parameter (parameter 0xc123), Unrecognized Parameter (Forward TSN Supported)"
    )


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (item(11, b"host\0"), "Host Name Address ('host\\x00')"),
        (item(12, b"\0\x05\0\x06\0\x63"), "Supported Address Types (IPv4 Address, IPv6 Address, parameter 0x0063)"),
        (item(0x8000, b""), "ECN Capable"),
        (item(0xC123, b"abc"), "parameter 0xc123 (3 bytes)"),
        (item(5, b"abc"), "IPv4 Address (malformed: 3 bytes)"),
        (item(6, b""), "IPv6 Address (malformed: empty)"),
        (item(5, IPV4) + b"\0\x05\0\x09abcd", "IPv4 Address (192.0.2.1), malformed: 8 bytes"),
        (b"\0\x05\0\0", "malformed: 4 bytes"),
        (item(0x8008, bytes(17)), f"Supported Extensions ({', '.join(['DATA'] * 16)} and 1 more)"),
        (item(12, b"\0\5" * 17), f"Supported Address Types ({', '.join(['IPv4 Address'] * 16)} and 1 more)"),
        (item(12, b"\0\5" * 3 + b"\0"), f"Supported Address Types ({', '.join(['IPv4 Address'] * 3)})"),
        (item(0x8004, b"\0\3\0\1\0"), "Requested HMAC Algorithm (3 1)"),
        (item(0x8004, b"\0\3" * 17), f"Requested HMAC Algorithm ({' '.join(['3'] * 16)} and 1 more)"),
    ],
)
def test_the_parameters_of_an_init_are_told(parameter: bytes, text: str) -> None:
    fixed = struct.pack(">IIHHI", 1, 2, 3, 4, 5)
    assert told(chunk(1, 0, fixed + parameter)) == f"INIT tag 0x00000001 a_rwnd 2 streams 3 out 4 in tsn 5, {text}"


def test_a_sack_is_told_with_gaps_as_tsns() -> None:
    assert told(sack.encode(12, 4660, [(14, 16), (17, 18)], [9, 9])) == "SACK cum 12 a_rwnd 4660 gaps 14-15 17 dups 9 9"
    assert told(sack.encode(12, 4660, [], [])) == "SACK cum 12 a_rwnd 4660"


def test_the_gaps_of_a_sack_wrap_as_tsns_do() -> None:
    assert told(sack.encode(0xFFFFFFFE, 1, [(0x100000000, 0x100000002)], [])) == "SACK cum 4294967294 a_rwnd 1 gaps 0-1"


def test_a_sack_that_breaks_the_rules_is_told_as_it_is() -> None:
    blocks = struct.pack(">IIHHHHHH", 100, 1, 2, 0, 5, 3, 0, 0)
    assert told(chunk(3, 0, blocks)) == "SACK cum 100 a_rwnd 1 gaps 105-103 100"


def test_long_lists_are_counted_beyond_the_first_ones() -> None:
    ranges = [(tsn, tsn + 1) for tsn in range(102, 142, 2)]
    gaps = " ".join([f"{tsn}" for tsn in range(102, 134, 2)])
    dups = " ".join(["9"] * 16)
    assert told(sack.encode(100, 1, ranges, [9] * 30)) == (
        f"SACK cum 100 a_rwnd 1 gaps {gaps} and 4 more dups {dups} and 14 more"
    )
    assert told(control.error([causes.out_of_resource()] * 20)).endswith("Out of Resource and 4 more")
    answer = asconf.Answer(2, [causes.out_of_resource()] * 17)
    assert told(asconf.encode_ack(5, [answer])).endswith(
        f"(request 2, {', '.join(['Out of Resource'] * 16)} and 1 more)"
    )
    skips = ", ".join([f"stream {stream} ssn 2" for stream in range(16)])
    assert told(forward.encode(False, 7, [(stream, 2, False) for stream in range(17)])) == (
        f"FORWARD-TSN cum 7 skips {skips} and 1 more"
    )
    streams = " ".join([f"{stream}" for stream in range(16)])
    assert told(reconfig.encode([reconfig.incoming_reset(8, list(range(20)))])) == (
        f"RE-CONFIG Incoming SSN Reset Request (request 8, streams {streams} and 4 more)"
    )


def test_a_sack_with_many_gaps_is_told_if_it_has_all_of_them() -> None:
    whole = sack.encode(100, 1, [(tsn, tsn + 1) for tsn in range(102, 142, 2)], [9] * 20)[4:]
    assert told(chunk(3, 0, whole)).endswith("and 4 more")
    for cut in (4, 8, 4 * 20, 4 * 21):
        assert told(chunk(3, 0, whole[:-cut])) == f"SACK malformed: {len(whole) - cut} bytes"


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (control.heartbeat(b"12345678"), "HEARTBEAT Heartbeat Info (8 bytes)"),
        (control.heartbeat_ack(item(1, b"12345678")), "HEARTBEAT ACK Heartbeat Info (8 bytes)"),
        (control.shutdown(4711), "SHUTDOWN cum 4711"),
        (control.shutdown_ack(), "SHUTDOWN ACK"),
        (control.shutdown_complete(), "SHUTDOWN COMPLETE"),
        (control.shutdown_complete(reflected=True), "SHUTDOWN COMPLETE T"),
        (control.cookie_echo(bytes(120)), "COOKIE ECHO 120 bytes"),
        (control.cookie_ack(), "COOKIE ACK"),
        (control.abort([]), "ABORT"),
        (control.abort([], reflected=True), "ABORT T"),
        (control.error([]), "ERROR"),
        (chunk(192, 0, bytes(4)), "FORWARD-TSN cum 0"),
        (chunk(192, 0, bytes(6)), "FORWARD-TSN malformed: 6 bytes"),
        (
            forward.encode(False, 7, [(1, 2, False), (3, 4, False)]),
            "FORWARD-TSN cum 7 skips stream 1 ssn 2, stream 3 ssn 4",
        ),
        (forward.encode(True, 7, [(1, 2, True)]), "I-FORWARD-TSN cum 7 skips stream 1 unordered mid 2"),
        (
            reconfig.encode([reconfig.outgoing_reset(7, 6, 99, []), reconfig.incoming_reset(8, [1, 2])]),
            (
                "RE-CONFIG Outgoing SSN Reset Request (request 7 response 6 last tsn 99, all streams), "
                "Incoming SSN Reset Request (request 8, streams 1 2)"
            ),
        ),
        (reconfig.encode([reconfig.tsn_reset(9)]), "RE-CONFIG SSN/TSN Reset Request (request 9)"),
        (
            reconfig.encode([reconfig.response(9, 1, (3, 4)), reconfig.response(10, 77)]),
            (
                "RE-CONFIG Re-configuration Response (response 9, performed, next tsn 3 from here 4 from there), "
                "Re-configuration Response (response 10, result 77)"
            ),
        ),
        (
            reconfig.encode([reconfig.add_outgoing(1, 2), reconfig.add_incoming(2, 3)]),
            (
                "RE-CONFIG Add Outgoing Streams Request (request 1 streams 2), "
                "Add Incoming Streams Request (request 2 streams 3)"
            ),
        ),
        (chunk(130, 0, item(13, bytes(3))), "RE-CONFIG Outgoing SSN Reset Request (malformed: 3 bytes)"),
        (
            chunk(130, 0, item(14, bytes(4) + b"\0\1") + item(14, bytes(4) + b"\0")),
            (
                "RE-CONFIG Incoming SSN Reset Request (request 0, streams 1), "
                "Incoming SSN Reset Request (request 0, all streams)"
            ),
        ),
        (
            asconf.encode(5, IPV4, [asconf.request(PARAM_ADD_IP, 1, IPV6), asconf.request(PARAM_DELETE_IP, 2, IPV4)]),
            (
                "ASCONF serial 5, IPv4 Address (192.0.2.1), Add IP Address (request 1, 2001:db8::1), "
                "Delete IP Address (request 2, 192.0.2.1)"
            ),
        ),
        (
            chunk(
                CHUNK_ASCONF,
                0,
                bytes(4) + item(PARAM_ADD_IP, bytes(4) + item(11, b"host")) + item(PARAM_ADD_IP, bytes(4)),
            ),
            "ASCONF serial 0, Add IP Address (request 0, 8 bytes), Add IP Address (request 0)",
        ),
        (
            asconf.encode_ack(
                5,
                [
                    asconf.Answer(1, []),
                    asconf.Answer(2, [causes.refused(CAUSE_DELETE_LAST_IP, (1, b"")), causes.out_of_resource()]),
                ],
            ),
            (
                "ASCONF-ACK serial 5, Success Indication (request 1), "
                "Error Cause Indication (request 2, Request to Delete Last Remaining IP Address, Out of Resource)"
            ),
        ),
        (
            chunk(CHUNK_ASCONF_ACK, 0, bytes(4) + item(PARAM_ERROR_CAUSE, bytes(5))),
            "ASCONF-ACK serial 0, Error Cause Indication (request 0, 1 byte)",
        ),
        (chunk(130, 0, item(16, bytes(4))), "RE-CONFIG Re-configuration Response (response 0, no result)"),
        (chunk(15, 0, b"\0\7\0\1" + bytes(20)), "AUTH key 7 hmac 1, 20 bytes"),
        (chunk(132, 0, b"1"), "PAD 1 byte"),
        (chunk(77, 0, b""), "chunk 77"),
        (chunk(255, 0x81, b"abc"), "chunk 255 flags 0x81 3 bytes"),
        (chunk(7, 0, b"abc"), "SHUTDOWN malformed: 3 bytes"),
        (chunk(3, 0, b""), "SACK malformed: empty"),
        (chunk(3, 0, bytes(10) + b"\0\x01"), "SACK malformed: 12 bytes"),
        (chunk(0, 3, bytes(11)), "DATA BE malformed: 11 bytes"),
    ],
)
def test_every_chunk_is_told(encoded: bytes, text: str) -> None:
    assert told(encoded) == text


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (causes.invalid_stream(3), "Invalid Stream Identifier (3)"),
        (causes.missing_parameter([7, 0x1234]), "Missing Mandatory Parameter (State Cookie, parameter 0x1234)"),
        (causes.stale_cookie(1000), "Stale Cookie (1000 us)"),
        (causes.out_of_resource(), "Out of Resource"),
        (causes.unresolvable_address(params.address(IPV4)), "Unresolvable Address (IPv4 Address (192.0.2.1))"),
        (causes.unrecognized_chunk(b"\xc0\0\0\x08abcd"), "Unrecognized Chunk Type (FORWARD-TSN)"),
        (causes.unrecognized_chunk(b""), "Unrecognized Chunk Type"),
        (causes.invalid_parameter(), "Invalid Mandatory Parameter"),
        (causes.unrecognized_parameters([(0xC123, b"abc")]), "Unrecognized Parameters (parameter 0xc123 (3 bytes))"),
        (causes.no_user_data(9), "No User Data (tsn 9)"),
        (causes.cookie_while_shutting_down(), "Cookie Received While Shutting Down"),
        (
            causes.restart_with_new_addresses([IPV4]),
            "Restart of an Association with New Addresses (IPv4 Address (192.0.2.1))",
        ),
        (causes.user_abort(b"bye"), "User-Initiated Abort ('bye')"),
        (
            causes.user_abort(b"a\nb\r\x1b[0m\xe2\x80\xa8\xff"),
            "User-Initiated Abort ('a\\nb\\r\\x1b[0m\\u2028\\ufffd')",
        ),
        (causes.user_abort(b"x" * 80), f"User-Initiated Abort ('{'x' * 80}')"),
        (causes.user_abort(b"x" * 81), f"User-Initiated Abort ('{'x' * 80}'... 81 bytes)"),
        (causes.user_abort(b"x" * 100), f"User-Initiated Abort ('{'x' * 80}'... 100 bytes)"),
        (causes.protocol_violation("no"), "Protocol Violation ('no')"),
        ((0xA1, b"abc"), "Operation Refused Due to Resource Shortage (3 bytes)"),
        ((999, b"abc"), "cause 999 (3 bytes)"),
        ((1, b"a"), "Invalid Stream Identifier (malformed: 1 byte)"),
    ],
)
def test_every_cause_is_told(cause: causes.Cause, text: str) -> None:
    assert told(control.abort([cause])) == f"ABORT {text}"
    assert told(control.error([cause, causes.out_of_resource()])) == f"ERROR {text}, Out of Resource"


def test_bundled_chunks_are_told_in_their_order() -> None:
    data = chunk(0, 3, struct.pack(">IHHI", 7, 0, 0, 0) + b"x")
    assert told(sack.encode(12, 1, [], []), data, data) == "; ".join(
        ["SACK cum 12 a_rwnd 1", *["DATA BE tsn 7 stream 0 ssn 0 ppid 0, 1 byte"] * 2]
    )
    assert chunk_names(packet(sack.encode(12, 1, [], []), data, data)) == ["SACK", "DATA", "DATA"]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b"", "no chunks"),
        (b"\x0b\0", "truncated, 2 bytes left over"),
        (b"\x0b\0\0", "truncated, 3 bytes left over"),
        (b"\0\x03\x01\0abcd", "DATA truncated: length 256, 8 bytes left"),
        (b"\x4d\0\0\x02", "chunk 77 broken: length 2, 4 bytes left"),
    ],
)
def test_what_follows_the_last_whole_chunk_is_told(broken: bytes, text: str) -> None:
    assert told(broken) == text
    assert chunk_names(packet(broken)) == []
    if broken:
        assert told(control.cookie_ack(), broken) == f"COOKIE ACK; {text}"
        assert chunk_names(packet(control.cookie_ack(), broken)) == ["COOKIE ACK"]


def test_bytes_without_a_header_are_told() -> None:
    assert describe(b"") == "truncated, empty: no common header"
    assert describe(b"1234567") == "truncated, 7 bytes: no common header"
    assert chunk_names(b"1234567") == []


def test_the_eight_bytes_that_icmp_returns_are_told() -> None:
    assert describe(PREFIX) == "5000 > 36412 tag 0x1a2b3c4d truncated, 8 bytes"


def test_unknown_chunks_are_named_by_number() -> None:
    assert chunk_names(packet(chunk(77, 0, b""), chunk(192, 0, b""))) == ["chunk 77", "FORWARD-TSN"]


def test_a_long_line_is_cut() -> None:
    line = describe(packet(control.cookie_ack() * 16000))
    assert len(line) == LIMIT
    assert line.endswith("...")


def test_a_line_of_just_the_limit_is_whole() -> None:
    room = LIMIT - len("5000 > 36412 tag 0x1a2b3c4d checksum right 652 bytes: ") + len("; ")
    aborts = next(count for count in range(12) if (room - count * len("ABORT; ")) % len("COOKIE ACK; ") == 0)
    acks = (room - aborts * len("ABORT; ")) // len("COOKIE ACK; ")
    chunks = control.abort([]) * aborts + control.cookie_ack() * acks
    assert told(chunks) == "; ".join(["ABORT"] * aborts + ["COOKIE ACK"] * acks)
    assert len(describe(packet(chunks))) == LIMIT
    assert describe(packet(chunks, control.cookie_ack())).endswith("COOKIE ...")


def test_parameters_inside_parameters_without_end_are_told() -> None:
    nested = b""
    for _ in range(5000):
        nested = item(8, nested)
    assert told(control.error([causes.unrecognized_parameters([(8, nested)])])) == (
        "ERROR Unrecognized Parameters (Unrecognized Parameter (Unrecognized Parameter))"
    )


def is_one_printable_line(line: str) -> bool:
    return line.isascii() and line.isprintable() and 0 < len(line) <= LIMIT


@given(st.binary(max_size=400))
def test_any_bytes_are_told_in_one_line(data: bytes) -> None:
    assert is_one_printable_line(describe(data))
    assert len(chunk_names(data)) <= len(data) // 4


def item_bytes(kinds: st.SearchStrategy[int], values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.builds(item, kinds, values), max_size=4).map(b"".join)


BYTES = st.binary(max_size=40)
PARAMETERS = item_bytes(st.sampled_from(sorted(PARAM_NAMES)) | st.integers(0, 0xFFFF), BYTES)
CAUSES = item_bytes(st.sampled_from(sorted(CAUSE_NAMES)) | st.integers(0, 0xFFFF), BYTES | PARAMETERS)
VALUES = BYTES | PARAMETERS | CAUSES | st.builds(bytes.__add__, st.binary(min_size=16, max_size=16), PARAMETERS)
KINDS = st.sampled_from(sorted(CHUNK_NAMES)) | st.integers(0, 0xFF)
CHUNKS = st.lists(st.builds(chunk, KINDS, st.integers(0, 0xFF), VALUES), max_size=6).map(b"".join)


@given(chunks=CHUNKS, cut=st.integers(0, 40), flip=st.none() | st.integers(0, 1 << 16))
def test_likely_packets_are_told_in_one_line_whole_cut_or_garbled(chunks: bytes, cut: int, flip: int | None) -> None:
    data = bytearray(packet(chunks))
    if flip is not None:
        data[flip % len(data)] ^= 1 << flip % 8
    line = describe(bytes(data[: len(data) - cut]))
    assert is_one_printable_line(line)


def test_ecn_and_the_zero_checksum_are_told() -> None:
    assert told(control.ecne(7), control.cwr(8)) == "ECNE tsn 7; CWR tsn 8"
    init = Setup(1, 65536, 10, 10, 1)
    init.error_detection_method = 1
    assert told(init.encode()).endswith("Zero Checksum Acceptable (method 1)")
