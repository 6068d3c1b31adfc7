"""An ``AssociationConfig`` as options of a socket of the kernel. Nothing but computing.

What the kernel cannot do is refused, not dropped: a parameter that has no option and is not as it is by default.
"""

from __future__ import annotations

import errno
from dataclasses import fields
from operator import attrgetter
from typing import Final, TypeAlias

from ..core.config import AssociationConfig
from ..sockapi import constants as c
from ..sockapi.options.paths import NO_PRIMARY_CHANGE
from ..sockapi.options.reconfiguration import ALLOWED
from ..sockapi.options.streams import NUMBERS
from ..sockapi.structs import (
    AssocParams,
    AssocValue,
    AuthChunk,
    AuthKey,
    AuthKeyId,
    HmacAlgo,
    InitMsg,
    PaddrParams,
    PaddrThlds,
    PaddrThldsV2,
    RtoInfo,
    SetAdaptation,
    Struct,
)

Setting: TypeAlias = tuple[int, int, Struct | int]
"""``(level, option, value)``."""

_MILLISECONDS: Final = 1000
_DEFAULT: Final = AssociationConfig()
NOT_THE_KERNELS: Final = frozenset(
    {
        "congestion",
        "heartbeat_max_burst",
        "stretch_sack",
        "shutdown_guard",
        "drain_guard",
        "on_protocol_unreachable",
        "on_restart",
        "attempt_delay",
        "connect_timeout",
        "max_message_size",
        "error_detection_method",
        "interleaving",
        "loss_recovery",
        "stream_values",
        "max_outbound_streams",
        "unauthenticated_asconf",
        "path_mtu_probe_timer",
    }
)
"""The parameters that have no option in the kernel."""
_values: Final = attrgetter(*sorted(NOT_THE_KERNELS))
_DEFAULT_VALUES: Final = _values(_DEFAULT)
BY_ENDPOINT: Final = frozenset({"auto_asconf", "expose_potentially_failed"})
"""Those that ``aio.over_kernel.endpoint`` sees to: the kernel takes one from sockets that are bound, and older ones do
not have the other."""


OF_A_PORT: Final = (
    "authenticated_chunks",
    "hmac_algorithms",
    "shared_keys",
    "active_key",
    "deactivated_keys",
    "expose_potentially_failed",
)
"""Those that are the same for all associations of an SCTP port of asyncio. Of keys the kernel does not tell which there
are, and its lists only grow."""


def not_the_kernels(config: AssociationConfig) -> list[str]:
    """The parameters that the kernel does not have and that are not as they are by default.

    ``attempt_delay=None`` asks for one address at a time, which is what the kernel does.
    """
    if _values(config) == _DEFAULT_VALUES:  # As nearly always: asked in every connect.
        return []
    return [
        field.name
        for field in fields(config)
        if field.name in NOT_THE_KERNELS
        and getattr(config, field.name) != getattr(_DEFAULT, field.name)
        and not (field.name == "attempt_delay" and config.attempt_delay is None)
    ]


def check(config: AssociationConfig) -> None:
    """``OSError`` (EOPNOTSUPP) that names the parameters which the kernel does not have."""
    wanted = not_the_kernels(config)
    if wanted:
        raise OSError(errno.EOPNOTSUPP, f"the kernel's SCTP has no {', '.join(wanted)}: leave these parameters out")


def check_one_of(config: AssociationConfig, port: AssociationConfig) -> None:
    """``OSError`` (EOPNOTSUPP) if one association of an SCTP port cannot have these parameters."""
    other = [name for name in OF_A_PORT if getattr(config, name) != getattr(port, name)]
    if other:
        raise OSError(errno.EOPNOTSUPP, f"the kernel has {', '.join(other)} for a whole SCTP port: give them with that")


def settings(config: AssociationConfig, other: AssociationConfig = _DEFAULT) -> list[Setting]:
    """The options that make a socket behave so, in the order in which they are to be set. ``OSError`` as ``check``.

    ``other`` is how the socket behaves so far, as far as it is known.
    """
    check(config)
    sctp = c.IPPROTO_SCTP
    found: list[Setting] = [
        (c.SOL_SOCKET, c.SO_RCVBUF, config.receive_buffer),
        (c.SOL_SOCKET, c.SO_SNDBUF, config.send_buffer),
        (sctp, c.SCTP_INITMSG, _init(config)),
        (
            sctp,
            c.SCTP_RTOINFO,
            RtoInfo(srto_initial=_ms(config.rto_initial), srto_max=_ms(config.rto_max), srto_min=_ms(config.rto_min)),
        ),
        (
            sctp,
            c.SCTP_ASSOCINFO,
            AssocParams(sasoc_asocmaxrxt=config.association_max_retrans, sasoc_cookie_life=_ms(config.cookie_life)),
        ),
        (sctp, c.SCTP_PEER_ADDR_PARAMS, _path(config, other)),
        _thresholds(config, other),
        (sctp, c.SCTP_MAX_BURST, AssocValue(assoc_value=config.max_burst)),
        (sctp, c.SCTP_NODELAY, int(config.nodelay)),
    ]
    # What is as by default is left to the kernel, unless it is otherwise so far.
    changed = {field.name for field in fields(config) for one in (config, other) if _is_set(one, field.name)}
    if "scheduler" in changed:
        if config.scheduler == "rr_pkt":
            raise OSError(errno.EOPNOTSUPP, 'the kernel\'s SCTP has no scheduler "rr_pkt": take "rr" or another one')
        number = NUMBERS[config.scheduler]
        found.append((sctp, c.SCTP_STREAM_SCHEDULER, AssocValue(assoc_value=number)))
    if "partial_reliability" in changed:
        found.append((sctp, c.SCTP_PR_SUPPORTED, AssocValue(assoc_value=int(config.partial_reliability))))
    found.append((sctp, c.SCTP_RECONFIG_SUPPORTED, AssocValue(assoc_value=int(config.stream_reconfiguration))))
    if changed.intersection(ALLOWED.values()):
        allowed = sum([flag for flag, name in ALLOWED.items() if getattr(config, name)])
        found.append((sctp, c.SCTP_ENABLE_STREAM_RESET, AssocValue(assoc_value=allowed)))
    if "adaptation_layer" in changed:
        found.append((sctp, c.SCTP_ADAPTATION_LAYER, SetAdaptation(ssb_adaptation_ind=config.adaptation_layer or 0)))
    if "ecn" in changed:
        found.append((sctp, c.SCTP_ECN_SUPPORTED, AssocValue(assoc_value=int(config.ecn))))
    found.extend(_security(config, other))
    if "max_segment" in changed:
        found.append((sctp, c.SCTP_MAXSEG, AssocValue(assoc_value=config.max_segment)))
    if "partial_delivery_point" in changed:
        found.append((sctp, c.SCTP_PARTIAL_DELIVERY_POINT, config.partial_delivery_point))
    return found


def _is_set(config: AssociationConfig, name: str) -> bool:
    """It is not as by default."""
    return bool(getattr(config, name) != getattr(_DEFAULT, name))


def _security(config: AssociationConfig, other: AssociationConfig) -> list[Setting]:
    """Authentication and what needs it. The kernel wants to have them in this order, and gives them up in the other."""
    sctp = c.IPPROTO_SCTP
    found: list[Setting] = []
    moves, moved = config.address_reconfiguration, other.address_reconfiguration
    if moved and not moves:
        found.append((sctp, c.SCTP_ASCONF_SUPPORTED, AssocValue()))
    if config.authenticates or moves:
        found.extend(_authentication(config))
    elif other.authenticates or moved:
        found.append((sctp, c.SCTP_AUTH_SUPPORTED, AssocValue()))
    if moves:
        found.append((sctp, c.SCTP_ASCONF_SUPPORTED, AssocValue(assoc_value=1)))
    return found


def _authentication(config: AssociationConfig) -> list[Setting]:
    """Keys before the one that is active; the empty key 0, which the kernel has by itself, goes if it is not wanted."""
    sctp = c.IPPROTO_SCTP
    found: list[Setting] = [
        (sctp, c.SCTP_AUTH_SUPPORTED, AssocValue(assoc_value=1)),
        (sctp, c.SCTP_HMAC_IDENT, HmacAlgo(shmac_idents=config.hmac_algorithms)),
    ]
    found.extend([(sctp, c.SCTP_AUTH_CHUNK, AuthChunk(sauth_chunk=kind)) for kind in config.authenticated_chunks])
    keys = dict(config.shared_keys)
    for number, key in keys.items():
        if number or key:
            found.append((sctp, c.SCTP_AUTH_KEY, AuthKey(sca_keynumber=number, sca_key=key)))
    if config.first_key:
        found.append((sctp, c.SCTP_AUTH_ACTIVE_KEY, AuthKeyId(scact_keynumber=config.first_key)))
    given_up = [AuthKeyId(scact_keynumber=number) for number in config.deactivated_keys]
    found.extend([(sctp, c.SCTP_AUTH_DEACTIVATE_KEY, number) for number in given_up])
    if 0 not in keys:
        found.append((sctp, c.SCTP_AUTH_DELETE_KEY, AuthKeyId(scact_keynumber=0)))
    return found


def _init(config: AssociationConfig) -> InitMsg:
    return InitMsg(
        sinit_num_ostreams=config.streams,
        sinit_max_instreams=config.max_inbound_streams,
        sinit_max_attempts=config.max_init_retransmits,
        sinit_max_init_timeo=_ms(config.rto_max if config.max_init_timeout is None else config.max_init_timeout),
    )


def _path(config: AssociationConfig, other: AssociationConfig) -> PaddrParams:
    """Heartbeats, retransmissions, delayed acknowledgements, marks, and the packet size where it is fixed.

    What is as by default is left to the kernel, unless it is otherwise so far.
    """
    flags = c.SPP_HB_ENABLE if config.heartbeat_interval else c.SPP_HB_DISABLE
    flags |= c.SPP_SACKDELAY_ENABLE if config.sack_delay else c.SPP_SACKDELAY_DISABLE
    if config.dscp or other.dscp:
        flags |= c.SPP_DSCP
    if config.flow_label or other.flow_label:
        flags |= c.SPP_IPV6_FLOWLABEL
    if _fixes_size(config):
        flags |= c.SPP_PMTUD_DISABLE
    elif _fixes_size(other):
        flags |= c.SPP_PMTUD_ENABLE
    return PaddrParams(
        spp_hbinterval=_ms(config.heartbeat_interval),
        spp_pathmaxrxt=config.path_max_retrans,
        spp_pathmtu=config.mtu or 0,
        spp_sackdelay=_ms(config.sack_delay),
        spp_flags=flags,
        spp_ipv6_flowlabel=config.flow_label,
        spp_dscp=config.dscp << 2,
    )


def _fixes_size(config: AssociationConfig) -> bool:
    """Packets have one size, whatever the path takes."""
    return config.mtu is not None or not config.path_mtu_discovery


def _thresholds(config: AssociationConfig, other: AssociationConfig) -> Setting:
    """RFC 7829. Kernels before 5.5 know two of the three thresholds; the third is off unless it is set.

    Linux wants PSMR not to be below PFMR even where no path turns potentially failed, which PFMR = PMR says as well.
    """
    pmr, pfmr = config.path_max_retrans, config.potentially_failed_max_retrans
    psmr = config.primary_switchover_max_retrans
    if psmr is None and other.primary_switchover_max_retrans is None:
        return c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_THLDS, PaddrThlds(spt_pathmaxrxt=pmr, spt_pathpfthld=pfmr)
    limit = NO_PRIMARY_CHANGE if psmr is None else psmr
    thresholds = PaddrThldsV2(spt_pathmaxrxt=pmr, spt_pathpfthld=min(pfmr, pmr), spt_pathcpthld=limit)
    return c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_THLDS_V2, thresholds


def _ms(seconds: float) -> int:
    return min(round(seconds * _MILLISECONDS), 0xFFFF_FFFF)
