"""What a socket of the kernel makes of what it reads, where the moment matters: a script stands for the kernel."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from sctpx import constants as c
from sctpx import structs as s
from sctpx.kernel import system
from sctpx.kernel.socket import KernelSocket
from sctpx.sockapi.not_now import UNTIL_READABLE

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


class Emptied:
    """A one-to-many socket that does not listen and has no association; its peer has what there is to read."""

    family = socket.AF_INET
    type = socket.SOCK_SEQPACKET

    def __init__(self, readable: Any) -> None:
        self._readable = readable

    def fileno(self) -> int:
        return int(self._readable.fileno())

    def getsockopt(self, *_: int) -> int:
        """It does not listen."""
        return 0


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    monkeypatch.setattr(system, "get_option", lambda *_: bytes(4))  # The number of associations is 0.
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_the_notification_of_an_end_that_comes_just_before_a_call_would_wait_is_waited_for(pair: Any) -> None:
    near, far = pair
    sock = KernelSocket(cast("socket.socket", Emptied(near)))
    far.send(b"a notification")
    sock.check_waiting(UNTIL_READABLE, 0)


def test_a_call_without_associations_that_would_wait_for_ever_is_refused(pair: Any) -> None:
    sock = KernelSocket(cast("socket.socket", Emptied(pair[0])))
    with pytest.raises(OSError, match="no associations") as raised:
        sock.check_waiting(UNTIL_READABLE, 0)
    assert raised.value.errno == errno.ENOTCONN


def test_a_socket_that_has_an_error_to_tell_and_no_room_does_not_wait_for_room() -> None:
    """So it is when the peer refuses a connect. A full pipe that nobody reads stands for the kernel's socket."""
    reader, writer = os.pipe()
    with open(writer, "wb", buffering=0) as full:
        with open(reader, "rb"):
            os.set_blocking(writer, False)
            while full.write(bytes(1 << 16)):
                pass
            sock = KernelSocket(cast("socket.socket", Emptied(full)))
            assert not sock.has_room()
        assert sock.has_room()
