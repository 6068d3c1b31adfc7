"""Counters show themselves."""

from __future__ import annotations

from sctpx.core.stats import AssociationStats, StackStats


def test_what_has_counted_is_shown_and_the_rest_is_not() -> None:
    stats = AssociationStats()
    assert repr(stats) == "<AssociationStats>"
    stats.sacks_sent = 2
    stats.bytes_sent = 100
    assert repr(stats) == "<AssociationStats bytes_sent=100 sacks_sent=2>"
    assert repr(StackStats()) == "<StackStats>"
