"""What is lost goes again: fast retransmit (RFC 9260 section 7.2.4), T3-rtx (section 6.3), RACK with tail loss probes
(RFC 8985).

``tx.loss`` or ``tx.rack`` judges what is lost; here it is marked to be sent again, and the congestion window answers.

With RACK, each path that has data in flight has one more deadline, ``Path.loss_deadline``. It is set when data leaves,
if it is not set already, and left alone while the data is acknowledged: when it has come, what has happened since
decides whether something is lost, a probe is due, or the deadline was early and moves.

A probe is new data if there is some, or what was sent last once more. Where there is another path that is as good, it
goes there, and is the lowest TSN in flight: what it asks is whether the path or only a packet is lost, and if the path
is, that TSN is what the peer waits for. A HEARTBEAT asks on the path itself. If the probe is acknowledged before the
HEARTBEAT is, the path is doubtful (``path.failover``), but no error is counted: errors are for timeouts (RFC 7829).

Where no other path is known to work, the probe can only go to the path itself. HEARTBEATs ask all other paths then
(``reachability.ask_others``); when one of them is answered, a probe over that path takes the place of the first.
"""

from __future__ import annotations

from ...wire.ranges import end_of
from ..ext import path_mtu
from ..path import rto
from ..path.path import Path
from ..timers import NEVER
from ..tx.reliability import RETRANSMISSIONS
from ..tx.sack_result import SackResult
from . import probe, reachability, tail_probe
from .state import CLOSED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from .tail_probe import TailProbe
from .tcb import Tcb


def fast_retransmit(tcb: Tcb, now: int, result: SackResult) -> None:
    """TSNs have their third miss indication (section 7.2.4), or are overdue (RFC 8985)."""
    outstanding = tcb.outstanding
    # The loss of a retransmission is another loss than the one that Fast Recovery answers.
    anew = not outstanding.in_fast_recovery or result.lost_again
    for path in result.newly_marked:
        path.earliest_tsn = outstanding.find_earliest(path)
        if anew:
            path.controller.on_loss()
            path.congestion_answered = outstanding.next_tsn - 1
    tcb.stats.fast_retransmits += result.marked
    if anew:
        outstanding.enter_fast_recovery(now)
        tcb.fast_retransmit_now = True
        tcb.tail_probe = None  # RFC 8985 section 7.1.


def start_t3(path: Path, now: int) -> None:
    """Start T3-rtx if it does not run (section 6.3.2 R1)."""
    if path.t3_deadline == NEVER:
        path.t3_deadline = now + path.rto


def on_sent(tcb: Tcb, path: Path, now: int, first_tsn: int = -1) -> None:
    """Data leaves to ``path``: its timers run. ``first_tsn`` is the lowest of it if it is new data."""
    if path.t3_deadline == NEVER:
        path.t3_deadline = now + path.rto
        path.moved_on_at = now
    if not tcb.outstanding.by_time:
        return
    was_alone = path.earliest_tsn >= path.last_batch_tsn
    if first_tsn >= 0:
        path.last_batch_tsn = first_tsn
    if path.loss_deadline == NEVER:
        path.loss_deadline = max(tail_probe.due(path), now + tail_probe.LEAST)
    elif was_alone and first_tsn > path.earliest_tsn:
        # What may have been one packet, whose SACK the peer delays, is not alone any more.
        path.moved_on_at = now
        path.loss_deadline = min(path.loss_deadline, tail_probe.due(path))


def handle_t3(tcb: Tcb, now: int, path: Path) -> None:
    """T3-rtx expired (section 6.3.3)."""
    path.t3_deadline = path.loss_deadline = NEVER
    if path.flight_size == 0 and not tcb.outstanding.forwards:
        return
    tcb.stats.t3_timeouts += 1
    tcb.tail_probe = None
    # While the peer answers zero window probes with a closed window, that is no error, and "zero window probing
    # does not affect the calculation of cwnd" (section 6.1 A).
    if tcb.probe is not None and tcb.probe.state == probe.ANSWERED:
        tcb.probe.state = probe.SENT
        # A cut looks the same at first: with another path, new data waits there for what the HEARTBEAT says.
        path.doubtful = path.heartbeat_enabled and len(tcb.paths) > 1
    else:
        reachability.on_timeout(tcb, path, True)
        if tcb.state == CLOSED:
            return
        if path.discovers:
            path_mtu.on_t3(tcb, now, path)
        path.controller.on_timeout()
        path.congestion_answered = tcb.outstanding.next_tsn - 1
        reachability.ask_others(tcb, now, path, True)
    rto.back_off(path, tcb.rules)
    # Rule C of section 6.2.1: what is marked counts back into rwnd.
    before = tcb.outstanding.flight_payload
    tcb.outstanding.mark_path(path)
    tcb.peer_rwnd += before - tcb.outstanding.flight_payload
    tcb.repeat_room = -1  # From here on cwnd is as small.
    path.rtt_tsn = -1
    tcb.fast_retransmit_now = True
    # On the only path the retransmission itself tells as much (RFC 7829 section 3.2 (6)).
    if len(tcb.paths) > 1:
        reachability.schedule(tcb, now, path)


# --- by time (RFC 8985) ---


def use(tcb: Tcb, by_time: bool) -> None:
    """Losses are judged by time from now on, or by miss indications."""
    tcb.outstanding.by_time = by_time
    if not by_time:
        tcb.outstanding.rack = None
        tcb.tail_probe = None
        for path in tcb.paths:
            path.loss_deadline = NEVER


def await_overdue(tcb: Tcb) -> None:
    """Some of what was overtaken may be lost later: look then."""
    rack = tcb.outstanding.rack
    if rack is not None:
        for path in tcb.paths:
            overdue = rack.overdue_at(path)
            if overdue < path.loss_deadline:
                path.loss_deadline = overdue


def on_duplicates(tcb: Tcb, duplicates: list[int]) -> None:
    """The peer reports TSNs that came twice (RFC 8985 sections 6.2, step 4, and 7.4.2)."""
    outstanding = tcb.outstanding
    sent = tcb.tail_probe
    others = len(duplicates)
    if sent is not None and sent.repairs and sent.tsn in duplicates:
        sent.repairs = False  # Both the data and the probe have arrived: nothing was lost, nor out of order.
        others -= 1
    if others and outstanding.rack is not None:
        outstanding.rack.on_duplicates(outstanding.cumulative_tsn_ack_point, outstanding.next_tsn)


def on_acknowledged(tcb: Tcb, now: int, sent: TailProbe) -> None:
    """A SACK was applied while there is a tail loss probe."""
    outstanding = tcb.outstanding
    cumulative = outstanding.cumulative_tsn_ack_point
    path = sent.path
    if sent.is_owed:
        if path.flight_size == 0:
            tcb.tail_probe = None
        return
    if sent.answered == NEVER:
        if sent.tsn > cumulative and not end_of(outstanding.gaps, sent.tsn):
            return
        sent.answered = now
        if sent.to is not path:
            if sent.repairs and path.discovers:
                path_mtu.on_lost(tcb, now, path, sent.size, sent.tsn)  # HEARTBEATs may pass where data does not.
            if path.heartbeat_timeout != NEVER:
                # The HEARTBEAT that left with it has no answer yet. The SACK may acknowledge data of before as well.
                path.doubtful = True
            if path.flight_size:
                path.loss_deadline = min(path.loss_deadline, now + tail_probe.LEAST)
    if cumulative >= sent.end or (sent.to is path and not sent.repairs):
        _conclude(tcb, sent)


def _conclude(tcb: Tcb, sent: TailProbe) -> None:
    """A probe was acknowledged. If it was no new data, and came once only, it has repaired a loss (section 7.4.2)."""
    tcb.tail_probe = None
    path = sent.path
    if sent.repairs and sent.tsn > path.congestion_answered:
        path.controller.on_loss()
        path.congestion_answered = tcb.outstanding.next_tsn - 1


def handle_loss_deadline(tcb: Tcb, now: int, path: Path) -> None:
    """``Path.loss_deadline`` has come: something is lost, a probe is due, or neither yet."""
    path.loss_deadline = NEVER
    outstanding = tcb.outstanding
    if path.flight_size == 0 or not outstanding.by_time:
        return
    next_look = NEVER
    sent = tcb.tail_probe
    if sent is not None and sent.path is path and sent.to is not path and sent.answered != NEVER:
        # What is in flight here was sent two round trips before the probe, or more, and the probe has arrived.
        next_look = sent.answered + tail_probe.LEAST
        if next_look <= now:
            outstanding.ensure_rack().overtake(path, sent.sent_at, outstanding.next_tsn)
            next_look = NEVER
    before = outstanding.flight_payload
    result = outstanding.judge(now)
    if result.newly_marked:
        tcb.peer_rwnd += before - outstanding.flight_payload  # Rule C of section 6.2.1.
        fast_retransmit(tcb, now, result)
    if path.flight_size == 0:
        return
    if result.newly_marked:
        next_look = now + tail_probe.patience(path)  # What goes again now asks as well as a probe does.
    elif next_look == NEVER:
        next_look = tail_probe.due(path)
        if next_look <= now:
            _probe(tcb, now, path)
            next_look = NEVER
    path.loss_deadline = next_look
    await_overdue(tcb)


def _probe(tcb: Tcb, now: int, path: Path) -> None:
    """Nothing was heard of ``path`` for two round trips: ask for a SACK by a tail loss probe (section 7.3)."""
    if tcb.state not in (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED):
        return
    window_probe = probe.IDLE if tcb.probe is None else tcb.probe.state
    if window_probe == probe.ANSWERED:
        return  # The peer has no room, and is asked by zero window probes.
    other = reachability.other_that_works(tcb, path)
    asks = path.heartbeat_enabled and reachability.heartbeats_run(tcb)
    sent = tcb.tail_probe
    if sent is not None and sent.answered == NEVER:
        # On a silent path itself a probe may stay unanswered for ever: one over a path that works takes its place.
        if other is None or not asks or sent.path is not path or sent.to is not path:
            return  # "there is no other previous loss probe still in flight"
        tcb.tail_probe = None
    elif sent is not None:
        _conclude(tcb, sent)
    if asks and other is not None:
        if may_repeat(tcb, now, path.earliest_tsn):
            tcb.tail_probe = TailProbe(path, other, path.earliest_tsn)
            reachability.send_heartbeat(tcb, now, path)  # It measures the path as well.
        return
    if window_probe or path.probed_at == path.measurements:
        return  # "the sender has obtained an RTT measurement since the last loss probe"
    path.probed_at = path.measurements
    reachability.ask_others(tcb, now, path)
    if tcb.outstanding.marked_chunks:
        tcb.fast_retransmit_now = True  # Something waits for room in the window: it is the best probe.
    else:
        tcb.tail_probe = TailProbe(path, path, -1)
    path.t3_deadline = now + path.rto  # "MUST re-arm the RTO timer"


def may_repeat(tcb: Tcb, now: int, tsn: int) -> bool:
    """Whether a TSN in flight may be sent again, as far as the message that it belongs to is concerned (RFC 7496)."""
    spans = tcb.send_queue.spans
    message = None if spans is None else spans.find(tsn)
    if message is None or message.reliability is None:
        return True
    reliability = message.reliability
    if reliability.over or reliability.deadline < now:
        return False
    entry = tcb.outstanding.special.get(tsn)
    times = 0 if entry is None else entry.retransmissions
    return reliability.policy != RETRANSMISSIONS or times < reliability.value


def on_probed(tcb: Tcb, now: int, tsn: int) -> None:
    """The tail loss probe that was owed has left: new data, or what has been in flight before."""
    sent = tcb.tail_probe
    assert sent is not None  # It was owed.
    sent.repairs = sent.tsn >= 0
    sent.tsn = tsn
    sent.end = tcb.outstanding.next_tsn
    sent.sent_at = now
    tcb.stats.tail_probes_sent += 1
    if sent.path.flight_size == 0:
        sent.path.t3_deadline = sent.path.loss_deadline = NEVER  # It has all moved to the other path.
    elif sent.to is sent.path:
        sent.path.loss_deadline = NEVER  # T3-rtx is the last resort.
        await_overdue(tcb)
