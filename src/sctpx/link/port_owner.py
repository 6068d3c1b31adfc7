"""Who on this host has an SCTP port of an IP address, where no UDP port keeps processes apart.

The kernel gives a UDP port to one process. It knows nothing of the SCTP ports of raw sockets: every process sees the
packets of all. So each process that has an SCTP port of an address holds a name that says so, and processes look there
before they take a port, and before they answer a packet for a port that they do not have.

It takes a file descriptor for each SCTP port and local address.
"""

from __future__ import annotations

import errno
import socket
from typing import TypeAlias

from .held_name import HeldName, is_held, name_holder
from .interfaces import family_of

PortOwner: TypeAlias = HeldName
"""An SCTP port of an address, owned until it is released."""


def own(ip: bytes, scope_id: int, port: int) -> PortOwner:
    """Own an SCTP port of a local address.

    ``OSError``: EADDRINUSE if another link has it, in this process or in another one; EMFILE.
    """
    name = _name(ip, scope_id, port)
    try:
        return HeldName(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    holder = name_holder(name) or "another process"
    text = f"SCTP port {port} of {_address(ip, scope_id)} is taken by {holder}: choose another (0 takes a free one)"
    raise OSError(errno.EADDRINUSE, text)


def is_owned(ip: bytes, scope_id: int, port: int) -> bool:
    """Whether a process of this host has an SCTP port of a local address."""
    return is_held(_name(ip, scope_id, port))


def _name(ip: bytes, scope_id: int, port: int) -> str:
    return f"sctpx/{_address(ip, scope_id)}/sctp/{port}"


def _address(ip: bytes, scope_id: int) -> str:
    text = socket.inet_ntop(family_of(ip), ip)
    return f"{text}%{scope_id}" if scope_id else text
