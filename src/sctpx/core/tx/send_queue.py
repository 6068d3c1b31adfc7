"""User messages waiting to be sent, and cutting them into DATA chunks (RFC 9260 sections 6.5, 6.9 and 6.10).

First come, first served; a scheduler takes the place of ``items`` later. SSNs are assigned when the first
chunk of a message is cut, so that the order of sending is the order of the numbers.

``fill`` makes one batch: packets of one size for one destination, the last one possibly shorter, as UDP
segmentation wants them. The first packet sets the size. Only messages longer than a packet are fragmented;
whole messages are bundled, and the tail of a fragmented one with what follows.
"""

from __future__ import annotations

from typing import Final, final

from ...wire import runs
from ...wire.codes import COMMON_HEADER, DATA_BEGIN, DATA_END, DATA_HEADER, DATA_IMMEDIATE, DATA_UNORDERED
from ...wire.compiled import COMPILED
from ...wire.data import DATA, PADDING, first_word, write_data
from ...wire.seal import Seal
from ...wire.serial import SSN_MASK, TSN_MASK
from ..path.path import Path
from .batch import Batch

if COMPILED:
    from librt.strings import BytesWriter

# A fragment that only fills the rest of a packet must be worth its header.
WORTHWHILE: Final = 64
# What one UDP_SEGMENT send takes: packets, and bytes of an IPv4 datagram.
MAX_PACKETS: Final = 44
MAX_BYTES: Final = 65507


@final
class OutMessage:
    """One user message on its way out."""

    __slots__ = ("context", "data", "flags", "offset", "ppid", "remote", "ssn", "stream")

    def __init__(self, data: bytes, stream: int, ppid: int, flags: int, remote: bytes, context: object) -> None:
        self.data = data
        self.stream = stream
        self.ppid = ppid
        self.flags = flags
        """DATA_UNORDERED and DATA_IMMEDIATE."""
        self.remote = remote
        """Destination the user asked for; ``b""`` for the primary path."""
        self.context = context
        """What the user wants to see again if the message is not delivered; None for nothing."""
        self.offset = 0
        """Bytes already cut."""
        self.ssn = 0


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


@final
class SendQueue:
    """Messages in the order they will be sent."""

    __slots__ = ("_contexts", "_contexts_past", "_head", "_items", "_ssn", "queued_bytes")

    def __init__(self) -> None:
        self._items: list[OutMessage] = []
        self._head = 0
        self._ssn: dict[int, int] = {}
        self._contexts: list[tuple[int, object]] = []  # Those before ``_contexts_past`` do not count any more.
        self._contexts_past = 0
        self.queued_bytes = 0
        """Bytes of user data not cut yet."""

    def __len__(self) -> int:
        return len(self._items) - self._head

    def push(self, message: OutMessage) -> None:
        """Take a message, behind all others."""
        self._items.append(message)
        self.queued_bytes += len(message.data)

    def peek(self) -> OutMessage | None:
        """The message that is sent next."""
        return self._items[self._head] if self._head < len(self._items) else None

    def messages(self) -> list[OutMessage]:
        """All messages not wholly cut, in order."""
        return self._items[self._head :]

    @property
    def contexts(self) -> list[tuple[int, object]]:
        """Of messages wholly cut: their last TSN and their context, for those that have one."""
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

    def _tidy(self) -> None:
        """Let go of the messages that are wholly cut."""
        if self._head == len(self._items):
            self._items.clear()
            self._head = 0
        elif self._head >= 1024:
            del self._items[: self._head]
            self._head = 0

    def _number(self, message: OutMessage) -> None:
        """Give the message its SSN (section 6.5): unordered messages take none."""
        if not message.flags & DATA_UNORDERED:
            ssn = self._ssn.get(message.stream, 0)
            message.ssn = ssn
            self._ssn[message.stream] = (ssn + 1) & SSN_MASK

    def fill(
        self, first_tsn: int, path: Path, seal: Seal, limit: int, lead: bytes, room: Room, flags: int
    ) -> Batch | None:
        """Cut chunks into one batch for ``path``; None if the windows allow none.

        ``seal`` makes the packets final. ``limit`` is the largest packet, ``lead`` are control chunks to go first in
        the first packet, and ``flags`` are set on every chunk. ``room`` is used up by what is taken. If the peer's
        window ends before the data does, the packet that fills it asks for a SACK at once (RFC 9260 section 6.1, RFC
        7053): nothing more can be sent without one.
        """
        batch = Batch(first_tsn, path)
        wanted = self._items[self._head].remote if self._head < len(self._items) else b""
        parts: list[bytes] = []
        packets = min(room.burst, MAX_PACKETS, max(MAX_BYTES // limit, 1))
        size = limit
        most = limit - COMMON_HEADER - DATA_HEADER
        # With less room than that, the packet is the last one for which there is room.
        last = 2 * most if self.queued_bytes > room.rwnd else 0
        while packets > 0 and self._head < len(self._items) and room.cwnd > 0:
            if self._items[self._head].remote != wanted:
                break  # Another destination needs another batch.
            run = 0 if lead else self._run(batch, parts, seal, size, packets, room, most if last else 0, flags)
            if run:
                packets -= run
                batch.packets += run
                continue
            marks = flags | DATA_IMMEDIATE if room.rwnd < last else flags
            pieces = self._packet(batch, lead, size - COMMON_HEADER, limit - COMMON_HEADER, room, marks, wanted)
            if len(pieces) == (1 if lead else 0):
                break
            length = seal.append(parts, pieces)
            packets -= 1
            batch.packets += 1
            if lead or (length < size and batch.packets > 1):
                break  # The odd one goes last.
            size = length
        if not batch.packets:
            return None
        room.burst -= batch.packets
        self.queued_bytes -= batch.payload
        batch.finish(b"".join(parts), size if batch.packets > 1 else limit)
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
        message = self._items[self._head]
        data = message.data
        length = size - COMMON_HEADER
        payload = length - DATA_HEADER
        offset = message.offset
        if offset == 0 or payload <= 0:
            return 0
        # The last fragment goes the other way: it ends the message and is bundled with what follows.
        count = (len(data) - offset - 1) // payload
        tsn = batch.first_tsn + len(batch.sizes)
        wrap = TSN_MASK + 1 - (tsn & TSN_MASK)
        count = min(count, packets, -(-room.cwnd // length), (room.rwnd - kept) // payload, wrap)
        if count < runs.WORTHWHILE:
            return 0
        first = first_word((message.flags & DATA_UNORDERED) | flags, length, tsn)
        rest = message.stream << 48 | message.ssn << 32 | message.ppid
        parts.extend(seal.fragments(data, offset, payload, count, first, rest))
        message.offset = offset + count * payload
        taken = count * payload
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
        left = self._bundle(batch, parts, length - len(lead), room, flags, wanted)
        while left > DATA_HEADER and self._head < len(self._items):
            size = self._fragment(batch, parts, left, largest, room, flags, wanted)
            if not size:
                break
            left = self._bundle(batch, parts, left - size, room, flags, wanted)
        return parts

    def _bundle(self, batch: Batch, parts: list[bytes], left: int, room: Room, flags: int, wanted: bytes) -> int:
        """Append the whole messages that fit into ``left`` bytes; how many bytes are left then.

        Hot: earns its length in the 64 B and 1 KiB rows of ``make bench``.
        """
        items = self._items
        head = self._head
        end = len(items)
        ssns = self._ssn
        sizes = batch.sizes
        pack = DATA.pack
        if COMPILED:
            writer = BytesWriter()
        whole = DATA_BEGIN | DATA_END | flags
        tsn = batch.first_tsn + len(sizes)
        rwnd = room.rwnd
        before = left
        current = -1  # The stream whose next SSN is at hand.
        turn = 0
        while head < end:
            message = items[head]
            data = message.data
            payload = len(data)
            size = DATA_HEADER + payload
            if size > left or payload > rwnd or message.offset or message.remote != wanted:
                break
            stream = message.stream
            ssn = 0
            if not message.flags & DATA_UNORDERED:
                # Section 6.5: unordered messages take no number.
                if stream != current:
                    if current >= 0:
                        ssns[current] = turn
                    current = stream
                    turn = ssns.get(stream, 0)
                ssn = turn
                turn = (ssn + 1) & SSN_MASK
            if COMPILED:
                write_data(writer, message.flags | whole, size, tsn & TSN_MASK, stream, ssn, message.ppid, data)
            else:
                parts.append(pack(0, message.flags | whole, size, tsn & TSN_MASK, stream, ssn, message.ppid))
                parts.append(data)
                if payload & 3:
                    parts.append(PADDING[payload & 3])
            size = (size + 3) & ~3
            if message.context is not None:
                self._contexts.append((tsn, message.context))
            sizes.append(size)
            rwnd -= payload
            left -= size
            tsn += 1
            head += 1
        if COMPILED and left < before:
            parts.append(writer.getvalue())
        if current >= 0:
            ssns[current] = turn
        batch.payload += room.rwnd - rwnd
        batch.ends += head - self._head
        room.rwnd = rwnd
        room.cwnd -= before - left
        self._head = head
        self._tidy()
        return left

    def _fragment(
        self, batch: Batch, parts: list[bytes], left: int, largest: int, room: Room, flags: int, wanted: bytes
    ) -> int:
        """Append a part of the first message that fits into ``left`` bytes; its size, 0 if there is none to send."""
        message = self._items[self._head]
        remaining = len(message.data) - message.offset
        payload = left - DATA_HEADER
        chunk_flags = (message.flags & DATA_UNORDERED) | flags
        if remaining <= payload:
            payload = remaining
            chunk_flags |= DATA_END | (message.flags & DATA_IMMEDIATE)
        elif payload < WORTHWHILE or (message.offset == 0 and DATA_HEADER + remaining <= largest):
            return 0  # A whole message that fits into a packet of its own is not fragmented.
        if payload > room.rwnd or message.remote != wanted:
            return 0
        if message.offset == 0:
            self._number(message)
            chunk_flags |= DATA_BEGIN
        size = DATA_HEADER + payload
        tsn = batch.first_tsn + len(batch.sizes)
        stop = message.offset + payload
        parts.append(DATA.pack(0, chunk_flags, size, tsn & TSN_MASK, message.stream, message.ssn, message.ppid))
        parts.append(message.data[message.offset : stop] + PADDING[payload & 3])
        size = (size + 3) & ~3
        message.offset = stop
        batch.sizes.append(size)
        batch.payload += payload
        room.rwnd -= payload
        room.cwnd -= size
        if chunk_flags & DATA_END:
            batch.ends += 1
            if message.context is not None:
                self._contexts.append((tsn, message.context))
            self._head += 1
            self._tidy()
        return size
