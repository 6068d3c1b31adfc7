"""Arguments of calls, looked at as Python's socket module looks at its own: always, and before anything else happens.

What is of a wrong type or out of bounds takes no message off the queue, and is not taken silently where a call happens
not to need it.
"""

from __future__ import annotations

from operator import index
from typing import Final

LARGEST_INT: Final = 0x7FFFFFFF


def as_int(value: int, what: str) -> int:
    """An ``int`` of C. ``TypeError`` for what is no integer, ``OverflowError`` for one that does not fit."""
    number = index(value)
    if not -LARGEST_INT - 1 <= number <= LARGEST_INT:
        raise OverflowError(f"{what} {number} is not an int in C")
    return number


def as_size(value: int, call: str) -> int:
    """How many bytes to receive. ``TypeError`` for what is no integer, ``ValueError`` for a negative one."""
    size = index(value)
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    return size


def as_ancillary_size(value: int) -> int:
    """How many bytes of control messages to receive. ``TypeError``, ``ValueError``."""
    size = index(value)
    if not 0 <= size <= LARGEST_INT:
        raise ValueError(f"an ancillary data buffer of {size} bytes")
    return size
