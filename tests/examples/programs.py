"""Running an example as a process of its own. Every wait has a limit, and no process is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.guards.house import ROOT

EXAMPLES: Final = ROOT / "examples"
LIMIT: Final = 40
"""Seconds after which a program is given up."""


def _command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "always::ResourceWarning", str(EXAMPLES / f"{name}.py"), *arguments]


def environment(link: str | None) -> dict[str, str]:
    """The environment of programs; ``link`` is what SCTPX_LINK says, ``None`` for nothing."""
    kept = {name: value for name, value in os.environ.items() if name != "SCTPX_LINK"}
    return {**kept, **({"SCTPX_LINK": link} if link else {})}


def run(name: str, *arguments: str, link: str | None = "udp") -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    command = _command(name, *arguments)
    return subprocess.run(command, env=environment(link), capture_output=True, text=True, timeout=LIMIT, check=False)


@contextmanager
def running(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """An example that runs while the test does something else."""
    with subprocess.Popen(
        _command(name, *arguments), env=environment("udp"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """An example that serves, once it does."""
    with running(name, *arguments) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "listens" not in line:
            process.kill()
            pytest.fail(f"{name} does not listen: {process.communicate(timeout=LIMIT)}")
        yield process
