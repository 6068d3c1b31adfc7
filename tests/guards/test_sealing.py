"""Packets become final in one place, ``wire/seal.py``: nobody else computes a checksum that is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guards.house import imports, modules

pytestmark = pytest.mark.texts

COMPUTES = {"crc32c", "crc_pair", "header_checksum"}
KNOWS_HOW = {
    Path("wire", "seal.py"),
    Path("wire", "runs.py"),  # what a seal has done many packets at a time, and the reading of such packets
    Path("core", "association", "tcb.py"),  # verifies, and has the header of the packets to be verified
}


def test_no_other_module_computes_checksums() -> None:
    users = {module for module in modules() if {name.rpartition(".")[2] for name in imports(module)} & COMPUTES}
    assert users == KNOWS_HOW
