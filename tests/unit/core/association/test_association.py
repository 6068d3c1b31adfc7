"""Verbs of an association: what each lets out."""

from __future__ import annotations

from errno import EINVAL

import pytest

from sctpx.core.events import PathChange, Writable
from tests.conformance.peer import FULL, Peer


def test_data_that_the_new_primary_path_has_room_for_leaves_at_once() -> None:
    """RFC 9260 section 6.1 D: Max.Burst limits each round of sending; the verb begins another one."""
    peer = Peer(paths=2)
    peer.send(*[FULL] * 20)
    assert [packet.path for packet in peer.take()] == [1, 1, 1, 1]
    peer.set_primary(2)
    assert [packet.path for packet in peer.take()] == [2, 2, 2, 2]


def test_an_address_that_is_not_confirmed_is_made_no_primary_path() -> None:
    """RFC 9260 section 5.4: no data is sent there."""
    peer = Peer(paths=2)
    peer.path(2).confirmed = False
    with pytest.raises(OSError, match="not confirmed") as caught:
        peer.set_primary(2)
    assert caught.value.errno == EINVAL
    assert peer.association.primary is peer.path(1)
    assert peer.events_of(PathChange) == []


def test_a_verb_that_asks_for_control_chunks_lets_no_data_out() -> None:
    """RFC 9260 section 6.1 D: a round releases Max.Burst and what was acknowledged, and none begins here."""
    peer = Peer(max_burst=1)
    peer.send(*[FULL] * 20)
    assert len(peer.take()) == 1
    assert peer.path().room > 0
    peer.request_heartbeat(1)
    assert [packet.names for packet in peer.take()] == [["HEARTBEAT"]]
    peer.association.abort(peer.now)
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["ABORT"]]


def test_room_in_the_send_buffer_is_told_to_whoever_has_asked_and_once() -> None:
    peer = Peer()
    for number, asks in enumerate((False, True, False), 1):
        peer.send(10)
        if asks:
            peer.association.want_writable()
        peer.sack(number)
        assert len(peer.events_of(Writable)) == (number > 1)


def test_more_packets_in_a_round_are_those_of_its_parameters() -> None:
    """RFC 9260 section 11.1.12."""
    peer = Peer(max_burst=1)
    peer.send(*[FULL] * 20)
    assert len(peer.take()) == 1
    peer.shutdown()
    assert len(peer.take()) == 1
