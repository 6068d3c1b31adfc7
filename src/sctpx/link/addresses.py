"""IP addresses between the core, the socket module and people, and which of ours a peer is told.

It computes, and asks nobody but for the names of interfaces; what this host has is in ``interfaces``. What the core
calls the zone of a link-local IPv6 address (``core.ip``) is the scope id of the socket module, the index of the
interface. Other addresses have no zone, whatever scope id came with them.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from ..core.ip import GLOBAL, ZONE_LENGTH, index_of, is_ipv4, scope_of, with_zone, without_zone, zone_of

AddressLike: TypeAlias = str | bytes | tuple[str, int]
"""An IP address as text ("192.0.2.1", "fe80::1%eth0"), packed, or as text and IPv6 scope id."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""What the socket module calls an address: IPv4 or IPv6."""


# --- forms ---


def family_of(ip: bytes) -> socket.AddressFamily:
    """``AF_INET`` or ``AF_INET6``."""
    return socket.AF_INET if is_ipv4(ip) else socket.AF_INET6


def parse_address(address: AddressLike) -> bytes:
    """An address as packed bytes. ``OSError``: EINVAL, or ENODEV if there is no such interface."""
    if isinstance(address, bytes) and len(zone_of(address)) == ZONE_LENGTH:
        return address
    text, scope_id = address if isinstance(address, tuple) else (address, 0)
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        raise OSError(errno.EINVAL, f"{text!r} is not an IP address") from None
    zone = parsed.scope_id if isinstance(parsed, ipaddress.IPv6Address) else None
    return with_zone(parsed.packed, interface_index(zone) if zone else scope_id)


def interface_index(zone: str) -> int:
    """The interface that is named behind a ``%``, by name or number. ``OSError`` (ENODEV) if no interface has it."""
    if zone.isdecimal():
        return int(zone)
    try:
        return socket.if_nametoindex(zone)
    except OSError:
        raise OSError(errno.ENODEV, f"this host has no interface {zone}") from None


def interface_name(index: int) -> str:
    """The name of an interface; its number if it has none any more."""
    try:
        return socket.if_indextoname(index)
    except (OSError, OverflowError):
        return str(index)


def address_text(ip: bytes) -> str:
    """A packed address as people write it."""
    text = socket.inet_ntop(family_of(ip), without_zone(ip))
    return f"{text}%{interface_name(index_of(ip))}" if zone_of(ip) else text


def socket_address(ip: bytes, port: int) -> SocketAddress:
    """An address for ``bind``, ``connect`` or ``sendto``."""
    text = socket.inet_ntop(family_of(ip), without_zone(ip))
    return (text, port) if is_ipv4(ip) else (text, port, 0, index_of(ip))


def packed_address(address: Any) -> bytes:
    """The IP address of what ``getsockname`` or ``recvfrom`` gave."""
    if len(address) == 2:
        return socket.inet_pton(socket.AF_INET, address[0])
    # Some systems write the zone into the host as well.
    ip = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
    return with_zone(ip, address[3]) if address[3] else ip


# --- what a peer is told ---


def announced(bound: Iterable[bytes], *peers: bytes) -> list[bytes]:
    """Those of our addresses to list in an INIT or INIT ACK for a peer known by these addresses.

    An address is listed if it reaches at least as far as one of the peer's: no loopback address goes to a peer
    that is not on this host, no private or link-local one to a peer known only by global addresses. A link-local
    address with a zone is listed if the peer is on that link. The links of addresses that a peer lists are guesses: a
    peer that seems to have several on one link may be on several, and is told those of all links.
    """
    reach = max(map(scope_of, peers), default=GLOBAL)
    zones = [zone for zone in map(zone_of, peers) if zone]
    all_links = len(zones) > len(set(zones))

    def is_told(ip: bytes) -> bool:
        zone = zone_of(ip)
        return scope_of(ip) <= reach and (not zone or all_links or zone in zones)

    return [ip for ip in bound if is_told(ip)]


def announced_in_scope(bound: Sequence[bytes], peers: Sequence[bytes]) -> list[bytes]:
    """The same, but none where that is a single one: the packets tell it."""
    scoped = announced(bound, *peers) if len(bound) > 1 else []
    return scoped if len(scoped) > 1 else []
