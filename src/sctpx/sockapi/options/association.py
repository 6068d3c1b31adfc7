"""Options of associations (RFC 6458 section 8).

The parameters of the core are in seconds, those here in milliseconds, and 0 leaves a value as it is. A setter first
works out all that will change, and raises if something is wrong with it.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any, Final

from ...core.association import state
from ...core.config import NANOSECONDS, AssociationConfig
from ...core.path.path import Path
from ...core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from .. import constants as c
from ..addresses import find_alike, pack_host, socket_address
from ..settings import MILLISECONDS
from ..status import shown
from ..structs import (
    AssocParams,
    AssocStats,
    AssocValue,
    PaddrInfo,
    RtoInfo,
    SackInfo,
    SetPrim,
    Status,
)
from .scope import Scope
from .whole import Change

MILLISECOND: Final = NANOSECONDS // MILLISECONDS
NO_BURST_LIMIT: Final = 1 << 16
"""``max_burst`` of the core that limits nothing."""
MAX_SACK_DELAY: Final = 500
_U16: Final = 0xFFFF


def reconfigured(scope: Scope, **changes: Any) -> AssociationConfig:
    """The parameters with changes; those that are None stay. OSError EINVAL if the core does not take them."""
    return changed(scope, {name: value for name, value in changes.items() if value is not None})


def changed(scope: Scope, changes: dict[str, Any]) -> AssociationConfig:
    """The parameters with changes. OSError EINVAL if the core does not take them."""
    try:
        return replace(scope.config, **changes)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None


def seconds(milliseconds: int) -> float | None:
    """A time that is to be set; ``None`` if it stays."""
    return milliseconds / MILLISECONDS if milliseconds else None


def milliseconds(value: float) -> int:
    """Seconds as they are told."""
    return round(value * MILLISECONDS)


# --- timers and limits ---


def get_rtoinfo(scope: Scope, _: object) -> RtoInfo:
    """Section 8.1.1."""
    config = scope.config
    return RtoInfo(
        srto_assoc_id=scope.id,
        srto_initial=milliseconds(config.rto_initial),
        srto_max=milliseconds(config.rto_max),
        srto_min=milliseconds(config.rto_min),
    )


def set_rtoinfo(scope: Scope, value: RtoInfo) -> Change:
    """Section 8.1.1."""
    config = reconfigured(
        scope,
        rto_initial=seconds(value.srto_initial),
        rto_max=seconds(value.srto_max),
        rto_min=seconds(value.srto_min),
    )
    return lambda: scope.configure(config)


def get_associnfo(scope: Scope, _: object) -> AssocParams:
    """Section 8.1.2."""
    association = scope.association
    return AssocParams(
        sasoc_assoc_id=scope.id,
        sasoc_asocmaxrxt=min(scope.config.association_max_retrans, _U16),
        sasoc_number_peer_destinations=len(association.paths) if association is not None else 0,
        sasoc_peer_rwnd=max(association.peer_rwnd, 0) if association is not None else 0,
        sasoc_local_rwnd=scope.config.receive_buffer if association is None else association.local_rwnd,
        sasoc_cookie_life=milliseconds(scope.config.cookie_life),
    )


def set_associnfo(scope: Scope, value: AssocParams) -> Change:
    """Section 8.1.2. More retransmissions than all paths together allow are refused, as Linux does."""
    paths = scope.association.paths if scope.association is not None else []
    if len(paths) > 1 and value.sasoc_asocmaxrxt > sum([path.max_retrans for path in paths]):
        raise OSError(errno.EINVAL, f"{value.sasoc_asocmaxrxt} retransmissions are more than those of all paths")
    config = reconfigured(
        scope,
        association_max_retrans=value.sasoc_asocmaxrxt or None,
        cookie_life=seconds(value.sasoc_cookie_life),
    )
    return lambda: scope.configure(config)


def get_delayed_sack(scope: Scope, _: object) -> SackInfo:
    """Section 8.1.19."""
    settings = scope.settings
    return SackInfo(sack_assoc_id=scope.id, sack_delay=settings.sack_delay, sack_freq=settings.sack_every)


def set_delayed_sack(scope: Scope, value: SackInfo) -> Change:
    """Section 8.1.19. At least every second packet is acknowledged (RFC 9260 section 6.2)."""
    if value.sack_delay > MAX_SACK_DELAY or value.sack_freq > 2:
        raise OSError(errno.EINVAL, f"a SACK after {value.sack_delay} ms or {value.sack_freq} packets")
    settings = scope.settings
    delay = value.sack_delay or settings.sack_delay
    every = value.sack_freq or settings.sack_every
    config = reconfigured(scope, sack_delay=0.0 if every == 1 else delay / MILLISECONDS)

    def change() -> None:
        settings.sack_delay, settings.sack_every = delay, every
        scope.configure(config)

    return change


def get_max_burst(scope: Scope, _: object) -> AssocValue:
    """Section 8.1.24."""
    burst = scope.config.max_burst
    return AssocValue(assoc_id=scope.id, assoc_value=0 if burst == NO_BURST_LIMIT else burst)


def set_max_burst(scope: Scope, value: AssocValue) -> Change:
    """Section 8.1.24: "Setting the value to 0 disables burst mitigation"."""
    config = reconfigured(scope, max_burst=value.assoc_value or NO_BURST_LIMIT)
    return lambda: scope.configure(config)


def get_maxseg(scope: Scope, _: object) -> AssocValue:
    """Section 8.1.16."""
    return AssocValue(assoc_id=scope.id, assoc_value=scope.config.max_segment)


def set_maxseg(scope: Scope, value: AssocValue) -> Change:
    """Section 8.1.16: larger than an IP datagram is "the same as setting this option to 0"."""
    config = reconfigured(scope, max_segment=value.assoc_value if value.assoc_value <= _U16 else 0)
    return lambda: scope.configure(config)


def get_nodelay(scope: Scope, _: object) -> int:
    """Section 8.1.5."""
    return int(scope.config.nodelay)


def set_nodelay(scope: Scope, value: int) -> Change:
    """Section 8.1.5."""
    config = reconfigured(scope, nodelay=value != 0)
    return lambda: scope.configure(config)


def get_context(scope: Scope, _: object) -> AssocValue:
    """Section 8.1.25."""
    return AssocValue(assoc_id=scope.id, assoc_value=scope.settings.context)


def set_context(scope: Scope, value: AssocValue) -> Change:
    """Section 8.1.25."""
    return lambda: setattr(scope.settings, "context", value.assoc_value)


def get_expose_pf(scope: Scope, _: object) -> AssocValue:
    """RFC 7829 section 7.3."""
    return AssocValue(assoc_id=scope.id, assoc_value=int(scope.config.expose_potentially_failed))


def set_expose_pf(scope: Scope, value: AssocValue) -> Change:
    """RFC 7829 section 7.3."""
    config = reconfigured(scope, expose_potentially_failed=value.assoc_value != 0)
    return lambda: scope.configure(config)


# --- the primary path ---


def get_primary(scope: Scope, _: object) -> SetPrim:
    """Section 8.1.9."""
    association = scope.live()
    if association.primary is None:
        raise OSError(errno.EINVAL, "the association has no primary path yet")
    address = socket_address(association.primary.remote, association.peer_port, scope.holder.settings.mapped_v4)
    return SetPrim(ssp_assoc_id=scope.id, ssp_addr=address)


def set_primary(scope: Scope, value: SetPrim) -> Change:
    """Section 8.1.9: "No wildcard address is allowed"."""
    path = scope.path(value.ssp_addr)
    if path is None or not path.confirmed:
        raise OSError(errno.EINVAL, "not a confirmed address of the peer")
    association = scope.live()
    if association.state in (state.CLOSED, state.COOKIE_WAIT, state.COOKIE_ECHOED):
        raise OSError(errno.EINVAL, "the association is not up")
    remote = path.remote
    return lambda: association.set_primary(scope.now, remote)


# --- read-only ---

_STATES: Final = {
    state.CLOSED: c.SCTP_CLOSED,
    state.COOKIE_WAIT: c.SCTP_COOKIE_WAIT,
    state.COOKIE_ECHOED: c.SCTP_COOKIE_ECHOED,
    state.ESTABLISHED: c.SCTP_ESTABLISHED,
    state.SHUTDOWN_PENDING: c.SCTP_SHUTDOWN_PENDING,
    state.SHUTDOWN_SENT: c.SCTP_SHUTDOWN_SENT,
    state.SHUTDOWN_RECEIVED: c.SCTP_SHUTDOWN_RECEIVED,
    state.SHUTDOWN_ACK_SENT: c.SCTP_SHUTDOWN_ACK_SENT,
}
_PATH_STATES: Final = {
    PATH_ACTIVE: c.SCTP_ACTIVE,
    PATH_POTENTIALLY_FAILED: c.SCTP_POTENTIALLY_FAILED,
    PATH_INACTIVE: c.SCTP_INACTIVE,
}


def get_status(scope: Scope, _: object) -> Status:
    """Section 8.2.1."""
    association = scope.live()
    primary = association.primary
    return Status(
        sstat_assoc_id=scope.id,
        sstat_state=_STATES[association.state],
        sstat_rwnd=max(association.peer_rwnd, 0),
        sstat_unackdata=min(association.unacknowledged, _U16),
        sstat_penddata=min(association.readable, _U16),
        sstat_instrms=association.inbound_streams,
        sstat_outstrms=association.outbound_streams,
        sstat_fragmentation_point=association.fragmentation_point,
        sstat_primary=_paddrinfo(scope, primary) if primary is not None else PaddrInfo(spinfo_assoc_id=scope.id),
    )


def get_paddrinfo(scope: Scope, asked: PaddrInfo) -> PaddrInfo:
    """Section 8.2.2: of the address that is asked for."""
    if not scope.holder.one_to_many or asked.spinfo_assoc_id:
        path = scope.path(asked.spinfo_address)
    else:
        path = _find(scope, asked)
    if path is None:
        raise OSError(errno.EINVAL, "no address of the peer")
    return _paddrinfo(scope, path)


def _find(scope: Scope, asked: PaddrInfo) -> Path | None:
    """ "If the application does not fill in the spinfo_assoc_id, then the address will be used" (section 8.2.2)."""
    if asked.spinfo_address is None:
        return None
    port = asked.spinfo_address[1]
    members = [member for member in scope.holder.members.values() if member.core.peer_port == port]
    remotes = [path.remote for member in members for path in member.core.paths]
    ip = find_alike(pack_host(asked.spinfo_address), remotes)
    for member in members:
        for path in member.core.paths:
            if path.remote == ip:
                scope.settings, scope.association = member.settings, member.core
                return path
    return None


def _paddrinfo(scope: Scope, path: Path) -> PaddrInfo:
    reported = _PATH_STATES[shown(path.state, scope.config.expose_potentially_failed)]
    if not path.confirmed:
        reported = c.SCTP_UNCONFIRMED
    return PaddrInfo(
        spinfo_assoc_id=scope.id,
        spinfo_address=socket_address(path.remote, scope.live().peer_port, scope.holder.settings.mapped_v4),
        spinfo_state=reported,
        spinfo_cwnd=path.cwnd,
        spinfo_srtt=path.srtt // MILLISECOND,
        spinfo_rto=path.rto // MILLISECOND,
        spinfo_mtu=path.pmdcs,
    )


def get_assoc_stats(scope: Scope, _: object) -> AssocStats:
    """As Linux has it, but that messages are counted as ordered and unordered, not chunks. The longest RTO is that of
    all the time since the association began.
    """
    association = scope.live()
    stats = association.stats
    slowest = max(association.paths, key=lambda path: path.rto_highest, default=None)
    return AssocStats(
        sas_assoc_id=scope.id,
        sas_obs_rto_ipaddr=socket_address(slowest.remote, association.peer_port) if slowest is not None else None,
        sas_maxrto=slowest.rto_highest // MILLISECOND if slowest is not None else 0,
        sas_isacks=stats.sacks_received,
        sas_osacks=stats.sacks_sent,
        sas_opackets=stats.packets_sent,
        sas_ipackets=stats.packets_received,
        sas_rtxchunks=stats.chunks_retransmitted,
        sas_outofseqtsns=stats.out_of_sequence_tsns,
        sas_idupchunks=stats.duplicate_tsns,
        sas_gapcnt=stats.gap_sacks_received,
        sas_ouodchunks=stats.unordered_sent,
        sas_iuodchunks=association.unordered_received,
        sas_oodchunks=stats.messages_sent - stats.unordered_sent,
        sas_iodchunks=stats.messages_received - association.unordered_received,
        sas_octrlchunks=stats.control_chunks_sent + stats.sacks_sent,
        sas_ictrlchunks=stats.control_chunks_received + stats.sacks_received,
    )
