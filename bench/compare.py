"""``python -m bench.compare COMMIT``: what the last commit costs, beside another one, in one run.

Both are installed compiled, each into a virtual environment in build/compare, and run ``bench.core`` by turns. Of all
turns the least CPU time counts, as other programs only ever add to it. Prints the ratio for each work, below 1 for
what has become cheaper, and ends with status 1 if one is above ``--limit``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "build" / "compare"


def install(commit: str) -> tuple[str, Path]:
    """The short name of a commit, and the interpreter of a virtual environment with it, compiled."""
    command = ["git", "rev-parse", "--short", commit]
    revision = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    target = BUILD / revision
    python = target / "bin" / "python"
    done = target / "installed"
    if done.exists():
        return revision, python
    source = target / "source"
    source.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "archive", revision], check=True, capture_output=True, cwd=ROOT).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], check=True, input=archive)
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, str(source)], check=True, env=os.environ | {"SCTPX_PURE": "0"})
    done.touch()
    return revision, python


def turn(python: Path, works: Sequence[str]) -> dict[str, float]:
    """One run of ``bench.core``, from this tree, in that install."""
    program = ROOT / "bench" / "core.py"
    answer = subprocess.run([str(python), "-P", str(program), *works], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Install both, measure by turns, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description="Has the core become slower?")
    parser.add_argument("commit", help="what to compare with, for example HEAD~1")
    parser.add_argument("works", nargs="*", help="bulk-64k, bulk-1k, bulk-64b, ping-pong, setup; default: all")
    parser.add_argument("--to", default="HEAD", metavar="COMMIT", help="what is compared; default: HEAD")
    parser.add_argument("--turns", type=int, default=6, help="runs of each; default: 6")
    parser.add_argument("--limit", type=float, default=1.03, help="the largest ratio that is right; default: 1.03")
    options = parser.parse_args(arguments)
    (before, old), (after, new) = install(options.commit), install(options.to)
    least: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for _ in range(options.turns):
        for found, python in zip(least, (old, new), strict=True):
            for work, time in turn(python, options.works).items():
                found[work] = min(time, found.get(work, time))
    ratios = {work: least[1][work] / time for work, time in least[0].items()}
    print(f"{'':10} {before:>12} {after:>12} ratio   (CPU time a unit, ns)")
    for work, ratio in ratios.items():
        print(f"{work:10} {least[0][work]:12.0f} {least[1][work]:12.0f} {ratio:5.3f}")
    return 1 if max(ratios.values()) > options.limit else 0


if __name__ == "__main__":
    sys.exit(main())
