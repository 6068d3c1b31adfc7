"""The option of Explicit Congestion Notification (RFC 3168), as Linux and FreeBSD have it."""

from __future__ import annotations

from ..structs import AssocValue
from . import negotiated
from .association import reconfigured
from .scope import Scope
from .whole import Change


def get_supported(scope: Scope, _: object) -> AssocValue:
    """Whether it was negotiated, or will be offered."""
    return negotiated.supported(scope, "ecn", "ecn")


def set_supported(scope: Scope, value: AssocValue) -> Change:
    """Whether associations to come offer it. OSError EOPNOTSUPP if the ECN bits of packets cannot be read here."""
    negotiated.check_future(scope)
    scope.holder.check(reconfigured(scope, ecn=value.assoc_value != 0))
    return negotiated.offer(scope, "ecn", value)
