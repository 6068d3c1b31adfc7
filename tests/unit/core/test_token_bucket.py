"""``TokenBucket``: so many a second, as many at once after a second of rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.timers import SECOND
from sctpx.core.token_bucket import TokenBucket


def taken(bucket: TokenBucket, now: int, tries: int) -> int:
    """How many tokens there are now."""
    return sum(bucket.take(now) for _ in range(tries))


def test_a_full_bucket_has_as_many_tokens_as_come_in_a_second() -> None:
    bucket = TokenBucket(100)
    assert taken(bucket, 5, 1000) == 100
    assert taken(bucket, 5 + SECOND // 2, 1000) == 50
    assert taken(bucket, 5 + 10 * SECOND, 1000) == 100


def test_less_than_one_a_second_is_one_now_and_then() -> None:
    bucket = TokenBucket(0.1)
    assert [taken(bucket, second * SECOND, 2) for second in range(21)] == [1, *([0] * 9 + [1]) * 2]


def test_none_a_second_is_none_at_all() -> None:
    assert taken(TokenBucket(0), 0, 10) == 0


@given(
    per_second=st.integers(1, 5000),
    pauses=st.lists(st.integers(0, SECOND) | st.integers(0, SECOND // 100), min_size=1, max_size=200),
)
def test_in_any_span_no_more_are_taken_than_came_and_the_bucket_holds(per_second: int, pauses: list[int]) -> None:
    bucket = TokenBucket(per_second)
    now = 0
    times = []
    for pause in pauses:
        now += pause
        times += [now] * taken(bucket, now, 3)
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 11):
            span = times[last] - times[first]
            assert last - first + 1 <= per_second + span * per_second / SECOND + 1
