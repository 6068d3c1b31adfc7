"""From DATA chunks to user messages (RFC 9260 sections 6.5, 6.6 and 6.9).

The fragments of a message have consecutive TSNs. The run of fragments that ends at the cumulative TSN is
*open*: in sequence, a fragment is only appended to it. Fragments beyond a hole form runs of their own, found
by their first TSN and by the TSN behind their last, and joined when the hole between them closes; each
fragment is moved at most log(n) times.

Until the last part of a message that is handed over in parts is ready, no other message is, so that parts of two
messages never mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, final

from ...wire.codes import DATA_BEGIN, DATA_END, DATA_UNORDERED
from ...wire.serial import SSN_MASK, TSN_MASK
from .streams import MORE, TINY, UNORDERED, Broken, Message, Streams, Unfinished

_EVERYTHING: Final = (1 << 62) - 1
"""Above every TSN."""


@final
class Run(Unfinished):
    """Fragments of one message with consecutive TSNs [start, end)."""

    __slots__ = ("begins", "end", "ends", "front", "partial", "parts", "start", "unordered")

    def __init__(self, tsn: int, flags: int, stream: int, ssn: int, ppid: int, data: bytes) -> None:
        super().__init__(stream, ssn, flags & DATA_UNORDERED)
        self.ppid = ppid
        self.start = tsn
        self.end = tsn + 1
        self.begins = flags & DATA_BEGIN != 0
        self.ends = flags & DATA_END != 0
        self.unordered = flags & DATA_UNORDERED != 0
        self.parts: list[bytes] = [data]
        self.front: list[bytes] | None = None
        """What comes before ``parts``, the last part first."""
        self.length = len(data)
        """Bytes in ``front`` and ``parts``."""
        self.partial = False
        """The beginning was handed over already."""

    def matches(self, other: Run) -> bool:
        """True if ``other``, which follows, can be of the same message."""
        return (
            self.stream == other.stream
            and self.unordered == other.unordered
            and (self.unordered or self.number == other.number)
        )

    def append(self, data: bytes) -> None:
        """The next fragment."""
        self._add_behind(data)
        self.length += len(data)
        self.end += 1

    def extend(self, parts: Sequence[bytes], length: int) -> None:
        """The next fragments, ``length`` bytes in all, none of them tiny."""
        self.parts.extend(parts)
        self.length += length
        self.end += len(parts)

    def join(self, other: Run) -> Run:
        """This run and ``other`` behind it, as one. What has fewer parts goes to the other one."""
        ahead = self.front
        behind = other.front
        if len(self.parts) + len(ahead or ()) >= len(other.parts) + len(behind or ()):
            for part in reversed(behind or ()):
                self._add_behind(part)
            for part in other.parts:
                self._add_behind(part)
        else:
            parts = self.parts
            self.parts = other.parts
            self.front = behind
            for part in reversed(parts):
                self._add_ahead(part)
            for part in ahead or ():
                self._add_ahead(part)
        self.end = other.end
        self.ends = other.ends
        self.length += other.length
        return self

    def _add_behind(self, data: bytes) -> None:
        """A tiny part joins its neighbour: by itself it costs more than it holds."""
        if len(data) < TINY and self.parts and len(self.parts[-1]) < TINY:
            self.parts[-1] += data
        else:
            self.parts.append(data)

    def _add_ahead(self, data: bytes) -> None:
        if self.front is None:
            self.front = []
        if len(data) < TINY and self.front and len(self.front[-1]) < TINY:
            self.front[-1] = data + self.front[-1]
        else:
            self.front.append(data)

    def take(self) -> bytes:
        """All that is there, and it is not there any more."""
        data = b"".join(self.parts if self.front is None else [*reversed(self.front), *self.parts])
        self.parts = []
        self.front = None
        self.length = 0
        return data


@final
class Reassembly(Streams):
    """Messages coming in as DATA."""

    __slots__ = (
        "_by_end",
        "_by_start",
        "_early",
        "_given_up",
        "_held_back",
        "_partial",
        "_starts",
        "_waiting",
        "open_run",
    )

    def __init__(self, partial_limit: int) -> None:
        super().__init__(SSN_MASK, partial_limit)
        self.open_run: Run | None = None
        """The unfinished message that ends at the cumulative TSN."""
        self._by_start: dict[int, Run] = {}
        self._by_end: dict[int, Run] = {}
        self._starts: list[int] = []  # A heap with all of ``_by_start``, and some that are no more.
        self._waiting: dict[int, dict[int, Message]] = {}  # Ordered messages ahead of their turn, by stream and SSN.
        self._early = 0  # How many these are.
        self._given_up = (
            -1
        )  # Behind a message that was given up: a fragment with this TSN that begins none is the rest.
        self._partial = False  # The open run is being handed over in parts.
        self._held_back: list[Message] = []  # Finished meanwhile.

    @property
    def apart(self) -> int:
        """Messages and runs that wait for something else to arrive."""
        return self._early + len(self._by_start) + len(self._held_back)

    def receive(self, tsn: int, flags: int, stream: int, number: int, last: int, data: bytes, in_sequence: bool) -> str:
        """Take a new chunk. Returns a violation or ""."""
        if not in_sequence or self._by_start:
            return self._receive_beyond_hole(Run(tsn, flags, stream, number, last, data))
        run = self.open_run
        if flags & DATA_BEGIN:
            if run is not None:
                return "a message begins within another"
            if flags & DATA_END:
                return self._finish((data, stream, last, number, tsn & TSN_MASK, flags & DATA_UNORDERED and UNORDERED))
            run = self.open_run = Run(tsn, flags, stream, number, last, data)
            if run.length >= self.partial_limit:
                self._deliver_part(run)
            return ""
        if run is None:
            if tsn != self._given_up:
                return "a fragment without a beginning"
            self._drop_rest(tsn + 1, flags & DATA_END != 0, len(data))
            return ""
        if run.stream != stream or run.unordered != (flags & DATA_UNORDERED != 0):
            return "fragments of one message differ"
        if run.number != number and not run.unordered:
            return "fragments of one message differ"
        run.append(data)
        if flags & DATA_END:
            self.open_run = None
            return self._complete(run)
        if run.length >= self.partial_limit:
            self._deliver_part(run)
        return ""

    def _receive_beyond_hole(self, run: Run) -> str:
        """A chunk with holes around: join it to its neighbours."""
        left = self.open_run
        if left is None or left.end != run.start:
            left = self._by_end.get(run.start)
        if left is not None and left.ends:
            if not run.begins:
                return "a fragment without a beginning"
            left = None
        if left is not None and (run.begins or not left.matches(run)):
            return "a message begins within another"
        right = self._by_start.get(run.end)
        if right is not None and right.begins:
            if not run.ends:
                return "a message begins within another"
            right = None
        elif right is not None and (run.ends or not run.matches(right)):
            return "a message ends within another"
        was_open = left is not None and left is self.open_run
        if left is not None:
            if not was_open:
                del self._by_end[left.end]
                del self._by_start[left.start]
            run = left.join(run)
        if right is not None:
            del self._by_start[right.start]
            del self._by_end[right.end]
            run = run.join(right)
        if run.begins and run.ends:
            if was_open:
                self.open_run = None
            return self._complete(run)
        if was_open:
            self.open_run = run
            if run.length >= self.partial_limit:
                self._deliver_part(run)
        else:
            if left is None:
                heappush(self._starts, run.start)
            self._by_start[run.start] = run
            self._by_end[run.end] = run
        return ""

    def advance(self, cumulative_tsn: int) -> str:
        """No TSN up to this one is missing: an unfinished message that ends there becomes the open run."""
        rest = self._by_start.get(self._given_up) if self._by_start else None
        if rest is not None and not rest.begins:
            del self._by_start[rest.start]
            del self._by_end[rest.end]
            self._drop_rest(rest.end, rest.ends, rest.length)
        if self.open_run is None and self._by_start:
            run = self._by_end.pop(cumulative_tsn + 1, None)
            if run is not None:
                del self._by_start[run.start]
                if not run.begins:
                    return "a fragment without a beginning"
                self.open_run = run
                if run.length >= self.partial_limit:
                    self._deliver_part(run)
        # What lies below can never be finished.
        if self.open_run is not None and self.open_run.end <= cumulative_tsn:
            return "a message begins within another"
        starts = self._starts
        while starts and starts[0] <= cumulative_tsn:
            if heappop(starts) in self._by_start:
                return "a fragment without its message"
        return ""

    def skip(
        self, cumulative_tsn: int, skipped: list[tuple[int, int, bool]], whole: bool = True
    ) -> tuple[int, list[Broken]]:
        """The peer gives up what is missing up to this TSN. Of unordered messages it names none."""
        dropped = 0
        broken: list[Broken] = []
        self._given_up = cumulative_tsn + 1
        run = self.open_run
        if run is not None and (run.end <= cumulative_tsn or (whole and run.start <= cumulative_tsn)):
            dropped += run.length
            if run.partial:
                broken = self.break_off()
            self.open_run = None
        # A run that lacks a TSN which is given up will never be whole; nor will one that has the last of them.
        starts = self._starts
        kept: list[int] = []
        while starts and starts[0] <= cumulative_tsn + 1:
            start = heappop(starts)
            run = self._by_start.get(start)
            if run is None:
                continue
            if run.begins and run.end > cumulative_tsn and (start > cumulative_tsn or not whole):
                kept.append(start)
                continue
            del self._by_start[start]
            del self._by_end[run.end]
            dropped += run.length
            if run.end > cumulative_tsn:
                self._given_up = -1 if run.ends else run.end
        for start in kept:
            heappush(starts, start)
        for stream, number, unordered in skipped:
            turn = self._turn_of(stream)
            if not unordered and not self._is_behind(number, turn):
                self._pass_over(stream, turn, number)
        return dropped, broken

    def _drop_rest(self, end: int, ends: bool, length: int) -> None:
        """Fragments up to there are of the message that was given up; its last one among them if that ``ends``."""
        self.dropped += length
        self._given_up = -1 if ends else end

    def gives_up(self, tsn: int, skipped: list[tuple[int, int, bool]]) -> bool:
        """Whether the open run has that TSN."""
        return self.open_run is not None and self.open_run.start <= tsn

    def expected(self) -> Unfinished | None:
        """The open run."""
        return self.open_run

    @property
    def room(self) -> int:
        """Bytes that the open run may grow by before it is handed over in part."""
        return 0 if self.open_run is None else self.partial_limit - self.open_run.length - 1

    def extend(self, parts: Sequence[bytes], length: int, tsn: int) -> None:
        """Fragments of the open run."""
        run = self.open_run
        assert run is not None
        run.extend(parts, len(parts) * length)

    def _pass_over(self, stream: int, turn: int, ssn: int) -> None:
        """Hand over what waits in a stream up to this SSN, and what follows it.

        Costs no more than what waits there, and no more than the turns that are passed over: no SSN is passed twice.
        """
        early = self._waiting.get(stream)
        if early is not None:
            turns = ((ssn - turn) & SSN_MASK) + 1
            if turns <= len(early):
                passed = [(turn + step) & SSN_MASK for step in range(turns) if (turn + step) & SSN_MASK in early]
            else:
                steps = sorted([(waiting - turn) & SSN_MASK for waiting in early])
                passed = [(turn + step) & SSN_MASK for step in steps if step < turns]
            for waiting in passed:
                self._hand_over(early.pop(waiting))
            self._early -= len(passed)
            if not early:
                del self._waiting[stream]
        self._next_turn(stream, ssn)

    def reset(self, streams: list[int]) -> tuple[int, list[Broken]]:
        """Numbers begin at 0 again: what waits for a number that was left out is handed over."""
        for stream in streams or list(self._waiting):
            early = self._waiting.pop(stream, None)
            if early is None:
                continue
            turn = self._turn_of(stream)
            for step in sorted([(waiting - turn) & SSN_MASK for waiting in early]):
                self._hand_over(early[(turn + step) & SSN_MASK])
            self._early -= len(early)
        self._begin_anew(streams)
        return 0, []

    def flush(self) -> tuple[int, list[Broken]]:
        """No more will come of what is not whole."""
        result = self.skip(_EVERYTHING, [])
        self.reset([])
        return result

    def limit(self, partial_limit: int, hold_limit: int) -> None:
        """Another ``partial_limit`` holds, also for the message that is open."""
        self.partial_limit = partial_limit
        run = self.open_run
        if run is not None and run.length >= partial_limit:
            self._deliver_part(run)

    def break_off(self) -> list[Broken]:
        """No more will come: the message that was being handed over in parts, if there is one."""
        run = self.open_run
        if run is None or not run.partial:
            return []
        self._partial = False
        self.ready.extend(self._held_back)
        self._held_back = []
        return [Broken(run.stream, run.number, run.unordered)]

    def _complete(self, run: Run) -> str:
        """The last fragment of a message is there."""
        tsn = (run.end - 1) & TSN_MASK
        message = (run.take(), run.stream, run.ppid, run.number, tsn, UNORDERED if run.unordered else 0)
        if not run.partial:
            return self._finish(message)
        self._partial = False
        self.ready.append(message)
        self.ready.extend(self._held_back)
        self._held_back = []
        if run.unordered:
            self.unordered += 1
        else:
            self._next_turn(run.stream, run.number)
        return ""

    def _finish(self, message: Message) -> str:
        """A message is whole: hand it over if it is its turn."""
        if message[5] & UNORDERED:
            self.unordered += 1
            self._hand_over(message)
            return ""
        stream = message[1]
        ssn = message[3]
        if ssn == self._turn_of(stream):
            self._hand_over(message)
            self._next_turn(stream, ssn)
            return ""
        # Its TSN is new, so the SSN is ahead of its turn.
        early = self._waiting.get(stream)
        if early is None:
            early = self._waiting[stream] = {}
        elif ssn in early:
            return "one SSN for two messages"
        early[ssn] = message
        self._early += 1
        return ""

    def _next_turn(self, stream: int, ssn: int) -> None:
        """The message with that SSN was handed over: now those that waited for it."""
        ssn = (ssn + 1) & SSN_MASK
        early = self._waiting.get(stream) if self._waiting else None
        while early:
            message = early.pop(ssn, None)
            if message is None:
                break
            self._early -= 1
            self._hand_over(message)
            ssn = (ssn + 1) & SSN_MASK
        if early is not None and not early:
            del self._waiting[stream]
        self._set_turn(stream, ssn)

    def _hand_over(self, message: Message) -> None:
        if self._partial:
            self._held_back.append(message)
        else:
            self.ready.append(message)

    def _deliver_part(self, run: Run) -> None:
        """The open run has grown large: hand over what is there, if it is its turn (section 6.9)."""
        if not run.unordered and run.number != self._turn_of(run.stream):
            return
        flags = MORE
        if run.unordered:
            flags |= UNORDERED
            self.unordered += 1
        tsn = (run.end - 1) & TSN_MASK
        self.ready.append((run.take(), run.stream, run.ppid, run.number, tsn, flags))
        run.partial = self._partial = True
