"""The functions of RFC 6458 section 9, under their own names, for a socket or its descriptor.

Where C fills what a pointer points to, these return it; where C returns -1, an ``OSError`` with that errno is raised.
What C allocates is a list here, and nothing has to be freed. All take a ``Socket``, or the descriptor that its
``fileno`` gave: EBADF for one that is closed, ENOTSOCK for one of something else.

Addresses are Python's, ``(host, port)``, one or several, or C's: ``sockaddr`` structures one behind the other, with
their count. Infos are structs of ``sctpx.structs``, or their bytes in C.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from ..sockapi import ancillary
from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress
from ..sockapi.buffers import Data
from ..sockapi.message_calls import Sent
from ..sockapi.messaging import Received
from ..sockapi.options import Value
from ..sockapi.resolving import Addresses, HostPort
from ..sockapi.structs import SndInfo, SndRcvInfo, Struct
from .readiness import find
from .socket import Socket

SocketLike: TypeAlias = Socket | int | Any
"""A socket, or its descriptor, or whatever else has a ``fileno``."""


# --- addresses and associations ---


def sctp_bindx(
    sd: SocketLike, addrs: Addresses, addrcnt: int | None = None, flags: int = c.SCTP_BINDX_ADD_ADDR
) -> None:
    """Add or remove local addresses (section 9.1). Raises like ``Socket.bindx``."""
    find(sd).bindx(addrs, flags, addrcnt)


def sctp_connectx(sd: SocketLike, addrs: Addresses, addrcnt: int | None = None) -> int:
    """Associate with a peer through several of its addresses: the association's id (section 9.9).

    A socket that does not wait raises ``ConnectInProgress`` (EINPROGRESS), which has the id as ``assoc_id``: once the
    socket is writable, SO_ERROR says how it went. Raises like ``Socket.connectx``.
    """
    return find(sd).connectx(addrs, addrcnt)


def sctp_peeloff(sd: SocketLike, assoc_id: int) -> Socket:
    """An association of a one-to-many socket as a socket of its own (section 9.2). Raises like ``Socket.peeloff``."""
    return find(sd).peeloff(assoc_id)


def sctp_getpaddrs(sd: SocketLike, assoc_id: int = 0) -> list[SocketAddress]:
    """The peer's addresses (section 9.3). Raises like ``Socket.getpaddrs``."""
    return find(sd).getpaddrs(assoc_id)


def sctp_freepaddrs(addrs: object) -> None:
    """Nothing: there is nothing to free (section 9.4)."""


def sctp_getladdrs(sd: SocketLike, assoc_id: int = 0) -> list[SocketAddress]:
    """Our addresses (section 9.5). Raises like ``Socket.getladdrs``."""
    return find(sd).getladdrs(assoc_id)


def sctp_freeladdrs(addrs: object) -> None:
    """Nothing: there is nothing to free (section 9.6)."""


def sctp_getassocid(sd: SocketLike, address: HostPort) -> int:
    """The id of the association with the peer that has this address. ``OSError`` (EINVAL) if there is none."""
    return find(sd).getassocid(address)


def sctp_opt_info(sd: SocketLike, assoc_id: int, opt: int, arg: Struct | Data | None = None) -> Value:
    """An option of an association, typed (section 9 of the older drafts; Linux). Raises like ``Socket.opt_info``."""
    return find(sd).opt_info(assoc_id, opt, arg)


# --- messages ---


def sctp_sendv(
    sd: SocketLike,
    iov: Data | Iterable[Data],
    addrs: Addresses | None = None,
    addrcnt: int | None = None,
    info: Struct | Data | None = None,
    infotype: int | None = None,
    flags: int = 0,
) -> Sent:
    """Send a message (section 9.12): how many bytes, and on which association. Raises like ``Socket.sendv``."""
    return find(sd).sendv(iov, addrs, info, infotype, flags, addrcnt)


def sctp_recvv(sd: SocketLike, length: int, flags: int = 0) -> Received:
    """Receive a message or a notification, and its attributes (section 9.13). Raises like ``Socket.recvv``."""
    return find(sd).recvv(length, flags)


def sctp_sendmsg(
    sd: SocketLike,
    msg: Data,
    to: HostPort | None = None,
    ppid: int = 0,
    flags: int = 0,
    stream_no: int = 0,
    timetolive: int = 0,
    context: int = 0,
) -> int:
    """Send a message (section 9.7, deprecated): how many bytes. Raises like ``Socket.sendmsg``."""
    info = SndRcvInfo(
        sinfo_stream=stream_no, sinfo_flags=flags, sinfo_ppid=ppid, sinfo_context=context, sinfo_timetolive=timetolive
    )
    return find(sd).sendmsg([msg], [(c.IPPROTO_SCTP, c.SCTP_SNDRCV, info)], 0, to)


def sctp_recvmsg(
    sd: SocketLike, length: int, flags: int = 0
) -> tuple[bytes, SocketAddress | None, SndRcvInfo | None, int]:
    """``(data, from, sinfo, msg_flags)`` of the next message or notification (section 9.8, deprecated).

    The info of a message is there whether SCTP_EVENTS asked for it or not; a notification has none.
    """
    piece, info, address = find(sd).received_info(length, flags)
    return piece.data, address, None if info is None else ancillary.sndrcvinfo(info), piece.flags


def sctp_send(sd: SocketLike, msg: Data, sinfo: SndRcvInfo | Data | None = None, flags: int = 0) -> int:
    """Send a message (section 9.10, deprecated): how many bytes. Raises like ``Socket.sendmsg``."""
    return find(sd).sendmsg([msg], _sndrcv(sinfo), flags)


def sctp_sendx(
    sd: SocketLike,
    msg: Data,
    addrs: Addresses,
    addrcnt: int | None = None,
    sinfo: SndRcvInfo | Data | None = None,
    flags: int = 0,
) -> Sent:
    """Send a message, and set the association up through several addresses if there is none (section 9.11, deprecated).

    How many bytes, and the association's id, which C returns in ``sinfo``. Raises like ``Socket.sendv``.
    """
    info: SndInfo | None = None
    for _, _, data in _sndrcv(sinfo):
        value = data if isinstance(data, SndRcvInfo) else SndRcvInfo.unpack(data)
        ancillary.from_sndrcvinfo(value)
        info = ancillary.to_sndinfo(value)
    return find(sd).sendv(msg, addrs, info, None, flags, addrcnt)


def _sndrcv(sinfo: SndRcvInfo | Data | None) -> list[tuple[int, int, SndRcvInfo | Data]]:
    return [] if sinfo is None else [(c.IPPROTO_SCTP, c.SCTP_SNDRCV, sinfo)]
