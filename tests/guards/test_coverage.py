"""The page about RFC 9260 has what tests and modules cite, and a test cites each section that demands something."""

from __future__ import annotations

import pytest

from tests.guards import coverage

pytestmark = pytest.mark.texts


def test_the_page_is_what_is_cited() -> None:
    """It is not? Run ``python -m tests.guards.coverage --write``."""
    assert coverage.DOCUMENT.read_text(encoding="utf-8") == coverage.document()


def test_each_section_that_demands_something_is_cited_by_a_test() -> None:
    assert coverage.uncited() == []


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("Rule C of section 5.1.", {"5.1"}),
        ("RFC 9260 sections 5.1 and 5.2.4, and section 9.2", {"5.1", "5.2.4", "9.2"}),
        ("RFC 9260 5.1.5, 4: something; 3.3.10.3: something else", {"5.1.5", "3.3.10.3"}),
        ("RFC 6951 section 5.4, RFC 6525 sections 5.2.1 to 5.2.4", set()),
        ("# section\n    # 8.4 and its rule 8", {"8.4"}),
        ("advance(6.1), 10.0.2.1", set()),
    ],
)
def test_what_is_a_citation(text: str, sections: set[str]) -> None:
    assert coverage.cited(text) == sections
