"""A peer that shuts down while there is still much to send to it: it gets all of it, and no slower than before."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import ShutdownComplete
from sctpx.testing import LinkSettings, Pair

CONFIG = AssociationConfig(send_buffer=1 << 30, association_max_retrans=100)
MESSAGES = [number.to_bytes(4, "big") * 2500 for number in range(600)]
"""Six times as much as the window takes."""


def transfer(seed: int, link: LinkSettings, shut_down: bool) -> float:
    """Seconds until B has everything."""
    with Pair(seed, link=link, config=CONFIG).connect() as pair:
        for message in MESSAGES:
            pair.a.send(message)
        begin = pair.network.elapsed
        pair.network.run_for(0.05)
        if shut_down:
            pair.b.association.shutdown(pair.network.clock.now)
            pair.run(lambda: pair.a.events_of(ShutdownComplete) and pair.b.events_of(ShutdownComplete))
        else:
            pair.run(lambda: len(pair.b.received) == len(MESSAGES))
        assert pair.b.messages() == MESSAGES
        return pair.network.elapsed - begin


@pytest.mark.parametrize("loss", [0.0, 0.005])
def test_a_shutdown_does_not_slow_down_what_is_still_to_come(loss: float) -> None:
    link = LinkSettings(delay=0.01, loss=loss, rate=50e6, queue=100_000)
    assert transfer(1, link, True) < transfer(1, link, False) * 1.5 + 1.5


def test_a_reader_that_is_slow_while_it_shuts_down_gets_everything() -> None:
    config = AssociationConfig(send_buffer=1 << 30, receive_buffer=50_000)
    with Pair(1, link=LinkSettings(delay=0.01), config=config).connect() as pair:
        for message in MESSAGES[:60]:
            pair.a.send(message)
        pair.network.run_for(0.05)
        pair.b.association.shutdown(pair.network.clock.now)
        pair.b.reading = False
        for _ in range(200):
            pair.network.run_for(0.1)
            pair.b.received += [type(pair.b.received[0])(*one) for one in pair.b.association.read(1)]
        pair.run(lambda: pair.a.events_of(ShutdownComplete))
        assert pair.b.messages() == MESSAGES[:60]
