"""Options of a path, of all paths of an association, or of future ones (RFC 6458 section 8.1.12 and its kin).

With an address of the peer they are for that path; with none or a wildcard for all there are, and for those to come.
"""

from __future__ import annotations

import errno
from typing import Final

from ...core.association.settings import check_switchover
from ...core.ip import is_ipv4
from ...core.outputs import DSCP_SHIFT, FLOW_LABEL
from ...core.path.path import Path, flowinfo
from ...core.rules import NO_SWITCHOVER
from ...wire.codes import COMMON_HEADER
from ...wire.params import IPV6_LENGTH
from .. import constants as c
from ..addresses import SocketAddress
from ..settings import AssociationSettings
from ..structs import PaddrParams, PaddrThlds, PaddrThldsV2, ProbeInterval, SackInfo, UdpEncaps
from .association import MILLISECOND, changed, reconfigured, set_delayed_sack
from .scope import Scope
from .whole import Change

_DSCP_IN_OCTET: Final = 2
"""Where the DSCP begins in ``spp_dscp``: two bits are ECN's."""
_EXCLUSIVE: Final = (c.SPP_HB, c.SPP_PMTUD, c.SPP_SACKDELAY)
NO_PRIMARY_CHANGE: Final = 0xFFFF
"""``spt_pathcpthld`` "disables the selection of a new primary peer address"."""
_MAX_HEARTBEAT_INTERVAL: Final = 86_400_000
SMALLEST_PATH_MTU: Final = 512
_SHORTEST_PROBE_INTERVAL: Final = 1000
"""Milliseconds: PROBE_TIMER "MUST NOT be smaller than 1 second" (RFC 8899 section 5.1.1)."""
_MAX_PROBE_INTERVAL: Final = 3_600_000
_ALMOST_ZERO: Final = 0.001
"""Seconds: an interval of 0 would switch heartbeats off in the core's parameters."""


def get_paddrparams(scope: Scope, asked: PaddrParams) -> PaddrParams:
    """Section 8.1.12."""
    settings, config = scope.settings, scope.config
    path = scope.path(asked.spp_address)
    heartbeats = settings.heartbeats if path is None else path.heartbeat_enabled
    discovers = config.path_mtu_discovery if path is None else path.discovers
    flags = c.SPP_PMTUD_ENABLE if discovers else c.SPP_PMTUD_DISABLE
    flags |= c.SPP_HB_ENABLE if heartbeats else c.SPP_HB_DISABLE
    flags |= c.SPP_SACKDELAY_DISABLE if settings.sack_every == 1 else c.SPP_SACKDELAY_ENABLE
    flags |= c.SPP_DSCP
    if scope.holder.ipv6 and (path is None or not is_ipv4(path.remote)):
        flags |= c.SPP_IPV6_FLOWLABEL  # "For non-IPv6 sockets, this flag will be left cleared."
    marks = flowinfo(config.dscp, config.flow_label, bytes(IPV6_LENGTH)) if path is None else path.flowinfo
    return PaddrParams(
        spp_assoc_id=scope.id,
        spp_address=asked.spp_address,
        spp_hbinterval=settings.heartbeat_interval if path is None else path.heartbeat_interval // MILLISECOND,
        spp_pathmaxrxt=config.path_max_retrans if path is None else path.max_retrans,
        spp_pathmtu=0 if path is None else path.pmdcs,
        spp_sackdelay=settings.sack_delay,
        spp_flags=flags,
        spp_ipv6_flowlabel=marks & FLOW_LABEL if flags & c.SPP_IPV6_FLOWLABEL else 0,
        spp_dscp=marks >> DSCP_SHIFT << _DSCP_IN_OCTET,
    )


def set_paddrparams(scope: Scope, value: PaddrParams) -> Change:
    """Section 8.1.12, with Linux's SPP_SACKDELAY."""
    flags = value.spp_flags
    path = scope.path(value.spp_address)
    association = scope.association
    if any(flags & both == both for both in _EXCLUSIVE):
        raise OSError(errno.EINVAL, f"spp_flags {flags:#x} contradict each other")
    if flags & c.SPP_IPV6_FLOWLABEL and not scope.holder.ipv6:
        raise OSError(errno.EINVAL, "SPP_IPV6_FLOWLABEL on a socket of family AF_INET")
    # "The 6 most significant bits are used for the DSCP", and of the label "the 20 least significant bits".
    dscp = value.spp_dscp >> _DSCP_IN_OCTET if flags & c.SPP_DSCP else -1
    flow_label = value.spp_ipv6_flowlabel & FLOW_LABEL if flags & c.SPP_IPV6_FLOWLABEL else -1
    if flags & c.SPP_HB_DEMAND and path is None:
        # "This must not be used in conjunction with a wildcard address."
        raise OSError(errno.EINVAL, "SPP_HB_DEMAND needs an address of the peer")
    fixed = value.spp_pathmtu if flags & c.SPP_PMTUD_DISABLE else 0
    if fixed and association is None:
        raise OSError(errno.EOPNOTSUPP, "the MTU of paths to come cannot be set")
    discovery = {c.SPP_PMTUD_ENABLE: True, c.SPP_PMTUD_DISABLE: False}.get(flags & c.SPP_PMTUD)
    paths = _paths(scope, path)
    if discovery and not all(one.discoverable for one in paths):
        raise OSError(errno.EOPNOTSUPP, "SPP_PMTUD_ENABLE: IP cannot be told here not to fragment packets")
    if fixed and not SMALLEST_PATH_MTU <= fixed <= min([_largest(one) for one in paths], default=0):
        raise OSError(errno.EINVAL, f"a path MTU of {fixed} bytes")
    sack: Change | None = None
    if flags & c.SPP_SACKDELAY_DISABLE:
        sack = set_delayed_sack(scope, SackInfo(sack_freq=1))
    elif flags & c.SPP_SACKDELAY_ENABLE:
        sack = set_delayed_sack(scope, SackInfo(sack_delay=value.spp_sackdelay, sack_freq=2))
    heartbeats = {c.SPP_HB_ENABLE: True, c.SPP_HB_DISABLE: False}.get(flags & c.SPP_HB)
    interval = 0 if flags & c.SPP_HB_TIME_IS_ZERO else -1
    if flags & c.SPP_HB_ENABLE and value.spp_hbinterval and interval:
        interval = value.spp_hbinterval
    if interval > _MAX_HEARTBEAT_INTERVAL:
        raise OSError(errno.EINVAL, f"a heartbeat interval of {interval} ms")
    max_retrans = value.spp_pathmaxrxt or -1
    if path is None:
        reconfigured(scope, path_max_retrans=value.spp_pathmaxrxt or None)
    _check_switchover(paths, max_retrans)

    def change() -> None:
        if sack is not None:
            sack()
        if path is None:
            _configure_heartbeats(scope, heartbeats, interval, max_retrans)
            _configure_marks(scope, dscp, flow_label)
            scope.configure(reconfigured(scope, path_mtu_discovery=discovery))
        if association is not None:
            nanoseconds = interval * MILLISECOND if interval >= 0 else -1
            mtu = fixed + COMMON_HEADER if fixed else -1
            for one in association.paths if path is None else [path]:
                association.configure_path(
                    scope.now,
                    one.remote,
                    heartbeats,
                    nanoseconds,
                    max_retrans,
                    mtu=mtu,
                    dscp=dscp,
                    flow_label=flow_label,
                    mtu_discovery=discovery,
                )
            if path is not None and flags & c.SPP_HB_DEMAND:
                association.request_heartbeat(scope.now, path.remote)

    return change


def _paths(scope: Scope, path: Path | None) -> list[Path]:
    """The path that is meant, or all that there are."""
    if path is not None:
        return [path]
    return scope.association.paths if scope.association is not None else []


def _largest(path: Path) -> int:
    """The largest path MTU of a path as the RFC counts it, "the number of bytes available [...] for chunks"."""
    return path.largest - COMMON_HEADER


def _configure_heartbeats(scope: Scope, heartbeats: bool | None, interval: int, max_retrans: int) -> None:
    """For paths to come."""
    settings: AssociationSettings = scope.settings
    if heartbeats is not None:
        settings.heartbeats = heartbeats
    if interval >= 0:
        settings.heartbeat_interval = interval
    scope.configure(
        reconfigured(
            scope,
            heartbeat_interval=max(settings.heartbeat_interval / 1000, _ALMOST_ZERO) if settings.heartbeats else 0.0,
            path_max_retrans=max_retrans if max_retrans >= 0 else None,
        )
    )


def _configure_marks(scope: Scope, dscp: int, flow_label: int) -> None:
    """For paths to come, and packets that belong to no path."""
    if dscp >= 0:
        scope.settings.dscp_chosen = True
    scope.configure(
        reconfigured(scope, dscp=dscp if dscp >= 0 else None, flow_label=flow_label if flow_label >= 0 else None)
    )


def get_thresholds(scope: Scope, asked: PaddrThlds) -> PaddrThlds:
    """RFC 7829 section 7.2, without the third threshold, as Linux has it."""
    path = scope.path(asked.spt_address)
    return PaddrThlds(
        spt_assoc_id=scope.id,
        spt_address=asked.spt_address,
        spt_pathmaxrxt=scope.config.path_max_retrans if path is None else path.max_retrans,
        spt_pathpfthld=(scope.config if path is None else path).potentially_failed_max_retrans,
    )


def set_thresholds(scope: Scope, value: PaddrThlds) -> Change:
    """RFC 7829 section 7.2: the third threshold stays as it is."""
    return _set_thresholds(scope, value.spt_address, value.spt_pathmaxrxt or -1, value.spt_pathpfthld, -1)


def _set_thresholds(
    scope: Scope, address: SocketAddress | None, max_retrans: int, pf_max_retrans: int, switchover: int
) -> Change:
    """Path.Max.Retrans, PFMR and PSMR, for a path or for all; below 0: as it is."""
    path = scope.path(address)
    association = scope.association
    paths = _paths(scope, path)
    changes: dict[str, int | None] = {"potentially_failed_max_retrans": pf_max_retrans}
    if max_retrans >= 0:
        changes["path_max_retrans"] = max_retrans
    if switchover >= 0:
        changes["primary_switchover_max_retrans"] = None if switchover == NO_SWITCHOVER else switchover
    config = scope.config if path is not None else changed(scope, changes)
    _check_switchover(paths, max_retrans, pf_max_retrans, switchover)

    def change() -> None:
        if path is None:
            scope.configure(config)
        if association is not None:
            for one in paths:
                association.configure_path(
                    scope.now,
                    one.remote,
                    max_retrans=max_retrans,
                    potentially_failed_max_retrans=pf_max_retrans,
                    primary_switchover_max_retrans=switchover,
                )

    return change


def _check_switchover(paths: list[Path], max_retrans: int, pf_max_retrans: int = -1, switchover: int = -1) -> None:
    """OSError EINVAL if a path cannot have these thresholds (RFC 7829 sections 5 and 7.2)."""
    for path in paths:
        check_switchover(path, max_retrans, pf_max_retrans, switchover)


def get_thresholds_v2(scope: Scope, asked: PaddrThldsV2) -> PaddrThldsV2:
    """RFC 7829 section 7.2."""
    path = scope.path(asked.spt_address)
    switchover = scope.config.primary_switchover_max_retrans
    if path is not None:
        switchover = path.primary_switchover_max_retrans
    two = get_thresholds(scope, PaddrThlds(spt_address=asked.spt_address))
    return PaddrThldsV2(
        spt_assoc_id=two.spt_assoc_id,
        spt_address=two.spt_address,
        spt_pathmaxrxt=two.spt_pathmaxrxt,
        spt_pathpfthld=two.spt_pathpfthld,
        spt_pathcpthld=NO_PRIMARY_CHANGE if switchover is None else min(switchover, NO_PRIMARY_CHANGE),
    )


def set_thresholds_v2(scope: Scope, value: PaddrThldsV2) -> Change:
    """RFC 7829 section 7.2."""
    limit = value.spt_pathcpthld
    switchover = NO_SWITCHOVER if limit == NO_PRIMARY_CHANGE else limit
    return _set_thresholds(scope, value.spt_address, value.spt_pathmaxrxt or -1, value.spt_pathpfthld, switchover)


def get_encapsulation(scope: Scope, asked: UdpEncaps) -> UdpEncaps:
    """RFC 6951 section 6.1."""
    path = scope.path(asked.sue_address)
    port = scope.settings.encaps_port if path is None else path.encaps_port
    return UdpEncaps(sue_assoc_id=scope.id, sue_address=asked.sue_address, sue_port=port)


def set_encapsulation(scope: Scope, value: UdpEncaps) -> Change:
    """RFC 6951 section 6.1: a wildcard address "applies only to future paths"."""
    path = scope.path(value.sue_address)
    if path is None:
        settings = scope.settings

        def name() -> None:
            settings.encaps_port = value.sue_port
            settings.encaps_port_named = True

        return name
    remote = path.remote
    return lambda: scope.live().configure_path(scope.now, remote, encaps_port=value.sue_port)


def get_probe_interval(scope: Scope, asked: ProbeInterval) -> ProbeInterval:
    """PROBE_TIMER of RFC 8899, as Linux has it: in milliseconds, 0 where the path MTU is not discovered."""
    path = scope.path(asked.spi_address)
    if path is None:
        interval = round(scope.config.path_mtu_probe_timer * 1000) if scope.config.path_mtu_discovery else 0
    else:
        interval = path.probe_timer // MILLISECOND if path.discovers else 0
    return ProbeInterval(spi_assoc_id=scope.id, spi_address=asked.spi_address, spi_interval=interval)


def set_probe_interval(scope: Scope, value: ProbeInterval) -> Change:
    """The same. 0 switches discovery off, as SPP_PMTUD_DISABLE does; anything else switches it on."""
    interval = value.spi_interval
    if interval and not _SHORTEST_PROBE_INTERVAL <= interval <= _MAX_PROBE_INTERVAL:
        raise OSError(errno.EINVAL, f"spi_interval {interval}: between {_SHORTEST_PROBE_INTERVAL} and an hour, or 0")
    path = scope.path(value.spi_address)
    paths = _paths(scope, path)
    if interval and not all(one.discoverable for one in paths):
        raise OSError(errno.EOPNOTSUPP, "IP cannot be told here not to fragment packets")
    timer = interval / 1000 if interval else None
    config = reconfigured(scope, path_mtu_discovery=interval > 0, path_mtu_probe_timer=timer)
    association = scope.association

    def change() -> None:
        if path is None:
            scope.configure(config)
        if association is not None:
            for one in paths:
                nanoseconds = interval * MILLISECOND if interval else -1
                association.configure_path(scope.now, one.remote, mtu_discovery=interval > 0, probe_timer=nanoseconds)

    return change
