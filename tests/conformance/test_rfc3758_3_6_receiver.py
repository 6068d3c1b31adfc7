"""RFC 3758 sections 3.2, 3.3 and 3.6: what a receiver does with FORWARD-TSN, and what becomes of bad ones."""

from __future__ import annotations

from itertools import permutations

import pytest

from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, PartialDeliveryAborted
from sctpx.testing import Pair
from sctpx.wire import control
from sctpx.wire import reconfig as wire
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import (
    CAUSE_PROTOCOL_VIOLATION,
    CAUSE_UNRECOGNIZED_CHUNK,
    CHUNK_FORWARD_TSN,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    DATA_BEGIN,
    DATA_END,
    DATA_UNORDERED,
    PARAM_FORWARD_TSN_SUPPORTED,
)
from sctpx.wire.setup import parse
from tests.conformance.peer import Peer, Sack
from tests.conformance.reconfig import reconfiguring, say


def cumulative(peer: Peer) -> int:
    """The Cumulative TSN of the stack, in the peer's numbers."""
    return (peer.association.cumulative_tsn - peer.peer_tsn + 1) & 0xFFFFFFFF


def last_sack(peer: Peer) -> Sack:
    """What the stack acknowledges, when it does at last."""
    packets = [packet for packet in peer.take() or peer.wait() if "SACK" in packet.names]
    return packets[-1].sack


# 3.3: negotiation.


@pytest.mark.parametrize("a", [False, True])
@pytest.mark.parametrize("b", [False, True])
def test_it_is_agreed_on_if_both_sides_have_said_so(a: bool, b: bool) -> None:
    configs = [AssociationConfig(partial_reliability=wanted) for wanted in (a, b)]
    with Pair(config=configs[0], b_config=configs[1]).connect() as pair:
        assert pair.a.association.partial_reliability is pair.b.association.partial_reliability is (a and b)
        for name, wanted in (("INIT", a), ("INIT ACK", a and b)):
            [packet] = [packet for packet in pair.network.packets() if packet.chunks == [name]]
            flags = parse(packet.data[16:], ack=name == "INIT ACK").flags
            assert (PARAM_FORWARD_TSN_SUPPORTED in flags) is wanted


def test_a_peer_that_lists_the_chunk_among_its_extensions_needs_no_parameter() -> None:
    """RFC 5061 section 4.2.7: "MUST support the sending and receiving of any chunk types listed". pion says no more."""
    peer = Peer(extensions=[CHUNK_FORWARD_TSN])
    assert peer.association.partial_reliability
    peer.deliver(peer.forward_tsn(2))
    assert cumulative(peer) == 2


def test_we_say_it_both_ways() -> None:
    with Pair(1).connect() as pair:
        for name in ("INIT", "INIT ACK"):
            [packet] = [packet for packet in pair.network.packets() if packet.chunks == [name]]
            assert CHUNK_FORWARD_TSN in parse(packet.data[16:], ack=name == "INIT ACK").extensions


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True)])
def test_without_an_agreement_a_forward_tsn_draws_an_error_and_does_nothing(ours: bool, theirs: bool) -> None:
    """ "It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR" """
    peer = Peer(forwards=theirs, partial_reliability=ours)
    peer.deliver(peer.forward_tsn(5))
    [packet] = peer.take()
    [(code, _)] = parse_causes(packet.value("ERROR"))
    assert code == CAUSE_UNRECOGNIZED_CHUNK
    assert cumulative(peer) == 0


@pytest.mark.parametrize("extensions", [[CHUNK_I_DATA], [CHUNK_I_DATA, CHUNK_I_FORWARD_TSN]])
def test_with_interleaving_the_peer_has_to_list_i_forward_tsn(extensions: list[int]) -> None:
    peer = Peer(extensions=extensions, interleaving=True, forwards=True)
    assert peer.association.partial_reliability is (CHUNK_I_FORWARD_TSN in extensions)


BOTH = [CHUNK_I_DATA, CHUNK_I_FORWARD_TSN]


@pytest.mark.parametrize("forwards", [False, True])
@pytest.mark.parametrize(
    ("interleaving", "extensions", "chunk"),
    [
        (True, BOTH, "forward_tsn"),
        (True, [CHUNK_I_DATA], "forward_tsn"),
        (True, [CHUNK_I_DATA], "i_forward_tsn"),
        (False, BOTH, "i_forward_tsn"),
        (True, [], "i_forward_tsn"),
        (True, [CHUNK_I_FORWARD_TSN], "i_forward_tsn"),
    ],
)
def test_the_chunk_that_was_not_agreed_on_ends_the_association(
    interleaving: bool, extensions: list[int], chunk: str, forwards: bool
) -> None:
    """RFC 8260 section 2.3.1: "the receiver of the FORWARD-TSN chunk MUST abort the association", and "The same
    applies if I-FORWARD-TSN support has not been negotiated"; whether FORWARD-TSN was, which ``forwards`` says, or not.
    """
    peer = Peer(extensions=extensions, interleaving=interleaving, forwards=forwards)
    peer.deliver(getattr(peer, chunk)(1))
    [packet] = peer.take()
    [(code, _)] = parse_causes(packet.value("ABORT"))
    assert code == CAUSE_PROTOCOL_VIOLATION
    assert peer.events_of(CommunicationLost)


@pytest.mark.parametrize("forwards", [False, True])
def test_i_forward_tsn_is_agreed_on_by_the_supported_extensions_alone(forwards: bool) -> None:
    """RFC 8260 section 2.3.1: "negotiated [...] via the Supported Extensions Parameter"; RFC 3758 has another one."""
    peer = Peer(extensions=BOTH, interleaving=True, forwards=forwards)
    assert peer.association.partial_reliability
    peer.deliver(peer.i_forward_tsn(1, (0, 0, False)))
    peer.deliver(peer.i_data(2, b"next", stream=0, mid=1))
    assert peer.read() == [b"next"]


# 3.6: the Cumulative TSN.


def test_the_point_moves_to_what_is_said_and_on_over_what_was_received() -> None:
    """The example of the section: 103 missing, 104 and 105 received, 106 missing, 107 received."""
    peer = Peer(forwards=True)
    for tsn in (1, 2, 4, 5, 7):
        peer.deliver(peer.data(tsn, flags=7))
    peer.take()
    peer.deliver(peer.forward_tsn(3))
    assert cumulative(peer) == 5
    assert last_sack(peer)[0] == 5  # At once: a TSN is still missing (RFC 9260 section 6.7).
    assert peer.association.tcb.tsn_map.highest_tsn - peer.association.tcb.tsn_map.cumulative_tsn == 2


def test_what_is_out_of_date_moves_nothing_and_draws_a_sack() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(2))
    peer.take()
    for tsn in (2, 1, -5):
        peer.deliver(peer.forward_tsn(tsn))
        [packet] = peer.take()
        assert packet.sack.cumulative == 2


def test_it_counts_as_data_for_the_sack() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.data(1))
    peer.take()
    peer.deliver(peer.forward_tsn(3))
    assert not peer.take()
    assert peer.wait(0.21)[0].sack.cumulative == 3  # SACK.Delay.
    peer.deliver(peer.forward_tsn(4))
    peer.deliver(peer.forward_tsn(5))
    assert peer.take()[0].sack.cumulative == 5  # Every second packet.


def test_bundled_with_data_there_is_one_sack_for_both() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.data(1))
    peer.deliver(peer.data(3, ssn=2))
    peer.take()
    peer.deliver(peer.forward_tsn(2, (0, 1)), peer.data(4, ssn=3))
    [packet] = peer.take()
    assert packet.sack == Sack(4, packet.sack.a_rwnd, [], [])
    assert len(peer.read()) == 3


def test_what_was_skipped_and_comes_all_the_same_is_a_duplicate() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.forward_tsn(2, (0, 1)))
    peer.deliver(peer.data(2))
    assert peer.take()[-1].sack.duplicates == [2]
    assert not peer.read()


# 3.6: delivery.


def test_what_waited_for_what_is_skipped_is_delivered_at_once_in_order() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.data(3, b"c", stream=1, ssn=2))
    peer.deliver(peer.data(2, b"b", stream=1, ssn=1))
    peer.deliver(peer.data(5, b"e", stream=2, ssn=1))
    peer.deliver(peer.data(6, b"f", stream=1, ssn=4))
    assert not peer.read()
    peer.deliver(peer.forward_tsn(1, (1, 0)))
    assert peer.read() == [b"b", b"c"]
    peer.deliver(peer.forward_tsn(4, (2, 0)))
    assert peer.read() == [b"e"]
    peer.deliver(peer.data(7, b"d", stream=1, ssn=3))
    assert peer.read() == [b"d", b"f"]


def test_only_the_streams_that_are_named_move() -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.data(2, b"b", stream=1, ssn=1))
    peer.deliver(peer.forward_tsn(1))
    assert not peer.read()
    peer.deliver(peer.forward_tsn(3, (1, 0)))
    assert peer.read() == [b"b"]


def test_an_older_ssn_takes_no_stream_back() -> None:
    peer = Peer(forwards=True)
    for tsn in (1, 2):
        peer.deliver(peer.data(tsn))
    peer.deliver(peer.forward_tsn(4, (0, 0)))
    peer.deliver(peer.data(5, b"c", ssn=2))
    assert len(peer.read()) == 3


@pytest.mark.parametrize("flags", [0, DATA_UNORDERED])
def test_a_message_that_lacks_a_fragment_is_removed(flags: int) -> None:
    peer = Peer(forwards=True)
    rwnd = peer.association.local_rwnd
    peer.deliver(peer.data(1, 1000, flags=flags | DATA_BEGIN, ssn=0))
    peer.deliver(peer.data(3, 1000, flags=flags | DATA_END, ssn=0))
    peer.deliver(peer.forward_tsn(3, (0, 0)))
    assert not peer.read()
    assert peer.association.tcb.window.held == 0
    peer.deliver(peer.data(4, b"next", flags=flags | 3, ssn=1))
    assert peer.read() == [b"next"]
    assert peer.association.local_rwnd >= rwnd - 2000


@pytest.mark.parametrize("interleaving", [False, True])
def test_the_next_message_comes_behind_the_news_that_the_one_before_will_not_be_whole(interleaving: bool) -> None:
    """Whoever reads would else take its beginning for more of the message that is given up."""
    peer = Peer(extensions=BOTH, interleaving=interleaving, forwards=True, partial_delivery_point=1000)
    for tsn, ssn in ((1, 0), (3, 1)):
        begin = peer.i_data(tsn, 1400, flags=DATA_BEGIN, mid=ssn)
        peer.deliver(begin if interleaving else peer.data(tsn, 1400, flags=DATA_BEGIN, ssn=ssn))
    assert peer.association.readable == 1
    peer.deliver(peer.i_forward_tsn(2, (0, 0, False)) if interleaving else peer.forward_tsn(2, (0, 0)))
    [event] = peer.events_of(PartialDeliveryAborted)
    assert (event.stream, event.ssn, event.readable) == (0, 0, 1)
    assert [message[3] for message in peer.association.read()] == [0, 1]


def test_of_a_message_that_was_handed_over_in_parts_the_user_is_told_that_no_more_will_come() -> None:
    peer = Peer(forwards=True, partial_delivery_point=2000)
    peer.deliver(peer.data(1, 1400, flags=DATA_BEGIN, stream=4, ssn=0))
    peer.deliver(peer.data(2, 1400, flags=0, stream=4, ssn=0))
    assert len(peer.read()) == 1
    peer.deliver(peer.forward_tsn(3, (4, 0)))
    [event] = peer.events_of(PartialDeliveryAborted)
    assert (event.stream, event.ssn) == (4, 0)
    peer.deliver(peer.data(4, b"next", stream=4, ssn=1))
    assert peer.read() == [b"next"]


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("end", ["given up", "aborted"])
def test_what_waited_for_the_end_of_a_message_in_parts_is_told_behind_the_news_that_no_more_will_come(
    end: str, interleaving: bool
) -> None:
    """A reader that joins parts would take it for the end of that message."""
    peer = Peer(extensions=BOTH, interleaving=interleaving, forwards=True, partial_delivery_point=2000)
    if interleaving:
        peer.deliver(peer.i_data(1, 1400, flags=DATA_UNORDERED | DATA_BEGIN, mid=0))
        peer.deliver(peer.i_data(2, 1400, flags=DATA_UNORDERED, mid=0, last=1))
        peer.deliver(peer.i_data(4, b"held back", flags=DATA_UNORDERED | DATA_BEGIN | DATA_END, mid=1))
    else:
        peer.deliver(peer.data(1, 1400, flags=DATA_UNORDERED | DATA_BEGIN))
        peer.deliver(peer.data(2, 1400, flags=DATA_UNORDERED))
        peer.deliver(peer.data(4, b"held back", flags=DATA_UNORDERED | DATA_BEGIN | DATA_END))
    assert peer.association.readable == 1
    if end == "aborted":
        peer.deliver(control.abort([]))
    else:
        peer.deliver(peer.i_forward_tsn(3, (0, 0, True)) if interleaving else peer.forward_tsn(3))
    [event] = peer.events_of(PartialDeliveryAborted)
    assert event.readable == 1
    assert [len(message) for message in peer.read()] == [2800, len(b"held back")]


def test_i_forward_tsn_skips_ordered_and_unordered_messages_by_mid() -> None:
    peer = Peer(extensions=BOTH, interleaving=True, forwards=True)
    peer.deliver(peer.i_data(2, b"b", stream=1, mid=70_001))
    peer.deliver(peer.i_data(3, b"u", flags=DATA_UNORDERED | DATA_BEGIN, stream=1, mid=9))
    assert not peer.read()
    peer.deliver(peer.i_forward_tsn(4, (1, 70_000, False), (1, 9, True)))
    assert peer.read() == [b"b"]
    assert peer.association.tcb.window.held == 0
    assert cumulative(peer) == 4


@pytest.mark.parametrize("unordered", [False, True])
def test_a_fragment_that_was_under_way_when_its_message_was_given_up_is_dropped(unordered: bool) -> None:
    """Its TSN is above the New Cumulative TSN, since chunks of another message lie between."""
    peer = Peer(extensions=BOTH, interleaving=True, forwards=True)
    flags = DATA_UNORDERED if unordered else 0
    peer.deliver(peer.i_forward_tsn(1, (1, 0, unordered)))
    peer.deliver(peer.i_data(3, 500, flags=flags | DATA_END, stream=1, mid=0, last=1))
    peer.deliver(peer.i_data(2, b"other", stream=2, mid=0))
    peer.deliver(peer.i_data(4, b"next", flags=flags | 3, stream=1, mid=1))
    assert peer.read() == [b"other", b"next"]
    assert peer.association.tcb.window.held == peer.association.tcb.reassembly.messages == 0
    assert cumulative(peer) == 4


REST = {2: DATA_BEGIN, 3: 0, 4: DATA_END}
"""Flags of the fragments of one message, by TSN."""


@pytest.mark.parametrize("unordered", [0, DATA_UNORDERED])
@pytest.mark.parametrize("upto", [2, 3])
@pytest.mark.parametrize("order", list(permutations((2, 3, 4))))
def test_the_rest_of_a_message_that_is_skipped_in_part_is_dropped(
    order: tuple[int, ...], upto: int, unordered: int
) -> None:
    """What comes of it behind the New Cumulative TSN is no fault of the peer: it may have been under way."""
    for before in range(4):
        peer = Peer(forwards=True)
        for tsn in order[:before]:
            peer.deliver(peer.data(tsn, 500, flags=REST[tsn] | unordered, ssn=0))
        peer.deliver(peer.forward_tsn(upto, *([] if unordered else [(0, 0)])))
        for tsn in order[before:]:
            peer.deliver(peer.data(tsn, 500, flags=REST[tsn] | unordered, ssn=0))
        peer.deliver(peer.data(6, 500, flags=DATA_END | unordered, ssn=1))
        peer.deliver(peer.data(5, 500, flags=DATA_BEGIN | unordered, ssn=1))
        whole = set(order[:before]) == {2, 3, 4}
        assert [len(message) for message in peer.read()] == [1500, 1000][0 if whole else 1 :]
        assert peer.association.tcb.window.held == 0
        assert cumulative(peer) == 6


def test_a_fragment_without_a_beginning_elsewhere_is_a_violation() -> None:
    for tsns in ((4,), (5, 4)):
        peer = Peer(forwards=True)
        peer.deliver(peer.forward_tsn(2))
        peer.deliver(peer.data(3))
        for tsn in tsns:
            peer.deliver(peer.data(tsn, flags=0))
        assert peer.association.state == CLOSED


@pytest.mark.parametrize("unordered", [0, DATA_UNORDERED])
@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("interleaving", [False, True])
def test_a_message_of_which_all_that_was_sent_has_come_can_be_given_up(
    interleaving: bool, in_parts: bool, unordered: int
) -> None:
    """Section 3.5, A3: with a TSN, the peer gives up the whole message. Linux then gives its rest no TSNs: nothing is
    missing, and all the same no more will come.
    """
    point = 1000 if in_parts else 0
    peer = Peer(extensions=BOTH, interleaving=interleaving, forwards=True, partial_delivery_point=point)
    for tsn, flags in ((1, DATA_BEGIN), (2, 0)):
        one = peer.i_data(tsn, 600, flags=flags | unordered, mid=0, last=tsn - 1)
        peer.deliver(one if interleaving else peer.data(tsn, 600, flags=flags | unordered, ssn=0))
    peer.take()
    skip = peer.i_forward_tsn(2, (0, 0, unordered != 0))
    peer.deliver(skip if interleaving else peer.forward_tsn(2, *([] if unordered else [(0, 0)])))
    assert peer.take()[-1].sack.cumulative == 2
    following = peer.i_data(3, b"next", flags=3 | unordered, mid=1)
    peer.deliver(following if interleaving else peer.data(3, b"next", flags=3 | unordered, ssn=1))
    assert peer.read()[-1] == b"next"
    assert len(peer.events_of(PartialDeliveryAborted)) == in_parts
    assert peer.association.tcb.window.held == 0


@pytest.mark.parametrize("interleaving", [False, True])
def test_what_is_said_again_gives_up_nothing_that_was_sent_since(interleaving: bool) -> None:
    peer = Peer(extensions=BOTH, interleaving=interleaving, forwards=True)
    skip = peer.i_forward_tsn(2, (0, 1, False)) if interleaving else peer.forward_tsn(2, (0, 1))
    peer.deliver(skip)
    for tsn, flags in ((3, DATA_BEGIN), (4, DATA_END)):
        one = peer.i_data(tsn, 600, flags=flags, mid=2, last=tsn - 3)
        peer.deliver(one if interleaving else peer.data(tsn, 600, flags=flags, ssn=2))
        peer.deliver(skip)
    assert [len(message) for message in peer.read()] == [1200]


def test_one_from_before_the_peer_s_tsns_were_reset_is_dropped_and_counted() -> None:
    """RFC 6525 section 5.2.4: it has no meaning among the new TSNs, of which it may be a valid one."""
    peer = reconfiguring(forwards=True)
    peer.deliver(peer.data(1))
    say(peer, wire.tsn_reset(peer.peer_tsn))
    peer.take()
    peer.deliver(peer.forward_tsn(1, (0, 5)))
    assert peer.association.stats.packets_discarded == 1
    first = 2 + (1 << 31)
    peer.deliver(peer.data(first, ssn=0))
    peer.deliver(peer.forward_tsn(first + 1, (0, 1)))
    peer.deliver(peer.data(first + 2, b"next", ssn=2))
    assert peer.read()[-1] == b"next"


# Bad input.


@pytest.mark.parametrize("value", [b"\0", b"\0\0\0", b"\0\0\0\x05\0", b"\0\0\0\x05\0\0", b"\0\0\0\x05\0\0\0"])
def test_one_of_a_wrong_length_is_dropped_and_counted(value: bytes) -> None:
    peer = Peer(forwards=True)
    peer.deliver(peer.forward_tsn(0, value=value))
    assert peer.association.stats.packets_discarded == 1
    assert cumulative(peer) == 0
    assert peer.association.state == ESTABLISHED


@pytest.mark.parametrize("ahead", [3, 70_000, 5_000_000, 2**31 - 1])
def test_one_that_is_far_ahead_is_believed_and_costs_no_more(ahead: int) -> None:
    """ "The data receiver MUST first update its cumulative TSN point" - and the peer harms nobody but itself."""
    peer = Peer(forwards=True)
    peer.deliver(peer.data(3, b"c", ssn=2))
    peer.deliver(peer.forward_tsn(ahead, (0, 1)))
    assert cumulative(peer) == ahead
    assert peer.read() == [b"c"]
    peer.deliver(peer.data(ahead + 1, b"d", ssn=3))
    assert peer.read() == [b"d"]


def test_streams_that_are_not_are_passed_over_and_counted() -> None:
    peer = Peer(forwards=True, max_inbound_streams=5)
    peer.deliver(peer.forward_tsn(1, (5, 0), (65535, 3), (0, 0)))
    assert peer.association.stats.invalid_streams == 2
    peer.deliver(peer.data(2, b"b", ssn=1))
    assert peer.read() == [b"b"]


def test_the_second_one_of_a_packet_does_not_count() -> None:
    peer = Peer(forwards=True)
    peer.deliver(*[peer.forward_tsn(tsn) for tsn in range(1, 100)])
    assert cumulative(peer) == 1
    assert peer.association.stats.packets_discarded == 98


def test_after_the_shutdown_began_it_counts_as_data_does() -> None:
    peer = Peer(forwards=True)
    peer.shutdown()
    peer.take()
    peer.deliver(peer.forward_tsn(2))
    assert cumulative(peer) == 2
    assert "SHUTDOWN" in peer.take()[0].names
    peer.deliver(peer.shutdown_chunk(0))
    peer.take()
    peer.deliver(peer.forward_tsn(9))  # SHUTDOWN-ACK-SENT takes no data.
    assert cumulative(peer) == 2
    assert peer.association.state != CLOSED
