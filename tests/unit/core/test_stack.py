"""The port table of a stack and what its drivers rely on; the protocol is tested elsewhere."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.stack import EPHEMERAL_COUNT, EPHEMERAL_FIRST, Stack
from sctpx.testing import seeded_bytes

NOW = 10**18
OWN = bytes((10, 0, 1, 1))
PEER = bytes((10, 0, 1, 2))


def make_stack() -> Stack:
    return Stack(seeded_bytes(1), NOW)


def connect(endpoint: Endpoint, *remotes: bytes, port: int = 5000) -> Association:
    return endpoint.connect(NOW, [PeerAddress(remote, 9899) for remote in remotes], port)


def destinations(stack: Stack) -> list[bytes]:
    """Where packets leave to now."""
    found = []
    while (transmit := stack.poll_transmit(NOW)) is not None:
        found.append(transmit.remote)
    return found


def test_an_sctp_port_belongs_to_one_endpoint_until_that_is_closed() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000)
    with pytest.raises(OSError, match="5000") as caught:
        stack.open_endpoint(5000)
    assert caught.value.errno == errno.EADDRINUSE
    endpoint.close(NOW)
    assert stack.open_endpoint(5000).port == 5000


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(OSError, match="SCTP port") as caught:
        make_stack().open_endpoint(port)
    assert caught.value.errno == errno.EINVAL


def test_every_ephemeral_port_is_used_before_there_is_none_left() -> None:
    stack = make_stack()
    taken = {stack.open_endpoint(EPHEMERAL_FIRST + number).port for number in range(EPHEMERAL_COUNT - 2)}
    ports = {stack.open_endpoint().port for _ in range(2)}
    assert taken | ports == set(range(EPHEMERAL_FIRST, 65536))
    with pytest.raises(OSError, match="no SCTP port is free") as caught:
        stack.open_endpoint()
    assert caught.value.errno == errno.EADDRINUSE


def test_a_new_stack_has_nothing_to_send_to_tell_or_to_wait_for() -> None:
    stack = make_stack()
    assert stack.poll_transmit(NOW) is None
    assert stack.poll_event() is None
    assert stack.next_timeout() is None
    stack.handle_timeout(NOW + 10**12)
    assert stack.next_timeout() is None


def test_a_second_association_with_the_same_peer_is_refused() -> None:
    endpoint = make_stack().open_endpoint(5000, [OWN])
    connect(endpoint, PEER)
    with pytest.raises(OSError, match="with this peer") as caught:
        connect(endpoint, PEER)
    assert caught.value.errno == errno.EALREADY
    connect(endpoint, PEER, port=5001)  # Another port is another peer.


def test_an_address_listed_twice_is_one_and_none_is_an_error() -> None:
    endpoint = make_stack().open_endpoint(5000, [OWN])
    assert len(connect(endpoint, PEER, PEER).report) == 1
    with pytest.raises(OSError, match="no addresses") as caught:
        connect(endpoint, port=5001)
    assert caught.value.errno == errno.EINVAL


def test_a_backlog_below_1_is_refused() -> None:
    with pytest.raises(OSError, match="backlog"):
        make_stack().open_endpoint(5000).listen(0)


def test_associations_take_turns_to_send() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000, [OWN])
    peers = [bytes((10, 0, 1, number)) for number in range(2, 6)]
    for peer in peers:
        connect(endpoint, peer)
    assert destinations(stack) == peers


def test_what_is_over_leaves_no_timer_behind() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000, [OWN])
    for number in range(200):
        association = connect(endpoint, bytes((10, 1, 0, number)))
        destinations(stack)
        association.abort(NOW)
        destinations(stack)
    assert endpoint.associations == {}
    assert stack.next_timeout() is None


@pytest.mark.parametrize("segment", [0, 1, 7, 12, 13, 65535])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 11, 12, 13, 100])
def test_runs_of_any_shape_are_taken_apart(length: int, segment: int) -> None:
    stack = make_stack()
    stack.open_endpoint(5000, [OWN]).listen()
    stack.receive(NOW, OWN, PEER, 9899, bytes(length), segment)
    assert destinations(stack) == []
