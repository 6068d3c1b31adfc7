"""``KernelSocket``: the ``SocketBackend`` over a socket of the kernel, with the calls for messages.

Its calls try. The descriptor never blocks: the kernel says EAGAIN, and whoever made the call waits with ``waiting``.
SCTP_RECVRCVINFO is always on, so that what is known of a message can be told whether the user asked for it or not.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, final

from ..core.config import AssociationConfig
from ..errors import AssociationAborted
from ..sockapi import ancillary
from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress, check_port
from ..sockapi.messaging import Received
from ..sockapi.not_now import UNTIL_READABLE, UNTIL_WRITABLE, NotNow
from ..sockapi.peer import Peer
from ..sockapi.structs import Event, NxtInfo, RcvInfo, RecvvRn, Struct, UdpEncaps
from . import parameters, system
from .failures import loss
from .received import FLAGS, Control, KernelPiece, infos, notification
from .sending import KernelSending, more_addresses, prepare
from .setting_up import Encapsulated, SettingUp

_CONTROL_ROOM: Final = 512
_WHOLE: Final = 1 << 17
"""More than a notification has."""
_STYLES: Final = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
_SOCK_NONBLOCK: Final = getattr(socket, "SOCK_NONBLOCK", 0)
_TYPE_FLAGS: Final = _SOCK_NONBLOCK | getattr(socket, "SOCK_CLOEXEC", 0)


_END: Final = KernelPiece(b"", 0, None, (), None)
"""Nothing will come any more."""


def _is_end(read: tuple[bytes, list[Control], int, Any]) -> bool:
    """The peer has sent everything. Of a message the kernel tells the address, even if it is empty."""
    data, _, told, address = read
    return not data and not told & (c.MSG_EOR | c.MSG_NOTIFICATION) and not address


@final
class KernelSocket(SettingUp):
    """A socket of the kernel."""

    def __init__(self, sock: socket.socket, timeout: float | None = None, peeled: int = 0) -> None:
        super().__init__(sock, timeout, peeled)
        self._rest = b""  # Of a notification of which a part was read.
        self._notice: Any = None

    # --- receiving ---

    def receive(self, limit: int, flags: int = 0) -> KernelPiece | NotNow:
        """Up to ``limit`` bytes of the next message or notification.

        ``OSError``: ENOTCONN, ECONNRESET, ETIMEDOUT. An association that ended abruptly raises that once, and ENOTCONN
        from then on: an end of file promises that nothing is missing.
        """
        self.check_open()
        if limit < 0:
            raise ValueError("negative buffersize")
        read = self._read(limit, flags)
        over = (read is None or _is_end(read)) and not self.one_to_many and not self.alive()
        if over:
            read = self._read(limit, flags)  # It may just have ended, and the last notification has come since.
            if read is None:
                return self._gone()
        if read is None:
            return UNTIL_READABLE
        data, control, told, address = read
        if told & c.MSG_NOTIFICATION:
            return self._notification(data, told & FLAGS, address, flags & c.MSG_PEEK)
        if _is_end(read):
            return self._at_end(over)
        return KernelPiece(data, told & FLAGS, address or None, tuple(control), None)

    def _read(self, limit: int, flags: int) -> tuple[bytes, list[Control], int, Any] | None:
        try:
            return self.sock.recvmsg(limit, _CONTROL_ROOM, flags | c.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._told(error) from None

    def _at_end(self, over: bool) -> KernelPiece | NotNow:
        """The peer has sent everything, and if ``over``, there is no association any more.

        A reader that subscribed to that is told first that the association is over.
        """
        if self.lost:
            raise OSError(errno.ENOTCONN, "the association is over")
        asked = Event(se_type=c.SCTP_ASSOC_CHANGE)
        alive = not over and not self.one_to_many
        self.half_closed = alive and bool(self.get_option(c.IPPROTO_SCTP, c.SCTP_EVENT, asked).se_on)
        return UNTIL_READABLE if self.half_closed else _END

    def _gone(self) -> KernelPiece:
        """There is no association, and the kernel has no error: it ended gracefully, or somebody was told how it ended.

        Linux forgets the error of an association also when it looks for what follows a message (SCTP_RECVNXTINFO).
        """
        if self.lost or not self.had_association:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        if self.get_option(c.IPPROTO_SCTP, c.SCTP_RECVNXTINFO):
            self.lost = True
            raise AssociationAborted("the association is over, and with SCTP_RECVNXTINFO the kernel does not tell how")
        return _END

    def _notification(self, data: bytes, flags: int, address: Any, peek: int) -> KernelPiece:
        """A notification, or a part of one, of which the whole is told nevertheless."""
        rest, notice = self._rest, self._notice
        if not rest:
            whole = data
            if not flags & c.MSG_EOR:
                whole = self._ahead() if peek else data + self._ahead()
            notice = notification(whole)
            rest = whole if notice is None else notice.pack()
        if not peek:
            self._rest = b"" if flags & c.MSG_EOR else rest[len(data) :]
            self._notice = notice if self._rest else None
        return KernelPiece(rest[: len(data)], flags, address or None, (), notice)

    def _ahead(self) -> bytes:
        """What is there to read, which stays there."""
        return self.sock.recvmsg(_WHOLE, 0, c.MSG_PEEK | c.MSG_DONTWAIT)[0]

    def _told(self, error: OSError) -> OSError:
        """An error of the kernel as sctpx raises it."""
        found = loss(error.errno or 0)
        if found is None:
            return error
        self.lost = not self.one_to_many
        return found

    def source(self, piece: KernelPiece) -> SocketAddress | None:
        """The address of the peer that a message came from; ``None`` at the end."""
        return piece.address

    def control_messages(self, piece: KernelPiece, room: int) -> tuple[list[tuple[int, int, bytes]], int]:
        """What is asked for beside a message, in so many bytes; MSG_CTRUNC if more is known."""
        items: list[tuple[int, int, Struct]] = [
            (c.IPPROTO_SCTP, number, value)
            for number, value in infos(piece.control).items()
            if number != c.SCTP_RCVINFO or self.recvrcvinfo
        ]
        packed, cut = ancillary.pack(items, room)
        return packed, c.MSG_CTRUNC if cut else 0

    def received(self, piece: KernelPiece) -> Received:
        """A message or notification with what is asked for beside it in one struct."""
        found = infos(piece.control)
        info, following = found.get(c.SCTP_RCVINFO), found.get(c.SCTP_NXTINFO)
        kind, value = c.SCTP_RECVV_NOINFO, None
        if isinstance(info, RcvInfo) and self.recvrcvinfo:
            kind, value = c.SCTP_RECVV_RCVINFO, info
        told: Struct | None = value
        if isinstance(following, NxtInfo):
            if value is not None:
                kind, told = c.SCTP_RECVV_RN, RecvvRn(recvv_rcvinfo=value, recvv_nxtinfo=following)
            else:
                kind, told = c.SCTP_RECVV_NXTINFO, following
        return Received(piece.data, piece.address, kind, told, piece.flags, piece.notice)

    def rcvinfo(self, piece: KernelPiece) -> RcvInfo | None:
        """What is known of a message, whether asked for or not; ``None`` for a notification, and at the end."""
        info = infos(piece.control).get(c.SCTP_RCVINFO)
        return info if isinstance(info, RcvInfo) else None

    # --- sending ---

    def prepare(self, items: Sequence[ancillary.Item]) -> KernelSending:
        """What control messages ask for. ``OSError`` (EINVAL) if one is none."""
        return prepare(items)

    def send(self, data: bytes) -> int | NotNow:
        """Send a message on the association of a one-to-one socket, as its defaults say."""
        self.check_open()
        if self.one_to_many:
            raise OSError(errno.EPIPE, "a one-to-many socket sends to an address or on an association")
        if not data:
            raise OSError(errno.EINVAL, "a message has at least one byte")
        return self._send(data, (), None)

    def send_message(
        self, data: bytes, items: Sequence[ancillary.Item], options: KernelSending, peer: Peer | None
    ) -> int | NotNow:
        """Send a message with control messages, to a peer or on an association: the association's id, 0 for all."""
        self.check_open()
        if not data and not options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
            raise OSError(errno.EINVAL, "a message has at least one byte")
        control = options.control
        if not (self.one_to_many or self.peeled) and options.flags & (c.SCTP_EOF | c.SCTP_ABORT):
            return self._end(data, options.flags)
        if peer is None:
            if self.one_to_many and not options.assoc_id and not options.flags & c.SCTP_SENDALL:
                raise OSError(errno.EPIPE, "neither an address nor an association to send to")
            result = self._send(data, control, None)
        else:
            result = self._send_to(data, control, peer)
        if isinstance(result, NotNow):
            return result
        return self._id_of(options, peer)

    def _end(self, data: bytes, flags: int) -> int:
        """The flags of a message end the association of a one-to-one socket, which the kernel does by other calls."""
        if flags & c.SCTP_ABORT:
            text = "the kernel aborts the association of a one-to-one socket only when it is closed"
            raise OSError(errno.EOPNOTSUPP, f"{text}: SO_LINGER on, with l_linger 0, and close")
        if data:
            raise OSError(errno.EINVAL, "SCTP_EOF goes without data")
        assoc_id = self.own_id()
        if not assoc_id:
            raise OSError(errno.EPIPE, "the socket is not connected")
        self.shutdown(read=False, write=True)
        return assoc_id

    def _send_to(self, data: bytes, control: tuple[Any, ...], peer: Peer) -> int | NotNow:
        """Send to a peer. A list is there to set an association up, and chooses nothing on one that is there."""
        ips = [address.ip for address in peer.addresses]
        if len(ips) > 1 and not self.one_to_many and self.own_id():
            return self._send(data, control, None)
        with Encapsulated(self, peer):
            more = tuple(more_addresses(ips[1:]))
            return self._send(data, control + more, self._endpoint_address(ips[0], peer.port))

    def _send(self, data: bytes, control: tuple[Any, ...], address: Any) -> int | NotNow:
        flags = c.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        try:
            if address is None:
                return self.sock.sendmsg([data], control, flags)
            return self.sock.sendmsg([data], control, flags, address)
        except BlockingIOError:
            return UNTIL_WRITABLE
        except OSError as error:
            raise self._told(error) from None

    def _id_of(self, options: KernelSending, peer: Peer | None) -> int:
        """The association that a message went out on; 0 for all, and if it is over already."""
        if options.flags & c.SCTP_SENDALL:
            return 0
        if options.assoc_id and self.one_to_many:
            return options.assoc_id
        if not self.one_to_many:
            return self.own_id()
        with suppress(OSError):
            assert peer is not None
            return self.find_peer(peer.addresses[0].ip, peer.port)
        return 0


def open_kernel_socket(
    family: int,
    kind: int,
    proto: int,
    udp_port: int | None,
    peer_udp_port: int | None,
    config: AssociationConfig | None,
) -> KernelSocket:
    """A new socket of the kernel, for the arguments of ``Socket``. ``OSError`` as that says."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise OSError(errno.EAFNOSUPPORT, f"address family {family}")
    if kind & ~_TYPE_FLAGS not in _STYLES:
        raise OSError(errno.EINVAL, f"an SCTP socket is SOCK_STREAM or SOCK_SEQPACKET, not {kind}")
    if proto not in (0, c.IPPROTO_SCTP):
        raise OSError(errno.EPROTONOSUPPORT, f"protocol {proto}")
    if udp_port is not None:
        check_port(udp_port, "UDP port", lowest=0)
        text = "the kernel has one UDP port for all its sockets, which `sysctl net.sctp.udp_port=9899` opens"
        raise OSError(errno.EOPNOTSUPP, f"udp_port={udp_port}: {text}")
    if peer_udp_port is not None:
        check_port(peer_udp_port, "UDP port", lowest=0)
    wanted = [] if config is None else parameters.settings(config)
    state = KernelSocket(system.open_socket(family, kind & ~_TYPE_FLAGS), 0.0 if kind & _SOCK_NONBLOCK else None)
    try:
        _begin(state, wanted, peer_udp_port)
    except BaseException:
        state.sock.close()
        raise
    return state


def _begin(state: KernelSocket, wanted: list[parameters.Setting], peer_udp_port: int | None) -> None:
    """What is set on every new socket: the defaults that sctpx has, and what the caller asked for."""
    state.sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
    if state.family == socket.AF_INET6:
        state.set_option(c.IPPROTO_SCTP, c.SCTP_I_WANT_MAPPED_V4_ADDR, 0)
    if state.one_to_many:
        state.set_option(c.IPPROTO_SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 1)
    for level, name, value in wanted:
        state.set_option(level, name, value)
    if peer_udp_port is not None and peer_udp_port != state.peer_udp_port:
        state.set_option(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, UdpEncaps(sue_port=peer_udp_port))
