"""A virtual day of a few hosts to which everything happens that can, and what must hold all the time.

``World(seed, hours).run()`` lives through it: the hosts have several addresses of both families, and programs that set
associations up, use them in every way and end them. Meanwhile links lose, double, reorder and damage packets, addresses
are cut and healed, come and go, hosts die and start anew, readers sleep, strangers flood and one host lies. All of it
follows from the seed.

Each hour ends with a calm: what was cut is healed, readers read, nobody lies. Then all that was sent has to be
acknowledged in a time that can be told. Each few hours have a night: all associations are ended, and nothing may be
left of them. What is looked at, and when, is in ``checks``; each message is held to its ``ledger``.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, final

from sctpx.core.association.association import Association
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.testing import Network, Packet, SimulationError, seeded_random
from sctpx.testing.packet import DELIVERED, pack_address

from . import checks
from .happenings import Happenings
from .ledger import Ledger
from .liar import Liar
from .machine import Machine
from .program import CLIENT, CRASHED, SERVER, End, Session, any_config

HONEST: Final = 5
MOST: Final = 36
"""Sessions at a time, about."""
CALM: Final = 1500.0
"""Seconds of calm in which everything is acknowledged, or its association has ended."""
HEALED: Final = 400.0
"""Seconds of calm after which every path works again."""
NIGHT: Final = 3000.0
"""Seconds in which every association ends that was asked to."""
HOUR: Final = 3600.0
GROWTH: Final = 1.1
"""How much more memory blocks there may be after a night than after the first two."""


@dataclass
class Tally:
    """What happened, for the summary."""

    virtual_seconds: float = 0.0
    sessions: int = 0
    messages: int = 0
    bytes: int = 0
    given_up: int = 0
    packets: int = 0
    forged: int = 0
    lies: int = 0
    crashes: int = 0
    moves: int = 0
    cuts: int = 0
    calms: int = 0
    nights: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """The sum of both."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)


@final
class World:
    """Some hosts, and what happens to them."""

    def __init__(self, seed: int, hours: float = 24.0, *, most: int = MOST, night: int = 2) -> None:
        """``most`` sessions at a time, about; a night every so many hours."""
        self.seed = seed
        self.tally = Tally()
        self.network = Network(("soak", seed), record=1 << 18)
        self._random = seeded_random(seed, "soak")
        self._hours = hours
        self._night = night
        self._sessions: list[Session] = []
        self._by_tag: dict[int, Session] = {}
        self._blocks: list[int] = []
        self._kept = checks.kept()
        self._machines: list[Machine] = []
        self._by_address: dict[bytes, Machine] = {}
        liar = Liar(seeded_random(seed, "liar"))
        for number in range(HONEST + 1):
            self._add_machine(number)
        self._liar = liar
        self._happenings = Happenings(self.network, self._random, self._machines, liar, self._begin, most)
        self.network.traces.append(self._on_packet)
        self._put_filters()
        for _ in range(20):
            self._happenings.change_links()

    def _add_machine(self, number: int) -> None:
        random = self._random
        v4 = [f"10.0.{net}.{number + 1}" for net in range(1, random.choice((1, 2, 3)) + 1)]
        v6 = [f"2001:db8:{net}::{number + 1:x}" for net in range(1, random.choice((0, 1, 2)) + 1)]
        native, mtu = random.random() < 0.4, random.choice((1500, 1500, 9000))
        host = self.network.add_host(f"H{number}", [*v4, *v6], native=native, mtu=mtu)
        lying = number == HONEST
        spare = () if lying else (f"10.0.8.{number + 1}", f"2001:db8:8::{number + 1:x}", f"10.0.9.{number + 1}")
        machine = Machine(host, spare, lying, random, self._on_incoming)
        self._machines.append(machine)
        for address in machine.homes + spare:
            self._by_address[pack_address(address)] = machine

    def _put_filters(self) -> None:
        for ours in self._machines:
            for theirs in self._machines:
                ends = [(one, other) for one in ours.homes + ours.spare for other in theirs.homes + theirs.spare]
                for one, other in ends if ours is not theirs else []:
                    if (":" in one) is (":" in other):
                        link = self.network.link(one, other)
                        link.filters += [self._liar.alter] if ours.lying else []
                        link.filters.append(self._happenings.damage)

    def _on_packet(self, packet: Packet) -> None:
        self.tally.packets += 1
        self._happenings.strangers.on_packet(packet)
        if packet.fate == DELIVERED and not packet.icmp:
            machine = self._by_address.get(packet.destination)
            if machine is not None and packet.destination_port in machine.host.ports:
                machine.delivered += 1

    # --- the day ---

    def run(self) -> Tally:
        """Live through all of it. AssertionError: something does not hold."""
        tally = self.tally
        with self.network:
            end = self._hours * HOUR
            hour = 0
            while self.network.elapsed < end:
                hour += 1
                self._live(min(HOUR, end) * 0.7)
                self._keep_calm()
                if hour % self._night == 0 or self.network.elapsed >= end:
                    self._sleep()
        tally.virtual_seconds = self.network.elapsed
        tally.forged, tally.lies = self._happenings.strangers.sent, self._liar.told
        tally.crashes, tally.cuts, tally.moves = (
            self._happenings.crashes,
            self._happenings.cuts,
            self._happenings.moves,
        )
        return tally

    def _live(self, seconds: float) -> None:
        """Have something happen, again and again."""
        until = self.network.elapsed + seconds
        steps = 0
        while self.network.elapsed < until:
            self._happenings.any()
            self.network.run_for(self._random.choice((0.0, 0.01, 0.05, 0.3, 1.0, 3.0, 10.0)))
            steps += 1
            if steps % 20 == 0:
                self._look()

    def _look(self) -> None:
        """What must hold does, now."""
        for machine in self._machines:
            stack = machine.host.stack
            if machine.host.is_up:
                checks.check_stack(stack, machine.host.name)
                received = stack.stats.packets_received
                assert received == machine.delivered, f"{machine.host.name} got {machine.delivered}, counts {received}"
                machine.tidy()
        for session in [session for session in self._sessions if session.is_over]:
            self._finish(session)

    def _finish(self, session: Session) -> None:
        session.check_end()
        self._sessions.remove(session)
        for side, ledger in enumerate(session.ledgers):
            self.tally.messages += ledger.arrived
            self.tally.bytes += ledger.arrived_bytes
            self.tally.given_up += ledger.given_up
            session.ledgers[side] = Ledger(session.number, side)
        for side, end in enumerate(session.ends):
            if end is not None:
                self.tally.ends[end.over] += 1
            session.ends[side] = None

    def _keep_calm(self) -> None:
        """Nothing bad happens any more: everything comes to rest, and all paths work again."""
        self.tally.calms += 1
        self._happenings.calm_down()
        began = self.network.elapsed
        try:
            self.network.run(self._is_at_rest, CALM)
        except SimulationError as error:
            restless = [end for end in self._ends() if not self._rests(end)]
            for end in restless:
                error.add_note(f"{end.name}: {checks.describe(end.association)}")
            raise
        self.network.run_for(max(began + HEALED - self.network.elapsed, 0))
        self._look()
        for end in self._ends():
            if end.up and not end.session.lying and checks.is_at_rest(end.association):
                checks.check_rest(end.association, end.name)
                self._check_paths(end)

    def _ends(self) -> list[End]:
        return [end for machine in self._machines for end in machine.ends if not end.over]

    def _rests(self, end: End) -> bool:
        return end.session.lying or checks.is_at_rest(end.association) or self._is_severed(end)

    def _is_severed(self, end: End) -> bool:
        """The hosts have lost the addresses between which its paths lie: a path keeps the one that it leaves from."""
        here = set(self._machine_of(end).host.packed)
        there = {ip for machine in self._machines for ip in machine.host.packed}
        return not any(path.local in here and path.remote in there for path in end.association.paths)

    def _is_at_rest(self) -> bool:
        return all(self._rests(end) for end in self._ends())

    def _check_paths(self, end: End) -> None:
        """Every path between addresses that there are works."""
        others = [other for other in end.session.ends if other is not None and other is not end and not other.over]
        if not others or others[0].closed or end.closed:
            return
        ours = set(self._machine_of(end).host.packed)
        theirs = set(self._machine_of(others[0]).host.packed)
        for path in end.association.paths:
            if path.remote in theirs and path.local in ours and path.confirmed and path.remote in others[0].known:
                assert path.state == PATH_ACTIVE, f"{end.name}: {path.remote.hex()}: {checks.describe(end.association)}"

    def _machine_of(self, end: End) -> Machine:
        return next(machine for machine in self._machines if end in machine.ends)

    def _sleep(self) -> None:
        """All associations are ended. Nothing is left of them, night after night."""
        self.tally.nights += 1
        self._end_all()
        self.network.run_for(60)
        self._look()
        for machine in self._machines:
            stack = machine.host.stack
            left = sum(len(endpoint.associations) for endpoint in stack.endpoints.values())
            assert left == 0, f"{machine.host.name} has {left} associations at night"
            assert stack.next_timeout() is None, f"{machine.host.name}: a timer runs for nothing"
        assert not self._sessions, f"{len(self._sessions)} sessions are not over at night"
        self._forget()
        assert checks.kept() == self._kept, f"{checks.kept()} are left at night, of {self._kept}"
        gc.collect()
        self._blocks.append(sys.getallocatedblocks())
        most = GROWTH * max(self._blocks[:2]) + 10_000
        assert self._blocks[-1] < most, f"memory grows from night to night: {self._blocks}"

    def _end_all(self) -> None:
        for end in self._ends():
            if self._is_severed(end) or (end.session.lying and self._random.random() < 0.5):
                end.abort()
            else:
                end.shutdown()
        self.network.run(lambda: not self._honest(), NIGHT)
        for end in self._ends():
            end.abort()

    def _honest(self) -> list[End]:
        return [end for end in self._ends() if not end.session.lying]

    def _forget(self) -> None:
        """The test kit forgets the past."""
        self._by_tag.clear()
        self._happenings.strangers.forget()
        self.network.recording.clear()
        for machine in self._machines:
            machine.tidy()
            machine.lost.clear()

    # --- sessions ---

    def _begin(self, ours: Machine, theirs: Machine, port: int, server_port: int) -> None:
        endpoint = ours.host.open_endpoint(port, any_config(self._random))
        ours.clients.append(endpoint)
        packed = self._random.sample(theirs.host.packed, len(theirs.host.packed))[: self._random.choice((1, 2, 9))]
        ways = [way for way in theirs.host.peer_addresses if way.udp_port or 0 in ours.host.ports]
        remotes = [way for ip in packed for way in ways if way.ip == ip]
        association = endpoint.connect(ours.host.now, remotes, server_port)
        self.tally.sessions += 1
        session = Session(self.tally.sessions, ours.lying or theirs.lying)
        self._sessions.append(session)
        self._by_tag[association.tcb.local_tag] = session
        ours.attach(End(session, CLIENT, association, lambda: ours.host.now, theirs))

    def _on_incoming(self, machine: Machine, association: Association) -> End:
        """A server has got an association, or another one in its place: whose is it?"""
        session = self._by_tag.get(association.tcb.peer_tag)
        if session is None or session.served not in ("", CRASHED):
            known = [self._by_address.get(path.remote) for path in association.paths]
            lying = machine.lying or any(peer is None or peer.lying for peer in known)
            assert lying, f"{machine.host.name}: an association that no client has set up, or that was over"
            session = Session(0, True)
        if session.served:
            session.ledgers[SERVER] = Ledger(session.number, SERVER)
        if session not in self._sessions:
            self._sessions.append(session)
        return machine.attach(End(session, SERVER, association, lambda: machine.host.now))
