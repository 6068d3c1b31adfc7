"""What sockets of the kernel need of their host: names and the time. All else the kernel knows itself."""

from __future__ import annotations

import time
from typing import Final, final

from ..link.interfaces import zoned
from ..link.names import lookup


@final
class KernelNames:
    """The ``NameHost`` of sockets of the kernel."""

    def now(self) -> int:
        """The time, ns."""
        return time.monotonic_ns()

    def wildcard_addresses(self, wildcard: bytes) -> list[bytes]:
        """The wildcard itself: the kernel has a use for it."""
        return [wildcard]

    def zoned(self, ip: bytes) -> bytes:
        """A packed address, with the zone that must be meant if it is link-local and has none."""
        return zoned(ip)

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        """What a host name stands for, asked of the system's resolver."""
        return lookup(name, ipv6=ipv6)


NAMES: Final = KernelNames()
