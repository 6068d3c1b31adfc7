"""RACK beside losses that are found by RFC 9260's rules alone: no bully, and no slower.

Two associations send through one bottleneck, each with another ``loss_recovery``. Neither has less than 40 % of what
gets through. And over all the lines of the goodput grid, RACK is as fast or faster, but for what the draw of the losses
makes: which packets are lost depends on what was sent before.
"""

from __future__ import annotations

from statistics import mean

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp
from sctpx.testing import LinkSettings, Network, Pair
from tests.sweeps import some

LEAST = 0.4
"""Of what both get: the share of either."""
LINES = [(10e6, 0.02, 25_000), (10e6, 0.02, 10_000), (10e6, 0.02, 60_000), (10e6, 0.1, 60_000), (50e6, 0.01, 60_000)]
"""Bits a second, round-trip time, bytes of the queue."""


def shares(seed: int, loss_recoveries: tuple[str, ...], link: LinkSettings, seconds: float) -> list[float]:
    """What part each of the associations from one host to another has of all that is delivered in so many seconds."""
    assert link.rate is not None
    with Network(seed, link=link) as network:
        server = network.add_host("server", ["10.0.0.1"])
        server.open_endpoint(5000).listen()
        client = network.add_host("client", ["10.0.0.2"])
        associations = []
        for loss_recovery in loss_recoveries:
            config = AssociationConfig(
                loss_recovery=loss_recovery,  # type: ignore[arg-type]
                send_buffer=1 << 26,
                association_max_retrans=100,
            )
            endpoint = client.open_endpoint(config=config)
            associations.append(endpoint.connect(client.now, server.peer_addresses, 5000))
        network.run(lambda: sum(isinstance(event, CommunicationUp) for event in client.events) == len(associations))
        network.run(lambda: sum(isinstance(event, CommunicationUp) for event in server.events) == len(associations))
        for association in associations:
            for _ in range(int(link.rate / 8 * seconds / 10_000) + 1):
                association.send(client.now, bytes(10_000))
        peers = {
            association_of(event).tcb.peer_port: association_of(event)
            for event in server.events
            if isinstance(event, CommunicationUp)
        }
        for _ in range(int(seconds * 20)):
            network.run_for(0.05)
            for peer in peers.values():
                peer.read()
        got = [peers[association.tcb.local_port].stats.bytes_received for association in associations]
        assert sum(got) * 8 > 0.25 * link.rate * seconds
        return [each / sum(got) for each in got]


@pytest.mark.parametrize("loss_recoveries", some([("rack", "rfc9260")], [("rfc9260", "rack")]))
@pytest.mark.parametrize("line", some(LINES[:1], LINES[1:]))
def test_two_flows_through_one_bottleneck_have_40_per_cent_each(
    line: tuple[float, float, int], loss_recoveries: tuple[str, ...]
) -> None:
    rate, rtt, queue = line
    link = LinkSettings(delay=rtt / 2, rate=rate, queue=queue, jitter=0.0005)
    seconds = 60e6 / rate + 6 * rtt
    found = [shares(seed, loss_recoveries, link, seconds) for seed in range(3)]
    assert min(mean(each) for each in zip(*found, strict=True)) >= LEAST, found


@pytest.mark.slow
@pytest.mark.parametrize("rtt", [0.02, 0.1])
def test_it_is_so_where_packets_are_lost_at_random_too(rtt: float) -> None:
    """Both are bound by the losses, and RACK by fewer timeouts: it may have more of what neither could use before."""
    link = LinkSettings(delay=rtt / 2, rate=10e6, queue=60_000, loss=0.01)
    found = [shares(seed, ("rack", "rfc9260"), link, 30.0) for seed in range(5)]
    assert min(mean(each) for each in zip(*found, strict=True)) >= LEAST, found


@pytest.mark.slow
def test_four_flows_of_either_kind_share_a_line() -> None:
    link = LinkSettings(delay=0.01, rate=20e6, queue=60_000, jitter=0.0005)
    found = [shares(seed, ("rack", "rfc9260") * 2, link, 10.0) for seed in range(3)]
    by_flow = [mean(each) for each in zip(*found, strict=True)]
    assert by_flow[0] + by_flow[2] >= LEAST
    assert by_flow[1] + by_flow[3] >= LEAST


def seconds_for(loss_recovery: str, loss: float, rtt: float, seed: int) -> float:
    """How long a megabyte takes, as in ``test_goodput_grid``."""
    link = LinkSettings(delay=rtt / 2, loss=loss, rate=100e6, queue=150_000)
    config = AssociationConfig(
        association_max_retrans=1000,
        loss_recovery=loss_recovery,  # type: ignore[arg-type]
    )
    with Pair(seed, link=link, config=config).connect(600) as pair:
        begin = pair.network.elapsed
        for _ in range(50):
            pair.a.send(bytes(20_000))
        pair.network.run(lambda: len(pair.b.received) == 50, 3600)
        return pair.network.elapsed - begin


@pytest.mark.slow
@pytest.mark.parametrize("rtt", [0.001, 0.02, 0.1])
@pytest.mark.parametrize(("loss", "gain"), [(0.01, 0.98), (0.03, 0.98), (0.1, 1.1)])
def test_over_many_draws_it_is_no_slower_anywhere(loss: float, rtt: float, gain: float) -> None:
    took = {
        loss_recovery: mean(seconds_for(loss_recovery, loss, rtt, seed) for seed in range(100, 120))
        for loss_recovery in ("rack", "rfc9260")
    }
    assert took["rack"] * gain <= took["rfc9260"], took
