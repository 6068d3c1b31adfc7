"""Host names to addresses, asked of the system's resolver."""

from __future__ import annotations

import errno
import socket

from .addresses import packed_address


def lookup(name: str, *, ipv6: bool) -> list[bytes]:
    """The addresses, packed, that a host name stands for; IPv4 ones only without ``ipv6``. It may take long.

    ``OSError`` (``socket.gaierror``) if there are none, EINVAL for what is no name.
    """
    try:
        entries = socket.getaddrinfo(name, None, 0 if ipv6 else socket.AF_INET, type=socket.SOCK_DGRAM)
    except UnicodeError:
        raise OSError(errno.EINVAL, f"{name!r} is no host name") from None
    except socket.gaierror as error:
        error.filename = name  # What it is about.
        raise
    return [packed_address(entry[4]) for entry in entries]
