"""The real part: processes that pour messages into each other over loopback sockets while paths are cut and healed.

What must hold: what came is what was sent, by its hash; every association ends gracefully; no reader waits longer than
``GAP`` for the next message; and no process has more memory in its second half than in its first one, but for
``GROWTH``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

from tests.guards.house import ROOT

GAP: Final = 20.0
"""Seconds. A path that dies costs a retransmission timeout, one second at least, and on a busy machine more."""
GROWTH: Final = 1.15
SLACK: Final = 12 << 20
"""Bytes of memory more in the second half that do not count."""
EACH: Final = 2
"""Associations of each client in each direction."""
PATIENCE: Final = 120.0
"""Seconds that processes may take beside the pouring."""


@dataclass
class Result:
    """What was measured."""

    seconds: float
    associations: int
    bytes: int
    cuts: int
    gap: float
    memory: int
    """The most that any process had in its second half, bytes."""
    growth: float
    """The largest ratio of that to its first half."""

    @property
    def rate(self) -> float:
        """Megabytes a second, all associations together."""
        return self.bytes / self.seconds / 1e6


def halves(seen: list[int]) -> tuple[int, int]:
    """The most memory in the first and in the second half; the beginning counts in neither, which loads modules."""
    seen = seen[len(seen) // 10 :]
    middle = max(len(seen) // 2, 1)
    return max(seen[:middle]), max(seen[middle:] or seen)


def _start(role: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.soak.peers", role, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _ends(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """What a process has to say at its end. AssertionError: it has failed."""
    out, _ = process.communicate("end\n", timeout=seconds)
    assert process.returncode == 0, f"{process.args!r} ended with {process.returncode}"
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


def run(seconds: float, seed: int = 1, each: int = EACH) -> Result:
    """Pour for so long. AssertionError: something does not hold."""
    processes = [_start("server", "--seed", str(seed))]
    try:
        server = processes[0]
        assert server.stdout is not None
        udp_port = json.loads(server.stdout.readline())["port"]
        arguments = ["--udp-port", str(udp_port), "--seconds", str(seconds), "--each", str(each)]
        processes += [_start(role, *arguments) for role in ("asyncio", "sockets")]
        told = [_ends(process, seconds + PATIENCE) for process in processes[1:]]
        served = _ends(server, PATIENCE)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    reports = [report for one in told for report in one["reports"]]
    both = [halves(one["memory"]) for one in [served, *told]]
    gap = max(report["gap"] for report in reports)
    result = Result(
        max(report["seconds"] for report in reports),
        len(reports),
        sum(report["bytes"] for report in reports),
        served["cuts"],
        gap,
        max(second for _, second in both),
        max(second / max(first, 1) for first, second in both),
    )
    assert gap < GAP, f"{gap:.1f} s without a message"
    for first, second in both:
        assert second <= GROWTH * first + SLACK, f"memory grows: {first >> 20} MiB, then {second >> 20} MiB"
    return result
