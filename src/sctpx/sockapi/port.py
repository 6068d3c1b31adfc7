"""An SCTP port that sockets use: which addresses and which UDP port it has, and how long it lives.

Several sockets can use one port: the socket that was bound to the port, and the sockets that got associations of the
port by ``accept`` or ``sctp_peeloff``. The port lives until all these sockets are closed and all associations of the
port are over: a closed socket leaves associations that are still being shut down. Another socket can take such a port
over (SO_REUSEADDR).

A peer looks for a listener at the usual UDP port. A socket that named neither an SCTP port nor a UDP port gets any
free UDP port, and moves to the usual UDP port when it listens; the SCTP port stays the same. If another program has the
usual UDP port, the socket stays where it is, and ``listening_udp_port`` finds it for the sockets of this program.

Which addresses the port has is in ``local_addresses``. For each peer, the scope of addresses decides which of them the
peer is told.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

from ..core.association.association import Association
from ..core.config import AssociationConfig
from ..core.endpoint import Endpoint
from .host import SocketHost, StackDriver
from .local_addresses import LocalAddresses
from .peer import Peer
from .sctp_port import open_endpoint
from .socket_association import SocketAssociation

if TYPE_CHECKING:
    from .socket_state import SocketState

_DRAWS: Final = 64
"""How often an SCTP port is drawn again if another driver has the same one."""


@final
class Port:
    """One SCTP port that sockets use."""

    __slots__ = (
        "_host",
        "_lingering",
        "_local",
        "_sockets",
        "_unbound",
        "driver",
        "endpoint",
        "named",
        "owner",
    )

    def __init__(
        self,
        host: SocketHost,
        driver: StackDriver,
        number: int,
        addresses: Sequence[bytes],
        owner: SocketState,
        *,
        named: bool,
        wildcards: Sequence[bytes] = (),
        unbound: bool = False,
    ) -> None:
        """Take an SCTP port, 0 for any, of a driver that has the addresses. ``OSError`` (EADDRINUSE) if it is taken.

        ``wildcards`` are those that the addresses come from. With ``unbound`` the caller chose no addresses: those are
        added from which peers are reached.
        """
        self._host = host
        self.driver = driver
        self._unbound = unbound
        self.named = named
        """The caller chose the SCTP port or the UDP port."""
        self.owner = owner
        """The socket that was bound to the port. It gets the associations that peers set up."""
        self._sockets = 1
        self._lingering: list[SocketState] = []
        self._local = LocalAddresses(driver, addresses, wildcards=wildcards)
        self.endpoint = self._open(driver, self._local, number)
        driver.ports.register(self.endpoint.port, self)
        self.configure()

    def _open(self, driver: StackDriver, local: LocalAddresses, number: int) -> Endpoint:
        """Take an SCTP port of a driver. ``OSError`` (EADDRINUSE) if it is taken; a driver without ports is closed."""
        try:
            endpoint = self._draw(driver, local, number)
            for _ in range(0 if self.named else _DRAWS):
                if number or not self._is_used_elsewhere(driver, endpoint.port):
                    break
                endpoint.close(driver.now())
                driver.close_port(endpoint.port)
                endpoint = self._draw(driver, local, 0)
        except OSError:
            driver.flush()
            if number in driver.stack.endpoints:
                raise OSError(errno.EADDRINUSE, _taken(driver, number)) from None
            raise
        endpoint.scope = self._host.announced
        local.belong_to(endpoint)
        return endpoint

    def _draw(self, driver: StackDriver, local: LocalAddresses, number: int) -> Endpoint:
        settings = self.owner.settings
        config = settings.future.config
        return open_endpoint(driver.stack, driver, driver.now(), number, local.ips, config, settings.limits)

    def _is_used_elsewhere(self, driver: StackDriver, number: int) -> bool:
        """Another driver has the same SCTP port, so that the socket could not move there."""
        return any(number in other.stack.endpoints for other in self._host.drivers() if other is not driver)

    def move(self, driver: StackDriver) -> None:
        """Take the same SCTP port of another driver; there are no associations. ``OSError`` (EADDRINUSE): taken."""
        local = self._local.moved_to(driver)
        old, before = self.driver, self.endpoint
        old.close_port(before.port)  # Lest this program itself has the port that it takes.
        try:
            endpoint = self._open(driver, local, self.number)
        except OSError:
            old.open_port(before.port, self.addresses)
            raise
        before.close(old.now())
        old.ports.release(before.port)
        old.flush()
        self.driver, self.endpoint, self._local = driver, endpoint, local
        driver.ports.register(endpoint.port, self)
        self.configure()

    @property
    def number(self) -> int:
        """The SCTP port."""
        return self.endpoint.port

    @property
    def addresses(self) -> list[bytes]:
        """The local addresses, packed."""
        return self._local.ips

    def configure(self) -> None:
        """Options of the owner may have changed: they hold for the associations that peers will set up."""
        owner = self.owner
        self.endpoint.config = owner.settings.future.config
        if owner.has_deadlines:
            self.driver.ports.timed.add(self)
        else:
            self.driver.ports.timed.discard(self)

    def listens_at(self, ip: bytes) -> bool:
        """The port takes associations that peers set up at this address, packed."""
        return self.endpoint.backlog > 0 and ip in self.addresses

    # --- associations ---

    def reach(self, peer: Peer) -> None:
        """Keep those addresses of a peer that can be reached from here. ``OSError`` as ``Peer`` says: none can be."""
        if self._unbound or self._local.wildcards:
            self.add(peer.find_sources(self._host.source_for))
        else:
            peer.keep_reachable(self.addresses)

    def connect(self, now: int, peer: Peer, config: AssociationConfig) -> Association:
        """Begin to set up an association. ``OSError`` (EISCONN, EALREADY) as ``Endpoint.connect`` says."""
        return self.endpoint.connect(now, peer.addresses, peer.port, config)

    def find(self, ip: bytes, peer_port: int) -> Association | None:
        """The association of this port with a peer that has this address, packed."""
        return self.driver.stack.find_association(ip, peer_port, self.endpoint.port)

    # --- addresses ---

    def add(self, addresses: Iterable[bytes]) -> None:
        """Add local addresses for future associations. ``OSError`` as ``StackDriver`` says: none was added."""
        self._local.add(addresses)

    def remove(self, addresses: Iterable[bytes]) -> None:
        """Remove local addresses for future associations. ``OSError`` (EINVAL): no such address, or the last one."""
        self.check_removal(addresses)
        self._local.remove(addresses)

    def check_removal(self, addresses: Iterable[bytes]) -> None:
        """``OSError`` (EINVAL) if the port has no such address, or cannot do without them."""
        gone = set(addresses)
        if not gone <= set(self.addresses):
            raise OSError(errno.EINVAL, "the socket is not bound to that address")
        if gone == set(self.addresses):
            raise OSError(errno.EINVAL, "a socket cannot do without an address")

    def check_change(
        self, associations: Sequence[Association], added: Sequence[bytes], removed: Sequence[bytes]
    ) -> None:
        """``OSError`` if ``change`` is not to be done: EINVAL (no address would be left to an association), ENOBUFS."""
        for association in associations:
            if set(association.wanted_addresses) <= set(removed) and not added:
                raise OSError(errno.EINVAL, "an association cannot do without an address")
        self._local.check(associations, added, removed)

    def change(self, associations: Sequence[Association], added: Sequence[bytes], removed: Sequence[bytes]) -> None:
        """More and fewer addresses for associations of the port that live (RFC 5061), after ``check_change``.

        Those that a peer was never told of are passed over. ``OSError`` as ``LocalAddresses.change`` says.
        """
        for association in associations:
            known = [ip for ip in removed if ip in association.wanted_addresses]
            self._local.change([association], added, known)

    def on_up(self, association: Association) -> None:
        """An association is up: the addresses of the host may have changed meanwhile."""
        self._local.take_along(association)

    def on_local_change(self) -> None:
        """A peer has answered a request to change our addresses: some may be of no use any more."""
        self._local.let_go()

    # --- sockets ---

    def take_over(self, owner: SocketState, addresses: Sequence[bytes], wildcards: Sequence[bytes]) -> None:
        """Get a new owner, for future associations (SO_REUSEADDR); the present associations go on.

        The owner before is closed. ``OSError`` as ``StackDriver`` says: nothing has changed.
        """
        self._local.replace(addresses, wildcards)
        self._unbound = False
        self.named = True
        self.owner = owner
        self.retain()
        self.configure()

    @property
    def can_be_taken_over(self) -> bool:
        """The owner is closed: only associations of before still use the port."""
        return self.owner.closed

    def holders(self) -> str:
        """Who has the port, and how another socket can have it, in words for an error message."""
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
        """One more socket uses the port."""
        self._sockets += 1

    def release(self, now: int, socket: SocketState) -> None:
        """A socket that used the port is closed."""
        self._sockets -= 1
        if socket is self.owner:
            self.endpoint.stop_listening()
            self.driver.ports.timed.discard(self)
        self._close_if_idle(now)
        self.driver.flush()

    def tell_end(self, socket: SocketState) -> None:
        """A closed socket waits for the end of its associations: tell it by its alarm."""
        self._lingering.append(socket)

    def _close_if_idle(self, now: int) -> None:
        if self._sockets <= 0 and not self.endpoint.associations:
            self.endpoint.close(now)
            self.driver.ports.release(self.endpoint.port)
            self.driver.close_port(self.endpoint.port)

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
        self._local.let_go()
        self._close_if_idle(now)

    def on_addresses_changed(self) -> None:
        """The addresses of the host may be others than before: those of a wildcard follow them."""
        if self._local.wildcards:
            found = [ip for wildcard in self._local.wildcards for ip in self._host.wildcard_addresses(wildcard)]
            self._local.follow(found)

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
    """An error message about an SCTP port that is taken."""
    user = driver.ports.users.get(number)
    where = f" on UDP port {driver.udp_port}" if driver.udp_port else ""
    return f"SCTP port {number}{where} is in use {user.holders() if isinstance(user, Port) else 'by another program'}"


def find_abandoned(
    drivers: Iterable[StackDriver], number: int, udp_port: int, addresses: Iterable[bytes]
) -> Port | None:
    """The SCTP port on one of these addresses that can be taken over; ``None`` if there is none."""
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
    """The UDP port of a socket that listens on this SCTP port at this address, and named neither port; 0 for none.

    Sockets that named a port are where peers look by default, or are told to look.
    """
    for driver in drivers:
        user = driver.ports.users.get(number)
        if isinstance(user, Port) and not user.named and user.listens_at(ip):
            return driver.udp_port
    return 0
