"""Tests that are coroutine functions: each runs in an event loop of its own, and ends within a bounded time.

Each runs twice, in asyncio's loop and in uvloop's, if uvloop is installed. Those marked ``one_loop`` run in asyncio's
alone: sweeps, and tests of what the loop has no part in.

Names resolve from a table here, so that no test depends on a resolver: ``db.test`` is two addresses, ``dual.test`` one
of each family, whatever ends in ``.invalid`` none.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

try:
    import uvloop
except ImportError:  # There is none for this platform.
    uvloop = None  # type: ignore[assignment]

ResultT = TypeVar("ResultT")

PATIENCE = 30.0
"""Seconds until a test that hangs is ended. None waits for this to pass."""

NAMES = {
    "db.test": ["127.0.0.2", "127.0.0.3"],
    "dual.test": ["::1", "127.0.0.2"],
    "six.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.2"],
    "twice.test": ["127.0.0.2", "127.0.0.2"],
}


class Known:
    """What is added to an event loop: it knows a few names and no others, and remembers its timers."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """As the method of the same name."""
        handle: asyncio.TimerHandle = super().call_at(when, callback, *args, context=context)  # type: ignore[misc]
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


class Loop(Known, asyncio.SelectorEventLoop):  # type: ignore[misc]
    """asyncio's event loop."""


class BlindLoop(Loop):
    """An event loop that cannot watch file descriptors, as Windows' proactor cannot."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotImplementedError

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotImplementedError


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": Loop, "blind": BlindLoop}
if uvloop is not None:

    class UvLoop(Known, uvloop.Loop):  # type: ignore[misc]
        """uvloop's event loop."""

    LOOPS["uvloop"] = UvLoop

UVLOOP = pytest.param("uvloop", marks=pytest.mark.skipif(uvloop is None, reason="no uvloop"))


each_loop = pytest.mark.parametrize("event_loop", ["asyncio", UVLOOP])
"""For a test that is no coroutine function: it is given the names of the event loops."""


def run(event_loop: str, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine in a new event loop with this name, and close the loop."""
    with asyncio.Runner(loop_factory=LOOPS[event_loop]) as runner:
        return runner.run(coroutine)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have a test that is a coroutine function run in each event loop. Where there is an ``api``, that has the loop."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if not inspect.iscoroutinefunction(metafunc.function) or marks & {"one_loop", "blind_loop"}:
        return
    if "api" not in metafunc.fixturenames:
        metafunc.fixturenames.append("event_loop")
        metafunc.parametrize("event_loop", ["asyncio", UVLOOP])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    name = "blind" if pyfuncitem.get_closest_marker("blind_loop") else _event_loop(pyfuncitem)

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await pyfuncitem.obj(**arguments)

    run(name, bounded())
    return True


def _event_loop(item: pytest.Function) -> str:
    """The name of the event loop that a test runs in."""
    if "api" in item.funcargs:
        api: Any = item.funcargs["api"]
        return str(api.event_loop)
    return str(item.callspec.params.get("event_loop", "asyncio")) if hasattr(item, "callspec") else "asyncio"
