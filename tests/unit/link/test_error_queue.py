"""The error queue: reading an entry, and which entries say something about a destination."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address

import pytest

from sctpx.link.error_queue import parse_extended_error, read_error_queue

REMOTE, ROUTER, ROUTER6 = (ip_address(ip).packed for ip in ("192.0.2.1", "198.51.100.1", "2001:db8::1"))
LOCAL, ICMP, ICMP6 = 1, 2, 3


def extended_error(code: int, origin: int, kind: int, subtype: int, info: int = 0, offender: bytes = b"") -> bytes:
    """struct sock_extended_err and the offender behind it."""
    return struct.pack("=IBBBBII", code, origin, kind, subtype, 0, info, 0) + offender


OFFENDER = struct.pack("=H2s4s8x", socket.AF_INET, b"", ROUTER)
OFFENDER6 = struct.pack("=H2s4s16s4x", socket.AF_INET6, b"", b"", ROUTER6)


@pytest.mark.parametrize(
    ("sockaddr", "offender"), [(OFFENDER, ROUTER), (OFFENDER6, ROUTER6), (b"\0\0" + bytes(14), b""), (b"", b"")]
)
def test_an_entry_is_read_with_its_offender(sockaddr: bytes, offender: bytes) -> None:
    value = extended_error(errno.EHOSTUNREACH, ICMP, 3, 1, 1400, sockaddr)
    entry = parse_extended_error(value, REMOTE, 9899, b"payload")
    assert entry is not None
    assert (entry.remote, entry.port, entry.payload) == (REMOTE, 9899, b"payload")
    assert (entry.error, entry.origin, entry.type, entry.code) == (errno.EHOSTUNREACH, ICMP, 3, 1)
    assert (entry.info, entry.offender) == (1400, offender)


@pytest.mark.parametrize("length", [0, 1, 15])
def test_an_entry_cut_short_is_none(length: int) -> None:
    assert parse_extended_error(extended_error(errno.ECONNREFUSED, ICMP, 3, 3)[:length], REMOTE, 9899, b"") is None


@pytest.mark.parametrize(
    ("origin", "kind", "code", "concerns"),
    [
        (ICMP, 3, 0, True),  # network unreachable
        (ICMP, 3, 3, True),  # port unreachable, which RFC 6951 counts as protocol unreachable
        (ICMP, 4, 0, False),  # source quench
        (ICMP, 11, 0, False),  # time exceeded: ICMP1
        (ICMP, 12, 0, False),  # parameter problem: ICMP1
        (ICMP6, 1, 4, True),  # port unreachable
        (ICMP6, 2, 0, True),  # packet too big
        (ICMP6, 3, 0, False),  # time exceeded: ICMP2
        (ICMP6, 4, 1, True),  # unrecognized next header
        (ICMP6, 4, 0, False),  # erroneous header field: ICMP4
        (LOCAL, 0, 0, False),  # this host's own complaint, which the send has returned already
    ],
)
def test_an_entry_concerns_a_destination_as_section_10_has_it(
    origin: int, kind: int, code: int, concerns: bool
) -> None:
    entry = parse_extended_error(extended_error(errno.EHOSTUNREACH, origin, kind, code), REMOTE, 9899, b"")
    assert entry is not None
    assert entry.concerns_destination is concerns


@pytest.mark.parametrize(
    ("origin", "kind", "code", "port", "protocol"),
    [
        (ICMP, 3, 1, False, False),
        (ICMP, 3, 2, False, True),
        (ICMP, 3, 3, True, False),
        (ICMP6, 1, 0, False, False),
        (ICMP6, 1, 4, True, False),
        (ICMP6, 4, 1, False, True),  # unrecognized next header
        (ICMP6, 4, 2, False, False),
        (ICMP6, 3, 3, False, False),
        (LOCAL, 3, 2, False, False),
        (LOCAL, 3, 3, False, False),
    ],
)
def test_an_entry_tells_whether_a_port_or_the_protocol_is_unreachable(
    origin: int, kind: int, code: int, port: bool, protocol: bool
) -> None:
    entry = parse_extended_error(extended_error(errno.EHOSTUNREACH, origin, kind, code), REMOTE, 0, b"")
    assert entry is not None
    assert (entry.port_unreachable, entry.protocol_unreachable) == (port, protocol)


def test_a_socket_without_errors_has_an_empty_queue() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        assert read_error_queue(sock, 8) == []
