"""Which extensions have an object in each association from the beginning, once both sides have agreed on them.

The others make theirs when they are first used: ``partial_reliability`` with the first message that may be given up,
``stream_reset`` with the first request, ``auth`` with the first key that is deactivated. What chunks mean to an
extension is in ``association.dispatch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..association.tcb import Tcb
from ..capabilities import ECN
from ..extension import Extension
from . import auth
from .ecn import Ecn

FROM_THE_START: Final[dict[int, Callable[[Tcb], Extension]]] = {
    ECN: Ecn,
}
"""By the bit of the capability (``core.capabilities``): what makes the object."""


def furnish(tcb: Tcb) -> None:
    """The association is up: make what it has agreed on."""
    tcb.extensions = [make(tcb) for bit, make in FROM_THE_START.items() if tcb.capabilities & bit]
    auth.watch(tcb)
