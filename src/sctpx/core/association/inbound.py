"""From packets to handlers: checksum, Verification Tag rules (RFC 9260 section 8.5), chunk by chunk.

``receive`` takes the packets of one association out of a batch. Packets of DATA in sequence, which are
nearly all of them in bulk transfer, take a short way; everything else is dispatched chunk by chunk.
"""

from __future__ import annotations

from typing import Final

from ...wire import causes, runs
from ...wire.checksum import checksum_of, read_checksum
from ...wire.codes import (
    CHUNK_ABORT,
    CHUNK_COOKIE_ACK,
    CHUNK_DATA,
    CHUNK_HEADER,
    CHUNK_I_DATA,
    CHUNK_INIT_ACK,
    CHUNK_SACK,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
    COMMON_HEADER,
    DATA_IMMEDIATE,
    FLAG_T,
)
from ...wire.compiled import COMPILED
from ...wire.data import unpack_data
from ...wire.serial import FSN_MASK, TSN_MASK
from ...wire.tlv import ParseError
from ..arrival import Arrival
from ..ext import auth
from ..path.path import Path
from ..rx.sack_policy import EVERY
from ..rx.streams import TINY, Streams
from . import dispatch, shutdown, transfer
from .state import (
    CLOSED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_SENT,
)
from .tcb import Tcb

# Chunks of which one counts in a packet: said again they say nothing new, and what they cost is bounded by the packets.
_ONCE: Final = (
    1 << CHUNK_SACK
    | 1 << CHUNK_SHUTDOWN
    | 1 << CHUNK_SHUTDOWN_ACK
    | 1 << CHUNK_COOKIE_ACK
    | 1 << CHUNK_SHUTDOWN_COMPLETE
)
_NOT_AGREED: Final = "of DATA and I-DATA, the one that was not agreed on"
# Where a packet that begins with a SACK has its Cumulative TSN Ack.
_TSN_AT: Final = COMMON_HEADER + CHUNK_HEADER


def receive(tcb: Tcb, now: int, local: bytes, path: Path, port: int, data: bytes, offset: int, segment: int) -> int:
    """Process the packets from ``offset`` on while they are of this association; where that ended.

    The packet at ``offset`` has this association's ports and tag and came from ``path``. Returns an offset
    behind it, also if the packet was dropped.
    """
    end = len(data)
    base = offset
    stats = tcb.stats
    before = stats.bytes_received
    tcb.answering.local = local
    tcb.answering.udp_port = port
    tcb.sack_policy.begin_burst(now)
    while offset < end:
        short = tcb.state == ESTABLISHED and tcb.takes_short_way
        if short and port == path.encaps_port and offset + COMMON_HEADER < end:
            kind = data[offset + COMMON_HEADER]
            if kind == tcb.framing.kind:
                offset = _receive_data(tcb, path, data, offset, segment)
            elif kind == CHUNK_SACK:
                offset = _receive_sacks(tcb, now, data, offset, segment)
            if offset >= end or tcb.state == CLOSED:
                break
        # The packet in which the short way ended; ``done`` is what it took of it.
        start = base + (offset - base) // segment * segment
        stop = min(start + segment, end)
        if data[start : start + 8] != tcb.peer_prefix:
            break
        body = data[start + COMMON_HEADER : stop]
        done = max(offset - start - COMMON_HEADER, 0)
        offset = stop
        if not done:
            found = read_checksum(data, start)
            if checksum_of(body, 0, len(body), tcb.peer_seed) != found and not tcb.takes(body, found):
                stats.packets_discarded += 1  # Section 6.8: silently discarded.
                continue
            stats.packets_received += 1
        if tcb.authentication is not None:
            body = _admit(tcb, path, port, body, done)
            if not body:
                continue
        else:
            if not done and port != path.encaps_port and not _teaches_no_port(body):
                tcb.learn_port(path, port)  # RFC 6951 section 5.4
            tcb.begin_packet(path)
        handle_packet(tcb, now, path, body, done)
        if tcb.state in (CLOSED, COOKIE_WAIT):
            break
    if tcb.state not in (CLOSED, COOKIE_WAIT):
        transfer.end_burst(tcb, now, stats.bytes_received - before)
    return offset


def _admit(tcb: Tcb, path: Path, port: int, body: bytes, done: int) -> bytes:
    """Begin with a packet of an association whose chunks may be authenticated: those that count (RFC 4895)."""
    tcb.begin_packet(path)
    body = auth.admit(tcb, body, done)
    if body and not done and port != path.encaps_port and not _teaches_no_port(body):
        tcb.learn_port(path, port)
    return body


def _receive_data(tcb: Tcb, path: Path, data: bytes, offset: int, segment: int) -> int:
    """Take packets of DATA or I-DATA in sequence, as long as nothing about them is special; where that ended.

    That is the start of a packet, or of a chunk inside one whose checksum was right. Hot: earns its length in
    the 64 KiB and 64 B rows of ``make bench``.
    """
    tsn_map = tcb.tsn_map
    reassembly = tcb.reassembly
    if tsn_map.ranges:
        return offset
    framing = tcb.framing
    wanted = framing.kind
    header = framing.header
    plain = not framing.interleaves
    end = len(data)
    prefix = tcb.peer_prefix
    seed = tcb.peer_seed
    streams = tcb.inbound_streams
    window = tcb.window
    policy = tcb.sack_policy
    unpack = framing.layout.unpack_from
    tsn = tsn_map.cumulative_tsn
    ready = len(reassembly.ready)
    held = window.held
    packets = 0
    violation = ""
    # So many messages may be unread, whatever comes now, for the next packet to be taken here.
    places = window.places(end - offset) - reassembly.apart - segment // header
    while offset < end and len(reassembly.ready) < places:
        if end - offset >= segment:
            fragments = _receive_fragments(tcb, reassembly, data, offset, segment)
            if fragments:
                offset += fragments * segment
                packets += fragments
                tsn += fragments
                continue
        stop = offset + segment
        if stop > end:
            stop = end
        first = offset + COMMON_HEADER
        if data[offset : offset + 8] != prefix or checksum_of(data, first, stop, seed) != read_checksum(data, offset):
            break
        position = first
        taken = 0
        seen = 0
        while position + header < stop:
            if COMPILED and plain:
                kind, flags, length, wire_tsn, stream, number, last = unpack_data(data, position)
            elif COMPILED:
                kind, flags, length, wire_tsn, stream, number, last = framing.unpack(data, position)
            else:
                kind, flags, length, wire_tsn, stream, number, last = unpack(data, position)
            tail = position + length
            length -= header
            if (
                kind != wanted
                or wire_tsn != (tsn + 1) & TSN_MASK
                or length <= 0
                or tail > stop
                or stream >= streams
                or window.credit < taken + length
            ):
                break
            tsn += 1
            violation = reassembly.receive(tsn, flags, stream, number, last, data[position + header : tail], True)
            taken += length
            if violation:
                break
            seen |= flags
            position = first + (tail - first + 3 & ~3)
        if taken:
            packets += 1
            window.take(taken)
            tsn_map.advance(tsn)
        if position < stop or not taken:
            if taken:
                offset = position
            break
        offset = stop
        policy.packets += 1
        if policy.packets >= policy.every or seen & DATA_IMMEDIATE:
            transfer.make_sack(tcb)
    if packets:
        if path is not tcb.sack_path:
            transfer.on_source(tcb, path)
        tcb.stats.packets_received += packets
        tcb.stats.bytes_received += window.held - held
        tcb.stats.messages_received += len(reassembly.ready) - ready
        tcb.sack_path = path
        tcb.sack_local = tcb.answering.local
    if violation:
        shutdown.abort(tcb, [causes.protocol_violation(violation)])
        return end
    return offset


def _receive_fragments(tcb: Tcb, reassembly: Streams, data: bytes, offset: int, segment: int) -> int:
    """Take packets that are one fragment of a message each, neither its first nor its last; how many."""
    message = reassembly.expected()
    if message is None:
        return 0
    tsn_map = tcb.tsn_map
    framing = tcb.framing
    length = segment - COMMON_HEADER - framing.header
    if length < TINY or data[offset + COMMON_HEADER + 1] != message.middle_flags:
        return 0
    if tsn_map.duplicates or tcb.sack_policy.every < EVERY or message.stream >= tcb.inbound_streams:
        return 0
    tsn = tsn_map.cumulative_tsn + 1
    fsn = message.next_fsn if message.next_fsn < 0 else message.next_fsn & FSN_MASK
    # No further than the window, what is handed over in one part, and where numbers go round.
    room = min(tcb.window.credit, reassembly.room)
    most = min((len(data) - offset) // segment, room // length, TSN_MASK + 1 - (tsn & TSN_MASK), FSN_MASK + 1 - fsn)
    if most < runs.WORTHWHILE:
        return 0
    first = framing.first_word(message.middle_flags, length + framing.header, tsn)
    rest = framing.second_word(message.stream, message.number, message.ppid)
    parts = runs.collect(data, offset, length, most, tcb.peer_prefix, tcb.peer_seed, first, rest, fsn)
    if parts:
        reassembly.extend(parts, length, tsn + len(parts) - 1)
        transfer.on_run(tcb, len(parts), length)
    return len(parts)


def _receive_sacks(tcb: Tcb, now: int, data: bytes, offset: int, segment: int) -> int:
    """Take packets that are one SACK without blocks or duplicates each, while nothing is lost; where that ended."""
    if segment != runs.SACK_PACKET and len(data) - offset != runs.SACK_PACKET:
        return offset
    begun = offset
    a_rwnd = 0
    # No packet is read before it is known that the first of them counts.
    while transfer.acknowledges_in_sequence(tcb, data[offset + _TSN_AT : offset + _TSN_AT + 4]):
        cumulatives, windows = runs.read_sacks(data, offset, tcb.peer_prefix, tcb.peer_seed)
        taken = transfer.acknowledge_in_sequence(tcb, now, cumulatives)
        if taken:
            a_rwnd = windows[taken - 1]
            offset += taken * runs.SACK_PACKET
        if taken < runs.MOST:
            break
    if offset > begun:
        taken = (offset - begun) // runs.SACK_PACKET
        tcb.stats.packets_received += taken
        tcb.stats.sacks_received += taken
        transfer.settle_in_sequence(tcb, now, a_rwnd)
    return offset


def handle_packet(tcb: Tcb, now: int, path: Path, body: bytes, offset: int) -> None:
    """The chunks of a packet from ``offset`` on. Its checksum is right and its tag is ours.

    If ``offset`` is not 0, DATA before it has been taken.
    """
    verdict = 0
    has_data = offset > 0
    seen = 0
    if tcb.state == SHUTDOWN_SENT:
        shutdown.on_packet(tcb)
    end = len(body)
    while end - offset >= 4:
        kind = body[offset]
        flags = body[offset + 1]
        length = body[offset + 2] << 8 | body[offset + 3]
        if length < 4 or offset + length > end:
            tcb.stats.packets_discarded += 1
            break  # "If the receiver detects a partial chunk, it MUST drop the chunk" (section 6.10).
        if kind in (CHUNK_DATA, CHUNK_I_DATA):
            if dispatch.DATA_COUNTS >> tcb.state & 1:
                framing = tcb.framing
                if kind != framing.kind:
                    # "the receiver of the DATA chunk MUST abort the association" (RFC 8260 section 2.2.3)
                    shutdown.abort(tcb, [causes.protocol_violation(_NOT_AGREED)])
                    return
                if length < framing.header:
                    shutdown.abort(tcb, [causes.protocol_violation("DATA chunk too short")])
                    return
                has_data = True
                _, _, _, tsn, stream, ssn, ppid = framing.unpack(body, offset)
                payload = body[offset + framing.header : offset + length]
                outcome = transfer.handle_data(tcb, flags, tsn, stream, ssn, ppid, payload)
                if outcome < 0:
                    return
                verdict |= outcome
            # "A DATA chunk received in any other state SHOULD be discarded" (section 6).
        elif kind <= CHUNK_SHUTDOWN_COMPLETE and seen & 1 << kind:
            tcb.stats.packets_discarded += 1
        elif kind == CHUNK_SACK:
            if dispatch.SACK_COUNTS >> tcb.state & 1:
                _handle_sack(tcb, now, body[offset + 4 : offset + length])
        elif not dispatch.handle(tcb, now, path, kind, flags, body[offset + 4 : offset + length]):
            break
        if kind <= CHUNK_SHUTDOWN_COMPLETE:
            seen |= 1 << kind & _ONCE
        if tcb.state in (CLOSED, COOKIE_WAIT):
            return  # Over, or begun anew after a stale cookie: the paths of this packet are no more.
        offset += (length + 3) & ~3
    if tcb.answering.verdict >= 0:
        has_data = True
        verdict |= tcb.answering.verdict
    if has_data and tcb.state != CLOSED:
        transfer.on_data_packet(tcb, now, path, verdict)


def receive_rest(tcb: Tcb, arrival: Arrival) -> None:
    """The chunks bundled behind a COOKIE ECHO that was accepted, and authenticated if there was an AUTH chunk."""
    offset = arrival.first + ((len(arrival.value) + CHUNK_HEADER + 3) & ~3)
    path = tcb.find_path(arrival.remote)
    if offset >= len(arrival.packet) or path is None:
        return
    tcb.answering.local = arrival.local
    tcb.answering.udp_port = arrival.port
    before = tcb.stats.bytes_received
    body = arrival.packet[offset:]
    if tcb.authentication is not None and not arrival.has_auth:
        body = auth.admit(tcb, body, 0)
    handle_packet(tcb, arrival.now, path, body, 0)
    if tcb.state != CLOSED:
        transfer.end_burst(tcb, arrival.now, tcb.stats.bytes_received - before)


def _teaches_no_port(body: bytes) -> bool:
    """True for packets whose sender need not be the peer of this association.

    A reflected tag shows no knowledge of our tag. An INIT ACK or an ABORT may answer an INIT that went to another UDP
    port of the same IP address, where another stack may be.
    """
    if len(body) < 2:
        return False
    kind = body[0]
    return kind in (CHUNK_ABORT, CHUNK_INIT_ACK) or (kind == CHUNK_SHUTDOWN_COMPLETE and body[1] & FLAG_T != 0)


def _handle_sack(tcb: Tcb, now: int, value: bytes) -> None:
    try:
        transfer.handle_sack(tcb, now, value)
    except ParseError:
        tcb.stats.packets_discarded += 1
