"""A measured span: the clock, the CPU time and the packets between its beginning and its end, and the result as JSON.

CPU time is that of the whole process. MB are 10^6 bytes.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import sub
from typing import Any, Self, final

if sys.platform != "win32":
    import resource

from ... import COMPILED
from ...core.config import AssociationConfig
from ...core.stats import AssociationStats, StackStats


def cpu_times() -> tuple[float, float]:
    """Seconds this process computed so far, as user and in the system."""
    if sys.platform != "win32":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime, usage.ru_stime
    times = os.times()
    return times.user, times.system


@final
@dataclass(slots=True, kw_only=True)
class Result:
    """What a run came to; ``None`` where it does not apply."""

    role: str
    mode: str
    compiled: bool
    mtu: int
    """The largest IP packet that was sent or might have been: what was asked for, or what the interface takes."""
    nodelay: bool
    """Small messages leave at once (no Nagle)."""
    congestion: str
    """The congestion control of what this side sends."""
    stretch_sack: bool
    size: int | None = None
    """Bytes a message, as the client said."""
    seconds: float = 0.0
    bytes: int | None = None
    """User data that was sent (client) or received (server)."""
    messages: int | None = None
    mb_per_s: float | None = None
    messages_per_s: float | None = None
    rtt_us_median: float | None = None
    rtt_us_p99: float | None = None
    setups: int | None = None
    setups_per_s: float | None = None
    setup_us_median: float | None = None
    cpu_user_s: float = 0.0
    cpu_sys_s: float = 0.0
    packets_sent: int = 0
    packets_received: int = 0
    retransmissions: int | None = None
    """DATA chunks sent again."""

    @classmethod
    def of(cls, role: str, mode: str, config: AssociationConfig) -> Self:
        """The result of a run that has not begun."""
        return cls(
            role=role,
            mode=mode,
            compiled=COMPILED,
            mtu=config.usual_mtu,
            nodelay=config.nodelay,
            congestion=config.congestion,
            stretch_sack=config.stretch_sack,
        )

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


@final
class Span:
    """From its making to ``finish``."""

    def __init__(self, result: Result, stats: AssociationStats | StackStats) -> None:
        """Counts what happens from now on: packets of one association, or of all on its UDP port."""
        self._result = result
        self._stats = stats
        self._before = _packets(stats)
        self._cpu = cpu_times()
        self._start = time.perf_counter()

    def finish(self) -> None:
        """Enter seconds, CPU time, packets, and the rates of what was counted."""
        result = self._result
        result.seconds = time.perf_counter() - self._start
        user, system = cpu_times()
        result.cpu_user_s, result.cpu_sys_s = user - self._cpu[0], system - self._cpu[1]
        sent, received, retransmitted = map(sub, _packets(self._stats), self._before)
        result.packets_sent, result.packets_received = sent, received
        if isinstance(self._stats, AssociationStats):
            result.retransmissions = retransmitted
        if result.seconds > 0:
            if result.bytes is not None and result.messages is not None:
                result.mb_per_s = result.bytes / result.seconds / 1e6
                result.messages_per_s = result.messages / result.seconds
            if result.setups is not None:
                result.setups_per_s = result.setups / result.seconds


def _packets(stats: AssociationStats | StackStats) -> tuple[int, int, int]:
    retransmitted = stats.chunks_retransmitted if isinstance(stats, AssociationStats) else 0
    return stats.packets_sent, stats.packets_received, retransmitted


def median_us(times_ns: Sequence[int]) -> float:
    """The median of times in nanoseconds, in microseconds."""
    return statistics.median(times_ns) / 1000


def percentile_us(times_ns: Sequence[int], percent: int) -> float:
    """So many per cent of the times are at most this: nanoseconds in, microseconds out."""
    ordered = sorted(times_ns)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] / 1000
