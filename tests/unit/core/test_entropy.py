"""Tags, numbers and jitter from random bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from sctpx.core.entropy import random_below, random_tag, random_u32
from sctpx.testing import seeded_bytes


def test_a_verification_tag_is_never_0() -> None:
    pieces: Iterator[bytes] = iter([bytes(4), bytes(4), b"\0\0\0\7"])
    assert random_tag(lambda count: next(pieces)[:count]) == 7


def test_numbers_have_32_bits() -> None:
    numbers = [random_u32(seeded_bytes(seed)) for seed in range(1000)]
    assert len(set(numbers)) == 1000
    assert max(numbers) >> 31 == 1


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_a_number_below_a_limit_can_be_any_of_them(limit: int) -> None:
    random_bytes = seeded_bytes(1)
    seen = Counter(random_below(random_bytes, limit) for _ in range(3000))
    assert sorted(seen) == list(range(limit))
    assert min(seen.values()) > 3000 // limit * 0.8


def test_no_more_randomness_is_taken_than_a_number_has() -> None:
    """What seeds a simulation, or is read from the system, is read as it was."""
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return bytes(range(1, count + 1))

    assert random_u32(source) == 0x01020304
    assert random_tag(source) == 0x01020304
    assert random_below(source, 1 << 64) == 0x0102030405060708
    assert asked == [4, 4, 8]
