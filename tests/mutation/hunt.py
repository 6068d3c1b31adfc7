"""Each mutant meets the tests that execute its lines, until one fails.

The order of the tests: first those which have killed a mutant of this function, then those of the module's own test
file, then some that together execute every line of the function which any test executes, then those which have killed
a mutant of the module, then those of files near its own, then all others; of several files the shortest test of each
file in turn. A mutant meets tests of at most ``BUDGET`` seconds.

Parameters of tests were made when the tests were collected, without a fault. So what has survived meets the module's
own test file once more, imported anew.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile, zip_longest
from typing import Final

import pytest

from tests.guards.house import ROOT

from .children import Child, first_to_end, in_child, limit_cpu
from .covering import Covered, lines_mask
from .items import first_that_fails
from .mutants import Mutant
from .swap import apply

BUDGET: Final = 3.0
"""Seconds of tests that a mutant meets at most: CPU time, as measured under coverage."""
LONGEST: Final = 1.5
"""Seconds of the longest test that is taken."""
PATIENCE: Final = 120.0
"""Seconds without an answer after which a mutant counts as killed by time, on a machine as busy as may be."""

SURVIVED: Final = "survived"
NOT_COVERED: Final = "not covered"
COLLECTED: Final = "the tests of the module, collected with the fault"


class Hunt:
    """Knows the tests, and which of them have killed."""

    def __init__(self, session: pytest.Session, covered: dict[str, Covered]) -> None:
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        self.covered = covered
        self.killers: dict[str, list[str]] = defaultdict(list)
        """The tests that have killed mutants of a function or of a module, the last one first."""

    def learn(self, verdicts: dict[str, str]) -> None:
        """Remember which tests have killed mutants."""
        for name, test in verdicts.items():
            if test in self.items:
                function = name.partition(": ")[0]
                for killers in (self.killers[function], self.killers[function.partition(" ")[0]]):
                    if test in killers:
                        killers.remove(test)
                    killers.insert(0, test)

    def verdicts(self, mutants: Iterable[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
        """What becomes of each mutant, as they end; so many at once.

        A verdict is the id of the test that failed, or how a test ended that came to no end, or why the mutant lives.
        """
        running: dict[Child, Mutant] = {}
        for mutant in mutants:
            tests = self.tests(mutant)
            if len(running) == jobs:
                yield self._ended(running)
            running[Child(partial(self._first_failing, mutant, tests), PATIENCE)] = mutant
        while running:
            yield self._ended(running)

    def _ended(self, running: dict[Child, Mutant]) -> tuple[Mutant, str]:
        child = first_to_end(list(running))
        mutant, verdict = running.pop(child), child.end()
        self.learn({mutant.name: verdict})
        return mutant, verdict

    def _first_failing(self, mutant: Mutant, tests: list[str]) -> str:
        apply(mutant)
        limits = [0.5 + 5 * self.covered[test].seconds for test in tests]
        failed = first_that_fails([self.items[test] for test in tests], limits)
        if failed is not None:
            return failed.nodeid
        own = own_file(mutant.module)
        if (ROOT / own).exists() and not self._passes_collected_anew(own):
            return COLLECTED
        return SURVIVED if tests else NOT_COVERED

    def _passes_collected_anew(self, file: str) -> bool:
        """Whether the tests of a file pass when they are collected with the fault: parameters are made by then."""
        [path] = {item.path for item in self.items.values() if item.nodeid.startswith(f"{file}::")} or [None]
        if path is None:
            return True
        for name, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) == str(path):
                del sys.modules[name]
        limit_cpu(BUDGET)
        items = self.session.perform_collect([str(path)])
        if self.session.testsfailed:
            return False
        return first_that_fails(items, [BUDGET] * len(items)) is None

    def false_killers(self, tests: Iterable[str]) -> str:
        """A control: the first of some tests that fails without a fault, or how they ended; "" if all pass."""
        ordered = list(dict.fromkeys(tests))

        def first_failing() -> str:
            failed = first_that_fails([self.items[test] for test in ordered])
            return failed.nodeid if failed is not None else ""

        ended: str = in_child(first_failing, PATIENCE)
        return ended

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests for a mutant, in order, as many as there is time for."""
        mask = lines_mask(mutant.lines)
        able = {
            test: each.seconds
            for test, each in self.covered.items()
            if each.lines.get(mutant.module, 0) & mask and each.seconds <= LONGEST and test in self.items
        }
        function = lines_mask(line for _, _, line in mutant.code.co_lines() if line is not None)
        parts = {test: self.covered[test].lines[mutant.module] & function for test in able}
        likely = [*executing_all(able, parts), *self.killers[mutant.module]]
        killers = self.killers[f"{mutant.module} {mutant.function}"]
        return chosen(able, killers, likely, own_file(mutant.module), BUDGET)


def own_file(module: str) -> str:
    """The file of the unit tests of a module."""
    directory, _, name = module.rpartition("/")
    return f"tests/unit/{directory}/test_{name}"


def distance(file: str, own: str) -> int:
    """How far a file of tests is from another one: 0 for itself, one more for each directory that is not common."""
    parts, own_parts = file.split("/"), own.split("/")
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts, own_parts, strict=False)))
    return len(own_parts) - common


def executing_all(able: dict[str, float], lines: dict[str, int]) -> list[str]:
    """Some tests that together execute every line that any of them executes, the shortest ones first.

    :param able: Tests with the seconds that they take.
    :param lines: The lines that each of them executes.
    """
    found: list[str] = []
    seen = 0
    for test in sorted(able, key=lambda test: (able[test], test)):
        if lines[test] & ~seen:
            seen |= lines[test]
            found.append(test)
    return found


def chosen(able: dict[str, float], killers: Iterable[str], likely: Iterable[str], own: str, budget: float) -> list[str]:
    """Some of the tests that are able to tell a mutant, in order.

    :param able: Tests with the seconds that they take.
    :param killers: Tests that come first.
    :param likely: Tests that come behind those of the module's own file.
    :param own: The module's own file of tests: others come the sooner the nearer their files are to it.
    :param budget: The seconds that there are; the first test is taken in any case.
    """
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in sorted(able, key=lambda test: (able[test], test)):
        by_file[test.partition("::")[0]].append(test)
    near: dict[int, list[list[str]]] = defaultdict(list)
    for file in sorted(by_file):
        near[distance(file, own)].append(by_file[file])
    turns = [test for at in sorted(near) for turn in zip_longest(*near[at]) for test in turn if test is not None]
    first = [*killers, *by_file[own], *likely]
    taken: list[str] = []
    for test in dict.fromkeys([*[test for test in first if test in able], *turns]):
        if taken and budget < able[test]:
            continue
        taken.append(test)
        budget -= able[test]
    return taken
