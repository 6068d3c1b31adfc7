"""Mutants that no test can kill, each with the reason: ``explained.toml``.

An entry names a module, a function, the mutants of one reason, and the reason::

    [[mutants]]
    module = "wire/tlv.py"
    function = "item"
    what = ["padding -> not padding"]
    reason = "Adding no padding changes nothing."

``what = ["*"]`` stands for all survivors of the function.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("explained.toml")
ALL: Final = "*"


@dataclass(frozen=True)
class Explanation:
    """Why some mutants of a function survive."""

    module: str
    function: str
    what: tuple[str, ...]
    reason: str

    @property
    def names(self) -> list[str]:
        """The names of its mutants."""
        return [f"{self.module} {self.function}: {what}" for what in self.what]


def explanations(text: str) -> list[Explanation]:
    """The entries of the file."""
    return [
        Explanation(entry["module"], entry["function"], tuple(entry["what"]), entry["reason"])
        for entry in tomllib.loads(text).get("mutants", [])
    ]


def explained(entries: Iterable[Explanation], survivors: Iterable[str]) -> set[str]:
    """The survivors that an entry names."""
    names = {name for entry in entries for name in entry.names}
    return {name for name in survivors if name in names or f"{name.partition(': ')[0]}: {ALL}" in names}


def unfounded(entries: Iterable[Explanation], seen: Iterable[str], survivors: Iterable[str]) -> list[str]:
    """What entries say of mutants that were seen and did not survive."""
    alive = set(survivors)
    functions = {name.partition(": ")[0] for name in alive}
    met = set(seen)
    met_functions = {name.partition(": ")[0] for name in met}
    wrong: list[str] = []
    for entry in entries:
        for name in entry.names:
            function, _, what = name.partition(": ")
            if what == ALL:
                stale = function in met_functions and function not in functions
            else:
                stale = name in met and name not in alive
            if stale:
                wrong.append(name)
    return wrong
