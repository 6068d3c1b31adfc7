"""Rows of results: what a stack reached in a piece of work, as the median of several runs with the least and the most.

A piece of work can give several figures; each is a row, named after the work with a suffix: ``bulk-64k`` are MB/s and
``bulk-64k/cpu`` is the CPU time it took. ``conditions`` say how it was measured, the machine included.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NOISY = 0.3
"""From the least to the most value, relative to the median: beyond, a figure is marked as noisy."""
LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure."""

    work: str
    stack: str
    value: float
    """The median."""
    unit: str
    min: float
    max: float
    title: str = ""
    """The work in words."""
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def noisy(self) -> bool:
        """The runs differ so much that the median says little."""
        return self.max - self.min > NOISY * abs(self.value)

    @classmethod
    def of(cls, values: Sequence[float], *, conditions: Mapping[str, Any], **what: str) -> Row:
        """The values of several runs."""
        return cls(
            value=_rounded(statistics.median(values)),
            min=_rounded(min(values)),
            max=_rounded(max(values)),
            conditions={**conditions, "runs": len(values)},
            **what,
        )


class Results:
    """All rows of a run."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = list(rows)

    def get(self, work: str, stack: str) -> Row | None:
        """The row of a stack, if there is one."""
        return next((row for row in self.rows if row.work == work and row.stack == stack), None)

    def save(self, path: Path) -> None:
        """Write them as JSON: a list of objects."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what ``save`` wrote."""
        return cls(Row(**row) for row in json.loads(path.read_text(encoding="utf-8")))


def _rounded(value: float) -> float:
    """To five digits: more would be noise."""
    return float(f"{value:.5g}")
