"""Busy polling in tests: how long a driver polls, and whether it does."""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
from typing import Any

import pytest

from sctpx.aio.polling import Polling
from sctpx.link.busy_poll import VARIABLE


def limit_polling(monkeypatch: pytest.MonkeyPatch, *, microseconds: int) -> None:
    """Drivers that are opened from now on poll for so long, on a machine with several processors."""
    monkeypatch.setenv(VARIABLE, str(microseconds))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def note_polls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the polling of drivers gives the running loop from now on. The loop is one of asyncio's own."""
    loop = asyncio.get_running_loop()
    call_soon = loop.call_soon
    polls: list[str] = []

    def noting(callback: Any, *arguments: Any, **options: Any) -> asyncio.Handle:
        if isinstance(getattr(callback, "__self__", None), Polling):
            polls.append(callback.__name__)
        return call_soon(callback, *arguments, **options)

    monkeypatch.setattr(loop, "call_soon", noting)
    return polls


def note_selects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float | None]]:
    """The thread and the timeout of each wait of blocking sockets from now on."""
    waits: list[tuple[str, float | None]] = []
    select = selectors.DefaultSelector.select

    def noting(
        selector: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        waits.append((threading.current_thread().name, timeout))
        return select(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", noting)
    return waits
