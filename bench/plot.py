"""``python -m bench.plot``: a picture of the results, as PNG and SVG, drawn by matplotlib (the extra ``bench``).

Two panels: what each stack transfers, by the size of messages, and how our builds stand to what is wanted of them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .results import LATEST, Results
from .stacks import AIORTC, COMPILED, FLOOR, OURS, PURE, USRSCTP
from .table import number, wanted
from .targets import TARGETS, Target

DOCS: Final = Path(__file__).parents[1] / "docs"
SIZES: Final = (("64 KiB", "bulk-64k"), ("1 KiB", "bulk-1k"), ("64 B", "bulk-64b/goodput"))
COLOURS: Final = {COMPILED: "#0b6e4f", PURE: "#6bbf9c", USRSCTP: "#c1553b", AIORTC: "#d9a441", FLOOR: "#9aa0a6"}


def transfers(axes: Any, results: Results) -> None:
    """MB/s of every stack, a group of bars for each size of messages."""
    width = 0.8 / len(COLOURS)
    for place, (stack, colour) in enumerate(COLOURS.items()):
        rows = [(group, results.get(work, stack)) for group, (_, work) in enumerate(SIZES)]
        present = [(group + place * width, row) for group, row in rows if row is not None]
        if present:
            axes.bar(
                [x for x, _ in present],
                [row.value for _, row in present],
                width,
                yerr=[[row.value - row.min for _, row in present], [row.max - row.value for _, row in present]],
                label=stack,
                color=colour,
                ecolor="#444444",
                capsize=2,
            )
    axes.set_yscale("log")
    axes.set_xticks([group + 0.4 - width / 2 for group in range(len(SIZES))], [size for size, _ in SIZES])
    axes.set_xlabel("size of messages")
    axes.set_ylabel("MB/s (median, least and most)")
    axes.set_title("Bulk transfer, MTU 1500, one core a side")
    axes.legend(frameon=False, fontsize=8)


def standing(target: Target, stack: str, reached: float) -> float:
    """How a build stands to a target: 1 is just reached, more is better."""
    bound = target.wanted(stack)
    return bound / reached if target.at_most else reached / bound


def against_targets(axes: Any, results: Results) -> None:
    """A pair of bars for each target, to the right where it is reached and to the left where it is missed."""
    measured = [target for target in TARGETS if any(target.reached(results, stack) for stack in OURS)]
    height = 0.4
    farthest = 2.0
    for place, stack in enumerate(OURS):
        label: str | None = stack
        for line, target in enumerate(measured):
            reached = target.reached(results, stack)
            if not reached:
                continue
            stands, y = standing(target, stack, reached), line + place * height
            farthest = max(farthest, stands, 1 / stands)
            axes.barh(y, stands - 1, height, left=1, color=COLOURS[stack], label=label)
            label = None
            text = f"{number(reached)}{target.unit} ({wanted(target, stack)})"
            axes.annotate(text, (max(stands, 1), y), (4, 0), textcoords="offset points", fontsize=7, va="center")
    axes.axvline(1.0, color="#202020", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xlim(1 / farthest / 1.2, farthest * 2)
    axes.set_yticks([line + height / 2 for line in range(len(measured))], [target.title for target in measured])
    axes.tick_params(axis="y", labelsize=7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.invert_yaxis()
    axes.set_xlabel("times as good as wanted")
    axes.set_title("Against the targets: what was reached (what is wanted)")
    if measured:
        axes.legend(frameon=False, fontsize=8)


def draw(results: Results, path: Path) -> list[Path]:
    """Write the picture as ``path`` with .png and .svg; the files."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "sctpx"  # The same results make the same file.
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 6), width_ratios=(2, 3), layout="constrained")
    transfers(left, results)
    against_targets(right, results)
    files = [path.with_suffix(".png"), path.with_suffix(".svg")]
    figure.savefig(files[0], dpi=150, metadata={"Software": None})
    figure.savefig(files[1], metadata={"Date": None})
    pyplot.close(figure)
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Read results, draw."""
    parser = argparse.ArgumentParser(prog="python -m bench.plot", description="A picture of the results.")
    parser.add_argument("results", nargs="?", type=Path, default=LATEST, help="JSON that bench.run wrote")
    parser.add_argument("--out", type=Path, default=DOCS / "performance", help="the picture's path, without a suffix")
    options = parser.parse_args(arguments)
    try:
        files = draw(Results.load(options.results), options.out)
    except ModuleNotFoundError as error:
        print(f"{error}: pip install 'sctpx[bench]'")
        return 1
    print("\n".join(str(file) for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
