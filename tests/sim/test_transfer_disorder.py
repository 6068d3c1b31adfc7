"""Packets that overtake each other, come twice or late: nothing is lost, nothing comes twice, little is sent twice."""

from __future__ import annotations

import pytest

from sctpx.testing import LinkSettings, Packet, Pair

MESSAGES = [number.to_bytes(4, "big") * 300 for number in range(300)]


def send_all(pair: Pair) -> None:
    for message in MESSAGES:
        pair.a.send(message)
    pair.drain()
    assert pair.b.messages() == MESSAGES


@pytest.mark.parametrize("places", [1, 2])
def test_packets_that_are_overtaken_by_one_or_two_are_not_sent_again(places: int) -> None:
    with Pair(1, link=LinkSettings(delay=0.02)).connect() as pair:
        held: list[Packet] = []
        passed = [0]

        def let_go() -> None:
            while held:
                held.pop().release()

        def hold_back(packet: Packet) -> bool:
            if "DATA" not in packet.chunks:
                return True
            passed[0] += 1
            if passed[0] % 10 == 0:
                held.append(packet)
                pair.network.at(0.005, let_go)  # At the end of a window there is nobody to overtake it.
                return False
            if passed[0] % 10 == places:
                let_go()
            return True

        pair.network.filters.append(hold_back)
        send_all(pair)
        assert passed[0] >= 300
        assert pair.a.association.stats.gap_sacks_received > 20  # It was seen.
        assert pair.a.association.stats.chunks_retransmitted == 0


@pytest.mark.parametrize("seed", range(5))
def test_packets_that_are_overtaken_by_many_are_sent_again_once_and_arrive_once(seed: int) -> None:
    link = LinkSettings(delay=0.02, rate=10e6, reorder=0.05, reorder_delay=0.02)
    with Pair(seed, link=link).connect() as pair:
        send_all(pair)
        stats = pair.a.association.stats
        assert stats.t3_timeouts == 0
        assert 0 < stats.chunks_retransmitted <= 40
        assert pair.b.association.stats.duplicate_tsns == stats.chunks_retransmitted


@pytest.mark.parametrize("batches", [True, False])
def test_duplicates_are_reported_and_dropped(batches: bool) -> None:
    with Pair(1, link=LinkSettings(delay=0.02, duplicate=1.0, batches=batches)).connect() as pair:
        send_all(pair)
        assert pair.a.association.stats.chunks_retransmitted == 0
        assert pair.b.association.stats.duplicate_tsns >= 300


@pytest.mark.parametrize("seed", range(5))
def test_jitter_larger_than_the_round_trip_is_no_loss(seed: int) -> None:
    with Pair(seed, link=LinkSettings(delay=0.01, jitter=0.3)).connect() as pair:
        send_all(pair)
        assert pair.a.association.stats.chunks_retransmitted == 0


def test_a_packet_from_the_distant_past_changes_nothing() -> None:
    with Pair(1).connect() as pair:
        old = pair.network.hold(lambda packet: "DATA" in packet.chunks or "SACK" in packet.chunks, times=6)
        send_all(pair)
        pair.network.run_for(100)
        old.release()
        pair.network.run_for(1)
        assert pair.b.messages() == MESSAGES
        pair.a.send(b"and on it goes")
        pair.drain()
        assert pair.b.messages()[-1] == b"and on it goes"
