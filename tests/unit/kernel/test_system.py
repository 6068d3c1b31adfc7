"""What a program is told where the system has no SCTP, and arguments that no kernel is asked about."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

import pytest

import sctpx
from sctpx.core.config import Limits
from sctpx.kernel.failures import cannot_connect, is_connect_failure, loss
from sctpx.kernel.system import no_sctp


def kernel_has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, sctpx.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


def test_the_error_says_how_to_get_sctp() -> None:
    error = no_sctp("the kernel has no SCTP")
    assert error.errno == errno.EPROTONOSUPPORT
    for way in ("modprobe sctp", 'link="udp"', 'link="raw"'):
        assert way in str(error)


@pytest.mark.skipif(kernel_has_sctp(), reason="this system has SCTP: the interop tests show what it does")
@pytest.mark.parametrize("kind", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_a_system_without_sctp_refuses_the_kernels(kind: int) -> None:
    with pytest.raises(OSError, match=r"modprobe|is for Linux") as caught:
        sctpx.socket(sctpx.AF_INET, kind, backend="kernel")
    assert caught.value.errno == errno.EPROTONOSUPPORT


def test_another_system_than_linux_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="is for Linux, and this is darwin") as caught:
        sctpx.socket(backend="kernel")
    assert caught.value.errno == errno.EPROTONOSUPPORT


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"family": socket.AF_UNIX}, errno.EAFNOSUPPORT),
        ({"type": socket.SOCK_DGRAM}, errno.EINVAL),
        ({"proto": 6}, errno.EPROTONOSUPPORT),
        ({"udp_port": 7}, errno.EOPNOTSUPP),
        ({"udp_port": 70_000}, errno.EINVAL),
        ({"peer_udp_port": 70_000}, errno.EINVAL),
        ({"link": "raw"}, errno.EOPNOTSUPP),
        ({"limits": Limits()}, errno.EOPNOTSUPP),
        ({"config": sctpx.AssociationConfig(on_restart="end")}, errno.EOPNOTSUPP),
    ],
)
def test_arguments_that_are_wrong_are_refused_whether_there_is_a_kernel_with_sctp_or_not(
    arguments: dict[str, Any], code: int
) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is looked at
        sctpx.socket(backend="kernel", **arguments)
    assert caught.value.errno == code


def test_a_backend_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="userspace, kernel"):
        sctpx.socket(backend="none")
    with pytest.raises(ValueError, match="userspace, kernel"):
        _ = sctpx.connect("192.0.2.1", 7, backend="none")


def test_errors_of_the_kernel_are_the_exceptions_of_sctpx() -> None:
    assert isinstance(loss(errno.ECONNRESET), sctpx.AssociationAborted)
    assert isinstance(loss(errno.ETIMEDOUT), sctpx.AssociationLost)
    assert loss(errno.EPIPE) is None
    assert isinstance(cannot_connect(errno.ECONNREFUSED), ConnectionRefusedError)
    assert isinstance(cannot_connect(errno.ETIMEDOUT), TimeoutError)
    assert isinstance(cannot_connect(errno.EHOSTUNREACH), sctpx.ConnectError)
    assert is_connect_failure(errno.ECONNREFUSED)
    assert not is_connect_failure(errno.EADDRNOTAVAIL)
