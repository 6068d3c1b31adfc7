"""``docs/security.md`` names limits, counters and tests that there are, and every attack that the RFCs describe."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final

import pytest

from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.stats import AssociationStats, StackStats
from tests.guards import requirements
from tests.guards.house import ROOT

pytestmark = pytest.mark.texts

PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
FIELDS: Final = {one.name: one.default for one in (*fields(AssociationConfig), *fields(Limits))}
COUNTERS: Final = {*dir(AssociationStats), *dir(StackStats)}
OTHERS: Final = {"send_space", "EventStream.lost"}
"""What the page names as a counter and is a property of an association, or of a stream of events."""
ATTACKS: Final = {
    "RFC 5062": {str(section) for section in range(2, 11)},
    "RFC 6951": {"8"},
    "RFC 9260": {"12.2.1", "12.2.2", "12.2.3", "12.2.4.1", "12.2.4.2", "12.2.4.3", "12.3", "12.4"},
}
"""The sections that describe attacks or threats."""


def tables(page: str) -> list[list[dict[str, str]]]:
    """The rows of each table, by the heads of their columns."""
    found: list[list[dict[str, str]]] = []
    heads: list[str] = []
    for line in [*page.splitlines(), ""]:
        if not line.startswith("|"):
            heads = []
            continue
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")] if line.strip("|- ") else []
        if not heads:
            heads = cells
            found.append([])
        elif cells:
            found[-1].append(dict(zip(heads, cells, strict=True)))
    return found


def attacks(rfc: str) -> list[dict[str, str]]:
    """The table of the attacks that one RFC describes."""
    _, _, behind = PAGE.partition(f"\n### {rfc}")
    return tables(behind)[0]


def names(text: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", text)


def test_each_counter_of_a_table_exists() -> None:
    rows = [row for table in tables(PAGE) for row in table if "counter" in row]
    assert len(rows) > 30
    assert [name for row in rows for name in names(row["counter"]) if name not in COUNTERS | OTHERS] == []


def test_each_limit_of_a_table_is_a_parameter() -> None:
    rows = [row for table in tables(PAGE) for row in table if "limit" in row]
    assert [name for row in rows for name in names(row["limit"]) if name not in FIELDS] == []


@pytest.mark.parametrize("rfc", sorted(ATTACKS))
def test_each_attack_has_its_row_with_the_defaults_of_its_limits_and_a_test(rfc: str) -> None:
    rows = attacks(rfc)
    assert {row["section"] for row in rows} == ATTACKS[rfc]
    for row in rows:
        assert row["attack"]
        assert row["what happens here"]
        for name, default in re.findall(r"`(\w+)` \((.*?)\)(?=, `|$)", row["limit"]):
            assert default.replace('"', "'") == repr(FIELDS[name]), row["limit"]
        assert len(re.findall(r"`\w+` \(", row["limit"])) == len(names(row["limit"]))
        test = re.fullmatch(r"`([\w/]+\.py)::(\w+)`", row["test"])
        assert row["test"].startswith("none: ") or (test and test[2] in requirements.tests_of(test[1])), row["test"]
