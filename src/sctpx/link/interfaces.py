"""The addresses of this host: what they are, how far they reach, which one the system would use.

Two halves. The first computes on packed addresses and asks nobody: the reach (scope) of an address, the one
nearest to a peer, the ones worth announcing to it. The second asks the system: the addresses of the interfaces
(by ``ifaddr``), their MTU, the source address the routing table picks.

Scopes are ordered by how far an address is valid: GLOBAL 0 < PRIVATE < LINK_LOCAL < LOOPBACK. "Reaches at least
as far" is then ``<=``, and every rule below is a comparison.

The list of interfaces is read once per process, since reading it costs more than a connect should; whoever looks
for an address that is not in it reads it again.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, TypeAlias, final

if sys.platform == "linux":
    import fcntl

AddressLike: TypeAlias = str | bytes | tuple[str, int]
"""An IP address as text ("192.0.2.1", "fe80::1%eth0"), packed, or as text and IPv6 scope id."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""What the socket module calls an address: IPv4 or IPv6."""

IPV4_BYTES: Final = 4
"""Length of a packed IPv4 address; any other is IPv6."""

GLOBAL: Final = 0
PRIVATE: Final = 1
"""RFC 1918, the carrier's shared space of RFC 6598, and IPv6 unique local addresses (RFC 4193)."""
LINK_LOCAL: Final = 2
LOOPBACK: Final = 3

LARGEST_PACKET: Final = 65535
"""What the length field of IPv4 can tell, bytes."""
DEFAULT_MTU: Final = 1500
"""The MTU of an interface that cannot be asked, bytes."""

_SCOPES: Final = tuple(
    (ipaddress.ip_network(network), scope)
    for network, scope in (
        ("127.0.0.0/8", LOOPBACK),
        ("169.254.0.0/16", LINK_LOCAL),
        ("10.0.0.0/8", PRIVATE),
        ("172.16.0.0/12", PRIVATE),
        ("192.168.0.0/16", PRIVATE),
        ("100.64.0.0/10", PRIVATE),
        ("::1/128", LOOPBACK),
        ("fe80::/10", LINK_LOCAL),
        ("fc00::/7", PRIVATE),
    )
)
_ASKING_PORT: Final = 9899
_SIOCGIFMTU: Final = 0x8921
_IFREQ: Final = struct.Struct("16si20x")


def parse_address(address: AddressLike) -> tuple[bytes, int]:
    """An address as packed bytes and IPv6 scope id (0: none given). ``OSError``: EINVAL, or no such interface."""
    text, scope_id = address if isinstance(address, tuple) else (address, 0)
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        raise OSError(errno.EINVAL, f"{text!r} is not an IP address") from None
    zone = parsed.scope_id if isinstance(parsed, ipaddress.IPv6Address) else None
    if zone:
        scope_id = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return parsed.packed, scope_id


def local_address(address: AddressLike) -> tuple[bytes, int]:
    """A local address as packed bytes and scope id. ``OSError`` (EINVAL) if nothing can be sent from it."""
    ip, scope_id = parse_address(address)
    parsed = ipaddress.ip_address(ip)
    if parsed.is_unspecified or parsed.is_multicast:
        raise OSError(errno.EINVAL, f"{parsed} is no address to send from; for a wildcard give those it stands for")
    return ip, scope_id or link_scope(ip)


def family_of(ip: bytes) -> socket.AddressFamily:
    """``AF_INET`` or ``AF_INET6``."""
    return socket.AF_INET if len(ip) == IPV4_BYTES else socket.AF_INET6


def socket_address(ip: bytes, port: int, scope_id: int = 0) -> SocketAddress:
    """An address for ``bind``, ``connect`` or ``sendto``."""
    text = socket.inet_ntop(family_of(ip), ip)
    return (text, port) if len(ip) == IPV4_BYTES else (text, port, 0, scope_id)


@lru_cache(maxsize=1024)
def scope_of(ip: bytes) -> int:
    """How far an address reaches: GLOBAL, PRIVATE, LINK_LOCAL or LOOPBACK."""
    parsed = ipaddress.ip_address(ip)
    return next((scope for network, scope in _SCOPES if parsed in network), GLOBAL)


def announced(bound: Iterable[bytes], *peers: bytes) -> list[bytes]:
    """Those of our addresses to list in an INIT or INIT ACK for a peer known by these addresses.

    An address is listed if it reaches at least as far as one of the peer's: no loopback address goes to a peer
    that is not on this host, no private or link-local one to a peer known only by global addresses.
    """
    reach = max(map(scope_of, peers), default=GLOBAL)
    return [ip for ip in bound if scope_of(ip) <= reach]


def announced_in_scope(bound: Sequence[bytes], peers: Sequence[bytes]) -> list[bytes]:
    """The same, but none where that is a single one: the packets tell it."""
    scoped = announced(bound, *peers) if len(bound) > 1 else []
    return scoped if len(scoped) > 1 else []


def nearest(candidates: Iterable[bytes], peer: bytes) -> bytes:
    """The best source address for a peer: ``b""`` if none is of its family.

    The scope decides (RFC 6724 section 5, rule 2): an address of the peer's own scope, else the next one that
    reaches further, else the one that falls least short. Then the longest prefix in common (rule 8), then the order.
    """
    wanted = scope_of(peer)

    def fitness(ip: bytes) -> tuple[bool, int, int]:
        scope = scope_of(ip)
        differing = int.from_bytes(ip, "big") ^ int.from_bytes(peer, "big")
        return scope <= wanted, scope if scope <= wanted else -scope, -differing.bit_length()

    return max((ip for ip in candidates if len(ip) == len(peer)), key=fitness, default=b"")


@final
@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One IP address of one interface of this host."""

    interface: str
    """Name of the interface, as the system gives it (``eth0``)."""
    ip: bytes
    prefix: int
    """Length of the network prefix, bits."""
    scope_id: int
    """The IPv6 scope id of a link-local address, 0 for all others."""

    @property
    def scope(self) -> int:
        """How far the address reaches."""
        return scope_of(self.ip)


def wildcard_addresses(wildcard: bytes, found: Iterable[InterfaceAddress]) -> list[bytes]:
    """What ``0.0.0.0`` or ``::`` stands for: every interface address of its family, each once.

    Give them all to a listener and let ``announced`` choose for each peer.
    """
    return list(dict.fromkeys(address.ip for address in found if len(address.ip) == len(wildcard)))


def bindable_addresses(wildcard: bytes) -> list[bytes]:
    """What a wildcard stands for at this moment, of what can be bound."""
    return list(filter(_can_be_bound, wildcard_addresses(wildcard, interface_addresses(refresh=True))))


def _can_be_bound(ip: bytes) -> bool:
    """Whether an address of an interface can be used: a new IPv6 address cannot until it is known to be unique."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_DGRAM) as trying:
            trying.bind(socket_address(ip, 0, link_scope(ip)))
    except OSError:
        return False
    return True


def interface_addresses(*, refresh: bool = False) -> tuple[InterfaceAddress, ...]:
    """The addresses of this host's interfaces. ``refresh``: ask the system, though it was asked before."""
    if refresh:
        _read_interfaces.cache_clear()
    return _read_interfaces()


@cache
def _read_interfaces() -> tuple[InterfaceAddress, ...]:
    import ifaddr  # noqa: PLC0415 - it searches for the C library when imported, which takes a while

    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            ip, scope_id = parse_address(entry.ip if isinstance(entry.ip, str) else (entry.ip[0], entry.ip[2]))
            if scope_of(ip) != LINK_LOCAL:
                scope_id = 0
            found.append(InterfaceAddress(adapter.name, ip, entry.network_prefix, scope_id))
    return tuple(found)


def interface_address(ip: bytes) -> InterfaceAddress | None:
    """The interface that has an address; ``None`` if none has, as with 127.0.0.2 on Linux."""
    for refresh in (False, True):
        for address in interface_addresses(refresh=refresh):
            if address.ip == ip:
                return address
        if scope_of(ip) == LOOPBACK:
            break
    return None


def link_scope(ip: bytes) -> int:
    """The scope id meant by a link-local address that came without one; 0 for other addresses.

    For an address of this host its interface. For another the only link there is: with several links it must be
    given (``fe80::1%eth0``), and the answer is 0.
    """
    if len(ip) == IPV4_BYTES or scope_of(ip) != LINK_LOCAL:
        return 0
    own = interface_address(ip)
    if own is not None:
        return own.scope_id
    links = {address.scope_id for address in interface_addresses()} - {0}
    return links.pop() if len(links) == 1 else 0


def source_for(peer: AddressLike) -> bytes:
    """The local address the system would send from to reach a peer (a connected UDP socket, asked and closed).

    Nothing is sent. ``OSError`` with the system's errno where there is no way: ``ENETUNREACH``, ``EHOSTUNREACH``...
    """
    ip, scope_id = parse_address(peer)
    with socket.socket(family_of(ip), socket.SOCK_DGRAM) as asking:
        asking.connect(socket_address(ip, _ASKING_PORT, scope_id or link_scope(ip)))
        return socket.inet_pton(family_of(ip), asking.getsockname()[0])


def interface_mtu(name: str) -> int:
    """The MTU of an interface, bytes; 1500 where the system does not tell (on Linux alone it is asked)."""
    if sys.platform == "linux":
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFMTU, _IFREQ.pack(name.encode(), 0))
        except OSError:
            return DEFAULT_MTU
        return int(_IFREQ.unpack(answer)[1])
    return DEFAULT_MTU


def address_mtu(ip: bytes) -> int:
    """The largest IP packet to send from a local address: its interface's MTU, at most what IP takes."""
    address = interface_address(ip)
    return min(interface_mtu(address.interface), LARGEST_PACKET) if address else DEFAULT_MTU
