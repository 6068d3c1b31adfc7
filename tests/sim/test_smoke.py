"""Two hosts and two paths: an association from its beginning to its end, with the primary path lost in between."""

from __future__ import annotations

import pytest

from sctpx.core.events import CommunicationUp, PathChange, ShutdownComplete
from sctpx.testing import LinkSettings, Pair

MEGABYTE = [bytes([number]) * 16384 for number in range(64)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", [0.0, 0.01])
def test_a_megabyte_each_way_survives_the_loss_of_the_primary_path(seed: int, loss: float) -> None:
    with Pair(seed, paths=2, link=LinkSettings(delay=0.01, loss=loss)).connect() as pair:
        for message in MEGABYTE:
            pair.a.send(message, stream=1)
            pair.b.send(message, stream=2)
        pair.network.run(lambda: len(pair.b.received) >= 10 and len(pair.a.received) >= 10)
        pair.cut(1)
        pair.drain()
        pair.network.run_for(1.5)  # The path that was cut has failed when its HEARTBEAT is not answered for an RTO.
        assert pair.b.messages(stream=1) == MEGABYTE
        assert pair.a.messages(stream=2) == MEGABYTE
        assert pair.a.events_of(PathChange)
        pair.shutdown()
        assert len(pair.a.events_of(CommunicationUp)) == len(pair.b.events_of(CommunicationUp)) == 1
        assert len(pair.a.events_of(ShutdownComplete)) == len(pair.b.events_of(ShutdownComplete)) == 1


def test_an_association_is_set_up_and_ended_in_the_packets_the_standard_shows() -> None:
    with Pair(seed=1).connect() as pair:
        pair.a.send(b"hello")
        pair.drain()
        pair.shutdown()
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> COOKIE ACK -> A
            A -> DATA -> B
            B -> SACK -> A
            A -> SHUTDOWN -> B
            B -> SHUTDOWN ACK -> A
            A -> SHUTDOWN COMPLETE -> B
            """
        )


def test_the_same_seed_gives_the_same_packets() -> None:
    def run(seed: int) -> list[tuple[int, bytes, str]]:
        with Pair(seed, paths=2, link=LinkSettings(loss=0.05, jitter=0.01)).connect() as pair:
            for message in MEGABYTE[:10]:
                pair.a.send(message)
            pair.drain()
            start = pair.network.clock.start
            return [(packet.sent - start, packet.data, packet.fate) for packet in pair.network.packets()]

    assert run(1) == run(1)
    assert run(1) != run(2)
