"""Stream schedulers (RFC 8260 section 3): which message the next chunk is cut from."""

from __future__ import annotations

from .base import Schedule
from .fair import FairCapacity, WeightedFair
from .first_come import FirstCome
from .held import Held
from .keyed import Keyed
from .priority import Priority
from .round_robin import RoundRobin, RoundRobinPerPacket

__all__ = ["FirstCome", "Held", "Keyed", "Schedule", "make_schedule"]


def make_schedule(name: str, interleaves: bool, values: dict[int, int]) -> Schedule:
    """The scheduler that ``AssociationConfig.scheduler`` names; ``values`` are priorities or weights by stream."""
    if name == "rr":
        return RoundRobin(interleaves)
    if name == "rr_pkt":
        return RoundRobinPerPacket(interleaves)
    if name == "prio":
        return Priority(interleaves, values)
    if name == "fc":
        return FairCapacity(interleaves)
    if name == "wfq":
        return WeightedFair(interleaves, values)
    return FirstCome()
