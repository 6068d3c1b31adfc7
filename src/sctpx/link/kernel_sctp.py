"""Whether the kernel of this host has SCTP of its own, which would answer what raw sockets receive.

The kernel's SCTP gets a copy of every SCTP packet, in all network namespaces, and answers each packet whose port or
association it does not know with an ABORT (RFC 9260 section 8.4). It knows nothing of raw sockets: their associations
end at random. So a raw link is not opened beside it.

The question is asked by reading, never by opening an SCTP socket: that would load the module.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from typing import Final

_PROC_NET: Final = "/proc/thread-self/net"

_LISTED: Final = re.compile(rb"^SCTP(v6)?\s", re.MULTILINE)

ADVICE: Final = (
    "the kernel's own SCTP is loaded on this host and would abort the associations of raw sockets: use the kernel's "
    'SCTP instead, or SCTP over UDP (link="udp"), or unload it where nobody needs it (modprobe -r sctp)'
)


def is_loaded(proc_net: str = _PROC_NET) -> bool:
    """Whether the kernel's SCTP is there, as a module that is loaded or built in."""
    # Asked for each connect: read as bytes, and not taken apart.
    if os.path.isdir(f"{proc_net}/sctp"):
        return True
    with suppress(OSError), open(f"{proc_net}/protocols", "rb", buffering=0) as protocols:
        return _LISTED.search(protocols.readall()) is not None
    return False


def check_absent(proc_net: str = _PROC_NET) -> None:
    """``OSError`` (EBUSY) with advice if the kernel's SCTP is there."""
    if is_loaded(proc_net):
        raise OSError(errno.EBUSY, ADVICE)
