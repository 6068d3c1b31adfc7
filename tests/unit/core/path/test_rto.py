"""RTO against the formulas of RFC 9260 section 6.3.1, in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.config import AssociationConfig
from sctpx.core.path import rto
from sctpx.core.path.path import Path
from sctpx.core.timers import MILLISECOND, SECOND

CONFIG = AssociationConfig()
ADDRESS = bytes((10, 0, 1, 2))


def make_path(config: AssociationConfig = CONFIG) -> Path:
    return Path(ADDRESS, b"", 0, config.rules)


def test_c1_before_a_measurement_rto_is_rto_initial() -> None:
    assert make_path().rto == 1 * SECOND
    assert make_path(AssociationConfig(rto_initial=3.0)).rto == 3 * SECOND


def test_c2_the_first_measurement_r_sets_srtt_to_r_and_rttvar_to_half_of_it() -> None:
    path = make_path(AssociationConfig(rto_min=0.01))
    rto.measure(path, 80 * MILLISECOND, AssociationConfig(rto_min=0.01).rules)
    assert (path.srtt, path.rttvar, path.rto) == (80 * MILLISECOND, 40 * MILLISECOND, 240 * MILLISECOND)


@given(st.lists(st.integers(1, 10 * SECOND), min_size=1, max_size=30))
def test_c3_further_measurements_follow_the_formulas_to_a_microsecond(measurements: list[int]) -> None:
    config = AssociationConfig(rto_min=0.001, rto_max=3600)
    path = make_path(config)
    srtt, rttvar = Fraction(0), Fraction(0)
    for number, rtt in enumerate(measurements):
        rto.measure(path, rtt, config.rules)
        if number == 0:
            srtt, rttvar = Fraction(rtt), Fraction(rtt, 2)
        else:
            rttvar = Fraction(3, 4) * rttvar + Fraction(1, 4) * abs(srtt - rtt)
            srtt = Fraction(7, 8) * srtt + Fraction(1, 8) * rtt
        assert abs(path.srtt - srtt) < 1000
        assert abs(path.rttvar - rttvar) < 2000
        assert path.rto == max(path.srtt + 4 * path.rttvar, 1 * MILLISECOND)


def test_c6_rto_is_rounded_up_to_rto_min() -> None:
    path = make_path()
    rto.measure(path, 80 * MILLISECOND, CONFIG.rules)
    assert path.rto == 1 * SECOND


def test_c7_rto_is_at_most_rto_max() -> None:
    path = make_path()
    rto.measure(path, 40 * SECOND, CONFIG.rules)
    assert path.rto == 60 * SECOND


@pytest.mark.parametrize("rtt", [0, 1, 1 * MILLISECOND])
def test_g1_rttvar_never_stays_0(rtt: int) -> None:
    path = make_path()
    for _ in range(200):
        rto.measure(path, rtt, CONFIG.rules)
        assert path.rttvar > 0
        assert path.srtt > 0


def test_e2_a_timeout_doubles_rto_up_to_rto_max_and_a_measurement_brings_it_back() -> None:
    path = make_path()
    rto.measure(path, 100 * MILLISECOND, CONFIG.rules)
    seconds = []
    for _ in range(8):
        rto.back_off(path, CONFIG.rules)
        seconds.append(path.rto // SECOND)
    assert seconds == [2, 4, 8, 16, 32, 60, 60, 60]
    rto.measure(path, 100 * MILLISECOND, CONFIG.rules)
    assert path.rto == 1 * SECOND


@pytest.mark.parametrize(("rto_min", "expected"), [(1.0, 1 * SECOND), (0.001, 300 * MILLISECOND)])
def test_rto_without_its_back_off_is_what_the_measurements_call_for(rto_min: float, expected: int) -> None:
    config = AssociationConfig(rto_min=rto_min)
    path = make_path(config)
    rto.measure(path, 100 * MILLISECOND, config.rules)
    for _ in range(4):
        assert rto.without_backoff(path, config.rules) == expected
        rto.back_off(path, config.rules)
    assert path.rto == 16 * expected


def test_rto_without_its_back_off_is_rto_initial_before_a_measurement() -> None:
    path = make_path()
    rto.back_off(path, CONFIG.rules)
    assert (path.rto, rto.without_backoff(path, CONFIG.rules)) == (2 * SECOND, 1 * SECOND)


def test_the_least_round_trip_is_remembered_for_64_measurements_at_least_and_128_at_most() -> None:
    """RFC 8985 section 6.2: a windowed minimum."""
    for before in range(rto.REMEMBERED + 1):
        path = make_path()
        for _ in range(before):
            rto.measure(path, 100 * MILLISECOND, CONFIG.rules)
        rto.measure(path, 10 * MILLISECOND, CONFIG.rules)
        for _ in range(rto.REMEMBERED - 1):
            rto.measure(path, 100 * MILLISECOND, CONFIG.rules)
            assert path.least_rtt == 10 * MILLISECOND
        for _ in range(rto.REMEMBERED + 1):
            rto.measure(path, 100 * MILLISECOND, CONFIG.rules)
        assert path.least_rtt == 100 * MILLISECOND


def test_a_round_trip_of_no_time_is_the_shortest_one_there_is() -> None:
    """SRTT of 0 means that nothing was measured."""
    config = AssociationConfig(rto_min=0.001)
    path = make_path(config)
    rto.measure(path, 100, config.rules)
    for _ in range(200):
        rto.measure(path, 0, config.rules)
    assert (path.srtt, path.least_rtt) == (1, 1)


def test_the_least_round_trip_is_that_of_the_present_and_the_last_window() -> None:
    """RFC 8985 section 6.2: "a windowed min-filtered estimate of recent RTT measurements"."""
    path = make_path()
    for _ in range(rto.REMEMBERED - 1):
        rto.measure(path, 50, CONFIG.rules)
    for number in range(1, 2 * rto.REMEMBERED + 1):
        rto.measure(path, 90, CONFIG.rules)
        assert path.least_rtt == (90 if number > rto.REMEMBERED else 50), number


def test_rto_by_the_measurements_alone_knows_no_timeouts() -> None:
    config = AssociationConfig(rto_initial=3.0, rto_min=0.5)
    path = make_path(config)
    assert rto.measured(path, config.rules) == 3 * SECOND
    path.srtt, path.rttvar = SECOND, 100 * MILLISECOND
    for _ in range(3):
        rto.back_off(path, config.rules)
    assert rto.measured(path, config.rules) == 1400 * MILLISECOND
    for srtt, rttvar, expected in ((MILLISECOND, 1, SECOND // 2), (100 * SECOND, 0, 60 * SECOND)):
        path.srtt, path.rttvar = srtt, rttvar
        assert rto.measured(path, config.rules) == expected


def test_the_highest_rto_is_remembered() -> None:
    config = AssociationConfig(rto_min=0.1)
    path = make_path(config)
    assert path.rto_highest == SECOND
    rto.measure(path, SECOND, config.rules)
    assert (path.rto, path.rto_highest) == (3 * SECOND, 3 * SECOND)
    rto.back_off(path, config.rules)
    assert path.rto_highest == 6 * SECOND
    for _ in range(20):
        rto.measure(path, SECOND, config.rules)
    assert path.rto < 2 * SECOND
    assert path.rto_highest == 6 * SECOND


def test_the_shortest_round_trips_are_kept_to_the_nanosecond() -> None:
    config = AssociationConfig(rto_min=0.001)
    path = make_path(config)
    rto.measure(path, 2, config.rules)
    assert (path.srtt, path.rttvar, path.least_rtt) == (2, 1, 2)
    path = make_path(config)
    rto.measure(path, 1, config.rules)
    assert (path.srtt, path.least_rtt) == (1, 1)
    path = make_path(config)
    for number in range(1, 3 * rto.REMEMBERED):
        rto.measure(path, 1 if number % rto.REMEMBERED == 0 else 2, config.rules)
        assert path.measurements == number
        assert path.least_rtt == (2 if number < rto.REMEMBERED else 1)
    path = make_path(config)
    for rtt in (100, 1, 100):
        rto.measure(path, rtt, config.rules)
    assert path.least_rtt == 1


def test_the_congestion_controller_learns_of_each_measurement() -> None:
    """RFC 9438 section 4.2: the window of CUBIC is what the curve says one round trip ahead."""
    grown = []
    for rtt in (MILLISECOND, 2 * SECOND):
        path = make_path(AssociationConfig(congestion="cubic"))
        rto.measure(path, rtt, CONFIG.rules)
        controller = path.controller
        controller.cwnd = 20 * path.pmdcs
        controller.on_loss()
        for now in range(SECOND, 9 * SECOND, SECOND):
            controller.on_sent(now, controller.cwnd)
            controller.on_acknowledged(now, [controller.cwnd])
        grown.append(controller.cwnd)
    assert grown[0] < grown[1]
