"""Options of the socket as a whole: buffers, what is delivered and how (RFC 6458 section 8)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .. import constants as c
from ..ancillary import from_sndinfo, from_sndrcvinfo, to_sndinfo
from ..notifications import EVENT_TYPES, SUBSCRIBE_FIELDS, to_event_subscribe, to_subscriptions
from ..settings import MILLISECONDS, EndpointSettings, with_init
from ..structs import (
    NOTIFICATIONS,
    AssocIds,
    Event,
    EventSubscribe,
    InitMsg,
    Linger,
    SndInfo,
    SndRcvInfo,
    Timeval,
)
from .scope import Scope

Change = Callable[[], None]
"""A change that was found to be right and only needs to be made."""

LARGEST_BUFFER: Final = 1 << 30
SMALLEST_BUFFER: Final = 4096
MICROSECONDS: Final = 1_000_000
"""Microseconds in a second."""
_DEFAULT_FLAGS: Final = c.SCTP_UNORDERED | c.SCTP_EOF | c.SCTP_SENDALL | c.SCTP_SACK_IMMEDIATELY


def _told(settings: EndpointSettings, name: str, value: object) -> Change:
    return lambda: setattr(settings, name, value)


def flag(name: str) -> tuple[Callable[[Scope, object], int], Callable[[Scope, int], Change]]:
    """Getter and setter of an "integer boolean flag" of the socket."""

    def get(scope: Scope, _: object) -> int:
        return int(getattr(scope.holder.settings, name))

    def set_(scope: Scope, value: int) -> Change:
        return _told(scope.holder.settings, name, value != 0)

    return get, set_


# --- SOL_SOCKET ---


def get_linger(scope: Scope, _: object) -> Linger:
    """Section 8.1.4."""
    return scope.holder.settings.linger


def set_linger(scope: Scope, value: Linger) -> Change:
    """Section 8.1.4: "If the value is set to a negative value, the setsockopt() call will return an error"."""
    if value.l_linger < 0:
        raise OSError(errno.EINVAL, f"l_linger {value.l_linger}")
    return _told(scope.holder.settings, "linger", value)


def timeout(name: str) -> tuple[Callable[[Scope, object], Timeval], Callable[[Scope, Timeval], Change]]:
    """Getter and setter of a time that calls wait."""

    def get(scope: Scope, _: object) -> Timeval:
        value: Timeval = getattr(scope.holder.settings, name)
        return value

    def set_(scope: Scope, value: Timeval) -> Change:
        if value.tv_sec < 0 or not 0 <= value.tv_usec < MICROSECONDS:
            raise OSError(errno.EINVAL, f"{value.tv_sec} s and {value.tv_usec} us")
        return _told(scope.holder.settings, name, value)

    return get, set_


def get_rcvbuf(scope: Scope, _: object) -> int:
    """Section 8.1.6."""
    return scope.config.receive_buffer


def set_rcvbuf(scope: Scope, value: int) -> Change:
    """Section 8.1.6. As in other stacks a size is made to fit; what a peer was told it may still send."""
    size = min(max(value, SMALLEST_BUFFER), LARGEST_BUFFER)
    return lambda: scope.configure(replace(scope.config, receive_buffer=size))


def get_sndbuf(scope: Scope, _: object) -> int:
    """Section 8.1.7."""
    return scope.config.send_buffer


def set_sndbuf(scope: Scope, value: int) -> Change:
    """Section 8.1.7."""
    size = min(max(value, SMALLEST_BUFFER), LARGEST_BUFFER)
    return lambda: scope.configure(replace(scope.config, send_buffer=size))


# --- IPPROTO_SCTP ---


def get_initmsg(scope: Scope, _: object) -> InitMsg:
    """Section 8.1.3."""
    config = scope.settings.config
    longest = config.max_init_timeout or config.rto_max
    return InitMsg(
        sinit_num_ostreams=config.streams,
        sinit_max_instreams=config.max_inbound_streams,
        sinit_max_attempts=min(config.max_init_retransmits, 0xFFFF),
        sinit_max_init_timeo=min(round(longest * MILLISECONDS), 0xFFFF),
    )


def set_initmsg(scope: Scope, value: InitMsg) -> Change:
    """Section 8.1.3."""
    settings = scope.settings
    config = with_init(settings.config, value)
    return lambda: setattr(settings, "config", config)


def get_autoclose(scope: Scope, _: object) -> int:
    """Section 8.1.8."""
    _one_to_many(scope)
    return scope.holder.settings.autoclose


def set_autoclose(scope: Scope, value: int) -> Change:
    """Section 8.1.8: "applicable to the one-to-many style socket only"."""
    _one_to_many(scope)
    if value < 0:
        raise OSError(errno.EINVAL, f"{value} seconds")
    return _told(scope.holder.settings, "autoclose", value)


def _one_to_many(scope: Scope) -> None:
    if not scope.holder.one_to_many:
        raise OSError(errno.EOPNOTSUPP, "for one-to-many sockets only")


def get_mapped(scope: Scope, _: object) -> int:
    """Section 8.1.15."""
    return int(scope.holder.settings.mapped_v4)


def set_mapped(scope: Scope, value: int) -> Change:
    """Section 8.1.15: "If this socket option is used on a socket of type PF_INET, an error is returned"."""
    if not scope.holder.ipv6:
        raise OSError(errno.EINVAL, "for AF_INET6 sockets only")
    return _told(scope.holder.settings, "mapped_v4", value != 0)


def get_interleave(scope: Scope, _: object) -> int:
    """Section 8.1.20."""
    return scope.holder.settings.fragment_interleave


def set_interleave(scope: Scope, value: int) -> Change:
    """Section 8.1.20: level 2 needs something that tells the stream of a message."""
    settings = scope.holder.settings
    if value not in (0, 1, 2):
        raise OSError(errno.EINVAL, f"no level {value} of interleaving")
    if value == 2 and not settings.recvrcvinfo and c.SCTP_DATA_IO_EVENT not in settings.future.subscribed:
        raise OSError(errno.EINVAL, "level 2 needs SCTP_RECVRCVINFO")
    if value < 2 and settings.future.config.interleaving:
        raise OSError(errno.EINVAL, "SCTP_INTERLEAVING_SUPPORTED needs level 2")
    return _told(settings, "fragment_interleave", value)


def get_delivery_point(scope: Scope, _: object) -> int:
    """Section 8.1.21."""
    return scope.settings.config.partial_limit


def set_delivery_point(scope: Scope, value: int) -> Change:
    """Section 8.1.21: not "larger than the socket receive buffer size".

    "Setting this to a lower value will cause partial deliveries to happen more often": with 0 every fragment is
    delivered. In the core's parameters 0 means that nothing was set, and 1 is the lowest value.
    """
    settings = scope.settings
    if not 0 <= value <= settings.config.receive_buffer:
        raise OSError(errno.EINVAL, f"{value} bytes, the receive buffer has {settings.config.receive_buffer}")
    config = replace(settings.config, partial_delivery_point=max(value, 1))

    def change() -> None:
        settings.config = config

    return change


# --- subscriptions (section 6.2) ---


def get_events(scope: Scope, _: object) -> EventSubscribe:
    """Section 8.1.14."""
    return to_event_subscribe(scope.settings.subscribed)


def set_events(scope: Scope, value: EventSubscribe) -> Change:
    """Section 8.1.14."""
    wanted = to_subscriptions(value)
    for name, kind in SUBSCRIBE_FIELDS:
        if kind in wanted:
            _check_comes(name, kind)
    return lambda: setattr(scope.settings, "subscribed", wanted)


def get_event(scope: Scope, asked: Event) -> Event:
    """Section 8.1.28: of the type that is asked for."""
    _check_type(asked)
    on = asked.se_type in scope.settings.subscribed
    return Event(se_assoc_id=scope.id, se_type=asked.se_type, se_on=int(on))


def set_event(scope: Scope, value: Event) -> Change:
    """Section 8.1.28."""
    _check_type(value)
    if value.se_on not in (0, 1):
        raise OSError(errno.EINVAL, f"se_on {value.se_on}")
    if value.se_on:
        _check_comes(f"se_type {value.se_type:#x}", value.se_type)
    before = scope.settings.subscribed
    after = before | {value.se_type} if value.se_on else before - {value.se_type}
    return lambda: setattr(scope.settings, "subscribed", after)


def _check_type(value: Event) -> None:
    if value.se_type not in EVENT_TYPES:
        raise OSError(errno.EINVAL, f"no notification has the type {value.se_type:#x}")


def _check_comes(name: str, kind: int) -> None:
    """OSError EOPNOTSUPP for a notification that is never sent: who waits for it would wait for ever."""
    notification = NOTIFICATIONS.get(kind)  # SCTP_DATA_IO_EVENT is none.
    if notification is not None and notification.NEEDS:
        unknown = f"it comes with {notification.NEEDS} only, which sctpx does not speak yet"
        raise OSError(errno.EOPNOTSUPP, f"{name} cannot be subscribed to: {unknown}")


# --- how messages are sent ---


def get_sndinfo(scope: Scope, _: object) -> SndInfo:
    """Section 8.1.31."""
    return replace(scope.settings.sndinfo, snd_assoc_id=scope.id)


def set_sndinfo(scope: Scope, value: SndInfo) -> Change:
    """Section 8.1.31."""
    if value.snd_flags & ~_DEFAULT_FLAGS:
        raise OSError(errno.EINVAL, f"flags {value.snd_flags:#x} are none that can be a default")
    from_sndinfo(value)
    kept = replace(value, snd_assoc_id=0)
    return lambda: setattr(scope.settings, "sndinfo", kept)


def get_send_param(scope: Scope, _: object) -> SndRcvInfo:
    """Section 8.1.13."""
    kept = scope.settings.sndinfo
    prinfo = scope.settings.prinfo
    timed = prinfo.pr_policy == c.SCTP_PR_SCTP_TTL
    return SndRcvInfo(
        sinfo_stream=kept.snd_sid,
        sinfo_flags=kept.snd_flags,
        sinfo_ppid=kept.snd_ppid,
        sinfo_context=kept.snd_context,
        sinfo_timetolive=prinfo.pr_value if timed else 0,
        sinfo_assoc_id=scope.id,
    )


def set_send_param(scope: Scope, value: SndRcvInfo) -> Change:
    """Section 8.1.13. A time to live is the policy that SCTP_DEFAULT_PRINFO tells, and 0 is none."""
    prinfo = from_sndrcvinfo(value).prinfo
    keep = set_sndinfo(scope, to_sndinfo(value))

    def change() -> None:
        keep()
        scope.settings.prinfo = prinfo

    return change


# --- what the socket has ---


def get_assoc_number(scope: Scope, _: object) -> int:
    """Section 8.2.5."""
    _one_to_many(scope)
    return len(scope.holder.members)


def get_assoc_ids(scope: Scope, _: object) -> AssocIds:
    """Section 8.2.6."""
    _one_to_many(scope)
    return AssocIds(gaids_assoc_id=tuple(scope.holder.members))
