"""The page that says what of RFC 6458 is there is what the code says, and what is said to be done has a test."""

from __future__ import annotations

from functools import cache

import pytest

from sctpx.sockapi.options import OPTIONS
from tests.guards import rfc6458

pytestmark = pytest.mark.texts


@cache
def all_rows() -> list[list[str]]:
    """The rows of all tables. Not made while tests are collected, which every process does."""
    return [
        *rfc6458.call_rows(),
        *rfc6458.ancillary_rows(),
        *rfc6458.notification_rows(),
        *[rfc6458.option_row(option) for option in OPTIONS],
    ]


def test_the_page_is_what_the_code_says() -> None:
    """It is not? Run ``python -m tests.guards.rfc6458 --write``."""
    assert rfc6458.DOCUMENT.read_text() == rfc6458.document()


def test_what_is_done_has_a_module_and_a_test() -> None:
    done = [row for row in all_rows() if "done" in row]
    assert done
    assert [row for row in done if not any(cell.startswith("tests/") for cell in row)] == []
    modules = [[cell for cell in row if cell.endswith(".py") and not cell.startswith("tests/")] for row in done]
    assert [row for row, found in zip(done, modules, strict=True) if not found] == []


def test_every_section_of_the_rfc_that_is_an_option_or_a_notification_is_on_the_page() -> None:
    sections = {row[0] for row in all_rows()}
    assert {f"8.1.{number}" for number in range(1, 33)} <= sections
    assert {f"8.2.{number}" for number in range(1, 7)} <= sections
    assert {f"8.3.{number}" for number in range(1, 6)} <= sections
    assert {f"6.1.{number}" for number in range(1, 12)} <= sections
    assert {f"5.3.{number}" for number in range(1, 11)} <= sections
    assert {f"9.{number}" for number in range(1, 14)} <= sections
