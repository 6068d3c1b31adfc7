"""A packet on its way through the simulated network, and what became of it.

Packets are objects only here, outside the stack: filters look at them, the recording keeps them, ladders
and captures are drawn from them. A run of packets that were sent together, and that nothing on the way
tells apart, travels as one ``Packet`` whose ``data`` holds them one behind the other, ``segment`` bytes
each but the last, as in ``Transmit``. Users never see such a run: filters and recordings give single packets.

Addresses are packed bytes inside, as in the core; ``source_text`` and ``destination_text`` are for people.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol, final

from sctpx.core.ip import without_zone, zone_of
from sctpx.core.outputs import CLASS_SHIFT, DSCP_SHIFT, FLOW_LABEL
from sctpx.wire.describe import chunk_names, describe

# What became of a packet.
UNDER_WAY: Final = "under way"
DELIVERED: Final = "delivered"
LOST: Final = "lost"
"""Drawn by the link's loss rate."""
QUEUE_FULL: Final = "queue full"
"""No room in the queue of the link."""
TOO_BIG: Final = "too big"
"""Larger than the MTU of the link, which does not fragment."""
CUT: Final = "cut"
"""The link or an address was cut, or the host was down."""
FILTERED: Final = "filtered"
"""Taken away by a filter, and not released so far."""
HELD_BACK: Final = "held back"
"""Taken away by a filter that sends it on later."""
NO_ROUTE: Final = "no route"
"""No host has the destination address."""
REFUSED: Final = "refused"
"""Answered with an ICMP error."""
ANSWERED: Final = "answered"
"""Taken by a script that plays the destination."""

_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
_UDP_HEADER: Final = 8


@lru_cache(maxsize=4096)
def pack_address(address: str) -> bytes:
    """An IP address in text as the core has it (``core.ip``). Raises ValueError if it is none.

    A link-local address has its zone as a number: all hosts number the links of a network alike.
    """
    parsed = ipaddress.ip_address(address)
    zone = parsed.scope_id if isinstance(parsed, ipaddress.IPv6Address) else None
    return parsed.packed + int(zone).to_bytes(4, "big") if zone and parsed.is_link_local else parsed.packed


@lru_cache(maxsize=4096)
def address_text(address: bytes) -> str:
    """A packed IP address as people write it."""
    zone = zone_of(address)
    text = str(ipaddress.ip_address(without_zone(address)))
    return f"{text}%{int.from_bytes(zone, 'big')}" if zone else text


class Carrier(Protocol):
    """What carries a packet: a link."""

    def release(self, packet: Packet, after: float = 0.0) -> None:
        """Send on a packet that a filter took away, ``after`` seconds from now."""


@final
class Packet:
    """One SCTP packet from one address to another, or an ICMP error about one."""

    __slots__ = (
        "arrived",
        "carrier",
        "copy",
        "data",
        "destination",
        "destination_port",
        "fate",
        "flowinfo",
        "fragments",
        "icmp",
        "mtu",
        "segment",
        "sent",
        "source",
        "source_port",
    )

    def __init__(
        self,
        sent: int,
        source: bytes,
        destination: bytes,
        source_port: int,
        destination_port: int,
        data: bytes,
        segment: int = 0,
        flowinfo: int = 0,
        copy: bool = False,
        icmp: int = 0,
        fragments: bool = False,
        mtu: int = 0,
    ) -> None:
        self.sent = sent
        """When it was sent, nanoseconds."""
        self.source = source
        self.destination = destination
        self.source_port = source_port
        """UDP encapsulation port it was sent from; 0 for SCTP directly over IP."""
        self.destination_port = destination_port
        self.data = data
        """The SCTP packet; for an ICMP error as much of the packet as it returns. A filter may replace it."""
        self.segment = segment or len(data) or 1
        self.flowinfo = flowinfo
        """Traffic class and IPv6 flow label, as ``Transmit.flowinfo`` has them; see ``dscp`` and ``ecn``."""
        self.copy = copy
        """A duplicate that the network made."""
        self.icmp = icmp
        """The errno of an ICMP error that returns ``data`` to its sender; 0 for everything else."""
        self.fragments = fragments
        """IP may fragment it (DF off)."""
        self.mtu = mtu
        """Of an ICMP error EMSGSIZE: the MTU of the link that took no packet so large."""
        self.fate = UNDER_WAY
        """What became of it: ``DELIVERED``, ``LOST``, ``CUT``, ..."""
        self.arrived = -1
        """When it arrived, nanoseconds; -1 if it did not, or not yet."""
        self.carrier: Carrier | None = None

    @property
    def source_text(self) -> str:
        """The source IP address as people write it."""
        return address_text(self.source)

    @property
    def destination_text(self) -> str:
        """The destination IP address as people write it."""
        return address_text(self.destination)

    @property
    def chunks(self) -> list[str]:
        """The names of its chunks: ``["SACK", "DATA"]``; none for an ICMP error."""
        return [] if self.icmp else chunk_names(self.data)

    @property
    def description(self) -> str:
        """The packet in one line."""
        return describe(self.data)

    @property
    def dscp(self) -> int:
        """The Differentiated Services code point of the IP header, 0 to 63."""
        return self.flowinfo >> DSCP_SHIFT

    @property
    def ecn(self) -> int:
        """The two ECN bits of the IP header. A filter may set them."""
        return self.flowinfo >> CLASS_SHIFT & 3

    @ecn.setter
    def ecn(self, bits: int) -> None:
        self.flowinfo = self.flowinfo & ~(3 << CLASS_SHIFT) | bits << CLASS_SHIFT

    @property
    def flow_label(self) -> int:
        """The flow label of an IPv6 header; 0 for none."""
        return self.flowinfo & FLOW_LABEL

    @property
    def count(self) -> int:
        """How many packets it is: more than one only for a run."""
        return -(-len(self.data) // self.segment) if len(self.data) > self.segment else 1

    @property
    def ip_size(self) -> int:
        """Bytes of the IP packet, headers and all (of the first one in a run)."""
        size = min(self.segment, len(self.data)) + (_IPV4_HEADER if len(self.source) == 4 else _IPV6_HEADER)
        return size + _UDP_HEADER if self.destination_port else size

    def release(self, after: float = 0.0) -> None:
        """Send on a packet that a filter took away, ``after`` seconds from now.

        It arrives one link delay later, whatever the link's loss and queue are, unless the link is cut then.
        """
        if self.carrier is not None:
            self.carrier.release(self, after)

    def singles(self) -> Iterator[Packet]:
        """The packets one by one."""
        data, segment = self.data, self.segment
        if len(data) <= segment:
            yield self
            return
        for offset in range(0, len(data), segment):
            piece = self._like(data[offset : offset + segment])
            piece.fate = self.fate
            piece.arrived = self.arrived
            yield piece

    def duplicate(self, sent: int) -> Packet:
        """A copy that the network makes at ``sent`` (nanoseconds)."""
        copy = self._like(self.data)
        copy.sent = sent
        copy.copy = True
        return copy

    def _like(self, data: bytes) -> Packet:
        piece = Packet(
            self.sent,
            self.source,
            self.destination,
            self.source_port,
            self.destination_port,
            data,
            0,
            self.flowinfo,
            self.copy,
            self.icmp,
            self.fragments,
            self.mtu,
        )
        piece.carrier = self.carrier
        return piece
