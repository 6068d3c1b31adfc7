"""RFC 9260 section 7.2.5: packets are sent under new conditions, and congestion control begins anew.

A path that loses its source address is another matter: ``tests/conformance/test_rfc5061_5_1_sender.py``.
"""

from __future__ import annotations

from dataclasses import replace

from sctpx.core.association import path_set
from sctpx.core.path.controller import UNLIMITED
from tests.conformance.peer import PMDCS, Peer

INITIAL = 4404
FIRST, SECOND = bytes((10, 0, 1, 2)), bytes((10, 0, 2, 2))


def in_congestion_avoidance(paths: int = 1) -> Peer:
    """A peer whose first path has had a loss, and has grown since."""
    peer = Peer(paths=paths)
    first = peer.grow(40 * PMDCS) + 1
    peer.send(*[1000] * 10)
    for last in (1, 2, 3):
        peer.sack(first - 1, (first + 1, first + last))
    assert peer.path().ssthresh < UNLIMITED
    assert peer.path().cwnd > INITIAL
    return peer


def has_begun_anew(peer: Peer, number: int = 1) -> bool:
    path = peer.path(number)
    return (path.cwnd, path.ssthresh, peer.partial_bytes_acked(number)) == (INITIAL, UNLIMITED, 0)


def test_7_2_5_1_another_code_point_of_a_path_resets_its_congestion_control() -> None:
    peer = in_congestion_avoidance()
    peer.association.configure_path(peer.now, FIRST, dscp=46)
    assert has_begun_anew(peer)


def test_7_2_5_1_another_code_point_of_the_association_resets_each_path_that_has_none_of_its_own() -> None:
    peer = in_congestion_avoidance()
    peer.association.reconfigure(peer.now, replace(peer.association.config, dscp=46))
    assert has_begun_anew(peer)
    peer = in_congestion_avoidance()
    peer.association.configure_path(peer.now, FIRST, dscp=0)
    cwnd = peer.path().cwnd
    peer.association.reconfigure(peer.now, replace(peer.association.config, dscp=46))
    assert peer.path().cwnd == cwnd


def test_7_2_5_1_the_code_point_of_another_path_or_the_same_one_again_or_a_flow_label_resets_nothing() -> None:
    peer = in_congestion_avoidance(paths=2)
    cwnd, ssthresh = peer.path().cwnd, peer.path().ssthresh
    peer.association.configure_path(peer.now, SECOND, dscp=46)
    peer.association.configure_path(peer.now, FIRST, dscp=0, flow_label=7)
    assert (peer.path().cwnd, peer.path().ssthresh) == (cwnd, ssthresh)


def test_7_2_5_2_another_source_address_resets_the_congestion_control_of_the_path() -> None:
    """The address that it had is still there, but another one suits the path better."""
    peer = in_congestion_avoidance(paths=2)
    path = peer.path(2)
    path.controller.cwnd, path.controller.ssthresh = 20_000, 10_000
    near = bytes((10, 0, 2, 3))
    path_set.use_sources(peer.association.tcb, peer.now, [*peer.association.local_addresses, near])
    assert path.local == near
    assert has_begun_anew(peer, 2)
    assert not has_begun_anew(peer, 1)
