"""What ``make interop`` found out, as a page: ``docs/interop.md``.

A test with the mark ``matrix(peer, ...)`` is a cell. What was exercised is the sentence that its name is. How it was
exercised is in the mark and in the parameters of the test: a ``Way``, the coroutine that sets the association up, or
anything else, which is named as it is. Figures come from the fixture ``figure``, and the version of the peer from who
asks the peer.

Rows are sorted, and figures are rounded, so that two runs differ only in what has changed.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import pytest

import sctpx

OUR_LINK: Final = {"raw": "raw IP", "udp": "UDP"}
ROLES: Final = {
    "we_connect": "sctpx",
    "they_connect": "the peer",
    "our_socket_connects": "sctpx",
    "our_socket_accepts": "the peer",
}
_WRITTEN: Final = {
    "mtu": "MTU",
    "linux": "Linux",
    "ipv6": "IPv6",
    "sctp (darn|test)": r"sctp_\1",
}
"""Words that the name of a test cannot have as they are written."""
COLUMNS: Final = ("raw IPv4", "raw IPv6", "UDP IPv4", "UDP IPv6")
_INTRODUCTION: Final = """\
# Who sctpx was tried with

`make interop` writes this page at the end of a complete run: each row is a test in `tests/interop`, and what was
exercised is the test's name. All data is hashed or compared on both sides. Figures are those of one run on one machine,
where both sides share the processors; they show how things behave, not how fast they can be.

The Linux kernel runs as a process of the host (user-mode Linux), in a network of its own, where links can be cut. What
runs in it uses its SCTP through sctpx's `backend="kernel"`, but for lksctp-tools, which are programs in C.
"""


class Way(NamedTuple):
    """How packets travel between the sides."""

    link: Literal["raw", "udp"]
    family: int
    """4 or 6."""
    addresses: int
    """So many on each side."""

    def __str__(self) -> str:
        return f"{self.link}-IPv{self.family}-{self.addresses}"


class Row(NamedTuple):
    """What a row of the page stands for."""

    subject: str
    what: str
    who: str
    """Which side sets the association up; "" where that is not the point."""
    api: str
    addresses: str


@dataclass(frozen=True)
class Cell:
    """One test that has run."""

    peer: str
    row: Row
    column: str
    result: str
    figures: str


@dataclass
class Matrix:
    """What was found out in this run."""

    versions: dict[str, str] = field(default_factory=dict)
    """Of each peer."""
    cells: list[Cell] = field(default_factory=list)
    complete: bool = True
    """No test was left out."""

    def record(self, item: pytest.Item, outcome: str, reason: str) -> None:
        """A test has run: ``outcome`` as pytest has it."""
        facts = _facts(item)
        peer = facts.pop("peer", None)
        if peer is None:
            return
        result = f"{outcome}: {reason}" if reason else outcome
        if outcome == "failed":
            result = "**failed**"
        figures = ", ".join(f"{name} {value}" for kind, (name, value) in _properties(item) if kind == "figure")
        row = Row(*(facts.get(name, "") for name in Row._fields))
        self.cells.append(Cell(peer, row, facts.get("column", ""), result, figures))

    def page(self) -> str:
        """All of it, as Markdown."""
        lines = [_INTRODUCTION, f"{_today()} {_machine()}", ""]
        lines += _table(
            ["peer", "version", "cells", "passed", "failed", "skipped"],
            ([peer, self.versions.get(peer, "not known"), *self._counts(peer)] for peer in self._peers()),
        )
        for peer in self._peers():
            lines += ["", f"## {peer}"]
            cells = [cell for cell in self.cells if cell.peer == peer]
            for subject in sorted({cell.row.subject for cell in cells}):
                lines += ["", f"### {subject}"] if subject else []
                lines += ["", *self._section([cell for cell in cells if cell.row.subject == subject])]
        return "\n".join(lines) + "\n"

    def _peers(self) -> list[str]:
        return sorted({cell.peer for cell in self.cells})

    def _counts(self, peer: str) -> list[str]:
        results = [cell.result for cell in self.cells if cell.peer == peer]
        counts = [sum(result.strip("*").startswith(name) for result in results) for name in ("pass", "fail", "skip")]
        return [str(count) for count in (len(results), *counts)]

    @staticmethod
    def _section(cells: list[Cell]) -> list[str]:
        """A table, without the columns in which nothing is."""
        columns = [name for name in COLUMNS if any(cell.column == name for cell in cells)]
        if any(cell.column not in columns for cell in cells):
            columns.append("")
        found: dict[Row, dict[str, str]] = {}
        for cell in cells:
            text = f"{cell.result}: {cell.figures}" if cell.figures else cell.result
            found.setdefault(cell.row, {})[cell.column] = text
        used = [number for number in range(1, len(Row._fields)) if any(row[number] for row in found)]
        heads = [["", "what was exercised", "set up by", "API", "addresses"][number] for number in used]
        return _table(
            heads + [name or "result" for name in columns],
            (
                [row[number] for number in used] + [found[row].get(name, "") for name in columns]
                for row in sorted(found)
            ),
        )


def figure_text(value: float, unit: str) -> str:
    """A figure as coarse as one run on a busy machine makes it: two digits, of less than a second one."""
    if unit == "s" and value < 0.01:
        return "less than 10 ms"
    if unit == "s" and value < 1:
        return f"{float(f'{value * 1000:.1g}'):.0f} ms"
    rounded = float(f"{value:.2g}")
    return f"{rounded:g} {unit}".strip()


def _properties(item: pytest.Item) -> Iterable[tuple[str, Any]]:
    return ((kind, value) for kind, value in item.user_properties if isinstance(value, tuple))


def _facts(item: pytest.Item) -> dict[str, str]:
    """All that marks and parameters tell of a test."""
    facts: dict[str, str] = {}
    for mark in reversed(list(item.iter_markers("matrix"))):
        facts |= mark.kwargs
    callspec = getattr(item, "callspec", None)
    parameters: Mapping[str, Any] = callspec.params if callspec is not None else {}
    function = getattr(item, "originalname", None) or item.name
    sentence = function.removeprefix("test_").replace("_", " ")
    further = []
    for name, value in parameters.items():
        if isinstance(value, Way):
            facts["column"] = f"{'raw' if value.link == 'raw' else 'UDP'} IPv{value.family}"
            facts["addresses"] = str(value.addresses)
        elif name == "meet":
            facts["who"] = ROLES.get(value.__name__, value.__name__.replace("_", " "))
        elif name == "api":
            facts["api"] = str(value)
        else:
            further.append(f"{name} {value}")
    for plain, written in _WRITTEN.items():
        sentence = re.sub(rf"\b{plain}\b", written, sentence)
    what = sentence if "_" in sentence.partition(" ")[0] else sentence[:1].upper() + sentence[1:]
    facts["what"] = f"{what} ({', '.join(further)})" if further else what
    return facts


def _table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def _today() -> str:
    return f"Last run: {time.strftime('%Y-%m-%d', time.gmtime())},"


def _machine() -> str:
    build = "compiled" if sctpx.COMPILED else "interpreted"
    return (
        f"sctpx {sctpx.__version__} ({build}), Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} processors."
    )
