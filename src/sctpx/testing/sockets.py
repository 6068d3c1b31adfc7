"""Sockets in virtual time: the calls of ``sctpx.socket`` on a host of the simulated network.

Simulated sockets and blocking sockets have the same calls (``sctpx.sockapi``). A call of a simulated socket that cannot
be completed at once lets the simulated network run until the call can be completed, or until its timeout has passed. A
call that could only wait for ever raises ``SimulationError``: if nothing more will happen in the network, or if the
call has waited for an hour in vain.

As in a real program, sockets of a host that have the same UDP port share a stack, and all sockets that chose no UDP
port share one.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol, final
from weakref import WeakSet

from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.ip import lacks_zone, same_family, zone_of
from sctpx.core.stack import Stack
from sctpx.link import SCTP_TUNNELING_PORT
from sctpx.link.addresses import announced_in_scope
from sctpx.sockapi.one_to_many import OneToMany
from sctpx.sockapi.one_to_one import OneToOne
from sctpx.sockapi.socket_calls import SocketCalls, make_state

from .clock import seeded_bytes
from .packet import address_text
from .runner import StackRunner

if TYPE_CHECKING:
    from .host import Host

_FIRST_FREE_PORT: Final = 32768


class Waiting(Protocol):
    """What sockets need of their network."""

    @property
    def seed(self) -> object:
        """What all randomness follows from."""

    def wait(self, until: Callable[[], object], deadline: int, what: str) -> None:
        """Run until something is so, or until the deadline, ns. ``SimulationError`` if that will never be."""


@final
class _Hub:
    """All of a simulation happens in one thread: it needs no lock."""

    guard: Final = nullcontext()
    lock: Final = nullcontext()


@final
class _Waiters:
    """The alarm of a simulated socket."""

    def __init__(self, network: Waiting, describe: Callable[[], str]) -> None:
        self._network = network
        self._describe = describe
        self._rings = 0

    def on_readable(self) -> None:
        """There is something to receive or to accept."""
        self._rings += 1

    def on_writable(self) -> None:
        """There may be room to send."""
        self._rings += 1

    def on_changed(self) -> None:
        """An association began or ended."""
        self._rings += 1

    def on_closed(self) -> None:
        """The socket is closed."""
        self._rings += 1

    def wait(self, until: int, deadline: int) -> None:
        """Let the network run until something happened to the socket."""
        heard = self._rings
        self._network.wait(lambda: self._rings > heard, deadline, f"a call of {self._describe()}")

    def settle(self) -> None:
        """A call is over. Nothing to do: every call that waits has heard every alarm, and tries again."""


@final
class SimulatedSocket(SocketCalls):
    """A socket in virtual time. ``Host.socket`` makes one."""

    _hub = _Hub()
    _state: OneToOne | OneToMany

    def __init__(self, sockets: HostSockets, state: OneToOne | OneToMany) -> None:
        super().__init__(state, _Waiters(sockets.network, self.__repr__))
        self._sockets = sockets
        sockets.remember(state)

    def _branch(self, state: OneToOne) -> SimulatedSocket:
        return SimulatedSocket(self._sockets, state)

    @property
    def readable(self) -> bool:
        """Receiving, or ``accept`` on a socket that listens, would not wait: what ``select`` says of a real socket."""
        return self._state.watch()[0]

    @property
    def writable(self) -> bool:
        """Sending would not wait: what ``select`` says of a real socket."""
        return self._state.watch()[1]


@final
class HostSockets:
    """The sockets of one host: their ``SocketHost``."""

    def __init__(self, host: Host, network: Waiting) -> None:
        self._host = host
        self.network = network
        self._states: WeakSet[OneToOne | OneToMany] = WeakSet()
        self._for_clients: list[StackRunner] = []
        self._opened = 0
        self._ids = itertools.count(3)

    def open(
        self,
        family: int,
        kind: int,
        proto: int,
        udp_port: int | None,
        peer_udp_port: int | None,
        config: AssociationConfig | None,
        limits: Limits | None,
    ) -> SimulatedSocket:
        """A new socket."""
        peer_port = self.usual_udp_port if peer_udp_port is None else peer_udp_port
        return SimulatedSocket(self, make_state(self, family, kind, proto, udp_port, peer_port, config, limits))

    def remember(self, state: OneToOne | OneToMany) -> None:
        """A socket of the host came into being."""
        self._states.add(state)

    def disown(self) -> None:
        """The host starts anew: all its sockets are closed."""
        for state in list(self._states):
            state.disown()
        self._states.clear()

    # --- what the sockets need of their host ---

    @property
    def usual_udp_port(self) -> int:
        """Where peers expect a listener; 0 on a host that has SCTP directly over IP."""
        return SCTP_TUNNELING_PORT if self._host.udp_port else 0

    @property
    def races(self) -> bool:
        """The sockets of a host have one encapsulation."""
        return False

    def now(self) -> int:
        """The virtual time, ns."""
        return self._host.now

    def client_driver(self, addresses: Sequence[bytes]) -> StackRunner:
        """The runner on the UDP port of all sockets that chose none. ``OSError``: EADDRNOTAVAIL."""
        self._for_clients = [runner for runner in self._for_clients if not runner.closed]
        for runner in self._for_clients:
            for address in addresses:
                runner.add_address(address)
            return runner
        runner = self._open(addresses, 0)
        self._for_clients.append(runner)
        return runner

    def port_driver(self, addresses: Sequence[bytes], udp_port: int, port: int) -> StackRunner:
        """The runner on this UDP port, 0 for a free one. ``OSError``: EADDRNOTAVAIL, EADDRINUSE."""
        for runner in self._host.runners():
            if runner.udp_port == udp_port and not set(runner.addresses).isdisjoint(addresses):
                for address in addresses:
                    runner.add_address(address)
                return runner
        return self._open(addresses, udp_port)

    def _open(self, addresses: Sequence[bytes], udp_port: int) -> StackRunner:
        self._opened += 1
        host = self._host
        random_bytes = seeded_bytes(self.network.seed, "host", host.name, host.boots, "sockets", self._opened)
        stack = Stack(random_bytes, host.now, self._ids.__next__)
        host.tell_link(stack)
        if not udp_port:
            udp_port = self._free_port()
            if udp_port:
                stack.follow_udp_port(udp_port)
        return host.open_runner(stack, addresses, udp_port)

    def _free_port(self) -> int:
        if not self._host.udp_port:
            return 0
        taken = {runner.udp_port for runner in self._host.runners()} | self._host.busy_udp_ports
        return next(port for port in itertools.count(_FIRST_FREE_PORT + self._opened) if port not in taken)

    def drivers(self) -> list[StackRunner]:
        """The runners of the stacks of all sockets of the host."""
        return self._host.runners()

    def source_for(self, peer: bytes) -> bytes:
        """The address of the host that packets to an address leave from. ``OSError`` (ENETUNREACH): none could."""
        source = self._host.source_for(peer)
        if source is None:
            raise OSError(errno.ENETUNREACH, f"{self._host.name} has no address that reaches {address_text(peer)}")
        return source

    def zoned(self, ip: bytes) -> bytes:
        """A link-local address without zone is on the link of the host, if it has one."""
        zones = {zone_of(own) for own in self._host.packed} - {b""}
        return ip + zones.pop() if lacks_zone(ip) and len(zones) == 1 else ip

    def wildcard_addresses(self, wildcard: bytes) -> list[bytes]:
        """All addresses of the host that are of the family."""
        return [ip for ip in self._host.packed if same_family(ip, wildcard)]

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        """Those of the addresses that a peer is told, by their scope."""
        return announced_in_scope(bound, peer)

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        """The addresses that a name stands for in the network. ``OSError`` (``socket.gaierror``) if there are none."""
        found = [ip for ip in self._host.lookup(name) if ipv6 or len(ip) == 4]
        if not found:
            error: Any = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            error.filename = name  # What it is about.
            raise error
        return found
