"""A line of limited rate: it is filled, shared, and not flooded."""

from __future__ import annotations

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.events import CommunicationUp
from sctpx.testing import LinkSettings, Network, Pair
from tests.sweeps import some

MEGABIT = 1e6


def goodput(pair: Pair, size: int, begin: float) -> float:
    """User data of ``size`` bytes, in bits a second since ``begin``."""
    return size * 8 / (pair.network.elapsed - begin)


@pytest.mark.parametrize("rate", some([2, 20], [50]))
@pytest.mark.parametrize("delay", [0.002, 0.02])
def test_a_line_with_a_queue_of_a_round_trip_is_filled(rate: float, delay: float) -> None:
    queue = max(int(rate * MEGABIT / 8 * 2 * delay), 20_000)
    link = LinkSettings(delay=delay, rate=rate * MEGABIT, queue=queue)
    with Pair(1, link=link).connect() as pair:
        # Long enough for the one timeout that the end of slow start may cost, a second, not to matter much.
        size = int(rate * MEGABIT / 8 * (10 if rate < 10 else 2.5))
        begin = pair.network.elapsed
        for _ in range(size // 10_000):
            pair.a.send(bytes(10_000))
        pair.drain()
        assert goodput(pair, size, begin) > 0.75 * rate * MEGABIT
        assert pair.a.association.stats.t3_timeouts <= 1


def test_both_directions_are_filled_at_once() -> None:
    link = LinkSettings(delay=0.01, rate=10 * MEGABIT, queue=50_000)
    with Pair(1, link=link).connect() as pair:
        begin = pair.network.elapsed
        for _ in range(500):
            pair.a.send(bytes(10_000))
            pair.b.send(bytes(10_000))
        pair.drain()
        assert goodput(pair, 5_000_000, begin) > 0.7 * 10 * MEGABIT


def test_associations_that_share_a_line_all_get_something() -> None:
    link = LinkSettings(delay=0.01, rate=10 * MEGABIT, queue=60_000)
    with Network(1, link=link) as network:
        server = network.add_host("server", ["10.0.0.1"])
        server.open_endpoint(5000).listen()
        client = network.add_host("client", ["10.0.0.2"])
        associations = [client.open_endpoint().connect(client.now, server.peer_addresses, 5000) for _ in range(4)]
        network.run(lambda: sum(isinstance(event, CommunicationUp) for event in server.events) == 4)
        network.run(lambda: sum(isinstance(event, CommunicationUp) for event in client.events) == 4)
        for association in associations:
            for _ in range(1000):
                association.send(client.now, bytes(10_000))
        received = [association_of(event) for event in server.events if isinstance(event, CommunicationUp)]
        for _ in range(200):
            network.run_for(0.1)
            for association in received:
                association.read()
        shares = [association.stats.bytes_received for association in received]
        assert sum(shares) * 8 / 20 > 0.75 * 10 * MEGABIT
        assert min(shares) > sum(shares) / 4 / 3


def test_a_message_a_time_takes_one_way_each() -> None:
    with Pair(1, link=LinkSettings(delay=0.05)).connect() as pair:
        for _ in range(20):
            begin = pair.network.elapsed
            count = len(pair.b.received)
            pair.a.send(b"ping")
            pair.run(lambda count=count: len(pair.b.received) > count)  # type: ignore[misc]
            assert pair.network.elapsed - begin == pytest.approx(0.05, abs=1e-6)
            count = len(pair.a.received)
            pair.b.send(b"pong")
            pair.run(lambda count=count: len(pair.a.received) > count)  # type: ignore[misc]
            assert pair.network.elapsed - begin == pytest.approx(0.1, abs=1e-6)
        # The SACKs travelled with the answers.
        assert pair.a.association.stats.packets_sent <= 20 + 5
