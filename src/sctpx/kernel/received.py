"""What the kernel hands over with ``recvmsg``, as sctpx tells it: notifications and control messages. Only computing.

The structs are the same. Three values differ, and are made the same here: Linux leaves cause codes in notifications in
network byte order, gives the causes of an ABORT without the head of its chunk, and tells why a path changed with
numbers of its own where others have an errno.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias, final

from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress
from ..sockapi.structs import (
    AssocChange,
    Notification,
    NxtInfo,
    PaddrChange,
    RcvInfo,
    SendFailed,
    SendFailedEvent,
    SndRcvInfo,
    Struct,
    unpack_notification,
)

Control: TypeAlias = tuple[int, int, bytes]
"""``(cmsg_level, cmsg_type, cmsg_data)``."""
FLAGS: Final = c.MSG_EOR | c.MSG_NOTIFICATION
_KINDS: Final[dict[int, type[Struct]]] = {
    c.SCTP_SNDRCV: SndRcvInfo,
    c.SCTP_RCVINFO: RcvInfo,
    c.SCTP_NXTINFO: NxtInfo,
}
_CAUSE: Final = 0xFFFF
_CHUNK: Final = struct.Struct(">BBH")
_ABORT: Final = 6
"""The type of an ABORT chunk."""


@final
class KernelPiece(NamedTuple):
    """What one call has read."""

    data: bytes
    flags: int
    address: SocketAddress | None
    """Where a message came from, the peer's primary address for a notification; ``None`` at the end."""
    control: tuple[Control, ...]
    notice: Notification | None
    """The notification, whole, if it is one that is known."""


def notification(data: bytes) -> Notification | None:
    """The notification that the kernel wrote, with the values that sctpx has; ``None`` if its type is not known."""
    try:
        found = unpack_notification(data)
    except OSError:
        return None
    if isinstance(found, AssocChange):
        return replace(found, sac_error=socket.ntohs(found.sac_error), sac_info=_abort_chunk(found))
    if isinstance(found, SendFailed):
        return replace(found, ssf_error=socket.ntohs(found.ssf_error & _CAUSE))
    if isinstance(found, SendFailedEvent):
        return replace(found, ssfe_error=socket.ntohs(found.ssfe_error & _CAUSE))
    if isinstance(found, PaddrChange):
        return replace(found, spc_error=0)
    return found


def _abort_chunk(lost: AssocChange) -> bytes:
    """The ABORT chunk that ended an association, of which the kernel gives the causes."""
    if lost.sac_state != c.SCTP_COMM_LOST or not lost.sac_info:
        return lost.sac_info
    return _CHUNK.pack(_ABORT, 0, _CHUNK.size + len(lost.sac_info)) + lost.sac_info


def infos(control: Iterable[Control]) -> dict[int, Struct]:
    """The structs that came beside a message, by their types."""
    found: dict[int, Struct] = {}
    for level, number, data in control:
        kind = _KINDS.get(number) if level == c.IPPROTO_SCTP else None
        if kind is not None:
            found[number] = kind.unpack(data[: kind.size()])
    return found
