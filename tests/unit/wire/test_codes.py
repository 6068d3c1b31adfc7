"""The numbers of ``wire.codes`` against the tables of the RFCs."""

from __future__ import annotations

import pytest

from sctpx.wire import codes

# RFC 9260 table 1, and the tables of the extensions.
CHUNKS = {
    0: "DATA",
    1: "INIT",
    2: "INIT ACK",
    3: "SACK",
    4: "HEARTBEAT",
    5: "HEARTBEAT ACK",
    6: "ABORT",
    7: "SHUTDOWN",
    8: "SHUTDOWN ACK",
    9: "ERROR",
    10: "COOKIE ECHO",
    11: "COOKIE ACK",
    12: "ECNE",
    13: "CWR",
    14: "SHUTDOWN COMPLETE",
    0x0F: "AUTH",  # RFC 4895 section 4.1
    0x40: "I-DATA",  # RFC 8260 section 2.1
    0x80: "ASCONF-ACK",  # RFC 5061 section 4.1
    0x82: "RE-CONFIG",  # RFC 6525 section 3.1
    0x84: "PAD",  # RFC 4820 section 3
    0xC0: "FORWARD-TSN",  # RFC 3758 section 3.2
    0xC1: "ASCONF",  # RFC 5061 section 4.1
    0xC2: "I-FORWARD-TSN",  # RFC 8260 section 2.3.1
}

# RFC 9260 tables 6, 8 and 9, and the tables of the extensions.
PARAMETERS = {
    1: "Heartbeat Info",
    5: "IPv4 Address",
    6: "IPv6 Address",
    7: "State Cookie",
    8: "Unrecognized Parameter",
    9: "Cookie Preservative",
    11: "Host Name Address",
    12: "Supported Address Types",
    13: "Outgoing SSN Reset Request",  # RFC 6525 section 4
    14: "Incoming SSN Reset Request",
    15: "SSN/TSN Reset Request",
    16: "Re-configuration Response",
    17: "Add Outgoing Streams Request",
    18: "Add Incoming Streams Request",
    0x8000: "ECN Capable",
    0x8001: "Zero Checksum Acceptable",  # RFC 9653 section 4
    0x8002: "Random",  # RFC 4895 section 3
    0x8003: "Chunk List",
    0x8004: "Requested HMAC Algorithm",
    0x8005: "Padding",  # RFC 4820 section 4
    0x8008: "Supported Extensions",  # RFC 5061 section 4.2.7
    0xC000: "Forward TSN Supported",  # RFC 3758 section 3.1
    0xC001: "Add IP Address",  # RFC 5061 section 4.2
    0xC002: "Delete IP Address",
    0xC003: "Error Cause Indication",
    0xC004: "Set Primary Address",
    0xC005: "Success Indication",
    0xC006: "Adaptation Layer Indication",
}

# RFC 9260 table 11, RFC 5061 section 4.3, RFC 4895 section 4.
CAUSES = {
    1: "Invalid Stream Identifier",
    2: "Missing Mandatory Parameter",
    3: "Stale Cookie",
    4: "Out of Resource",
    5: "Unresolvable Address",
    6: "Unrecognized Chunk Type",
    7: "Invalid Mandatory Parameter",
    8: "Unrecognized Parameters",
    9: "No User Data",
    10: "Cookie Received While Shutting Down",
    11: "Restart of an Association with New Addresses",
    12: "User-Initiated Abort",
    13: "Protocol Violation",
    0x00A0: "Request to Delete Last Remaining IP Address",
    0x00A1: "Operation Refused Due to Resource Shortage",
    0x00A2: "Request to Delete Source IP Address",
    0x00A3: "Association Aborted Due to Illegal ASCONF-ACK",
    0x00A4: "Request Refused - No Authorization",
    0x0105: "Unsupported HMAC Identifier",
}


def test_chunk_types_are_those_of_the_rfcs() -> None:
    assert codes.CHUNK_NAMES == CHUNKS


def test_parameter_types_are_those_of_the_rfcs() -> None:
    assert codes.PARAM_NAMES == PARAMETERS


def test_error_causes_are_those_of_the_rfcs() -> None:
    assert codes.CAUSE_NAMES == CAUSES


@pytest.mark.parametrize(
    ("kind", "skip", "report"),
    [
        (0x3F, False, False),  # 00: stop
        (0x7F, False, True),  # 01: stop and report
        (0xBF, True, False),  # 10: skip
        (0xFE, True, True),  # 11: skip and report
    ],
)
def test_the_high_bits_of_an_unknown_type_say_what_to_do(kind: int, skip: bool, report: bool) -> None:
    assert bool(kind & codes.CHUNK_SKIP) is skip
    assert bool(kind & codes.CHUNK_REPORT) is report
    assert bool(kind << 8 & codes.PARAM_SKIP) is skip
    assert bool(kind << 8 & codes.PARAM_REPORT) is report
