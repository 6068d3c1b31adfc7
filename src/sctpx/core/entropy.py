"""Randomness comes from outside, as a function that returns n random bytes; this is what the core makes of it."""

from __future__ import annotations

from collections.abc import Callable

from ..wire.numbers import u32

RandomBytes = Callable[[int], bytes]


def random_u32(random_bytes: RandomBytes) -> int:
    """A 32-bit number, for an Initial TSN."""
    return u32(random_bytes(4), 0)


def random_tag(random_bytes: RandomBytes) -> int:
    """A Verification Tag: 1 to 2^32 - 1 (RFC 9260 section 5.3.1)."""
    tag = random_u32(random_bytes)
    while tag == 0:
        tag = random_u32(random_bytes)
    return tag


def random_below(random_bytes: RandomBytes, limit: int) -> int:
    """A number from 0 to ``limit`` - 1. The bias of the division does not matter for jitter and ports."""
    return int.from_bytes(random_bytes(8), "big") % limit
