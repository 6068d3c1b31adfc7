"""``docs/exploration.md``: what was explored, and how many states were seen.

``python -m tests.exploration --write`` writes the page; the tests of the worlds compare their own numbers with it.
"""

from __future__ import annotations

from typing import Final

from tests.guards.house import ROOT

from .explorer import Count
from .host import Step
from .worlds import WORLDS, World

DOCUMENT: Final = ROOT / "docs" / "exploration.md"
HEAD: Final = """# Small worlds, explored exhaustively

The core of sctpx is a function of its inputs: packets, timers, calls. So a world of two hosts can be tried in every
way that it can go, and not only at random. `tests/exploration` does so. In each state of a world, each of these may
happen next:

* any packet under way is delivered, whichever was sent first;
* a packet is lost, or delivered while a copy of it stays under way;
* a program takes its next step: it connects, sends, shuts down, aborts, or its host starts anew;
* the earliest timer of the two hosts expires.

What is lost, what comes twice, and what is late is counted: a timer that expires while a packet is under way, or
while a program could go on, means that something is late. How much of it a world has is in the tables; **packets
overtake each other in all of them, without limit.** Within that, nothing is left out: every state is seen, once.
States are told apart by all that the two hosts know, but for counters that nothing depends on; by the packets under
way; and by the time.

In each state it holds that

* nothing raises, no timer is due again at the instant when it expired, and no input has more than 200 packets and
  events for an answer;
* messages arrive as they were sent: none twice, none out of order, none that belongs to an association that is over;
* what one side counts as acknowledged, the other one has received, and nobody has received what was not sent;
* bytes and chunks in flight, the send buffer and the error counts add up; what waits has a timer that runs;
* the program hears of each association that it comes up once and ends once, and nothing after that.

From each state the world is then run on without further faults. It has to come to rest with no association left on
either side: what was to end has ended, and nobody sends for ever. Where an association ended gracefully, all that was
sent on it has arrived. Where no program aborts and no host starts anew, every association ends gracefully, whatever
was lost.

`make explore` counts, in some minutes, and writes this page; `python -m tests.exploration` counts the shallow worlds,
in seconds. A fault is shown as the shortest way that leads there, packet by packet. Most shallow worlds are explored
in each run of the tests, the largest and all deep ones by `make test-slow`; they hold that these numbers are not more
than a tenth off.
"""
FOUND: Final = """
## What it has found

* A COOKIE ECHO that came late, or twice, set up an association that was over, under the same tags (RFC 9260 section
  5.3.1). When both sides connected at once, one late packet was enough. This has been mended; the states are in "both
  connect" and "again".

Two ways are longer than one would like, and are what RFC 9260 asks for:

* A host that starts anew while its first COOKIE ECHO is under way has a cookie without Tie-Tags, which section 5.2.4
  has discarded: the new association comes up when that cookie is stale, after a minute ("a restart and a shutdown").
* If both sides connect, and both abort before their COOKIE ECHOs arrive, and the ABORTs overtake these, each side has
  an association that the other one does not know. Each discards the packets of the other one, as their tag is not its
  own (section 8.5), until its HEARTBEATs were not answered often enough ("both connect and abort").
"""
COLUMNS: Final = ["world", "A", "B", "lost", "twice", "late", "at most", "states", "ends", "inputs to the last"]


def cells(world: World, deep: bool, count: Count) -> list[str]:
    """The row of a world."""
    faults = world.deep if deep else world.shallow
    most = min(faults.total, faults.losses + faults.copies + faults.early)
    numbers = [faults.losses, faults.copies, faults.early, most, count.states, count.ends]
    inputs = f"{count.depth}" if count.whole else f"{count.depth}, and there are more"
    return [world.name, _script(world.a), _script(world.b), *[f"{number:,}" for number in numbers], inputs]


def _script(steps: tuple[Step, ...]) -> str:
    """The steps of a program."""
    return ", ".join(steps) or "listens"


def row(cells: list[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def stated(world: World, deep: bool) -> list[str]:
    """The row of a world as the page has it; [] if it has none."""
    tables = DOCUMENT.read_text(encoding="utf-8").partition("## Deep")
    rows = [line for line in tables[2 if deep else 0].splitlines() if line.startswith(f"| {world.name} |")]
    return rows[0].strip("| ").split(" | ") if rows else []


def lies(world: World, deep: bool, count: Count) -> bool:
    """Whether the page says something else of a world, or has a number of states that is more than a tenth off.

    The numbers change a little with each packet that the core sends more or less.
    """
    said, counted = stated(world, deep), cells(world, deep, count)
    if said[:-3] != counted[:-3]:
        return True
    return abs(int(said[-3].replace(",", "")) - count.states) > count.states // 10


def document(counts: dict[tuple[str, bool], Count]) -> str:
    """The whole page."""
    lines = [HEAD]
    for deep, title in ((False, "Shallow"), (True, "Deep")):
        total = sum(count.states for (_, is_deep), count in counts.items() if is_deep is deep)
        lines += [f"## {title}: {total:,} states", "", row(COLUMNS), row(["---"] * len(COLUMNS))]
        lines += [row(cells(world, deep, counts[world.name, deep])) for world in WORLDS]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n" + FOUND
