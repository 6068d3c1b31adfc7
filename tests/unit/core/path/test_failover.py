"""Path states and the choice of a path against what RFC 9260 sections 6.4 and 8.2 and RFC 7829 say in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.config import AssociationConfig
from sctpx.core.path import failover
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED

CONFIG = AssociationConfig()
NO_PF = AssociationConfig(potentially_failed_max_retrans=5)
STATES = [PATH_ACTIVE, PATH_POTENTIALLY_FAILED, PATH_INACTIVE]


def make_path(number: int = 1, config: AssociationConfig = CONFIG) -> Path:
    path = Path(bytes((10, 0, number, 2)), b"", 0, config.rules)
    path.confirmed = True
    return path


@st.composite
def path_lists(draw: st.DrawFn) -> list[Path]:
    """Paths in all states, one of them confirmed and reached by an address of ours at least."""
    paths = [make_path(number) for number in range(1, draw(st.integers(1, 5)) + 1)]
    for path in paths:
        path.state = draw(st.sampled_from(STATES))
        path.error_count = 0 if path.state == PATH_ACTIVE else draw(st.integers(1, 3))
        path.last_acknowledged = draw(st.integers(0, 3))
        path.confirmed = draw(st.booleans())
        path.cut_off = draw(st.integers(0, 5)) == 0
    one = draw(st.sampled_from(paths))
    one.confirmed, one.cut_off = True, False
    return paths


def facts(path: Path) -> tuple[int, int, bool, int]:
    return path.state, path.error_count, path.confirmed, path.last_acknowledged


@given(paths=path_lists(), data=st.data())
def test_the_choice_follows_the_words_of_the_rfcs_and_changes_nothing(paths: list[Path], data: st.DataObject) -> None:
    preferred = data.draw(st.sampled_from(paths))
    avoid = data.draw(st.none() | st.sampled_from(paths))
    before = [facts(path) for path in paths]
    chosen = failover.select(paths, preferred, avoid)
    assert [facts(path) for path in paths] == before
    # Unconfirmed paths carry no data (section 5.4).
    assert chosen.confirmed
    assert not chosen.cut_off
    paths = [path for path in paths if not path.cut_off]
    usable = [path for path in paths if path.confirmed]
    active = [path for path in usable if path.state == PATH_ACTIVE]
    suspect = [path for path in usable if path.state == PATH_POTENTIALLY_FAILED]
    if active:
        # RFC 7829 section 3.2 (3): no data to others while there is an active one.
        assert chosen in active
        others = [path for path in active if path is not avoid]
        # RFC 9260 section 6.4: a chunk that timed out goes to another active address.
        assert chosen is not avoid or not others
        if preferred in others:
            assert chosen is preferred
    elif suspect:
        # RFC 7829 section 3.2 (4): the one with the fewest errors; among equals the last acknowledged, then the most
        # divergent.
        assert chosen in suspect
        fewest = min(path.error_count for path in suspect)
        assert chosen.error_count == fewest
        equals = [path for path in suspect if path.error_count == fewest]
        assert chosen.last_acknowledged == max(path.last_acknowledged for path in equals)
        equals = [path for path in equals if path.last_acknowledged == chosen.last_acknowledged]
        assert chosen is not avoid or equals == [avoid]
    else:
        # Dormant: the fewest errors, then the last acknowledged.
        fewest = min(path.error_count for path in usable)
        equals = [path for path in usable if path.error_count == fewest]
        assert chosen in equals
        others = [path for path in equals if path is not avoid] or equals
        assert chosen in others
        assert chosen.last_acknowledged == max(path.last_acknowledged for path in others)


def test_one_timeout_makes_a_path_potentially_failed_and_six_inactive() -> None:
    path = make_path()
    seen = []
    for _ in range(8):
        changed = failover.on_timeout(path)
        seen.append((path.error_count, path.state, changed))
    assert seen == [
        (1, PATH_POTENTIALLY_FAILED, True),
        (2, PATH_POTENTIALLY_FAILED, False),
        (3, PATH_POTENTIALLY_FAILED, False),
        (4, PATH_POTENTIALLY_FAILED, False),
        (5, PATH_POTENTIALLY_FAILED, False),
        (6, PATH_INACTIVE, True),
        (7, PATH_INACTIVE, False),
        (8, PATH_INACTIVE, False),
    ]


def test_without_the_potentially_failed_state_a_path_is_active_until_it_is_inactive() -> None:
    path = make_path(config=NO_PF)
    states = []
    for _ in range(6):
        failover.on_timeout(path)
        states.append(path.state)
    assert states == [PATH_ACTIVE] * 5 + [PATH_INACTIVE]


def test_a_path_that_is_being_verified_is_not_called_potentially_failed() -> None:
    path = make_path()
    path.confirmed = False
    failover.on_timeout(path)
    assert path.state == PATH_ACTIVE


def test_the_error_count_of_a_dead_path_does_not_grow_for_ever() -> None:
    path = make_path()
    for _ in range(1000):
        failover.on_timeout(path)
    assert path.error_count == failover.DORMANT_FACTOR * 6


@pytest.mark.parametrize("state", STATES)
def test_an_answer_makes_a_path_active_and_clears_its_errors(state: int) -> None:
    path = make_path()
    path.state = state
    path.error_count = 3
    path.unanswered_inits = 2
    assert failover.on_reached(path, 77) is (state != PATH_ACTIVE)
    assert (path.state, path.error_count, path.last_acknowledged, path.unanswered_inits) == (PATH_ACTIVE, 0, 77, 0)


def test_a_timeout_that_was_foreseen_is_no_further_error_and_the_next_one_is() -> None:
    path = make_path()
    assert not failover.was_foreseen(path)
    failover.foresee_timeout(path)
    assert failover.was_foreseen(path)
    assert not failover.was_foreseen(path)
    failover.foresee_timeout(path)
    failover.on_reached(path, 5)
    assert not failover.was_foreseen(path)


@pytest.mark.parametrize("state", [PATH_POTENTIALLY_FAILED, PATH_INACTIVE])
def test_among_paths_with_as_many_errors_data_goes_elsewhere_than_where_it_timed_out(state: int) -> None:
    """RFC 9260 section 6.4.1, also where the preferred path comes first."""
    paths = [make_path(1), make_path(2)]
    for path in paths:
        path.state, path.error_count = state, 3
    assert failover.select(paths, paths[0], paths[0]) is paths[1]
    assert failover.select(paths, paths[0], paths[1]) is paths[0]
    assert failover.select(paths, paths[0]) is paths[0]
