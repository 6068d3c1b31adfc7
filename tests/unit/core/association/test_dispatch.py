"""Which chunk counts in which state, and whether the rest of its packet does: chunk by chunk."""

from __future__ import annotations

import pytest

from sctpx.core.association.dispatch import handle
from sctpx.core.association.identity import Identity
from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_ACK_SENT, SHUTDOWN_RECEIVED, SHUTDOWN_SENT
from sctpx.core.events import PeerShutdown, RemoteError
from sctpx.core.ext import asconf
from sctpx.core.timers import SECOND
from sctpx.wire import causes, control
from sctpx.wire.codes import (
    CAUSE_OUT_OF_RESOURCE,
    CAUSE_STALE_COOKIE,
    CAUSE_UNRECOGNIZED_CHUNK,
    CHUNK_ABORT,
    CHUNK_ASCONF,
    CHUNK_COOKIE_ACK,
    CHUNK_ECNE,
    CHUNK_ERROR,
    CHUNK_FORWARD_TSN,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_PAD,
    CHUNK_RE_CONFIG,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
)
from sctpx.wire.tlv import chunk
from tests.conformance.asconf import changing, ours, theirs
from tests.conformance.peer import FULL, Peer
from tests.sim.scripted import Scripted

HEARTBEAT = chunk(CHUNK_HEARTBEAT, 0, bytes((0, 1, 0, 8)) + b"info")
OUT_OF_RESOURCE = causes.encode([causes.out_of_resource()])


def counts(peer: Peer, kind: int, value: bytes = b"", flags: int = 0) -> bool:
    """Whether the rest of a packet counts behind this chunk."""
    tcb = peer.association.tcb
    tcb.begin_packet(peer.path())
    rest = handle(tcb, peer.now, peer.path(), kind, flags, value)
    peer.stack.touch(peer.association)
    return rest


@pytest.mark.parametrize(
    ("kind", "value", "rest"),
    [
        (CHUNK_INIT, bytes(16), False),
        (CHUNK_INIT_ACK, bytes(16), False),
        (CHUNK_ABORT, b"", False),
        (CHUNK_HEARTBEAT, HEARTBEAT[4:], True),
        (CHUNK_HEARTBEAT_ACK, HEARTBEAT[4:], True),
        (CHUNK_ERROR, OUT_OF_RESOURCE, True),
        (CHUNK_ERROR, causes.encode([causes.stale_cookie(1)]), True),
        (CHUNK_PAD, bytes(4), True),
        (CHUNK_SHUTDOWN, bytes(4), True),
    ],
)
def test_some_chunks_end_their_packet(kind: int, value: bytes, rest: bool) -> None:
    """RFC 9260 sections 3.3.2, 3.3.7 and 8.5.1: INIT, INIT ACK and ABORT."""
    assert counts(Peer(), kind, value) is rest


@pytest.mark.parametrize(
    "kind", [CHUNK_COOKIE_ACK, CHUNK_SHUTDOWN_ACK, CHUNK_SHUTDOWN_COMPLETE, CHUNK_ERROR, CHUNK_SHUTDOWN]
)
def test_what_has_no_meaning_now_or_is_malformed_is_discarded_and_the_rest_counts(kind: int) -> None:
    peer = Peer()
    assert counts(peer, kind, bytes(2))
    peer.settle()
    assert (peer.association.state, peer.take()) == (ESTABLISHED, [])
    assert peer.association.stats.packets_discarded == (kind in (CHUNK_ERROR, CHUNK_SHUTDOWN))


@pytest.mark.parametrize(
    ("kind", "rest", "reported"),
    [
        (0x30, False, False),
        (0x70, False, True),
        (0xB0, True, False),
        (0xF0, True, True),
        (CHUNK_ECNE, False, False),
        (CHUNK_RE_CONFIG, True, False),
        (CHUNK_FORWARD_TSN, True, True),
        (CHUNK_ASCONF, True, True),
    ],
)
def test_the_high_bits_of_an_unknown_type_say_what_becomes_of_it(kind: int, rest: bool, reported: bool) -> None:
    """RFC 9260 section 3.2, table 2; the chunks of extensions that were not agreed on are unknown."""
    peer = Peer()
    assert counts(peer, kind, b"text", 5) is rest
    peer.settle()
    errors = [causes.parse(packet.value("ERROR")) for packet in peer.take()]
    assert errors == [[(CAUSE_UNRECOGNIZED_CHUNK, bytes((kind, 5, 0, 8)) + b"text")]] * reported


def test_of_a_large_chunk_as_much_is_reported_as_a_packet_has_room_for() -> None:
    peer = Peer()
    peer.association.configure_path(peer.now, peer.path().remote, mtu=800)
    peer.deliver(chunk(0xF0, 0, bytes(1400)))
    [packet] = peer.take()
    assert packet.names == ["ERROR"]
    assert 700 < len(packet.bytes) <= 800


def test_every_control_chunk_is_counted() -> None:
    peer = Peer()
    before = peer.association.stats.control_chunks_received
    peer.deliver(HEARTBEAT, chunk(CHUNK_PAD, 0, bytes(4)), chunk(0xB0, 0, b""))
    assert peer.association.stats.control_chunks_received - before == 3


def test_errors_that_arrive_together_are_told_together_and_not_with_those_of_others() -> None:
    """RFC 9260 section 11.2.7."""
    peer = Peer()
    other = RemoteError(Identity(99), [])
    peer.association.tcb.events.append(other)
    for _ in range(2):
        counts(peer, CHUNK_ERROR, OUT_OF_RESOURCE)
    peer.settle()
    assert other.causes == []
    assert [[code for code, _ in event.causes] for event in peer.events_of(RemoteError)[1:]] == [
        [CAUSE_OUT_OF_RESOURCE, CAUSE_OUT_OF_RESOURCE]
    ]


def test_a_stale_cookie_means_nothing_once_the_association_is_up() -> None:
    """RFC 9260 section 5.2.6."""
    peer = Peer()
    counts(peer, CHUNK_ERROR, causes.encode([causes.stale_cookie(1)]))
    peer.settle()
    assert CAUSE_STALE_COOKIE not in [code for event in peer.events_of(RemoteError) for code, _ in event.causes]
    assert peer.association.state == ESTABLISHED


def test_behind_a_cookie_ack_the_packet_counts() -> None:
    """RFC 9260 section 5.1: the association is up then."""
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack())
        told = lab.ask(control.cookie_ack(), HEARTBEAT)
        assert any("HEARTBEAT ACK" in line for line in told)


def test_an_abort_counts_at_an_address_that_was_deleted() -> None:
    """RFC 5061 section 5.3.1 excepts addresses that are being deleted; the peer has its tag right."""
    peer = changing(paths=2)
    asconf.find(peer.association.tcb)
    peer.association.tcb.former[ours(2)] = peer.now + SECOND
    peer.association.tcb.local_addresses = [ours(1)]
    peer.deliver_between(theirs(1), ours(2), control.abort([]))
    assert peer.association.ended


# --- the end (RFC 9260 section 9.2) ---


def test_a_shutdown_acknowledges_data() -> None:
    peer = Peer()
    peer.send(FULL, FULL)
    peer.take()
    peer.deliver(peer.shutdown_chunk(1), HEARTBEAT)
    assert len(peer.events_of(PeerShutdown)) == 1
    assert (peer.association.state, peer.association.unacknowledged) == (SHUTDOWN_RECEIVED, 1)
    assert [packet.names for packet in peer.take()] == [["HEARTBEAT ACK"]]
    peer.deliver(peer.shutdown_chunk(2), HEARTBEAT)
    assert len(peer.events_of(PeerShutdown)) == 1
    assert peer.association.state == SHUTDOWN_ACK_SENT
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN ACK", "HEARTBEAT ACK"]]


def test_a_shutdown_that_acknowledges_what_was_never_sent_is_the_end() -> None:
    """RFC 9260 section 6.2.1."""
    peer = Peer()
    peer.send(FULL)
    peer.deliver(peer.shutdown_chunk(0))
    peer.take()
    peer.deliver(peer.shutdown_chunk(9))
    assert peer.association.ended
    assert [packet.names for packet in peer.take()] == [["ABORT"]]


def test_a_malformed_shutdown_is_not_answered() -> None:
    peer = Peer()
    peer.shutdown()
    peer.take()
    peer.deliver(chunk(CHUNK_SHUTDOWN, 0, bytes(2)))
    assert (peer.association.state, peer.take()) == (SHUTDOWN_SENT, [])
    peer.deliver(peer.shutdown_chunk(0), HEARTBEAT)
    assert peer.association.state == SHUTDOWN_ACK_SENT
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN ACK", "HEARTBEAT ACK"]]


@pytest.mark.parametrize(("flags", "ends"), [(0, True), (1, False)])
def test_a_shutdown_complete_with_our_tag_is_the_end_if_it_does_not_say_that_the_tag_is_the_peers(
    flags: int, ends: bool
) -> None:
    """RFC 9260 section 8.5.1 C."""
    peer = Peer()
    peer.deliver(peer.shutdown_chunk(0))
    assert counts(peer, CHUNK_SHUTDOWN_COMPLETE, flags=flags)
    assert peer.association.ended is ends


def test_a_shutdown_ack_before_the_association_is_up_is_answered_like_one_out_of_the_blue() -> None:
    """RFC 9260 section 8.5.1 E."""
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        tcb = association.tcb
        tcb.begin_packet(tcb.paths[0])
        assert handle(tcb, lab.a.now, tcb.paths[0], CHUNK_SHUTDOWN_ACK, 0, b"")
        assert tcb.replies == [(tcb.local_tag, control.shutdown_complete(reflected=True), None)]
