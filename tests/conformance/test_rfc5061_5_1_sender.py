"""RFC 5061 sections 5.1 and 5.3: what is asked for when our addresses change, and what the answers do."""

from __future__ import annotations

from errno import ENOBUFS, ENOTCONN, EOPNOTSUPP

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.events import (
    ADDRESS_ADDED,
    ADDRESS_REMOVED,
    ASCONF_DONE,
    ASCONF_FAILED,
    ASCONF_REFUSED,
    CommunicationLost,
    LocalAddressChange,
)
from sctpx.core.ext.address_changes import MAX_WAITING
from sctpx.wire import asconf as wire
from sctpx.wire import causes, control
from sctpx.wire.asconf import Answer
from sctpx.wire.codes import (
    CAUSE_ILLEGAL_ASCONF_ACK,
    CAUSE_REFUSED_FOR_RESOURCES,
    CHUNK_ASCONF,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_SET_PRIMARY,
)
from sctpx.wire.tlv import chunk, item
from tests.conformance.asconf import (
    add,
    answer,
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
from tests.conformance.peer import Peer

NEW = bytes((10, 0, 9, 1))
OTHER = bytes((10, 0, 8, 1))


# --- A: asking ----------------------------------------------------------------------------------------------


def test_an_asconf_names_an_address_of_ours_and_what_is_wanted() -> None:
    """A1"""
    peer = changing()
    [(serial, lookup, requests, packet)] = heard(change(peer, NEW))
    assert serial == peer.tsn  # "initialized [...] to the same value as the Initial Transmission Sequence Number" (A2)
    assert lookup == ours(1)
    assert [(one.kind, one.ip) for one in requests] == [(PARAM_ADD_IP, NEW)]
    assert (packet.source, packet.destination) == (ours(1), theirs(1))


def test_numbers_grow_by_one_and_wrap() -> None:
    """A2, section 3"""
    peer = changing(tsn=0xFFFFFFFF)
    sent = change(peer, NEW)
    assert heard(sent)[0][0] == 0xFFFFFFFF
    answer_one(peer, sent)
    sent = change(peer, OTHER)
    assert heard(sent)[0][0] == 0
    answer_one(peer, sent)
    assert peer.association.local_addresses == [ours(1), NEW, OTHER]


def test_requests_have_correlations_of_their_own() -> None:
    """A1: "unique correlation identities for each request"."""
    peer = changing()
    requests = requests_in(change(peer, NEW, OTHER))
    assert len({one.correlation for one in requests}) == 2


def test_one_asconf_is_under_way_at_a_time() -> None:
    """A3, C1"""
    peer = changing()
    first = change(peer, NEW)
    assert change(peer, OTHER) == []
    later = answer_one(peer, first)
    assert asked(later) == [(PARAM_ADD_IP, OTHER)]
    assert answer_one(peer, later) == []


def test_additions_come_first_then_the_wish_then_deletions() -> None:
    """F5, section 5.4: "the set primary will be discarded unless the add request is to be processed BEFORE"."""
    peer = changing()
    association = peer.association
    association.change_addresses(peer.now, [OTHER], [])
    association.change_addresses(peer.now, [NEW], [ours(1)])
    association.set_peer_primary(peer.now, NEW)
    peer.settle()
    assert asked(peer.take()) == [
        (PARAM_ADD_IP, OTHER),
        (PARAM_ADD_IP, NEW),
        (PARAM_SET_PRIMARY, NEW),
        (PARAM_DELETE_IP, ours(1)),
    ]


def test_what_is_taken_back_before_it_was_asked_for_is_not_asked_for() -> None:
    peer = changing()
    first = change(peer, NEW)
    assert change(peer, OTHER) == []
    assert change(peer, removed=(OTHER,)) == []
    assert answer_one(peer, first) == []
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_DONE)]


def test_more_changes_than_a_packet_holds_go_in_several() -> None:
    """C5"""
    peer = changing(mtu=576)
    wanted = [bytes((10, 1, 0, number)) for number in range(1, 60)]
    sent = change(peer, *wanted)
    got = []
    while sent:
        assert len(sent[0].bytes) <= 576 - 28
        got += [ip for _, ip in asked(sent)]
        sent = answer_one(peer, sent)
    assert got == wanted
    assert peer.association.local_addresses == [ours(1), *wanted]


def test_no_more_than_so_many_changes_wait() -> None:
    peer = changing()
    change(peer, NEW)
    many = [bytes((10, 2, number >> 8, number & 0xFF)) for number in range(1, MAX_WAITING + 2)]
    with pytest.raises(OSError, match="wait for the peer") as caught:
        change(peer, *many)
    assert caught.value.errno == ENOBUFS
    peer.association.follow_addresses(peer.now, [ours(1), NEW, *many])
    assert peer.association.wanted_addresses == [ours(1), NEW]
    change(peer, *many[:-1])
    assert len(peer.association.wanted_addresses) == MAX_WAITING + 2


def test_a_peer_that_does_not_know_additions_is_not_told_where_the_host_goes() -> None:
    """F3a"""
    peer = changing()
    sent = change(peer, NEW)
    [request] = requests_in(sent)
    answer_one(
        peer, sent, Answer(request.correlation, [causes.unrecognized_parameters([(request.kind, request.value)])])
    )
    peer.association.follow_addresses(peer.now, [OTHER])
    peer.settle()
    assert peer.take() == []
    assert peer.association.wanted_addresses == [ours(1)]


@pytest.mark.parametrize("how", ["SHUTDOWN", "ERROR"])
def test_an_asconf_that_waits_to_be_sent_does_not_leave_when_it_may_not_any_more(how: str) -> None:
    """C4, A9. The driver could not send meanwhile."""
    peer = changing()
    change(peer, NEW)
    peer.now += 5 * 10**9
    peer.stack.handle_timeout(peer.now)  # T4-RTO: the ASCONF waits to leave again.
    unknown = control.error([causes.unrecognized_chunk(chunk(CHUNK_ASCONF, 0, bytes(4)))])
    peer.deliver(peer.shutdown_chunk(0) if how == "SHUTDOWN" else unknown)
    assert [name for one in peer.take() for name in one.names] == (["SHUTDOWN ACK"] if how == "SHUTDOWN" else [])


@pytest.mark.parametrize("state", ["SHUTDOWN-PENDING", "SHUTDOWN-SENT"])
def test_changes_are_asked_for_while_the_association_shuts_down(state: str) -> None:
    """C4"""
    peer = changing()
    if state == "SHUTDOWN-PENDING":
        peer.send(100)
    peer.shutdown()
    peer.take()
    assert asked(change(peer, NEW)) == [(PARAM_ADD_IP, NEW)]


def test_in_shutdown_ack_sent_nothing_is_asked_for() -> None:
    """C4"""
    peer = changing()
    sent = change(peer, NEW)
    change(peer, OTHER)
    peer.deliver(peer.shutdown_chunk(0))
    assert [one.names for one in peer.take()] == [["SHUTDOWN ACK"]]
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_FAILED), (OTHER, ADDRESS_ADDED, ASCONF_FAILED)]
    assert answer_one(peer, sent) == []
    with pytest.raises(OSError, match="not up") as caught:
        changing_nothing(peer)
    assert caught.value.errno == ENOTCONN


def changing_nothing(peer: Peer) -> None:
    peer.association.tcb.extensions.clear()
    peer.association.change_addresses(peer.now, [NEW], [])


# --- A5 to A9: answers --------------------------------------------------------------------------------------


def test_an_answer_ends_the_timer_and_the_errors() -> None:
    """A5"""
    peer = changing()
    sent = change(peer, NEW)
    peer.send(10)
    peer.advance(1.5)
    again = [one for one in peer.take() if heard([one])]
    assert peer.association.timeouts > 0
    answer_one(peer, again[:1])
    assert peer.association.timeouts == 0
    peer.deliver(peer.sack_chunk(1))
    peer.take()
    peer.advance(100)
    assert peer.take() == []
    assert heard(sent)[0][0] == heard(again)[0][0]


def test_an_empty_answer_is_success_of_everything() -> None:
    """A8"""
    peer = changing()
    answer_one(peer, change(peer, NEW, OTHER))
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_DONE), (OTHER, ADDRESS_ADDED, ASCONF_DONE)]
    assert peer.association.local_addresses == [ours(1), NEW, OTHER]


def test_what_is_before_a_refusal_is_done_and_what_is_behind_it_is_not() -> None:
    """A7"""
    peer = changing()
    wanted = [bytes((10, 1, 0, number)) for number in (1, 2, 3, 4)]
    sent = change(peer, *wanted)
    requests = requests_in(sent)
    answer_one(peer, sent, refusal(requests[1]), Answer(requests[3].correlation, []))
    assert [result for _, _, result in told(peer)] == [ASCONF_DONE, ASCONF_REFUSED, ASCONF_REFUSED, ASCONF_DONE]
    assert peer.association.local_addresses == [ours(1), wanted[0], wanted[3]]
    [_, refused, _, _] = peer.events_of(LocalAddressChange)
    assert [code for code, _ in refused.causes] == [CAUSE_REFUSED_FOR_RESOURCES]


def test_a_refusal_of_what_was_not_asked_for_leaves_nothing_done_that_is_not_said_to_be() -> None:
    """A7: nobody knows which request is meant, and an address that the peer does not know must not be used (F10)."""
    peer = changing()
    sent = change(peer, NEW, OTHER)
    first, second = requests_in(sent)
    stray = wire.request(PARAM_ADD_IP, 77, NEW)
    answer_one(peer, sent, refusal(stray), Answer(second.correlation, []))
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_REFUSED), (OTHER, ADDRESS_ADDED, ASCONF_DONE)]
    assert peer.association.local_addresses == [ours(1), OTHER]
    assert first.correlation not in (77, second.correlation)


def test_a_success_of_what_was_not_asked_for_means_nothing() -> None:
    peer = changing()
    answer_one(peer, change(peer, NEW), Answer(77, []))
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_DONE)]


@pytest.mark.parametrize("refused_first", [False, True])
def test_of_two_answers_to_one_request_the_refusal_counts(refused_first: bool) -> None:
    peer = changing()
    sent = change(peer, NEW)
    [request] = requests_in(sent)
    both = [refusal(request), Answer(request.correlation, [])]
    answer_one(peer, sent, *(both if refused_first else both[::-1]))
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_REFUSED)]
    assert peer.association.local_addresses == [ours(1)]


def test_an_address_that_was_refused_is_not_used() -> None:
    """F10"""
    peer = changing()
    sent = change(peer, NEW)
    answer_one(peer, sent, refusal(requests_in(sent)[0]))
    assert peer.association.local_addresses == [ours(1)]
    assert not peer.association.uses(NEW)


def test_an_address_of_which_the_deletion_was_refused_is_used_on() -> None:
    peer = changing(paths=2)
    sent = change(peer, removed=(ours(2),))
    assert peer.path(2).local == ours(1)
    answer_one(peer, sent, refusal(requests_in(sent)[0]))
    assert sorted(peer.association.local_addresses) == [ours(1), ours(2)]
    assert told(peer) == [(ours(2), ADDRESS_REMOVED, ASCONF_REFUSED)]


def test_a_peer_that_does_not_know_asconf_is_not_asked_again() -> None:
    """A9: "MUST NOT send any further ASCONF Chunks and MUST stop its T-4 timer"."""
    peer = changing()
    change(peer, NEW)
    peer.deliver(control.error([causes.unrecognized_chunk(chunk(CHUNK_ASCONF, 0, bytes(4)))]))
    assert told(peer) == [(NEW, ADDRESS_ADDED, ASCONF_FAILED)]
    peer.advance(100)
    assert peer.take() == []
    assert not peer.association.can_change_addresses
    with pytest.raises(OSError, match="does not know") as caught:
        change(peer, NEW)
    assert caught.value.errno == EOPNOTSUPP


@pytest.mark.parametrize("kind", [PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_SET_PRIMARY])
def test_a_peer_that_does_not_know_a_request_is_not_asked_so_again(kind: int) -> None:
    """F3a and F3b"""
    peer = changing(paths=2)
    if kind == PARAM_SET_PRIMARY:
        peer.association.set_peer_primary(peer.now, ours(2))
        peer.settle()
        sent = peer.take()
    else:
        sent = change(peer, NEW) if kind == PARAM_ADD_IP else change(peer, removed=(ours(2),))
    [request] = requests_in(sent)
    cause = causes.unrecognized_parameters([(request.kind, request.value)])
    answer_one(peer, sent, Answer(request.correlation, [cause]))
    association = peer.association
    for other, call in (
        (PARAM_ADD_IP, lambda: change(peer, OTHER)),
        (PARAM_DELETE_IP, lambda: change(peer, removed=(ours(1),))),
        (PARAM_SET_PRIMARY, lambda: association.set_peer_primary(peer.now, ours(1))),
    ):
        alike = {PARAM_ADD_IP, PARAM_DELETE_IP}
        if other == kind or {other, kind} == alike:
            with pytest.raises(OSError, match="does not know"):
                call()


@pytest.mark.parametrize("ahead", [0, 1, 1000, (1 << 31) - 1])
def test_an_answer_to_what_was_never_asked_ends_the_association(ahead: int) -> None:
    """F0, section 4.3.4"""
    peer = changing()
    answer(peer, (peer.tsn + ahead) & 0xFFFFFFFF)
    [lost] = peer.events_of(CommunicationLost)
    assert lost.causes == [(CAUSE_ILLEGAL_ASCONF_ACK, b"")]


@pytest.mark.parametrize("behind", [1, 2, 1000, 1 << 31])
def test_an_old_answer_is_ignored(behind: int) -> None:
    """Section 4.3.4: "Sequence Numbers smaller than the last acked Sequence Number are silently ignored"."""
    peer = changing()
    answer_one(peer, change(peer, NEW))
    assert answer(peer, (peer.tsn + 1 - behind) & 0xFFFFFFFF) == []
    assert peer.association.state == ESTABLISHED


def test_an_answer_with_another_number_than_what_is_under_way_is_ignored() -> None:
    peer = changing()
    change(peer, NEW)
    for ahead in (-1, 1, 2):
        assert answer(peer, (peer.tsn + ahead) & 0xFFFFFFFF) == []
    assert peer.association.local_addresses == [ours(1)]
    assert peer.association.state == ESTABLISHED


def test_an_unknown_parameter_in_an_answer_is_reported() -> None:
    peer = changing()
    [(serial, _, _, _)] = heard(change(peer, NEW))
    peer.deliver(chunk(0x80, 0, serial.to_bytes(4, "big") + item(0xC123, b"what") + item(0x8123, b"else")))
    [sent] = peer.take()
    assert sent.names == ["ERROR"]
    assert item(0xC123, b"what") in sent.value("ERROR")
    assert peer.association.local_addresses == [ours(1), NEW]


def test_a_malformed_answer_counts_for_nothing() -> None:
    peer = changing()
    [(serial, _, _, _)] = heard(change(peer, NEW))
    peer.deliver(chunk(0x80, 0, serial.to_bytes(4, "big") + b"\xc0\3\0\3"))
    assert peer.association.local_addresses == [ours(1)]
    answer(peer, serial)
    assert peer.association.local_addresses == [ours(1), NEW]


# --- B: T4-RTO ----------------------------------------------------------------------------------------------


def test_an_asconf_without_an_answer_goes_again_as_it_was() -> None:
    """B4, B5"""
    peer = changing(rtt=0.1, rto_min=0.5)
    first = change(peer, NEW)
    rto = peer.path().rto
    [again] = peer.wait(10)
    assert again.value("ASCONF") == first[0].value("ASCONF")
    assert again.at - first[0].at == pytest.approx(rto / 1e9)
    assert peer.association.stats.asconfs_retransmitted == 1


def test_a_timeout_counts_against_the_path_and_the_association_and_backs_off() -> None:
    """B1, B2, B3"""
    peer = changing()
    change(peer, NEW)
    rto = peer.path().rto
    peer.wait(10)
    assert peer.path().error_count == 1
    assert peer.association.timeouts == 1
    assert peer.path().rto == 2 * rto


def test_an_asconf_goes_again_over_another_path() -> None:
    """B4: "if possible choose an alternate destination address"."""
    peer = changing(paths=2)
    [first] = change(peer, NEW)
    again = [one for one in peer.wait(10) if heard([one])]
    assert [first.destination, again[0].destination] == [theirs(1), theirs(2)]


def test_an_asconf_that_is_never_answered_ends_the_association() -> None:
    """B2: "If the maximum is reached, the association will fail"."""
    peer = changing(association_max_retrans=3)
    change(peer, NEW)
    peer.advance(600)
    assert peer.association.ended
    assert peer.association.stats.asconfs_retransmitted == 3


# --- agreement ----------------------------------------------------------------------------------------------


def test_a_peer_that_has_not_agreed_cannot_be_asked() -> None:
    peer = Peer()
    for call in (
        lambda: change(peer, NEW),
        lambda: peer.association.set_peer_primary(peer.now, ours(1)),
    ):
        with pytest.raises(OSError, match="does not change addresses") as caught:
            call()
        assert caught.value.errno == EOPNOTSUPP
    peer.association.follow_addresses(peer.now, [NEW])
    peer.settle()
    assert peer.take() == []
    assert peer.association.tcb.extensions == []


def test_crossing_asconfs_are_both_done() -> None:
    """C1: "This restriction binds each side, so at any time, two ASCONF may be in-transit"."""
    peer = changing()
    sent = change(peer, NEW)
    there = bytes((10, 0, 9, 2))
    peer.deliver(wire.encode(peer.peer_tsn, theirs(1), [add(there)]))
    peer.take()
    answer_one(peer, sent)
    assert peer.association.local_addresses == [ours(1), NEW]
    assert [path.remote for path in peer.association.paths] == [theirs(1), there]
