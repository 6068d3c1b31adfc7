"""This host, as sockets need it: UDP ports, local addresses, names, the time.

One UDP port is one driver, shared by all sockets of the process that use it. A client that does not care for its UDP
port shares one with all others of its kind, however many there are. Whoever names a UDP port gets the driver that has
it on one of the wanted addresses, or a new one. Drivers are opened under the hub's lock; names are looked up without.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, final
from weakref import WeakSet

from ..link import SCTP_TUNNELING_PORT, UdpLink, shared_port
from ..link.interfaces import announced_in_scope, bindable_addresses, source_for
from ..link.names import lookup
from .driver import Driver
from .hub import hub


@final
class ThisHost:
    """The ``SocketHost`` of blocking sockets."""

    usual_udp_port = SCTP_TUNNELING_PORT

    def __init__(self) -> None:
        self._for_clients: WeakSet[Driver] = WeakSet()  # Those whose users do not care for their UDP port.

    def now(self) -> int:
        """The time, ns."""
        return time.monotonic_ns()

    def client_driver(self, addresses: Sequence[bytes]) -> Driver:
        """A driver on an ephemeral UDP port, with at least these local addresses. ``OSError`` as ``UdpLink.open``."""
        for driver in _drivers():
            if driver in self._for_clients and shared_port.extend(driver, addresses):
                return driver
        driver = _open(addresses, 0)
        self._for_clients.add(driver)
        return driver

    def port_driver(self, addresses: Sequence[bytes], udp_port: int) -> Driver:
        """A driver on this UDP port, 0 for one of its own, with these addresses. ``OSError`` as ``UdpLink.open``."""
        return shared_port.find(_drivers(), addresses, udp_port) or _open(addresses, udp_port)

    def drivers(self) -> Iterator[Driver]:
        """Those of all blocking sockets of this process."""
        return _drivers()

    def source_for(self, peer: str) -> bytes:
        """The local address the system would send from."""
        return source_for(peer)

    def wildcard_addresses(self, wildcard: bytes) -> list[bytes]:
        """The addresses of the interfaces that can be bound."""
        return bindable_addresses(wildcard)

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        """Those of our addresses that a peer is told, by their scope."""
        return announced_in_scope(bound, peer)

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        """What a host name stands for, asked of the system's resolver."""
        return lookup(name, ipv6=ipv6)


def _open(addresses: Sequence[bytes], udp_port: int) -> Driver:
    """A new driver: the one place where blocking sockets choose what carries their packets."""
    driver = Driver(UdpLink.open(addresses, udp_port))
    if not udp_port:  # The system has chosen one.
        driver.stack.follow_udp_port(driver.link.port)
    return driver


def _drivers() -> Iterator[Driver]:
    return (carrier for carrier in hub.carriers if isinstance(carrier, Driver))


HOST: Final = ThisHost()
"""The one of this process."""
