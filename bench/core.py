"""``python -m bench.core``: CPU time of the protocol alone. Two stacks in one process hand each other their packets.

There are no sockets, no kernel and no event loop here, so that the figures show what a change below the core boundary
costs, and next to nothing else. ``bench.compare`` runs this in two installs by turns. Prints one JSON object:
nanoseconds of CPU time for each unit of each work, the least of several rounds.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.events import CommunicationUp, Event, Readable
from sctpx.core.stack import Stack

ROUNDS: Final = 5
HERE: Final = bytes((10, 0, 0, 1))
THERE: Final = bytes((10, 0, 0, 2))
UDP_PORT: Final = 9899
SCTP_PORT: Final = 5000
CONFIG: Final = AssociationConfig(mtu=1500)
STEP: Final = 1_000
"""What the virtual clock moves on with every exchange, ns."""


def _association_of(event: Event) -> Association:
    """The association of an event, also in commits whose events know it as that."""
    return cast(Association, event.association)


class Two:
    """A client's stack and a server's."""

    def __init__(self, **changes: Any) -> None:
        config = replace(CONFIG, **changes)
        self.now = 1_000_000_000
        self.client = Stack(os.urandom, self.now)
        self.server = Stack(os.urandom, self.now)
        self.listener: Endpoint = self.server.open_endpoint(SCTP_PORT, [THERE], config)
        self.listener.listen(1 << 16)
        self.dialer: Endpoint = self.client.open_endpoint(0, [HERE], config)
        self.accepted: Association | None = None

    def connect(self) -> Association:
        """A new association, up on both sides."""
        association = self.dialer.connect(self.now, [PeerAddress(THERE, UDP_PORT)], SCTP_PORT)
        self.pump(None)
        assert self.accepted is not None
        return association

    def pump(self, on_event: Callable[[Event], None] | None) -> None:
        """Carry packets until neither side has any."""
        busy = True
        while busy:
            busy = self._carry(self.client, self.server, HERE, THERE) | self._carry(
                self.server, self.client, THERE, HERE
            )
            self.now += STEP
            for stack in (self.server, self.client):
                while (event := stack.poll_event()) is not None:
                    if isinstance(event, CommunicationUp) and event.incoming:
                        self.accepted = _association_of(event)
                        self.listener.accept(self.accepted)
                    elif on_event is not None:
                        on_event(event)
                        busy = True

    def _carry(self, sender: Stack, receiver: Stack, source: bytes, destination: bytes) -> bool:
        any_sent = False
        while (transmit := sender.poll_transmit(self.now)) is not None:
            receiver.receive(self.now, destination, source, UDP_PORT, transmit.data, transmit.segment)
            any_sent = True
        return any_sent


def read(event: Event) -> None:
    """Take what there is."""
    if isinstance(event, Readable):
        _association_of(event).read()


def bulk(size: int, count: int, **changes: Any) -> tuple[Callable[[], None], int]:
    """Send so many messages of ``size`` bytes one way, as fast as the window lets them go."""
    two = Two(**changes)
    association = two.connect()
    message = bytes(size)

    def run() -> None:
        left = count
        while left:
            space = association.send_space
            while left and space > 0:
                association.send(two.now, message)
                space -= size + 256
                left -= 1
            two.pump(read)

    return run, count


def ping_pong(count: int) -> tuple[Callable[[], None], int]:
    """So many round trips of a message of 64 bytes."""
    two = Two()
    association = two.connect()
    accepted = two.accepted
    assert accepted is not None
    message = bytes(64)

    def run() -> None:
        for _ in range(count):
            association.send(two.now, message)
            two.pump(None)
            accepted.read()
            accepted.send(two.now, message)
            two.pump(None)
            association.read()

    return run, count


def setup(count: int) -> tuple[Callable[[], None], int]:
    """So many associations, each set up and aborted."""
    two = Two()

    def run() -> None:
        for _ in range(count):
            association = two.connect()
            association.abort(two.now)
            two.pump(None)

    return run, count


WORKS: Final[dict[str, Callable[[], tuple[Callable[[], None], int]]]] = {
    "bulk-64k": lambda: bulk(65536, 600),
    "bulk-1k": lambda: bulk(1024, 12_000),
    "bulk-64b": lambda: bulk(64, 30_000),
    "ping-pong": lambda: ping_pong(4_000),
    "setup": lambda: setup(1_200),
}
"""What ``bench.compare`` compares."""
EXTENSIONS: Final[dict[str, Callable[[], tuple[Callable[[], None], int]]]] = {
    "i-data-64k": lambda: bulk(65536, 600, interleaving=True),
    "i-data-1k": lambda: bulk(1024, 12_000, interleaving=True),
    "i-data-64b": lambda: bulk(64, 30_000, interleaving=True),
}
"""The same with an extension, to be asked for by name: older commits may not have it."""


def measure(work: str) -> float:
    """CPU time for a unit of this work, ns: the least of several rounds."""
    run, units = (WORKS | EXTENSIONS)[work]()
    run()
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        gc.disable()
        begun = time.process_time_ns()
        run()
        times.append(time.process_time_ns() - begun)
        gc.enable()
    return min(times) / units


if __name__ == "__main__":
    print(json.dumps({work: round(measure(work), 1) for work in sys.argv[1:] or WORKS}))
