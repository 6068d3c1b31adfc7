"""This host, as sockets need it: UDP ports, raw sockets, local addresses, names, the time.

One UDP port is one driver, shared by all sockets of the process that use the port. All sockets that chose no UDP port
share one. A socket that names a UDP port gets the driver that has the port on one of the wanted addresses, or a new
driver. Raw sockets beside UDP belong to the driver of the UDP port. Without UDP, the driver of raw sockets at one of
the wanted addresses takes every SCTP port that the driver does not have yet. Drivers are opened under the hub's lock;
names are looked up without the lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, final

from ..link import SCTP_TUNNELING_PORT, SeveralLinks, Way, open_link, open_ways, shared_port
from ..link.addresses import announced_in_scope
from ..link.interfaces import bindable_addresses, source_for, zoned
from ..link.names import lookup
from ..sockapi.host import SocketHost
from .driver import Driver
from .hub import hub


class _ThisHost:
    """What does not depend on how packets travel."""

    def now(self) -> int:
        """The time, ns."""
        return time.monotonic_ns()

    def source_for(self, peer: bytes) -> bytes:
        """The local address the system would send from."""
        return source_for(peer)

    def zoned(self, ip: bytes) -> bytes:
        """The address on the link that must be meant, if it is link-local and does not say."""
        return zoned(ip)

    def wildcard_addresses(self, wildcard: bytes) -> list[bytes]:
        """The addresses of the interfaces that can be bound."""
        return bindable_addresses(wildcard)

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        """Those of our addresses that a peer is told, by their scope."""
        return announced_in_scope(bound, peer)

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        """What a host name stands for, asked of the system's resolver."""
        return lookup(name, ipv6=ipv6)


@final
class UdpHost(_ThisHost):
    """The ``SocketHost`` of blocking sockets over UDP, and over IP itself beside that."""

    usual_udp_port = SCTP_TUNNELING_PORT

    def __init__(self, ways: tuple[Way, ...]) -> None:
        self._ways = ways
        self.races = len(ways) > 1

    def client_driver(self, addresses: Sequence[bytes]) -> Driver:
        """A driver on an ephemeral UDP port, with at least these local addresses. ``OSError`` as ``open_ways``.

        Where so many have native SCTP ports that it would cost too many file descriptors, it goes over UDP alone.
        """
        for driver in _drivers():
            if driver.for_clients is self and shared_port.extend(driver, addresses):
                crowded = isinstance(driver.link, SeveralLinks) and driver.link.crowded
                return _OVER_UDP.client_driver(addresses) if crowded else driver
        driver = self._opened(addresses, 0)
        driver.for_clients = self
        return driver

    def port_driver(self, addresses: Sequence[bytes], udp_port: int, port: int) -> Driver:
        """A driver on this UDP port, 0 for one of its own, with these addresses. ``OSError`` as ``open_ways``."""
        return shared_port.find(_drivers(), addresses, udp_port) or self._opened(addresses, udp_port)

    def _opened(self, addresses: Sequence[bytes], udp_port: int) -> Driver:
        """A new driver on a UDP port, which the system chooses if it is 0."""
        driver = Driver(open_ways(self._ways, addresses, udp_port))
        if not udp_port:
            driver.stack.follow_udp_port(driver.link.port)
        return driver

    def drivers(self) -> list[Driver]:
        """Those of all blocking sockets over UDP of this process."""
        return [driver for driver in _drivers() if driver.udp_port]


@final
class RawHost(_ThisHost):
    """The ``SocketHost`` of blocking sockets over IP itself."""

    usual_udp_port = 0
    races = False

    def client_driver(self, addresses: Sequence[bytes]) -> Driver:
        """A driver of raw sockets with at least these local addresses. ``OSError`` as ``open_link``."""
        return self.port_driver(addresses, 0, 0)

    def port_driver(self, addresses: Sequence[bytes], udp_port: int, port: int) -> Driver:
        """A driver of raw sockets with these local addresses that does not have this SCTP port yet."""
        return shared_port.find_raw(_drivers(), addresses, port) or Driver(open_link("raw", addresses))

    def drivers(self) -> list[Driver]:
        """Those of all blocking sockets over IP itself of this process."""
        return [driver for driver in _drivers() if not driver.udp_port]


def _drivers() -> Iterator[Driver]:
    return (carrier for carrier in hub.carriers if isinstance(carrier, Driver))


_OVER_UDP: Final = UdpHost(("udp",))
HOSTS: Final[dict[tuple[Way, ...], SocketHost]] = {
    ("udp",): _OVER_UDP,
    ("raw", "udp"): UdpHost(("raw", "udp")),
    ("raw",): RawHost(),
}
"""Those of this process, by the ways of packets."""
