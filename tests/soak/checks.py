"""What must hold of a stack and of each of its associations, whatever befalls them."""

from __future__ import annotations

import gc
from collections import Counter

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED, STATE_NAMES
from sctpx.core.association.tcb import MAX_CONTROL, Tcb
from sctpx.core.path.path import Path
from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER

LARGEST: int = 300_000
"""Bytes of the largest message of a soak world: a send buffer takes one beyond its size."""
OVERHEAD: int = 256
SPARE: int = 9000
"""Bytes that a receive buffer may hold beyond its size (a packet)."""


def check_association(association: Association, name: str) -> None:
    """Sums add up, limits hold, what waits has a timer."""
    tcb = association.tcb
    config = tcb.config
    name = f"{name} in {STATE_NAMES[tcb.state]}"
    out = tcb.outstanding
    out.check_invariants()
    tcb.tsn_map.check_invariants()
    assert sum(path.flight_size for path in tcb.paths) == out.flight_size, f"{name}: the flight of the paths"
    for path in tcb.paths:
        assert path.earliest_tsn == out.find_earliest(path), f"{name}: the earliest TSN of a path"
        assert path.flight_size == 0 or path.t3_deadline != NEVER, f"{name}: in flight without T3-rtx"
        assert path.flight_size >= 0, f"{name}: {path.flight_size} bytes in flight"
        assert path.cwnd > 0, f"{name}: a window of {path.cwnd}"
    assert 0 <= tcb.buffered <= config.send_buffer + LARGEST + OVERHEAD, f"{name}: {tcb.buffered} bytes to be sent"
    held = sum(len(message[0]) for message in tcb.reassembly.ready)
    assert held <= tcb.window.held <= 2 * tcb.window.size + SPARE, f"{name}: {tcb.window.held} bytes received"
    assert len(tcb.control) <= 2 * MAX_CONTROL, f"{name}: {len(tcb.control)} control chunks wait"
    assert len(tcb.tsn_map.ranges) <= 2048, f"{name}: {len(tcb.tsn_map.ranges)} ranges of TSNs"
    assert len(tcb.paths) <= tcb.endpoint.limits.peer_addresses + 1, f"{name}: {len(tcb.paths)} paths"
    assert tcb.error_count <= config.association_max_retrans, f"{name}: {tcb.error_count} errors, and it lives"
    waiting = len(tcb.send_queue) > 0 or not out.empty
    assert waiting or not tcb.buffered, f"{name}: nothing waits, and the send buffer has {tcb.buffered} bytes"


def check_stack(stack: Stack, name: str) -> None:
    """Every association is sound, and is looked at again if it waits for something."""
    deadline = stack.next_timeout()
    for endpoint in stack.endpoints.values():
        for association in endpoint.associations.values():
            where = f"{name} port {endpoint.port}"
            check_association(association, where)
            tcb = association.tcb
            waits = tcb.state != ESTABLISHED or len(tcb.send_queue) > 0 or not tcb.outstanding.empty
            assert not waits or deadline is not None, f"{where} waits for something, and no timer runs"
            assert tcb.state != CLOSED, f"{where} is kept, and over"


def is_at_rest(association: Association) -> bool:
    """All that was sent is acknowledged, and it waits for nothing."""
    tcb = association.tcb
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        return False
    return tcb.state == CLOSED or (not len(tcb.send_queue) and tcb.outstanding.empty)


def check_rest(association: Association, name: str) -> None:
    """Nothing is left over of what was acknowledged and read."""
    tcb = association.tcb
    out = tcb.outstanding
    assert not out.special, f"{name}: TSNs with a state of their own"
    assert out.flight_size == out.marked_chunks == tcb.buffered == 0, f"{name}: at rest, with something in flight"
    assert not any(path.flight_size for path in tcb.paths), f"{name}: at rest, with something in flight"


def kept() -> Counter[str]:
    """What the garbage collector still finds of associations."""
    gc.collect()
    kinds = (Association, Tcb, Path)
    return Counter(type(one).__name__ for one in gc.get_objects() if type(one) in kinds)


def describe(association: Association) -> str:
    """What one wants to know of an association that does not come to rest."""
    tcb = association.tcb
    out = tcb.outstanding
    paths = [
        f"{path.remote.hex()} from {path.local.hex()}: state {path.state}, {path.flight_size} in flight, cwnd "
        f"{path.cwnd}, errors {path.error_count}, RTO {path.rto / 1e9:.1f}, MTU {path.mtu}, "
        f"T3 {path.t3_deadline != NEVER}, cut off {path.cut_off}"
        for path in tcb.paths
    ]
    return (
        f"{STATE_NAMES[tcb.state]}, queued {tcb.send_queue.queued_bytes}, flight {out.flight_size}, marked "
        f"{out.marked_chunks}, peer's window {tcb.peer_rwnd}, errors {tcb.error_count}, probe {tcb.probe is not None}, "
        f"extensions {[type(one).__name__ for one in tcb.extensions]}, paths: {paths}"
    )
