"""``Turns`` against a dictionary, and what it takes of memory."""

from __future__ import annotations

import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.rx.turns import FEW, Turns

STREAM = st.integers(0, 65535) | st.sampled_from([0, 1, FEW - 1, FEW, FEW + 1, 2 * FEW - 1, 65535])


@given(st.lists(st.tuples(STREAM, st.integers(0, 65535))), st.lists(STREAM))
def test_each_stream_has_the_number_it_was_given_last(given: list[tuple[int, int]], asked: list[int]) -> None:
    turns = Turns()
    expected: dict[int, int] = {}
    for stream, ssn in given:
        turns.set(stream, ssn)
        expected[stream] = ssn
    for stream in [*asked, *expected]:
        assert turns.next(stream) == expected.get(stream, 0)


def test_all_streams_together_take_less_than_200_kib() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        turns = Turns()
        for stream in range(65536):
            turns.set(stream, 1000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert turns.next(65535) == 1000
    assert after - before < 200 << 10
    assert sys.getsizeof(turns) < 100
