"""Deadlines. A timer is an attribute holding the time at which it fires, in nanoseconds.

Starting, restarting and stopping is an attribute store; the stack keeps one heap over all associations and
looks at an association again when the earliest deadline it knew of has come (lazy deadlines).
"""

from __future__ import annotations

from typing import Final

NEVER: Final = (1 << 62) - 1
"""A deadline that is not set. The largest number that compiled code compares in one step."""

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """Seconds as the core counts them."""
    return int(seconds * SECOND)
