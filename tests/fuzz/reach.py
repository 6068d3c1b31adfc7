"""What worlds have reached, added up, and what they have to reach: a fuzzer that stays at the door finds nothing."""

from __future__ import annotations

from collections import Counter
from typing import Final, final

from sctpx.core import events
from sctpx.core.association.state import CLOSED, STATE_NAMES
from sctpx.core.config import CONGESTION, LOSS_RECOVERIES, SCHEDULERS
from sctpx.wire.codes import CHUNK_NAMES

from .world import COUNTERS, EXTENSIONS, STACK_COUNTERS, World

_EVENTS: Final = (
    *("CommunicationUp", "CannotStart", "CommunicationLost", "Restarted", "PeerShutdown", "ShutdownComplete"),
    *("PathChange", "LocalAddressChange", "AdaptationIndication", "RemoteError", "Readable", "PartialDeliveryAborted"),
    *("Abandoned", "Writable", "SenderDry", "StreamsReset", "AssociationReset", "StreamsAdded", "KeyChange"),
)
_SITUATIONS: Final = (
    *("IPv4", "IPv6", "over UDP", "over IP", "1 paths", "2 paths", "3 paths", "several associations", "restart"),
    *("valid COOKIE ECHO", "valid COOKIE ECHO for an association that is there", "send that failed"),
    *("run of eight packets or more", "message in parts", "packet without a checksum", "packet too big for a path"),
    *("packet to a path that is cut", "all that was sent is delivered"),
    *[f"recovery {name}" for name in LOSS_RECOVERIES],
    *[f"congestion control {name}" for name in CONGESTION],
    *[f"scheduler {name}" for name in SCHEDULERS],
    *[f"{name} {how}" for name in EXTENSIONS for how in ("on", "off")],
)
# Packets are passed on among several stacks on one UDP port (workers), of which a world has none.
_ELSEWHERE: Final = ("stack: passed_on",)


@final
class Reach:
    """The sum of worlds."""

    def __init__(self) -> None:
        self.worlds = 0
        self.inputs = 0
        """Those of the stories."""
        self.more_inputs = 0
        """Those of the ends of worlds, behind the stories."""
        self.counted = 0
        """Inputs whose steps were counted."""
        self.worst = 0.0
        """The largest share of its bound that any of these took."""
        self.states: Counter[int] = Counter()
        self.chunks: Counter[tuple[int, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.counters: Counter[str] = Counter()
        self.situations: Counter[str] = Counter()

    def add(self, world: World) -> None:
        """One more world has ended."""
        self.worlds += 1
        self.inputs += world.told_inputs
        self.more_inputs += world.inputs - world.told_inputs
        self.counted += world.counted
        self.worst = max(self.worst, world.worst)
        self.states.update(world.states)
        self.chunks.update(world.chunks)
        self.events.update(world.events)
        self.counters.update(world.counters)
        self.situations.update(world.reach)

    def missing(self) -> list[str]:
        """What none of the worlds has reached."""
        kinds = {kind for kind, _ in self.chunks}
        wanted = [f"state {name}" for state, name in enumerate(STATE_NAMES) if state and not self.states[state]]
        wanted += [f"chunk {name}" for kind, name in CHUNK_NAMES.items() if kind not in kinds]
        wanted += [f"event {name}" for name in _EVENTS if not self.events[name]]
        counters = [*COUNTERS, *[f"stack: {name}" for name in STACK_COUNTERS]]
        wanted += [f"counter {name}" for name in counters if not self.counters[name] and name not in _ELSEWHERE]
        return wanted + [name for name in _SITUATIONS if not self.situations[name]]

    def lines(self) -> list[str]:
        """A table for people."""
        states = range(len(STATE_NAMES))
        lines = ["inputs behind which an association was in a state:"]
        lines += [f"  {STATE_NAMES[state]:18} {self.states[state]:9}" for state in states if state]
        lines.append("chunks that came, by the state of the association they were for (none: CLOSED):")
        lines.append(" " * 20 + "".join([f"{_short(state):>9}" for state in states]))
        for kind, name in CHUNK_NAMES.items():
            lines.append(f"  {name:18}" + "".join([f"{self.chunks[kind, state]:9}" for state in states]))
        lines.append("situations, with the extensions of associations that came up:")
        lines += [f"  {name:48} {count:9}" for name, count in sorted(self.situations.items())]
        lines.append("events: " + ", ".join([f"{name} {count}" for name, count in sorted(self.events.items())]))
        lines.append("counters: " + ", ".join([f"{name} {count}" for name, count in sorted(self.counters.items())]))
        return lines


def _short(state: int) -> str:
    return "".join([word[:4] for word in STATE_NAMES[state].split("-")]) if state != CLOSED else "CLOSED"


assert all(hasattr(events, name) for name in _EVENTS)
