"""Packets of ours that the network returned, or the system did not take (RFC 9260 section 10).

Anybody can send an ICMP error: it counts only if what it returns of the packet proves the tag (ICMP6).
"""

from __future__ import annotations

from errno import EMSGSIZE, ENOBUFS, ENOPROTOOPT
from typing import Final

from ...wire.codes import CHUNK_INIT, COMMON_HEADER
from ...wire.packet import parse_prefix
from ..ext import path_mtu
from ..outputs import Transmit
from . import handshake, reachability, shutdown
from .state import COOKIE_WAIT
from .tcb import Tcb

# The size of a packet may be the reason.
_SIZES: Final = (EMSGSIZE, ENOBUFS)
_INIT: Final = bytes((CHUNK_INIT,))


def handle_icmp(tcb: Tcb, now: int, remote: bytes, port: int, error: int, payload: bytes, mtu: int = 0) -> None:
    """An ICMP error about a packet to ``remote`` and UDP port ``port``, 0 without encapsulation.

    That the packet was too big, for a link of that ``mtu``, is for path MTU discovery (ICMP7), and says nothing against
    the path.
    """
    _, _, tag = parse_prefix(payload)
    if error == EMSGSIZE:
        path = tcb.find_path(remote)
        # Everybody knows the tag of an INIT, which is 0.
        if tag and tag == tcb.peer_tag and path is not None and path.encaps_port == port:
            path_mtu.handle_icmp(tcb, now, path, mtu)
        return
    if tag == 0:
        own = tcb.local_tag.to_bytes(4, "big")
        proven = payload[COMMON_HEADER : COMMON_HEADER + 1] == _INIT and payload[16:20] == own
        if proven:
            handshake.handle_icmp(tcb, now, remote, port, error)
    elif tag == tcb.peer_tag:
        path = tcb.find_path(remote)
        if path is None or path.encaps_port != port:
            return  # It says nothing about how packets go there now.
        no_sctp = error == ENOPROTOOPT and not port
        if no_sctp and tcb.config.on_protocol_unreachable == "end":
            shutdown.handle_abort(tcb, [], reflected=True)  # ICMP8
        else:
            reachability.on_error(tcb, now, path, error)


def handle_send_error(tcb: Tcb, now: int, transmit: Transmit, error: int) -> None:
    """The link could not send these packets: that is an answer to an INIT.

    After the handshake it is a loss like any other: T3-rtx and the heartbeats judge the path. A packet that is too big
    for the interface is for path MTU discovery. So is one for which the interface never had room, which is a loss even
    if it is an INIT.
    """
    _, _, tag = parse_prefix(transmit.data)
    if tag and error in _SIZES:
        path = tcb.find_path(transmit.remote)
        if path is not None and path.discovers:
            first = transmit.data[: transmit.segment]
            if error == EMSGSIZE:
                path_mtu.handle_send_error(tcb, now, path, first)
            else:
                path_mtu.handle_no_room(path, len(first))
    elif tag == 0 and tcb.state == COOKIE_WAIT and error != ENOBUFS:
        handshake.handle_send_error(tcb, now, transmit.remote, transmit.port, error)
