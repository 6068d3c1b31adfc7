"""Control messages of ``sendmsg`` and ``recvmsg`` (RFC 6458 section 5.3), and the infos of ``sctp_sendv`` and _recvv.

On the way out, a list of ``(level, type, data)`` becomes one ``SendOptions``; data is a struct of ``structs`` or its
bytes in C. On the way in, ``received`` makes such a list of structs, and ``pack`` bytes of it.

What asks for an extension that sctpx does not speak is EOPNOTSUPP: a message that must expire is not sent as one
that must not.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import index
from typing import Any, Final, TypeAlias, TypeVar, final

from ..core.ip import without_zone
from ..core.tx import reliability
from ..wire.params import IPV4_LENGTH, IPV6_LENGTH
from . import constants as c
from .addresses import canonical, check_unicast, pack_ip
from .buffers import Data, to_bytes
from .receive import Message
from .settings import AssociationSettings, EndpointSettings
from .structs import (
    AuthInfo,
    ExtRcvInfo,
    InitMsg,
    Notification,
    NxtInfo,
    PrInfo,
    RcvInfo,
    RecvvRn,
    SendvSpa,
    SndInfo,
    SndRcvInfo,
    Struct,
)

Item: TypeAlias = tuple[int, int, "Struct | Data | str"]
"""``(cmsg_level, cmsg_type, cmsg_data)``; an IP address may be a string."""
_S = TypeVar("_S", bound=Struct)

SEND_FLAGS: Final = (
    c.SCTP_UNORDERED
    | c.SCTP_ADDR_OVER
    | c.SCTP_ABORT
    | c.SCTP_EOF
    | c.SCTP_SENDALL
    | c.SCTP_EOR
    | c.SCTP_SACK_IMMEDIATELY
)
POLICIES: Final = {
    c.SCTP_PR_SCTP_NONE: reliability.RELIABLE,
    c.SCTP_PR_SCTP_TTL: reliability.TIMED,
    c.SCTP_PR_SCTP_RTX: reliability.RETRANSMISSIONS,
    c.SCTP_PR_SCTP_PRIO: reliability.PRIORITY,
}
"""The PR-SCTP policies, as the core calls them (RFC 7496 section 4.2)."""
_NUMBERS: Final = {policy: number for number, policy in POLICIES.items()}
RELIABLY: Final = PrInfo(pr_policy=c.SCTP_PR_SCTP_NONE)
"""No policy: the message is not given up."""
_MILLISECOND: Final = 1_000_000
_HEADER: Final = 16
"""Size of a ``cmsghdr``; what follows is padded to multiples of eight."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How one message is sent."""

    stream: int = 0
    flags: int = 0
    """Some of ``SEND_FLAGS``."""
    ppid: int = 0
    context: int = 0
    assoc_id: int = 0
    init: InitMsg | None = None
    """For the association that the message sets up."""
    addresses: tuple[bytes, ...] = ()
    """IP addresses of SCTP_DSTADDRV4 and _V6, packed."""
    prinfo: PrInfo = RELIABLY
    """When the message may be given up."""
    key: int = -1
    """The shared key to authenticate it with; below 0 the active one."""

    @property
    def unordered(self) -> bool:
        """To be delivered without regard to the order of its stream."""
        return self.flags & c.SCTP_UNORDERED != 0

    @property
    def immediate(self) -> bool:
        """To be acknowledged at once (RFC 7053)."""
        return self.flags & c.SCTP_SACK_IMMEDIATELY != 0


def from_sndinfo(info: SndInfo) -> SendOptions:
    """What a SNDINFO asks for. OSError EINVAL for a flag that does not exist."""
    if info.snd_flags & ~SEND_FLAGS:
        raise OSError(errno.EINVAL, f"snd_flags {info.snd_flags:#x}")
    return SendOptions(
        stream=info.snd_sid,
        flags=info.snd_flags,
        ppid=info.snd_ppid,
        context=info.snd_context,
        assoc_id=info.snd_assoc_id,
    )


def from_sndrcvinfo(info: SndRcvInfo) -> SendOptions:
    """What a SNDRCV asks for. OSError EINVAL for a flag that does not exist."""
    return replace(from_sndinfo(to_sndinfo(info)), prinfo=to_prinfo(info))


def to_prinfo(info: SndRcvInfo) -> PrInfo:
    """The policy of a SNDRCV: its time to live, 0 for none; or the one its flags have, as in other stacks."""
    policy = info.sinfo_flags & c.SCTP_PR_SCTP_MASK
    if policy == c.SCTP_PR_SCTP_NONE:
        return (
            PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=info.sinfo_timetolive) if info.sinfo_timetolive else RELIABLY
        )
    return PrInfo(pr_policy=policy, pr_value=info.sinfo_timetolive)


def to_sndinfo(info: SndRcvInfo) -> SndInfo:
    """The part of a SNDRCV that a SNDINFO has, for sending."""
    return SndInfo(
        snd_sid=info.sinfo_stream,
        snd_flags=info.sinfo_flags & ~c.SCTP_PR_SCTP_MASK,
        snd_ppid=info.sinfo_ppid,
        snd_context=info.sinfo_context,
        snd_assoc_id=info.sinfo_assoc_id,
    )


def check_policy(policy: int) -> None:
    """OSError EINVAL if there is no such PR-SCTP policy."""
    if policy not in POLICIES:
        raise OSError(errno.EINVAL, f"no PR-SCTP policy {policy:#x}")


def core_policy(info: PrInfo) -> tuple[int, int]:
    """The policy and its value as ``Association.send`` of the core has them."""
    policy = POLICIES[info.pr_policy]
    if policy == reliability.RELIABLE:
        return policy, 0
    return policy, info.pr_value * _MILLISECOND if policy == reliability.TIMED else info.pr_value


def from_policy(policy: int, value: int) -> PrInfo | None:
    """What SCTP_PRINFO says of a policy of the core; ``None`` for none. A lifetime is rounded up to a millisecond."""
    if policy == reliability.RELIABLE:
        return None
    if policy == reliability.TIMED:
        value = -(-value // _MILLISECOND)
    return PrInfo(pr_policy=_NUMBERS[policy], pr_value=value)


def parse(items: Iterable[Item], defaults: AssociationSettings) -> SendOptions:
    """The control messages of one ``sendmsg``; ``defaults`` hold where there is no SNDINFO (section 8.1.31), and where
    there is no PRINFO and no SNDRCV (section 8.1.32).

    OSError: EINVAL for a level, type or length that is none, or two items that speak of the same; EOPNOTSUPP for what
    needs an extension. ``TypeError``, before all else, for an item that is not one.
    """
    sent: SendOptions | None = None
    init: InitMsg | None = None
    prinfo: PrInfo | None = None
    key = -1
    addresses: list[bytes] = []
    seen = set[int]()
    for level, kind, data in [_checked(item) for item in items]:
        if level != c.IPPROTO_SCTP:
            raise OSError(errno.EINVAL, f"control message of level {level}")
        if kind in (c.SCTP_DSTADDRV4, c.SCTP_DSTADDRV6):
            addresses.append(to_address(kind, data))
            continue
        # "There can be only one such type of ancillary data for each sendmsg()" (section 5.2.1).
        slot = c.SCTP_SNDINFO if kind == c.SCTP_SNDRCV else kind
        if slot in seen:
            raise OSError(errno.EINVAL, "two control messages speak of the same")
        seen.add(slot)
        if kind == c.SCTP_SNDINFO:
            sent = from_sndinfo(to_struct(SndInfo, data))
        elif kind == c.SCTP_SNDRCV:
            info = to_struct(SndRcvInfo, data)
            sent = from_sndrcvinfo(info)
            prinfo = prinfo or to_prinfo(info)
        elif kind == c.SCTP_INIT:
            init = to_struct(InitMsg, data)
        elif kind == c.SCTP_PRINFO:
            prinfo = to_struct(PrInfo, data)
            check_policy(prinfo.pr_policy)
        elif kind == c.SCTP_AUTHINFO:
            key = to_struct(AuthInfo, data).auth_keynumber
        else:
            raise OSError(errno.EINVAL, f"no control message for sending has the type {kind}")
    if sent is None:
        sent = from_sndinfo(defaults.sndinfo)
    prinfo = prinfo or defaults.prinfo
    if init or addresses or prinfo != sent.prinfo or key >= 0:
        return replace(sent, init=init, addresses=tuple(addresses), prinfo=prinfo, key=key)
    return sent


def _checked(item: Item) -> tuple[int, int, Struct | bytes | str]:
    """A control message of the right shape."""
    given: Any = item
    if not isinstance(given, tuple | list) or len(given) != 3:
        raise TypeError(f"a control message is (level, type, data), not {item!r}")
    level, kind, data = given
    return index(level), index(kind), data if isinstance(data, Struct | str) else to_bytes(data)


def to_struct(kind: type[_S], data: Struct | Data | str) -> _S:
    """The struct that the data of a control message is. ``OSError`` (EINVAL) if it is of another kind or length."""
    if isinstance(data, kind):
        data.pack()  # Only what fits its fields.
        return data
    if isinstance(data, Struct | str):
        raise OSError(errno.EINVAL, f"{type(data).__name__} where {kind.__name__} belongs")
    return kind.unpack(data)


def to_address(kind: int, data: Struct | Data | str) -> bytes:
    """The address in SCTP_DSTADDRV4 or _V6, packed. ``OSError`` (EINVAL) if there is none of a single host."""
    if isinstance(data, Struct):
        raise OSError(errno.EINVAL, f"{type(data).__name__} where an address belongs")
    ip = pack_ip(data) if isinstance(data, str) else to_bytes(data)
    if len(without_zone(ip)) != (IPV4_LENGTH if kind == c.SCTP_DSTADDRV4 else IPV6_LENGTH):
        raise OSError(errno.EINVAL, f"an address of {len(ip)} bytes in a control message of type {kind}")
    ip = canonical(ip)
    check_unicast(ip)
    return ip


def from_sendv(info: Struct | Data | None, infotype: int | None = None) -> list[Item]:
    """The ``info`` of ``sctp_sendv`` as control messages (section 9.12). A struct need not be named by ``infotype``.

    OSError EINVAL for a type that does not exist, or an info that is not of it.
    """
    if infotype is None:
        found = [number for number, kind in _SENDV.items() if isinstance(info, kind)]
        if info is not None and not found:
            raise OSError(errno.EINVAL, f"{type(info).__name__} is no info to send with")
        infotype = found[0] if found else c.SCTP_SENDV_NOINFO
    if infotype == c.SCTP_SENDV_NOINFO and info is None:
        return []
    kind = _SENDV.get(infotype)
    if kind is None or info is None:
        raise OSError(errno.EINVAL, f"infotype {infotype} with {type(info).__name__}")
    value = to_struct(kind, info if isinstance(info, Struct) else to_bytes(info))
    if not isinstance(value, SendvSpa):
        return [(c.IPPROTO_SCTP, _SENDV_CMSG[infotype], value)]
    parts: list[Item] = []
    if value.sendv_flags & c.SCTP_SEND_SNDINFO_VALID:
        parts.append((c.IPPROTO_SCTP, c.SCTP_SNDINFO, value.sendv_sndinfo))
    if value.sendv_flags & c.SCTP_SEND_PRINFO_VALID:
        parts.append((c.IPPROTO_SCTP, c.SCTP_PRINFO, value.sendv_prinfo))
    if value.sendv_flags & c.SCTP_SEND_AUTHINFO_VALID:
        parts.append((c.IPPROTO_SCTP, c.SCTP_AUTHINFO, value.sendv_authinfo))
    return parts


_SENDV: Final[dict[int, type[Struct]]] = {
    c.SCTP_SENDV_SNDINFO: SndInfo,
    c.SCTP_SENDV_PRINFO: PrInfo,
    c.SCTP_SENDV_AUTHINFO: AuthInfo,
    c.SCTP_SENDV_SPA: SendvSpa,
}
_SENDV_CMSG: Final = {
    c.SCTP_SENDV_SNDINFO: c.SCTP_SNDINFO,
    c.SCTP_SENDV_PRINFO: c.SCTP_PRINFO,
    c.SCTP_SENDV_AUTHINFO: c.SCTP_AUTHINFO,
}


# --- the way in ---


def rcvinfo(message: Message, assoc_id: int, context: int, cumulative_tsn: int) -> RcvInfo:
    """What is known of a message that is being received (section 5.3.5)."""
    return RcvInfo(
        rcv_sid=message.stream,
        rcv_ssn=message.ssn,
        rcv_flags=c.SCTP_UNORDERED if message.unordered else 0,
        rcv_ppid=message.ppid,
        rcv_tsn=message.tsn,
        rcv_cumtsn=cumulative_tsn,
        rcv_context=context,
        rcv_assoc_id=assoc_id,
    )


def nxtinfo(following: Message | Notification, assoc_id: int) -> NxtInfo:
    """What is known of what will be received next (section 5.3.6)."""
    if isinstance(following, Notification):
        flags = c.SCTP_NOTIFICATION | c.SCTP_COMPLETE
        return NxtInfo(nxt_flags=flags, nxt_length=following.sn_length, nxt_assoc_id=assoc_id)
    flags = (c.SCTP_UNORDERED if following.unordered else 0) | (0 if following.more else c.SCTP_COMPLETE)
    return NxtInfo(
        nxt_sid=following.stream,
        nxt_flags=flags,
        nxt_ppid=following.ppid,
        nxt_length=len(following.data),
        nxt_assoc_id=assoc_id,
    )


def received(
    settings: EndpointSettings, association: AssociationSettings, info: RcvInfo, following: NxtInfo | None
) -> list[tuple[int, int, Struct]]:
    """The control messages that come with a message, by what is enabled.

    ``following`` is None if nothing waits behind the message, or if the caller has not read all of it.
    """
    found: list[tuple[int, int, Struct]] = []
    if settings.recvrcvinfo:
        found.append((c.IPPROTO_SCTP, c.SCTP_RCVINFO, info))
    if settings.recvnxtinfo and following is not None:
        found.append((c.IPPROTO_SCTP, c.SCTP_NXTINFO, following))
    if c.SCTP_DATA_IO_EVENT in association.subscribed:
        if settings.use_ext_rcvinfo:
            found.append((c.IPPROTO_SCTP, c.SCTP_EXTRCV, extrcvinfo(info, following)))
        else:
            found.append((c.IPPROTO_SCTP, c.SCTP_SNDRCV, sndrcvinfo(info)))
    return found


def sndrcvinfo(info: RcvInfo) -> SndRcvInfo:
    """The same in the deprecated form (section 5.3.2)."""
    return SndRcvInfo(
        sinfo_stream=info.rcv_sid,
        sinfo_ssn=info.rcv_ssn,
        sinfo_flags=info.rcv_flags,
        sinfo_ppid=info.rcv_ppid,
        sinfo_context=info.rcv_context,
        sinfo_tsn=info.rcv_tsn,
        sinfo_cumtsn=info.rcv_cumtsn,
        sinfo_assoc_id=info.rcv_assoc_id,
    )


_NEXT_FLAGS: Final = (
    (c.SCTP_COMPLETE, c.SCTP_NEXT_MSG_ISCOMPLETE),
    (c.SCTP_UNORDERED, c.SCTP_NEXT_MSG_IS_UNORDERED),
    (c.SCTP_NOTIFICATION, c.SCTP_NEXT_MSG_IS_NOTIFICATION),
)


def extrcvinfo(info: RcvInfo, following: NxtInfo | None) -> ExtRcvInfo:
    """The same with what follows, in the deprecated form (section 5.3.3)."""
    flags = 0
    if following is not None:
        flags = c.SCTP_NEXT_MSG_AVAIL | sum(bit for flag, bit in _NEXT_FLAGS if following.nxt_flags & flag)
    following = following or NxtInfo()
    return ExtRcvInfo(
        sinfo_stream=info.rcv_sid,
        sinfo_ssn=info.rcv_ssn,
        sinfo_flags=info.rcv_flags,
        sinfo_ppid=info.rcv_ppid,
        sinfo_context=info.rcv_context,
        sinfo_tsn=info.rcv_tsn,
        sinfo_cumtsn=info.rcv_cumtsn,
        serinfo_next_flags=flags,
        serinfo_next_stream=following.nxt_sid,
        serinfo_next_aid=following.nxt_assoc_id,
        serinfo_next_length=following.nxt_length,
        serinfo_next_ppid=following.nxt_ppid,
        sinfo_assoc_id=info.rcv_assoc_id,
    )


def recvv(settings: EndpointSettings, info: RcvInfo, following: NxtInfo | None) -> tuple[int, Struct | None]:
    """``(infotype, info)`` of ``sctp_recvv`` (section 9.13)."""
    following = following if settings.recvnxtinfo else None
    if settings.recvrcvinfo and following is not None:
        return c.SCTP_RECVV_RN, RecvvRn(recvv_rcvinfo=info, recvv_nxtinfo=following)
    if settings.recvrcvinfo:
        return c.SCTP_RECVV_RCVINFO, info
    if following is not None:
        return c.SCTP_RECVV_NXTINFO, following
    return c.SCTP_RECVV_NOINFO, None


def pack(items: Sequence[tuple[int, int, Struct]], room: int) -> tuple[list[tuple[int, int, bytes]], bool]:
    """The control messages in bytes: those that a buffer of ``room`` bytes takes, and whether some did not fit."""
    packed: list[tuple[int, int, bytes]] = []
    for level, kind, value in items:
        data = value.pack()
        if _HEADER + len(data) > room:
            return packed, True
        packed.append((level, kind, data))
        room -= _HEADER + (len(data) + 7 & ~7)
    return packed, False
