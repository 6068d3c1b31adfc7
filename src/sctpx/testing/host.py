"""A host of the simulated network: its addresses, a stack of its own for tests to use, and sockets.

A ``StackRunner`` runs the stack of the host on the UDP port of the host. The sockets of the host have other stacks, one
for each UDP port that they use, as the sockets of a real program have (``sockets``). Packets for an address and a UDP
port that sockets use go to the stack of these sockets; all other packets for the UDP port of the host go to its own
stack.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.events import Event
from sctpx.core.ip import choose_source
from sctpx.sockapi.constants import IPPROTO_SCTP

from .clock import VirtualClock, seeded_bytes
from .packet import Packet, address_text, pack_address
from .runner import SimulationError as SimulationError
from .runner import StackRunner
from .sockets import HostSockets, SimulatedSocket, Waiting


def _reads_ecn() -> bool:
    return True


class Surroundings(Waiting, Protocol):
    """What a host needs: its network."""

    @property
    def clock(self) -> VirtualClock:
        """The time."""

    @property
    def seed(self) -> object:
        """What all randomness follows from."""

    @property
    def error_detection_method(self) -> int:
        """How its links protect each packet (RFC 9653); 0: not at all."""

    def make_stack(self, random_bytes: Callable[[int], bytes], now: int) -> Any:
        """A new ``Stack``, or what stands in for it."""

    def carry(self, packet: Packet) -> None:
        """A packet, or a run of them, leaves the host."""

    def on_handled(self) -> None:
        """A handler was called, and may have used any stack."""

    def lookup(self, name: str) -> Sequence[bytes]:
        """The addresses, packed, that a name stands for; none if there is no such name."""


@final
class Host:
    """One machine: made by ``Network.add_host``."""

    def __init__(
        self,
        name: str,
        addresses: Sequence[str],
        udp_port: int,
        network: Surroundings,
        native: bool = False,
        mtu: int = 0,
    ) -> None:
        self.name = name
        self.addresses: tuple[str, ...] = tuple(addresses)
        """Its IP addresses."""
        self.packed: tuple[bytes, ...] = tuple(pack_address(address) for address in addresses)
        """The same as the core has them."""
        self.events: list[Event] = []
        """Every event of its stacks so far."""
        self.handlers: list[Callable[[Event], object]] = []
        """Called with each event as it comes. They may use any stack of the network."""
        self.is_up = True
        """False from ``crash`` to ``restart``."""
        self.boots = 0
        """How many stacks it has had."""
        self.busy_udp_ports: set[int] = set()
        """UDP ports that other programs of the host have: its sockets cannot have them."""
        self.mtu = mtu
        """What its interfaces take, bytes of IP, where its stacks discover path MTUs; else 0. It can be changed."""
        self._network = network
        self._native = native
        self._clock = network.clock
        self._send_errors: dict[bytes, int] = {}
        self._runners: list[StackRunner] = []  # Of the stacks of sockets.
        self._sockets = HostSockets(self, network)
        self._own: StackRunner
        self._boot(udp_port)

    def _boot(self, udp_port: int) -> None:
        self.boots += 1
        random_bytes = seeded_bytes(self._network.seed, "host", self.name, self.boots)
        stack = self._network.make_stack(random_bytes, self._clock.now)
        self.tell_link(stack)
        if self._network.error_detection_method:
            stack.error_detection_method = self._network.error_detection_method
        self._own = StackRunner(self, stack, self.packed, udp_port, lasting=True, native=self._native)

    @property
    def now(self) -> int:
        """The time to give to the stack, nanoseconds."""
        return self._clock.now

    @property
    def stack(self) -> Any:
        """The SCTP stack that runs on it. What was done to it takes effect with the next ``run``."""
        return self._own.stack

    @property
    def udp_port(self) -> int:
        """The UDP port its SCTP packets are sent from and received on; 0 for SCTP directly over IP alone."""
        return self._own.udp_port

    @udp_port.setter
    def udp_port(self, port: int) -> None:
        self._own.udp_port = port

    @property
    def ports(self) -> set[int]:
        """The UDP ports of its own stack, 0 for SCTP directly over IP."""
        return {self.udp_port, 0} if self._native else {self.udp_port}

    @property
    def peer_addresses(self) -> list[PeerAddress]:
        """All its addresses, for ``Endpoint.connect`` on another host; in both ways if it has both."""
        if not self._native:
            return [PeerAddress(packed, self.udp_port) for packed in self.packed]
        ways = ((0, False), (self.udp_port, True))
        return [PeerAddress(packed, port, alternative=other) for packed in self.packed for port, other in ways]

    def open_endpoint(self, port: int = 0, config: AssociationConfig | None = None) -> Endpoint:
        """An SCTP port that uses all addresses of the host, and announces them if there are several."""
        announce = self.packed if len(self.packed) > 1 else ()
        endpoint: Endpoint = self.stack.open_endpoint(port, self.packed, config, announce)
        return endpoint

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - as in the socket module
        proto: int = IPPROTO_SCTP,
        *,
        udp_port: int | None = None,
        peer_udp_port: int | None = None,
        config: AssociationConfig | None = None,
        limits: Limits | None = None,
    ) -> SimulatedSocket:
        """A socket on this host, with the calls of ``sctpx.socket``: a call that waits lets virtual time pass.

        Arguments and errors are those of ``sctpx.socket``. On a host without UDP there are no UDP ports to choose.
        """
        return self._sockets.open(family, type, proto, udp_port, peer_udp_port, config, limits)

    def crash(self) -> None:
        """Fall silent at once, without a word to anyone."""
        self.is_up = False

    def restart(self) -> None:
        """Come up with a new stack, which knows nothing of the old one, on the same addresses.

        The sockets that the host had are closed: the program that had them is gone.
        """
        self.is_up = True
        self._sockets.disown()
        for runner in (self._own, *self._runners):
            runner.stop()
        self._runners.clear()
        self._boot(self.udp_port)

    def fail_sends(self, destination: str, error: int = errno.EHOSTUNREACH) -> None:
        """Make sending to an address fail on this host with an errno; 0 lets it work again."""
        self._send_errors[pack_address(destination)] = error

    def tell_link(self, stack: Any) -> None:
        """Tell a stack that starts of the interfaces, and that they read the ECN bits of packets."""
        stack.read_ecn = _reads_ecn
        if self.mtu:
            stack.ask_link_mtu = self._link_mtu
            stack.forbids_fragments = True

    def _link_mtu(self, remote: bytes, local: bytes, anew: bool) -> int:
        return self.mtu

    def source_for(self, destination: bytes) -> bytes | None:
        """The own address for packets to a destination: the one with the longest common prefix."""
        return choose_source(list(self.packed), destination, []) or None

    # --- for the network ---

    def on_moved(self, addresses: Sequence[str]) -> None:
        """It has other addresses."""
        self.addresses = tuple(addresses)
        self.packed = tuple(pack_address(address) for address in addresses)
        self._own.addresses = list(self.packed)
        for runner in list(self._runners):
            runner.on_moved()

    def hears(self, address: bytes, udp_port: int) -> bool:
        """Some stack of the host takes packets at that address and UDP port."""
        return self._runner_at(address, udp_port) is not None

    def receive(self, packet: Packet, data: bytes, segment: int) -> None:
        """Take in a batch of packets; ``packet`` is the first of them."""
        runner = self._runner_at(packet.destination, packet.destination_port)
        if runner is not None:
            runner.receive(packet, data, segment)

    def handle_icmp(self, packet: Packet) -> None:
        """Take in an ICMP error."""
        runner = self._runner_at(packet.destination, packet.destination_port)
        if runner is not None:
            runner.handle_icmp(packet)

    def drain(self) -> None:
        """Send the packets of all stacks of the host, pass their events on, and note when they want to be woken."""
        self._own.flush()
        for runner in list(self._runners):
            runner.flush()

    def _runner_at(self, address: bytes, udp_port: int) -> StackRunner | None:
        for runner in self._runners:
            if runner.udp_port == udp_port and address in runner.addresses:
                return runner
        own = self._own
        return own if udp_port == own.udp_port or (own.native and not udp_port) else None

    # --- for its runners and sockets ---

    def send_error(self, destination: bytes) -> int:
        """The errno with which sending to an address fails; 0 if it does not."""
        return self._send_errors.get(destination, 0)

    def carry(self, packet: Packet) -> None:
        """A packet leaves the host."""
        self._network.carry(packet)

    def call_at(self, when: int, function: Callable[[int], object]) -> None:
        """Have a function called at that time, with the time."""
        self._clock.call_at(when, function, when)

    def on_event(self, event: Event) -> None:
        """A stack of the host told something."""
        self.events.append(event)
        for handle in self.handlers:
            handle(event)
            self._network.on_handled()

    def open_runner(self, stack: Any, addresses: Sequence[bytes], udp_port: int) -> StackRunner:
        """Run a stack for sockets. ``OSError``: EADDRNOTAVAIL, EADDRINUSE."""
        for address in addresses:
            self.check_free(address, udp_port)
        runner = StackRunner(self, stack, addresses, udp_port, lasting=False)
        self._runners.append(runner)
        return runner

    def runners(self) -> list[StackRunner]:
        """The runners of the stacks of sockets."""
        return list(self._runners)

    def forget(self, runner: StackRunner) -> None:
        """A runner has closed itself."""
        self._runners.remove(runner)

    def check_free(self, address: bytes, udp_port: int) -> None:
        """``OSError``: EADDRNOTAVAIL (not an address of the host), EADDRINUSE (another program has the UDP port)."""
        if address not in self.packed:
            raise OSError(errno.EADDRNOTAVAIL, f"{address_text(address)} is not an address of {self.name}")
        taken = any(runner.udp_port == udp_port and address in runner.addresses for runner in self._runners)
        if taken or udp_port in self.busy_udp_ports:
            raise OSError(errno.EADDRINUSE, f"UDP port {udp_port} of {address_text(address)} is taken")

    def lookup(self, name: str) -> Sequence[bytes]:
        """The addresses, packed, that a name stands for in the network."""
        return self._network.lookup(name)

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(address_text(packed) for packed in self.packed)}>"
