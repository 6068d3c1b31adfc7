"""A stack without a protocol: it remembers what was done to it and sends what the test tells it to.

It has the methods of ``Stack`` that a driver uses, so the network can be tested apart from the protocol.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sctpx.core.events import Event
from sctpx.core.outputs import CLASS_SHIFT, Transmit
from sctpx.testing import LinkSettings, Network, pack_address
from sctpx.wire.packet import finish_packet, prefix

A, B = "10.0.1.1", "10.0.1.2"
A2, B2 = "10.0.2.1", "10.0.2.2"


class Arrival(NamedTuple):
    """One call of ``receive``."""

    now: int
    local: bytes
    remote: bytes
    port: int
    data: bytes
    segment: int
    ecn: int


class Icmp(NamedTuple):
    """One call of ``handle_icmp``."""

    now: int
    remote: bytes
    port: int
    error: int
    payload: bytes


class FakeStack:
    """What a driver sees of a stack."""

    def __init__(self, random_bytes: Callable[[int], bytes], now: int) -> None:
        self.secret = random_bytes(8)
        self.made = now
        self.outgoing: deque[Transmit] = deque()
        self.pending: deque[Event] = deque()
        self.arrivals: list[Arrival] = []
        self.icmps: list[Icmp] = []
        self.send_errors: list[tuple[Transmit, int]] = []
        self.woken: list[int] = []
        self.deadline: int | None = None
        self.on_arrival: Callable[[Arrival], object] = lambda arrival: None

    def receive(
        self, now: int, local: bytes, remote: bytes, port: int, data: bytes, segment: int, ecn: int = 0
    ) -> None:
        arrival = Arrival(now, local, remote, port, data, segment, ecn)
        self.arrivals.append(arrival)
        self.on_arrival(arrival)

    def handle_icmp(self, now: int, remote: bytes, port: int, error: int, payload: bytes, mtu: int = 0) -> None:
        self.icmps.append(Icmp(now, remote, port, error, payload))

    def handle_send_error(self, now: int, transmit: Transmit, error: int) -> None:
        self.send_errors.append((transmit, error))

    def poll_transmit(self, now: int) -> Transmit | None:
        return self.outgoing.popleft() if self.outgoing else None

    def poll_event(self) -> Event | None:
        return self.pending.popleft() if self.pending else None

    def next_timeout(self) -> int | None:
        return self.deadline

    def handle_timeout(self, now: int) -> None:
        self.woken.append(now)
        self.deadline = None

    def send(
        self, data: bytes, to: str = B, *, source: str = "", segment: int = 0, port: int = 9899, ecn: int = 0
    ) -> None:
        """Have packets sent in the next run."""
        local = pack_address(source) if source else b""
        self.outgoing.append(Transmit(local, pack_address(to), port, data, segment or len(data), ecn << CLASS_SHIFT))


def sctp(*chunks: int, size: int = 4, tag: int = 1) -> bytes:
    """An SCTP packet with chunks of these types, ``size`` bytes each, header included."""
    body = b"".join(bytes([kind, 0]) + size.to_bytes(2, "big") + bytes(size - 4) for kind in chunks)
    return finish_packet(prefix(5000, 5001, tag), body)


def two_hosts(
    seed: object = 0, link: LinkSettings | None = None, record: int = 16 << 20, udp_port: int = 9899
) -> tuple[Network, FakeStack, FakeStack]:
    """Hosts A and B, with two addresses each, and their stacks."""
    network = Network(seed, link=link, record=record, make_stack=FakeStack)
    network.add_host("A", [A, A2], udp_port)
    network.add_host("B", [B, B2], udp_port)
    return network, stack_of(network, "A"), stack_of(network, "B")


def stack_of(network: Network, host: str) -> FakeStack:
    """The stack a host has now."""
    stack: object = network.hosts[host].stack
    assert isinstance(stack, FakeStack)
    return stack
