"""RFC 9260 section 6.4: multi-homed endpoints. Path states are those of RFC 7829."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sctpx.core.events import PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.wire import control
from tests.conformance.peer import FULL, Peer

NO_PF: dict[str, Any] = {"potentially_failed_max_retrans": 5}


def where(peer: Peer) -> list[tuple[int, list[int]]]:
    """Path and TSNs of each packet with DATA that left."""
    return [(packet.path, packet.tsns) for packet in peer.take() if packet.tsns]


def test_data_goes_to_the_primary_path() -> None:
    peer = Peer(paths=3)
    peer.send(10, 10, 10)
    assert where(peer) == [(1, [1, 2, 3])]
    peer.set_primary(3)
    peer.send(10)
    assert where(peer) == [(3, [4])]


def test_data_goes_to_the_address_the_user_names() -> None:
    peer = Peer(paths=3)
    peer.send(10, remote=peer.path(2).remote)
    peer.send(10)
    assert where(peer) == [(2, [1]), (1, [2])]


@pytest.mark.parametrize("path", [1, 2, 3])
def test_replies_go_to_the_address_the_control_chunk_came_from(path: int) -> None:
    peer = Peer(paths=3)
    peer.deliver(control.heartbeat(b"info"), path=path)
    assert [(packet.path, packet.names) for packet in peer.take()] == [(path, ["HEARTBEAT ACK"])]


def test_sacks_go_where_data_comes_from_as_long_as_it_comes_from_there() -> None:
    peer = Peer(paths=2)
    for tsn in range(1, 20):
        peer.deliver(peer.data(tsn), path=2)
    assert {packet.path for packet in peer.take()} == {2}


def test_a_chunk_that_timed_out_goes_to_another_active_address() -> None:
    """RFC 9260 section 6.4.1."""
    peer = Peer(paths=3, **NO_PF)
    peer.send(10)
    seen = where(peer)
    for _ in range(4):
        peer.advance(2.1)
        seen += where(peer)
    paths = [path for path, _ in seen]
    assert len(paths) >= 4
    assert all(before != after for before, after in pairwise(paths))


def test_a_chunk_that_timed_out_avoids_paths_that_may_have_failed() -> None:
    peer = Peer(paths=3, heartbeat_interval=30.0)
    peer.send(10)
    peer.advance(1)
    assert peer.path(1).state == PATH_POTENTIALLY_FAILED
    assert where(peer) == [(1, [1]), (2, [1])]
    peer.advance(1)
    assert where(peer) == [(3, [1])]


def test_a_fast_retransmission_goes_where_the_chunk_went_first() -> None:
    peer = Peer(paths=2)
    peer.set_primary(2)
    peer.send(*[FULL] * 4)
    peer.take()
    peer.set_primary(1)
    for last in (2, 3, 4):
        peer.sack(0, (2, last))
    assert where(peer) == [(2, [1])]


def test_a_chunk_whose_fast_retransmission_timed_out_goes_to_another_address() -> None:
    peer = Peer(paths=2, **NO_PF)
    peer.send(*[FULL] * 4)
    for last in (2, 3, 4):
        peer.sack(0, (2, last))
    assert where(peer)[-1] == (1, [1])
    peer.advance(1)
    assert where(peer) == [(2, [1])]


def test_a_retransmission_to_another_address_moves_the_chunk_from_one_flight_to_the_other() -> None:
    peer = Peer(paths=2)
    peer.send(FULL, FULL)
    assert (peer.path(1).flight_size, peer.path(2).flight_size) == (2 * 1460, 0)
    peer.advance(1)
    assert (peer.path(1).flight_size, peer.path(2).flight_size) == (0, 2 * 1460)
    assert peer.association.tcb.outstanding.flight_size == 2 * 1460
    peer.sack(2)
    assert (peer.path(1).flight_size, peer.path(2).flight_size) == (0, 0)


def test_the_other_paths_window_limits_what_goes_there() -> None:
    peer = Peer(paths=2, max_burst=100)
    peer.send(*[FULL] * 4)
    peer.advance(0.5)
    peer.send(*[FULL] * 2, remote=peer.path(2).remote)
    peer.take()
    peer.advance_to(peer.path(1).t3_deadline)
    # Two are in flight to path 2, the window has 4404 bytes: the packet of rule E3, and one more.
    assert [tsns for path, tsns in where(peer) if path == 2] == [[1], [2]]


# 6.4.1


def test_when_the_primary_path_has_failed_new_data_goes_to_an_active_one() -> None:
    """RFC 9260 section 6.4.1."""
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.send(10)
    peer.advance(1)
    peer.sack(1, path=2)
    peer.take()
    assert peer.path(1).state == PATH_POTENTIALLY_FAILED
    peer.send(10)
    assert where(peer) == [(2, [2])]


def test_when_the_address_the_user_names_has_failed_data_goes_to_an_active_one() -> None:
    """RFC 9260 section 6.4.1."""
    peer = Peer(paths=3, heartbeat_interval=30.0)
    peer.send(10, remote=peer.path(2).remote)
    peer.advance(1)
    peer.sack(1)
    peer.take()
    assert peer.path(2).state == PATH_POTENTIALLY_FAILED
    peer.send(10, remote=peer.path(2).remote)
    assert where(peer) == [(1, [2])]
    # Choosing changes nothing (RFC 7829 section 3.2 (3)).
    assert (peer.path(2).state, peer.path(2).error_count) == (PATH_POTENTIALLY_FAILED, 1)


def test_data_returns_to_the_primary_path_when_it_answers_again() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.send(10)
    peer.advance(1)
    peer.sack(1, path=2)
    [heartbeat] = [packet for packet in peer.take() if packet.names == ["HEARTBEAT"] and packet.path == 1]
    peer.deliver(control.heartbeat_ack(heartbeat.value("HEARTBEAT")), path=1)
    assert peer.path(1).state == PATH_ACTIVE
    peer.send(10)
    assert where(peer) == [(1, [2])]
    assert [(event.remote[2], event.state) for event in peer.events_of(PathChange)] == [
        (1, PATH_POTENTIALLY_FAILED),
        (1, PATH_ACTIVE),
    ]


def test_the_acknowledgement_of_a_chunk_that_went_to_two_addresses_speaks_for_neither() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.send(10)
    peer.advance(1)
    peer.sack(1, path=2)
    assert (peer.path(1).state, peer.path(1).error_count) == (PATH_POTENTIALLY_FAILED, 1)


def test_on_a_single_path_the_acknowledgement_of_a_retransmission_clears_its_errors() -> None:
    """Section 8.2: it went to that address only, whichever of the two got through."""
    peer = Peer()
    peer.send(10)
    peer.advance(3)
    assert peer.path().error_count == 2
    peer.sack(1)
    assert (peer.path().state, peer.path().error_count) == (PATH_ACTIVE, 0)


def test_with_no_active_path_left_the_one_with_the_fewest_errors_is_used() -> None:
    peer = Peer(paths=2, path_max_retrans=1, association_max_retrans=20, heartbeat_interval=30.0)
    peer.send(10)
    peer.advance(40)
    states = {peer.path(1).state, peer.path(2).state}
    assert states == {PATH_INACTIVE}
    paths = {path for path, _ in where(peer)}
    assert paths == {1, 2}
    peer.sack(1)
    peer.send(10)
    [(path, _)] = where(peer)
    other = 3 - path
    assert peer.path(path).error_count <= peer.path(other).error_count
