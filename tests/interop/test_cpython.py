"""CPython's own tests of SCTP sockets pass on those of sctpx: what Python programs expect of a socket."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys

import pytest

from tests.guards.house import ROOT
from tests.interop.conftest import Figure, cannot_be_had
from tests.interop.matrix import Matrix

PEER = "CPython's tests of SCTP sockets"
TESTS = 42


def require_the_tests() -> None:
    """Not every Python comes with its tests; Debian has them in libpython3-testsuite."""
    try:
        found = importlib.util.find_spec("test.test_socket")
    except ModuleNotFoundError:
        found = None
    if found is None:
        cannot_be_had("this Python comes without its own tests (Debian: libpython3-testsuite)")


@pytest.mark.matrix(peer=PEER, api="sockets", column="UDP IPv4")
def test_all_of_them_pass_and_none_is_skipped(matrix: Matrix, figure: Figure) -> None:
    require_the_tests()
    matrix.versions[PEER] = platform.python_version()
    command = [sys.executable, "-m", "tests.interop.cpython_sockets"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["failed"], result["skipped"]) == ({}, {})
    assert result["ran"] >= TESTS
    figure("all", result["ran"], "tests")
