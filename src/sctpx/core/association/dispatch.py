"""Which chunk counts in which state, and what handles it: one table (RFC 9260 sections 5, 6, 8.3, 8.5.1 and 9).

``RULES`` has the rules of each chunk type. The first rule for the association's state handles the chunk; without one
the chunk is discarded, and the rest of its packet counts all the same. A type without rules is unknown, and so is one
that belongs to an extension which the two sides have not agreed on (``capabilities``).

DATA and SACK are not in the table: ``inbound`` handles them without the call, and asks ``DATA_COUNTS`` and
``SACK_COUNTS``. Nor is what is decided before the association is known, by the stack: INIT, COOKIE ECHO, INIT ACK in
COOKIE-WAIT, and packets whose tag is not ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ...wire import causes, control
from ...wire.codes import (
    CAUSE_STALE_COOKIE,
    CHUNK_ABORT,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_COOKIE_ACK,
    CHUNK_CWR,
    CHUNK_ECNE,
    CHUNK_ERROR,
    CHUNK_FORWARD_TSN,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_I_FORWARD_TSN,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_PAD,
    CHUNK_RE_CONFIG,
    CHUNK_REPORT,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
    CHUNK_SKIP,
    FLAG_T,
)
from ...wire.serial import extend_tsn
from ...wire.tlv import ParseError
from ..capabilities import (
    ADDRESS_RECONFIGURATION,
    ECN,
    INTERLEAVED_PARTIAL_RELIABILITY,
    INTERLEAVING,
    PARTIAL_RELIABILITY,
    RECONFIGURATION,
)
from ..events import PeerShutdown, RemoteError
from ..ext import asconf, ecn, partial_reliability, path_mtu, stream_reset
from ..path.path import Path
from . import handshake, reachability, shutdown, transfer
from .state import (
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from .tcb import Tcb

Handle = Callable[[Tcb, int, Path, int, bytes], bool]
"""(association, now, path that the packet came from, flags, value): whether the rest of the packet counts."""


@final
class Rule:
    """In these states, and with this capability, a chunk is handled so."""

    __slots__ = ("capability", "handle", "states")

    def __init__(self, states: int, handle: Handle, capability: int = 0) -> None:
        self.states = states
        """A bit for each state."""
        self.handle = handle
        self.capability = capability
        """The extension that the chunk belongs to (``core.capabilities``); 0 for RFC 9260 itself."""


def _in(*states: int) -> int:
    """These states, a bit each."""
    bits = 0
    for state in states:
        bits |= 1 << state
    return bits


def handle(tcb: Tcb, now: int, path: Path, kind: int, flags: int, value: bytes) -> bool:
    """One control chunk with a right length. False if the rest of the packet does not count."""
    tcb.stats.control_chunks_received += 1
    known = False
    try:
        for rule in RULES.get(kind, _NO_RULES):
            if rule.capability & tcb.capabilities == rule.capability:
                known = True
                if rule.states >> tcb.state & 1:
                    return rule.handle(tcb, now, path, flags, value)
    except ParseError:
        tcb.stats.packets_discarded += 1
    return known or _handle_unknown(tcb, kind, flags, value)


def _handle_unknown(tcb: Tcb, kind: int, flags: int, value: bytes) -> bool:
    """A chunk type nobody here knows: its high bits say what to do (section 3.2, table 2)."""
    if kind & CHUNK_REPORT:
        length = len(value) + 4
        # The chunk with its header, cut to what can be reported in one packet.
        chunk = bytes((kind, flags)) + length.to_bytes(2, "big") + value[: tcb.packet_limit - 64]
        transfer.respond_error(tcb, [causes.unrecognized_chunk(chunk)])
    return kind & CHUNK_SKIP != 0


# --- chunks that end the packet -----------------------------------------------------------------------------


def _init(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """INIT in a packet with our tag, which is not 0 (section 8.5.1 A)."""
    return False


def _late_init_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """INIT ACK from an address that is a path already (section 5.2.3)."""
    handshake.note_late_init_ack(tcb, now, path.remote, tcb.answering.udp_port)
    return False


def _abort(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ABORT in a packet with our tag: with the T bit set, the packet is silently discarded (section 8.5.1 B)."""
    seen = causes.parse_or_none(value)
    if flags & FLAG_T or seen is None or asconf.is_unsettled(tcb, now, tcb.answering.local, False):
        tcb.discard_packet()
    elif not handshake.handle_abort(tcb, now, path.remote, tcb.answering.udp_port, seen):
        shutdown.handle_abort(tcb, seen)
    return False


# --- setting up, paths, errors ------------------------------------------------------------------------------


def _cookie_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    handshake.handle_cookie_ack(tcb, now, path)
    return True


def _heartbeat(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    tcb.respond(control.heartbeat_ack(value))
    return True


def _heartbeat_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    if not path_mtu.handle_heartbeat_ack(tcb, now, value):
        reachability.handle_heartbeat_ack(tcb, now, value)
    return True


def _error(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ERROR (section 3.3.10): a stale cookie is ours to mend, the rest is for the user."""
    seen = causes.parse(value)
    if not seen:
        raise ParseError("ERROR without a cause")  # It "contains one or more error causes".
    for code, content in seen:
        if code == CAUSE_STALE_COOKIE:
            handshake.handle_stale_cookie(tcb, now)
            return True
        asconf.on_error(tcb, code, content)
    last = tcb.events[-1] if tcb.events else None
    if isinstance(last, RemoteError) and last.association is tcb.association:
        last.causes.extend(seen)  # What arrives together is told together, or a packet could fill the memory.
    else:
        tcb.events.append(RemoteError(tcb.association, seen))
    return True


def _padding(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """PAD: "the receiver of the PAD chunk MUST discard this chunk and continue processing" (RFC 4820 section 3)."""
    return True


# --- the end ------------------------------------------------------------------------------------------------


def _shutdown(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """The first SHUTDOWN: the peer has sent all that it had (section 9.2)."""
    cumulative = extend_tsn(control.parse_shutdown(value), tcb.outstanding.cumulative_tsn_ack_point)
    tcb.transition(SHUTDOWN_RECEIVED)
    transfer.acknowledge_by_shutdown(tcb, now, cumulative)
    if tcb.state != CLOSED:
        tcb.events.append(PeerShutdown(tcb.association))
        shutdown.progress(tcb, now)
    return True


def _shutdown_again(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """SHUTDOWN, while we still have data to send: it acknowledges, like a SACK."""
    cumulative = extend_tsn(control.parse_shutdown(value), tcb.outstanding.cumulative_tsn_ack_point)
    transfer.acknowledge_by_shutdown(tcb, now, cumulative)
    if tcb.state != CLOSED:
        shutdown.progress(tcb, now)
    return True


def _shutdown_answered(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """SHUTDOWN, and all that we had is acknowledged."""
    control.parse_shutdown(value)
    shutdown.answer_shutdown(tcb, now)
    return True


def _shutdown_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    shutdown.handle_shutdown_ack(tcb, path)
    return True


def _early_shutdown_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """Treated as out of the blue (section 8.5.1 E)."""
    tcb.reply(tcb.local_tag, control.shutdown_complete(reflected=True))
    return True


def _shutdown_complete(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """SHUTDOWN COMPLETE with our tag: with the T bit set it would have the peer's (section 8.5.1 C)."""
    if not flags & FLAG_T:
        shutdown.handle_shutdown_complete(tcb)
    return True


# --- the table ----------------------------------------------------------------------------------------------

DATA_COUNTS: Final = _in(ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_SENT)
"""States in which DATA is taken (section 6)."""
SACK_COUNTS: Final = _in(ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED)
"""States in which a SACK is processed (section 6).

In COOKIE-ECHOED a SACK "MAY be processed" too. Discarding it there is our choice, and no demand of the RFC: nothing was
sent that a SACK could acknowledge, since no DATA leaves with the COOKIE ECHO.
"""

_SETTING_UP: Final = _in(COOKIE_WAIT, COOKIE_ECHOED)
_TRANSFER: Final = _in(ESTABLISHED, SHUTDOWN_PENDING)
_ACKNOWLEDGED: Final = _in(SHUTDOWN_SENT, SHUTDOWN_ACK_SENT)
_ALWAYS: Final = _in(*range(COOKIE_WAIT, len(STATE_NAMES)))
_NO_RULES: Final[list[Rule]] = []

RULES: Final[dict[int, list[Rule]]] = {
    CHUNK_INIT: [Rule(_ALWAYS, _init)],
    CHUNK_INIT_ACK: [Rule(_ALWAYS, _late_init_ack)],
    # Section 8.3 demands it "up until reaching the SHUTDOWN-SENT state"; after that it still lets the peer verify the
    # path it may need to finish.
    CHUNK_HEARTBEAT: [Rule(_ALWAYS & ~_in(COOKIE_WAIT), _heartbeat)],
    CHUNK_HEARTBEAT_ACK: [Rule(_ALWAYS, _heartbeat_ack)],
    CHUNK_ABORT: [Rule(_ALWAYS, _abort)],
    CHUNK_SHUTDOWN: [
        Rule(_TRANSFER, _shutdown),
        Rule(_in(SHUTDOWN_RECEIVED), _shutdown_again),
        Rule(_ACKNOWLEDGED, _shutdown_answered),
    ],
    CHUNK_SHUTDOWN_ACK: [Rule(_SETTING_UP, _early_shutdown_ack), Rule(_ACKNOWLEDGED, _shutdown_ack)],
    CHUNK_ERROR: [Rule(_ALWAYS, _error)],
    CHUNK_COOKIE_ACK: [Rule(_in(COOKIE_ECHOED), _cookie_ack)],
    CHUNK_PAD: [Rule(_ALWAYS, _padding)],
    CHUNK_ECNE: [Rule(_TRANSFER | _in(SHUTDOWN_RECEIVED), ecn.handle_ecne, ECN)],
    CHUNK_CWR: [Rule(_TRANSFER | _in(SHUTDOWN_SENT), ecn.handle_cwr, ECN)],
    CHUNK_SHUTDOWN_COMPLETE: [Rule(_in(SHUTDOWN_ACK_SENT), _shutdown_complete)],
    # As DATA and I-DATA, whose places they take; beside the other one of these they end the association (RFC 8260
    # section 2.3.1). One that was not agreed on does so too if it is I-FORWARD-TSN; FORWARD-TSN is then unknown
    # (RFC 3758 section 3.3).
    CHUNK_FORWARD_TSN: [
        Rule(DATA_COUNTS, partial_reliability.handle_misused, INTERLEAVING),
        Rule(DATA_COUNTS, partial_reliability.handle_forward_tsn, PARTIAL_RELIABILITY),
    ],
    CHUNK_I_FORWARD_TSN: [
        Rule(DATA_COUNTS, partial_reliability.handle_i_forward_tsn, INTERLEAVED_PARTIAL_RELIABILITY),
        Rule(DATA_COUNTS, partial_reliability.handle_misused),
    ],
    CHUNK_RE_CONFIG: [
        Rule(_TRANSFER | _in(SHUTDOWN_SENT, SHUTDOWN_RECEIVED), stream_reset.handle_re_config, RECONFIGURATION)
    ],
    CHUNK_ASCONF: [Rule(_in(*asconf.COUNTS), asconf.handle_asconf, ADDRESS_RECONFIGURATION)],
    CHUNK_ASCONF_ACK: [Rule(_in(*asconf.COUNTS), asconf.handle_asconf_ack, ADDRESS_RECONFIGURATION)],
}
"""By chunk type: its rules, of which the first one that fits counts."""
