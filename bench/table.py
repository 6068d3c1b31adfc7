"""The results as two Markdown tables: our builds against what is wanted of them, and every figure that was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from .results import Results, Row
from .stacks import ALL, OURS
from .targets import TARGETS, Target


def number(value: float) -> str:
    """Three digits, or all before the point."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table, its columns aligned."""
    rows = [head, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rows.insert(1, ["-" * width for width in widths])
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def wanted(target: Target, stack: str) -> str:
    """What one of our builds is to reach."""
    bound = number(target.wanted(stack)) + target.unit
    return f"at most {bound}" if target.at_most else bound


def _reached(target: Target, results: Results, stack: str) -> str:
    reached = target.reached(results, stack)
    if reached is None:
        return "-"
    remarks = [] if target.holds(stack, reached) else ["missed"]
    remarks += ["noisy"] if any(row.noisy for row in target.rows(results, stack)) else []
    return number(reached) + target.unit + (f" ({', '.join(remarks)})" if remarks else "")


def targets_table(results: Results) -> str:
    """What our builds reached, with what they are to reach beside it; only what was measured, ``""`` if nothing was."""
    lines = []
    for target in TARGETS:
        if any(target.reached(results, stack) is not None for stack in OURS):
            cells = [(_reached(target, results, stack), wanted(target, stack)) for stack in OURS]
            lines.append([target.title, *chain.from_iterable(cells)])
    return _markdown(["work", "compiled", "wanted", "interpreted", "wanted"], lines) if lines else ""


def figures_table(results: Results) -> str:
    """Every figure: the median, and the least and the most."""
    present = [stack for stack in ALL if any(row.stack == stack for row in results.rows)]
    works = dict.fromkeys((row.work, row.unit) for row in results.rows)
    return _markdown(
        ["work", "unit", *present],
        ([work, unit, *(_figure(results.get(work, stack)) for stack in present)] for work, unit in works),
    )


def _figure(row: Row | None) -> str:
    if row is None:
        return "-"
    if row.min == row.max:
        return number(row.value)
    noisy = " noisy" if row.noisy else ""
    return f"{number(row.value)} ({number(row.min)}-{number(row.max)}){noisy}"
