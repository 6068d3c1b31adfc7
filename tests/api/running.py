"""Tests that are coroutine functions: each runs in an event loop of its own, and ends within a bounded time.

Names resolve from a table here, so that no test depends on a resolver: ``db.test`` is two addresses, ``dual.test`` one
of each family, whatever ends in ``.invalid`` none.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from typing import Any

import pytest

PATIENCE = 30.0
"""Seconds until a test that hangs is ended. None waits for this to pass."""

NAMES = {
    "db.test": ["127.0.0.2", "127.0.0.3"],
    "dual.test": ["::1", "127.0.0.2"],
    "six.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.2"],
    "twice.test": ["127.0.0.2", "127.0.0.2"],
}


class Loop(asyncio.SelectorEventLoop):
    """An event loop that knows a few names and no others, and remembers its timers."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As the method of the same name."""
        handle = super().call_at(when, callback, *args, context=context)
        self.timers.append(handle)
        return handle

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        """As the method of the same name, from the table."""
        host.encode("idna")
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found: list[Any] = []
        for address in NAMES[host]:
            if ":" in address:
                found.append((socket.AF_INET6, socket.SOCK_DGRAM, 17, "", (address, 0, 0, 0)))
            else:
                found.append((socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0)))
        return found


class BlindLoop(Loop):
    """An event loop that cannot watch file descriptors, as Windows' proactor cannot."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotImplementedError

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotImplementedError


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is."""
    config.addinivalue_line("markers", "blind_loop: in an event loop that cannot watch file descriptors")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    blind = pyfuncitem.get_closest_marker("blind_loop") is not None

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await pyfuncitem.obj(**arguments)

    with asyncio.Runner(loop_factory=BlindLoop if blind else Loop) as runner:
        runner.run(bounded())
    return True
