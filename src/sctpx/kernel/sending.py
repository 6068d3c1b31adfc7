"""What a message is sent with, as the kernel takes it: control messages and flags. Nothing but computing."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from ..core.ip import is_ipv4, without_zone
from ..sockapi import constants as c
from ..sockapi.ancillary import Item, to_address, to_struct
from ..sockapi.structs import AuthInfo, InitMsg, PrInfo, SndInfo, SndRcvInfo, Struct
from .received import Control

_KINDS: Final[dict[int, type[Struct]]] = {
    c.SCTP_INIT: InitMsg,
    c.SCTP_SNDRCV: SndRcvInfo,
    c.SCTP_SNDINFO: SndInfo,
    c.SCTP_PRINFO: PrInfo,
    c.SCTP_AUTHINFO: AuthInfo,
}


@final
@dataclass(frozen=True, slots=True)
class KernelSending:
    """How one message is sent."""

    control: tuple[Control, ...] = ()
    addresses: tuple[bytes, ...] = ()
    assoc_id: int = 0
    flags: int = 0


def prepare(items: Iterable[Item]) -> KernelSending:
    """The control messages of one ``sendmsg``, in bytes.

    ``OSError`` (EINVAL): a level, type or length that is none, or two items that speak of the same. What the values
    mean is the kernel's to judge.
    """
    control: list[Control] = []
    addresses: list[bytes] = []
    seen = set[int]()
    assoc_id = flags = 0
    for level, number, data in items:
        if level != c.IPPROTO_SCTP:
            raise OSError(errno.EINVAL, f"control message of level {level}")
        if number in (c.SCTP_DSTADDRV4, c.SCTP_DSTADDRV6):
            addresses.append(to_address(number, data))
            continue
        slot = c.SCTP_SNDINFO if number == c.SCTP_SNDRCV else number
        kind = _KINDS.get(number)
        if kind is None or slot in seen:
            reason = "two control messages speak of the same" if kind else f"nothing is sent with type {number}"
            raise OSError(errno.EINVAL, reason)
        seen.add(slot)
        value: Any = to_struct(kind, data)
        if isinstance(value, SndInfo):
            assoc_id, flags = value.snd_assoc_id, value.snd_flags
        elif isinstance(value, SndRcvInfo):
            assoc_id, flags = value.sinfo_assoc_id, value.sinfo_flags
        control.append((level, number, value.pack()))
    return KernelSending(tuple(control), tuple(addresses), assoc_id, flags)


def more_addresses(ips: Sequence[bytes]) -> list[Control]:
    """The addresses of a peer beside the first one, for a message that sets an association up."""
    kinds = [c.SCTP_DSTADDRV4 if is_ipv4(ip) else c.SCTP_DSTADDRV6 for ip in ips]
    return [(c.IPPROTO_SCTP, kind, without_zone(ip)) for kind, ip in zip(kinds, ips, strict=True)]
