"""What the tests of the calls share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
