"""Tests of sockets: on real and on simulated ones. Each ends within a bounded time, and leaves no socket behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from sctpx.blocking.hub import hub
from tests.api.sockets.support import REAL_TIME, VirtualTime, no_sockets_are_left, using

PATIENCE = 30
"""Seconds until a test that hangs is ended. None waits for this to pass."""
KINDS = {"sockets": "virtual_time", "simulated": "real_time"}
"""The kinds of sockets, each with the mark of the tests that do not run on it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on both kinds of sockets, unless it is marked."""
    kinds = [kind for kind, mark in KINDS.items() if metafunc.definition.get_closest_marker(mark) is None]
    metafunc.parametrize("kind", kinds, indirect=True)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise AssertionError(f"nothing happened for {PATIENCE} seconds")


@pytest.fixture(autouse=True)
def kind(request: pytest.FixtureRequest, bounded: None) -> Iterator[None]:
    """The kind of sockets that the test makes."""
    if request.param == "sockets":
        with using(REAL_TIME):
            yield
        no_sockets_are_left()  # The sockets' driver comes to rest.
    else:
        simulation = VirtualTime()
        with simulation.network, using(simulation):
            yield
        assert hub.carriers == [], "a test that makes real sockets is marked real_time"


@pytest.fixture
def bounded() -> Iterator[None]:
    """A call that blocks for good is interrupted."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
