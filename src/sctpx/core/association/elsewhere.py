"""ASCONFs with our tag from an address that is not the peer's: it may have no other one left (RFC 5061 section 5.2).

The RFC looks the association up by an address in the ASCONF (D2, section 5.3.2). Here the Verification Tag finds it,
which is the peer's alone to know, and the AUTH chunk in front shows whose packet it is.
"""

from __future__ import annotations

from ...wire.codes import CHUNK_ASCONF
from ...wire.tlv import ParseError
from ..arrival import Arrival
from ..capabilities import ADDRESS_RECONFIGURATION
from ..ext import asconf, auth
from ..path.path import Path
from .tcb import Tcb


def handle(tcb: Tcb, arrival: Arrival) -> bool:
    """A packet from a stranger. True if it begins with ASCONFs that may count: these are processed, and nothing else.

    "the sender MUST NOT use the new IP address as a source for ANY SCTP packet except on carrying an ASCONF" (F1).
    """
    if not tcb.capabilities & ADDRESS_RECONFIGURATION or tcb.state not in asconf.COUNTS:
        return False
    if arrival.kind != CHUNK_ASCONF or arrival.has_auth is (tcb.authentication is None):
        return False
    tcb.stats.packets_received += 1
    tcb.answering.local = arrival.local
    tcb.answering.udp_port = arrival.port
    # Perhaps it is one of the peer's addresses in a moment; else it is where the answer goes (E6).
    path = Path(arrival.remote, arrival.local, arrival.port, tcb.config)
    tcb.begin_packet(path)
    for kind, flags, value in arrival.chunks if tcb.authentication is None else auth.admitted(tcb, arrival):
        if kind != CHUNK_ASCONF:
            break
        tcb.stats.control_chunks_received += 1
        try:
            asconf.handle_asconf(tcb, arrival.now, path, flags, value)
        except ParseError:
            tcb.stats.packets_discarded += 1
    return True
