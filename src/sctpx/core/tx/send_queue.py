"""User messages waiting to be sent, and cutting them into chunks (RFC 9260 sections 6.5, 6.9 and 6.10).

A ``Schedule`` says which message is next; ``Framing`` how its chunks look. SSNs and MIDs are assigned when the first
chunk of a message is cut, so that the order of sending is the order of the numbers.

``fill`` makes one batch: packets of one size for one destination, the last one possibly shorter, as UDP
segmentation wants them. The first packet sets the size. Only messages longer than a packet are fragmented;
whole messages are bundled, and the tail of a fragmented one with what follows.
"""

from __future__ import annotations

from typing import Final, final

from ...wire import runs
from ...wire.codes import COMMON_HEADER, DATA_BEGIN, DATA_END, DATA_IMMEDIATE, DATA_UNORDERED
from ...wire.compiled import COMPILED
from ...wire.data import PADDING
from ...wire.framing import DATA_FRAMING, Framing
from ...wire.seal import Seal
from ...wire.serial import TSN_MASK
from ..path.path import Path
from .batch import Batch
from .out_message import OutMessage
from .schedule import FirstCome, Held, Keyed, Schedule, make_schedule
from .spans import Spans

if COMPILED:
    from librt.strings import BytesWriter

# A fragment that only fills the rest of a packet must be worth its header.
WORTHWHILE: Final = 64
# Numbers of unordered messages are kept so far behind those of ordered ones.
_APART: Final = 0x10000
# What one UDP_SEGMENT send takes: packets, and bytes of an IPv4 datagram.
MAX_PACKETS: Final = 44
MAX_BYTES: Final = 65507


@final
class Room:
    """What the windows allow for one batch."""

    __slots__ = ("burst", "cwnd", "rwnd")

    def __init__(self, cwnd: int, rwnd: int, burst: int) -> None:
        self.cwnd = cwnd
        """Bytes of chunks until the congestion window is full; the last packet may breach it (6.1 B)."""
        self.rwnd = rwnd
        """Bytes of user data the peer has room for (6.1 A)."""
        self.burst = burst
        """Packets (6.1 D)."""


def _as_first_come(schedule: Schedule) -> FirstCome | None:
    """The schedule, if it is this one: whole messages are bundled straight from it."""
    return schedule if isinstance(schedule, FirstCome) else None


@final
class SendQueue:
    """Messages that wait to be sent."""

    __slots__ = (
        "_contexts",
        "_contexts_past",
        "_first_come",
        "_framing",
        "_held",
        "_keyed",
        "_numbers",
        "_schedule",
        "_values",
        "policies",
        "queued_bytes",
        "spans",
    )

    def __init__(
        self, framing: Framing = DATA_FRAMING, scheduler: str = "fcfs", values: dict[int, int] | None = None
    ) -> None:
        """``values`` are priorities or weights by stream."""
        self._framing = framing
        self._held: Held | None = None  # The schedule, while streams rest.
        self._keyed: Keyed | None = None  # The schedule around it, while messages have keys.
        self._numbers: dict[int, int] = {}  # The next SSN or MID by stream, and by ``_APART + stream`` if unordered.
        self._contexts: list[tuple[int, object, int]] = []  # Those before ``_contexts_past`` do not count any more.
        self._contexts_past = 0
        self.queued_bytes = 0
        """Bytes of user data not cut yet."""
        self.policies = 0
        """Messages not wholly cut that may be abandoned."""
        self.spans: Spans | None = None
        """Where the chunks of such messages went; made for the first of them."""
        self._values = {} if values is None else values
        self._schedule: Schedule = make_schedule(scheduler, framing.interleaves, self._values)
        self._first_come = _as_first_come(self._schedule)

    def use(self, scheduler: str) -> None:
        """Have another scheduler, by its name in ``AssociationConfig``. What waits is sent in its order."""
        held = self._held
        waiting = (self._inner() if held is None else held.schedule).messages()
        schedule = make_schedule(scheduler, self._framing.interleaves, self._values)
        for message in waiting:
            schedule.push(message)
        if held is not None:
            held.schedule = schedule
        else:
            self._have(schedule)

    def _inner(self) -> Schedule:
        """The schedule without the keys."""
        return self._schedule if self._keyed is None else self._keyed.schedule

    def _have(self, schedule: Schedule) -> None:
        if self._keyed is not None:
            self._keyed.schedule = schedule
        else:
            self._schedule = schedule
            self._first_come = _as_first_come(schedule)

    def authenticate(self, key_id: int) -> Keyed:
        """Messages have keys from now on, those that wait without one have this. A packet has those of one key only."""
        keyed = self._keyed
        if keyed is None:
            keyed = Keyed(self._schedule, key_id)
            self._have(keyed)
            self._keyed = keyed
        keyed.active = key_id
        return keyed

    def forget_keys(self) -> None:
        """Messages have no keys."""
        keyed, self._keyed = self._keyed, None
        if keyed is not None:
            self._have(keyed.schedule)

    def set_value(self, stream: int, value: int) -> None:
        """The priority or the weight of a stream (RFC 8260 section 4.3.3)."""
        self._values[stream] = value
        self._schedule.on_value(stream)

    def __len__(self) -> int:
        return len(self._schedule)

    def push(self, message: OutMessage) -> None:
        """Take a message, behind all others of its stream."""
        if self._first_come is not None:
            self._first_come.items.append(message)
        else:
            self._schedule.push(message)
        self.queued_bytes += len(message.data)
        if message.reliability is not None:
            self.policies += 1
            if self.spans is None:
                self.spans = Spans()

    def remove(self, message: OutMessage) -> None:
        """Take a message back that is not wholly cut."""
        self._schedule.remove(message)
        self.queued_bytes -= len(message.data) - message.offset
        if message.reliability is not None:
            self.policies -= 1

    def peek(self) -> OutMessage | None:
        """The message that is sent next."""
        return self._schedule.peek()

    def messages(self) -> list[OutMessage]:
        """All messages not wholly cut, in order."""
        return self._schedule.messages()

    @property
    def contexts(self) -> list[tuple[int, object, int]]:
        """Of messages wholly cut: their last TSN, their context and their PPID.

        For those that have a context, and those of which chunks outlive the one that has the PPID.
        """
        return self._contexts[self._contexts_past :]

    def forget_contexts(self, cumulative_tsn: int) -> None:
        """All up to this TSN was acknowledged: nobody will ask for the contexts of these messages."""
        contexts = self._contexts
        past = self._contexts_past
        while past < len(contexts) and contexts[past][0] <= cumulative_tsn:
            past += 1
        if 2 * past >= len(contexts):
            del contexts[:past]
            past = 0
        self._contexts_past = past

    # --- streams that are reset (RFC 6525 section 5.1) ---

    def hold(self, streams: list[int]) -> None:
        """Keep back what is pushed from now on for these streams, for all if none is named. Only one such hold is."""
        held = Held(self._inner(), streams)
        self._held = held
        self._have(held)

    @property
    def ahead(self) -> int:
        """Messages of the streams that are held which came before, and are not wholly cut."""
        return 0 if self._held is None else self._held.ahead

    def release(self) -> None:
        """What was kept back waits like all else."""
        held = self._held
        if held is not None:
            self._held = None
            self._have(held.schedule)
            for message in held.back:
                held.schedule.push(message)

    def reset(self, streams: list[int]) -> None:
        """Numbers of these streams, or of all if none is named, begin at 0 again: SSNs, or MIDs of either kind."""
        if not streams:
            self._numbers.clear()
        for stream in streams:
            self._numbers.pop(stream, None)
            self._numbers.pop(stream + _APART, None)

    def is_fresh(self, streams: list[int]) -> bool:
        """Whether no number of these streams, or of any if none is named, was given away since they were reset."""
        if not streams:
            return not any(self._numbers.values())
        wide = [stream + _APART for stream in streams]
        return not any(self._numbers.get(key, 0) for key in streams + wide)

    def begin_anew(self) -> int:
        """No message was begun: those that were are cut from their first byte. Returns how many bytes that repeats."""
        repeated = 0
        for message in self._schedule.messages():
            repeated += message.offset
            message.offset = message.fragment = message.number = 0
            if message.reliability is not None:
                message.reliability.tsns.clear()  # Nothing of it was sent.
        self.queued_bytes += repeated
        return repeated

    def _number(self, message: OutMessage) -> None:
        """Give the message its number.

        Unordered messages take none in DATA chunks (section 6.5), and one of their own kind in I-DATA chunks (RFC 8260
        section 2.1).
        """
        unordered = message.flags & DATA_UNORDERED
        if unordered and not self._framing.interleaves:
            return
        key = message.stream + _APART if unordered else message.stream
        number = self._numbers.get(key, 0)
        message.number = number
        self._numbers[key] = (number + 1) & self._framing.number_mask

    def fill(
        self, first_tsn: int, path: Path, seal: Seal, limit: int, lead: bytes, room: Room, flags: int
    ) -> Batch | None:
        """Cut chunks into one batch for ``path``; None if the windows allow none.

        ``seal`` makes the packets final. ``limit`` is the largest packet without what the seal adds, ``lead`` are
        control chunks to go first in the first packet, and ``flags`` are set on every chunk. ``room`` is used up by
        what is taken. If the peer's window ends before the data does, the packet that fills it asks for a SACK at once
        (RFC 9260 section 6.1, RFC 7053): nothing more can be sent without one.
        """
        ahead = seal.ahead
        batch = Batch(first_tsn, path, len(lead), ahead)
        apart = ahead > 0 or len(lead) > 0
        schedule = self._schedule
        message = schedule.peek()
        wanted = b"" if message is None else message.remote
        keyed = self._keyed
        key = -1 if keyed is None or message is None else keyed.key_of(message)
        parts: list[bytes] = []
        packets = min(room.burst, MAX_PACKETS, max(MAX_BYTES // (limit + ahead), 1))
        size = limit
        most = limit - COMMON_HEADER - self._framing.header
        # With less room than that, the packet is the last one for which there is room.
        last = 2 * most if self.queued_bytes > room.rwnd else 0
        while packets > 0 and message is not None and room.cwnd > 0:
            if message.remote != wanted or (keyed is not None and keyed.key_of(message) != key):
                break  # Another destination needs another batch, and so does another key.
            run = 0 if apart else self._run(batch, parts, seal, size, packets, room, most if last else 0, flags)
            if run:
                packets -= run
                batch.packets += run
                schedule.end_packet()
                message = schedule.peek()
                continue
            marks = flags | DATA_IMMEDIATE if room.rwnd < last else flags
            pieces = self._packet(batch, lead, size - COMMON_HEADER, limit - COMMON_HEADER, room, marks, wanted)
            if len(pieces) == (1 if lead else 0):
                break
            length = seal.append(parts, pieces) - ahead
            packets -= 1
            batch.packets += 1
            schedule.end_packet()
            message = schedule.peek()
            if lead or (length < size and batch.packets > 1):
                break  # The odd one goes last.
            size = length
        if not batch.packets:
            return None
        room.burst -= batch.packets
        self.queued_bytes -= batch.payload
        batch.finish(b"".join(parts), ahead + (size if batch.packets > 1 else limit))
        return batch

    def _run(
        self,
        batch: Batch,
        parts: list[bytes],
        seal: Seal,
        size: int,
        packets: int,
        room: Room,
        kept: int,
        flags: int,
    ) -> int:
        """Cut middle fragments that fill a packet each: the bulk of a large message. Returns how many.

        ``kept`` bytes of the peer's window are left to the packet that fills it.

        Hot: earns its length in the 64 KiB rows of ``make bench``.
        """
        schedule = self._schedule
        message = schedule.peek()
        assert message is not None
        framing = self._framing
        data = message.data
        length = size - COMMON_HEADER
        payload = length - framing.header
        offset = message.offset
        if offset == 0 or payload <= 0:
            return 0
        if not schedule.lasts:
            packets = 1
        # The last fragment goes the other way: it ends the message and is bundled with what follows.
        count = (len(data) - offset - 1) // payload
        tsn = batch.first_tsn + len(batch.sizes)
        wrap = TSN_MASK + 1 - (tsn & TSN_MASK)
        count = min(count, packets, -(-room.cwnd // length), (room.rwnd - kept) // payload, wrap)
        if count < runs.WORTHWHILE:
            return 0
        first = framing.first_word((message.flags & DATA_UNORDERED) | flags, length, tsn)
        rest = framing.second_word(message.stream, message.number, message.ppid)
        fragment = -1
        if framing.interleaves:
            fragment = message.fragment
            message.fragment += count
        parts.extend(seal.fragments(data, offset, payload, count, first, rest, fragment))
        taken = count * payload
        if message.reliability is not None and self.spans is not None:
            self.spans.add(tsn, count, message)
        message.offset = offset + taken
        schedule.take(taken)
        batch.sizes.extend([length] * count)
        batch.payload += taken
        room.rwnd -= taken
        room.cwnd -= count * length
        return count

    def _packet(
        self, batch: Batch, lead: bytes, length: int, largest: int, room: Room, flags: int, wanted: bytes
    ) -> list[bytes]:
        """One packet in pieces, ``lead`` first, of at most ``length`` bytes of chunks; others may have ``largest``."""
        parts = [lead] if lead else []
        left = length - len(lead)
        schedule = self._schedule
        alone = -1
        if self._first_come is not None and not self.policies:
            left = self._bundle(self._first_come, batch, parts, left, room, flags, wanted)
        while left > self._framing.header:
            message = schedule.peek()
            if message is None or alone not in (-1, message.stream):
                break
            size = self._fragment(message, batch, parts, left, largest, room, flags, wanted)
            if not size:
                break
            left -= size
            if self._first_come is not None:
                if self.policies:
                    continue
                left = self._bundle(self._first_come, batch, parts, left, room, flags, wanted)
            elif schedule.one_stream:
                alone = message.stream
        return parts

    def _bundle(
        self, line: FirstCome, batch: Batch, parts: list[bytes], left: int, room: Room, flags: int, wanted: bytes
    ) -> int:
        """Append the whole messages that fit into ``left`` bytes; how many bytes are left then.

        Hot: earns its length, and its look into the schedule, in the 64 B and 1 KiB rows of ``make bench``.
        """
        items = line.items
        head = line.head
        end = len(items)
        numbers = self._numbers
        sizes = batch.sizes
        framing = self._framing
        header = framing.header
        kind = framing.kind
        interleaves = framing.interleaves
        number_mask = framing.number_mask
        pack = framing.layout.pack
        if COMPILED:
            writer = BytesWriter()
        whole = DATA_BEGIN | DATA_END | flags
        tsn = batch.first_tsn + len(sizes)
        rwnd = room.rwnd
        before = left
        current = -1  # The stream whose next number is at hand.
        turn = 0
        while head < end:
            message = items[head]
            data = message.data
            payload = len(data)
            size = header + payload
            if size > left or payload > rwnd or message.offset or message.remote != wanted:
                break
            key = stream = message.stream
            number = 0
            unordered = message.flags & DATA_UNORDERED
            if interleaves or not unordered:
                if unordered:
                    key += _APART
                if key != current:
                    if current >= 0:
                        numbers[current] = turn
                    current = key
                    turn = numbers.get(key, 0)
                number = turn
                turn = (number + 1) & number_mask
            if COMPILED:
                framing.write(writer, message.flags | whole, size, tsn & TSN_MASK, stream, number, message.ppid, data)
            else:
                parts.append(pack(kind, message.flags | whole, size, tsn & TSN_MASK, stream, number, message.ppid))
                parts.append(data)
                if payload & 3:
                    parts.append(PADDING[payload & 3])
            size = (size + 3) & ~3
            if message.context is not None:
                self._contexts.append((tsn, message.context, message.ppid))
            sizes.append(size)
            rwnd -= payload
            left -= size
            tsn += 1
            head += 1
        if COMPILED and left < before:
            parts.append(writer.getvalue())
        if current >= 0:
            numbers[current] = turn
        batch.payload += room.rwnd - rwnd
        batch.ends += head - line.head
        room.rwnd = rwnd
        room.cwnd -= before - left
        line.advance(head - line.head)
        return left

    def _fragment(
        self,
        message: OutMessage,
        batch: Batch,
        parts: list[bytes],
        left: int,
        largest: int,
        room: Room,
        flags: int,
        wanted: bytes,
    ) -> int:
        """Append what fits into ``left`` bytes of the message that is next; its size, 0 if there is none to send."""
        framing = self._framing
        remaining = len(message.data) - message.offset
        payload = left - framing.header
        chunk_flags = (message.flags & DATA_UNORDERED) | flags
        if remaining <= payload:
            payload = remaining
            chunk_flags |= DATA_END | (message.flags & DATA_IMMEDIATE)
        elif payload < WORTHWHILE or (message.offset == 0 and framing.header + remaining <= largest):
            return 0  # A whole message that fits into a packet of its own is not fragmented.
        if payload > room.rwnd or message.remote != wanted:
            return 0
        last = message.ppid
        if message.offset == 0:
            self._number(message)
            chunk_flags |= DATA_BEGIN
        elif framing.interleaves:
            last = message.fragment
        size = framing.header + payload
        tsn = batch.first_tsn + len(batch.sizes)
        stop = message.offset + payload
        pack = framing.layout.pack
        parts.append(pack(framing.kind, chunk_flags, size, tsn & TSN_MASK, message.stream, message.number, last))
        parts.append(message.data[message.offset : stop] + PADDING[payload & 3])
        size = (size + 3) & ~3
        message.offset = stop
        message.fragment += 1
        batch.sizes.append(size)
        batch.payload += payload
        room.rwnd -= payload
        room.cwnd -= size
        if chunk_flags & DATA_END:
            batch.ends += 1
            if message.context is not None or (framing.interleaves and not chunk_flags & DATA_BEGIN):
                self._contexts.append((tsn, message.context, message.ppid))
        self._schedule.take(payload)
        if message.reliability is not None and self.spans is not None:
            self.spans.add(tsn, 1, message)
            if chunk_flags & DATA_END:
                self.policies -= 1
                message.data = b""  # It is in the batch now, and in no need of being kept twice.
                message.offset = 0
        return size
