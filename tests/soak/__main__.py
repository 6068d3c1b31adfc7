"""Virtual days with everything going wrong, then real minutes on loopback at full rate.

python -m tests.soak --days 7 --seconds 600 --seed 1            what ``make soak`` does
python -m tests.soak --days 1 --seconds 0 --seed 17             the day of seed 17 again, exactly
python -m tests.soak --days 7 --seconds 600 --seed 1 --write    the figures go into docs/security.md
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import page, real
from .days import live
from .world import Tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=1, help="virtual days, each of the next seed")
    parser.add_argument("--hours", type=float, default=24.0, help="hours of a day")
    parser.add_argument("--seconds", type=float, default=600.0, help="seconds of the real part; 0: none")
    parser.add_argument("--seed", type=int, default=1, help="of the first day, and of the cuts of the real part")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="days that are lived at a time")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/security.md")
    options = parser.parse_args(arguments)
    if options.write and not (options.days and options.seconds):
        parser.error("--write takes both parts")
    tally = live(options.seed, options.days, options.hours, options.jobs) if options.days else Tally()
    if tally is None:
        return 1
    for how, count in tally.ends.most_common():
        print(f"{count:10,} {how}")
    if options.seconds:
        result = real.run(options.seconds, options.seed)
        found = page.figures(options.seed, tally, result)
        print(page.render(found), end="")
        if options.write:
            page.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
