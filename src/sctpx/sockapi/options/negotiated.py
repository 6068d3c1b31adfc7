"""Options that switch an extension on: whether associations to come offer it, and whether one has agreed on it."""

from __future__ import annotations

import errno

from ..structs import AssocValue
from .association import reconfigured
from .scope import Scope
from .whole import Change


def supported(scope: Scope, field: str, agreed: str) -> AssocValue:
    """Whether it was negotiated (``agreed`` of the association), or will be offered (``field`` of the parameters)."""
    association = scope.association
    on = getattr(scope.config, field) if association is None else getattr(association, agreed)
    return AssocValue(assoc_id=scope.id, assoc_value=int(on))


def check_future(scope: Scope, what: str = "it") -> None:
    """OSError EINVAL if the option is for an association that there is."""
    if scope.association is not None:
        raise OSError(errno.EINVAL, f"{what} is negotiated when an association is set up, and stays as it is then")


def offer(scope: Scope, field: str, value: AssocValue) -> Change:
    """Have associations to come offer it, or not."""
    config = reconfigured(scope, **{field: value.assoc_value != 0})
    return lambda: scope.configure(config)
