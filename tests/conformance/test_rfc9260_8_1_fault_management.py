"""RFC 9260 sections 8.1, 8.2 and 8.3: failure of the peer and of paths, and HEARTBEATs; more in
tests/sim/test_failover.py and test_heartbeat.py.
"""

from __future__ import annotations

import errno

import pytest

from sctpx.core.events import CommunicationLost, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.wire import control
from sctpx.wire.tlv import item
from tests.conformance.peer import Peer, Sent


def heartbeats(packets: list[Sent]) -> list[Sent]:
    return [packet for packet in packets if "HEARTBEAT" in packet.names]


def answer(peer: Peer, packet: Sent) -> None:
    peer.deliver(control.heartbeat_ack(packet.value("HEARTBEAT")), path=packet.path)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_8_1_the_association_ends_when_the_count_exceeds_its_limit(limit: int) -> None:
    """8.1: "If the value of this counter exceeds the limit indicated in the protocol parameter
    'Association.Max.Retrans', the endpoint SHOULD consider the peer endpoint unreachable".
    """
    peer = Peer(association_max_retrans=limit)
    peer.send(100)
    peer.advance(1000)
    [lost] = peer.events_of(CommunicationLost)
    assert (lost.error, lost.by_peer) == (errno.ETIMEDOUT, False)
    assert peer.association.stats.t3_timeouts == limit + 1


def test_8_1_an_acknowledgement_resets_the_count() -> None:
    """8.1: "The counter used for endpoint failure detection MUST be reset each time a DATA chunk sent to that peer
    endpoint is acknowledged".
    """
    peer = Peer(association_max_retrans=2)
    for number in range(1, 6):
        peer.send(100)
        while peer.association.stats.t3_timeouts < 2 * number:
            peer.wait()
        peer.sack(number)
    assert not peer.association.ended


def test_8_1_a_heartbeat_ack_resets_the_count_of_heartbeats() -> None:
    """8.1: "When a HEARTBEAT ACK chunk is received from the peer endpoint, the counter SHOULD also be reset"."""
    peer = Peer(association_max_retrans=2, heartbeat_interval=1.0)
    for _ in range(5):
        for _ in range(2):
            asked = peer.wait()
        [lost_or_not] = heartbeats(asked)
        answer(peer, lost_or_not)
    assert not peer.association.ended


def test_8_1_a_heartbeat_ack_does_not_excuse_data_that_does_not_get_through() -> None:
    """8.1: it "MAY choose not to clear the counter if there is outstanding data on the association"."""
    peer = Peer(association_max_retrans=2)
    peer.send(100)
    for _ in range(3):
        peer.request_heartbeat(1)
        for asked in heartbeats(peer.take()):
            answer(peer, asked)
        peer.advance(peer.t3())
    [lost] = peer.events_of(CommunicationLost)
    assert (lost.error, peer.association.stats.t3_timeouts) == (errno.ETIMEDOUT, 3)


def test_8_1_heartbeats_on_other_paths_do_not_count_against_the_association() -> None:
    """8.1: "Unacknowledged HEARTBEAT chunks observed on paths different from the path currently used for data transfer
    SHOULD NOT increment the association error counter".
    """
    peer = Peer(paths=2, association_max_retrans=1, heartbeat_interval=5.0)
    for _ in range(100):
        for packet in peer.wait():
            if packet.path == 1 and "HEARTBEAT" in packet.names:
                answer(peer, packet)
    assert not peer.association.ended
    assert peer.path(2).state == PATH_INACTIVE


@pytest.mark.parametrize("limit", [0, 2, 5])
def test_8_2_a_path_is_inactive_when_its_count_exceeds_path_max_retrans(limit: int) -> None:
    """8.2: "When the value in the error counter exceeds the protocol parameter 'Path.Max.Retrans' of that destination
    address, the endpoint SHOULD mark the destination transport address as inactive, and a notification SHOULD be sent".
    """
    peer = Peer(paths=2, path_max_retrans=limit, heartbeat_interval=5.0, association_max_retrans=100)
    lost = 0
    while peer.path(2).state != PATH_INACTIVE:
        for packet in heartbeats(peer.wait()):
            if packet.path == 1:
                answer(peer, packet)
            else:
                lost += 1
    assert lost == limit + 1
    changes = [event for event in peer.events_of(PathChange) if event.state == PATH_INACTIVE]
    assert [event.remote for event in changes] == [peer.path(2).remote]


def test_8_2_and_8_3_a_heartbeat_ack_makes_it_active_again_and_clears_its_count() -> None:
    """8.3: "SHOULD clear the error counter [...] and mark the destination transport address as active if it is not so
    marked. The endpoint SHOULD report to the upper layer".
    """
    peer = Peer(paths=2, path_max_retrans=1, heartbeat_interval=5.0)
    while peer.path(2).state != PATH_INACTIVE:
        for packet in heartbeats(peer.wait()):
            if packet.path == 1:
                answer(peer, packet)
    peer.take()
    peer.request_heartbeat(2)
    answer(peer, heartbeats(peer.take())[0])
    assert (peer.path(2).state, peer.path(2).error_count) == (PATH_ACTIVE, 0)
    assert (peer.events_of(PathChange)[-1].remote, peer.events_of(PathChange)[-1].state) == (
        peer.path(2).remote,
        PATH_ACTIVE,
    )


def test_8_3_an_inactive_address_goes_on_being_asked() -> None:
    """8.3: "the endpoint SHOULD continue sending HEARTBEAT chunks on this destination address"."""
    peer = Peer(paths=2, path_max_retrans=0, heartbeat_interval=5.0)
    asked = 0
    for _ in range(30):
        for packet in heartbeats(peer.wait()):
            if packet.path == 1:
                answer(peer, packet)
            elif peer.path(2).state == PATH_INACTIVE:
                asked += 1
    assert asked > 3


@pytest.mark.parametrize("extra", [b"", item(0x8123, b"more")])
def test_8_3_the_answer_is_immediate_and_a_copy(extra: bytes) -> None:
    """8.3: "SHOULD immediately respond with a HEARTBEAT ACK chunk that contains the Heartbeat Information TLV, together
    with any other received TLVs, copied unchanged".
    """
    peer = Peer()
    value = item(1, b"anything at all.") + extra
    peer.deliver(b"\x04\0" + (len(value) + 4).to_bytes(2, "big") + value)
    [packet] = peer.take()
    assert packet.names == ["HEARTBEAT ACK"]
    assert packet.value("HEARTBEAT ACK") == value


def test_8_3_the_answer_measures_the_round_trip() -> None:
    """8.3: "SHOULD also perform an RTT measurement for that destination transport address"."""
    peer = Peer(paths=2)
    peer.request_heartbeat(2)
    [packet] = peer.take()
    peer.advance(0.3)
    answer(peer, packet)
    assert peer.path(2).srtt == 300_000_000


def test_8_3_an_address_on_which_data_is_sent_is_not_idle() -> None:
    """8.3: an address is "idle" if "no new chunk that can be used for updating path RTT [...] and no HEARTBEAT chunk
    has been sent to it within the current heartbeat period".
    """
    peer = Peer(heartbeat_interval=5.0)
    for number in range(1, 200):
        peer.send(100)
        peer.sack(number)
        peer.advance(0.5)
    assert heartbeats(peer.take()) == []
    assert heartbeats(peer.wait())


@pytest.mark.parametrize("acknowledged", [False, True], ids=["SHUTDOWN", "SHUTDOWN ACK"])
def test_8_3_heartbeats_end_with_the_shutdown(acknowledged: bool) -> None:
    """8.3: "is discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk"."""
    peer = Peer(paths=2, heartbeat_interval=1.0)
    if acknowledged:
        peer.deliver(peer.shutdown_chunk(0))
    else:
        peer.shutdown()
    peer.advance(20)
    assert heartbeats(peer.take()) == []


@pytest.mark.parametrize("every", [0.5, 3.0])
def test_8_3_asking_often_does_not_keep_a_dead_path_alive(every: float) -> None:
    """8.3: each HEARTBEAT "not acknowledged within one RTO" counts; asked for again, the one under way is repeated."""
    peer = Peer(paths=2, heartbeat_interval=30.0)
    for _ in range(int(400 / every)):
        peer.request_heartbeat(2)
        peer.advance(every)
    assert peer.path(2).state == PATH_INACTIVE


def test_8_3_an_answer_counts_though_more_heartbeats_were_sent_meanwhile() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.request_heartbeat(2)
    [first] = heartbeats(peer.take())
    for _ in range(3):
        peer.advance(0.2)
        peer.request_heartbeat(2)
    answer(peer, first)
    peer.advance(1)
    assert (peer.path(2).state, peer.path(2).error_count) == (PATH_ACTIVE, 0)


def test_8_3_none_is_sent_on_demand_when_the_association_is_ending() -> None:
    """8.3: "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk"."""
    peer = Peer()
    peer.shutdown()
    with pytest.raises(OSError, match="ending") as refused:
        peer.request_heartbeat(1)
    assert refused.value.errno == errno.ENOTCONN
