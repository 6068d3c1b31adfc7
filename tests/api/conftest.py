"""What the tests of the calls share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import sctpx
from tests.api.programs import Program, Run, running
from tests.api.running import UVLOOP
from tests.api.running import pytest_generate_tests as pytest_generate_tests
from tests.api.running import pytest_pyfunc_call as pytest_pyfunc_call
from tests.api.sides import Api, Asyncio, Sockets
from tests.api.sockets.support import VirtualTime


@pytest.fixture(params=["asyncio", UVLOOP, "sockets", "simulated"])
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Each of the APIs, for tests of what they have in common."""
    if request.param == "simulated":
        simulation = VirtualTime()
        with simulation.network:
            yield Sockets(simulation)
    else:
        yield Sockets() if request.param == "sockets" else Asyncio(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a program: its text, the socket it talks to, options of Python, variables of its environment."""
    with ExitStack() as programs:

        def begin(text: str, server: sctpx.Socket, *options: str, **environment: str) -> Program:
            return programs.enter_context(
                running(tmp_path / "program.py", text, server.udp_port, *options, **environment)
            )

        yield begin
