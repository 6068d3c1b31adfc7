"""Which driver carries a socket: one UDP port is one driver, shared by all sockets of the process that use it.

A client that does not care for its UDP port shares one ephemeral port with all others of its kind, however many there
are. Whoever names a UDP port gets the driver that has it on one of the wanted addresses, or a new one. Under the lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from weakref import WeakSet

from ..link import UdpLink, shared_port
from .driver import Driver
from .hub import hub

_for_clients: Final[WeakSet[Driver]] = WeakSet()
"""The drivers of clients that do not care for their UDP port."""


def client_driver(addresses: Sequence[bytes]) -> Driver:
    """A driver on an ephemeral UDP port, with at least these local addresses. ``OSError`` as ``UdpLink.open``."""
    for driver in _drivers():
        if driver in _for_clients and shared_port.extend(driver, addresses):
            return driver
    driver = Driver(UdpLink.open(addresses))
    _for_clients.add(driver)
    return driver


def port_driver(addresses: Sequence[bytes], udp_port: int) -> Driver:
    """A driver on this UDP port, 0 for one of its own, with these local addresses. ``OSError`` as ``UdpLink.open``."""
    return shared_port.find(_drivers(), addresses, udp_port) or Driver(UdpLink.open(addresses, udp_port))


def _drivers() -> Iterator[Driver]:
    return (carrier for carrier in hub.carriers if isinstance(carrier, Driver))
