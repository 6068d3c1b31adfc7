"""What runs one stack on a host of the simulated network, on one UDP port.

A ``StackRunner`` has the loop that every driver of the core has: one mutation, ``poll_transmit`` until ``None``,
``poll_event`` until ``None``, wait until ``next_timeout``. It also does what an operating system does: it chooses a
source address where the stack leaves that open, and refuses to send where no route leads.

A timer of the clock cannot be cancelled. So a runner keeps the earliest time that it asked for and, when that time has
come, looks at what the stack wants now.

A ``StackRunner`` is the ``StackDriver`` of simulated sockets.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from sctpx.core.outputs import WHOLE, Transmit
from sctpx.core.timers import NEVER
from sctpx.sockapi.ports import Ports

from .packet import Packet

if TYPE_CHECKING:
    from .host import Host

# What a stack may do at one instant before it is taken to go round in circles.
_OUTPUTS: Final = 100_000
_WAKES: Final = 1000


class SimulationError(AssertionError):
    """A run did not come to what was expected of it, or did not come to an end."""


@final
class StackRunner:
    """One stack, on some addresses of a host and one UDP port."""

    def __init__(
        self,
        host: Host,
        stack: Any,
        addresses: Sequence[bytes],
        udp_port: int,
        *,
        lasting: bool,
        native: bool = False,
    ) -> None:
        self.stack: Any = stack
        """A ``Stack``, or what stands in for one."""
        self.addresses = list(addresses)
        """The local addresses, packed, at which packets for the stack arrive."""
        self.udp_port = udp_port
        """The UDP port that packets are sent from and received on; 0 for SCTP directly over IP."""
        self.native = native or not udp_port
        """It sends and receives SCTP directly over IP, too."""
        self.ports = Ports()
        """The users of the SCTP ports of the stack: sockets."""
        self.closed = False
        """The runner runs nothing any more: its last socket is gone, or the host has started anew."""
        self._host = host
        self._lasting = lasting
        self._watches = False
        self._alarm = NEVER
        self._woken_at = 0
        self._wakes = 0

    @property
    def native_too(self) -> bool:
        """Packets travel without UDP as well."""
        return self.native and self.udp_port > 0

    def now(self) -> int:
        """The time, ns."""
        return self._host.now

    def add_address(self, address: bytes) -> None:
        """Receive what arrives at one more address. ``OSError``: EADDRNOTAVAIL (not the host's), EADDRINUSE."""
        if address not in self.addresses:
            self._host.check_free(address, self.udp_port)
            self.addresses.append(address)

    def remove_address(self, address: bytes) -> None:
        """Receive no longer what arrives at an address."""
        if address in self.addresses:
            self.addresses.remove(address)

    def watch_addresses(self) -> None:
        """From now on, tell the users of SCTP ports when the host moves."""
        self._watches = True

    def on_moved(self) -> None:
        """The host has other addresses."""
        if self._watches and not self.closed:
            self.ports.on_addresses_changed()
            self.flush()

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Nothing: no other program of the host has SCTP ports behind this UDP port."""

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Nothing."""

    # --- input ---

    def receive(self, packet: Packet, data: bytes, segment: int) -> None:
        """Take in a batch of packets; ``packet`` is the first of them."""
        self.stack.receive(self.now(), packet.destination, packet.source, packet.source_port, data, segment, packet.ecn)
        self.flush()

    def handle_icmp(self, packet: Packet) -> None:
        """Take in an ICMP error."""
        self.stack.handle_icmp(self.now(), packet.source, packet.source_port, packet.icmp, packet.data, packet.mtu)
        self.flush()

    # --- output ---

    def flush(self) -> None:
        """Send the packets of the stack, pass its events on, and note when it wants to be woken."""
        host = self._host
        if self.closed or not host.is_up:
            return
        now = self.now()
        for _ in range(_OUTPUTS):
            transmit = self.stack.poll_transmit(now)
            if transmit is not None:
                self._send(transmit)
                continue
            event = self.stack.poll_event()
            if event is None:
                break
            host.on_event(event)
            self.ports.dispatch(now, event)
        else:
            raise SimulationError(f"the stack of {host.name} does not come to rest: {_OUTPUTS} outputs at one instant")
        deadline = self._next_deadline()
        if deadline < self._alarm:
            self._alarm = max(deadline, now)
            host.call_at(self._alarm, self._on_alarm)
        if not self._lasting and not self.ports.users:
            self.stop()
            host.forget(self)

    def stop(self) -> None:
        """Run nothing any more."""
        self.closed = True

    def _next_deadline(self) -> int:
        deadline = self.stack.next_timeout()
        return min(NEVER if deadline is None else deadline, self.ports.next_deadline())

    def _on_alarm(self, alarm: int) -> None:
        if alarm != self._alarm:
            return
        self._alarm = NEVER
        if self.closed or not self._host.is_up:
            return
        now = self.now()
        if self._next_deadline() <= now:
            self._wakes = self._wakes + 1 if self._woken_at == now else 1
            self._woken_at = now
            if self._wakes > _WAKES:
                raise SimulationError(
                    f"the stack of {self._host.name} does not come to rest: its timeout stays {self._next_deadline()}"
                )
            deadline = self.stack.next_timeout()
            if deadline is not None and deadline <= now:
                self.stack.handle_timeout(now)
            self.ports.handle_timeout(now)
        self.flush()

    def _send(self, transmit: Transmit) -> None:
        host = self._host
        source = transmit.local or host.source_for(transmit.remote)
        error = host.send_error(transmit.remote)
        if source is None:
            error = errno.ENETUNREACH
        elif source not in host.packed:
            error = errno.EADDRNOTAVAIL
        elif not (self.udp_port if transmit.port else self.native):
            error = errno.EPROTONOSUPPORT
        if error or source is None:
            self.stack.handle_send_error(self.now(), transmit, error)
            return
        packet = Packet(
            self.now(),
            source,
            transmit.remote,
            self.udp_port if transmit.port else 0,
            transmit.port,
            transmit.data,
            transmit.segment,
            transmit.flowinfo,
            fragments=transmit.fragments != WHOLE and host.mtu > 0,
        )
        if len(transmit.remote) != 4 and packet.ip_size <= host.mtu:
            packet.fragments = False  # Over IPv6 only the sender fragments, and only what its interface does not take.
        if 0 < host.mtu < packet.ip_size and not packet.fragments:
            self.stack.handle_send_error(self.now(), transmit, errno.EMSGSIZE)
            return
        host.carry(packet)
