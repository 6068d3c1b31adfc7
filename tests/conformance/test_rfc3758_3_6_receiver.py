"""RFC 3758 sections 3.2, 3.3 and 3.6: what a receiver does with FORWARD-TSN, and what becomes of bad ones."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, PartialDeliveryAborted
from sctpx.testing import Pair
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import (
    CAUSE_PROTOCOL_VIOLATION,
    CAUSE_UNRECOGNIZED_CHUNK,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    DATA_BEGIN,
    DATA_END,
    DATA_UNORDERED,
    PARAM_FORWARD_TSN_SUPPORTED,
)
from sctpx.wire.setup import parse
from tests.conformance.peer import Peer, Sack


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


@pytest.mark.parametrize("interleaving", [False, True])
def test_the_other_chunk_of_the_two_ends_the_association(interleaving: bool) -> None:
    """RFC 8260 section 2.3.1."""
    extensions = [CHUNK_I_DATA, CHUNK_I_FORWARD_TSN]
    peer = Peer(extensions=extensions, interleaving=interleaving, forwards=True)
    peer.deliver(peer.forward_tsn(1) if interleaving else peer.i_forward_tsn(1))
    [packet] = peer.take()
    [(code, _)] = parse_causes(packet.value("ABORT"))
    assert code == CAUSE_PROTOCOL_VIOLATION
    assert peer.events_of(CommunicationLost)


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


def test_i_forward_tsn_skips_ordered_and_unordered_messages_by_mid() -> None:
    peer = Peer(extensions=[CHUNK_I_DATA, CHUNK_I_FORWARD_TSN], interleaving=True, forwards=True)
    peer.deliver(peer.i_data(2, b"b", stream=1, mid=70_001))
    peer.deliver(peer.i_data(3, b"u", flags=DATA_UNORDERED | DATA_BEGIN, stream=1, mid=9))
    assert not peer.read()
    peer.deliver(peer.i_forward_tsn(4, (1, 70_000, False), (1, 9, True)))
    assert peer.read() == [b"b"]
    assert peer.association.tcb.window.held == 0
    assert cumulative(peer) == 4


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
