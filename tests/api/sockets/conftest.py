"""Tests of sockets: each ends within a bounded time, and leaves no socket behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.api.sockets.support import no_sockets_are_left

PATIENCE = 30
"""Seconds until a test that hangs is ended. None waits for this to pass."""


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise AssertionError(f"nothing happened for {PATIENCE} seconds")


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """A call that blocks for good is interrupted, and the sockets' driver must come to rest afterwards."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(PATIENCE)
    try:
        yield
        no_sockets_are_left()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
