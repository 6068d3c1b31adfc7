"""Classic BPF programs (linux/bpf_common.h): instructions, and how a socket gets a program. Linux only."""

from __future__ import annotations

import socket
import struct
from array import array
from collections.abc import Collection
from typing import Final

LOAD_WORD: Final = 0x00
"""BPF_LD | BPF_W: 32 bits."""
LOAD_HALF: Final = 0x08
"""BPF_LD | BPF_H: 16 bits."""
LOAD_BYTE: Final = 0x10
"""BPF_LD | BPF_B: 8 bits."""
AT: Final = 0x20
"""BPF_ABS: at an offset from the beginning."""
BEHIND_X: Final = 0x40
"""BPF_IND: at an offset from where X points."""
IP_HEADER_LENGTH_TO_X: Final = 0xB1
"""BPF_LDX | BPF_B | BPF_MSH: the length of the IPv4 header, in bytes."""
A_TO_X: Final = 0x07
XOR_X: Final = 0xAC
MULTIPLY: Final = 0x24
REMAINDER: Final = 0x94
SHIFT_RIGHT: Final = 0x74
JUMP: Final = 0x05
JUMP_IF_EQUAL: Final = 0x15
RETURN: Final = 0x06
RETURN_A: Final = 0x16

IP_HEADER: Final = 0xFFF00000
"""SKF_NET_OFF: offsets from here on count from the IP header, wherever the packet begins."""

_INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter: what to do, how far to jump if true and if false, an operand."""
_PROGRAM: Final = struct.Struct("@HP")
"""struct sock_fprog: how many instructions, and where they are."""


def step(code: int, operand: int = 0, *, then: int = 0, otherwise: int = 0) -> bytes:
    """An instruction; a comparison leaves out ``then`` instructions if it holds, and ``otherwise`` if it fails."""
    return _INSTRUCTION.pack(code, then, otherwise, operand)


def attach(sock: socket.socket, option: int, instructions: Collection[bytes]) -> None:
    """Have the kernel run a program for a socket, in place of any earlier one; ``option`` says when."""
    code = array("B", b"".join(instructions))
    where, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, option, _PROGRAM.pack(len(instructions), where))
