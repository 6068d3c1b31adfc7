"""One packet on its way in, for the cases that need all there is to know about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from ..wire import causes
from ..wire.causes import Cause
from ..wire.codes import CHUNK_ABORT, CHUNK_AUTH, CHUNK_COOKIE_ECHO, CHUNK_HEADER, COMMON_HEADER, FLAG_T
from ..wire.packet import chunks as split_chunks
from ..wire.packet import parse_prefix
from .ip import lacks_zone, place, without_zone, zone_of

ZoneOfLocal = Callable[[bytes], bytes]
"""Tells the zone of the link that an address of this host is on; ``b""`` for none."""


@final
class Arrival:
    """A packet with a right checksum: where it came from, its common header and its chunks.

    An AUTH chunk that is the first one is not among these: what to do with a packet that belongs to no association, or
    to which one it belongs, is told by the chunks behind it (RFC 4895 section 6.3).
    """

    __slots__ = (
        "chunks",
        "first",
        "has_auth",
        "local",
        "local_port",
        "now",
        "packet",
        "peer_port",
        "port",
        "remote",
        "tag",
    )

    def __init__(self, now: int, local: bytes, remote: bytes, port: int, packet: bytes) -> None:
        self.now = now
        self.local = local
        """Our address it came to, packed."""
        self.remote = remote
        """The address it came from, packed."""
        self.port = port
        """The UDP port it came from; 0 without encapsulation."""
        self.packet = packet
        self.peer_port, self.local_port, self.tag = parse_prefix(packet)
        self.chunks = split_chunks(packet)
        """(type, flags, value) of each whole chunk."""
        self.has_auth = bool(self.chunks) and self.chunks[0][0] == CHUNK_AUTH
        """Whether an AUTH chunk is before these. Nobody has verified it."""
        self.first = COMMON_HEADER
        """Where in the packet the first of these begins."""
        if self.has_auth:
            _, _, value = self.chunks.pop(0)
            self.first += CHUNK_HEADER + (len(value) + 3 & ~3)

    @property
    def kind(self) -> int:
        """Type of the first chunk; -1 if there is none."""
        return self.chunks[0][0] if self.chunks else -1

    @property
    def value(self) -> bytes:
        """Value of the first chunk, which is there."""
        return self.chunks[0][2]

    def zone(self, zone_of_local: ZoneOfLocal | None) -> bytes:
        """The zone of the link that it came by; ``b""`` if nothing tells it."""
        zone = zone_of(self.remote) or zone_of(self.local)
        if not zone and zone_of_local is not None:
            zone = zone_of_local(self.local)
        return zone

    def placed(self, listed: list[bytes], known: list[bytes], zone_of_local: ZoneOfLocal | None) -> list[bytes]:
        """The addresses of the peer that it lists, the link-local ones with their zones (``ip.place``)."""
        if not zone_of(self.remote) and not any(lacks_zone(ip) for ip in listed):
            return listed
        return place([without_zone(self.remote), *listed], [self.remote, *known], self.zone(zone_of_local))

    def has(self, kind: int) -> bool:
        """True if there is a chunk of that type."""
        return kind in [chunk[0] for chunk in self.chunks]

    def causes_of_abort(self) -> list[Cause] | None:
        """The causes of its ABORT, if it has our tag; None if it is to be discarded (sections 3.3.7, 8.5.1 B)."""
        for kind, flags, value in self.chunks:
            if kind == CHUNK_ABORT:
                return None if flags & FLAG_T else causes.parse_or_none(value)
        return None


def echoes_cookie(data: bytes, body: int, stop: int) -> bool:
    """Whether the chunks of a packet, which begin at ``body``, begin with a COOKIE ECHO, or with an AUTH chunk and that
    (RFC 4895 section 6.3)."""
    if data[body] == CHUNK_AUTH:
        stop = min(stop, len(data))
        if stop - body < CHUNK_HEADER:
            return False
        body += max((data[body + 2] << 8 | data[body + 3]) + 3 & ~3, CHUNK_HEADER)
        if body >= stop:
            return False
    return data[body] == CHUNK_COOKIE_ECHO
