"""The size of a socket's buffers."""

from __future__ import annotations

import socket
from typing import Final

WANTED: Final = 4 << 20
"""Bytes that a link asks for, each way."""
_FEWEST_BYTES: Final = 256 << 10


def enlarge_buffers(sock: socket.socket) -> None:
    """Ask for 4 MiB each way, and for less where that is refused. Linux gives what it allows without a word."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        _enlarge(sock, option)


def _enlarge(sock: socket.socket, option: int) -> None:
    size = WANTED
    while size >= _FEWEST_BYTES:
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError:
            size //= 2
        else:
            return
