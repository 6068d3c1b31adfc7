"""The one-to-many style (RFC 6458 section 3): a socket with any number of associations, told apart by their ids.

Associations come about by ``connect``, by sending to a peer there is none with, and, if the socket listens, by peers;
nobody accepts them one by one. ``sctp_peeloff`` makes one of them a one-to-one socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import EADDRNOTAVAIL, EINVAL, ENOTCONN, EPIPE
from typing import final

from ..core.association.association import Association
from ..core.config import NANOSECONDS
from ..core.events import CannotStart, CommunicationUp, Event
from ..core.timers import NEVER
from .attached import Attached, Outgoing
from .constants import SCTP_ABORT, SCTP_EOF
from .delivery import END, Piece
from .settings import EndpointSettings
from .style import Alarm, Style


@final
class OneToMany(Style):
    """A socket of type SOCK_SEQPACKET."""

    one_to_many = True

    def __init__(self, settings: EndpointSettings, alarm: Alarm, *, ipv6: bool = False) -> None:
        super().__init__(settings, alarm, ipv6=ipv6)
        self.listening = False
        self._idle = 0  # SCTP_AUTOCLOSE, ns, as it was when the next line was worked out.
        self._look_at = NEVER

    # --- associations ---

    @property
    def members(self) -> Mapping[int, Attached]:
        """All its associations."""
        return self.attached

    def listen(self, backlog: int) -> None:
        """Take associations from peers, or with a backlog of 0 no more."""
        assert self.endpoint is not None
        self.listening = backlog > 0
        if self.listening:
            self.endpoint.listen(backlog)
        else:
            self.endpoint.stop_listening()

    def adopt(self, core: Association, now: int) -> Attached | None:
        """A peer set up an association."""
        if not self.listening:
            return None
        assert self.endpoint is not None
        self.endpoint.accept(core)
        return self.attach(core, now)

    def check_connect(self) -> None:
        """There is always room for another one."""

    def find(self, assoc_id: int) -> Attached:
        """The association with this id. ``OSError`` (EINVAL) if there is none."""
        association = self.attached.get(assoc_id)
        if association is None:
            raise OSError(EINVAL, f"the socket has no association {assoc_id}")
        return association

    def peeloff(self, assoc_id: int) -> Attached:
        """An association that becomes another socket's (section 9.2). ``OSError`` (EINVAL) if none such is up."""
        association = self.find(assoc_id)
        if association.starting:
            raise OSError(EINVAL, f"association {assoc_id} is not up yet")
        return association

    # --- messages ---

    def nothing_to_receive(self) -> Piece | None:
        """The call has to wait."""
        return None if self.reading else END

    def check_waiting(self) -> None:
        """``OSError`` (ENOTCONN) if nothing can ever come."""
        if not self.attached and not self.listening:
            raise OSError(ENOTCONN, "the socket has no associations and does not listen")

    def find_to_send(self, assoc_id: int) -> Attached:
        """The association with this id. ``OSError`` (EPIPE) if there is none."""
        association = self.attached.get(assoc_id)
        if association is None:
            raise OSError(EPIPE, f"the socket has no association {assoc_id}")
        return association

    def find_by_address(self, ip: bytes, port: int) -> Attached | None:
        """The association with a peer, if there is one. ``OSError`` (EADDRNOTAVAIL) if it is another socket's."""
        if self.endpoint is None:
            return None
        core = self.endpoint.stack.find_association(ip, port, self.endpoint.port)
        if core is None or core.ended:
            return None
        association = self.attached.get(core.id)
        if association is None:
            raise OSError(EADDRNOTAVAIL, "another socket has an association with this peer")
        return association

    def send_to_all(self, now: int, message: Outgoing) -> bool:
        """Send a message on all associations that are up (SCTP_SENDALL), or on none.

        ``False`` if the call has to wait until all have room. ``OSError`` as ``send_to``, and EINVAL if one does not
        have the stream.
        """
        up = [one for one in self.attached.values() if not (one.starting or one.ending or one.peer_done)]
        if not message.flags & (SCTP_EOF | SCTP_ABORT):
            full = [association for association in up if association.space <= 0]
            for association in full:
                association.core.want_writable()
            if full:
                return False
            for association in up:
                association.check_stream(message.stream)
                self.check_length(association, message)
        for association in up:
            self.send_to(now, association, message)
        return True

    @property
    def readable(self) -> bool:
        """``receive`` would not wait."""
        return bool(self.queue) or not self.reading

    @property
    def writable(self) -> bool:
        """Some association that is up has room, or there is none: then one could be set up."""
        found = self.attached.values()
        return not found or any(association.space > 0 and not association.starting for association in found)

    # --- time and the end ---

    def on_ended(self, association: Attached) -> None:
        """An association is over."""
        if isinstance(association.end, CannotStart):
            self.error = self.failure(association)
        self.attached.pop(association.id, None)

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

    def on_event(self, now: int, association: Attached, event: Event, refused: list[Outgoing]) -> None:
        """Something happened to an association."""
        if type(event) is CommunicationUp and self._idle:
            self._look_at = min(self._look_at, association.active + self._idle)
        super().on_event(now, association, event, refused)

    def _schedule(self) -> None:
        used = [association.active for association in self._idlers()]
        self._look_at = min(used) + self._idle if used and self._idle else NEVER

    def _idlers(self) -> list[Attached]:
        return [one for one in self.attached.values() if not one.ending and not one.starting]
