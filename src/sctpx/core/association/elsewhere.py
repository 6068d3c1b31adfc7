"""ASCONFs from an address that is not the peer's: it may have no other one left (RFC 5061 sections 5.2 and 5.3.2).

The association is the one that has an address which the ASCONF names (D2), and whose Verification Tag is in the packet
(D4). Here the tag finds it, and the address has to fit. A wildcard fits everywhere: "the receiver MAY lookup the
association by other information" (section 4.1.1). So does the address of an ASCONF that was answered already: it may
have been deleted by that ASCONF, and the peer, which never got the answer, may have moved on meanwhile.
"""

from __future__ import annotations

from ...wire import asconf as wire
from ...wire.codes import CHUNK_ASCONF, CHUNK_AUTH
from ...wire.tlv import ParseError
from ..arrival import Arrival
from ..capabilities import ADDRESS_RECONFIGURATION
from ..ext import asconf, auth
from ..ip import without_zone
from ..path.path import Path
from .tcb import Tcb


def handle(tcb: Tcb, arrival: Arrival) -> bool:
    """A packet with our tag from a stranger. True if it has an ASCONF for this association.

    Then its ASCONFs are processed that count, and nothing else: what the peer says from an address that is not verified
    can wait until that is.
    """
    if not any(kind == CHUNK_ASCONF and _names(tcb, value) for kind, _, value in arrival.chunks):
        return False  # D3
    tcb.stats.packets_received += 1
    tcb.answering.local = arrival.local
    tcb.answering.udp_port = arrival.port
    # Perhaps it is one of the peer's addresses in a moment; else it is where the answer goes (E6).
    path = Path(arrival.remote, arrival.local, arrival.port, tcb.rules)
    tcb.begin_packet(path)
    tried = False
    for kind, flags, value in _admitted(tcb, arrival):
        if kind != CHUNK_ASCONF or tcb.state not in asconf.COUNTS:
            continue
        tcb.stats.control_chunks_received += 1
        tried = True
        try:
            asconf.handle_asconf(tcb, arrival.now, path, flags, value)
        except ParseError:
            tcb.stats.packets_discarded += 1
    if not tried:
        tcb.stats.packets_discarded += 1
    return True


def is_named(tcb: Tcb, arrival: Arrival) -> bool:
    """Whether a packet has an ASCONF with an address of this association's peer, whatever tag is in it (D2)."""
    return any(kind == CHUNK_ASCONF and _has(tcb, wire.lookup_of(value)) for kind, _, value in arrival.chunks)


def _names(tcb: Tcb, value: bytes) -> bool:
    """Whether the Address Parameter of an ASCONF leads to this association, whose tag it has."""
    if not tcb.capabilities & ADDRESS_RECONFIGURATION:
        return False
    ip = wire.lookup_of(value)
    return ip != b"" and (not any(ip) or _has(tcb, ip) or asconf.has_answered(tcb, wire.serial_of(value)))


def _has(tcb: Tcb, ip: bytes) -> bool:
    """Whether this is an address of the peer, on whatever link, and the peer may change its addresses."""
    if not tcb.capabilities & ADDRESS_RECONFIGURATION:
        return False
    return ip in [without_zone(path.remote) for path in tcb.paths]


def _admitted(tcb: Tcb, arrival: Arrival) -> list[tuple[int, int, bytes]]:
    """The chunks that count: "If either authentication fails, or the AUTH chunk is missing, the receiver MUST silently
    discard this chunk and the rest of the packet" (D5).
    """
    if tcb.authentication is not None:
        return auth.admitted(tcb, arrival)
    found: list[tuple[int, int, bytes]] = []
    for one in [] if arrival.has_auth else arrival.chunks:
        if one[0] == CHUNK_AUTH:
            break  # It was not agreed on: an unknown chunk that ends the packet.
        found.append(one)
    return found
