"""The programs in docs/asyncio.md run as printed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sctpx
from tests.api.sockets.conftest import bounded as bounded
from tests.api.support import closed_udp_port, linux_only

PAGE = Path(__file__).parents[2] / "docs" / "asyncio.md"
PROGRAMS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
COMMAND = (sys.executable, "-W", "error", "-c")


@pytest.fixture(scope="module")
def udp_port() -> Iterator[str]:
    """Where the server of the page listens."""
    with subprocess.Popen([*COMMAND, PROGRAMS["server"], "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.kill()


@linux_only
@pytest.mark.parametrize(
    ("program", "last"),
    [
        ("client", ["hello"]),
        ("protocol", ["hello"]),
        ("paths", ["127.0.0.2 active ", "127.0.0.3 active primary"]),
    ],
)
def test_a_program_of_the_page_prints_what_it_is_about(udp_port: str, program: str, last: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, PROGRAMS[program], udp_port], stdout=subprocess.PIPE, text=True, timeout=20, check=True
    )
    assert done.stdout.splitlines()[-len(last) :] == last


@linux_only
@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("program", "host", "number", "status"),
    [
        ("server", "127.0.0.2", signal.SIGINT, -signal.SIGINT),
        ("service", "127.0.0.1", signal.SIGINT, -signal.SIGINT),
        ("service", "127.0.0.1", signal.SIGTERM, 128 + signal.SIGTERM),
    ],
)
def test_a_server_of_the_page_shuts_its_associations_down_when_it_is_asked_to_end(
    program: str, host: str, number: int, status: int
) -> None:
    command = [*COMMAND, PROGRAMS[program], "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        with sctpx.socket(peer_udp_port=int(server.stdout.readline().split()[-1])) as sock:
            sock.connect((host, 36412))
            sock.send(b"hello")
            assert sock.recv(100) == b"hello"
            server.send_signal(number)
            assert sock.recv(100) == b""
        assert server.wait(20) == status


CRASHING_CLIENT = """
import asyncio, os, sys
import sctpx

async def main(server, own):
    association = await sctpx.connect("127.0.0.2", 36412, peer_udp_port=server, local_port=2905, udp_port=own)
    await association.send(b"data", stream=3)
    print((await association.recv()).data.decode(), flush=True)
    os._exit(0)

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


@linux_only
def test_the_sessions_of_a_peer_end_when_it_restarts() -> None:
    own = str(closed_udp_port())
    with subprocess.Popen([*COMMAND, PROGRAMS["sessions"], "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[-1]
        for _ in range(2):
            client = [*COMMAND, CRASHING_CLIENT, port, own]
            done = subprocess.run(client, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
            assert done.stdout == "1 sessions\n"
        assert server.stdout.readline() == "the peer restarted: 1 sessions are gone\n"
        server.kill()
