"""Addresses as users give them, checked as ``sctp_connectx`` checks them, and as the core has them.

Three forms meet here. Users write text, an ``Address`` with options, or the tuples of the socket module,
``(host, port)`` and ``(host, port, flowinfo, scope_id)``. C programs and those that came from them have packed
``sockaddr_in`` and ``sockaddr_in6`` structures, one behind the other; their layout here is Linux's, on every system.
The core has the IP address alone, packed (``core.ip``).

The link of a link-local IPv6 address is text behind a ``%`` (``fe80::1%eth0``, or the number of the interface), a
scope id in tuples and structures, and the zone behind the 16 bytes in the core. Other addresses have none, whatever
is written behind them.

An IPv4-mapped IPv6 address (``::ffff:192.0.2.1``) is the IPv4 address in all of them. Host names are left to whoever
can resolve them: ``parse_ip`` tells them apart. The port beside an address is always an SCTP port.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import index
from typing import Final, TypeAlias, final

from ..core.ip import (
    LINK_LOCAL,
    ZONE_LENGTH,
    index_of,
    is_ipv4,
    lacks_zone,
    same_family,
    scope_of,
    with_zone,
    without_zone,
    zone_of,
)
from ..wire.params import IPV4_LENGTH, IPV4_MAPPED, IPV6_LENGTH, is_unicast

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""An address of the socket module: ``(host, port)``, or for IPv6 ``(host, port, flowinfo, scope_id)``."""

# Linux's numbers; the packed structures have them on every system.
AF_INET: Final = 2
AF_INET6: Final = 10

_LARGEST_INDEX: Final = 0x7FFFFFFF
"""Interfaces are numbered by a C ``int``."""
_FAMILY: Final = struct.Struct("=H")
# sin_family, sin_port, sin_addr, padding.
_SOCKADDR_IN: Final = struct.Struct("=H2s4s8x")
# sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id.
_SOCKADDR_IN6: Final = struct.Struct("=H2s4s16sI")


@final
@dataclass(frozen=True, slots=True)
class Address:
    """One address of a peer, where a host alone does not say enough.

    ``OSError`` (EINVAL) for an empty host or a UDP port that is none.
    """

    host: str
    """An IP address, or a name that stands for all the addresses it resolves to."""
    udp_port: int | None = None
    """The UDP port SCTP packets are sent to there (RFC 6951); ``None`` for the call's ``peer_udp_port``."""
    source: str | None = None
    """The local IP address to send from; ``None`` leaves the choice to the routing table."""

    def __post_init__(self) -> None:
        if not self.host:
            raise OSError(errno.EINVAL, "an empty host")
        if self.udp_port is not None:
            check_port(self.udp_port, "UDP port", lowest=0)


def check_port(port: int, what: str, lowest: int = 1) -> int:
    """The port, if it is one. ``OSError`` (EINVAL) names it as ``what``; ``TypeError`` if it is no integer."""
    port = index(port)
    if not lowest <= port <= 65535:
        raise OSError(errno.EINVAL, f"{what} {port} is not between {lowest} and 65535")
    return port


# --- text and packed bytes ---


def parse_ip(text: str) -> bytes | None:
    """An IP address in text as packed bytes; ``None`` if it is a host name.

    ``OSError`` (ENODEV) for a link-local address with a zone that is no interface of this host.
    """
    ip = _parse(text)
    if ip is None or "%" not in text or not lacks_zone(ip):
        return ip
    zone = text.partition("%")[2]
    try:
        # What an interface is called may change: this is not remembered.
        index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
        return on_link(ip, index)
    except (OSError, OverflowError):
        raise OSError(errno.ENODEV, f"{text}: this host has no interface {zone}") from None


@lru_cache(maxsize=4096)
def _parse(text: str) -> bytes | None:
    """The address without its zone."""
    try:
        return canonical(ipaddress.ip_address(text).packed)
    except ValueError:
        return None


def pack_ip(text: str) -> bytes:
    """An IP address in text as packed bytes. ``OSError``: EINVAL if it is none, ENODEV as ``parse_ip`` says."""
    ip = parse_ip(text)
    if ip is None:
        raise OSError(errno.EINVAL, f"{text!r} is not an IP address")
    return ip


def on_link(ip: bytes, scope_id: int) -> bytes:
    """A packed address and the scope id that came beside it, which says something of link-local ones; 0 is none.

    ``OSError`` (EINVAL) if the address has another zone already, or the scope id is none.
    """
    if not scope_id or is_ipv4(ip) or scope_of(ip) != LINK_LOCAL:
        return ip
    if not 0 < scope_id <= _LARGEST_INDEX:
        raise OSError(errno.EINVAL, f"{scope_id} is no scope id: that is the number of an interface")
    if zone_of(ip) and index_of(ip) != scope_id:
        raise OSError(errno.EINVAL, f"the scope id {scope_id} beside {ip_text(ip)} is that of another link")
    return with_zone(ip, scope_id)


def pack_host(address: SocketAddress) -> bytes:
    """The IP address in an address of the socket module. ``OSError`` as ``pack_ip`` and ``on_link`` say."""
    ip = pack_ip(address[0])
    return on_link(ip, address[3]) if len(address) > 3 else ip


def ip_text(ip: bytes) -> str:
    """A packed IP address as people write it; ``""`` for none. A zone is the name of the interface, if it has one."""
    if len(ip) <= IPV6_LENGTH:
        return _text(ip)
    try:
        zone = socket.if_indextoname(index_of(ip))
    except OSError:
        zone = str(index_of(ip))
    return f"{_text(without_zone(ip))}%{zone}"


@lru_cache(maxsize=4096)
def _text(ip: bytes) -> str:
    return str(ipaddress.ip_address(ip)) if ip else ""


def find_alike(ip: bytes, known: Iterable[bytes]) -> bytes:
    """Which of the known addresses is meant: that address, or for a link-local one without zone the only one like it.

    If none or several are like it, it comes back as it is.
    """
    if not lacks_zone(ip):
        return ip
    alike = {other for other in known if without_zone(other) == ip}
    return alike.pop() if len(alike) == 1 else ip


def canonical(ip: bytes) -> bytes:
    """The IPv4 address if it is an IPv4-mapped one; else the address as it is."""
    return ip[len(IPV4_MAPPED) :] if len(ip) == IPV6_LENGTH and ip.startswith(IPV4_MAPPED) else ip


def socket_address(ip: bytes, port: int, mapped: bool = False) -> SocketAddress:
    """A packed IP address and a port as the socket module has them; ``mapped`` makes IPv4 addresses IPv6 ones."""
    if len(ip) >= IPV6_LENGTH:
        return _text(without_zone(ip)), port, 0, index_of(ip)
    return ("::ffff:" + ip_text(ip), port, 0, 0) if mapped else (ip_text(ip), port)


def is_wildcard(ip: bytes) -> bool:
    """True for ``0.0.0.0`` and ``::``."""
    return not any(ip)


# --- the checks of sctp_connectx ---


def check_peers(addresses: Sequence[tuple[bytes, int]]) -> int:
    """The one SCTP port of a peer's addresses, each ``(packed IP address, SCTP port)``.

    ``OSError`` (EINVAL): no addresses, one of no known family, a wildcard, multicast or broadcast address, port 0, or
    ports that differ.
    """
    if not addresses:
        raise OSError(errno.EINVAL, "no addresses to connect to")
    port = addresses[0][1]
    for ip, its_port in addresses:
        check_unicast(ip)
        check_port(its_port, "SCTP port")
        if its_port != port:
            raise OSError(errno.EINVAL, f"the addresses of one peer have one SCTP port, not {port} and {its_port}")
    return port


def check_unicast(ip: bytes) -> None:
    """``OSError`` (EINVAL) unless a host can have this address."""
    if len(ip) not in (IPV4_LENGTH, IPV6_LENGTH, IPV6_LENGTH + ZONE_LENGTH):
        raise OSError(errno.EINVAL, f"an address of {len(ip)} bytes is neither IPv4 nor IPv6")
    if not is_unicast(ip):
        kind = "the wildcard, which no peer has" if is_wildcard(ip) else "no address of a single host"
        raise OSError(errno.EINVAL, f"{ip_text(ip)} is {kind}")


def check_families(peers: Iterable[bytes], local: Iterable[bytes]) -> None:
    """``OSError`` (EAFNOSUPPORT) if nothing of ``local`` is of the family of any of the peer's addresses."""
    own = list(local)
    if not any(same_family(ip, other) for ip in peers for other in own):
        mine, theirs = ("IPv4", "IPv6") if own and len(own[0]) == IPV4_LENGTH else ("IPv6", "IPv4")
        raise OSError(errno.EAFNOSUPPORT, f"the local addresses are {mine} and those of the peer {theirs}")


# --- packed sockaddr structures ---


def pack_sockaddrs(addresses: Iterable[SocketAddress]) -> bytes:
    """Addresses of the socket module as ``sockaddr_in`` and ``sockaddr_in6``, one behind the other.

    ``OSError`` (EINVAL) for a host that is no IP address or a port that is none.
    """
    parts = []
    for address in addresses:
        ip = pack_host(address)
        port = check_port(address[1], "port", lowest=0).to_bytes(2, "big")
        if len(ip) == IPV4_LENGTH:
            parts.append(_SOCKADDR_IN.pack(AF_INET, port, ip))
        else:
            flowinfo, scope_id = address[2:] if len(address) > 2 else (0, 0)
            flow = flowinfo.to_bytes(4, "big")
            parts.append(_SOCKADDR_IN6.pack(AF_INET6, port, flow, without_zone(ip), index_of(ip) or scope_id))
    return b"".join(parts)


def unpack_sockaddrs(packed: bytes, count: int | None = None) -> list[SocketAddress]:
    """The addresses in packed structures: the first ``count`` of them, or all.

    ``OSError``: E2BIG if ``count`` is more than the bytes hold; EINVAL for a count below 1, an address of no known
    family, or bytes that end within an address.
    """
    if count is not None and count < 1:
        raise OSError(errno.EINVAL, f"a count of {count} addresses")
    found: list[SocketAddress] = []
    offset = 0
    while len(found) != count and offset < len(packed):
        address, size = _unpack_sockaddr(packed[offset:], errno.EINVAL if count is None else errno.E2BIG)
        found.append(address)
        offset += size
    if count is not None and len(found) < count:
        raise OSError(errno.E2BIG, f"a count of {count} addresses, the bytes hold {len(found)}")
    return found


def _unpack_sockaddr(packed: bytes, cut_off: int) -> tuple[SocketAddress, int]:
    """The first address and the size of its structure; ``cut_off`` is the errno if the bytes end within it."""
    family = _FAMILY.unpack_from(packed)[0] if len(packed) >= _FAMILY.size else 0
    layout = {AF_INET: _SOCKADDR_IN, AF_INET6: _SOCKADDR_IN6}.get(family)
    if layout is None:
        raise OSError(errno.EINVAL, f"address family {family} is neither AF_INET nor AF_INET6")
    if len(packed) < layout.size:
        raise OSError(cut_off, f"the bytes end within an address: {len(packed)} of {layout.size}")
    if family == AF_INET:
        _, port, ip = layout.unpack_from(packed)
        return (ip_text(ip), int.from_bytes(port, "big")), layout.size
    _, port, flowinfo, ip, scope_id = layout.unpack_from(packed)
    ip = canonical(ip)
    if len(ip) == IPV4_LENGTH:
        return (ip_text(ip), int.from_bytes(port, "big")), layout.size
    return (ip_text(ip), int.from_bytes(port, "big"), int.from_bytes(flowinfo, "big"), scope_id), layout.size
