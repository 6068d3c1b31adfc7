"""Paths that come and go while the association lives: the peer has added or deleted an address (RFC 5061 section 5.3).

A path that goes leaves nothing behind: whoever has it in hand gets another one. The data that was in flight there is
lost, and goes again over another path. What waits to be sent there is dropped, as the network could have dropped it:
whatever matters of it is said again.

An association may be left with addresses that are not confirmed. Then no data leaves until one of them is.

A path may be left without an address of ours to send from: of the peer's IPv6 addresses none can be reached once we
have deleted our last one. Nothing leaves for such a path, which counts as failed, until there is an address again.
"""

from __future__ import annotations

from ...wire.codes import CHUNK_ASCONF
from ..events import CHANGE_ADDED, CHANGE_REMOVED, PathChange
from ..ext import path_mtu
from ..ip import choose_source
from ..path import failover
from ..path.path import Path
from . import reachability
from .tcb import Tcb


def add(tcb: Tcb, now: int, remote: bytes, local: bytes, port: int) -> Path:
    """A new address of the peer, which is UNCONFIRMED (F14): HEARTBEATs begin to verify it."""
    # What came to an address that is being added or deleted is answered from another one (F1, F4).
    path = tcb.add_path(remote, local if local in (tcb.local_addresses or [local]) else b"", port)
    tcb.events.append(PathChange(tcb.association, remote, CHANGE_ADDED, path.state))
    reachability.schedule(tcb, now, path)
    return path


def remove(tcb: Tcb, now: int, path: Path) -> None:
    """An address is no longer the peer's (F13). It is not the last one."""
    tcb.paths.remove(path)
    tcb.moved = True
    heir = failover.select(tcb.paths, tcb.paths[0])
    if path.flight_size:
        reachability.repeat_flight(tcb, path)
    if path.last_data_sent:
        tcb.outstanding.leave(path, heir)
        heir.last_data_sent = max(heir.last_data_sent, 1)  # It has something from now on, if only from before.
    tcb.control = [entry for entry in tcb.control if entry[0] is not path]
    if tcb.preferred_primary is path:
        tcb.preferred_primary = None
    if tcb.data_path is path:
        tcb.data_path = None
    if tcb.tail_probe is not None and path in (tcb.tail_probe.path, tcb.tail_probe.to):
        tcb.tail_probe = None
    if tcb.sack_path is path:
        tcb.sack_path = None
    if tcb.closing is not None and tcb.closing.t2_path is path:
        tcb.closing.t2_path = heir
    for extension in tcb.extensions:
        extension.on_path_removed(path, heir)
    tcb.limit_packets()
    tcb.events.append(PathChange(tcb.association, path.remote, CHANGE_REMOVED, path.state))
    if tcb.primary is path:
        preferred = tcb.preferred_primary
        tcb.set_primary(heir)
        tcb.preferred_primary = preferred if preferred is not heir else None


def use_sources(tcb: Tcb, now: int, locals_: list[bytes], lost: bool = False) -> None:
    """Our addresses that packets may leave from are these now.

    A path that used another one has a new way to the peer, of which nothing is known. Data that had timed out on the
    old way goes again at once, or all data if that is ``lost``. Paths that carry no data move to an address that is
    new, if that suits them better: the peer is then reached over several networks.
    """
    gained = any(ip not in tcb.local_addresses for ip in locals_)
    tcb.local_addresses = locals_
    busy = tcb.data_destination()
    for path in tcb.paths:
        gone = path.local not in locals_
        if not gone and (path is busy or not gained):
            continue
        others = [other.local for other in tcb.paths if other is not path]
        source = choose_source(locals_, path.remote, others)
        if source == path.local:
            continue
        path.local = source
        path.cut_off = not source
        if not source:
            _cut_off(tcb, now, path)
            continue
        path_mtu.on_new_way(tcb, path)
        if gone:
            _begin_anew(tcb, now, path, lost)
        else:
            path.reset_congestion(tcb.rules)
    if tcb.sack_local not in locals_:
        tcb.sack_local = b""
    readdress(tcb)


def readdress(tcb: Tcb) -> None:
    """What waits to be sent leaves from addresses that the peer knows; an ASCONF from where it has to.

    An answer would leave from where the packet came to: perhaps an address that is not the peer's to know.
    """
    known = tcb.local_addresses
    if known:
        tcb.control = [
            (path, chunk, local if local in known or chunk[0] == CHUNK_ASCONF else path.local)
            for path, chunk, local in tcb.control
            if not path.cut_off or chunk[0] == CHUNK_ASCONF
        ]


def _cut_off(tcb: Tcb, now: int, path: Path) -> None:
    """No address of ours reaches this one."""
    path.begin_anew(tcb.rules)
    path.error_count = path.max_retrans + 1
    if failover.judge(path):
        tcb.tell_state(path)
    if path.flight_size:
        reachability.repeat_flight(tcb, path)
    tcb.leave_failed_primary()
    reachability.schedule(tcb, now, path)


def _begin_anew(tcb: Tcb, now: int, path: Path, lost: bool) -> None:
    """The way to this address is another one."""
    lost = lost or path.error_count > 0
    path.begin_anew(tcb.rules)
    if failover.judge(path):
        tcb.tell_state(path)
    if lost and path.flight_size:
        reachability.repeat_flight(tcb, path)
    elif path.flight_size:
        path.t3_deadline = min(path.t3_deadline, now + path.rto)
    reachability.schedule(tcb, now, path)
