"""What the project wants to reach: ratios of one run against another stack, or figures as they are.

``against`` names a work and a stack; no stack means our own, in the same build; no work means that the figure stands
for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .results import Results, Row
from .stacks import AIORTC, COMPILED, FLOOR, PURE, TCP, USRSCTP


@dataclass(frozen=True, slots=True)
class Target:
    """A line of the table of targets."""

    title: str
    work: str
    against: tuple[str, str]
    compiled: float
    pure: float
    at_most: bool = False
    """Less is better."""
    unit: str = "x"

    def wanted(self, stack: str) -> float:
        """The bound for one of our builds."""
        return {COMPILED: self.compiled, PURE: self.pure}[stack]

    def rows(self, results: Results, stack: str) -> list[Row]:
        """The row of one of our builds, and the one that it is measured against, as far as they are there."""
        found = [results.get(self.work, stack)]
        if self.against[0]:
            found.append(results.get(self.against[0], self.against[1] or stack))
        return [row for row in found if row is not None]

    def reached(self, results: Results, stack: str) -> float | None:
        """What one of our builds came to; ``None`` if it was not measured, or what it is measured against was not."""
        rows = self.rows(results, stack)
        if len(rows) < (2 if self.against[0] else 1):
            return None
        if len(rows) == 1:
            return rows[0].value
        return rows[0].value / rows[1].value if rows[1].value else None

    def holds(self, stack: str, reached: float) -> bool:
        """Whether that is good enough."""
        return reached <= self.wanted(stack) if self.at_most else reached >= self.wanted(stack)


ABSOLUTE: Final = ("", "")

TARGETS: Final = (
    Target("bulk 64 KiB against usrsctp, SACK every second packet", "bulk-64k", ("bulk-64k", USRSCTP), 10, 2),
    Target("the same with stretch_sack", "bulk-64k-stretch-sack", ("bulk-64k", USRSCTP), 8, 2.5),
    Target("the same, GSO/GRO off on our side", "bulk-64k-no-offload", ("bulk-64k", USRSCTP), 1.3, 1),
    Target("bulk 64 KiB against aiortc", "bulk-64k", ("bulk-64k", AIORTC), 25, 10),
    Target("CPU per packet against the raw floor", "bulk-64k/cpu", ("bulk-64k/cpu", FLOOR), 4, 16, at_most=True),
    Target("1 KiB messages against usrsctp", "bulk-1k", ("bulk-1k", USRSCTP), 8, 2),
    Target("64 B messages per second against usrsctp", "bulk-64b", ("bulk-64b", USRSCTP), 4, 1),
    Target("ping-pong 64 B median RTT against usrsctp", "ping-pong", ("ping-pong", USRSCTP), 1.2, 1.5, at_most=True),
    Target(
        "the same with a protocol instead of coroutines",
        "ping-pong-protocol",
        ("ping-pong", USRSCTP),
        1.2,
        1.5,
        at_most=True,
    ),
    Target(
        "the same through blocking sockets",
        "ping-pong-sockets",
        ("ping-pong", USRSCTP),
        1.0,
        1.5,
        at_most=True,
    ),
    Target("bulk 64 KiB through blocking sockets against asyncio", "bulk-64k-sockets", ("bulk-64k", ""), 0.8, 0.8),
    Target(
        "ping-pong 64 B through blocking sockets against asyncio",
        "ping-pong-sockets",
        ("ping-pong", ""),
        1.15,
        1.15,
        at_most=True,
    ),
    Target("associations per second (abortive close) against usrsctp", "setup", ("setup", USRSCTP), 1.2, 0.5),
    Target("goodput under 1 % random loss, 10 ms, against usrsctp", "loss", ("loss", USRSCTP), 1, 1),
    Target("the same with CUBIC", "loss-cubic", ("loss", USRSCTP), 3, 1),
    Target("the same by the loss recovery of RFC 9260 alone", "loss-rfc9260", ("loss", USRSCTP), 1, 1),
    Target("CPU per packet under that loss against loss-free", "loss/cpu", ("loss-none/cpu", ""), 2, 2, at_most=True),
    Target("goodput under 1 % random loss, no delay, against usrsctp", "loss-near", ("loss-near", USRSCTP), 1.5, 1),
    Target(
        "CPU per packet under that loss against loss-free",
        "loss-near/cpu",
        ("loss-near-none/cpu", ""),
        2,
        2,
        at_most=True,
    ),
    Target("longest pause after one of two paths was cut", "cut", ABSOLUTE, 55, 55, at_most=True, unit=" ms"),
    Target(
        "connectx without a dead address, against usrsctp",
        "connectx-0-dead",
        ("connectx-0-dead", USRSCTP),
        1,
        1.5,
        at_most=True,
    ),
    Target("memory per idle association", "memory", ABSOLUTE, 8, 10, at_most=True, unit=" KiB"),
    Target("10,000 idle associations, 30 s heartbeats", "idle", ABSOLUTE, 0.5, 3, at_most=True, unit=" % of a core"),
    Target("bulk at the loopback's own MTU against TCP", "bulk-mtu-loopback", ("bulk-mtu-loopback", TCP), 0.5, 0.33),
)
