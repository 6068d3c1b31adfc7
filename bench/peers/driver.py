"""What the drivers in Python share: the command line, the span that is measured, the report.

Only the standard library is imported here: the stacks live in environments of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

Congestion: TypeAlias = Literal["newreno", "cubic"]
LossRecovery: TypeAlias = Literal["rack", "rfc9260"]
WARM_UP_ROUNDS = 200
"""Round trips of a ping-pong that do not count."""
FIRST_ASSOCIATIONS = 100
"""Idle associations that do not count: they fill pools and caches."""
SCTP_PORT = 5001
LEAST_GAP = 0.02
"""Seconds without a message that are worth a note."""


@dataclass(kw_only=True, slots=True)
class Options:
    """The command line of a driver."""

    mode: str
    role: str
    kind: str = "sctp"
    """Of the floor: ``gro``, ``udp`` or ``tcp``."""
    api: str = "asyncio"
    """Of ours and of the floor: that, or ``sockets`` for blocking ones; of ours, ``protocol`` for no coroutines."""
    link: str = "udp"
    """Of ours: that, or ``raw`` for SCTP over IP itself."""
    loop: str = "asyncio"
    """Of ours and of the floor: asyncio's event loop, or ``uvloop``."""
    laddr: str = "127.0.0.1"
    """Local addresses, separated by commas; so for ``raddr``, the peer's."""
    raddr: str = "127.0.0.1"
    ludp: int = 0
    """The local UDP port, and ``rudp`` the peer's. (The floor's TCP ports as well.)"""
    rudp: int = 0
    mtu: int = 1500
    """Largest IP packet, bytes."""
    size: int = 65536
    """Bytes a message."""
    secs: float = 1.0
    warm: float = 0.2
    count: int = 1000
    offload: int = 1
    """0: without UDP_SEGMENT and UDP_GRO."""
    stretch: int = 0
    """1: one SACK for a burst."""
    handler: int = 0
    """1: somebody waits on each idle association."""
    settle: float = 5.0
    """Seconds between the last idle association and the span measured."""
    graceful: int = 0
    """1: associations end by a shutdown, and are not aborted."""
    congestion: Congestion = "newreno"
    """Of ours: the congestion control."""
    recovery: LossRecovery = "rack"
    """Of ours: how losses are found."""
    limit: int = 60
    """Seconds the process lives at most."""

    @property
    def is_server(self) -> bool:
        """Which side this is."""
        return self.role == "server"

    @property
    def local(self) -> list[str]:
        """Our addresses."""
        return self.laddr.split(",")

    @property
    def remote(self) -> list[str]:
        """The peer's addresses."""
        return self.raddr.split(",")


def parse(arguments: list[str]) -> Options:
    """The options in a command line; ends the program if it makes no sense. The life of the process is limited."""
    types = {field.name: type(getattr(Options(mode="", role=""), field.name)) for field in fields(Options)}
    try:
        values = dict(argument.split("=", 1) for argument in arguments[2:])
        options = Options(
            mode=arguments[0], role=arguments[1], **{key: types[key](value) for key, value in values.items()}
        )
    except (IndexError, KeyError, ValueError) as error:
        sys.exit(f"usage: MODE server|client key=value ... ({error!r})")
    signal.alarm(options.limit)
    return options


def loop_factory(options: Options) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop; ``None`` stands for asyncio's own. ``ImportError`` without uvloop."""
    if options.loop != "uvloop":
        return None
    import uvloop  # noqa: PLC0415 - not everybody has it

    return uvloop.new_event_loop


def say(**report: Any) -> None:
    """Print a report."""
    print(json.dumps(report), flush=True)


def ready() -> None:
    """The server listens."""
    print("READY", flush=True)


def resident() -> int:
    """Bytes of this process in memory."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Span:
    """What is measured: from its making to ``report``."""

    def __init__(self, packets: int = 0) -> None:
        """``packets`` is a counter as it stands now."""
        self._packets = packets
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._user, self._system = usage.ru_utime, usage.ru_stime
        self.began = time.monotonic()

    def report(self, more: Mapping[str, Any], packets: int = 0) -> None:
        """Say how long it took, what it cost, and what else there is to say."""
        seconds = time.monotonic() - self.began
        usage = resource.getrusage(resource.RUSAGE_SELF)
        say(
            seconds=seconds,
            cpu_user=usage.ru_utime - self._user,
            cpu_system=usage.ru_stime - self._system,
            packets=packets - self._packets,
            **more,
        )


class Bulk:
    """The measured part of a bulk transfer, as seen from its loop: the loop tells how far it is, and goes on."""

    def __init__(self, options: Options, packets: Callable[[], int]) -> None:
        """The warm-up begins now. ``packets`` reads a counter that only grows."""
        self._options = options
        self._count_packets = packets
        self._due = time.monotonic() + options.warm
        self._span: Span | None = None
        self._messages = self._bytes = 0

    def note(self, messages: int, transferred: int) -> None:
        """So many messages and bytes have been transferred in all."""
        if time.monotonic() < self._due:
            return
        if self._span is None:
            self._messages, self._bytes = messages, transferred
            self._span = Span(self._count_packets())
            self._due = self._span.began + self._options.secs
            return
        counted = {"messages": messages - self._messages, "bytes": transferred - self._bytes}
        self._span.report(counted, self._count_packets())
        self._due = float("inf")


class Arrivals:
    """When messages arrived: bytes in each tenth of a second, and the pauses between them."""

    def __init__(self, seconds: float) -> None:
        """Begins with the first message."""
        self.began = 0.0
        self._last = 0.0
        self._tenths = [0] * (int(seconds * 10) + 1)
        self._gaps: list[tuple[float, float]] = []

    def note(self, size: int) -> None:
        """A message, or several at once, of so many bytes in all have arrived."""
        now = time.monotonic()
        if not self.began:
            self.began = self._last = now
        self._pause(now)
        self._last = now
        tenth = int((now - self.began) * 10)
        if tenth < len(self._tenths):
            self._tenths[tenth] += size

    def _pause(self, now: float) -> None:
        if now - self._last > LEAST_GAP:
            self._gaps.append((self._last, now - self._last))

    def result(self) -> dict[str, Any]:
        """For the report."""
        self._pause(time.monotonic())
        return {"began": self.began, "tenths": self._tenths, "gaps": self._gaps}


def round_trips(times: list[float]) -> dict[str, float]:
    """The median and the 99th percentile of round-trip times in seconds, in microseconds."""
    ordered = sorted(times)
    return {
        "rtt_median": ordered[len(ordered) // 2] * 1e6,
        "rtt_p99": ordered[len(ordered) * 99 // 100] * 1e6,
    }


def rounds(options: Options) -> Iterator[None]:
    """The round trips of a ping-pong: each takes from one ``next`` to the following one. Reports in the end."""
    times: list[float] = []
    span = Span()
    for round_trip in range(WARM_UP_ROUNDS + options.count):
        if round_trip == WARM_UP_ROUNDS:
            times.clear()
            span = Span()
        sent = time.perf_counter()
        yield
        times.append(time.perf_counter() - sent)
    span.report(round_trips(times))


def ask(send: Callable[[bytes], object], receive: Callable[[int], object], most: int, options: Options) -> None:
    """The asking side of a ping-pong over calls that wait; an answer has at most ``most`` bytes."""
    data = bytes(options.size)
    for _ in rounds(options):
        send(data)
        receive(most)
    time.sleep(options.limit)
