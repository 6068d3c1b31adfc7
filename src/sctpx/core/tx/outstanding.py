"""What is in flight, in TSN order, and what a SACK says of it (RFC 9260 sections 6.2.1, 6.3.3 and 6.7).

TSNs are kept in the batches they were sent in (``batch``): without loss a cumulative acknowledgement costs a slice of
``sizes``, and chunks are found in the bytes that were sent only when they are needed.

Every TSN above the cumulative TSN ack point is in one state:
    in flight        the default
    gap-acked        inside one of ``gaps``, sorted ranges [start, end)
    marked           lost, waits for retransmission
    abandoned        never sent again, whether acknowledged or not (RFC 3758 section 3.5)
``loss``, or by time ``rack``, judges which TSNs are lost; ``flight`` counts. TSNs are extended (``wire.serial``).

``acknowledge`` computes; the association applies the result to windows, timers and error counts. Whatever a peer
acknowledges and takes back, the work is bounded by the bytes that came and by what was sent: a SACK costs what it and
the one before it have of ranges, and what it changes. Each TSN can be gap-acked and taken back as often as it was sent
and no more (``patience``). Looking for the lowest TSN in flight passes each TSN once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ...wire.codes import DATA_HEADER
from ...wire.ranges import Ranges, difference, end_of
from ...wire.serial import TSN_MASK
from ..overhead import MESSAGE
from ..path.path import Path
from .batch import Batch
from .flight import Flight
from .loss import Loss, Special
from .patience import Patience
from .rack import Rack
from .sack_result import SackResult
from .sent import Sent


@final
class Outstanding:
    """TSNs sent and not cumulatively acknowledged."""

    __slots__ = (
        "_flight",
        "_freed",
        "_header",
        "_loss",
        "_patience",
        "_sent",
        "advanced_peer_ack_point",
        "by_time",
        "cumulative_tsn_ack_point",
        "fast_recovery_exit",
        "first_tsn",
        "gaps",
        "in_fast_recovery",
        "next_tsn",
        "rack",
        "recovery_began",
    )

    def __init__(self, initial_tsn: int, header: int = DATA_HEADER, by_time: bool = False) -> None:
        self.cumulative_tsn_ack_point = initial_tsn - 1  # Section 5.1.
        self.first_tsn = self.next_tsn = initial_tsn
        self.advanced_peer_ack_point = initial_tsn - 1
        """What the peer is told to skip, if it is above the Cumulative TSN Ack Point (RFC 3758 section 3.5, A1)."""
        self.gaps: Ranges = []
        self.in_fast_recovery = False
        self.fast_recovery_exit = 0
        self.recovery_began = 0
        """When Fast Recovery was entered, ns."""
        self.by_time = by_time
        """Whether losses are judged by time (``rack``), and not by counting miss indications (``loss``)."""
        self.rack: Rack | None = None
        """The judgement by time; made when it is needed first."""
        self._sent = Sent()
        self._loss = Loss()
        self._flight = Flight(self._sent, self._loss)
        self._freed = 0
        self._header = header  # Bytes of each chunk that are no user data.
        self._patience = Patience(initial_tsn)

    @property
    def empty(self) -> bool:
        """True if everything sent was cumulatively acknowledged."""
        return self.cumulative_tsn_ack_point + 1 == self.next_tsn

    @property
    def flight_size(self) -> int:
        """Bytes of chunks in flight, over all paths."""
        return self._flight.size

    @property
    def flight_chunks(self) -> int:
        """How many chunks that are."""
        return self._flight.chunks

    @property
    def flight_payload(self) -> int:
        """Bytes of user data in flight, with their padding: at most three bytes a chunk too many."""
        return self._flight.size - self._header * self._flight.chunks

    def sent(self, batch: Batch) -> None:
        """A batch with the next TSNs leaves now."""
        path = batch.path
        if path.flight_size == 0:
            path.earliest_tsn = batch.first_tsn
        self._sent.append(batch)
        self.next_tsn = batch.first_tsn + len(batch.sizes)
        self._flight.take_off(path, batch.total, len(batch.sizes))

    @property
    def payload(self) -> int:
        """Bytes of user data kept: whole batches, of which some may be acknowledged already."""
        return sum([batch.payload for batch in self._sent.batches[self._sent.head :]])

    @property
    def special(self) -> dict[int, Special]:
        """The TSNs that are marked, were retransmitted or abandoned; judged by time, taken back. Not to be changed."""
        return self._loss.special

    @property
    def marked_chunks(self) -> int:
        """TSNs that wait for retransmission."""
        return self._loss.marked_chunks

    def acknowledge(self, cumulative: int, ranges: Ranges, now: int = 0) -> SackResult:
        """Apply a SACK that is neither old nor about TSNs never sent. ``ranges`` is kept."""
        result = SackResult()
        gaps = self.gaps
        if not gaps and not ranges:
            self._advance_to(cumulative, result, now)
            return result
        if not self._patience.believes(cumulative):
            ranges = []
        reneged = difference(gaps, [(0, cumulative + 1), *ranges])
        if reneged and not self._patience.bears(reneged, self.next_tsn):
            ranges = []
            reneged = difference(gaps, [(0, cumulative + 1)])
        old = self.cumulative_tsn_ack_point
        newly = difference([(old + 1, cumulative + 1), *ranges] if cumulative > old else ranges, gaps)
        self._apply(cumulative, newly, ranges, reneged, result, now)
        return result

    def acknowledge_without_blocks(self, cumulative: int, now: int = 0) -> SackResult:
        """Apply a SHUTDOWN that moves the ack point: it has no Gap Ack Blocks, and takes none back."""
        result = SackResult()
        gaps = self.gaps
        if not gaps:
            self._advance_to(cumulative, result, now)
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
        self._apply(cumulative, newly, ranges, reneged, result, now)
        return result

    def _apply(
        self, cumulative: int, newly: Ranges, ranges: Ranges, reneged: Ranges, result: SackResult, now: int
    ) -> None:
        """Gap Ack Blocks come, go or stay: ``ranges`` is what they cover now, ``newly`` what was not acknowledged."""
        advanced = cumulative > self.cumulative_tsn_ack_point
        if self.by_time:
            self.ensure_rack()
        for start, end in newly:
            self._take(start, end, result, now)
        self.gaps = ranges
        if self.by_time:
            if reneged:
                self._take_back(reneged, result, now)
            self._forget(cumulative, result)
            self._judge(now, result)
            return
        # The reach is the HTNA or, in Fast Recovery, if the SACK advances the ack point, the highest TSN above
        # a missing one (section 7.2.4).
        reach = newly[-1][1] - 1 if newly else 0
        if self.in_fast_recovery and advanced and ranges:
            reach = ranges[-1][0]
        if reneged:
            self._take_back(reneged, result, now)
            self._loss.take_back(reneged)
            reach = max(reach, reneged[-1][1])  # "Count one miss indication" for these (section 6.2.1 D iii).
        if self._loss.on_reach(reach):
            self._mark_lost(cumulative, ranges, result)
        self._forget(cumulative, result)

    def _advance_to(self, cumulative: int, result: SackResult, now: int) -> None:
        """Nothing is acknowledged but what is up to ``cumulative``."""
        if cumulative > self.cumulative_tsn_ack_point:
            self._take(self.cumulative_tsn_ack_point + 1, cumulative + 1, result, now)
        self._forget(cumulative, result)
        self._judge(now, result)

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
        self._flight.land(path, total, point - self.cumulative_tsn_ack_point)
        self.cumulative_tsn_ack_point = point
        return acknowledged

    def take_freed(self) -> int:
        """Bytes of the send buffer that ``advance`` freed."""
        freed = self._freed
        self._freed = 0
        return freed

    def _take(self, start: int, end: int, result: SackResult, now: int) -> None:
        """TSNs of [start, end), none of them acknowledged before, are acknowledged."""
        index = self._sent.index(start)
        special = self._loss.special
        rack = self.rack
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
                        self._take_special(tsn, entry, result, now)
                    elif rack is not None:
                        rack.on_fresh(path, batch.sent_at, tsn, tsn + 1)
            elif rack is not None:
                rack.on_fresh(path, batch.sent_at, start, batch.first_tsn + last)
            if count:
                result.clean[slot] = result.fresh[slot] = True
            self._flight.land(path, size, count)
            result.acknowledged[slot] += size
            if start <= path.rtt_tsn < batch.first_tsn + last:
                result.rtt[slot] = True
            if start <= path.earliest_tsn < batch.first_tsn + last:
                result.earliest[slot] = True
            start = batch.first_tsn + last
            index += 1

    def _take_special(self, tsn: int, entry: Special, result: SackResult, now: int) -> None:
        slot = result.at(entry.path)
        if entry.abandoned:
            return  # It was "finally acked" then, and counts for no window (RFC 3758 section 3.5, A2).
        if self.rack is not None:
            self.rack.on_special(tsn, entry, now)
        if not entry.marked:  # Else it was declared lost and not in flight, but it had arrived.
            self._flight.land(entry.path, entry.size, 1)
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
            if self.rack is not None:
                self.rack.on_recovered()

    # --- what is taken back and what is lost ---

    def _take_back(self, reneged: Ranges, result: SackResult, now: int) -> None:
        """The peer dropped data it had acknowledged by gap blocks: it is in flight as before (section 6.2.1 D iii)."""
        for start, end in reneged:
            result.taken_back += end - start
            index = self._sent.index(start)
            while start < end:
                batch = self._sent.batches[index]
                first = start - batch.first_tsn
                last = min(end - batch.first_tsn, len(batch.sizes))
                if self._loss.special or self.by_time:
                    for tsn in range(start, batch.first_tsn + last):
                        if not self._loss.is_abandoned(tsn):
                            self._flight.take_off_again(batch.path, batch.sizes[tsn - batch.first_tsn], 1, tsn)
                            if self.by_time:
                                entry = self._loss.special[tsn] = self._special(tsn)
                                entry.sent_behind = self.next_tsn
                                self.ensure_rack().sent_again(tsn, entry, now)
                else:
                    size = batch.total if last - first == len(batch.sizes) else sum(batch.sizes[first:last])
                    self._flight.take_off_again(batch.path, size, last - first, start)
                if batch.path not in result.reneged:
                    result.reneged.append(batch.path)
                start = batch.first_tsn + last
                index += 1

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

    def ensure_rack(self) -> Rack:
        """The judgement by time."""
        if self.rack is None:
            self.rack = Rack(self._sent, self._loss)
        return self.rack

    def _judge(self, now: int, result: SackResult) -> None:
        """Mark what is lost by time (RFC 8985 section 6.2, step 5)."""
        rack = self.rack
        if rack is None:
            return
        lowest = self.cumulative_tsn_ack_point + 1
        recovering = self.in_fast_recovery or lowest < rack.timed_out_to
        special = self._loss.special
        for path in rack.tracks:
            for tsn in rack.judge(path, now, lowest, self.next_tsn, self.gaps, recovering):
                entry = special.get(tsn)
                if entry is None or not entry.marked:
                    again = entry is not None and entry.retransmissions > 0 and entry.sent_at >= self.recovery_began
                    result.lost_again = result.lost_again or again
                    self._mark_missing(tsn, entry, result)

    def judge(self, now: int) -> SackResult:
        """Time has passed: mark what is lost by time."""
        result = SackResult()
        self._judge(now, result)
        return result

    def _mark_missing(self, tsn: int, entry: Special | None, result: SackResult) -> None:
        path = self._mark(tsn, entry)
        result.marked += 1
        if path not in result.newly_marked:
            result.newly_marked.append(path)

    def _mark(self, tsn: int, entry: Special | None, timed_out: bool = False) -> Path:
        """Declare a TSN in flight lost; the path it was lost on."""
        if entry is None:
            entry = self._special(tsn)
        self._loss.mark(tsn, entry, timed_out)
        self._flight.land(entry.path, entry.size, 1)
        return entry.path

    def _special(self, tsn: int) -> Special:
        batch = self._sent.find(tsn)
        return Special(batch.path, batch.sizes[tsn - batch.first_tsn], batch.sent_at)

    def mark_path(self, path: Path) -> None:
        """Mark all that is in flight to ``path``: T3-rtx expired (section 6.3.3)."""
        self._mark_flight(path.earliest_tsn, path)
        if self.by_time:
            self.ensure_rack().timed_out_to = self.next_tsn

    def leave(self, path: Path, heir: Path) -> None:
        """There is no ``path`` any more, and nothing in flight there: what was sent there belongs to ``heir``."""
        self._sent.hand_over(path, heir)
        self._loss.hand_over(path, heir)
        if self.rack is not None:
            self.rack.forget(path)
        self._flight.forget(path)

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
                        self._flight.none_left(where, self.next_tsn)
            start = max(start, last)

    def enter_fast_recovery(self, now: int = 0) -> None:
        """The highest outstanding TSN is the exit point (section 7.2.4, 6)."""
        self.in_fast_recovery = True
        self.recovery_began = now
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
            entry = self._special(tsn)
        elif entry.marked:
            in_flight = False
        path = entry.path
        self._loss.abandon(tsn, entry)
        if in_flight:
            self._flight.land(path, entry.size, 1)
            if path.flight_size == 0:
                self._flight.none_left(path, self.next_tsn)
            elif path.earliest_tsn == tsn:
                path.earliest_tsn = self.find_earliest(path)
        if path.rtt_tsn == tsn:
            path.rtt_tsn = -1  # When it is acknowledged will say nothing of the round trip.
        charge = payload + MESSAGE if ends else payload
        batch.charge -= charge
        batch.payload -= payload
        return charge

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
        return self._loss.queued + self._flight.queued + (0 if self.rack is None else self.rack.queued)

    def first_path(self, tsn: int) -> Path | None:
        """Where a TSN was sent first; None if it was acknowledged for good."""
        return self._sent.path_of(tsn) if tsn > self.cumulative_tsn_ack_point else None

    def was_fast(self, tsn: int) -> bool:
        """True if a marked TSN was marked by gap reports, not by T3-rtx."""
        return not self._loss.special[tsn].timed_out

    def retransmit(self, path: Path, room: int, stop: int = -1, now: int = 0) -> list[bytes]:
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
            entry = self._loss.resend(path, self.next_tsn, self.by_time)
            self._leave_again(tsn, entry, now)
            taken.append(self.find_chunk(tsn))
            left -= entry.size
            if left < self._header:
                break
        return taken

    def repeat(self, tsn: int, path: Path, now: int) -> None:
        """A TSN in flight, which is not lost as far as is known, leaves to ``path`` now, as ``find_chunk`` has it."""
        entry = self._loss.special.get(tsn) or self._special(tsn)
        before = entry.path
        self._flight.land(before, entry.size, 1)
        self._loss.send_again(tsn, entry, path, self.next_tsn, self.by_time)
        self._leave_again(tsn, entry, now)
        if before.flight_size == 0:
            self._flight.none_left(before, self.next_tsn)
        elif before is not path and before.earliest_tsn == tsn:
            before.earliest_tsn = self.find_earliest(before)

    def _leave_again(self, tsn: int, entry: Special, now: int) -> None:
        """A TSN leaves once more, to the path of its entry."""
        path = entry.path
        self._patience.on_resent()
        self._flight.take_off_again(path, entry.size, 1, tsn)
        if self.by_time:
            self.ensure_rack().sent_again(tsn, entry, now)
        path.chunks_retransmitted += 1

    def find_earliest(self, path: Path) -> int:
        """The lowest TSN in flight to ``path``; -1 for none."""
        if path.flight_size == 0:
            return -1
        lowest = self.cumulative_tsn_ack_point + 1
        if path is self.only_path():
            return lowest
        return self._flight.earliest(path, lowest, self.next_tsn, self.gaps)

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
        self._flight.check_invariants(self.cumulative_tsn_ack_point + 1, self.next_tsn, self.gaps)
