"""Who has a UDP port."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sctpx.link.port_holder import port_holder
from tests.unit.link.conftest import ClosedPort, OpenSocket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
IPV4, IPV6 = b"\x7f\x00\x00\x01", bytes(15) + b"\x01"

HOLD_A_PORT = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("bound", "asked"), [("127.0.0.1", IPV4), ("0.0.0.0", IPV4), ("::1", IPV6), ("::", IPV4)])
def test_a_port_this_process_has_on_that_address_or_on_all_is_its_own(
    open_socket: OpenSocket, bound: str, asked: bytes
) -> None:
    assert port_holder(asked, open_socket(bound).getsockname()[1]) == "this process"


def test_a_port_of_another_address_is_not_held_here(open_socket: OpenSocket) -> None:
    assert port_holder(IPV4, open_socket("127.0.0.2").getsockname()[1]) == ""


def test_a_free_port_has_no_holder(closed_port: ClosedPort) -> None:
    assert port_holder(IPV4, closed_port("127.0.0.1")) == ""


def test_another_process_is_named() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_PORT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        holder = port_holder(IPV4, port)
        process.communicate()
    assert holder.startswith(f"process {process.pid} (")
    assert process.pid != os.getpid()
