"""The search for a path MTU: whatever the path takes is found, in few probes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.path.pmtu import BASE, ERROR, MAX_PROBES, MOST_PROBES, SEARCH_COMPLETE, SEARCHING, Search

HEADERS = 28
BASE_SIZE = 1192


def size_of(mtu: int) -> int:
    """The largest SCTP packet for an IP packet of ``mtu`` bytes."""
    return mtu - HEADERS & ~3


def search_from_base(interface: int) -> Search:
    return Search(BASE_SIZE, BASE_SIZE, size_of(interface), HEADERS, BASE)


def run(search: Search, passes: Callable[[int], bool]) -> tuple[list[int], list[int]]:
    """Go through a search: the sizes probed, and those of them that were lost."""
    probed, lost = [], []
    while size := search.next_size():
        assert size % 4 == 0
        assert size <= search.largest
        search.left -= 1
        probed.append(size)
        if passes(size):
            search.on_passed(size)
        else:
            search.on_lost(size)
            lost.append(size)
    return probed, lost


@given(st.integers(1240, 65535), st.integers(1220, 65535))
def test_the_size_found_is_what_the_path_takes(interface: int, mtu: int) -> None:
    search = search_from_base(interface)
    limit = size_of(min(mtu, interface))
    probed, _ = run(search, lambda size: size <= limit)
    assert search.low == limit
    assert search.state == SEARCH_COMPLETE
    assert len(probed) <= 40


@given(st.integers(1240, 65535), st.integers(1220, 65535), st.lists(st.booleans(), max_size=200))
def test_whatever_is_lost_a_search_ends_and_finds_nothing_too_large(
    interface: int, mtu: int, losses: list[bool]
) -> None:
    search = search_from_base(interface)
    limit = size_of(min(mtu, interface))
    fate = iter(losses)
    probed, _ = run(search, lambda size: size <= limit and not next(fate, False))
    assert len(probed) <= MOST_PROBES
    assert search.low <= max(limit, BASE_SIZE)
    assert search.state in (SEARCH_COMPLETE, ERROR)


@given(st.integers(1280, 9000), st.integers(1220, 9000), st.integers(0, 9000), st.booleans())
def test_a_router_that_tells_is_believed_only_as_far_as_probes_pass(
    interface: int, mtu: int, told: int, honest: bool
) -> None:
    search = search_from_base(interface)
    limit = size_of(min(mtu, interface))
    while size := search.next_size():
        search.left -= 1
        if size <= limit:
            search.on_passed(size)
        elif search.state != BASE:
            search.on_too_big(size, limit if honest else size_of(told) if told > HEADERS else 0)
        else:
            search.on_lost(size)
    assert search.low == limit


@pytest.mark.parametrize(
    ("interface", "mtu", "probes", "losses"),
    [
        (1500, 1500, 2, 0),
        (9000, 9000, 2, 0),
        (65535, 65535, 2, 0),
        (9000, 1500, 6, 4),
        (65535, 1500, 7, 5),
        (65535, 9000, 7, 4),
        (1500, 1492, 8, 4),
        (1500, 1420, 8, 5),
        (1500, 1400, 8, 6),
    ],
)
def test_common_sizes_are_found_fast(interface: int, mtu: int, probes: int, losses: int) -> None:
    probed, lost = run(search_from_base(interface), lambda size: size <= size_of(mtu))
    assert (len(probed), len(lost)) == (probes, losses)


def test_a_search_that_begins_again_ends_if_nothing_has_changed() -> None:
    search = Search(size_of(1400), BASE_SIZE, size_of(9000), HEADERS, SEARCHING)
    probed, _ = run(search, lambda size: size <= size_of(1400))
    assert probed == [size_of(1400) + 4] * MAX_PROBES


def test_a_search_that_begins_again_finds_more() -> None:
    search = Search(size_of(1400), BASE_SIZE, size_of(9000), HEADERS, SEARCHING)
    probed, _ = run(search, lambda size: size <= size_of(9000))
    assert probed == [size_of(1400) + 4, size_of(9000)]


def test_base_that_does_not_pass_is_an_error() -> None:
    search = search_from_base(1500)
    probed, _ = run(search, lambda size: False)
    assert probed == [BASE_SIZE] * MAX_PROBES
    assert search.state == ERROR


def test_what_this_host_refuses_is_not_probed_again() -> None:
    search = search_from_base(9000)
    search.on_passed(search.next_size())
    refused = search.next_size()
    search.on_too_big(refused, 0)
    probed, _ = run(search, lambda size: size < refused)
    assert refused not in probed
    assert search.low == refused - 4
