"""``python -m bench.run``: does the works and prints the tables. See ``--help``."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .measure import Measurement
from .network import can_make_namespaces
from .pair import pinned
from .results import LATEST
from .stacks import ALL, find
from .table import figures_table, targets_table
from .works import QUICK, WORKS, Work

QUIET_LOAD = 0.5


def machine() -> dict[str, Any]:
    """The conditions that are the same for all works."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "pinned": "server to CPU 0, client to CPU 1" if pinned() else "not pinned",
    }


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Our stack against others, here.")
    parser.add_argument("--quick", action="store_true", help="only the bulk transfer of 64 KiB messages")
    names = [work.name for work in WORKS]
    parser.add_argument("--only", nargs="+", metavar="WORK", choices=names, help="only these works")
    parser.add_argument("--stacks", nargs="+", metavar="STACK", choices=ALL, default=ALL, help="only these stacks")
    parser.add_argument("--seconds", type=float, help="measure so long, whatever the work says")
    parser.add_argument("--repetitions", type=int, help="measure so often")
    parser.add_argument("--count", type=int, help="do things so often where they are counted, not timed")
    parser.add_argument("--list", action="store_true", help="name the works and end")
    parser.add_argument("--out", type=Path, help=f"write the results there; by default a full run writes {LATEST.name}")
    return parser.parse_args(arguments)


def chosen(options: argparse.Namespace) -> list[Work]:
    """The works that the command line asks for."""
    works = list(QUICK if options.quick else WORKS)
    if options.only:
        works = [work for work in works if work.name in options.only]
    if options.seconds is not None:
        works = [replace(work, seconds=options.seconds) if work.seconds else work for work in works]
    if options.repetitions is not None:
        works = [replace(work, repetitions=options.repetitions) for work in works]
    if options.count is not None:
        works = [
            replace(work, options={**work.options, "count": options.count}) if "count" in work.options else work
            for work in works
        ]
    return works


def minutes(works: Sequence[Work], stacks: Sequence[str]) -> float:
    """About how long it takes."""
    runs = ((work, sum(name in stacks for name in work.stacks) * work.repetitions) for work in works)
    return sum(count * (work.seconds + work.besides) for work, count in runs) / 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    options = parse(arguments)
    works = chosen(options)
    if options.list:
        print("\n".join(f"{work.name:24} {work.title} ({', '.join(work.stacks)})" for work in works))
        return 0
    wanted = {name for work in works for name in work.stacks}
    stacks, missing = find([name for name in options.stacks if name in wanted])
    for line in missing:
        print(line)
    if not can_make_namespaces():
        print("Without root: everything runs on the host's own loopback interface, and nothing with several paths.")
    if (load := os.getloadavg()[0]) > QUIET_LOAD:
        print(f"This machine is not quiet (load {load:.1f}): absolute figures will be low, and spread.")
    print(f"About {minutes(works, list(stacks)):.0f} minutes.", flush=True)
    conditions = machine()
    with Measurement(stacks, lambda line: print(line, file=sys.stderr, flush=True)) as measurement:
        for _, together in itertools.groupby(works, key=lambda work: work.group or work.name):
            measurement.measure(list(together), conditions)
        results = measurement.results
    print("\n" + ", ".join(f"{key} {value}" for key, value in conditions.items()))
    print("; ".join(f"{stack.name}: {stack.version}" for stack in stacks.values()))
    if targets := targets_table(results):
        print("\n" + targets)
    print("\nMedian (least-most):\n\n" + figures_table(results))
    for line in (*missing, *measurement.left_out):
        print("\n" + line)
    changed = any(value is not None for value in (options.seconds, options.repetitions, options.count))
    if changed:
        print("\nThe works were changed by the command line: this shows that they run, not how fast anything is.")
    complete = works == list(WORKS) and tuple(options.stacks) == ALL
    path = options.out or (LATEST if complete else None)
    if path is not None:
        results.save(path)
        print(f"\nWritten to {path}")
    return 0 if results.rows else 1


if __name__ == "__main__":
    sys.exit(main())
