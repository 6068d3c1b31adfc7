"""What goes into the next packets, and to which path: the one place where packets are built.

Order (RFC 9260 sections 6.1 and 6.10): control chunks, SACK, retransmissions, new data. ``poll`` is called
until it returns None.
"""

from __future__ import annotations

from typing import Final, final

from ...wire import control
from ...wire.codes import (
    CHUNK_ABORT,
    CHUNK_ASCONF,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_I_DATA,
    CHUNK_SHUTDOWN_COMPLETE,
    COMMON_HEADER,
    DATA_IMMEDIATE,
)
from ...wire.packet import prefix
from ...wire.seal import finish_packet
from ..capabilities import ECN
from ..ext import auth, path_mtu
from ..outputs import CLASS_SHIFT, ECT_0, FRAGMENTS, SMALL_FRAGMENTS, WHOLE, Transmit
from ..path import failover, rto
from ..path.path import Path
from ..timers import NEVER
from ..tx.batch import Batch
from ..tx.send_queue import Room
from . import probe, recovery, transfer
from .opening import Opening
from .state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from .tail_probe import TailProbe
from .tcb import Tcb

# TSNs sent and not acknowledged: no more than a Gap Ack Block can reach, nor messages of one stream than there
# are SSNs (section 6.1), with room for one batch of the smallest chunks.
MAX_OUTSTANDING: Final = 65535 - 4096
# A window that stays closed for so long, ns, has its path asked for a sign of life; less than that is a reader at work.
ASK_AFTER: Final = 50_000_000
# What a small chunk waits at least for more of a window that is partly open, ns: the override timeout of RFC 1122
# section 4.2.3.4, "in the range 0.1 - 1.0 seconds".
OVERRIDE: Final = 200_000_000
# Bytes of packets with SACKs that leave together: as many as an IPv4 datagram has, with AUTH chunks in them.
_MOST_SACKS: Final = 62_000
# These are alone in their packet (section 6.10; an ABORT ends everything anyway).
_ALONE: Final = (CHUNK_ABORT, CHUNK_SHUTDOWN_COMPLETE)


@final
class Grant:
    """What DATA may leave in the next packets."""

    __slots__ = ("is_tail_probe", "path", "probe", "tsn")

    def __init__(self, path: Path, tsn: int, probe: int, is_tail_probe: bool = False) -> None:
        self.path = path
        """Where it goes."""
        self.tsn = tsn
        """The lowest TSN that is sent again; -1 for new data."""
        self.probe = probe
        """Bytes of user data of a zero window probe; 0 if the peer has room."""
        self.is_tail_probe = is_tail_probe
        """One packet, whatever cwnd says, that is answered at once (RFC 8985 section 7.3)."""


def poll(tcb: Tcb, now: int) -> Transmit | None:
    """The next packets to send, for one destination; None if there is nothing to send now."""
    if tcb.opening is not None and tcb.opening.init_targets:
        return _init(tcb, tcb.opening)
    if tcb.extensions and tcb.state not in (CLOSED, COOKIE_WAIT, COOKIE_ECHOED):
        held = False
        for extension in tcb.extensions:
            extension.before_sending(now)
            held = held or extension.holds
        if held:
            return _asconf(tcb, now)
    if not tcb.control and not tcb.sack_chunks and not _has_data(tcb):
        _settle(tcb, now)
        return None
    transmit = _poll_chunks(tcb, now)
    if transmit is None:
        _settle(tcb, now)
    return transmit


def _poll_chunks(tcb: Tcb, now: int) -> Transmit | None:
    lead = b""
    path: Path | None = None
    if tcb.control:
        path, lead, local = _take_control(tcb)
        # With an AUTH chunk (RFC 4895), control chunks fill their packets by themselves.
        if _is_alone(lead) or local != path.local or tcb.seal.overhead:
            return _single(tcb, path, lead, local)
    if tcb.state == CLOSED:
        return None
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        # "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets" (section 5.1 C)
        return _single(tcb, path, lead) if path is not None else None
    grant = _grant(tcb, now)
    if grant is not None and tcb.sack_policy.packets and not tcb.sack_chunks:
        transfer.make_sack(tcb)  # "the sender SHOULD create a SACK chunk and bundle it" (section 6.1)
    if tcb.sack_chunks:
        sack_path = _sack_path(tcb)
        local = _sack_source(tcb, sack_path)
        together = local == sack_path.local and len(tcb.sack_chunks) == 1
        if path is None and not (together and grant is not None) and sack_path.usable:
            return _sacks(tcb, sack_path, local)
        size = COMMON_HEADER + len(lead) + len(tcb.sack_chunks[0])
        if together and path in (None, sack_path) and sack_path.usable and size <= sack_path.mtu:
            path = sack_path
            lead += tcb.sack_chunks.pop()
    if grant is not None:
        transmit = _data(tcb, now, grant, path, lead)
        if transmit is not None:
            return transmit
    return _single(tcb, path, lead) if path is not None else None


def _asconf(tcb: Tcb, now: int) -> Transmit | None:
    """The ASCONF that waits to be sent, while nothing else may leave."""
    for entry in tcb.control:
        path, chunk, local = entry
        if chunk[0] == CHUNK_ASCONF:
            tcb.control.remove(entry)
            tcb.stats.control_chunks_sent += 1
            return _single(tcb, path, chunk, local)
    _settle(tcb, now)
    return None


def _settle(tcb: Tcb, now: int) -> None:
    """Nothing more is sent now: note which windows are fully used (section 7.2.1)."""
    tcb.fast_retransmit_now = False
    tcb.burst = 0  # The round is over; the next one begins with Max.Burst (section 6.1 D).
    for path in tcb.paths:
        path.controller.on_sent(now, path.flight_size)


def _init(tcb: Tcb, opening: Opening) -> Transmit:
    """An INIT: alone, with a Verification Tag of 0 (section 8.5.1 A)."""
    target = opening.init_targets.pop(0)
    target.on_sent()
    tcb.stats.control_chunks_sent += 1
    packet = finish_packet(prefix(tcb.local_port, tcb.peer_port, 0), opening.init_chunk)
    tcb.stats.packets_sent += 1
    return Transmit(target.source, target.ip, target.udp_port, packet, len(packet), tcb.flowinfo_to(target.ip))


def _take_control(tcb: Tcb) -> tuple[Path, bytes, bytes]:
    """The control chunks that fit into the next packet: those for the path of the first one, and their source."""
    path, first, local = tcb.control[0]
    taken = [first]
    size = COMMON_HEADER + tcb.seal.overhead + len(first)
    rest: list[tuple[Path, bytes, bytes]] = []
    for other, chunk, source in tcb.control[1:]:
        together = other is path and source == local and not rest
        # COOKIE ECHO comes first in its packet (section 3.2.2).
        alone = _is_alone(first) or _is_alone(chunk) or chunk[0] == CHUNK_COOKIE_ECHO
        if together and not alone and size + len(chunk) <= path.mtu:
            taken.append(chunk)
            size += len(chunk)
        else:
            rest.append((other, chunk, source))
    tcb.control = rest
    tcb.stats.control_chunks_sent += len(taken)
    return path, b"".join(taken), local


def _is_alone(chunks: bytes) -> bool:
    """Nothing may be bundled with these: a probe of the path MTU has its size."""
    return chunks[0] in _ALONE or control.is_probe(chunks)


def _single(tcb: Tcb, path: Path, chunks: bytes, local: bytes = b"") -> Transmit:
    """One packet."""
    packet = tcb.seal.packet(chunks)
    probes = path.discovers and control.is_probe(chunks)
    small = False
    # What is no larger than MIN_PLPMTU passes as it is.
    if len(packet) > max(path.whole, path.minimum) and path.discovers and not probes and chunks[0] not in _ALONE:
        lacks = path.lacks(len(packet))
        small = lacks > 0
        if small:
            at = _end_of_control(chunks)
            packet = tcb.seal.packet(chunks[:at] + control.padding(lacks) + chunks[at:])
    transmit = _transmit(tcb, path, packet, max(len(packet), path.mtu), 1, local)
    if probes:
        transmit.fragments = WHOLE
        transmit.expendable = True
    elif small:
        transmit.fragments = SMALL_FRAGMENTS
    return transmit


def _end_of_control(chunks: bytes) -> int:
    """Where user data begins in a packet, which is the end if there is none.

    A PAD chunk has its place there: "an endpoint MUST place control chunks first" (section 6.10), and a COOKIE ECHO
    before all others (section 5.1).
    """
    at = 0
    while at < len(chunks) and chunks[at] not in (CHUNK_DATA, CHUNK_I_DATA):
        at += (chunks[at + 2] << 8 | chunks[at + 3]) + 3 & ~3
    return at


def _transmit(tcb: Tcb, path: Path, data: bytes, segment: int, packets: int, local: bytes = b"") -> Transmit:
    path.packets_sent += packets
    path.bytes_sent += len(data)
    tcb.stats.packets_sent += packets
    size = len(data) if packets == 1 else segment
    fragments = FRAGMENTS if size > path.whole else WHOLE
    return Transmit(local or path.local, path.remote, path.encaps_port, data, segment, path.flowinfo, fragments)


def _sack_path(tcb: Tcb) -> Path:
    """Where the last DATA came from (section 6.7), if it may be sent to (section 5.4)."""
    path = tcb.sack_path
    return path if path is not None and path.usable else tcb.data_destination()


def _sack_source(tcb: Tcb, path: Path) -> bytes:
    """Our address that a SACK to ``path`` leaves from: the one that the DATA came to."""
    return tcb.sack_local if path is tcb.sack_path and tcb.sack_local and path.local else path.local


def _sacks(tcb: Tcb, path: Path, local: bytes) -> Transmit:
    """SACKs of one size, a packet each: what one burst of DATA calls for leaves as one send."""
    size = len(tcb.sack_chunks[0])
    count = 0
    limit = min(max(_MOST_SACKS // (size + COMMON_HEADER), 1), 64)
    for chunk in tcb.sack_chunks[:limit]:
        if len(chunk) != size:
            break
        count += 1
    packets = tcb.seal.packets(tcb.sack_chunks[:count])
    del tcb.sack_chunks[:count]
    return _transmit(tcb, path, packets, len(packets) // count, count, local)


def _has_data(tcb: Tcb) -> bool:
    if len(tcb.send_queue) > 0 or tcb.outstanding.marked_chunks > 0:
        return True
    return tcb.tail_probe is not None and tcb.tail_probe.is_owed


def _grant(tcb: Tcb, now: int) -> Grant | None:
    """What DATA may leave now, by state, windows and Nagle; None for nothing."""
    if tcb.state not in (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED):
        return None
    destination = tcb.data_destination()
    if not destination.usable:
        return None  # No address is confirmed yet: they carry no data (section 5.4). Or none is reached from here.
    outstanding = tcb.outstanding
    if tcb.tail_probe is not None and tcb.tail_probe.is_owed:
        grant = _grant_tail_probe(tcb, now, tcb.tail_probe)
        if grant is not None:
            return grant
    tsn = outstanding.next_marked()
    if tsn >= 0:
        return _grant_again(tcb, tsn)
    message = tcb.send_queue.peek()
    if message is None or tcb.burst <= 0:
        return None
    if outstanding.next_tsn - outstanding.cumulative_tsn_ack_point > MAX_OUTSTANDING:
        return None
    path = _asked_path(tcb, message.remote, destination) if message.remote else destination
    if path.room <= 0:
        return None
    if (
        not tcb.rules.nodelay
        and outstanding.flight_size
        and tcb.state == ESTABLISHED
        and tcb.send_queue.queued_bytes < tcb.largest_payload
    ):
        return None  # Nagle: data is in flight and what waits does not fill a packet.
    payload = min(len(message.data) - message.offset, tcb.largest_payload)
    if tcb.peer_rwnd >= payload:
        return Grant(path, -1, 0)
    if outstanding.flight_size:
        return None  # A probe is alone in flight.
    if _may_probe(tcb, payload):
        return Grant(path, -1, payload)
    _schedule_probe(tcb, now, path)
    return None


def _grant_again(tcb: Tcb, tsn: int) -> Grant | None:
    """Whether data that was lost, this TSN first, may leave again now."""
    path = _retransmission_path(tcb, tsn)
    if tcb.fast_retransmit_now:
        return Grant(path, tsn, 0)
    if tcb.outstanding.flight_size:
        if tcb.probe is not None and tcb.probe.state != probe.IDLE:
            return None  # The peer has no room: one packet at a time asks for it.
        if tcb.repeat_room == 0:
            return None  # The peer has to acknowledge something first (``transfer._repeat_dropped``).
    return Grant(path, tsn, 0) if path.room > 0 else None


def _grant_tail_probe(tcb: Tcb, now: int, owed: TailProbe) -> Grant | None:
    """What the tail loss probe is: "a previously unsent data segment, if one exists and the receive window allows", or
    what has been in flight before (RFC 8985 section 7.3). None if it has become pointless.
    """
    outstanding = tcb.outstanding
    path = owed.path
    lowest = outstanding.cumulative_tsn_ack_point + 1
    if owed.tsn < 0 and path.flight_size:
        message = tcb.send_queue.peek()
        if message is not None and outstanding.next_tsn - lowest < MAX_OUTSTANDING:
            destination = tcb.data_destination()
            wanted = _asked_path(tcb, message.remote, destination) if message.remote else destination
            payload = min(len(message.data) - message.offset, tcb.largest_payload)
            if wanted is path and tcb.peer_rwnd >= payload:
                return Grant(path, -1, 0, True)
        owed.tsn = outstanding.ensure_rack().latest(path, lowest, outstanding.next_tsn, outstanding.gaps)
    if (
        path.flight_size
        and outstanding.ensure_rack().is_in_flight(owed.tsn, lowest, outstanding.gaps)
        and recovery.may_repeat(tcb, now, owed.tsn)
    ):
        return Grant(owed.to, owed.tsn, 0, True)
    tcb.tail_probe = None
    return None


def _may_probe(tcb: Tcb, payload: int) -> bool:
    """The peer has no room for the next chunk, and nothing is in flight: whether it may go as a zero window probe.

    A probe is a whole chunk: cut to the window, it would only make the window silly (section 6.1 A).

    While a part of the window is open, the peer has not closed it. A chunk of more than half a packet goes at once:
    its packet would be no fuller if the chunk waited, and some peers deliver nothing of a large message, and say
    nothing more, before their window is full. A smaller chunk waits for the override timeout of RFC 1122.
    """
    if tcb.probe is not None and tcb.probe.state != probe.IDLE:
        return True
    return tcb.peer_rwnd > 0 and 2 * payload > tcb.largest_payload


def _schedule_probe(tcb: Tcb, now: int, path: Path) -> None:
    """Start the timer of the next probe, if it does not run.

    Once the window is closed, the first probe goes one RTO after that was seen with nothing in flight, and with several
    paths after the HEARTBEAT that comes first (``transfer.handle_probe_timer``); T3-rtx, which doubles RTO, repeats it.
    """
    if tcb.probe is None:
        tcb.probe = probe.Probe()
    timer = tcb.probe
    if timer.deadline != NEVER:
        return
    if tcb.peer_rwnd > 0 and not timer.interval:
        timer.interval = min(max(rto.unbounded(path), OVERRIDE), path.rto)
        timer.deadline = now + timer.interval
    elif not timer.interval and len(tcb.paths) > 1 and path.heartbeat_enabled:
        timer.deadline = now + ASK_AFTER
    else:
        timer.interval = min(timer.interval * 2, tcb.rules.rto_max) or path.rto
        timer.deadline = now + timer.interval


def _asked_path(tcb: Tcb, remote: bytes, destination: Path) -> Path:
    """Where a message goes for which the user asked for an address: there while it is good, else by the default."""
    wanted = tcb.find_path(remote)
    return destination if wanted is None else failover.select(tcb.paths, wanted)


def _retransmission_path(tcb: Tcb, tsn: int) -> Path:
    """Where a lost TSN goes: after a timeout elsewhere (section 6.4), by gap reports where it was."""
    lost_on = tcb.outstanding.special[tsn].path
    if tcb.outstanding.was_fast(tsn):
        return failover.select(tcb.paths, lost_on)
    return tcb.data_destination(avoid=lost_on)


def _data(tcb: Tcb, now: int, grant: Grant, lead_path: Path | None, lead: bytes) -> Transmit | None:
    """Retransmissions or new data, as was granted; None if ``lead`` has to go by itself first."""
    path = grant.path
    if lead_path is not None and lead_path is not path:
        return None
    if grant.tsn >= 0:
        left = path.mtu - COMMON_HEADER - tcb.seal.ahead - len(lead)
        if grant.is_tail_probe:
            return _repeat(tcb, now, grant, lead, left)
        if lead_path is not None and tcb.outstanding.special[grant.tsn].size > left:
            return None
        return _retransmit(tcb, now, path, lead, left)
    if path.flight_size == 0:
        path.end_pause(now)
    probes = grant.probe > 0
    rwnd = grant.probe if probes else tcb.peer_rwnd
    burst = 1 if probes or path.controller.one_packet else tcb.burst
    room = Room(path.room, rwnd, burst)
    flags = 0
    if grant.is_tail_probe:
        room = Room(max(path.room, path.pmdcs), rwnd, 1)
        flags = DATA_IMMEDIATE
    if probes or (room.cwnd <= path.pmdcs and path.controller.few_packets) or tcb.state == SHUTDOWN_PENDING:
        flags = DATA_IMMEDIATE  # This probes, fills cwnd, or ends the association (section 6.1).
    if tcb.keyed is not None:
        auth.begin_data(tcb)
    limit = min(tcb.packet_limit, path.mtu - tcb.seal.reserve)
    batch = tcb.send_queue.fill(tcb.outstanding.next_tsn, path, tcb.seal, limit, lead, room, flags)
    if batch is None:
        return None
    if probes and tcb.probe is None:
        tcb.probe = probe.Probe()
    if tcb.probe is not None:
        tcb.probe.state = probe.SENT if probes else probe.IDLE
    tcb.burst -= batch.packets
    tcb.peer_rwnd = max(tcb.peer_rwnd - batch.payload, 0)
    transmit = _sent(tcb, now, path, batch)
    if grant.is_tail_probe:
        recovery.on_probed(tcb, now, batch.first_tsn)
    if tcb.capabilities & ECN and not probes:
        # Not for what is retransmitted, nor for window probes (RFC 3168 sections 6.1.5 and 6.1.6).
        transmit.flowinfo |= ECT_0 << CLASS_SHIFT
    return transmit


def _sent(tcb: Tcb, now: int, path: Path, batch: Batch) -> Transmit:
    """New data leaves."""
    batch.sent_at = now
    tcb.outstanding.sent(batch)
    if tcb.keyed is not None:
        auth.note_sent(tcb, batch.first_tsn)
    tcb.data_path = path
    tcb.was_dry = False
    path.last_data_sent = path.last_used = now
    if path.rtt_tsn < 0:
        path.rtt_tsn = batch.first_tsn
        path.rtt_sent = now
        path.rtt_size = min(batch.segment, len(batch.data))
        # Once in a round trip: is there more than a packet takes, and nothing known of larger ones?
        if now >= path.search_from and (batch.packets > 1 or len(tcb.send_queue)):
            path_mtu.begin(tcb, now)
    recovery.on_sent(tcb, path, now, batch.first_tsn)
    return _transmit(tcb, path, batch.data, batch.segment, batch.packets)


def _retransmit(tcb: Tcb, now: int, path: Path, lead: bytes, room: int) -> Transmit:
    """One packet of lost chunks."""
    outstanding = tcb.outstanding
    before = outstanding.flight_payload
    earliest = path.earliest_tsn
    lowest = outstanding.next_marked()
    stop = -1 if tcb.keyed is None else auth.begin_retransmission(tcb, lowest)
    chunks = outstanding.retransmit(path, room, stop, now)
    _stop_measuring(tcb, lowest)
    tcb.fast_retransmit_now = False
    tcb.peer_rwnd = max(tcb.peer_rwnd - (outstanding.flight_payload - before), 0)
    if tcb.repeat_room > 0:
        tcb.repeat_room = max(tcb.repeat_room - sum(map(len, chunks)), 0)
    tcb.stats.chunks_retransmitted += len(chunks)
    path.last_data_sent = now
    # "MUST restart the timer if the earliest [...] outstanding DATA chunk sent to that address is being
    # retransmitted" (section 6.1).
    if path.earliest_tsn != earliest:
        path.t3_deadline = NEVER
    recovery.on_sent(tcb, path, now)
    return _single(tcb, path, lead + b"".join(chunks))


def _repeat(tcb: Tcb, now: int, grant: Grant, lead: bytes, room: int) -> Transmit | None:
    """A tail loss probe that is no new data; None if ``lead`` has to go by itself first."""
    path = grant.path
    if tcb.keyed is not None:
        auth.begin_retransmission(tcb, grant.tsn)
    chunk = tcb.outstanding.find_chunk(grant.tsn)
    if lead and len(chunk) > room:
        return None
    tcb.outstanding.repeat(grant.tsn, path, now)
    _stop_measuring(tcb, grant.tsn)
    tcb.stats.chunks_retransmitted += 1
    path.last_data_sent = now
    recovery.on_sent(tcb, path, now)
    recovery.on_probed(tcb, now, grant.tsn)
    return _single(tcb, path, lead + chunk[:1] + bytes((chunk[1] | DATA_IMMEDIATE,)) + chunk[2:])


def _stop_measuring(tcb: Tcb, tsn: int) -> None:
    """Karn's algorithm: no measurement with a TSN at or above one that was retransmitted (section 6.3.1 C5)."""
    for path in tcb.paths:
        if path.rtt_tsn >= tsn:
            path.rtt_tsn = -1
