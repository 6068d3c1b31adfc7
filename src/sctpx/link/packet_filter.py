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
import struct
from array import array
from collections.abc import Collection
from enum import Enum
from typing import Final, final

# asm-generic/socket.h, linux/bpf_common.h
_SO_ATTACH_FILTER: Final = 26
_LOAD_HALF: Final = 0x08
"""BPF_LD | BPF_H: 16 bits."""
_LOAD_BYTE: Final = 0x10
"""BPF_LD | BPF_B: 8 bits."""
_AT: Final = 0x20
"""BPF_ABS: at an offset from the beginning."""
_BEHIND_X: Final = 0x40
"""BPF_IND: at an offset from where X points."""
_IP_HEADER_LENGTH_TO_X: Final = 0xB1
"""BPF_LDX | BPF_B | BPF_MSH: the length of the IPv4 header, in bytes."""
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_WHOLE_PACKET: Final = 0xFFFFFFFF

_INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter: what to do, how far to jump if true and if false, an operand."""
_PROGRAM: Final = struct.Struct("@HP")
"""struct sock_fprog: how many instructions, and where they are."""

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
        return [_step(_RETURN, _WHOLE_PACKET)]
    where = _AT if ipv6 else _BEHIND_X
    steps = [] if ipv6 else [_step(_IP_HEADER_LENGTH_TO_X)]
    steps.append(_step(_LOAD_HALF | where, _DESTINATION_PORT))
    for port in ports:
        steps += [_step(_JUMP_IF_EQUAL, port, otherwise=1), _step(_RETURN, _WHOLE_PACKET)]
    if others is Others.CONTROL:
        steps.append(_step(_LOAD_BYTE | where, _FIRST_CHUNK))
        for kind in _BULK_CHUNKS:
            steps += [_step(_JUMP_IF_EQUAL, kind, otherwise=1), _step(_RETURN, 0)]
    return [*steps, _step(_RETURN, _WHOLE_PACKET if others is Others.CONTROL else 0)]


def _step(code: int, operand: int = 0, *, otherwise: int = 0) -> bytes:
    """An instruction; ``otherwise`` is how many instructions a comparison that fails leaves out."""
    return _INSTRUCTION.pack(code, 0, otherwise, operand)


def attach(sock: socket.socket, instructions: Collection[bytes]) -> None:
    """Have the kernel run a program on what arrives at a socket, in place of any earlier one. Linux only."""
    code = array("B", b"".join(instructions))
    where, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(len(instructions), where))
