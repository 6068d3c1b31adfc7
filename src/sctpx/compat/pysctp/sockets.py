"""``sctpsocket`` and its two styles.

As in pysctp each *contains* a socket, here a ``sctpx.Socket``, and passes on what it does not have itself. Where pysctp
raises ``IOError`` these raise ``OSError``, which is the same; wrong arguments are a ``ValueError``.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from ...blocking.functions import sctp_recvmsg
from ...blocking.socket import Socket
from ...errors import ConnectInProgress
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.addresses import SocketAddress
from ...sockapi.buffers import Data, to_bytes
from .constants import (
    BINDX_ADD,
    FLAG_EOR,
    FLAG_NOTIFICATION,
    MSG_ABORT,
    MSG_EOF,
    SOL_SCTP,
    TCP_STYLE,
    UDP_STYLE,
    default_backend,
)
from .events import info_values, notification, notification_factory, notification_values, sndrcvinfo
from .fields import fill, pair, to_struct
from .parameters import assocparams, event_subscribe, initparams, paddrinfo, paddrparams, rtoinfo, status

Address: TypeAlias = tuple[str, int]
_REST: Final = 1 << 16


class sctpsocket:
    """An SCTP socket of either style; ``sctpsocket_tcp`` and ``sctpsocket_udp`` are those to use.

    ``sk`` is a ``sctpx.Socket`` to go on with. Attributes that are not here are those of the socket, ``sock()``.
    ``backend`` is who carries the associations, ``"userspace"`` or ``"kernel"``: by default what the environment
    variable SCTPX_BACKEND says, so that a script need not be changed for it, or what ``sctpx.socket`` takes.
    """

    def __init__(
        self,
        family: int,
        style: int,
        sk: Socket | None = None,
        *,
        udp_port: int | None = None,
        peer_udp_port: int | None = None,
        backend: str | None = None,
    ) -> None:
        self._sk = sk or Socket(
            family, style, udp_port=udp_port, peer_udp_port=peer_udp_port, backend=backend or default_backend()
        )
        self._family = family
        self._style = style
        self._ttl = 0
        self._streamid = 0
        self._adaptation = 0
        self.unexpected_event_raises_exception = False
        self.datalogging = False
        self.initparams = initparams(self)
        self.events = event_subscribe(self)

    def sock(self) -> Socket:
        """The socket it contains."""
        return self._sk

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._sk, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sk.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._sk!r}>"

    # --- addresses and associations ---

    def bindx(self, sockaddrs: Sequence[SocketAddress], action: int = BINDX_ADD) -> None:
        """Add or remove (``BINDX_REMOVE``) local addresses. ``ValueError`` for none; raises like ``Socket.bindx``."""
        self._sk.bindx(_several(sockaddrs), action)

    def connectx(self, sockaddrs: Sequence[SocketAddress], assoc_id: MutableMapping[str, int] | None = None) -> None:
        """Associate with a peer through several of its addresses. A mapping gets the id as its item ``assoc_id``.

        It does so also when the socket does not wait and EINPROGRESS is raised. ``ValueError`` for no addresses; raises
        like ``Socket.connectx``.
        """
        try:
            found = self._sk.connectx(_several(sockaddrs))
        except ConnectInProgress as waiting:
            if assoc_id is not None:
                assoc_id["assoc_id"] = waiting.assoc_id
            raise
        if assoc_id is not None:
            assoc_id["assoc_id"] = found

    def getpaddrs(self, assoc_id: int = 0) -> tuple[Address, ...]:
        """The peer's addresses. Raises like ``Socket.getpaddrs``."""
        return tuple(map(pair, self._sk.getpaddrs(assoc_id)))

    def getladdrs(self, assoc_id: int = 0) -> tuple[Address, ...]:
        """Our addresses; the wildcard before the socket has any. Raises like ``Socket.getladdrs``."""
        return tuple(map(pair, self._sk.getladdrs(assoc_id) or [self._sk.getsockname()]))

    def peeloff(self, assoc_id: int) -> sctpsocket_tcp:
        """An association as a socket of its own. Raises like ``Socket.peeloff``."""
        return sctpsocket_tcp(self._family, self._sk.peeloff(assoc_id))

    def accept(self) -> tuple[sctpsocket_tcp, Address]:
        """The next association that a peer set up, and the peer's address. Raises like ``Socket.accept``."""
        sk, address = self._sk.accept()
        return sctpsocket_tcp(self._family, sk), pair(address)

    def set_primary(self, assoc_id: int, addr: SocketAddress) -> None:
        """Send to this address of the peer. ``OSError`` (EINVAL): it is none, or not confirmed."""
        self._check_id(assoc_id)
        self._set(c.SCTP_PRIMARY_ADDR, s.SetPrim(ssp_assoc_id=assoc_id, ssp_addr=addr))

    def set_peer_primary(self, assoc_id: int, addr: SocketAddress) -> None:
        """Ask the peer to send to this address of ours. ``OSError``: EADDRNOTAVAIL (it is none), EOPNOTSUPP (the peer
        cannot be asked: both sides have to speak RFC 5061)."""
        self._check_id(assoc_id, needed=False)
        self._set(c.SCTP_SET_PEER_PRIMARY_ADDR, s.SetPeerPrim(sspp_assoc_id=assoc_id, sspp_addr=addr))

    def _check_id(self, assoc_id: int, *, needed: bool = True) -> None:
        if self._style == TCP_STYLE and assoc_id:
            raise ValueError("a TCP-style socket has one association: its assoc_id is 0")
        if self._style == UDP_STYLE and not assoc_id and needed:
            raise ValueError("a UDP-style socket needs an assoc_id")

    # --- messages ---

    def sctp_send(
        self,
        msg: Data | str,
        to: SocketAddress | int = ("", 0),
        ppid: int | None = None,
        flags: int = 0,
        stream: int | None = None,
        timetolive: int | None = None,
        context: int = 0,
        record_file_prefix: str = "RECORD_sctp_traffic",
        datalogging: bool = False,
    ) -> int:
        """Send a message: how many bytes. ``to`` is an address of the peer, or the id of an association.

        ``ppid`` is in network byte order, ``flags`` are ``MSG_*``. Text is sent as UTF-8. ``ValueError`` for an empty
        message without MSG_EOF or MSG_ABORT; raises like ``Socket.sendmsg``.
        """
        data = msg.encode() if isinstance(msg, str) else to_bytes(msg)
        if not data and not flags & (MSG_EOF | MSG_ABORT):
            raise ValueError("an empty message takes MSG_EOF or MSG_ABORT")
        if datalogging or self.datalogging:
            _record(data, record_file_prefix)
        info = s.SndRcvInfo(
            sinfo_stream=self._streamid if stream is None else stream,
            sinfo_flags=flags,
            sinfo_ppid=socket.ntohl(self._adaptation if ppid is None else ppid),
            sinfo_context=context,
            sinfo_timetolive=self._ttl if timetolive is None else timetolive,
            sinfo_assoc_id=to if isinstance(to, int) else 0,
        )
        address = None if isinstance(to, int) or not to[0] else to
        return self._sk.sendmsg([data], [(c.IPPROTO_SCTP, c.SCTP_SNDRCV, info)], 0, address)

    def sctp_recv(self, maxlen: int) -> tuple[Address | None, int, bytes | None, Any]:
        """``(address, flags, message, notification)`` of what is next: ``flags`` has FLAG_NOTIFICATION or not.

        Of a message that is a ``sndrcvinfo``, and of a notification the message is ``None``. An empty message is the
        end of the association. Raises like ``Socket.recv``.
        """
        data, source, info, flags = sctp_recvmsg(self._sk, maxlen)
        address = None if source is None else pair(source)
        if not flags & FLAG_NOTIFICATION:
            return address, flags, data, sndrcvinfo(info_values(info))
        while not flags & FLAG_EOR:  # It was longer than maxlen, and is understood only as a whole.
            more, _, _, flags = sctp_recvmsg(self._sk, _REST)
            data += more
        found = notification_factory(notification_values(s.unpack_notification(data)))
        if type(found) is notification and self.unexpected_event_raises_exception:
            raise OSError(errno.EPROTO, f"a notification of the unknown type {found.type:#x}")
        return address, flags, None, found

    # --- options ---

    def _get(self, option: int, asked: s.Struct | None = None) -> Any:
        return self._sk.getsockopt(SOL_SCTP, option, asked)

    def _set(self, option: int, value: s.Struct | int) -> None:
        self._sk.setsockopt(SOL_SCTP, option, value)

    def get_nodelay(self) -> bool:
        """Whether small messages go out at once."""
        return bool(self._get(c.SCTP_NODELAY))

    def set_nodelay(self, rvalue: int) -> None:
        """Send small messages at once, or wait for more."""
        self._set(c.SCTP_NODELAY, int(rvalue))

    def get_adaptation(self) -> int:
        """The adaptation layer indication for associations to come."""
        found: int = self._get(c.SCTP_ADAPTATION_LAYER).ssb_adaptation_ind
        return found

    def set_adaptation(self, rvalue: int) -> None:
        """Set the adaptation layer indication, which is the PPID of messages sent without one, too."""
        self._set(c.SCTP_ADAPTATION_LAYER, s.SetAdaptation(ssb_adaptation_ind=rvalue))
        self._adaptation = rvalue

    def get_sndbuf(self) -> int:
        """The size of the send buffer, bytes."""
        return int(self._sk.getsockopt(c.SOL_SOCKET, c.SO_SNDBUF))

    def set_sndbuf(self, rvalue: int) -> None:
        """Set the size of the send buffer; the getter gives the same number."""
        self._sk.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, rvalue)

    def get_rcvbuf(self) -> int:
        """The size of the receive buffer, bytes."""
        return int(self._sk.getsockopt(c.SOL_SOCKET, c.SO_RCVBUF))

    def set_rcvbuf(self, rvalue: int) -> None:
        """Set the size of the receive buffer; the getter gives the same number."""
        self._sk.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, rvalue)

    def get_disable_fragments(self) -> bool:
        """Whether messages larger than a packet are refused."""
        return bool(self._get(c.SCTP_DISABLE_FRAGMENTS))

    def set_disable_fragments(self, rvalue: int) -> None:
        """Refuse messages larger than a packet, or cut them."""
        self._set(c.SCTP_DISABLE_FRAGMENTS, int(rvalue))

    def get_mappedv4(self) -> bool:
        """Whether IPv4 addresses are told as IPv6 ones."""
        return bool(self._get(c.SCTP_I_WANT_MAPPED_V4_ADDR))

    def set_mappedv4(self, rvalue: int) -> None:
        """Tell IPv4 addresses as IPv6 ones, or not. ``OSError`` (EINVAL) on a socket of family AF_INET."""
        self._set(c.SCTP_I_WANT_MAPPED_V4_ADDR, int(rvalue))

    def get_maxseg(self) -> int:
        """Bytes of user data in a DATA chunk, at the most; 0 for what the path takes."""
        return int(self._get(c.SCTP_MAXSEG).assoc_value)

    def set_maxseg(self, rvalue: int) -> None:
        """Set how many bytes of user data a DATA chunk has at the most; 0 for what the path takes."""
        self._set(c.SCTP_MAXSEG, s.AssocValue(assoc_value=rvalue))

    def get_autoclose(self) -> int:
        """Seconds until an idle association is shut down; 0 for never."""
        return int(self._get(c.SCTP_AUTOCLOSE))

    def set_autoclose(self, rvalue: int) -> None:
        """Set after how many seconds an idle association is shut down; 0 for never."""
        self._set(c.SCTP_AUTOCLOSE, rvalue)

    def get_ttl(self) -> int:
        """The time to live of messages sent without one, ms; 0 for no limit."""
        return self._ttl

    def set_ttl(self, newVal: int) -> None:
        """Set the time to live of messages sent without one. ``ValueError`` unless it is between 0 and 255."""
        self._ttl = _checked(newVal, 255, "time to live")

    def get_streamid(self) -> int:
        """The stream of messages sent without one."""
        return self._streamid

    def set_streamid(self, newVal: int) -> None:
        """Set the stream of messages sent without one. ``ValueError`` unless it is between 0 and 65535."""
        self._streamid = _checked(newVal, 65535, "stream")

    nodelay = property(get_nodelay, set_nodelay)
    adaptation = property(get_adaptation, set_adaptation)
    disable_fragments = property(get_disable_fragments, set_disable_fragments)
    mappedv4 = property(get_mappedv4, set_mappedv4)
    maxseg = property(get_maxseg, set_maxseg)
    autoclose = property(get_autoclose, set_autoclose)
    ttl = property(get_ttl, set_ttl)
    streamid = property(get_streamid, set_streamid)

    # --- parameters of associations ---

    def get_status(self, assoc_id: int = 0) -> status:
        """An association as it is. ``ValueError``: an id on a TCP-style socket, none on a UDP-style one."""
        self._check_id(assoc_id)
        found = status()
        fill(found, self._get(c.SCTP_STATUS, s.Status(sstat_assoc_id=assoc_id)))
        return found

    def get_paddrinfo(self, assoc_id: int, sockaddr: SocketAddress) -> paddrinfo:
        """An address of the peer as it is. ``ValueError`` as ``get_status``; ``OSError`` (EINVAL) if it is none."""
        self._check_id(assoc_id)
        found = paddrinfo()
        found.assoc_id, found.sockaddr = assoc_id, sockaddr
        fill(found, self._get(c.SCTP_GET_PEER_ADDR_INFO, to_struct(s.PaddrInfo, found)))
        return found

    def get_paddrparams(self, assoc_id: int, sockaddr: SocketAddress) -> paddrparams:
        """The parameters of the path to an address of the peer. Raises like ``get_paddrinfo``."""
        self._check_id(assoc_id)
        found = paddrparams()
        found.assoc_id, found.sockaddr = assoc_id, sockaddr
        fill(found, self._get(c.SCTP_PEER_ADDR_PARAMS, to_struct(s.PaddrParams, found)))
        # pysctp knows neither DSCP nor flow label: what is set with these values again leaves both as they are.
        found.flags &= ~(c.SPP_DSCP | c.SPP_IPV6_FLOWLABEL)
        return found

    def set_paddrparams(self, o: paddrparams) -> None:
        """Set the parameters of a path: best those that ``get_paddrparams`` gave, with changes."""
        self._set(c.SCTP_PEER_ADDR_PARAMS, to_struct(s.PaddrParams, o))

    def get_assocparams(self, assoc_id: int = 0) -> assocparams:
        """The parameters of an association; with 0, on a UDP-style socket, of those to come."""
        found = assocparams()
        fill(found, self._get(c.SCTP_ASSOCINFO, s.AssocParams(sasoc_assoc_id=assoc_id)))
        return found

    def set_assocparams(self, o: assocparams) -> None:
        """Set the parameters of the association ``o.assoc_id``."""
        self._set(c.SCTP_ASSOCINFO, to_struct(s.AssocParams, o))

    def get_rtoinfo(self, assoc_id: int = 0) -> rtoinfo:
        """The retransmission timeouts of an association; with 0, on a UDP-style socket, of those to come."""
        found = rtoinfo()
        fill(found, self._get(c.SCTP_RTOINFO, s.RtoInfo(srto_assoc_id=assoc_id)))
        return found

    def set_rtoinfo(self, o: rtoinfo) -> None:
        """Set the retransmission timeouts of the association ``o.assoc_id``."""
        self._set(c.SCTP_RTOINFO, to_struct(s.RtoInfo, o))


class sctpsocket_tcp(sctpsocket):
    """A socket with one association, as TCP has them (SOCK_STREAM). Where methods take an id it is 0."""

    def __init__(self, family: int, sk: Socket | None = None, **options: Any) -> None:
        super().__init__(family, TCP_STYLE, sk, **options)

    def peeloff(self, *params: Any) -> sctpsocket_tcp:
        """``OSError``: not with this style."""
        raise OSError(errno.EINVAL, "a TCP-style socket has nothing to peel off")

    def get_autoclose(self) -> int:
        """``OSError``: not with this style."""
        raise OSError(errno.EOPNOTSUPP, "a TCP-style socket has no autoclose")

    def set_autoclose(self, rvalue: int) -> None:
        """``OSError``: not with this style."""
        raise OSError(errno.EOPNOTSUPP, "a TCP-style socket has no autoclose")


class sctpsocket_udp(sctpsocket):
    """A socket with any number of associations, told apart by their ids (SOCK_SEQPACKET)."""

    def __init__(self, family: int, sk: Socket | None = None, **options: Any) -> None:
        super().__init__(family, UDP_STYLE, sk, **options)

    def accept(self, *params: Any) -> tuple[sctpsocket_tcp, Address]:
        """``OSError``: not with this style."""
        raise OSError(errno.EOPNOTSUPP, "a UDP-style socket accepts associations by itself")


def _several(sockaddrs: Sequence[SocketAddress]) -> list[SocketAddress]:
    if not sockaddrs:
        raise ValueError("no addresses")
    return list(sockaddrs)


def _checked(value: Any, largest: int, what: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= largest:
        raise ValueError(f"a {what} is between 0 and {largest}")
    return value


def _record(data: bytes, prefix: str) -> None:
    """Write a message to the first file of this second that is not there yet."""
    number = 1
    while (path := Path(f"{prefix}-{datetime.now():%Y%m%d%H%M%S}-c2s.{number}")).exists():
        number += 1
    path.write_bytes(data)
