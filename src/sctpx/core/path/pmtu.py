"""Path MTU discovery of one path: which sizes are probed, and what their fate means (RFC 8899, RFC 9260 section 7.3).

A search knows sizes only. When probes leave, how they are answered, and what else tells of packets that were too big is
the business of ``ext.path_mtu``. Sizes are bytes of whole SCTP packets, multiples of four: what the RFC calls PLPMTU is
such a size plus the UDP header, if there is one (section 6.2.2.2).

The choice of sizes (section 5.3.2: "to maximize the gain in PLPMTU from each search step"):

1. BASE_PLPMTU, which has to pass before anything larger is used.
2. MAX_PLPMTU, what the interface takes: most paths take as much all the way.
3. 1500 bytes of IP, then the middle one of the common sizes between what passed and what was lost.
4. If a common size has passed and the next one has not, the path most probably has that MTU: a packet that is larger by
   four bytes is probed. If that passes after all, the rest is found by halving.

What a router says that it takes comes before 2. If that passes, four bytes more are probed: a router that told the
truth says the same once more, which ends the search; and a message that was forged ends nothing.

A size that is lost once is taken for too large, and smaller ones are probed: a router that drops it drops it again. At
the end, when nothing is left between what passed and what was lost, the lost size is probed until it was lost
MAX_PROBES times, as the first probe may have been lost by chance. So PROBE_COUNT counts for the size that decides, and
not for all sizes in a row (section 5.1.3): behind a router that sends no ICMP messages, the third size that is too
large would end the search with BASE_PLPMTU.
"""

from __future__ import annotations

from typing import Final, final

MAX_PROBES: Final = 3
"""How often the size is probed that decides (section 5.1.2)."""
MOST_PROBES: Final = 64
"""Probes of one search: the end of it, whatever a network does to them."""

# States (section 5.2). DISABLED is a path that discovers nothing.
BASE: Final = 0
SEARCHING: Final = 1
SEARCH_COMPLETE: Final = 2
ERROR: Final = 3

_STEP: Final = 4
_UDP_HEADER: Final = 8
_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
# "When using IPv4 [...], a default BASE_PLPMTU of 1200 bytes is RECOMMENDED." Every IPv6 link takes 1280 bytes of IP.
_BASE_IPV4: Final = 1200
_BASE_IPV6: Final = 1280 - _IPV6_HEADER
# What every IPv4 host has to be able to receive (RFC 1122 section 3.3.3).
_MINIMUM_IPV4: Final = 576 - _IPV4_HEADER
# IP packets: the least of IPv6, tunnels of many kinds, WireGuard, VXLAN, GRE, IPv6 in IPv4, PPPoE, Ethernet, jumbo.
_COMMON: Final = (1280, 1400, 1420, 1450, 1476, 1480, 1492, 1500, 9000)
_MOST_COMMON: Final = 1500


def headers(remote: bytes, encaps_port: int) -> int:
    """Bytes that IP and UDP add to an SCTP packet."""
    return (_IPV4_HEADER if len(remote) == 4 else _IPV6_HEADER) + (_UDP_HEADER if encaps_port else 0)


def base_size(remote: bytes, encaps_port: int) -> int:
    """BASE_PLPMTU: a packet that most paths take."""
    return (_BASE_IPV4 if len(remote) == 4 else _BASE_IPV6) - (_UDP_HEADER if encaps_port else 0)


def minimum_size(remote: bytes, encaps_port: int) -> int:
    """MIN_PLPMTU: a packet that each path is taken to carry."""
    return (_MINIMUM_IPV4 if len(remote) == 4 else _BASE_IPV6) - (_UDP_HEADER if encaps_port else 0)


@final
class Search:
    """One search for the PLPMTU of one path: from BASE, or from a size that holds already."""

    __slots__ = ("_common", "_headers", "_high", "_losses", "_rises", "base", "hint", "largest", "left", "low", "state")

    def __init__(self, low: int, base: int, largest: int, headers: int, state: int) -> None:
        self.state = state
        """``BASE`` or ``SEARCHING`` while there is something to probe; then ``SEARCH_COMPLETE`` or ``ERROR``."""
        self.low = low
        """The largest size that is known to pass: PLPMTU."""
        self.base = base
        self.largest = largest
        """MAX_PLPMTU."""
        self.hint = 0
        """What a router said that it takes, until more than that has passed; 0 for none."""
        self.left = MOST_PROBES
        """Probes that may still be sent."""
        self._headers = headers
        self._common = [size for size in [mtu - headers & ~3 for mtu in _COMMON] if size <= largest]
        self._high = largest + _STEP  # The smallest size that was lost.
        self._losses = 0  # How often.
        # A search that begins at a size which has held for a while: unless four bytes more pass, nothing has changed.
        self._rises = state == SEARCHING

    def next_size(self) -> int:
        """The size to be probed now; 0 if the search is over."""
        if self.state == BASE and self.left:
            return self.base
        size = self._choose() if self.state == SEARCHING and self.left else 0
        if not size and self.state in (BASE, SEARCHING):
            self.state = SEARCH_COMPLETE if self.state == SEARCHING else ERROR
        return size

    def _choose(self) -> int:
        low, high = self.low, self._high
        if low >= self.largest:
            return 0
        if high - low <= _STEP:
            return high if self._losses < MAX_PROBES else 0
        if low < self.hint < high:
            return self.hint
        if self._rises or low == self.hint:
            return low + _STEP
        if high > self.largest:
            return self.largest
        between = [size for size in self._common if low < size < high]
        if between:
            usual = _MOST_COMMON - self._headers & ~3
            return usual if usual in between else between[len(between) // 2]
        if low in self._common or low == self.base:
            return low + _STEP
        return (low + high) // 2 & ~3

    def on_passed(self, size: int) -> None:
        """A probe of that size was answered."""
        if self.state == BASE:
            self.state = SEARCHING
            self._losses = 0
        if size > self.low:
            self.low = size
        self._rises = False
        if self.low >= self._high:
            # The larger ones may have been lost by chance, too.
            self._high = self.largest + _STEP
            self._losses = 0
        if self.low > self.hint:
            self.hint = 0

    def on_lost(self, size: int) -> None:
        """A probe of that size was not answered in time."""
        if self.state == BASE:
            self._losses += 1
            if self._losses >= MAX_PROBES:
                self.state = ERROR
        elif size == self._high:
            self._losses += 1
        elif size < self._high:
            self._high = size
            self._losses = 1
        if size == self.hint:
            self.hint = 0

    def on_too_big(self, size: int, limit: int) -> None:
        """The network, or this host, said that a probe of ``size`` is too big: it takes ``limit``, 0 if it did not say.

        That is believed of the size that was probed, as its loss would be. What is said to pass is the next size that
        is probed (section 4.6.2).
        """
        if self.state == BASE:
            self._losses = MAX_PROBES
            self.state = ERROR
            return
        if size <= self._high:
            self._high = size
            self._losses = MAX_PROBES
        if limit == self.low:
            self.state = SEARCH_COMPLETE  # "PTB: PL_PTB_SIZE = PLPMTU" (section 5.2).
        elif self.low < limit < size:
            self.hint = limit
