"""An SCTP port in an event loop: what connects and listens.

An ``Endpoint`` has one SCTP port of the stack of a driver, which others may share (``sharing``). ``connect`` makes a
private one for its association, on the UDP port all such clients of the loop share; it is *fleeting*: it goes with its
last association. The public calls are in ``calls``.

Where only associations still have a port, another endpoint can take it over (``reuse_address``). The associations stay
with the endpoint they belong to, and the port goes when both endpoints are done with it.

Which addresses a peer is told is decided here for each peer, by scope: ``announce="auto"`` tells several or none, "all"
all that are bound, "none" none, for hosts behind a NAT (RFC 6951 section 5.7).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, final, get_args

from ..core.association.association import Association as CoreAssociation
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from ..core.config import AssociationConfig, Limits
from ..core.endpoint import Endpoint as CoreEndpoint
from ..core.stats import StackStats
from ..link import SCTP_TUNNELING_PORT, ways_of
from ..link.addresses import announced_in_scope
from ..link.interfaces import bindable_addresses, local_address, source_for
from ..sockapi.addresses import check_port, find_alike, ip_text, pack_ip
from ..sockapi.backend import USERSPACE
from ..sockapi.failures import taken
from ..sockapi.local_addresses import LocalAddresses
from ..sockapi.peer import Peer
from ..sockapi.sctp_port import open_endpoint
from .association import CLOSE_TIMEOUT, Association, OnEvent
from .driver import Driver
from .resolve import Hosts, resolve_peer
from .server import Handler, Server, is_request
from .sharing import drivers_here, port_driver

Announce: TypeAlias = Literal["auto", "all", "none"]
"""Which local addresses peers are told."""
_ANNOUNCE: Final = get_args(Announce)


@final
class Unset:
    """The type of ``UNSET``: the argument was not given, and the configuration decides."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


def tuned(
    config: AssociationConfig,
    streams: int | None = None,
    attempt_delay: float | Unset | None = UNSET,
    timeout: float | None = None,
) -> AssociationConfig:
    """A configuration with these fields changed where they are given. ``ValueError`` if one is out of bounds.

    Equal ones that are changed in the same way are one object, however many associations have it.
    """
    if streams is None and attempt_delay is UNSET and timeout is None:
        return config
    return _changed(config, streams, attempt_delay, timeout)


@lru_cache(maxsize=256)
def _changed(
    config: AssociationConfig, streams: int | None, attempt_delay: float | Unset | None, timeout: float | None
) -> AssociationConfig:
    changes: dict[str, Any] = {}
    if streams is not None:
        changes["streams"] = streams
    if not isinstance(attempt_delay, Unset):
        changes["attempt_delay"] = attempt_delay
    if timeout is not None:
        changes["connect_timeout"] = timeout
    return replace(config, **changes)


DEFAULT_CONFIG: Final = AssociationConfig()


@final
class Connecting(Awaitable[Association], AbstractAsyncContextManager[Association]):
    """A connect that has not begun: await it for the association, or enter it to have that closed in the end."""

    def __init__(self, begin: Callable[[], Awaitable[Association]]) -> None:
        self._begin = begin
        self._association: Association | None = None

    def __await__(self) -> Generator[Any, None, Association]:
        return self._begin().__await__()

    async def __aenter__(self) -> Association:
        self._association = await self._begin()
        return self._association

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._association is not None:
            await self._association.__aexit__(kind, value, traceback)


class Endpoint:
    """One SCTP port, which both connects and listens. Made by ``open_endpoint``.

    As an asynchronous context manager it closes its associations in the end, also when it is cancelled, and aborts them
    if an error leaves the context.
    """

    __slots__ = (
        "__weakref__",
        "_config",
        "_core",
        "_driver",
        "_fleeting",
        "_heir",
        "_local",
        "_named",
        "_races",
        "_reuse",
        "_served",
        "_server",
        "close_timeout",
        "closed",
        "on_event",
    )

    def __init__(
        self,
        driver: Driver,
        port: int,
        local: list[bytes],
        config: AssociationConfig,
        *,
        wildcards: Sequence[bytes] = (),
        beside: Sequence[bytes] = (),
        announce: Announce = "auto",
        close_timeout: float | None = CLOSE_TIMEOUT,
        on_event: OnEvent | None = None,
        limits: Limits | None = None,
        reuse_address: bool = False,
        named: bool = True,
        races: bool = False,
    ) -> None:
        """Take an SCTP port of a driver that has the local addresses. ``OSError`` (EADDRINUSE) if it is taken.

        ``wildcards`` are those that the addresses come from, but for those that stand ``beside`` the wildcards. One
        that is not ``named`` has an SCTP port and a UDP port that nobody chose: it moves to UDP port 9899 when it
        listens. One that ``races`` asks peers natively and over UDP, on a link that has both.
        """
        self._driver = driver
        self._config = config
        self._server: Server | None = None
        self._named = named
        self._races = races
        self._served = False
        self._fleeting = False
        self._heir: Endpoint | None = None
        self._reuse = reuse_address
        self.closed = False
        """Whether it can neither connect nor listen any more."""
        self.close_timeout = close_timeout
        """``Association.close_timeout`` of its associations."""
        self.on_event = on_event
        """``Association.on_event`` of its associations."""
        with driver.guard, driver.guard.lock:
            try:
                holder = driver.holder(port)
                if reuse_address and isinstance(holder, Endpoint) and holder.is_left:
                    self._core, self._local = holder.hand_over(self, local, wildcards, beside, announce)
                else:
                    self._local = LocalAddresses(driver, local, wildcards=wildcards, beside=beside, announce=announce)
                    self._core = self._open(driver, port, self._local, limits)
                self._core.scope = announced_in_scope if announce == "auto" else None
                self._core.config = config
                driver.register(self._core.port, self)
            except BaseException:
                driver.flush_here()  # One that was opened for this port alone closes itself.
                raise

    def _open(self, driver: Driver, port: int, local: LocalAddresses, limits: Limits | None) -> CoreEndpoint:
        try:
            core = open_endpoint(driver.stack, driver, driver.now(), port, local.ips, self._config, limits)
        except OSError:
            driver.flush()
            if port not in driver.stack.endpoints:
                raise
            where = f" on UDP port {driver.link.port}" if driver.link.port else ""
            holder = driver.holder(port)
            who = holder.occupation() if isinstance(holder, Endpoint) else ""
            text = f"SCTP port {port}{where} is in use in this event loop{who}: choose another with port= or udp_port="
            raise OSError(errno.EADDRINUSE, text) from None
        local.belong_to(core)
        return core

    def __repr__(self) -> str:
        carried = f"UDP port {self.udp_port}" if self.udp_port else "without UDP"
        if self.native and self.udp_port:
            carried = f"native and {carried}"
        return f"<sctpx.Endpoint port {self.port} on {', '.join(self.local_addresses)} {carried}>"

    @property
    def port(self) -> int:
        """The SCTP port."""
        return self._core.port

    @property
    def udp_port(self) -> int:
        """Our UDP port (RFC 6951); 0 without encapsulation."""
        return self._driver.link.port

    @property
    def native(self) -> bool:
        """Packets travel in IP itself (protocol 132): all of them, or beside those over UDP."""
        return "raw" in ways_of(self._driver.link)

    @property
    def backend(self) -> str:
        """Who carries its associations: ``"userspace"`` or ``"kernel"``."""
        return USERSPACE

    @property
    def local_addresses(self) -> list[str]:
        """Our IP addresses; of a wildcard those that it stands for now."""
        return [ip_text(ip) for ip in self._local.ips]

    @property
    def associations(self) -> list[Association]:
        """Those that are up or being set up."""
        owners = [core.owner for core in self._core.associations.values()]
        return [owner for owner in owners if isinstance(owner, Association) and owner.endpoint is self]

    @property
    def stats(self) -> StackStats:
        """Counters of the UDP port; they go on counting."""
        return self._driver.stack.stats

    # --- setting associations up ---

    def connect(
        self,
        hosts: Hosts,
        port: int,
        *,
        peer_udp_port: int | None = None,
        streams: int | None = None,
        attempt_delay: float | Unset | None = UNSET,
        timeout: float | None = None,
        config: AssociationConfig | None = None,
    ) -> Connecting:
        """Associate with a peer from this port: to be awaited or entered, as ``sctpx.connect``, with its arguments.

        ``OSError``, besides its errors: EISCONN or EALREADY (there is an association with the peer, or one in the
        making), EBADF (closed).
        """

        async def begin() -> Association:
            encaps_port = SCTP_TUNNELING_PORT if peer_udp_port is None else peer_udp_port
            peer = await resolve_peer(hosts, port, encaps_port if self.udp_port else 0)
            if self.udp_port:
                find_listeners(peer, encaps_port)
            else:
                peer.check_without_udp()
            if self._races and peer_udp_port is None:
                peer.race_natively()
            self._check_open()
            if self._local.wildcards:
                self._local.add(peer.find_sources(source_for))
            chosen = tuned(config or self._core.config, streams, attempt_delay, timeout)
            return await self.associate(peer, chosen)

        return Connecting(begin)

    async def associate(self, peer: Peer, config: AssociationConfig) -> Association:
        """Associate with a peer whose addresses are known."""
        self._check_open()
        peer.keep_reachable(self._local.ips)
        now = self._driver.now()
        if self._reuse:
            self._abort_what_is_ending(now, peer)
        for address in peer.addresses:
            existing = self._driver.stack.find_association(address.ip, peer.port, self.port)
            if existing is not None:
                starting = existing.state in (COOKIE_WAIT, COOKIE_ECHOED)
                raise OSError(errno.EALREADY if starting else errno.EISCONN, taken(existing, address.ip))
        core: CoreAssociation | None = None
        guard = self._driver.guard
        try:
            with guard, guard.lock:
                core = self._core.connect(now, peer.addresses, peer.port, config)
                association = Association(core, self._driver, self, started=now, unusable=tuple(peer.unusable))
                core.owner = association
                self._driver.flush_here()
        except BaseException:
            if core is not None:
                core.abort(now)
                self._driver.flush()
            raise
        await association.wait_established()
        with guard, guard.lock:
            self._local.take_along(core)  # The addresses of the host may have changed meanwhile.
            self._driver.flush_here()
        return association

    def _abort_what_is_ending(self, now: int, peer: Peer) -> None:
        """An association with this peer that is being shut down since before gives way to a new one."""
        for address in peer.addresses:
            core = self._driver.stack.find_association(address.ip, peer.port, self.port)
            if core is not None and _is_ending(core):
                core.abort(now)

    def _check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the endpoint is closed")

    def listen(self, handler: Handler | None = None, backlog: int = 128) -> Server:
        """Take associations from peers. Arguments and manners are those of ``start_server``.

        ``OSError``: EINVAL (it listens already, or a backlog below 1), EBADF (closed).
        """
        self._check_open()
        if self._server is not None:
            raise OSError(errno.EINVAL, "the endpoint listens already")
        guard = self._driver.guard
        with guard, guard.lock:
            if backlog >= 1 and not self._named and not self._core.associations:
                self._move_where_peers_look()
            self._core.listen(backlog)
            self._server = Server(self, handler, backlog)
            self._served = True
            return self._server

    def _move_where_peers_look(self) -> None:
        """Take UDP port 9899 with the same SCTP port, unless another program has it."""
        if self.udp_port == SCTP_TUNNELING_PORT:
            return
        old, before = self._driver, self._core
        old.close_port(before.port)  # Lest this endpoint itself has the port that it takes.
        try:
            driver = port_driver(self._local.ips, SCTP_TUNNELING_PORT, ways_of(old.link))
            local = self._local.moved_to(driver)
            core = self._open(driver, before.port, local, before.limits)
        except OSError as error:
            old.open_port(before.port, self._local.ips)
            if error.errno != errno.EADDRINUSE:
                raise
            return
        core.scope = before.scope
        core.config = before.config
        before.close(old.now())
        old.release(before.port)
        old.flush()
        self._driver, self._core, self._local = driver, core, local
        driver.register(core.port, self)

    def listens_at(self, ip: bytes) -> bool:
        """It takes associations with peers that know it by this address, packed, and is not ``named``."""
        return not self._named and self._server is not None and ip in self._local.ips

    def stop_listening(self) -> None:
        """Refuse further associations. Nothing if it does not listen."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()

    # --- the end ---

    def close(self) -> None:
        """Stop listening, abort what is left and give the port up. Closing twice does nothing."""
        if self.closed and self._heir is None:
            return
        with self._driver.guard, self._driver.guard.lock:
            self.stop_listening()
            self.closed = True
            for association in self.associations:
                association.abort()
            self.close_when_idle()

    def close_when_idle(self) -> None:
        """Close with the last association; now if there is none."""
        with self._driver.guard, self._driver.guard.lock:
            self._fleeting = True
            self._give_up_idle_port()
            self._driver.flush_here()

    def _give_up_idle_port(self) -> None:
        """Give the SCTP port up once there are no associations and this endpoint is done with it."""
        if self._fleeting and not self._core.associations and self._driver.holder(self.port) is self:
            self.closed = True
            self._core.close(self._driver.now())
            self._driver.release(self.port)

    @property
    def is_left(self) -> bool:
        """Only associations still have its port, of a server that is closed or on their way to their end."""
        over = self._served or all(map(_is_ending, self._core.associations.values()))
        return self._fleeting and self._server is None and over

    def occupation(self) -> str:
        """What it has its port for, in words that end an error message."""
        if not self.is_left:
            return " by a server" if self._server is not None else " by an endpoint that is open"
        return " by associations of a closed endpoint (reuse_address=True takes the port over)"

    def hand_over(
        self,
        heir: Endpoint,
        local: Sequence[bytes],
        wildcards: Sequence[bytes],
        beside: Sequence[bytes],
        announce: Announce,
    ) -> tuple[CoreEndpoint, LocalAddresses]:
        """The port is another endpoint's from now on, at these addresses; the associations that are left go on.

        ``OSError`` as ``LocalAddresses.replace`` says: nothing has changed.
        """
        self._local.replace(local, wildcards, beside, announce)
        self.closed = True
        self._heir = heir
        return self._core, self._local

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if is_request(kind):
                self.stop_listening()
                await asyncio.gather(*[association.close() for association in self.associations])
        finally:
            self.close()

    # --- for the driver and the associations ---

    def abandon(self) -> None:
        """The driver: this is the child of a fork, and the port is the parent's."""
        self.closed = True
        for association in self.associations:
            association.abandon()

    def adopt(self, association: CoreAssociation) -> Association:
        """The driver: a peer has set up an association."""
        owner = Association(association, self._driver, self, self._server)
        if self._server is not None:
            self._server.on_incoming(owner)
        return owner

    def on_taken(self, association: Association) -> None:
        """The server: somebody has an association that waited to be taken."""
        core = self._core.associations.get(association.id)
        if core is not None:
            self._core.accept(core)

    def refuse(self) -> None:
        """The server: further associations are refused."""
        self._core.stop_listening()

    def on_addresses_changed(self) -> None:
        """The driver: the addresses of the host may be others than before. Those of a wildcard follow them."""
        if self._local.wildcards:
            found = [ip for wildcard in self._local.wildcards for ip in bindable_addresses(wildcard)]
            self._local.follow(found)

    def change_addresses(self, core: CoreAssociation, added: Sequence[bytes], removed: Sequence[bytes]) -> None:
        """An association: have more and fewer addresses. ``OSError`` as ``LocalAddresses.change`` says."""
        if added and not core.can_change_addresses:
            core.change_addresses(self._driver.now())  # It says why not.
        self._local.change([core], added, removed)

    def on_local_change(self) -> None:
        """An association: its peer has answered a request to change our addresses. Some may be of no use any more."""
        self._local.let_go()

    def add_address(self, address: str) -> None:
        """Have one more address of this host, also in the associations whose peers can be told (RFC 5061).

        Nothing if it has the address already. ``OSError``: EADDRNOTAVAIL (not an address of this host), EADDRINUSE
        (another program has the UDP port there), EINVAL, EBADF (closed).
        """
        self._check_open()
        ip = local_address(address)
        with self._driver.guard, self._driver.guard.lock:
            changeable = self._changeable()
            self._local.check(changeable, [ip], [])
            self._local.add([ip])
            self._local.change(changeable, [ip], [])
            self._driver.flush_here()

    def remove_address(self, address: str) -> None:
        """Have one address less, also in the associations whose peers can be told (RFC 5061); the others keep it.

        ``OSError``: EADDRNOTAVAIL (not an address of the endpoint), EINVAL (the last one, here or of an association),
        EBADF (closed).
        """
        self._check_open()
        ip = find_alike(pack_ip(address), self._local.ips)
        if ip not in self._local.ips:
            raise OSError(errno.EADDRNOTAVAIL, f"{address} is not an address of the endpoint")
        having = [core for core in self._changeable() if ip in core.wanted_addresses]
        if self._local.ips == [ip] or any(core.wanted_addresses == [ip] for core in having):
            raise OSError(errno.EINVAL, f"{address} is the last address")
        with self._driver.guard, self._driver.guard.lock:
            self._local.check(having, [], [ip])
            self._local.change(having, [], [ip])
            self._local.remove([ip])
            self._driver.flush_here()

    def _changeable(self) -> list[CoreAssociation]:
        """The associations whose peers can be told of other addresses."""
        return [core for core in self._core.associations.values() if core.can_change_addresses]

    def on_association_ended(self) -> None:
        """An association: it is over."""
        if self._heir is not None:
            self._heir.on_association_ended()
        else:
            self._local.let_go()
            self._give_up_idle_port()


def find_listeners(peer: Peer, peer_udp_port: int) -> None:
    """Send to the UDP port of an endpoint of this loop that listens and named no port, where the peer is such a one."""
    if peer_udp_port == SCTP_TUNNELING_PORT:
        peer.find_listeners(lambda ip: _listening_udp_port(ip, peer.port))


def _listening_udp_port(ip: bytes, port: int) -> int:
    for driver in drivers_here():
        holder = driver.holder(port)
        if isinstance(holder, Endpoint) and holder.listens_at(ip):
            return driver.link.port
    return 0


def _is_ending(core: CoreAssociation) -> bool:
    """It is being shut down."""
    return core.state not in (COOKIE_WAIT, COOKIE_ECHOED, ESTABLISHED)


def check_announce(announce: str) -> Announce:
    """The argument, if it is one of the three. ``ValueError`` if not."""
    if announce not in _ANNOUNCE:
        raise ValueError(f"announce is {announce!r}: not one of {', '.join(_ANNOUNCE)}")
    return announce  # type: ignore[return-value]


def check_udp_port(udp_port: int) -> int:
    """``OSError`` (EINVAL) unless it is a UDP port, or 0."""
    return check_port(udp_port, "UDP port", lowest=0)
