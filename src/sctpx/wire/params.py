"""Parameters of INIT and INIT ACK (RFC 9260 sections 3.3.2.1 and 3.3.3.1) and the address parameters."""

from __future__ import annotations

from typing import Final

from .codes import PARAM_IPV4, PARAM_IPV6
from .tlv import ParseError, item, join

IPV4_LENGTH: Final = 4
IPV6_LENGTH: Final = 16

IPV4_MAPPED: Final = bytes(10) + b"\xff\xff"
"""First bytes of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)."""


def address_parameter(ip: bytes) -> tuple[int, bytes]:
    """Type and value of the address parameter for a packed address. A zone behind an IPv6 address stays here."""
    return (PARAM_IPV4, ip) if len(ip) == IPV4_LENGTH else (PARAM_IPV6, ip[:IPV6_LENGTH])


def address(ip: bytes) -> bytes:
    """An IPv4 or IPv6 Address parameter for a packed address."""
    kind, value = address_parameter(ip)
    return item(kind, value)


def addresses(ips: list[bytes]) -> bytes:
    """Address parameters for several packed addresses."""
    return join([address_parameter(ip) for ip in ips])


def parse_address(kind: int, value: bytes) -> bytes:
    """The packed address of an address parameter; ParseError if the length is not its type's."""
    if len(value) != (IPV4_LENGTH if kind == PARAM_IPV4 else IPV6_LENGTH):
        raise ParseError("address parameter of a wrong length")
    return value


def is_unicast(ip: bytes) -> bool:
    """False for the wildcard, broadcast and multicast addresses of either family, also as IPv4-mapped IPv6."""
    ipv4 = ip[-IPV4_LENGTH:]
    if len(ip) == IPV4_LENGTH or ip[:-IPV4_LENGTH] == IPV4_MAPPED:
        # Not 0.0.0.0/8, 224.0.0.0/4 nor 240.0.0.0/4, which holds the broadcast address (RFC 1122 section 3.2.1.3).
        return 0 < ipv4[0] < 224
    return ip[0] != 0xFF and ip != bytes(IPV6_LENGTH)
