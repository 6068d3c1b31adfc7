"""Which TSNs are lost, judged by time (RACK, RFC 8985 section 6).

A TSN in flight is lost when a TSN that was sent later has arrived, and so much time has passed since the TSN was sent
as the later one took, and the *reordering window* on top. What was sent again is judged like what was sent once, so
the loss of a retransmission is seen a round trip later, with nothing new to be sent for it.

Each path has a ``Track`` of its own: what was sent to different paths arrives in whatever order the paths deliver, so
times of sending say nothing across paths. A whole batch has one time, and more may leave at the same time: what was
sent first is then told by the TSN, and of what was sent again by the TSN that would have been the next new one.

The reordering window is a quarter of the least round-trip time. It grows by as much for each round trip in which the
peer reports that something came twice, up to SRTT, until sixteen recoveries have passed. It is zero while no
reordering was ever seen, if the third SACK in a row tells that something was overtaken, or in a recovery.

A batch has one time of sending, ``Special`` one for what was sent again or taken back. As long as everything is
acknowledged in sequence, nothing in flight was overtaken, and nothing of this is needed: the ``Rack`` of an association
is made by its first Gap Ack Block or retransmission. Each TSN is passed once after it was sent, and once after it was
sent again: a SACK costs what it changes.
"""

from __future__ import annotations

from typing import Final, final

from ...wire.ranges import Ranges, end_of
from ..path.path import Path
from ..timers import NEVER
from .loss import MISS_INDICATIONS, SLACK, Loss, Special
from .sent import Sent

PERSISTENCE: Final = 16
"""Recoveries after which a reordering window that has grown begins anew (section 6.2, step 4)."""


@final
class Track:
    """What was delivered on one path, and what it says of what is in flight there (RFC 8985 section 5.3)."""

    __slots__ = (
        "_news_at",
        "_news_order",
        "_news_tsn",
        "again",
        "deadline",
        "fresh",
        "head",
        "highest",
        "misses",
        "multiplier",
        "order",
        "persists",
        "reordered",
        "resent",
        "round_end",
        "rtt",
        "sent_at",
        "tsn",
    )

    def __init__(self) -> None:
        self.sent_at = -1
        """When that was sent which was sent last of all that has arrived: RACK.xmit_ts; below 0 before the first."""
        self.order = -1
        """Its place among what was sent at that time; see ``order_of``."""
        self.tsn = -1
        """Its TSN: RACK.end_seq."""
        self.rtt = 0
        """How long what arrived last took, ns: RACK.rtt."""
        self.highest = -1
        """The highest TSN that has arrived: RACK.fack."""
        self.reordered = False
        """Whether something ever arrived behind what was sent after it: RACK.reordering_seen."""
        self.misses = 0
        """How many SACKs in a row told that something was overtaken."""
        self.multiplier = 1
        """RACK.reo_wnd_mult."""
        self.persists = 0
        """RACK.reo_wnd_persist."""
        self.round_end = -1
        """With this TSN, the round trip ends in which something came twice: RACK.dsack_round; below 0 for none."""
        self.resent = False
        """Something was sent again here since the window last grew."""
        self.deadline = NEVER
        """When what was overtaken and is not lost yet will be."""
        self.fresh = 0
        """What was sent once, and lies below, was judged."""
        self.again: list[tuple[int, int]] = []
        """(time, TSN) of what was sent again, or taken back, in order..."""
        self.head = 0
        """...from here on."""
        self._news_at = -1  # The same as ``sent_at``, ``order`` and ``tsn``, of what the present SACK acknowledges.
        self._news_order = -1
        self._news_tsn = -1

    def arrived(self, sent_at: int, order: int, tsn: int) -> None:
        """The present SACK newly acknowledges this TSN, which was sent then."""
        if sent_at > self._news_at or (sent_at == self._news_at and (order, tsn) > (self._news_order, self._news_tsn)):
            self._news_at = sent_at
            self._news_order = order
            self._news_tsn = tsn

    def take_news(self, now: int) -> bool:
        """All that the present SACK acknowledges was told. True if some of it was sent later than all before."""
        sent_at, order, tsn = self._news_at, self._news_order, self._news_tsn
        if sent_at < 0:
            return False
        self._news_at = -1
        self.rtt = now - sent_at
        if self.was_sent_before(sent_at, order, tsn):
            return False
        self.sent_at = sent_at
        self.order = order
        self.tsn = tsn
        return True

    def was_sent_before(self, sent_at: int, order: int, tsn: int) -> bool:
        """Whether this was sent before something that has arrived: RACK_sent_after."""
        if sent_at != self.sent_at:
            return sent_at < self.sent_at
        return order < self.order or (order == self.order and tsn < self.tsn)

    def window(self, path: Path, recovering: bool) -> int:
        """The reordering window, ns: RACK.reo_wnd (step 4)."""
        if not self.reordered and (recovering or self.misses >= MISS_INDICATIONS):
            return 0
        return min(self.multiplier * path.least_rtt // 4, path.srtt)

    def on_duplicate(self, cumulative: int, next_tsn: int) -> None:
        """The peer got something twice: perhaps it was sent again too early."""
        if self.round_end >= 0 and cumulative + 1 >= self.round_end:
            self.round_end = -1
        if self.round_end < 0 and self.resent:
            self.resent = False
            self.round_end = next_tsn
            self.multiplier += 1
            self.persists = PERSISTENCE

    def on_recovered(self) -> None:
        """A recovery is over."""
        self.misses = 0
        self.persists -= 1
        if self.persists <= 0:
            self.persists = 0
            self.multiplier = 1


def order_of(entry: Special) -> int:
    """The place of what was sent again among what was sent at the same time. What was sent once has 2 TSN + 1."""
    return 2 * entry.sent_behind


@final
class Rack:
    """The judgement over all that is outstanding."""

    __slots__ = ("_loss", "_sent", "timed_out_to", "tracks")

    def __init__(self, sent: Sent, loss: Loss) -> None:
        self._sent = sent
        self._loss = loss
        self.tracks: dict[Path, Track] = {}
        self.timed_out_to = 0
        """The lowest TSN not sent yet when T3-rtx last expired: a recovery lasts until all below has arrived."""

    def track(self, path: Path) -> Track:
        """What is known of ``path``."""
        track = self.tracks.get(path)
        if track is None:
            track = self.tracks[path] = Track()
        return track

    def forget(self, path: Path) -> None:
        """There is no ``path`` any more."""
        self.tracks.pop(path, None)

    def overdue_at(self, path: Path) -> int:
        """When something in flight to ``path`` will be lost if it has not arrived, ns; ``NEVER`` for nothing."""
        track = self.tracks.get(path)
        return NEVER if track is None else track.deadline

    def overtake(self, path: Path, sent_at: int, next_tsn: int) -> None:
        """What was sent on another path then has arrived, and an SRTT at least has passed since.

        It counts as if it had been sent to ``path``, where everything below ``next_tsn`` was sent before that.
        """
        track = self.track(path)
        if sent_at >= track.sent_at:
            track.sent_at = sent_at
            track.order = 2 * next_tsn
        track.rtt = path.srtt

    def latest(self, path: Path, lowest: int, next_tsn: int, gaps: Ranges) -> int:
        """The highest TSN in flight to ``path``, which has some, or at least one in flight there."""
        tsn = next_tsn - 1
        index = len(gaps) - 1
        while tsn >= lowest:
            while index >= 0 and gaps[index][0] > tsn:
                index -= 1
            if index >= 0 and tsn < gaps[index][1]:
                tsn = gaps[index][0] - 1
                continue
            entry = self._loss.special.get(tsn)
            batch = self._sent.find(tsn)
            if entry is None and batch.path is path:
                return tsn
            if entry is not None and entry.path is path and not (entry.marked or entry.abandoned):
                return tsn
            tsn = batch.first_tsn - 1 if batch.path is not path else tsn - 1
        return path.earliest_tsn

    def is_in_flight(self, tsn: int, lowest: int, gaps: Ranges) -> bool:
        """Whether this TSN, which was sent, is in flight."""
        entry = self._loss.special.get(tsn)
        if entry is not None and (entry.marked or entry.abandoned):
            return False
        return tsn >= lowest and not end_of(gaps, tsn)

    # --- what is sent, and what arrives ---

    def sent_again(self, tsn: int, entry: Special, now: int) -> None:
        """This TSN is in flight to the path of its entry from now on: it was sent again, or taken back."""
        entry.sent_at = now
        track = self.track(entry.path)
        track.resent = track.resent or entry.retransmissions > 0
        track.again.append((now, tsn))
        if len(track.again) - track.head > 2 * len(self._loss.special) + SLACK:
            again = track.again[track.head :]
            track.again = [one for one in again if self._is_current(entry.path, one[0], one[1])]
            track.head = 0

    def on_fresh(self, path: Path, sent_at: int, start: int, end: int) -> None:
        """TSNs of [start, end) that were sent once, and together, are newly acknowledged."""
        track = self.track(path)
        if start < track.highest:
            track.reordered = True  # Step 3.
        if end > track.highest + 1:
            track.highest = end - 1
        track.arrived(sent_at, 2 * end - 1, end - 1)

    def on_special(self, tsn: int, entry: Special, now: int) -> None:
        """A TSN that was declared lost, sent again or taken back is newly acknowledged."""
        track = self.track(entry.path)
        if entry.retransmissions:
            # What comes back sooner than anything does was sent the time before: it says nothing (step 2).
            if now - entry.sent_at < entry.path.least_rtt:
                return
        elif not entry.marked:
            return  # It was taken back, and nobody knows what it was that came now.
        elif tsn < track.highest:
            track.reordered = True
        if entry.single_destination and tsn > track.highest:
            track.highest = tsn
        track.arrived(entry.sent_at, order_of(entry) if entry.retransmissions else 2 * tsn + 1, tsn)

    def on_duplicates(self, cumulative: int, next_tsn: int) -> None:
        """The peer got something twice: nobody knows on which path."""
        for track in self.tracks.values():
            track.on_duplicate(cumulative, next_tsn)

    def on_recovered(self) -> None:
        """A recovery is over."""
        for track in self.tracks.values():
            track.on_recovered()

    # --- judging ---

    def judge(self, path: Path, now: int, lowest: int, next_tsn: int, gaps: Ranges, recovering: bool) -> list[int]:
        """The TSNs in flight to ``path`` that are lost (step 5), perhaps twice. ``lowest`` is the lowest outstanding.

        ``Track.deadline`` tells when to judge again, if no SACK comes before that.
        """
        track = self.tracks[path]
        news = track.take_news(now)
        track.deadline = NEVER
        lost: list[int] = []
        if path.flight_size == 0 or track.sent_at < 0:
            track.misses = 0
            return lost
        window = track.window(path, recovering)
        waits = self._find_overdue(path, track, now - track.rtt - window, lowest, next_tsn, gaps, lost)
        if waits < 0 and not lost:
            track.misses = 0
        elif news:
            track.misses += 1
            if window and waits >= 0 and track.window(path, recovering) == 0:
                window = 0
                waits = self._find_overdue(path, track, now - track.rtt, lowest, next_tsn, gaps, lost)
        if waits >= 0:
            track.deadline = waits + track.rtt + window
        return lost

    def _find_overdue(
        self, path: Path, track: Track, limit: int, lowest: int, next_tsn: int, gaps: Ranges, lost: list[int]
    ) -> int:
        """Add to ``lost`` what was overtaken and was sent by ``limit``. Returns when the first one was sent that was
        overtaken and is not lost yet; -1 if there is none.
        """
        again = self._find_again(path, track, limit, lost)
        fresh = self._find_fresh(path, track, limit, lowest, next_tsn, gaps, lost)
        return again if fresh < 0 or 0 <= again < fresh else fresh

    def _find_fresh(
        self, path: Path, track: Track, limit: int, lowest: int, next_tsn: int, gaps: Ranges, lost: list[int]
    ) -> int:
        """Of what was sent once."""
        special = self._loss.special
        tsn = max(track.fresh, lowest)
        waits = -1
        while tsn < next_tsn:
            batch = self._sent.find(tsn)
            end = batch.first_tsn + len(batch.sizes)
            if batch.path is not path:
                tsn = end
                continue
            sent_at = batch.sent_at
            if sent_at > track.sent_at:
                break
            if sent_at == track.sent_at:
                end = min(end, track.order >> 1)
                if tsn >= end:
                    break
            while tsn < end:
                gap = end_of(gaps, tsn)
                if gap:
                    tsn = gap
                elif tsn in special:
                    tsn += 1
                elif sent_at > limit:
                    waits = sent_at
                    break
                else:
                    lost.append(tsn)
                    tsn += 1
            if waits >= 0:
                break
        track.fresh = tsn
        return waits

    def _find_again(self, path: Path, track: Track, limit: int, lost: list[int]) -> int:
        """Of what was sent again, or taken back."""
        again = track.again
        waits = -1
        while track.head < len(again):
            sent_at, tsn = again[track.head]
            entry = self._loss.special.get(tsn)
            if entry is not None and self._is_current(path, sent_at, tsn):
                if not track.was_sent_before(sent_at, order_of(entry), tsn):
                    break
                if sent_at > limit:
                    waits = sent_at
                    break
                lost.append(tsn)
            track.head += 1
        if track.head == len(again) or (track.head >= SLACK and 2 * track.head >= len(again)):
            del again[: track.head]
            track.head = 0
        return waits

    def _is_current(self, path: Path, sent_at: int, tsn: int) -> bool:
        """Whether the TSN is in flight to ``path``, and was not sent again since."""
        entry = self._loss.special.get(tsn)
        if entry is None or entry.marked or entry.abandoned:
            return False
        return entry.sent_at == sent_at and entry.path is path

    @property
    def queued(self) -> int:
        """For tests: how many entries are kept to find what is lost."""
        return sum([len(track.again) for track in self.tracks.values()])
