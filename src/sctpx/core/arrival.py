"""One packet on its way in, for the cases that need all there is to know about it."""

from __future__ import annotations

from typing import final

from ..wire.packet import chunks as split_chunks
from ..wire.packet import parse_prefix


@final
class Arrival:
    """A packet with a right checksum: where it came from, its common header and its chunks."""

    __slots__ = ("chunks", "local", "local_port", "now", "packet", "peer_port", "port", "remote", "tag")

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

    @property
    def kind(self) -> int:
        """Type of the first chunk; -1 if there is none."""
        return self.chunks[0][0] if self.chunks else -1

    @property
    def value(self) -> bytes:
        """Value of the first chunk, which is there."""
        return self.chunks[0][2]

    def has(self, kind: int) -> bool:
        """True if there is a chunk of that type."""
        return kind in [chunk[0] for chunk in self.chunks]
