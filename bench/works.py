"""What is measured: every piece of work, with how long, how often, over which network, and what is read off it.

Works of one ``group`` are done in the same rounds, one run of each stack in each work a round, so that what the machine
does meanwhile falls on all of them alike. ``figures`` are what a run gives: a suffix for the row's name, the unit, and
how to read it off the reports of the two sides.

CPU time is that of both processes, user and system, per packet with data: what the client spent for each packet it sent
and the server for each it received. On a loopback interface the system time of the sender holds the kernel's work for
the receiver, so that only the sum means something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from .pair import Report
from .stacks import AIORTC, ALL, FLOOR, OURS, PURE, TCP, USRSCTP

Read: TypeAlias = Callable[[Report, Report], float]
"""From the reports of server and client to a value."""
Figure: TypeAlias = tuple[str, str, Read]
"""The suffix of the row's name, the unit, the value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A piece of work."""

    name: str
    title: str
    mode: str
    stacks: tuple[str, ...]
    figures: tuple[Figure, ...]
    group: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """For the drivers."""
    options_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For the driver of one stack."""
    seconds: float = 2.0
    repetitions: int = 3
    mtu: int = 1500
    """Of the loopback interface and of the packets."""
    cables: int = 0
    """Not over a loopback interface but over so many cables."""
    dead: int = 0
    """So many of them are cut from the beginning."""
    loss: float | None = None
    """Through the relay, which loses this share of the packets..."""
    delay: float = 0.0
    """...and takes so many seconds for the others, each way..."""
    rate: float = 0.0
    """...which are sent at so many bits a second (0: as they come), and wait..."""
    queue: int = 0
    """...in a queue of so many bytes."""
    patience: float = 30.0
    """Seconds for everything but the span measured."""
    besides: float = 1.5
    """Seconds that a run takes besides, about."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """What there is to know about it."""

    @property
    def limit(self) -> float:
        """Seconds a driver lives at most."""
        return self.seconds + self.patience


# --- what is read off the reports ---


def cpu(report: Report) -> float:
    """Seconds of CPU time a side took."""
    return float(report["cpu_user"] + report["cpu_system"])


def goodput(server: Report, client: Report) -> float:
    """MB (10^6 bytes) of user data received a second."""
    return float(server["bytes"] / server["seconds"] / 1e6)


def message_rate(server: Report, client: Report) -> float:
    """Messages received a second."""
    return float(server["messages"] / server["seconds"])


def cpu_per_packet(server: Report, client: Report) -> float:
    """Microseconds of CPU time of both sides for a packet with data."""
    return (cpu(server) / float(server["packets"]) + cpu(client) / float(client["packets"])) * 1e6


def idle_share(server: Report, client: Report) -> float:
    """Per cent of a core that the dearer side takes."""
    return float(max(cpu(side) / side["seconds"] for side in (server, client)) * 100)


def memory(server: Report, client: Report) -> float:
    """KiB an association takes on the dearer side."""
    return float(max(server["rss"], client["rss"]) / 1024)


def longest_gap(server: Report, client: Report) -> float:
    """Milliseconds of the longest pause that was going on or began after the cut."""
    return float(max((length for when, length in server["gaps"] if when + length > client["cut"]), default=0.0) * 1e3)


def goodput_after_cut(server: Report, client: Report) -> float:
    """MB of user data received a second from the cut to the end."""
    first = int((client["cut"] - server["began"]) * 10) + 1
    tenths = server["tenths"][first:-1]
    return float(sum(tenths) / len(tenths) * 10 / 1e6)


def _field(side: int, key: str) -> Read:
    return lambda server, client: float((server, client)[side][key])


_CPU: Final[Figure] = ("/cpu", "us/packet", cpu_per_packet)
_BULK: Final[tuple[Figure, ...]] = (("", "MB/s", goodput), _CPU)
_MESSAGES: Final[tuple[Figure, ...]] = (("", "messages/s", message_rate), ("/goodput", "MB/s", goodput), _CPU)
_MEMORY: Final[tuple[Figure, ...]] = (
    ("", "KiB", memory),
    ("/server", "KiB", lambda server, client: float(server["rss"] / 1024)),
    ("/client", "KiB", lambda server, client: float(client["rss"] / 1024)),
)
_CUT: Final[tuple[Figure, ...]] = (("", "ms", longest_gap), ("/goodput", "MB/s", goodput_after_cut))
_CUBIC: Final = {"congestion": "cubic"}
_NAGLE: Final = {"nagle": "off in sctpx and aiortc, on in usrsctp: the defaults"}

BULK: Final = Work(
    name="bulk-64k",
    title="bulk, 64 KiB messages",
    mode="bulk",
    stacks=(*OURS, USRSCTP, AIORTC, FLOOR),
    figures=_BULK,
    group="bulk",
    seconds=1.5,
    conditions={**_NAGLE, "sack": "every second packet", "offload": "GSO and GRO in sctpx and in the floor"},
)

_SIZES: Final = (
    BULK,
    replace(
        BULK,
        name="bulk-64k-stretch-sack",
        title="bulk, 64 KiB messages, stretch_sack",
        stacks=OURS,
        options={"stretch": 1},
        conditions={**BULK.conditions, "sack": "stretch_sack"},
    ),
    replace(
        BULK,
        name="bulk-64k-no-offload",
        title="bulk, 64 KiB messages, without GSO and GRO",
        stacks=(*OURS, FLOOR),
        options={"offload": 0},
        options_of={FLOOR: {"kind": "udp"}},
        conditions={**BULK.conditions, "offload": "none"},
    ),
    replace(
        BULK,
        name="bulk-64k-raw",
        title="bulk, 64 KiB messages, over IP itself (as root)",
        stacks=OURS,
        options={"link": "raw"},
        conditions={**BULK.conditions, "offload": "none: raw sockets have none"},
    ),
    replace(
        BULK,
        name="bulk-64k-sockets",
        title="bulk, 64 KiB messages, through blocking sockets",
        stacks=OURS,
        figures=(("", "MB/s", goodput),),
        options={"api": "sockets"},
        conditions={**BULK.conditions, "nagle": "on: the sockets' default"},
    ),
    replace(
        BULK,
        name="bulk-64k-uvloop",
        title="bulk, 64 KiB messages, in uvloop",
        stacks=OURS,
        options={"loop": "uvloop"},
    ),
    replace(
        BULK,
        name="bulk-1k",
        title="bulk, 1 KiB messages",
        group="",
        stacks=(*OURS, USRSCTP, AIORTC),
        options={"size": 1024},
    ),
    replace(
        BULK,
        name="bulk-64b",
        title="messages of 64 bytes",
        group="",
        stacks=(*OURS, USRSCTP, AIORTC),
        figures=_MESSAGES,
        options={"size": 64},
    ),
)

_PING_PONG: Final = Work(
    name="ping-pong",
    title="ping-pong, 64 bytes, median round trip",
    mode="pingpong",
    stacks=(*OURS, USRSCTP, AIORTC, FLOOR),
    figures=(("", "us", _field(1, "rtt_median")), ("/p99", "us", _field(1, "rtt_p99"))),
    group="ping-pong",
    options={"size": 64, "count": 5000},
    seconds=1.0,
    conditions={"nagle": "off everywhere"},
)

_SETUP: Final = Work(
    name="setup",
    title="associations per second, abortive close",
    mode="setup",
    stacks=(*OURS, USRSCTP, AIORTC),
    figures=(("", "associations/s", lambda server, client: client["count"] / client["seconds"]),),
    group="setup",
    options={"count": 1000},
    seconds=1.0,
)

_LATENCY: Final = (
    _PING_PONG,
    replace(
        _PING_PONG,
        name="ping-pong-sockets",
        title="ping-pong, 64 bytes, median round trip, through blocking sockets",
        stacks=(*OURS, FLOOR),
        options={**_PING_PONG.options, "api": "sockets"},
    ),
    replace(
        _PING_PONG,
        name="ping-pong-uvloop",
        title="ping-pong, 64 bytes, median round trip, in uvloop",
        stacks=(*OURS, FLOOR),
        options={**_PING_PONG.options, "loop": "uvloop"},
    ),
    replace(
        _PING_PONG,
        name="ping-pong-protocol",
        title="ping-pong, 64 bytes, median round trip, transports and protocols",
        stacks=OURS,
        options={**_PING_PONG.options, "api": "protocol"},
    ),
    _SETUP,
    replace(
        _SETUP,
        name="setup-uvloop",
        title="associations per second, abortive close, in uvloop",
        stacks=OURS,
        options={**_SETUP.options, "loop": "uvloop"},
    ),
    replace(
        _SETUP,
        name="setup-graceful",
        title="associations per second, each shut down to its end",
        stacks=(*OURS, USRSCTP),
        options={**_SETUP.options, "graceful": 1},
    ),
    Work(
        name="first-message",
        title="a message to and fro, from the first import of a program on",
        mode="first",
        stacks=OURS,
        figures=(("", "ms", _field(1, "milliseconds")), ("/import", "ms", _field(1, "imported"))),
        options={"size": 64},
        seconds=0.0,
        conditions={"bytecode": "cached", "server": "has been started before"},
    ),
)

_IDLE: Final = (
    Work(
        name="memory",
        title="memory per idle association",
        mode="idle",
        stacks=(*OURS, USRSCTP),
        figures=_MEMORY,
        options={"count": 2000, "settle": 0.0},
        seconds=0.1,
        repetitions=2,
        patience=90.0,
        besides=4.0,
        conditions={"paths": 1, "held": "the public object", "side": "the dearer one"},
    ),
    Work(
        name="memory-waiting",
        title="memory per idle association with a waiting handler",
        mode="idle",
        stacks=OURS,
        figures=_MEMORY,
        options={"count": 2000, "handler": 1, "settle": 0.0},
        seconds=0.1,
        repetitions=2,
        patience=90.0,
        besides=4.0,
        conditions={"paths": 1, "held": "the public object and a task in recv()", "side": "the dearer one"},
    ),
    Work(
        name="idle",
        title="10,000 idle associations, 30 s heartbeats",
        mode="idle",
        stacks=(*OURS, USRSCTP),
        figures=(("", "% of a core", idle_share),),
        options={"count": 10000},
        seconds=45.0,
        repetitions=1,
        patience=240.0,
        besides=12.0,
        conditions={"heartbeats": "every 30 s", "side": "the dearer one"},
    ),
)

_LARGE: Final = (
    replace(
        BULK,
        name="bulk-mtu-9000",
        title="bulk, 64 KiB messages, MTU 9000",
        group="",
        stacks=(*OURS, USRSCTP, FLOOR),
        mtu=9000,
        options={"mtu": 9000},
    ),
    replace(
        BULK,
        name="bulk-mtu-loopback",
        title="bulk, 64 KiB messages, the loopback's own MTU",
        group="",
        stacks=(*OURS, FLOOR, TCP),
        mtu=65535,
        options={"mtu": 65535},
    ),
)

_LOSS: Final = replace(
    BULK,
    name="loss",
    title="bulk, 64 KiB messages, 1 % of the packets lost, 10 ms round trip",
    group="loss",
    stacks=(*OURS, USRSCTP),
    options={"offload": 0},
    seconds=5.0,
    loss=0.01,
    delay=0.005,
    conditions={**BULK.conditions, "offload": "none", "lost": "each packet by a draw of its own, in a relay"},
)

_LOSSES: Final = (
    _LOSS,
    replace(_LOSS, name="loss-cubic", title="the same with CUBIC", stacks=OURS, options={"offload": 0, **_CUBIC}),
    replace(
        _LOSS,
        name="loss-rfc9260",
        title="the same by the loss recovery of RFC 9260 alone",
        stacks=OURS,
        options={"offload": 0, "recovery": "rfc9260"},
    ),
    replace(_LOSS, name="loss-none", title="the same without loss", loss=0.0, seconds=2.0),
    replace(
        _LOSS, name="loss-near", title="bulk, 64 KiB messages, 1 % lost, no delay", group="near", delay=0.0, seconds=3.0
    ),
    replace(
        _LOSS, name="loss-near-none", title="the same without loss", group="near", delay=0.0, loss=0.0, seconds=2.0
    ),
)

_WAN: Final = replace(
    _LOSS,
    name="wan",
    title="bulk, 64 KiB messages, 100 Mbit/s, 50 ms round trip, 0.1 % of the packets lost",
    group="wan",
    loss=0.001,
    delay=0.025,
    rate=100e6,
    queue=150_000,
    seconds=4.0,
)

_WANS: Final = (
    _WAN,
    replace(_WAN, name="wan-cubic", title="the same with CUBIC", stacks=OURS, options={"offload": 0, **_CUBIC}),
)

_CUTS: Final = (
    Work(
        name="cut",
        title="longest pause after one of two paths was cut",
        mode="cut",
        stacks=(*OURS, USRSCTP),
        figures=_CUT,
        options={"size": 16384},
        seconds=15.0,
        repetitions=2,
        cables=2,
        conditions={"settings": "the defaults of each"},
    ),
    *(
        Work(
            name=f"connectx-{dead}-dead",
            title=f"connectx with {dead} of 4 addresses dead",
            mode="connectx",
            stacks=(*OURS, USRSCTP),
            figures=(("", "ms", _field(1, "milliseconds")),),
            seconds=0.0,
            repetitions=3,
            cables=4,
            dead=dead,
            patience=60.0,
            besides=1.0 + dead,
        )
        for dead in range(4)
    ),
)

WORKS: Final[tuple[Work, ...]] = (*_SIZES, *_LATENCY, *_IDLE, *_LARGE, *_LOSSES, *_WANS, *_CUTS)

QUICK: Final[tuple[Work, ...]] = (replace(BULK, seconds=2.0),)
"""The first row of the table."""
RATIO: Final = replace(BULK, stacks=(PURE, USRSCTP), seconds=1.5, repetitions=5)
"""For ``bench.ratio``."""
GUARD: Final = replace(BULK, stacks=(*OURS, FLOOR), seconds=1.0, repetitions=5)
"""For ``bench.guard``."""

assert {stack for work in WORKS for stack in work.stacks} == set(ALL)
