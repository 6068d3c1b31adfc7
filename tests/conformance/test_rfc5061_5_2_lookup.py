"""RFC 5061 sections 4.1.1, 5.2 (D1 to D5) and 5.3.2: which association an ASCONF is for."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED, SHUTDOWN_ACK_SENT
from sctpx.core.config import AssociationConfig
from sctpx.testing import Pair
from sctpx.wire import asconf as wire
from sctpx.wire import control
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import CAUSE_UNRECOGNIZED_CHUNK, CHUNK_ASCONF, CHUNK_AUTH, PARAM_HOST_NAME
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.params import address
from sctpx.wire.tlv import chunk, item
from tests.conformance.asconf import (
    ANY,
    SUPPORTED,
    add,
    answers,
    asconf,
    ask,
    changing,
    delete,
    ours,
    refusals,
    remotes,
    theirs,
)
from tests.conformance.peer import PEER_TAG, PORT, UDP_PORT, Peer

NEW = bytes((10, 0, 9, 2))
OTHER = bytes((10, 0, 8, 2))
CONFIG = AssociationConfig(address_reconfiguration=True, unauthenticated_asconf=True)


def test_an_asconf_from_a_known_address_is_for_its_association() -> None:
    peer = changing()
    assert refusals(peer, 1, add(NEW)) == []
    assert remotes(peer) == [theirs(1), NEW]


def test_an_asconf_from_an_unknown_address_is_for_the_association_with_its_tag() -> None:
    """D2, and section 5.3.2: "The receiver MUST reply to the source address of the packet in this case"."""
    peer = changing()
    [sent] = ask(peer, 1, add(NEW), delete(theirs(1)), source=NEW)
    assert (sent.destination, sent.source) == (NEW, ours(1))
    assert sent.names == ["ASCONF-ACK", "HEARTBEAT"]
    assert answers(peer, [sent], 1) == []
    assert remotes(peer) == [NEW]


def test_the_answer_goes_to_a_source_that_has_not_become_an_address_of_the_peer() -> None:
    """E6: "MUST be the source address of the SCTP packet that held the ASCONF Chunks"."""
    peer = changing()
    [sent] = ask(peer, 1, add(OTHER), source=NEW)
    assert sent.destination == NEW
    assert sent.names == ["ASCONF-ACK"]
    assert remotes(peer) == [theirs(1), OTHER]


def test_what_comes_with_an_asconf_from_an_unknown_address_does_not_count() -> None:
    """F1: the sender may not use the address for anything else yet."""
    peer = changing()
    peer.deliver_between(NEW, ours(1), asconf(peer, 1, add(NEW)), peer.data(1))
    assert peer.read() == []


def test_an_asconf_from_an_unknown_address_need_not_come_first_in_its_packet() -> None:
    """F1 allows packets that carry an ASCONF, whatever else is in them."""
    peer = changing()
    peer.deliver_between(NEW, ours(1), peer.data(1), asconf(peer, 1, add(NEW)))
    assert [one.names for one in peer.take()] == [["ASCONF-ACK", "HEARTBEAT"]]
    assert remotes(peer) == [theirs(1), NEW]
    assert peer.read() == []


def test_other_packets_from_an_unknown_address_are_out_of_the_blue() -> None:
    peer = changing()
    peer.deliver_between(NEW, ours(1), peer.data(1))
    assert [one.names for one in peer.take()] == [["ABORT"]]


def looking_up(peer: Peer, *lookups: bytes, number: int = 1) -> list[list[str]]:
    """What an ASCONF for each of these addresses draws, all in one packet from an unknown address."""
    chunks = [asconf(peer, number + count, add(NEW), lookup=ip) for count, ip in enumerate(lookups)]
    peer.deliver_between(NEW, ours(1), *chunks)
    return [one.names for one in peer.take()]


@pytest.mark.parametrize("lookup", [theirs(1), theirs(2), ANY, bytes(16)])
def test_an_address_of_the_peer_or_a_wildcard_leads_to_the_association(lookup: bytes) -> None:
    """D2; section 4.1.1: "If the address 0.0.0.0 or ::0 is provided, the receiver MAY lookup the association by other
    information"."""
    peer = changing(paths=2)
    assert looking_up(peer, lookup) == [["ASCONF-ACK", "HEARTBEAT"]]
    assert NEW in remotes(peer)


@pytest.mark.parametrize("lookup", [NEW, OTHER, ours(1), b"\x20\1" + bytes(13) + b"\1"])
def test_an_address_that_nobody_has_leads_to_no_association(lookup: bytes) -> None:
    """D3: "treat the chunk as an Out Of The Blue packet"."""
    peer = changing(paths=2)
    assert looking_up(peer, lookup) == [["ABORT"]]
    assert remotes(peer) == [theirs(1), theirs(2)]
    assert peer.association.stats.asconfs == 0


def test_of_several_asconfs_one_has_to_lead_to_the_association() -> None:
    """D2-ext"""
    peer = changing()
    assert looking_up(peer, OTHER, theirs(1)) == [["ASCONF-ACK", "HEARTBEAT", "ASCONF-ACK"]]
    assert peer.association.stats.asconfs == 2


def test_all_answers_leave_in_one_packet_when_the_second_asconf_adds_the_source() -> None:
    """E6: "send back the accumulated single response packet with all of the ASCONF-ACK Chunks"."""
    peer = changing()
    peer.deliver_between(NEW, ours(1), asconf(peer, 1), asconf(peer, 2, add(NEW)))
    [sent] = peer.take()
    assert (sent.destination, sent.names) == (NEW, ["ASCONF-ACK", "ASCONF-ACK", "HEARTBEAT"])


def test_from_an_address_of_the_peer_the_lookup_address_does_not_matter() -> None:
    """D1; section 5.3.2: "MUST always first use the source address found in the IP header"."""
    peer = changing()
    peer.deliver(asconf(peer, 1, add(NEW), lookup=OTHER))
    assert remotes(peer) == [theirs(1), NEW]


@pytest.mark.parametrize("lookup", [address(NEW)[:6], item(PARAM_HOST_NAME, b"host"), item(0x8765, bytes(4)), b""])
def test_without_an_address_nothing_leads_to_the_association(lookup: bytes) -> None:
    """Section 4.1.1: a host name "MUST be ignored if received in any ASCONF message"."""
    peer = changing()
    said = chunk(CHUNK_ASCONF, 0, peer.peer_tsn.to_bytes(4, "big") + lookup)
    peer.deliver_between(NEW, ours(1), said)
    assert [one.names for one in peer.take()] == [["ABORT"]]


def test_an_asconf_that_was_answered_is_answered_wherever_it_comes_from() -> None:
    """The answer was lost, its address is deleted, and the peer has moved on before it sends the ASCONF again."""
    peer = changing()
    said = asconf(peer, 1, add(NEW), delete(theirs(1)))
    peer.deliver_between(NEW, ours(1), said)
    peer.take()
    assert remotes(peer) == [NEW]
    peer.deliver_between(OTHER, ours(1), said)
    [sent] = peer.take()
    assert (sent.destination, sent.names) == (OTHER, ["ASCONF-ACK"])
    assert remotes(peer) == [NEW]


def test_an_asconf_with_the_tag_of_another_association_is_silently_discarded() -> None:
    """D4: the address leads to the association, and the tag is validated only then."""
    peer = changing()
    for tag in (peer.tag ^ 1, PEER_TAG):
        packet = finish_packet(prefix(PORT, PORT, tag), asconf(peer, 1, add(NEW)))
        peer.stack.receive(peer.now, ours(1), NEW, UDP_PORT, packet, 1 << 16)
        peer.settle()
        assert peer.take() == []
    assert peer.stack.stats.discarded == 2
    assert peer.stack.stats.out_of_the_blue == 0
    assert remotes(peer) == [theirs(1)]


def test_an_asconf_with_the_address_of_another_association_changes_neither() -> None:
    """D2 and D4: the tag is that of an association which does not have the address."""
    with Pair(1, config=CONFIG).connect() as pair:
        third = pair.network.add_host("C", ["10.0.1.3"])
        endpoint = third.open_endpoint(pair.a.association.endpoint.port, CONFIG)
        other = endpoint.connect(third.now, pair.b.host.peer_addresses, pair.b.association.endpoint.port)
        pair.network.run(lambda: other.state == ESTABLISHED, 10)
        victim = pair.b.association
        numbers = (pair.a.association.endpoint.port, victim.endpoint.port)
        said = wire.encode(victim.tcb.peer_initial_tsn & 0xFFFFFFFF, third.packed[0], [add(NEW)])
        packet = finish_packet(prefix(*numbers, victim.tcb.local_tag), said)
        stack = pair.b.host.stack
        before = stack.stats.discarded
        stack.receive(third.now, pair.b.host.packed[0], OTHER, UDP_PORT, packet, 1 << 16)
        assert stack.stats.discarded == before + 1
        assert [path.remote for path in victim.paths] == [pair.a.host.packed[0]]


@pytest.mark.parametrize("authenticated", [False, True])
def test_after_the_shutdown_ack_an_asconf_from_an_unknown_address_is_discarded(authenticated: bool) -> None:
    """C4: no answer is sent; and the association is found, so nothing is out of the blue."""
    auth = AuthParameters(bytes(range(32)), bytes(SUPPORTED), b"\0\1") if authenticated else None
    peer = changing(auth=auth)
    peer.deliver(peer.shutdown_chunk(0))
    peer.take()
    said = asconf(peer, 1, add(NEW))
    peer.deliver_between(NEW, ours(1), peer.key().authenticate(said) if authenticated else said)
    assert peer.take() == []
    assert peer.association.state == SHUTDOWN_ACK_SENT
    assert peer.association.stats.asconfs == 0


def test_a_malformed_asconf_from_an_unknown_address_changes_nothing() -> None:
    peer = changing()
    said = chunk(CHUNK_ASCONF, 0, peer.peer_tsn.to_bytes(4, "big") + address(theirs(1)) + b"\xc0\1\0\3")
    before = peer.association.stats.packets_discarded
    peer.deliver_between(NEW, ours(1), said)
    assert peer.take() == []
    assert peer.association.stats.packets_discarded == before + 1
    assert refusals(peer, 1, add(NEW)) == []


@pytest.mark.parametrize("before", [0, 1])
def test_an_auth_chunk_that_was_not_agreed_on_ends_the_packet(before: int) -> None:
    """RFC 9260 section 3.2: its type says so to whoever does not know it."""
    peer = changing()
    lead = [control.heartbeat(b"\0\1\0\x08info")] * before
    peer.deliver_between(NEW, ours(1), *lead, chunk(CHUNK_AUTH, 0, bytes(24)), asconf(peer, 1, add(NEW)))
    assert peer.take() == []
    assert remotes(peer) == [theirs(1)]


def test_a_wrong_tag_is_out_of_the_blue() -> None:
    """D4"""
    peer = changing()
    packet = bytearray(peer.packet(asconf(peer, 1, add(NEW))))
    packet[7] ^= 1
    peer.deliver_bytes(bytes(packet))
    assert remotes(peer) == [theirs(1)]


def test_a_peer_that_has_not_agreed_changes_nothing_from_elsewhere() -> None:
    peer = Peer()
    peer.deliver_between(NEW, ours(1), asconf(peer, 1, add(NEW)))
    assert [one.names for one in peer.take()] == [["ABORT"]]
    assert remotes(peer) == [theirs(1)]


def test_without_an_agreement_an_asconf_is_an_unknown_chunk() -> None:
    """Section 4.1.1: "report in an Operation Error Chunk using the 'Unrecognized Chunk Type' cause of error"."""
    peer = Peer()
    peer.deliver(asconf(peer, 1, add(NEW)))
    [sent] = peer.take()
    assert sent.names == ["ERROR"]
    assert int.from_bytes(sent.value("ERROR")[:2], "big") == CAUSE_UNRECOGNIZED_CHUNK
    assert sent.value("ERROR")[4] == CHUNK_ASCONF
