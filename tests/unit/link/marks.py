"""Marks of packets (DSCP, IPv6 flow label) as other programs of the host see them."""

from __future__ import annotations

import socket
import struct
from typing import Final

from sctpx.core.outputs import CLASS_SHIFT, DSCP_SHIFT, FLOW_LABEL

CS5: Final = 40 << DSCP_SHIFT
"""Flow information with a DSCP."""
LABEL: Final = 0x2BCDE
"""A flow label."""

_IP_RECVTOS, _IPV6_FLOWINFO, _IPV6_FLOWLABEL_MGR = 13, 11, 32


def observe_marks(sock: socket.socket) -> None:
    """Have a socket told the marks of what it receives."""
    sock.settimeout(5)
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWINFO, 1)


def marks_received(sock: socket.socket, count: int) -> list[tuple[int, int]]:
    """Traffic class and flow label of so many packets, received on a socket that is told the marks."""
    found = []
    for _ in range(count):
        _, ancillary, _, _ = sock.recvmsg(65535, 200)
        values = {kind: value for _, kind, value in ancillary}
        if sock.family == socket.AF_INET:
            found.append((values[socket.IP_TOS][0], 0))
        else:
            flowinfo = int.from_bytes(values[_IPV6_FLOWINFO], "big")
            found.append((flowinfo >> CLASS_SHIFT & 0xFF, flowinfo & FLOW_LABEL))
    return found


def take_flow_label(sock: socket.socket, label: int, to: bytes) -> None:
    """Lease a flow label for this socket alone: now other sockets need leases as well."""
    request = struct.pack("=16s4sBBHHHI", to, label.to_bytes(4, "big"), 0, 1, 1, 0, 0, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWLABEL_MGR, request)
