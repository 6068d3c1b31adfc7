"""What a socket of the kernel makes of what it reads, where the moment matters: a script stands for the kernel."""

from __future__ import annotations

import socket
from typing import Any, cast

from sctpx import constants as c
from sctpx import structs as s
from sctpx.kernel.socket import KernelSocket

END: Any = (b"", [], 0, None)
OVER = s.AssocChange(sac_state=c.SCTP_SHUTDOWN_COMP)
OVER_READ: Any = (OVER.pack(), [], c.MSG_NOTIFICATION | c.MSG_EOR, None)


class Script:
    """A socket whose association is over, and which has these things to read, and then its end."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM

    def __init__(self, *reads: Any) -> None:
        self._reads = list(reads)

    def fileno(self) -> int:
        """No association is found behind it."""
        return -1

    def recvmsg(self, *_: int) -> Any:
        """The next thing."""
        return self._reads.pop(0) if self._reads else END


def kernel_socket(*reads: Any) -> KernelSocket:
    return KernelSocket(cast("socket.socket", Script(*reads)))


def test_a_notification_that_comes_just_behind_the_end_is_told_before_it() -> None:
    sock = kernel_socket(END, OVER_READ)
    told: Any = sock.receive(1000)
    assert told.notice == OVER
    assert sock.receive(1000).data == b""  # type: ignore[union-attr]


def test_an_end_behind_which_nothing_comes_is_one() -> None:
    ended: Any = kernel_socket().receive(1000)
    assert (ended.data, ended.notice) == (b"", None)
