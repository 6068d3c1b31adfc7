"""Linux's queue of ICMP errors: what came back for packets sent on a UDP socket (IP_RECVERR, ip(7)).

The system keeps each ICMP error beside the socket, with the destination of the packet that drew it and the
first bytes of that packet. That is what RFC 9260 section 10 needs to find the association and prove its tag; whether
it does is the core's question. This module reads and parses, and leaves out what section 10 leaves out.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, final

from .addresses import packed_address

# linux/in.h, linux/in6.h, linux/errqueue.h
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25
_MSG_ERRQUEUE: Final = 0x2000
_ORIGIN_ICMP: Final = 2
_ORIGIN_ICMP6: Final = 3

_ICMP_DESTINATION_UNREACHABLE: Final = 3
_ICMP_PROTOCOL_UNREACHABLE: Final = 2
_ICMP_PORT_UNREACHABLE: Final = 3
_ICMP6_DESTINATION_UNREACHABLE: Final = 1
_ICMP6_PORT_UNREACHABLE: Final = 4
_ICMP6_PACKET_TOO_BIG: Final = 2
_ICMP6_PARAMETER_PROBLEM: Final = 4
_ICMP6_UNRECOGNIZED_NEXT_HEADER: Final = 1

_EXTENDED_ERROR: Final = struct.Struct("=IBBBxII")
"""struct sock_extended_err: errno, origin, type, code, padding, info, data."""
_PAYLOAD_LIMIT: Final = 2048
_ANCILLARY_LIMIT: Final = 512


@final
@dataclass(frozen=True, slots=True)
class QueuedError:
    """One entry of the error queue."""

    remote: bytes
    """IP address the packet was sent to; ``b""`` if the system did not say."""
    port: int
    """UDP port the packet was sent to."""
    payload: bytes
    """The first bytes of the UDP payload, as many as came back."""
    error: int
    """errno."""
    origin: int
    """1: this host itself, 2: an ICMP message, 3: an ICMPv6 message."""
    type: int
    code: int
    info: int
    """The next hop's MTU, for a packet that was too big."""
    offender: bytes
    """IP address of the host that sent the ICMP message; ``b""`` if unknown."""

    @property
    def mtu(self) -> int:
        """The MTU of the next hop, bytes of IP; 0 if the error is not that the packet was too big."""
        return self.info if self.error == errno.EMSGSIZE else 0

    @property
    def concerns_destination(self) -> bool:
        """Whether RFC 9260 section 10 makes use of it (ICMP1, ICMP2, ICMP4).

        Port unreachable stays in: over UDP it means what protocol unreachable means without (RFC 6951 section 5.5).
        """
        if self.origin == _ORIGIN_ICMP:
            return self.type == _ICMP_DESTINATION_UNREACHABLE
        if self.origin != _ORIGIN_ICMP6:
            return False
        if self.type == _ICMP6_PARAMETER_PROBLEM:
            return self.code == _ICMP6_UNRECOGNIZED_NEXT_HEADER
        return self.type in (_ICMP6_DESTINATION_UNREACHABLE, _ICMP6_PACKET_TOO_BIG)

    @property
    def protocol_unreachable(self) -> bool:
        """Whether nothing at the destination takes the protocol: "Unrecognized Next Header Type" for IPv6."""
        if self.origin == _ORIGIN_ICMP:
            return (self.type, self.code) == (_ICMP_DESTINATION_UNREACHABLE, _ICMP_PROTOCOL_UNREACHABLE)
        kind = self.origin, self.type, self.code
        return kind == (_ORIGIN_ICMP6, _ICMP6_PARAMETER_PROBLEM, _ICMP6_UNRECOGNIZED_NEXT_HEADER)

    @property
    def port_unreachable(self) -> bool:
        """Whether nothing at the destination has the UDP port."""
        kind = self.origin, self.type, self.code
        return kind in (
            (_ORIGIN_ICMP, _ICMP_DESTINATION_UNREACHABLE, _ICMP_PORT_UNREACHABLE),
            (_ORIGIN_ICMP6, _ICMP6_DESTINATION_UNREACHABLE, _ICMP6_PORT_UNREACHABLE),
        )


def parse_extended_error(value: bytes, remote: bytes, port: int, payload: bytes) -> QueuedError | None:
    """An entry from its control message: ``sock_extended_err`` and, behind it, the offender's ``sockaddr``."""
    if len(value) < _EXTENDED_ERROR.size:
        return None
    error, origin, kind, code, info, _ = _EXTENDED_ERROR.unpack_from(value)
    return QueuedError(
        remote, port, payload, error, origin, kind, code, info, _packed_sockaddr(value[_EXTENDED_ERROR.size :])
    )


def _packed_sockaddr(value: bytes) -> bytes:
    """The IP address in a C ``sockaddr``: family, port, then for IPv6 the flow label, then the address."""
    family = int.from_bytes(value[:2], sys.byteorder)
    if family == socket.AF_INET:
        return value[4:8]
    return value[8:24] if family == socket.AF_INET6 else b""


def read_error_queue(sock: socket.socket, limit: int) -> list[QueuedError]:
    """Take up to ``limit`` entries off a socket's error queue. Fewer means it is empty now."""
    if sys.platform != "linux":
        return []
    entries: list[QueuedError] = []
    for _ in range(limit):
        try:
            payload, ancillary, _flags, source = sock.recvmsg(_PAYLOAD_LIMIT, _ANCILLARY_LIMIT, _MSG_ERRQUEUE)
        except OSError:
            break
        remote, port = (packed_address(source), source[1]) if source else (b"", 0)
        for level, kind, value in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                entry = parse_extended_error(value, remote, port, payload)
                if entry is not None:
                    entries.append(entry)
    return entries
