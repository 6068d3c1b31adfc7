"""The small worlds: what the programs on both sides do, and how often things go wrong.

``A`` connects to ``B``. Both listen. Each world ends: somebody shuts down or aborts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from sctpx.core.config import AssociationConfig

from .explorer import Count, Explorer, Faults
from .host import Host, Step, Summary

NONE: Final = Faults()
"""Packets overtake each other, and that is all."""
ONE: Final = Faults(1, 1, 1, total=1)
TWO: Final = Faults(2, 2, 2, total=2)
THREE: Final = Faults(3, 3, 3, total=3)


@dataclass(frozen=True)
class World:
    """Two programs, and what becomes of them."""

    name: str
    a: tuple[Step, ...]
    b: tuple[Step, ...]
    shallow: Faults
    """In every run of the tests."""
    deep: Faults
    """In the slow tests."""
    deep_inputs: int = 1 << 30
    """The deep search goes so far; else to the end."""
    graceful: bool = True
    """No association may fail: all that was sent arrives, and both sides end gracefully."""
    paths: int = 1
    settings: dict[str, Any] = field(default_factory=dict)

    def explorer(self, faults: Faults) -> Explorer:
        """What sees all states of this world that have no more faults than these."""
        config = AssociationConfig(**self.settings)
        own = [bytes((10, 0, path, 1)) for path in range(self.paths)]
        peer = [bytes((10, 0, path, 2)) for path in range(self.paths)]

        def make_a() -> Host:
            return Host("A", self.a, config, own, peer, "send once" in self.b)

        def make_b() -> Host:
            return Host("B", self.b, config, peer, own, "send once" in self.a)

        return Explorer((make_a, make_b), faults, self.check_end)

    def explore(self, deep: bool = False) -> Count:
        """See all of it. Raises ``Violation`` if something is wrong."""
        if deep:
            return self.explorer(self.deep).explore(self.deep_inputs)
        return self.explorer(self.shallow).explore()

    def check_end(self, a: Summary, b: Summary) -> str:
        """What is wrong when nothing happens any more; empty if nothing is."""
        for name, one in (("A", a), ("B", b)):
            if not one.done:
                return f"the program of {name} waits for ever"
            if one.live:
                return f"an association of {name} never ends"
            failed = [line for line in one.log if line.startswith(("CannotStart", "CommunicationLost"))]
            if self.graceful and failed:
                return f"{name}: {failed[0]}, without a reason"
        return ""


WORLDS: Final = (
    World("client and server", ("connect", "send", "shutdown"), (), ONE, THREE),
    World("an answer", ("connect", "send", "hear", "shutdown"), ("hear", "send"), ONE, TWO),
    World("two messages", ("connect", "send", "send", "shutdown"), (), ONE, TWO),
    World("two streams", ("connect", "send", "send 1", "send", "shutdown"), (), NONE, ONE),
    World("unordered messages", ("connect", "send unordered", "send", "shutdown"), (), ONE, TWO),
    World("both connect", ("connect", "shutdown"), ("connect", "shutdown"), NONE, ONE),
    World(
        "both connect and send",
        ("connect", "send", "shutdown"),
        ("connect", "send", "shutdown"),
        NONE,
        ONE,
        deep_inputs=13,
    ),
    World("both shut down", ("connect", "shutdown"), ("shutdown",), ONE, TWO),
    World("both shut down with data", ("connect", "send", "shutdown"), ("send", "shutdown"), NONE, ONE),
    World("a shutdown during the setup", ("connect", "shutdown at once"), ("shutdown",), ONE, TWO),
    World("again", ("connect", "send", "shutdown", "connect", "send", "shutdown"), (), ONE, TWO),
    World("an abort", ("connect", "send", "abort"), ("send",), Faults(losses=1), TWO, graceful=False),
    World("an abort during the setup", ("connect", "abort"), ("send",), ONE, TWO, graceful=False),
    World(
        "both connect and abort",
        ("connect", "abort"),
        ("connect", "abort"),
        NONE,
        ONE,
        deep_inputs=13,
        graceful=False,
    ),
    World(
        "the client restarts",
        ("connect", "send", "restart", "connect", "send", "shutdown"),
        (),
        NONE,
        ONE,
        graceful=False,
    ),
    World("the server restarts", ("connect", "send", "shutdown"), ("hear", "restart"), ONE, TWO, graceful=False),
    World(
        "a restart and a shutdown",
        ("connect", "restart", "connect", "shutdown"),
        ("shutdown",),
        NONE,
        ONE,
        graceful=False,
    ),
    World(
        "a restart with data",
        ("connect", "restart", "connect", "send", "shutdown"),
        ("send",),
        NONE,
        ONE,
        graceful=False,
    ),
    World("a message that may be given up", ("connect", "send once", "send", "shutdown"), (), ONE, TWO),
    World(
        "a stream reset",
        ("connect", "send", "reset outgoing", "send", "shutdown"),
        (),
        ONE,
        TWO,
        settings={"allow_stream_reset": True},
    ),
    World(
        "both reset streams",
        ("connect", "send", "reset both", "send", "shutdown"),
        ("reset outgoing",),
        NONE,
        ONE,
        settings={"allow_stream_reset": True},
    ),
    World(
        "the association is reset",
        ("connect", "send", "reset all", "send", "shutdown"),
        (),
        ONE,
        TWO,
        settings={"allow_association_reset": True},
    ),
    World(
        "streams are added",
        ("connect", "add outgoing", "send", "shutdown"),
        ("add incoming", "send"),
        NONE,
        Faults(losses=1),
        settings={"allow_added_streams": True},
    ),
    World(
        "a window that closes",
        ("connect", *["send large"] * 4, "shutdown"),
        ("hold", "take"),
        NONE,
        Faults(losses=1),
        # Recovery by time makes 13 s of this world of 1 s: the send times of four packets tell states apart.
        settings={"receive_buffer": 4096, "loss_recovery": "rfc9260"},
    ),
    World(
        "the client moves",
        ("connect", "send", "move", "send", "shutdown"),
        (),
        NONE,
        ONE,
        settings={"address_reconfiguration": True},
    ),
    World("two paths", ("connect", "send", "shutdown"), (), ONE, TWO, paths=2),
    World(
        "interleaving",
        ("connect", "send unordered", "send", "shutdown"),
        ("send",),
        NONE,
        ONE,
        settings={"interleaving": True},
    ),
)


def see(number: int, deep: bool) -> tuple[Count, float]:
    """See the world with that number, in a process of its own; how many seconds it took."""
    began = time.process_time()
    count = WORLDS[number].explore(deep)
    return count, time.process_time() - began
