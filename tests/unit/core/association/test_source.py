"""Where each message came from (RFC 6458 sections 3.1.4 and 7.1): known until it is read, whatever comes meanwhile."""

from __future__ import annotations

from tests.conformance.peer import Peer


def sources(peer: Peer, count: int) -> list[int]:
    """The paths that messages came over, read one by one."""
    found = []
    for _ in range(count):
        found.append(peer.association.source[2])
        assert len(peer.read(1)) == 1
    return found


def test_each_message_has_the_address_it_came_from_however_late_it_is_read() -> None:
    peer = Peer(paths=3)
    for tsn, path in enumerate([1, 1, 2, 3, 3, 1], 1):
        peer.deliver(peer.data(tsn), path=path)
    assert sources(peer, 6) == [1, 1, 2, 3, 3, 1]
    peer.deliver(peer.data(7), path=2)
    assert sources(peer, 1) == [2]


def test_packets_that_came_together_have_one() -> None:
    peer = Peer(paths=2)
    peer.deliver_together(*[peer.data(tsn) for tsn in range(1, 11)], path=1)
    peer.deliver_together(*[peer.data(tsn) for tsn in range(11, 21)], path=2)
    assert sources(peer, 20) == [1] * 10 + [2] * 10


def test_of_several_chunks_the_last_one_to_arrive_counts() -> None:
    peer = Peer(paths=2)
    peer.deliver(peer.data(1, flags=2), path=1)
    peer.deliver(peer.data(2, flags=1, ssn=0), path=2)
    assert sources(peer, 1) == [2]


def test_messages_that_waited_for_one_before_them_come_with_it() -> None:
    peer = Peer(paths=2)
    peer.deliver(peer.data(2), path=1)
    peer.deliver(peer.data(3), path=1)
    peer.deliver(peer.data(1), path=2)
    peer.deliver(peer.data(4), path=1)
    assert sources(peer, 4) == [2, 2, 2, 1]


def test_before_anything_came_there_is_none() -> None:
    assert Peer().association.source == b""


def test_what_is_remembered_does_not_grow_with_what_was_read() -> None:
    peer = Peer(paths=2)
    for tsn in range(1, 2001):
        peer.deliver(peer.data(tsn), path=1 + tsn % 2)
        peer.read()
    assert len(peer.association.tcb.sources) <= 3
