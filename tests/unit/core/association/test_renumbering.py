"""Numbers that begin anew: what waited for it is handed over, counted and told, and nothing of the old ones is kept."""

from __future__ import annotations

import pytest

from sctpx.core.association import renumbering
from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.association.tail_probe import TailProbe
from sctpx.core.events import AssociationReset, CommunicationLost, Readable, StreamsReset
from sctpx.core.rx.deferred import Deferred
from sctpx.wire import reconfig as wire
from sctpx.wire.codes import CAUSE_PROTOCOL_VIOLATION, DATA_BEGIN
from sctpx.wire.serial import UNWRAPPED
from tests.conformance.peer import Peer
from tests.conformance.reconfig import heard_one, outgoing, reconfiguring, respond, results, say

BEGIN, MIDDLE = DATA_BEGIN, 0


def violations(peer: Peer) -> list[int]:
    """The causes of the ABORT that the stack has ended the association with."""
    assert peer.association.state == CLOSED
    [lost] = peer.events_of(CommunicationLost)
    assert not lost.by_peer
    return [code for code, _ in lost.causes]


# --- what waited for a reset (RFC 6525 section 5.2.2 E2 to E5) ---


def test_what_waited_can_be_read_and_that_is_told_though_nothing_else_became_readable() -> None:
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1, last=1))
    peer.deliver(peer.data(2, b"after", stream=1, ssn=0))
    assert peer.events_of(Readable) == []
    peer.deliver(peer.data(1, stream=77))  # The missing TSN is of a stream that is not there (RFC 9260 section 6.5).
    assert len(peer.events_of(Readable)) == 1
    assert peer.association.stats.messages_received == 1
    assert peer.read() == [b"after"]


def test_what_a_reset_hands_over_is_counted_and_told_before_the_reset() -> None:
    """A message that waits for a number left out can be read without it, by whoever asks at that event."""
    peer = reconfiguring()
    peer.deliver(peer.data(1, b"early", stream=1, ssn=5))
    say(peer, outgoing(peer, 0, 1, last=1))
    told = [event for event in peer.events if isinstance(event, (Readable, StreamsReset))]
    assert [type(event) for event in told] == [Readable, StreamsReset]
    assert peer.association.stats.messages_received == 1
    assert peer.read() == [b"early"]


def test_the_address_is_known_that_what_waited_came_from() -> None:
    """The count of messages says from which address each of them came."""
    peer = reconfiguring(paths=2)
    say(peer, outgoing(peer, 0, 1, last=1))
    peer.deliver(peer.data(2, b"after", stream=1, ssn=0), path=2)
    peer.deliver(peer.data(1, b"before", stream=1, ssn=0), path=2)
    peer.deliver(peer.data(3, b"later", stream=1, ssn=1), path=1)
    seen = []
    for _ in range(3):
        seen.append(peer.association.source)
        peer.read(1)
    assert seen == [bytes((10, 0, path, 2)) for path in (2, 2, 1)]


def test_a_fragment_without_a_beginning_that_waited_ends_the_association() -> None:
    """RFC 9260 section 6.9: between the fragments of a message there is none of another one."""
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1, last=1))
    peer.deliver(peer.data(2, 10, flags=MIDDLE, stream=1, ssn=0))
    assert results(peer) == [(0, wire.IN_PROGRESS)]
    assert peer.association.state == ESTABLISHED
    peer.deliver(peer.data(1, b"before", stream=1, ssn=0))
    assert violations(peer) == [CAUSE_PROTOCOL_VIOLATION]
    assert peer.association.read()[0][0] == b"before"
    assert peer.events_of(Readable) != []
    assert results(peer) == []


def test_messages_within_each_other_that_waited_end_the_association() -> None:
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, 1, last=1))
    peer.deliver(peer.data(2, 10, flags=BEGIN, stream=1, ssn=0))
    peer.deliver(peer.data(3, 10, flags=BEGIN, stream=1, ssn=1))
    assert peer.association.state == ESTABLISHED
    peer.deliver(peer.data(1, b"before", stream=1, ssn=0))
    assert violations(peer) == [CAUSE_PROTOCOL_VIOLATION]


# --- our request for other TSNs (section 5.2.7 H5) ---


def ask_for_tsns(peer: Peer) -> wire.Parameter:
    """The user has all numbers begin anew: the request."""
    peer.association.reset_association(peer.now)
    peer.settle()
    return heard_one(peer)


def test_sacks_of_tsns_from_before_are_no_lie_and_those_of_later_ones_are() -> None:
    for tsn, state in ((1, ESTABLISHED), (2, ESTABLISHED), (3, CLOSED)):
        peer = reconfiguring()
        peer.send(10, 10)
        peer.sack(2)
        peer.take()
        asked = ask_for_tsns(peer)
        respond(peer, asked, next_tsns=(peer.peer_tsn, (peer.tsn - 1000) & 0xFFFFFFFF))
        assert len(peer.events_of(AssociationReset)) == 1
        peer.deliver(peer.sack_chunk(tsn))
        assert peer.association.state == state


def test_nothing_is_kept_that_is_known_by_tsns_from_before() -> None:
    peer = reconfiguring()
    peer.send(10, 10)
    peer.sack(2)
    tcb, path = peer.association.tcb, peer.path()
    tcb.tail_probe = TailProbe(path, path, -1)
    path.rtt_tsn = path.earliest_tsn = path.timed_out_tsn = path.last_batch_tsn = tcb.outstanding.next_tsn - 1
    renumbering.begin_tsns(tcb, 5)
    assert tcb.tail_probe is None
    assert (path.rtt_tsn, path.earliest_tsn, path.timed_out_tsn, path.last_batch_tsn) == (-1, -1, -1, -1)
    assert (tcb.outstanding.next_tsn, tcb.outstanding.empty) == (5 + UNWRAPPED, True)


def test_the_peer_goes_on_where_it_says_and_what_it_has_left_out_is_not_waited_for() -> None:
    """The Sender's Next TSN may lie behind TSNs that never came: they count as received."""
    for ahead in (0, 1, 4):
        peer = reconfiguring()
        peer.deliver(peer.data(1, ssn=0))
        asked = ask_for_tsns(peer)
        respond(peer, asked, next_tsns=(peer.peer_tsn + 1 + ahead, 77))
        peer.deliver(peer.data(2 + ahead, b"new", ssn=0))
        peer.deliver(peer.data(3 + ahead, b"newer", ssn=1))
        assert peer.take()[-1].sack[:1] == (3 + ahead,)
        assert peer.read()[1:] == [b"new", b"newer"]


def test_a_peer_whose_old_data_broke_the_rules_gets_no_new_numbers() -> None:
    peer = reconfiguring()
    asked = ask_for_tsns(peer)
    peer.deliver(peer.data(1, 10, flags=BEGIN, ssn=0))
    peer.deliver(peer.data(2, 10, flags=BEGIN, ssn=1))
    assert peer.association.state == ESTABLISHED
    respond(peer, asked, next_tsns=(peer.peer_tsn + 2, 77))
    assert violations(peer) == [CAUSE_PROTOCOL_VIOLATION]
    assert [event.result for event in peer.events_of(AssociationReset)] != [0]


# --- the peer's request (section 5.2.4 G1 to G5) ---


def test_sacks_that_are_owed_for_tsns_from_before_do_not_leave() -> None:
    peer = reconfiguring()
    peer.deliver(peer.data(1, ssn=0), peer.data(2, ssn=1), wire.encode([wire.tsn_reset(peer.peer_tsn)]))
    assert [packet.names for packet in peer.take()] == [["RE-CONFIG"]]
    peer.deliver_at_once(
        peer.data(2 + (1 << 31), ssn=0),
        peer.data(3 + (1 << 31), ssn=1),
        wire.encode([wire.tsn_reset(peer.peer_tsn + 1)]),
    )
    assert [name for packet in peer.take() for name in packet.names] == ["RE-CONFIG"]


@pytest.mark.parametrize("streams", [(), (1,)])
def test_an_association_that_defers_nothing_takes_the_short_way_again(streams: tuple[int, ...]) -> None:
    peer = reconfiguring()
    say(peer, outgoing(peer, 0, *streams, last=1))
    assert not peer.association.tcb.takes_short_way
    peer.deliver(peer.data(1, ssn=0))
    assert peer.association.tcb.takes_short_way
    assert peer.association.tcb.deferred is None


def test_only_what_lies_below_is_released_and_the_rest_goes_on_waiting() -> None:
    peer = Peer()
    tcb = peer.association.tcb
    tcb.defer(Deferred(tcb.tsn_map.cumulative_tsn, []))
    for tsn in (1, 2, 3):
        peer.deliver(peer.data(tsn, bytes([tsn]), ssn=tsn - 1))
    first = tcb.tsn_map.cumulative_tsn - 2
    assert renumbering.release_deferred(tcb, first + 2)
    assert peer.read() == [b"\1", b"\2"]
    assert tcb.deferred is not None
    assert renumbering.release_deferred(tcb)
    assert peer.read() == [b"\3"]
    assert tcb.deferred is None
