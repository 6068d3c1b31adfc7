"""What both kinds of sockets do about ports and associations: bind, listen, connect, and tell both ends' addresses.

Addresses are packed here: ``socket_calls`` has looked host names up before.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, final

from ..core.config import AssociationConfig
from ..core.events import CannotStart
from ..errors import ConnectInProgress
from . import constants as c
from .addresses import SocketAddress
from .failures import connect_failure, taken
from .not_now import CHANGED, NotNow
from .peer import Peer
from .port import Port, find_abandoned, listening_udp_port
from .socket_association import SocketAssociation
from .socket_state import SocketState
from .status import AddressReport, local_ips

if TYPE_CHECKING:
    from .one_to_one import OneToOne


class SettingUp(SocketState):
    """A socket, as far as ports and associations go."""

    # --- ports ---

    def bind(self, addresses: Sequence[bytes], port: int, wildcards: Sequence[bytes] = ()) -> None:
        """Take an SCTP port on these local addresses, which are those of the wildcards if there are any; 0 for any.

        ``OSError``: EINVAL (bound already), EADDRINUSE, EADDRNOTAVAIL.
        """
        self.check_open()
        if self.port is not None:
            raise OSError(errno.EINVAL, "the socket is bound already")
        self._take_port(addresses, port, wildcards)

    def _take_port(
        self, addresses: Sequence[bytes], number: int, wildcards: Sequence[bytes] = (), *, unbound: bool = False
    ) -> Port:
        udp_port = self.host.usual_udp_port if self.asked_udp_port is None else self.asked_udp_port
        named = number != 0 or self.asked_udp_port is not None
        if number and self.settings.reuse_address:
            abandoned = find_abandoned(self.host.drivers(), number, udp_port, addresses)
            if abandoned is not None:
                abandoned.take_over(self, addresses, wildcards)
                self.port = abandoned
                return abandoned
        driver = self.host.port_driver(addresses, udp_port, number) if named else self.host.client_driver(addresses)
        self.port = Port(self.host, driver, number, addresses, self, named=named, wildcards=wildcards, unbound=unbound)
        return self.port

    def _move_where_peers_look(self, port: Port) -> None:
        """Move to the usual UDP port, if the socket named no port, has no associations, and no other program has it."""
        usual = self.host.usual_udp_port
        if port.named or port.endpoint.associations or port.driver.udp_port == usual:
            return
        try:
            port.move(self.host.port_driver(port.addresses, usual, port.number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise

    def bindx(
        self, addresses: Sequence[bytes], ports: Sequence[int], flags: int, wildcards: Sequence[bytes] = ()
    ) -> None:
        """Add or remove local addresses, all or none of them (section 9.1); ``ports`` are the ports beside them.

        Associations of the socket whose peers speak RFC 5061 get and lose the addresses, too. Of a port that is
        another socket's, as after ``accept``, the associations alone do.

        ``OSError``: EINVAL (another port, a wildcard, an address that the socket or an association does not have, or
        cannot do without), EOPNOTSUPP (there are associations, and no peer of them speaks RFC 5061), EADDRINUSE,
        EADDRNOTAVAIL.
        """
        self.check_open()
        port = self.port
        number = ports[0] if port is None else port.number
        if any(other not in ((number,) if number == ports[0] else (number, 0)) and other != 0 for other in ports):
            raise OSError(errno.EINVAL, "an endpoint has one SCTP port")
        if port is None:
            if flags == c.SCTP_BINDX_REM_ADDR:
                raise OSError(errno.EINVAL, "the socket is not bound")
            self.bind(addresses, number, wildcards)
            return
        if wildcards:
            raise OSError(errno.EINVAL, "the socket is bound already")
        cores = [one.core for one in self.members.values() if one.core.can_change_addresses]
        if not cores and (self.members or port.owner is not self):
            raise OSError(errno.EOPNOTSUPP, "no peer can be told of other addresses: that takes RFC 5061 on both sides")
        removing = flags == c.SCTP_BINDX_REM_ADDR
        change = ((), addresses) if removing else (addresses, ())
        port.check_change(cores, *change)
        if port.owner is not self:
            known = {ip for core in cores for ip in core.wanted_addresses}
            if removing and not known.issuperset(addresses):
                raise OSError(errno.EINVAL, "the socket is not bound to that address")
        elif removing:
            port.check_removal(addresses)
        else:
            port.add(addresses)
        port.change(cores, *change)
        if removing and port.owner is self:
            port.remove(addresses)
        port.driver.flush()

    def listen(self, backlog: int, addresses: Sequence[bytes] = (), wildcards: Sequence[bytes] = ()) -> None:
        """Take associations from peers; with a backlog of 0, take no more.

        A socket that is not bound takes any port on these addresses of the wildcards. ``OSError`` (EINVAL): the port
        is another socket's, or the socket has an association itself.
        """
        self.check_open()
        port = self.port or self._take_port(addresses, 0, wildcards)
        if port.owner is not self:
            raise OSError(errno.EINVAL, "the port is another socket's")
        self.start_listening(backlog)
        if backlog:
            self._move_where_peers_look(port)
            port.endpoint.listen(backlog)
        else:
            port.endpoint.stop_listening()

    @abstractmethod
    def start_listening(self, backlog: int) -> None:
        """Remember how many associations may wait. ``OSError`` (EINVAL) if the socket cannot listen."""

    def accept(self) -> OneToOne | NotNow:
        """The next association that a peer set up, as a socket. ``OSError``: EOPNOTSUPP, EINVAL (not listening)."""
        self.check_open()
        raise OSError(errno.EOPNOTSUPP, "not with a one-to-many socket")

    def accepted_from(self) -> SocketAddress:
        """The peer's address. ``OSError`` (EINVAL): the socket did not come from ``accept``."""
        raise OSError(errno.EINVAL, "not an accepted socket")

    def peeloff(self, assoc_id: int) -> OneToOne:
        """An association as a socket of its own. ``OSError`` (EINVAL): no such association, or a one-to-one socket."""
        self.check_open()
        raise OSError(errno.EINVAL, "only with a one-to-many socket")

    # --- associations ---

    @abstractmethod
    def check_connect(self) -> None:
        """``OSError`` if the socket cannot begin an association now."""

    def connect(self, peer: Peer) -> int | NotNow:
        """Set up an association with a peer: its id once it is up. ``ConnectError`` if that fails.

        ``OSError``: EISCONN (there is an association with the peer), EALREADY (it is being set up), EADDRNOTAVAIL (it
        belongs to another socket, as after ``sctp_peeloff``).
        """
        self.check_open()
        return self.is_up(self.start(peer, self.settings.future.config))

    def start(self, peer: Peer, config: AssociationConfig) -> SocketAssociation:
        """Begin to set up an association with a peer. Raises like ``connect``."""
        self.check_connect()
        if not self.host.usual_udp_port:
            peer.check_without_udp()
        if self.settings.future.encaps_port == self.host.usual_udp_port:
            peer.find_listeners(lambda ip: listening_udp_port(self.host.drivers(), ip, peer.port))
        port = self.port
        if port is None:
            port = self._take_any_port(peer)
        else:
            port.reach(peer)
        if self.host.races and port.driver.native_too and not self.settings.future.encaps_port_named:
            peer.race_natively()
        self._check_free(port, peer)
        now = port.driver.now()
        try:
            core = port.connect(now, peer, config)
            return self.attach(core, now, tuple(peer.unusable))
        finally:
            port.driver.flush()

    def _take_any_port(self, peer: Peer) -> Port:
        """A port at the addresses from which the peer is reached; at all addresses if it is to follow the host's."""
        sources = peer.find_sources(self.host.source_for)
        if not self.settings.future.config.auto_asconf:
            return self._take_port(sources, 0, unbound=True)
        wildcards = [bytes(4)] if not self.ipv6 else [bytes(16)] if self.v6only else [bytes(4), bytes(16)]
        found = [ip for wildcard in wildcards for ip in self.host.wildcard_addresses(wildcard)]
        return self._take_port(list(dict.fromkeys([*sources, *found])), 0, wildcards)

    def _check_free(self, port: Port, peer: Peer) -> None:
        """``OSError``: EALREADY, EISCONN, EADDRNOTAVAIL if there is an association with one of these addresses.

        The association of a closed socket, which is still being shut down, is aborted with SO_REUSEADDR.
        """
        for address in peer.addresses:
            existing = port.find(address.ip, peer.port)
            if existing is None:
                continue
            owner = existing.owner
            if isinstance(owner, SocketAssociation) and owner.socket is None:
                if not self.settings.reuse_address:
                    text = "an association of a closed socket with this peer is still being shut down"
                    raise OSError(errno.EADDRNOTAVAIL, f"{text}: SO_REUSEADDR aborts it")
                owner.abort(port.driver.now())
                continue
            if not isinstance(owner, SocketAssociation) or owner.socket is not self:
                raise OSError(errno.EADDRNOTAVAIL, taken(existing, address.ip, "another socket"))
            code = errno.EALREADY if owner.starting else errno.EISCONN
            raise OSError(code, taken(existing, address.ip, "this socket"))

    def is_up(self, association: SocketAssociation) -> int | NotNow:
        """The id of an association once it is up. ``ConnectError`` if it could not be set up."""
        self.check_open()
        if association.starting:
            return _NotUpYet(self, association)
        if isinstance(association.end, CannotStart):
            self.error = None  # It is told now.
            raise connect_failure(association.end.error, self.report(association), association.core)
        return association.id

    def give_up(self, association: SocketAssociation) -> OSError:
        """End an association that is not up in time. The result is the error to raise, with the report."""
        now = self.now()
        failure = connect_failure(errno.ETIMEDOUT, self.report(association))
        association.abort(now)
        if self.port is not None:
            self.port.driver.flush()
        self.error = None  # It is told now.
        return failure

    def setup_report(self, assoc_id: int) -> tuple[AddressReport, ...]:
        """What each address answered when an association was set up. ``OSError``: ENOTCONN, EINVAL (no such id)."""
        self.check_open()
        return self.report(self.find(assoc_id))

    @abstractmethod
    def shutdown(self, *, read: bool, write: bool) -> None:
        """End the association of a one-to-one socket gracefully, or read no more. ``OSError``: ENOTCONN, EOPNOTSUPP."""

    # --- who is at both ends ---

    def local_addresses(self, assoc_id: int = 0) -> list[SocketAddress]:
        """Our addresses (section 9.5): those told to the peer of an association, or those bound.

        ``OSError`` (EINVAL): no such association.
        """
        self.check_open()
        if self.port is None:
            return []
        ips: Iterable[bytes] = self.port.addresses
        if self.members and (assoc_id or not self.one_to_many):
            ips = local_ips(self.find(assoc_id).core) or ips
        elif assoc_id and self.one_to_many:
            self.find(assoc_id)
        return [self.address(ip, self.port.number) for ip in ips]

    def peer_addresses(self, assoc_id: int = 0) -> list[SocketAddress]:
        """The peer's addresses (section 9.3); none if a one-to-one socket has no association.

        ``OSError`` (EINVAL): a one-to-many socket has no such association.
        """
        self.check_open()
        if not self.members and not self.one_to_many:
            return []
        core = self.find(assoc_id).core
        return [self.address(path.remote, core.peer_port) for path in core.paths]

    def peer_address(self) -> SocketAddress:
        """The peer's primary address. ``OSError`` (ENOTCONN), always on a one-to-many socket."""
        self.check_open()
        if self.one_to_many:
            raise OSError(errno.ENOTCONN, "a one-to-many socket has no peer of its own")
        association = self.find(0)
        if association.starting:
            raise OSError(errno.ENOTCONN, "the association is not up yet")
        return self.address(association.source(), association.core.peer_port)

    def find_peer(self, ip: bytes, port: int) -> int:
        """The id of the association with the peer that has this address. ``OSError`` (EINVAL) if there is none."""
        self.check_open()
        for association in self.members.values():
            if association.core.peer_port == port and association.has_address(ip):
                return association.id
        raise OSError(errno.EINVAL, "there is no association with this address")


@final
class _NotUpYet(NotNow):
    """An association is being set up."""

    __slots__ = ("_association", "_socket")

    def __init__(self, socket: SettingUp, association: SocketAssociation) -> None:
        super().__init__(CHANGED, partial(socket.is_up, association))
        self._socket = socket
        self._association = association

    def refusal(self) -> OSError:
        return ConnectInProgress(self._association.id)

    def time_is_up(self) -> OSError:
        return self._socket.give_up(self._association)
