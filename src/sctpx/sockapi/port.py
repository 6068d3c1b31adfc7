"""SCTP ports that sockets have: the ports of one stack, and the rules of one port.

A peer finds a listener by its SCTP port and the usual UDP port. A socket that named neither of its ports has any UDP
port that is free, as long as it does not listen; then it moves to the usual one, with its SCTP port. Where another
program has the usual UDP port, the socket listens where it is, and ``listening_udp_port`` finds it in this program.

Several sockets can live on one port: the one that was bound to it, and those that hold associations of the port since
``accept`` or ``sctp_peeloff``. The port lives until the last of these sockets is closed and the last association of the
port is over: what a closed socket left to be shut down gracefully keeps the port.

Which addresses a peer is told is decided for each peer, by scope; none if there is only one (``aio.endpoint`` does the
same). With a wildcard, and on a socket that was never bound, the link knows which address is nearest to a peer.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from ..core.association.association import Association
from ..core.config import AssociationConfig
from ..core.endpoint import Endpoint
from ..core.events import ENDS, CommunicationUp, Event
from ..core.timers import NEVER
from .host import SocketHost, StackDriver
from .peer import Peer
from .socket_association import SocketAssociation

if TYPE_CHECKING:
    from .socket_state import SocketState

SMALLEST_MTU: Final = 576
"""What ``AssociationConfig.mtu`` has at least, bytes."""
_DRAWS: Final = 64
"""How often a port is drawn again that another driver has, too."""


class PortUser(Protocol):
    """Whoever has an SCTP port of a stack, and is told what happens on it."""

    def adopt(self, association: Association) -> object | None:
        """A peer set up an association: its owner, which handles its events; ``None`` if nobody wants it."""

    def on_association_ended(self, now: int) -> None:
        """An association of the port is over."""

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""

    def shut_down(self, now: int) -> None:
        """The program ends: begin to end all associations gracefully."""


@final
class Ports:
    """The SCTP ports of one stack, and the way of events from the stack to the users of its ports."""

    __slots__ = ("timed", "users")

    def __init__(self) -> None:
        self.users: dict[int, PortUser] = {}
        """By SCTP port."""
        self.timed: set[PortUser] = set()
        """Those that have deadlines of their own."""

    def register(self, number: int, user: PortUser) -> None:
        """``user`` has this SCTP port."""
        self.users[number] = user

    def release(self, number: int) -> None:
        """The SCTP port has been given up."""
        user = self.users.pop(number, None)
        if user is not None:
            self.timed.discard(user)

    def dispatch(self, now: int, event: Event) -> None:
        """An event of the stack: to the owner of the association and, where it begins or ends, to the port."""
        association = event.association
        owner: Any = association.owner
        if owner is not None and type(event) not in ENDS:
            owner.handle_event(now, event)
            return
        user = self.users.get(association.endpoint.port)
        if owner is None and user is not None and isinstance(event, CommunicationUp):
            association.owner = owner = user.adopt(association)
            if owner is None:
                association.abort(now)
        if owner is not None:
            owner.handle_event(now, event)
        if type(event) in ENDS and user is not None:
            user.on_association_ended(now)

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return min([user.next_deadline() for user in self.timed], default=NEVER)

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""
        for user in list(self.timed):
            if user.next_deadline() <= now:
                user.handle_timeout(now)

    def shut_down(self, now: int) -> None:
        """The program ends: begin to end all associations gracefully."""
        for user in list(self.users.values()):
            user.shut_down(now)


@lru_cache(maxsize=256)
def with_mtu(config: AssociationConfig, mtu: int) -> AssociationConfig:
    """The config for a link of that MTU; equal ones are one object."""
    return replace(config, mtu=mtu) if mtu < config.mtu else config


@final
class Port:
    """One SCTP port that sockets use."""

    __slots__ = (
        "_host",
        "_lingering",
        "_mtu",
        "_sockets",
        "addresses",
        "driver",
        "endpoint",
        "named",
        "owner",
        "wildcard",
    )

    def __init__(
        self,
        host: SocketHost,
        driver: StackDriver,
        number: int,
        addresses: Sequence[bytes],
        owner: SocketState,
        *,
        wildcard: bool,
        named: bool,
    ) -> None:
        """Take an SCTP port of a driver that has the addresses, 0 for any. ``OSError`` (EADDRINUSE) if it is taken."""
        self._host = host
        self.driver = driver
        self.addresses = list(addresses)
        """The local addresses, packed."""
        self.wildcard = wildcard
        """The addresses are those of the interfaces, or what peers called for: the socket was bound to none itself."""
        self.named = named
        """The socket was bound to an SCTP port or to a UDP port of its choice: it is to be found there."""
        self.owner = owner
        """The socket that was bound to the port. It gets the associations that peers set up."""
        self._sockets = 1
        self._lingering: list[SocketState] = []
        self._mtu = self._smallest_mtu()
        self.endpoint = self._open(driver, number)
        driver.ports.register(self.endpoint.port, self)
        self.configure()

    def _open(self, driver: StackDriver, number: int) -> Endpoint:
        """Take an SCTP port of a driver; a driver that has no port closes itself. ``OSError`` (EADDRINUSE): taken."""
        sources = () if self.wildcard else self.addresses
        try:
            settings = self.owner.settings
            config = self._config(settings.future.config)
            endpoint = driver.stack.open_endpoint(number, sources, config, limits=settings.limits)
            for _ in range(0 if self.named else _DRAWS):
                if number or not self._is_used_elsewhere(driver, endpoint.port):
                    break
                endpoint.close(driver.now())
                endpoint = driver.stack.open_endpoint(0, sources, config, limits=settings.limits)
        except OSError as error:
            driver.flush()
            if error.errno == errno.EADDRINUSE:
                raise OSError(errno.EADDRINUSE, _taken(driver, number)) from None
            raise
        endpoint.announce[:] = self._announced()
        endpoint.scope = self._host.announced
        return endpoint

    def _is_used_elsewhere(self, driver: StackDriver, number: int) -> bool:
        """Another driver has this SCTP port, too: a socket could not move there, and would be taken for another."""
        return any(number in other.stack.endpoints for other in self._host.drivers() if other is not driver)

    def move(self, driver: StackDriver) -> None:
        """Have the same SCTP port of another driver; there are no associations. ``OSError`` (EADDRINUSE): taken."""
        endpoint = self._open(driver, self.number)
        old, before = self.driver, self.endpoint
        before.close(old.now())
        old.ports.release(before.port)
        old.flush()
        self.driver, self.endpoint = driver, endpoint
        driver.ports.register(endpoint.port, self)
        self.configure()

    @property
    def number(self) -> int:
        """The SCTP port."""
        return self.endpoint.port

    def _smallest_mtu(self) -> int:
        return max(min([self.driver.max_packet(ip) for ip in self.addresses]), SMALLEST_MTU)

    def _config(self, config: AssociationConfig) -> AssociationConfig:
        """A config for associations of this port."""
        return with_mtu(config, self._mtu)

    def configure(self) -> None:
        """The owner was told something: it holds for the associations that peers set up, and for when to look again."""
        owner = self.owner
        self.endpoint.config = self._config(owner.settings.future.config)
        if owner.has_deadlines:
            self.driver.ports.timed.add(self)
        else:
            self.driver.ports.timed.discard(self)

    def _announced(self) -> list[bytes]:
        return self.addresses if len(self.addresses) > 1 else []

    def listens_at(self, ip: bytes) -> bool:
        """Associations with peers that know it by this address, packed, are taken."""
        return self.endpoint.backlog > 0 and ip in self.addresses

    # --- associations ---

    def reach(self, peer: Peer) -> None:
        """Keep those addresses of a peer that can be reached from here. ``OSError`` as ``Peer`` says if none can."""
        if self.wildcard:
            self.add(peer.find_sources(self._host.source_for))
        else:
            peer.keep_reachable(self.addresses)

    def connect(self, now: int, peer: Peer, config: AssociationConfig) -> Association:
        """Begin to set up an association. ``OSError`` (EISCONN, EALREADY) as the core says."""
        return self.endpoint.connect(now, peer.addresses, peer.port, self._config(config))

    def find(self, ip: bytes, peer_port: int) -> Association | None:
        """The association of this port with a peer that has this address, packed."""
        return self.driver.stack.find_association(ip, peer_port, self.endpoint.port)

    # --- addresses ---

    def add(self, addresses: Iterable[bytes]) -> None:
        """More local addresses for associations to come. ``OSError`` as ``StackDriver.add_address``: none was added."""
        fresh = [ip for ip in dict.fromkeys(addresses) if ip not in self.addresses]
        for ip in fresh:
            self.driver.add_address(ip)
        self.addresses += fresh
        if not self.wildcard:
            self.endpoint.local = [*self.endpoint.local, *fresh]  # Associations that there are keep the list they have.
        self._mtu = self._smallest_mtu()
        self.endpoint.announce[:] = self._announced()

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
            self.endpoint.local = list(kept)
        self.endpoint.announce[:] = self._announced()

    # --- sockets ---

    def take_over(self, owner: SocketState, addresses: Sequence[bytes], *, wildcard: bool) -> None:
        """Be another socket's from now on, for associations to come (SO_REUSEADDR). Those that there are go on.

        The socket that was bound to it is closed. ``OSError`` as ``StackDriver.add_address``: nothing has changed.
        """
        for ip in addresses:
            self.driver.add_address(ip)
        self.addresses = list(addresses)
        self.wildcard = wildcard
        self.named = True
        self.owner = owner
        self._mtu = self._smallest_mtu()
        self.endpoint.local = [] if wildcard else list(addresses)  # Associations keep the list they have.
        self.endpoint.announce[:] = self._announced()
        self.retain()
        self.configure()

    @property
    def can_be_taken_over(self) -> bool:
        """The socket that was bound to it is closed: only associations of before still have it."""
        return self.owner.closed

    def holders(self) -> str:
        """Who has the port, for people, and how it can be had."""
        if not self.owner.closed:
            return "by another socket" + (", which listens" if self.endpoint.backlog else "")
        cure = "set SO_REUSEADDR to take the port over from "
        if self._sockets:
            return f"by associations that were accepted from a closed socket: {cure}them"
        closing = len(self.endpoint.associations)
        what = "an association" if closing == 1 else f"{closing} associations"
        return (
            f"by {what} of a closed socket, still being shut down: {cure}{'it' if closing == 1 else 'them'}; "
            "closing with SO_LINGER and l_linger=0 aborts at once"
        )

    def retain(self) -> None:
        """One more socket lives on the port."""
        self._sockets += 1

    def release(self, now: int, socket: SocketState) -> None:
        """A socket that lived on the port is closed."""
        self._sockets -= 1
        if socket is self.owner:
            self.endpoint.stop_listening()
            self.driver.ports.timed.discard(self)
        self._close_if_idle(now)
        self.driver.flush()

    def tell_end(self, socket: SocketState) -> None:
        """A socket that is closed waits for its associations to be over."""
        self._lingering.append(socket)

    def _close_if_idle(self, now: int) -> None:
        if self._sockets <= 0 and not self.endpoint.associations:
            self.endpoint.close(now)
            self.driver.ports.release(self.endpoint.port)

    # --- for the driver ---

    def adopt(self, association: Association) -> SocketAssociation | None:
        """A peer set up an association."""
        return self.owner.adopt(association, self.driver.now())

    def on_association_ended(self, now: int) -> None:
        """An association of the port is over."""
        if self._lingering:
            for socket in self._lingering:
                socket.alarm.on_changed()
            self._lingering = [socket for socket in self._lingering if socket.lingering]
        self._close_if_idle(now)

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return self.owner.next_deadline()

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""
        self.owner.handle_timeout(now)

    def shut_down(self, now: int) -> None:
        """The program ends: all associations begin to end gracefully."""
        self._sockets = 0
        self.endpoint.stop_listening()
        for core in list(self.endpoint.associations.values()):
            owner = core.owner
            if isinstance(owner, SocketAssociation):
                owner.detach(now)
        self._close_if_idle(now)


def _taken(driver: StackDriver, number: int) -> str:
    """What to say of an SCTP port that is taken: who has it, and how it can be had."""
    user = driver.ports.users.get(number)
    where = f" on UDP port {driver.udp_port}" if driver.udp_port else ""
    return f"SCTP port {number}{where} is in use {user.holders() if isinstance(user, Port) else 'by another program'}"


def find_abandoned(
    drivers: Iterable[StackDriver], number: int, udp_port: int, addresses: Iterable[bytes]
) -> Port | None:
    """The SCTP port on one of these addresses whose socket is closed, and that associations still have."""
    for driver in drivers:
        user = driver.ports.users.get(number)
        if (
            isinstance(user, Port)
            and user.can_be_taken_over
            and driver.udp_port == udp_port
            and not set(user.addresses).isdisjoint(addresses)
        ):
            return user
    return None


def listening_udp_port(drivers: Iterable[StackDriver], ip: bytes, number: int) -> int:
    """The UDP port of the socket of this program that listens on an SCTP port at an address, and named neither port.

    0 if there is no such socket. Sockets that named a port are where peers look for them, or are told to look.
    """
    for driver in drivers:
        user = driver.ports.users.get(number)
        if isinstance(user, Port) and not user.named and user.listens_at(ip):
            return driver.udp_port
    return 0
