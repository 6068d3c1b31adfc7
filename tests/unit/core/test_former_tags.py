"""What is kept of associations that are over."""

from __future__ import annotations

from sctpx.core.former_tags import MAX_TAGS, FormerTags
from sctpx.core.timers import SECOND

START = 10**18
LIFE = 60 * SECOND


def key(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_a_tag_is_known_for_the_life_of_a_cookie_at_least() -> None:
    for began in range(0, 130, 7):  # Wherever in a generation it is.
        tags = FormerTags()
        tags.add(START, b"first")
        tags.add(START + began * SECOND, b"tag")
        for later in range(61):
            tags.age(START + (began + later) * SECOND, LIFE)
            assert tags.ended(b"tag") == START + began * SECOND


def test_a_cookie_that_is_good_for_longer_has_tags_kept_for_longer() -> None:
    tags = FormerTags()
    tags.age(START, 10 * LIFE)
    tags.add(START, b"tag")
    for later in range(0, 601, 30):
        tags.age(START + later * SECOND, LIFE)
        assert tags.ended(b"tag") == START


def test_a_tag_is_forgotten_after_three_lives_of_a_cookie() -> None:
    tags = FormerTags()
    tags.add(START, b"tag")
    for later in range(0, 181, 10):
        tags.age(START + later * SECOND, LIFE)
    assert tags.ended(b"tag") == -1


def test_of_very_many_the_newest_are_kept() -> None:
    tags = FormerTags()
    for number in range(MAX_TAGS + 100):
        tags.add(START, key(number))
    assert tags.ended(key(99)) == -1
    assert tags.ended(key(100)) == START
    assert tags.ended(key(MAX_TAGS + 99)) == START
