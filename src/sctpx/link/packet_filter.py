"""Which packets a raw socket takes in: a classic BPF program on the socket (SO_ATTACH_FILTER, socket(7)).

A raw socket sees every SCTP packet that comes to its address, also those for other programs of the host. The program
looks at the destination port and lets in the packets for the ports that are open here. What it does with the packets
for all other ports is one of three rules (``Others``). A program may let in too much, never too little: whoever takes
packets from the socket looks at their port again.

The kernel runs the program on the IP header and what follows for IPv4, and on the SCTP packet alone for IPv6. A load
beyond the end of a packet drops the packet.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from enum import Enum
from typing import Final, final

from . import bpf
from .bpf import step

_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
_WHOLE_PACKET: Final = 0xFFFFFFFF

_DESTINATION_PORT: Final = 2
_FIRST_CHUNK: Final = 12
_BULK_CHUNKS: Final = (0, 3, 64)
"""DATA, SACK and I-DATA: the types of chunks that begin nearly all packets of an association."""

PORTS_LIMIT: Final = 128
"""Ports that a program compares one by one. With more of them open, it lets in everything."""


@final
class Others(Enum):
    """Which packets for ports that are not open here are let in."""

    NONE = "none"
    CONTROL = "control"
    """Those that begin neither with user data nor with an acknowledgement of it."""
    ALL = "all"


def program(ports: Collection[int], others: Others, *, ipv6: bool) -> list[bytes]:
    """The instructions that let in packets for these SCTP ports, and of the other packets what ``others`` says."""
    if len(ports) > PORTS_LIMIT or others is Others.ALL:
        return [step(bpf.RETURN, _WHOLE_PACKET)]
    where = bpf.AT if ipv6 else bpf.BEHIND_X
    steps = [] if ipv6 else [step(bpf.IP_HEADER_LENGTH_TO_X)]
    steps.append(step(bpf.LOAD_HALF | where, _DESTINATION_PORT))
    for port in ports:
        steps += [step(bpf.JUMP_IF_EQUAL, port, otherwise=1), step(bpf.RETURN, _WHOLE_PACKET)]
    if others is Others.CONTROL:
        steps.append(step(bpf.LOAD_BYTE | where, _FIRST_CHUNK))
        for kind in _BULK_CHUNKS:
            steps += [step(bpf.JUMP_IF_EQUAL, kind, otherwise=1), step(bpf.RETURN, 0)]
    return [*steps, step(bpf.RETURN, _WHOLE_PACKET if others is Others.CONTROL else 0)]


def attach(sock: socket.socket, instructions: Collection[bytes]) -> None:
    """Have the kernel run a program on what arrives at a socket, in place of any earlier one. Linux only."""
    bpf.attach(sock, _SO_ATTACH_FILTER, instructions)
