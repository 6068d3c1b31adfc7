"""A name that one process of this host holds until it gives the name up or ends, however it ends.

It is the name of a Unix socket in Linux's abstract namespace (unix(7)): the kernel lets one socket have it, and frees
it with the last descriptor of that socket. Such names belong to a network namespace, as IP addresses do: the containers
of a pod, which share their addresses but no files, share them.
"""

from __future__ import annotations

import errno
import socket
from typing import final

from .host_sockets import owner_of, unix_socket


@final
class HeldName:
    """A name that is held. Linux only."""

    __slots__ = ("_socket",)

    def __init__(self, name: str) -> None:
        """Take a name. ``OSError``: EADDRINUSE if it is held already; EMFILE, since it takes a file descriptor."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.bind(_address(name))
        except OSError:
            self._socket.close()
            raise

    def release(self) -> None:
        """Give the name up. Doing so twice does nothing."""
        self._socket.close()


def is_held(name: str) -> bool:
    """Whether a process holds a name. Where that cannot be asked, it counts as held."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:  # Its connect never waits.
            return asking.connect_ex(_address(name)) != errno.ECONNREFUSED
    except OSError:
        return True


def name_holder(name: str) -> str:
    """Who holds a name: "this process", "process 4711 (python3)", or ``""`` if it cannot be told."""
    inode = unix_socket(f"@{name}")
    return owner_of([inode] if inode else [])


def _address(name: str) -> str:
    return f"\0{name}"
