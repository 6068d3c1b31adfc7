"""An association as a socket has it: what RFC 6458 adds to the core's association, from implicit setup to the end.

A ``SocketAssociation`` is the ``owner`` of its association of the core, and passes events on to the socket that has the
association now. ``accept`` and ``sctp_peeloff`` give an association to another socket. When a socket is closed, its
associations are left without a socket. Such an association reads and drops what still arrives, so that it ends
gracefully by itself.

A program can send messages before the association is up. The messages wait here, since the number of streams that the
peer takes is not known earlier; it is never more than this side asked for. A graceful end waits here, too. With
explicit EOR marking (RFC 6458 section 8.1.26) a record waits until its last piece is there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from errno import EINVAL, EMSGSIZE, EPIPE, ESHUTDOWN
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, final

from ..core.association.association import Association
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from ..core.config import AssociationConfig
from ..core.events import (
    ENDS,
    CommunicationUp,
    Event,
    LocalAddressChange,
    PeerShutdown,
    Readable,
    Restarted,
)
from ..core.overhead import MESSAGE
from ..core.timers import NEVER
from ..core.tx.reliability import RELIABLE, TIMED
from ..wire.codes import COMMON_HEADER, DATA_HEADER
from .addresses import find_alike
from .constants import SCTP_EOR, SCTP_SACK_IMMEDIATELY, SCTP_SENDER_DRY_EVENT, SCTP_UNORDERED
from .delivery import Place
from .settings import AssociationSettings, EndpointSettings
from .status import AddressReport

if TYPE_CHECKING:
    from .socket_state import SocketState

_SETTING_UP: Final = (COOKIE_WAIT, COOKIE_ECHOED)
# What a DATA chunk and the common header take of a packet.
_OVERHEAD: Final = COMMON_HEADER + DATA_HEADER


class Outgoing(NamedTuple):
    """A message on its way to the core."""

    data: bytes
    stream: int
    ppid: int
    flags: int
    """``SCTP_UNORDERED``, ``SCTP_SACK_IMMEDIATELY``, ``SCTP_EOR``, ``SCTP_EOF``, ``SCTP_ABORT``."""
    context: int
    remote: bytes
    """The address of the peer to use, packed; ``b""`` for the primary one."""
    policy: int = RELIABLE
    value: int = 0
    """When it may be given up, as ``Association.send`` of the core has it."""
    expires: int = NEVER
    """When a message that waits for the setup is too old, ns."""
    key: int = -1
    """The shared key to authenticate it with (RFC 4895); below 0 the active one."""


@final
class SocketAssociation:
    """An association of a socket."""

    __slots__ = (
        "_pieces",
        "_record",
        "_waiting",
        "_waiting_bytes",
        "active",
        "core",
        "end",
        "ending",
        "peer_done",
        "place",
        "settings",
        "socket",
        "started",
        "unusable",
    )

    def __init__(
        self,
        core: Association,
        socket: SocketState,
        started: int,
        settings: AssociationSettings,
        unusable: tuple[AddressReport, ...] = (),
    ) -> None:
        self.core = core
        self.socket: SocketState | None = socket
        """The socket that has the association; ``None`` once the socket is closed."""
        self.settings = settings
        """The options of the association."""
        self.started = started
        """When the setup of the association began, ns."""
        self.unusable = unusable
        """The part of the report that is about addresses to which nothing could be sent."""
        self.active = started
        """When user data was last sent or received, ns."""
        self.end: Event | None = None
        """The event that ended the association."""
        self.ending = False
        """This side has asked for a graceful end."""
        self.peer_done = False
        """The peer has asked for a graceful end: the peer has sent everything and takes no more."""
        self.place = Place()
        """Where the reader of the association is."""
        self._waiting: deque[Outgoing] | None = None
        self._waiting_bytes = 0
        self._record: Outgoing | None = None  # Its first piece,
        self._pieces = bytearray()  # and the data of all of them.
        self.on_subscribed()

    def on_subscribed(self) -> None:
        """The subscriptions have changed: ``SenderDry`` comes with every answer, and is made only for a subscriber."""
        self.core.ignores_dry = not self.wants_dry

    @property
    def wants_dry(self) -> bool:
        """SCTP_SENDER_DRY_EVENT is subscribed to."""
        return SCTP_SENDER_DRY_EVENT in self.settings.subscribed

    @property
    def id(self) -> int:
        """The association identifier."""
        return self.core.id

    @property
    def starting(self) -> bool:
        """The association is being set up."""
        return self.core.state in _SETTING_UP

    @property
    def closing(self) -> bool:
        """The association is being shut down."""
        return self.end is None and not self.starting and self.core.state != ESTABLISHED

    @property
    def space(self) -> int:
        """Bytes the send buffer has room for; 0 or less if there is none.

        An unfinished record takes no room: explicit EOR marking is there for records that are larger than the buffer.
        """
        return self.core.send_space - self._waiting_bytes

    @property
    def pending(self) -> int:
        """Bytes of user data that were accepted and the peer has not acknowledged for good."""
        return self.core.pending + sum([len(message.data) for message in self._waiting or ()])

    @property
    def dry(self) -> bool:
        """Everything that was sent has been acknowledged."""
        return not self.starting and self._record is None and self.space == self.core.config.send_buffer

    def source(self) -> bytes:
        """The peer's primary address, packed."""
        if self.core.primary is not None:
            return self.core.primary.remote
        return self.core.report[0].ip if self.core.report else b""

    def address_like(self, ip: bytes) -> bytes:
        """The address of the peer that is meant by one that may lack its zone; else that one as it is."""
        return find_alike(ip, [path.remote for path in self.core.paths])

    def has_address(self, ip: bytes) -> bool:
        """Whether the peer has this address, packed; a link-local one may lack its zone."""
        known = [*[path.remote for path in self.core.paths], self.source()]
        return find_alike(ip, known) in known

    # --- sending ---

    def send(self, now: int, message: Outgoing, settings: EndpointSettings) -> bool:
        """Queue a message, or with explicit EOR marking a piece of a message. ``False`` if there is no room.

        The core tells when there is room again. ``settings`` are those of the socket. ``OSError``: EPIPE (this side has
        ended the association, or the association is over), ESHUTDOWN (the peer has ended the association), EMSGSIZE,
        and the errors of ``Association.send``.
        """
        core = self.core
        state = core.state
        if self.ending or (state != ESTABLISHED and state not in _SETTING_UP):
            self.check_sendable()
        if core.send_space <= self._waiting_bytes and not core.make_room(now, message.policy, message.value):
            core.want_writable()
            return False
        if settings.disable_fragments:
            self.check_length(len(message.data))
        if settings.explicit_eor and not (message.flags & SCTP_EOR and self._record is None):
            self._add_piece(now, message)
        elif state == ESTABLISHED:
            self._to_core(now, message)
        else:
            self._hold(now, message)
        return True

    def check_sendable(self) -> None:
        """``OSError`` (EPIPE, ESHUTDOWN) if nothing can be sent any more."""
        if self.end is not None or self.ending:
            raise OSError(EPIPE, "the association is over, or this side has ended it")
        if self.core.state != ESTABLISHED and not self.starting:
            raise OSError(ESHUTDOWN, "the peer has ended the association")

    def check_stream(self, stream: int) -> None:
        """``OSError`` (EINVAL) if there is no such stream; during the setup, if this side did not ask for it."""
        check_stream(stream, self.core.outbound_streams)

    def check_length(self, length: int) -> None:
        """``OSError`` (EMSGSIZE) for a message that does not fit a packet (SCTP_DISABLE_FRAGMENTS, section 8.1.11)."""
        expected = [path.expected_mtu for path in self.core.paths]
        _check_fits(length, min(expected, default=self.core.config.usual_mtu))

    def _hold(self, now: int, message: Outgoing) -> None:
        """Keep a message until the association is up.

        ``OSError``: EINVAL (no data, a stream that this side did not ask for, an address that is not the peer's, a key
        that there is not), EMSGSIZE.
        """
        if not message.data:
            raise OSError(EINVAL, "SCTP has no empty messages")
        check_first_message(message, self.core.config)
        if message.remote and message.remote not in [candidate.ip for candidate in self.core.report]:
            raise OSError(EINVAL, "not an address of the peer")
        if message.key >= 0:
            self.core.shared_keys.check_usable(message.key)
        elif self.core.authenticates:
            # The active key counts for all that is sent "until changed again" (section 8.1.18).
            message = message._replace(key=self.core.active_key)
        if self._waiting is None:
            self._waiting = deque()
        if message.policy == TIMED:
            message = message._replace(expires=now + message.value)
        self._waiting.append(message)
        self._waiting_bytes += len(message.data) + MESSAGE

    def _to_core(self, now: int, message: Outgoing) -> None:
        data, stream, ppid, flags, context, remote, policy, value, _, key = message
        unordered, immediate = flags & SCTP_UNORDERED != 0, flags & SCTP_SACK_IMMEDIATELY != 0
        self.core.send(now, data, stream, ppid, unordered, immediate, remote, context or None, policy, value, key)
        self.active = now

    def _add_piece(self, now: int, message: Outgoing) -> None:
        """Add a piece to a record: the first piece says how the record is sent, and the last piece sends the record."""
        first = self._record or message
        if (message.stream, message.ppid) != (first.stream, first.ppid):
            raise OSError(EINVAL, "another record has not been finished")
        self.check_stream(message.stream)
        if not message.data and not message.flags & SCTP_EOR:
            raise OSError(EINVAL, "an empty piece")
        if len(self._pieces) + len(message.data) > self.core.config.max_message_size:
            raise OSError(EMSGSIZE, "the record is longer than a message can be")
        self._record = first
        self._pieces += message.data
        if message.flags & SCTP_EOR:
            whole = first._replace(data=bytes(self._pieces))
            self._record, self._pieces = None, bytearray()
            if self.starting:
                self._hold(now, whole)
            else:
                self._to_core(now, whole)

    def unsent(self) -> list[Outgoing]:
        """The messages that never reached the core; of a record, what there is of it."""
        record = [] if self._record is None else [self._record._replace(data=bytes(self._pieces))]
        return [*(self._waiting or ()), *record]

    # --- the end ---

    def shutdown(self, now: int) -> None:
        """End the association gracefully, once it is up and everything was sent."""
        self.ending = True
        if not self.starting:
            self.core.shutdown(now)

    def abort(self, now: int, reason: bytes = b"") -> None:
        """End the association at once."""
        self.ending = True
        self.core.abort(now, reason)

    def break_off(self) -> None:
        """End the association at once: a call has left it, or what the socket has of it, in the middle of a change."""
        self.ending = True
        self._waiting, self._waiting_bytes, self._record = None, 0, None
        self.core.break_off()

    def detach(self, now: int, *, abort: bool = False) -> None:
        """The socket of the association is closed: nobody will read or send any more."""
        self.socket = None
        if self.end is not None:
            return
        if abort or (self.starting and self._waiting is None):
            self.abort(now)
            return
        self.core.read()
        if not self.starting:
            # A peer that restarts meanwhile wants another association, with the socket that listens now.
            self.core.reconfigure(now, _ending_with_the_peer(self.core.config))
        if not self.ending:
            self.shutdown(now)

    # --- what happens ---

    def handle_event(self, now: int, event: Event) -> None:
        """The driver: something happened."""
        kind = type(event)
        if kind is Readable:
            self.active = now
            if self.socket is None:
                self.core.read()  # Nobody reads, but the peer must be able to send all it has.
            else:
                self.socket.on_readable(self)
            return
        if kind is PeerShutdown:
            self.peer_done = True
        elif kind is Restarted:
            self.peer_done = False
        elif kind in ENDS:
            self.end = event
            self.core.owner = None
        elif kind is LocalAddressChange and self.socket is not None and self.socket.port is not None:
            self.socket.port.on_local_change()
        refused = self._on_up(now) if kind is CommunicationUp else []
        if self.socket is not None:
            self.socket.on_event(now, self, event, refused)

    def _on_up(self, now: int) -> list[Outgoing]:
        """Send the messages that waited; those that are too old, or for streams that the peer does not take, are
        returned."""
        self.active = now
        if self.socket is not None and self.socket.port is not None:
            self.socket.port.on_up(self.core)
        refused = []
        waiting, self._waiting, self._waiting_bytes = self._waiting, None, 0
        kept = {path.remote for path in self.core.paths}
        for message in waiting or ():
            if message.expires < now:
                refused.append(message)
                continue
            if message.policy == TIMED:
                message = message._replace(value=message.expires - now)
            if message.remote not in kept:
                message = message._replace(remote=b"")  # The peer did not keep it: the primary path is taken.
            if message.key >= 0 and not self.core.shared_keys.is_usable(message.key):
                message = message._replace(key=-1)  # It was given up since: the active key is taken.
            try:
                self._to_core(now, message)
            except OSError:
                refused.append(message)
        if self.ending:
            self.core.shutdown(now)
        return refused


@lru_cache(maxsize=256)
def _ending_with_the_peer(config: AssociationConfig) -> AssociationConfig:
    """The config for an association that a restart of the peer ends; equal ones are one object."""
    return replace(config, on_restart="end")


def check_stream(stream: int, streams: int) -> None:
    """``OSError`` (EINVAL) for a stream beyond so many."""
    if stream >= streams:
        raise OSError(EINVAL, f"no stream {stream}: the association has {streams}, from 0")


def check_first_message(message: Outgoing, config: AssociationConfig, *, whole: bool = False) -> None:
    """``OSError`` (EINVAL, EMSGSIZE) for a message that no association set up so can take.

    ``whole``: the message has to fit a packet (SCTP_DISABLE_FRAGMENTS).
    """
    check_stream(message.stream, config.streams)
    if len(message.data) > config.max_message_size:
        raise OSError(EMSGSIZE, f"a message of {len(message.data)} bytes, the limit is {config.max_message_size}")
    if whole:
        _check_fits(len(message.data), config.usual_mtu)


def _check_fits(length: int, mtu: int) -> None:
    """``OSError`` (EMSGSIZE) for a message that does not fit a packet."""
    room = mtu - _OVERHEAD
    if length > room:
        raise OSError(EMSGSIZE, f"a message of {length} bytes, a packet takes {room}")
