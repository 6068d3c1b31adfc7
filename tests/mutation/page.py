"""``docs/mutation.md``: what was tried, and how many mutants lived.

``python -m tests.mutation --write`` writes the page, of the results that are kept for the sources as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.guards.house import PACKAGE, ROOT

from .covering import sources
from .explained import FILE, explained, explanations
from .hunt import BUDGET, LONGEST
from .mutants import mutants
from .results import Result

DOCUMENT: Final = ROOT / "docs" / "mutation.md"
HEAD: Final = f"""# Mutants: faults that the tests have to notice

A mutant is the source with one small fault. Tests that pass with it do not look at what the fault changes.
`make mutants` makes all mutants of `wire` and `core`, one after the other, and tries each with the tests that execute
its lines, until one fails. Which tests these are is measured first, with coverage.

The faults, in the bodies of functions:

* a comparison has another boundary (`<` for `<=`) or its opposite (`==` for `!=`, `in` for `not in`);
* `+` for `-`, `*` for `//`, `<<` for `>>`, `&` for `|`, each the other way round, too; `//` for `%`, `|` for `^`;
* `and` for `or`; one operand of them is missing; a condition is negated, or its `not` is missing;
* a number is one more, or one less; `True` for `False`; `min` for `max`; a minus or a `~` is missing;
* a slice has no lower bound, or no upper one;
* another result: the opposite of a `bool`, one more than an `int`, no bytes, None;
* an assignment, a call, a `raise`, a `return`, a `continue` is missing; `break` for `continue`.

Without mutants are constants and tables of modules and classes, and default arguments, since they are evaluated once,
before a test runs; assertions; the texts of exceptions; what only the compiled build runs.

**What is counted.** A mutant is *killed* when a test fails with it, or does not end (five times the CPU time that the
test takes otherwise, and half a second). It is *explained* if `tests/mutation/explained.toml` says why no test can
fail; an entry there that names a mutant which is killed, or none, is an error. The rest *survives*. The rate is that of
the killed among the mutants that are not explained.

**Limits.** The tests are those of `tests/unit` for `wire`, `core`, `sockapi` and `testing`, those of
`tests/conformance` and `tests/sim`; not those on real sockets, of other implementations, or of the small worlds. A
mutant meets tests of {BUDGET:g} seconds at most, the tests that have killed its like first, and no test that takes more
than {LONGEST:g} seconds. So a survivor may be one that a longer run would kill; a killed one is killed.

| to do what | command |
| --- | --- |
| all of it, in some hours, and this page | `make mutants` |
| some modules, by the beginnings of their paths | `make mutants MODULES="wire core/tx core/stack.py"` |
| so many mutants of each module, drawn with a seed | `make mutants SAMPLE=20 SEED=1` |
| what survived last time, was not tried, or has changed, by name and line | `make mutants MODULES=wire AGAIN=1` |

## What it has found

* No fault in what `wire` does. A length was checked twice, one was rounded twice, and one question had its answer
  already: these are gone.
* In `wire` nothing looked at runs of packets without a checksum (RFC 9653), at the chunks that have one for any peer,
  at the place and the key of an AUTH chunk, at how many streams a FORWARD-TSN has room for, at the address families of
  an INIT, at the lengths of RE-CONFIG parameters, or at an ASCONF in words. Tests do now.
* In the core, of which a sample was tried, and some modules whole: a SACK was made, and counted, for data before an
  ABORT in the same packet, though the association was over. Verbs that only ask for control chunks let out as much
  data as Max.Burst allows. What waited behind a message that was given up to make room stayed until the next packet
  came. And what did nothing is gone: second checks of what is known already, attributes that nobody reads, wake-ups
  after which there is nothing to send, a guard that was started twice.
* In the core nothing looked at RTO without its back-off, at the least round trip of late, at the path for data that
  timed out where several paths are equally bad, at how much a peer may take back, at what stands behind a message that
  is given up, at when addresses may be changed without authentication, at the RANDOM of an INIT that has crossed ours,
  at data that waited for a reset and broke the rules, at the time of a stale cookie, at the bounds of the lists by
  which lost and earliest TSNs are found, at what a scheduler does when a message that was begun is taken back, at how
  long a tail loss probe is put off, at where many messages that are handed over at once have to stop, at what is set
  for one path beside what the association has, at packets that are returned from elsewhere, or at how an ASCONF from a
  stranger is counted. Tests do now. Many of the survivors that are left are first values of
  attributes that are written before they are read, and limits that are one more or one less; others want a test.
* Most survivors were in lines that nearly every test executes: a mutant meets three seconds of those tests only, and
  not the one that would notice. A quick test in the module's own file, which comes first, kills dozens of them.
"""


@dataclass
class Row:
    """Numbers of a module, or of all."""

    all: int = 0
    tried: int = 0
    killed: int = 0
    by_time: int = 0
    explained: int = 0

    @property
    def surviving(self) -> int:
        """What is neither killed nor explained."""
        return self.tried - self.killed - self.explained

    @property
    def rate(self) -> str:
        """How many of those that a test could kill are killed."""
        possible = self.tried - self.explained
        return f"{100 * self.killed / possible:.1f} %" if possible else "-"

    def cells(self, name: str) -> str:
        """The row of the table."""
        numbers = (self.all, self.tried, self.killed, self.by_time, self.explained, self.surviving)
        return f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} | {self.rate} |"

    def add(self, other: Row) -> None:
        """Add up."""
        self.all += other.all
        self.tried += other.tried
        self.killed += other.killed
        self.by_time += other.by_time
        self.explained += other.explained


def row(result: Result) -> Row:
    """The numbers of a module."""
    entries = [entry for entry in explanations(FILE.read_text(encoding="utf-8")) if entry.module == result.module]
    survivors = result.survivors
    killed = len(result.verdicts) - len(survivors)
    by_time = sum(verdict == "timeout" for verdict in result.verdicts.values())
    return Row(result.all, len(result.verdicts), killed, by_time, len(explained(entries, survivors)))


def document(results: Iterable[Result]) -> str:
    """The page."""
    known = {result.module: result for result in results}
    total = Row()
    lines = [
        HEAD,
        "## The numbers",
        "",
        "| module | mutants | tried | killed | of them by time | explained | surviving | rate |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for path in sources():
        module = str(path.relative_to(PACKAGE))
        everyone = mutants(module, path.read_text(encoding="utf-8")) if module not in known else []
        numbers = row(known[module]) if module in known else Row(len(everyone))
        if numbers.all:
            total.add(numbers)
            lines.append(numbers.cells(f"`{module}`"))
    lines += [total.cells("**all**"), ""]
    drawn = sorted({result.seed for result in known.values() if len(result.verdicts) < result.all})
    if drawn:
        lines += [
            f"Where fewer were tried than there are, they are a random sample (seed {', '.join(map(str, drawn))}).",
            "",
        ]
    if total.tried < total.all:
        lines += [f"**Not tried** yet: {total.all - total.tried:,} of {total.all:,} mutants.", ""]
    return "\n".join(lines)
