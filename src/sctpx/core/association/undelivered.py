"""What did not reach the peer for certain, for the user who asks (RFC 9260 sections 11.1.14 and 11.1.15)."""

from __future__ import annotations

from ...wire.codes import DATA_BEGIN, DATA_END, DATA_HEADER, DATA_UNORDERED
from ...wire.data import DATA
from ..events import Undelivered
from .tcb import Tcb


def undelivered(tcb: Tcb) -> list[Undelivered]:
    """The messages not acknowledged, in order; of one that was acknowledged in part, what was not."""
    contexts = dict(tcb.send_queue.contexts)
    tsn = tcb.outstanding.cumulative_tsn_ack_point
    found: list[Undelivered] = []
    parts: list[bytes] = []
    whole = False
    for chunk, acknowledged in tcb.outstanding.chunks():
        tsn += 1
        _, flags, length, _, stream, _, ppid = DATA.unpack_from(chunk)
        whole = not acknowledged and (whole or flags & DATA_BEGIN != 0)
        if not acknowledged:
            parts.append(chunk[DATA_HEADER:length])
        if flags & DATA_END:
            if parts:
                unordered = flags & DATA_UNORDERED != 0
                found.append((b"".join(parts), stream, ppid, True, unordered, contexts.get(tsn), whole))
            parts = []
            whole = False
    for message in tcb.send_queue.messages():
        sent = message.offset > 0
        unordered = message.flags & DATA_UNORDERED != 0
        parts.append(message.data[message.offset :])
        data = b"".join(parts)
        found.append((data, message.stream, message.ppid, sent, unordered, message.context, whole or not sent))
        parts = []
        whole = False
    return found
