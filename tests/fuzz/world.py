"""A world of the endpoint fuzzer: two or three hosts with real stacks, their programs, and the packets under way.

Both ends of an association are real. So a State Cookie is valid, a checksum and a tag are right, and whatever needs two
sides that agree is reached by letting things happen: nobody has to guess. What happens, and in which order, is for
``moves``. What must hold behind each input is in ``oracle``; that what is delivered was sent, in the right order and
once, is in ``host``, since the programs know. Where the network makes chunks of its own (``Settings.honest`` is
False), a program may be told anything, and only its stack must be sound.

An *input* is one thing that happens to one stack: a datagram arrives, or a run of packets in one; a timer expires; the
program calls; a send fails; an ICMP error comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, final

from sctpx import COMPILED
from sctpx.core.association.association import Association
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.capabilities import CAPABILITIES
from sctpx.core.stats import AssociationStats, StackStats
from sctpx.core.timers import SECOND

from .cost import Meter
from .host import (
    CHECKED_STREAMS,
    Datagram,
    Host,
    Life,
)
from .oracle import Violation, require
from .settings import Settings, draw

START: Final = 10**18
MAX_UNDER_WAY: Final = 400
"""Packets: a router with a longer queue loses the oldest ones."""
HISTORY: Final = 64
DAY: Final = 86_400 * SECOND
MAX_TIMERS: Final = 6000
"""Inputs behind which a world has ended, that was told to."""
EXTENSIONS: Final = {row.name: row.bit for row in CAPABILITIES}
COUNTERS: Final = tuple(name for name in dir(AssociationStats()) if not name.startswith("_"))
STACK_COUNTERS: Final = tuple(name for name in dir(StackStats()) if not name.startswith("_"))


@final
class World:
    """Hosts, and what is under way between them."""

    def __init__(self, number: int, meter_every: int = 0, meter_at: int = -1) -> None:
        """``meter_every``: of so many datagrams one has its steps counted; 0 for none. ``meter_at``: the input with
        this number has."""
        self.number = number
        self.settings: Settings = draw(number)
        self.now = START
        self.inputs = 0
        self.told_inputs = 0
        """Those of the story; the others belong to the end, which comes by itself."""
        self.counted = 0
        """Inputs whose steps were counted."""
        self.worst = 0.0
        """The largest share of their bound that these took."""
        self.slowest = 0.0
        self.slowest_input = -1
        self._meter_every = meter_every
        self._meter_at = meter_at
        self.under_way: list[Datagram] = []
        self.history: list[Datagram] = []
        self.strays: list[Datagram] = []
        """What went to addresses that no host has: somebody who makes packets answers."""
        self.cut: set[bytes] = set()
        """Addresses that nothing reaches."""
        self.tags: set[bytes] = set()
        """That somebody has drawn."""
        self.heard = b""
        """What arrived last."""
        self.prefixes: set[bytes] = set()
        """Ports and tags of packets of associations that have come up."""
        self.lives: list[Life] = []
        self.reach: Counter[str] = Counter()
        self.states: Counter[int] = Counter()
        self.chunks: Counter[tuple[int, int]] = Counter()
        """Chunks that came for an association, by type and state."""
        self.events: Counter[str] = Counter()
        self.counters: Counter[str] = Counter()
        """The counters of stacks and associations, added up."""
        self.move = 0
        """The number of the move in its story."""
        self.features: dict[int, int] = {}
        """What is new about an input, hashed, with the move at which it was first seen."""
        self.hosts = [Host(self, number) for number in range(self.settings.hosts)]
        self.places = {ip: host for host in self.hosts for ip in host.addresses}

    def meter(self) -> Meter | None:
        """What counts the steps of the next input, if something is to count them."""
        every = self._meter_every
        due = self.inputs == self._meter_at or (every and (self.inputs + self.number) % every == 0)
        if not due or COMPILED:
            return None
        return Meter()

    # --- the network ---

    def carry(self, datagram: Datagram) -> None:
        """Something is under way from now on."""
        if not datagram.kinds:
            return
        whole = datagram.whole and datagram.segment + 48 > self.settings.path_mtu
        if whole or datagram.local in self.cut or datagram.remote in self.cut:
            self.reach["packet too big for a path" if whole else "packet to a path that is cut"] += 1
            return
        if datagram.local not in self.places:
            self.strays.append(datagram)
            del self.strays[:-8]
            return
        self.under_way.append(datagram)
        if len(self.under_way) > MAX_UNDER_WAY:
            del self.under_way[0]
        self.history.append(datagram)
        if len(self.history) > HISTORY:
            del self.history[0]

    def deliver(self, datagram: Datagram) -> None:
        """A datagram arrives, if its host still has the address."""
        host = self.places.get(datagram.local)
        if host is not None:
            host.receive(datagram)

    # --- time ---

    def pass_time(self, until: int, most: int = 1 << 30) -> int:
        """Let time pass; timers expire on the way, at most so many. Returns how many did."""
        expired = 0
        while expired < most:
            first: Host | None = None
            earliest = until
            for host in self.hosts:
                deadline = host.stack.next_timeout()
                if deadline is not None and deadline <= earliest:
                    earliest, first = deadline, host
            if first is None:
                break
            stuck = earliest <= self.now
            self.now = max(self.now, earliest)
            first.expire()
            expired += 1
            again = first.stack.next_timeout()
            require(not stuck or again is None or again > self.now or expired < 50, "a timer is due again and again")
        if expired < most:
            self.now = max(self.now, until)
        return expired

    def next_deadline(self) -> int | None:
        """When the next timer of any host expires."""
        due = [deadline for host in self.hosts if (deadline := host.stack.next_timeout()) is not None]
        return min(due) if due else None

    # --- the end ---

    def finish(self) -> None:
        """Nothing goes wrong any more. What was sent arrives; every association ends, once it is told to."""
        self.cut.clear()
        for host in self.hosts:
            host.failing.clear()
            host.holds = False
            for association in host.associations():
                host.read(association)
                host.drain()
        if self.settings.honest:
            self._run(self._is_quiet, self.now + 3600 * SECOND)
            self._check_delivered()
        for host in self.hosts:
            for association in host.associations():
                host.call("shutdown", association, partial(association.shutdown, self.now))
        for host in self.hosts:
            for endpoint in host.endpoints:
                endpoint.stop_listening()
        ended = self._run(self._is_over, self.now + DAY)
        require(ended, "an association does not end, a day after it was told to")
        for host in self.hosts:
            require(host.stack.next_timeout() is None, "a stack without associations has a timer")
            require(not [life for life in host.lives if not life.over], "the program was not told of an end")
        self._take_counters()

    def _run(self, done: Callable[[], bool], until: int) -> bool:
        """Carry packets, and let time pass, until that is so; whether it came so far."""
        inputs = self.inputs
        while self.inputs - inputs < MAX_TIMERS:
            if self.under_way:
                self.deliver(self.under_way.pop(0))
            elif done():
                return True
            elif self.now >= until or not self.pass_time(until, 1):
                return done()
        raise Violation(f"no rest after {MAX_TIMERS} inputs")

    def _is_over(self) -> bool:
        return not any(endpoint.associations for host in self.hosts for endpoint in host.endpoints)

    def _is_quiet(self) -> bool:
        """Nobody waits for anything but the next HEARTBEAT."""
        for host in self.hosts:
            for association in host.associations():
                tcb = association.tcb
                if tcb.state != ESTABLISHED or association.pending or tcb.sack_policy.deadline < self.now + DAY:
                    return False
        return True

    def _check_delivered(self) -> None:
        """What was sent within associations that live on both sides is with the other one's program."""
        ends = {}
        for host in self.hosts:
            for life in host.lives:
                tcb = life.association.tcb
                if life.is_up and not life.over and tcb.state == ESTABLISHED:
                    ends[tcb.local_tag, tcb.peer_tag] = life
        for (local, peer), life in ends.items():
            other = ends.get((peer, local))
            if other is None or life.gaps_allowed or life.association.pending:
                continue
            for key, count in life.sent.items():
                if key & 0xFF >= CHECKED_STREAMS:
                    continue
                came = other.received.get((life.number, key), 0)
                complete = (1 << count) - 1 if key & 0x100 else count
                require(came == complete, f"{count} messages on {key} were acknowledged, and {came} delivered")
            self.reach["all that was sent is delivered"] += 1

    # --- what was reached ---

    def note_up(self, association: Association) -> None:
        """An association has come up."""
        self.prefixes.clear()
        tcb = association.tcb
        config = tcb.config
        reach = self.reach
        reach[f"recovery {config.loss_recovery}"] += 1
        reach[f"congestion control {config.congestion}"] += 1
        reach[f"scheduler {config.scheduler}"] += 1
        reach["IPv6" if len(tcb.paths[0].remote) == 16 else "IPv4"] += 1
        reach[f"{min(len(tcb.paths), 4)} paths"] += 1
        reach["over UDP" if tcb.paths[0].encaps_port else "over IP"] += 1
        for name, bit in EXTENSIONS.items():
            reach[f"{name} {'on' if tcb.capabilities & bit else 'off'}"] += 1

    def note_end(self, association: Association) -> None:
        """An association is over: its counters count."""
        self.prefixes.clear()
        stats = association.stats
        for name in COUNTERS:
            value = getattr(stats, name)
            if value:
                self.counters[name] += value
                self.features.setdefault(hash((name, min(value.bit_length(), 6))), self.move)

    def _take_counters(self) -> None:
        for host in self.hosts:
            stats = host.stack.stats
            for name in STACK_COUNTERS:
                value = getattr(stats, name)
                if value:
                    self.counters[f"stack: {name}"] += value
                    self.features.setdefault(hash((name, min(value.bit_length(), 4))), self.move)
