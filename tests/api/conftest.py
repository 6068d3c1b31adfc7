"""What the tests of the calls share."""

from __future__ import annotations

import pytest

from tests.api.running import pytest_configure as pytest_configure
from tests.api.running import pytest_pyfunc_call as pytest_pyfunc_call
from tests.api.sides import Api, Asyncio, Sockets


@pytest.fixture(params=[Asyncio, Sockets], ids=["asyncio", "sockets"])
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the APIs, for tests of what both have in common."""
    chosen: Api = request.param()
    return chosen
