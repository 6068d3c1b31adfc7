"""When an association has to be looked at: the earliest deadline of all that wait for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sctpx.core.association.closing import Closing
from sctpx.core.association.probe import Probe
from sctpx.core.association.state import CLOSED
from sctpx.core.association.tcb import Tcb
from sctpx.core.association.timing import handle_timeout, next_deadline
from sctpx.core.events import Abandoned
from sctpx.core.extension import Extension
from sctpx.core.timers import MILLISECOND, NEVER
from sctpx.core.tx.reliability import RETRANSMISSIONS, TIMED
from tests.conformance.asconf import change, changing, ours
from tests.conformance.peer import Peer


def end(tcb: Tcb, when: int) -> None:
    tcb.closing = Closing()
    tcb.closing.t2_deadline = when


def probe(tcb: Tcb, when: int) -> None:
    tcb.probe = Probe()
    tcb.probe.deadline = when


def delay_sack(tcb: Tcb, when: int) -> None:
    tcb.sack_policy.deadline = when


def t3(tcb: Tcb, when: int) -> None:
    tcb.paths[1].t3_deadline = when


def loss(tcb: Tcb, when: int) -> None:
    tcb.paths[1].loss_deadline = when


def heartbeat(tcb: Tcb, when: int) -> None:
    tcb.paths[1].heartbeat_deadline = when


def heartbeat_timeout(tcb: Tcb, when: int) -> None:
    tcb.paths[1].heartbeat_timeout = when


def extension(tcb: Tcb, when: int) -> None:
    tcb.extensions[0].deadline = when


EVERY = (end, probe, delay_sack, t3, loss, heartbeat, heartbeat_timeout, extension)


def quiet_peer() -> Peer:
    """Nothing is waited for; there is an extension."""
    peer = Peer(paths=2, forwards=True)
    peer.send(10, policy=RETRANSMISSIONS, value=1)
    peer.sack(1)
    tcb = peer.association.tcb
    assert len(tcb.extensions) == 1
    assert next_deadline(tcb) == NEVER
    return peer


@pytest.mark.parametrize("wait", EVERY)
def test_whatever_waits_is_looked_at_in_time_and_not_before(wait: Callable[[Tcb, int], None]) -> None:
    peer = quiet_peer()
    tcb = peer.association.tcb
    when = peer.now + 1000
    wait(tcb, when)
    assert next_deadline(tcb) == when
    for other in EVERY:
        if other is not wait:
            other(tcb, when + 1)
    assert next_deadline(tcb) == when
    for other in EVERY:
        if other is not wait:
            other(tcb, when - 1)
            assert next_deadline(tcb) == when - 1
            break


@pytest.mark.parametrize(("used_up", "expected"), [(False, 500), (True, 800)])
def test_heartbeats_that_are_too_many_wait_for_the_next_window(used_up: bool, expected: int) -> None:
    """RFC 9260 section 16: HB.Max.Burst."""
    peer = quiet_peer()
    tcb = peer.association.tcb
    tcb.paths[0].heartbeat_deadline = peer.now + 500
    tcb.heartbeat_window = peer.now + 800
    tcb.heartbeat_burst = tcb.rules.heartbeat_max_burst if used_up else tcb.rules.heartbeat_max_burst - 1
    assert next_deadline(tcb) == peer.now + expected
    tcb.heartbeat_window = peer.now + 400
    assert next_deadline(tcb) == peer.now + 500


def test_an_association_that_is_over_waits_for_nothing_and_does_nothing() -> None:
    peer = quiet_peer()
    peer.association.abort(peer.now)
    peer.settle()
    tcb = peer.association.tcb
    assert tcb.state == CLOSED
    for wait in (delay_sack, t3, heartbeat, extension):
        wait(tcb, peer.now)
    before = (tcb.stats.sacks_sent, tcb.stats.t3_timeouts, len(peer.events))
    assert next_deadline(tcb) == NEVER
    handle_timeout(tcb, peer.now)
    assert (tcb.stats.sacks_sent, tcb.stats.t3_timeouts, len(peer.events)) == before
    assert tcb.sack_chunks == []


def test_an_extension_acts_when_its_time_has_come() -> None:
    peer = Peer(forwards=True, a_rwnd=1500)
    peer.send(1400)
    peer.send(1200, policy=TIMED, value=100 * MILLISECOND)
    [used] = peer.association.tcb.extensions
    when = used.deadline
    assert peer.now < when < NEVER
    handle_timeout(peer.association.tcb, when - 1)
    assert peer.events_of(Abandoned) == []
    peer.advance_to(when)
    assert len(peer.events_of(Abandoned)) == 1


def test_only_those_extensions_act_whose_time_has_come() -> None:
    peer = quiet_peer()
    tcb = peer.association.tcb
    due, later = Extension(), Extension()
    tcb.extensions = [later, due]
    later.deadline, due.deadline = peer.now + 1, peer.now
    handle_timeout(tcb, peer.now)
    assert (later.deadline, due.deadline) == (peer.now + 1, NEVER)


def test_when_an_extension_has_ended_the_association_no_other_one_acts() -> None:
    """RFC 5061 section 5.1, B5: an ASCONF that is not answered counts against the association."""
    peer = changing(association_max_retrans=1)
    change(peer, ours(2))
    tcb = peer.association.tcb
    other = Extension()
    tcb.extensions.append(other)
    while tcb.state != CLOSED:
        other.deadline = tcb.extensions[0].deadline
        peer.advance_to(other.deadline)
    assert other.deadline <= peer.now


def test_when_the_timeout_of_one_path_has_ended_the_association_none_of_another_counts() -> None:
    """RFC 9260 section 8.1."""
    peer = Peer(paths=2, association_max_retrans=1)
    for path in peer.association.paths:
        peer.send(1000, remote=path.remote)
    stats = peer.association.stats
    peer.association.tcb.error_count = 1
    peer.advance(1)
    assert (peer.association.ended, stats.t3_timeouts) == (True, 1)
