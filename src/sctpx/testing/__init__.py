"""Test kit: hosts with several addresses on a simulated network, in virtual time, repeatable from a seed.

``Pair`` is two hosts with an association between them, ``Network`` is any number of hosts, and ``Host.socket`` makes
sockets. See docs/testing.md.
"""

from __future__ import annotations

from .clock import SECOND, VirtualClock, seeded_bytes, seeded_random
from .filters import Catch
from .host import Host, SimulationError
from .ladder import Rung, check_ladder, climb, draw_ladder
from .link import Filter, Link, LinkSettings
from .network import MakeStack, Network, Responder
from .packet import Packet, address_text, pack_address
from .pair import Pair, Received, Side
from .pcap import PcapWriter, write_pcap
from .sockets import SimulatedSocket
from .tasks import Task

__all__ = [
    "SECOND",
    "Catch",
    "Filter",
    "Host",
    "Link",
    "LinkSettings",
    "MakeStack",
    "Network",
    "Packet",
    "Pair",
    "PcapWriter",
    "Received",
    "Responder",
    "Rung",
    "Side",
    "SimulatedSocket",
    "SimulationError",
    "Task",
    "VirtualClock",
    "address_text",
    "check_ladder",
    "climb",
    "draw_ladder",
    "pack_address",
    "seeded_bytes",
    "seeded_random",
    "write_pcap",
]
