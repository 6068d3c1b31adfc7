"""The programs of ``examples/``, run as users run them: ``make examples``.

Where that is allowed, each test has a host of its own (a network namespace), so that ports are free and nobody else's
packets are captured. What else a test needs and does not find is skipped, or fails if SCTPX_REQUIRE_INTEROP=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.namespaces import own_host


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The servers of the examples have UDP port 9899, so that tests without a host of their own take turns."""
    here = f"{Path(__file__).parent}{os.sep}"
    ours = [item for item in items if str(item.path).startswith(here)]
    alone = bool(ours) and _can_be_alone()
    for item in ours:
        item.add_marker(pytest.mark.examples)
        if not alone:
            item.add_marker(pytest.mark.udp_9899)


def _can_be_alone() -> bool:
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return False
    asked = subprocess.run(["unshare", "--net", "true"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


def missing(what: str) -> None:
    """Skip the test, or let it fail where everything must be there."""
    if os.environ.get("SCTPX_REQUIRE_INTEROP") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(autouse=True)
def alone() -> Iterator[bool]:
    """Whether the test has a host of its own."""
    with ExitStack() as stack:
        try:
            stack.enter_context(own_host())
        except pytest.skip.Exception:
            yield False
        else:
            yield True


@pytest.fixture
def capturing(alone: bool) -> str:
    """The program tshark, where the packets of the test alone can be captured."""
    if not alone:
        missing("capturing packets takes root and the command ip (Debian: iproute2)")
    program = shutil.which("tshark")
    if program is None:
        missing("tshark is not installed")
    assert program is not None
    return program
