"""Options of dynamic address reconfiguration (RFC 5061), and the adaptation layer indication."""

from __future__ import annotations

import errno
from dataclasses import replace

from ..addresses import find_alike, pack_host
from ..structs import AssocValue, SetAdaptation, SetPeerPrim
from . import negotiated
from .association import reconfigured
from .scope import Scope
from .whole import Change


def get_supported(scope: Scope, _: object) -> AssocValue:
    """Whether it was negotiated, or will be offered; as Linux and FreeBSD have it."""
    return negotiated.supported(scope, "address_reconfiguration", "address_reconfigurable")


def set_supported(scope: Scope, value: AssocValue) -> Change:
    """Whether associations to come offer it, and with it authentication (RFC 4895)."""
    negotiated.check_future(scope)
    return negotiated.offer(scope, "address_reconfiguration", value)


def get_auto(scope: Scope, _: object) -> int:
    """Section 8.1.23."""
    return int(scope.config.auto_asconf)


def set_auto(scope: Scope, value: int) -> Change:
    """Section 8.1.23: "it only affects sockets that are bound to all addresses"."""
    config = reconfigured(scope, auto_asconf=value != 0)
    return lambda: scope.configure(config)


def set_peer_primary(scope: Scope, value: SetPeerPrim) -> Change:
    """Section 8.3.1: "one of the association's locally bound addresses"."""
    association = scope.live()
    if not association.can_change_addresses:
        raise OSError(errno.EOPNOTSUPP, "the peer cannot be asked: that takes RFC 5061 on both sides")
    if value.sspp_addr is None:
        raise OSError(errno.EINVAL, "no address")
    known = association.wanted_addresses
    local = find_alike(pack_host(value.sspp_addr), known)
    if local not in known or value.sspp_addr[1] not in (0, association.endpoint.port):
        raise OSError(errno.EADDRNOTAVAIL, f"{value.sspp_addr[0]} is not a local address of the association")
    return lambda: association.set_peer_primary(scope.now, local)


def get_adaptation(scope: Scope, _: object) -> SetAdaptation:
    """Section 8.1.10; 0 if nothing is sent."""
    return SetAdaptation(ssb_adaptation_ind=scope.settings.config.adaptation_layer or 0)


def set_adaptation(scope: Scope, value: SetAdaptation) -> Change:
    """Section 8.1.10: for "all future INIT and INIT-ACK exchanges"."""
    settings = scope.settings
    config = replace(settings.config, adaptation_layer=value.ssb_adaptation_ind)
    return lambda: setattr(settings, "config", config)
