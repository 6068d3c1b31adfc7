"""The one-to-one style (RFC 6458 section 4): a socket that listens, or has one association.

Programs use it as a TCP socket. Only the end is different: SCTP has no half-closed state, so ``shutdown(SHUT_WR)`` ends
the association in both directions. What was sent before is still delivered, both ways.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Mapping
from typing import final

from ..core.association.association import Association
from ..core.events import ShutdownComplete
from . import constants as c
from .addresses import SocketAddress
from .ancillary import SendOptions
from .delivery import END, Piece
from .host import SocketHost
from .messaging import Messaging
from .not_now import CHANGED, UNTIL_READABLE, NotNow
from .peer import Peer
from .port import Port
from .settings import EndpointSettings
from .socket_association import Outgoing, SocketAssociation
from .status import AddressReport


@final
class OneToOne(Messaging):
    """A socket of type SOCK_STREAM."""

    def __init__(self, host: SocketHost, settings: EndpointSettings, family: int, udp_port: int | None = None) -> None:
        super().__init__(host, settings, family, udp_port)
        self.association: SocketAssociation | None = None
        """The association that the socket has, or had last."""
        self.backlog = 0
        """How many associations may wait for ``accept``; 0 while the socket does not listen."""
        self._incoming: deque[SocketAssociation] = deque()

    @property
    def members(self) -> Mapping[int, SocketAssociation]:
        """The association that the socket has."""
        association = self.association
        return {} if association is None or association.end is not None else {association.id: association}

    def find(self, assoc_id: int = 0) -> SocketAssociation:
        """The association, whatever the id. ``OSError`` (ENOTCONN) without one, or if it is over."""
        association = self.association
        if association is None or association.end is not None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return association

    # --- listening ---

    @property
    def listens(self) -> bool:
        """The socket takes associations from peers."""
        return self.backlog > 0

    def start_listening(self, backlog: int) -> None:
        """Remember how many associations may wait. ``OSError`` (EINVAL) if the socket has an association itself."""
        if self.association is not None and self.association.end is None:
            raise OSError(errno.EINVAL, "the socket is connected")
        self.backlog = backlog

    def adopt(self, core: Association, now: int) -> SocketAssociation | None:
        """A peer set up an association: it waits for ``accept``."""
        if not self.backlog:
            return None
        association = self.attach(core, now)
        self._incoming.append(association)
        self.alarm.on_readable()
        return association

    def accept(self) -> OneToOne | NotNow:
        """The association that has waited longest, as a socket of its own. The association may be over already.

        ``OSError`` (EINVAL): the socket does not listen.
        """
        self.check_open()
        if not self.backlog:
            raise OSError(errno.EINVAL, "the socket does not listen")
        if not self._incoming:
            return UNTIL_READABLE
        association = self._incoming.popleft()
        port = self.port
        assert port is not None
        port.endpoint.accept(association.core)
        return take_over(self, port, association)

    def take_back(self, result: object) -> None:
        """What was received is the next to be received again, and what was accepted the next to be accepted."""
        if not isinstance(result, OneToOne):
            super().take_back(result)
            return
        association, port = result.association, result.port
        if association is None or port is None or result.closed:
            return
        if self.port is not port or not self.backlog:
            result.abandon(abort=True)  # Nobody takes it any more.
            return
        association.socket = self
        self.associations[association.id] = association
        result.queue.move(association, self.queue)
        result.associations.clear()
        result.disown()
        port.release(self.now(), result)
        self._incoming.appendleft(association)

    def accepted_from(self) -> SocketAddress:
        """The peer's primary address, also if the association is over already."""
        association = self.association
        assert association is not None
        return self.address(association.source(), association.core.peer_port)

    def take(self, association: SocketAssociation, other: Messaging, port: Port) -> None:
        """Get an association from another socket: by ``accept``, or by ``sctp_peeloff`` (section 9.2)."""
        other.associations.pop(association.id, None)
        port.retain()
        self.port = port
        association.socket = self
        self.association = association
        self.associations[association.id] = association
        other.queue.move(association, self.queue)
        if association.end is not None:
            self.on_ended(association)

    # --- connecting ---

    def check_connect(self) -> None:
        """``OSError``: EISCONN (the socket listens, or has an association), EALREADY (it is being set up)."""
        if self.backlog:
            raise OSError(errno.EISCONN, "the socket listens")
        association = self.association
        if association is not None and association.end is None:
            if association.starting:
                raise OSError(errno.EALREADY, "the association is being set up")
            raise OSError(errno.EISCONN, "the socket is connected")

    def connect(self, peer: Peer) -> int | NotNow:
        """Set up an association, once an earlier one that is being shut down is over. Raises like ``start``."""
        if self.association is not None and self.association.closing:
            self.check_open()
            return _StillClosing(self)
        return super().connect(peer)

    def setup_report(self, assoc_id: int) -> tuple[AddressReport, ...]:
        """What each address answered, also if the association could not be set up, or is over."""
        self.check_open()
        return self.report(self.association or self.find())

    def attach(self, core: Association, now: int, unusable: tuple[AddressReport, ...] = ()) -> SocketAssociation:
        """Make an association of the core the one of this socket, or let it wait for ``accept``."""
        association = super().attach(core, now, unusable)
        if not self.backlog:
            self.association = association
            self.error = None
            self.reading = True
        return association

    # --- messages ---

    def nothing_to_receive(self) -> Piece | NotNow:
        """The end of file after a graceful end, whichever side asked for it; an error; or "not now".

        An association that ended otherwise raises what ended it, once, and ENOTCONN from then on: an end of file
        promises that nothing is missing.
        """
        if not self.reading:
            return END
        association = self.association
        if association is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        if self._is_complete(association):
            return END
        if association.end is None:
            return UNTIL_READABLE
        self._raise_error()
        raise OSError(errno.ENOTCONN, "the association is over")

    def _is_complete(self, association: SocketAssociation) -> bool:
        """The peer has sent everything. With SCTP_ASSOC_CHANGE, the notification of the end comes before."""
        if association.end is not None:
            return isinstance(association.end, ShutdownComplete)
        return association.peer_done and c.SCTP_ASSOC_CHANGE not in association.settings.subscribed

    def _raise_error(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error

    def send(self, data: bytes) -> int | NotNow:
        """Send a message on the association, as its defaults say. Raises like ``send_on``, and EPIPE without one."""
        association = self._sending()
        info = association.settings.sndinfo
        message = Outgoing(data, info.snd_sid, info.snd_ppid, info.snd_flags, info.snd_context, b"")
        return self.send_on(association, message)

    def _sending(self) -> SocketAssociation:
        """The association to send on. ``OSError``: EPIPE without one, or the error of its end, once."""
        if self.closed:
            self.check_open()
        association = self.association
        if self.backlog or association is None:
            raise OSError(errno.EPIPE, "the socket is not connected")
        if association.end is not None:
            self._raise_error()
        return association

    def destination(self, options: SendOptions, peer: Peer | None) -> SocketAssociation | None:
        """The association; ``None``: set one up with the peer. ``OSError`` (EPIPE) without both."""
        if self.association is None and not self.backlog and peer is not None:
            return None
        return self._sending()

    def chosen_address(self, association: SocketAssociation, peer: Peer, flags: int) -> bytes:
        """A single address is the one to send to. A list only serves to set an association up.

        ``OSError`` (EINVAL): a port that is not the peer's.
        """
        self.check_peer_port(association, peer)
        return association.address_like(peer.addresses[0].ip) if len(peer.addresses) == 1 else b""

    @property
    def readable(self) -> bool:
        """``receive`` or ``accept`` would not wait."""
        if self.backlog:
            return bool(self._incoming)
        if self.queue or not self.reading:
            return True
        association = self.association
        return association is None or association.end is not None or self._is_complete(association)

    @property
    def writable(self) -> bool:
        """Sending would not wait: there is room, or it would fail."""
        if self.backlog:
            return False
        association = self.association
        if association is None or association.end is not None or association.ending or association.closing:
            return True
        return not association.starting and association.space > 0

    # --- the end ---

    def on_ended(self, association: SocketAssociation) -> None:
        """An association is over. An association that waits for ``accept`` goes on waiting."""
        if association is self.association:
            self.error = self.failure(association)
            self.associations.pop(association.id, None)

    def shutdown(self, *, read: bool, write: bool) -> None:
        """End the association gracefully, or take no more messages; the messages that are there can be read.

        ``OSError`` (ENOTCONN): the socket is not connected.
        """
        self.check_open()
        association = self.find()
        if read:
            self.queue.keep(association)
            self.reading = False
        if write and not association.ending:
            association.shutdown(self.now())
        if self.port is not None:
            self.port.driver.flush()
        self.alarm.on_changed()

    def break_off(self) -> None:
        """As of every socket; associations that wait for ``accept`` are among its own."""
        self._incoming.clear()
        super().break_off()

    def _close(self, *, abort: bool) -> None:
        """Close the socket. Associations that nobody accepted are aborted."""
        listened, self.backlog = self.backlog > 0, 0
        self._incoming.clear()
        super()._close(abort=abort or listened)


def take_over(old: Messaging, port: Port, association: SocketAssociation) -> OneToOne:
    """A new socket for an association of another socket, with the options of both (section 7.2)."""
    new = OneToOne(old.host, old.settings.inherit(association.settings), old.family, old.asked_udp_port)
    new.take(association, old, port)
    return new


@final
class _StillClosing(NotNow):
    """The socket can have another association when the one that it has is over."""

    __slots__ = ("_socket",)

    def __init__(self, socket: OneToOne) -> None:
        super().__init__(CHANGED)
        self._socket = socket

    def refusal(self) -> OSError:
        return OSError(errno.EISCONN, "the socket is connected: its association is being shut down")
