"""When HEARTBEATs are due and whose answer counts (RFC 9260 sections 5.4 and 8.3, RFC 7829 section 3.2)."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path import heartbeat
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.core.timers import NEVER, SECOND
from sctpx.testing import seeded_bytes

NOW = 1000 * SECOND
RANDOM = seeded_bytes(1)


def make_path(number: int = 1, interval: float = 30.0) -> Path:
    path = Path(bytes((10, 0, number, 2)), b"", 0, AssociationConfig(heartbeat_interval=interval).rules)
    path.confirmed = True
    return path


def test_an_idle_path_is_asked_once_per_rto_and_interval_with_a_jitter_of_half_an_rto() -> None:
    due = []
    for _ in range(2000):
        path = make_path()
        heartbeat.schedule(path, NOW, RANDOM)
        due.append((path.heartbeat_deadline - NOW) / SECOND)
    assert 30.5 <= min(due) < 30.51
    assert 31.49 < max(due) <= 31.5


def test_what_is_due_within_a_moment_is_due_at_once_as_far_as_the_jitter_goes() -> None:
    moments = set()
    for number in range(2000):
        now = NOW + number * 1_234_567
        path = make_path()
        heartbeat.schedule(path, now, RANDOM)
        assert 30.5 * SECOND <= path.heartbeat_deadline - now <= 31.5 * SECOND
        moments.add(path.heartbeat_deadline)
    assert len(moments) <= (31.5 + 2.5 - 30.5) * SECOND / heartbeat.MOMENT + 1


def test_a_jitter_shorter_than_a_moment_is_kept() -> None:
    due = set()
    for _ in range(100):
        path = make_path()
        path.rto = heartbeat.MOMENT // 2
        heartbeat.schedule(path, NOW, RANDOM)
        assert abs(path.heartbeat_deadline - NOW - 30 * SECOND - path.rto) <= path.rto // 2
        due.add(path.heartbeat_deadline)
    assert len(due) > 90


def test_a_path_that_may_have_failed_is_asked_at_once_whatever_the_interval() -> None:
    path = make_path()
    path.state = PATH_POTENTIALLY_FAILED
    heartbeat.schedule(path, NOW, RANDOM)
    assert path.heartbeat_deadline == NOW


def test_an_inactive_path_is_asked_at_the_normal_rate() -> None:
    for confirmed in (True, False):
        path = make_path()
        path.confirmed = confirmed
        path.state = PATH_INACTIVE
        heartbeat.schedule(path, NOW, RANDOM)
        assert path.heartbeat_deadline > NOW + 30 * SECOND


def test_a_path_to_be_verified_is_asked_at_once_also_with_heartbeats_switched_off() -> None:
    path = make_path(interval=0)
    path.confirmed = False
    heartbeat.schedule(path, NOW, RANDOM)
    assert path.heartbeat_deadline == NOW


def test_with_heartbeats_switched_off_even_a_path_that_may_have_failed_is_not_asked() -> None:
    path = make_path(interval=0)
    path.state = PATH_POTENTIALLY_FAILED
    heartbeat.schedule(path, NOW, RANDOM)
    assert path.heartbeat_deadline == NEVER


def test_there_is_one_heartbeat_under_way_at_a_time() -> None:
    path = make_path()
    heartbeat.begin(path, NOW, RANDOM)
    assert path.heartbeat_timeout == NOW + path.rto
    heartbeat.schedule(path, NOW, RANDOM)
    assert path.heartbeat_deadline == NEVER


def test_an_answer_counts_for_the_path_whose_nonce_and_address_it_carries() -> None:
    paths = [make_path(1), make_path(2)]
    infos = [heartbeat.begin(path, NOW, RANDOM) for path in paths]
    assert infos[0][:8] != infos[1][:8]
    assert [heartbeat.find(paths, info) for info in infos] == paths
    # The nonce of one with the address of the other proves nothing.
    assert heartbeat.find(paths, infos[0][:8] + paths[1].remote) is None
    assert heartbeat.find(paths, infos[0][:8] + bytes((9, 9, 9, 9))) is None
    assert heartbeat.find(paths, infos[0][:7]) is None
    assert heartbeat.find(paths, b"") is None


def test_the_answer_to_an_older_heartbeat_does_not_count() -> None:
    path = make_path()
    old = heartbeat.begin(path, NOW, RANDOM)
    heartbeat.begin(path, NOW + SECOND, RANDOM)
    assert heartbeat.find([path], old) is None


def test_a_path_that_was_never_asked_is_not_found_by_an_empty_nonce() -> None:
    path = make_path()
    assert heartbeat.find([path], path.remote) is None
    assert heartbeat.find([path], bytes(8) + path.remote) is None


def test_a_heartbeat_that_left_twice_is_known_until_the_next_one() -> None:
    """The answer to one that left twice measures nothing (Karn's algorithm)."""
    path = make_path()
    heartbeat.begin(path, NOW, RANDOM)
    assert not path.heartbeat_repeated
    heartbeat.repeat(path)
    assert path.heartbeat_repeated
    heartbeat.begin(path, NOW + SECOND, RANDOM)
    assert not path.heartbeat_repeated
    assert path.heartbeats_sent == 3


@pytest.mark.parametrize("under_way", [False, True])
def test_a_question_out_of_turn_moves_no_timer_and_its_answer_measures(under_way: bool) -> None:
    path = make_path()
    path.state = PATH_INACTIVE
    heartbeat.schedule(path, NOW, RANDOM)
    if under_way:
        heartbeat.begin(path, NOW, RANDOM)
        heartbeat.repeat(path)
    timers = (path.heartbeat_deadline, path.heartbeat_timeout)
    info = heartbeat.question(path, NOW + SECOND, RANDOM)
    assert (path.heartbeat_deadline, path.heartbeat_timeout) == timers
    assert heartbeat.find([path], info) is path
    heartbeat.settle(path, info)
    assert (path.heartbeat_sent, path.heartbeat_repeated, path.heartbeat_timeout) == (NOW + SECOND, False, NEVER)
    assert heartbeat.find([path], info) is None


def test_behind_a_question_the_heartbeat_under_way_is_answered_as_well() -> None:
    path = make_path()
    info = heartbeat.begin(path, NOW, RANDOM)
    heartbeat.question(path, NOW + SECOND, RANDOM)
    assert heartbeat.find([path], info) is path
    heartbeat.settle(path, info)
    assert path.heartbeat_sent == NOW


def test_pauses_between_questions_double_until_one_is_answered() -> None:
    path = make_path()
    pauses = []
    for _ in range(9):
        info = heartbeat.question(path, NOW, RANDOM)
        pauses.append(path.question_pause / SECOND)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    heartbeat.settle(path, info)
    heartbeat.question(path, NOW, RANDOM)
    assert path.question_pause == heartbeat.SHORTEST_PAUSE


def test_a_question_that_was_asked_on_another_way_is_not_answered_on_this_one() -> None:
    path = make_path()
    info = heartbeat.question(path, NOW, RANDOM)
    path.begin_anew(AssociationConfig().rules)
    assert heartbeat.find([path], info) is None
    assert path.question_pause == 0
