"""What both kinds of sockets do with messages: receive, and send (RFC 6458 sections 3.1.4, 4.1.8, 9.12 and 9.13)."""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from . import ancillary
from . import constants as c
from .addresses import SocketAddress
from .ancillary import SendOptions
from .delivery import Item, Piece
from .not_now import WRITABLE, NotNow
from .peer import Peer
from .receive import to_message
from .setting_up import SettingUp
from .settings import with_init
from .socket_association import Outgoing, SocketAssociation, check_first_message
from .structs import Notification, NxtInfo, RcvInfo, Struct


class Received(NamedTuple):
    """What ``recvv`` gives."""

    data: bytes
    address: SocketAddress | None
    """The address of the peer that the message came from, the primary one for a notification; ``None`` at the end."""
    infotype: int
    """``SCTP_RECVV_NOINFO``, ``_RCVINFO``, ``_NXTINFO`` or ``_RN``."""
    info: Struct | None
    """What was asked for with SCTP_RECVRCVINFO and SCTP_RECVNXTINFO."""
    flags: int
    """``MSG_EOR`` with the end of a message, ``MSG_NOTIFICATION``."""
    notification: Notification | None = None
    """The notification, if this is one, whole however short the buffer."""


class Messaging(SettingUp):
    """A socket, as far as messages go."""

    # --- receiving ---

    def receive(self, limit: int, flags: int = 0) -> Piece | NotNow:
        """Up to ``limit`` bytes of the next message or notification. Raises like ``nothing_to_receive``."""
        if self.closed:
            self.check_open()
        if limit < 0:
            raise ValueError("negative buffersize")
        piece = self.queue.take(limit, peek=flags & c.MSG_PEEK != 0)
        if piece is None:
            return self.nothing_to_receive()
        item = piece.item
        if item is not None and item.association.core.ready and self.port is not None:
            self.port.driver.flush()  # Reading may have opened the window: the peer is told.
        return piece

    def take_back(self, result: object) -> None:
        """The caller did not get the result of a call, because a signal handler has raised: undo what can be undone.

        What was received is the next to be received again.
        """
        if isinstance(result, Piece):
            self.queue.put_back(result)

    @abstractmethod
    def nothing_to_receive(self) -> Piece | NotNow:
        """The result of ``receive`` when there is nothing to receive."""

    def source(self, piece: Piece) -> SocketAddress | None:
        """The address of the peer that a message came from; ``None`` at the end."""
        item = piece.item
        if item is None:
            return None
        return self.address(item.source or item.association.source(), item.association.core.peer_port)

    def control_messages(self, piece: Piece, room: int) -> tuple[list[tuple[int, int, bytes]], int]:
        """The control messages that the program asked for, as they are in C, in ``room`` bytes; MSG_CTRUNC if cut."""
        item = piece.item
        if item is None or item.message is None or not self.settings.wants_ancillary(item.association.settings):
            return [], 0
        info, following = self._infos(piece, item)
        items = ancillary.received(self.settings, item.association.settings, info, following)
        packed, cut = ancillary.pack(items, room)
        return packed, c.MSG_CTRUNC if cut else 0

    def received(self, piece: Piece) -> Received:
        """A message or notification, with the infos that the program asked for in one struct (section 9.13)."""
        item = piece.item
        if item is None:
            return Received(piece.data, None, c.SCTP_RECVV_NOINFO, None, piece.flags)
        if item.notice is not None:
            return Received(piece.data, self.source(piece), c.SCTP_RECVV_NOINFO, None, piece.flags, item.notice)
        infotype, info = ancillary.recvv(self.settings, *self._infos(piece, item))
        return Received(piece.data, self.source(piece), infotype, info, piece.flags)

    def rcvinfo(self, piece: Piece) -> RcvInfo | None:
        """What is known of a message, also without SCTP_RECVRCVINFO; ``None`` for a notification, and at the end."""
        item = piece.item
        return None if item is None or item.message is None else self._infos(piece, item)[0]

    def _infos(self, piece: Piece, item: Item) -> tuple[RcvInfo, NxtInfo | None]:
        """What is known of a message and, once the message was read whole, of the item that follows it."""
        assert item.message is not None
        association = item.association
        info = ancillary.rcvinfo(
            to_message(item.message), association.id, association.settings.context, association.core.cumulative_tsn
        )
        if not (self.settings.recvnxtinfo or self.settings.use_ext_rcvinfo) or item.offset < len(item.data):
            return info, None
        following = self.queue.head()
        return info, None if following is None else _next_info(following)

    # --- sending ---

    @abstractmethod
    def send(self, data: bytes) -> int | NotNow:
        """Send a message on the association of a one-to-one socket, as its defaults say. Raises like ``send_on``."""

    def prepare(self, items: Sequence[ancillary.Item]) -> SendOptions:
        """What control messages ask for, with the defaults of the socket. Raises like ``ancillary.parse``."""
        return ancillary.parse(items, self.settings.future)

    def send_message(
        self, data: bytes, items: Sequence[ancillary.Item], options: SendOptions, peer: Peer | None
    ) -> int | NotNow:
        """Send a message with control messages, to a peer or on an association: the id of the association, 0 for all.

        ``options`` are what the control messages say with the defaults of the socket; those of an association may be
        others. Sets an association up if there is none. Raises like ``send_on`` and ``start``.
        """
        self.check_open()
        association = self.destination(options, peer)
        remote = b""
        if association is None:
            assert peer is not None
            association = self._set_up(peer, outgoing(data, options), options)
            if not data and not options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
                return association.id
        else:
            options = ancillary.parse(items, association.settings)
            if peer is not None:
                remote = self.chosen_address(association, peer, options.flags)
        return self.send_on(association, outgoing(data, options, remote))

    @abstractmethod
    def destination(self, options: SendOptions, peer: Peer | None) -> SocketAssociation | None:
        """The association to send on; ``None``: set one up with the peer. ``OSError`` (EPIPE) without both."""

    @abstractmethod
    def chosen_address(self, association: SocketAssociation, peer: Peer, flags: int) -> bytes:
        """The address to send to instead of the primary one, packed; ``b""`` for the primary one."""

    def check_peer_port(self, association: SocketAssociation, peer: Peer) -> None:
        """``OSError`` (EINVAL) for an SCTP port that is not the peer's."""
        port = association.core.peer_port
        if port != peer.port:
            raise OSError(errno.EINVAL, f"the association is with port {port}, not {peer.port}")

    def _set_up(self, peer: Peer, message: Outgoing, options: SendOptions) -> SocketAssociation:
        """Begin an association for a message.

        ``OSError`` if the association could not take the message; ``ConnectError`` if no packet could be sent at all.
        """
        if options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
            raise OSError(errno.EINVAL, "there is no association to end")
        init = options.init
        future = self.settings.future.config
        try:
            config = future if init is None else with_init(future, init)
        except ValueError as error:
            raise OSError(errno.EINVAL, str(error)) from None
        check_first_message(message, config, whole=self.settings.disable_fragments)
        association = self.start(peer, config)
        self.is_up(association)  # Raises if the setup is over already.
        return association

    def send_on(self, association: SocketAssociation, message: Outgoing) -> int | NotNow:
        """Send a message on an association, or end the association as the flags say. The result is its id.

        ``OSError``: EINVAL (SCTP_EOF with data, or no data without one of both flags), EMSGSIZE (too large, or more
        than a packet takes while SCTP_DISABLE_FRAGMENTS is on), EPIPE, ESHUTDOWN.
        """
        port = self.port
        assert port is not None
        now = port.driver.now()
        if message.flags & (c.SCTP_ABORT | c.SCTP_EOF):
            self._end(now, association, message)
        elif not association.send(now, message, self.settings):
            return NotNow(WRITABLE, partial(self._send_again, association, message))
        port.driver.flush()
        return association.core.id

    def _send_again(self, association: SocketAssociation, message: Outgoing) -> int | NotNow:
        """Try to send again. ``OSError`` (EPIPE) if the association belongs to another socket by now."""
        self.check_open()
        if association.socket is not self:
            raise OSError(errno.EPIPE, "the association is another socket's")
        return self.send_on(association, message)

    def _end(self, now: int, association: SocketAssociation, message: Outgoing) -> None:
        """End an association as the flags of a message say: SCTP_EOF, SCTP_ABORT."""
        if message.flags & c.SCTP_ABORT:
            if association.end is not None:
                raise OSError(errno.EPIPE, "the association is over")
            association.abort(now, message.data)
            return
        if message.data:
            raise OSError(errno.EINVAL, "SCTP_EOF goes without data")
        association.check_sendable()
        association.shutdown(now)


def outgoing(data: bytes, options: SendOptions, remote: bytes = b"") -> Outgoing:
    """A message on its way to the core."""
    policy, value = ancillary.core_policy(options.prinfo)
    return Outgoing(
        data, options.stream, options.ppid, options.flags, options.context, remote, policy, value, key=options.key
    )


def _next_info(following: Item) -> NxtInfo:
    if following.notice is not None:
        return ancillary.nxtinfo(following.notice, following.association.id)
    assert following.message is not None
    return ancillary.nxtinfo(to_message(following.message), following.association.id)
