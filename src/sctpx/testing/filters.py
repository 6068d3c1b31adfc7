"""Filters for the packets a test wants to get hold of: "the next COOKIE ECHO", "every INIT to this address".

A ``Catch`` is made by ``Network.drop``, ``hold``, ``delay`` and ``alter``. It takes the packets that fit out of the
traffic, keeps them for the test to look at, and takes itself off the network when it has caught as many as it
should. A dropped packet is one that is held and never released.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from sctpx.wire.codes import CHUNK_NAMES

from .link import Filter
from .packet import Packet, pack_address

Select = str | Callable[[Packet], bool]
"""Which packets: those with a chunk of this name (``"COOKIE ECHO"``, or ``"chunk 200"`` for a type that has none),
``""`` for all, or those a function picks."""

_NAMES: Final = ("", *CHUNK_NAMES.values())


@final
class Catch:
    """A filter that gets hold of some packets."""

    def __init__(
        self,
        filters: list[Filter],
        select: Select,
        times: int | None,
        source: str | None,
        to: str | None,
        then: Callable[[Packet], bool],
    ) -> None:
        if isinstance(select, str) and select not in _NAMES and not select.startswith("chunk "):
            raise ValueError(f"no chunk is called {select!r}; the RFC's names are {', '.join(CHUNK_NAMES.values())}")
        self.packets: list[Packet] = []
        """The packets caught, in order."""
        self._filters = filters
        self._select = select
        self._left = times
        self._source = None if source is None else pack_address(source)
        self._to = None if to is None else pack_address(to)
        self._then = then
        self._filters.append(self)

    def __call__(self, packet: Packet) -> bool:
        """Let a packet pass (true), or take it away."""
        if not self._fits(packet):
            return True
        self.packets.append(packet)
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.stop()
        return self._then(packet)

    def stop(self) -> None:
        """Catch nothing more. Packets already held stay so until they are released."""
        if self in self._filters:
            self._filters.remove(self)

    def release(self, after: float = 0.0) -> None:
        """Send on, ``after`` seconds from now, every packet caught so far, and catch nothing more."""
        self.stop()
        for packet in self.packets:
            packet.release(after)

    def _fits(self, packet: Packet) -> bool:
        if (
            packet.icmp
            or (self._source or packet.source) != packet.source
            or (self._to or packet.destination) != packet.destination
        ):
            return False
        if isinstance(self._select, str):
            return not self._select or self._select in packet.chunks
        return self._select(packet)
