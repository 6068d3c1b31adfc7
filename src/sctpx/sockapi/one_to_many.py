"""The one-to-many style (RFC 6458 section 3): a socket with any number of associations, told apart by their ids.

``connect`` sets an association up, and so does sending to a peer without one. If the socket listens, peers set
associations up, and the socket accepts them by itself. ``sctp_peeloff`` makes a one-to-one socket of an association.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import final

from ..core.association.association import Association
from ..core.config import NANOSECONDS
from ..core.events import CannotStart, CommunicationUp, Event
from ..core.timers import NEVER
from . import ancillary
from . import constants as c
from .ancillary import SendOptions
from .delivery import END, Piece
from .failures import taken
from .host import SocketHost
from .messaging import Messaging, outgoing
from .not_now import READABLE, UNTIL_READABLE, UNTIL_WRITABLE, NotNow
from .one_to_one import OneToOne, take_over
from .peer import Peer
from .settings import EndpointSettings
from .socket_association import Outgoing, SocketAssociation


@final
class OneToMany(Messaging):
    """A socket of type SOCK_SEQPACKET."""

    one_to_many = True

    def __init__(self, host: SocketHost, settings: EndpointSettings, family: int, udp_port: int | None = None) -> None:
        super().__init__(host, settings, family, udp_port)
        self._listening = False
        self._idle = 0  # SCTP_AUTOCLOSE, ns, as it was when ``_look_at`` was worked out.
        self._look_at = NEVER

    # --- associations ---

    @property
    def members(self) -> Mapping[int, SocketAssociation]:
        """All associations of the socket."""
        return self.associations

    @property
    def listens(self) -> bool:
        """The socket takes associations from peers."""
        return self._listening

    def start_listening(self, backlog: int) -> None:
        """Take associations from peers; with a backlog of 0, take no more."""
        self._listening = backlog > 0

    def adopt(self, core: Association, now: int) -> SocketAssociation | None:
        """A peer set up an association."""
        if not self._listening:
            return None
        assert self.port is not None
        self.port.endpoint.accept(core)
        return self.attach(core, now)

    def check_connect(self) -> None:
        """There is always room for another association."""

    def find(self, assoc_id: int) -> SocketAssociation:
        """The association with this id. ``OSError`` (EINVAL) if there is none."""
        association = self.associations.get(assoc_id)
        if association is None:
            raise OSError(errno.EINVAL, f"the socket has no association {assoc_id}")
        return association

    def peeloff(self, assoc_id: int) -> OneToOne:
        """An association as a socket of its own (section 9.2). ``OSError`` (EINVAL): no such association is up.

        Calls that wait for the association on this socket learn that it is another socket's.
        """
        self.check_open()
        association = self.find(assoc_id)
        if association.starting:
            raise OSError(errno.EINVAL, f"association {assoc_id} is not up yet")
        assert self.port is not None
        new = take_over(self, self.port, association)
        self.alarm.on_changed()
        return new

    def shutdown(self, *, read: bool, write: bool) -> None:
        """``OSError`` (EOPNOTSUPP): the associations of the socket are ended one by one (SCTP_EOF)."""
        self.check_open()
        raise OSError(errno.EOPNOTSUPP, "not with a one-to-many socket")

    # --- messages ---

    def nothing_to_receive(self) -> Piece | NotNow:
        """The call has to wait."""
        return UNTIL_READABLE if self.reading else END

    def check_waiting(self, not_now: NotNow, flags: int) -> None:
        """``OSError``: EAGAIN if the call must not wait, ENOTCONN if nothing can ever come."""
        super().check_waiting(not_now, flags)
        if not_now.until == READABLE and not self.associations and not self._listening:
            raise OSError(errno.ENOTCONN, "the socket has no associations and does not listen")

    def send(self, data: bytes) -> int | NotNow:
        """``OSError`` (EPIPE): a one-to-many socket needs an address or an association to send to."""
        self.check_open()
        raise OSError(errno.EPIPE, "a one-to-many socket sends to an address or on an association")

    def send_message(
        self, data: bytes, items: Sequence[ancillary.Item], options: SendOptions, peer: Peer | None
    ) -> int | NotNow:
        """Send as every socket does; with SCTP_SENDALL, send to all associations, and the result is 0."""
        if options.flags & c.SCTP_SENDALL:
            self.check_open()
            return self._send_to_all(outgoing(data, options))
        return super().send_message(data, items, options, peer)

    def destination(self, options: SendOptions, peer: Peer | None) -> SocketAssociation | None:
        """The association with the id, or with the peer; ``None``: set one up with the peer.

        ``OSError``: EPIPE (no such id, neither id nor peer), EADDRNOTAVAIL (the association with the peer is another
        socket's).
        """
        if options.assoc_id:
            association = self.associations.get(options.assoc_id)
            if association is None:
                raise OSError(errno.EPIPE, f"the socket has no association {options.assoc_id}")
            return association
        if peer is None:
            raise OSError(errno.EPIPE, "neither an address nor an association to send to")
        for address in peer.addresses:
            # The peer may not have kept the first address.
            association = self._find_by_address(address.ip, peer.port)
            if association is not None:
                return association
        return None

    def _find_by_address(self, ip: bytes, port: int) -> SocketAssociation | None:
        core = None if self.port is None else self.port.find(ip, port)
        if core is None or core.ended:
            return None
        association = self.associations.get(core.id)
        if association is None:
            raise OSError(errno.EADDRNOTAVAIL, taken(core, ip, "another socket"))
        return association

    def chosen_address(self, association: SocketAssociation, peer: Peer, flags: int) -> bytes:
        """The address, with SCTP_ADDR_OVER; without that flag, the address only serves to find the association.

        ``OSError`` (EINVAL): a port that is not the peer's.
        """
        if not flags & c.SCTP_ADDR_OVER:
            return b""
        self.check_peer_port(association, peer)
        return association.address_like(peer.addresses[0].ip)

    def _send_to_all(self, message: Outgoing) -> int | NotNow:
        """Send a message on all associations that are up (SCTP_SENDALL), or on none.

        The call waits until all have room. ``OSError`` as ``send_on``, and EINVAL if one does not have the stream.
        """
        up = [one for one in self.associations.values() if not (one.starting or one.ending or one.peer_done)]
        if not message.flags & (c.SCTP_EOF | c.SCTP_ABORT):
            full = [association for association in up if association.space <= 0]
            for association in full:
                association.core.want_writable()
            if full:
                return UNTIL_WRITABLE
            for association in up:
                association.check_stream(message.stream)
                if self.settings.disable_fragments:
                    association.check_length(len(message.data))
        for association in up:
            self.send_on(association, message)
        return 0

    @property
    def readable(self) -> bool:
        """``receive`` would not wait."""
        return bool(self.queue) or not self.reading

    @property
    def writable(self) -> bool:
        """Some association has room, or takes no more messages; or there is none, and one could be set up."""
        found = self.associations.values()
        return not found or any(one.closing or (one.space > 0 and not one.starting) for one in found)

    # --- time and the end ---

    def on_ended(self, association: SocketAssociation) -> None:
        """An association is over."""
        if isinstance(association.end, CannotStart):
            self.error = self.failure(association)
        self.associations.pop(association.id, None)

    @property
    def has_deadlines(self) -> bool:
        """SCTP_AUTOCLOSE is on."""
        return self.settings.autoclose > 0

    def next_deadline(self) -> int:
        """When it is time to look for idle associations (SCTP_AUTOCLOSE, section 8.1.8), ns.

        Use only puts that off: it need not be worked out again for each message.
        """
        idle = self.settings.autoclose * NANOSECONDS
        if idle != self._idle:
            self._idle = idle
            self._schedule()
        return self._look_at

    def handle_timeout(self, now: int) -> None:
        """Shut idle associations down."""
        for association in self._idlers():
            if association.active + self._idle <= now:
                association.shutdown(now)
        self._schedule()

    def on_event(self, now: int, association: SocketAssociation, event: Event, refused: list[Outgoing]) -> None:
        """Something happened to an association."""
        if type(event) is CommunicationUp and self._idle:
            self._look_at = min(self._look_at, association.active + self._idle)
        super().on_event(now, association, event, refused)

    def _schedule(self) -> None:
        used = [association.active for association in self._idlers()]
        self._look_at = min(used) + self._idle if used and self._idle else NEVER

    def _idlers(self) -> list[SocketAssociation]:
        return [one for one in self.associations.values() if not one.ending and not one.starting]
