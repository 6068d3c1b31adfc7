"""Losses that three miss indications do not show, and reordering that they take for one (RFC 8985)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import StreamsReset
from sctpx.core.tx.reliability import RETRANSMISSIONS
from sctpx.testing import LinkSettings, Packet, Pair
from tests.sim.test_transfer_loss import thin_sacks
from tests.sweeps import seeds

RTT = 0.04
LINK = LinkSettings(delay=RTT / 2)
A = "10.0.1.1"
SACK_DELAY = 0.2


def warm(seed: int = 1, link: LinkSettings = LINK, **config: object) -> Pair:
    """A pair whose window has grown to some dozens of packets, which may leave at once."""
    pair = Pair(seed, link=link, config=AssociationConfig(max_burst=100, **config)).connect()  # type: ignore[arg-type]
    pair.a.send(bytes(200_000))
    pair.drain()
    pair.b.received.clear()
    pair.network.recording.clear()
    return pair


def time_of(pair: Pair, *sizes: int) -> float:
    """Send messages of these sizes from A at once: seconds until all are there."""
    begin = pair.network.elapsed
    for size in sizes:
        pair.a.send(bytes(size))
    pair.run(lambda: len(pair.b.received) == len(sizes))
    return pair.network.elapsed - begin


def drop(*numbers: int) -> Callable[[Packet], bool]:
    """A filter that drops packets with DATA from A by their number, counted from 1."""
    count = [0]

    def accept(packet: Packet) -> bool:
        if packet.source_text == A and {"DATA", "I-DATA"} & set(packet.chunks):
            count[0] += 1
            return count[0] not in numbers
        return True

    return accept


# The tail.


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("lost", [(10,), (9, 10), (6, 7, 8, 9, 10), tuple(range(1, 11))])
def test_a_lost_tail_costs_two_or_three_round_trips(lost: tuple[int, ...], interleaving: bool) -> None:
    with warm(interleaving=interleaving) as pair:
        pair.network.filters.append(drop(*lost))
        heard = 0 if len(lost) == 10 else RTT
        repaired = 2 * RTT if len(lost) == 1 else 3 * RTT  # The probe itself, or what its SACK shows.
        assert time_of(pair, *[1400] * 10) == pytest.approx(heard + repaired + RTT / 2, abs=0.001)
        assert pair.a.association.stats.t3_timeouts == 0
        assert pair.a.association.stats.tail_probes_sent == 1


def test_a_single_packet_that_is_lost_costs_two_round_trips_and_the_delay_of_a_sack() -> None:
    with warm() as pair:
        pair.network.filters.append(drop(1))
        assert time_of(pair, 100) == pytest.approx(2.5 * RTT + SACK_DELAY)


def test_a_dialogue_of_single_packets_draws_no_probe() -> None:
    with warm() as pair:
        for _ in range(30):
            time_of(pair, 100)
            pair.b.received.clear()
            pair.network.run_for(0.3)
        assert pair.a.association.stats.tail_probes_sent == 0


def test_messages_at_any_pace_draw_no_probe_while_nothing_is_lost() -> None:
    with warm() as pair:
        for number in range(200):
            pair.a.send(bytes(100))
            pair.network.run_for((number * 7 % 50) / 1000)
        pair.drain()
        assert pair.a.association.stats.tail_probes_sent <= 2  # A second packet may follow one that waits for its SACK.
        assert pair.a.association.stats.fast_retransmits == 0


# Retransmissions.


@pytest.mark.parametrize("times", [2, 3])
def test_a_retransmission_that_is_lost_costs_a_round_trip(times: int) -> None:
    with warm() as pair:
        tsns: list[bytes] = []

        def drop_again(packet: Packet) -> bool:
            if packet.source_text == A and "DATA" in packet.chunks:
                tsns.append(packet.data[16:20])
                return packet.data[16:20] != tsns[0] or tsns.count(tsns[0]) > times
            return True

        pair.network.filters.append(drop_again)
        begin = pair.network.elapsed
        for _ in range(200):
            pair.a.send(bytes(1400))
        pair.run(lambda: pair.b.received)
        assert pair.network.elapsed - begin == pytest.approx((times + 0.5) * RTT, abs=0.25 * RTT)
        pair.drain()
        assert pair.a.association.stats.t3_timeouts == pair.a.association.stats.tail_probes_sent == 0


def test_a_retransmission_that_is_lost_behind_the_last_data_costs_no_timeout() -> None:
    with warm() as pair:
        pair.network.filters.append(drop(5, 11))  # The fifth of ten packets, and its retransmission.
        assert time_of(pair, *[1400] * 10) < 0.5
        assert pair.a.association.stats.t3_timeouts == 0


# Disorder.


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_what_is_only_reordered_is_hardly_sent_again_once_that_was_seen(seed: int) -> None:
    """The window of a quarter of a round trip is there from the first time that something came late."""
    link = LinkSettings(delay=RTT / 2, reorder=0.05, reorder_delay=RTT / 5)
    with warm(seed, link) as pair:
        before = pair.a.association.stats.chunks_retransmitted
        time_of(pair, *[1400] * 1000)
        assert pair.a.association.stats.chunks_retransmitted - before <= 2


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_the_window_follows_reordering_that_takes_longer(seed: int) -> None:
    link = LinkSettings(delay=RTT / 2, reorder=0.02, reorder_delay=0.6 * RTT)
    spurious: list[int] = []
    with warm(seed, link) as pair:
        for _ in range(4):
            before = pair.a.association.stats.chunks_retransmitted
            pair.b.received.clear()
            time_of(pair, *[1400] * 500)
            spurious.append(pair.a.association.stats.chunks_retransmitted - before)
        assert sum(spurious) < 40


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_reordering_costs_less_than_by_miss_indications(seed: int) -> None:
    took: dict[str, float] = {}
    for loss_recovery in ("rack", "rfc9260"):
        link = LinkSettings(delay=RTT / 2, reorder=0.05, reorder_delay=RTT / 5)
        with warm(seed, link, loss_recovery=loss_recovery) as pair:
            took[loss_recovery] = time_of(pair, *[1400] * 2000)
    assert took["rack"] < 0.7 * took["rfc9260"]


@pytest.mark.parametrize("share", [2, 4])
def test_lost_sacks_draw_few_probes_and_no_timeout(share: int) -> None:
    with warm() as pair:
        thin_sacks(pair, share)
        time_of(pair, *[1400] * 200)
        assert pair.a.association.stats.t3_timeouts == 0
        assert pair.a.association.stats.chunks_retransmitted <= 2


def test_duplicates_that_the_network_makes_change_nothing() -> None:
    with warm(link=LinkSettings(delay=RTT / 2, duplicate=0.2)) as pair:
        time_of(pair, *[1400] * 300)
        assert pair.a.association.stats.chunks_retransmitted == 0
        assert pair.a.association.stats.tail_probes_sent == 0


# With what may hold data up, or give it up.


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_messages_that_may_be_given_up_are_sent_again_no_more_often_than_they_may(seed: int) -> None:
    link = LinkSettings(delay=RTT / 2, loss=0.05)
    with Pair(seed, link=link, config=AssociationConfig(association_max_retrans=100)).connect() as pair:
        for number in range(200):
            now = pair.a.host.now
            pair.a.association.send(now, b"%3d" % number * 300, policy=RETRANSMISSIONS, value=number % 2)
            pair.network.run_for(0.01)
        pair.run(lambda: pair.a.association.tcb.outstanding.empty)
        seen: dict[bytes, int] = {}
        for packet in pair.network.packets():
            if packet.source_text == A and "DATA" in packet.chunks:
                seen[packet.data[16:20]] = seen.get(packet.data[16:20], 0) + 1
        assert max(seen.values()) <= 2
        abandoned = pair.a.association.stats.messages_abandoned_sent
        assert len(pair.b.messages()) >= 200 - abandoned
        assert abandoned < 25


def test_a_reset_of_streams_that_waits_for_lost_data_does_not_wait_for_a_timeout() -> None:
    with warm(allow_stream_reset=True) as pair:
        pair.network.filters.append(drop(5))
        begin = pair.network.elapsed
        for _ in range(5):
            pair.a.send(bytes(1400), stream=1)
        pair.a.association.reset_streams(pair.a.host.now, outgoing=True, streams=(1,))
        pair.run(lambda: pair.a.events_of(StreamsReset))
        assert pair.network.elapsed - begin < 6 * RTT + SACK_DELAY
        assert pair.a.association.stats.t3_timeouts == 0


@pytest.mark.parametrize("seed", seeds(2, 20))
def test_a_shutdown_with_a_lost_tail_is_over_soon(seed: int) -> None:
    with warm(seed) as pair:
        pair.network.filters.append(drop(10))
        for _ in range(10):
            pair.a.send(bytes(1400))
        begin = pair.network.elapsed
        pair.shutdown()
        assert pair.network.elapsed - begin < 6 * RTT + SACK_DELAY
        assert len(pair.b.received) == 10


@pytest.mark.parametrize("seed", seeds(3, 40))
@pytest.mark.parametrize(("loss", "seconds"), [(0.01, 4), (0.03, 8), (0.1, 25)])
def test_a_megabyte_through_a_bad_link_takes_no_longer_than_this(seed: int, loss: float, seconds: float) -> None:
    config = AssociationConfig(association_max_retrans=100)
    with Pair(seed, link=LinkSettings(delay=0.02, loss=loss), config=config).connect() as pair:
        for _ in range(100):
            pair.a.send(bytes(10_000))
        begin = pair.network.elapsed
        pair.drain()
        assert pair.network.elapsed - begin < seconds
