"""How packets are marked: the traffic class (DSCP and ECN bits) of the IP header, and the flow label of IPv6.

Marks are the ``flowinfo`` of ``core.outputs.Transmit``. They go beside each packet, as ancillary data, since
associations with different marks share a socket. On a system without such ancillary data the traffic class is set on
the socket while a batch is sent, and there are no flow labels.

Linux before 5.3 wants every flow label leased. Later versions want that only while some program of the host has a label
of its own (IPV6_FL_S_EXCL). So a label that was refused is leased, for everybody to use, and tried again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from ..core.outputs import CLASS_SHIFT, FLOW_LABEL
from .addresses import SocketAddress
from .capabilities import SOL_UDP, UDP_SEGMENT

# linux/in.h, linux/in6.h
_IP_TOS: Final = getattr(socket, "IP_TOS", 1)
_IPV6_TCLASS: Final = getattr(socket, "IPV6_TCLASS", 67)
_IPV6_FLOWINFO: Final = 11
_IPV6_FLOWLABEL_MGR: Final = 32
TRAFFIC_CLASS: Final = ((socket.IPPROTO_IP, _IP_TOS), (socket.IPPROTO_IPV6, _IPV6_TCLASS))
"""Level and name of the traffic class over IPv4 and over IPv6, as an option and as ancillary data."""

ECN: Final = 3 << CLASS_SHIFT
"""The ECN bits in the flow information of a ``Transmit``."""

# struct in6_flowlabel_req: address, label, action (0: get one), who may use it, flags, how long (two fields), padding.
_LEASE: Final = struct.Struct("=16s4sBBHHHI")
_SHARED: Final = 255
_CREATE: Final = 1


def ancillary(sock: socket.socket, segment: int, flowinfo: int) -> list[tuple[int, int, bytes]]:
    """What goes beside packets with these marks; with ``segment`` > 0 they leave in one piece (UDP_SEGMENT)."""
    wide = sock.family == socket.AF_INET6
    found: list[tuple[int, int, bytes]] = []
    if segment:
        found.append((SOL_UDP, UDP_SEGMENT, struct.pack("=H", segment)))
    if flowinfo >> CLASS_SHIFT:
        found.append((*TRAFFIC_CLASS[wide], struct.pack("=i", flowinfo >> CLASS_SHIFT)))
    if wide and flowinfo & FLOW_LABEL:
        found.append((socket.IPPROTO_IPV6, _IPV6_FLOWINFO, _label(flowinfo)))
    return found


def lease_flow_label(sock: socket.socket, flowinfo: int, destination: SocketAddress) -> None:
    """Ask the system for the right to send to ``destination`` with the flow label of ``flowinfo``. It may say no."""
    address = socket.inet_pton(socket.AF_INET6, destination[0].partition("%")[0])
    request = _LEASE.pack(address, _label(flowinfo), 0, _SHARED, _CREATE, 0, 0, 0)
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWLABEL_MGR, request)


@contextmanager
def traffic_class(sock: socket.socket, value: int) -> Iterator[None]:
    """Meanwhile all that a socket sends has this traffic class, as far as the system lets a program set it."""
    option = TRAFFIC_CLASS[sock.family == socket.AF_INET6]
    with suppress(OSError):
        sock.setsockopt(*option, value)
    try:
        yield
    finally:
        with suppress(OSError):
            sock.setsockopt(*option, 0)


def _label(flowinfo: int) -> bytes:
    return (flowinfo & FLOW_LABEL).to_bytes(4, "big")
