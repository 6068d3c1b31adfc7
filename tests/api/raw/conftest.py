"""Both APIs over raw IP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sctpx.blocking.hub import hub
from tests.api.sides import Api, Asyncio, Sockets
from tests.api.sockets.support import RealTime, no_sockets_are_left


@pytest.fixture(params=["asyncio", "sockets"])
def api(request: pytest.FixtureRequest) -> Api:
    """Each of the APIs."""
    return Asyncio("asyncio", "raw") if request.param == "asyncio" else Sockets(RealTime("raw"))


@pytest.fixture(autouse=True)
def at_rest() -> Iterator[None]:
    """What a test has left to end gracefully gives its ports up before the next one begins."""
    before = list(hub.carriers)
    yield
    no_sockets_are_left(before)
