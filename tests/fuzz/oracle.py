"""What must hold whatever happens: of each packet that a stack sends, and of a stack behind each input."""

from __future__ import annotations

from struct import Struct
from typing import Final

from sctpx.core.association.association import Association
from sctpx.core.association.state import (
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from sctpx.core.association.tcb import MAX_CONTROL
from sctpx.core.overhead import MESSAGE
from sctpx.core.rx.tsn_map import MAX_RANGES
from sctpx.core.rx.window import MEMORY
from sctpx.core.timers import NEVER
from sctpx.wire.codes import (
    CHUNK_ABORT,
    CHUNK_AUTH,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_ERROR,
    CHUNK_I_DATA,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_NAMES,
    CHUNK_SACK,
    CHUNK_SHUTDOWN_COMPLETE,
    COMMON_HEADER,
    DATA_HEADER,
    I_DATA_HEADER,
)

_HEADER: Final = Struct(">BBH")
_ALONE: Final = (CHUNK_INIT, CHUNK_INIT_ACK, CHUNK_SHUTDOWN_COMPLETE)
_FLAGS: Final = {CHUNK_DATA: 15, CHUNK_I_DATA: 15, CHUNK_ABORT: 1, CHUNK_SHUTDOWN_COMPLETE: 1}
WITHOUT_ASSOCIATION: Final = (
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_ABORT,
    CHUNK_SHUTDOWN_COMPLETE,
    CHUNK_ERROR,
    CHUNK_COOKIE_ACK,
)
"""What begins a packet that need not have the tag of the peer of an association that lives."""
MOST_ERRORS: Final = 10
"""The largest Association.Max.Retrans of any world: a program may set a lower one when more errors were counted."""


class Violation(AssertionError):
    """Something does not hold that must hold always."""


def require(holds: object, what: str) -> None:
    """``Violation`` unless it holds."""
    if not holds:
        raise Violation(what)


def kinds_of(packet: bytes) -> tuple[int, ...]:
    """The chunk types of a packet that may be anything, as far as they can be read."""
    kinds: list[int] = []
    offset, end = COMMON_HEADER, len(packet)
    while offset + 4 <= end and len(kinds) < 16:
        length = packet[offset + 2] << 8 | packet[offset + 3]
        if length < 4:
            break
        kinds.append(packet[offset])
        offset += length + 3 & ~3
    return tuple(kinds)


def check_packet(packet: bytes) -> tuple[int, ...]:
    """A packet that a stack sends is as RFC 9260 has it, the checksum and the tag aside. Returns its chunk types."""
    end = len(packet)
    if end & 3 or end <= COMMON_HEADER:
        raise Violation(f"a packet of {end} bytes")
    kinds: list[int] = []
    offset = COMMON_HEADER
    while offset < end:
        kind, flags, length = _HEADER.unpack_from(packet, offset)
        stop = offset + length
        if length < 4 or stop > end:
            raise Violation(f"chunk {kind} has a length of {length} at {offset} of {end}")
        if flags & ~_FLAGS.get(kind, 0):
            raise Violation(f"chunk {kind} has the flags {flags}")
        offset = stop + 3 & ~3
        if offset != stop and any(packet[stop:offset]):
            raise Violation(f"the padding of chunk {kind} is not zero (section 3.2)")
        if kind in (CHUNK_DATA, CHUNK_I_DATA):
            header = DATA_HEADER if kind == CHUNK_DATA else I_DATA_HEADER
            require(length > header, "user data without a byte (section 3.3.1)")
        elif kinds and kinds[-1] in (CHUNK_DATA, CHUNK_I_DATA):
            raise Violation(f"chunk {kind} is behind user data (section 6.10)")
        kinds.append(kind)
    first = kinds[0]
    if len(kinds) > 1:
        for kind in _ALONE:
            if kind in kinds:
                raise Violation(f"{CHUNK_NAMES[kind]} is not alone: {kinds} (section 6.10)")
        require(CHUNK_COOKIE_ECHO not in kinds[1 + (first == CHUNK_AUTH) :], "COOKIE ECHO is not the first (5.1)")
        if kinds.count(CHUNK_AUTH) > 1:
            raise Violation(f"several AUTHs: {kinds} (RFC 4895 section 6.2)")
        if kinds.count(CHUNK_SACK) > 1:
            raise Violation(f"several SACKs: {kinds}")
        last = kinds[-1]
        require(last != CHUNK_AUTH, "an AUTH with nothing behind it")
        if last in (CHUNK_DATA, CHUNK_I_DATA):
            require(CHUNK_ABORT not in kinds, "ABORT beside user data (section 6.10)")
            require(CHUNK_DATA not in kinds or CHUNK_I_DATA not in kinds, "DATA beside I-DATA (RFC 8260)")
    if (packet[4:8] == bytes(4)) != (first == CHUNK_INIT):
        raise Violation(f"the tag 0 in a packet with {kinds} (section 8.5.1)")
    return tuple(kinds)


def check_association(association: Association, now: int, deadline: int | None) -> None:
    """Timers, sums and queues of an association that lives."""
    tcb = association.tcb
    state = tcb.state
    out = tcb.outstanding
    waiting = len(tcb.send_queue) > 0 or not out.empty
    if deadline is None and (waiting or state in (COOKIE_WAIT, COOKIE_ECHOED) or state >= SHUTDOWN_SENT):
        raise Violation(f"{STATE_NAMES[state]}: it waits for something, and no timer runs")
    if waiting and state in (SHUTDOWN_SENT, SHUTDOWN_ACK_SENT):
        raise Violation(f"{STATE_NAMES[state]}: there is data that was not acknowledged (section 9.2)")
    flight = 0
    for path in tcb.paths:
        if path.flight_size:
            flight += path.flight_size
            require(path.t3_deadline != NEVER, "bytes in flight, and T3-rtx does not run (section 6.3.2 R1)")
        require(path.cwnd > 0, "a congestion window without a byte")
    if flight != out.flight_size:
        raise Violation(f"{flight} bytes in flight by paths, {out.flight_size} by chunks")
    if (flight == 0) != (out.flight_chunks == 0):
        raise Violation(f"{flight} bytes in flight, {out.flight_chunks} chunks")
    if tcb.buffered and not waiting:
        raise Violation(f"nothing waits, and {tcb.buffered} bytes of the send buffer are taken")
    require(tcb.peer_rwnd >= 0 and tcb.buffered >= 0, "a window or a buffer below 0")
    if not 0 <= tcb.error_count <= MOST_ERRORS:
        raise Violation(f"{tcb.error_count} errors (section 8.1)")
    window = tcb.window
    size = max(window.size, 4096)
    if not 0 <= window.held <= 2 * size + 65536:
        raise Violation(f"{window.held} bytes are held, of {window.size}")
    incoming = tcb.reassembly
    if window.held and not incoming.messages and incoming.expected() is None and tcb.deferred is None:
        raise Violation(f"nothing is held, and {window.held} bytes of the window are taken")
    ready = len(tcb.reassembly.ready)
    if ready * MESSAGE > (MEMORY + 1) * 2 * size + 65536:
        raise Violation(f"{ready} messages wait to be read")
    require(len(tcb.tsn_map.ranges) <= MAX_RANGES + 1, "too many ranges of TSNs")
    if len(tcb.control) > MAX_CONTROL + 64:
        raise Violation(f"{len(tcb.control)} control chunks wait")
    if len(tcb.paths) > tcb.endpoint.limits.peer_addresses + 64:
        raise Violation(f"{len(tcb.paths)} paths")
    if state in (SHUTDOWN_RECEIVED, SHUTDOWN_SENT, SHUTDOWN_ACK_SENT) and tcb.closing is None:
        raise Violation(f"{STATE_NAMES[state]} without its timers")


def check_sums(association: Association) -> None:
    """The sums that take a walk over the queues."""
    tcb = association.tcb
    if tcb.state == CLOSED:
        return
    tcb.outstanding.check_invariants()
    tcb.tsn_map.check_invariants()
    for path in tcb.paths:
        require(path.earliest_tsn == tcb.outstanding.find_earliest(path), "the earliest TSN of a path is another one")
    require(sum([len(message[0]) for message in tcb.reassembly.ready]) <= tcb.window.held, "more to read than is held")
    out = tcb.outstanding
    if not out.empty and not out.flight_size:
        require(out.marked_chunks or out.gaps or out.special, "TSNs that nobody waits for")
