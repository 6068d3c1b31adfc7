"""UDP ports that nobody has, for tests that need one that is closed, or one to bind later.

The system draws ports for those who want any, in each of the processes that run tests. A port that was drawn and given
back may be drawn again by another test. The ports here are below those that systems draw from, and every process begins
at another place.
"""

from __future__ import annotations

import os
import socket
from itertools import count

_FIRST, _SPAN = 10_000, 22_000
"""Linux draws from 32768 on, others from 49152 on."""
_numbers = count(os.getpid() * 97)


def closed_udp_port(address: str = "127.0.0.1") -> int:
    """A UDP port of this address that nobody has and nobody gets by chance."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = _FIRST + next(_numbers) % _SPAN
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((address, port))
            except OSError:
                continue
            return port
