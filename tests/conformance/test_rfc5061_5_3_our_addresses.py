"""RFC 5061 sections 5.3 and 5.4: what our side does about its addresses while they change, and once they have."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EINVAL

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.events import (
    ADDRESS_ADDED,
    ADDRESS_MADE_PRIMARY,
    ADDRESS_REMOVED,
    ASCONF_DONE,
    ASCONF_FAILED,
    ASCONF_REFUSED,
)
from sctpx.core.ext.asconf import MAX_FORMER
from sctpx.wire import asconf as wire
from sctpx.wire import control
from sctpx.wire.codes import (
    CHUNK_ASCONF,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_SET_PRIMARY,
)
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.tlv import chunk
from tests.conformance.asconf import (
    add,
    answer_one,
    asked,
    change,
    changing,
    heard,
    ours,
    refusal,
    requests_in,
    theirs,
    told,
)
from tests.conformance.peer import PEER_TAG, PORT, UDP_PORT, Peer

NEW = bytes((10, 0, 9, 1))
OTHER = bytes((10, 0, 8, 1))


# --- F1, F2: an address is added ----------------------------------------------------------------------------


def test_nothing_leaves_from_a_new_address_before_the_peer_has_answered() -> None:
    """F1: "the sender MUST NOT use the new IP address as a source for ANY SCTP packet except on carrying an ASCONF"."""
    peer = changing()
    sent = change(peer, NEW)
    # The peer uses it at once, as it may.
    peer.deliver_between(theirs(1), NEW, control.heartbeat(b"\0\1\0\x08info"))
    peer.deliver_between(theirs(1), NEW, peer.data(1), peer.data(2))
    peer.send(100)
    others = peer.take()
    assert {name for one in others for name in one.names} == {"HEARTBEAT ACK", "SACK", "DATA"}
    assert {one.source for one in others} == {ours(1)}
    assert len(peer.read()) == 2  # "it MAY consider it part of the association, but it MUST NOT respond with an ABORT"
    answer_one(peer, sent)
    peer.deliver_between(theirs(1), NEW, control.heartbeat(b"\0\1\0\x08info"))
    assert [one.source for one in peer.take()] == [NEW]  # F2


def test_an_asconf_goes_again_from_the_address_that_it_adds() -> None:
    """Perhaps that one works, and the one that the peer knows does not."""
    peer = changing()
    [first] = change(peer, NEW)
    sources = [first.source]
    for _ in range(3):
        sources += [one.source for one in peer.wait(100) if heard([one])]
    assert sources == [ours(1), NEW, ours(1), NEW]


def test_paths_without_data_use_a_new_address_that_suits_them_better() -> None:
    peer = Peer(paths=2, extensions=(CHUNK_ASCONF, 0x80), address_reconfiguration=True, unauthenticated_asconf=True)
    answer_one(peer, change(peer, removed=(ours(2),)))
    assert [path.local for path in peer.association.paths] == [ours(1), ours(1)]
    answer_one(peer, change(peer, ours(2)))
    assert [path.local for path in peer.association.paths] == [ours(1), ours(2)]


# --- F4, F5, F6: an address is deleted ----------------------------------------------------------------------


def test_nothing_leaves_from_an_address_that_is_being_deleted() -> None:
    """F4, F6"""
    peer = changing(paths=2, heartbeat_interval=1.0)
    [sent] = change(peer, removed=(ours(1),))
    assert (sent.names, sent.source) == (["ASCONF"], ours(2))
    # What comes there counts all the same.
    peer.deliver_between(theirs(1), ours(1), peer.data(1), peer.data(2))
    peer.deliver_between(theirs(1), ours(1), control.heartbeat(b"\0\1\0\x08info"))
    peer.send(100)
    packets = peer.take()
    assert {name for one in packets for name in one.names} == {"HEARTBEAT ACK", "SACK", "DATA"}
    assert len(peer.read()) == 2
    for _ in range(5):
        peer.advance(1.0)
        packets += peer.take()
    assert {one.source for one in packets} == {ours(2)}


@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_that_comes_to_an_address_that_is_being_deleted_is_ignored(reflected: bool) -> None:
    """F4, section 5.3.1"""
    peer = changing(paths=2)
    sent = change(peer, removed=(ours(1),))

    def abort(local: bytes) -> None:
        said = control.abort([], reflected=reflected)
        packet = finish_packet(prefix(PORT, PORT, PEER_TAG if reflected else peer.tag), said)
        peer.stack.receive(peer.now, local, theirs(1), UDP_PORT, packet, 1 << 16)
        peer.settle()

    abort(ours(1))
    assert peer.association.state == ESTABLISHED
    answer_one(peer, sent)
    abort(ours(2))
    assert peer.association.ended


def test_the_last_address_cannot_be_deleted() -> None:
    """F5"""
    peer = changing(paths=2)
    for gone in ((ours(1), ours(2)), (ours(2), ours(1))):
        with pytest.raises(OSError, match="cannot do without an address") as caught:
            change(peer, removed=gone)
        assert caught.value.errno == EINVAL
    assert change(peer, removed=(ours(2),)) != []
    with pytest.raises(OSError, match="cannot do without an address"):
        change(peer, removed=(ours(1),))


def test_an_address_that_the_association_does_not_have_cannot_be_deleted() -> None:
    peer = changing(paths=2)
    with pytest.raises(OSError, match="not an address of the association") as caught:
        change(peer, removed=(ours(2), NEW))
    assert caught.value.errno == EADDRNOTAVAIL
    assert peer.take() == []


@pytest.mark.parametrize("ip", [bytes(4), bytes((224, 0, 0, 1)), bytes((255, 255, 255, 255))])
def test_an_address_that_no_host_has_cannot_be_added(ip: bytes) -> None:
    """Section 4.2.1"""
    peer = changing()
    with pytest.raises(OSError, match="no address that a host can have") as caught:
        change(peer, ip)
    assert caught.value.errno == EINVAL


def test_the_only_address_is_replaced_in_one_asconf_from_the_new_one() -> None:
    """Section 5.3.2: "fill in the Address Parameter field with an address that is part of the association (in this
    case, the one being deleted)"; F6: not the source.
    """
    peer = changing()
    [(_, lookup, requests, packet)] = heard(change(peer, NEW, removed=(ours(1),)))
    assert lookup == ours(1)
    assert [(one.kind, one.ip) for one in requests] == [(PARAM_ADD_IP, NEW), (PARAM_DELETE_IP, ours(1))]
    assert packet.source == NEW


def test_while_the_only_address_is_replaced_nothing_but_the_asconf_leaves() -> None:
    """F1 and F4: neither the old address nor the new one may be a source."""
    peer = changing()
    sent = change(peer, NEW, removed=(ours(1),))
    peer.send(100)
    peer.deliver_between(theirs(1), NEW, control.heartbeat(b"\0\1\0\x08info"))
    peer.deliver_between(theirs(1), ours(1), peer.data(1), peer.data(2))
    assert peer.take() == []
    later = answer_one(peer, sent)
    assert {name for one in later for name in one.names} == {"HEARTBEAT ACK", "SACK", "DATA"}
    assert {one.source for one in later} == {NEW}


def test_data_that_had_timed_out_goes_again_at_once_after_a_move() -> None:
    peer = changing()
    peer.send(100)
    peer.advance(10)
    peer.take()
    sent = change(peer, NEW, removed=(ours(1),))
    later = answer_one(peer, sent)
    assert [(one.source, one.tsns) for one in later if one.tsns] == [(NEW, [1])]
    assert peer.path().rto == 1_000_000_000  # Of the new way nothing is known yet.


def test_an_asconf_leaves_rather_from_what_waits_for_its_deletion_than_from_what_it_deletes() -> None:
    """F6. The first address is wanted again before the peer has answered, and the second one is to go instead."""
    peer = changing(paths=2)
    sent = change(peer, removed=(ours(1),))
    assert change(peer, ours(1), removed=(ours(2),)) == []
    for _ in range(3):
        sent += [one for one in peer.wait(100) if heard([one])]
    assert {one.source for one in sent} == {ours(2)}


def test_an_address_that_the_peer_never_had_is_none_after_its_deletion_was_refused() -> None:
    """F10: a refused addition may have been one all the same, so the deletion is asked for. Some peers refuse that."""
    peer = changing()
    sent = change(peer, NEW)
    change(peer, removed=(NEW,))
    sent = answer_one(peer, sent, refusal(requests_in(sent)[0]))
    assert asked(sent) == [(PARAM_DELETE_IP, NEW)]
    answer_one(peer, sent, refusal(requests_in(sent)[0]))
    assert peer.association.local_addresses == [ours(1)]
    assert [result for _, _, result in told(peer)] == [ASCONF_REFUSED, ASCONF_REFUSED]


def test_the_last_address_stays_if_the_one_that_replaces_it_was_refused() -> None:
    """F5: its deletion waits for an addition, and the others do not."""
    peer = changing(paths=2)
    sent = change(peer, NEW)
    assert change(peer, removed=(ours(1), ours(2))) == []
    sent = answer_one(peer, sent, refusal(requests_in(sent)[0]))
    assert asked(sent) == [(PARAM_DELETE_IP, ours(1))]
    assert answer_one(peer, sent) == []
    assert peer.association.local_addresses == [ours(2)]
    assert asked(change(peer, OTHER)) == [(PARAM_ADD_IP, OTHER), (PARAM_DELETE_IP, ours(2))]


@pytest.mark.parametrize(("later", "ends"), [(0.0, False), (10.0, True)])
def test_an_abort_in_answer_to_what_left_before_a_deletion_counts_for_nothing_though_the_address_is_back(
    later: float, ends: bool
) -> None:
    """Section 5.3.1: what left from the address before came to the peer behind the ASCONF that deleted it."""
    peer = changing(paths=2)
    deleted(peer)
    answer_one(peer, change(peer, ours(1)))
    peer.advance(later)
    packet = finish_packet(prefix(PORT, PORT, PEER_TAG), control.abort([], reflected=True))
    peer.stack.receive(peer.now, ours(1), theirs(1), UDP_PORT, packet, 1 << 16)
    assert peer.association.ended is ends


def deleted(peer: Peer) -> None:
    """Our first address is deleted: the peer has answered."""
    answer_one(peer, change(peer, removed=(ours(1),)))
    peer.take()
    assert peer.association.local_addresses == [ours(2)]


def test_what_comes_to_a_deleted_address_counts_for_two_rtos_and_is_out_of_the_blue_then() -> None:
    """Section 5.3: "it MUST NOT hold it valid longer than 2 RTO intervals for the destination being removed"."""
    peer = changing(paths=2, rtt=0.1, rto_min=0.5)
    deleted(peer)
    held = 2 * min(path.rto for path in peer.association.paths)
    peer.advance_to(peer.now + held)
    peer.deliver_between(theirs(1), ours(1), peer.data(1))
    assert len(peer.read()) == 1
    peer.take()
    peer.advance_to(peer.now + 1)
    peer.deliver_between(theirs(1), ours(1), peer.data(2))
    [sent] = peer.take()
    assert (sent.names, sent.source, sent.destination) == (["ABORT"], ours(1), theirs(1))
    assert sent.chunks[0][1] == 1  # The T bit: the peer does not take it for one of the association.
    assert peer.read() == []
    peer.deliver_between(theirs(1), ours(2), peer.data(2))
    assert len(peer.read()) == 1


@pytest.mark.parametrize("chunks", ["ABORT", "ASCONF", "INIT ACK", "HEARTBEAT"])
def test_nothing_that_comes_to_a_deleted_address_changes_the_association(chunks: str) -> None:
    peer = changing(paths=2)
    deleted(peer)
    peer.advance(10)
    peer.take()
    there = bytes((10, 0, 9, 2))
    said = {
        "ABORT": control.abort([]),
        "ASCONF": wire.encode(peer.peer_tsn, theirs(1), [add(there)]),
        "INIT ACK": chunk(2, 0, bytes(16)),
        "HEARTBEAT": control.heartbeat(b"\0\1\0\x08info"),
    }[chunks]
    for source in (theirs(1), there):
        peer.deliver_between(source, ours(1), said)
        assert [one.names for one in peer.take()] in ([], [["ABORT"]])
    assert peer.association.state == ESTABLISHED
    assert [path.remote for path in peer.association.paths] == [theirs(1), theirs(2)]


def test_what_comes_to_a_deleted_address_that_is_added_again_counts() -> None:
    """ "MUST NOT treat this data as an OOTB datagram": from the request on."""
    peer = changing(paths=2)
    deleted(peer)
    peer.advance(10)
    sent = change(peer, ours(1))
    peer.deliver_between(theirs(1), ours(1), peer.data(1))
    assert len(peer.read()) == 1
    answer_one(peer, sent)
    peer.advance(10)
    peer.deliver_between(theirs(1), ours(1), peer.data(2))
    assert len(peer.read()) == 1


def test_no_more_than_so_many_deleted_addresses_are_remembered() -> None:
    peer = changing()
    for number in range(2 * MAX_FORMER):
        ip = bytes((10, 1, 0, number))
        answer_one(peer, change(peer, ip))
        answer_one(peer, change(peer, removed=(ip,)))
    assert len(peer.association.tcb.former) == MAX_FORMER


# --- section 5.4 --------------------------------------------------------------------------------------------


def test_the_peer_is_asked_to_prefer_an_address() -> None:
    peer = changing(paths=2)
    peer.association.set_peer_primary(peer.now, ours(2))
    peer.settle()
    sent = peer.take()
    assert asked(sent) == [(PARAM_SET_PRIMARY, ours(2))]
    answer_one(peer, sent)
    assert told(peer) == [(ours(2), ADDRESS_MADE_PRIMARY, ASCONF_DONE)]


def test_the_peer_is_not_asked_to_prefer_an_address_that_it_does_not_know() -> None:
    peer = changing()
    with pytest.raises(OSError, match="not an address of the association") as caught:
        peer.association.set_peer_primary(peer.now, NEW)
    assert caught.value.errno == EADDRNOTAVAIL


def test_of_several_wishes_the_last_one_counts_and_one_for_what_is_deleted_does_not() -> None:
    peer = changing(paths=3)
    first = change(peer, NEW)
    for number in (2, 3):
        peer.association.set_peer_primary(peer.now, ours(number))
    later = answer_one(peer, first)
    assert asked(later) == [(PARAM_SET_PRIMARY, ours(3))]
    peer.association.set_peer_primary(peer.now, ours(2))
    assert change(peer, removed=(ours(2),)) == []
    assert asked(answer_one(peer, later)) == [(PARAM_DELETE_IP, ours(2))]


def test_the_peer_is_not_asked_to_prefer_an_address_that_is_not_added_after_all() -> None:
    """ "only [...] to an address that is already considered part of the association" """
    peer = changing()
    sent = change(peer, NEW)
    peer.association.set_peer_primary(peer.now, NEW)
    assert answer_one(peer, sent, refusal(requests_in(sent)[0])) == []
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_REFUSED), (NEW, ADDRESS_MADE_PRIMARY, ASCONF_FAILED)]
    # The user takes the address back before it was asked for.
    sent = change(peer, OTHER)
    change(peer, NEW)
    peer.association.set_peer_primary(peer.now, NEW)
    change(peer, removed=(NEW,))
    assert answer_one(peer, sent) == []


# --- where an address means nothing to the peer -------------------------------------------------------------


def behind_a_nat(peer: Peer) -> Peer:
    peer.endpoint.hides = True
    return peer


def test_behind_a_nat_wildcards_stand_for_the_source_of_the_packet() -> None:
    """Sections 4.1.1, 4.2.1 and 4.2.2"""
    peer = behind_a_nat(changing())
    sent = change(peer, NEW, removed=(ours(1),))
    [(_, lookup, requests, packet)] = heard(sent)
    assert lookup == bytes(4)
    assert [(one.kind, one.ip) for one in requests] == [(PARAM_ADD_IP, bytes(4)), (PARAM_DELETE_IP, bytes(4))]
    assert packet.source == NEW
    assert peer.wait(10)[0].source == NEW
    answer_one(peer, sent)
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_DONE), (ours(1), ADDRESS_REMOVED, ASCONF_DONE)]
    assert peer.association.local_addresses == [NEW]


def test_a_wildcard_that_left_from_two_sources_is_asked_for_again() -> None:
    """The first move was lost, and the host has moved on: who knows which source the peer has taken?"""
    peer = behind_a_nat(changing())
    first = change(peer, NEW, removed=(ours(1),))
    peer.association.follow_addresses(peer.now, [OTHER])
    peer.settle()
    again = peer.take()
    assert [one.source for one in again] == [OTHER]
    assert again[0].value("ASCONF") == first[0].value("ASCONF")
    later = answer_one(peer, again)
    assert [packet.source for _, _, _, packet in heard(later)] == [OTHER]
    assert asked(later) == [(PARAM_ADD_IP, bytes(4)), (PARAM_DELETE_IP, bytes(4))]
    answer_one(peer, later)
    assert peer.association.local_addresses == [OTHER]


def test_a_wish_that_waits_meanwhile_is_asked_for_with_its_address() -> None:
    """Section 5.4: the address comes before the wish to be sent to there."""
    peer = behind_a_nat(changing())
    change(peer, NEW, removed=(ours(1),))
    peer.association.follow_addresses(peer.now, [OTHER])
    peer.association.set_peer_primary(peer.now, OTHER)
    peer.settle()
    later = answer_one(peer, peer.take())
    kinds = [PARAM_ADD_IP, PARAM_SET_PRIMARY, PARAM_DELETE_IP]
    assert asked(later) == [(kind, bytes(4)) for kind in kinds]
    answer_one(peer, later)
    assert peer.association.local_addresses == [OTHER]
