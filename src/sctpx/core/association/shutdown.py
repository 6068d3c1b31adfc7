"""The end of an association: SHUTDOWN, ABORT, T2-shutdown and T5-shutdown-guard (RFC 9260 section 9).

Invariant: in SHUTDOWN-SENT and SHUTDOWN-ACK-SENT everything of ours is acknowledged and T2 runs.

No state of the end lasts as long as the peer likes. T5 bounds SHUTDOWN-SENT, whatever the peer says meanwhile and
however often the peer restarts. In SHUTDOWN-PENDING and SHUTDOWN-RECEIVED the rest of our data leaves, which may take
long and be right, for the peer's application may read slowly. There the *drain guard* bounds the time without progress:
without any new TSN acknowledged in sequence. The drain guard is for a peer that answers, for example with a window that
stays closed; a peer that does not answer is for Association.Max.Retrans (section 8.1).
"""

from __future__ import annotations

from errno import ECONNABORTED, ECONNREFUSED, ECONNRESET, ETIMEDOUT

from ...wire import control
from ...wire.causes import Cause
from ..events import CannotStart, CommunicationLost, Event, ShutdownComplete
from ..path import rto
from ..path.path import Path
from ..timers import NEVER
from . import reader
from .closing import Closing
from .state import (
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
)
from .tcb import Tcb


def end(tcb: Tcb, event: Event, last_words: bytes = b"", paths: list[Path] | None = None) -> None:
    """The association is over; ``last_words`` are the one chunk that still goes out, alone in its packet.

    It goes to each of ``paths`` that may be sent to (section 5.4), or to where data goes.
    """
    tcb.transition(CLOSED)
    tcb.opening = tcb.closing = tcb.probe = None
    tcb.control.clear()
    tcb.sack_chunks.clear()
    if last_words and tcb.peer_tag:
        for path in [tcb.data_destination()] if paths is None else paths:
            tcb.send_control(path, last_words)
    reader.break_off(tcb)
    event.readable = tcb.association.readable  # What has waited for the end of a message comes before it.
    tcb.events.append(event)


def abort(tcb: Tcb, causes: list[Cause]) -> None:
    """End at once and tell the peer (section 9.1)."""
    event: Event
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        event = CannotStart(tcb.association, ECONNABORTED, causes)
    else:
        event = CommunicationLost(tcb.association, ECONNABORTED, False, causes)
    end(tcb, event, control.abort(causes))


def handle_abort(tcb: Tcb, causes: list[Cause], reflected: bool = False) -> None:
    """The peer aborted; its tag has been checked (section 8.5.1 B). ``reflected``: it was our own, T bit set."""
    if reflected and tcb.state == SHUTDOWN_ACK_SENT:
        # The peer knows the association no more: it has had our SHUTDOWN ACK, its SHUTDOWN COMPLETE was lost,
        # and a packet that was still under way drew the ABORT (section 8.4, rule 8). Nothing is undelivered.
        end(tcb, ShutdownComplete(tcb.association))
    elif tcb.state == COOKIE_ECHOED:
        end(tcb, CannotStart(tcb.association, ECONNREFUSED, causes))
    else:
        end(tcb, CommunicationLost(tcb.association, ECONNRESET, True, causes))


def give_up(tcb: Tcb) -> None:
    """The peer does not answer: Association.Max.Retrans (sections 8.1 and 9.2) or a limit on time was exceeded.

    The peer is told all the same, at every address that may be told (section 5.4). The RFC demands an ABORT where
    T5-shutdown-guard expires (section 9.2), and leaves it open elsewhere. Perhaps only the way back is broken: then the
    peer would believe in the association until it gives up by itself, which takes as long again.
    """
    event: Event
    if tcb.state == COOKIE_ECHOED:
        event = CannotStart(tcb.association, ETIMEDOUT, [])
    else:
        event = CommunicationLost(tcb.association, ETIMEDOUT, False, [])
    end(tcb, event, control.abort([]), tcb.paths)


def shutdown(tcb: Tcb, now: int) -> None:
    """The user asks for a graceful end (section 9.2); one that is only being set up has it as soon as it is up."""
    tcb.shutdown_requested = True
    if tcb.state == ESTABLISHED:
        tcb.transition(SHUTDOWN_PENDING)
        progress(tcb, now)
    # "Once an endpoint has reached the SHUTDOWN-RECEIVED state, it MUST ignore ULP shutdown requests"


def progress(tcb: Tcb, now: int) -> None:
    """If everything of ours is acknowledged, take the next step of the shutdown; if nothing more is, see how long."""
    closing = _closing(tcb)
    # In SHUTDOWN-SENT the response to an SSN/TSN reset would not be processed. The peer, which may have performed the
    # reset, sends with its new TSNs (RFC 6525 section 5.2.7 H5): here they would be taken for violations.
    waits = tcb.state == SHUTDOWN_PENDING and any(extension.delays_shutdown for extension in tcb.extensions)
    if len(tcb.send_queue) or not tcb.outstanding.empty or waits:
        if tcb.outstanding.cumulative_tsn_ack_point > closing.drained_to:
            _start_drain_guard(tcb, now)
        elif closing.drain_overdue:
            give_up(tcb)
        return
    closing.stop_drain_guard()
    if tcb.state == SHUTDOWN_PENDING:
        tcb.transition(SHUTDOWN_SENT)
        closing.t5_started = now
        closing.schedule_guards(tcb.config)
        _end_heartbeats(tcb)
        _send(tcb, now, tcb.data_destination())
    elif tcb.state == SHUTDOWN_RECEIVED:
        # By a SHUTDOWN, or by the last acknowledgement that was missing: it goes back to where that came from.
        tcb.transition(SHUTDOWN_ACK_SENT)
        _end_heartbeats(tcb)
        _start_t2(tcb, now, tcb.respond(control.shutdown_ack()))


def _closing(tcb: Tcb) -> Closing:
    """What is known of the end, which begins now if it has not begun."""
    if tcb.closing is None:
        tcb.closing = Closing()
    return tcb.closing


def _start_drain_guard(tcb: Tcb, now: int) -> None:
    """The peer has taken all up to here, or our data begins to run out."""
    closing = _closing(tcb)
    closing.drained_to = tcb.outstanding.cumulative_tsn_ack_point
    closing.drain_overdue = False
    closing.drain_started = now
    closing.schedule_guards(tcb.config)


def handle_timeout(tcb: Tcb, now: int) -> None:
    """The deadline of one of these timers has come."""
    closing = _closing(tcb)
    if closing.t5_deadline <= now:
        give_up(tcb)  # "the sender SHOULD abort the association by sending an ABORT chunk" (section 9.2)
        return
    if closing.drain_deadline <= now:
        _handle_drain_guard(tcb, closing)
    if tcb.state != CLOSED and closing.t2_deadline <= now:
        _handle_t2(tcb, now, closing)


def _handle_drain_guard(tcb: Tcb, closing: Closing) -> None:
    """The peer has taken nothing more for the time of the drain guard."""
    closing.stop_drain_guard()
    if tcb.error_count:
        closing.drain_overdue = True  # The peer is silent just now. What it says next brings progress, or the end.
    else:
        give_up(tcb)


def _end_heartbeats(tcb: Tcb) -> None:
    """ "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk" (section 8.3)."""
    for path in tcb.paths:
        path.heartbeat_deadline = NEVER
        path.heartbeat_timeout = NEVER


def _chunk(tcb: Tcb) -> bytes:
    """The SHUTDOWN or SHUTDOWN ACK of this state."""
    if tcb.state == SHUTDOWN_SENT:
        return control.shutdown(tcb.tsn_map.cumulative_tsn)
    return control.shutdown_ack()


def _send(tcb: Tcb, now: int, path: Path) -> None:
    """Send the chunk of this state, unasked."""
    tcb.send_control(path, _chunk(tcb))
    _start_t2(tcb, now, path)


def _start_t2(tcb: Tcb, now: int, path: Path) -> None:
    """Start T2-shutdown: the chunk of this state went to ``path``."""
    closing = _closing(tcb)
    closing.t2_path = path
    closing.t2_deadline = now + path.rto


def _handle_t2(tcb: Tcb, now: int, closing: Closing) -> None:
    """T2-shutdown expired: once more, on another path if there is one."""
    path = closing.t2_path
    assert path is not None
    tcb.error_count += 1
    tcb.count_error(path)
    rto.back_off(path, tcb.rules)
    if tcb.error_count > tcb.rules.association_max_retrans:
        give_up(tcb)
        return
    _send(tcb, now, tcb.data_destination(avoid=path))


def on_packet(tcb: Tcb) -> None:
    """Any packet came from the peer in SHUTDOWN-SENT."""
    # "The reception of any packet from its peer [...] SHOULD clear the endpoint's retransmission count and
    # restart the T2-shutdown timer" (section 9.2). T2 is restarted by DATA, which draws a SHUTDOWN. The HEARTBEATs
    # of a peer that never got the SHUTDOWN could put its retransmission off for ever.
    tcb.error_count = 0


def resend_shutdown(tcb: Tcb, now: int) -> None:
    """A packet with DATA came in SHUTDOWN-SENT: answer with a SHUTDOWN at once."""
    _start_t2(tcb, now, tcb.respond(_chunk(tcb)))


def answer_shutdown(tcb: Tcb, now: int) -> None:
    """SHUTDOWN from the peer in SHUTDOWN-SENT or SHUTDOWN-ACK-SENT."""
    if tcb.state == SHUTDOWN_SENT:
        # "SHOULD respond immediately [...] restarting its T2-shutdown timer" (section 9.2)
        tcb.transition(SHUTDOWN_ACK_SENT)
        _start_t2(tcb, now, tcb.respond(_chunk(tcb)))
    else:
        resend_shutdown_ack(tcb)


def resend_shutdown_ack(tcb: Tcb) -> None:
    """The peer has not got our SHUTDOWN ACK, or not we its SHUTDOWN COMPLETE (section 9.2).

    T2 goes on as it was: an INIT draws this, which anybody can forge, and must not put T2's limit off. One that
    waits to be sent is enough.
    """
    chunk = control.shutdown_ack()
    if not tcb.control or tcb.control[-1][1] != chunk:
        tcb.respond(chunk)


def handle_shutdown_ack(tcb: Tcb, path: Path) -> None:
    """SHUTDOWN ACK in SHUTDOWN-SENT or SHUTDOWN-ACK-SENT: the association is over on both sides."""
    where = [path] if path.confirmed else None
    end(tcb, ShutdownComplete(tcb.association), control.shutdown_complete(), where)


def handle_shutdown_complete(tcb: Tcb) -> None:
    """SHUTDOWN COMPLETE in SHUTDOWN-ACK-SENT; its tag has been checked (section 8.5.1 C)."""
    end(tcb, ShutdownComplete(tcb.association))
