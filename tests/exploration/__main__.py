"""How many states the small worlds have.

python -m tests.exploration            the shallow worlds, in seconds
python -m tests.exploration --deep     the deep ones, in some minutes
python -m tests.exploration --write    both, and the numbers go into docs/exploration.md
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor

from .explorer import Count
from .page import DOCUMENT, cells, document
from .worlds import WORLDS, see


def main(arguments: list[str]) -> None:
    """See the worlds, and tell how many states there were."""
    write = "--write" in arguments
    tasks = [
        (number, deep)
        for deep in ([False, True] if write else ["--deep" in arguments])
        for number in range(len(WORLDS))
    ]
    counts: dict[tuple[str, bool], Count] = {}
    with ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=1) as pool:
        results = [(number, deep, pool.submit(see, number, deep)) for number, deep in tasks]
        for number, deep, result in results:
            world = WORLDS[number]
            count, seconds = result.result()
            counts[world.name, deep] = count
            print(f"{' | '.join(cells(world, deep, count))} | {seconds:.1f} s", flush=True)
    print(f"{sum(count.states for count in counts.values()):,} states")
    if write:
        DOCUMENT.write_text(document(counts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
