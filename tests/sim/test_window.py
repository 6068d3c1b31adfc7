"""Readers that are slow, stop, or have small buffers: the window closes, opens, and nothing is lost or stuck."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost
from sctpx.core.overhead import MESSAGE
from sctpx.testing import LinkSettings, Pair

PACKET = 1444


def texts(count: int, size: int) -> list[bytes]:
    return [number.to_bytes(4, "big") * (size // 4) for number in range(count)]


@pytest.mark.parametrize("size", [4, 1000, PACKET, 50_000])
def test_a_reader_that_stops_stops_the_sender_and_gets_everything_when_it_goes_on(size: int) -> None:
    with Pair(1, config=AssociationConfig(receive_buffer=100_000)).connect() as pair:
        pair.b.reading = False
        sent = texts(400_000 // size, size)
        for message in sent:
            pair.a.send(message)
        pair.network.run_for(30)
        window = pair.b.association.tcb.window
        most = min(100_000, 4 * 100_000 // (size + MESSAGE) * size)  # Small messages take more memory than data.
        assert most - 1500 <= window.held < most + PACKET  # One may come while the window is not quite closed.
        pair.b.reading = True
        pair.b.read()
        pair.drain()
        assert pair.b.messages() == sent


def test_a_reader_may_sleep_for_hours() -> None:
    """The association lives on its probes; no answer to them is an error (section 6.1 A)."""
    with Pair(1, config=AssociationConfig(receive_buffer=50_000)).connect() as pair:
        pair.b.reading = False
        sent = texts(100, 1000)
        for message in sent:
            pair.a.send(message)
        pair.network.run_for(6 * 3600)
        pair.b.reading = True
        pair.b.read()
        before = pair.network.elapsed
        pair.drain()
        assert pair.b.messages() == sent
        assert pair.network.elapsed - before < 2  # It does not wait for the next probe, a minute away.


def test_a_window_update_that_is_lost_is_made_up_for_by_a_probe() -> None:
    with Pair(1, config=AssociationConfig(receive_buffer=50_000)).connect() as pair:
        pair.b.reading = False
        sent = texts(100, 1000)
        for message in sent:
            pair.a.send(message)
        pair.network.run_for(0.5)
        lost = pair.network.drop("SACK", source="10.0.1.2")
        pair.b.reading = True
        pair.b.read()
        pair.drain(10)
        assert len(lost.packets) == 1
        assert pair.b.messages() == sent


def test_window_updates_are_few() -> None:
    """ "The receiver MUST avoid sending a large number of window updates" (section 6.2)."""
    with Pair(1, config=AssociationConfig(receive_buffer=100_000)).connect() as pair:
        pair.b.reading = False
        for message in texts(100, 1000):
            pair.a.send(message)
        pair.network.run_for(1)
        before = pair.b.association.stats.sacks_sent
        for _ in range(100):
            pair.b.association.read(1)
            pair.network.run_for(0.001)
        assert pair.b.association.stats.sacks_sent - before <= 5


@pytest.mark.parametrize("buffer", [4096, 5000, 20_000])
@pytest.mark.parametrize("size", [1, 1000, PACKET, 4000, 30_000])
def test_a_small_buffer_makes_it_slow_but_not_stuck(buffer: int, size: int) -> None:
    """Messages larger than the buffer come in parts."""
    config = AssociationConfig(receive_buffer=buffer)
    with Pair(1, config=config, link=LinkSettings(delay=0.001)).connect() as pair:
        sent = [bytes([number]) * size for number in range(20)]
        for message in sent:
            pair.a.send(message)
            pair.b.send(message)
        pair.drain(60)
        assert pair.b.messages() == sent
        assert pair.a.messages() == sent


@pytest.mark.parametrize("seed", range(5))
def test_a_message_larger_than_the_buffer_gets_through_loss_and_disorder(seed: int) -> None:
    link = LinkSettings(delay=0.005, loss=0.05, reorder=0.1, duplicate=0.02)
    with Pair(seed, config=AssociationConfig(receive_buffer=30_000), link=link).connect() as pair:
        sent = [bytes([number]) * 300_000 for number in range(3)]
        for number, message in enumerate(sent):
            pair.a.send(message, stream=number)
            pair.a.send(b"between", stream=number, unordered=True)
        pair.drain()
        for number, message in enumerate(sent):
            got = pair.b.messages(stream=number)
            assert sorted(map(len, got)) == [7, 300_000]
            assert message in got


def test_a_reader_that_takes_a_message_now_and_then_never_sees_a_silly_window() -> None:
    with Pair(1, config=AssociationConfig(receive_buffer=20_000)).connect() as pair:
        pair.b.reading = False
        for message in texts(300, 700):
            pair.a.send(message)
        got = 0
        for _ in range(4000):
            got += len(pair.b.association.read(1))
            pair.network.run_for(0.01)
            if got == 300:
                break
        assert got == 300
        sizes = [
            len(packet.data)
            for packet in pair.network.packets()
            if packet.source == pair.a.host.packed[0] and "DATA" in packet.chunks
        ]
        # Two messages fit into a packet; hardly any left alone.
        assert sum(size < 1400 for size in sizes) <= len(sizes) // 5


def test_a_flood_of_tiny_messages_that_nobody_reads_is_stopped_by_what_holding_them_costs() -> None:
    """They would fit into the buffer, but they take four times as much memory as that has."""
    most = (4 << 20) // (1 + MESSAGE)
    with Pair(1, config=AssociationConfig(receive_buffer=1 << 20)).connect() as pair:
        pair.b.reading = False
        for _ in range(3 * most):
            pair.a.send(b"x")
        pair.network.run_for(1)
        assert pair.b.association.stats.packets_discarded == 0  # The window closes in time.
        pair.network.run_for(120)
        assert most - 200 <= pair.b.association.readable <= most
        assert not pair.a.events_of(CommunicationLost)
        pair.b.reading = True
        pair.b.read()
        before = pair.network.elapsed
        pair.drain()
        assert len(pair.b.received) == 3 * most
        assert pair.network.elapsed - before < 2


def test_a_flood_of_tiny_messages_that_nobody_reads_stays_within_the_buffer() -> None:
    with Pair(1, config=AssociationConfig(receive_buffer=20_000)).connect() as pair:
        pair.b.reading = False
        for _ in range(50_000):
            pair.a.send(b"x")
        pair.network.run_for(60)
        assert pair.b.association.readable <= 20_000
        assert pair.b.association.tcb.window.held <= 20_000
        pair.b.reading = True
        pair.b.read()
        pair.drain()
        assert len(pair.b.received) == 50_000
