"""RFC 6525 section 5.1: the side that asks, and section 5.2.7: what it makes of the responses."""

from __future__ import annotations

from errno import EAGAIN, EALREADY, EINVAL, EMSGSIZE, EPIPE
from itertools import pairwise
from typing import Any

import pytest

from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.events import (
    RECONFIG_DENIED,
    RECONFIG_DONE,
    RECONFIG_FAILED,
    AssociationReset,
    CommunicationLost,
    StreamsAdded,
    StreamsReset,
)
from sctpx.wire import reconfig as wire
from sctpx.wire.codes import (
    DATA_BEGIN,
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_TSN_RESET,
)
from tests.conformance.peer import FULL, Peer, Sent
from tests.conformance.reconfig import (
    add,
    heard,
    heard_one,
    incoming,
    outgoing,
    reconfiguring,
    reset,
    reset_all,
    respond,
    results,
    say,
)

FAILURES = [
    (wire.DENIED, RECONFIG_DENIED),
    (wire.WRONG_SSN, RECONFIG_FAILED),
    (wire.ALREADY_IN_PROGRESS, RECONFIG_FAILED),
    (wire.BAD_SEQUENCE_NUMBER, RECONFIG_FAILED),
    (4711, RECONFIG_FAILED),
]


def numbers(peer: Peer) -> list[tuple[int, int]]:
    """(stream, SSN) of the DATA chunks that left since the last time."""
    return [(chunk.stream, chunk.ssn) for packet in peer.take() for chunk in packet.data]


def told(peer: Peer) -> list[tuple[bool, bool, list[int], int]]:
    return [(event.outgoing, event.incoming, event.streams, event.result) for event in peer.events_of(StreamsReset)]


def wrong(ask: Any) -> int:
    """The errno that it raises; 0 for none."""
    try:
        ask()
    except OSError as error:
        return error.errno or 0
    return 0


# --- 5.1.1: one request, and its timer ---


def test_no_second_request_while_one_is_in_flight() -> None:
    """ "At any given time, there MUST NOT be more than one request in flight"; the user gets EALREADY (6.3)."""
    peer = reconfiguring()
    reset(peer, out=True, streams=(1,))
    asked = heard_one(peer)
    for ask in (lambda: reset(peer, out=True), lambda: reset_all(peer), lambda: add(peer, out=1)):
        assert wrong(ask) == EALREADY
    assert peer.take() == []
    respond(peer, asked)
    add(peer, out=1)
    assert heard_one(peer).kind == PARAM_ADD_OUTGOING


def test_the_timer_has_rto_doubles_and_the_same_chunk_is_sent_again() -> None:
    """ "MUST use exponential backoff, doubling the value at every expiration [...] MUST retransmit"."""
    peer = reconfiguring(rto_initial=1.0, rto_min=1.0)
    reset(peer, out=True, streams=(1,))
    first = heard_one(peer)
    times = [0.0]
    for _ in range(4):
        [packet] = peer.wait()
        times.append(packet.at)
        assert wire.encode([first])[4:].startswith(packet.value("RE-CONFIG"))
    assert [after - before for before, after in pairwise(times)] == [1, 2, 4, 8]
    assert peer.association.stats.reconfigurations_retransmitted == 4


def test_every_expiration_counts_against_the_destination_and_the_association() -> None:
    """ "increment the appropriate error counts (for both the association and the destination)"."""
    peer = reconfiguring()
    add(peer, out=1)
    peer.take()
    for count in (1, 2, 3):
        peer.wait()
        assert (peer.association.timeouts, peer.path().error_count) == (count, count)


def test_the_association_ends_when_the_thresholds_are_exceeded() -> None:
    """ "possibly destroying the association if SCTP retransmission thresholds are exceeded"."""
    peer = reconfiguring(association_max_retrans=3)
    add(peer, out=1)
    peer.advance(60)
    assert peer.association.state == CLOSED
    assert len(peer.events_of(CommunicationLost)) == 1


def test_a_retransmission_takes_another_path() -> None:
    peer = reconfiguring(paths=2)
    add(peer, out=1)
    [first] = peer.take()
    [again] = peer.wait()
    assert {first.path, again.path} == {1, 2}


def test_responses_start_no_timer() -> None:
    """ "If it contains no request parameters, the Re-configuration Timer MUST NOT be started"."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1))
    assert results(peer) == [(0, wire.PERFORMED)]
    peer.advance(200)
    assert peer.take() == []


def test_the_response_stops_the_timer_and_forgives_the_errors() -> None:
    """H1."""
    peer = reconfiguring()
    add(peer, out=1)
    asked = heard_one(peer)
    peer.wait()
    respond(peer, asked)
    assert peer.association.timeouts == 0
    peer.advance(200)
    assert peer.take() == []


def test_a_response_to_no_request_says_nothing() -> None:
    """H1: "the processing of the Re-configuration Response Parameter is complete"."""
    peer = reconfiguring()
    say(peer, wire.response(peer.tsn, wire.PERFORMED))
    add(peer, out=1)
    asked = heard_one(peer)
    say(peer, wire.response(asked.number + 1, wire.PERFORMED))
    assert peer.association.outbound_streams == 10
    respond(peer, asked)
    respond(peer, asked)
    assert peer.association.outbound_streams == 11


def test_in_progress_restarts_the_timer_and_what_expires_then_is_no_error() -> None:
    """H2: "the RE-CONFIG chunk MUST be retransmitted but the corresponding error counters MUST NOT be incremented"."""
    peer = reconfiguring()
    reset(peer, out=True)
    asked = heard_one(peer)
    peer.advance(0.9)
    respond(peer, asked, wire.IN_PROGRESS)
    assert peer.take() == []
    for _ in range(5):
        [packet] = peer.wait()
        assert packet.names == ["RE-CONFIG"]
    assert (peer.association.timeouts, peer.path().error_count) == (0, 0)
    assert told(peer) == []
    respond(peer, asked)
    assert told(peer) == [(True, False, [], RECONFIG_DONE)]


@pytest.mark.parametrize(("result", "outcome"), FAILURES)
def test_what_is_no_success_ends_the_request_and_the_user_is_told(result: int, outcome: int) -> None:
    """H3."""
    peer = reconfiguring()
    reset(peer, out=True, streams=(1,))
    respond(peer, heard_one(peer), result)
    reset(peer, into=True, streams=(2,))
    respond(peer, heard_one(peer), result)
    assert told(peer) == [(True, False, [1], outcome), (False, True, [2], outcome)]
    add(peer, out=1)
    respond(peer, heard_one(peer), result)
    add(peer, into=1)
    respond(peer, heard_one(peer), result)
    assert [(event.inbound, event.outbound, event.result) for event in peer.events_of(StreamsAdded)] == [
        (10, 10, outcome)
    ] * 2
    reset_all(peer)
    respond(peer, heard_one(peer), result)
    assert [event.result for event in peer.events_of(AssociationReset)] == [outcome]


# --- 5.1.2: Outgoing SSN Reset Request ---


def test_new_data_of_the_affected_streams_is_queued_until_the_response() -> None:
    """A1, and H4: "The assigning of SSNs is allowed again", from 0."""
    peer = reconfiguring()
    peer.send(10, 10, stream=1)
    peer.sack(2)
    peer.take()
    reset(peer, out=True, streams=(1,))
    asked = heard_one(peer)
    peer.send(10, stream=1)
    peer.send(10, stream=2)
    assert numbers(peer) == [(2, 0)]
    peer.sack(3)
    respond(peer, asked)
    assert numbers(peer) == [(1, 0)]
    assert told(peer) == [(True, False, [1], RECONFIG_DONE)]


def test_after_a_denial_the_numbers_go_on() -> None:
    peer = reconfiguring()
    peer.send(10, stream=1)
    peer.sack(1)
    peer.take()
    reset(peer, out=True, streams=(1,))
    asked = heard_one(peer)
    peer.send(10, stream=1)
    respond(peer, asked, wire.DENIED)
    assert numbers(peer) == [(1, 1)]


def test_what_was_sent_before_is_acknowledged_before_the_request_leaves() -> None:
    """Nothing in flight can then be taken for what follows the reset, and the peer need not wait (E2)."""
    peer = reconfiguring()
    peer.send(10, 10, stream=1)
    peer.take()
    reset(peer, out=True, streams=(1,))
    peer.send(10, stream=1)
    assert peer.take() == []
    peer.sack(1)
    assert peer.take() == []
    peer.sack(2)
    [packet] = peer.take()
    assert packet.names == ["RE-CONFIG"]


def test_a_message_that_was_begun_is_sent_whole_first() -> None:
    peer = reconfiguring()
    peer.send(20 * FULL, stream=1)
    assert len(peer.take()) == 4
    reset(peer, out=True)
    peer.send(10, stream=1)
    packets: list[Sent] = []
    while "RE-CONFIG" not in [name for packet in packets for name in packet.names]:
        peer.sack(peer.last_tsn)
        packets += peer.take()
    assert sum(len(packet.data) for packet in packets) == 16
    assert packets[-1].names == ["RE-CONFIG"]


def test_the_sequence_number_is_the_initial_tsn_and_grows_by_one() -> None:
    """A2, B1, C1, and section 4.1: "initialized to the same value as the initial TSN", also where it wraps."""
    peer = reconfiguring(tsn=0xFFFFFFFE)
    found = []
    for _ in range(4):
        add(peer, out=1)
        asked = heard_one(peer)
        found.append(asked.number)
        respond(peer, asked)
    assert found == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1]


def test_the_last_assigned_tsn_is_the_next_one_minus_1() -> None:
    """A3."""
    peer = reconfiguring()
    reset(peer, out=True)
    asked = heard_one(peer)
    assert asked.last_tsn == (peer.tsn - 1) & 0xFFFFFFFF
    respond(peer, asked)
    peer.send(10, 10, 10)
    peer.sack(3)
    peer.take()
    reset(peer, out=True)
    assert heard_one(peer).last_tsn == peer.tsn + 2


def test_all_streams_are_no_list_and_some_are_listed() -> None:
    """A4: "stream numbers SHOULD NOT be put into" a request for all; some "MUST be placed"."""
    peer = reconfiguring()
    reset(peer, out=True)
    asked = heard_one(peer)
    assert (asked.kind, asked.streams) == (PARAM_OUTGOING_RESET, [])
    respond(peer, asked)
    reset(peer, out=True, streams=(3, 1, 3))
    assert heard_one(peer).streams == [3, 1]


def test_the_response_number_is_the_next_expected_one_minus_1() -> None:
    """A4."""
    peer = reconfiguring()
    reset(peer, out=True)
    asked = heard_one(peer)
    assert asked.response_number == peer.peer_tsn - 1
    respond(peer, asked)
    say(peer, outgoing(peer, 0))
    peer.take()
    reset(peer, out=True)
    assert heard_one(peer).response_number == peer.peer_tsn


def test_both_directions_go_in_one_chunk() -> None:
    """A5 and B3."""
    peer = reconfiguring()
    reset(peer, out=True, into=True, streams=(1, 2))
    [[first, second]] = heard(peer)
    assert (first.kind, second.kind) == (PARAM_OUTGOING_RESET, PARAM_INCOMING_RESET)
    assert second.number == first.number + 1
    assert first.streams == second.streams == [1, 2]
    # Appendix A: [RESP:X | OUT-REQ:Y,X+1], and we respond to Y.
    say(peer, wire.response(first.number, wire.PERFORMED), outgoing(peer, 0, 1, 2, answers=second.number))
    assert results(peer) == [(0, wire.PERFORMED)]
    assert told(peer) == [(True, False, [1, 2], RECONFIG_DONE), (False, True, [1, 2], RECONFIG_DONE)]
    peer.advance(100)
    assert peer.take() == []


def test_the_timer_runs_until_all_requests_of_the_chunk_are_acknowledged() -> None:
    """H1: "If all [...] are acknowledged, the Re-configuration Timer MUST be stopped"."""
    peer = reconfiguring()
    reset(peer, out=True, into=True)
    [[first, second]] = heard(peer)
    respond(peer, first)
    [packet] = peer.wait(2)
    assert packet.names == ["RE-CONFIG"]
    respond(peer, second, wire.NOTHING_TO_DO)
    peer.advance(100)
    assert peer.take() == []


# --- 5.1.3: Incoming SSN Reset Request ---


def test_all_incoming_streams_are_no_list_and_some_are_listed() -> None:
    """B2."""
    peer = reconfiguring()
    reset(peer, into=True)
    asked = heard_one(peer)
    assert (asked.kind, asked.streams) == (PARAM_INCOMING_RESET, [])
    respond(peer, asked, wire.NOTHING_TO_DO)
    reset(peer, into=True, streams=(5,))
    assert heard_one(peer).streams == [5]


def test_an_incoming_reset_is_done_by_the_peer_s_own_request() -> None:
    """Appendix A; and what we have asked for is not denied, whatever else the peer may ask."""
    peer = reconfiguring(allow_stream_reset=False)
    peer.deliver(peer.data(1, stream=1, ssn=0))
    peer.take()
    reset(peer, into=True, streams=(1,))
    asked = heard_one(peer)
    say(peer, outgoing(peer, 0, 1, last=1, answers=asked.number))
    assert results(peer) == [(0, wire.PERFORMED)]
    peer.deliver(peer.data(2, stream=1, ssn=0))
    assert peer.association.readable == 2
    say(peer, outgoing(peer, 1, 1, last=2))
    assert results(peer) == [(1, wire.DENIED)]


def test_it_may_be_answered_before_the_peer_s_own_request_comes() -> None:
    peer = reconfiguring(allow_stream_reset=False)
    reset(peer, into=True, streams=(1,))
    asked = heard_one(peer)
    respond(peer, asked)
    assert told(peer) == []
    say(peer, outgoing(peer, 0, 1, answers=asked.number))
    assert told(peer) == [(False, True, [1], RECONFIG_DONE)]


# --- 5.1.4: SSN/TSN Reset Request ---


def test_the_tsn_reset_waits_until_nothing_is_outstanding_and_is_alone() -> None:
    """C2 and C3."""
    peer = reconfiguring()
    peer.send(10)
    peer.take()
    reset_all(peer)
    peer.send(10, stream=4)
    assert peer.take() == []
    peer.sack(1)
    [packet] = peer.take()
    assert packet.names == ["RE-CONFIG"]
    peer.advance(0.5)
    assert peer.take() == []


def test_after_the_response_tsns_and_ssns_begin_anew_both_ways() -> None:
    """H5."""
    peer = reconfiguring()
    peer.send(10, 10)
    peer.sack(2)
    peer.deliver(peer.data(1, ssn=0))
    peer.deliver(peer.data(2, ssn=1))
    peer.take()
    reset_all(peer)
    asked = heard_one(peer)
    assert asked.kind == PARAM_TSN_RESET
    peer.send(10)
    ours, theirs = (peer.tsn + 2 + (1 << 31)) & 0xFFFFFFFF, peer.peer_tsn + 2
    respond(peer, asked, next_tsns=(theirs, ours))
    [packet] = peer.take()
    [sent] = packet.data
    assert ((sent.tsn + peer.tsn - 1) & 0xFFFFFFFF, sent.ssn) == (ours, 0)
    [event] = peer.events_of(AssociationReset)
    assert (event.local_tsn, event.peer_tsn, event.result) == (ours, theirs, RECONFIG_DONE)
    peer.deliver(peer.data(3, ssn=0))
    assert peer.association.readable == 3
    # A late SACK from before is no lie.
    peer.deliver(peer.sack_chunk(1))
    assert peer.association.state == ESTABLISHED


def test_data_that_overtakes_the_response_has_its_numbers_from_after_the_reset() -> None:
    """ "The peer will send DATA chunks starting with the Sender's Next TSN": some may be here before we know."""
    peer = reconfiguring()
    for tsn in (1, 2):
        peer.deliver(peer.data(tsn, ssn=tsn - 1))
    reset_all(peer)
    peer.take()
    asked = wire.tsn_reset(peer.tsn)
    peer.deliver(peer.data(3, b"old", ssn=2))
    peer.deliver(peer.data(5, b"new", ssn=1))
    peer.deliver(peer.data(4, b"first new", ssn=0))
    assert peer.association.readable == 2
    respond(peer, asked, next_tsns=(peer.peer_tsn + 3, 77))
    [event] = peer.events_of(AssociationReset)
    assert event.readable == 3  # The user is told between the last message of the old numbers and the first one after.
    assert peer.read()[2:] == [b"old", b"first new", b"new"]


@pytest.mark.parametrize("back", [2, 3, 500, (1 << 31) - 1])
def test_a_peer_that_goes_back_with_its_tsns_is_followed(back: int) -> None:
    """Section 5.2.7 H5: "The peer will send DATA chunks starting with the Sender's Next TSN"; it SHOULD go on."""
    peer = reconfiguring()
    for tsn in (1, 2):
        peer.deliver(peer.data(tsn, ssn=tsn - 1))
    reset_all(peer)
    asked = wire.tsn_reset(peer.tsn)
    peer.deliver(peer.data(3, b"old", ssn=2))
    peer.take()
    first = 4 - back
    respond(peer, asked, next_tsns=((peer.peer_tsn + first - 1) & 0xFFFFFFFF, 77))
    peer.deliver(peer.data(first + 1, b"second", ssn=1))
    peer.deliver(peer.data(first, b"first", ssn=0))
    assert peer.read()[2:] == [b"old", b"first", b"second"]
    assert peer.take()[-1].sack.cumulative == first + 1


def test_a_denied_tsn_reset_changes_nothing() -> None:
    peer = reconfiguring()
    peer.send(10)
    peer.sack(1)
    peer.take()
    reset_all(peer)
    asked = heard_one(peer)
    peer.deliver(peer.data(1, FULL, flags=DATA_BEGIN, ssn=0))
    peer.deliver(peer.data(2, 10, flags=1, ssn=0))
    peer.send(10)
    respond(peer, asked, wire.DENIED)
    assert numbers(peer) == [(0, 1)]
    assert [len(data) for data in peer.read()] == [FULL + 10]


def test_a_success_without_the_tsns_is_a_counted_drop() -> None:
    """Section 4.4: in responses to SSN/TSN resets both are there."""
    peer = reconfiguring()
    reset_all(peer)
    respond(peer, heard_one(peer))
    assert peer.association.stats.packets_discarded == 1
    assert peer.events_of(AssociationReset) == []


def test_only_one_tsn_reset_within_30_seconds() -> None:
    """ "Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds"."""
    peer = reconfiguring()
    reset_all(peer)
    respond(peer, heard_one(peer), wire.DENIED)
    peer.advance(29.9)
    assert wrong(lambda: reset_all(peer)) == EAGAIN
    peer.advance(0.1)
    reset_all(peer)
    assert heard_one(peer).kind == PARAM_TSN_RESET


# --- 5.1.5, 5.1.6: added streams ---


@pytest.mark.parametrize("result", [wire.PERFORMED, wire.NOTHING_TO_DO])
def test_added_outgoing_streams_are_used_after_success_only_and_begin_with_ssn_0(result: int) -> None:
    """ "the sender MUST await a positive acknowledgment"; "A new stream MUST use SSN 0"; H6."""
    peer = reconfiguring()
    add(peer, out=2)
    asked = heard_one(peer)
    assert (asked.kind, asked.count) == (PARAM_ADD_OUTGOING, 2)
    assert wrong(lambda: peer.send(1, stream=10)) == EINVAL
    respond(peer, asked, result)
    peer.send(1, stream=11)
    peer.send(1, stream=10)
    assert numbers(peer) == [(11, 0), (10, 0)]
    assert wrong(lambda: peer.send(1, stream=12)) == EINVAL
    [event] = peer.events_of(StreamsAdded)
    assert (event.inbound, event.outbound, event.result) == (10, 12, RECONFIG_DONE)


def test_added_incoming_streams_are_the_peer_s_own_request() -> None:
    """Appendix A; and what we have asked for is not denied."""
    peer = reconfiguring(allow_added_streams=False)
    add(peer, into=3)
    asked = heard_one(peer)
    assert (asked.kind, asked.count) == (PARAM_ADD_INCOMING, 3)
    say(peer, wire.add_outgoing(peer.peer_tsn, 3))
    assert results(peer) == [(0, wire.PERFORMED)]
    assert peer.association.inbound_streams == 13
    say(peer, wire.add_outgoing(peer.peer_tsn + 1, 3))
    assert results(peer) == [(1, wire.DENIED)]
    respond(peer, asked)
    peer.advance(100)
    assert peer.take() == []
    assert [(event.inbound, event.result) for event in peer.events_of(StreamsAdded)] == [(13, RECONFIG_DONE)]
    say(peer, wire.add_outgoing(peer.peer_tsn + 2, 3))
    assert results(peer) == [(2, wire.DENIED)]


def test_a_request_for_streams_is_repeated_until_it_is_certain_that_the_peer_has_it() -> None:
    """A request to add outgoing streams does not say what it answers: it may have been sent before ours arrived.

    If ours never arrived and counted as answered, the peer would expect another number from us for ever.
    """
    peer = reconfiguring()
    add(peer, into=3)
    asked = heard_one(peer)
    say(peer, wire.add_outgoing(peer.peer_tsn, 3))
    peer.take()
    for _ in range(3):
        [packet] = peer.wait()
        assert packet.names == ["RE-CONFIG"]
    assert peer.association.timeouts == 0
    # "the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier" (5.2.1): it was one.
    say(peer, wire.add_outgoing(peer.peer_tsn, 3))
    assert results(peer) == [(0, wire.PERFORMED)]
    peer.advance(100)
    assert peer.take() == []
    assert peer.association.inbound_streams == 13
    respond(peer, asked)
    say(peer, wire.add_outgoing(peer.peer_tsn + 1, 3))
    assert peer.association.inbound_streams == 16


def test_added_incoming_streams_may_be_answered_before_the_peer_s_own_request_comes() -> None:
    """usrsctp answers "Performed" and asks for outgoing streams; the two may come in any order."""
    peer = reconfiguring(allow_added_streams=False)
    add(peer, into=3)
    respond(peer, heard_one(peer))
    assert peer.events_of(StreamsAdded) == []
    say(peer, wire.add_outgoing(peer.peer_tsn, 3))
    assert results(peer) == [(0, wire.PERFORMED)]
    say(peer, wire.add_outgoing(peer.peer_tsn + 1, 3))
    assert results(peer) == [(1, wire.DENIED)]
    assert [(event.inbound, event.result) for event in peer.events_of(StreamsAdded)] == [(13, RECONFIG_DONE)]


def test_both_kinds_of_streams_are_asked_for_in_one_chunk() -> None:
    peer = reconfiguring()
    add(peer, out=1, into=2)
    [[first, second]] = heard(peer)
    assert (first.kind, second.kind) == (PARAM_ADD_OUTGOING, PARAM_ADD_INCOMING)
    respond(peer, first)
    say(peer, wire.add_outgoing(peer.peer_tsn, 2))
    respond(peer, second)
    assert (peer.association.inbound_streams, peer.association.outbound_streams) == (12, 11)
    assert [event.result for event in peer.events_of(StreamsAdded)] == [RECONFIG_DONE] * 2


# --- what the user may ask ---


def test_what_cannot_be_asked_raises_before_anything_changes() -> None:
    peer = reconfiguring(max_inbound_streams=12)
    assert wrong(lambda: reset(peer)) == EINVAL
    assert wrong(lambda: reset(peer, out=True, streams=(10,))) == EINVAL
    assert wrong(lambda: reset(peer, into=True, streams=(10,))) == EINVAL
    assert wrong(lambda: reset(peer, out=True, streams=(-1,))) == EINVAL
    assert wrong(lambda: add(peer)) == EINVAL
    assert wrong(lambda: add(peer, out=-1)) == EINVAL
    assert wrong(lambda: add(peer, out=65536)) == EINVAL
    assert wrong(lambda: add(peer, into=3)) == EINVAL
    assert peer.take() == []
    add(peer, out=1)
    assert heard_one(peer).number == peer.tsn


def test_a_list_has_to_fit_into_a_packet() -> None:
    peer = reconfiguring(streams=2000)
    assert peer.association.inbound_streams == 2000
    assert wrong(lambda: reset(peer, into=True, streams=tuple(range(725)))) == EMSGSIZE
    reset(peer, into=True, streams=tuple(range(724)))
    [packet] = peer.take()
    assert len(packet.bytes) == 12 + 4 + 8 + 2 * 724


def test_nothing_is_asked_once_the_association_shuts_down() -> None:
    peer = reconfiguring()
    peer.send(10)
    peer.shutdown()
    assert wrong(lambda: add(peer, out=1)) == EPIPE


def test_data_that_waits_for_a_response_is_sent_before_the_association_ends() -> None:
    peer = reconfiguring()
    reset(peer, out=True)
    asked = heard_one(peer)
    peer.send(10)
    peer.shutdown()
    assert peer.take() == []
    respond(peer, asked)
    assert numbers(peer) == [(0, 0)]
    peer.sack(1)
    assert peer.take()[-1].names == ["SHUTDOWN"]


def test_a_shutdown_waits_for_the_response_to_a_tsn_reset() -> None:
    """Behind a SHUTDOWN it would not count, and what the peer sends after the reset be held to the old numbers."""
    peer = reconfiguring()
    reset_all(peer)
    asked = heard_one(peer)
    peer.shutdown()
    assert peer.take() == []
    peer.advance(1.5)
    assert heard_one(peer).number == asked.number
    respond(peer, asked, next_tsns=(peer.peer_tsn, 77))
    assert peer.take()[-1].names == ["SHUTDOWN"]


def test_a_shutdown_waits_for_a_tsn_reset_no_longer_than_for_data() -> None:
    """A peer that answers "In progress" for ever holds up no association (``AssociationConfig.drain_guard``)."""
    peer = reconfiguring(drain_guard=5.0)
    reset_all(peer)
    asked = heard_one(peer)
    peer.shutdown()
    for _ in range(8):
        peer.advance(1.0)
        respond(peer, asked, wire.IN_PROGRESS, next_tsns=(peer.peer_tsn, 77))
    assert peer.take()[-1].names == ["ABORT"]


def test_a_request_that_waits_for_nothing_of_ours_ends_with_the_association() -> None:
    peer = reconfiguring()
    reset(peer, into=True)
    peer.take()
    peer.shutdown()
    peer.advance(1.5)
    assert told(peer) == [(False, True, [], RECONFIG_FAILED)]


@pytest.mark.parametrize("tsns", [False, True])
def test_a_request_that_never_left_fails_with_the_association(tsns: bool) -> None:
    """Its streams rest until all is acknowledged, and then the association ends: there is nobody to ask any more."""
    peer = reconfiguring()
    peer.send(10)
    peer.take()
    if tsns:
        reset_all(peer)
    else:
        reset(peer, out=True, into=True)
    peer.shutdown()
    peer.sack(1)
    assert [packet.names for packet in peer.take()] == [["SHUTDOWN"]]
    if tsns:
        assert [event.result for event in peer.events_of(AssociationReset)] == [RECONFIG_FAILED]
    else:
        assert told(peer) == [(True, False, [], RECONFIG_FAILED), (False, True, [], RECONFIG_FAILED)]


def test_a_request_whose_path_is_removed_is_repeated_on_another_one() -> None:
    peer = reconfiguring(paths=2)
    add(peer, out=1)
    assert [packet.path for packet in peer.take()] == [1]
    first, second = peer.association.paths
    for extension in peer.association.tcb.extensions:
        extension.on_path_removed(first, second)
    peer.advance(1.5)
    assert second.error_count == 1
    assert first.error_count == 0


def test_requests_of_both_sides_cross() -> None:
    peer = reconfiguring()
    reset(peer, out=True, streams=(1,))
    asked = heard_one(peer)
    say(peer, outgoing(peer, 0, 2))
    assert results(peer) == [(0, wire.PERFORMED)]
    respond(peer, asked)
    assert told(peer) == [(False, True, [2], RECONFIG_DONE), (True, False, [1], RECONFIG_DONE)]


def test_two_incoming_resets_that_cross_are_both_refused_rather_than_wait_for_each_other() -> None:
    peer = reconfiguring()
    reset(peer, into=True, streams=(1,))
    peer.take()
    say(peer, incoming(peer, 0, 2))
    assert results(peer) == [(0, wire.ALREADY_IN_PROGRESS)]
