"""Packets that arrived together, as a host takes them in: joined to batches, as Linux does it for UDP (UDP_GRO).

A batch holds packets of the same ports and marks, one behind the other. All are as long as the first but
the last, which may be shorter; a shorter packet therefore ends a batch, and a longer one begins another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .packet import Packet

MAX_PACKETS: Final = 64
"""Packets in a batch at most."""
MAX_BYTES: Final = 65535
"""Bytes in a batch at most."""

Batch = tuple[Packet, bytes, int]
"""The first packet of a batch (for its addresses, ports and marks), the bytes, and the segment size."""


def one_by_one(packets: Sequence[Packet]) -> Iterator[Batch]:
    """Each packet by itself."""
    for run in packets:
        for packet in run.singles():
            yield packet, packet.data, len(packet.data)


def joined(packets: Sequence[Packet]) -> Iterator[Batch]:
    """The packets in as few batches as the rules allow, in their order."""
    first: Packet | None = None
    parts: list[bytes] = []
    segment = size = 0
    for packet in packets:
        length = len(packet.data)
        if (
            first is not None
            and size > 0
            and length > 0
            and size % segment == 0
            and min(packet.segment, length) <= segment
            and (length <= packet.segment or packet.segment == segment)
            and size + length <= MAX_BYTES
            and size + length <= MAX_PACKETS * segment
            and packet.flowinfo == first.flowinfo
            and packet.source_port == first.source_port
            and packet.destination_port == first.destination_port
            and packet.source == first.source
            and packet.destination == first.destination
        ):
            parts.append(packet.data)
            size += length
            continue
        if first is not None:
            yield first, _join(parts), segment
        first, parts, segment, size = packet, [packet.data], min(packet.segment, length), length
    if first is not None:
        yield first, _join(parts), segment


def _join(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
