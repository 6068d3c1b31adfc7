"""Virtual days, each in a process of its own, several at a time."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor

from .world import Tally, World


def day(seed: int, hours: float) -> Tally:
    """One virtual day, in a process of its own."""
    return World(seed, hours).run()


def live(seed: int, days: int, hours: float, jobs: int) -> Tally | None:
    """So many days; None if one has failed."""
    total = Tally()
    failed = False
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        started = time.monotonic()
        results = [(number, pool.submit(day, number, hours)) for number in range(seed, seed + days)]
        for number, result in results:
            try:
                tally = result.result()
            except AssertionError as error:
                failed = True
                print(f"seed {number}: {error}", *getattr(error, "__notes__", []), sep="\n", flush=True)
                print(f"again: python -m tests.soak --days 1 --hours {hours:g} --seconds 0 --seed {number}", flush=True)
                continue
            total.add(tally)
            text = f"{tally.sessions:,} associations, {tally.messages:,} messages, {tally.packets:,} packets"
            print(f"seed {number}: {text}; {time.monotonic() - started:.0f} s", flush=True)
    return None if failed else total
