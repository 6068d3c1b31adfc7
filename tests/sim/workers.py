"""The stacks of several workers on one UDP port, with the mail between them, and a peer. No time passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import Event
from sctpx.core.stack import Stack
from sctpx.core.worker import Worker
from sctpx.testing import seeded_bytes

NOW = 10**18
PORT = 36412
UDP_PORT, PEER_UDP_PORT = 9899, 40000
OWN = [bytes((10, 0, 1, 1)), bytes((10, 0, 2, 1))]
PEER = [bytes((10, 0, 1, 2)), bytes((10, 0, 2, 2))]
EventT = TypeVar("EventT", bound=Event)

Choose = Callable[[bytes], int]
"""Which worker a packet comes to."""


class Workers:
    """A server with so many workers. What they send is kept in ``sent``."""

    def __init__(self, count: int, config: AssociationConfig | None = None, limits: Limits | None = None) -> None:
        self._mail: deque[tuple[Any, ...]] = deque()
        self.stacks: list[Stack] = []
        self.events: list[list[Event]] = [[] for _ in range(count)]
        self.passed = 0
        """Packets that went from one to another."""
        for index in range(count):
            worker = Worker(index, count, lambda *mail: self._mail.append(mail), b"the same for all")
            stack = Stack(seeded_bytes(100 + index), NOW, worker=worker)
            worker.stats = stack.stats
            stack.open_endpoint(PORT, OWN, config, announce=OWN, limits=limits).listen()
            self.stacks.append(stack)

    def receive(self, at: int, local: bytes, remote: bytes, packet: bytes, udp_port: int = PEER_UDP_PORT) -> None:
        """A packet comes to this worker."""
        self.stacks[at].receive(NOW, local, remote, udp_port, packet, len(packet))
        self._deliver_mail()

    def receive_error(self, at: int, remote: bytes, error: int, payload: bytes) -> None:
        """An ICMP error comes to this worker."""
        self.stacks[at].handle_icmp(NOW, remote, PEER_UDP_PORT, error, payload)
        self._deliver_mail()

    def _deliver_mail(self) -> None:
        while self._mail:
            to, seen, local, remote, port, data, error, mtu = self._mail.popleft()
            self.passed += 1
            stack = self.stacks[to]
            assert stack.worker is not None
            stack.worker.seen = seen
            if error:
                stack.handle_icmp(NOW, remote, port, error, data, mtu)
            else:
                stack.receive(NOW, local, remote, port, data, len(data))
            stack.worker.seen = 0

    @property
    def associations(self) -> list[list[Association]]:
        """Those of each worker."""
        return [list(stack.endpoints[PORT].associations.values()) for stack in self.stacks]

    def events_of(self, kind: type[EventT]) -> list[EventT]:
        """Events of this kind, of all workers."""
        return [event for told in self.events for event in told if type(event) is kind]

    def answers(self) -> list[bytes]:
        """The packets that are to leave now."""
        found = []
        for stack in self.stacks:
            while (transmit := stack.poll_transmit(NOW)) is not None:
                found.append(transmit.data)
        return found


class Peer:
    """Somebody who associates with them, from two addresses."""

    def __init__(self, seed: int = 1) -> None:
        self.stack = Stack(seeded_bytes(seed), NOW)
        self.events: list[Event] = []
        self.endpoint = self.stack.open_endpoint(5000, PEER, announce=PEER)

    def connect(self, *remotes: bytes) -> Association:
        """Begin to associate."""
        return self.endpoint.connect(NOW, [PeerAddress(ip, UDP_PORT) for ip in remotes or OWN[:1]], PORT)


def exchange(peer: Peer, workers: Workers, choose: Choose) -> None:
    """Carry packets to and fro until there are none."""
    moved = True
    while moved:
        moved = False
        while (transmit := peer.stack.poll_transmit(NOW)) is not None:
            moved = True
            for start in range(0, len(transmit.data), transmit.segment):
                packet = transmit.data[start : start + transmit.segment]
                workers.receive(choose(packet), transmit.remote, transmit.local or PEER[0], packet)
        for stack in workers.stacks:
            while (transmit := stack.poll_transmit(NOW)) is not None:
                moved = True
                data, segment = transmit.data, transmit.segment
                peer.stack.receive(NOW, transmit.remote, transmit.local, UDP_PORT, data, segment)
        for stack, told in [(peer.stack, peer.events), *zip(workers.stacks, workers.events, strict=True)]:
            while (event := stack.poll_event()) is not None:
                told.append(event)
