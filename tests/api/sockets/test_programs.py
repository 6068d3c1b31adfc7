"""The programs in docs/sockets.md run as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.support import closed_udp_port

pytestmark = pytest.mark.real_time

PAGE = Path(__file__).parents[3] / "docs" / "sockets.md"
PROGRAMS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


PAIRS = [f"one_to_{style}_{role}" for style in ("many", "one") for role in ("client", "server")]


def test_the_page_has_the_programs() -> None:
    assert sorted(PROGRAMS) == ["marking", *PAIRS, "sessions", "threading_server"]


@pytest.mark.parametrize(("name", "printed"), [("marking", ""), ("threading_server", "HELLO\n\n")])
def test_a_program_that_needs_no_peer_runs(name: str, printed: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAMS[name]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout == printed


@pytest.mark.parametrize("style", ["one_to_one", "one_to_many"])
def test_a_client_gets_its_echo_and_both_end(style: str) -> None:
    command = [sys.executable, "-W", "error", "-c"]
    with subprocess.Popen([*command, PROGRAMS[f"{style}_server"], "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        udp_port = server.stdout.readline().split()[-1]
        client = subprocess.run(
            [*command, PROGRAMS[f"{style}_client"], udp_port], stdout=subprocess.PIPE, text=True, timeout=20, check=True
        )
        assert client.stdout.splitlines()[-1] == "hello"
        assert server.wait(20) == 0


CRASHING_CLIENT = """
import os, sys
import sctpx

sock = sctpx.socket(udp_port=int(sys.argv[2]), peer_udp_port=int(sys.argv[1]))
sock.bind(("127.0.0.1", 2905))
sock.connect(("127.0.0.1", 5007))
sock.send(b"data")
print(sock.recv(100).decode(), flush=True)
os._exit(0)
"""


def test_the_sessions_of_a_peer_end_when_it_restarts() -> None:
    command = [sys.executable, "-W", "error", "-c"]
    own = str(closed_udp_port())
    with subprocess.Popen([*command, PROGRAMS["sessions"], "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[-1]
        for _ in range(2):
            client = [*command, CRASHING_CLIENT, port, own]
            done = subprocess.run(client, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
            assert done.stdout == "taken\n"
        assert server.stdout.readline() == "1 sessions are gone\n"
        server.kill()
