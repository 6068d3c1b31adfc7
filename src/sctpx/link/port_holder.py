"""Who has a UDP port: for the error message when it is taken.

Linux tells in two steps: ``/proc/net/udp`` has the inode of the socket on a port, ``/proc/<pid>/fd`` the inodes of the
sockets of a process. Other users' processes do not show their sockets, the kernel's own belong to no process, and
other systems have no such files: then the answer is ``""``. This runs only when a bind has failed, and looks at
a bounded number of file descriptors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

_DESCRIPTORS_LIMIT: Final = 50_000
_TABLES: Final = {4: ("udp", "udp6"), 16: ("udp6",)}
"""By length of the address. A socket on ``::`` may take a port from IPv4 as well."""


def port_holder(ip: bytes, port: int) -> str:
    """Who has the UDP port on an address: "this process", "process 4711 (python3)", or ``""`` if it cannot be told."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(ip, port)}
    if not wanted:
        return ""
    for link, pid in islice(_descriptors(), _DESCRIPTORS_LIMIT):
        if link in wanted:
            return "this process" if pid == os.getpid() else f"process {pid} ({_process_name(pid)})"
    return ""


def _inodes(ip: bytes, port: int) -> Iterator[str]:
    """The inodes of the sockets that have the port on this address or on all."""
    for table in _TABLES[len(ip)]:
        with suppress(OSError):
            for line in Path("/proc/self/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                digits, _, port_digits = fields[1].partition(":")
                holding = _packed(digits)
                if int(port_digits, 16) == port and (holding == ip or not any(holding)):
                    yield fields[9]


def _packed(digits: str) -> bytes:
    """An address of ``/proc/net/udp``: 32-bit words in hexadecimal, each in the host's byte order."""
    words = [digits[start : start + 8] for start in range(0, len(digits), 8)]
    return b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)


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
