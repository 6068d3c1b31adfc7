"""What every test has: property tests that repeat themselves exactly, tests that do not get into each other's way when
several processes run them, and a header that says what is tested.

Without privilege and with it, beside a kernel with SCTP or not, the tests mean the same: SCTPX_LINK is ``udp`` for them
and for the programs that they start. Tests of ``auto`` take that back.

Hypothesis draws the same examples in every run and keeps no database, so that a failure on one machine is a failure
on all. ``HYPOTHESIS_PROFILE=search`` looks for new ones. ``make test-slow`` takes the profile "whole" (``sweeps``).

UDP port 9899, the default of sctpx, is the one thing that tests share: every other port is drawn by the system. A test
that binds port 9899 or sends to it is marked ``udp_9899``, and one such test runs at a time. A test that has no mark
and touches the port fails, unless it is on a host of its own (``namespaces``).

Bytecode is kept, also where the environment says otherwise (PYTHONDONTWRITEBYTECODE, in many containers): each process
and each program that a test starts would compile sctpx anew, which is twice the time of importing it.

Collecting the tests makes a million objects that stay until the end. The garbage collector is told to leave them alone:
some tests collect garbage to find what was not closed, and would look at all of these each time. The same goes for what
the tests of a file leave behind, such as their reports.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import sctpx
from tests.namespaces import apart
from tests.sweeps import WHOLE

for name, count in {"house": 40, "whole": WHOLE}.items():
    settings.register_profile(name, max_examples=count, derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

os.environ["SCTPX_LINK"] = "udp"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

DEFAULT_UDP_PORT = 9899
_PORT_EVENTS = {"socket.bind", "socket.sendto", "socket.sendmsg"}
_reserved = [False]


def pytest_report_header() -> str:
    """Which build the tests run against, and where it is."""
    build = "compiled" if sctpx.COMPILED else "interpreted"
    return f"sctpx: {sctpx.__version__}, {build}, in {Path(sctpx.__file__).parent}"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect the tests without looking for garbage, and never look at what collecting them has made."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        _keep_what_lives()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let one test at a time have the default UDP port. After the last test of a file, set apart what lives on."""
    with _default_udp_port() if item.get_closest_marker("udp_9899") else nullcontext():
        result = yield
    if nextitem is not None and nextitem.path != item.path:
        _keep_what_lives()
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all simulations that recorded how many messages they exchanged."""
    runs = [
        dict(report.user_properties)["messages"]
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and "messages" in dict(report.user_properties)
    ]
    if runs:
        total = sum(map(int, map(str, runs)))
        terminalreporter.write_line(f"random runs: {len(runs)} seeds, {total} messages")


def _keep_what_lives() -> None:
    """Have the garbage collector look no more at the objects that live now."""
    gc.collect()
    gc.freeze()


@contextmanager
def _default_udp_port() -> Iterator[None]:
    """Wait until no test of this user has the default UDP port, and take it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - Unix only

    with (Path(tempfile.gettempdir()) / f"sctpx-tests-{os.getuid()}-udp-9899.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _reserved[0] = True
        try:
            yield
        finally:
            _reserved[0] = False


def _watch_default_udp_port(event: str, arguments: tuple[Any, ...]) -> None:
    """Called by Python for everything that can be audited: refuse the default UDP port to a test without the mark."""
    if event not in _PORT_EVENTS or _reserved[0] or apart[0]:
        return
    address = arguments[1]
    if isinstance(address, tuple) and address[1:2] == (DEFAULT_UDP_PORT,):
        raise RuntimeError(f"{event} of {address}: a test that uses the default UDP port is marked udp_9899")


sys.addaudithook(_watch_default_udp_port)
