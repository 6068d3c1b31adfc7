"""RFC 5061 sections 5.2 and 5.3: what is done with the peer's ASCONFs, and what is answered."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import Limits
from sctpx.core.events import CHANGE_ADDED, CHANGE_CONFIRMED, CHANGE_PRIMARY, CHANGE_REMOVED, PathChange
from sctpx.core.ext.address_requests import MAX_ANSWERS, MAX_BUNDLED, MAX_REQUESTS
from sctpx.wire import asconf as wire
from sctpx.wire import control
from sctpx.wire.asconf import Request
from sctpx.wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_DELETE_SOURCE_IP,
    CAUSE_INVALID_PARAMETER,
    CAUSE_REFUSED_FOR_RESOURCES,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CAUSE_UNRESOLVABLE_ADDRESS,
    PARAM_ADAPTATION,
    PARAM_ERROR_CAUSE,
    PARAM_HOST_NAME,
    PARAM_SUCCESS,
    PARAM_SUPPORTED_EXTENSIONS,
)
from sctpx.wire.params import address
from sctpx.wire.tlv import item
from tests.conformance.asconf import (
    ANY,
    SUPPORTED,
    add,
    answers,
    asconf,
    ask,
    changing,
    codes,
    delete,
    ours,
    prefer,
    refusals,
    remotes,
    theirs,
)
from tests.conformance.peer import Peer, Sent

NEW = bytes((10, 0, 9, 2))
OTHER = bytes((10, 0, 8, 2))
GROUP = bytes((224, 0, 0, 1))


def changes(peer: Peer) -> list[tuple[int, bytes]]:
    return [(event.what, event.remote) for event in peer.events_of(PathChange)]


def heartbeat_of(sent: list[Sent], destination: bytes) -> bytes:
    """The HEARTBEAT that went there."""
    [found] = [value for one in sent if one.destination == destination for kind, _, value in one.chunks if kind == 4]
    return found


def confirm(peer: Peer, sent: list[Sent], ip: bytes) -> list[Sent]:
    """The peer answers the HEARTBEAT to its new address."""
    peer.deliver_between(ip, ours(1), control.heartbeat_ack(heartbeat_of(sent, ip)))
    return peer.take()


# --- E: numbers and answers ---------------------------------------------------------------------------------


def test_numbers_begin_with_the_initial_tsn_and_grow_by_one() -> None:
    """A2, E1"""
    peer = changing(peer_tsn=0xFFFFFFFF)
    assert refusals(peer, 1, add(NEW)) == []
    assert refusals(peer, 2, add(OTHER)) == []
    assert remotes(peer) == [theirs(1), NEW, OTHER]
    assert peer.association.stats.asconfs == 2


def test_an_asconf_that_comes_again_gets_the_same_answer_and_changes_nothing() -> None:
    """E2"""
    peer = changing()
    first = ask(peer, 1, delete(theirs(1)))
    again = ask(peer, 1, delete(theirs(1)))
    assert first[0].chunks == again[0].chunks
    assert codes(answers(peer, again, 1)) == [(2, [CAUSE_DELETE_LAST_IP])]
    assert peer.association.stats.asconfs == 1


def test_an_asconf_that_comes_again_is_answered_to_where_it_comes_from_now() -> None:
    peer = changing(paths=2)
    ask(peer, 1, add(NEW))
    [sent] = ask(peer, 1, add(NEW), source=theirs(2), local=ours(2))
    assert sent.destination == theirs(2)


def test_an_old_asconf_of_which_the_answer_is_forgotten_is_skipped() -> None:
    """E2: "the receiver should skip the ASCONF Chunk and not include ASCONF-ACK Chunk for that chunk"."""
    peer = changing()
    ask(peer, 1, add(NEW))
    ask(peer, 2, delete(NEW))
    assert ask(peer, 1, add(NEW)) == []
    assert remotes(peer) == [theirs(1)]


@pytest.mark.parametrize("ahead", [3, 4, 1000, 1 << 31])
def test_an_asconf_with_a_number_that_is_not_next_is_discarded(ahead: int) -> None:
    """E5"""
    peer = changing()
    ask(peer, 1, add(NEW))
    discarded = peer.association.stats.packets_discarded
    assert ask(peer, ahead, add(OTHER)) == []
    assert peer.association.stats.packets_discarded == discarded + 1
    assert remotes(peer) == [theirs(1), NEW]
    assert refusals(peer, 2, add(OTHER)) == []


def test_bundled_asconfs_are_answered_in_one_packet_in_their_order() -> None:
    """E1-ext, E6, C3"""
    peer = changing()
    peer.deliver(asconf(peer, 1, add(NEW)), asconf(peer, 2, add(OTHER)))
    [sent] = [one for one in peer.take() if "ASCONF-ACK" in one.names]
    assert sent.names == ["ASCONF-ACK", "ASCONF-ACK"]
    assert [wire.serial_of(value) for _, _, value in sent.chunks] == [peer.peer_tsn, peer.peer_tsn + 1]
    assert remotes(peer) == [theirs(1), NEW, OTHER]


def test_of_bundled_asconfs_those_that_were_answered_are_answered_again() -> None:
    """E2, E3: a retransmission with a new ASCONF behind it (section 5.5)."""
    peer = changing()
    ask(peer, 1, delete(theirs(1)))
    peer.deliver(asconf(peer, 1, delete(theirs(1))), asconf(peer, 2, add(NEW)))
    [sent] = [one for one in peer.take() if "ASCONF-ACK" in one.names]
    assert [wire.serial_of(value) for _, _, value in sent.chunks] == [peer.peer_tsn, peer.peer_tsn + 1]
    # Both can come again.
    peer.deliver(asconf(peer, 1, delete(theirs(1))), asconf(peer, 2, add(NEW)))
    [again] = peer.take()
    assert again.chunks == sent.chunks


def test_what_the_answer_packet_has_no_room_for_is_answered_when_it_comes_again() -> None:
    """E7"""
    peer = changing(mtu=576)
    requests = [delete(theirs(1), number) for number in range(25)]
    chunks = [asconf(peer, number, *requests) for number in (1, 2)]
    peer.deliver(*chunks)
    [sent] = peer.take()
    assert [wire.serial_of(value) for _, _, value in sent.chunks] == [peer.peer_tsn]
    peer.deliver(chunks[1])
    [later] = peer.take()
    assert [wire.serial_of(value) for _, _, value in later.chunks] == [peer.peer_tsn + 1]


def test_of_many_new_asconfs_in_a_packet_the_first_ones_count() -> None:
    peer = changing()
    peer.deliver(*[asconf(peer, number) for number in range(1, 2 * MAX_BUNDLED)])
    assert peer.association.stats.asconfs == MAX_BUNDLED
    peer.take()
    assert refusals(peer, MAX_BUNDLED + 1) == []


def test_answers_are_not_kept_for_ever_however_asconfs_are_bundled() -> None:
    """E1-ext keeps what was answered; section 5.5: what comes again is what has no answer, the lowest number first."""
    peer = changing()
    ask(peer, 1)
    for number in range(2, 10):
        peer.deliver(asconf(peer, number - 1), asconf(peer, number))
        assert [wire.serial_of(value) for one in peer.take() for _, _, value in one.chunks] == [
            peer.peer_tsn + number - 2,
            peer.peer_tsn + number - 1,
        ]
        if number > 2:
            assert ask(peer, number - 2) == []  # It was answered, or it would have come again.
    # A peer that has everything come again from the first number on has no more than so many answers.
    first = 9
    last = first
    for _ in range(MAX_ANSWERS):
        last += 1
        peer.deliver(asconf(peer, first), asconf(peer, last))
        peer.take()
    assert ask(peer, first) == []
    assert refusals(peer, last - MAX_ANSWERS + 1) == []
    assert refusals(peer, last) == []


def test_a_packet_with_several_asconfs_draws_one_heartbeat() -> None:
    peer = changing()
    peer.deliver_between(NEW, ours(1), asconf(peer, 1, add(NEW)), asconf(peer, 2))
    [sent] = peer.take()
    assert sent.names == ["ASCONF-ACK", "HEARTBEAT", "ASCONF-ACK"]


def test_a_malformed_asconf_is_discarded_and_its_number_is_still_next() -> None:
    peer = changing()
    peer.deliver(wire.encode(peer.peer_tsn, theirs(1), [])[:8] + bytes(8))
    assert peer.take() == []
    assert refusals(peer, 1, add(NEW)) == []


# --- V: requests --------------------------------------------------------------------------------------------


def test_requests_are_carried_out_in_their_order() -> None:
    """V1"""
    peer = changing()
    assert refusals(peer, 1, delete(theirs(1)), add(NEW), source=theirs(1)) == [
        (2, [CAUSE_DELETE_LAST_IP]),
        (1, [CAUSE_REFUSED_FOR_RESOURCES]),
    ]
    assert refusals(peer, 2, add(NEW), delete(theirs(1)), source=NEW) == []
    assert remotes(peer) == [NEW]


@pytest.mark.parametrize(
    ("kind", "reported", "goes_on"),
    [(0xC123, True, True), (0x8123, False, True), (0x4123, True, False), (0x0123, False, False)],
)
def test_an_unknown_request_is_treated_by_its_high_bits(kind: int, reported: bool, goes_on: bool) -> None:
    """V2, RFC 9260 section 3.2.1. What is not processed is refused: a silence would say that it was done (A8)."""
    peer = changing()
    unknown = Request(kind, b"\0\0\0\x07more")
    found = answers(peer, ask(peer, 1, unknown, add(NEW)), 1)
    said = {one.correlation: one.causes for one in found}
    if reported:
        assert said[7] == [(CAUSE_UNRECOGNIZED_PARAMETERS, item(kind, b"\0\0\0\x07more"))]
    else:
        assert 7 not in said
    if goes_on:
        assert said.get(1, []) == []
    else:
        assert [code for code, _ in said[1]] == [CAUSE_REFUSED_FOR_RESOURCES]
    assert (NEW in remotes(peer)) is goes_on


def test_a_success_behind_a_refusal_is_told() -> None:
    """A7: "All TLVs after the failed response are considered unsuccessful unless a specific success indication"."""
    peer = changing(paths=2)
    assert refusals(peer, 1, prefer(NEW, 5), prefer(theirs(2), 6)) == [(5, [CAUSE_UNRESOLVABLE_ADDRESS]), (6, [])]


def test_answers_have_the_correlation_of_their_requests() -> None:
    """V3"""
    peer = changing()
    assert refusals(peer, 1, delete(theirs(1), 0xFFFFFFFF), add(NEW, 0)) == [
        (0xFFFFFFFF, [CAUSE_DELETE_LAST_IP]),
        (0, [CAUSE_REFUSED_FOR_RESOURCES]),
    ]


def test_the_answer_is_bundled_with_what_else_the_packet_draws() -> None:
    """V4"""
    peer = changing()
    peer.deliver(asconf(peer, 1), peer.data(1), peer.data(2, flags=11))
    assert [one.names for one in peer.take()] == [["ASCONF-ACK", "SACK"]]


@pytest.mark.parametrize("kind", [PARAM_ERROR_CAUSE, PARAM_SUCCESS, PARAM_ADAPTATION, PARAM_SUPPORTED_EXTENSIONS])
def test_a_known_parameter_that_stands_where_it_must_not_is_ignored(kind: int) -> None:
    """Sections 4.2 and 4.2.6: "the parameter MUST be ignored"."""
    peer = changing()
    assert refusals(peer, 1, Request(kind, bytes(4)), add(NEW)) == []
    assert remotes(peer) == [theirs(1), NEW]


@pytest.mark.parametrize("ip", [GROUP, bytes((255, 255, 255, 255)), b"\xff\2" + bytes(14)])
def test_a_broadcast_or_multicast_address_is_refused(ip: bytes) -> None:
    """Section 4.2.1: "This parameter MUST NOT contain a broadcast or multicast address"."""
    peer = changing()
    [(_, found)] = refusals(peer, 1, add(ip))
    assert found == [CAUSE_UNRESOLVABLE_ADDRESS]
    assert remotes(peer) == [theirs(1)]


@pytest.mark.parametrize("kind", wire.REQUESTS)
def test_a_host_name_is_refused_and_not_resolved(kind: int) -> None:
    """Section 4.1.1"""
    peer = changing(paths=2)
    request = Request(kind, bytes(4) + item(PARAM_HOST_NAME, b"host"))
    assert refusals(peer, 1, request) == [(0, [CAUSE_UNRESOLVABLE_ADDRESS])]


@pytest.mark.parametrize("kind", wire.REQUESTS)
def test_a_request_that_is_malformed_is_refused(kind: int) -> None:
    peer = changing(paths=2)
    request = Request(kind, b"\0\0\0\x09" + address(NEW)[:6])
    assert refusals(peer, 1, request) == [(9, [CAUSE_INVALID_PARAMETER])]


def test_more_requests_than_a_packet_holds_are_refused() -> None:
    peer = changing()
    found = refusals(peer, 1, *[add(NEW, number) for number in range(MAX_REQUESTS + 3)])
    assert found == [(MAX_REQUESTS + more, [CAUSE_REFUSED_FOR_RESOURCES]) for more in range(3)]


def test_an_answer_is_no_larger_than_a_packet() -> None:
    """C5. What has no room is understood: behind a refusal all is refused without a word (A7)."""
    peer = changing()
    [sent] = ask(peer, 1, *[delete(theirs(1), number) for number in range(80)])
    assert len(sent.bytes) <= 1472
    found = codes(answers(peer, [sent], 1))
    assert found[0] == (0, [CAUSE_DELETE_LAST_IP])
    assert len(found) < 80


# What a request may have behind its correlation for the answer to fill a packet of 576 bytes: IP, UDP and SCTP have
# headers, and so have the ASCONF-ACK, the answer, the cause and the request.
_FILLS = 576 - 20 - 8 - 12 - 8 - 8 - 4 - 8


def test_a_refusal_that_just_fits_has_what_it_refuses() -> None:
    peer = changing(mtu=576)
    unknown = Request(0xC123, b"\0\0\0\x07" + bytes(_FILLS))
    [sent] = ask(peer, 1, unknown)
    assert len(sent.bytes) == 576 - 20 - 8
    [found] = answers(peer, [sent], 1)
    assert found.causes == [(CAUSE_UNRECOGNIZED_PARAMETERS, item(unknown.kind, unknown.value))]


@pytest.mark.parametrize("more", [1, 4, 800])
def test_a_refusal_that_has_no_room_goes_without_what_it_refuses(more: int) -> None:
    """A silence would say that it was done (A8)."""
    peer = changing(mtu=576)
    unknown = Request(0xC123, b"\0\0\0\x07" + bytes(_FILLS + more))
    [first, second] = answers(peer, ask(peer, 1, unknown, prefer(NEW)), 1)
    assert (first.correlation, first.causes) == (7, [(CAUSE_UNRECOGNIZED_PARAMETERS, b"")])
    assert (second.correlation, [code for code, _ in second.causes]) == (3, [CAUSE_UNRESOLVABLE_ADDRESS])


# --- addresses that are added (F1, F9, F11, F14) ------------------------------------------------------------


def test_an_address_that_is_added_is_verified_before_it_carries_data() -> None:
    """F1, F14: "put into the UNCONFIRMED state and MUST have path verification performed"."""
    peer = changing()
    sent = ask(peer, 1, add(NEW))
    [added] = peer.association.paths[1:]
    assert not added.confirmed
    peer.advance(0)
    sent += peer.take()
    assert [one.names for one in sent if one.destination == NEW] == [["HEARTBEAT"]]
    peer.send(100, remote=NEW)
    assert [one.destination for one in peer.take()] == [theirs(1)]
    confirm(peer, sent, NEW)
    assert added.confirmed
    peer.deliver(peer.sack_chunk(1))
    peer.send(100, remote=NEW)
    assert [one.destination for one in peer.take()] == [NEW]
    assert changes(peer) == [(CHANGE_ADDED, NEW), (CHANGE_CONFIRMED, NEW)]


def test_an_address_that_is_there_already_is_no_change() -> None:
    peer = changing()
    assert refusals(peer, 1, add(theirs(1))) == []
    assert remotes(peer) == [theirs(1)]
    assert changes(peer) == []


def test_a_wildcard_adds_the_source_of_the_packet() -> None:
    """Section 4.2.1: "If the address 0.0.0.0 or ::0 is provided, the source address of the packet MUST be added"."""
    for wildcard in (ANY, bytes(16)):
        peer = changing()
        [sent] = ask(peer, 1, add(wildcard), source=NEW)
        assert sent.destination == NEW
        assert remotes(peer) == [theirs(1), NEW]


def test_more_addresses_than_are_kept_are_refused() -> None:
    """F9"""
    peer = changing(limits=Limits(peer_addresses=3))
    requests = [add(bytes((10, 0, 20, number)), number) for number in range(1, 5)]
    assert refusals(peer, 1, *requests) == [(3, [CAUSE_REFUSED_FOR_RESOURCES]), (4, [CAUSE_REFUSED_FOR_RESOURCES])]
    assert len(remotes(peer)) == 3
    assert peer.association.stats.addresses_passed_over == 1


def test_once_an_addition_is_refused_so_is_all_that_adds_or_deletes_behind_it() -> None:
    """F11: "MUST NOT reject an ADD and then accept a subsequent DELETE of an IP address in the same ASCONF Chunk"."""
    peer = changing(paths=2, limits=Limits(peer_addresses=2))
    found = refusals(peer, 1, add(NEW, 1), delete(theirs(2), 2), add(OTHER, 3), prefer(theirs(2), 4))
    assert found == [
        (1, [CAUSE_REFUSED_FOR_RESOURCES]),
        (2, [CAUSE_REFUSED_FOR_RESOURCES]),
        (3, [CAUSE_REFUSED_FOR_RESOURCES]),
        (4, []),
    ]
    assert remotes(peer) == [theirs(1), theirs(2)]
    assert peer.association.primary is peer.path(2)


def test_the_udp_port_of_an_address_is_that_of_the_packet_which_added_it() -> None:
    peer = changing()
    ask(peer, 1, add(NEW))
    assert peer.path(2).encaps_port == peer.path(1).encaps_port


def test_an_address_of_a_family_that_nothing_can_be_sent_to_is_refused() -> None:
    peer = changing()
    assert refusals(peer, 1, add(bytes.fromhex("20010db8") + bytes(11) + b"\1")) == [(1, [CAUSE_UNRESOLVABLE_ADDRESS])]


# --- addresses that are deleted (F7, F8, F12, F13) ----------------------------------------------------------


def test_the_last_address_is_not_deleted() -> None:
    """F7"""
    peer = changing()
    [found] = answers(peer, ask(peer, 1, delete(theirs(1))), 1)
    request = delete(theirs(1))
    assert found.causes == [(CAUSE_DELETE_LAST_IP, item(request.kind, request.value))]
    assert remotes(peer) == [theirs(1)]


def test_the_source_of_the_packet_is_not_deleted() -> None:
    """F8"""
    peer = changing(paths=2)
    [found] = answers(peer, ask(peer, 1, delete(theirs(1))), 1)
    request = delete(theirs(1))
    assert found.causes == [(CAUSE_DELETE_SOURCE_IP, item(request.kind, request.value))]
    assert remotes(peer) == [theirs(1), theirs(2)]


def test_nothing_goes_to_an_address_that_was_deleted() -> None:
    """F13"""
    peer = changing(paths=2, heartbeat_interval=1.0)
    peer.send(1000)
    assert [one.destination for one in peer.take()] == [theirs(1)]
    sent = ask(peer, 1, delete(theirs(1)), source=theirs(2), local=ours(2))
    for _ in range(20):
        peer.advance(1.0)
        sent += peer.take()
    assert {one.destination for one in sent} == {theirs(2)}
    assert changes(peer)[:2] == [(CHANGE_REMOVED, theirs(1)), (CHANGE_PRIMARY, theirs(2))]


def test_what_comes_from_an_address_that_was_deleted_is_out_of_the_blue() -> None:
    """F13: "MUST treat subsequent packets received from that address as Out Of The Blue"."""
    peer = changing(paths=2)
    ask(peer, 1, delete(theirs(1)), source=theirs(2), local=ours(2))
    peer.deliver(peer.data(1))
    [sent] = peer.take()
    assert (sent.names, sent.chunks[0][1]) == (["ABORT"], 1)
    assert peer.read() == []
    assert peer.association.state == ESTABLISHED


def test_data_in_flight_to_a_deleted_address_goes_again_over_another_one() -> None:
    peer = changing(paths=2)
    peer.send(1000, 1000, 1000)
    assert [one.tsns for one in peer.take()] == [[1], [2], [3]]
    peer.deliver(peer.sack_chunk(0, (2, 2)))
    sent = ask(peer, 1, delete(theirs(1)), source=theirs(2), local=ours(2))
    assert [(one.destination, one.tsns) for one in sent if one.tsns] == [(theirs(2), [1]), (theirs(2), [3])]
    peer.association.tcb.outstanding.check_invariants()
    peer.deliver(peer.sack_chunk(3), path=2)
    assert peer.association.tcb.outstanding.empty
    # What the peer takes back is nobody's but the path that is left.
    peer.association.tcb.outstanding.check_invariants()


def test_a_gap_acknowledgement_that_is_taken_back_after_its_address_was_deleted_has_the_data_go_again() -> None:
    peer = changing(paths=2)
    peer.send(1000, 1000)
    peer.take()
    peer.deliver(peer.sack_chunk(0, (2, 2)))
    ask(peer, 1, delete(theirs(1)), source=theirs(2), local=ours(2))
    peer.deliver(peer.sack_chunk(1), path=2)
    peer.association.tcb.outstanding.check_invariants()
    assert [one.tsns for one in peer.wait(10)] == [[2]]


def test_a_wildcard_deletes_all_addresses_but_the_source() -> None:
    """Section 4.2.2: "all addresses of the peer except the source address of the packet MUST be deleted"."""
    peer = changing(paths=3)
    assert refusals(peer, 1, delete(ANY), source=theirs(2), local=ours(2)) == []
    assert remotes(peer) == [theirs(2)]


def test_a_wildcard_deletes_nothing_if_the_source_is_not_the_peers() -> None:
    peer = changing(paths=2)
    assert refusals(peer, 1, delete(ANY), source=NEW) == [(2, [CAUSE_DELETE_LAST_IP])]
    assert remotes(peer) == [theirs(1), theirs(2)]


def test_wildcards_move_the_peer_to_the_source() -> None:
    peer = changing(paths=2)
    assert refusals(peer, 1, add(ANY), prefer(ANY), delete(ANY), source=NEW) == []
    assert remotes(peer) == [NEW]


def test_an_address_that_is_not_there_is_deleted() -> None:
    peer = changing()
    assert refusals(peer, 1, delete(NEW)) == []


# --- the primary address (section 5.4) ----------------------------------------------------------------------


def test_the_peer_chooses_the_primary_address() -> None:
    peer = changing(paths=2)
    assert refusals(peer, 1, prefer(theirs(2))) == []
    assert peer.association.primary is peer.path(2)
    assert changes(peer) == [(CHANGE_PRIMARY, theirs(2))]


def test_an_address_becomes_primary_once_it_is_confirmed() -> None:
    peer = changing()
    sent = ask(peer, 1, add(NEW), prefer(NEW))
    peer.advance(0)
    sent += peer.take()
    assert peer.association.primary is peer.path(1)
    confirm(peer, sent, NEW)
    assert peer.association.primary is peer.path(2)


def test_a_primary_address_that_does_not_exist_is_not_honoured() -> None:
    """ "the receiver SHOULD NOT honor the request, leaving its existing primary address unchanged" """
    peer = changing()
    assert refusals(peer, 1, prefer(NEW), add(NEW)) == [(3, [CAUSE_UNRESOLVABLE_ADDRESS]), (1, [])]
    assert peer.association.primary is peer.path(1)


def test_a_wildcard_makes_the_source_primary() -> None:
    peer = changing(paths=2)
    assert refusals(peer, 1, prefer(ANY), source=theirs(2), local=ours(2)) == []
    assert peer.association.primary is peer.path(2)


# --- states (C4) --------------------------------------------------------------------------------------------


def test_addresses_change_until_everything_is_acknowledged_both_ways() -> None:
    peer = changing()
    peer.shutdown()
    assert [one.names for one in peer.take()] == [["SHUTDOWN"]]
    assert refusals(peer, 1, add(NEW)) == []
    peer.deliver(peer.shutdown_chunk(0))
    assert "SHUTDOWN ACK" in peer.take()[-1].names
    assert ask(peer, 2, add(OTHER)) == []


def test_a_shutdown_goes_on_at_the_address_that_is_left() -> None:
    peer = changing(paths=2)
    peer.shutdown()
    peer.take()
    ask(peer, 1, delete(theirs(1)), source=theirs(2), local=ours(2))
    assert [(one.destination, one.names) for one in peer.wait(10)] == [(theirs(2), ["SHUTDOWN"])]


# --- where no address is confirmed --------------------------------------------------------------------------


def moved(peer: Peer) -> list[Sent]:
    """The peer has moved to an address that is not confirmed yet."""
    return ask(peer, 1, add(NEW), delete(theirs(1)), source=NEW)


def test_while_no_address_is_confirmed_no_data_leaves() -> None:
    peer = changing()
    sent = moved(peer)
    peer.send(100)
    assert [one for one in peer.take() if one.tsns] == []
    assert [one.tsns for one in confirm(peer, sent, NEW)] == [[1]]


@pytest.mark.parametrize("heartbeats", [0.0, 30.0])
def test_an_association_ends_if_no_address_is_ever_confirmed(heartbeats: float) -> None:
    peer = changing(heartbeat_interval=heartbeats, association_max_retrans=8, path_max_retrans=3)
    moved(peer)
    peer.send(100)
    peer.advance(2000)
    assert peer.association.ended


def test_extensions_of_no_use_are_not_offered() -> None:
    """An association without the extension has nothing of it."""
    peer = Peer(extensions=SUPPORTED)
    assert not peer.association.address_reconfigurable
    assert peer.association.tcb.extensions == []
