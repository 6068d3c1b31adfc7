"""Every sentence of RFC 9260 that demands something is accounted for: where it is done, and which test would fail."""

from __future__ import annotations

import pytest

from tests.guards import requirements
from tests.guards.coverage import choices

pytestmark = pytest.mark.texts


def test_each_section_has_as_many_requirements_as_its_counts_say() -> None:
    """The counts are those of the text: ``python -m tests.guards.requirements PATH`` compares them."""
    assert requirements.miscounted() == []


def test_there_are_as_many_words_as_in_the_rfc() -> None:
    """All counts together, so that no section is missing: 564 words in 505 sentences of 91 sections."""
    assert sum(sum(section.counts) for section in requirements.sections()) == 564
    assert len(requirements.requirements()) == 505
    assert len(requirements.sections()) == 91


def test_each_requirement_is_met_or_says_why_not() -> None:
    assert requirements.unfounded(set(choices())) == []


def test_what_does_it_is_there() -> None:
    assert requirements.lost_places() == []


def test_the_tests_that_are_named_are_run() -> None:
    assert requirements.lost_tests() == []


def test_the_sentences_of_a_text_are_found() -> None:
    text = """
1.  Introduction

   An endpoint MUST do this: it SHOULD
   NOT do that.  Perhaps it MAY.

2.1.  Something

   *  It SHALL, and it is
      NOT RECOMMENDED that it does.

   Nothing.  A "SHOULD" is one.
"""
    assert [(id_, words) for id_, words, _ in requirements.sentences(text)] == [
        ("1-1", ["MUST", "SHOULD NOT"]),
        ("2.1-1", ["SHALL", "NOT RECOMMENDED"]),
        ("2.1-2", ["SHOULD"]),
    ]
    assert requirements.counts(iter(["MUST", "SHALL", "NOT RECOMMENDED", "SHOULD"])) == [2, 0, 1, 1]


def test_a_text_that_differs_is_noticed() -> None:
    text = "1.  Introduction\n1.3.  Key Terms\n   Two MUST NOT.  All MUST.  It MUST not be.\n"
    found = requirements.differences(text)
    assert "1.3-3 ['MUST']: It MUST not be." in found
    assert "1.6-1: no such sentence" in found
    assert not any(difference.startswith(("1.3-1", "1.3-2")) for difference in found)
