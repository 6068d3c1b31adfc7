"""``SendQueue`` against the messages put into it: batches are read back as the peer would read them.

The machine pushes messages and fills batches under all kinds of limits, and puts the messages together again
from the chunks that came out (RFC 9260 sections 6.1, 6.5, 6.9 and 6.10), with and without AUTH chunks (RFC 4895).
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.tx.batch import Batch
from sctpx.core.tx.out_message import OutMessage
from sctpx.core.tx.schedule import Keyed
from sctpx.core.tx.send_queue import MAX_BYTES, MAX_PACKETS, Room, SendQueue
from sctpx.wire import control
from sctpx.wire.auth import HMAC_SHA_1, HMAC_SHA_256, AssociationKey
from sctpx.wire.codes import (
    CHUNK_DATA,
    COMMON_HEADER,
    DATA_BEGIN,
    DATA_END,
    DATA_HEADER,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
)
from sctpx.wire.packet import prefix
from sctpx.wire.seal import AuthSeal, Seal
from sctpx.wire.serial import SSN_MASK, TSN_MASK
from tests.sweeps import examples
from tests.unit.core.tx.packets import DataChunk, data_chunks, split_packets

PATH = Path(bytes((10, 0, 1, 2)), b"", 0, AssociationConfig().rules)
PREFIX = prefix(1, 2, 3)
SEAL = Seal(PREFIX)
INITIAL = (1 << 33) - 40
"""The TSN wraps on the wire soon."""
PLENTY = 1 << 30


def message(
    data: bytes, stream: int = 0, flags: int = 0, remote: bytes = b"", ppid: int = 0, context: object = None
) -> OutMessage:
    return OutMessage(data, stream, ppid, flags, remote, context)


def fill(
    queue: SendQueue,
    limit: int = 1452,
    *,
    lead: bytes = b"",
    cwnd: int = PLENTY,
    rwnd: int = PLENTY,
    burst: int = 1000,
    flags: int = 0,
    tsn: int = INITIAL,
) -> Batch | None:
    return queue.fill(tsn, PATH, SEAL, limit, lead, Room(cwnd, rwnd, burst), flags)


def read(batch: Batch | None) -> list[list[DataChunk]]:
    """The DATA chunks of each packet."""
    return [] if batch is None else [data_chunks(packet) for packet in split_packets(batch.data, batch.segment)]


class SendQueueMachine(RuleBasedStateMachine):
    """The messages not yet seen on the other side, and the one whose fragments are coming."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SendQueue()
        self.seal: Seal = SEAL
        self.keyed: Keyed | None = None
        self.keys: list[int] = []
        """The keys of those that wait, if messages have any."""
        self.key_of_batch = 0
        self.algorithm = 0
        self.limit = 300
        self.tsn = INITIAL
        self.waiting: list[OutMessage] = []
        self.arrived = b""
        """What came of the first of them."""
        self.ssns: dict[int, int] = {}
        self.contexts: list[tuple[int, object, int]] = []

    @initialize(limit=st.sampled_from([300, 548, 1452, 8952]), algorithm=st.sampled_from([0, HMAC_SHA_1, HMAC_SHA_256]))
    def begin(self, limit: int, algorithm: int) -> None:
        """Without an algorithm nothing is authenticated."""
        self.limit = limit
        if algorithm:
            self.algorithm = algorithm
            self.keyed = self.queue.authenticate(0)
            self.seal = AuthSeal(PREFIX, True, frozenset([CHUNK_DATA]), self.key(0))

    def key(self, number: int) -> AssociationKey:
        return AssociationKey(number, self.algorithm, bytes([number]))

    @rule(
        sizes=st.lists(st.integers(1, 100) | st.integers(1, 2000) | st.integers(1, 20_000), min_size=1, max_size=5),
        stream=st.integers(0, 2),
        flags=st.sampled_from([0, 0, DATA_UNORDERED, DATA_IMMEDIATE, DATA_UNORDERED | DATA_IMMEDIATE]),
        remote=st.sampled_from([b"", b"", b"\x0a\0\1\2"]),
        ppid=st.integers(0, 0xFFFFFFFF),
        context=st.none() | st.integers(1, 3),
        key=st.sampled_from([0, 0, 0, 1]),
    )
    def push(
        self, sizes: list[int], stream: int, flags: int, remote: bytes, ppid: int, context: object, key: int
    ) -> None:
        for size in sizes:
            if self.keyed is not None:
                self.keyed.active = key
                self.keys.append(key)
            data = bytes([len(self.waiting) % 256, size % 256]) * (size // 2) + bytes(size & 1)
            self.queue.push(message(data, stream, flags, remote, ppid, context))
            self.waiting.append(message(data, stream, flags, remote, ppid, context))

    @precondition(lambda self: self.waiting)
    @rule(
        lead=st.sampled_from([b"", b"", control.cookie_ack(), control.heartbeat(bytes(100))]),
        cwnd=st.integers(1, 10_000) | st.just(PLENTY),
        rwnd=st.integers(0, 10_000) | st.just(PLENTY),
        burst=st.integers(1, 5) | st.just(1000),
        flags=st.sampled_from([0, 0, DATA_IMMEDIATE]),
    )
    def fill(self, lead: bytes, cwnd: int, rwnd: int, burst: int, flags: int) -> None:
        room = Room(cwnd, rwnd, burst)
        first = self.waiting[0]
        rest = len(first.data) - len(self.arrived)
        if isinstance(self.seal, AuthSeal):
            self.key_of_batch = self.keys[0]
            self.seal.data_key = self.key(self.key_of_batch)
        batch = self.queue.fill(self.tsn, PATH, self.seal, self.limit, lead, room, flags)
        if batch is None:
            # Only because the peer has no room for the next chunk, or it does not fit behind ``lead``.
            assert lead or rwnd < min(rest, self.limit - COMMON_HEADER - DATA_HEADER)
            return
        assert batch.first_tsn == self.tsn
        packets = split_packets(batch.data, batch.segment)
        chunks = [data_chunks(packet) for packet in packets]
        sizes = [len(chunk.raw) for packet in chunks for chunk in packet]
        self.check_packets(batch, packets, lead)
        raws = [chunk.raw for packet in chunks for chunk in packet]
        assert [batch.chunk(index) for index in range(len(raws))] == raws
        assert batch.sizes == sizes
        assert batch.total == sum(sizes)
        assert batch.payload == sum(len(chunk.data) for packet in chunks for chunk in packet)
        # Within the windows: only the last packet may breach cwnd (section 6.1 B).
        assert batch.packets == len(packets) <= burst
        assert batch.payload <= rwnd
        assert sum(len(chunk.raw) for packet in chunks[:-1] for chunk in packet) < cwnd
        assert (room.cwnd, room.rwnd, room.burst) == (cwnd - batch.total, rwnd - batch.payload, burst - batch.packets)
        scarce = sum(len(message.data) for message in self.waiting) - len(self.arrived) > rwnd
        for packet in chunks:
            # A packet after which the peer has no room for another full one asks for its SACK at once (section 6.1).
            fills = scarce and rwnd < 2 * (self.limit - COMMON_HEADER - DATA_HEADER)
            rwnd -= sum(len(chunk.data) for chunk in packet)
            for chunk in packet:
                self.take(chunk, flags | (DATA_IMMEDIATE if fills else 0), first.remote)

    def check_packets(self, batch: Batch, packets: list[bytes], lead: bytes) -> None:
        """One size for all but the last, which no send with UDP segmentation finds too much."""
        assert len(packets) <= MAX_PACKETS
        limit = self.limit + self.seal.ahead
        assert len(batch.data) <= max(MAX_BYTES, limit)
        assert max(map(len, packets)) <= limit
        assert {len(packet) for packet in packets[:-1]} <= {batch.segment}
        assert len(packets[-1]) <= batch.segment
        for packet in packets:
            assert packet.startswith(PREFIX)
            assert data_chunks(packet)
        assert packets[0][COMMON_HEADER:].startswith(lead)
        if self.keyed is not None:
            for packet, at in zip(packets, [len(lead)] + [0] * len(packets), strict=False):
                assert self.key(self.key_of_batch).verify(packet[COMMON_HEADER:], at)

    def take(self, chunk: DataChunk, flags: int, remote: bytes) -> None:
        """The next chunk arrives at the peer."""
        expected = self.waiting[0]
        assert expected.remote == remote
        assert not self.keys or self.keys[0] == self.key_of_batch
        assert chunk.tsn == self.tsn & TSN_MASK
        self.tsn += 1
        begins = not self.arrived
        self.arrived += chunk.data
        ends = len(self.arrived) == len(expected.data)
        assert (chunk.stream, chunk.ppid) == (expected.stream, expected.ppid)
        assert chunk.data
        assert chunk.flags == (
            (DATA_BEGIN if begins else 0)
            | (DATA_END if ends else 0)
            | (expected.flags & DATA_UNORDERED)
            | flags
            | (expected.flags & DATA_IMMEDIATE if ends else 0)
        )
        if not expected.flags & DATA_UNORDERED:
            assert chunk.ssn == self.ssns.get(expected.stream, 0)
        whole = DATA_HEADER + len(expected.data) <= self.limit - COMMON_HEADER
        assert not whole or (begins and ends)  # What fits into a packet is not fragmented.
        if ends:
            assert self.arrived == expected.data
            if not expected.flags & DATA_UNORDERED:
                self.ssns[expected.stream] = (chunk.ssn + 1) & SSN_MASK
            if expected.context is not None:
                self.contexts.append((self.tsn - 1, expected.context, expected.ppid))
            self.arrived = b""
            del self.waiting[0]
            del self.keys[:1]

    @rule(back=st.integers(0, 50))
    def acknowledge(self, back: int) -> None:
        self.queue.forget_contexts(self.tsn - back)
        self.contexts = [one for one in self.contexts if one[0] > self.tsn - back]

    @invariant()
    def knows_the_contexts_of_what_is_under_way(self) -> None:
        assert list(self.queue.contexts) == self.contexts

    @invariant()
    def knows_what_waits(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert self.queue.queued_bytes == sum(len(one.data) for one in self.waiting) - len(self.arrived)
        assert [one.data for one in self.queue.messages()] == [one.data for one in self.waiting]
        head = self.queue.peek()
        assert (head is None) is (not self.waiting)
        assert head is None or head.offset == len(self.arrived)

    @precondition(lambda self: self.waiting)
    @rule()
    def fill_until_all_is_out(self) -> None:
        while self.waiting:
            before = self.tsn
            self.fill(b"", PLENTY, PLENTY, 1000, 0)
            assert self.tsn > before


TestSendQueue = SendQueueMachine.TestCase
TestSendQueue.settings = examples(150, stateful_step_count=25)


def test_a_large_message_fills_its_packets_and_its_tail_is_bundled_with_what_follows() -> None:
    queue = SendQueue()
    for size in (3000, 100, 100):
        queue.push(message(bytes(size)))
    packets = read(fill(queue))
    assert [[len(chunk.data) for chunk in packet] for packet in packets] == [[1424], [1424], [152, 100, 100]]


def test_small_messages_are_bundled() -> None:
    queue = SendQueue()
    for _ in range(100):
        queue.push(message(bytes(64)))
    packets = read(fill(queue))
    assert [len(packet) for packet in packets] == [18, 18, 18, 18, 18, 10]


@pytest.mark.parametrize(("last", "packets"), [(1452 - 12 - 16 - 100 - 16, [2]), (1452 - 12 - 16 - 100 - 12, [1, 1])])
def test_a_packet_may_be_filled_to_the_last_byte_and_no_further(last: int, packets: list[int]) -> None:
    """A common header of 12 bytes and chunk headers of 16."""
    queue = SendQueue()
    for size in (100, last):
        queue.push(message(bytes(size)))
    found = []
    while batch := read(fill(queue)):
        found += batch
    assert [len(packet) for packet in found] == packets


def test_a_message_that_fits_into_a_packet_is_not_fragmented_to_the_size_of_a_smaller_one() -> None:
    queue = SendQueue()
    for size in (100, 1400, 100, 1400):
        queue.push(message(bytes(size)))
    sizes = [[len(chunk.data) for chunk in packet] for _ in range(4) for packet in read(fill(queue))]
    assert sizes == [[100], [1400], [100], [1400]]


def test_packets_of_another_size_wait_for_a_batch_of_their_own() -> None:
    queue = SendQueue()
    for size in (1000, 1000, 1200, 1200):
        queue.push(message(bytes(size)))
    assert [[len(chunk.data) for chunk in packet] for packet in read(fill(queue))] == [[1000], [1000]]
    assert [[len(chunk.data) for chunk in packet] for packet in read(fill(queue))] == [[1200], [1200]]


def test_a_message_that_asks_for_another_destination_begins_another_batch() -> None:
    queue = SendQueue()
    for remote in (b"", b"\x0a\0\2\2", b"\x0a\0\2\2", b""):
        queue.push(message(b"x", remote=remote))
    assert [len(read(fill(queue))[0]) for _ in range(3)] == [1, 2, 1]


@pytest.mark.parametrize("limit", [548, 1452, 8952, 65508])
def test_a_batch_is_no_longer_than_what_one_send_takes(limit: int) -> None:
    queue = SendQueue()
    queue.push(message(bytes(1 << 20)))
    batch = fill(queue, limit)
    assert batch is not None
    assert batch.packets == max(min(MAX_PACKETS, MAX_BYTES // limit), 1)
    assert len(batch.data) == batch.packets * limit


def test_one_packet_may_breach_the_congestion_window() -> None:
    queue = SendQueue()
    queue.push(message(bytes(100_000)))
    for cwnd, packets in ((1, 1), (1440, 1), (1441, 2), (2880, 2), (2881, 3)):
        assert len(read(fill(queue, cwnd=cwnd))) == packets


def test_nothing_is_sent_that_the_peer_has_no_room_for() -> None:
    queue = SendQueue()
    queue.push(message(bytes(3000)))
    assert fill(queue, rwnd=1423) is None
    assert [len(packet[0].data) for packet in read(fill(queue, rwnd=1424 + 1423))] == [1424]


def test_stream_sequence_numbers_begin_at_0_and_go_round_and_unordered_messages_take_none() -> None:
    queue = SendQueue()
    for number in range(65536 + 2):
        queue.push(message(b"x", 3))
        if number % 1000 == 0:
            queue.push(message(b"u", 3, DATA_UNORDERED))
    ssns: list[int] = []
    while len(queue):
        for packet in read(fill(queue)):
            ssns += [chunk.ssn for chunk in packet if not chunk.flags & DATA_UNORDERED]
    assert ssns[0] == 0
    assert ssns[-2:] == [0, 1]
    assert all(after == (before + 1) & 0xFFFF for before, after in pairwise(ssns))


def test_what_is_no_multiple_of_four_is_padded_with_zeros_also_at_the_end_of_a_packet() -> None:
    queue = SendQueue()
    for size in (1, 2, 3, 4):
        queue.push(message(b"\xff" * size))
    batch = fill(queue)
    assert batch is not None
    assert batch.data[COMMON_HEADER + DATA_HEADER :][:4] == b"\xff\0\0\0"
    assert len(batch.data) == COMMON_HEADER + 4 * (DATA_HEADER + 4)


def test_authenticated_packets_leave_together_as_long_as_they_have_one_key() -> None:
    """RFC 6458 section 8.1.18: messages with different keys are not bundled."""
    queue = SendQueue()
    keyed = queue.authenticate(1)
    queue.push(message(bytes(5000)))
    keyed.active = 2
    queue.push(message(bytes(3000)))
    seal = AuthSeal(PREFIX, True, frozenset([CHUNK_DATA]), AssociationKey(1, HMAC_SHA_1, b"key"))
    found = []
    for _ in range(2):
        batch = queue.fill(INITIAL, PATH, seal, 1424, b"", Room(PLENTY, PLENTY, 1000), 0)
        assert batch is not None
        found.append([len(packet) for packet in split_packets(batch.data, batch.segment)])
    assert found == [[1452, 1452, 1452, 868], [1452, 1452, 264]]
