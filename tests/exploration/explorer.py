"""Every way that a small world can go, one state after the other.

A world is two hosts and the packets under way between them. What can happen in a state: any packet is delivered; it is
lost; it is delivered, and a copy of it stays under way; a program takes its next step; the earliest timer of the two
hosts expires. Losses, copies and timers that expire early are *faults*, and a world has a number of each. Early is a
timer as long as there is something else to do: a packet is under way, or a program can go on. Time passes with timers
only, so a packet that is under way while a timer expires is one that is late.

So the ways of a world come to an end, and its states can be counted: the search goes by the number of inputs, the
shortest way to a fault is found first, and each state is seen once. In each state ``Host.check`` holds, and what both
sides know of each other agrees. From each state the world is run to its end without further faults, where
``check_end`` holds. The end has to come: a world that does not come to rest is a fault, too.

The core is a function of its inputs. So what a host does is looked up if it got the same input in the same state at the
same time before, and a host in a given state is had by giving a new one all the inputs of one way that leads there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from sctpx.wire.describe import describe

from .host import DELIVER, START, STEP, TIMER, Host, Op, Summary, Violation

MAX_RUN: Final = 2000
"""Inputs behind which a world without further faults has come to rest."""
MAX_LIVE: Final = 64
"""Hosts that are kept, to go on from where they are."""
A: Final = 0
B: Final = 1


@dataclass(frozen=True)
class Faults:
    """How often things go wrong in one run."""

    losses: int = 0
    copies: int = 0
    early: int = 0
    """Timers that expire while there is something else to do."""
    total: int = 99
    """All together."""

    def __str__(self) -> str:
        most = min(self.total, self.losses + self.copies + self.early)
        return f"{self.losses} lost, {self.copies} twice, {self.early} late; at most {most}"


class Way(NamedTuple):
    """An input of a host, and what it leads to."""

    state: int
    packets: tuple[int, ...]


@final
class Hosts:
    """All states of one host that were seen, and the ways between them."""

    def __init__(self, make: Callable[[], Host], packets: Packets) -> None:
        self._make = make
        self._packets = packets
        self._ways: dict[tuple[int, Op, int], Way] = {}
        self._numbers: dict[bytes, int] = {}
        self._origin: list[tuple[int, Op, int] | None] = [None]
        self._live: OrderedDict[int, Host] = OrderedDict()
        first = make()
        self._numbers[first.fingerprint()] = 0
        self.summaries: list[Summary] = [first.summary()]
        self.inputs = 0
        """How often the core was run."""

    def __len__(self) -> int:
        return len(self.summaries)

    def go(self, state: int, op: Op, now: int) -> Way:
        """What happens if the host in that state gets that input."""
        key = state, op, now
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = self._go(key)
        return way

    def _go(self, key: tuple[int, Op, int]) -> Way:
        state, op, now = key
        host = self._live.pop(state, None) or self._again(state)
        packets = host.apply(op, now)
        self.inputs += 1
        host.check(op, now)
        print_of = host.fingerprint()
        number = self._numbers.get(print_of)
        if number is None:
            number = self._numbers[print_of] = len(self.summaries)
            self.summaries.append(host.summary())
            self._origin.append(key)
        self._live[number] = host
        if len(self._live) > MAX_LIVE:
            self._live.popitem(last=False)
        return Way(number, tuple([self._packets.number(packet) for packet in packets]))

    def _again(self, state: int) -> Host:
        """A host in that state: one that got the same inputs as the first one."""
        return self._replay(self._inputs(state))

    def _inputs(self, state: int) -> list[tuple[Op, int]]:
        inputs: list[tuple[Op, int]] = []
        while (origin := self._origin[state]) is not None:
            state, op, now = origin
            inputs.append((op, now))
        inputs.reverse()
        return inputs

    def _replay(self, inputs: list[tuple[Op, int]]) -> Host:
        host = self._make()
        for op, now in inputs:
            host.apply(op, now)
        return host

    def audit(self) -> int:
        """Have hosts that came another way to a state do all that the first one did there, with the same answers.

        Returns how often that was tried. Raises ``Violation`` if two states were taken for one.
        """
        onward: dict[int, list[tuple[Op, int, Way]]] = {}
        for (state, op, now), way in self._ways.items():
            onward.setdefault(state, []).append((op, now, way))
        tried = 0
        for (state, op, now), reached in self._ways.items():
            if self._origin[reached.state] == (state, op, now):
                continue
            for next_op, later, way in onward.get(reached.state, []):
                host = self._replay([*self._inputs(state), (op, now)])
                packets = host.apply(next_op, later)
                tried += 1
                if [self._packets.number(packet) for packet in packets] != list(way.packets):
                    raise Violation("hosts in one state answer differently")
                if self._numbers.get(host.fingerprint()) != way.state:
                    raise Violation("hosts in one state go to different ones")
        return tried


@final
class Packets:
    """All packets that were seen, by number."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.known: list[bytes] = []
        self.to: list[int] = []
        """The host that a packet is for."""

    def number(self, packet: bytes) -> int:
        """The number of a packet."""
        number = self._numbers.get(packet)
        if number is None:
            number = self._numbers[packet] = len(self.known)
            self.known.append(packet)
            self.to.append(B if packet[3] == 2 else A)
        return number


class State(NamedTuple):
    """A state of a world."""

    a: int
    b: int
    now: int
    under_way: tuple[int, ...]
    """Packets, by number, sorted."""
    losses: int
    copies: int
    early: int
    """Faults that there were."""


class Action(NamedTuple):
    """Something that can happen."""

    what: str
    host: int
    packet: int


@dataclass
class Count:
    """How much of a world was seen."""

    states: int = 0
    depth: int = 0
    """Inputs from the beginning to the last of these states."""
    ends: int = 0
    """Those in which all is over."""
    hosts: int = 0
    """States of single hosts."""
    whole: bool = True
    """There are no others."""
    ways: int = 0


@dataclass
class Explorer:
    """One world, and what was seen of it."""

    make: tuple[Callable[[], Host], Callable[[], Host]]
    faults: Faults
    check_end: Callable[[Summary, Summary], str]
    """What is wrong with the end of a world; empty if nothing is."""
    packets: Packets = field(default_factory=Packets)
    count: Count = field(default_factory=Count)
    _came: dict[State, tuple[State, Action] | None] = field(default_factory=dict)
    _settled: set[State] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hosts = [Hosts(make, self.packets) for make in self.make]

    def explore(self, max_depth: int = 1 << 30, max_states: int = 1 << 30) -> Count:
        """See every state up to so many inputs from the beginning.

        Raises ``Violation``, with the shortest way that leads there.
        """
        first = State(0, 0, START, (), 0, 0, 0)
        self._came[first] = None
        level = [first]
        count = self.count
        while level:
            following: list[State] = []
            for state in level:
                self._settle(state)
                for action in self._actions(state):
                    count.ways += 1
                    reached = self._take(state, action)
                    if reached not in self._came:
                        self._came[reached] = state, action
                        self._check(reached)
                        following.append(reached)
            if following and (count.depth >= max_depth or len(self._came) > max_states):
                for state in following:
                    self._settle(state)
                count.whole = False
                break
            level = following
            count.depth += bool(following)
        count.states = len(self._came)
        count.hosts = sum(map(len, self.hosts))
        return count

    # --- what can happen ---

    def _summaries(self, state: State) -> tuple[Summary, Summary]:
        return self.hosts[A].summaries[state.a], self.hosts[B].summaries[state.b]

    def _actions(self, state: State) -> Iterator[Action]:
        """Whatever can happen in a state."""
        both = self._summaries(state)
        faults = self.faults
        left = faults.total - state.losses - state.copies - state.early
        packets = set(state.under_way)
        busy = False
        for number in sorted(packets):
            busy = True
            to = self.packets.to[number]
            yield Action("deliver", to, number)
            if left and state.losses < faults.losses:
                yield Action("lose", to, number)
            if left and state.copies < faults.copies and state.under_way.count(number) == 1:
                yield Action("copy", to, number)
        for host in (A, B):
            if both[host].step:
                busy = True
                yield Action("step", host, -1)
        if not busy or (left and state.early < faults.early):
            yield from self._timers(state)

    def _timers(self, state: State) -> Iterator[Action]:
        """The earliest timer, or both if they expire at once."""
        due = [summary.deadline for summary in self._summaries(state)]
        running = [deadline for deadline in due if deadline >= 0]
        for host in (A, B):
            if running and due[host] == min(running):
                yield Action("timer", host, -1)

    def _fair(self, state: State) -> Action | None:
        """What happens next if nothing goes wrong any more: the oldest packet, a step, a timer."""
        if state.under_way:
            number = state.under_way[0]
            return Action("deliver", self.packets.to[number], number)
        for host, summary in enumerate(self._summaries(state)):
            if summary.step:
                return Action("step", host, -1)
        return next(self._timers(state), None)

    def _take(self, state: State, action: Action) -> State:
        """The state that an action leads to."""
        what, host, number = action
        now, under_way = state.now, list(state.under_way)
        losses, copies, early = state.losses, state.copies, state.early
        if number >= 0 and what != "copy":
            under_way.remove(number)
        if what == "lose":
            return State(state.a, state.b, now, tuple(under_way), losses + 1, copies, early)
        summaries = self._summaries(state)
        if what == "timer":
            early += bool(under_way or summaries[A].step or summaries[B].step)
            now = max(now, summaries[host].deadline)
            op: Op = TIMER, b""
        elif what == "step":
            op = STEP, b""
        else:
            copies += what == "copy"
            op = DELIVER, self.packets.known[number]
        try:
            way = self.hosts[host].go(state.b if host else state.a, op, now)
        except Exception as error:
            raise Violation(f"{type(error).__name__}: {error}\n{self.story(state, action)}") from error
        under_way += way.packets
        under_way.sort()
        a, b = (state.a, way.state) if host else (way.state, state.b)
        return State(a, b, now, tuple(under_way), losses, copies, early)

    # --- what must hold ---

    def _check(self, state: State) -> None:
        """What both sides know of each other."""
        wrong = self._disagreement(state)
        if wrong:
            raise Violation(f"{wrong}\n{self.story(state)}")

    def _disagreement(self, state: State) -> str:
        a, b = self._summaries(state)
        return disagreement(a, b) or disagreement(b, a)

    def _settle(self, state: State) -> None:
        """Without further faults, the world comes to its end, and that is right."""
        passed: list[State] = []
        reached = state
        while reached not in self._settled:
            self._settled.add(reached)
            passed.append(reached)
            action = self._fair(reached)
            if action is None:
                wrong = self.check_end(*self._summaries(reached))
                if wrong:
                    raise Violation(f"{wrong}\n{self.story(state)}\n{self._rest(state)}")
                self.count.ends += 1
                return
            reached = self._take(reached, action)
            wrong = self._disagreement(reached)
            if wrong:
                raise Violation(f"{wrong}\n{self.story(state)}\n{self._rest(state)}")
            if len(passed) > MAX_RUN:
                raise Violation(f"no rest after {MAX_RUN} inputs\n{self.story(state)}\n{self._rest(state)}")

    # --- for people ---

    def story(self, state: State, last: Action | None = None) -> str:
        """How a state came about, for people."""
        actions: list[tuple[State, Action]] = []
        came = self._came.get(state)
        reached = state
        while came is not None:
            actions.append(came)
            reached = came[0]
            came = self._came.get(reached)
        actions.reverse()
        if last is not None:
            actions.append((state, last))
        return "\n".join([self._line(before, action) for before, action in actions])

    def _rest(self, state: State) -> str:
        """What then happens without further faults, for people."""
        lines = ["-- and then, without further faults:"]
        for _ in range(60):
            action = self._fair(state)
            if action is None:
                break
            lines.append(self._line(state, action))
            state = self._take(state, action)
        a, b = self._summaries(state)
        return "\n".join([*lines, f"A: {a}", f"B: {b}"])

    def _line(self, state: State, action: Action) -> str:
        seconds = (state.now - START) / 1e9
        text = f"{seconds:8.3f} {action.what} {'AB'[action.host]}"
        if action.packet >= 0:
            return f"{text} #{action.packet} {describe(self.packets.known[action.packet][8:])}"
        return f"{text} {self._summaries(state)[action.host].step if action.what == 'step' else ''}"


def disagreement(one: Summary, other: Summary) -> str:
    """What one side knows of the other, and is not so; empty if all is."""
    sent = dict(other.sent)
    received = dict(one.received)
    for key, count in other.sent:
        arrived = received.get(key, 0)
        arrived = arrived.bit_count() if key.endswith("u") else arrived
        if key.split()[0] in other.complete and arrived != count and not (other.gives_up or one.holds):
            return f"{count} messages of {key} were sent, {arrived} arrived, and the association ended gracefully"
    for key, count in one.received:
        had = count.bit_length() if key.endswith("u") else count  # See ``Summary.received``.
        if had > sent.get(key, 0):
            return f"{had} messages of {key} were received, and {sent.get(key, 0)} were sent"
    for _, local, peer, acknowledged, next_tsn, _ in one.live:
        for _, its_local, its_peer, _, its_next, cumulative in other.live:
            if local == its_peer and peer == its_local and next_tsn >= 0 and its_next >= 0:
                if _before(cumulative, acknowledged):
                    return f"TSN {acknowledged} counts as acknowledged, and {cumulative} is the last one received"
                if not _before(cumulative, next_tsn):
                    return f"TSN {cumulative} was received, and {next_tsn} is the next one to be sent"
    return ""


def _before(one: int, other: int) -> bool:
    """RFC 1982: whether a TSN comes before another one."""
    return one != other and (other - one) & 0xFFFFFFFF < 1 << 31
