"""An SCTP port in use by sockets: the one that was bound to it, and those of associations that came of that.

It lives until the last of these sockets is closed and the last association of the port is over: what a closed socket
left to be shut down gracefully keeps the port. Under the lock.

Which addresses a peer is told is decided for each peer, by scope; none if there is only one (``aio.endpoint`` does the
same). With a wildcard, and on a socket that was never bound, the link knows which address is nearest to a peer.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, final

from ..core.association.association import Association
from ..core.config import AssociationConfig
from ..link.interfaces import announced_in_scope
from ..sockapi.attached import Attached
from ..sockapi.style import Style
from .driver import Driver, Owner
from .waiting import Line

SMALLEST_MTU: Final = 576
"""What ``AssociationConfig.mtu`` has at least, bytes."""


@lru_cache(maxsize=256)
def with_mtu(config: AssociationConfig, mtu: int) -> AssociationConfig:
    """The config for a link of that MTU; equal ones are one object."""
    return replace(config, mtu=mtu) if mtu < config.mtu else config


@final
class Binding:
    """One SCTP port of a driver."""

    __slots__ = ("_mtu", "_users", "addresses", "core", "driver", "ended", "style", "wildcard")

    def __init__(
        self, driver: Driver, port: int, addresses: Sequence[bytes], style: Style, *, wildcard: bool = False
    ) -> None:
        """Take an SCTP port of a driver that has the addresses. ``OSError`` (EADDRINUSE) if it is taken."""
        self.driver = driver
        self.addresses = list(addresses)
        """The local addresses, packed."""
        self.wildcard = wildcard
        """They are those of the interfaces, or what peers called for: the socket was not bound to any of its own."""
        self.style = style
        """Whose the associations are that peers set up."""
        self.ended = Line()
        """Whoever waits for associations to be over."""
        self._users = 1
        self._mtu = self._smallest_mtu()
        sources = () if wildcard else self.addresses
        try:
            self.core = driver.stack.open_endpoint(port, sources, self.config(style.settings.future.config))
        except OSError as error:
            driver.flush()
            if error.errno == errno.EADDRINUSE:
                where = f" on UDP port {driver.link.port}" if driver.link.port else ""
                raise OSError(errno.EADDRINUSE, f"SCTP port {port}{where} is in use by another socket") from None
            raise
        self._announce()
        self.core.scope = announced_in_scope
        style.endpoint = self.core
        driver.register(self.core.port, self)

    def _smallest_mtu(self) -> int:
        link = self.driver.link
        return max(min(link.max_packet(ip, ip) for ip in self.addresses), SMALLEST_MTU)

    def config(self, config: AssociationConfig) -> AssociationConfig:
        """A config for associations of this port."""
        return with_mtu(config, self._mtu)

    def configure(self) -> None:
        """What is set for associations to come holds for those that peers set up, too."""
        self.core.config = self.config(self.style.settings.future.config)

    def _announce(self) -> None:
        self.core.announce[:] = self.addresses if len(self.addresses) > 1 else []

    # --- addresses ---

    def add(self, addresses: Iterable[bytes]) -> None:
        """More local addresses for associations to come. ``OSError`` as ``UdpLink.open``, and then all is as before."""
        fresh = [ip for ip in dict.fromkeys(addresses) if ip not in self.addresses]
        for ip in fresh:
            self.driver.add_address(ip)
        self.addresses += fresh
        if not self.wildcard:
            self.core.local = [*self.core.local, *fresh]  # Associations that there are keep the list they have.
        self._mtu = self._smallest_mtu()
        self._announce()

    def remove(self, addresses: Iterable[bytes]) -> None:
        """Fewer local addresses for associations to come. ``OSError`` (EINVAL): not one of ours, or the last."""
        gone = set(addresses)
        if not gone <= set(self.addresses):
            raise OSError(errno.EINVAL, "the socket is not bound to that address")
        kept = [ip for ip in self.addresses if ip not in gone]
        if not kept:
            raise OSError(errno.EINVAL, "a socket cannot do without an address")
        self.addresses = kept
        if not self.wildcard:
            self.core.local = list(kept)
        self._announce()

    # --- users ---

    def retain(self) -> None:
        """One more socket lives on it."""
        self._users += 1

    def release(self, now: int, style: Style) -> None:
        """A socket that lived on it is closed."""
        self._users -= 1
        if style is self.style:
            self.core.stop_listening()
            self.driver.timed.discard(self)
        self._close_if_idle(now)

    def _close_if_idle(self, now: int) -> None:
        if self._users <= 0 and not self.core.associations:
            self.core.close(now)
            self.driver.release(self.core.port)

    # --- for the driver ---

    def adopt(self, association: Association) -> Owner | None:
        """A peer set up an association."""
        return self.style.adopt(association, self.driver.now())

    def on_association_ended(self, now: int) -> None:
        """An association of the port is over."""
        self.ended.wake_all()
        self._close_if_idle(now)

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return self.style.next_deadline()

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""
        self.style.handle_timeout(now)

    def shut_down(self, now: int) -> None:
        """The process ends: all associations begin to end gracefully."""
        self._users = 0
        self.core.stop_listening()
        for core in list(self.core.associations.values()):
            owner = core.owner
            if isinstance(owner, Attached):
                owner.detach(now)
        self._close_if_idle(now)
