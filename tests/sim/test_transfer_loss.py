"""What loss costs: which losses are mended without waiting for the timer, and how long the others take."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.testing import LinkSettings, Packet, Pair

RTT = 0.04
LINK = LinkSettings(delay=RTT / 2)
MESSAGES = [number.to_bytes(4, "big") * 300 for number in range(100)]


def warm(seed: int = 1, **how: object) -> Pair:
    """A pair whose window has grown to some dozens of packets."""
    pair = Pair(seed, link=LINK, **how).connect()  # type: ignore[arg-type]
    pair.a.send(bytes(200_000))
    pair.drain()
    pair.b.received.clear()
    pair.network.recording.clear()
    return pair


def is_data(packet: Packet) -> bool:
    return "DATA" in packet.chunks


def nth_data(*numbers: int) -> tuple[list[int], object]:
    """A filter that drops packets with DATA from A by their number, counted from 1."""
    count = [0]

    def accept(packet: Packet) -> bool:
        if is_data(packet) and packet.source_text == "10.0.1.1":
            count[0] += 1
            return count[0] not in numbers
        return True

    return count, accept


def thin_sacks(pair: Pair, share: int) -> None:
    """From now on one SACK out of ``share`` gets through."""
    count = [0]

    def thin(packet: Packet) -> bool:
        count[0] += packet.chunks == ["SACK"]
        return packet.chunks != ["SACK"] or count[0] % share == 0

    pair.network.filters.append(thin)


def transfer(pair: Pair) -> float:
    """Send the messages; seconds until all are there."""
    begin = pair.network.elapsed
    for message in MESSAGES:
        pair.a.send(message)
    pair.run(lambda: len(pair.b.received) == len(MESSAGES))
    assert pair.b.messages() == MESSAGES
    return pair.network.elapsed - begin


def lossless() -> float:
    with warm() as pair:
        return transfer(pair)


@pytest.mark.parametrize("lost", [(10,), (10, 11), (10, 14, 17), (20, 21, 22, 23, 24)])
def test_losses_in_the_middle_cost_round_trips_but_no_timeout(lost: tuple[int, ...]) -> None:
    with warm() as pair:
        pair.network.filters.append(nth_data(*lost)[1])  # type: ignore[arg-type]
        seconds = transfer(pair)
        assert pair.a.association.stats.t3_timeouts == 0
        assert pair.a.association.stats.fast_retransmits == len(lost)
        assert pair.a.association.stats.chunks_retransmitted == len(lost)
        assert seconds < lossless() + (2 + len(lost)) * RTT


def test_the_loss_of_the_last_packet_costs_a_timeout_by_rfc_9260_alone() -> None:
    with warm(config=AssociationConfig(loss_recovery="rfc9260")) as pair:
        pair.a.send(b"only one")
        pair.network.drop(is_data)
        begin = pair.network.elapsed
        pair.run(lambda: pair.b.received)
        assert pair.network.elapsed - begin == pytest.approx(1 + RTT / 2, abs=0.01)
        assert pair.a.association.stats.t3_timeouts == 1


def test_the_loss_of_a_retransmission_is_seen_by_what_was_sent_after_it() -> None:
    with warm() as pair:
        lost = [0]

        def drop_twice(packet: Packet) -> bool:
            if is_data(packet) and packet.source_text == "10.0.1.1":
                if not lost:
                    return True
                tsn = packet.data[16:20]
                if lost == [0]:
                    lost[:] = [int.from_bytes(tsn, "big"), 2]
                if int.from_bytes(tsn, "big") == lost[0] and lost[1]:
                    lost[1] -= 1
                    return False
            return True

        pair.network.filters.append(drop_twice)
        seconds = transfer(pair)
        assert lost[1] == 0
        assert pair.a.association.stats.t3_timeouts == 0
        assert pair.a.association.stats.chunks_retransmitted == 2
        assert seconds < lossless() + 5 * RTT


def test_the_loss_of_a_whole_window_costs_one_timeout_and_a_slow_start() -> None:
    with warm() as pair:
        line = pair.network.link("10.0.1.1", "10.0.1.2")
        pair.network.at(2.5 * RTT, line.cut)
        pair.network.at(3.5 * RTT, line.heal)
        seconds = transfer(pair)
        assert pair.a.association.stats.chunks_retransmitted > 10
        assert pair.a.association.stats.t3_timeouts <= 2
        assert seconds < lossless() + 1 + 8 * RTT


@pytest.mark.parametrize("share", [2, 3])
def test_lost_sacks_cost_nothing_much(share: int) -> None:
    """A SACK says all that those before it said."""
    with warm() as pair:
        thin_sacks(pair, share)
        seconds = transfer(pair)
        assert pair.a.association.stats.chunks_retransmitted == 0
        assert seconds < 2.5 * lossless() + 0.25


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("loss", "seconds"), [(0.01, 6), (0.03, 20), (0.1, 90)])
def test_a_megabyte_through_a_bad_link_takes_no_longer_than_this(seed: int, loss: float, seconds: float) -> None:
    config = AssociationConfig(association_max_retrans=100)
    with Pair(seed, link=LinkSettings(delay=0.02, loss=loss), config=config).connect() as pair:
        for _ in range(100):
            pair.a.send(bytes(10_000))
        begin = pair.network.elapsed
        pair.drain()
        assert pair.network.elapsed - begin < seconds


@pytest.mark.parametrize("size", [10, 300, 1000, 1400])
def test_after_a_timeout_small_messages_recover_as_fast_as_large_ones(size: int) -> None:
    """One packet in flight after a timeout, and the window grows from there whatever the size of the packets."""
    with Pair(1, link=LINK).connect() as pair:
        pair.network.filters.append(nth_data(*range(1, 5))[1])  # type: ignore[arg-type]
        begin = pair.network.elapsed
        for _ in range(200):
            pair.a.send(bytes(size))
        pair.drain()
        assert pair.network.elapsed - begin < 1.3 + 20 * RTT
