"""The table of states against the drawing of RFC 9260 section 4."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import (
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
    TRANSITIONS,
    is_legal,
)

STATES = range(len(STATE_NAMES))
# Figure 3: by ASSOCIATE, INIT ACK, COOKIE ACK and COOKIE ECHO, then by SHUTDOWN and what follows it.
DRAWN = {
    (CLOSED, COOKIE_WAIT),
    (CLOSED, ESTABLISHED),
    (COOKIE_WAIT, COOKIE_ECHOED),
    (COOKIE_ECHOED, ESTABLISHED),
    (ESTABLISHED, SHUTDOWN_PENDING),
    (ESTABLISHED, SHUTDOWN_RECEIVED),
    (SHUTDOWN_PENDING, SHUTDOWN_SENT),
    (SHUTDOWN_PENDING, SHUTDOWN_RECEIVED),
    (SHUTDOWN_RECEIVED, SHUTDOWN_ACK_SENT),
    (SHUTDOWN_SENT, SHUTDOWN_ACK_SENT),
    (SHUTDOWN_SENT, CLOSED),
    (SHUTDOWN_ACK_SENT, CLOSED),
}


@pytest.mark.parametrize(("old", "new"), sorted(DRAWN))
def test_every_arrow_of_the_drawing_is_in_the_table(old: int, new: int) -> None:
    assert is_legal(old, new)


def test_what_the_table_has_besides_is_an_end_a_collision_or_a_stale_cookie() -> None:
    others = {(old, new) for old in STATES for new in TRANSITIONS[old]} - DRAWN
    ends = {(old, new) for old, new in others if new == CLOSED}
    assert others - ends == {(COOKIE_WAIT, ESTABLISHED), (COOKIE_ECHOED, COOKIE_WAIT)}


def test_an_association_can_end_in_every_state() -> None:
    assert all(is_legal(state, CLOSED) for state in STATES if state != CLOSED)
