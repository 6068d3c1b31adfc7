"""Numbers that begin anew in an association that lives: SSNs, MIDs and TSNs (RFC 6525).

``ext.stream_reset`` says when. A restart of the peer makes a new ``Tcb`` instead.
"""

from __future__ import annotations

from ...wire import causes
from ...wire.serial import TSN_MASK, UNWRAPPED
from ..events import PartialDeliveryAborted
from ..rx.deferred import Chunk
from ..rx.streams import Broken
from ..timers import NEVER
from ..tx.outstanding import Outstanding
from . import shutdown, transfer
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
    tcb.stats.messages_received += len(tcb.reassembly.ready) - ready
    transfer.wake_reader(tcb)
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
    tcb.stats.messages_received += len(tcb.reassembly.ready) - ready
    for message in broken:
        tcb.events.append(PartialDeliveryAborted(tcb.association, message.stream, message.ssn))
    transfer.wake_reader(tcb)
    if dropped:
        transfer.on_read(tcb, dropped)


def acknowledge_all(tcb: Tcb, now: int) -> None:
    """All that we sent counts as acknowledged (RFC 6525 section 5.2.4 G3); what was sent in part goes again, whole."""
    transfer.acknowledge_by_shutdown(tcb, now, tcb.outstanding.next_tsn - 1)
    tcb.buffered += tcb.send_queue.begin_anew()


def begin_tsns(tcb: Tcb, first_tsn: int) -> None:
    """Our next TSN is this one, of 32 bits (RFC 6525 section 5.2.7 H5). Nothing is outstanding."""
    tcb.former_tsn = (tcb.outstanding.next_tsn - 1) & TSN_MASK
    tcb.outstanding = Outstanding(first_tsn + UNWRAPPED, tcb.framing.header)
    tcb.send_queue.forget_contexts(NEVER)
    for path in tcb.paths:
        path.rtt_tsn = path.earliest_tsn = -1
    if tcb.authentication is not None:
        tcb.authentication.forget_all_sent()
    for extension in tcb.extensions:
        extension.on_new_tsns()
