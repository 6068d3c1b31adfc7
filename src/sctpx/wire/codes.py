"""Numbers of the protocol: chunk types, flags, parameters, error causes (RFC 9260 sections 3 and 15).

The extensions' numbers are here too, so that a packet can be described before its extension is spoken.
Plain ``Final`` ints: they stay unboxed when compiled.
"""

from __future__ import annotations

from typing import Final

# Chunk types (RFC 9260 table 1; RFC 3758, 4820, 4895, 5061, 6525, 8260 for the extensions).
CHUNK_DATA: Final = 0
CHUNK_INIT: Final = 1
CHUNK_INIT_ACK: Final = 2
CHUNK_SACK: Final = 3
CHUNK_HEARTBEAT: Final = 4
CHUNK_HEARTBEAT_ACK: Final = 5
CHUNK_ABORT: Final = 6
CHUNK_SHUTDOWN: Final = 7
CHUNK_SHUTDOWN_ACK: Final = 8
CHUNK_ERROR: Final = 9
CHUNK_COOKIE_ECHO: Final = 10
CHUNK_COOKIE_ACK: Final = 11
CHUNK_ECNE: Final = 12
CHUNK_CWR: Final = 13
CHUNK_SHUTDOWN_COMPLETE: Final = 14
CHUNK_AUTH: Final = 15
CHUNK_I_DATA: Final = 64
CHUNK_ASCONF_ACK: Final = 128
CHUNK_RE_CONFIG: Final = 130
CHUNK_PAD: Final = 132
CHUNK_FORWARD_TSN: Final = 192
CHUNK_ASCONF: Final = 193
CHUNK_I_FORWARD_TSN: Final = 194

CHUNK_NAMES: Final[dict[int, str]] = {
    CHUNK_DATA: "DATA",
    CHUNK_INIT: "INIT",
    CHUNK_INIT_ACK: "INIT ACK",
    CHUNK_SACK: "SACK",
    CHUNK_HEARTBEAT: "HEARTBEAT",
    CHUNK_HEARTBEAT_ACK: "HEARTBEAT ACK",
    CHUNK_ABORT: "ABORT",
    CHUNK_SHUTDOWN: "SHUTDOWN",
    CHUNK_SHUTDOWN_ACK: "SHUTDOWN ACK",
    CHUNK_ERROR: "ERROR",
    CHUNK_COOKIE_ECHO: "COOKIE ECHO",
    CHUNK_COOKIE_ACK: "COOKIE ACK",
    CHUNK_ECNE: "ECNE",
    CHUNK_CWR: "CWR",
    CHUNK_SHUTDOWN_COMPLETE: "SHUTDOWN COMPLETE",
    CHUNK_AUTH: "AUTH",
    CHUNK_I_DATA: "I-DATA",
    CHUNK_ASCONF_ACK: "ASCONF-ACK",
    CHUNK_RE_CONFIG: "RE-CONFIG",
    CHUNK_PAD: "PAD",
    CHUNK_FORWARD_TSN: "FORWARD-TSN",
    CHUNK_ASCONF: "ASCONF",
    CHUNK_I_FORWARD_TSN: "I-FORWARD-TSN",
}

# DATA chunk flags (RFC 9260 section 3.3.1).
DATA_END: Final = 0x01
DATA_BEGIN: Final = 0x02
DATA_UNORDERED: Final = 0x04
DATA_IMMEDIATE: Final = 0x08

# T bit of ABORT and SHUTDOWN COMPLETE: the Verification Tag is reflected (sections 3.3.7, 3.3.13).
FLAG_T: Final = 0x01

# Parameters (RFC 9260 section 3.3.2; the extensions' RFCs).
PARAM_HEARTBEAT_INFO: Final = 1
PARAM_IPV4: Final = 5
PARAM_IPV6: Final = 6
PARAM_STATE_COOKIE: Final = 7
PARAM_UNRECOGNIZED: Final = 8
PARAM_COOKIE_PRESERVATIVE: Final = 9
PARAM_HOST_NAME: Final = 11
PARAM_SUPPORTED_ADDRESS_TYPES: Final = 12
PARAM_OUTGOING_RESET: Final = 13
PARAM_INCOMING_RESET: Final = 14
PARAM_TSN_RESET: Final = 15
PARAM_RECONFIG_RESPONSE: Final = 16
PARAM_ADD_OUTGOING: Final = 17
PARAM_ADD_INCOMING: Final = 18
PARAM_ECN_CAPABLE: Final = 0x8000
PARAM_ZERO_CHECKSUM: Final = 0x8001
PARAM_RANDOM: Final = 0x8002
PARAM_CHUNK_LIST: Final = 0x8003
PARAM_HMAC_ALGO: Final = 0x8004
PARAM_PAD: Final = 0x8005
PARAM_SUPPORTED_EXTENSIONS: Final = 0x8008
PARAM_FORWARD_TSN_SUPPORTED: Final = 0xC000
PARAM_ADD_IP: Final = 0xC001
PARAM_DELETE_IP: Final = 0xC002
PARAM_ERROR_CAUSE: Final = 0xC003
PARAM_SET_PRIMARY: Final = 0xC004
PARAM_SUCCESS: Final = 0xC005
PARAM_ADAPTATION: Final = 0xC006

PARAM_NAMES: Final[dict[int, str]] = {
    PARAM_HEARTBEAT_INFO: "Heartbeat Info",
    PARAM_IPV4: "IPv4 Address",
    PARAM_IPV6: "IPv6 Address",
    PARAM_STATE_COOKIE: "State Cookie",
    PARAM_UNRECOGNIZED: "Unrecognized Parameter",
    PARAM_COOKIE_PRESERVATIVE: "Cookie Preservative",
    PARAM_HOST_NAME: "Host Name Address",
    PARAM_SUPPORTED_ADDRESS_TYPES: "Supported Address Types",
    PARAM_OUTGOING_RESET: "Outgoing SSN Reset Request",
    PARAM_INCOMING_RESET: "Incoming SSN Reset Request",
    PARAM_TSN_RESET: "SSN/TSN Reset Request",
    PARAM_RECONFIG_RESPONSE: "Re-configuration Response",
    PARAM_ADD_OUTGOING: "Add Outgoing Streams Request",
    PARAM_ADD_INCOMING: "Add Incoming Streams Request",
    PARAM_ECN_CAPABLE: "ECN Capable",
    PARAM_ZERO_CHECKSUM: "Zero Checksum Acceptable",
    PARAM_RANDOM: "Random",
    PARAM_CHUNK_LIST: "Chunk List",
    PARAM_HMAC_ALGO: "Requested HMAC Algorithm",
    PARAM_PAD: "Padding",
    PARAM_SUPPORTED_EXTENSIONS: "Supported Extensions",
    PARAM_FORWARD_TSN_SUPPORTED: "Forward TSN Supported",
    PARAM_ADD_IP: "Add IP Address",
    PARAM_DELETE_IP: "Delete IP Address",
    PARAM_ERROR_CAUSE: "Error Cause Indication",
    PARAM_SET_PRIMARY: "Set Primary Address",
    PARAM_SUCCESS: "Success Indication",
    PARAM_ADAPTATION: "Adaptation Layer Indication",
}

# Error causes (RFC 9260 table 11; RFC 5061, 4895 for the rest).
CAUSE_INVALID_STREAM: Final = 1
CAUSE_MISSING_PARAMETER: Final = 2
CAUSE_STALE_COOKIE: Final = 3
CAUSE_OUT_OF_RESOURCE: Final = 4
CAUSE_UNRESOLVABLE_ADDRESS: Final = 5
CAUSE_UNRECOGNIZED_CHUNK: Final = 6
CAUSE_INVALID_PARAMETER: Final = 7
CAUSE_UNRECOGNIZED_PARAMETERS: Final = 8
CAUSE_NO_USER_DATA: Final = 9
CAUSE_COOKIE_WHILE_SHUTTING_DOWN: Final = 10
CAUSE_RESTART_WITH_NEW_ADDRESSES: Final = 11
CAUSE_USER_ABORT: Final = 12
CAUSE_PROTOCOL_VIOLATION: Final = 13
CAUSE_DELETE_LAST_IP: Final = 0x00A0
CAUSE_REFUSED_FOR_RESOURCES: Final = 0x00A1
CAUSE_DELETE_SOURCE_IP: Final = 0x00A2
CAUSE_ILLEGAL_ASCONF_ACK: Final = 0x00A3
CAUSE_NO_AUTHORIZATION: Final = 0x00A4
CAUSE_UNSUPPORTED_HMAC: Final = 0x0105

CAUSE_NAMES: Final[dict[int, str]] = {
    CAUSE_INVALID_STREAM: "Invalid Stream Identifier",
    CAUSE_MISSING_PARAMETER: "Missing Mandatory Parameter",
    CAUSE_STALE_COOKIE: "Stale Cookie",
    CAUSE_OUT_OF_RESOURCE: "Out of Resource",
    CAUSE_UNRESOLVABLE_ADDRESS: "Unresolvable Address",
    CAUSE_UNRECOGNIZED_CHUNK: "Unrecognized Chunk Type",
    CAUSE_INVALID_PARAMETER: "Invalid Mandatory Parameter",
    CAUSE_UNRECOGNIZED_PARAMETERS: "Unrecognized Parameters",
    CAUSE_NO_USER_DATA: "No User Data",
    CAUSE_COOKIE_WHILE_SHUTTING_DOWN: "Cookie Received While Shutting Down",
    CAUSE_RESTART_WITH_NEW_ADDRESSES: "Restart of an Association with New Addresses",
    CAUSE_USER_ABORT: "User-Initiated Abort",
    CAUSE_PROTOCOL_VIOLATION: "Protocol Violation",
    CAUSE_DELETE_LAST_IP: "Request to Delete Last Remaining IP Address",
    CAUSE_REFUSED_FOR_RESOURCES: "Operation Refused Due to Resource Shortage",
    CAUSE_DELETE_SOURCE_IP: "Request to Delete Source IP Address",
    CAUSE_ILLEGAL_ASCONF_ACK: "Association Aborted Due to Illegal ASCONF-ACK",
    CAUSE_NO_AUTHORIZATION: "Request Refused - No Authorization",
    CAUSE_UNSUPPORTED_HMAC: "Unsupported HMAC Identifier",
}

# The two high bits of an unknown chunk or parameter type say what to do with it
# (RFC 9260 sections 3.2 and 3.2.1, tables 2 and 3): 00 stop, 01 stop and report, 10 skip, 11 skip and report.
# Chunk types have 8 bits, parameter types 16.
CHUNK_SKIP: Final = 0x80
CHUNK_REPORT: Final = 0x40
PARAM_SKIP: Final = 0x8000
PARAM_REPORT: Final = 0x4000

# Sizes in bytes.
COMMON_HEADER: Final = 12
CHUNK_HEADER: Final = 4
DATA_HEADER: Final = 16
I_DATA_HEADER: Final = 20
SACK_HEADER: Final = 16
