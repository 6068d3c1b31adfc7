"""What a program is told that may not open raw sockets, and how it can be allowed to."""

from __future__ import annotations

import errno
import os
import sys


def missing_privilege() -> PermissionError:
    """The error to raise when the system refuses a raw socket."""
    program = os.path.realpath(sys.executable)
    text = (
        "SCTP over IP (protocol 132) needs raw sockets, which Linux allows only with the capability CAP_NET_RAW: "
        f"run as root, or give the interpreter the capability (sudo setcap cap_net_raw+ep {program}), or the container "
        "(docker run --cap-add NET_RAW; in Kubernetes securityContext: capabilities: add: [NET_RAW]), or the service "
        '(systemd: AmbientCapabilities=CAP_NET_RAW). SCTP over UDP (link="udp") needs no privilege'
    )
    return PermissionError(errno.EPERM, text)
