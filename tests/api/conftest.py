"""What the tests of the calls share."""

from __future__ import annotations

import pytest

from tests.api.running import UVLOOP
from tests.api.running import pytest_generate_tests as pytest_generate_tests
from tests.api.running import pytest_pyfunc_call as pytest_pyfunc_call
from tests.api.sides import Api, Asyncio, Sockets


@pytest.fixture(params=["asyncio", UVLOOP, "sockets"])
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the APIs, for tests of what both have in common."""
    return Sockets() if request.param == "sockets" else Asyncio(request.param)
