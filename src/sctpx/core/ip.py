"""IP addresses as the core has them: packed, 4 bytes (IPv4), 16 (IPv6), or 20 (a link-local address with its zone).

fe80::1 is another host on every link (RFC 4007). The zone says which link is meant: it is the index of the interface,
4 bytes in network order, behind the 16 bytes of the address. So addresses that differ in nothing but the link are two,
wherever addresses are compared or looked up.

A zone means something on this host only. It never leaves: an address parameter holds the first 16 bytes
(``wire.params``), and what a peer lists in INIT or INIT ACK comes without a zone. ``place`` gives it one.

Scopes are ordered by how far an address is valid: GLOBAL 0 < PRIVATE < LINK_LOCAL < LOOPBACK. "Reaches at least as
far" is then ``<=``.
"""

from __future__ import annotations

from typing import Final

from ..wire.params import IPV4_LENGTH, IPV6_LENGTH

GLOBAL: Final = 0
PRIVATE: Final = 1
"""RFC 1918, the carrier's shared space of RFC 6598, and IPv6 unique local addresses (RFC 4193)."""
LINK_LOCAL: Final = 2
"""169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291)."""
LOOPBACK: Final = 3

ZONE_LENGTH: Final = 4
_IPV6_LOOPBACK: Final = bytes(15) + b"\1"


# --- what an address is ---


def is_ipv4(ip: bytes) -> bool:
    """True for an IPv4 address; any other is an IPv6 one."""
    return len(ip) == IPV4_LENGTH


def same_family(one: bytes, other: bytes) -> bool:
    """True if both are IPv4 addresses, or both IPv6."""
    return is_ipv4(one) == is_ipv4(other)


def zone_of(ip: bytes) -> bytes:
    """The zone of an address, packed; ``b""`` if it has none."""
    return ip[IPV6_LENGTH:]


def without_zone(ip: bytes) -> bytes:
    """The address as other hosts know it."""
    return ip[:IPV6_LENGTH]


def with_zone(ip: bytes, index: int) -> bytes:
    """The address on the link of the interface with that number; as it is if 0, or if it is not link-local."""
    if not index or is_ipv4(ip) or scope_of(ip) != LINK_LOCAL:
        return ip
    return without_zone(ip) + index.to_bytes(ZONE_LENGTH, "big")


def index_of(ip: bytes) -> int:
    """The zone of an address as the number of the interface, which socket addresses call scope id; 0 for none."""
    return int.from_bytes(zone_of(ip), "big")


def lacks_zone(ip: bytes) -> bool:
    """True for a link-local IPv6 address that does not say on which link."""
    return len(ip) == IPV6_LENGTH and scope_of(ip) == LINK_LOCAL


def scope_of(ip: bytes) -> int:
    """How far an address reaches: GLOBAL, PRIVATE, LINK_LOCAL or LOOPBACK."""
    first = ip[0]
    second = ip[1]
    if is_ipv4(ip):
        if first == 127:
            return LOOPBACK
        if first == 169 and second == 254:
            return LINK_LOCAL
        if (
            first == 10
            or (first == 172 and 16 <= second < 32)
            or (first == 192 and second == 168)
            or (first == 100 and 64 <= second < 128)
        ):
            return PRIVATE
        return GLOBAL
    if first == 0xFE and second & 0xC0 == 0x80:
        return LINK_LOCAL
    if first & 0xFE == 0xFC:
        return PRIVATE
    return LOOPBACK if ip == _IPV6_LOOPBACK else GLOBAL


# --- which of our addresses to use ---


def can_reach(local: bytes, remote: bytes) -> bool:
    """False if nothing could be sent from that address of ours: another family, or link-local ones of two links."""
    if not same_family(local, remote):
        return False
    return not zone_of(local) or not zone_of(remote) or zone_of(local) == zone_of(remote)


def choose_source(locals_: list[bytes], remote: bytes, used: list[bytes]) -> bytes:
    """The best of these addresses of ours to send from towards an address of the peer; ``b""`` if none can reach it.

    The scope decides (RFC 6724 section 5, rule 2): an address of the remote's own scope, else the next one that reaches
    further, else the one that falls least short. Then the longest prefix in common (rule 8): with one address per
    network, as a multi-homed host has it, that is the one on the remote's network. Among equals, one that the
    association's other paths (``used``) need least, lest one failure cut them all; then the first.
    """
    wanted = scope_of(remote)
    best = b""
    best_fit = (-1, 0, 0, 0)
    for local in locals_:
        if not can_reach(local, remote):
            continue
        scope = scope_of(local)
        reaches = scope <= wanted
        bits = _common_bits(without_zone(local), without_zone(remote))
        fit = (1, scope, bits, -used.count(local)) if reaches else (0, -scope, bits, -used.count(local))
        if fit > best_fit:
            best = local
            best_fit = fit
    return best


def _common_bits(one: bytes, other: bytes) -> int:
    """The length of the longest prefix in common, bits."""
    return len(one) * 8 - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


# --- what a peer lists ---


def place(listed: list[bytes], known: list[bytes], zone: bytes) -> list[bytes]:
    """What a peer lists, with a zone at each link-local address.

    ``known`` are addresses of the peer whose zones are certain: it was heard there, or the user named them. Any other
    is taken to be on the link that the list came by, ``zone``. If that is not known (``b""``) the address is left out,
    since nothing could be sent to it.
    """
    placed: list[bytes] = []
    for ip in listed:
        if not lacks_zone(ip):
            placed.append(ip)
            continue
        certain = [other for other in known if without_zone(other) == ip]
        if certain:
            placed.extend(certain)
        elif zone:
            placed.append(ip + zone)
    return placed
