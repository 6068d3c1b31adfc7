"""What is in flight, in TSN order, and what a SACK says of it (RFC 9260 sections 6.2.1, 6.3.3 and 6.7).

TSNs are kept in the batches they were sent in (``batch``): without loss a cumulative acknowledgement costs a slice of
``sizes``, and chunks are found in the bytes that were sent only when they are needed.

Every TSN above the cumulative TSN ack point is in one state:
    in flight        the default
    gap-acked        inside one of ``gaps``, sorted ranges [start, end)
    marked           lost, waits for retransmission
    abandoned        never sent again, whether acknowledged or not (RFC 3758 section 3.5)
``loss`` judges which TSNs are lost. TSNs are extended (``wire.serial``). A path's ``flight_size`` is the sum of the
sizes of the TSNs in flight to it.

``acknowledge`` computes; the association applies the result to windows, timers and error counts. Whatever a peer
acknowledges and takes back, the work is bounded by the bytes that came and by what was sent: a SACK costs what it and
the one before it have of ranges, and what it changes. Each TSN can be gap-acked and taken back as often as it was sent
and no more: a peer that takes back more than that is not believed (``_take_back``). Looking for the lowest TSN in
flight passes each TSN once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from ...wire.codes import COMMON_HEADER, DATA_HEADER
from ...wire.ranges import Ranges, difference, end_of
from ...wire.serial import TSN_MASK
from ..overhead import MESSAGE
from ..path.path import Path
from .batch import Batch
from .earliest import Earliest
from .loss import Loss, Special
from .sack_result import SackResult
from .sent import Sent

MAX_PATIENCE: Final = 1 << 16  # TSNs that a peer may take back beyond what is sent to it from now on.


@final
class Outstanding:
    """TSNs sent and not cumulatively acknowledged."""

    __slots__ = (
        "_earliest",
        "_forbearance",
        "_freed",
        "_header",
        "_loss",
        "_sent",
        "_unbelieved",
        "advanced_peer_ack_point",
        "cumulative_tsn_ack_point",
        "fast_recovery_exit",
        "flight_chunks",
        "flight_size",
        "gaps",
        "in_fast_recovery",
        "next_tsn",
    )

    def __init__(self, initial_tsn: int, header: int = DATA_HEADER) -> None:
        # Section 5.1: "the value of its transmitted Initial TSN minus one".
        self.cumulative_tsn_ack_point = initial_tsn - 1
        self.next_tsn = initial_tsn
        self.advanced_peer_ack_point = initial_tsn - 1
        """What the peer is told to skip, if it is above the Cumulative TSN Ack Point (RFC 3758 section 3.5, A1)."""
        self.gaps: Ranges = []
        self.flight_size = 0
        """Over all paths."""
        self.flight_chunks = 0
        self.in_fast_recovery = False
        self.fast_recovery_exit = 0
        self._sent = Sent()
        self._loss = Loss()
        self._earliest: Earliest | None = None  # Made when it is needed first.
        self._freed = 0
        self._header = header  # Bytes of each chunk that are no user data.
        self._forbearance = initial_tsn  # Up to ``next_tsn``, so many TSNs may still be taken back.
        self._unbelieved = 0  # Below that TSN, Gap Ack Blocks are not believed.

    @property
    def empty(self) -> bool:
        """True if everything sent was cumulatively acknowledged."""
        return self.cumulative_tsn_ack_point + 1 == self.next_tsn

    @property
    def flight_payload(self) -> int:
        """Bytes of user data in flight, with their padding: at most three bytes a chunk too many."""
        return self.flight_size - self._header * self.flight_chunks

    def sent(self, batch: Batch) -> None:
        """A batch with the next TSNs leaves now."""
        path = batch.path
        if path.flight_size == 0:
            path.earliest_tsn = batch.first_tsn
        self._sent.append(batch)
        self.next_tsn = batch.first_tsn + len(batch.sizes)
        path.flight_size += batch.total
        self.flight_size += batch.total
        self.flight_chunks += len(batch.sizes)

    @property
    def payload(self) -> int:
        """Bytes of user data kept: whole batches, of which some may be acknowledged already. Not for every packet."""
        return sum([batch.payload for batch in self._sent.batches[self._sent.head :]])

    @property
    def special(self) -> dict[int, Special]:
        """The TSNs that are marked or were retransmitted. Not to be changed."""
        return self._loss.special

    @property
    def marked_chunks(self) -> int:
        """TSNs that wait for retransmission."""
        return self._loss.marked_chunks

    def acknowledge(self, cumulative: int, ranges: Ranges) -> SackResult:
        """Apply a SACK that is neither old nor about TSNs never sent. ``ranges`` is kept."""
        result = SackResult()
        gaps = self.gaps
        if not gaps and not ranges:
            self._advance_to(cumulative, result)
            return result
        if cumulative + 1 < self._unbelieved:
            ranges = []
        reneged = difference(gaps, [(0, cumulative + 1), *ranges])
        if reneged and not self._forbears(reneged):
            ranges = []
            reneged = difference(gaps, [(0, cumulative + 1)])
        old = self.cumulative_tsn_ack_point
        newly = difference([(old + 1, cumulative + 1), *ranges] if cumulative > old else ranges, gaps)
        self._apply(cumulative, newly, ranges, reneged, result)
        return result

    def acknowledge_without_blocks(self, cumulative: int) -> SackResult:
        """Apply a SHUTDOWN that moves the ack point: it has no Gap Ack Blocks, and takes none back."""
        result = SackResult()
        gaps = self.gaps
        if not gaps:
            self._advance_to(cumulative, result)
            return result
        newly = difference([(self.cumulative_tsn_ack_point + 1, cumulative + 1)], gaps)
        past = 0
        while past < len(gaps) and gaps[past][1] <= cumulative + 1:
            past += 1
        ranges = gaps[past:]
        reneged: Ranges = []
        missing = cumulative + 1
        if ranges and ranges[0][0] <= missing:
            # It is missing whatever a block said, or it would be acknowledged cumulatively: something stays in flight.
            _, end = ranges[0]
            ranges[:1] = [(missing + 1, end)] if end > missing + 1 else []
            reneged.append((missing, missing + 1))
        self._apply(cumulative, newly, ranges, reneged, result)
        return result

    def _apply(self, cumulative: int, newly: Ranges, ranges: Ranges, reneged: Ranges, result: SackResult) -> None:
        """Gap Ack Blocks come, go or stay: ``ranges`` is what they cover now, ``newly`` what was not acknowledged."""
        advanced = cumulative > self.cumulative_tsn_ack_point
        for start, end in newly:
            self._take(start, end, result)
        self.gaps = ranges
        # The reach is the HTNA or, in Fast Recovery, if the SACK advances the ack point, the highest TSN above
        # a missing one (section 7.2.4).
        reach = newly[-1][1] - 1 if newly else 0
        if self.in_fast_recovery and advanced and ranges:
            reach = ranges[-1][0]
        if reneged:
            self._take_back(reneged, result)
            reach = max(reach, reneged[-1][1])  # "Count one miss indication" for these (section 6.2.1 D iii).
        if self._loss.on_reach(reach):
            self._mark_lost(cumulative, ranges, result)
        self._forget(cumulative, result)

    def _advance_to(self, cumulative: int, result: SackResult) -> None:
        """Nothing is acknowledged but what is up to ``cumulative``."""
        if cumulative > self.cumulative_tsn_ack_point:
            self._take(self.cumulative_tsn_ack_point + 1, cumulative + 1, result)
        self._forget(cumulative, result)

    def only_path(self) -> Path | None:
        """Where all was sent that is in flight, while nothing is lost; else None."""
        sent = self._sent
        if self.gaps or self._loss.special or sent.empty:
            return None
        path = sent.batches[sent.head].path
        return path if path.flight_size == self.flight_size else None

    def advance(self, cumulatives: Sequence[int]) -> list[int]:
        """Apply SACKs without blocks, by their Cumulative TSN Acks as read, while there is an ``only_path``.

        Returns the bytes of chunks that each of them newly acknowledges, up to one that acknowledges nothing or what
        was never sent: nothing has changed from there on. What they free is kept for ``take_freed``.

        Hot: earns its length in the 64 KiB rows of ``make bench``, where a SACK comes for every second packet.
        """
        acknowledged: list[int] = []
        total = 0
        sent = self._sent
        batches = sent.batches
        batch = batches[sent.head]
        path = batch.path
        sizes = batch.sizes
        point = self.cumulative_tsn_ack_point
        most = self.next_tsn - 1 - point
        first = point + 1 - batch.first_tsn
        for wire_tsn in cumulatives:
            count = (wire_tsn - point) & TSN_MASK
            if not 0 < count <= most:
                break
            point += count
            most -= count
            last = first + count
            size = 0
            while last >= len(sizes):
                size += sum(sizes[first:]) if first else batch.total
                last -= len(sizes)
                first = 0
                self._freed += batch.charge
                sent.drop_first()
                if not batches:
                    sizes = [0]  # Nothing is in flight any more.
                    break
                batch = batches[sent.head]
                sizes = batch.sizes
            if last > first:
                size += sum(sizes[first:last])
            acknowledged.append(size)
            total += size
            first = last
        path.flight_size -= total
        self.flight_size -= total
        self.flight_chunks -= point - self.cumulative_tsn_ack_point
        self.cumulative_tsn_ack_point = point
        return acknowledged

    def take_freed(self) -> int:
        """Bytes of the send buffer that ``advance`` freed."""
        freed = self._freed
        self._freed = 0
        return freed

    def _take(self, start: int, end: int, result: SackResult) -> None:
        """TSNs of [start, end), none of them acknowledged before, are acknowledged."""
        index = self._sent.index(start)
        special = self._loss.special
        while start < end:
            batch = self._sent.batches[index]
            first = start - batch.first_tsn
            last = min(end - batch.first_tsn, len(batch.sizes))
            path = batch.path
            slot = result.at(path)
            size = batch.total if last - first == len(batch.sizes) else sum(batch.sizes[first:last])
            count = last - first
            if special:
                for tsn in range(start, batch.first_tsn + last):
                    entry = self._loss.acknowledged(tsn)
                    if entry is not None:
                        size -= entry.size
                        count -= 1
                        self._take_special(tsn, entry, result)
            if count:
                result.clean[slot] = result.fresh[slot] = True
            path.flight_size -= size
            self.flight_size -= size
            self.flight_chunks -= count
            result.acknowledged[slot] += size
            if start <= path.rtt_tsn < batch.first_tsn + last:
                result.rtt[slot] = True
            if start <= path.earliest_tsn < batch.first_tsn + last:
                result.earliest[slot] = True
            start = batch.first_tsn + last
            index += 1

    def _take_special(self, tsn: int, entry: Special, result: SackResult) -> None:
        slot = result.at(entry.path)
        if entry.abandoned:
            return  # It was "finally acked" then, and counts for no window (RFC 3758 section 3.5, A2).
        if not entry.marked:  # Else it was declared lost and not in flight, but it had arrived.
            entry.path.flight_size -= entry.size
            self.flight_size -= entry.size
            self.flight_chunks -= 1
            if tsn == entry.path.earliest_tsn:
                result.earliest[slot] = True
        result.acknowledged[slot] += entry.size
        if entry.single_destination:
            result.clean[slot] = True
            if not entry.timed_out:
                result.fresh[slot] = True

    def _forget(self, cumulative: int, result: SackResult) -> None:
        """The ack point is there now: drop what lies wholly at or below it."""
        if cumulative > self.cumulative_tsn_ack_point:
            result.advanced = True
            self.cumulative_tsn_ack_point = cumulative
            sent = self._sent
            while not sent.empty:
                batch = sent.batches[sent.head]
                if batch.first_tsn + len(batch.sizes) - 1 > cumulative:
                    break
                result.freed += batch.charge
                sent.drop_first()
            self._loss.forget(cumulative)
        if self.in_fast_recovery and cumulative >= self.fast_recovery_exit:
            self.in_fast_recovery = False

    # --- what is taken back and what is lost ---

    def _forbears(self, reneged: Ranges) -> bool:
        """Whether the peer may take this back: all in all, as much as was sent to it.

        A peer that takes back more, again and again, is not believed: of all that is outstanding now only the
        cumulative acknowledgement counts. Else two small SACKs in turn could have us walk over a whole window as often
        as they come.
        """
        self._forbearance = max(self._forbearance, self.next_tsn - MAX_PATIENCE)
        self._forbearance += sum([end - start for start, end in reneged])
        if self._forbearance <= self.next_tsn:
            return True
        self._forbearance = self._unbelieved = self.next_tsn
        return False

    def _take_back(self, reneged: Ranges, result: SackResult) -> None:
        """The peer dropped data it had acknowledged by gap blocks: it is in flight as before (section 6.2.1 D iii)."""
        for start, end in reneged:
            result.taken_back += end - start
            index = self._sent.index(start)
            while start < end:
                batch = self._sent.batches[index]
                first = start - batch.first_tsn
                last = min(end - batch.first_tsn, len(batch.sizes))
                if self._loss.special:
                    for tsn in range(start, batch.first_tsn + last):
                        if not self._loss.is_abandoned(tsn):
                            self._fly(tsn, batch.path, batch.sizes[tsn - batch.first_tsn], 1)
                else:
                    size = batch.total if last - first == len(batch.sizes) else sum(batch.sizes[first:last])
                    self._fly(start, batch.path, size, last - first)
                if batch.path not in result.reneged:
                    result.reneged.append(batch.path)
                start = batch.first_tsn + last
                index += 1
        self._loss.take_back(reneged)

    def _mark_lost(self, cumulative: int, ranges: Ranges, result: SackResult) -> None:
        """Mark what has its third miss indication (section 7.2.4)."""
        special = self._loss.special
        for tsn in self._loss.lost_once(cumulative, ranges):
            if tsn not in special:
                self._mark_missing(tsn, None, result)
        for tsn in self._loss.lost_again():
            entry = special[tsn]
            if not entry.marked:
                self._mark_missing(tsn, entry, result)
                result.lost_again = result.lost_again or entry.sent_behind > self.fast_recovery_exit

    def _mark_missing(self, tsn: int, entry: Special | None, result: SackResult) -> None:
        path = self._mark(tsn, entry)
        result.marked += 1
        if path not in result.newly_marked:
            result.newly_marked.append(path)

    def _mark(self, tsn: int, entry: Special | None, timed_out: bool = False) -> Path:
        """Declare a TSN in flight lost; the path it was lost on."""
        if entry is None:
            batch = self._sent.find(tsn)
            entry = Special(batch.path, batch.sizes[tsn - batch.first_tsn])
        self._loss.mark(tsn, entry, timed_out)
        path = entry.path
        path.flight_size -= entry.size
        self.flight_size -= entry.size
        self.flight_chunks -= 1
        return path

    def mark_path(self, path: Path) -> None:
        """Mark all that is in flight to ``path``: T3-rtx expired (section 6.3.3)."""
        self._mark_flight(path.earliest_tsn, path)

    def leave(self, path: Path, heir: Path) -> None:
        """There is no ``path`` any more, and nothing in flight there: what was sent there belongs to ``heir``."""
        self._sent.hand_over(path, heir)
        self._loss.hand_over(path, heir)
        self._who_is_first().forget(path)

    def mark_all(self) -> None:
        """Mark all that is in flight: the peer dropped it."""
        self._mark_flight(0, None)

    def _mark_flight(self, earliest: int, path: Path | None) -> None:
        """Mark what is in flight, from that TSN on, to one path or, in one walk, to all. Slow start takes over."""
        self.in_fast_recovery = False
        start = max(earliest, self.cumulative_tsn_ack_point + 1)
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                if (self.flight_size if path is None else path.flight_size) == 0:
                    return
                entry = self._loss.special.get(tsn)
                if entry is not None and (entry.marked or entry.abandoned):
                    continue
                where = self._sent.path_of(tsn) if entry is None else entry.path
                if path is None or where is path:
                    self._mark(tsn, entry, path is not None)
                    if where.flight_size == 0:
                        self._nothing_in_flight(where)
            start = max(start, last)

    def _nothing_in_flight(self, path: Path) -> None:
        path.earliest_tsn = -1
        self._who_is_first().nothing_in_flight(path, self.next_tsn)

    def enter_fast_recovery(self) -> None:
        """The highest outstanding TSN is the exit point (section 7.2.4, 6)."""
        self.in_fast_recovery = True
        self.fast_recovery_exit = self.next_tsn - 1

    # --- what is abandoned (RFC 3758) ---

    @property
    def forwards(self) -> bool:
        """Whether the peer has been told to skip something, and has not confirmed it yet."""
        return self.advanced_peer_ack_point > self.cumulative_tsn_ack_point

    def watch(self) -> list[int]:
        """The list of what is marked from now on: whoever asked for it empties it."""
        if self._loss.marked_anew is None:
            self._loss.marked_anew = []
        return self._loss.marked_anew

    def find_chunk(self, tsn: int) -> bytes:
        """The outstanding chunk with that TSN, with its padding."""
        batch = self._sent.find(tsn)
        return batch.chunk(tsn - batch.first_tsn)

    def has_arrived(self, tsn: int) -> bool:
        """Whether a Gap Ack Block acknowledges it."""
        return end_of(self.gaps, tsn) > 0

    def abandon(self, tsn: int, payload: int, ends: bool) -> int:
        """An outstanding chunk with so many bytes of user data, which ``ends`` its message or not, is never sent again.

        Returns what that frees of the send buffer: "the sender MUST treat the data chunk as being finally acked and no
        longer outstanding" (section 3.5, A2).
        """
        batch = self._sent.find(tsn)
        entry = self._loss.special.get(tsn)
        in_flight = not self.has_arrived(tsn)
        if entry is None:
            entry = Special(batch.path, batch.sizes[tsn - batch.first_tsn])
        elif entry.marked:
            in_flight = False
        path = entry.path
        self._loss.abandon(tsn, entry)
        if in_flight:
            path.flight_size -= entry.size
            self.flight_size -= entry.size
            self.flight_chunks -= 1
            if path.flight_size == 0:
                self._nothing_in_flight(path)
            elif path.earliest_tsn == tsn:
                path.earliest_tsn = self.find_earliest(path)
        if path.rtt_tsn == tsn:
            path.rtt_tsn = -1  # When it is acknowledged will say nothing of the round trip.
        charge = payload + MESSAGE if ends else payload
        batch.charge -= charge
        batch.payload -= payload
        return charge

    def abandon_unsent(self, path: Path, chunk: bytes) -> int:
        """Take a TSN for a chunk that was never sent, and abandon it; the TSN.

        So a message that was sent in part has an end that the peer can be told to skip.
        """
        tsn = self.next_tsn
        batch = Batch(tsn, path)
        batch.sizes.append(len(chunk))
        batch.finish(bytes(COMMON_HEADER) + chunk, COMMON_HEADER + len(chunk))
        self.sent(batch)
        self.abandon(tsn, 0, False)
        return tsn

    def advance_peer_ack_point(self) -> int:
        """Move the point up as far as chunks are abandoned (section 3.5, C1 and C2); where it is now."""
        point = max(self.advanced_peer_ack_point, self.cumulative_tsn_ack_point)
        while self._loss.is_abandoned(point + 1):
            point += 1
        self.advanced_peer_ack_point = point
        return point

    # --- retransmission ---

    def next_marked(self) -> int:
        """The lowest TSN that waits for retransmission; -1 for none."""
        return self._loss.next_marked()

    @property
    def queued_marks(self) -> int:
        """For tests: how many entries are kept to find what is lost, what is marked and what is in flight again."""
        return self._loss.queued + (0 if self._earliest is None else self._earliest.queued)

    def lost_on(self, tsn: int) -> Path:
        """The path on which a marked TSN was lost."""
        return self._loss.special[tsn].path

    def first_path(self, tsn: int) -> Path | None:
        """Where a TSN was sent first; None if it was acknowledged for good."""
        return self._sent.path_of(tsn) if tsn > self.cumulative_tsn_ack_point else None

    def size_of_marked(self, tsn: int) -> int:
        """Size of a marked chunk."""
        return self._loss.special[tsn].size

    def was_fast(self, tsn: int) -> bool:
        """True if a marked TSN was marked by gap reports, not by T3-rtx."""
        return not self._loss.special[tsn].timed_out

    def retransmit(self, path: Path, room: int, stop: int = -1) -> list[bytes]:
        """Take the lowest marked chunks that fit into ``room`` bytes: they leave to ``path`` now.

        TSNs from ``stop`` on, if it is not below 0, cannot go into the same packet.

        A chunk larger than ``room`` goes alone, for IP to fragment (section 6.9).
        """
        taken: list[bytes] = []
        left = room
        while True:
            tsn = self._loss.next_marked()
            if tsn < 0 or (taken and (self._loss.special[tsn].size > left or tsn >= stop >= 0)):
                break
            entry = self._loss.resend(path, self.next_tsn)
            batch = self._sent.find(tsn)
            taken.append(batch.chunk(tsn - batch.first_tsn))
            self._forbearance -= 1
            self._fly(tsn, path, entry.size, 1)
            path.chunks_retransmitted += 1
            left -= entry.size
            if left < self._header:
                break
        return taken

    def _fly(self, tsn: int, path: Path, size: int, count: int) -> None:
        """``count`` TSNs from this one on, ``size`` bytes in all, are in flight again."""
        self._who_is_first().back_in_flight(path, tsn, tsn + count)
        if path.flight_size == 0 or tsn < path.earliest_tsn:
            path.earliest_tsn = tsn
        path.flight_size += size
        self.flight_size += size
        self.flight_chunks += count

    def find_earliest(self, path: Path) -> int:
        """The lowest TSN in flight to ``path``; -1 for none."""
        if path.flight_size == 0:
            return -1
        lowest = self.cumulative_tsn_ack_point + 1
        if path is self.only_path():
            return lowest
        return self._who_is_first().find(path, lowest, self.next_tsn, self.gaps)

    def _who_is_first(self) -> Earliest:
        if self._earliest is None:
            self._earliest = Earliest(self._sent, self._loss)
        return self._earliest

    def chunks(self) -> list[tuple[bytes, bool]]:
        """The chunks above the cumulative TSN ack point, each with whether it was acknowledged or abandoned."""
        found: list[tuple[bytes, bool]] = []
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, last):
                batch = self._sent.find(tsn)
                done = tsn >= first or self._loss.is_abandoned(tsn)
                found.append((batch.chunk(tsn - batch.first_tsn), done))
            start = last
        return found

    def check_invariants(self) -> None:
        """For tests: raise AssertionError if the sums do not add up."""
        flights: dict[int, int] = {}
        total = chunks = marked = 0
        start = self.cumulative_tsn_ack_point + 1
        for first, last in [*self.gaps, (self.next_tsn, self.next_tsn)]:
            for tsn in range(start, first):
                batch = self._sent.find(tsn)
                entry = self._loss.special.get(tsn)
                if entry is not None and entry.abandoned:
                    continue
                if entry is not None and entry.marked:
                    marked += 1
                    continue
                path = entry.path if entry is not None else batch.path
                size = batch.sizes[tsn - batch.first_tsn]
                flights[id(path)] = flights.get(id(path), 0) + size
                total += size
                chunks += 1
            start = last
        assert total == self.flight_size, (total, self.flight_size)
        assert chunks == self.flight_chunks
        assert marked == self.marked_chunks
        for batch in self._sent.batches[self._sent.head :]:
            assert batch.path.flight_size == flights.get(id(batch.path), 0)
