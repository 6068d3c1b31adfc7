"""The sockets of this host and whose they are, as Linux tells it in ``/proc``.

``/proc/net`` has a table for each kind of socket with the inode of each, ``/proc/<pid>/fd`` the inodes of the sockets
of a process. The tables show the network namespace of the thread that reads. Other users' processes do not show their
sockets, the kernel's own sockets belong to no process, and other systems have no such files: then the answers are
empty. Nothing here raises.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

_NET: Final = "/proc/thread-self/net"
_DESCRIPTORS_LIMIT: Final = 50_000


class HostSocket(NamedTuple):
    """A socket of this host."""

    address: bytes
    """The local IP address, packed; zeros for a wildcard."""
    port: int
    """The local port; for a raw socket the IP protocol."""
    inode: int


def ip_sockets(table: str) -> Iterator[HostSocket]:
    """The sockets in ``udp``, ``udp6``, ``raw`` or ``raw6``."""
    for line in _lines(table):
        fields = line.split()
        digits, _, port = fields[1].partition(":")
        yield HostSocket(_packed(digits), int(port, 16), int(fields[9]))


def unix_socket(name: str) -> int:
    """The inode of the Unix socket with this name, a leading NUL written as ``@``; 0 if there is none."""
    return next((int(line.split()[6]) for line in _lines("unix") if line.endswith(f" {name}")), 0)


def _lines(table: str) -> list[str]:
    with suppress(OSError), open(f"{_NET}/{table}", "rb", buffering=0) as file:
        return file.readall().decode(errors="replace").splitlines()[1:]
    return []


def _packed(digits: str) -> bytes:
    """An address of a table: 32-bit words in hexadecimal, each in the host's byte order."""
    words = [digits[start : start + 8] for start in range(0, len(digits), 8)]
    return b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)


def owner_of(inodes: Collection[int]) -> str:
    """Who has one of these sockets: "this process", "process 4711 (python3)", or ``""`` if it cannot be told.

    It looks at a bounded number of file descriptors.
    """
    wanted = {f"socket:[{inode}]" for inode in inodes}
    if not wanted:
        return ""
    for link, pid in islice(_descriptors(), _DESCRIPTORS_LIMIT):
        if link in wanted:
            return "this process" if pid == os.getpid() else f"process {pid} ({_process_name(pid)})"
    return ""


def _descriptors() -> Iterator[tuple[str, int]]:
    """What the file descriptors of processes are, as ``(link, pid)``; this process first."""
    with suppress(OSError):
        others = sorted((int(name) for name in os.listdir("/proc") if name.isdecimal()), reverse=True)
        for pid in (os.getpid(), *others):
            with suppress(OSError):
                for descriptor in os.listdir(f"/proc/{pid}/fd"):
                    with suppress(OSError):
                        yield os.readlink(f"/proc/{pid}/fd/{descriptor}"), pid


def _process_name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "unknown"
