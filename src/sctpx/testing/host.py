"""A host of the simulated network: some addresses, and the driver of one ``Stack``.

The driver is the loop every driver of the core has: one mutation, ``poll_transmit`` until ``None``,
``poll_event`` until ``None``, wait until ``next_timeout``. It does what an operating system does besides:
chooses a source address where the stack leaves that open, and refuses to send where there is no way to.

A timer of the clock cannot be cancelled, so a host keeps the earliest one it asked for and, when that goes
off, looks at what the stack wants now.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, final

from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.events import Event
from sctpx.core.outputs import Transmit
from sctpx.core.stack import Stack

from .clock import VirtualClock, seeded_bytes
from .packet import Packet, address_text, pack_address

# What a stack may do at one instant before it is taken to go round in circles.
_OUTPUTS: Final = 100_000
_WAKES: Final = 1000


class SimulationError(AssertionError):
    """A run did not come to what was expected of it, or did not come to an end."""


class Surroundings(Protocol):
    """What a host needs: its network."""

    @property
    def clock(self) -> VirtualClock:
        """The time."""

    @property
    def seed(self) -> object:
        """What all randomness follows from."""

    def make_stack(self, random_bytes: Callable[[int], bytes], now: int) -> Any:
        """A new ``Stack``, or what stands in for it."""

    def carry(self, packet: Packet) -> None:
        """A packet, or a run of them, leaves the host."""

    def on_handled(self) -> None:
        """A handler was called, and may have used any stack."""


@final
class Host:
    """One machine: made by ``Network.add_host``."""

    def __init__(self, name: str, addresses: Sequence[str], udp_port: int, network: Surroundings) -> None:
        self.name = name
        self.addresses: tuple[str, ...] = tuple(addresses)
        """Its IP addresses."""
        self.packed: tuple[bytes, ...] = tuple(pack_address(address) for address in addresses)
        """The same as the core has them."""
        self.udp_port = udp_port
        """The UDP port its SCTP packets are sent from and received on; 0 for SCTP directly over IP."""
        self.events: list[Event] = []
        """Every event of its stacks so far."""
        self.handlers: list[Callable[[Event], object]] = []
        """Called with each event as it comes. They may use any stack of the network."""
        self.is_up = True
        """False from ``crash`` to ``restart``."""
        self.boots = 0
        """How many stacks it has had."""
        self._network = network
        self._clock = network.clock
        self._send_errors: dict[bytes, int] = {}
        self._alarm: int | None = None
        self._woken_at = 0
        self._wakes = 0
        self.stack: Stack
        """The SCTP stack that runs on it. What was done to it takes effect with the next ``run``."""
        self.restart()

    @property
    def now(self) -> int:
        """The time to give to the stack, nanoseconds."""
        return self._clock.now

    @property
    def peer_addresses(self) -> list[PeerAddress]:
        """All its addresses, for ``Endpoint.connect`` on another host."""
        return [PeerAddress(packed, self.udp_port) for packed in self.packed]

    def open_endpoint(self, port: int = 0, config: AssociationConfig | None = None) -> Endpoint:
        """An SCTP port that uses all addresses of the host, and announces them if there are several."""
        announce = self.packed if len(self.packed) > 1 else ()
        return self.stack.open_endpoint(port, self.packed, config, announce)

    def crash(self) -> None:
        """Fall silent at once, without a word to anyone."""
        self.is_up = False

    def restart(self) -> None:
        """Come up with a new stack, which knows nothing of the old one, on the same addresses."""
        self.boots += 1
        self.is_up = True
        self._alarm = None
        random_bytes = seeded_bytes(self._network.seed, "host", self.name, self.boots)
        self.stack = self._network.make_stack(random_bytes, self._clock.now)

    def fail_sends(self, destination: str, error: int = errno.EHOSTUNREACH) -> None:
        """Make sending to an address fail on this host with an errno; 0 lets it work again."""
        self._send_errors[pack_address(destination)] = error

    def source_for(self, destination: bytes) -> bytes | None:
        """The own address for packets to a destination: the one with the longest common prefix."""
        candidates = [packed for packed in self.packed if len(packed) == len(destination)]
        return min(candidates, key=lambda own: _distance(own, destination), default=None)

    def receive(self, packet: Packet, data: bytes, segment: int) -> None:
        """Take in a batch of packets; ``packet`` is the first of them."""
        self.stack.receive(
            self._clock.now, packet.destination, packet.source, packet.source_port, data, segment, packet.ecn
        )
        self.drain()

    def handle_icmp(self, packet: Packet) -> None:
        """Take in an ICMP error."""
        self.stack.handle_icmp(self._clock.now, packet.source, packet.source_port, packet.icmp, packet.data)
        self.drain()

    def drain(self) -> None:
        """Take out of the stack what it has to send and to tell, and note when it wants to be woken."""
        if not self.is_up:
            return
        now = self._clock.now
        for _ in range(_OUTPUTS):
            transmit = self.stack.poll_transmit(now)
            if transmit is not None:
                self._send(transmit)
                continue
            event = self.stack.poll_event()
            if event is None:
                break
            self.events.append(event)
            for handle in self.handlers:
                handle(event)
                self._network.on_handled()
        else:
            raise SimulationError(f"the stack of {self.name} does not come to rest: {_OUTPUTS} outputs at one instant")
        deadline = self.stack.next_timeout()
        if deadline is not None and (self._alarm is None or deadline < self._alarm):
            self._alarm = max(deadline, now)
            self._clock.call_at(self._alarm, self._on_alarm, self._alarm)

    def _on_alarm(self, alarm: int) -> None:
        if alarm != self._alarm:
            return
        self._alarm = None
        if not self.is_up:
            return
        now = self._clock.now
        deadline = self.stack.next_timeout()
        if deadline is not None and deadline <= now:
            self._wakes = self._wakes + 1 if self._woken_at == now else 1
            self._woken_at = now
            if self._wakes > _WAKES:
                raise SimulationError(f"the stack of {self.name} does not come to rest: its timeout stays {deadline}")
            self.stack.handle_timeout(now)
        self.drain()

    def _send(self, transmit: Transmit) -> None:
        source = transmit.local or self.source_for(transmit.remote)
        error = self._send_errors.get(transmit.remote, 0)
        if source is None:
            error = errno.ENETUNREACH
        elif source not in self.packed:
            error = errno.EADDRNOTAVAIL
        elif bool(transmit.port) != bool(self.udp_port):
            error = errno.EPROTONOSUPPORT
        if error or source is None:
            self.stack.handle_send_error(self._clock.now, transmit, error)
            return
        self._network.carry(
            Packet(
                self._clock.now,
                source,
                transmit.remote,
                self.udp_port,
                transmit.port,
                transmit.data,
                transmit.segment,
                transmit.flowinfo,
            )
        )

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(address_text(packed) for packed in self.packed)}>"


def _distance(own: bytes, destination: bytes) -> int:
    return (int.from_bytes(own, "big") ^ int.from_bytes(destination, "big")).bit_length()
