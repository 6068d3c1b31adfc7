"""The names of RFC 6458: complete, distinct where they have to be."""

from __future__ import annotations

import socket

import pytest

import sctpx
from sctpx.sockapi import constants, structs
from sctpx.sockapi.options import OPTIONS
from sctpx.sockapi.structs import NOTIFICATIONS

# Names that RFC 6458 defines, by the section that does.
RFC_6458 = {
    "5.3": """SCTP_INIT SCTP_SNDRCV SCTP_EXTRCV SCTP_SNDINFO SCTP_RCVINFO SCTP_NXTINFO SCTP_PRINFO SCTP_AUTHINFO
        SCTP_DSTADDRV4 SCTP_DSTADDRV6 SCTP_UNORDERED SCTP_ADDR_OVER SCTP_ABORT SCTP_EOF SCTP_SENDALL
        SCTP_NEXT_MSG_AVAIL SCTP_NEXT_MSG_ISCOMPLETE SCTP_NEXT_MSG_IS_UNORDERED SCTP_NEXT_MSG_IS_NOTIFICATION
        SCTP_COMPLETE SCTP_NOTIFICATION SCTP_PR_SCTP_NONE SCTP_PR_SCTP_TTL""",
    "6.1": """SCTP_ASSOC_CHANGE SCTP_PEER_ADDR_CHANGE SCTP_REMOTE_ERROR SCTP_SEND_FAILED SCTP_SEND_FAILED_EVENT
        SCTP_SHUTDOWN_EVENT SCTP_ADAPTATION_INDICATION SCTP_PARTIAL_DELIVERY_EVENT SCTP_AUTHENTICATION_EVENT
        SCTP_SENDER_DRY_EVENT SCTP_NOTIFICATIONS_STOPPED_EVENT SCTP_COMM_UP SCTP_COMM_LOST SCTP_RESTART
        SCTP_SHUTDOWN_COMP SCTP_CANT_STR_ASSOC SCTP_ASSOC_SUPPORTS_PR SCTP_ASSOC_SUPPORTS_AUTH
        SCTP_ASSOC_SUPPORTS_ASCONF SCTP_ASSOC_SUPPORTS_MULTIBUF SCTP_ADDR_AVAILABLE SCTP_ADDR_UNREACHABLE
        SCTP_ADDR_REMOVED SCTP_ADDR_ADDED SCTP_ADDR_MADE_PRIM SCTP_DATA_UNSENT SCTP_DATA_SENT SCTP_DATA_NOT_FRAG
        SCTP_DATA_LAST_FRAG SCTP_PARTIAL_DELIVERY_ABORTED SCTP_AUTH_NEW_KEY SCTP_AUTH_NO_AUTH SCTP_AUTH_FREE_KEY""",
    "8": """SCTP_FUTURE_ASSOC SCTP_CURRENT_ASSOC SCTP_ALL_ASSOC SPP_HB_ENABLE SPP_HB_DISABLE SPP_HB_DEMAND
        SPP_HB_TIME_IS_ZERO SPP_PMTUD_ENABLE SPP_PMTUD_DISABLE SPP_IPV6_FLOWLABEL SPP_DSCP SCTP_AUTH_HMAC_ID_SHA1
        SCTP_AUTH_HMAC_ID_SHA256 SCTP_EOR SCTP_CLOSED SCTP_BOUND SCTP_LISTEN SCTP_COOKIE_WAIT SCTP_COOKIE_ECHOED
        SCTP_ESTABLISHED SCTP_SHUTDOWN_PENDING SCTP_SHUTDOWN_SENT SCTP_SHUTDOWN_RECEIVED SCTP_SHUTDOWN_ACK_SENT
        SCTP_UNCONFIRMED SCTP_ACTIVE SCTP_INACTIVE""",
    "9": """SCTP_BINDX_ADD_ADDR SCTP_BINDX_REM_ADDR SCTP_SEND_SNDINFO_VALID SCTP_SEND_PRINFO_VALID
        SCTP_SEND_AUTHINFO_VALID SCTP_SENDV_NOINFO SCTP_SENDV_SNDINFO SCTP_SENDV_PRINFO SCTP_SENDV_AUTHINFO
        SCTP_SENDV_SPA SCTP_RECVV_NOINFO SCTP_RECVV_RCVINFO SCTP_RECVV_NXTINFO SCTP_RECVV_RN""",
}


@pytest.mark.parametrize("section", RFC_6458)
def test_the_names_of_a_section_are_there(section: str) -> None:
    assert set(RFC_6458[section].split()) <= constants.names().keys()


def test_the_names_are_those_of_the_package_too() -> None:
    known = constants.names()
    assert set(constants.__all__) == known.keys()
    assert {name: getattr(sctpx, name) for name in known} == known
    assert {name: getattr(sctpx, name) for name in structs.__all__} == {
        name: getattr(structs, name) for name in structs.__all__
    }


def test_no_two_options_have_one_number() -> None:
    numbers = [(option.level, option.number) for option in OPTIONS]
    assert len(set(numbers)) == len(numbers)


def test_no_two_notifications_have_one_type_and_all_types_fit_their_field() -> None:
    assert len(NOTIFICATIONS) == 14
    assert all(constants.SCTP_SN_TYPE_BASE < kind <= 0xFFFF for kind in NOTIFICATIONS)


def test_no_two_flags_of_sending_share_a_bit() -> None:
    flags = ["UNORDERED", "ADDR_OVER", "ABORT", "SACK_IMMEDIATELY", "SENDALL", "EOF", "EOR", "PR_SCTP_MASK"]
    values = [constants.names()[f"SCTP_{flag}"] for flag in flags]
    assert sum(values) == sum(set(values)) == values[0] | sum(values[1:])


def test_what_programs_take_from_the_socket_module_is_the_same_here() -> None:
    assert constants.SOL_SOCKET == socket.SOL_SOCKET
    assert constants.SO_LINGER == socket.SO_LINGER
    assert constants.MSG_PEEK == socket.MSG_PEEK
