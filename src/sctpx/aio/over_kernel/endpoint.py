"""An SCTP port of the kernel in an event loop: what connects and listens, an ``Endpoint`` like any other.

It is a one-to-many socket, on which nothing but notifications is read: an association that comes up is peeled off, and
one that does not come up ends the connect that waits for it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, final

from ...core.config import AssociationConfig, Limits
from ...core.ip import is_ipv4
from ...core.stats import StackStats
from ...kernel import parameters
from ...kernel.failures import cannot_connect
from ...kernel.setting_up import Attempt
from ...kernel.socket import KernelSocket, open_kernel_socket
from ...kernel.system import sysctl
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.addresses import Address, check_port, ip_text, pack_ip
from ...sockapi.backend import KERNEL
from ...sockapi.not_now import NotNow
from ...sockapi.peer import Peer
from ..association import CLOSE_TIMEOUT, Association, OnEvent
from ..endpoint import DEFAULT_CONFIG, UNSET, Announce, Connecting, Endpoint, Unset, check_announce, tuned
from ..resolve import Hosts, LocalHosts, resolve_local, resolve_peer
from ..server import Handler, Server
from .association import KernelAssociation
from .told import SUBSCRIBED

_AT_ONCE: Final = 64
_NOTIFICATION: Final = 1 << 16
_WRITE_ONLY: Final = (c.SCTP_AUTH_CHUNK, c.SCTP_AUTH_KEY, c.SCTP_AUTH_DEACTIVATE_KEY, c.SCTP_AUTH_DELETE_KEY)
_WILDCARD: Final = {socket.AF_INET: bytes(4), socket.AF_INET6: bytes(16)}


@final
class KernelEndpoint(Endpoint):
    """One SCTP port of the kernel."""

    __slots__ = ("_associations", "_backlog", "_connecting", "_host_addresses", "_loop", "_port", "_sock", "config")

    def __init__(
        self,
        sock: KernelSocket,
        config: AssociationConfig,
        *,
        close_timeout: float | None = CLOSE_TIMEOUT,
        on_event: OnEvent | None = None,
    ) -> None:
        """Begin with a one-to-many socket, which is this one's from now on."""
        self._sock = sock
        self.config = config
        """What is asked of the kernel for associations to come."""
        self._loop = asyncio.get_running_loop()
        self._server: Server | None = None
        self._fleeting = False
        self.closed = False
        self.close_timeout = close_timeout
        self.on_event = on_event
        self._associations: set[KernelAssociation] = set()
        self._connecting: dict[int, tuple[asyncio.Future[KernelAssociation], Attempt]] = {}
        self._backlog = 0
        self._port = 0
        self._host_addresses: list[str] = []
        for kind in SUBSCRIBED:
            sock.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=kind, se_on=1))
        exposed = s.AssocValue(assoc_value=int(config.expose_potentially_failed))
        try:
            # Unless it is asked, the kernel tells nobody of potentially failed paths.
            sock.set_option(c.IPPROTO_SCTP, c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, exposed)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:  # Linux before 5.5 tells nothing of them.
                raise
        self._loop.add_reader(sock.fileno(), self._on_readable)

    @property
    def port(self) -> int:
        """The SCTP port; 0 before there is one."""
        self._look()
        return self._port

    @property
    def udp_port(self) -> int:
        """The UDP port at which the kernel takes packets of all its sockets (RFC 6951); 0 for none."""
        return self._sock.udp_port

    @property
    def native(self) -> bool:
        """Always: the kernel takes packets over UDP beside the others."""
        return True

    @property
    def backend(self) -> str:
        """``"kernel"``."""
        return KERNEL

    @property
    def local_addresses(self) -> list[str]:
        """Our IP addresses."""
        self._look()
        return self._host_addresses

    def add_address(self, address: str) -> None:
        """Have one more address of this host. ``OSError`` as the kernel has it."""
        self._bindx(address, c.SCTP_BINDX_ADD_ADDR)

    def remove_address(self, address: str) -> None:
        """Have one address less. ``OSError`` as the kernel has it."""
        self._bindx(address, c.SCTP_BINDX_REM_ADDR)

    def _bindx(self, address: str, flag: int) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the endpoint is closed")
        self._sock.bindx([pack_ip(address)], [0], flag)

    def _look(self) -> None:
        """The kernel may have chosen the port by now; a closed endpoint is what it was."""
        if not self.closed:
            found = self._sock.local_addresses(0)
            self._host_addresses = [address[0] for address in found]
            self._port = found[0][1] if found else 0

    @property
    def associations(self) -> list[Association]:
        """Those that are up."""
        return list(self._associations)

    @property
    def stats(self) -> StackStats:
        """``OSError`` (EOPNOTSUPP): the kernel counts for the whole host, in /proc/net/sctp/snmp."""
        raise OSError(errno.EOPNOTSUPP, "the kernel counts for the whole host: see /proc/net/sctp/snmp")

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
        """Associate with a peer from this port: to be awaited or entered, as ``Endpoint.connect``."""

        async def begin() -> Association:
            chosen = tuned(config or self.config, streams, attempt_delay)
            udp_port = self._sock.peer_udp_port if peer_udp_port is None else peer_udp_port
            peer = await resolve_peer(hosts, port, udp_port)
            return await self.begin(peer, chosen, timeout)

        return Connecting(begin)

    async def begin(self, peer: Peer, config: AssociationConfig, timeout: float | None = None) -> Association:
        """Associate with a peer whose addresses are known. ``TimeoutError`` (a ``ConnectError``) after ``timeout``."""
        self._check_open()
        timeout = config.connect_timeout if timeout is None else timeout
        wanted, before = self._settings_of(config)
        try:
            self._set(wanted)
            attempt = self._sock.connect(peer)
        except OSError as error:
            # What the kernel says of an association that was peeled off.
            if error.errno == errno.EADDRNOTAVAIL and self._has(peer):
                raise OSError(errno.EISCONN, "there is an association with this peer") from None
            raise
        finally:
            self._set(before)
        assert isinstance(attempt, Attempt)
        up: asyncio.Future[KernelAssociation] = self._loop.create_future()
        self._connecting[attempt.assoc_id] = up, attempt
        try:
            async with asyncio.timeout(timeout):
                return await up
        except TimeoutError as error:
            if not up.cancelled():
                raise
            raise self._sock.give_up(attempt) from error
        except asyncio.CancelledError:
            self._give_up(up, attempt)
            raise
        finally:
            self._connecting.pop(attempt.assoc_id, None)

    def _settings_of(self, config: AssociationConfig) -> tuple[list[parameters.Setting], list[parameters.Setting]]:
        """What has the socket behave so for one association, and what has it behave as before again."""
        own, other = (replace(one, connect_timeout=None) for one in (self.config, config))
        if own == other:
            return [], []
        parameters.check_one_of(other, own)
        wanted = parameters.settings(other, own)
        named = {(level, name): value for level, name, value in parameters.settings(own)}
        computed = {(level, name): value for level, name, value in parameters.settings(own, other)}
        before: list[parameters.Setting] = []
        for level, name, _ in reversed(wanted):
            value = computed.get((level, name)) if (level, name) in named else None
            if value is None and name not in _WRITE_ONLY:
                # The port has it as the kernel was configured.
                with suppress(OSError):  # EACCES: what it belongs to is off.
                    value = self._sock.get_option(level, name)
            if value is not None:
                before.append((level, name, value))
        return wanted, before

    def _has(self, peer: Peer) -> bool:
        """Whether there is an association with this peer."""
        ips = {ip_text(address.ip) for address in peer.addresses}
        return any(one.peer_port == peer.port and ips & set(one.peer_addresses) for one in self._associations)

    def _give_up(self, up: asyncio.Future[KernelAssociation], attempt: Attempt) -> None:
        """Nobody waits for it any more; it may just have come up."""
        if up.done() and not up.cancelled() and up.exception() is None:
            up.result().abort()
        elif not self.closed:
            self._sock.give_up(attempt)

    def _set(self, wanted: list[parameters.Setting]) -> None:
        for level, name, value in wanted:
            self._sock.set_option(level, name, value)

    def listen(self, handler: Handler | None = None, backlog: int = 128) -> Server:
        """Take associations from peers, as ``Endpoint.listen``.

        ``OSError``: EINVAL (it listens already, or a backlog below 1), EBADF (closed).
        """
        self._check_open()
        if self._server is not None:
            raise OSError(errno.EINVAL, "the endpoint listens already")
        if backlog < 1:
            raise OSError(errno.EINVAL, f"a backlog of {backlog}")
        self._sock.listen(backlog)
        self._backlog = backlog
        self._server = Server(self, handler, backlog)
        return self._server

    # --- what happens ---

    def _on_readable(self) -> None:
        """The event loop: there is a notification, or a message of an association that is over already."""
        for _ in range(_AT_ONCE):
            if self.closed:
                return
            try:
                piece = self._sock.receive(_NOTIFICATION)
            except OSError:
                continue
            if isinstance(piece, NotNow):
                return
            notice = piece.notice
            if isinstance(notice, s.AssocChange):
                self._on_change(notice)

    def _on_change(self, notice: s.AssocChange) -> None:
        if notice.sac_state == c.SCTP_COMM_UP:
            self._on_up(notice)
        elif notice.sac_state in (c.SCTP_CANT_STR_ASSOC, c.SCTP_COMM_LOST):
            waiting = self._connecting.get(notice.sac_assoc_id)
            if waiting is not None and not waiting[0].done():
                up, attempt = waiting
                refused = bool(notice.sac_error) or not attempt.ran_out()
                code = errno.ECONNREFUSED if refused else errno.ETIMEDOUT
                up.set_exception(cannot_connect(code, attempt.unusable))

    def _on_up(self, notice: s.AssocChange) -> None:
        """An association is up: it gets a socket of its own."""
        waiting = self._connecting.get(notice.sac_assoc_id)
        try:
            sock = self._sock.peeloff(notice.sac_assoc_id)
        except OSError:
            return  # It is over already, and a notification tells so.
        server = None if waiting is not None else self._server
        if waiting is None and (server is None or server.waiting >= self._backlog):
            sock.abort(b"")
            sock.close()
            return
        unusable = () if waiting is None else waiting[1].unusable
        association = KernelAssociation(sock, notice, self, server, unusable)
        self._associations.add(association)
        if waiting is None:
            assert server is not None
            server.on_incoming(association)
        elif waiting[0].done():  # Nobody waits for it any more.
            association.abort()
        else:
            waiting[0].set_result(association)

    def resolved(self, address: str, port: int) -> tuple[Address, int, list[bytes]]:
        """An IP address of the peer, as ``Peer`` takes it."""
        return Address(address), port, [pack_ip(address)]

    def on_taken(self, association: Association) -> None:
        """The server: somebody has an association that waited to be taken."""

    def refuse(self) -> None:
        """The server: further associations are refused."""
        if not self.closed:
            self._sock.listen(0)

    def on_ended(self, association: KernelAssociation) -> None:
        """An association: it is over."""
        self._associations.discard(association)
        if self._fleeting and not self._associations and not self._connecting:
            self.close()

    # --- the end ---

    def close(self) -> None:
        """Stop listening, abort what is left and give the port up. Closing twice does nothing."""
        if self.closed:
            return
        self.stop_listening()
        self._look()
        self.closed = True
        self._loop.remove_reader(self._sock.fileno())
        for association in self.associations:
            association.abort()
        for up, attempt in self._connecting.values():
            self._sock.give_up(attempt)
            if not up.done():
                up.set_exception(OSError(errno.EBADF, "the endpoint is closed"))
        self._sock.close()

    def close_when_idle(self) -> None:
        """Close with the last association; now if there is none."""
        self._fleeting = True
        if not self._associations and not self._connecting:
            self.close()

    def abandon(self) -> None:
        """This is the child of a fork, and the port is the parent's."""
        self.closed = True
        for association in self.associations:
            association.abandon()


def kernel_encaps_port() -> int:
    """The UDP port that the kernel sends to unless told otherwise (RFC 6951); 0: it sends without UDP."""
    return sysctl("encap_port")


async def open_kernel_endpoint(
    local: LocalHosts,
    port: int,
    *,
    peer: Peer | None = None,
    udp_port: int = 0,
    peer_udp_port: int | None = None,
    announce: Announce = "auto",
    config: AssociationConfig | None = None,
    streams: int | None = None,
    attempt_delay: float | Unset | None = UNSET,
    close_timeout: float | None = CLOSE_TIMEOUT,
    on_event: OnEvent | None = None,
    link: Any = None,
    reuse_address: bool = False,
    limits: Limits | None = None,
) -> KernelEndpoint:
    """An SCTP port of the kernel. With ``peer`` and without ``local`` it has the families of the peer's addresses.

    ``OSError``: EOPNOTSUPP (``link``, ``limits``, ``udp_port``, ``announce="none"``, or a parameter the kernel does not
    have), EPROTONOSUPPORT (the kernel has no SCTP: the message says how to get it), and as ``open_endpoint``.
    """
    check_port(port, "SCTP port", lowest=0)
    check_port(udp_port, "UDP port", lowest=0)
    if limits is not None:
        raise OSError(errno.EOPNOTSUPP, "limits= is for backend='userspace': the kernel has its own (sysctl net.sctp)")
    if link is not None:
        raise OSError(errno.EOPNOTSUPP, "a link carries the packets of sctpx's own stack, not the kernel's")
    if check_announce(announce) == "none":
        raise OSError(errno.EOPNOTSUPP, "the kernel tells peers all addresses that are bound: bind the one to be told")
    chosen = tuned(config or DEFAULT_CONFIG, streams, attempt_delay)
    wanted = None if chosen == DEFAULT_CONFIG else replace(chosen, connect_timeout=None)
    addresses, wildcards, _ = await resolve_local(local)
    ipv6 = not all(is_ipv4(ip) for ip in (wildcards or addresses))
    if wildcards and peer is not None:
        ipv6 = not all(is_ipv4(address.ip) for address in peer.addresses)
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    sock = open_kernel_socket(family, socket.SOCK_SEQPACKET, 0, udp_port or None, peer_udp_port, wanted)
    try:
        sock.set_option(c.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse_address))
        if not wildcards:
            sock.bind(addresses, port)
        elif port or peer is None or chosen.auto_asconf:
            sock.bind([], port, [_WILDCARD[family]])
            if chosen.auto_asconf:  # The kernel takes that from sockets that are bound.
                sock.set_option(c.IPPROTO_SCTP, c.SCTP_AUTO_ASCONF, 1)
        return KernelEndpoint(sock, chosen, close_timeout=close_timeout, on_event=on_event)
    except BaseException:
        sock.sock.close()
        raise
