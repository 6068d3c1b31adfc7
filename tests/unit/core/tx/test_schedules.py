"""Stream schedulers (RFC 8260 section 3) in the send queue: batches are read back as the peer would read them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.tx.out_message import OutMessage
from sctpx.core.tx.send_queue import Room, SendQueue
from sctpx.wire.checksum import verify_packet
from sctpx.wire.codes import COMMON_HEADER, DATA_BEGIN, DATA_END, DATA_UNORDERED
from sctpx.wire.framing import DATA_FRAMING, I_DATA_FRAMING, Framing
from sctpx.wire.packet import prefix
from sctpx.wire.seal import Seal
from tests.sweeps import examples
from tests.unit.core.tx.packets import split_packets

PATH = Path(bytes((10, 0, 1, 2)), b"", 0, AssociationConfig().rules)
SEAL = Seal(prefix(1, 2, 3))
PLENTY = 1 << 30
SCHEDULERS = ("fcfs", "rr", "rr_pkt", "prio", "fc", "wfq")
FRAMINGS = (DATA_FRAMING, I_DATA_FRAMING)


@dataclass(frozen=True)
class Chunk:
    """A DATA or I-DATA chunk."""

    flags: int
    tsn: int
    stream: int
    number: int
    last: int
    data: bytes


def read(framing: Framing, packet: bytes) -> list[Chunk]:
    """The chunks of a packet that is right in every byte."""
    assert verify_packet(packet)
    found = []
    offset = COMMON_HEADER
    while offset < len(packet):
        kind, flags, length, tsn, stream, number, last = framing.unpack(packet, offset)
        assert kind == framing.kind
        found.append(Chunk(flags, tsn, stream, number, last, packet[offset + framing.header : offset + length]))
        offset += length + 3 & ~3
    return found


class Sender:
    """A send queue and what leaves it."""

    def __init__(self, framing: Framing, scheduler: str, limit: int = 1452) -> None:
        self.framing = framing
        self.queue = SendQueue(framing, scheduler)
        self.limit = limit
        self.tsn = 1

    def push(self, stream: int, size: int, count: int = 1, flags: int = 0) -> None:
        for _ in range(count):
            self.queue.push(OutMessage(bytes(size), stream, 0, flags, b"", None))

    def send(self, packets: int = 1000) -> list[list[Chunk]]:
        """The packets that leave now, no more than so many."""
        found: list[list[Chunk]] = []
        while len(self.queue) and len(found) < packets:
            room = Room(PLENTY, PLENTY, packets - len(found))
            batch = self.queue.fill(self.tsn, PATH, SEAL, self.limit, b"", room, 0)
            assert batch is not None
            self.tsn += len(batch.sizes)
            found += [read(self.framing, packet) for packet in split_packets(batch.data, batch.segment)]
        return found

    def streams(self, packets: int = 1000) -> list[int]:
        """The streams of the chunks that leave now, in order."""
        return [chunk.stream for packet in self.send(packets) for chunk in packet]


class ScheduleMachine(RuleBasedStateMachine):
    """Whatever the scheduler: each stream's messages arrive whole and in order, and numbered as they should be."""

    @initialize(
        framing=st.sampled_from(FRAMINGS), scheduler=st.sampled_from(SCHEDULERS), limit=st.sampled_from([300, 1452])
    )
    def begin(self, framing: Framing, scheduler: str, limit: int) -> None:
        self.sender = Sender(framing, scheduler, limit)
        self.scheduler = scheduler
        self.waiting: dict[int, list[OutMessage]] = {}
        self.arrived: dict[int, bytes] = {}
        self.fragments: Counter[int] = Counter()
        self.numbers: Counter[tuple[int, int]] = Counter()
        self.mark = 0
        self.pushed: dict[int, OutMessage] = {}

    @rule(
        sizes=st.lists(st.integers(1, 100) | st.integers(1, 5000), min_size=1, max_size=4),
        stream=st.integers(0, 3),
        flags=st.sampled_from([0, 0, DATA_UNORDERED]),
    )
    def push(self, sizes: list[int], stream: int, flags: int) -> None:
        for size in sizes:
            self.mark += 1
            data = (self.mark % 65536).to_bytes(2, "big") * (size // 2) + bytes(size & 1)
            message = OutMessage(data, stream, self.mark, flags, b"", None)
            self.waiting.setdefault(stream, []).append(message)
            self.pushed[self.mark] = OutMessage(data, stream, self.mark, flags, b"", None)
            self.sender.queue.push(self.pushed[self.mark])

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        waiting = [message for messages in self.waiting.values() for message in messages]
        message = data.draw(st.sampled_from(waiting), label="message")
        self.sender.queue.remove(self.pushed[message.ppid])
        stream = message.stream
        if self.waiting[stream][0] is message and self.arrived.pop(stream, b""):
            self.numbers[stream, message.flags & DATA_UNORDERED] += 1  # It was begun, and has taken a number.
            self.fragments[stream] = 0
        self.waiting[stream].remove(message)

    @rule(scheduler=st.sampled_from(SCHEDULERS))
    def use(self, scheduler: str) -> None:
        self.sender.queue.use(scheduler)
        self.scheduler = scheduler

    @rule(stream=st.integers(0, 3), value=st.integers(0, 5))
    def set_value(self, stream: int, value: int) -> None:
        self.sender.queue.set_value(stream, value)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(packets=st.integers(1, 5) | st.just(1000))
    def send(self, packets: int) -> None:
        tsn = self.sender.tsn
        for packet in self.sender.send(packets):
            assert packet
            if self.scheduler == "rr_pkt":
                assert len({chunk.stream for chunk in packet}) == 1
            for chunk in packet:
                assert chunk.tsn == tsn
                tsn += 1
                self.take(chunk)

    def take(self, chunk: Chunk) -> None:
        expected = self.waiting[chunk.stream][0]
        before = self.arrived.pop(chunk.stream, b"")
        if not self.sender.framing.interleaves:
            assert not self.arrived  # Messages never alternate.
        unordered = chunk.flags & DATA_UNORDERED
        assert unordered == expected.flags & DATA_UNORDERED
        if self.sender.framing.interleaves or not unordered:
            assert chunk.number == self.numbers[chunk.stream, unordered]
        begins = chunk.flags & DATA_BEGIN != 0
        assert begins is not bool(before)
        data = before + chunk.data
        if self.sender.framing.interleaves and not begins:
            assert chunk.last == self.fragments[chunk.stream]
        else:
            assert chunk.last == expected.ppid
        self.fragments[chunk.stream] += 1
        assert expected.data.startswith(data)
        if chunk.flags & DATA_END:
            assert data == expected.data
            del self.waiting[chunk.stream][0]
            self.numbers[chunk.stream, unordered] += 1
            self.fragments[chunk.stream] = 0
        else:
            assert len(data) < len(expected.data)
            self.arrived[chunk.stream] = data

    @invariant()
    def knows_what_waits(self) -> None:
        if not hasattr(self, "sender"):
            return
        queue = self.sender.queue
        waiting = [message for messages in self.waiting.values() for message in messages]
        assert len(queue) == len(waiting)
        assert queue.queued_bytes == sum(len(one.data) for one in waiting) - sum(map(len, self.arrived.values()))
        assert sorted(one.ppid for one in queue.messages()) == sorted(one.ppid for one in waiting)
        head = queue.peek()
        assert (head is None) is (not waiting)
        assert head is None or head.ppid == self.waiting[head.stream][0].ppid


TestSchedules = ScheduleMachine.TestCase
TestSchedules.settings = examples(150, stateful_step_count=25)


def figures(framing: Framing) -> list[tuple[int, int]]:
    """The streams and numbers of the chunks, with the queues of figures 1 and 2 of RFC 8260."""
    sender = Sender(framing, "rr", 300)
    full = 300 - COMMON_HEADER - framing.header
    sender.push(0, 3 * full)
    sender.push(1, full, 3)
    sender.push(2, 3 * full)
    return [(chunk.stream, chunk.number) for packet in sender.send() for chunk in packet]


def test_round_robin_by_messages_is_that_of_figure_1() -> None:
    assert figures(DATA_FRAMING) == [(0, 0), (0, 0), (0, 0), (1, 0), (2, 0), (2, 0), (2, 0), (1, 1), (1, 2)]


def test_round_robin_by_chunks_is_that_of_figure_2() -> None:
    assert figures(I_DATA_FRAMING) == [(0, 0), (1, 0), (2, 0), (0, 0), (1, 1), (2, 0), (0, 0), (1, 2), (2, 0)]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_first_come_first_served_changes_no_order(framing: Framing) -> None:
    sender = Sender(framing, "fcfs")
    for stream in (3, 1, 2, 1, 3):
        sender.push(stream, 3000)
    assert list(dict.fromkeys([(chunk.stream, chunk.number) for packet in sender.send() for chunk in packet])) == [
        (3, 0),
        (1, 0),
        (2, 0),
        (1, 1),
        (3, 1),
    ]


def test_round_robin_per_packet_switches_streams_with_each_packet() -> None:
    sender = Sender(I_DATA_FRAMING, "rr_pkt")
    sender.push(0, 100_000)
    sender.push(1, 100, 40)
    assert [{chunk.stream for chunk in packet} for packet in sender.send(6)] == [{0}, {1}, {0}, {1}, {0}, {1}]
    sender = Sender(DATA_FRAMING, "rr_pkt")
    sender.push(0, 3000)
    sender.push(1, 100, 40)
    sender.push(0, 100, 40)
    # A message that was begun goes on.
    assert [{chunk.stream for chunk in packet} for packet in sender.send(5)] == [{0}, {0}, {0}, {1}, {0}]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_smallest_value_is_the_highest_priority_and_equals_are_served_as_they_came(framing: Framing) -> None:
    sender = Sender(framing, "prio")
    for stream, value in ((0, 7), (1, 7), (2, 3), (5, 9)):
        sender.queue.set_value(stream, value)
    for stream in (5, 1, 0, 2, 1, 3, 2):
        sender.push(stream, 10)
    assert sender.streams() == [3, 2, 2, 1, 0, 1, 5]


def test_with_interleaving_a_small_message_of_higher_priority_waits_for_no_large_one() -> None:
    for framing, behind in ((I_DATA_FRAMING, 0), (DATA_FRAMING, 66)):
        sender = Sender(framing, "prio")
        sender.queue.set_value(0, 1)
        sender.push(0, 100_000)
        sender.send(5)
        sender.push(1, 10)
        streams = sender.streams()
        assert abs(streams.index(1) - behind) <= 1


def shares(framing: Framing, scheduler: str, sizes: dict[int, int], weights: dict[int, int]) -> dict[int, int]:
    """How many bytes of each stream leave in the first thousand packets, if all have enough."""
    sender = Sender(framing, scheduler)
    for stream, weight in weights.items():
        sender.queue.set_value(stream, weight)
    for stream, size in sizes.items():
        sender.push(stream, size, 2_000_000 // size)
    sent: Counter[int] = Counter()
    for packet in sender.send(1000):
        for chunk in packet:
            sent[chunk.stream] += len(chunk.data)
    return sent


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_fair_scheduler_gives_each_stream_the_same_number_of_bytes(framing: Framing) -> None:
    sent = shares(framing, "fc", {0: 50, 1: 1000, 2: 20_000}, {})
    assert max(sent.values()) - min(sent.values()) <= 40_000


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_weighted_scheduler_gives_each_stream_its_weight(framing: Framing) -> None:
    sent = shares(framing, "wfq", {0: 500, 1: 1000, 2: 5_000}, {0: 1, 1: 2, 2: 4})
    assert sent[1] / sent[0] == pytest.approx(2, rel=0.05)
    assert sent[2] / sent[0] == pytest.approx(4, rel=0.05)


def test_a_stream_that_was_silent_gets_nothing_for_its_absence() -> None:
    sender = Sender(I_DATA_FRAMING, "fc")
    sender.push(0, 1000)
    sender.push(1, 1000, 500)
    sender.send(400)
    sender.push(0, 1000, 300)
    streams = sender.streams(100)
    assert 40 <= streams.count(0) <= 60


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_what_stands_behind_a_message_that_is_taken_back_still_leaves(
    framing: Framing, scheduler: str, begun: bool
) -> None:
    """So it is with messages that are given up (RFC 3758), also where they are the first of their stream."""
    sender = Sender(framing, scheduler)
    first = OutMessage(bytes(5000), 1, 0, 0, b"", None)
    sender.queue.push(first)
    if begun:
        sender.send(1)
    sender.push(1, 10, 3)
    sender.push(2, 10, 2)
    sender.queue.remove(first)
    assert sorted(sender.streams()) == [1, 1, 1, 2, 2]
    assert len(sender.queue) == 0
