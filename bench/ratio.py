"""``python -m bench.ratio``: our stack, interpreted, against usrsctp, on a bulk transfer of 64 KiB messages.

MTU 1500, a SACK for every second packet, rounds in turn, medians. It fails if ours is not clearly faster. It takes
half a minute; what it finds on a busy machine is less than on a quiet one.
"""

from __future__ import annotations

import sys
from typing import Final

from .measure import Measurement
from .run import machine
from .stacks import PURE, USRSCTP, find
from .table import figures_table
from .works import RATIO

LEAST: Final = 1.5
"""Times as fast as usrsctp."""


def main() -> int:
    """Measure, print both, judge."""
    stacks, missing = find(RATIO.stacks)
    with Measurement(stacks, lambda line: print(line, file=sys.stderr, flush=True)) as measurement:
        if not missing:
            measurement.measure([RATIO], machine())
        missing += measurement.left_out
        results = measurement.results
    ours, theirs = results.get(RATIO.name, PURE), results.get(RATIO.name, USRSCTP)
    if ours is None or theirs is None:
        print("\n".join(["There is nothing to compare:", *missing]))
        return 1
    ratio = ours.value / theirs.value
    print(figures_table(results))
    print(f"sctpx, interpreted: {ratio:.2f} times usrsctp; at least {LEAST} is demanded")
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
