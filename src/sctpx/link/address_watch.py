"""When the addresses of this host change: told by the system (Linux), or to be looked at again every few seconds.

Linux sends a message on a netlink socket for every address that an interface gets or loses (rtnetlink(7)), and once
more when a new IPv6 address has been found to be unique (DAD, RFC 4862 section 5.4), which it cannot be used before.
The messages say more than is wanted: that there was one is reason to read the addresses again (``interfaces``), and a
message that the system had no room for (ENOBUFS) is reason enough as well. Elsewhere nothing is told, and the addresses
are read at fixed intervals.

Reading them costs about a millisecond. A host whose addresses change all the time, as one with many containers, must
not do nothing else: between two readings there is a pause, and what changes meanwhile waits for its end.

The watch neither waits nor reads addresses: a driver waits on ``fileno`` for ``on_readable``, and until
``next_deadline``, and asks ``due``.
"""

from __future__ import annotations

import socket
import sys
from typing import Final, final

PAUSE: Final = 200_000_000
"""Between two readings at least, ns."""
INTERVAL: Final = 5_000_000_000
"""Between two readings where the system does not tell of changes, ns."""
NEVER: Final = (1 << 62) - 1
"""A time that does not come, ns; the same as that of the core."""

# linux/netlink.h, linux/rtnetlink.h
_NETLINK_ROUTE: Final = 0
_RTMGRP_IPV4_IFADDR: Final = 0x10
_RTMGRP_IPV6_IFADDR: Final = 0x100
_MESSAGE_LIMIT: Final = 65536
_MESSAGES_AT_ONCE: Final = 64


@final
class AddressWatch:
    """Says when the addresses of the host are to be read again."""

    __slots__ = ("_changed", "_last", "_socket")

    def __init__(self, now: int, *, told: bool = True) -> None:
        """The addresses have just been read. ``told=False`` does without what the system tells."""
        self._socket = _open() if told else None
        self._last = now
        self._changed = False

    def fileno(self) -> int:
        """The descriptor that is readable when something changed; -1 where there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    def on_readable(self) -> None:
        """The descriptor is readable: something changed. Never raises."""
        self._changed = True
        sock = self._socket
        if sock is None:
            return
        try:
            for _ in range(_MESSAGES_AT_ONCE):
                sock.recv(_MESSAGE_LIMIT)
        except OSError:
            return  # There are no more, or the system had no room for more: then some were lost, and one is enough.

    def next_deadline(self) -> int:
        """When ``due`` is to be asked next, ns."""
        if self._socket is None:
            return self._last + INTERVAL
        return self._last + PAUSE if self._changed else NEVER

    def due(self, now: int) -> bool:
        """Whether to read the addresses now. Then the next time is counted from now."""
        if now < self.next_deadline():
            return False
        self._last = now
        self._changed = False
        return True

    def close(self) -> None:
        """Free the descriptor. Closing twice does nothing."""
        if self._socket is not None:
            self._socket.close()


def _open() -> socket.socket | None:
    """The socket that Linux sends its messages to; ``None`` where that cannot be had."""
    if sys.platform != "linux":
        return None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    except OSError:
        return None  # Sandboxes and Android do not allow it.
    try:
        sock.setblocking(False)
        sock.bind((0, _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
    except OSError:
        sock.close()
        return None
    return sock
