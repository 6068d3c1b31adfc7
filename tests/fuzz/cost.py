"""The bound on work: what a packet may cost, by its bytes and by what it brings about.

``tests/sim/test_bounded_work.py`` holds the bound for attacks that somebody has thought of, this for any. Steps are
lines of the core that run (``tests.sim.steps``), so the compiled build has none to count. Counting makes an input some
twenty times slower: a fuzzer has it for some of its inputs, and again for those that took long by the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from sctpx.core.association.association import Association
from sctpx.core.stack import Stack
from tests.sim.steps import steps_of

from .oracle import require

PER_PACKET: Final = 900
PER_BYTE: Final = 18
PER_CHANGE: Final = 110
PER_CHANGE_LATER: Final = 16
PER_BLOCK: Final = 12
PER_PATH: Final = 400
"""For each address of a peer that is new: it is remembered, verified, and sent to."""


def _done(association: Association) -> int:
    """What has happened to TSNs, messages and packets of an association so far; it only grows."""
    tcb = association.tcb
    stats, out = tcb.stats, tcb.outstanding
    held = sum([end - start for start, end in out.gaps])
    acknowledged = out.cumulative_tsn_ack_point + held + 2 * stats.tsns_taken_back
    sent = out.next_tsn + stats.chunks_retransmitted + 2 * stats.packets_sent + stats.control_chunks_sent
    return acknowledged + sent + stats.fast_retransmits + stats.messages_received


@final
class Meter:
    """Compares what an input costs with what it may cost."""

    def __init__(self) -> None:
        self.steps = 0
        self.allowed = 0

    def measure(self, call: Callable[[], None], stack: Stack, size: int, packets: int) -> None:
        """Packets of so many bytes arrive. Raises ``Violation`` if they cost too much."""
        before = {}
        blocks = marked = paths = 0
        for endpoint in stack.endpoints.values():
            for one in endpoint.associations.values():
                before[one.id] = _done(one)
                blocks += len(one.tcb.outstanding.gaps)
                marked -= one.tcb.outstanding.marked_chunks
                paths -= len(one.paths)
        self.steps = steps_of(call)
        changes = 0
        earlier = 0
        for endpoint in stack.endpoints.values():
            for one in endpoint.associations.values():
                since = before.get(one.id)
                stats = one.stats
                earlier += stats.messages_received + stats.messages_sent + stats.packets_sent
                if since is not None:
                    changes += abs(_done(one) - since)
                marked += one.tcb.outstanding.marked_chunks
                paths += len(one.paths)
        changes += max(marked, 0)
        self.allowed = packets * PER_PACKET + size * PER_BYTE + changes * PER_CHANGE + blocks * PER_BLOCK
        self.allowed += earlier * PER_CHANGE_LATER + max(paths, 0) * PER_PATH
        require(self.steps <= self.allowed, f"{self.steps} steps for {size} bytes in {packets} packets: {self.allowed}")
