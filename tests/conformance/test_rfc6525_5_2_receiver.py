"""RFC 6525 section 5.2: the side that is asked, and peers that lie to it."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import RECONFIG_DONE, AssociationReset, PartialDeliveryAborted, StreamsAdded, StreamsReset
from sctpx.wire import reconfig as wire
from sctpx.wire.codes import DATA_BEGIN, DATA_END, PARAM_ADD_OUTGOING, PARAM_OUTGOING_RESET, PARAM_RECONFIG_RESPONSE
from tests.conformance.peer import FULL, Peer
from tests.conformance.reconfig import (
    add,
    heard,
    heard_one,
    in_packet,
    incoming,
    outgoing,
    reconfiguring,
    reset,
    reset_all,
    respond,
    results,
    say,
)


def told(peer: Peer) -> list[tuple[bool, bool, list[int], int]]:
    return [(event.outgoing, event.incoming, event.streams, event.result) for event in peer.events_of(StreamsReset)]


def said(peer: Peer) -> list[list[bytes]]:
    """The parameters of the RE-CONFIG chunks that left since the last time, as bytes."""
    return [[one.value() for one in chunk] for chunk in heard(peer)]


# --- 5.2.1: RE-CONFIG in general, and 5.1.7: responses ---


def test_every_request_is_denied_unless_the_user_allows_it() -> None:
    """Section 6.3.1: "The default is to deny all incoming requests"; 5.2.1: with a response (D1, D2)."""
    peer = Peer(extensions=[130])
    first = peer.peer_tsn
    asked = [outgoing(peer, 0), incoming(peer, 1), wire.tsn_reset(first + 2), wire.add_outgoing(first + 3, 1)]
    asked.append(wire.add_incoming(first + 4, 1))
    for one in asked:
        say(peer, one)
    assert results(peer) == [(number, wire.DENIED) for number in range(5)]
    assert peer.association.stats.reconfigurations_refused == 5
    assert (told(peer), peer.association.stats.reconfigurations) == ([], 0)


def test_what_is_allowed_can_change_while_the_association_lives() -> None:
    """Section 5.2.1: "may be user configurable even after the association has formed"."""
    peer = Peer(extensions=[130])
    say(peer, outgoing(peer, 0))
    peer.association.reconfigure(peer.now, AssociationConfig(allow_stream_reset=True, heartbeat_interval=0.0))
    say(peer, outgoing(peer, 1))
    assert results(peer) == [(0, wire.DENIED), (1, wire.PERFORMED)]


def test_a_sack_is_bundled_with_the_response_to_a_request() -> None:
    """ "a selective acknowledgment (SACK) chunk SHOULD be sent back and MAY be bundled"."""
    peer = reconfiguring()
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2))
    peer.take()
    say(peer, outgoing(peer, 0, 1, last=2))
    [packet] = peer.take()
    assert packet.names == ["RE-CONFIG", "SACK"]
    assert packet.sack.cumulative == 2


@pytest.mark.parametrize("missing", ["behind a hole", "at the end"])
def test_a_sack_tells_of_data_that_a_request_shows_to_be_missing(missing: str) -> None:
    """ "so that any retransmission processing that needs to occur can be expedited"."""
    peer = reconfiguring()
    for tsn in (1, 2, 3, *([5] if missing == "behind a hole" else [])):
        peer.deliver(peer.data(tsn))
    peer.take()
    say(peer, outgoing(peer, 0, 1, last=5))
    [packet] = peer.take()
    assert packet.names == ["RE-CONFIG", "SACK"]


def test_where_the_last_sack_has_said_all_there_is_no_other_one() -> None:
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1))
    for tsn in (1, 2, 3):
        peer.deliver(peer.data(tsn))
    assert [packet.names for packet in peer.take()] == [["RE-CONFIG"], ["SACK"], ["SACK"]]
    say(peer, outgoing(peer, 1, 1, last=3))
    assert [packet.names for packet in peer.take()] == [["RE-CONFIG"]]


def test_a_response_draws_no_sack() -> None:
    peer = reconfiguring()
    add(peer, out=1)
    respond(peer, heard_one(peer))
    assert peer.take() == []


def test_several_responses_go_in_one_chunk() -> None:
    """ "If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk"."""
    peer = reconfiguring(allow_stream_reset=False)
    say(peer, outgoing(peer, 0), incoming(peer, 1))
    [[first, second]] = heard(peer)
    assert [first.number - peer.peer_tsn, second.number - peer.peer_tsn] == [0, 1]
    assert first.kind == second.kind == PARAM_RECONFIG_RESPONSE


@pytest.mark.parametrize("times", [1, 3])
def test_a_retransmitted_chunk_gets_the_same_answer_and_nothing_is_done_twice(times: int) -> None:
    """ "the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier"."""
    peer = reconfiguring()
    first = peer.peer_tsn
    for number, asked in enumerate(
        [
            [outgoing(peer, 0, 1)],
            [outgoing(peer, 1, 2), incoming(peer, 2, 2)],
            [wire.add_outgoing(first + 3, 1)],
            [wire.add_outgoing(first + 4, 1), wire.add_incoming(first + 5, 1)],
            [wire.tsn_reset(first + 6)],
        ]
    ):
        say(peer, *asked)
        answers = said(peer)
        events = len(peer.events)
        for _ in range(times):
            say(peer, *asked)
            assert said(peer) == answers
        assert len(peer.events) == events
        if number in (1, 3):
            say(peer, wire.response((peer.tsn + (number == 3)) & 0xFFFFFFFF, wire.PERFORMED))
            peer.take()
    assert peer.association.inbound_streams == 12


def test_a_number_out_of_order_is_bad_and_changes_nothing() -> None:
    """Table 3: "Error - Bad Sequence Number"."""
    peer = reconfiguring()
    for number in (5, 1, 0xFFFFFFFF, 1 << 31):
        say(peer, outgoing(peer, number))
        assert results(peer) == [(number, wire.BAD_SEQUENCE_NUMBER)]
    assert told(peer) == []
    say(peer, outgoing(peer, 0))
    say(peer, outgoing(peer, 1))
    peer.take()
    say(peer, outgoing(peer, 0))
    assert results(peer) == [(0, wire.BAD_SEQUENCE_NUMBER)]


def test_of_two_requests_each_has_its_own_number() -> None:
    peer = reconfiguring()
    say(peer, outgoing(peer, 0), incoming(peer, 7))
    [[first, second]] = heard(peer)
    assert (first.result, second.result) == (wire.PERFORMED, wire.BAD_SEQUENCE_NUMBER)


def test_numbers_wrap() -> None:
    peer = reconfiguring(peer_tsn=0xFFFFFFFF)
    say(peer, outgoing(peer, 0))
    say(peer, outgoing(peer, 1))
    assert results(peer) == [(0, wire.PERFORMED), (1, wire.PERFORMED)]


# --- 5.2.2: Outgoing SSN Reset Request ---


def test_the_next_expected_number_of_the_listed_streams_is_0() -> None:
    """E3, E5 and E6: "all other non-listed SSNs remain unchanged"."""
    peer = reconfiguring()
    for tsn, stream in enumerate((1, 2, 3), 1):
        peer.deliver(peer.data(tsn, stream=stream, ssn=0))
    peer.take()
    say(peer, outgoing(peer, 0, 1, 2, last=3))
    assert results(peer) == [(0, wire.PERFORMED)]
    assert told(peer) == [(False, True, [1, 2], RECONFIG_DONE)]
    for tsn, (stream, ssn) in enumerate(((1, 0), (2, 0), (3, 1)), 4):
        peer.deliver(peer.data(tsn, stream=stream, ssn=ssn))
    assert [message[1:4:2] for message in peer.association.read()[3:]] == [(1, 0), (2, 0), (3, 1)]


def test_without_a_list_all_streams_are_reset() -> None:
    """E3."""
    peer = reconfiguring()
    for tsn in range(1, 11):
        peer.deliver(peer.data(tsn, stream=tsn - 1, ssn=0))
    say(peer, outgoing(peer, 0, last=10))
    for tsn in range(11, 21):
        peer.deliver(peer.data(tsn, stream=tsn - 11, ssn=0))
    assert peer.association.readable == 20


def test_data_that_is_missing_defers_the_reset() -> None:
    """E2: "In progress"; what lies behind on the affected streams waits; E4 and E5 when the data is there."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1, last=2))
    assert results(peer) == [(0, wire.IN_PROGRESS)]
    peer.deliver(peer.data(3, b"after", stream=1, ssn=0))
    peer.deliver(peer.data(4, b"other", stream=2, ssn=0))
    assert peer.read() == [b"other"]
    assert peer.take()[-1].sack.gaps == [(3, 4)]
    peer.deliver(peer.data(1, b"before", stream=1, ssn=0))
    assert results(peer) == []
    peer.deliver(peer.data(2, b"last", stream=1, ssn=1))
    assert results(peer) == [(0, wire.PERFORMED)]
    assert told(peer) == [(False, True, [1], RECONFIG_DONE)]
    assert peer.read() == [b"before", b"last", b"after"]


def test_a_retransmission_while_in_progress_is_told_how_it_is_by_now() -> None:
    peer = reconfiguring()
    for _ in range(2):
        say(peer, outgoing(peer, 0, 1, last=1))
        assert results(peer) == [(0, wire.IN_PROGRESS)]
    peer.deliver(peer.data(1, stream=1, ssn=0))
    peer.take()
    say(peer, outgoing(peer, 0, 1, last=1))
    assert results(peer) == [(0, wire.PERFORMED)]


def test_a_last_tsn_that_was_never_sent_holds_up_its_streams_only() -> None:
    """A lie by millions costs the liar: memory is bounded by the window, and other streams go on."""
    peer = reconfiguring(receive_buffer=8192)
    say(peer, outgoing(peer, 0, 1, last=1 << 30))
    assert results(peer) == [(0, wire.IN_PROGRESS)]
    for tsn in range(1, 101):
        peer.deliver(peer.data(tsn, 1000, stream=1, ssn=tsn - 1))
    assert peer.association.tcb.window.held <= 2 * 8192
    peer.deliver(peer.data(peer.take()[-1].sack.cumulative + 1, b"other", stream=2, ssn=0))
    say(peer, outgoing(peer, 1))
    assert results(peer)[-1] == (1, wire.ALREADY_IN_PROGRESS)
    assert peer.association.state == ESTABLISHED


def test_streams_that_are_not_there_are_an_error() -> None:
    """Table 3: "Error - Wrong SSN"; nothing else of the request is done."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1, 10))
    say(peer, incoming(peer, 1, 10))
    assert results(peer) == [(0, wire.WRONG_SSN), (1, wire.WRONG_SSN)]
    assert told(peer) == []


def test_messages_that_wait_for_a_number_left_out_are_handed_over_by_the_reset() -> None:
    """Nothing that was acknowledged is lost, nor does it meet the numbers from after the reset."""
    peer = reconfiguring()
    peer.deliver(peer.data(1, b"5", stream=1, ssn=5))
    peer.deliver(peer.data(2, b"3", stream=1, ssn=3))
    say(peer, outgoing(peer, 0, 1, last=2))
    peer.deliver(peer.data(3, b"0", stream=1, ssn=0))
    assert peer.read() == [b"3", b"5", b"0"]


# --- 5.2.3: Incoming SSN Reset Request ---


def test_an_incoming_reset_is_answered_by_an_outgoing_one_with_its_streams_and_number() -> None:
    """F1, F2 and A4: "the stream numbers MUST be copied"."""
    peer = reconfiguring()
    peer.send(10, stream=1)
    peer.sack(1)
    peer.take()
    say(peer, incoming(peer, 0, 2, 1))
    asked = heard_one(peer)
    assert (asked.kind, asked.streams, asked.response_number) == (PARAM_OUTGOING_RESET, [2, 1], peer.peer_tsn)
    assert (asked.number, asked.last_tsn) == (peer.tsn, peer.tsn)
    peer.send(10, stream=1)
    assert peer.take() == []
    respond(peer, asked)
    [packet] = peer.take()
    assert [(chunk.stream, chunk.ssn) for chunk in packet.data] == [(1, 0)]
    assert told(peer) == [(True, False, [2, 1], RECONFIG_DONE)]


def test_both_directions_are_answered_by_a_response_and_a_request() -> None:
    """Section 3.1, combination 9, and Appendix A."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0), incoming(peer, 1))
    [[response, asked]] = heard(peer)
    assert (response.number, response.result) == (peer.peer_tsn, wire.PERFORMED)
    assert (asked.kind, asked.streams, asked.response_number) == (PARAM_OUTGOING_RESET, [], peer.peer_tsn + 1)


def test_the_answer_waits_for_data_in_flight_and_says_so() -> None:
    """Section 5.1.1: a chunk with a request that cannot be sent yet "MUST be buffered"."""
    peer = reconfiguring()
    peer.send(10, stream=1)
    peer.take()
    say(peer, incoming(peer, 0, 1))
    assert results(peer) == [(0, wire.IN_PROGRESS)]
    peer.sack(1)
    asked = heard_one(peer)
    assert (asked.kind, asked.response_number) == (PARAM_OUTGOING_RESET, peer.peer_tsn)


@pytest.mark.parametrize(("streams", "denied"), [(708, False), (710, True)])
def test_a_list_that_does_not_fit_into_our_request_beside_responses_is_denied(streams: int, denied: bool) -> None:
    """F1: the request is "according to Section 5.1.2", with all the stream numbers, and it is one packet."""
    peer = reconfiguring(streams=1000)
    say(peer, incoming(peer, 0, *range(streams)))
    [packet] = peer.take()
    [[answer]] = in_packet(packet)
    assert len(packet.bytes) <= 1472
    assert answer.result == wire.DENIED if denied else answer.streams == list(range(streams))


def test_a_reset_that_was_just_sent_and_overlaps_leaves_nothing_to_do() -> None:
    """ "If the Outgoing SSN Reset Request Parameter that was just sent completely overlaps"."""
    peer = reconfiguring()
    reset(peer, out=True, streams=(1, 2))
    asked = heard_one(peer)
    say(peer, incoming(peer, 0, 1))
    assert results(peer) == [(0, wire.NOTHING_TO_DO)]
    respond(peer, asked)
    assert peer.take() == []
    # "the Incoming request will arrive after the Outgoing SSN Reset Request just completed"
    say(peer, incoming(peer, 1, 2))
    assert results(peer) == [(1, wire.NOTHING_TO_DO)]
    peer.send(10, stream=2)
    peer.sack(1)
    peer.take()
    say(peer, incoming(peer, 2, 2))
    assert heard_one(peer).kind == PARAM_OUTGOING_RESET


def test_a_reset_that_overlaps_in_part_is_done_after_the_one_in_flight() -> None:
    """ "Otherwise, process the Incoming SSN Reset Request Parameter normally"; but one request at a time (5.1.1)."""
    peer = reconfiguring()
    reset(peer, out=True, streams=(1, 2))
    asked = heard_one(peer)
    say(peer, incoming(peer, 0, 2, 3))
    assert results(peer) == [(0, wire.IN_PROGRESS)]
    say(peer, incoming(peer, 1, 4))
    assert results(peer) == [(1, wire.ALREADY_IN_PROGRESS)]
    respond(peer, asked)
    second = heard_one(peer)
    assert (second.streams, second.response_number) == ([2, 3], peer.peer_tsn)
    respond(peer, second)
    assert [event[2] for event in told(peer)] == [[1, 2], [2, 3]]


# --- 5.2.4: SSN/TSN Reset Request ---


def test_a_tsn_reset_moves_both_numberings() -> None:
    """G1 to G7, D3 and D4."""
    peer = reconfiguring()
    peer.send(10, 10)
    peer.sack(2)
    peer.deliver(peer.data(1, ssn=0))
    peer.take()
    say(peer, wire.tsn_reset(peer.peer_tsn))
    [packet] = peer.take()
    [[answer]] = in_packet(packet)
    theirs = (peer.peer_tsn + 1 + (1 << 31)) & 0xFFFFFFFF
    assert (answer.result, answer.next_tsns) == (wire.PERFORMED, ((peer.tsn + 2) & 0xFFFFFFFF, theirs))
    [event] = peer.events_of(AssociationReset)
    assert (event.local_tsn, event.peer_tsn) == answer.next_tsns
    peer.send(10)
    [packet] = peer.take()
    assert [(chunk.tsn, chunk.ssn) for chunk in packet.data] == [(3, 0)]
    peer.deliver(peer.data(2, b"late", ssn=1))  # Data from before is discarded.
    peer.deliver(peer.data(2 + (1 << 31), b"new", ssn=0))
    assert peer.read()[1:] == [b"new"]


def test_no_sack_of_the_old_tsns_is_owed_after_a_tsn_reset() -> None:
    """Before the response is there, a SACK of the new TSNs would acknowledge what was never sent."""
    peer = reconfiguring()
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2, ssn=1))
    peer.take()
    say(peer, wire.tsn_reset(peer.peer_tsn))
    assert [packet.names for packet in peer.take()] == [["RE-CONFIG"]]
    peer.advance(1)
    assert peer.take() == []


def test_other_responses_have_no_tsns() -> None:
    """D3 and D4: "For other requests [...] MUST NOT be used"."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0))
    assert heard_one(peer).next_tsns is None


@pytest.mark.parametrize("number", [0, 5])
def test_a_tsn_reset_that_is_refused_is_told_the_tsns_too(number: int) -> None:
    """D3 and D4: "If the incoming request is an SSN/TSN reset request [...] MUST be filled"."""
    peer = reconfiguring(allow_association_reset=False)
    say(peer, wire.tsn_reset(peer.peer_tsn + number))
    answer = heard_one(peer)
    assert answer.result == (wire.BAD_SEQUENCE_NUMBER if number else wire.DENIED)
    assert answer.next_tsns == (peer.tsn, (peer.peer_tsn + (1 << 31)) & 0xFFFFFFFF)
    assert peer.events_of(AssociationReset) == []


def test_data_in_flight_counts_as_acknowledged_and_a_message_begun_is_sent_anew() -> None:
    """G3."""
    peer = reconfiguring()
    peer.send(10 * FULL)
    assert len(peer.take()) == 4
    space = peer.association.send_space
    say(peer, wire.tsn_reset(peer.peer_tsn))
    [first, *rest] = peer.take()
    assert first.names[0] == "RE-CONFIG"
    chunks = [chunk for packet in [first, *rest] for chunk in packet.data]
    assert chunks[0].flags & DATA_BEGIN
    assert (chunks[0].tsn, chunks[0].ssn) == (5, 0)
    assert peer.association.send_space == space
    while not peer.association.tcb.outstanding.empty:
        peer.sack(peer.last_tsn)
        chunks += [chunk for packet in peer.take() for chunk in packet.data]
    assert sum(len(chunk.data) for chunk in chunks) == 10 * FULL
    assert chunks[-1].flags & DATA_END
    assert peer.association.send_space == peer.association.config.send_buffer


def test_what_the_peer_has_not_finished_will_not_be() -> None:
    """G4: the same as a FORWARD-TSN for all streams; what is whole is handed over."""
    peer = reconfiguring(partial_delivery_point=2 * FULL)
    peer.deliver(peer.data(1, FULL, flags=DATA_BEGIN, ssn=0))
    peer.deliver(peer.data(2, FULL, flags=0, ssn=0))
    peer.deliver(peer.data(5, b"ahead", stream=1, ssn=1))
    assert [len(part) for part in peer.read()] == [2 * FULL]
    peer.deliver(peer.data(3, FULL, flags=0, ssn=0))
    say(peer, wire.tsn_reset(peer.peer_tsn))
    assert peer.read() == [b"ahead"]
    [event] = peer.events_of(PartialDeliveryAborted)
    assert (event.stream, event.ssn, event.readable) == (0, 0, 0)
    assert peer.association.tcb.window.held == 0


def test_a_tsn_reset_beside_a_request_of_ours_is_refused() -> None:
    peer = reconfiguring()
    reset_all(peer)
    peer.take()
    say(peer, wire.tsn_reset(peer.peer_tsn))
    assert results(peer) == [(0, wire.ALREADY_IN_PROGRESS)]
    say(peer, outgoing(peer, 1))
    assert results(peer) == [(1, wire.ALREADY_IN_PROGRESS)]


@pytest.mark.parametrize("whose", ["ours", "the peer's"])
def test_a_tsn_reset_beside_a_reset_of_streams_is_refused(whose: str) -> None:
    """One request at a time is under way (section 5.1.1), and none while data waits for another one."""
    peer = reconfiguring()
    if whose == "ours":
        reset(peer, out=True, streams=(1,))
        peer.take()
        say(peer, wire.tsn_reset(peer.peer_tsn))
        assert results(peer) == [(0, wire.ALREADY_IN_PROGRESS)]
    else:
        say(peer, outgoing(peer, 0, 1, last=5))
        say(peer, wire.tsn_reset(peer.peer_tsn + 1))
        assert results(peer) == [(0, wire.IN_PROGRESS), (1, wire.ALREADY_IN_PROGRESS)]
    assert peer.events_of(AssociationReset) == []


# --- 5.2.5, 5.2.6: added streams ---


def test_added_streams_of_the_peer_begin_with_ssn_0() -> None:
    """Section 5.2.5."""
    peer = reconfiguring()
    say(peer, wire.add_outgoing(peer.peer_tsn, 2))
    assert results(peer) == [(0, wire.PERFORMED)]
    [event] = peer.events_of(StreamsAdded)
    assert (event.inbound, event.outbound) == (12, 10)
    peer.deliver(peer.data(1, stream=11, ssn=0))
    assert peer.association.readable == 1


def test_more_streams_than_the_limit_are_denied() -> None:
    """ "SHOULD deny the request if the number of streams exceeds a limit that should be configurable"."""
    peer = reconfiguring(max_inbound_streams=11, max_outbound_streams=11)
    first = peer.peer_tsn
    say(peer, wire.add_outgoing(first, 2))
    say(peer, wire.add_incoming(first + 1, 2))
    say(peer, wire.add_outgoing(first + 2, 65535))
    say(peer, wire.add_incoming(first + 3, 65535))
    assert results(peer) == [(number, wire.DENIED) for number in range(4)]
    say(peer, wire.add_outgoing(first + 4, 1))
    assert results(peer) == [(4, wire.PERFORMED)]


def test_no_stream_at_all_is_nothing_to_do() -> None:
    peer = reconfiguring()
    say(peer, wire.add_outgoing(peer.peer_tsn, 0))
    say(peer, wire.add_incoming(peer.peer_tsn + 1, 0))
    assert results(peer) == [(0, wire.NOTHING_TO_DO), (1, wire.NOTHING_TO_DO)]


def test_incoming_streams_are_added_by_our_own_request_and_then_that_is_told() -> None:
    """Section 5.2.6. The request for outgoing streams does not say what it answers, so that is said afterwards."""
    peer = reconfiguring()
    say(peer, wire.add_incoming(peer.peer_tsn, 3))
    asked = heard_one(peer)
    assert (asked.kind, asked.count) == (PARAM_ADD_OUTGOING, 3)
    say(peer, wire.add_incoming(peer.peer_tsn, 3))
    assert heard_one(peer).number == asked.number
    respond(peer, asked)
    assert results(peer) == [(0, wire.PERFORMED)]
    assert peer.association.outbound_streams == 13
    say(peer, wire.add_incoming(peer.peer_tsn, 3))
    assert results(peer) == [(0, wire.PERFORMED)]
    assert peer.association.outbound_streams == 13


# --- peers that lie ---


def test_of_requests_that_do_not_wait_for_their_answers_the_first_one_counts() -> None:
    """One at a time (section 5.1.1); else a packet could fill the memory with events."""
    peer = reconfiguring()
    peer.deliver(b"".join(wire.encode([outgoing(peer, number)]) for number in range(70)))
    assert [len(peer.events_of(StreamsReset)), peer.association.stats.reconfigurations] == [1, 1]
    assert {result for _, result in results(peer)[1:]} == {wire.BAD_SEQUENCE_NUMBER}
    say(peer, outgoing(peer, 1))
    assert results(peer) == [(1, wire.PERFORMED)]


def test_a_flood_of_bad_requests_is_answered_with_no_more_than_it_brought() -> None:
    peer = reconfiguring()
    flood = b"".join(wire.encode([wire.tsn_reset(peer.peer_tsn + 100)]) for _ in range(120))
    peer.deliver(flood)
    packets = peer.take()
    assert sum(len(packet.bytes) for packet in packets) <= len(flood) + 2 * 28
    assert peer.association.state == ESTABLISHED


def test_a_tsn_never_sent_is_still_a_lie_after_a_reset() -> None:
    peer = reconfiguring()
    reset_all(peer)
    respond(peer, heard_one(peer), next_tsns=(peer.peer_tsn, (peer.tsn + (1 << 31)) & 0xFFFFFFFF))
    peer.send(10)
    peer.deliver(peer.sack_chunk((1 << 31) + 5))
    assert peer.association.state == CLOSED
