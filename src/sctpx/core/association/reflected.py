"""Packets with the peer's own tag instead of ours: whoever sends them knows no association (RFC 9260 section 8.5.1)."""

from __future__ import annotations

from ...wire import causes
from ...wire.codes import CHUNK_ABORT, CHUNK_SHUTDOWN_COMPLETE, FLAG_T
from ..arrival import Arrival
from ..ext import asconf, auth
from . import shutdown
from .state import COOKIE_WAIT, SHUTDOWN_ACK_SENT
from .tcb import Tcb


def handle(tcb: Tcb, arrival: Arrival) -> bool:
    """A packet from an address of the association's peer: whether it was an ABORT or SHUTDOWN COMPLETE that counts."""
    if arrival.tag != tcb.peer_tag:
        return False
    for kind, flags, value in arrival.chunks if tcb.authentication is None else auth.admitted(tcb, arrival):
        if not flags & FLAG_T:
            continue
        seen = causes.parse_or_none(value) if kind == CHUNK_ABORT else None
        unsettled = asconf.is_unsettled(tcb, arrival.now, arrival.local, True)
        if seen is not None and tcb.state != COOKIE_WAIT and not unsettled:
            shutdown.handle_abort(tcb, seen, reflected=True)
            return True
        if kind == CHUNK_SHUTDOWN_COMPLETE and tcb.state == SHUTDOWN_ACK_SENT:
            shutdown.handle_shutdown_complete(tcb)
            return True
    return False
