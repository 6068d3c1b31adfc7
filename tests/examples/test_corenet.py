"""pycrate's own core network, written for pysctp, runs on the drop-in and serves the examples."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from typing import IO

import pytest

from tests.examples.peers import ELSEWHERE, HOME, HOST, connected, receive, send
from tests.examples.programs import LIMIT, environment, run
from tests.guards.house import ROOT

pytestmark = pytest.mark.udp_9899


def wait_for(output: IO[str], words: str) -> None:
    """Read lines until one has these words."""
    assert any(words in line for line in output), f"no line has {words!r}"


def test_the_core_network_of_pycrate_sets_up_ng_and_s1_and_notices_every_end() -> None:
    command = [sys.executable, "-u", "-m", "tests.examples.corenet", HOST]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment("udp"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as core:
        try:
            assert core.stdout is not None
            wait_for(core.stdout, "SCTP GNB server started")
            for name, role, last in (
                ("ng_setup", "gnb", "NG is set up with 'CorenetAMF', capacity 10"),
                ("s1_setup", "enb", "S1 is set up with 'CorenetMME', capacity 10"),
                ("ng_setup", "gnb", "NG is set up with 'CorenetAMF', capacity 10"),  # The same gNB comes back.
            ):
                done = run(name, role, HOST)
                assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", last)
                wait_for(core.stdout, "closed connection")
            with connected(38412) as sock:
                send(sock, ELSEWHERE["ng_setup"], 60)
                assert receive(sock, 60)[:2] == b"\x40\x15"  # An unsuccessfulOutcome, and the server hangs up.
                assert sock.recv(100) == b""
            with connected(38412) as sock:
                send(sock, HOME["ng_setup"], 60)
                assert receive(sock, 60)[:2] == b"\x20\x15"
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # Closing it aborts.
            wait_for(core.stdout, "sctp_recv() failed")
            wait_for(core.stdout, "closed connection")
            rest, _ = core.communicate("\n", timeout=LIMIT)
            assert "SCTP server stopped" in rest
            assert core.returncode == 0
        finally:
            core.kill()
