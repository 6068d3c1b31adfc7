"""``docs/chunks.md``, drawn from the code: which chunk counts in which state of an association.

python -m tests.guards.chunks --write
"""

from __future__ import annotations

import sys
from typing import Final

from sctpx.core.association.dispatch import DATA_COUNTS, RULES, SACK_COUNTS
from sctpx.core.association.state import COOKIE_WAIT, STATE_NAMES, TRANSITIONS
from sctpx.core.capabilities import CAPABILITIES
from sctpx.wire.codes import CHUNK_DATA, CHUNK_NAMES, CHUNK_SACK
from tests.guards.house import ROOT

DOCUMENT: Final = ROOT / "docs" / "chunks.md"
HEAD: Final = """# States, and which chunk counts in which

Drawn from `core/association/state.py` and `core/association/dispatch.py` by `python -m tests.guards.chunks --write`.

A cell names what handles the chunk in that state, in `dispatch.py`. Where a cell is empty, the chunk is discarded and
the rest of its packet counts. A row with the name of an extension holds where both sides have agreed on it; of several
rows of a chunk, the first one that holds. A chunk that belongs to an extension is unknown where none of its rows holds.

INIT, COOKIE ECHO, INIT ACK in COOKIE-WAIT, and packets without our Verification Tag are decided by the stack, before
the association has a say: `core/other_packets.py`.
"""
STATES: Final = range(COOKIE_WAIT, len(STATE_NAMES))


def rows() -> dict[str, list[str]]:
    """For each chunk type the name of its handler in each state."""
    extensions = {row.bit: row.name for row in CAPABILITIES}
    found: dict[str, list[str]] = {}
    for kind, states in ((CHUNK_DATA, DATA_COUNTS), (CHUNK_SACK, SACK_COUNTS)):
        found[CHUNK_NAMES[kind]] = ["inbound" if states >> state & 1 else "" for state in STATES]
    for kind, rules in RULES.items():
        needed = list(dict.fromkeys(rule.capability for rule in rules))
        for capability in needed:
            cells = []
            for state in STATES:
                fitting = [rule for rule in rules if rule.capability == capability and rule.states >> state & 1]
                cells.append(fitting[0].handle.__name__.lstrip("_") if fitting else "")
            otherwise = " (otherwise)" if len(needed) > 1 else ""
            found[CHUNK_NAMES[kind] + (f" ({extensions[capability]})" if capability else otherwise)] = cells
    return found


def line(cells: list[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def document() -> str:
    """The whole page."""
    names = [STATE_NAMES[state] for state in STATES]
    chunks = [line(["chunk", *names]), line(["---"] * (len(names) + 1))]
    chunks += [line([chunk, *cells]) for chunk, cells in rows().items()]
    ways = [line(["from", "to"]), line(["---", "---"])]
    ways += [line([STATE_NAMES[old], ", ".join(STATE_NAMES[new] for new in to)]) for old, to in TRANSITIONS.items()]
    return "\n".join([HEAD, *chunks, "", "The legal ways between states:", "", *ways, ""])


if __name__ == "__main__" and "--write" in sys.argv:
    DOCUMENT.write_text(document(), encoding="utf-8")
