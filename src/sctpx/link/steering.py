"""Several sockets on one UDP port, and a classic BPF program that says which of them gets a packet (socket(7)).

The kernel numbers the sockets of an address in the order in which they were bound, and the program, which it runs on
the SCTP packet behind the UDP header, gives the number (SO_ATTACH_REUSEPORT_CBPF). A packet goes by the first byte of
its Verification Tag. An INIT has none yet: it goes by its SCTP source port and the end of the address it comes from, so
that each time the same socket gets it. What is too short to have a tag goes to the first socket.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from typing import Final

from . import bpf
from .addresses import family_of
from .bpf import step
from .capabilities import probe
from .udp import UdpLink
from .udp_socket import bound_socket

_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h
_PORT_ATTEMPTS: Final = 16
_VERIFICATION_TAG: Final = 4
_SOURCE_PORT: Final = 0
_FIRST_BYTE: Final = 24
# The last 32 bits of the source, in the IP header.
_SOURCE: Final = {socket.AF_INET: 12, socket.AF_INET6: 20}
_MIX: Final = 0x9E3779B1
"""An odd number whose bits look random: multiplied by it, numbers in a row are spread over all 32 bits."""


def program(count: int, family: int) -> list[bytes]:
    """The instructions that give the number of the socket, out of so many."""
    return [
        step(bpf.LOAD_WORD | bpf.AT, _VERIFICATION_TAG),
        step(bpf.JUMP_IF_EQUAL, 0, then=2),
        step(bpf.SHIFT_RIGHT, _FIRST_BYTE),
        step(bpf.JUMP, 6),
        step(bpf.LOAD_HALF | bpf.AT, _SOURCE_PORT),
        step(bpf.A_TO_X),
        step(bpf.LOAD_WORD | bpf.AT, bpf.IP_HEADER + _SOURCE[socket.AddressFamily(family)]),
        step(bpf.XOR_X),
        step(bpf.MULTIPLY, _MIX),
        step(bpf.SHIFT_RIGHT, 16),
        step(bpf.REMAINDER, count),
        step(bpf.RETURN_A),
    ]


def open_sockets(addresses: Sequence[bytes], udp_port: int, count: int) -> tuple[int, list[list[socket.socket]]]:
    """A UDP port, 0 for any, at each of these addresses for each of ``count`` workers: the port, and their sockets.

    ``OSError``: as ``UdpLink.open`` says; EOPNOTSUPP where the system cannot do it.
    """
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, "several workers on one UDP port take Linux")
    for attempt in range(_PORT_ATTEMPTS):
        # Another program must not have the port, nor have it as one of several: so it is taken whole first.
        link = UdpLink.open(addresses, udp_port)
        port = link.port
        link.close()
        found: list[list[socket.socket]] = [[] for _ in range(count)]
        try:
            for address in addresses:
                for sockets in found:
                    sockets.append(bound_socket(address, port, probe(), shared=True))
                bpf.attach(found[0][-1], _SO_ATTACH_REUSEPORT_CBPF, program(count, family_of(address)))
        except OSError as error:
            for sockets in found:
                for sock in sockets:
                    sock.close()
            if error.errno != errno.EADDRINUSE or udp_port or attempt + 1 == _PORT_ATTEMPTS:
                raise
        else:
            return port, found
    raise AssertionError
