"""ASCONFs from an address that is not the peer's (RFC 5061 section 5.2): which packets count, and what of them."""

from __future__ import annotations

import pytest

from sctpx.core.arrival import Arrival
from sctpx.core.association import elsewhere
from sctpx.wire import asconf as wire
from sctpx.wire.codes import CHUNK_ASCONF, CHUNK_AUTH, CHUNK_HEARTBEAT
from sctpx.wire.tlv import chunk
from tests.conformance.asconf import ANY, add, asconf, changing, ours, theirs
from tests.conformance.peer import UDP_PORT, Peer

NEW = bytes((10, 0, 9, 2))


def arrival(peer: Peer, *said: bytes) -> Arrival:
    return Arrival(peer.now, ours(1), NEW, UDP_PORT, peer.packet(*said))


@pytest.mark.parametrize(
    ("lookup", "found"), [(theirs(1), True), (ANY, True), (bytes(16), True), (bytes((10, 0, 7, 7)), False)]
)
def test_an_association_is_meant_by_an_address_of_its_peer_or_by_a_wildcard(lookup: bytes, found: bool) -> None:
    """Sections 4.1.1 and 5.2, D2."""
    peer = changing()
    asked = arrival(peer, asconf(peer, 1, add(NEW), lookup=lookup))
    assert elsewhere.is_named(peer.association.tcb, asked) is (lookup == theirs(1))
    assert elsewhere.handle(peer.association.tcb, asked) is found


def test_without_an_address_an_asconf_means_no_association() -> None:
    peer = changing()
    assert not elsewhere.handle(peer.association.tcb, arrival(peer, chunk(CHUNK_ASCONF, 0, bytes(4))))


def test_no_other_chunk_means_an_association_by_an_address() -> None:
    peer = changing()
    value = asconf(peer, 1, add(NEW))[4:]
    other = arrival(peer, chunk(CHUNK_HEARTBEAT, 0, value))
    assert not elsewhere.is_named(peer.association.tcb, other)
    assert not elsewhere.handle(peer.association.tcb, other)


def test_a_peer_that_changes_no_addresses_is_not_found_by_one() -> None:
    peer = Peer()
    asked = arrival(peer, asconf(peer, 1, add(NEW)))
    assert not elsewhere.is_named(peer.association.tcb, asked)
    assert not elsewhere.handle(peer.association.tcb, asked)


def test_of_a_packet_its_asconfs_count_and_nothing_else_and_are_counted() -> None:
    """Section 5.3, F1: the sender may use the address for nothing else yet."""
    peer = changing()
    stats = peer.association.stats
    before = (stats.packets_received, stats.control_chunks_received, stats.packets_discarded)
    heartbeat = chunk(CHUNK_HEARTBEAT, 0, bytes((0, 1, 0, 8)) + bytes(4))
    peer.deliver_between(NEW, ours(1), heartbeat, asconf(peer, 1, add(NEW)), peer.data(1))
    after = (stats.packets_received, stats.control_chunks_received, stats.packets_discarded)
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 0]
    assert [path.remote for path in peer.association.paths] == [theirs(1), NEW]
    assert peer.read() == []


def test_an_asconf_that_is_malformed_is_discarded_and_the_next_one_counts() -> None:
    peer = changing()
    stats = peer.association.stats
    malformed = chunk(CHUNK_ASCONF, 0, asconf(peer, 1)[4:] + bytes((0xC0, 1, 0, 99)))
    peer.deliver_between(NEW, ours(1), malformed, asconf(peer, 1, add(NEW)))
    assert (stats.packets_discarded, stats.control_chunks_received) == (1, 3)
    assert NEW in [path.remote for path in peer.association.paths]


def test_a_packet_of_which_nothing_counts_is_discarded() -> None:
    """An AUTH chunk that was not agreed on ends the packet."""
    peer = changing()
    stats = peer.association.stats
    before = stats.packets_discarded
    assert elsewhere.handle(
        peer.association.tcb, arrival(peer, chunk(CHUNK_AUTH, 0, bytes(8)), asconf(peer, 1, add(NEW)))
    )
    assert stats.packets_discarded == before + 1
    assert NEW not in [path.remote for path in peer.association.paths]


def test_the_answer_leaves_from_the_address_that_was_asked() -> None:
    """Section 5.2, E6."""
    peer = changing(paths=2)
    peer.deliver_between(NEW, ours(2), asconf(peer, 1, add(NEW)))
    answers = [packet for packet in peer.take() if "ASCONF-ACK" in packet.names]
    assert [(packet.source, packet.destination) for packet in answers] == [(ours(2), NEW)]
    assert wire.parse_ack(answers[0].value("ASCONF-ACK"))[1] == []
