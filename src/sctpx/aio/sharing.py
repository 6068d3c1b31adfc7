"""Which driver carries an endpoint: one UDP port is one driver, shared by all who use it in one event loop.

Four kinds of users come here. A client that does not care for its UDP port shares one ephemeral port with all others
of its kind, however many there are. Whoever names a UDP port gets the driver that has it on one of the wanted
addresses, or a new one: two servers on different addresses may have the same UDP and SCTP port without knowing of each
other. Whoever does without UDP gets the driver of raw sockets at one of the wanted addresses, or a new one. Whoever
brings a link of its own gets the driver of that link. Raw sockets beside UDP belong to the driver of the UDP port.

A driver leaves the table when it closes itself. The drivers that are left when their loop is closed, or when the
process ends, are ended then (``ending``). In the child of a ``fork`` the table is empty: the drivers are the parent's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from .. import process_end
from ..core.worker import Worker
from ..link import Link, SeveralLinks, Way, open_link, open_ways, shared_port
from . import ending
from .driver import Driver

_drivers: Final[dict[asyncio.AbstractEventLoop, list[Driver]]] = {}
"""All drivers of this process, by event loop."""
_for_clients: Final[dict[Driver, tuple[Way, ...]]] = {}
"""Those of clients that do not care for their UDP port, and the ways that were asked for."""
_UDP: Final[tuple[Way, ...]] = ("udp",)


def client_driver(addresses: Sequence[bytes], ways: tuple[Way, ...] = _UDP) -> Driver:
    """A driver on an ephemeral UDP port, with at least these local addresses. ``OSError`` as ``open_ways``.

    Where so many have native SCTP ports that it would cost too many file descriptors, it goes over UDP alone.
    """
    for driver in drivers_here():
        if _for_clients.get(driver) == ways and shared_port.extend(driver, addresses):
            crowded = isinstance(driver.link, SeveralLinks) and driver.link.crowded
            return client_driver(addresses) if crowded else driver
    driver = _opened(addresses, 0, ways)
    _for_clients[driver] = ways
    return driver


def port_driver(addresses: Sequence[bytes], udp_port: int, ways: tuple[Way, ...] = _UDP) -> Driver:
    """A driver on this UDP port, 0 for one of its own, with these local addresses. ``OSError`` as ``open_ways``.

    A driver that has the UDP port already goes the ways that it was opened for.
    """
    return shared_port.find(drivers_here(), addresses, udp_port) or _opened(addresses, udp_port, ways)


def raw_driver(addresses: Sequence[bytes], port: int) -> Driver:
    """A driver of raw sockets with these local addresses, for an SCTP port, 0 for any. ``OSError`` as ``open_link``."""
    return shared_port.find_raw(drivers_here(), addresses, port) or _made(open_link("raw", addresses))


def link_driver(link: Link[Any], worker: Worker | None = None) -> Driver:
    """The driver of this link; ``worker`` says which of several stacks on a UDP port a new one has."""
    for driver in drivers_here():
        if driver.link is link:
            return driver
    return _made(link, worker)


def drivers_here() -> list[Driver]:
    """Those of the running event loop."""
    for loop in list(_drivers):
        if loop.is_closed():  # Without notice.
            ending.end_loop(loop, _of(loop), 0)
    return _drivers.get(asyncio.get_running_loop(), [])


def _of(loop: asyncio.AbstractEventLoop) -> list[Driver]:
    return list(_drivers.get(loop, ()))


def _opened(addresses: Sequence[bytes], udp_port: int, ways: tuple[Way, ...]) -> Driver:
    """A new driver on a UDP port, which the system chooses if it is 0."""
    driver = _made(open_ways(ways, addresses, udp_port))
    if not udp_port:
        driver.stack.follow_udp_port(driver.link.port)
    return driver


def _made(link: Link[Any], worker: Worker | None = None) -> Driver:
    driver = Driver(link, on_closed=_forget, worker=worker)
    loop = driver.loop
    if loop not in _drivers:
        ending.watch(loop, lambda: _of(loop))
        process_end.watch()
    _drivers.setdefault(loop, []).append(driver)
    return driver


def _forget(driver: Driver) -> None:
    _for_clients.pop(driver, None)
    drivers = _drivers[driver.loop]
    drivers.remove(driver)
    if not drivers:
        del _drivers[driver.loop]


def _end_all(deadline: int) -> None:
    """The process ends."""
    with ExitStack() as stack:  # All loops, whatever one of them raises.
        for loop in list(_drivers):
            stack.callback(ending.end_loop, loop, _of(loop), deadline)


def _after_fork() -> None:
    """This is the child."""
    for drivers in _drivers.values():
        for driver in drivers:
            driver.abandon()
    _drivers.clear()
    _for_clients.clear()


process_end.at_process_end(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
