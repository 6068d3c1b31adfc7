"""Numbers that begin anew in an association that lives: SSNs, MIDs and TSNs (RFC 6525).

``ext.stream_reset`` and ``ext.own_requests`` say when. A restart of the peer makes a new ``Tcb`` instead.
"""

from __future__ import annotations

from ...wire import causes
from ...wire.serial import TSN_MASK, UNWRAPPED, extend_tsn
from ..rx.deferred import Chunk
from ..rx.streams import Broken
from ..timers import NEVER
from ..tx.outstanding import Outstanding
from . import reader, shutdown, transfer
from .tcb import Tcb


def release_deferred(tcb: Tcb, before: int = NEVER) -> bool:
    """What waited for a reset means something now, as far as its TSN is below that one. False: it broke the rules."""
    deferred = tcb.deferred
    assert deferred is not None  # It is what waited.
    ready = len(tcb.reassembly.ready)
    later: list[Chunk] = []
    violation = ""
    for chunk in deferred.chunks:
        tsn, flags, stream, number, last, data = chunk
        if tsn >= before:
            later.append(chunk)
        elif not violation:
            violation = tcb.reassembly.receive(tsn, flags, stream, number, last, data, False)
    deferred.chunks = later
    if before == NEVER:
        tcb.defer(None)
        violation = violation or tcb.reassembly.advance(tcb.tsn_map.cumulative_tsn)
    reader.count(tcb, ready)
    reader.wake(tcb)
    if violation:
        shutdown.abort(tcb, [causes.protocol_violation(violation)])
    return not violation


def reset_inbound(tcb: Tcb, streams: list[int]) -> None:
    """Numbers of these inbound streams, or of all if none is named, begin at 0 again."""
    ready = len(tcb.reassembly.ready)
    _drop(tcb, tcb.reassembly.reset(streams), ready)


def flush_inbound(tcb: Tcb) -> None:
    """Of all that came so far, what is no whole message never will be; numbers begin at 0 again."""
    ready = len(tcb.reassembly.ready)
    _drop(tcb, tcb.reassembly.flush(), ready)


def _drop(tcb: Tcb, result: tuple[int, list[Broken]], ready: int) -> None:
    """The reassembly has dropped so many bytes, and there were so many messages to read before."""
    dropped, broken = result
    reader.count(tcb, ready)
    reader.tell_broken(tcb, broken, ready)
    reader.wake(tcb)
    if dropped:
        transfer.on_read(tcb, dropped)


def acknowledge_all(tcb: Tcb, now: int) -> None:
    """All that we sent counts as acknowledged (RFC 6525 section 5.2.4 G3); what was sent in part goes again, whole."""
    transfer.acknowledge_by_shutdown(tcb, now, tcb.outstanding.next_tsn - 1)
    tcb.buffered += tcb.send_queue.begin_anew()


def begin_tsns(tcb: Tcb, first_tsn: int) -> None:
    """Our next TSN is this one, of 32 bits, and all our numbers begin at 0 (RFC 6525 section 5.2.7 H5).

    Nothing is outstanding.
    """
    tcb.former_tsn = (tcb.outstanding.next_tsn - 1) & TSN_MASK
    tcb.outstanding = Outstanding(first_tsn + UNWRAPPED, tcb.framing.header, tcb.rules.by_time)
    tcb.tail_probe = None
    tcb.send_queue.forget_contexts(NEVER)
    tcb.send_queue.reset([])
    for path in tcb.paths:
        path.forget_tsns()
    if tcb.authentication is not None:
        tcb.authentication.forget_all_sent()
    for extension in tcb.extensions:
        extension.on_new_tsns()


def begin_peer_tsns(tcb: Tcb, first_tsn: int) -> bool:
    """The peer's next TSN is this one, of 32 bits, as the peer has told us (section 5.2.7 H5), and may be here already.

    What has come from after the reset still waits, until the user is told of it. False: what waited broke the rules.
    """
    tsn_map = tcb.tsn_map
    assert tcb.deferred is not None  # Since the request was sent.
    first = extend_tsn(first_tsn, tsn_map.cumulative_tsn + 1)
    # The peer SHOULD go on with its TSNs (G2). Of one that goes back, nothing that has waited can be from there.
    goes_on = first > tcb.deferred.last_tsn
    if not release_deferred(tcb, first if goes_on else NEVER - 1):
        return False
    flush_inbound(tcb)
    if not goes_on:
        _reset_peer_tsns(tcb, first_tsn + UNWRAPPED)
        tcb.peer_former_tsn = -1
    elif first > tsn_map.cumulative_tsn:
        tsn_map.forward(first - 1)
    return True


def move_peer_tsns(tcb: Tcb, first: int) -> None:
    """The peer's next TSN is this one, as we tell the peer (section 5.2.4 G1 and G4). No SACK is owed for what came."""
    flush_inbound(tcb)
    tcb.peer_former_tsn = tcb.tsn_map.cumulative_tsn & TSN_MASK
    _reset_peer_tsns(tcb, first)
    tcb.sack_policy.on_sack()
    tcb.sack_chunks.clear()


def _reset_peer_tsns(tcb: Tcb, first: int) -> None:
    tcb.tsn_map.reset(first)
    for extension in tcb.extensions:
        extension.on_new_peer_tsns()
