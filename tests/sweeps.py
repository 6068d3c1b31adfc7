"""Sweeps over many cases: some are run each time, and all by ``make test-slow``.

So it is with what Hypothesis draws as well: the profile "house" has 40 examples for each property, "whole" has 100,
which ``make test-slow`` takes for all property tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import settings

WHOLE: Final = 100
"""Examples for a property in the profile "whole"."""


def seeds(always: int, count: int, every: int = 1) -> list[Any]:
    """Parameters for ``count`` seeds, or for one out of ``every`` of them; those from ``always`` on are slow."""
    slow = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(always, count, every)]
    return [*range(0, always, every), *slow]


def some(always: Sequence[Any], slow: Sequence[Any]) -> list[Any]:
    """Parameters of which the first ones are run each time, and the others are slow."""
    return [*always, *[pytest.param(value, marks=pytest.mark.slow) for value in slow]]


def rows(always: Sequence[tuple[Any, ...]], slow: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The same for several parameters at once: a row has a value for each of them."""
    return [*always, *[pytest.param(*row, marks=pytest.mark.slow) for row in slow]]


def examples(whole: int, **others: Any) -> settings:
    """Settings of a property that takes another number of examples than ``WHOLE``; fewer in proportion each time."""
    profile = settings.default
    assert profile is not None
    return settings(max_examples=max(whole * profile.max_examples // WHOLE, 1), **others)
