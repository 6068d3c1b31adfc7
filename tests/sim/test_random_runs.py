"""Random networks, random traffic, random misfortunes: whatever they are, every message arrives once, whole, in order.

A run follows from its seed: one to four paths, loss up to 30 %, jitter, reordering, duplicates, slow lines; messages
of a byte to a mebibyte on many streams both ways, ordered and not; paths cut and healed, both sides opening at once,
a side that crashes and comes back. `SCTPX_SEEDS=5000` runs so many, `SCTPX_SEEDS=5000-6000` these. Without it, every
run of the tests takes the first seeds, and `make test-slow` the rest. The summary of a test run says how many messages
were exchanged.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from sctpx.core.config import CONGESTION, SCHEDULERS, AssociationConfig
from sctpx.core.events import CommunicationUp, Restarted
from sctpx.core.timers import NEVER
from sctpx.testing import LinkSettings, Network, Pair, Received, Side, seeded_random
from tests.sweeps import seeds

DEFAULT_SEEDS, ALL_SEEDS = 16, 400
STREAMS = 10
SIZES = (1, 2, 3, 4, 10, 64, 100, 1000, 1423, 1424, 1425, 1444, 1445, 5000, 65_536)

Record = Callable[[str, object], None]
Lane = tuple[int, bool]
"""A stream, and whether its unordered messages are meant."""


def chosen(every: int = 1) -> list[Any]:
    """The seeds to run, or one of them out of ``every``. Without SCTPX_SEEDS, the later ones are slow."""
    first, _, last = os.environ.get("SCTPX_SEEDS", "").rpartition("-")
    if last:
        return [*range(int(first or 0), int(last), every)]
    return seeds(DEFAULT_SEEDS, ALL_SEEDS, every)


@dataclass(frozen=True)
class Scenario:
    """What a seed stands for."""

    paths: int
    ipv6: bool
    udp_port: int
    link: LinkSettings
    config: AssociationConfig
    budget: int
    """Bytes a side sends, about."""
    seconds: float
    """In which the traffic starts and paths fail."""
    mtu: int = 0
    """That of the interfaces, where path MTUs are discovered; else 0."""


def draw(random: Random) -> Scenario:
    """A scenario. What goes over a bad network is less, and more patience is needed: RTO.Min is a second."""
    loss = random.choice((0.0, 0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3))
    link = LinkSettings(
        delay=random.choice((0.0002, 0.005, 0.03, 0.15)),
        jitter=random.choice((0.0, 0.0, 0.002, 0.05)),
        loss=loss,
        duplicate=random.choice((0.0, 0.0, 0.02, 0.2)),
        reorder=random.choice((0.0, 0.0, 0.02, 0.3)),
        reorder_delay=random.choice((0.001, 0.02, 0.3)),
        rate=random.choice((None, None, 2e6, 20e6)),
        queue=random.choice((None, 40_000, 200_000)),
        batches=random.random() < 0.8,
        coalesce=random.choice((0.0, 0.0, 0.001)),
    )
    config = AssociationConfig(
        streams=STREAMS,
        association_max_retrans=10_000,
        receive_buffer=random.choice((5_000, 50_000, 1 << 20, 1 << 20)),
        send_buffer=random.choice((20_000, 1 << 20)),
        sack_delay=random.choice((0.0, 0.2, 0.2)),
        stretch_sack=random.random() < 0.3,
        nodelay=random.random() < 0.7,
        max_burst=random.choice((1, 4, 4, 20)),
        mtu=random.choice((576, 1280, 1500, 1500)),
        potentially_failed_max_retrans=random.choice((0, 0, 0, 5)),
        heartbeat_interval=random.choice((0.0, 1.0, 30.0)),
        attempt_delay=random.choice((0.1, 0.1, None)),
        max_init_retransmits=100,
    )
    budget = int(random.choice((1_000, 30_000, 300_000, 3_000_000)) / (1 + 100 * loss))
    scenario = Scenario(
        random.randint(1, 4),
        random.random() < 0.3,
        random.choice((9899, 9899, 0)),
        link,
        config,
        budget,
        random.choice((0.01, 1.0, 20.0)),
    )
    scheduler = random.choice(SCHEDULERS)
    interleaving = random.random() < 0.4
    config = replace(config, interleaving=interleaving, scheduler=scheduler)
    interface = random.choice((0, 0, 1500, 9000))
    if interface:
        config = replace(config, mtu=None)
        link = replace(link, mtu=random.choice((1280, 1400, 1500, 9000)), reports=random.random() < 0.5)
    config = replace(config, congestion=random.choice(CONGESTION))
    config = replace(config, loss_recovery=random.choice(("rack", "rack", "rfc9260")))
    return replace(scenario, config=config, link=link, mtu=interface)


def make_pair(seed: int, scenario: Scenario) -> Pair:
    """Two hosts as the scenario has them."""
    return Pair(
        seed,
        paths=scenario.paths,
        ipv6=scenario.ipv6,
        link=scenario.link,
        config=scenario.config,
        udp_port=scenario.udp_port,
        mtu=scenario.mtu,
    )


class Traffic:
    """What one side sends, so that every message can be told from every other."""

    def __init__(self, name: str, random: Random, largest: int = 1 << 20) -> None:
        self.sent: dict[Lane, list[bytes]] = defaultdict(list)
        self.count = 0
        self._name = name.encode()
        self._random = random
        self._largest = largest

    def draw(self, budget: int) -> list[tuple[bytes, Lane]]:
        """Messages of so many bytes in all, or a little more; one at least."""
        random = self._random
        drawn = []
        while True:
            size = random.choice(SIZES) if random.random() < 0.6 else random.randint(1, 4000)
            if random.random() < 0.02:
                size = 1 << 20
            size = min(size, self._largest, max(budget, 1))
            self.count += 1
            label = b"%s%d." % (self._name, self.count)
            data = (label * (size // len(label) + 1))[:size]
            drawn.append((data, (random.randrange(STREAMS), random.random() < 0.2)))
            budget -= size + 200
            if budget <= 0:
                return drawn

    def send(self, side: Side, messages: list[tuple[bytes, Lane]]) -> None:
        """Give messages to a side."""
        for data, lane in messages:
            self.sent[lane].append(data)
            side.send(data, stream=lane[0], unordered=lane[1])


def lanes_of(received: list[Received], interleaving: bool = False) -> dict[Lane, list[bytes]]:
    """The messages of each lane, put together from their parts."""
    found: dict[Lane, list[bytes]] = defaultdict(list)
    parts: dict[Lane, bytes] = {}
    for part in received:
        lane = (part.stream, part.unordered)
        # While a message comes in parts, no other does (section 6.9), or no other of its stream (RFC 8260 section 2).
        assert all(other == lane or (interleaving and other[0] != lane[0]) for other in parts)
        data = parts.pop(lane, b"") + part.data
        if part.more:
            parts[lane] = data
        else:
            found[lane].append(data)
    assert not parts
    return found


def check_delivery(traffic: Traffic, side: Side) -> None:
    """Every message once, whole, in its stream's order."""
    got = lanes_of(side.received, side.association.interleaving)
    for lane in traffic.sent.keys() | got.keys():
        sent = traffic.sent.get(lane, [])
        if lane[1]:
            assert sorted(got.get(lane, [])) == sorted(sent), lane
        else:
            assert got.get(lane, []) == sent, lane


def check_inside(side: Side) -> None:
    """The sums of an association that is up add up."""
    tcb = side.association.tcb
    tcb.outstanding.check_invariants()
    tcb.tsn_map.check_invariants()
    for path in side.association.paths:
        assert path.earliest_tsn == tcb.outstanding.find_earliest(path)
        assert path.flight_size == 0 or path.t3_deadline != NEVER
        # A path MTU that is found to be larger changes no window (RFC 8899 section 3 (7)).
        assert path.cwnd >= min(path.pmdcs, path.minimum - 12)
    held = sum(len(message[0]) for message in tcb.reassembly.ready)
    assert held <= tcb.window.held <= 2 * tcb.window.size + 9000


def check_rest(side: Side) -> None:
    """Everything is delivered: nothing is left over."""
    check_inside(side)
    tcb = side.association.tcb
    assert tcb.outstanding.empty
    assert not tcb.outstanding.special
    assert tcb.outstanding.flight_size == tcb.outstanding.marked_chunks == tcb.buffered == 0
    assert tcb.window.held == 0
    assert tcb.reassembly.apart == 0
    for path in side.association.paths:
        assert path.flight_size == 0


def misfortunes(pair: Pair, random: Random, scenario: Scenario) -> None:
    """Cut paths at random moments and heal them some time later."""
    for _ in range(random.choice((0, 0, 1, 2, 5))):
        path = random.randint(1, scenario.paths)
        begin = random.uniform(0, 2 * scenario.seconds)
        pair.network.at(begin, lambda path=path: pair.cut(path))  # type: ignore[misc]
        pair.network.at(begin + random.uniform(0.01, 20), lambda path=path: pair.heal(path))  # type: ignore[misc]


def choose_paths(pair: Pair, side: Side, random: Random, scenario: Scenario) -> None:
    """Have the user choose another primary path now and then, whatever state it is in."""

    def choose() -> None:
        path = random.choice(side.association.paths)
        with suppress(OSError):  # It may not be confirmed yet.
            side.association.set_primary(pair.network.clock.now, path.remote)

    at_random_times(pair.network, random, 2 * scenario.seconds, random.choice((0, 0, 5)), choose)


def at_random_times(network: Network, random: Random, seconds: float, times: int, do: Callable[[], object]) -> None:
    """Have something done some times."""
    for _ in range(times):
        network.at(random.uniform(0, seconds), do)


def open_both(pair: Pair, seconds: float) -> None:
    """Both sides open the association at once, as good as."""
    for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
        side.endpoint.listen()
        side.connect(other)
    pair.run(lambda: pair.a.events_of(CommunicationUp) and pair.b.events_of(CommunicationUp), seconds)


@pytest.mark.parametrize("seed", chosen())
def test_every_message_arrives_once_and_whole_and_in_the_order_of_its_stream(
    seed: int, record_property: Record
) -> None:
    random = seeded_random(seed, "random runs")
    scenario = draw(random)
    with make_pair(seed, scenario) as pair:
        if random.random() < 0.2:
            open_both(pair, 10_000)
        else:
            pair.connect(10_000)
        sides = [(pair.a, pair.b, Traffic("a", random)), (pair.b, pair.a, Traffic("b", random))]
        for side, _, traffic in sides:
            portions = random.randint(1, 5)
            traffic.send(side, traffic.draw(scenario.budget // portions))
            for _ in range(portions - 1):
                more = traffic.draw(scenario.budget // portions)
                pair.network.at(
                    random.uniform(0, scenario.seconds),
                    lambda side=side, traffic=traffic, more=more: traffic.send(side, more),  # type: ignore[misc]
                )
            at_random_times(pair.network, random, 2 * scenario.seconds, 5, lambda side=side: check_inside(side))  # type: ignore[misc]
            choose_paths(pair, side, random, scenario)
        misfortunes(pair, random, scenario)
        pair.network.run_for(scenario.seconds)
        pair.drain(100_000)
        for side, other, traffic in sides:
            check_delivery(traffic, other)
            check_rest(side)
        pair.shutdown(10_000)
    record_property("messages", sum(traffic.count for _, _, traffic in sides))


@pytest.mark.parametrize("seed", chosen(every=5))
def test_a_side_that_restarts_gets_and_sends_what_comes_after(seed: int, record_property: Record) -> None:
    """What was under way is gone, but nothing comes twice, in pieces or out of order."""
    random = seeded_random(seed, "restarts")
    scenario = draw(random)
    # No message is so large that it could be handed over in part when the end comes; with interleaving, any could.
    scenario = replace(scenario, config=replace(scenario.config, interleaving=False))
    with make_pair(seed, scenario) as pair:
        pair.connect(10_000)
        largest = 1_000
        a, b = Traffic("a", random, largest), Traffic("b", random, largest)
        a.send(pair.a, a.draw(scenario.budget))
        b.send(pair.b, b.draw(scenario.budget))
        pair.network.run_for(random.uniform(0, scenario.seconds))
        before_a, before_b = len(pair.a.received), pair.b.received
        pair.b.host.crash()
        pair.network.run_for(random.uniform(0, 5))
        pair.b.host.restart()
        reborn = Side(pair.b.host, pair.b.endpoint.port, scenario.config)
        reborn.connect(pair.a)
        pair.run(lambda: pair.a.events_of(Restarted) and len(pair.b.events_of(CommunicationUp)) == 2, 10_000)
        before_a = len(pair.a.received)
        old_a = {lane: len(messages) for lane, messages in a.sent.items()}
        again = Traffic("c", random, largest)
        again.send(reborn, again.draw(scenario.budget))
        a.send(pair.a, a.draw(scenario.budget))
        pair.run(lambda: pair.a.is_dry and reborn.is_dry, 100_000)
        # A went on with what it had not handed over yet: the end of each stream reached the new life of B.
        got = lanes_of(reborn.received)
        for lane, sent in a.sent.items():
            old = lanes_of(before_b).get(lane, [])
            new = got.get(lane, [])
            if lane[1]:
                assert Counter(old) + Counter(new) <= Counter(sent)
                assert Counter(sent[old_a.get(lane, 0) :]) <= Counter(new)
            else:
                assert old == sent[: len(old)]
                assert new == sent[len(sent) - len(new) :]
                assert len(new) >= len(sent) - old_a.get(lane, 0)
                assert len(old) + len(new) <= len(sent)
        first, second = lanes_of(pair.a.received[:before_a]), lanes_of(pair.a.received[before_a:])
        for lane, sent in b.sent.items():
            old = first.get(lane, [])
            assert Counter(old) <= Counter(sent) if lane[1] else old == sent[: len(old)]
        assert {lane: sorted(messages) for lane, messages in second.items()} == {
            lane: sorted(messages) for lane, messages in again.sent.items()
        }
        for lane, sent in again.sent.items():
            assert lane[1] or second[lane] == sent
        for side in (pair.a, reborn):
            check_rest(side)
    record_property("messages", a.count + b.count + again.count)
