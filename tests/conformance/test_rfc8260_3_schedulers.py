"""RFC 8260 section 3: stream schedulers of an association, with and without interleaving.

What each scheduler chooses is held by ``tests/unit/core/tx/test_schedules.py``; here it is what leaves.
"""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.testing import LinkSettings, Pair
from sctpx.wire.codes import CHUNK_I_DATA
from tests.conformance.peer import PMDCS, Peer

SCHEDULERS = ["fcfs", "rr", "rr_pkt", "prio", "fc", "wfq"]
LARGE = 16 << 20


def peer_with(scheduler: str, interleaving: bool, **config: Any) -> Peer:
    return Peer(
        extensions=[CHUNK_I_DATA] if interleaving else [], interleaving=interleaving, scheduler=scheduler, **config
    )


def config_of(scheduler: Any, **config: Any) -> AssociationConfig:
    return AssociationConfig(scheduler=scheduler, **config)


def streams_sent(peer: Peer, packets: int) -> list[list[int]]:
    """The streams of the chunks in each of the next packets, all of which is acknowledged at once."""
    found: list[list[int]] = []
    while len(found) < packets:
        taken = peer.take()
        assert taken
        found += [
            [chunk.stream for chunk in packet.data] + [chunk.stream for chunk in packet.i_data] for packet in taken
        ]
        peer.sack(peer.last_tsn)
    return found[:packets]


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_all_that_was_handed_over_arrives_in_the_order_of_its_stream(scheduler: str, interleaving: bool) -> None:
    config = config_of(scheduler, interleaving=interleaving, stream_values=((1, 5), (2, 2)))
    with Pair(seed=3, config=config, link=LinkSettings(loss=0.05, delay=0.01)).connect() as pair:
        sent: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
        for number in range(90):
            data = b"%d " % number * (1, 30, 2000)[number % 9 // 3]
            pair.a.send(data, stream=number % 3)
            sent[number % 3].append(data)
        pair.drain()
        assert {stream: pair.b.messages(stream) for stream in sent} == sent


@pytest.mark.parametrize("scheduler", ["rr", "rr_pkt", "prio", "fc", "wfq"])
def test_with_interleaving_a_large_message_delays_a_small_one_by_two_packets_at_most(scheduler: str) -> None:
    peer = peer_with(scheduler, interleaving=True, send_buffer=1 << 30, stream_values=((0, 1), (1, 0)))
    peer.send(LARGE, stream=0)
    assert {stream for packet in streams_sent(peer, 50) for stream in packet} == {0}
    peer.take()
    for _ in range(5):
        peer.association.send(peer.now, b"small", stream=1)
        peer.sack(peer.last_tsn)
        packets = streams_sent(peer, 10)
        assert any(1 in packet for packet in packets[:3])
        peer.take()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_without_interleaving_a_message_that_was_begun_is_sent_to_its_end(scheduler: str) -> None:
    peer = peer_with(scheduler, interleaving=False, stream_values=((0, 9),))
    peer.send(100_000, stream=0)
    peer.send(10, stream=1)
    packets = 71 if scheduler == "rr_pkt" else 70
    streams = [stream for packet in streams_sent(peer, packets) for stream in packet]
    assert streams == [0] * (len(streams) - 1) + [1]


def test_first_come_first_served_is_the_default() -> None:
    """ "It just passes through the messages in the order in which they have been delivered by the application." """
    assert AssociationConfig().scheduler == "fcfs"
    for interleaving in (False, True):
        peer = peer_with("fcfs", interleaving)
        for stream in (3, 1, 2):
            peer.association.send(peer.now, bytes(3000), stream=stream)
        peer.send(10, stream=0)
        streams = [stream for packet in streams_sent(peer, 7) for stream in packet]
        assert list(dict.fromkeys(streams)) == [3, 1, 2, 0]


def test_the_scheduler_can_be_another_one_while_messages_wait() -> None:
    peer = peer_with("fcfs", interleaving=True, send_buffer=1 << 30)
    peer.send(1_000_000, stream=0)
    for stream in (1, 2):
        peer.send(100_000, stream=stream)
    peer.take()
    config = AssociationConfig(interleaving=True, scheduler="rr", heartbeat_interval=0.0)
    peer.association.reconfigure(peer.now, config)
    peer.sack(peer.last_tsn)
    assert streams_sent(peer, 9) == [[0], [1], [2]] * 3


def test_a_value_can_be_another_one_while_messages_wait() -> None:
    peer = peer_with("prio", interleaving=True)
    for stream in (0, 1):
        peer.association.send(peer.now, bytes(30 * PMDCS), stream=stream)
    peer.send(10, stream=0)
    assert {stream for packet in streams_sent(peer, 8) for stream in packet} == {0}
    peer.take()
    peer.association.set_stream_value(0, 1)
    assert peer.association.stream_value(0) == 1
    peer.sack(peer.last_tsn)
    assert {stream for packet in streams_sent(peer, 8) for stream in packet} == {1}


@pytest.mark.parametrize(("stream", "value"), [(10, 0), (65536, 0), (-1, 0), (0, 65536), (0, -1)])
def test_streams_and_values_that_there_cannot_be_are_refused(stream: int, value: int) -> None:
    peer = peer_with("prio", interleaving=False)
    with pytest.raises(OSError, match=r"stream|16 bits"):
        peer.association.set_stream_value(stream, value)


def test_the_weights_hold_over_a_restart_of_the_peer() -> None:
    config = AssociationConfig(interleaving=True, scheduler="wfq")
    with Pair(config=config).connect() as pair:
        pair.a.association.set_stream_value(1, 7)
        tcb = pair.a.association.tcb
        again = pair.a.association.begin_anew(tcb.local_tag, tcb.initial_tsn)
        assert again.stream_values == {1: 7}


def test_the_peer_is_told_nothing_of_the_scheduler() -> None:
    """ "There is no mechanism provided for signaling the stream scheduler being used to the receiver side"."""
    inits = []
    for scheduler in SCHEDULERS:
        with Pair(seed=1, config=config_of(scheduler)).connect() as pair:
            inits.append([packet.data for packet in pair.network.packets() if packet.chunks == ["INIT"]])
    assert all(init == inits[0] for init in inits)
