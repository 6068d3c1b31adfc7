"""RFC 9438 section 4: CUBIC, as an association uses it for its paths.

The arithmetic is held beside a model of the RFC's formulas by ``tests/unit/core/path/test_cubic.py``; here are the
rules on when what applies. RFC 9260 section 7.2 holds with it, but for the size of reductions and for congestion
avoidance.
"""

from __future__ import annotations

from typing import Final

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.cubic import ALPHA, Cubic
from sctpx.core.timers import SECOND
from sctpx.testing import Pair
from sctpx.wire import control
from sctpx.wire.packet import finish_packet
from tests.conformance.full_path import FullPath
from tests.conformance.peer import FULL, PMDCS

RTT: Final = 0.1


def cubic(path: FullPath) -> Cubic:
    controller = path.peer.path().controller
    assert isinstance(controller, Cubic)
    return controller


def avoiding(packets: int) -> FullPath:
    """A path that lost a packet when its window was so large, and is in congestion avoidance."""
    path = FullPath()
    path.grow(packets)
    path.lose_one()
    path.round(RTT)
    assert path.cwnd > path.ssthresh
    return path


# 4.2: the window increase function.


def test_the_window_grows_only_by_a_sack_that_acknowledges_something_new() -> None:
    path = avoiding(100)
    path.round(RTT)
    before = path.cwnd
    for _ in range(50):
        path.peer.advance(0.01)
        path.peer.sack(path.acknowledged)
    assert path.cwnd == before


def test_the_target_is_no_less_than_the_window_and_no_more_than_half_as_much_again() -> None:
    window = Cubic(PMDCS, ipv4=True)
    window.cwnd = 100 * PMDCS
    window.on_loss()
    window.on_sent(0, window.cwnd)
    window.on_acknowledged(0, [1, PMDCS])
    # A second before there is any other SACK: the curve is far above.
    for seconds, most in ((100, 1.5), (200, 1.5**2), (300, 1.5**3)):
        window.on_acknowledged(seconds * SECOND, [window.cwnd])
        assert window.cwnd <= most * 70 * PMDCS + 2 * PMDCS
    before = window.cwnd
    window.on_loss()
    window.on_acknowledged(301 * SECOND, [1])
    after = window.cwnd
    for _ in range(20):  # Below the target for the same instant nothing is taken back.
        window.on_acknowledged(301 * SECOND, [PMDCS])
        assert after <= window.cwnd <= before


def test_time_in_which_the_application_sends_little_does_not_count() -> None:
    path = avoiding(100)
    path.finish()
    grown = path.cwnd
    for _ in range(50):
        path.peer.send(FULL)
        path.peer.advance(RTT)
        path.finish()
    assert path.cwnd == grown
    path.round(RTT)
    assert path.cwnd - grown <= 4


# 4.3: the Reno-friendly region.


def test_where_the_curve_is_below_newreno_the_window_grows_as_newreno_would() -> None:
    window = Cubic(PMDCS, ipv4=True)
    window.cwnd = 20 * PMDCS
    window.on_rtt(SECOND // 100)
    window.on_loss()
    window.on_sent(0, window.cwnd)
    window.on_acknowledged(0, [PMDCS])
    begin = window.cwnd
    for step in range(1, 8):
        before, estimate = window.cwnd, window.w_est
        window.on_acknowledged(step * SECOND // 100, [window.cwnd])
        alpha = 1.0 if estimate >= window.cwnd_prior else ALPHA
        if step > 1:
            assert window.w_est - estimate == pytest.approx(alpha * PMDCS)
        assert window.cwnd - before in (0, PMDCS)
        assert window.w_est - PMDCS <= window.cwnd <= max(window.w_est, begin)
    assert pytest.approx(0.529, abs=0.001) == ALPHA


def test_above_the_old_window_the_estimate_grows_by_a_packet_a_round_trip() -> None:
    window = Cubic(PMDCS, ipv4=True)
    window.cwnd = 20 * PMDCS
    window.on_rtt(SECOND // 1000)
    window.on_loss()
    window.on_sent(0, window.cwnd)
    for step in range(1, 40):
        window.on_acknowledged(step * SECOND // 1000, [window.cwnd])
    assert window.w_est > window.cwnd_prior
    before = window.w_est
    window.on_acknowledged(40 * SECOND // 1000, [window.cwnd])
    assert window.w_est - before == pytest.approx(PMDCS)


# 4.4 and 4.5: the concave and the convex region.


@pytest.mark.parametrize("seconds", [1.0, 3.0, 12.0])
def test_elsewhere_a_window_of_sacks_brings_it_to_the_target(seconds: float) -> None:
    window = Cubic(PMDCS, ipv4=True)
    window.cwnd = 1000 * PMDCS
    window.on_rtt(int(RTT * SECOND))
    window.on_loss()
    window.on_sent(0, window.cwnd)
    window.on_acknowledged(0, [1, 1])
    begin = window.cwnd
    k = ((1000 * PMDCS - begin) / (0.4 * PMDCS)) ** (1 / 3)
    # One SACK at that time, for half a window: half the way to what the curve has a round trip later.
    target = min(0.4 * PMDCS * (seconds + RTT - k) ** 3 + 1000 * PMDCS, 1.5 * begin)
    window.on_acknowledged(int(seconds * SECOND), [begin // 2])
    assert window.cwnd - begin == pytest.approx((target - begin) / 2, abs=PMDCS)


# 4.6: multiplicative decrease.


def test_a_loss_reduces_the_window_at_once_and_once_for_a_window() -> None:
    path = avoiding(100)
    peer = path.peer
    path.round(RTT)
    first = path.acknowledged + 1
    before = peer.path().cwnd
    for last in (1, 2, 3):
        assert peer.path().cwnd == before
        peer.sack(first - 1, (first + 1, first + last))
    reduced = peer.path().cwnd
    assert reduced == peer.path().ssthresh == int(before * 0.7)
    for last in (10, 20, 30):
        peer.sack(first - 1, (first + 1, first + 3), (first + 6, first + last))
    assert peer.path().cwnd == reduced


def test_marks_of_the_network_reduce_it_down_to_one_packet() -> None:
    config = AssociationConfig(congestion="cubic", ecn=True)
    with Pair(1, config=config).connect() as pair:
        association = pair.a.association
        path = association.tcb.paths[0]
        cwnd = path.cwnd
        for _ in range(10):
            pair.a.send(bytes(10))
            pair.network.run_for(0)  # It leaves.
            before = pair.network.clock.now
            marked = control.ecne((association.tcb.outstanding.next_tsn - 1) & 0xFFFFFFFF)
            packet = finish_packet(association.tcb.peer_prefix, marked)
            pair.a.host.stack.receive(before, path.local, path.remote, path.encaps_port, packet, len(packet))
            assert path.cwnd == max(int(cwnd * 0.7), path.pmdcs)
            pair.drain()
            cwnd = path.cwnd
        assert path.ssthresh == 2 * path.pmdcs
        path.controller.on_ecn()
        assert path.controller.one_packet  # Then ``ext.ecn`` restarts T3-rtx (RFC 3168 section 6.1.2).


# 4.7: fast convergence.


def test_the_next_loss_in_a_smaller_window_sets_w_max_lower() -> None:
    path = avoiding(100)
    path.finish()
    before, w_max = path.cwnd, cubic(path).w_max
    assert before * PMDCS < w_max
    path.lose_one()
    assert cubic(path).w_max == pytest.approx(before * PMDCS * 0.85)
    assert cubic(path).cwnd_prior == pytest.approx(before * PMDCS)


# 4.8: timeout.


def test_a_timeout_leaves_one_packet_and_seven_tenths_as_threshold() -> None:
    path = FullPath()
    path.grow(100)
    cwnd = path.peer.path().cwnd
    path.peer.send(FULL)
    path.peer.advance(1)
    assert (path.cwnd, path.peer.path().ssthresh) == (1, int(cwnd * 0.7))


def test_congestion_avoidance_after_a_timeout_begins_where_the_curve_is_flat() -> None:
    path = FullPath()
    path.grow(20)
    path.time_out()
    while path.cwnd <= path.ssthresh:
        path.round(RTT)
    path.round(RTT)
    assert cubic(path).k == 0
    assert path.ssthresh < cubic(path).w_max / PMDCS <= path.cwnd


# 4.10: slow start.


def test_up_to_ssthresh_it_is_slow_start() -> None:
    path = FullPath()
    path.grow(100)
    path.time_out()
    for _ in range(4):
        # A SACK of two packets adds one (RFC 9260 section 7.2.1).
        assert 1.25 <= path.round(RTT) <= 2
    assert path.cwnd < path.ssthresh
