"""SCTP ports for those who do not care for theirs.

To a peer an association is its IP addresses and SCTP ports; UDP ports say nothing (RFC 6951 section 5.4). The programs
of one host have one IP address, and each has a stack of its own that knows nothing of the others. If clients in two of
them have the same SCTP port, the second one passes for a restart of the first one (RFC 9260 section 5.2.2) and takes
its association over. But their UDP ports differ: the system has seen to that. So the ports of a stack follow its UDP
port.

* The first SCTP port is the same number as the UDP port. No two stacks behind one address share it.
* Further ones lie in ``[RUN_FIRST, RUN_FIRST + RUN_COUNT)``, below all UDP ports that systems choose by default, so
  that they never meet the first port of another stack. They follow each other from a place that the UDP port gives.
  With n and m further ports two unrelated stacks meet with a probability of (n + m - 1) / 16384; if each port were
  drawn by itself, it would be about n * m / 16384. The places of neighbouring UDP ports are far apart: of k stacks with
  consecutive UDP ports (k up to 1000) each can have 8000 / k further ports before any two meet.
* Where another program has a further port all the same, as can turn out on raw IP, the ports go on from a place that
  is drawn at random: the other program probably has the next ones, too.
* A number is not taken again before its turn comes round: the peer may still have an association from before.

Without such a UDP port each port is drawn at random out of 16384. So it is if the user chose the UDP port, which hosts
behind one NAT may have done alike, and on raw IP, where the system keeps the programs of a host apart.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, final

from .entropy import RandomBytes, random_below

# The ports that IANA leaves to whoever wants one (RFC 6335 section 6).
DYNAMIC_FIRST: Final = 49152
DYNAMIC_COUNT: Final = 65536 - DYNAMIC_FIRST
RUN_FIRST: Final = 16384
RUN_COUNT: Final = 16384
# About 2^16 divided by the golden ratio. Of the numbers near it, this one has the smallest partial quotients in the
# continued fraction of its share of 2^16, so that multiples stay apart longest.
_SPREAD: Final = 40521


@final
class EphemeralPorts:
    """Gives the SCTP ports of one stack to those who do not care for theirs."""

    __slots__ = ("_first", "_next", "_random_bytes")

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes
        self._first = 0  # Not given yet; 0 for none.
        self._next = -1  # The place in the run; -1 for no run.

    def follow(self, udp_port: int) -> None:
        """The system has chosen this UDP port for the stack: no other stack behind its addresses has it."""
        self._first = udp_port
        self._next = (udp_port * _SPREAD & 0xFFFF) * RUN_COUNT >> 16

    def leap(self) -> None:
        """Another program has a port that was drawn, and maybe a run of them: go on somewhere else."""
        if self._next >= 0:
            self._next = random_below(self._random_bytes, RUN_COUNT)

    def draw(self, taken: Container[int]) -> int:
        """A port that is not ``taken``; 0 if there is none."""
        first, self._first = self._first, 0
        if first and first not in taken:
            return first
        if self._next >= 0:
            for _ in range(RUN_COUNT):
                port = RUN_FIRST + self._next
                self._next = (self._next + 1) % RUN_COUNT
                if port not in taken:
                    return port
        start = random_below(self._random_bytes, DYNAMIC_COUNT)
        for step in range(DYNAMIC_COUNT):
            port = DYNAMIC_FIRST + (start + step) % DYNAMIC_COUNT
            if port not in taken:
                return port
        return 0
