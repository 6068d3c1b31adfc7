"""connectx with attempt_delay=None: one address at a time, in rotation, as RFC 9260 section 5.1 has it."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.testing import Pair
from tests.sim.connectx import REFUSALS, RTT, attempt, failure, inits, reports

ROTATE = AssociationConfig(attempt_delay=None)


def test_the_next_address_is_asked_when_t1_init_expired() -> None:
    """RFC 9260 5.1: "Retransmissions of INIT chunks [...] SHOULD use all addresses of the peer"."""
    with Pair(1, paths=3, config=ROTATE) as pair:
        pair.cut(1)
        pair.cut(2)
        attempt(pair)
        pair.network.assert_ladder(
            """
            0.00 A -> INIT -> lost 10.0.1.2
            1.00 A -> INIT -> lost 10.0.2.2
            2.00 A -> INIT -> B 10.0.3.2
            2.01 B -> INIT ACK -> A
            2.02 A -> COOKIE ECHO -> B
            2.03 B -> COOKIE ACK -> A
            """,
            ignore=["HEARTBEAT"],
        )


def test_each_round_waits_twice_as_long() -> None:
    with Pair(1, paths=2, config=AssociationConfig(attempt_delay=None, max_init_retransmits=2)) as pair:
        pair.cut(1)
        pair.cut(2)
        took = attempt(pair)
        first, second = pair.b.host.addresses
        assert inits(pair.network) == [
            (0.0, first),
            (1.0, second),
            (2.0, first),
            (4.0, second),
            (6.0, first),
            (10.0, second),
        ]
        assert took == 14.0
        assert failure(pair) == errno.ETIMEDOUT
        assert [report.inits for report in reports(pair).values()] == [3, 3]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_moves_on_at_once_and_the_address_is_not_asked_again(refusal: str) -> None:
    """CX8 holds here, too."""
    with Pair(1, paths=3, config=AssociationConfig(attempt_delay=None, max_init_retransmits=1)) as pair:
        REFUSALS[refusal].arrange(pair, "10.0.1.2")
        pair.cut(2)
        pair.cut(3)
        attempt(pair)
        moved_on = 0.0 if refusal == "local send error" else RTT
        asked = [(init.time, init.to) for init in inits(pair.network) if init.to != "10.0.1.2"]
        assert asked == [
            (moved_on, "10.0.2.2"),
            (moved_on + 1, "10.0.3.2"),
            (moved_on + 2, "10.0.2.2"),
            (moved_on + 4, "10.0.3.2"),
        ]
        assert reports(pair)["10.0.1.2"].inits == 1
        assert failure(pair) == errno.ETIMEDOUT


def test_an_answer_to_an_earlier_init_wins_as_well() -> None:
    with Pair(1, paths=2, config=ROTATE) as pair:
        pair.set_path(1, delay=0.6)
        pair.cut(2)
        assert attempt(pair) == pytest.approx(2 * 1.2)


def test_a_late_refusal_of_an_address_does_not_disturb_the_one_that_is_being_asked() -> None:
    with Pair(1, paths=3, config=ROTATE) as pair:
        pair.set_path(1, delay=0.75)
        pair.network.refuse("10.0.1.2")
        pair.cut(2)
        attempt(pair)
        assert inits(pair.network) == [(0.0, "10.0.1.2"), (1.0, "10.0.2.2"), (2.0, "10.0.3.2")]


def test_with_one_address_it_is_connect() -> None:
    with Pair(1, config=ROTATE) as pair:
        pair.cut(1)
        attempt(pair)
        assert [init.time for init in inits(pair.network)] == [0, 1, 3, 7, 15, 31, 63, 123, 183]
        assert failure(pair) == errno.ETIMEDOUT
