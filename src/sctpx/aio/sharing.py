"""Which driver carries an endpoint: one UDP port is one driver, shared by all who use it in one event loop.

Four kinds of users come here. A client that does not care for its UDP port shares one ephemeral port with all others
of its kind, however many there are. Whoever names a UDP port gets the driver that has it on one of the wanted
addresses, or a new one: two servers on different addresses may have the same UDP and SCTP port without knowing of each
other. Whoever does without UDP gets the driver of raw sockets at one of the wanted addresses, or a new one. Whoever
brings a link of its own gets the driver of that link.

A driver leaves the table when it closes itself. The drivers of a loop that was closed over their heads are closed
when the next one is asked for, so that their UDP ports are free again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from ..link import Link, open_link, shared_port
from .driver import Driver

_drivers: Final[dict[asyncio.AbstractEventLoop, list[Driver]]] = {}
"""All drivers of this process, by event loop."""
_for_clients: Final[set[Driver]] = set()
"""Those of clients that do not care for their UDP port."""


def client_driver(addresses: Sequence[bytes]) -> Driver:
    """A driver on an ephemeral UDP port, with at least these local addresses. ``OSError`` as ``open_link``."""
    for driver in _here():
        if driver in _for_clients and shared_port.extend(driver, addresses):
            return driver
    driver = _made(open_link("udp", addresses))
    _for_clients.add(driver)
    return driver


def port_driver(addresses: Sequence[bytes], udp_port: int) -> Driver:
    """A driver on this UDP port, 0 for one of its own, with these local addresses. ``OSError`` as ``open_link``."""
    return shared_port.find(_here(), addresses, udp_port) or _made(open_link("udp", addresses, udp_port))


def raw_driver(addresses: Sequence[bytes], port: int) -> Driver:
    """A driver of raw sockets with these local addresses, for an SCTP port, 0 for any. ``OSError`` as ``open_link``."""
    return shared_port.find_raw(_here(), addresses, port) or _made(open_link("raw", addresses))


def link_driver(link: Link[Any]) -> Driver:
    """The driver of this link."""
    for driver in _here():
        if driver.link is link:
            return driver
    return _made(link)


def _here() -> list[Driver]:
    for loop in list(_drivers):
        if loop.is_closed():
            _abandon(loop)
    return _drivers.get(asyncio.get_running_loop(), [])


def _made(link: Link[Any]) -> Driver:
    driver = Driver(link, on_closed=_forget)
    _drivers.setdefault(driver.loop, []).append(driver)
    return driver


def _forget(driver: Driver) -> None:
    _for_clients.discard(driver)
    drivers = _drivers[driver.loop]
    drivers.remove(driver)
    if not drivers:
        del _drivers[driver.loop]


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """The loop is closed: nothing will ever run in it again."""
    for driver in _drivers.pop(loop, []):
        _for_clients.discard(driver)
        driver.link.close()
