"""One collected test, run without a report: it passes or it does not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import pytest

from .children import limit_cpu


def passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Set a test up, run it, and clean up what the following test does not need; whether it passed or skipped."""
    good = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            item.ihook.pytest_runtest_setup(item=item)
            item.ihook.pytest_runtest_call(item=item)
        except pytest.skip.Exception:
            pass
        except BaseException:  # noqa: BLE001, RUF100 - whatever a fault raises
            good = False
        try:
            item.ihook.pytest_runtest_teardown(item=item, nextitem=following)
        except BaseException:  # noqa: BLE001, RUF100
            good = False
    # A TestCase, such as a state machine of Hypothesis has, keeps what was raised.
    return good and not getattr(item, "_excinfo", None)


def first_that_fails(items: Sequence[pytest.Item], limits: Sequence[float] = ()) -> pytest.Item | None:
    """Run tests until one fails.

    :param limits: Seconds of CPU time for each of them. A test that takes more ends the process.
    """
    for index, item in enumerate(items):
        if limits:
            limit_cpu(limits[index])
        if not passes(item, items[index + 1] if index + 1 < len(items) else None):
            return item
    return None
