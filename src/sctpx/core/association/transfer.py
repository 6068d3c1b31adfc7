"""User data both ways: DATA and SACK, the windows (RFC 9260 sections 6 and 8.1).

The queues compute (``tx.outstanding``, ``rx``); here their results are applied to windows, timers, counters
and paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...wire import causes, control, runs
from ...wire import sack as wire_sack
from ...wire.codes import COMMON_HEADER, DATA_IMMEDIATE, SACK_HEADER
from ...wire.ranges import Ranges
from ...wire.serial import TSN_MASK, extend_tsn
from ..events import SenderDry, Writable
from ..path import rto
from ..path.path import Path
from ..path.states import PATH_ACTIVE
from ..timers import NEVER
from ..tx.sack_result import SackResult
from . import probe, reachability, reader, recovery, shutdown, tail_probe
from .state import CLOSED, COOKIE_ECHOED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_SENT
from .tcb import Tcb

# Beyond the window, a hole may still be filled; but not without end (section 6.2).
OVERFILL: Final = 2
# Gap Ack Blocks of one SACK that count, the lowest ones: some times as many as an honest peer's packet holds.
MAX_BLOCKS: Final = 2048
# SACKs that may wait to be sent while the link takes nothing: the last one says it all.
MAX_SACKS: Final = 1024
# With Gap Ack Blocks, each may fill a packet.
MAX_LONG_SACKS: Final = 128
# So far behind the last TSN before a reset may be what comes late.
LATE: Final = 1 << 30


# --- receiving ---------------------------------------------------------------------------------------------


def handle_data(tcb: Tcb, flags: int, tsn: int, stream: int, ssn: int, ppid: int, data: bytes) -> int:
    """One DATA chunk in a state that takes data. Returns what the packet's SACK must know of it.

    0 new, in order; 1 acknowledge at once; 2 duplicate; -1 the association was aborted.
    """
    tsn_map = tcb.tsn_map
    tsn = extend_tsn(tsn, tsn_map.cumulative_tsn)
    if not data:
        # Section 6.2: "it SHOULD send an ABORT chunk with a 'No User Data' error cause".
        shutdown.abort(tcb, [causes.no_user_data(tsn & TSN_MASK)])
        return -1
    if not tsn_map.is_new(tsn):
        tsn_map.note_duplicate(tsn)
        tcb.stats.duplicate_tsns += 1
        tcb.sack_policy.on_disturbance()
        return 2
    if not _has_room(tcb, tsn, len(data)):
        tcb.stats.packets_discarded += 1
        return 1
    disturbed = bool(tsn_map.ranges)
    cumulative = tsn_map.cumulative_tsn
    if tsn != cumulative + 1:
        tcb.stats.out_of_sequence_tsns += 1
    tsn_map.record(tsn)
    if tsn_map.ranges or disturbed:
        tcb.sack_policy.on_disturbance()
        disturbed = True
    ready = len(tcb.reassembly.ready)
    violation = ""
    if stream >= tcb.inbound_streams:
        # Section 6.5: acknowledge, report, discard.
        tcb.stats.invalid_streams += 1
        respond_error(tcb, [causes.invalid_stream(stream)])
        disturbed = True
    else:
        tcb.window.receive(len(data))
        tcb.stats.bytes_received += len(data)
        deferred = tcb.deferred
        if deferred is None:
            violation = tcb.reassembly.receive(tsn, flags, stream, ssn, ppid, data, tsn <= tsn_map.cumulative_tsn)
        elif deferred.holds(tsn, stream):
            deferred.chunks.append((tsn, flags, stream, ssn, ppid, data))
        else:
            violation = tcb.reassembly.receive(tsn, flags, stream, ssn, ppid, data, False)
    if not violation and tsn_map.cumulative_tsn > cumulative and tcb.deferred is None:
        violation = tcb.reassembly.advance(tsn_map.cumulative_tsn)
    path = tcb.answering.path
    if path is not tcb.sack_path and path is not None:
        on_source(tcb, path)
    tcb.stats.messages_received += len(tcb.reassembly.ready) - ready
    if violation:
        shutdown.abort(tcb, [causes.protocol_violation(violation)])
        return -1
    return 1 if disturbed or flags & DATA_IMMEDIATE else 0


def on_source(tcb: Tcb, path: Path) -> None:
    """DATA came from another address than before: the messages that it completes have another source."""
    sources = tcb.sources
    if not sources or sources[-1][1] != path.remote:
        source(tcb)
        position = tcb.stats.messages_received
        if sources and sources[-1][0] == position:
            sources.pop()  # No message was completed by what came from there.
        sources.append((position, path.remote))


def source(tcb: Tcb) -> bytes:
    """The address that the next message to be read came from; ``b""`` if nothing ever came."""
    sources = tcb.sources
    taken = tcb.stats.messages_received - len(tcb.reassembly.ready)
    past = _find_source(sources, 0, taken)
    if past:
        del sources[:past]
    return sources[0][1] if sources else b""


def all_sources(tcb: Tcb) -> list[bytes]:
    """The addresses that the messages which can be read came from, in order; ``b""`` as ``source`` has it."""
    sources = tcb.sources
    found: list[bytes] = []
    past = 0
    for position in range(tcb.stats.messages_received - len(tcb.reassembly.ready), tcb.stats.messages_received):
        past = _find_source(sources, past, position)
        found.append(sources[past][1] if sources else b"")
    return found


def _find_source(sources: list[tuple[int, bytes]], first: int, position: int) -> int:
    """The entry of ``Tcb.sources`` for the message at a position, from the entry ``first`` on."""
    while first + 1 < len(sources) and sources[first + 1][0] <= position:
        first += 1
    return first


def _has_room(tcb: Tcb, tsn: int, length: int) -> bool:
    """Whether a new TSN can be accepted (section 6.2).

    With the window closed, TSNs above the highest one are dropped, and those below are taken in place of
    what they precede: nothing that was acknowledged is ever dropped, but the buffer may be overfilled by as
    much again. The next TSN in sequence is always taken up to there, or nothing could move on: what fills the
    buffer may wait for it although there is no hole (whole messages behind one that is handed over in parts, on
    the same stream, if messages are interleaved).
    """
    tsn_map = tcb.tsn_map
    window = tcb.window
    reassembly = tcb.reassembly
    if not tsn_map.has_place(tsn):
        return False
    # What comes next in sequence may complete what waits for it, so it is taken as long as that is not absurd. And a
    # peer that was told of any room may send one chunk of any size (section 6.1 A): perhaps more than the whole buffer
    # takes, which the user can make smaller.
    is_next = tsn == tsn_map.cumulative_tsn + 1
    completes = is_next and reassembly.apart > 0
    if _held(tcb) >= window.places(0 if is_next and window.credit else length, OVERFILL if completes else 1):
        return False
    if tsn > tsn_map.highest_tsn and (window.credit > 0 or window.room >= length):
        return True
    if tsn > tsn_map.highest_tsn and not completes:
        return False
    return window.held + length <= OVERFILL * window.size


def _held(tcb: Tcb) -> int:
    """What is held of the peer's data, in messages that can be read: for what that costs beside the data."""
    held = tcb.reassembly.messages + (len(tcb.tsn_map.ranges) >> 1)
    return held if tcb.deferred is None else held + len(tcb.deferred.chunks) * 3 // 2


def on_data_packet(tcb: Tcb, now: int, path: Path, verdict: int) -> None:
    """A packet with DATA was processed: acknowledge it now or later (section 6.2)."""
    tcb.sack_path = path
    tcb.sack_local = tcb.answering.local
    policy = tcb.sack_policy
    if tcb.state == SHUTDOWN_SENT:
        shutdown.resend_shutdown(tcb, now)
        if verdict:
            make_sack(tcb)
        else:
            policy.on_sack()  # The SHUTDOWN acknowledges.
        return
    policy.packets += 1
    if verdict or policy.packets >= policy.every:
        make_sack(tcb)


def end_burst(tcb: Tcb, now: int, received: int) -> None:
    """All packets that arrived together were processed; they brought ``received`` bytes of user data."""
    if tcb.reassembly.dropped:
        tcb.window.release(tcb.reassembly.dropped)
        tcb.reassembly.dropped = 0
    if tcb.sack_policy.end_burst(now, received):
        make_sack(tcb)
    reader.wake(tcb)


def resize(tcb: Tcb) -> None:
    """The receive buffer is as large as the parameters say now (RFC 6458 section 8.1.6)."""
    if tcb.state == CLOSED:
        return
    tcb.window.resize(tcb.rules.receive_buffer, tcb.rules.usual_mtu)
    ready = len(tcb.reassembly.ready)
    tcb.reassembly.limit(tcb.rules.partial_limit, tcb.rules.hold_limit)
    reader.count(tcb, ready)
    reader.wake(tcb)
    on_read(tcb, 0)


def make_sack(tcb: Tcb) -> None:
    """A SACK of the present state is owed (section 3.3.4)."""
    tsn_map = tcb.tsn_map
    ranges = tsn_map.ranges
    duplicates = tsn_map.duplicates
    a_rwnd = tcb.window.advertise(_held(tcb))
    if ranges or duplicates:
        # "report the Gap Ack Blocks from the lowest to highest TSNs, within the size limit" (section 6.7).
        mtu = tcb.packet_limit if tcb.sack_path is None else tcb.sack_path.mtu
        words = (mtu - COMMON_HEADER - tcb.seal.ahead - SACK_HEADER) // 4
        ranges = ranges[:words]
        duplicates = duplicates[: words - len(ranges)]
        tsn_map.duplicates = []
    if len(tcb.sack_chunks) >= (MAX_LONG_SACKS if ranges else MAX_SACKS):
        tcb.sack_chunks.clear()
    tcb.sack_chunks.append(wire_sack.encode(tsn_map.cumulative_tsn, a_rwnd, ranges, duplicates))
    tcb.sack_policy.on_sack()
    tcb.stats.sacks_sent += 1


def on_run(tcb: Tcb, packets: int, length: int) -> None:
    """So many packets with ``length`` bytes of user data each were taken in sequence: the window, and the SACKs."""
    window = tcb.window
    policy = tcb.sack_policy
    before = tcb.tsn_map.cumulative_tsn
    step = policy.every
    first = policy.until_owed
    owed = policy.take(packets)
    tcb.tsn_map.advance(before + packets)
    if not owed:
        window.take(packets * length)
        return
    window.take(first * length)
    a_rwnd = window.advertise(_held(tcb))
    rest = (packets - first) * length
    if a_rwnd < rest:
        # There is less memory than room: of all SACKs the last one says how much is left.
        window.receive(rest)
        make_sack(tcb)
        return
    window.take(rest)
    if len(tcb.sack_chunks) + owed > MAX_SACKS:
        tcb.sack_chunks.clear()
    tcb.sack_chunks.extend(runs.encode_sacks(before + first, step, a_rwnd, step * length, owed))
    tcb.stats.sacks_sent += owed


def on_read(tcb: Tcb, length: int) -> None:
    """The user took ``length`` bytes: tell the peer if that opened the window (section 6.2)."""
    tcb.window.release(length)
    listens = tcb.state in (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_SENT)
    if listens and tcb.window.update_is_due(_held(tcb)):
        make_sack(tcb)


def respond_error(tcb: Tcb, error_causes: list[causes.Cause]) -> None:
    """Report an error in the packet being processed.

    Not before the COOKIE ACK: until then nothing but the COOKIE ECHO is sent (section 5.1 C).
    """
    if tcb.state != COOKIE_ECHOED:
        tcb.respond(control.error(error_causes))


# --- sending -----------------------------------------------------------------------------------------------


def handle_sack(tcb: Tcb, now: int, value: bytes) -> None:
    """SACK (section 6.2.1). ParseError leaves everything as it was."""
    reference = tcb.outstanding.cumulative_tsn_ack_point
    cumulative, a_rwnd, ranges, duplicates = wire_sack.parse(value, reference)
    tcb.stats.sacks_received += 1
    if duplicates:
        recovery.on_duplicates(tcb, duplicates)
    if ranges:
        tcb.stats.gap_sacks_received += 1
    elif tcb.state == ESTABLISHED and acknowledge_in_sequence(tcb, now, [cumulative]):
        # With DATA behind it, as in a dialogue: earns its keep in the ping-pong of ``make bench``.
        settle_in_sequence(tcb, now, a_rwnd)
        return
    acknowledge(tcb, now, cumulative, a_rwnd, ranges)


def acknowledge(tcb: Tcb, now: int, cumulative: int, a_rwnd: int, ranges: Ranges) -> None:
    """What a SACK says of the data in flight."""
    outstanding = tcb.outstanding
    if cumulative < outstanding.cumulative_tsn_ack_point:
        return  # Out of order (section 6.2.1 D i).
    if cumulative >= outstanding.next_tsn or (ranges and ranges[-1][1] > outstanding.next_tsn):
        former = tcb.former_tsn
        if former >= 0 and 0 <= former - extend_tsn(cumulative & TSN_MASK, former) <= LATE:
            tcb.stats.packets_discarded += 1  # From before our TSNs were reset.
        else:
            _abort_liar(tcb)
        return
    missing = cumulative + 1
    if ranges and ranges[0][0] <= missing:
        # It is missing whatever a block says, or it would be acknowledged cumulatively: something stays in flight.
        ranges = [(max(start, missing + 1), end) for start, end in ranges if end > missing + 1]
    if len(ranges) > MAX_BLOCKS:
        del ranges[MAX_BLOCKS:]
    in_recovery = outstanding.in_fast_recovery
    result = outstanding.acknowledge(cumulative, ranges, now)
    _apply(tcb, now, result, in_recovery, a_rwnd)
    _on_acknowledged(tcb, now, a_rwnd, result.freed)


def acknowledge_by_shutdown(tcb: Tcb, now: int, cumulative: int) -> None:
    """What a SHUTDOWN says of the data in flight: it only tells what was received in sequence (section 9.2).

    It has no Gap Ack Blocks, so it takes nothing back, and if the ack point stands still it says nothing at all. Of the
    window it does not speak either: what it acknowledges counts back into that.
    """
    outstanding = tcb.outstanding
    if cumulative <= outstanding.cumulative_tsn_ack_point:
        return
    if cumulative >= outstanding.next_tsn:
        _abort_liar(tcb)
        return
    in_recovery = outstanding.in_fast_recovery
    a_rwnd = tcb.peer_rwnd + outstanding.flight_payload
    result = outstanding.acknowledge_without_blocks(cumulative, now)
    _apply(tcb, now, result, in_recovery, -1)
    _on_acknowledged(tcb, now, a_rwnd, result.freed)


def _abort_liar(tcb: Tcb) -> None:
    """The peer acknowledges what it cannot have."""
    # Section 12.4: "MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been sent"
    shutdown.abort(tcb, [causes.protocol_violation("acknowledgement of a TSN never sent")])


def _apply(tcb: Tcb, now: int, result: SackResult, in_recovery: bool, a_rwnd: int) -> None:
    """What an acknowledgement did to TSNs: to paths and counters.

    ``in_recovery``: it came in Fast Recovery; ``a_rwnd`` is below 0 if it tells of no window.
    """
    for slot, path in enumerate(result.paths):
        _on_path_acknowledged(tcb, now, path, slot, result, in_recovery)
    for path in result.reneged:
        recovery.start_t3(path, now)  # Section 6.3.2 R4.
    tcb.stats.tsns_taken_back += result.taken_back
    if result.paths:
        _on_progress(tcb)
        if tcb.repeat_room >= 0:
            more = tcb.repeat_room + 2 * sum(result.acknowledged)
            tcb.repeat_room = more if tcb.outstanding.marked_chunks else -1
    elif a_rwnd >= 0 and tcb.outstanding.flight_size:
        _on_nothing_acknowledged(tcb, now, a_rwnd)
    if result.newly_marked:
        recovery.fast_retransmit(tcb, now, result)
    recovery.await_overdue(tcb)


def acknowledges_in_sequence(tcb: Tcb, cumulative: bytes) -> bool:
    """Whether a SACK with this Cumulative TSN Ack, as it is on the wire, may be for ``acknowledge_in_sequence``."""
    outstanding = tcb.outstanding
    ahead = (int.from_bytes(cumulative, "big") - outstanding.cumulative_tsn_ack_point) & TSN_MASK
    return 0 < ahead < outstanding.next_tsn - outstanding.cumulative_tsn_ack_point and not outstanding.gaps


def acknowledge_in_sequence(tcb: Tcb, now: int, cumulatives: Sequence[int]) -> int:
    """SACKs without blocks: take those that come while nothing is lost, and all is in flight on one path; how many.

    What is left needs ``acknowledge``; what was taken calls for ``settle_in_sequence``.
    """
    outstanding = tcb.outstanding
    path = outstanding.only_path()
    if path is None or path is not tcb.data_path or outstanding.in_fast_recovery:
        return 0
    acknowledged = outstanding.advance(cumulatives)
    pmdcs = path.pmdcs
    for size in acknowledged:
        tcb.burst += -(-size // pmdcs)
    path.controller.on_acknowledged(now, acknowledged)
    return len(acknowledged)


def settle_in_sequence(tcb: Tcb, now: int, a_rwnd: int) -> None:
    """SACKs were taken by ``acknowledge_in_sequence``, the last one with this ``a_rwnd``."""
    outstanding = tcb.outstanding
    path = tcb.data_path
    assert path is not None
    _settle(tcb, now, path, 0 <= path.rtt_tsn <= outstanding.cumulative_tsn_ack_point, True, True, True)
    _on_progress(tcb)
    _on_acknowledged(tcb, now, a_rwnd, outstanding.take_freed())


def _settle(tcb: Tcb, now: int, path: Path, measured: bool, clean: bool, fresh: bool, earliest: bool) -> None:
    """Data sent to ``path`` was acknowledged: RTO, reachability, T3-rtx.

    ``measured``: the TSN that is being timed was among it. ``clean``: some of it was sent to this address only, and
    ``fresh``: had not timed out before. ``earliest``: the lowest TSN in flight to ``path`` was among it.
    """
    if measured:
        rto.measure(path, now - path.rtt_sent, tcb.rules)
        path.rtt_tsn = -1
        if path.rtt_size > path.minimum:
            path.timed_out_tsn = -1  # Large packets pass.
    if clean:
        _on_clean(tcb, now, path, fresh)
    if path.flight_size == 0:
        path.t3_deadline = path.loss_deadline = NEVER  # Section 6.3.2 R2.
        path.earliest_tsn = -1
    elif earliest:
        path.t3_deadline = now + path.rto  # R3.
        path.moved_on_at = now
        path.earliest_tsn = tcb.outstanding.find_earliest(path)
        if path.loss_deadline == NEVER and tcb.outstanding.by_time:
            path.loss_deadline = tail_probe.due(path)


def _on_progress(tcb: Tcb) -> None:
    """The peer has acknowledged something: no error counts (section 8.1), and what is in flight now is no probe."""
    tcb.error_count = 0
    if tcb.probe is not None:
        tcb.probe.state = probe.IDLE


def _on_clean(tcb: Tcb, now: int, path: Path, fresh: bool) -> None:
    """Data that was sent to ``path`` only was acknowledged: the peer is reachable there, or was (``fresh``)."""
    special = path.doubtful or path.error_count or path.unanswered_inits or path is tcb.preferred_primary
    if special or path.state != PATH_ACTIVE:
        reachability.on_reached(tcb, now, path, fresh)
    else:
        path.last_acknowledged = now


def _on_acknowledged(tcb: Tcb, now: int, a_rwnd: int, freed: int) -> None:
    """What follows from an acknowledgement for the association as a whole."""
    outstanding = tcb.outstanding
    tcb.peer_rwnd = max(a_rwnd - outstanding.flight_payload, 0)  # Section 6.2.1 D ii.
    if tcb.probe is not None and tcb.peer_rwnd > 0 and outstanding.flight_size == 0:
        tcb.probe.rest()
        if tcb.probe.state == probe.IDLE:
            tcb.probe = None
    if tcb.tail_probe is not None:
        recovery.on_acknowledged(tcb, now, tcb.tail_probe)
    settle(tcb, now, freed)


def settle(tcb: Tcb, now: int, freed: int) -> None:
    """Chunks were acknowledged, or abandoned, and ``freed`` bytes of the send buffer: is there anything left to do?"""
    if freed:
        _release(tcb, freed)
    if tcb.outstanding.empty:
        _on_all_acknowledged(tcb)
    if tcb.state not in (ESTABLISHED, CLOSED):
        shutdown.progress(tcb, now)


def _on_path_acknowledged(tcb: Tcb, now: int, path: Path, slot: int, result: SackResult, in_recovery: bool) -> None:
    """Data sent to ``path`` was newly acknowledged."""
    acknowledged = result.acknowledged[slot]
    # A round releases what was acknowledged and Max.Burst (section 6.1 D).
    tcb.burst += -(-acknowledged // path.pmdcs)
    if acknowledged and not in_recovery:
        path.controller.on_acknowledged(now, [acknowledged])
    _settle(tcb, now, path, result.rtt[slot], result.clean[slot], result.fresh[slot], result.earliest[slot])


def _on_nothing_acknowledged(tcb: Tcb, now: int, a_rwnd: int) -> None:
    """A SACK acknowledges nothing of what is in flight: did its window have no room for it (section 6.1 A)?"""
    outstanding = tcb.outstanding
    if a_rwnd < min(outstanding.flight_payload, tcb.packet_limit):
        # The peer is there: no timeout of what it drops is an error, and those that were are forgiven.
        if tcb.probe is None:
            tcb.probe = probe.Probe()
        tcb.probe.state = probe.ANSWERED
        tcb.error_count = 0
    elif tcb.probe is not None and tcb.probe.state == probe.ANSWERED:
        tcb.probe.state = probe.IDLE
        _repeat_dropped(tcb, now, a_rwnd)


def _repeat_dropped(tcb: Tcb, now: int, a_rwnd: int) -> None:
    """The window has opened: what was dropped while it was closed need not wait for T3-rtx.

    Once per RTO as much goes again as cwnd and the window have room for. A window that opens more often has one packet
    go again. Whatever is acknowledged then has twice as much follow, as in slow start. Two small SACKs must not draw
    all that is in flight whenever a peer likes.
    """
    tcb.outstanding.mark_all()
    if now >= tcb.no_repeat_until:
        tcb.no_repeat_until = now + tcb.data_destination().rto
        tcb.repeat_room = a_rwnd
    else:
        tcb.repeat_room = 0
    tcb.fast_retransmit_now = True


def _release(tcb: Tcb, freed: int) -> None:
    """Messages were acknowledged for good: the send buffer has room."""
    tcb.buffered -= freed
    tcb.send_queue.forget_contexts(tcb.outstanding.cumulative_tsn_ack_point)
    if tcb.wants_writable and tcb.buffered < tcb.rules.send_buffer:
        tcb.wants_writable = False
        tcb.events.append(Writable(tcb.association))


def _on_all_acknowledged(tcb: Tcb) -> None:
    if len(tcb.send_queue):
        return  # The SACKs of one batch of input: with sending in between, something would be outstanding.
    for path in tcb.paths:
        path.controller.on_all_acknowledged()
    if not tcb.was_dry:
        tcb.was_dry = True
        if not tcb.association.ignores_dry:
            tcb.events.append(SenderDry(tcb.association))


def handle_probe_timer(tcb: Tcb, now: int) -> None:
    """The peer's window has been closed for the interval of the probe: send one DATA chunk all the same.

    Before the first one a HEARTBEAT asks whether the path is still there: if its answer is missing after one RTO, the
    probe goes over another path at once, and not one RTO later.
    """
    timer = tcb.probe
    assert timer is not None  # It has the deadline.
    timer.deadline = NEVER
    if timer.interval:
        timer.state = probe.SENT
        return
    path = tcb.data_destination()
    if path.heartbeat_enabled:
        reachability.send_heartbeat(tcb, now, path)
    timer.interval = path.rto
    timer.deadline = now + path.rto
