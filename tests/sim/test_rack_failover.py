"""One of two paths is cut: tail loss probes over the other one find out, long before T3-rtx does.

The gap is two round trips without a SACK, a round trip of the probe, and what the retransmission takes: three round
trips and 50 ms at most, at default settings.
"""

from __future__ import annotations

from functools import partial

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import LinkSettings, Pair
from tests.sweeps import seeds, some


def ready(seed: int, rtt: float, paths: int = 2, **config: object) -> Pair:
    """All paths are confirmed on both sides."""
    settings = AssociationConfig(**config)  # type: ignore[arg-type]
    pair = Pair(seed, paths=paths, link=LinkSettings(delay=rtt / 2), config=settings).connect()
    pair.run(lambda: all(path.confirmed for path in pair.a.association.paths + pair.b.association.paths))
    return pair


def longest_gap(pair: Pair, messages: int) -> float:
    """Run until B has so many messages: the longest time that none came, in seconds."""
    longest, last = 0.0, pair.network.elapsed
    while len(pair.b.received) < messages:
        before = len(pair.b.received)
        pair.run(lambda before=before: len(pair.b.received) > before)  # type: ignore[misc]
        longest = max(longest, pair.network.elapsed - last)
        last = pair.network.elapsed
    return longest


@pytest.mark.parametrize("seed", seeds(3, 30))
@pytest.mark.parametrize("rtt", some([0.001, 0.02, 0.06], [0.01, 0.04, 0.1]))
def test_in_a_bulk_transfer_a_cut_costs_three_round_trips_and_50_ms(seed: int, rtt: float) -> None:
    with ready(seed, rtt) as pair:
        for _ in range(1500):
            pair.a.send(bytes(1400))
        pair.run(lambda: len(pair.b.received) > 300 + 20 * seed)
        pair.cut(1)
        assert longest_gap(pair, 1500) <= 3 * rtt + 0.05
        assert pair.a.association.stats.t3_timeouts == 0


@pytest.mark.parametrize("paths", [2, 4])
@pytest.mark.parametrize("every", [0.002, 0.01])
def test_a_steady_flow_of_messages_is_held_up_no_longer(every: float, paths: int) -> None:
    rtt = 0.02
    with ready(1, rtt, paths) as pair:
        for number in range(300):
            pair.network.at(number * every, partial(pair.a.send, b"%d" % number))
        pair.network.at(100 * every, lambda: pair.cut(1))
        assert longest_gap(pair, 300) <= 3 * rtt + 0.05
        assert pair.b.messages() == [b"%d" % number for number in range(300)]


def test_a_single_message_waits_for_the_delay_of_a_sack_as_well() -> None:
    with ready(1, 0.02) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        assert longest_gap(pair, 1) <= 3 * 0.02 + 0.05 + 0.2


def test_only_one_direction_is_cut() -> None:
    with ready(1, 0.02) as pair:
        pair.network.link("10.0.1.1", "10.0.1.2").cut()
        for number in range(300):
            pair.network.at(number * 0.005, partial(pair.a.send, b"%d" % number))
        assert longest_gap(pair, 300) <= 3 * 0.02 + 0.05


def test_only_the_way_back_is_cut() -> None:
    """SACKs return on the path that data came on last: the probe has them return on the other one."""
    with ready(1, 0.02) as pair:
        pair.network.link("10.0.1.2", "10.0.1.1").cut()
        for number in range(300):
            pair.network.at(number * 0.005, partial(pair.a.send, b"%d" % number))
        assert longest_gap(pair, 300) <= 3 * 0.02 + 0.05
        pair.drain()
        assert pair.a.association.stats.t3_timeouts == 0


def test_no_error_is_counted_before_the_heartbeat_is_lost_and_data_returns_when_the_path_answers() -> None:
    with ready(1, 0.02) as pair:
        for _ in range(600):
            pair.a.send(bytes(1400))
        pair.run(lambda: len(pair.b.received) > 200)
        pair.cut(1)
        first = pair.a.association.paths[0]
        pair.network.run_for(0.5)
        assert (first.state, first.error_count) == (PATH_ACTIVE, 0)
        assert first.doubtful
        pair.network.run_for(1.0)
        assert first.state == PATH_POTENTIALLY_FAILED
        pair.heal(1)
        pair.run(lambda: first.state == PATH_ACTIVE)
        before = first.bytes_sent
        pair.a.send(bytes(10_000))
        pair.drain()
        assert first.bytes_sent - before >= 10_000


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_a_tail_that_is_lost_on_a_good_path_does_not_move_data_for_long(seed: int) -> None:
    """The HEARTBEAT beside the probe is answered on the path itself."""
    with ready(seed, 0.02) as pair:
        for _ in range(20):
            pair.network.drop(lambda packet: "DATA" in packet.chunks, 2, to="10.0.1.2")
            pair.a.send(bytes(2000))
            pair.drain()
            pair.network.run_for(0.05)
            assert not pair.a.association.paths[0].doubtful
        before = pair.a.association.paths[0].bytes_sent
        pair.a.send(bytes(10_000))
        pair.drain()
        assert pair.a.association.paths[0].bytes_sent - before >= 10_000
        assert pair.a.association.stats.t3_timeouts == 0


@pytest.mark.parametrize("pause", [0.02, 0.1, 0.5])
def test_a_peer_that_pauses_is_not_taken_for_a_path_that_is_cut(pause: float) -> None:
    """Nothing of what reached the peer before it paused is sent again but the probe."""
    with ready(1, 0.004) as pair:
        for _ in range(400):
            pair.a.send(bytes(1400))
        pair.run(lambda: len(pair.b.received) > 100)
        held = pair.network.hold(lambda packet: True, None)
        pair.network.run_for(pause)
        held.release()
        pair.drain()
        assert pair.a.association.stats.chunks_retransmitted <= 2
        assert not pair.a.association.paths[0].doubtful


@pytest.mark.parametrize("seed", seeds(3, 60))
def test_nothing_is_lost_or_doubled_when_paths_come_and_go(seed: int) -> None:
    config = AssociationConfig(association_max_retrans=50)
    link = LinkSettings(delay=0.01, loss=0.02, jitter=0.02)
    with Pair(seed, paths=3, link=link, config=config).connect() as pair:
        for round_ in range(12):
            pair.network.at(0.2 * round_, partial(pair.cut, round_ % 3 + 1))
            pair.network.at(0.2 * round_ + 0.3, partial(pair.heal, round_ % 3 + 1))
        sent = [b"%d " % number * 300 for number in range(400)]
        for message in sent:
            pair.a.send(message, stream=1)
            pair.b.send(message, stream=2)
        pair.network.run_for(5)
        pair.drain()
        assert pair.b.messages() == pair.a.messages() == sent
