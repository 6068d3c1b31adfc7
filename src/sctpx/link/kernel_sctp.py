"""Whether the kernel of this host has SCTP of its own, which would answer what raw sockets receive.

The kernel's SCTP gets a copy of every SCTP packet, in all network namespaces, and answers each packet whose port or
association it does not know with an ABORT (RFC 9260 section 8.4). It knows nothing of raw sockets: their associations
end at random. So a raw link is not opened beside it.

The question is asked by reading, never by opening an SCTP socket: that would load the module.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC_NET: Final = Path("/proc/thread-self/net")

ADVICE: Final = (
    "the kernel's own SCTP is loaded on this host and would abort the associations of raw sockets: use the kernel's "
    'SCTP instead, or SCTP over UDP (link="udp"), or unload it where nobody needs it (modprobe -r sctp)'
)


def is_loaded(proc_net: Path = _PROC_NET) -> bool:
    """Whether the kernel's SCTP is there, as a module that is loaded or built in."""
    if proc_net.joinpath("sctp").is_dir():
        return True
    with suppress(OSError):
        protocols = proc_net.joinpath("protocols").read_text().splitlines()
        return any(line.split()[:1] in (["SCTP"], ["SCTPv6"]) for line in protocols)
    return False


def check_absent(proc_net: Path = _PROC_NET) -> None:
    """``OSError`` (EBUSY) with advice if the kernel's SCTP is there."""
    if is_loaded(proc_net):
        raise OSError(errno.EBUSY, ADVICE)
