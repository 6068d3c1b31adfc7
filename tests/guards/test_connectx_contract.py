"""The promises of ``sctp_connectx`` are listed in docs/connectx.md, and comments and tests cite them by number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guards.house import ROOT

pytestmark = pytest.mark.texts

CONTRACT = (ROOT / "docs" / "connectx.md").read_text()
PROMISES = [f"CX{number}" for number in range(1, 13)]


def cited(directory: str) -> dict[str, set[str]]:
    """The numbers that each file of a directory cites."""
    files = (path for path in (ROOT / directory).rglob("*.py") if path != Path(__file__))
    return {str(path.relative_to(ROOT)): set(re.findall(r"\bCX\d+\b", path.read_text())) for path in files}


def test_the_page_has_the_promises_one_to_twelve_in_order() -> None:
    assert re.findall(r"^\| (CX\d+) \|", CONTRACT, re.MULTILINE) == PROMISES


def test_every_number_that_is_cited_is_on_the_page() -> None:
    citations = cited("src") | cited("tests")
    unknown = {path: numbers - set(PROMISES) for path, numbers in citations.items()}
    assert {path: numbers for path, numbers in unknown.items() if numbers} == {}


def test_every_promise_is_cited_by_a_test() -> None:
    assert set[str]().union(*cited("tests").values()) == set(PROMISES)
