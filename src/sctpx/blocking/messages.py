"""Sending and receiving: what a ``Socket`` does with messages (RFC 6458 sections 3.1.4, 4.1.8, 7.1, 9.12 and 9.13).

Arguments are checked and names resolved here, before the lock is taken; what happens under it is in ``description``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..sockapi import ancillary
from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress, socket_address
from ..sockapi.ancillary import SendOptions
from ..sockapi.attached import Attached, Outgoing
from ..sockapi.buffers import Data, held_by, to_bytes
from ..sockapi.delivery import Item, Piece
from ..sockapi.one_to_many import OneToMany
from ..sockapi.one_to_one import OneToOne
from ..sockapi.peer import Peer
from ..sockapi.receive import to_message
from ..sockapi.settings import with_init
from ..sockapi.structs import Notification, NxtInfo, RcvInfo, Struct
from .addresses import Addresses, HostPort, listed, resolve_peer, single
from .description import Description, closed_error
from .hub import hub


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


class Sent(NamedTuple):
    """What ``sendv`` gives."""

    length: int
    """Bytes sent."""
    assoc_id: int
    """The association it went out on; 0 for all (SCTP_SENDALL)."""


class Messages:
    """The calls of a socket that send and receive."""

    _description: Description

    def _check_open(self) -> None:
        if self._description.closed:
            raise closed_error()

    def _resolve(self, addresses: Sequence[HostPort]) -> Peer:
        """The addresses of a peer, with the UDP ports it is reached at."""
        description = self._description
        return resolve_peer(addresses, description.family, description.style.settings.future.encaps_port)

    def _address_of(self, association: Attached) -> SocketAddress:
        return self._address(association.source(), association.core.peer_port)

    def _address(self, ip: bytes, port: int) -> SocketAddress:
        style = self._description.style
        return socket_address(ip, port, style.ipv6 and style.settings.mapped_v4)

    # --- sending ---

    def send(self, data: Data, flags: int = 0) -> int:
        """Send one message on the association of a one-to-one socket. Waits while the send buffer is full.

        ``OSError``: EPIPE (no association, or this side has ended it), ESHUTDOWN (the peer has), ECONNRESET, EINVAL (no
        data), EMSGSIZE, EAGAIN.
        """
        data = to_bytes(data)
        with hub.lock:
            description = self._description
            description.check_open()
            style = description.style
            if not isinstance(style, OneToOne):
                raise OSError(errno.EPIPE, "a one-to-many socket sends to an address or on an association")
            association = style.destination()
            info = association.settings.sndinfo
            message = Outgoing(data, info.snd_sid, info.snd_ppid, info.snd_flags, info.snd_context, b"")
            description.send(association, message, flags)
        return len(data)

    def sendall(self, data: Data, flags: int = 0) -> None:
        """The same as ``send``: messages are sent whole."""
        self.send(data, flags)

    def sendto(self, data: Data, *arguments: Any) -> int:
        """``sendto(data, address)`` or ``sendto(data, flags, address)``: send a message to a peer.

        Sets an association up if there is none. Raises like ``send`` and, for the address, like ``connectx``.
        """
        if not 1 <= len(arguments) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments, not {1 + len(arguments)}")
        *rest, address = arguments
        return self._send(to_bytes(data), (), single(address), rest[0] if rest else 0).length

    def sendmsg(
        self,
        buffers: Iterable[Data],
        ancdata: Iterable[ancillary.Item] = (),
        flags: int = 0,
        address: HostPort | None = None,
    ) -> int:
        """Send one message made of several buffers, with ancillary data: bytes, or structs of ``sctpx.structs``.

        Raises like ``sendto``; EINVAL and EOPNOTSUPP for ancillary data that is wrong or needs an extension.
        """
        to = () if address is None else single(address)
        return self._send(_joined(buffers), tuple(ancdata), to, flags).length

    def sendv(
        self,
        buffers: Data | Iterable[Data],
        addresses: Addresses | None = None,
        info: Struct | Data | None = None,
        infotype: int | None = None,
        flags: int = 0,
        addrcnt: int | None = None,
    ) -> Sent:
        """Send one message, with its attributes in one struct (RFC 6458 section 9.12): how long it was, and on which
        association.

        ``addresses`` set up an association, or are one to send to (SCTP_ADDR_OVER). Raises like ``sendmsg``.
        """
        to = () if addresses is None else listed(addresses, addrcnt)
        return self._send(_joined(buffers), tuple(ancillary.from_sendv(info, infotype)), to, flags)

    def _send(self, data: bytes, items: Sequence[ancillary.Item], to: Sequence[HostPort], flags: int) -> Sent:
        self._check_open()
        # A wrong item raises before anything is resolved.
        options = ancillary.parse(items, self._description.style.settings.future)
        port = to[0][1] if to else 0
        to = [*to, *((_text(ip), port) for ip in options.addresses)]
        peer = self._resolve(to) if to else None
        with hub.lock:
            description = self._description
            description.check_open()
            style = description.style
            if options.flags & c.SCTP_SENDALL and isinstance(style, OneToMany):
                description.send_to_all(style, _outgoing(data, options, b""), flags)
                return Sent(len(data), 0)
            association = self._destination(style, options, peer)
            if association is None:
                assert peer is not None
                association = self._start(peer, options)
                if not data and not options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
                    return Sent(0, association.id)
                remote = b""
            else:
                options = ancillary.parse(items, association.settings)
                remote = b""
                if peer is not None and (not style.one_to_many or options.flags & c.SCTP_ADDR_OVER):
                    remote = self._other_destination(association, peer, one_to_many=style.one_to_many)
            description.send(association, _outgoing(data, options, remote), flags)
            return Sent(len(data), association.id)

    @staticmethod
    def _other_destination(association: Attached, peer: Peer, *, one_to_many: bool) -> bytes:
        """The address to send to instead of the primary one; ``b""`` for that.

        A list is there to set an association up (sections 9.11 and 9.12): on a one-to-one socket that has one, it
        chooses nothing. ``OSError`` (EINVAL): a port that is not the peer's.
        """
        if association.core.peer_port != peer.port:
            raise OSError(errno.EINVAL, f"the association is with port {association.core.peer_port}, not {peer.port}")
        return peer.addresses[0].ip if one_to_many or len(peer.addresses) == 1 else b""

    @staticmethod
    def _destination(style: OneToOne | OneToMany, options: SendOptions, peer: Peer | None) -> Attached | None:
        """The association to send on; ``None`` if one is to be set up."""
        if isinstance(style, OneToOne):
            if style.association is None and not style.backlog and peer is not None:
                return None
            return style.destination()
        if options.assoc_id:
            return style.find_to_send(options.assoc_id)
        if peer is None:
            raise OSError(errno.EPIPE, "neither an address nor an association to send to")
        for address in peer.addresses:
            # The peer may not have kept the first one.
            association = style.find_by_address(address.ip, peer.port)
            if association is not None:
                return association
        return None

    def _start(self, peer: Peer, options: SendOptions) -> Attached:
        if options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
            raise OSError(errno.EINVAL, "there is no association to end")
        init = options.init
        future = self._description.style.settings.future.config
        try:
            config = future if init is None else with_init(future, init)
        except ValueError as error:
            raise OSError(errno.EINVAL, str(error)) from None
        return self._description.start(peer, config)

    # --- receiving ---

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Up to ``bufsize`` bytes of the next message; ``b""`` when the peer has ended the association.

        The rest of a longer message comes with the next call. ``OSError``: ENOTCONN, ECONNRESET, ETIMEDOUT, EAGAIN.
        """
        return self._receive(bufsize, flags).data

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:
        """Like ``recv``, into a buffer: how many bytes."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, SocketAddress | None]:
        """Like ``recv``, with the address of the peer that the message came from; ``None`` with the end."""
        piece = self._receive(bufsize, flags)
        return piece.data, self._source(piece)

    def recvfrom_into(
        self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0
    ) -> tuple[int, SocketAddress | None]:
        """Like ``recvfrom``, into a buffer: how many bytes, and the address."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("a buffer that can be written to, not a read-only one")
        piece = self._receive(min(nbytes or len(view), len(view)), flags)
        view[: len(piece.data)] = piece.data
        return len(piece.data), self._source(piece)

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, SocketAddress | None]:
        """``(data, ancdata, flags, address)``: flags tell MSG_EOR, MSG_NOTIFICATION and MSG_CTRUNC.

        Ancillary data comes as its structs in C, as many as ``ancbufsize`` bytes have room for, control headers
        included.
        """
        with hub.lock:
            piece = self._receive_locked(bufsize, flags)
            item = piece.item
            if item is None or item.message is None:
                return piece.data, [], piece.flags, self._source(piece)
            settings = self._description.style.settings
            if not settings.wants_ancillary(item.association.settings):
                return piece.data, [], piece.flags, self._source(piece)
            info, following = self._infos(piece)
            items = ancillary.received(settings, item.association.settings, info, following)
            packed, cut = ancillary.pack(items, ancbufsize)
            return piece.data, packed, piece.flags | (c.MSG_CTRUNC if cut else 0), self._source(piece)

    def recvv(self, bufsize: int, flags: int = 0) -> Received:
        """The next message or notification with its attributes in one struct (RFC 6458 section 9.13)."""
        with hub.lock:
            piece = self._receive_locked(bufsize, flags)
            item = piece.item
            if item is None:
                return Received(piece.data, None, c.SCTP_RECVV_NOINFO, None, piece.flags)
            if item.notice is not None:
                return Received(piece.data, self._source(piece), c.SCTP_RECVV_NOINFO, None, piece.flags, item.notice)
            infotype, info = ancillary.recvv(self._description.style.settings, *self._infos(piece))
            return Received(piece.data, self._source(piece), infotype, info, piece.flags)

    def received_info(self, bufsize: int, flags: int = 0) -> tuple[Piece, RcvInfo | None, SocketAddress | None]:
        """What ``sctp_recvmsg`` is made of: a piece, what is known of it whether asked for or not, and the address."""
        with hub.lock:
            piece = self._receive_locked(bufsize, flags)
            info = self._infos(piece)[0] if piece.item is not None and piece.item.message is not None else None
            return piece, info, self._source(piece)

    def _receive(self, bufsize: int, flags: int) -> Piece:
        with hub.lock:
            return self._receive_locked(bufsize, flags)

    def _receive_locked(self, bufsize: int, flags: int) -> Piece:
        if bufsize < 0:
            raise ValueError("negative buffersize")
        self._description.check_open()
        return self._description.receive(bufsize, flags)

    def _source(self, piece: Piece) -> SocketAddress | None:
        item = piece.item
        if item is None:
            return None
        return self._address(item.source or item.association.source(), item.association.core.peer_port)

    def _infos(self, piece: Piece) -> tuple[RcvInfo, NxtInfo | None]:
        """What is known of a message, and of what follows it."""
        item = piece.item
        assert item is not None
        assert item.message is not None
        association = item.association
        info = ancillary.rcvinfo(
            to_message(item.message), association.id, association.settings.context, association.core.cumulative_tsn
        )
        settings = self._description.style.settings
        if not (settings.recvnxtinfo or settings.use_ext_rcvinfo) or item.offset < len(item.data):
            return info, None
        following = self._description.style.queue.head()
        return info, None if following is None else _next_info(following)


def _joined(buffers: Data | Iterable[Data]) -> bytes:
    whole = held_by(buffers)
    if whole is not None:
        return whole
    several: Any = buffers
    return b"".join([to_bytes(buffer) for buffer in several])


def _outgoing(data: bytes, options: SendOptions, remote: bytes) -> Outgoing:
    return Outgoing(data, options.stream, options.ppid, options.flags, options.context, remote)


def _text(ip: bytes) -> str:
    return socket_address(ip, 0)[0]


def _next_info(following: Item) -> NxtInfo:
    if following.notice is not None:
        return ancillary.nxtinfo(following.notice, following.association.id)
    assert following.message is not None
    return ancillary.nxtinfo(to_message(following.message), following.association.id)
