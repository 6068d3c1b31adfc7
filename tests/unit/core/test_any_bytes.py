"""Any bytes into ``Stack.receive``, in several states: no exception, bounded work, and the stack comes to rest.

What the bytes mean: ``tests/fuzz/endpoint_input.py``.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.endpoint_input import STATES, STEPS, run
from tests.sweeps import examples, some

STEP = st.tuples(st.integers(0, len(STEPS) - 1), st.binary(max_size=40)).map(lambda step: bytes([step[0]]) + step[1])


@pytest.mark.parametrize("state", range(len(STATES)), ids=[state.__name__ for state in STATES])
@examples(60)
@given(story=st.lists(STEP, max_size=12).map(b"".join) | st.binary(max_size=300))
def test_any_story_comes_to_an_end(state: int, story: bytes) -> None:
    run(bytes([state]) + story)


@pytest.mark.parametrize("state", range(len(STATES)), ids=[state.__name__ for state in STATES])
@pytest.mark.parametrize("step", range(len(STEPS)), ids=[step.__name__ for step in STEPS])
@pytest.mark.parametrize("numbers", some([(0, 255)], [(1, 2, 3, 127, 128, 254)]), ids=str)
def test_the_same_again_and_again_is_no_exception(state: int, step: int, numbers: tuple[int, ...]) -> None:
    for byte in numbers:
        run(bytes([state]) + (bytes([step]) + bytes([byte]) * 12) * 30)
