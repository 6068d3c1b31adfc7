"""Who else on this host receives SCTP over IP at an address, and which of them answers for ports that nobody has.

RFC 9260 section 8.4 wants a host to answer packets out of the blue: mostly with an ABORT, so that a peer learns at once
that nobody listens, or that the process it was associated with is gone. One process may speak for the host only if it
knows that the packet is for nobody. So the rule is:

* A process answers for the SCTP ports that it has, and for no port that another process has (``port_owner``).
* For a port that nobody has, one of the raw sockets at the address answers: of those that have ports, the one with the
  lowest inode, which each process finds out by itself.
* Nobody answers for a port that nobody has while a raw socket of another SCTP implementation receives at the address.
  What ports that implementation has is not known, and an ABORT in its name would end its associations.

Each raw socket of this package holds a name with its inode, so that others can tell it from those of strangers, and a
second name while it has ports. All sockets are asked for when a packet has come and not before: they come and go
without a word.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, final

from ..core.ip import is_ipv4, without_zone
from .held_name import HeldName, is_held
from .host_sockets import ip_sockets

IPPROTO_SCTP: Final = 132


@final
class Standing(Enum):
    """What a raw socket is among those that receive at its address."""

    ALONE = "alone"
    """No other raw socket receives SCTP there."""
    FIRST = "first"
    """Others do, all of this package, and this one answers for the ports that nobody has."""
    SILENT = "silent"
    """Another one answers for these ports, or nobody does."""


def mark(inode: int, *, has_ports: bool = False) -> HeldName:
    """Let the processes of this host know a raw socket as one of this package, or as one that has ports.

    Until the mark is released. ``OSError``: EMFILE.
    """
    return HeldName(_name(inode, has_ports=has_ports))


def standing(ip: bytes, inode: int) -> Standing:
    """What the raw socket with this inode is among those that receive SCTP packets at an address."""
    table = "raw" if is_ipv4(ip) else "raw6"
    listed = [sock for sock in ip_sockets(table) if sock.port == IPPROTO_SCTP]
    receiving = [sock.inode for sock in listed if sock.address == without_zone(ip) or not any(sock.address)]
    if receiving == [inode]:
        return Standing.ALONE
    if inode not in receiving or not all(is_held(_name(other)) for other in receiving):
        return Standing.SILENT
    lower = [other for other in receiving if other < inode]
    return Standing.SILENT if any(is_held(_name(other, has_ports=True)) for other in lower) else Standing.FIRST


def _name(inode: int, *, has_ports: bool = False) -> str:
    return f"sctpx/raw/{inode}/ports" if has_ports else f"sctpx/raw/{inode}"
