"""What became of the mutants, kept in ``build/mutation/results`` from one run to the next, module by module.

A verdict counts as long as the function is as it was.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Final

from tests.guards.house import PACKAGE

from .covering import KEPT
from .hunt import NOT_COVERED, SURVIVED
from .mutants import digests

RESULTS: Final = KEPT / "results"


@dataclass
class Result:
    """A module."""

    module: str
    all: int
    """Mutants that there are."""
    functions: dict[str, str]
    """A digest of each function."""
    seed: int = 0
    """With which a sample was drawn."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """Of each mutant that was tried, by its name."""

    @property
    def survivors(self) -> list[str]:
        """The names of the mutants that live."""
        return [name for name, verdict in self.verdicts.items() if verdict in {SURVIVED, NOT_COVERED}]

    def save(self) -> None:
        """Keep this."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{self.module.replace('/', '_')}.json").write_text(json.dumps(asdict(self), indent=1))


def functions_of(module: str) -> dict[str, str]:
    """A digest of each function of a module as it is."""
    return digests((PACKAGE / module).read_text(encoding="utf-8"))


def saved() -> dict[str, Result]:
    """The results, as far as functions are as they were."""
    found: dict[str, Result] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = Result(**json.loads(path.read_text()))
        if (PACKAGE / result.module).exists():
            now = functions_of(result.module)
            for name in list(result.verdicts):
                function = name.split(" ")[1].removesuffix(":")
                if now.get(function) != result.functions.get(function):
                    del result.verdicts[name]
            found[result.module] = result
    return found
