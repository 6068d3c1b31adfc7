"""Try the mutants of the core, and tell which of them no test notices.

python -m tests.mutation [MODULE...]    the modules whose paths begin so, in this order: wire core/tx; all without any
    --sample N      so many mutants of each module, drawn by --seed (0)
    --again         only what survived the last time, or was not tried, or is in a function that has changed
    --kept          look anew only at the test files that have changed, for the lines that their tests execute
    --jobs N        at once
    --write         write docs/mutation.md with all results that are kept
"""

from __future__ import annotations

import argparse
import random
import sys
from time import monotonic
from typing import Final

import pytest

from tests.guards.house import PACKAGE

from .covering import covering, sources
from .explained import FILE, explained, explanations, unfounded
from .hunt import Hunt
from .mutants import Mutant, mutants
from .page import DOCUMENT, document
from .results import Result, functions_of, saved
from .swap import functions, module_of

TESTS: Final = [
    "tests/unit/wire",
    "tests/unit/core",
    "tests/unit/sockapi",
    "tests/unit/testing",
    "tests/conformance",
    "tests/sim",
]
"""Tests in virtual time, in one thread and without sockets: in a forked process they do what they do elsewhere."""


class Mutation:
    """A plugin of pytest: what is done with the tests when they are collected."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Hypothesis stops at the first example that fails, and does not look for a simpler one."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest has to be there first

        settings.register_profile(
            "mutation", settings.default, phases=(Phase.explicit, Phase.generate), print_blob=False
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hunt, in place of running the tests."""
        hunt = Hunt(session, covering(session.items, self.options.kept))
        paths = [str(path.relative_to(PACKAGE)) for path in sources()]
        wanted = [path for beginning in self.options.modules for path in paths if path.startswith(beginning)]
        for module in dict.fromkeys(wanted):
            self.failed |= not self.hunt_module(hunt, module)
        return True

    def hunt_module(self, hunt: Hunt, module: str) -> bool:
        """Try the mutants of a module; whether each is killed or explained, and each explanation right."""
        path = PACKAGE / module
        everyone = mutants(module, path.read_text(encoding="utf-8"), str(path))
        if not everyone:
            return True
        known = functions(module_of(module))
        missing = {m.function for m in everyone if (m.function, m.code.co_firstlineno) not in known}
        if missing:
            raise LookupError(f"{module} has not defined {missing}")
        result = Result(module, len(everyone), functions_of(module), self.options.seed)
        before = saved().get(module) if self.options.again else None
        chosen = self.sample(everyone)
        if before is not None:
            names = {mutant.name for mutant in everyone}
            result.verdicts.update({name: verdict for name, verdict in before.verdicts.items() if name in names})
            killed = set(before.verdicts).difference(before.survivors)
            wanted = {mutant.name for mutant in chosen}.union(before.survivors)
            chosen = [mutant for mutant in everyone if mutant.name in wanted and mutant.name not in killed]
            hunt.learn(before.verdicts)
        began = monotonic()
        for mutant, verdict in hunt.verdicts(chosen, self.options.jobs):
            result.verdicts[mutant.name] = verdict
        wrong = hunt.false_killers(test for test in result.verdicts.values() if test in hunt.items)
        if wrong:
            raise RuntimeError(f"a test fails without a fault, after others at least: {wrong}")
        result.save()
        entries = [entry for entry in explanations(FILE.read_text(encoding="utf-8")) if entry.module == module]
        reasons = explained(entries, result.survivors)
        open_ones = [name for name in result.survivors if name not in reasons]
        stale = unfounded(entries, result.verdicts, result.survivors)
        print(
            f"{module}: {len(chosen)} of {len(everyone)} mutants tried in {monotonic() - began:.0f} s,"
            f" {len(reasons)} explained, {len(open_ones)} survive",
            flush=True,
        )
        lines = {mutant.name: mutant.lines.start for mutant in everyone}
        for name in open_ones:
            print(f"    {lines.get(name, 0)} {name.partition(' ')[2]} ({result.verdicts[name]})", flush=True)
        for name in stale:
            print(f"    explained, but killed: {name.partition(' ')[2]}", flush=True)
        return not open_ones and not stale

    def sample(self, everyone: list[Mutant]) -> list[Mutant]:
        """Some of the mutants, or all of them."""
        if not 0 < self.options.sample < len(everyone):
            return everyone
        drawn = random.Random(f"{self.options.seed} {everyone[0].module}").sample(
            range(len(everyone)), self.options.sample
        )
        return [everyone[index] for index in sorted(drawn)]


def main(arguments: list[str]) -> int:
    """Hunt as the command line says; 0 if no mutant survives without an explanation."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", default=[])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--tests", nargs="*", default=TESTS)
    options = parser.parse_args(arguments)
    options.modules = options.modules or [""]
    mutation = Mutation(options)
    quiet = ["-q", "-q", "-s", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    code = pytest.main([*quiet, *options.tests], plugins=[mutation])
    if options.write:
        DOCUMENT.write_text(document(list(saved().values())), encoding="utf-8")
    return int(code) or int(mutation.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
