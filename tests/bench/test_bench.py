"""The benchmarks run, and their tables say what the figures say. How fast anything is, is not tested here."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import guard
from bench.build import Unavailable
from bench.measure import Place, run_once
from bench.network import Loopback, Network, can_make_namespaces
from bench.results import Results, Row
from bench.run import minutes
from bench.stacks import ALL, COMPILED, FLOOR, PURE, USRSCTP, Stack
from bench.table import figures_table, targets_table
from bench.targets import TARGETS
from bench.works import WORKS, Work, cpu_per_packet, goodput
from tests.sweeps import rows, some

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks take Linux")

OURS = Stack(name=PURE, command=(sys.executable, "-m", "bench.peers.sctpx_bench"), version="")
FLOOR_STACK = Stack(
    name=FLOOR, command=(sys.executable, "-m", "bench.peers.floor"), version="", options=(("kind", "udp"),)
)


def work(name: str, **options: Any) -> Work:
    """A work of the benchmarks, made short."""
    whole = next(work for work in WORKS if work.name == name)
    return replace(whole, seconds=0.05, options={**whole.options, "warm": 0.0, **options})


def row(work: str, stack: str, *values: float) -> Row:
    return Row.of(values, conditions={}, work=work, stack=stack, unit="MB/s")


@pytest.mark.parametrize("stack", [OURS, FLOOR_STACK], ids=lambda stack: stack.name)
def test_a_bulk_transfer_reports_its_goodput_and_its_cpu_time(stack: Stack) -> None:
    server, client = run_once(Place(work("bulk-64k"), stack, Network()), 1)
    assert goodput(server, client) > 0
    assert cpu_per_packet(server, client) > 0


def test_a_bulk_transfer_through_sockets_reports_its_goodput() -> None:
    assert goodput(*run_once(Place(work("bulk-64k-sockets"), OURS, Network()), 1)) > 0


def test_a_bulk_transfer_over_raw_ip_reports_its_goodput() -> None:
    if not can_make_namespaces():
        pytest.skip("raw sockets take root")
    try:
        with Loopback(1500) as network:
            assert goodput(*run_once(Place(work("bulk-64k-raw"), OURS, network), 1)) > 0
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    ("name", "reported"),
    rows(
        [("ping-pong-sockets", "rtt_median"), ("setup-graceful", "count")],
        [("ping-pong", "rtt_median"), ("setup", "count")],
    ),
)
def test_works_that_are_counted_report_what_they_count(name: str, reported: str) -> None:
    _, client = run_once(Place(work(name, count=5), OURS, Network()), 1)
    assert client[reported] > 0


def test_a_program_that_starts_tells_how_long_its_imports_took() -> None:
    _, client = run_once(Place(work("first-message"), OURS, Network()), 1)
    assert 0 < client["imported"] < client["milliseconds"]


@pytest.mark.parametrize("name", some(["ping-pong"], ["ping-pong-sockets"]))
def test_ping_pong_has_a_floor(name: str) -> None:
    _, client = run_once(Place(work(name, count=5), FLOOR_STACK, Network()), 1)
    assert 0 < client["rtt_median"] <= client["rtt_p99"]


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="no uvloop")
@pytest.mark.parametrize("stack", some([OURS], [FLOOR_STACK]), ids=lambda stack: stack.name)
def test_a_work_can_be_done_in_uvloop(stack: Stack) -> None:
    _, client = run_once(Place(work("ping-pong-uvloop", count=5), stack, Network()), 1)
    assert client["rtt_median"] > 0


@pytest.mark.parametrize("name", some(["loss-near-none"], ["wan", "wan-cubic"]))
def test_a_transfer_goes_through_the_relay(name: str) -> None:
    try:
        server, client = run_once(Place(work(name), OURS, Network()), 1)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert goodput(server, client) > 0


def test_a_line_of_the_relay_carries_no_more_than_its_rate() -> None:
    slow = replace(work("wan", size=8192), delay=0.001, loss=0.0, rate=10e6, queue=30_000, seconds=0.5)
    try:
        server, client = run_once(Place(slow, OURS, Network()), 1)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert 0 < goodput(server, client) < 1.25 * 1.1  # What waits in the receiver's buffers counts, too.


def test_all_works_take_less_than_twenty_minutes() -> None:
    assert minutes(WORKS, ALL) < 20


def test_every_target_is_measured_by_some_work() -> None:
    measured = {(work.name + suffix, stack) for work in WORKS for suffix, _, _ in work.figures for stack in work.stacks}
    for target in TARGETS:
        for ours in (COMPILED, PURE):
            assert (target.work, ours) in measured
            if target.against[0]:
                assert (target.against[0], target.against[1] or ours) in measured


def test_results_are_the_same_after_a_way_through_a_file(tmp_path: Path) -> None:
    rows = [row("bulk-64k", PURE, 1.0, 3.0, 2.0), row("bulk-64k", USRSCTP, 1.0)]
    Results(rows).save(tmp_path / "latest.json")
    assert Results.load(tmp_path / "latest.json").rows == rows


def test_the_table_of_targets_shows_ratios_of_medians_and_what_was_missed() -> None:
    results = Results([row("bulk-64k", COMPILED, 990.0, 1000.0, 1200.0), row("bulk-64k", USRSCTP, 100.0)])
    results.rows.append(row("bulk-64k", PURE, 150.0))
    head, _, line = targets_table(results).splitlines()
    assert head.split("|")[2].strip() == "compiled"
    assert [cell.strip() for cell in line.split("|")[2:6]] == ["10x", "10x", "1.5x (missed)", "2x"]


def test_the_table_of_figures_has_the_median_and_the_spread() -> None:
    *_, line = figures_table(Results([row("bulk-64k", PURE, 150.0, 170.0, 140.0)])).splitlines()
    assert [cell.strip() for cell in line.split("|")[1:4]] == ["bulk-64k", "MB/s", "150 (140-170)"]


@pytest.mark.parametrize(("values", "noisy"), [([100, 110, 129], False), ([100, 110, 140], True), ([100], False)])
def test_figures_whose_runs_differ_much_are_marked_as_noisy(values: list[float], noisy: bool) -> None:
    results = Results([row("bulk-64k", COMPILED, *values), row("bulk-64k", USRSCTP, 10.0)])
    *_, line = figures_table(results).splitlines()
    assert ("noisy" in line) is noisy
    *_, line = targets_table(results).splitlines()
    assert ("noisy" in line) is noisy
    # Either of the two makes a ratio noisy.
    results = Results([row("bulk-64k", COMPILED, 700.0), row("bulk-64k", USRSCTP, *values)])
    *_, line = targets_table(results).splitlines()
    assert ("noisy" in line) is noisy


def test_the_guard_fails_a_build_that_is_worse_than_its_bound_by_more_than_half() -> None:
    results = Results(
        [
            row("bulk-64k/cpu", FLOOR, 0.5, 0.6),
            row("bulk-64k/cpu", COMPILED, 3.7, 9.0),
            row("bulk-64k/cpu", PURE, 12.1, 13.0),
        ]
    )
    found = guard.ratios(results)
    assert found == pytest.approx({COMPILED: 7.4, PURE: 24.2})
    (line,) = guard.failures(found, {COMPILED: 5.0, PURE: 16.0})
    assert line.startswith(PURE)
