"""What can happen in a soak world: what programs do, what befalls the network, what strangers send, hosts that die."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final, final

from sctpx.core.association.state import ESTABLISHED
from sctpx.testing import Network, Packet

from .checks import LARGEST
from .liar import Liar
from .machine import SERVER_PORTS, Machine
from .program import NOT_NOW, End
from .strangers import Strangers

Happening = Callable[[], object]
SIZES: Final = (1, 60, 60, 100, 1000, 1400, 1400, 3000, 20_000, 100_000)
Begin = Callable[[Machine, Machine, int, int], None]
"""Has a program begin a session: on which host, with which one, from which SCTP port to which."""


@final
class Happenings:
    """Things that happen, each when ``any`` says so."""

    def __init__(
        self, network: Network, random: Random, machines: list[Machine], liar: Liar, begin: Begin, most: int
    ) -> None:
        self.cuts = 0
        self.moves = 0
        self.crashes = 0
        self.strangers = Strangers(network, random, SERVER_PORTS)
        self._network = network
        self._random = random
        self._machines = machines
        self._liar = liar
        self._begin = begin
        self._most = most
        self._next_port = 20_000
        self._planned = 0
        self._plans: dict[int, Happening] = {}
        self._damaged = 0.0
        programs: list[Happening] = [self._connect, self._connect, self._close, self._use_streams, self._use_keys]
        programs += [self._send] * 8 + [self._fall_asleep, self._choose_path]
        surroundings: list[Happening] = [
            self._cut,
            self._cut_one_way,
            self._fail_sends,
            self._refuse,
            self.change_links,
        ]
        surroundings += [self._change_mtu, self._move, self._damage, self._lie]
        strangers: list[Happening] = [self._flood, self.strangers.repeat, self.strangers.report]
        self._all = programs * 4 + surroundings * 2 + strangers + [self._crash]

    def any(self) -> None:
        """One of them, now."""
        try:
            self._random.choice(self._all)()
        except OSError as error:  # Not every association can be asked for everything at every time.
            if error.errno not in NOT_NOW:
                raise

    def _later(self, seconds: float, do: Happening) -> None:
        """Do something later, unless there is a calm before."""
        self._planned += 1
        number = self._planned
        self._plans[number] = do
        self._network.at(seconds, partial(self._carry_out, number))

    def _carry_out(self, number: int) -> None:
        do = self._plans.pop(number, None)
        if do is not None:
            do()

    def calm_down(self) -> None:
        """All is as it should be from now on: but for the MTUs of links, and that they lose a packet now and then."""
        self._plans.clear()
        self._damaged = self._liar.rate = 0.0
        for machine in self._machines:
            for address in machine.homes + machine.spare:
                self._heal(address)
            if not machine.host.is_up:
                machine.restart()
        for ours, theirs in self._pairs():
            link = self._network.link(ours, theirs)
            link.heal()
            link.set(loss=min(link.settings.loss, 0.01), rate=None, jitter=min(link.settings.jitter, 0.02))
        for end in self._ends():
            end.wake()

    def _ends(self) -> list[End]:
        return [end for machine in self._machines for end in machine.living]

    def _up(self) -> list[Machine]:
        return [machine for machine in self._machines if machine.host.is_up]

    def _pairs(self) -> list[tuple[str, str]]:
        """All links between hosts."""
        found = []
        for ours in self._machines:
            for theirs in self._machines:
                if ours is not theirs:
                    ends = [(one, other) for one in ours.homes + ours.spare for other in theirs.homes + theirs.spare]
                    found += [(one, other) for one, other in ends if (":" in one) is (":" in other)]
        return found

    def _any_address(self) -> str:
        return self._random.choice(self._random.choice(self._machines).host.addresses)

    # --- programs ---

    def _connect(self) -> None:
        up = self._up()
        if len(self._ends()) < 2 * self._most and len(up) > 1:
            ours, theirs = self._random.sample(up, 2)
            self._next_port = self._next_port + 1 if self._next_port < 60_000 else 20_000
            self._begin(ours, theirs, self._next_port, self._random.choice(SERVER_PORTS))

    def _send(self) -> None:
        ends = [end for end in self._ends() if end.association.state == ESTABLISHED]
        if ends:
            end = self._random.choice(ends)
            size = self._random.choice(SIZES)
            for _ in range(self._random.choice((1, 1, 3, 10, 40)) if size < 50_000 else 1):
                if not end.send(self._random, min(size, LARGEST)):
                    break

    def _close(self) -> None:
        ends = self._ends()
        if len(ends) > self._most and self._random.random() < 0.5:
            end = self._random.choice(ends)
            if self._random.random() < 0.7:
                end.shutdown()
                if self._random.random() < 0.2:
                    for other in end.session.ends:
                        if other is not None and other.up and not other.over:
                            other.shutdown()
            else:
                end.abort()

    def _fall_asleep(self) -> None:
        ends = self._ends()
        if ends:
            end = self._random.choice(ends)
            end.asleep = True
            self._later(self._random.choice((0.1, 5.0, 60.0, 2000.0)), end.wake)

    def _use_streams(self) -> None:
        ends = self._ends()
        if not ends:
            return
        end, random = self._random.choice(ends), self._random
        association, now = end.association, end.now
        streams = random.sample(range(association.outbound_streams), min(association.outbound_streams, 2))
        what = random.randrange(12)
        if what < 5:
            association.reset_streams(now, True, random.random() < 0.3, streams if random.random() < 0.7 else [])
        elif what < 8:
            association.add_streams(now, random.randrange(3), random.randrange(3))
        elif what < 11:
            association.set_stream_value(random.choice(streams), random.randrange(10))
        else:
            for ledger in end.session.ledgers:
                ledger.lax = True
            association.reset_association(now)

    def _use_keys(self) -> None:
        ends = [end for end in self._ends() if end.association.authenticates]
        if ends:
            end = self._random.choice(ends)
            end.association.activate_key(end.now, self._random.randrange(2))

    def _choose_path(self) -> None:
        ends = self._ends()
        if ends:
            end, random = self._random.choice(ends), self._random
            remote = random.choice(end.association.paths).remote
            what = random.randrange(4)
            if what == 0:
                end.association.set_primary(end.now, remote)
            elif what == 1:
                end.association.request_heartbeat(end.now, remote)
            elif what == 2 and end.association.address_reconfigurable:
                end.association.set_peer_primary(end.now, random.choice(end.association.wanted_addresses))
            else:
                end.association.configure_path(end.now, remote, heartbeat_interval=random.choice((10, 40)) * 10**9)

    # --- the network ---

    def change_links(self) -> None:
        """Some links become better or worse."""
        random = self._random
        changes: dict[str, object] = {
            "delay": random.choice((0.0005, 0.01, 0.03, 0.15)),
            "jitter": random.choice((0.0, 0.0, 0.02)),
            "loss": random.choice((0.0, 0.0, 0.01, 0.05, 0.2)),
            "duplicate": random.choice((0.0, 0.0, 0.05)),
            "reorder": random.choice((0.0, 0.0, 0.05)),
            "reorder_delay": 0.05,
            "rate": random.choice((None, None, None, 2e6, 2e7)),
            "queue": random.choice((None, 60_000)),
            "mark": random.choice((0.0, 0.0, 0.05)),
            "coalesce": random.choice((0.0, 0.001)),
        }
        self._set(**changes)

    def _change_mtu(self) -> None:
        self._set(mtu=self._random.choice((1280, 1400, 1500, 1500, 9000)), reports=self._random.random() < 0.6)

    def _set(self, **changes: object) -> None:
        one = self._any_address()
        for ours, theirs in self._pairs():
            if one in (ours, theirs):
                self._network.link(ours, theirs).set(**changes)

    def _cut(self) -> None:
        self.cuts += 1
        if self._random.random() < 0.7:
            addresses = [self._any_address()]
        else:
            addresses = list(self._random.choice(self._machines).host.addresses)
        self._network.cut(*addresses)
        seconds = self._random.choice((0.2, 3.0, 20.0, 100.0, 600.0))
        for address in addresses:
            self._later(seconds, partial(self._heal, address))

    def _cut_one_way(self) -> None:
        self.cuts += 1
        link = self._network.link(*self._random.choice(self._pairs()))
        link.cut()
        self._later(self._random.choice((1.0, 30.0, 300.0)), link.heal)

    def _heal(self, address: str) -> None:
        self._network.heal(address)
        for machine in self._machines:
            machine.host.fail_sends(address, 0)

    def _refuse(self) -> None:
        address = self._any_address()
        self._network.refuse(address, self._random.choice((errno.ECONNREFUSED, errno.EHOSTUNREACH)))
        self._later(self._random.choice((0.5, 10.0, 60.0)), partial(self._heal, address))

    def _fail_sends(self) -> None:
        address = self._any_address()
        error = self._random.choice((errno.EPERM, errno.EHOSTUNREACH, errno.ENOBUFS))
        self._random.choice(self._machines).host.fail_sends(address, error)
        self._later(self._random.choice((0.5, 10.0, 60.0)), partial(self._heal, address))

    def _damage(self) -> None:
        """Bits flip for a while."""
        self._damaged = self._random.choice((0.001, 0.02))
        self._later(20.0, self._repair)

    def _repair(self) -> None:
        self._damaged = 0.0

    def damage(self, packet: Packet) -> bool:
        """A filter for links."""
        if self._damaged and packet.data and self._random.random() < self._damaged:
            at = self._random.randrange(len(packet.data))
            bit = 1 << self._random.randrange(8)
            packet.data = packet.data[:at] + bytes((packet.data[at] ^ bit,)) + packet.data[at + 1 :]
        return True

    def _lie(self) -> None:
        self._liar.rate = self._random.choice((0.0, 0.02, 0.2, 0.7))

    def _move(self) -> None:
        """A host gets or loses addresses."""
        machines = [machine for machine in self._up() if machine.spare]
        if machines:
            self.moves += 1
            machine = self._random.choice(machines)
            spare = self._random.sample(machine.spare, self._random.randrange(len(machine.spare) + 1))
            self._network.move(machine.host.name, [*machine.homes, *spare])
            machine.follow()

    # --- hosts and strangers ---

    def _crash(self) -> None:
        machine = self._random.choice(self._machines)
        if machine.host.is_up and self._random.random() < 0.3:
            self.crashes += 1
            machine.crash()
            self._later(self._random.choice((0.01, 1.0, 30.0, 900.0)), partial(self._restart, machine))

    def _restart(self, machine: Machine) -> None:
        if machine.host.is_up:
            return
        machine.restart()
        for theirs, port, server_port in machine.lost:
            if self._random.random() < 0.5 and port not in machine.host.stack.endpoints and theirs.host.is_up:
                self._begin(machine, theirs, port, server_port)

    def _flood(self) -> None:
        up = self._up()
        if up:
            others = [address for machine in up for address in machine.host.packed]
            rate = self._random.choice((40, 200, 1000))
            self.strangers.flood(self._random.choice(up).host, others, self._random.choice((0.2, 1.0)), rate)
