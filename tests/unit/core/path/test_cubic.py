"""CUBIC (RFC 9438 section 4): the window beside a naive model in segments and seconds, and its bounds."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.config import AssociationConfig
from sctpx.core.path.controller import UNLIMITED
from sctpx.core.path.cubic import Cubic
from sctpx.core.path.newreno import NewReno
from sctpx.core.path.path import Path

PMDCS = 1460
SECOND: Final = 1_000_000_000


class Model:
    """The formulas of the RFC by the letter, in segments and seconds, with a packet acknowledged at a time."""

    C = 0.4
    beta = 0.7

    def __init__(self, cwnd: float, w_max: float, cwnd_prior: float, rtt: float) -> None:
        """Congestion avoidance begins."""
        self.cwnd = self.cwnd_epoch = self.w_est = cwnd
        self.w_max = w_max
        self.cwnd_prior = cwnd_prior
        self.rtt = rtt
        self.k = ((self.w_max - self.cwnd_epoch) / self.C) ** (1 / 3)

    def w_cubic(self, t: float) -> float:
        return float(self.C * (t - self.k) ** 3 + self.w_max)

    def acknowledge(self, t: float) -> None:
        alpha = 1.0 if self.w_est >= self.cwnd_prior else 3 * (1 - self.beta) / (1 + self.beta)
        self.w_est += alpha / self.cwnd
        if self.w_cubic(t) < self.w_est:
            self.cwnd = max(self.cwnd, self.w_est)
        else:
            target = self.w_cubic(t + self.rtt)
            if target < self.cwnd:
                target = self.cwnd
            elif target > 1.5 * self.cwnd:
                target = 1.5 * self.cwnd
            self.cwnd += (target - self.cwnd) / self.cwnd


def make_window(packets: float, rtt: float = 0.1) -> Cubic:
    """A fully used window of so many packets, which has met no congestion."""
    window = Cubic(PMDCS, ipv4=True)
    window.cwnd = int(packets * PMDCS)
    window.on_rtt(int(rtt * SECOND))
    window.on_sent(0, window.cwnd)
    return window


def avoiding(packets: float, rtt: float = 0.1) -> Cubic:
    """A window that was so many packets large, lost one of them, and is in congestion avoidance."""
    window = make_window(packets, rtt)
    window.on_loss()
    window.on_acknowledged(0, [PMDCS])
    return window


def grow(window: Cubic, rounds: int, rtt: float, begin: float = 0.0) -> None:
    """The window is fully used for so many round trips, and acknowledged by twenty SACKs in each."""
    for step in range(1, 20 * rounds + 1):
        now = int((begin + step * rtt / 20) * SECOND)
        window.on_acknowledged(now, [window.cwnd // 20])
        window.on_sent(now, window.cwnd)


@pytest.mark.parametrize(
    ("packets", "rtt", "rounds"),
    [(10, 0.02, 100), (50, 0.02, 100), (50, 0.1, 100), (300, 0.1, 60), (1000, 0.05, 10), (1000, 0.4, 30)],
)
def test_the_window_grows_as_the_formulas_of_the_rfc_say(packets: int, rtt: float, rounds: int) -> None:
    window = avoiding(packets, rtt)
    model = Model(window.cwnd / PMDCS, packets, packets, rtt)
    now = 0.0
    for _ in range(rounds):
        count = max(window.cwnd // PMDCS, 1)
        for _ in range(count):
            now += rtt / count
            # The clock begins with the first growth.
            window.on_acknowledged(int(now * SECOND), [PMDCS])
            window.on_sent(int(now * SECOND), window.cwnd)
            model.acknowledge(now - rtt / count)
        assert window.cwnd / PMDCS == pytest.approx(model.cwnd, rel=0.02, abs=1)


@pytest.mark.parametrize("rtt", [0.02, 0.1, 0.4])
def test_after_k_seconds_the_window_is_what_it_was(rtt: float) -> None:
    window = avoiding(2000, rtt)
    k = (2000 * 0.3 / 0.4) ** (1 / 3)
    grow(window, round(k / rtt), rtt)
    assert window.w_max == 2000 * PMDCS
    assert window.k == pytest.approx(k, rel=0.01)
    assert window.cwnd / PMDCS == pytest.approx(2000, rel=0.01)


def test_a_sack_of_two_packets_grows_the_window_as_two_sacks_of_one_do() -> None:
    one, two = avoiding(500), avoiding(500)
    for step in range(1, 2000):
        now = step * SECOND // 1000
        for window, sizes in ((one, [PMDCS, PMDCS]), (two, [2 * PMDCS])):
            window.on_acknowledged(now, sizes)
            window.on_sent(now, window.cwnd)
    assert one.cwnd == pytest.approx(two.cwnd, rel=0.001)


def test_time_in_which_the_window_is_not_fully_used_does_not_count() -> None:
    through, paused = avoiding(1000), avoiding(1000)
    grow(through, 20, 0.1)
    grow(paused, 10, 0.1)
    before = paused.cwnd
    paused.on_sent(1 * SECOND, 1000)
    for _ in range(10):
        paused.on_acknowledged(2 * SECOND, [100])
    assert paused.cwnd == before
    paused.on_sent(100 * SECOND, paused.cwnd)
    grow(paused, 10, 0.1, 100)
    assert paused.cwnd == pytest.approx(through.cwnd, rel=0.01)


def test_a_loss_leaves_seven_tenths_of_the_window() -> None:
    window = make_window(100)
    window.on_loss()
    assert window.cwnd == window.ssthresh == 70 * PMDCS
    assert window.w_max == window.cwnd_prior == 100 * PMDCS


@pytest.mark.parametrize("packets", [1, 2, 5])
def test_a_loss_leaves_four_packets_at_least(packets: int) -> None:
    window = make_window(packets)
    window.on_loss()
    assert window.cwnd == window.ssthresh == 4 * PMDCS


def test_a_second_loss_in_a_smaller_window_makes_room_for_others() -> None:
    window = make_window(100)
    window.on_loss()
    window.on_loss()
    assert window.cwnd == 49 * PMDCS
    assert window.w_max == pytest.approx(70 * 0.85 * PMDCS)
    assert window.cwnd_prior == 70 * PMDCS


def test_a_timeout_leaves_one_packet_and_the_next_curve_is_flat_where_slow_start_ends() -> None:
    window = make_window(100)
    window.on_timeout()
    assert (window.cwnd, window.ssthresh) == (PMDCS, 70 * PMDCS)
    while window.cwnd <= window.ssthresh:
        before = window.cwnd
        window.on_acknowledged(SECOND, [2 * PMDCS])
        assert window.cwnd == before + PMDCS  # Slow start of RFC 9260, with L = 1.
    ended = window.cwnd
    window.on_acknowledged(SECOND, [PMDCS])
    assert (window.k, window.w_max) == (0.0, ended)
    assert window.cwnd_prior == 100 * PMDCS


def test_marks_by_ecn_reduce_the_window_down_to_one_packet() -> None:
    window = make_window(10)
    seen = []
    for _ in range(8):
        window.on_ecn()
        seen.append(window.cwnd)
        assert window.ssthresh >= 2 * PMDCS
    assert seen[:2] == [7 * PMDCS, 7154]
    assert seen[-1] == PMDCS
    window.cwnd = PMDCS // 2
    window.on_ecn()
    assert window.cwnd == PMDCS // 2


@pytest.mark.parametrize(("periods", "cwnd"), [(1, 50), (2, 25), (5, 4), (10**9, 4)])
def test_an_idle_path_loses_half_its_window_each_rto(periods: int, cwnd: int) -> None:
    window = make_window(100)
    window.on_idle(periods)
    assert (window.cwnd, window.ssthresh) == (cwnd * PMDCS, 100 * PMDCS)


def test_an_idle_path_keeps_a_small_window() -> None:
    window = make_window(4)
    window.on_idle(3)
    assert (window.cwnd, window.ssthresh) == (4 * PMDCS, UNLIMITED)


def test_the_controller_is_the_one_that_the_configuration_names() -> None:
    for name, kind in (("newreno", NewReno), ("cubic", Cubic)):
        config = AssociationConfig(congestion=name)  # type: ignore[arg-type]
        path = Path(b"\x0a\0\0\x01", b"", 9899, config.rules)
        assert type(path.controller) is kind
        path.begin_anew(config.rules)
        assert type(path.controller) is kind


@pytest.mark.parametrize("lost", [False, True])
def test_a_controller_takes_the_window_of_another_one_over(lost: bool) -> None:
    path = Path(b"\x0a\0\0\x01", b"", 9899, AssociationConfig().rules)
    path.controller.cwnd = 20 * path.pmdcs
    path.srtt = SECOND
    path.controller.on_sent(0, 20 * path.pmdcs)
    if lost:
        path.controller.on_loss()
    before = (path.cwnd, path.ssthresh)
    path.use_controller(AssociationConfig(congestion="cubic").rules)
    assert (path.cwnd, path.ssthresh) == before
    assert path.controller.was_full
    path.controller.on_acknowledged(0, [2 * path.pmdcs])
    # A slow start that has an end goes on as that of RFC 9260.
    assert path.cwnd == before[0] + (path.pmdcs if lost else 2 * path.pmdcs)
    path.use_controller(AssociationConfig().rules)
    assert type(path.controller) is NewReno


EVENTS: Final = st.lists(
    st.tuples(
        st.sampled_from(["sack", "sack", "sack", "sack", "loss", "ecn", "timeout", "idle", "rtt", "pause"]),
        st.integers(1, 1 << 16),
        st.integers(0, 10 * SECOND),
    ),
    max_size=80,
)


@given(pmdcs=st.sampled_from([484, 1460, 65000]), events=EVENTS)
def test_whatever_happens_the_window_is_a_packet_at_least_and_grows_no_more_than_is_acknowledged(
    pmdcs: int, events: list[tuple[str, int, int]]
) -> None:
    window = Cubic(pmdcs, ipv4=True)
    now = 0
    for what, number, after in events:
        now += after
        before = window.cwnd
        if what == "sack":
            window.on_acknowledged(now, [number])
            # The estimate of NewReno may be ahead by what a round trip adds.
            assert before <= window.cwnd <= before + number + pmdcs
        elif what == "loss":
            window.on_loss()
            assert window.cwnd == max(int(before * 0.7), 4 * pmdcs)
        elif what == "ecn":
            window.on_ecn()
            assert window.cwnd <= before
        elif what == "timeout":
            window.on_timeout()
            assert window.cwnd == pmdcs
        elif what == "idle":
            window.on_idle(number)
            assert window.cwnd <= before
        elif what == "rtt":
            window.on_rtt(after)
        elif what == "pause":
            window.on_sent(now, number % (2 * window.cwnd))
            window.on_all_acknowledged()
            continue
        assert window.cwnd >= pmdcs
        window.on_sent(now, window.cwnd)


@given(events=EVENTS, more=st.lists(st.integers(1, 1 << 16), max_size=10))
def test_a_window_that_is_not_fully_used_does_not_grow(events: list[tuple[str, int, int]], more: list[int]) -> None:
    window = Cubic(PMDCS, ipv4=True)
    now = 0
    for what, number, after in events:
        now += after
        if what == "loss":
            window.on_loss()
        elif what == "timeout":
            window.on_timeout()
        window.on_sent(now, window.cwnd)
        window.on_acknowledged(now, [number])
    window.on_sent(now, 0)
    before = window.cwnd
    window.on_acknowledged(now + SECOND, more)
    assert window.cwnd == before
