"""A network of hosts in virtual time: everything a run does follows from its seed.

Between each pair of addresses there is one ``Link`` a direction, made when the first packet takes it, with
its own randomness. What a test does to the network it does to a link (``link(a, b).cut()``), to the links of
an address (``set("10.0.2.2", delay=0.2)``) or to an address itself: ``cut`` silences it both ways, ``refuse`` has
it answer with ICMP, ``answer`` has a script play it. Filters see every packet wherever it goes.

A run takes the next thing due from the clock until the test has what it waits for. Whenever test code may
have used a stack (before a run, after a handler or an ``at``), all hosts are drained.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER

from .clock import VirtualClock, seeded_random, to_nanoseconds
from .filters import Catch, Select
from .gro import joined, one_by_one
from .host import Host, SimulationError
from .ladder import Rung, check_ladder, climb, draw_ladder
from .link import Filter, Link, LinkSettings
from .packet import ANSWERED, CUT, DELIVERED, NO_ROUTE, REFUSED, TOO_BIG, Packet, address_text, pack_address
from .pcap import write_pcap
from .recording import Recording
from .tasks import Task

T = TypeVar("T")
MakeStack = Callable[[Callable[[int], bytes], int], Any]
"""``Stack``, or what stands in for it: called with a source of random bytes and the time."""

STEPS: Final = 2_000_000
"""Things that happen in one run, at the most."""
PATIENCE: Final = 3600.0
"""Seconds of virtual time that a call of a socket without a timeout waits before it is taken to wait in vain."""
_QUOTE_IPV4: Final = 576 - 20 - 8 - 20 - 8
_QUOTE_IPV6: Final = 1280 - 40 - 8 - 40 - 8
"""Bytes of an SCTP packet in UDP that fit in an ICMP error (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 c)."""

Responder = Callable[[Packet], Iterable[bytes]]
"""Plays an address: gets a packet that arrived there and gives the SCTP packets to send back."""


@final
class Network:
    """Hosts, the links between them, and the time they live in.

    As a context manager it adds to an exception that leaves it the seed, the last lines of the ladder and
    the name of a capture of the run (in ``$SCTPX_CAPTURES``, or the directory for temporary files).
    """

    def __init__(
        self,
        seed: object = 0,
        *,
        link: LinkSettings | None = None,
        record: int = 16 << 20,
        make_stack: MakeStack = Stack,
    ) -> None:
        self.seed = seed
        self.clock = VirtualClock(seed)
        self.hosts: dict[str, Host] = {}
        self.names: dict[str, Sequence[str]] = {}
        """What host names stand for, for the sockets; the name of a host stands for its addresses without that."""
        self.filters: list[Filter] = []
        """Asked about every packet that is sent, before the filters of its link."""
        self.traces: list[Callable[[Packet], object]] = []
        """Called with every packet once it is known what became of it."""
        self.recording = Recording(record)
        """The last packets sent, at most ``record`` bytes of them."""
        self._settings = link or LinkSettings()
        self.make_stack = make_stack
        """Makes the stack of a host that starts."""
        self._by_address: dict[bytes, dict[int, Host]] = {}
        self._links: dict[tuple[bytes, bytes], Link] = {}
        self._changes: list[tuple[frozenset[bytes], dict[str, Any]]] = []
        self._down: set[bytes] = set()
        self._scripts: dict[bytes, Callable[[Packet], None]] = {}
        self._handled = False
        self._running = False
        self._tasks: list[Task[Any]] = []
        self._turn: Task[Any] | None = None

    # Building it.

    @property
    def error_detection_method(self) -> int:
        """How its links protect each packet, for stacks that start: an identifier of RFC 9653, 0 for not at all."""
        return self._settings.error_detection_method

    def add_host(
        self, name: str, addresses: Sequence[str], udp_port: int = 9899, *, native: bool = False, mtu: int = 0
    ) -> Host:
        """A new host; ``native``: its own stack sends and receives SCTP directly over IP, too.

        With the ``mtu`` of its interfaces, bytes of IP, its stacks discover how large a packet each path takes (RFC
        8899). Without, their packets have at most 1500 bytes, and that is what the links of the network are made for.
        Several hosts may have one address if their UDP ports differ, as programs on one machine, or behind a NAT, have.
        Raises ValueError if the name (one word) is taken, or an address is malformed or taken with that UDP port.
        """
        packed = [pack_address(address) for address in addresses]
        if name in self.hosts or name == "lost" or name.split() != [name]:
            raise ValueError(f"{name!r} is no name for a new host")
        if not packed or len(set(packed)) < len(packed):
            raise ValueError(f"a host needs addresses, each once: {', '.join(addresses) or 'there are none'}")
        host = Host(name, addresses, udp_port, self, native, mtu)
        ports = host.ports
        if any(not ports.isdisjoint(self._by_address.get(address, ())) for address in packed):
            raise ValueError(f"one of {', '.join(addresses)} belongs to another host, with that UDP port")
        self.hosts[name] = host
        for address in packed:
            self._by_address.setdefault(address, {}).update(dict.fromkeys(ports, host))
        return host

    def move(self, name: str, addresses: Sequence[str]) -> None:
        """Give a host other addresses, or none, at once: what is sent to its old ones reaches nobody.

        Sockets that are bound to a wildcard follow; the host's own stack does what it is told. Raises ValueError if
        another host has one of the addresses with the same UDP port.
        """
        host = self.hosts[name]
        packed = [pack_address(address) for address in addresses]
        ports = host.ports
        for address in packed:
            if any(self._by_address.get(address, {}).get(port, host) is not host for port in ports):
                raise ValueError(f"{address_text(address)} belongs to another host, with that UDP port")
        for hosts in self._by_address.values():
            for port in [port for port, there in hosts.items() if there is host]:
                del hosts[port]
        for address in packed:
            self._by_address.setdefault(address, {}).update(dict.fromkeys(ports, host))
        self._handled = True
        host.on_moved(addresses)

    def link(self, source: str, destination: str) -> Link:
        """The link from one address to another."""
        return self._link(pack_address(source), pack_address(destination))

    def set(self, *addresses: str, **changes: Any) -> None:
        """Change settings of all links from and to these addresses, or of all links there are.

        Holds for links that come into being later as well. Raises like ``Link.set``.
        """
        replace(self._settings, **changes)
        touched = frozenset(pack_address(address) for address in addresses)
        self._changes.append((touched, changes))
        for ends, link in self._links.items():
            if not touched or not touched.isdisjoint(ends):
                link.set(**changes)

    def cut(self, *addresses: str) -> None:
        """Silence addresses: nothing gets to them or from them, what is under way included."""
        for packed in map(pack_address, addresses):
            self._down.add(packed)
            self._lose_under_way(packed)

    def refuse(self, address: str, error: int = errno.ECONNREFUSED, quote: int | None = None) -> None:
        """Have an address answer every packet with an ICMP error.

        ``error`` is the errno the sender's system makes of it: ``ECONNREFUSED`` (port), ``ENOPROTOOPT`` (protocol),
        ``EHOSTUNREACH`` or ``ENETUNREACH``. ``quote`` is how many bytes of the SCTP packet it returns; by default as
        many as a router would.
        """
        self._scripts[pack_address(address)] = partial(self._refuse, error=error, quote=quote)

    def answer(self, address: str, responder: Responder) -> None:
        """Have a script play an address, whether a host has it or not."""
        self._scripts[pack_address(address)] = partial(self._answer, responder=responder)

    def heal(self, *addresses: str) -> None:
        """Undo ``cut``, ``refuse`` and ``answer``. What was sent before stays lost."""
        for packed in map(pack_address, addresses):
            self._scripts.pop(packed, None)
            if packed in self._down:
                self._lose_under_way(packed)
                self._down.remove(packed)

    # Getting hold of packets.

    def drop(self, select: Select, times: int | None = 1, source: str | None = None, to: str | None = None) -> Catch:
        """Drop the next packet with a chunk of this name (``"COOKIE ECHO"``), or the next ``times``; ``None``: all.

        ``source`` and ``to`` narrow it to an address. ``select`` can be a function that picks packets. Raises
        ValueError for a name that no chunk has.
        """
        return Catch(self.filters, select, times, source, to, lambda packet: False)

    def hold(self, select: Select, times: int | None = None, source: str | None = None, to: str | None = None) -> Catch:
        """Hold packets back until the test releases them; which ones, as for ``drop``."""
        return Catch(self.filters, select, times, source, to, lambda packet: False)

    def delay(
        self, select: Select, seconds: float, times: int | None = 1, source: str | None = None, to: str | None = None
    ) -> Catch:
        """Delay packets, so that those behind overtake them; which ones, as for ``drop``."""

        def send_on(packet: Packet) -> bool:
            packet.release(seconds)
            return False

        return Catch(self.filters, select, times, source, to, send_on)

    def alter(
        self,
        select: Select,
        change: Callable[[bytes], bytes],
        times: int | None = 1,
        source: str | None = None,
        to: str | None = None,
    ) -> Catch:
        """Replace the bytes of packets; which ones, as for ``drop``."""

        def rewrite(packet: Packet) -> bool:
            packet.data = change(packet.data)
            return True

        return Catch(self.filters, select, times, source, to, rewrite)

    # Running it.

    def at(self, seconds: float, function: Callable[[], object]) -> None:
        """Have a function called ``seconds`` from now."""
        self.clock.call_at(self.clock.now + to_nanoseconds(seconds), self._call, function)

    def spawn(self, function: Callable[..., T], *arguments: object) -> Task[T]:
        """Have a function run beside others, as in a thread: up to the first call that waits, and on as time passes.

        Calls of sockets in it wait without keeping the others from going on. ``Task.result`` gives what it returned.
        """
        task = Task(self, function, arguments)
        self._tasks.append(task)
        if self._turn is None and not self._running:
            task.go_on()
        self._handled = True
        return task

    def run(self, until: Callable[[], object], seconds: float = 60.0, steps: int = STEPS) -> None:
        """Let time pass until ``until()`` is true, which only looks and uses no stack.

        Raises SimulationError if it is not after ``seconds``, or after ``steps`` things that happened.
        """
        if not self._run(until, self.clock.now + to_nanoseconds(seconds), steps):
            raise SimulationError(f"not reached within {seconds} s of virtual time (seed {self.seed!r})")

    def run_for(self, seconds: float, steps: int = STEPS) -> None:
        """Let so much time pass. Raises SimulationError after ``steps`` things that happened."""
        self._run(None, self.clock.now + to_nanoseconds(seconds), steps)

    # Looking at it.

    @property
    def elapsed(self) -> float:
        """Seconds of virtual time since the beginning."""
        return self.clock.elapsed

    def packets(self) -> Iterator[Packet]:
        """The recorded packets, in the order they were sent."""
        return iter(self.recording)

    def name_of(self, address: bytes, udp_port: int = 0) -> str:
        """The name of the host with a (packed) address, or the address itself.

        Of several hosts with that address it is the one with that UDP port, or the first one.
        """
        host = self._host_at(address, udp_port)
        return address_text(address) if host is None else host.name

    def rungs(self, *, ignore: Iterable[str] = ()) -> list[Rung]:
        """The recorded packets as rungs of a ladder, but for those whose chunks are all to be ignored."""
        return climb(self.packets(), self.name_of, self.clock.start, ignore=ignore)

    def ladder(self, *, ignore: Iterable[str] = (), addresses: bool = False, details: bool = False) -> str:
        """The recorded packets as a ladder, a line each; see ``sctpx.testing.ladder``."""
        return draw_ladder(self.rungs(ignore=ignore), addresses=addresses, details=details)

    def assert_ladder(self, expected: str, *, ignore: Iterable[str] = ()) -> None:
        """Compare the recorded packets with a ladder, written as ``sctpx.testing.ladder`` says.

        Raises AssertionError, with the ladder that was, if they do not fit.
        """
        if self.recording.forgotten:
            raise SimulationError(f"{self.recording.forgotten} packets are no longer recorded: no ladder to compare")
        check_ladder(self.rungs(ignore=ignore), expected)

    def write_pcap(self, path: str | os.PathLike[str], host: str = "") -> None:
        """Write the recorded packets to a capture file, as they were sent.

        With the name of a host: as seen there, so what it sent when it sent it, and what it got when it got it.
        """
        write_pcap(path, self.packets(), self.hosts[host].packed if host else ())

    def report(self) -> str:
        """What one wants to know of a run that failed: seed, time, last packets. Writes a capture and names it."""
        handle, path = tempfile.mkstemp(".pcap", "sctpx-", os.environ.get("SCTPX_CAPTURES"))
        os.close(handle)
        self.write_pcap(path)
        last = self.ladder(addresses=True).splitlines()[-20:]
        return "\n".join(
            [f"seed {self.seed!r}, after {self.elapsed:.6f} s, capture in {path}; the last packets:", *last]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.end()
        if isinstance(error, Exception):
            error.add_note(self.report())
        elif error is None:
            for failure in [task.error for task in self._tasks if task.error is not None]:
                raise failure

    # What links and hosts call.

    def on_sent(self, packet: Packet) -> None:
        """A packet entered a link."""
        self.recording.append(packet)

    def on_settled(self, packet: Packet) -> None:
        """It is known what became of a packet."""
        if packet.fate == TOO_BIG and not packet.icmp:
            settings = self._link(packet.source, packet.destination).settings
            if settings.reports:
                self._return(packet, packet.data[: _quote(packet)], errno.EMSGSIZE, settings.mtu)
        for trace in self.traces:
            for single in packet.singles():
                trace(single)

    def deliver(self, packets: list[Packet], together: bool) -> None:
        """Packets arrived at the end of a link."""
        arrived = [packet for packet in packets if self._arrives(packet)]
        for first, data, segment in (joined if together else one_by_one)(arrived):
            host = self._host_at(first.destination, first.destination_port)
            if host is not None and host.is_up:
                host.receive(first, data, segment)

    def carry(self, packet: Packet) -> None:
        """A packet leaves a host."""
        self._link(packet.source, packet.destination).carry(packet)

    def lookup(self, name: str) -> Sequence[bytes]:
        """The addresses that a name stands for: those in ``names``, or of the host with that name."""
        if name in self.names:
            return [pack_address(address) for address in self.names[name]]
        return self.hosts[name].packed if name in self.hosts else ()

    def wait(self, until: Callable[[], object], deadline: int, what: str) -> None:
        """A call of a socket waits until something is so, at most until the deadline, ns.

        Raises SimulationError if it has no deadline, and waits in vain.
        """
        if self._turn is not None:
            if deadline < NEVER:
                self.clock.call_at(deadline, self._call, _look_again)
            self._turn.wait(until, deadline)
        elif deadline < NEVER:
            self._run(until, deadline, STEPS)
        elif not self._run(until, self.clock.now + to_nanoseconds(PATIENCE), STEPS, idle=False):
            what_else = "nothing more will happen" if self.clock.next_due == NEVER else f"in vain for {PATIENCE:.0f} s"
            raise SimulationError(f"{what} waits: {what_else} (seed {self.seed!r})")

    def on_handled(self) -> None:
        """Code of the test ran, which may have used any stack."""
        self._handled = True

    def _host_at(self, address: bytes, udp_port: int) -> Host | None:
        """The host with this address and UDP port; the first one with the address if no host has that UDP port."""
        hosts = self._by_address.get(address)
        if not hosts:
            return None
        return next((host for host in hosts.values() if host.hears(address, udp_port)), next(iter(hosts.values())))

    def _link(self, source: bytes, destination: bytes) -> Link:
        ends = (source, destination)
        link = self._links.get(ends)
        if link is None:
            settings = self._settings
            for touched, changes in self._changes:
                if not touched or not touched.isdisjoint(ends):
                    settings = replace(settings, **changes)
            random = seeded_random(self.seed, "link", address_text(source), address_text(destination))
            link = self._links[ends] = Link(self.clock, self, random, settings, self.filters)
        return link

    def _lose_under_way(self, packed: bytes) -> None:
        for ends, link in self._links.items():
            if packed in ends:
                link.lose_all_under_way()

    def _run(self, until: Callable[[], object] | None, deadline: int, steps: int, *, idle: bool = True) -> bool:
        """Run until something is so, and say whether it is; ``idle``: let time pass though nothing is due any more."""
        if self._running:
            raise RuntimeError("the network is running already: handlers must not run it")
        clock = self.clock
        self._running = True
        try:
            self._handled = True
            for _ in range(steps):
                while self._handled or self._run_tasks():
                    self._handled = False
                    for host in self.hosts.values():
                        host.drain()
                if until is not None and until():
                    return True
                due = clock.next_due
                if due == NEVER and not idle:
                    return False
                if due == NEVER or due > deadline:
                    clock.advance_to(deadline)
                    return False
                clock.run_next()
        finally:
            self._running = False
        raise SimulationError(f"{steps} steps, and only {self.elapsed:.6f} s have passed (seed {self.seed!r})")

    def take_turn(self, task: Task[Any] | None) -> None:
        """A task runs now, or none does."""
        self._turn = task

    def _run_tasks(self) -> bool:
        """Let the tasks go on that can, and say whether there were any."""
        ready = [task for task in self._tasks if task.is_ready(self.clock.now)]
        for task in ready:
            task.go_on()
        return bool(ready)

    def _call(self, function: Callable[[], object]) -> None:
        self._handled = True
        function()

    def _arrives(self, packet: Packet) -> bool:
        """Settle what becomes of a packet at the end of its link; true if a stack is to have it."""
        host = self._host_at(packet.destination, packet.destination_port)
        if packet.source in self._down or packet.destination in self._down:
            packet.fate = CUT
        elif packet.destination in self._scripts and not packet.icmp:
            self._scripts[packet.destination](packet)
        elif host is None:
            packet.fate = NO_ROUTE
        elif not host.is_up:
            packet.fate = CUT
        elif packet.icmp:
            packet.fate = DELIVERED
            host.handle_icmp(packet)
        elif not host.hears(packet.destination, packet.destination_port):
            self._refuse(packet, errno.ECONNREFUSED if packet.destination_port else errno.ENOPROTOOPT)
        else:
            packet.fate = DELIVERED
        if packet.fate != CUT and packet.fate != NO_ROUTE:
            packet.arrived = self.clock.now
        self.on_settled(packet)
        return packet.fate == DELIVERED and not packet.icmp

    def _refuse(self, packet: Packet, error: int, quote: int | None = None) -> None:
        packet.fate = REFUSED
        if quote is None:
            quote = _quote(packet)
        for single in packet.singles():
            self._return(single, single.data[:quote], error)

    def _answer(self, packet: Packet, responder: Responder) -> None:
        packet.fate = ANSWERED
        for single in packet.singles():
            for answer in responder(single):
                self._return(single, answer)

    def _return(self, packet: Packet, data: bytes, icmp: int = 0, mtu: int = 0) -> None:
        self.carry(
            Packet(
                self.clock.now,
                packet.destination,
                packet.source,
                packet.destination_port,
                packet.source_port,
                data,
                icmp=icmp,
                mtu=mtu,
            )
        )


def _quote(packet: Packet) -> int:
    """Bytes of an SCTP packet that an ICMP error returns."""
    return _QUOTE_IPV4 if len(packet.source) == 4 else _QUOTE_IPV6


def _look_again() -> None:
    """Nothing: a task looks whether its time is up."""
