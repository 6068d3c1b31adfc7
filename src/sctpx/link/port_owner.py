"""Who on this host has an SCTP port of an IP address, where no UDP port keeps processes apart.

The kernel gives a UDP port to one process. It knows nothing of the SCTP ports of raw sockets: every process sees the
packets of all. So each process that has an SCTP port of an address holds a name that says so, and processes look there
before they take a port, and before they answer a packet for a port that they do not have.

It takes a file descriptor for each SCTP port and local address.
"""

from __future__ import annotations

import errno
from typing import TypeAlias

from .addresses import address_text
from .held_name import HeldName, is_held, name_holder

PortOwner: TypeAlias = HeldName
"""An SCTP port of an address, owned until it is released."""


def own(ip: bytes, port: int) -> PortOwner:
    """Own an SCTP port of a local address.

    ``OSError``: EADDRINUSE if another link has it, in this process or in another one; EMFILE.
    """
    name = _name(ip, port)
    try:
        return HeldName(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    holder = name_holder(name) or "another process"
    text = f"SCTP port {port} of {address_text(ip)} is taken by {holder}: choose another (0 takes a free one)"
    raise OSError(errno.EADDRINUSE, text)


def is_owned(ip: bytes, port: int) -> bool:
    """Whether a process of this host has an SCTP port of a local address."""
    return is_held(_name(ip, port))


def _name(ip: bytes, port: int) -> str:
    return f"sctpx/{address_text(ip)}/sctp/{port}"
