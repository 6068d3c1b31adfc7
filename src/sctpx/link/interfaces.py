"""The interfaces of this host: their addresses and links, their MTU, and which source address the system would use.

The addresses are read by ``ifaddr``, once per process, since reading them costs more than a connect should; whoever
looks for an address that was not there reads them again.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, final

from ..core.ip import LOOPBACK, ZONE_LENGTH, lacks_zone, same_family, scope_of, without_zone, zone_of
from .addresses import (
    AddressLike,
    address_text,
    family_of,
    packed_address,
    parse_address,
    socket_address,
)

if sys.platform == "linux":
    import fcntl

LARGEST_PACKET: Final = 65535
"""What the length field of IPv4 can tell, bytes."""
DEFAULT_MTU: Final = 1500
"""The MTU of an interface that cannot be asked, bytes."""

_LOOPBACK: Final = bytes((127, 0, 0, 1))
_ASKING_PORT: Final = 9899
_SIOCGIFMTU: Final = 0x8921
_IFREQ: Final = struct.Struct("16si20x")


@final
@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One IP address of one interface of this host."""

    interface: str
    """Name of the interface, as the system gives it (``eth0``)."""
    ip: bytes
    """Packed, a link-local IPv6 address with its zone."""
    prefix: int
    """Length of the network prefix, bits."""
    index: int
    """Number of the interface; 0 if the system does not tell."""

    @property
    def scope(self) -> int:
        """How far the address reaches."""
        return scope_of(self.ip)

    @property
    def zone(self) -> bytes:
        """The zone of its link, packed; ``b""`` for loopback, which is no link."""
        return b"" if self.scope == LOOPBACK or not self.index else self.index.to_bytes(ZONE_LENGTH, "big")


def wildcard_addresses(wildcard: bytes, found: Iterable[InterfaceAddress]) -> list[bytes]:
    """What ``0.0.0.0`` or ``::`` stands for: every interface address of its family, each once.

    Give them all to a listener and let ``announced`` choose for each peer.
    """
    return list(dict.fromkeys(address.ip for address in found if same_family(address.ip, wildcard)))


def bindable_addresses(wildcard: bytes) -> list[bytes]:
    """What a wildcard stands for at this moment, of what can be bound."""
    return list(filter(can_be_bound, wildcard_addresses(wildcard, interface_addresses(refresh=True))))


def can_be_bound(ip: bytes) -> bool:
    """Whether an address of an interface can be used: a new IPv6 address cannot until it is known to be unique."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_DGRAM) as trying:
            trying.bind(socket_address(ip, 0))
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
            ip = parse_address(entry.ip if isinstance(entry.ip, str) else (entry.ip[0], entry.ip[2]))
            found.append(InterfaceAddress(adapter.name, ip, entry.network_prefix, adapter.index or 0))
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


# --- links ---


def zone_of_local(ip: bytes) -> bytes:
    """The zone of the link that an address of this host is on; ``b""`` if it is on none."""
    address = interface_address(ip)
    return b"" if address is None else address.zone


def zoned(ip: bytes) -> bytes:
    """A packed address with the zone that is meant, if it came without one and that is clear; else as it is.

    A link-local address of this host is on the link of its interface. For one of another host there has to be a single
    link.
    """
    if not lacks_zone(ip):
        return ip
    zones = _possible_zones(ip)
    return ip + zones[0] if len(zones) == 1 else ip


def check_zone(ip: bytes) -> bytes:
    """The same. ``OSError`` (EINVAL) if it is not clear which zone is meant."""
    ip = zoned(ip)
    if lacks_zone(ip):
        raise OSError(errno.EINVAL, _what_is_missing(ip))
    return ip


def local_address(address: AddressLike) -> bytes:
    """A local address as packed bytes. ``OSError`` (EINVAL) if nothing can be sent from it."""
    ip = parse_address(address)
    parsed = ipaddress.ip_address(without_zone(ip))
    if parsed.is_unspecified or parsed.is_multicast:
        raise OSError(errno.EINVAL, f"{parsed} is no address to send from; for a wildcard give those it stands for")
    return check_zone(ip)


def _possible_zones(ip: bytes) -> list[bytes]:
    """The zones of our own address, if it is one, or those of all links."""
    for refresh in (False, True):
        known = [address.ip for address in interface_addresses(refresh=refresh) if zone_of(address.ip)]
        own = [address for address in known if without_zone(address) == ip]
        if own:
            return sorted(map(zone_of, own))
    return sorted(set(map(zone_of, known)))


def _what_is_missing(ip: bytes) -> str:
    text = address_text(ip)
    links = [address_text(ip + zone) for zone in _possible_zones(ip)]
    cure = f"write {' or '.join(links)}" if links else "and this host has no link with IPv6"
    return f"{text} is a link-local address, which is another host on every link: {cure}"


def source_for(peer: AddressLike) -> bytes:
    """The local address the system would send from to reach a peer (a connected UDP socket, asked and closed).

    Nothing is sent. ``OSError`` with the system's errno where there is no way: ``ENETUNREACH``, ``EHOSTUNREACH``, ...;
    EINVAL for a link-local address without a zone, if this host has several links.
    """
    ip = check_zone(parse_address(peer))
    with socket.socket(family_of(ip), socket.SOCK_DGRAM) as asking:
        asking.connect(socket_address(ip, _ASKING_PORT))
        return packed_address(asking.getsockname())


# --- sizes ---


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
    """The largest IP packet to send from a local address: its interface's MTU, at most what IP takes.

    On Linux every address of 127.0.0.0/8 is one of the loopback interface, though that has only 127.0.0.1.
    """
    address = interface_address(ip)
    if address is None and same_family(ip, _LOOPBACK) and scope_of(ip) == LOOPBACK:
        address = interface_address(_LOOPBACK)
    return min(interface_mtu(address.interface), LARGEST_PACKET) if address else DEFAULT_MTU
