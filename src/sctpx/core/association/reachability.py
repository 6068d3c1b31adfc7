"""Watching over the paths: heartbeats, timeouts, failures, recoveries.

RFC 9260 sections 5.4 and 8.1 to 8.3, RFC 7829. ``path.failover`` and ``path.heartbeat`` judge one path; here
their verdicts become events, HEARTBEATs and, at the worst, the end of the association.
"""

from __future__ import annotations

from typing import Final

from ...wire import control
from ...wire.tlv import ParseError
from ..events import CHANGE_CONFIRMED, PathChange
from ..ip import without_zone, zone_of
from ..path import failover, heartbeat, rto
from ..path.path import Path
from ..path.states import PATH_ACTIVE, PATH_INACTIVE
from ..timers import NEVER, SECOND
from . import shutdown, tail_probe
from .state import CLOSED, COOKIE_ECHOED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from .tcb import Tcb

# What is known of whether the peer lives.
ASKED: Final = 0
LIVES: Final = 1
SILENT: Final = 2
ANSWER_HOLDS: Final = 10 * SECOND


def start(tcb: Tcb, now: int) -> None:
    """The association is up: begin to watch the paths."""
    for path in tcb.paths:
        schedule(tcb, now, path)


def heartbeats_run(tcb: Tcb) -> bool:
    """True in the states in which HEARTBEATs are sent (section 8.3)."""
    return tcb.state in (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED)


def schedule(tcb: Tcb, now: int, path: Path) -> None:
    """Set when the next HEARTBEAT to ``path`` is due, if there are any in this state."""
    if heartbeats_run(tcb):
        heartbeat.schedule(path, now, tcb.random_bytes)


def handle_heartbeat_timers(tcb: Tcb, now: int) -> None:
    """Count lost HEARTBEATs, send those that are due."""
    for path in tcb.paths:
        if path.heartbeat_timeout <= now:
            _on_heartbeat_lost(tcb, now, path)
            if tcb.state == CLOSED:
                return
    if not heartbeats_run(tcb):
        return
    while True:
        path = _next_due(tcb.paths)
        if path.heartbeat_deadline > now or not _burst_allows(tcb, now):
            return
        if path.confirmed and path.state == PATH_ACTIVE and path.last_used > path.idle_since:
            # Not idle: it carried something in this period; ask again a period after that.
            schedule(tcb, path.last_used, path)
            if path.heartbeat_deadline > now:
                continue
        send_heartbeat(tcb, now, path)
        tcb.heartbeat_burst += 1


def _next_due(paths: list[Path]) -> Path:
    """The path to which a HEARTBEAT is due first."""
    first = paths[0]
    for path in paths:
        if path.heartbeat_deadline < first.heartbeat_deadline:
            first = path
    return first


def _burst_allows(tcb: Tcb, now: int) -> bool:
    """HB.Max.Burst: so many packets with a HEARTBEAT per RTO (section 5.4), the shortest there is."""
    if now >= tcb.heartbeat_window:
        tcb.heartbeat_window = now + min([path.rto for path in tcb.paths])
        tcb.heartbeat_burst = 0
    return tcb.heartbeat_burst < tcb.rules.heartbeat_max_burst


def send_heartbeat(tcb: Tcb, now: int, path: Path, local: bytes = b"") -> None:
    """Send a HEARTBEAT now; the one that is under way once more, or asking often would keep it from ever being lost."""
    under_way = path.heartbeat_timeout != NEVER
    info = heartbeat.repeat(path) if under_way else heartbeat.begin(path, now, tcb.random_bytes)
    tcb.send_control(path, control.heartbeat(info), local)


def other_that_works(tcb: Tcb, path: Path) -> Path | None:
    """Where data would go but to ``path``, if nothing speaks against that path."""
    other = tcb.data_destination(avoid=path)
    works = other is not path and other.state == PATH_ACTIVE and not other.doubtful and other.usable
    return other if works else None


def ask_others(tcb: Tcb, now: int, silent: Path, timed_out: bool = False) -> None:
    """Nothing is heard of ``silent``. If no other path works either, ask all of them whether they work again.

    The HEARTBEAT that is under way there may have left before the path healed, and the next may be due in half a
    minute. So each path gets one out of turn: HB.Max.Burst would hold most of them back. There are longer and longer
    pauses between those without an answer, since a tail loss probe may follow an ordinary loss; data that has
    ``timed_out`` does not wait for them.
    """
    if not heartbeats_run(tcb) or other_that_works(tcb, silent) is not None:
        return
    for path in tcb.paths:
        due = timed_out or now - path.questioned_at >= path.question_pause
        if due and path is not silent and path.usable and path.heartbeat_enabled:
            tcb.send_control(path, control.heartbeat(heartbeat.question(path, now, tcb.random_bytes)))


def ask(tcb: Tcb, now: int, path: Path) -> int:
    """Ask by a HEARTBEAT whether the peer lives at ``path``: what is known so far, ``ASKED``, ``LIVES`` or ``SILENT``.

    A lost packet is no proof that the peer is gone: the peer is asked twice, and whatever was lost before. An inactive
    path is not asked, nor one of which the network has just said that nobody is there. An answer is worth something for
    a while.
    """
    if path.state == PATH_INACTIVE or path.timeout_foreseen or not heartbeats_run(tcb):
        return SILENT
    if path.asked < 0 or now - path.asked_again > ANSWER_HOLDS:
        path.asked = path.asked_again = now
        send_heartbeat(tcb, now, path)
        return ASKED
    if path.last_acknowledged >= path.asked:
        return LIVES
    if now - path.asked_again < rto.measured(path, tcb.rules) // 2:
        return ASKED
    if path.asked_again > path.asked:
        return SILENT
    path.asked_again = now
    send_heartbeat(tcb, now, path)
    return ASKED


def bundled_heartbeat(tcb: Tcb, now: int, path: Path) -> bytes:
    """The HEARTBEAT beside a COOKIE ECHO or COOKIE ACK to an unconfirmed address (section 5.4), b"" to others.

    One that is under way is repeated, or duplicates of a COOKIE ECHO could keep its answer from ever counting.
    """
    if path.confirmed:
        return b""
    if path.heartbeat_timeout != NEVER:
        return control.heartbeat(heartbeat.repeat(path))
    return control.heartbeat(heartbeat.begin(path, now, tcb.random_bytes))


def _on_heartbeat_lost(tcb: Tcb, now: int, path: Path) -> None:
    """A HEARTBEAT was not acknowledged within an RTO (sections 5.4, 8.1 and 8.3)."""
    path.heartbeat_timeout = NEVER
    # "Unacknowledged HEARTBEAT chunks observed on paths different from the path currently used for data
    # transfer SHOULD NOT increment the association error counter"; nor do probes of unconfirmed addresses, but where no
    # address is confirmed (RFC 5061): nothing else would tell that the peer is gone.
    # While data is outstanding there, T3-rtx counts (RFC 7829 section 3.2 (6)).
    if path.flight_size == 0:
        on_timeout(tcb, path, path is tcb.data_destination())
        if tcb.state == CLOSED:
            return
        rto.back_off(path, tcb.rules)
    schedule(tcb, path.heartbeat_sent, path)
    if path.heartbeat_deadline == NEVER and not tcb.data_destination().confirmed and heartbeats_run(tcb):
        heartbeat.ask(path, now)  # Without HEARTBEATs to inactive addresses, none would ever be confirmed.


def on_timeout(tcb: Tcb, path: Path, counts: bool) -> None:
    """Something sent on ``path`` was not answered in time; ``counts``: also against the association."""
    if not failover.was_foreseen(path):
        _on_loss(tcb, path, counts)


def _on_loss(tcb: Tcb, path: Path, counts: bool, error: int = 0) -> None:
    """Something sent on ``path`` is lost; ``error`` is an errno if the network said so."""
    if counts:
        tcb.error_count += 1
        if tcb.error_count > tcb.rules.association_max_retrans:
            shutdown.give_up(tcb)
            return
    tcb.count_error(path, error)


def on_error(tcb: Tcb, now: int, path: Path, error: int) -> None:
    """The network said that ``path`` is unreachable (section 10, ICMP9): one more error.

    The network says so of each packet, and a burst has many: one in an RTO counts, as with a timeout. The error stands
    for the timeout of the HEARTBEAT or the data that is under way there. If nothing is under way, a HEARTBEAT asks at
    once, and the error stands for the timeout of that HEARTBEAT. If both counted, the path would turn inactive after
    half as many packets. An inactive path is asked less often, and the association would end later than it does when
    the network is silent.

    Where no timeout can follow, the error counts against the path only: ICMP alone ends no association. Shortly after a
    HEARTBEAT out of turn the error may be about that HEARTBEAT, whose loss counts for nothing.
    """
    if now < path.errors_pause or path.timeout_foreseen:
        return
    if path.flight_size == 0 and now - path.questioned_at < rto.without_backoff(path, tcb.rules):
        return
    path.errors_pause = now + path.rto
    under_way = path.flight_size > 0 or path.heartbeat_timeout != NEVER
    asks = not under_way and heartbeats_run(tcb) and path.heartbeat_enabled and path.state != PATH_INACTIVE
    carries_data = path.flight_size > 0 or (path.confirmed and path is tcb.data_destination())
    _on_loss(tcb, path, carries_data and (under_way or asks), error)
    if tcb.state == CLOSED:
        return
    if asks:
        heartbeat.ask(path, now)
    if asks or under_way:
        failover.foresee_timeout(path)


def refuse(tcb: Tcb, now: int, path: Path, error: int) -> None:
    """A late answer to an INIT said that nobody is there: the path turns inactive."""
    path.error_count = path.max_retrans + 1
    if path.state != PATH_INACTIVE:
        path.state = PATH_INACTIVE
        tcb.tell_state(path, error)
    tcb.leave_failed_primary()
    path.heartbeat_timeout = NEVER
    schedule(tcb, now, path)


def find_on_link(tcb: Tcb, now: int, remote: bytes, local: bytes, port: int) -> Path | None:
    """The path to ``remote``, if that is a link-local address that the peer was known to have on another link.

    The link of a listed address is a guess (``core.ip.place``), and a host may have one address on several links. What
    came from ``remote`` to our address ``local`` with our tag shows that the peer is there. A path that is not
    confirmed was guessed wrong and moves; a confirmed one stays, and the address is one more.
    """
    if not zone_of(remote):
        return None
    alike = [path for path in tcb.paths if without_zone(path.remote) == without_zone(remote)]
    if not alike:
        return None
    for path in alike:
        if not path.confirmed:
            path.remote = remote
            path.local = local
            path.heartbeat_timeout = NEVER
            path.error_count = 0
            if path.state != PATH_ACTIVE:
                path.state = PATH_ACTIVE
                tcb.tell_state(path)
            tcb.moved = True
            break
    else:
        if len(tcb.paths) >= tcb.endpoint.limits.peer_addresses:
            tcb.stats.addresses_passed_over += 1
            return None
        path = tcb.add_path(remote, local, port)
    schedule(tcb, now, path)
    return path


def on_reached(tcb: Tcb, now: int, path: Path, fresh: bool = True) -> None:
    """The peer answered on ``path``: acknowledged data that went only there, or a HEARTBEAT ACK.

    ``fresh``: what it answered was sent after the last timeout.
    """
    if failover.on_reached(path, now, fresh):
        tcb.tell_state(path)
        schedule(tcb, now, path)
        tcb.leave_failed_primary()
    if path is tcb.preferred_primary:
        # The caller's first address answers after all (CX10).
        tcb.set_primary(path)


def handle_heartbeat_ack(tcb: Tcb, now: int, value: bytes) -> None:
    """HEARTBEAT ACK: the nonce tells whether it answers what was sent there (sections 5.4 and 8.3)."""
    try:
        info = control.parse_heartbeat_info(value)
    except ParseError:
        tcb.stats.packets_discarded += 1
        return
    path = heartbeat.find(tcb.paths, info)
    if path is None:
        tcb.stats.packets_discarded += 1
        return
    heartbeat.settle(path, info)
    if not path.heartbeat_repeated:
        rto.measure(path, now - path.heartbeat_sent, tcb.rules)
    if not path.confirmed:
        path.confirmed = True
        tcb.moved = True  # It is an address of the peer only now.
        tcb.leave_failed_primary()
        if tcb.state != COOKIE_ECHOED:  # Before it is up, there is nobody to tell.
            tcb.events.append(PathChange(tcb.association, path.remote, CHANGE_CONFIRMED, PATH_ACTIVE))
    failed = path.error_count > 0
    doubtful = path.doubtful
    on_answer(tcb, now, path)
    if failed:
        _repeat_lost(tcb, now, path)
    if failed or doubtful:
        _probe_silent(tcb, now, path)
    schedule(tcb, now, path)


def on_answer(tcb: Tcb, now: int, path: Path) -> None:
    """A HEARTBEAT to ``path`` was answered, or a probe of its path MTU."""
    if tcb.outstanding.empty:
        # It "MAY choose not to clear the counter if there is outstanding data" (section 8.1): where HEARTBEATs pass and
        # DATA does not, the association would never end.
        tcb.error_count = 0
    on_reached(tcb, now, path)


def _repeat_lost(tcb: Tcb, now: int, path: Path) -> None:
    """``path`` works again: data that its failure left waiting for T3-rtx goes again at once, as far as cwnd allows.

    That is data sent to ``path`` before the HEARTBEAT that is answered now. It is also data on another path that has
    failed, if it was sent there before that HEARTBEAT, or with it after a timeout, or one RTO ago without what timeouts
    added to that: it would wait for a T3-rtx of up to RTO.Max. T3-rtx starts anew with the RTO that was measured by the
    HEARTBEAT (section 6.3.3). No timeout and no error is counted.
    """
    sent = path.heartbeat_sent
    for other in tcb.paths:
        if other.flight_size == 0:
            continue
        if other is path:
            lost = path.last_data_sent <= sent
        else:
            limit = max(sent + tail_probe.LEAST, now - rto.without_backoff(other, tcb.rules))
            lost = other.error_count > 0 and other.last_data_sent <= limit
        if lost:
            repeat_flight(tcb, other)


def _probe_silent(tcb: Tcb, now: int, path: Path) -> None:
    """``path`` works again: one that is silent, and could only be probed on itself, can be probed over ``path`` now."""
    if tcb.outstanding.by_time:
        for other in tcb.paths:
            if other is not path and other.flight_size:
                other.loss_deadline = now


def repeat_flight(tcb: Tcb, path: Path) -> None:
    """What is in flight to ``path`` is lost, and nothing but the path is to blame: it goes again, within cwnd."""
    path.t3_deadline = path.loss_deadline = NEVER
    path.rtt_tsn = -1
    # Rule C of section 6.2.1: what is marked counts back into rwnd.
    before = tcb.outstanding.flight_payload
    tcb.outstanding.mark_path(path)
    tcb.peer_rwnd += before - tcb.outstanding.flight_payload
