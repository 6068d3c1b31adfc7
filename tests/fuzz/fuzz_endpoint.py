"""Fuzzing of whole stacks: many stories of small worlds, of which those that reach something new beget others.

    python -m tests.fuzz.fuzz_endpoint --inputs 1000000 [--seed 1]   look for findings, print what was reached
    python -m tests.fuzz.fuzz_endpoint --repeat build/fuzz/endpoint-....txt   play a finding again
    python -m tests.fuzz.fuzz_endpoint --inputs 3000000 --write   make the corpus anew

A story (``story``) is what happens in a world of two or three stacks (``world``), to its end. An *input* is one
thing that happens to one stack: a datagram or a run of packets arrives, a timer expires, the program calls, a send
fails, an ICMP error comes. The inputs that are counted are those of stories; what the end of a world takes comes on
top. After each of them, whatever must hold is checked (``oracle``, ``host``, ``cost``).

Why there is no coverage of code here, as atheris has it for the parsers (``fuzz_wire``): instrumentation slows down
each line of the core, each input would begin from nothing, and the compiled build has no byte code to instrument. What
tells that a story is new is cheaper and closer to the protocol: the kind of the input, the state of the association
before and behind it, the types of the chunks that were sent in answer, and the events that were told; and at the end
the orders of magnitude of all counters. A run is a function of its seed and of the corpus: the same numbers give the
same inputs.

``corpus/endpoint.txt`` has stories that reach everything that ``reach`` demands; ``test_endpoint.py`` plays them in
``make test``. One line is a story. After a change of ``moves``, ``forgeries``, ``settings`` or of the core the lines
still are stories, but may reach less: ``--write`` makes others.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, final

import sctpx

from .reach import Reach
from .story import Finding, invent, play, reduce, vary
from .world import World

CORPUS: Final = Path(__file__).parent / "corpus" / "endpoint.txt"
FINDINGS: Final = Path("build/fuzz")
METER_EVERY: Final = 97
"""Of so many inputs, one has its steps counted."""
SLOW: Final = 0.05
"""Seconds that an input may take by the clock before it is played again with its steps counted."""
FRESH: Final = 4
"""One out of so many stories has nothing of another one."""
LENGTH: Final = 120
MOST_FINDINGS: Final = 8
REDUCTIONS: Final = 400
TIMES: Final = 3
CORPUS_INPUTS: Final = 9000
"""Inputs of the corpus, or a few more: so many are played in a few seconds."""


def read_stories(path: Path) -> list[list[int]]:
    """The stories of a file: a line each, eight hexadecimal digits a number; others lines begin with #."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [[int(line[at : at + 8], 16) for at in range(0, len(line), 8)] for line in lines]


def text_of(numbers: Sequence[int]) -> str:
    """A story as a line."""
    return "".join([f"{number:08x}" for number in numbers])


@final
class Fuzzer:
    """A run."""

    def __init__(self, seed: int, findings: Path) -> None:
        self._random = Random(seed)
        self._findings = findings
        self._seen: set[int] = set()
        self.pool: list[list[int]] = []
        """Stories that have reached something that those before had not."""
        self.reach = Reach()
        self.found: dict[str, Path] = {}

    def run(self, corpus: list[list[int]], inputs: int) -> None:
        """Play the corpus and then other stories, so many inputs in all, unless too much is found."""
        for story in corpus:
            self.play(story)
        while self.reach.inputs < inputs and len(self.found) < MOST_FINDINGS:
            random, pool = self._random, self.pool
            if not pool or random.randrange(FRESH) == 0:
                self.play(invent(random, LENGTH))
            else:
                # The later ones have reached what is rare.
                story = pool[max(random.randrange(len(pool)), random.randrange(len(pool)))]
                self.play(vary(random, story, random.choice(pool)))

    def play(self, story: list[int]) -> None:
        """One story; it is kept if it reaches something new."""
        try:
            world = play(story, METER_EVERY)
            if world.slowest > SLOW and not sctpx.COMPILED:
                play(story, 0, world.slowest_input)
        except Finding as finding:
            self.reach.add(finding.world)
            self._write(finding)
            return
        self.reach.add(world)
        new = [move for feature, move in world.features.items() if feature not in self._seen]
        if new:
            self._seen.update(world.features)
            self.pool.append(story[: max(new) + 1])

    def _write(self, finding: Finding) -> None:
        """A finding, made as short as it gets, with what repeats it."""
        place = finding.place
        if place in self.found:
            return

        def fails(numbers: Sequence[int]) -> bool:
            try:
                play(numbers, METER_EVERY)
            except Finding as other:
                return other.place == place
            return False

        numbers = reduce(finding.numbers, fails, REDUCTIONS)
        line = text_of(numbers)
        name = hashlib.sha256(line.encode()).hexdigest()[:12]
        path = self._findings / f"endpoint-{name}.txt"
        self._findings.mkdir(parents=True, exist_ok=True)
        cause = "".join(traceback.format_exception(finding.__cause__))
        told = [f"{finding}", *cause.splitlines(), f"python -m tests.fuzz.fuzz_endpoint --repeat {path}"]
        path.write_text("".join([f"# {one}\n" for one in told]) + line + "\n")
        self.found[place] = path
        print(f"FOUND {place}\n  python -m tests.fuzz.fuzz_endpoint --repeat {path}", flush=True)


def select(pool: list[list[int]]) -> list[list[int]]:
    """The stories of a pool that reach the most for their inputs, and with those all that ``Reach`` demands.

    Each thing that is demanded is reached by ``TIMES`` of them, if the pool has as many: a story that turns out
    otherwise after a change of the core is not missed.
    """
    left = [(story, play(story)) for story in pool]
    chosen: list[list[int]] = []
    inputs = 0
    covered: set[int] = set()
    for _ in range(TIMES):
        reach = Reach()
        for entry in list(left):
            story, world = entry
            trial = Reach()
            trial.add(world)
            if not set(reach.missing()) <= set(trial.missing()):
                reach.add(world)
                left.remove(entry)
                chosen.append(story)
                covered.update(world.features)
        inputs += reach.inputs
    while inputs < CORPUS_INPUTS and left:
        best = max(left, key=lambda entry: _worth(entry[1], covered))
        left.remove(best)
        story, world = best
        if _worth(world, covered) <= 0:
            break
        inputs += world.told_inputs
        chosen.append(story)
        covered.update(world.features)
    return sorted(chosen)


def _worth(world: World, covered: set[int]) -> float:
    return len(world.features.keys() - covered) / (world.told_inputs + 20)


def repeat(path: Path) -> int:
    """Play the story of a finding; 1 if it still finds something."""
    for story in read_stories(path):
        try:
            play(story, METER_EVERY)
        except Finding as finding:
            traceback.print_exception(finding.__cause__)
            print(finding)
            return 1
    print("nothing is found any more")
    return 0


def main() -> int:
    """The command. 1 if something was found, or not reached."""
    parser = argparse.ArgumentParser(description="Fuzz whole stacks.")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs of stories (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other stories (default: %(default)s)")
    parser.add_argument("--findings", type=Path, default=FINDINGS, help="a directory (default: %(default)s)")
    parser.add_argument("--repeat", type=Path, help="play the story of this file, and no other")
    parser.add_argument("--write", action="store_true", help="make the corpus anew, of what this run reaches")
    options = parser.parse_args()
    if options.repeat:
        return repeat(options.repeat)
    fuzzer = Fuzzer(options.seed, options.findings)
    began, processor = time.perf_counter(), time.process_time()
    fuzzer.run(read_stories(CORPUS) if CORPUS.exists() else [], options.inputs)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    reach = fuzzer.reach
    missing = reach.missing()
    print("\n".join(reach.lines()))
    print(f"sctpx {'compiled' if sctpx.COMPILED else 'interpreted'}, seed {options.seed}")
    print(f"{reach.inputs} inputs in {reach.worlds} stories, and {reach.more_inputs} at the ends of their worlds")
    print(f"{seconds:.0f} s: {reach.inputs / seconds:.0f} inputs a second", end="; ")
    print(f"{processor:.0f} s of processor time: {reach.inputs / processor:.0f} inputs a second of it")
    print(f"steps were counted for {reach.counted} inputs; the worst took {reach.worst:.0%} of its bound")
    print(f"{len(fuzzer.pool)} stories reached something new")
    print(f"not reached: {', '.join(missing) or 'nothing of what is demanded'}")
    print(f"found: {len(fuzzer.found)}")
    if options.write and not fuzzer.found:
        stories = select(fuzzer.pool)
        CORPUS.parent.mkdir(exist_ok=True)
        CORPUS.write_text("".join([f"{text_of(story)}\n" for story in stories]))
        print(f"{CORPUS}: {len(stories)} stories, {CORPUS.stat().st_size} bytes")
    return 1 if fuzzer.found or missing else 0


if __name__ == "__main__":
    sys.exit(main())
