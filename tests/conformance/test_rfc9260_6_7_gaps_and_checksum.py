"""RFC 9260 sections 6.7 and 6.8: what is missing, and what is not intact.

How gaps are reported by the receiver: ``test_rfc9260_6_2_acknowledgement.py``.
"""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.wire.checksum import verify_packet
from tests.conformance.peer import FULL, Peer


def test_what_the_cumulative_tsn_ack_acknowledges_is_removed_from_the_queue() -> None:
    peer = Peer()
    peer.send(*[100] * 10)
    peer.sack(4)
    assert [data for data, *_ in peer.association.undelivered()] == [bytes(100)] * 6
    peer.sack(10)
    assert peer.association.undelivered() == []


def test_what_a_gap_ack_block_acknowledges_is_not_sent_again() -> None:
    peer = Peer()
    peer.send(*[FULL] * 4)
    peer.take()
    peer.sack(0, (2, 2), (4, 4))
    peer.advance(1)
    tsns = peer.take_tsns()
    peer.sack(1, (2, 2), (4, 4))
    tsns += peer.take_tsns()
    assert tsns == [1, 3]


def test_missing_are_those_below_the_highest_one_newly_acknowledged() -> None:
    peer = Peer(max_burst=100)
    peer.send(*[200] * 8)
    peer.take()
    for last in (4, 5, 6):
        peer.sack(1, (4, last))
    # 2 and 3 were missing three times, 7 and 8 never.
    assert peer.take_tsns() == [2, 3]


@pytest.mark.parametrize("index", [0, 5, 8, 11, 12, 30])
def test_a_packet_that_is_not_intact_is_silently_discarded(index: int) -> None:
    peer = Peer()
    packet = bytearray(peer.packet(peer.data(1)))
    packet[index] ^= 0x10
    peer.deliver_bytes(bytes(packet))
    assert peer.take() == []
    assert peer.read() == []
    assert peer.association.state == ESTABLISHED
    assert peer.association.stats.packets_discarded + peer.stack.stats.bad_checksum == 1


def test_one_packet_of_a_burst_that_is_not_intact_is_lost_alone() -> None:
    peer = Peer()
    packets = [bytearray(peer.packet(peer.data(tsn, FULL))) for tsn in range(1, 6)]
    packets[2][100] ^= 1
    peer.deliver_burst(b"".join(packets), len(packets[0]))
    assert len(peer.read()) == 2
    assert peer.take()[-1].sack[::2] == (2, [(4, 5)])


def test_every_packet_has_the_right_checksum() -> None:
    peer = Peer()
    peer.send(1, 2, 3, FULL, 4 * FULL + 3)
    for tsn in (1, 3):
        peer.deliver(peer.data(tsn))
    peer.advance(1)
    packets = peer.take()
    assert len(packets) >= 5
    assert all(verify_packet(packet.bytes) for packet in packets)
