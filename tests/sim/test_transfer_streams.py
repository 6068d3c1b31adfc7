"""Streams are independent of each other, and unordered messages of all: what waits for a lost packet and what not."""

from __future__ import annotations

from sctpx.core.config import AssociationConfig
from sctpx.testing import Packet, Pair


def has_stream(packet: Packet, stream: int) -> bool:
    return f"stream {stream} " in packet.description


def test_a_lost_message_holds_up_its_own_stream_only() -> None:
    with Pair(1).connect() as pair:
        pair.network.drop(lambda packet: has_stream(packet, 3))
        for number in range(30):
            pair.a.send(bytes([number]) * 100, stream=number % 5)
            pair.network.run_for(0.0003)
        pair.network.run_for(0.0105)
        counts = [len(pair.b.messages(stream)) for stream in range(5)]
        assert counts[3] == 0
        assert min(counts[:3] + counts[4:]) == 6
        pair.drain()
        assert pair.b.messages(3) == [bytes([number]) * 100 for number in range(3, 30, 5)]


def test_unordered_messages_pass_those_that_wait() -> None:
    with Pair(1).connect() as pair:
        pair.network.drop("DATA")
        pair.a.send(b"first", stream=1)
        pair.network.run_for(0.001)
        pair.a.send(b"second", stream=1)
        pair.a.send(b"urgent", stream=1, unordered=True)
        pair.run(lambda: pair.b.received)
        assert [(message.data, message.unordered) for message in pair.b.received] == [(b"urgent", True)]
        pair.drain()
        assert pair.b.messages() == [b"urgent", b"first", b"second"]


def test_a_large_message_does_not_mix_with_others_on_its_stream() -> None:
    with Pair(1).connect() as pair:
        sent = [bytes([number]) * size for number, size in enumerate((10, 500_000, 10, 500_000, 10))]
        for message in sent:
            pair.a.send(message, stream=2)
        pair.drain()
        assert pair.b.messages(2) == sent


def test_all_of_65535_streams_can_be_used() -> None:
    with Pair(1, config=AssociationConfig(streams=65535)).connect() as pair:
        assert pair.a.association.outbound_streams == 65535
        for stream in (0, 1, 30_000, 65_534):
            pair.a.send(b"%d" % stream, stream=stream)
        pair.drain()
        assert [(message.stream, message.data) for message in pair.b.received] == [
            (stream, b"%d" % stream) for stream in (0, 1, 30_000, 65_534)
        ]


def test_the_payload_protocol_identifier_and_the_numbers_reach_the_reader() -> None:
    with Pair(1).connect() as pair:
        pair.a.send(b"one", stream=4, ppid=60)
        pair.a.send(b"two", stream=4, ppid=0xFFFFFFFF)
        pair.a.send(bytes(5000), stream=4, ppid=7)
        pair.drain()
        assert [(message.stream, message.ppid, message.ssn) for message in pair.b.received] == [
            (4, 60, 0),
            (4, 0xFFFFFFFF, 1),
            (4, 7, 2),
        ]
