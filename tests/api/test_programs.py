"""The programs in docs/asyncio.md run as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.support import linux_only

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
    ("program", "last"), [("client", ["hello"]), ("paths", ["127.0.0.2 active ", "127.0.0.3 active primary"])]
)
def test_a_program_of_the_page_prints_what_it_is_about(udp_port: str, program: str, last: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, PROGRAMS[program], udp_port], stdout=subprocess.PIPE, text=True, timeout=20, check=True
    )
    assert done.stdout.splitlines()[-len(last) :] == last
