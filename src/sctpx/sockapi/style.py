"""What sockets of both styles have in common (RFC 6458 sections 3, 4 and 7): associations, messages, notifications.

A style says what the calls of a socket mean over an endpoint of the core: what they do, what they return, which error
they raise in which state. It does no I/O, has no lock and never waits. A call that would have to wait says so by
its result, and ``Alarm`` tells when it is time to ask again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from errno import EADDRNOTAVAIL, EALREADY, ECONNABORTED, EINVAL, EISCONN, EMSGSIZE, EPIPE
from typing import Final, Protocol

from ..core.association.association import Association
from ..core.config import AssociationConfig
from ..core.endpoint import Endpoint, PeerAddress
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
from ..core.timers import NEVER
from ..wire.codes import COMMON_HEADER, DATA_HEADER
from .attached import Attached, Outgoing
from .buffers import Data
from .constants import SCTP_ABORT, SCTP_DATA_IO_EVENT, SCTP_EOF, SCTP_SENDER_DRY_EVENT, SCTP_UNORDERED
from .delivery import Piece, ReceiveQueue
from .failures import connect_failure, loss
from .notifications import Failed, notifications, send_failed
from .options import set_option
from .settings import EndpointSettings
from .status import AddressReport, address_reports
from .structs import Notification, NotificationsStopped, SenderDryEvent, Struct

_CHANGES: Final = frozenset(
    (CommunicationUp, CannotStart, PeerShutdown, Restarted, CommunicationLost, ShutdownComplete)
)
# What a DATA chunk and the common header take of a packet.
_OVERHEAD: Final = COMMON_HEADER + DATA_HEADER


class Alarm(Protocol):
    """What the layer that waits wants to know of its socket."""

    def on_readable(self) -> None:
        """There is something to receive or to accept."""

    def on_writable(self) -> None:
        """There may be room to send."""

    def on_changed(self) -> None:
        """An association began or ended: everybody should look again."""


class Style(ABC):
    """One socket."""

    one_to_many: bool = False

    def __init__(self, settings: EndpointSettings, alarm: Alarm, *, ipv6: bool = False) -> None:
        self.settings = settings
        """What is set for the socket and its future associations."""
        self.ipv6 = ipv6
        """It is of family AF_INET6, and so are the addresses it tells."""
        self.alarm = alarm
        self.endpoint: Endpoint | None = None
        """The SCTP port; ``None`` until the socket is bound."""
        self.queue = ReceiveQueue(settings)
        self.attached: dict[int, Attached] = {}
        """The associations, by id; one that is over stays until its end was told."""
        self.reading = True
        """False after ``shutdown(SHUT_RD)``."""
        self.error: OSError | None = None
        """Why the association ended, or the last one could not be set up, until somebody is told (SO_ERROR)."""

    @property
    @abstractmethod
    def members(self) -> Mapping[int, Attached]:
        """The associations that options can be asked of, by id."""

    # --- setting associations up ---

    def start(self, now: int, peers: list[PeerAddress], port: int, config: AssociationConfig | None = None) -> Attached:
        """Begin an association with a peer. The socket is bound.

        ``OSError``: EISCONN, EALREADY (there is one with the peer, or one in the making), EADDRNOTAVAIL (there is one,
        but it belongs to another socket, as after ``sctp_peeloff``).
        """
        endpoint = self.endpoint
        assert endpoint is not None
        for peer in peers:
            existing = endpoint.stack.find_association(peer.ip, port, endpoint.port)
            if existing is not None:
                owner = existing.owner
                if not isinstance(owner, Attached) or owner.style is not self:
                    raise OSError(EADDRNOTAVAIL, "another socket has an association with this peer")
                raise OSError(EALREADY if owner.starting else EISCONN, "there is an association with this peer")
        core = endpoint.connect(now, peers, port, config or self.settings.future.config)
        return self.attach(core, now)

    def attach(self, core: Association, now: int) -> Attached:
        """An association of the core becomes one of this socket."""
        association = Attached(core, self, now, self.settings.begin())
        core.owner = association
        self.attached[association.id] = association
        return association

    @abstractmethod
    def check_connect(self) -> None:
        """``OSError`` if the socket cannot begin an association now."""

    @abstractmethod
    def adopt(self, core: Association, now: int) -> Attached | None:
        """A peer set up an association; ``None`` if the socket does not take it."""

    def connected(self, association: Attached) -> bool:
        """Whether an association that was started is up; ``ConnectError`` if it failed."""
        if association.starting:
            return False
        if isinstance(association.end, CannotStart):
            raise connect_failure(association.end.error, self.report(association))
        return True

    def report(self, association: Attached) -> tuple[AddressReport, ...]:
        """What each address answered when the association was set up."""
        return address_reports(association.core.report, association.started) + association.unusable

    # --- messages ---

    def receive(self, limit: int, *, peek: bool = False) -> Piece | None:
        """Up to ``limit`` bytes of what is next; ``None`` if the call has to wait."""
        piece = self.queue.take(limit, peek=peek)
        return piece if piece is not None else self.nothing_to_receive()

    @abstractmethod
    def nothing_to_receive(self) -> Piece | None:
        """What ``receive`` says when nothing is there."""

    @property
    @abstractmethod
    def readable(self) -> bool:
        """``receive``, or ``accept`` on a socket that listens, would not wait."""

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Sending would not wait."""

    def send_to(self, now: int, association: Attached, message: Outgoing) -> bool:
        """Send a message, or do what its flags say: SCTP_EOF, SCTP_ABORT. ``False`` if the call has to wait for room.

        ``OSError``: EINVAL (SCTP_EOF with data, or no data without one of both flags), EMSGSIZE (too large, or more
        than a packet takes while SCTP_DISABLE_FRAGMENTS is on), EPIPE, ESHUTDOWN.
        """
        if message.flags & SCTP_ABORT:
            if association.end is not None:
                raise OSError(EPIPE, "the association is over")
            association.abort(now, message.data)
            return True
        if message.flags & SCTP_EOF:
            if message.data:
                raise OSError(EINVAL, "SCTP_EOF goes without data")
            association.check_sendable()
            association.shutdown(now)
            return True
        association.check_sendable()
        if association.space <= 0:
            return False
        self.check_length(association, message)
        association.send(now, message, explicit_eor=self.settings.explicit_eor)
        return True

    def check_length(self, association: Attached, message: Outgoing) -> None:
        """``OSError`` (EMSGSIZE) for more than a packet takes, while SCTP_DISABLE_FRAGMENTS is on."""
        if self.settings.disable_fragments:
            _check_unfragmented(association, len(message.data))

    # --- what happens ---

    def on_readable(self, association: Attached) -> None:
        """An association has messages."""
        if not self.reading:
            association.taken += len(association.core.read())
            return
        self.queue.on_readable(association)
        self.alarm.on_readable()

    def on_event(self, now: int, association: Attached, event: Event, refused: list[Outgoing]) -> None:
        """Something else happened to an association; ``refused`` are messages that waited for it in vain."""
        if type(event) is Writable:
            self.alarm.on_writable()
            return
        if association.settings.subscribed or refused:
            told = self._notices(association, event, refused)
            self._tell(association, told, event.readable)
        if type(event) is PartialDeliveryAborted:
            self.queue.on_partial_aborted(association)
        if association.end is not None:
            self.on_ended(association)
        if type(event) in _CHANGES:
            self.alarm.on_changed()

    def set_option(self, now: int, level: int, name: int, value: Struct | int | Data) -> None:
        """Set an option. Whoever asks to be told that everything was acknowledged is told at once if that is so.

        "At the time when a user app subscribes to this event, if there is no data to be sent or retransmit, the stack
        will immediately send up this notification" (section 6.1.9).
        """
        before = [association for association in self.members.values() if _wants_dry(association)]
        set_option(self, now, level, name, value)
        for association in self.members.values():
            if _wants_dry(association) and association not in before and association.dry:
                notice = SenderDryEvent(sender_dry_assoc_id=association.id)
                self._tell(association, [notice], association.core.readable)

    def _tell(self, association: Attached, told: list[Notification], readable: int) -> None:
        """Notifications that stand behind so many messages of the core.

        If nobody reads them and there is no room for more, the last one says so, and the socket "will need to
        re-subscribe to any notifications of interest" (section 6.1.10).
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
        """No notifications any more, whichever association they are of."""
        for settings in (self.settings.future, *[one.settings for one in self.attached.values()]):
            settings.subscribed &= {SCTP_DATA_IO_EVENT}

    def _notices(self, association: Attached, event: Event, refused: list[Outgoing]) -> list[Notification]:
        settings = association.settings
        unsent = [_failed(message) for message in association.unsent()]
        found = notifications(
            event, settings.subscribed, unsent, mapped_v4=self.settings.mapped_v4, expose_pf=settings.expose_pf
        )
        for message in refused:
            found += send_failed(association.id, _failed(message), 0, settings.subscribed)
        return found

    @abstractmethod
    def on_ended(self, association: Attached) -> None:
        """An association is over."""

    def failure(self, association: Attached) -> OSError | None:
        """The exception for an association that ended badly; ``None`` if it did not, or this side wanted it so."""
        end = association.end
        if isinstance(end, CommunicationLost) and (end.by_peer or end.error != ECONNABORTED):
            return loss(end)
        if isinstance(end, CannotStart):
            return connect_failure(end.error, self.report(association))
        return None

    def take_error(self) -> int:
        """The errno of ``error``, once (SO_ERROR)."""
        error, self.error = self.error, None
        return 0 if error is None else error.errno or 0

    # --- time and the end ---

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return NEVER

    def handle_timeout(self, now: int) -> None:  # noqa: B027 - most sockets have no deadline
        """Time has passed."""

    def close(self, now: int, *, abort: bool = False) -> None:
        """The socket is closed: its associations end gracefully, or at once, by themselves."""
        for association in list(self.attached.values()):
            association.detach(now, abort=abort)
        self.attached.clear()


def _wants_dry(association: Attached) -> bool:
    return SCTP_SENDER_DRY_EVENT in association.settings.subscribed


def _failed(message: Outgoing) -> Failed:
    unordered = message.flags & SCTP_UNORDERED != 0
    return Failed(message.data, message.stream, message.ppid, False, message.context, unordered=unordered)


def _check_unfragmented(association: Attached, length: int) -> None:
    """``OSError`` (EMSGSIZE) for a message that does not fit a packet (section 8.1.11)."""
    paths = association.core.paths
    room = min([path.mtu for path in paths], default=association.core.config.mtu) - _OVERHEAD
    if length > room:
        raise OSError(EMSGSIZE, f"a message of {length} bytes, a packet takes {room}")
