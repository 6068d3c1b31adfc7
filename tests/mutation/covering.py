"""Which test executes which lines of the core, and how long it takes.

The tests of a file run in a process of their own, forked from the one that has collected them. What they did is kept in
``build/mutation`` until a file changes that they may depend on.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Final

import coverage
import pytest

from tests.guards.house import PACKAGE, ROOT

from .children import in_child
from .items import passes

KEPT: Final = ROOT / "build" / "mutation"
PARTS: Final = ("wire", "core")
PATIENCE: Final = 900.0
"""Seconds that a file of tests may take."""


@dataclass
class Covered:
    """What a test did."""

    seconds: float
    """CPU time, under coverage."""
    lines: dict[str, int] = field(default_factory=dict)
    """For each file below the package, a number with a bit for each line that was executed."""


def lines_mask(lines: Iterable[int]) -> int:
    """A number with a bit for each of some lines."""
    mask = 0
    for line in lines:
        mask |= 1 << line
    return mask


def sources() -> list[Path]:
    """The files that have mutants."""
    return sorted(path for part in PARTS for path in (PACKAGE / part).rglob("*.py"))


def covering(items: list[pytest.Item], trusting: bool = False) -> dict[str, Covered]:
    """What each test that passes executes, by the ids of the tests.

    :param trusting: Take what is kept of a file of tests also if other files have changed since.
    """
    shared = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith("test_") and path.parent != Path(__file__).parent
    ]
    everyone = _digest([*PACKAGE.rglob("*.py"), *shared])
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    covered: dict[str, Covered] = {}
    for number, (path, own) in enumerate(by_file.items()):
        name = path.relative_to(ROOT).with_suffix(".covered")
        kept = KEPT / "_".join(name.parts)
        stamp = (everyone, _digest([path]), len(own))
        saved = pickle.loads(kept.read_bytes()) if kept.exists() else None
        if saved is None or saved[0][1:] != stamp[1:] or (saved[0] != stamp and not trusting):
            print(f"\r{number}/{len(by_file)} {path.name:60}", end="", flush=True)
            results = in_child(lambda own=own: _executed(own), PATIENCE)  # type: ignore[misc]
            if not isinstance(results, dict):
                raise RuntimeError(f"the tests of {path} did not come to an end: {results}")
            saved = (stamp, results)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps(saved))
        covered.update(saved[1])
    return covered


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _executed(items: list[pytest.Item]) -> dict[str, Covered]:
    """Run tests and see what they execute."""
    watching = coverage.Coverage(
        data_file=None, config_file=False, source=[str(PACKAGE / part) for part in PARTS], messages=False
    )
    results: dict[str, Covered] = {}
    watching.start()
    for index, item in enumerate(items):
        watching.switch_context(item.nodeid)
        began = process_time()
        if passes(item, items[index + 1] if index + 1 < len(items) else None):
            results[item.nodeid] = Covered(process_time() - began)
    watching.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", coverage.exceptions.CoverageWarning)  # Some files execute nothing of the core.
        data = watching.get_data()
    for name in data.measured_files():
        path = str(Path(name).relative_to(PACKAGE))
        for line, contexts in data.contexts_by_lineno(name).items():
            for context in contexts:
                if context in results:
                    lines = results[context].lines
                    lines[path] = lines.get(path, 0) | 1 << line
    return results
