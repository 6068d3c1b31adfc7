"""The figures of the last soak in ``docs/security.md``, between two marks.

``python -m tests.soak --write`` writes them. A test reads them back and renders them again: so the page has what the
command writes, and no figure that somebody has typed in a form of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Final

from tests.guards.house import ROOT

from .real import Result
from .world import Tally

DOCUMENT: Final = ROOT / "docs" / "security.md"
BEGIN: Final = "<!-- figures of the last soak: python -m tests.soak --write -->\n"
END: Final = "<!-- end of the figures -->\n"


@dataclass
class Figures:
    """What the page says."""

    first_seed: int = 0
    days: float = 0.0
    sessions: int = 0
    messages: int = 0
    megabytes: float = 0.0
    given_up: int = 0
    packets: int = 0
    forged: int = 0
    lies: int = 0
    cuts: int = 0
    crashes: int = 0
    moves: int = 0
    calms: int = 0
    nights: int = 0
    real_seconds: float = 0.0
    real_associations: int = 0
    real_gigabytes: float = 0.0
    real_rate: float = 0.0
    real_cuts: int = 0
    real_gap: float = 0.0
    real_memory: float = 0.0
    real_growth: float = 0.0


ROWS: Final = {
    "first_seed": "virtual: seed of the first day",
    "days": "virtual days",
    "sessions": "associations",
    "messages": "messages that arrived, each held to what was sent",
    "megabytes": "MB of user data",
    "given_up": "messages given up, as their policy had it",
    "packets": "packets",
    "forged": "of these, forged or said again by strangers",
    "lies": "of these, changed by the peer that lies",
    "cuts": "paths cut",
    "crashes": "hosts that died and started anew",
    "moves": "changes of a host's addresses",
    "calms": "calms, in which all came to rest and all paths worked again",
    "nights": "nights, in which all ended and nothing was left",
    "real_seconds": "real: seconds on loopback",
    "real_associations": "associations, of asyncio and of sockets",
    "real_gigabytes": "GB of user data, compared by their hashes",
    "real_rate": "MB a second, all together",
    "real_cuts": "paths cut",
    "real_gap": "seconds without a message, at the longest",
    "real_memory": "MiB of memory of the largest process, in the second half",
    "real_growth": "times as much as in the first half, at the most",
}
"""What each figure is called; those of the real part stand behind the others."""


def figures(seed: int, tally: Tally, result: Result) -> Figures:
    """What a run has found."""
    return Figures(
        seed,
        tally.virtual_seconds / 86400,
        tally.sessions,
        tally.messages,
        tally.bytes / 1e6,
        tally.given_up,
        tally.packets,
        tally.forged,
        tally.lies,
        tally.cuts,
        tally.crashes,
        tally.moves,
        tally.calms,
        tally.nights,
        result.seconds,
        result.associations,
        result.bytes / 1e9,
        result.rate,
        result.cuts,
        result.gap,
        result.memory / (1 << 20),
        result.growth,
    )


def render(found: Figures) -> str:
    """The table."""
    rows = ["| | |", "| --- | ---: |"]
    for name, title in ROWS.items():
        value = getattr(found, name)
        rows.append(f"| {title} | {value:,.2f} |" if isinstance(value, float) else f"| {title} | {value:,} |")
    return "\n".join(rows) + "\n"


def parse(table: str) -> Figures:
    """The figures of a table that ``render`` has made. ``ValueError``: of another one."""
    cells = re.findall(r"^\| (.+) \| ([\d,.]+) \|$", table, re.MULTILINE)
    if [title for title, _ in cells] != list(ROWS.values()):
        raise ValueError("these are not the figures of a soak")
    kinds = {one.name: float if one.type == "float" else int for one in fields(Figures)}
    values: dict[str, Any] = {
        name: kinds[name](value.replace(",", "")) for name, (_, value) in zip(ROWS, cells, strict=True)
    }
    return Figures(**values)


def stated(page: str) -> str:
    """The table of the page."""
    return page.partition(BEGIN)[2].partition(END)[0]


def write(found: Figures) -> None:
    """Put figures into the page."""
    page = DOCUMENT.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    DOCUMENT.write_text(before + begin + render(found) + end + after, encoding="utf-8")
