"""cwnd, ssthresh and partial_bytes_acked by the letter of RFC 9260 section 7.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.path.newreno import NewReno

PMDCS = 1460
NOW = 0


def make_window() -> NewReno:
    return NewReno(PMDCS, ipv4=True)


@pytest.mark.parametrize(
    ("ipv4", "pmdcs", "cwnd"),
    [
        (True, 1460, 4404),
        (False, 1440, 4344),
        (True, 536, 4 * 536),
        (False, 1220, 4344),
        (True, 8960, 2 * 8960),
        (True, 65492, 2 * 65492),
    ],
)
def test_the_initial_window_is_between_two_and_four_chunks(ipv4: bool, pmdcs: int, cwnd: int) -> None:
    window = NewReno(pmdcs, ipv4)
    assert window.cwnd == cwnd
    assert window.cwnd == min(4 * pmdcs, max(2 * pmdcs, 4404 if ipv4 else 4344))
    assert window.ssthresh >= 1 << 31
    assert window.partial_bytes_acked == 0


@given(acknowledged=st.lists(st.integers(1, 5000), max_size=50))
def test_slow_start_adds_what_was_acknowledged_and_at_most_a_chunk_a_sack(acknowledged: list[int]) -> None:
    window = make_window()
    window.was_full = True
    expected = window.cwnd
    for size in acknowledged:
        window.on_acknowledged(NOW, [size])
        expected += min(size, PMDCS)
        assert window.cwnd == expected


def test_slow_start_adds_nothing_while_the_window_is_not_fully_used() -> None:
    window = make_window()
    window.on_acknowledged(NOW, [4000])
    assert window.cwnd == 4404


def test_slow_start_reaches_up_to_ssthresh_and_congestion_avoidance_begins_above_it() -> None:
    window = make_window()
    window.was_full = True
    window.cwnd = window.ssthresh = 10_000
    window.on_acknowledged(NOW, [1000])
    assert (window.cwnd, window.partial_bytes_acked) == (11_000, 0)
    window.on_acknowledged(NOW, [1000])
    assert (window.cwnd, window.partial_bytes_acked) == (11_000, 1000)


def test_the_step_of_slow_start_behind_fast_recovery_adds_all_that_a_sack_of_two_packets_acknowledged() -> None:
    # "L SHOULD be 1 and MAY be larger than 1" (section 7.2.1).
    window = make_window()
    window.was_full = True
    window.cwnd = 20_000
    window.on_loss()
    assert window.cwnd == window.ssthresh == 10_000
    window.on_acknowledged(NOW, [5 * PMDCS, PMDCS])
    assert (window.cwnd, window.partial_bytes_acked) == (10_000 + 2 * PMDCS, PMDCS)


@pytest.mark.parametrize("pause", [False, True])
def test_slow_start_after_a_timeout_or_a_pause_adds_a_chunk_a_sack_up_to_its_end(pause: bool) -> None:
    window = make_window()
    window.was_full = True
    window.cwnd = 8 * PMDCS
    window.on_loss()
    if pause:
        window.cwnd = 8 * PMDCS
        window.on_idle(1)
    else:
        window.on_timeout()
    while window.cwnd < window.ssthresh:
        window.on_acknowledged(NOW, [2 * PMDCS])
    assert window.cwnd == window.ssthresh
    window.on_acknowledged(NOW, [2 * PMDCS])
    assert window.cwnd == window.ssthresh + PMDCS


def avoiding(cwnd: int) -> NewReno:
    """A window in congestion avoidance."""
    window = make_window()
    window.was_full = True
    window.cwnd = cwnd
    window.ssthresh = cwnd - 1
    return window


def test_congestion_avoidance_adds_a_chunk_when_a_window_was_acknowledged() -> None:
    """RFC 9260 section 7.2.2."""
    window = avoiding(10_000)
    window.on_acknowledged(NOW, [9_999])
    assert window.cwnd == 10_000
    window.on_acknowledged(NOW, [11])
    assert (window.cwnd, window.partial_bytes_acked) == (10_000 + PMDCS, 10)


def test_congestion_avoidance_keeps_a_window_in_reserve_while_it_is_not_fully_used() -> None:
    window = avoiding(10_000)
    window.was_full = False
    window.on_acknowledged(NOW, [25_000])
    assert (window.cwnd, window.partial_bytes_acked) == (10_000, 10_000)
    window.was_full = True
    window.on_acknowledged(NOW, [1])
    assert (window.cwnd, window.partial_bytes_acked) == (10_000 + PMDCS, 1)


@given(acknowledged=st.lists(st.integers(1, 3000), min_size=1, max_size=200))
def test_congestion_avoidance_adds_at_most_a_chunk_for_each_window_acknowledged(acknowledged: list[int]) -> None:
    """RFC 9260 section 7.2.2."""
    window = avoiding(10_000)
    chunks = total = 0
    for size in acknowledged:
        before = window.cwnd
        window.on_acknowledged(NOW, [size])
        chunks += (window.cwnd - before) // PMDCS
        total += size
        assert window.cwnd - before in (0, PMDCS)
    assert chunks <= total // 10_000


def test_when_all_is_acknowledged_partial_bytes_acked_begins_anew() -> None:
    """RFC 9260 section 7.2.2."""
    window = avoiding(10_000)
    window.on_acknowledged(NOW, [5_000])
    window.on_all_acknowledged()
    assert window.partial_bytes_acked == 0


@pytest.mark.parametrize("cwnd", [2000, 4404, 11_000, 100_000])
def test_a_loss_seen_by_gap_reports_halves_the_window_down_to_four_chunks(cwnd: int) -> None:
    """RFC 9260 section 7.2.3."""
    window = avoiding(cwnd)
    window.on_loss()
    assert window.cwnd == window.ssthresh == max(cwnd // 2, 4 * PMDCS)
    assert window.partial_bytes_acked == 0


@pytest.mark.parametrize("cwnd", [2000, 4404, 11_000, 100_000])
def test_a_timeout_leaves_one_chunk_and_half_the_window_as_threshold(cwnd: int) -> None:
    """RFC 9260 section 7.2.3."""
    window = avoiding(cwnd)
    window.on_timeout()
    assert (window.cwnd, window.ssthresh) == (PMDCS, max(cwnd // 2, 4 * PMDCS))
    assert window.partial_bytes_acked == 0


@pytest.mark.parametrize(
    ("idle", "cwnd"),
    [(1, 50_000), (2, 25_000), (4, 6_250), (5, 5840), (10**9, 5840)],
)
def test_an_idle_path_loses_half_its_window_each_rto_down_to_four_chunks(idle: int, cwnd: int) -> None:
    window = make_window()
    window.cwnd = 100_000
    window.on_idle(idle)
    assert 4 * PMDCS == 5840
    assert window.cwnd == cwnd
    assert window.ssthresh == 100_000


def test_an_idle_path_keeps_a_window_below_four_chunks() -> None:
    window = make_window()
    window.on_idle(100)
    assert window.cwnd == 4404
    assert window.ssthresh >= 1 << 31


def test_after_a_timeout_one_packet_fills_the_window_whatever_its_size() -> None:
    window = make_window()
    window.on_timeout()
    assert window.one_packet
    assert window.room(0) == PMDCS
    assert window.room(4) == 0


def test_the_window_was_full_if_nothing_more_could_be_sent() -> None:
    window = make_window()
    window.on_sent(NOW, window.cwnd - 1)
    assert not window.was_full
    window.on_sent(NOW, window.cwnd)
    assert window.was_full
