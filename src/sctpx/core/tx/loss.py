"""Which TSNs are lost, and which of them wait to be sent again (RFC 9260 sections 6.2.1, 6.3.3 and 7.2.4).

``special`` has an entry for each TSN that is *marked* (lost, waits for retransmission), was retransmitted or is
*abandoned* (RFC 3758 section 3.4), and for no other one.

Miss indications are not counted TSN by TSN. A SACK is one for every missing TSN below its *reach*: the highest TSN that
the SACK newly acknowledges. So a TSN has three of them when it lies below the third highest reach there was since the
TSN was sent, and three numbers know which TSNs are lost. A retransmission counts as sent behind the highest TSN of its
time: it is lost again when data that was first sent after it has overtaken it three times. What the peer took back is
counted anew, and it alone.

Each TSN is looked at once after it was sent, once after it was sent again, and once after it was taken back: what a
SACK costs here is paid by what was sent before, and no SACK begins a walk anew.
"""

from __future__ import annotations

from heapq import heappop, heappush, heappushpop
from typing import Final, final

from ...wire.ranges import Ranges, end_of, find, merged
from ..path.path import Path

MISS_INDICATIONS: Final = 3
SLACK: Final = 64
"""Entries that do not count any more, and may lie in a list or heap beside as many that do."""


@final
class Special:
    """A TSN that was declared lost at least once, or abandoned."""

    __slots__ = (
        "abandoned",
        "marked",
        "path",
        "retransmissions",
        "sent_at",
        "sent_behind",
        "single_destination",
        "size",
        "timed_out",
    )

    def __init__(self, path: Path, size: int, sent_at: int) -> None:
        self.path = path
        """Where it was sent last."""
        self.size = size
        self.marked = False
        """Waits to be retransmitted; not in flight."""
        self.abandoned = False
        """Will never be sent again; not in flight, whether it was acknowledged or not."""
        self.retransmissions = 0
        """How often it was sent again."""
        self.sent_at = sent_at
        """When it was sent last, ns; judged by time, also when the peer took it back."""
        self.sent_behind = 0
        """The lowest TSN that had not been sent yet when this one was retransmitted."""
        self.timed_out = False
        """Was marked last by T3-rtx."""
        self.single_destination = True
        """Never sent to a second address: its acknowledgement speaks for its path (RFC 7829 section 3.2 (9))."""


@final
class Loss:
    """The judgement over all that is outstanding."""

    __slots__ = (
        "_abandoned",
        "_head",
        "_judged",
        "_marked",
        "_reaches",
        "_resent",
        "_room",
        "_taken_back",
        "marked_anew",
        "marked_chunks",
        "special",
    )

    def __init__(self) -> None:
        self.special: dict[int, Special] = {}
        self.marked_chunks = 0
        self.marked_anew: list[int] | None = None
        """What was marked since somebody emptied the list; None while nobody asks."""
        self._abandoned: list[int] = []  # A heap.
        self._marked: list[int] = []  # A heap; entries that are not marked any more are passed over.
        self._reaches = [0] * MISS_INDICATIONS  # The highest ones, a heap: the first is the lowest of them.
        self._judged = 0  # What was sent once and is missing below has been marked, but for what was taken back.
        self._taken_back: Ranges = []  # A heap: what is below ``_judged`` and is to be judged again.
        self._room = SLACK  # So many entries it may have before those that overlap are merged.
        self._resent: list[tuple[int, int]] = []  # (sent_behind, TSN) of retransmissions, in order...
        self._head = 0  # ...from here on.

    # --- judging ---

    def take_back(self, reneged: Ranges) -> None:
        """The peer took these acknowledgements back: miss indications count anew from the lowest of them on."""
        lowest = reneged[0][0]
        self._reaches = [min(reach, lowest) for reach in self._reaches]
        for start, end in reneged:
            if start < self._judged:
                heappush(self._taken_back, (start, min(end, self._judged)))
        if len(self._taken_back) > self._room:
            self._taken_back = merged(self._taken_back)
            self._room = 2 * len(self._taken_back) + SLACK

    def on_reach(self, reach: int) -> bool:
        """A SACK had this reach. True if TSNs may be lost now: ``lost_once`` and ``lost_again`` tell."""
        if reach <= self._reaches[0]:
            return False
        heappushpop(self._reaches, reach)
        return True

    def lost_once(self, cumulative: int, gaps: Ranges) -> list[int]:
        """The TSNs, not marked and not retransmitted, that have their third miss indication now.

        ``gaps`` are acknowledged above ``cumulative``. A TSN may be named more than once.
        """
        limit = self._reaches[0]
        special = self.special
        lost: list[int] = []
        start = max(cumulative + 1, self._judged)
        index = max(find(gaps, start), 0)
        while start < limit:
            first, last = gaps[index] if index < len(gaps) else (limit, limit)
            for tsn in range(start, min(first, limit)):
                if tsn not in special:
                    lost.append(tsn)  # noqa: PERF401 - compiled, this is the faster way
            if last > start:
                start = last
            index += 1
        if limit > self._judged:
            self._judged = limit
        if self._taken_back:
            self._judge_again(cumulative, gaps, limit, lost)
        return lost

    def _judge_again(self, cumulative: int, gaps: Ranges, limit: int, lost: list[int]) -> None:
        """Add to ``lost`` what was taken back and has three miss indications since."""
        rest: Ranges = []
        while self._taken_back and self._taken_back[0][0] < limit:
            start, end = heappop(self._taken_back)
            if end > limit:
                rest.append((limit, end))
                end = limit
            for tsn in range(max(start, cumulative + 1), end):
                if tsn not in self.special and not end_of(gaps, tsn):
                    lost.append(tsn)  # noqa: PERF401 - as above
        for again in rest:
            heappush(self._taken_back, again)

    def lost_again(self) -> list[int]:
        """The retransmissions in flight that were overtaken three times. A TSN may be named more than once."""
        limit = self._reaches[0]
        lost: list[int] = []
        while self._head < len(self._resent):
            behind, tsn = self._resent[self._head]
            if self._is_in_flight(behind, tsn):
                if behind > limit:
                    break
                lost.append(tsn)
            self._head += 1
        if self._head >= SLACK and 2 * self._head >= len(self._resent):
            del self._resent[: self._head]
            self._head = 0
        return lost

    def _is_in_flight(self, behind: int, tsn: int) -> bool:
        """Whether that retransmission is the last one of its TSN, and in flight."""
        entry = self.special.get(tsn)
        return entry is not None and not entry.marked and not entry.abandoned and entry.sent_behind == behind

    # --- what waits for retransmission ---

    def mark(self, tsn: int, entry: Special, timed_out: bool) -> None:
        """This TSN is lost. Its entry becomes one of ``special`` if it is none."""
        entry.marked = True
        entry.timed_out = timed_out
        self.special[tsn] = entry
        self.marked_chunks += 1
        if self.marked_anew is not None:
            self.marked_anew.append(tsn)
        heappush(self._marked, tsn)
        if len(self._marked) > 2 * self.marked_chunks + SLACK:
            self._marked = sorted({tsn for tsn in self._marked if self._is_marked(tsn)})

    def acknowledged(self, tsn: int) -> Special | None:
        """The TSN was acknowledged: the entry it had, if it had one. What is abandoned stays so."""
        entry = self.special.pop(tsn, None)
        if entry is None:
            return None
        if entry.abandoned:
            self.special[tsn] = entry
        elif entry.marked:
            self.marked_chunks -= 1
            if self._marked[0] == tsn:
                heappop(self._marked)
        return entry

    def abandon(self, tsn: int, entry: Special) -> None:
        """This TSN will never be sent again. Its entry becomes one of ``special`` if it is none."""
        if entry.marked:
            entry.marked = False
            self.marked_chunks -= 1
        entry.abandoned = True
        self.special[tsn] = entry
        heappush(self._abandoned, tsn)

    def is_abandoned(self, tsn: int) -> bool:
        """Whether it will never be sent again."""
        entry = self.special.get(tsn)
        return entry is not None and entry.abandoned

    def next_marked(self) -> int:
        """The lowest TSN that waits for retransmission; -1 for none."""
        while self._marked:
            tsn = self._marked[0]
            if self._is_marked(tsn):
                return tsn
            heappop(self._marked)
        return -1

    def _is_marked(self, tsn: int) -> bool:
        entry = self.special.get(tsn)
        return entry is not None and entry.marked

    def resend(self, path: Path, next_tsn: int, by_time: bool) -> Special:
        """The TSN that ``next_marked`` names leaves to ``path`` now; ``next_tsn`` has not been sent yet."""
        tsn = heappop(self._marked)
        entry = self.special[tsn]
        entry.marked = False
        self.marked_chunks -= 1
        self.send_again(tsn, entry, path, next_tsn, by_time)
        return entry

    def send_again(self, tsn: int, entry: Special, path: Path, next_tsn: int, by_time: bool) -> None:
        """This TSN leaves once more. Its entry, which is not marked, becomes one of ``special`` if it is none.

        ``by_time``: if it is lost, ``rack`` tells.
        """
        self.special[tsn] = entry
        if entry.path is not path:
            entry.single_destination = False
        entry.path = path
        entry.retransmissions += 1
        entry.sent_behind = next_tsn
        if by_time:
            return
        self._resent.append((next_tsn, tsn))
        if len(self._resent) - self._head > 2 * len(self.special) + SLACK:
            # Keep the retransmissions that are in flight, each once, and not their predecessors.
            self._resent = [one for one in dict.fromkeys(self._resent[self._head :]) if self._is_in_flight(*one)]
            self._head = 0

    def hand_over(self, path: Path, heir: Path) -> None:
        """There is no ``path`` any more: what was lost there goes to ``heir``, and speaks for no path."""
        for entry in self.special.values():
            if entry.path is path:
                entry.path = heir
                entry.timed_out = entry.single_destination = False

    def forget(self, cumulative: int) -> None:
        """All up to this TSN was acknowledged for good."""
        while self._abandoned and self._abandoned[0] <= cumulative:
            del self.special[heappop(self._abandoned)]
        if not self.special:
            self._resent.clear()
            self._head = 0
        while self._taken_back and self._taken_back[0][1] <= cumulative + 1:
            heappop(self._taken_back)

    @property
    def queued(self) -> int:
        """For tests: how many entries are kept to find what is lost and what is marked."""
        return len(self._marked) + len(self._resent) + len(self._taken_back)
