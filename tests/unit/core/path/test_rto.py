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
    return Path(ADDRESS, b"", 0, config)


def test_c1_before_a_measurement_rto_is_rto_initial() -> None:
    assert make_path().rto == 1 * SECOND
    assert make_path(AssociationConfig(rto_initial=3.0)).rto == 3 * SECOND


def test_c2_the_first_measurement_r_sets_srtt_to_r_and_rttvar_to_half_of_it() -> None:
    path = make_path(AssociationConfig(rto_min=0.01))
    rto.measure(path, 80 * MILLISECOND, AssociationConfig(rto_min=0.01))
    assert (path.srtt, path.rttvar, path.rto) == (80 * MILLISECOND, 40 * MILLISECOND, 240 * MILLISECOND)


@given(st.lists(st.integers(1, 10 * SECOND), min_size=1, max_size=30))
def test_c3_further_measurements_follow_the_formulas_to_a_microsecond(measurements: list[int]) -> None:
    config = AssociationConfig(rto_min=0.001, rto_max=3600)
    path = make_path(config)
    srtt, rttvar = Fraction(0), Fraction(0)
    for number, rtt in enumerate(measurements):
        rto.measure(path, rtt, config)
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
    rto.measure(path, 80 * MILLISECOND, CONFIG)
    assert path.rto == 1 * SECOND


def test_c7_rto_is_at_most_rto_max() -> None:
    path = make_path()
    rto.measure(path, 40 * SECOND, CONFIG)
    assert path.rto == 60 * SECOND


@pytest.mark.parametrize("rtt", [0, 1, 1 * MILLISECOND])
def test_g1_rttvar_never_stays_0(rtt: int) -> None:
    path = make_path()
    for _ in range(200):
        rto.measure(path, rtt, CONFIG)
        assert path.rttvar > 0
        assert path.srtt > 0


def test_e2_a_timeout_doubles_rto_up_to_rto_max_and_a_measurement_brings_it_back() -> None:
    path = make_path()
    rto.measure(path, 100 * MILLISECOND, CONFIG)
    seconds = []
    for _ in range(8):
        rto.back_off(path, CONFIG)
        seconds.append(path.rto // SECOND)
    assert seconds == [2, 4, 8, 16, 32, 60, 60, 60]
    rto.measure(path, 100 * MILLISECOND, CONFIG)
    assert path.rto == 1 * SECOND
