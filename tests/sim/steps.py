"""Counting what a call costs: how many lines of the core run meanwhile, each turn of a loop again.

That is the same on every machine, and grows with whatever is walked over. A line may still be a call of C that is not
counted: copying or adding up a slice of a list.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import pytest

from sctpx import COMPILED

COUNTED: Final = ("sctpx.core.", "sctpx.wire.")

only_interpreted: Final = pytest.mark.skipif(COMPILED, reason="compiled code has no lines to count; its source is this")


def steps_of(call: Callable[[], object]) -> int:
    """The lines of ``sctpx.core`` and ``sctpx.wire`` that run while this is called."""
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        if event == "line":
            steps += 1
        elif not frame.f_globals.get("__name__", "").startswith(COUNTED):
            return None
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps
