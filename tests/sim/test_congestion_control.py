"""CUBIC and NewReno on lines of a rate: who has which share of a line that both use, and what a long line carries."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.config import AssociationConfig, Congestion
from sctpx.core.events import CommunicationUp
from sctpx.testing import LinkSettings, Network, Pair
from tests.sweeps import some

MEGABIT = 1e6
SIZE = 10_000
STEP = 0.1
BOTH: tuple[Congestion, ...] = ("newreno", "cubic")


def config(congestion: Congestion) -> AssociationConfig:
    """Buffers that hold more than any of the lines."""
    return AssociationConfig(congestion=congestion, send_buffer=4 << 20, receive_buffer=4 << 20)


def shares(kinds: Sequence[Congestion], link: LinkSettings, seconds: float, seed: int) -> list[float]:
    """Shares of what several associations received that all go over one line, after they have been on it for 5 s."""
    with Network(seed, link=link) as network:
        server = network.add_host("server", ["10.0.0.1"])
        server.open_endpoint(5000, config=config("newreno")).listen()
        client = network.add_host("client", ["10.0.0.2"])
        associations = []
        for kind in kinds:
            endpoint = client.open_endpoint(config=config(kind))
            associations.append(endpoint.connect(client.now, server.peer_addresses, 5000))
            network.run_for(0.037 * seed)
        network.run(lambda: sum(isinstance(event, CommunicationUp) for event in server.events) == len(kinds))
        network.run_for(1)
        accepted = [association_of(event) for event in server.events if isinstance(event, CommunicationUp)]
        of_port = {association.peer_port: association for association in accepted}
        received = [of_port[association.tcb.local_port] for association in associations]
        before = [0] * len(kinds)
        for step in range(round((5 + seconds) / STEP)):
            if step == round(5 / STEP):
                before = [association.stats.bytes_received for association in received]
            for association in associations:
                while association.send_space > 0:
                    association.send(client.now, bytes(SIZE))
            network.run_for(STEP)
            for association in received:
                association.read()
        counts = [one.stats.bytes_received - start for one, start in zip(received, before, strict=True)]
        return [count / sum(counts) for count in counts]


def goodput(congestion: Congestion, link: LinkSettings, seconds: float, seed: int) -> float:
    """Mbit/s of user data over a line of its own."""
    with Pair(seed, link=link, config=config(congestion)).connect() as pair:
        begin = pair.network.elapsed
        while pair.network.elapsed < begin + seconds:
            while pair.a.association.send_space > 0:
                pair.a.send(bytes(SIZE))
            pair.network.run_for(STEP)
        return sum([len(data) for data in pair.b.messages()]) * 8 / seconds / MEGABIT


@pytest.mark.parametrize(
    "line",
    some(
        [(2, 0.04, 15_000, 1), (5, 0.02, 15_000, 2)],
        [
            (rate, rtt, queue, seed)
            for rate, rtt, queue in ((2, 0.04, 15_000), (5, 0.02, 15_000), (5, 0.04, 25_000), (10, 0.05, 62_500))
            for seed in (3, 4, 5)
        ],
    ),
    ids=str,
)
def test_on_short_lines_cubic_and_newreno_have_two_fifths_each_at_least(line: tuple[float, float, int, int]) -> None:
    rate, rtt, queue, seed = line
    link = LinkSettings(delay=rtt / 2, rate=rate * MEGABIT, queue=queue, jitter=0.002)
    kinds: list[Congestion] = ["newreno", "cubic"] if seed & 1 else ["cubic", "newreno"]
    assert min(shares(kinds, link, 30, seed)) >= 0.4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_on_long_lines_cubic_has_more_but_newreno_does_not_starve(seed: int) -> None:
    """RFC 9438 section 5.1: beyond the Reno-friendly region CUBIC is made to have more."""
    link = LinkSettings(delay=0.05, rate=20 * MEGABIT, queue=250_000, jitter=0.002)
    newreno, cubic = shares(["newreno", "cubic"], link, 40, seed)
    assert cubic > newreno
    assert newreno >= 0.15


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_two_associations_with_cubic_have_about_the_same(seed: int) -> None:
    link = LinkSettings(delay=0.02, rate=5 * MEGABIT, queue=25_000, jitter=0.002)
    assert min(shares(["cubic", "cubic"], link, 60, seed)) >= 0.4


@pytest.mark.slow
def test_over_50_ms_with_a_loss_of_a_thousandth_cubic_carries_no_less_than_newreno() -> None:
    link = LinkSettings(delay=0.025, rate=100 * MEGABIT, queue=150_000, loss=0.001)
    newreno, cubic = [sum([goodput(kind, link, 20, seed) for seed in (1, 2, 3)]) for kind in BOTH]
    assert cubic >= 0.95 * newreno


@pytest.mark.slow
def test_over_a_fast_line_with_long_round_trips_cubic_carries_more() -> None:
    link = LinkSettings(delay=0.1, rate=50 * MEGABIT, queue=300_000, loss=0.0001)
    newreno, cubic = [sum([goodput(kind, link, 20, seed) for seed in (1, 2)]) for kind in BOTH]
    assert cubic >= 1.2 * newreno
