"""Packets of I-DATA that are one fragment each, in sequence: what a bulk transfer with interleaving consists of.

Everything else about I-DATA goes chunk by chunk, as DATA does (``inbound.handle_packet``).
"""

from __future__ import annotations

from ...wire import runs
from ...wire.codes import COMMON_HEADER, DATA_UNORDERED, I_DATA_HEADER
from ...wire.serial import FSN_MASK, TSN_MASK
from ..path.path import Path
from ..rx.interleaved import Interleaved
from ..rx.sack_policy import EVERY
from ..rx.streams import TINY
from . import transfer
from .tcb import Tcb

_FLAGS_AT = COMMON_HEADER + 1


def receive_fragments(tcb: Tcb, path: Path, data: bytes, offset: int, segment: int) -> int:
    """Take packets as long as each is the next fragment of the message that is coming in, and not its last one.

    Returns where that ended. Hot: earns its keep where ``bench.core`` has bulk transfer with interleaving.
    """
    streams = tcb.reassembly
    tsn_map = tcb.tsn_map
    if not isinstance(streams, Interleaved) or tsn_map.ranges or tsn_map.duplicates:
        return offset
    begun = offset
    length = segment - COMMON_HEADER - I_DATA_HEADER
    while len(data) - offset >= segment and length >= TINY:
        message = streams.last
        if message is None or message.later or message.end >= 0 or tcb.sack_policy.every < EVERY:
            break
        flags = DATA_UNORDERED if message.unordered else 0
        if data[offset + _FLAGS_AT] != flags:
            break
        tsn = tsn_map.cumulative_tsn + 1
        fsn = message.next_fsn & FSN_MASK
        # No further than the window, what is handed over in one part, and where numbers go round.
        room = min(tcb.window.credit, streams.room) // length
        most = min((len(data) - offset) // segment, room, TSN_MASK + 1 - (tsn & TSN_MASK), FSN_MASK + 1 - fsn)
        if most < runs.WORTHWHILE:
            break
        first = tcb.framing.first_word(flags, length + I_DATA_HEADER, tsn)
        rest = tcb.framing.second_word(message.stream, message.number, 0)
        parts = runs.collect(data, offset, length, most, tcb.peer_prefix, tcb.peer_seed, first, rest, fsn)
        if not parts:
            break
        streams.extend(message, parts, length, tsn + len(parts) - 1)
        transfer.on_run(tcb, len(parts), length)
        offset += len(parts) * segment
    if offset > begun:
        packets = (offset - begun) // segment
        if path is not tcb.sack_path:
            transfer.on_source(tcb, path)
        tcb.stats.packets_received += packets
        tcb.stats.bytes_received += packets * length
        tcb.sack_path = path
        tcb.sack_local = tcb.answering.local
    return offset
