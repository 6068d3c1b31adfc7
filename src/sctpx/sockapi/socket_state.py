"""What sockets of both styles have in common (RFC 6458 sections 3, 4 and 7): their state, and what happens to them.

A ``SocketState`` is a whole socket without I/O. It has SCTP ports and associations, messages and options, but no lock,
no descriptor and no thread. Its calls never wait: they succeed, raise, or say "not now" (``not_now``), and ``Alarm``
tells when it is time to try again. ``socket_calls`` has checked the arguments and looked addresses up before.
``setting_up`` adds the calls for ports and associations, ``messaging`` the calls for messages. ``one_to_one`` and
``one_to_many`` are the two kinds of sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final, Protocol

from ..core.association.association import Association
from ..core.config import AssociationConfig
from ..core.events import (
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    Event,
    PartialDeliveryAborted,
    PeerShutdown,
    Restarted,
    ShutdownComplete,
    Writable,
)
from ..core.stats import StackStats
from ..core.timers import NEVER
from . import constants as c
from .addresses import SocketAddress, socket_address
from .buffers import Data
from .delivery import ReceiveQueue
from .failures import connect_failure, loss
from .host import NameHost, SocketHost
from .not_now import READABLE, NotNow
from .notifications import Failed, notifications, send_failed
from .options import Value, get_option, set_option
from .port import Port
from .settings import EndpointSettings
from .socket_association import Outgoing, SocketAssociation
from .status import AddressReport, address_reports
from .structs import Notification, NotificationsStopped, SenderDryEvent, Struct

_CHANGES: Final = frozenset(
    (CommunicationUp, CannotStart, PeerShutdown, Restarted, CommunicationLost, ShutdownComplete)
)
_MICROSECONDS: Final = 1_000_000
# Linux's, where they exist.
_SO_DOMAIN: Final = getattr(socket, "SO_DOMAIN", 39)
_SO_PROTOCOL: Final = getattr(socket, "SO_PROTOCOL", 38)


class Alarm(Protocol):
    """What a socket tells the layer that waits."""

    def on_readable(self) -> None:
        """There is something to receive or to accept."""

    def on_writable(self) -> None:
        """There may be room to send."""

    def on_changed(self) -> None:
        """An association began or ended: all calls that wait should try again."""

    def on_closed(self) -> None:
        """The socket is closed: all calls that wait should try again, and a descriptor is to be closed."""


class Silence:
    """The alarm of a socket for which no call waits yet."""

    def on_readable(self) -> None:
        """Nobody is told."""

    def on_writable(self) -> None:
        """Nobody is told."""

    def on_changed(self) -> None:
        """Nobody is told."""

    def on_closed(self) -> None:
        """Nobody is told."""


class SocketState(ABC):
    """One socket."""

    one_to_many: bool = False

    def __init__(
        self, host: SocketHost, settings: EndpointSettings, family: int = socket.AF_INET, udp_port: int | None = None
    ) -> None:
        self.host = host
        self.settings = settings
        """The options of the socket and of its future associations."""
        self.family = family
        self.ipv6 = family == socket.AF_INET6
        """The socket is of family AF_INET6, and so are the addresses that it tells."""
        self.asked_udp_port = udp_port
        """The UDP port that the caller asked for: ``None`` for the usual one, 0 for any."""
        self.timeout: float | None = None
        """Seconds that a call waits; ``None`` for as long as it takes, 0 for not at all."""
        self.alarm: Alarm = Silence()
        self.port: Port | None = None
        """The SCTP port; ``None`` until the socket is bound."""
        self.queue = ReceiveQueue(settings)
        self.associations: dict[int, SocketAssociation] = {}
        """By id. An association stays until its end was told."""
        self.reading = True
        """False after ``shutdown(SHUT_RD)``."""
        self.error: OSError | None = None
        """Why the association ended, or could not be set up, until a call tells that (SO_ERROR)."""
        self.closed = False
        self._lingering: list[SocketAssociation] = []

    @property
    @abstractmethod
    def members(self) -> Mapping[int, SocketAssociation]:
        """The associations that have options, by id."""

    @abstractmethod
    def find(self, assoc_id: int) -> SocketAssociation:
        """The association with this id. ``OSError``: ENOTCONN (one-to-one), EINVAL (no such id)."""

    def check_open(self) -> None:
        """``OSError`` (EBADF) if the socket is closed."""
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    @property
    def names(self) -> NameHost:
        """What looks names up."""
        return self.host

    @property
    def v6only(self) -> bool:
        """IPv4 addresses are not for it (IPV6_V6ONLY)."""
        return self.settings.v6only

    @property
    def bound(self) -> bool:
        """It has an SCTP port."""
        return self.port is not None

    def check(self, config: AssociationConfig) -> None:
        """``OSError`` (EOPNOTSUPP) if what carries the packets of a bound socket cannot do this."""
        if self.port is not None:
            self.port.endpoint.keeper.check(config)

    @property
    def udp_port(self) -> int:
        """Our UDP port (RFC 6951); 0 before there is one."""
        return 0 if self.port is None else self.port.driver.udp_port

    @property
    def stats(self) -> StackStats:
        """Counters of the UDP port. ``OSError`` (EINVAL) before the socket has a port."""
        if self.port is None:
            raise OSError(errno.EINVAL, "the socket has no port yet")
        return self.port.driver.stack.stats

    @property
    def peer_udp_port(self) -> int:
        """The UDP port of peers to come, unless an address says otherwise."""
        return self.settings.future.encaps_port

    def now(self) -> int:
        """The time, ns."""
        return self.host.now() if self.port is None else self.port.driver.now()

    def address(self, ip: bytes, port: int) -> SocketAddress:
        """An address as this socket tells it."""
        return socket_address(ip, port, self.ipv6 and self.settings.mapped_v4)

    # --- waiting ---

    @property
    @abstractmethod
    def readable(self) -> bool:
        """Receiving, or ``accept`` on a socket that listens, would not wait."""

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Sending would not wait."""

    def watch(self) -> tuple[bool, bool]:
        """Whether the socket is readable, and whether it is writable; the alarm tells when that changes to true."""
        writable = self.writable
        if not writable:
            for association in self.associations.values():
                association.core.want_writable()
        return self.readable, writable

    def check_waiting(self, not_now: NotNow, flags: int) -> None:
        """``OSError``: ``not_now.refusal()`` if the call must not wait, ENOTCONN if it would wait in vain."""
        if self.timeout == 0 or flags & c.MSG_DONTWAIT:
            raise not_now.refusal()

    def patience(self, not_now: NotNow) -> float | None:
        """Seconds that a call may wait; ``None`` for as long as it takes (SO_RCVTIMEO, SO_SNDTIMEO: RFC 6458 8.1)."""
        if self.timeout is not None:
            return self.timeout
        limit = self.settings.receive_timeout if not_now.until == READABLE else self.settings.send_timeout
        return limit.tv_sec + limit.tv_usec / _MICROSECONDS or None

    def time_is_up(self, not_now: NotNow) -> OSError:
        """What to raise when the patience is over: EAGAIN after SO_RCVTIMEO and SO_SNDTIMEO, or ``TimeoutError``."""
        return not_now.refusal() if self.timeout is None else not_now.time_is_up()

    # --- associations ---

    def attach(self, core: Association, now: int, unusable: tuple[AddressReport, ...] = ()) -> SocketAssociation:
        """Make an association of the core an association of this socket."""
        association = SocketAssociation(core, self, now, self.settings.begin(), unusable)
        core.owner = association
        self.associations[association.id] = association
        return association

    @abstractmethod
    def adopt(self, core: Association, now: int) -> SocketAssociation | None:
        """A peer set up an association; ``None`` if the socket does not take it."""

    def report(self, association: SocketAssociation) -> tuple[AddressReport, ...]:
        """What each address answered when the association was set up."""
        return address_reports(association.core.report, association.started) + association.unusable

    # --- what happens ---

    def on_readable(self, association: SocketAssociation) -> None:
        """An association has messages."""
        if not self.reading:
            self.queue.drop(association)
            return
        self.queue.on_readable(association)
        self.alarm.on_readable()

    def on_event(self, now: int, association: SocketAssociation, event: Event, refused: list[Outgoing]) -> None:
        """Something else happened to an association; ``refused`` are messages that waited for its setup in vain."""
        if type(event) is Writable:
            self.alarm.on_writable()
            return
        if type(event) is PartialDeliveryAborted:
            self.queue.on_partial_aborted(association, event.readable)
        if association.settings.subscribed or refused:
            told = self._notices(association, event, refused)
            self._tell(association, told, event.readable)
        if association.end is not None:
            self.on_ended(association)
        if type(event) in _CHANGES:
            self.alarm.on_changed()

    def _tell(self, association: SocketAssociation, told: list[Notification], readable: int) -> None:
        """Queue notifications behind so many messages of the core.

        If there is no room for more, since the program reads none, the last notification says so, and the socket "will
        need to re-subscribe to any notifications of interest" (section 6.1.10).
        """
        if not told:
            return
        for notice in told:
            if not self.queue.has_room:
                self.queue.on_notice(association, NotificationsStopped(), readable)
                self._unsubscribe()
                break
            self.queue.on_notice(association, notice, readable)
        self.alarm.on_readable()

    def _unsubscribe(self) -> None:
        """End the subscriptions of the socket and of all its associations."""
        for settings in (self.settings.future, *[one.settings for one in self.associations.values()]):
            settings.subscribed &= {c.SCTP_DATA_IO_EVENT}

    def _notices(self, association: SocketAssociation, event: Event, refused: list[Outgoing]) -> list[Notification]:
        settings = association.settings
        unsent = [_failed(message) for message in association.unsent()]
        mapped_v4, expose_pf = self.settings.mapped_v4, association.core.config.expose_potentially_failed
        found = notifications(event, settings.subscribed, unsent, mapped_v4=mapped_v4, expose_pf=expose_pf)
        for message in refused:
            found += send_failed(association.id, _failed(message), 0, settings.subscribed)
        return found

    @abstractmethod
    def on_ended(self, association: SocketAssociation) -> None:
        """An association is over."""

    def failure(self, association: SocketAssociation) -> OSError | None:
        """The exception for an abrupt end; ``None`` for a graceful end, and if this side has aborted."""
        end = association.end
        if isinstance(end, CommunicationLost) and (end.by_peer or end.error != errno.ECONNABORTED):
            return loss(end)
        if isinstance(end, CannotStart):
            return connect_failure(end.error, self.report(association), association.core)
        return None

    # --- options ---

    def set_option(self, level: int, name: int, value: Struct | int | Data) -> None:
        """Set an option, in all places that it is for or in none. ``OSError`` as ``options.set_option`` says.

        A new subscription to SCTP_SENDER_DRY_EVENT is answered at once if all data was acknowledged: "At the time when
        a user app subscribes to this event, if there is no data to be sent or retransmit, the stack will immediately
        send up this notification" (section 6.1.9).
        """
        self.check_open()
        before = [association for association in self.members.values() if association.wants_dry]
        set_option(self, self.now(), level, name, value)
        for association in self.members.values():
            association.on_subscribed()
            if association.wants_dry and association not in before and association.dry:
                notice = SenderDryEvent(sender_dry_assoc_id=association.id)
                self._tell(association, [notice], association.core.readable)
        if self.port is not None:
            if self.port.owner is self:
                self.port.configure()
            self.port.driver.flush()

    def get_option(self, level: int, name: int, asked: Any = None, assoc_id: int | None = None) -> Value:
        """The value of an option. ``OSError`` as ``options.get_option`` says."""
        self.check_open()
        value = self._own_option(name) if level == c.SOL_SOCKET else None
        return get_option(self, level, name, asked, assoc_id) if value is None else value

    def _own_option(self, name: int) -> int | None:
        """An option that belongs to the socket alone; ``None`` for any other."""
        if name == socket.SO_ERROR:
            error, self.error = self.error, None
            return 0 if error is None else error.errno or 0
        if name == socket.SO_TYPE:
            return int(socket.SOCK_SEQPACKET if self.one_to_many else socket.SOCK_STREAM)
        if name == _SO_DOMAIN:
            return self.family
        if name == _SO_PROTOCOL:
            return c.IPPROTO_SCTP
        if name == socket.SO_ACCEPTCONN:
            return int(self.listens)
        return None

    @property
    @abstractmethod
    def listens(self) -> bool:
        """The socket takes associations from peers."""

    # --- time and the end ---

    @property
    def has_deadlines(self) -> bool:
        """The socket has deadlines of its own: ``next_deadline``."""
        return False

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return NEVER

    def handle_timeout(self, now: int) -> None:  # noqa: B027 - most sockets have no deadline
        """Time has passed."""

    def close(self) -> float:
        """Close the socket: its associations end gracefully by themselves, or as SO_LINGER says (section 8.1.4).

        The result says how many seconds the caller waits at most while the socket is ``lingering``. Closing twice does
        nothing.
        """
        if self.closed:
            return 0
        linger = self.settings.linger
        self._close(abort=bool(linger.l_onoff and not linger.l_linger))
        if not linger.l_onoff or self.port is None or self.port.driver.closed or not self.lingering:
            return 0
        self.port.tell_end(self)
        return linger.l_linger

    def abandon(self, *, abort: bool = False) -> None:
        """The program has lost the socket without closing it: close it."""
        if not self.closed:
            self._close(abort=abort)

    def _close(self, *, abort: bool) -> None:
        self.closed = True
        now = self.now()
        self._lingering = list(self.associations.values())
        for association in self._lingering:
            association.detach(now, abort=abort)
        self.associations.clear()
        if self.port is not None:
            self.port.release(now, self)
        self.alarm.on_closed()

    @property
    def lingering(self) -> bool:
        """The socket is closed, and some association that it had is not over yet."""
        return any(association.end is None for association in self._lingering)

    def break_off(self) -> None:
        """An exception has left a call in the middle of a change: the associations concerned end with an ABORT.

        Since messages may be missing now, none is given out any more.
        """
        for association in [*self.associations.values(), *self._lingering]:
            if association.end is None:
                self.queue.forget(association)
                association.break_off()
        if self.port is not None:
            self.port.driver.flush()

    def disown(self) -> None:
        """The socket belongs to another process, of which this one is a copy: close it here, and do nothing else."""
        self.closed = True
        self.alarm.on_closed()


def _failed(message: Outgoing) -> Failed:
    unordered = message.flags & c.SCTP_UNORDERED != 0
    return Failed(message.data, message.stream, message.ppid, False, message.context, unordered=unordered)
