"""Which extensions there are: the object that each association gets of one that both sides have agreed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..association.tcb import Tcb
from ..extension import Extension

ROOMS: Final[dict[int, Callable[[Tcb], Extension]]] = {}
"""By the bit of the capability (``core.capabilities``): what makes the object."""


def furnish(tcb: Tcb) -> None:
    """The association is up: make what it has agreed on."""
    tcb.extensions = [make(tcb) for bit, make in ROOMS.items() if tcb.capabilities & bit]
