"""Congestion control of one path as RFC 9260 section 7.2 has it: slow start, avoidance, loss, idleness.

The variables live in ``Path``; every change to cwnd and ssthresh is made here. A second controller takes
the place of these functions behind the same names.

Whether the window is *fully utilized* (section 7.2.1) is judged by how the last sending left it, not by the
flight size at each SACK: the SACKs of one batch of input are processed with no sending between them, so that
all but the first would find the window drained by their predecessors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .path import Path

INITIAL_IPV4: Final = 4404
INITIAL_IPV6: Final = 4344
UNLIMITED: Final = 1 << 31


def initialize(path: Path) -> None:
    """The initial window (section 7.2.1), also after a restart of the peer (section 5.2.4 A)."""
    pmdcs = path.pmdcs
    path.cwnd = min(4 * pmdcs, max(2 * pmdcs, INITIAL_IPV4 if len(path.remote) == 4 else INITIAL_IPV6))
    path.ssthresh = UNLIMITED
    path.slow_start_chunks = 1
    path.partial_bytes_acked = 0
    path.was_full = False


def room(path: Path) -> int:
    """Bytes of chunks until the window is full; 0 or less if it is (section 6.1 B).

    After a timeout it is full with one packet in flight, whatever its size (sections 7.2.1 and 7.2.3).
    """
    if path.cwnd <= path.pmdcs and path.flight_size:
        return 0
    return path.cwnd - path.flight_size


def on_acknowledged(path: Path, sizes: Sequence[int]) -> None:
    """Grow cwnd: SACKs acknowledged that many bytes of DATA chunks sent here, each of them, outside Fast Recovery."""
    if path.cwnd <= path.ssthresh and not path.was_full:
        return
    for acknowledged in sizes:
        if path.cwnd <= path.ssthresh:
            path.cwnd += min(acknowledged, path.slow_start_chunks * path.pmdcs)  # Slow start (section 7.2.1).
            continue
        # Congestion avoidance (section 7.2.2).
        path.partial_bytes_acked += acknowledged
        if path.partial_bytes_acked >= path.cwnd:
            if path.was_full:
                path.partial_bytes_acked -= path.cwnd
                path.cwnd += path.pmdcs
            else:
                path.partial_bytes_acked = path.cwnd


def on_all_acknowledged(path: Path) -> None:
    """Nothing is outstanding any more (last item of section 7.2.2)."""
    path.partial_bytes_acked = 0


def on_fast_retransmit(path: Path) -> None:
    """Loss seen by gap reports: halve (section 7.2.3)."""
    path.ssthresh = max(path.cwnd // 2, 4 * path.pmdcs)
    path.cwnd = path.ssthresh
    # "L SHOULD be 1 and MAY be larger than 1": it is 2 in the one step behind Fast Recovery, so that all counts that a
    # SACK of two packets acknowledges.
    path.slow_start_chunks = 2
    path.partial_bytes_acked = 0


def on_timeout(path: Path) -> None:
    """T3-rtx expired: back to one packet in flight (section 7.2.3)."""
    path.ssthresh = max(path.cwnd // 2, 4 * path.pmdcs)
    path.cwnd = path.pmdcs
    path.slow_start_chunks = 1
    path.partial_bytes_acked = 0


def on_idle(path: Path, now: int) -> None:
    """Data is about to be sent after a pause: shrink cwnd once per RTO that passed (section 7.2.1)."""
    periods = (now - path.last_data_sent) // path.rto
    floor = 4 * path.pmdcs
    if periods <= 0 or path.cwnd <= floor:
        return
    # "Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
    path.ssthresh = path.cwnd
    path.slow_start_chunks = 1
    path.cwnd = max(path.cwnd >> min(periods, 32), floor)
    path.last_data_sent = now
