"""connectx gives up at the caller's timeout, whatever it is doing (CX9)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import COOKIE_ECHOED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp
from sctpx.testing import Pair
from tests.sim.connectx import attempt, failure, inits


@pytest.mark.parametrize("timeout", [0.05, 0.5, 10.0])
@pytest.mark.parametrize("delay", [0.1, None])
def test_while_it_waits_for_an_init_ack(timeout: float, delay: float | None) -> None:
    with Pair(1, paths=3, config=AssociationConfig(connect_timeout=timeout, attempt_delay=delay)) as pair:
        for path in (1, 2, 3):
            pair.cut(path)
        assert attempt(pair) == pytest.approx(timeout)
        assert failure(pair) == errno.ETIMEDOUT
        pair.network.run_for(100)
        assert max(init.time for init in inits(pair.network)) < timeout


def test_while_it_waits_for_the_cookie_ack_and_the_peer_is_told() -> None:
    """RFC 9260 9.1: "When an endpoint decides to abort an existing association, it MUST send an ABORT chunk"."""
    with Pair(1, config=AssociationConfig(connect_timeout=2.5)) as pair:
        pair.network.drop("COOKIE ACK", times=None)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(1)
        assert pair.a.association.state == COOKIE_ECHOED
        pair.network.run_for(1.6)
        assert failure(pair) == errno.ETIMEDOUT
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> COOKIE ACK -> lost
            ...
            2.50 A -> ABORT -> B
            """
        )
        assert pair.b.failure == "B: CommunicationLost ECONNRESET []"


def test_not_once_it_is_up() -> None:
    with Pair(1, config=AssociationConfig(connect_timeout=0.5)) as pair:
        attempt(pair)
        pair.network.run_for(10)
        assert not pair.a.association.ended


def test_every_address_got_an_init_before_an_attempt_fails_without_a_timeout() -> None:
    """CX2. One INIT each, to 20 addresses: the first ones have run out when the last one is asked."""
    config = AssociationConfig(max_init_retransmits=0, rto_initial=0.2, rto_min=0.2)
    with Pair(1, paths=20, config=config) as pair:
        for path in range(1, 21):
            pair.cut(path)
        took = attempt(pair)
        assert [init.to for init in inits(pair.network)] == list(pair.b.host.addresses)
        assert took == pytest.approx(1.9 + 0.2)
        assert pair.a.events_of(CommunicationUp) == []


@pytest.mark.parametrize(
    ("longest", "times"),
    [(None, [0, 1, 3, 7, 15]), (4.0, [0, 1, 3, 7, 11]), (1.5, [0, 1, 2.5, 4, 5.5]), (0.2, [0, 0.2, 0.4, 0.6, 0.8])],
)
def test_the_longest_t1_init_bounds_the_doubling_and_the_first_one(longest: float | None, times: list[float]) -> None:
    """RFC 6458 5.3.1: it "may override RTO.Max" and "must not influence RTO.Max during data transmission"."""
    config = AssociationConfig(max_init_timeout=longest, max_init_retransmits=4)
    with Pair(1, config=config) as pair:
        pair.cut(1)
        took = attempt(pair)
        assert [init.time for init in inits(pair.network)] == pytest.approx(times)
        assert took == pytest.approx(2 * times[-1] - times[-2] if longest else 31)


def test_the_longest_t1_init_can_be_longer_than_rto_max() -> None:
    with Pair(1, config=AssociationConfig(rto_max=1, max_init_timeout=4, max_init_retransmits=4)) as pair:
        pair.cut(1)
        attempt(pair)
        assert [init.time for init in inits(pair.network)] == pytest.approx([0, 1, 3, 7, 11])
