"""The one-to-one style (RFC 6458 section 4): a socket that listens, or has one association.

It is used as a TCP socket is. What is different is its end: SCTP has no half-closed state, so ``shutdown(SHUT_WR)``
ends the association in both directions; what was sent before is still delivered, both ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from errno import EALREADY, EINVAL, EISCONN, ENOTCONN, EPIPE
from typing import final

from ..core.association.association import Association
from .attached import Attached
from .constants import SCTP_ASSOC_CHANGE
from .delivery import END, Piece
from .settings import EndpointSettings
from .style import Alarm, Style


@final
class OneToOne(Style):
    """A socket of type SOCK_STREAM."""

    def __init__(self, settings: EndpointSettings, alarm: Alarm, *, ipv6: bool = False) -> None:
        super().__init__(settings, alarm, ipv6=ipv6)
        self.association: Attached | None = None
        """The one it has, or had."""
        self.backlog = 0
        """Associations that may wait for ``accept``; 0 while it does not listen."""
        self._incoming: deque[Attached] = deque()

    @property
    def members(self) -> Mapping[int, Attached]:
        """The association it has."""
        association = self.association
        return {} if association is None or association.end is not None else {association.id: association}

    # --- listening ---

    def listen(self, backlog: int) -> None:
        """Take associations from peers; with a backlog of 0 take no more. ``OSError`` (EINVAL) if it has one itself."""
        assert self.endpoint is not None
        if self.association is not None and self.association.end is None:
            raise OSError(EINVAL, "the socket is connected")
        self.backlog = backlog
        if backlog:
            self.endpoint.listen(backlog)
        else:
            self.endpoint.stop_listening()

    def adopt(self, core: Association, now: int) -> Attached | None:
        """A peer set up an association: it waits for ``accept``."""
        if not self.backlog:
            return None
        association = self.attach(core, now)
        self._incoming.append(association)
        self.alarm.on_readable()
        return association

    def accept(self) -> Attached | None:
        """The association that has waited longest, even if it is over already; ``None`` if there is none.

        ``OSError`` (EINVAL): the socket does not listen.
        """
        if not self.backlog:
            raise OSError(EINVAL, "the socket does not listen")
        if not self._incoming:
            return None
        association = self._incoming.popleft()
        self.attached.pop(association.id, None)
        assert self.endpoint is not None
        self.endpoint.accept(association.core)
        return association

    def take(self, association: Attached, other: Style) -> None:
        """Have an association that was another socket's: accepted, or branched off (section 9.2)."""
        other.attached.pop(association.id, None)
        association.style = self
        self.endpoint = other.endpoint
        self.association = association
        self.attached[association.id] = association
        other.queue.move(association, self.queue)
        if association.end is not None:
            self.on_ended(association)

    # --- connecting ---

    def check_connect(self) -> None:
        """``OSError``: EISCONN (it listens, or has an association), EALREADY (one is in the making)."""
        if self.backlog:
            raise OSError(EISCONN, "the socket listens")
        association = self.association
        if association is not None and association.end is None:
            if association.starting:
                raise OSError(EALREADY, "the association is being set up")
            raise OSError(EISCONN, "the socket is connected")

    def attach(self, core: Association, now: int) -> Attached:
        """An association of the core becomes the one of this socket, or one that waits for ``accept``."""
        association = super().attach(core, now)
        if not self.backlog:
            self.association = association
            self.error = None
            self.reading = True
        return association

    def current(self) -> Attached:
        """The association, if it is up or coming up. ``OSError`` (ENOTCONN) without one."""
        association = self.association
        if association is None or association.end is not None:
            raise OSError(ENOTCONN, "the socket is not connected")
        return association

    # --- messages ---

    def nothing_to_receive(self) -> Piece | None:
        """The end, an error, or ``None`` if there is more to come.

        The peer's graceful end is an end of file; after one of this side there is just no connection any more.
        """
        if not self.reading:
            return END
        association = self.association
        if association is None:
            raise OSError(ENOTCONN, "the socket is not connected")
        if self._has_ended(association):
            return END
        if association.end is None:
            return None
        self._raise_error()
        raise OSError(ENOTCONN, "the association is over")

    def _has_ended(self, association: Attached) -> bool:
        """The peer has sent everything; whoever asked for it is told first that the association is over."""
        told = association.end is not None or SCTP_ASSOC_CHANGE not in association.settings.subscribed
        return association.peer_done and told

    def _raise_error(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error

    def destination(self) -> Attached:
        """The association to send on. ``OSError``: EPIPE without one; what ended it if nobody was told yet."""
        association = self.association
        if self.backlog or association is None:
            raise OSError(EPIPE, "the socket is not connected")
        if association.end is not None:
            self._raise_error()
        return association

    @property
    def readable(self) -> bool:
        """``receive`` or ``accept`` would not wait."""
        if self.backlog:
            return bool(self._incoming)
        if self.queue or not self.reading:
            return True
        association = self.association
        return association is None or association.end is not None or self._has_ended(association)

    @property
    def writable(self) -> bool:
        """Sending would not wait: there is room, or it would fail."""
        if self.backlog:
            return False
        association = self.association
        if association is None or association.end is not None or association.ending:
            return True
        return not association.starting and association.space > 0

    # --- the end ---

    def on_ended(self, association: Attached) -> None:
        """An association is over. One that waits for ``accept`` goes on waiting."""
        if association is self.association:
            self.error = self.failure(association)
            self.attached.pop(association.id, None)

    def shutdown(self, now: int, *, read: bool, write: bool) -> None:
        """``shutdown``: end the association gracefully, or take no more messages; those that are there can be read.

        ``OSError`` (ENOTCONN): the socket is not connected.
        """
        association = self.current()
        if read:
            self.queue.keep(association)
            self.reading = False
        if write and not association.ending:
            association.shutdown(now)
        self.alarm.on_changed()

    def close(self, now: int, *, abort: bool = False) -> None:
        """The socket is closed. Associations that nobody accepted are aborted."""
        listened, self.backlog = self.backlog > 0, 0
        self._incoming.clear()
        super().close(now, abort=abort or listened)
