"""cwnd, ssthresh and partial_bytes_acked by the letter of RFC 9260 section 7.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.config import AssociationConfig
from sctpx.core.path import congestion
from sctpx.core.path.path import Path
from sctpx.core.timers import SECOND

IPV4 = bytes((10, 0, 1, 2))
IPV6 = bytes(15) + b"\1"


def make_path(remote: bytes = IPV4, mtu: int = 1500) -> Path:
    path = Path(remote, b"", 9899, AssociationConfig(mtu=mtu))
    congestion.initialize(path)
    return path


@pytest.mark.parametrize(
    ("remote", "mtu", "cwnd"),
    [
        (IPV4, 1500, 4404),
        (IPV6, 1500, 4344),
        (IPV4, 576, 4 * 536),
        (IPV6, 1280, 4344),
        (IPV4, 9000, 2 * 8960),
        (IPV4, 65535, 2 * 65492),
    ],
)
def test_the_initial_window_is_between_two_and_four_chunks(remote: bytes, mtu: int, cwnd: int) -> None:
    path = make_path(remote, mtu)
    assert path.cwnd == cwnd
    assert path.cwnd == min(4 * path.pmdcs, max(2 * path.pmdcs, 4404 if remote == IPV4 else 4344))
    assert path.ssthresh >= 1 << 31
    assert path.partial_bytes_acked == 0


@given(acknowledged=st.lists(st.integers(1, 5000), max_size=50))
def test_slow_start_adds_what_was_acknowledged_and_at_most_a_chunk_a_sack(acknowledged: list[int]) -> None:
    path = make_path()
    path.was_full = True
    expected = path.cwnd
    for size in acknowledged:
        congestion.on_acknowledged(path, [size])
        expected += min(size, path.pmdcs)
        assert path.cwnd == expected


def test_slow_start_adds_nothing_while_the_window_is_not_fully_used() -> None:
    path = make_path()
    congestion.on_acknowledged(path, [4000])
    assert path.cwnd == 4404


def test_slow_start_reaches_up_to_ssthresh_and_congestion_avoidance_begins_above_it() -> None:
    path = make_path()
    path.was_full = True
    path.cwnd = path.ssthresh = 10_000
    congestion.on_acknowledged(path, [1000])
    assert (path.cwnd, path.partial_bytes_acked) == (11_000, 0)
    congestion.on_acknowledged(path, [1000])
    assert (path.cwnd, path.partial_bytes_acked) == (11_000, 1000)


def test_the_step_of_slow_start_behind_fast_recovery_adds_all_that_a_sack_of_two_packets_acknowledged() -> None:
    # "L SHOULD be 1 and MAY be larger than 1" (section 7.2.1).
    path = make_path()
    path.was_full = True
    path.cwnd = 20_000
    congestion.on_fast_retransmit(path)
    assert path.cwnd == path.ssthresh == 10_000
    congestion.on_acknowledged(path, [5 * path.pmdcs, path.pmdcs])
    assert (path.cwnd, path.partial_bytes_acked) == (10_000 + 2 * path.pmdcs, path.pmdcs)


@pytest.mark.parametrize("pause", [False, True])
def test_slow_start_after_a_timeout_or_a_pause_adds_a_chunk_a_sack_up_to_its_end(pause: bool) -> None:
    path = make_path()
    path.was_full = True
    path.cwnd = 8 * path.pmdcs
    congestion.on_fast_retransmit(path)
    if pause:
        path.cwnd = 8 * path.pmdcs
        congestion.on_idle(path, path.rto)
    else:
        congestion.on_timeout(path)
    while path.cwnd < path.ssthresh:
        congestion.on_acknowledged(path, [2 * path.pmdcs])
    assert path.cwnd == path.ssthresh
    congestion.on_acknowledged(path, [2 * path.pmdcs])
    assert path.cwnd == path.ssthresh + path.pmdcs


def avoiding(cwnd: int) -> Path:
    """A path in congestion avoidance."""
    path = make_path()
    path.was_full = True
    path.cwnd = cwnd
    path.ssthresh = cwnd - 1
    return path


def test_congestion_avoidance_adds_a_chunk_when_a_window_was_acknowledged() -> None:
    path = avoiding(10_000)
    congestion.on_acknowledged(path, [9_999])
    assert path.cwnd == 10_000
    congestion.on_acknowledged(path, [11])
    assert (path.cwnd, path.partial_bytes_acked) == (10_000 + path.pmdcs, 10)


def test_congestion_avoidance_keeps_a_window_in_reserve_while_it_is_not_fully_used() -> None:
    path = avoiding(10_000)
    path.was_full = False
    congestion.on_acknowledged(path, [25_000])
    assert (path.cwnd, path.partial_bytes_acked) == (10_000, 10_000)
    path.was_full = True
    congestion.on_acknowledged(path, [1])
    assert (path.cwnd, path.partial_bytes_acked) == (10_000 + path.pmdcs, 1)


@given(acknowledged=st.lists(st.integers(1, 3000), min_size=1, max_size=200))
def test_congestion_avoidance_adds_at_most_a_chunk_for_each_window_acknowledged(acknowledged: list[int]) -> None:
    path = avoiding(10_000)
    chunks = total = 0
    for size in acknowledged:
        before = path.cwnd
        congestion.on_acknowledged(path, [size])
        chunks += (path.cwnd - before) // path.pmdcs
        total += size
        assert path.cwnd - before in (0, path.pmdcs)
    assert chunks <= total // 10_000


def test_when_all_is_acknowledged_partial_bytes_acked_begins_anew() -> None:
    path = avoiding(10_000)
    congestion.on_acknowledged(path, [5_000])
    congestion.on_all_acknowledged(path)
    assert path.partial_bytes_acked == 0


@pytest.mark.parametrize("cwnd", [2000, 4404, 11_000, 100_000])
def test_a_loss_seen_by_gap_reports_halves_the_window_down_to_four_chunks(cwnd: int) -> None:
    path = avoiding(cwnd)
    congestion.on_fast_retransmit(path)
    assert path.cwnd == path.ssthresh == max(cwnd // 2, 4 * path.pmdcs)
    assert path.partial_bytes_acked == 0


@pytest.mark.parametrize("cwnd", [2000, 4404, 11_000, 100_000])
def test_a_timeout_leaves_one_chunk_and_half_the_window_as_threshold(cwnd: int) -> None:
    path = avoiding(cwnd)
    congestion.on_timeout(path)
    assert (path.cwnd, path.ssthresh) == (path.pmdcs, max(cwnd // 2, 4 * path.pmdcs))
    assert path.partial_bytes_acked == 0


@pytest.mark.parametrize(
    ("idle", "cwnd"),
    [(0.99, 100_000), (1.0, 50_000), (1.99, 50_000), (2.0, 25_000), (4.0, 6_250), (5.0, 5840), (1e9, 5840)],
)
def test_an_idle_path_loses_half_its_window_each_rto_down_to_four_chunks(idle: float, cwnd: int) -> None:
    path = make_path()
    path.cwnd = 100_000
    path.last_data_sent = 50 * SECOND
    congestion.on_idle(path, 50 * SECOND + int(idle * SECOND))
    assert 4 * path.pmdcs == 5840
    assert path.cwnd == cwnd
    if cwnd < 100_000:
        assert path.ssthresh == 100_000


def test_an_idle_path_keeps_a_window_below_four_chunks() -> None:
    path = make_path()
    congestion.on_idle(path, 100 * SECOND)
    assert path.cwnd == 4404
    assert path.ssthresh >= 1 << 31
