"""Goodput over loss, round-trip time and number of paths, in virtual time, as a golden file.

Every number follows from the seeds, so a change to the core that moves one of them shows what it does to all. Each
run of the tests computes one number of every line of the table, and `make test-slow` all of them. Look at the new
table, and if its numbers are what was meant, write it with
`SCTPX_UPDATE_GOLDEN=1 .venv/bin/python -m pytest -m slow tests/sim/test_goodput_grid.py`.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.testing import LinkSettings, Pair

GOLDEN = Path(__file__).with_name("goodput_grid.txt")
SEEDS = (1, 2, 3)
PATHS = (1, 2, 4)
LOSS = (0.0, 0.001, 0.01, 0.03, 0.1)
RTT = (0.001, 0.02, 0.1, 0.3)
RATE = 100e6
QUEUE = 150_000
MESSAGES = 50
SIZE = 20_000
TITLE = """\
User data received, in Mbit/s, of {count} messages of {size} bytes sent at once. Each path is a line of 100 Mbit/s with
a queue of 150 kB; loss is the same on all of them and in both directions. The mean of {seeds} runs; default settings.
"""


def goodput(paths: int, loss: float, rtt: float) -> float:
    """Mbit/s, from the first byte given to the stack to the last one read."""
    seconds = 0.0
    link = LinkSettings(delay=rtt / 2, loss=loss, rate=RATE, queue=QUEUE)
    config = AssociationConfig(association_max_retrans=1000)
    for seed in SEEDS:
        with Pair(seed, paths=paths, link=link, config=config).connect(600) as pair:
            begin = pair.network.elapsed
            for _ in range(MESSAGES):
                pair.a.send(bytes(SIZE))
            pair.network.run(lambda pair=pair: len(pair.b.received) == MESSAGES, 3600)  # type: ignore[misc]
            seconds += pair.network.elapsed - begin
    return len(SEEDS) * MESSAGES * SIZE * 8 / seconds / 1e6


def cell(value: float) -> str:
    """A number of the table."""
    return f"{value:10.3f}"


def table() -> str:
    """The whole grid."""
    lines = [TITLE.format(count=MESSAGES, size=SIZE, seeds=len(SEEDS))]
    for paths in PATHS:
        lines.append(
            f"{paths} path{'s' if paths > 1 else ''}".ljust(10) + "".join(f"{rtt * 1000:7.0f} ms" for rtt in RTT)
        )
        for loss in LOSS:
            cells = "".join(cell(goodput(paths, loss, rtt)) for rtt in RTT)
            lines.append(f"  {loss:6.1%}  {cells}")
        lines.append("")
    return "\n".join(lines)


@pytest.mark.slow
def test_goodput_is_what_it_was() -> None:
    found = table()
    if os.environ.get("SCTPX_UPDATE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text(), f"goodput has moved; it is now\n\n{found}"


@pytest.mark.parametrize(("line", "paths", "loss"), [(line, *row) for line, row in enumerate(product(PATHS, LOSS))])
def test_goodput_at_one_round_trip_time_of_each_line_is_what_it_was(line: int, paths: int, loss: float) -> None:
    numbers = [text.partition("%")[2].split() for text in GOLDEN.read_text().splitlines() if "%" in text]
    column = line % len(RTT)
    assert cell(goodput(paths, loss, RTT[column])).strip() == numbers[line][column]
