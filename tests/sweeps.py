"""Sweeps over many seeds: some are run each time, and all by ``make test-slow``."""

from __future__ import annotations

from typing import Any

import pytest


def seeds(always: int, count: int, every: int = 1) -> list[Any]:
    """Parameters for ``count`` seeds, or for one out of ``every`` of them; those from ``always`` on are slow."""
    slow = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(always, count, every)]
    return [*range(0, always, every), *slow]
