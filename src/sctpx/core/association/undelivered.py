"""What did not reach the peer for certain, for the user who asks (RFC 9260 sections 11.1.14 and 11.1.15)."""

from __future__ import annotations

from typing import final

from ...wire.codes import DATA_BEGIN, DATA_END, DATA_UNORDERED
from ..events import Undelivered
from .tcb import Tcb


@final
class _Rest:
    """What is left of a message that was sent, in whole or in part."""

    __slots__ = ("context", "parts", "ppid", "stream", "unordered", "whole")

    def __init__(self, stream: int, unordered: bool) -> None:
        self.stream = stream
        self.unordered = unordered
        self.ppid = 0
        self.parts: list[bytes] = []
        self.whole = False
        self.context: object = None

    def told(self) -> Undelivered:
        """As the user is told of it."""
        return b"".join(self.parts), self.stream, self.ppid, True, self.unordered, self.context, self.whole


def undelivered(tcb: Tcb) -> list[Undelivered]:
    """The messages not acknowledged, in order; of one that was acknowledged in part, what was not.

    Fragments of a message follow each other, unless messages are interleaved: then stream, U bit and MID say what
    belongs together.
    """
    framing = tcb.framing
    contexts = {tsn: (context, ppid) for tsn, context, ppid in tcb.send_queue.contexts}
    tsn = tcb.outstanding.cumulative_tsn_ack_point
    sent: list[_Rest] = []
    unfinished: dict[int, _Rest] = {}
    for chunk, acknowledged in tcb.outstanding.chunks():
        tsn += 1
        _, flags, length, _, stream, number, ppid = framing.unpack(chunk, 0)
        unordered = flags & DATA_UNORDERED
        key = _key(stream, unordered, number) if framing.interleaves else 0
        rest = unfinished.get(key)
        if rest is None:
            rest = unfinished[key] = _Rest(stream, unordered != 0)
            sent.append(rest)
        if flags & DATA_BEGIN or not framing.interleaves:
            rest.ppid = ppid
        if acknowledged:
            rest.whole = False
        else:
            rest.whole = rest.whole or flags & DATA_BEGIN != 0
            rest.parts.append(chunk[framing.header : length])
        if flags & DATA_END:
            rest.context, rest.ppid = contexts.get(tsn, (None, rest.ppid))
            del unfinished[key]
    waiting: list[Undelivered] = []
    for message in tcb.send_queue.messages():
        unordered = message.flags & DATA_UNORDERED
        key = _key(message.stream, unordered, message.number) if framing.interleaves else 0
        rest = unfinished.pop(key, None) if message.offset else None
        data = message.data[message.offset :]
        if rest is not None:
            rest.ppid = message.ppid
            rest.context = message.context
            rest.parts.append(data)
        else:
            started = message.offset > 0
            told = data, message.stream, message.ppid, started, unordered != 0, message.context, not started
            waiting.append(told)
    return [rest.told() for rest in sent if rest.parts] + waiting


def _key(stream: int, unordered: int, number: int) -> int:
    return (stream << 3 | unordered) << 32 | number
