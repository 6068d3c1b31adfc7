"""A bulk transfer loses its primary path: one gap, of one RTO (RFC 9260 section 6.3.3, RFC 7829 section 3.2).

With RACK it is shorter: ``test_rack_failover``.

The SACKs that come over the second path acknowledge data that the first one had still carried. They make it
active again, by RFC 7829 section 3.2 (10); new data must not return to it on that evidence.
"""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.testing import LinkSettings, Pair
from tests.sweeps import seeds


@pytest.mark.parametrize("seed", seeds(3, 8))
def test_a_cut_primary_path_costs_one_rto(seed: int) -> None:
    config = AssociationConfig(loss_recovery="rfc9260")
    with Pair(seed, paths=2, link=LinkSettings(delay=0.01), config=config).connect() as pair:
        for _ in range(600):
            pair.a.send(bytes(65536))
        pair.run(lambda: len(pair.b.received) >= 100)
        pair.cut(1)
        gaps: list[float] = []
        while len(pair.b.received) < 600:
            before = len(pair.b.received)
            start = pair.network.elapsed
            pair.run(lambda before=before: len(pair.b.received) > before)  # type: ignore[misc]
            gaps.append(pair.network.elapsed - start)
        assert max(gaps) <= 1.1
        assert len([gap for gap in gaps if gap > 0.5]) == 1


def test_the_primary_path_carries_data_again_when_it_answers() -> None:
    with Pair(1, paths=2, link=LinkSettings(delay=0.01)).connect() as pair:
        for _ in range(300):
            pair.a.send(bytes(65536))
        pair.run(lambda: len(pair.b.received) >= 50)
        pair.cut(1)
        pair.network.run_for(2.5)
        pair.heal(1)
        pair.drain()
        primary = pair.a.association.primary
        assert primary is not None
        pair.network.run_for(40)
        sent = primary.bytes_sent
        pair.a.send(bytes(65536))
        pair.drain()
        assert primary.bytes_sent - sent >= 65536
