"""What the simulations tell at the end of a run: how much went over the simulated networks."""

from __future__ import annotations

import pytest


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all tests that recorded how many messages they exchanged."""
    runs = [
        dict(report.user_properties)["messages"]
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and "messages" in dict(report.user_properties)
    ]
    if runs:
        total = sum(map(int, map(str, runs)))
        terminalreporter.write_line(f"random runs: {len(runs)} seeds, {total} messages")
