"""``python -m bench.guard``: whether the data path has become slower. ``--record`` makes what is found the new bound.

It measures CPU time for a packet of a bulk transfer of 64 KiB messages, both sides together, relative to the raw floor
(UDP with GSO and GRO, no protocol) of the same rounds: this ratio depends on the machine much less than a speed does.
Of several runs the least counts, as other programs only ever add to CPU time. It fails if a build is worse than its
bound in bound.json by more than half. A build that is not here is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .measure import Measurement
from .results import Results
from .run import machine
from .stacks import FLOOR, OURS, find
from .table import figures_table
from .works import GUARD

BOUND: Final = Path(__file__).with_name("bound.json")
SLACK: Final = 1.5
"""What a ratio may be of its bound."""


def ratios(results: Results) -> dict[str, float]:
    """CPU time for a packet relative to the floor's, by build."""
    figure = f"{GUARD.name}/cpu"
    floor = results.get(figure, FLOOR)
    rows = ((stack, results.get(figure, stack)) for stack in OURS)
    return {stack: row.min / floor.min for stack, row in rows if row is not None and floor is not None}


def failures(found: dict[str, float], bounds: dict[str, float]) -> list[str]:
    """A line about each build that has become too slow."""
    return [
        f"{stack} takes {ratio:.1f} times the floor's CPU time a packet: more than {SLACK} times {bounds[stack]}"
        for stack, ratio in found.items()
        if ratio > SLACK * bounds[stack]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description="Has the data path become slower?")
    parser.add_argument("--record", action="store_true", help="write what is found to bound.json")
    options = parser.parse_args(arguments)
    stacks, missing = find(GUARD.stacks)
    print("".join(f"{line}\n" for line in missing), end="")
    with Measurement(stacks, lambda line: print(line, file=sys.stderr, flush=True)) as measurement:
        measurement.measure([GUARD], machine())
        results = measurement.results
    found = ratios(results)
    if not found:
        print("\n".join(["There is nothing to judge.", *measurement.left_out]))
        return 1
    bounds: dict[str, float] = json.loads(BOUND.read_text(encoding="utf-8"))
    print(figures_table(results))
    print("\n".join(f"{stack}: {ratio:.1f} times the floor; bound {bounds[stack]}" for stack, ratio in found.items()))
    if options.record:
        bounds |= {stack: round(ratio, 1) for stack, ratio in found.items()}
        BOUND.write_text(json.dumps(bounds, indent=1) + "\n", encoding="utf-8")
        return 0
    too_slow = failures(found, bounds)
    print("".join(f"{line}\n" for line in too_slow), end="")
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
