"""What this system's UDP sockets can do, asked once per process.

Each capability is one thing a link does better with than without; nothing needs any. The link is handed the answer
instead of asking for itself, so that ``Capabilities()``, a system that can do nothing, can be had everywhere.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final, final

from ..core.outputs import SMALL_FRAGMENTS, WHOLE

SOL_UDP: Final = 17
# linux/udp.h
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
# linux/in.h, linux/in6.h: IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
_MTU_DISCOVER: Final = ((socket.IPPROTO_IP, 10), (socket.IPPROTO_IPV6, 23))
_IPV6_MTU: Final = 24
_SMALLEST_IPV6_MTU: Final = 1280
"""Every link takes packets of that size (RFC 8200 section 5)."""
_PMTUDISC_DONT: Final = 0
_PMTUDISC_PROBE: Final = 3


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What may be used on UDP sockets. ``gso``, ``gro``, ``ecn``, ``marks`` and ``error_queue`` need
    ``messages``."""

    messages: bool = False
    """``recvmsg`` and ``sendmsg`` exist; Windows has neither."""
    gso: bool = False
    """UDP_SEGMENT: one call sends many packets (Linux 4.18)."""
    gro: bool = False
    """UDP_GRO: one call receives many packets (Linux 5.0)."""
    ecn: bool = False
    """The ECN bits of a packet can be read and set beside it."""
    marks: bool = False
    """The traffic class and the flow label of a packet can be set beside it; else the class is set on the socket."""
    df: bool = False
    """IP can be told not to fragment packets, and not to judge by itself what the path takes (IP_PMTUDISC_PROBE)."""
    error_queue: bool = False
    """ICMP errors are kept with the packet that drew them (IP_RECVERR)."""


@cache
def probe() -> Capabilities:
    """The capabilities of this system. ``OSError`` if not even a UDP socket can be had."""
    messages = hasattr(socket.socket, "recvmsg") and hasattr(socket.socket, "sendmsg")
    if sys.platform != "linux" or not messages:
        return Capabilities(messages=messages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return Capabilities(
            messages=True,
            gso=_accepts(asking, UDP_SEGMENT, 1200),
            gro=_accepts(asking, UDP_GRO, 1),
            ecn=True,
            marks=True,
            df=set_fragmentation(asking, WHOLE),
            error_queue=True,
        )


def set_fragmentation(sock: socket.socket, fragments: int) -> bool:
    """Let IP fragment the packets of a socket as ``Transmit.fragments`` has it, whatever ICMP said of the path: whether
    that went.

    IPV6_MTU, the size of fragments, is for packets that are larger than the interface takes: with it, the system
    refuses other packets of its size on, or to cut them (UDP_SEGMENT).
    """
    wide = sock.family == socket.AF_INET6
    level, option = _MTU_DISCOVER[wide]
    try:
        sock.setsockopt(level, option, _PMTUDISC_DONT if fragments else _PMTUDISC_PROBE)
        if wide:
            sock.setsockopt(level, _IPV6_MTU, _SMALLEST_IPV6_MTU if fragments == SMALL_FRAGMENTS else 0)
    except OSError:
        return False
    return True


def _accepts(asking: socket.socket, option: int, value: int) -> bool:
    try:
        asking.setsockopt(SOL_UDP, option, value)
    except OSError:
        return False
    return True
