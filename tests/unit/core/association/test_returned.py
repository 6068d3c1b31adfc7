"""Packets that the network returned, or the system did not take (RFC 9260 section 10): which of them say something."""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOBUFS, ENOPROTOOPT

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.returned import handle_icmp, handle_send_error
from sctpx.core.association.state import COOKIE_WAIT, SHUTDOWN_ACK_SENT
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CannotStart, CommunicationLost, ShutdownComplete
from sctpx.core.outputs import Transmit
from sctpx.core.path.path import Path
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes
from tests.conformance.peer import FULL, PORT, START, UDP_PORT, Peer

REMOTE = bytes((10, 0, 1, 2))
STRANGER = bytes((10, 0, 7, 7))


def discovering() -> tuple[Peer, Path]:
    """The path has turned out to take 1472 bytes."""
    peer = Peer(link_mtu=1500)
    path = peer.path()
    path.sized = True
    path.set_mtu(1472, 1472)
    peer.association.tcb.limit_packets()
    return peer, path


@pytest.mark.parametrize(
    ("remote", "port", "flaw", "counts"),
    [
        (REMOTE, UDP_PORT, 0, True),
        (REMOTE, UDP_PORT, 1, False),
        (REMOTE, UDP_PORT + 1, 0, False),
        (STRANGER, UDP_PORT, 0, False),
    ],
)
def test_a_packet_that_was_too_big_counts_if_the_tag_and_where_it_went_are_right(
    remote: bytes, port: int, flaw: int, counts: bool
) -> None:
    """ICMP6; RFC 8899 section 4.6.1."""
    peer, path = discovering()
    peer.send(FULL)
    [sent] = peer.take()
    returned = sent.bytes[:7] + bytes((sent.bytes[7] ^ flaw,)) + sent.bytes[8:28]
    handle_icmp(peer.association.tcb, peer.now, remote, port, EMSGSIZE, returned, 1400)
    assert (path.mtu < 1472) is counts


@pytest.mark.parametrize(
    ("remote", "port", "flaw", "counts"),
    [
        (REMOTE, UDP_PORT, 0, True),
        (REMOTE, UDP_PORT, 1, False),
        (REMOTE, UDP_PORT + 1, 0, False),
        (STRANGER, UDP_PORT, 0, False),
    ],
)
def test_an_error_counts_against_the_path_that_the_packet_took(
    remote: bytes, port: int, flaw: int, counts: bool
) -> None:
    """ICMP6; that the port has changed says that packets go another way now (RFC 6951 section 5.4)."""
    peer = Peer()
    peer.send(100)
    [sent] = peer.take()
    returned = sent.bytes[:7] + bytes((sent.bytes[7] ^ flaw,)) + sent.bytes[8:28]
    handle_icmp(peer.association.tcb, peer.now, remote, port, EHOSTUNREACH, returned)
    assert (peer.path().error_count > 0) is counts


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_host_without_sctp_ends_the_association_like_an_abort(acknowledged: bool) -> None:
    """ICMP8. In SHUTDOWN-ACK-SENT all data has arrived: the end is as good as a graceful one."""
    peer = Peer()
    tcb = peer.association.tcb
    peer.send(100)
    [sent] = peer.take()
    if acknowledged:
        peer.deliver(peer.shutdown_chunk(1))
        assert peer.association.state == SHUTDOWN_ACK_SENT
    tcb.learn_port(peer.path(), 0)
    handle_icmp(tcb, peer.now, REMOTE, 0, ENOPROTOOPT, sent.bytes)
    peer.settle()
    assert peer.association.ended
    assert len(peer.events_of(ShutdownComplete)) == int(acknowledged)
    assert len(peer.events_of(CommunicationLost)) == int(not acknowledged)


def batch(remote: bytes, *packets: bytes) -> Transmit:
    return Transmit(b"", remote, UDP_PORT, b"".join(packets), len(packets[0]))


@pytest.mark.parametrize(
    ("error", "remote", "counts"),
    [(EMSGSIZE, REMOTE, True), (ENETUNREACH, REMOTE, False), (EMSGSIZE, STRANGER, False), (ENOBUFS, REMOTE, False)],
)
def test_a_packet_that_is_too_big_for_the_interface_makes_packets_smaller(
    error: int, remote: bytes, counts: bool
) -> None:
    peer, path = discovering()
    peer.send(FULL)
    [sent] = peer.take()
    handle_send_error(peer.association.tcb, peer.now, batch(remote, sent.bytes), error)
    assert (path.mtu < 1472) is counts


@pytest.mark.parametrize("error", [EMSGSIZE, ENOBUFS])
def test_a_path_that_discovers_nothing_keeps_its_size(error: int) -> None:
    peer = Peer()
    peer.send(FULL)
    [sent] = peer.take()
    handle_send_error(peer.association.tcb, peer.now, batch(REMOTE, sent.bytes), error)
    assert (peer.path().mtu, peer.path().timed_out_tsn) == (1472, -1)


@pytest.mark.parametrize(
    ("error", "size", "counts"), [(ENOBUFS, FULL, True), (ENOBUFS, 300, False), (ENETUNREACH, FULL, False)]
)
def test_that_there_was_no_room_for_a_large_packet_counts_like_a_timeout(error: int, size: int, counts: bool) -> None:
    """Perhaps the packet was too big. How many were handed over with it does not count."""
    peer, path = discovering()
    for _ in range(4):
        peer.send(size)
    sent = [packet.bytes for packet in peer.take()]
    handle_send_error(peer.association.tcb, peer.now, batch(REMOTE, *sent), error)
    assert (path.timed_out_tsn >= 0) is counts


def asking() -> tuple[Stack, Association, Transmit]:
    """An INIT has left."""
    stack = Stack(seeded_bytes(1), START)
    config = AssociationConfig(attempt_delay=None)
    endpoint = stack.open_endpoint(PORT, [bytes((10, 0, 1, 1))], config)
    association = endpoint.connect(START, [PeerAddress(REMOTE, UDP_PORT)], PORT)
    init = stack.poll_transmit(START)
    assert init is not None
    return stack, association, init


@pytest.mark.parametrize(
    ("error", "fails"), [(ENETUNREACH, True), (EMSGSIZE, True), (ECONNREFUSED, True), (ENOBUFS, False)]
)
def test_an_init_that_cannot_be_sent_is_an_answer_unless_there_was_only_no_room(error: int, fails: bool) -> None:
    stack, association, init = asking()
    handle_send_error(association.tcb, START, init, error)
    assert association.ended is fails
    event = stack.poll_event()
    assert (isinstance(event, CannotStart) and event.error == error) is fails


def test_what_was_sent_after_the_init_is_no_answer_to_it() -> None:
    """A COOKIE ECHO, for example, whose cookie was stale: another INIT is under way by then (section 5.2.6)."""
    _, association, init = asking()
    later = Transmit(b"", REMOTE, UDP_PORT, init.data[:4] + bytes((0, 0, 0, 9)) + init.data[8:], len(init.data))
    handle_send_error(association.tcb, START, later, ENETUNREACH)
    assert association.state == COOKIE_WAIT


@pytest.mark.parametrize("error", [ENETUNREACH, EMSGSIZE, ENOBUFS])
def test_an_init_of_which_one_hears_too_late_says_nothing(error: int) -> None:
    _, _, init = asking()
    peer, path = discovering()
    handle_send_error(peer.association.tcb, peer.now, init, error)
    assert not peer.association.ended
    assert (path.mtu, path.error_count, path.timed_out_tsn) == (1472, 0, -1)
