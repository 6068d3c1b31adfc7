"""How the process learns of its end, and how long that may take."""

from __future__ import annotations

import time

import pytest

from sctpx import process_end


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2.5", 2.5), ("0", 0), ("-1", 0), ("1e9", 86400), ("inf", 86400), ("", 10), ("soon", 10), ("nan", 10)],
)
def test_the_environment_says_how_long_the_end_may_take(
    monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    monkeypatch.setenv("SCTPX_EXIT_TIMEOUT", value)
    assert process_end.exit_timeout() == seconds
    assert process_end.deadline() >= time.monotonic_ns() + (seconds - 1) * 1e9


def test_without_a_word_from_the_environment_it_is_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCTPX_EXIT_TIMEOUT", raising=False)
    assert process_end.exit_timeout() == 10
