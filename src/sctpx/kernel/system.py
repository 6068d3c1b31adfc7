"""The system calls that Python's socket module has not, by ctypes: ``getsockopt`` that is given something to read.

The kernel takes the addresses of a connect, the association that is to be peeled off, or the association that an option
is of, from the memory into which it writes its answer. ``socket.getsockopt`` hands over empty memory. Errors are
``OSError`` with the kernel's errno.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from ..sockapi.constants import IPPROTO_SCTP

# Options of level IPPROTO_SCTP that Linux made for the functions of RFC 6458 section 9.
BINDX_ADD: Final = 100
BINDX_REM: Final = 101
PEER_ADDRESSES: Final = 108
LOCAL_ADDRESSES: Final = 109
_CONNECTX3: Final = 111
_PEELOFF_FLAGS: Final = 122
_CONNECTX3_ARGUMENT: Final = struct.Struct("@iiP")
"""Association identifier, bytes of addresses, where they are."""
_PEELOFF_ARGUMENT: Final = struct.Struct("=iiI")
"""Association identifier, the new descriptor, flags of it."""
_GETADDRS: Final = struct.Struct("=iI")
"""Association identifier, number of addresses; the addresses follow."""
_ADDRESSES_ROOM: Final = 1 << 15

_SYSCTL: Final = Path("/proc/sys/net/sctp")
_MISSING: Final = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTOTYPE, errno.EINVAL)
HOW_TO_GET_IT: Final = (
    "On Linux `modprobe sctp` loads it, as root on the host (Debian, Ubuntu: it is in the kernel's package; Fedora, "
    "RHEL: `dnf install kernel-modules-extra`). Without it, sctpx's own stack needs no kernel module: it travels in "
    'UDP (link="udp"), or with CAP_NET_RAW as IP protocol 132 (link="raw").'
)


def open_socket(family: int, kind: int) -> socket.socket:
    """A socket of the kernel, which does not wait. ``OSError``: EPROTONOSUPPORT if the kernel has no SCTP."""
    if sys.platform != "linux":
        raise no_sctp(f"backend='kernel' is for Linux, and this is {sys.platform}")
    try:
        opened = socket.socket(family, kind, IPPROTO_SCTP)
    except OSError as error:
        if error.errno in _MISSING:
            raise no_sctp("the kernel has no SCTP") from None
        raise
    opened.setblocking(False)
    return opened


def no_sctp(what: str) -> OSError:
    """The error for a system without SCTP of its own, with the ways to get it."""
    return OSError(errno.EPROTONOSUPPORT, f"{what}. {HOW_TO_GET_IT}")


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def get_option(descriptor: int, level: int, name: int, asked: bytes, room: int) -> bytes:
    """``getsockopt`` that reads ``asked`` and has ``room`` bytes for the answer, or more if ``asked`` is longer."""
    memory, length = _getsockopt(descriptor, level, name, asked, room)
    return memory[:length]


def addresses(descriptor: int, option: int, assoc_id: int) -> tuple[int, bytes]:
    """How many addresses an association has on one side, ``PEER_ADDRESSES`` or ``LOCAL_ADDRESSES``, and these, packed.

    More may follow in the bytes: for one of both the kernel tells a length without the head of the answer.
    """
    asked = _GETADDRS.pack(assoc_id, 0)
    memory, _ = _getsockopt(descriptor, IPPROTO_SCTP, option, asked, _ADDRESSES_ROOM)
    return _GETADDRS.unpack_from(memory)[1], memory[_GETADDRS.size :]


def _getsockopt(descriptor: int, level: int, name: int, asked: bytes, room: int) -> tuple[bytes, int]:
    memory = ctypes.create_string_buffer(asked, max(room, len(asked)))
    length = ctypes.c_uint32(len(memory))
    if _libc().getsockopt(descriptor, level, name, memory, ctypes.byref(length)) < 0:
        _fail()
    return memory.raw, length.value


def connectx(descriptor: int, addresses: bytes) -> tuple[int, int]:
    """Begin an association with a peer that has these packed addresses: its identifier, and 0 or EINPROGRESS."""
    given = ctypes.create_string_buffer(addresses, len(addresses))
    argument = _CONNECTX3_ARGUMENT.pack(0, len(addresses), ctypes.addressof(given))
    memory = ctypes.create_string_buffer(argument, len(argument))
    length = ctypes.c_uint32(len(argument))
    code = 0
    if _libc().getsockopt(descriptor, IPPROTO_SCTP, _CONNECTX3, memory, ctypes.byref(length)) < 0:
        code = ctypes.get_errno()
        if code != errno.EINPROGRESS:
            _fail()
    return _CONNECTX3_ARGUMENT.unpack(memory.raw)[0], code


def peeloff(descriptor: int, assoc_id: int) -> socket.socket:
    """An association of a one-to-many socket as a socket of its own, which does not wait."""
    argument = _PEELOFF_ARGUMENT.pack(assoc_id, 0, getattr(socket, "SOCK_CLOEXEC", 0))
    answer = get_option(descriptor, IPPROTO_SCTP, _PEELOFF_FLAGS, argument, len(argument))
    other = socket.socket(fileno=_PEELOFF_ARGUMENT.unpack(answer)[1])
    other.setblocking(False)
    return other


def _fail() -> None:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def sysctl(name: str) -> int:
    """A number of ``net.sctp``; 0 where the kernel has no such."""
    try:
        return int((_SYSCTL / name).read_text())
    except (OSError, ValueError):
        return 0
