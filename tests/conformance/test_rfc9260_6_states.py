"""RFC 9260 section 6: in which states DATA and SACK count; in all others they are discarded."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import (
    ESTABLISHED,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from sctpx.wire import sack
from tests.sim.scripted import Scripted
from tests.sim.states import STATES, bring_to

DATA_COUNTS = {ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_SENT}
SACK_COUNTS = {ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED}


def name(state: int) -> str:
    return STATE_NAMES[state]


@pytest.mark.parametrize("state", list(STATES), ids=name)
def test_data_is_taken_in_three_states_and_else_discarded(state: int) -> None:
    """ "DATA chunks MUST only be received [...] in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-SENT states [...] A DATA
    chunk received in any other state SHOULD be discarded."
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        heard = lab.ask(lab.data(b"counts?"))
        assert [message[0] for message in association.read()] == ([b"counts?"] if state in DATA_COUNTS else [])
        assert (association.tcb.stats.messages_received == 1) is (state in DATA_COUNTS)
        assert any("SACK" in line or "SHUTDOWN cum" in line for line in heard) is (state in DATA_COUNTS)
        assert association.state == state


@pytest.mark.parametrize("state", list(STATES), ids=name)
def test_a_sack_is_processed_in_three_states_and_else_discarded(state: int) -> None:
    """ "A SACK chunk MUST be processed in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED states [...] A SACK
    chunk received in any other state SHOULD be discarded", also one that would abort the association (section 12.4).

    In COOKIE-ECHOED a SACK "MAY be processed": sctpx chooses to discard it there too.
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        before = association.tcb.peer_rwnd
        lab.ask(sack.encode(lab.a_tsn - 1, 0x4321, [], []))
        assert (association.tcb.stats.sacks_received == 1) is (state in SACK_COUNTS)
        assert (association.tcb.peer_rwnd == before) is (state not in SACK_COUNTS)
        lab.ask(sack.encode(lab.a_tsn + 1000, 0x4321, [], []))
        assert association.ended is (state in SACK_COUNTS)
        assert state in SACK_COUNTS or association.state == state
