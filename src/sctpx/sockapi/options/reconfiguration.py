"""Options of stream reconfiguration (RFC 6525 section 6.3)."""

from __future__ import annotations

import errno
from typing import Final

from .. import constants as c
from ..structs import AddStreams, AssocValue, ResetStreams
from . import negotiated
from .association import reconfigured
from .scope import Scope
from .whole import Change

ALLOWED: Final = {
    c.SCTP_ENABLE_RESET_STREAM_REQ: "allow_stream_reset",
    c.SCTP_ENABLE_RESET_ASSOC_REQ: "allow_association_reset",
    c.SCTP_ENABLE_CHANGE_ASSOC_REQ: "allow_added_streams",
}
"""What the peer may ask for: the flags, and the fields of ``AssociationConfig``."""


def get_supported(scope: Scope, _: object) -> AssocValue:
    """Whether it was negotiated, or will be offered; as Linux and FreeBSD have it."""
    return negotiated.supported(scope, "stream_reconfiguration", "reconfigurable")


def set_supported(scope: Scope, value: AssocValue) -> Change:
    """Whether associations to come offer it."""
    negotiated.check_future(scope)
    return negotiated.offer(scope, "stream_reconfiguration", value)


def get_enabled(scope: Scope, _: object) -> AssocValue:
    """Section 6.3.1."""
    flags = [flag for flag, name in ALLOWED.items() if getattr(scope.config, name)]
    return AssocValue(assoc_id=scope.id, assoc_value=sum(flags))


def set_enabled(scope: Scope, value: AssocValue) -> Change:
    """Section 6.3.1."""
    if value.assoc_value & ~sum(ALLOWED):
        raise OSError(errno.EINVAL, f"flags {value.assoc_value:#x}, there are {sum(ALLOWED):#x}")
    config = reconfigured(scope, **{name: bool(value.assoc_value & flag) for flag, name in ALLOWED.items()})
    return lambda: scope.configure(config)


def reset_streams(scope: Scope, value: ResetStreams) -> Change:
    """Section 6.3.2. The request is made when all of it was found right."""
    if value.srs_flags & ~(c.SCTP_STREAM_RESET_INCOMING | c.SCTP_STREAM_RESET_OUTGOING):
        raise OSError(errno.EINVAL, f"flags {value.srs_flags:#x}")
    outgoing = bool(value.srs_flags & c.SCTP_STREAM_RESET_OUTGOING)
    incoming = bool(value.srs_flags & c.SCTP_STREAM_RESET_INCOMING)
    association = scope.live()
    return lambda: association.reset_streams(scope.now, outgoing, incoming, value.srs_stream_list)


def reset_association(scope: Scope, _: object) -> Change:
    """Section 6.3.3."""
    association = scope.live()
    return lambda: association.reset_association(scope.now)


def add_streams(scope: Scope, value: AddStreams) -> Change:
    """Section 6.3.4."""
    association = scope.live()
    return lambda: association.add_streams(scope.now, value.sas_outstrms, value.sas_instrms)
