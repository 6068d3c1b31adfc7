"""Options that sockets of every kind have: levels SOL_SOCKET, IPPROTO_IP and IPPROTO_IPV6.

Programs set them from habit, or since their network asks for it. Each option here is done; or accepted, since it has no
meaning here; or refused with a message that says why and what to do instead. An option that is refused can still be
switched off, since it is off. docs/sockets.md has the table; a test holds the two together. Options of SOL_SOCKET that
RFC 6458 names, and those of times, are in ``table``.

The numbers are those of the system, and Linux's where the system has no such option.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .. import constants as c
from .association import reconfigured
from .option import Option
from .scope import Reach, Scope
from .whole import Change, flag

_LARGEST_CLASS: Final = 255
_ECN_BITS: Final = 3


# --- DSCP ---


def get_traffic_class(scope: Scope, _: object) -> int:
    """The octet of the IP header: DSCP in its six highest bits."""
    told = scope.holder.settings.traffic_class
    return scope.config.dscp << 2 if told < 0 else told


def set_traffic_class(scope: Scope, value: int) -> Change:
    """The DSCP of all packets, but where SPP_DSCP has set another: "This setting has precedence over any IPv4- or
    IPv6-layer setting" (RFC 6458 section 8.1.12). The ECN bits are not the program's, as with other stream sockets.
    """
    if not 0 <= value <= _LARGEST_CLASS:
        raise OSError(errno.EINVAL, f"a traffic class of {value}: it is an octet with the DSCP in its six highest bits")
    value &= ~_ECN_BITS
    settings = scope.settings
    config = reconfigured(scope, dscp=value >> 2)

    def change() -> None:
        scope.holder.settings.traffic_class = value
        if not settings.dscp_chosen:
            scope.configure(config)

    return change


def _set_ipv6_class(scope: Scope, value: int) -> Change:
    """The same by its IPv6 name; -1 is the default (RFC 3542 section 6.5)."""
    if not scope.holder.ipv6:
        raise OSError(errno.ENOPROTOOPT, "IPV6_TCLASS is for AF_INET6 sockets: this one has IP_TOS")
    return set_traffic_class(scope, 0 if value == -1 else value)


# --- families ---


def get_v6only(scope: Scope, _: object) -> int:
    """Whether an AF_INET6 socket does without IPv4 addresses (RFC 3493 section 5.3)."""
    return int(scope.holder.settings.v6only)


def set_v6only(scope: Scope, value: int) -> Change:
    """The same, before the socket is bound: EINVAL afterwards, as on Linux."""
    settings = scope.holder.settings
    if not scope.holder.ipv6:
        raise OSError(errno.ENOPROTOOPT, "IPV6_V6ONLY is for AF_INET6 sockets")
    if scope.holder.bound and bool(value) is not settings.v6only:
        raise OSError(errno.EINVAL, "IPV6_V6ONLY is set before the socket is bound or connected")
    return lambda: setattr(settings, "v6only", value != 0)


# --- what has no meaning here ---


def _accepted(name: str) -> tuple[Callable[[Scope, object], int], Callable[[Scope, int], Change]]:
    """Getter and setter of a flag that changes nothing."""

    def get(scope: Scope, _: object) -> int:
        return int(name in scope.holder.settings.meaningless)

    def set_(scope: Scope, value: int) -> Change:
        settings = scope.holder.settings

        def change() -> None:
            others = settings.meaningless - {name}
            settings.meaningless = others | {name} if value else others

        return change

    return get, set_


def _common(name: str, level: int, linux: int, reach: Reach = Reach.SOCKET) -> Option:
    code = getattr(socket, name, linux)
    return Option(name, "sockets of every kind", int, reach, level=level, code=int(code))


def _done(name: str, linux: int, setting: str) -> Option:
    get, set_ = flag(setting)
    return replace(_common(name, c.SOL_SOCKET, linux), get=get, set=set_)


def _flag(name: str, linux: int) -> Option:
    get, set_ = _accepted(name)
    return replace(_common(name, c.SOL_SOCKET, linux), get=get, set=set_)


def _refused(name: str, level: int, linux: int, reason: str) -> Option:
    return replace(_common(name, level, linux), refused=reason)


_SHARED: Final = "several SCTP sockets of a process send through one UDP socket, so that a single one cannot have a"
_BY_SCTP: Final = "SCTP discovers path MTUs itself (RFC 8899): SCTP_PEER_ADDR_PARAMS with SPP_PMTUD_DISABLE ends that"
_OWN_ADDRESSES: Final = "an SCTP socket is bound to addresses that the host has"

COMMON: Final[tuple[Option, ...]] = (
    replace(
        _common("IP_TOS", socket.IPPROTO_IP, 1, Reach.EVERY),
        get=get_traffic_class,
        set=set_traffic_class,
        shorter=(1,),
    ),
    replace(_common("IPV6_TCLASS", socket.IPPROTO_IPV6, 67, Reach.EVERY), get=get_traffic_class, set=_set_ipv6_class),
    _done("SO_REUSEADDR", 2, "reuse_address"),
    replace(_common("IPV6_V6ONLY", socket.IPPROTO_IPV6, 26), get=get_v6only, set=set_v6only),
    _flag("SO_KEEPALIVE", 9),
    _flag("SO_BROADCAST", 6),
    _flag("SO_OOBINLINE", 10),
    _refused("SO_REUSEPORT", c.SOL_SOCKET, 15, "an SCTP port belongs to one socket, and cannot be shared"),
    _refused("SO_PRIORITY", c.SOL_SOCKET, 12, f"{_SHARED} priority: mark its packets with IP_TOS instead"),
    _refused("SO_MARK", c.SOL_SOCKET, 36, f"{_SHARED} mark: choose routes by UDP port or source address instead"),
    _refused(
        "SO_BINDTODEVICE", c.SOL_SOCKET, 25, "bind the addresses of the interface instead: packets leave from them"
    ),
    _refused("SO_DONTROUTE", c.SOL_SOCKET, 5, f"{_SHARED} way around the routing table"),
    _refused("IP_MTU_DISCOVER", socket.IPPROTO_IP, 10, _BY_SCTP),
    _refused("IPV6_MTU_DISCOVER", socket.IPPROTO_IPV6, 23, _BY_SCTP),
    _refused("IP_FREEBIND", socket.IPPROTO_IP, 15, _OWN_ADDRESSES),
    _refused("IP_TRANSPARENT", socket.IPPROTO_IP, 19, _OWN_ADDRESSES),
)
