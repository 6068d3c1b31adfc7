"""Bringing an association of the real stack to each state, with a peer that is played by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sctpx.core.association.association import Association
from sctpx.core.association.state import (
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
)
from sctpx.wire import control
from tests.sim.scripted import Scripted


def cookie_wait(lab: Scripted) -> Association:
    return lab.connect()


def cookie_echoed(lab: Scripted) -> Association:
    association = lab.connect()
    lab.ask(lab.init_ack())
    return association


def established(lab: Scripted) -> Association:
    return lab.up_outgoing()


def shutdown_pending(lab: Scripted) -> Association:
    association = lab.up_outgoing()
    association.send(lab.a.now, b"not acknowledged")
    association.shutdown(lab.a.now)
    lab.network.run_for(0.015)
    return association


def shutdown_sent(lab: Scripted) -> Association:
    association = lab.up_outgoing()
    association.shutdown(lab.a.now)
    lab.network.run_for(0.015)
    return association


def shutdown_received(lab: Scripted) -> Association:
    association = lab.up_outgoing()
    association.send(lab.a.now, b"not acknowledged")
    lab.network.run_for(0.015)
    lab.ask(control.shutdown(lab.a_tsn - 1))
    return association


def shutdown_ack_sent(lab: Scripted) -> Association:
    association = lab.up_outgoing()
    lab.ask(control.shutdown(lab.a_tsn - 1))
    return association


STATES: Final[dict[int, Callable[[Scripted], Association]]] = {
    COOKIE_WAIT: cookie_wait,
    COOKIE_ECHOED: cookie_echoed,
    ESTABLISHED: established,
    SHUTDOWN_PENDING: shutdown_pending,
    SHUTDOWN_SENT: shutdown_sent,
    SHUTDOWN_RECEIVED: shutdown_received,
    SHUTDOWN_ACK_SENT: shutdown_ack_sent,
}


def bring_to(lab: Scripted, state: int) -> Association:
    association = STATES[state](lab)
    assert association.state == state
    return association
