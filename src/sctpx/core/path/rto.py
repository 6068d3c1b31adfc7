"""Round-trip time and retransmission timeout of a path (RFC 9260 section 6.3.1)."""

from __future__ import annotations

from typing import Final

from ..rules import Rules
from .path import Path

CLOCK_GRANULARITY: Final = 1000  # ns
REMEMBERED: Final = 64
"""Measurements of which the least round-trip time is remembered at least, and twice as many at most."""


def measure(path: Path, rtt: int, rules: Rules) -> None:
    """Take a new measurement, ns, and compute RTO from it: rules C2, C3, C6, C7 and G1.

    RTO.Alpha is 1/8 and RTO.Beta 1/4.
    """
    if path.srtt == 0:
        path.srtt = max(rtt, 1)
        path.rttvar = rtt // 2
        path.least_rtt = path.least_rtt_of_late = path.srtt
    else:
        path.rttvar += (abs(path.srtt - rtt) - path.rttvar) // 4
        path.srtt = max(path.srtt + (rtt - path.srtt) // 8, 1)
    if path.rttvar <= 0:
        path.rttvar = CLOCK_GRANULARITY
    path.rto = path.srtt + 4 * path.rttvar
    bound(path, rules)
    path.controller.on_rtt(path.srtt)
    # "The sender SHOULD track a windowed min-filtered estimate of recent RTT measurements" (RFC 8985 section 6.2).
    path.measurements += 1
    if path.measurements % REMEMBERED == 0:
        path.least_rtt = path.least_rtt_of_late
        path.least_rtt_of_late = max(rtt, 1)
    elif rtt < path.least_rtt_of_late:
        path.least_rtt_of_late = max(rtt, 1)
    if path.least_rtt_of_late < path.least_rtt:
        path.least_rtt = path.least_rtt_of_late


def unbounded(path: Path) -> int:
    """What RTO would be without RTO.Min and without timeouts, ns; RTO while nothing was measured."""
    return path.srtt + 4 * path.rttvar if path.srtt else path.rto


def without_backoff(path: Path, rules: Rules) -> int:
    """RTO as if there had been no timeout since the last measurement, ns."""
    if not path.srtt:
        return min(rules.rto_initial, path.rto)
    return min(max(unbounded(path), rules.rto_min), path.rto)


def bound(path: Path, rules: Rules) -> None:
    """Keep RTO between RTO.Min and RTO.Max: rules C6 and C7."""
    path.rto = _bounded(path.rto, rules)
    if path.rto > path.rto_highest:
        path.rto_highest = path.rto


def back_off(path: Path, rules: Rules) -> None:
    """Double RTO after a timeout, up to RTO.Max: rule E2 of section 6.3.3."""
    path.rto = min(path.rto * 2, rules.rto_max)
    if path.rto > path.rto_highest:
        path.rto_highest = path.rto


def measured(path: Path, rules: Rules) -> int:
    """The RTO that follows from the measurements alone, whatever timed out since: RTO.Initial before there is one."""
    rto = path.srtt + 4 * path.rttvar if path.srtt else rules.rto_initial
    return _bounded(rto, rules)


def _bounded(rto: int, rules: Rules) -> int:
    return min(max(rto, rules.rto_min), rules.rto_max)
