"""From I-DATA chunks to user messages (RFC 8260 section 2.2.3): fragments of several messages may alternate.

The stream, the U bit and the MID say which message a fragment belongs to, the FSN where its place is; TSNs say nothing
of either. Each message keeps what has come without a hole from its beginning, and beside that the fragments behind a
hole by their FSN: each fragment is looked at once when it comes and once when its hole closes.

Several messages may be handed over in parts at a time: the user is told the stream of each part, and two messages of
one stream never mix. The first unfinished message of a stream that could be handed over in parts is its *front*. That
is done when the front outgrows ``partial_limit``; and when all that is held outgrows ``hold_limit``, it is done with
the fronts of all streams, oldest first, until half of it is free. Else many large messages could fill the buffer, and
none of them end. While a front is handed over in parts, what else has its turn in its stream is over, and held back
until the front ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, final

from ...wire.codes import DATA_BEGIN, DATA_END, DATA_UNORDERED
from ...wire.serial import MID_MASK, SSN_MASK, TSN_MASK, extend_tsn
from .streams import MORE, TINY, UNORDERED, Broken, Message, Streams, Unfinished

_NOTHING: Final[dict[int, bytes]] = {}
# So many MIDs of messages that are over may lie in a line beside as many that are not.
_SLACK: Final = 64
_EVERYTHING: Final = (1 << 62) - 1
"""Above every MID that does not go round."""


@final
class Incoming(Unfinished):
    """A message of which not all has come, or whose turn it is not.

    ``next_fsn`` is 0 before the beginning came.
    """

    __slots__ = ("end", "later", "partial", "parts", "tsn", "unordered")

    def __init__(self, stream: int, number: int, unordered: bool) -> None:
        super().__init__(stream, number, DATA_UNORDERED if unordered else 0)
        self.next_fsn = 0
        self.unordered = unordered
        self.parts: list[bytes] = []
        """What has come without a hole, and was not handed over."""
        self.end = -1
        """The FSN behind the last fragment; -1 while that is not known."""
        self.later = _NOTHING
        """Fragments behind a hole, by FSN."""
        self.partial = False
        """The beginning was handed over already."""
        self.tsn = 0
        """The highest TSN that has come."""

    @property
    def whole(self) -> bool:
        """Whether all of it has come."""
        return self.next_fsn == self.end

    @property
    def key(self) -> int:
        """What finds it."""
        return key_of(self.stream, self.unordered, self.number)

    def add(self, data: bytes) -> None:
        """The next fragment. Tiny neighbours are joined: each costs more than it holds."""
        if len(data) < TINY and self.parts and len(self.parts[-1]) < TINY:
            self.parts[-1] += data
        else:
            self.parts.append(data)
        self.length += len(data)
        self.next_fsn += 1

    def take(self) -> bytes:
        """What has come without a hole, and it is not there any more."""
        data = b"".join(self.parts)
        self.parts = []
        self.length = 0
        return data


def key_of(stream: int, unordered: bool, number: int) -> int:
    """Stream, U bit and MID in one number."""
    return (stream << 1 | unordered) << 32 | number


@final
class Line:
    """The MIDs of the messages of one stream, ordered or unordered, that are not over."""

    __slots__ = ("heap", "living")

    def __init__(self) -> None:
        self.heap: list[int] = []
        """They do not go round, and some are of messages that are over."""
        self.living = 0
        """How many are not over."""

    def push(self, number: int) -> None:
        """A message has begun."""
        self.living += 1
        heappush(self.heap, extend_tsn(number, self.heap[0]) if self.heap else number)


@final
class Interleaved(Streams):
    """Messages coming in as I-DATA."""

    __slots__ = (
        "_fronts",
        "_given_up",
        "_growing",
        "_held",
        "_held_back",
        "_later",
        "_messages",
        "_ordered",
        "_passed",
        "_unordered",
        "_waiting",
        "hold_limit",
        "last",
    )

    def __init__(self, partial_limit: int, hold_limit: int) -> None:
        super().__init__(MID_MASK, partial_limit)
        self.hold_limit = hold_limit
        """Bytes of all messages that are not ready from which on parts are handed over."""
        self.last: Incoming | None = None
        """The front that a chunk was of last."""
        self._messages: dict[int, Incoming] = {}
        self._ordered: dict[int, Line] = {}  # The same by stream: those of ordered messages...
        self._unordered: dict[int, Line] = {}  # ...and of unordered ones.
        self._fronts: dict[int, Incoming] = {}  # By stream.
        self._growing: dict[int, Incoming] = {}  # The fronts with something to hand over; the oldest first.
        self._held_back: dict[int, list[Message]] = {}  # By stream: what is over, and waits for the end of the front.
        self._waiting = 0  # How many these are.
        self._held = 0  # Bytes of ``_messages``.
        self._later = 0  # Fragments behind holes.
        self._passed: set[int] = set()  # Streams of which messages were given up.
        self._given_up: dict[int, int] = {}  # The same of unordered messages: the largest MID, by stream.

    @property
    def apart(self) -> int:
        """Messages, and fragments by themselves, that wait for something else to arrive."""
        return len(self._messages) + self._later + self._waiting

    def receive(self, tsn: int, flags: int, stream: int, number: int, last: int, data: bytes, in_sequence: bool) -> str:
        """Take a new chunk. Returns a violation or ""."""
        unordered = flags & DATA_UNORDERED != 0
        key = key_of(stream, unordered, number)
        message = self._messages.get(key)
        if message is None:
            if unordered:
                limit = self._given_up.get(stream) if self._given_up else None
                if limit is not None and not self._is_behind(limit, number):
                    return self._drop(data)
            elif self._is_behind(number, self._turn_of(stream)):
                return self._drop(data) if stream in self._passed else "a message that was received before"
            if flags & DATA_BEGIN and flags & DATA_END and self._may_pass(stream, unordered, number):
                # Whole and its turn, as most are.
                kind = UNORDERED if unordered else 0
                self.ready.append((data, stream, last, number & SSN_MASK, tsn & TSN_MASK, kind))
                if unordered:
                    self.unordered += 1
                else:
                    self._pass_turn(stream, number)
                return ""
            message = self._begin(key, stream, number, unordered)
        violation = self._place(message, flags, last, data)
        if violation:
            return violation
        self._held += len(data)
        if tsn > message.tsn:
            message.tsn = tsn
        if message.next_fsn and (unordered or number == self._turn_of(stream)):
            if message.whole:
                self._finish(message)
            else:
                self._grow(message)
        if self._held >= self.hold_limit:
            self._relieve()
        return ""

    def _drop(self, data: bytes) -> str:
        """A fragment of a message that the peer has given up: it was under way, with a TSN above what is skipped."""
        self.dropped += len(data)
        return ""

    def expected(self) -> Unfinished | None:
        """The front that a chunk was of last."""
        message = self.last
        return None if message is None or message.later or message.end >= 0 else message

    @property
    def room(self) -> int:
        """Bytes that ``last`` may grow by before it, or all together, outgrow a limit."""
        if self.last is None:
            return 0
        return min(self.partial_limit - self.last.length, self.hold_limit - self._held) - 1

    def extend(self, parts: Sequence[bytes], length: int, tsn: int) -> None:
        """Fragments of ``last``."""
        message = self.last
        assert message is not None
        message.parts.extend(parts)
        message.length += len(parts) * length
        message.next_fsn += len(parts)
        message.tsn = tsn
        self._held += len(parts) * length
        self._growing[message.stream] = message

    def advance(self, cumulative_tsn: int) -> str:
        """TSNs say nothing of messages."""
        return ""

    def skip(
        self, cumulative_tsn: int, skipped: list[tuple[int, int, bool]], whole: bool = True
    ) -> tuple[int, list[Broken]]:
        """The peer gives up messages up to these numbers."""
        dropped = 0
        broken: list[Broken] = []
        passed: list[Incoming] = []
        for stream, number, unordered in skipped:
            line = self._lines(unordered).get(stream)
            if line is not None and line.heap:  # It may be named twice.
                found = self._take_line(line, stream, unordered, extend_tsn(number, line.heap[0]))
                dropped += self._give_up(found, passed, broken)
        self._finish_all(passed)
        for stream, number, unordered in skipped:
            if unordered:
                limit = self._given_up.get(stream, number)
                self._given_up[stream] = limit if self._is_behind(number, limit) else number
            elif not self._is_behind(number, self._turn_of(stream)):
                self._passed.add(stream)
                self._pass_turn(stream, number)
        return dropped, broken

    def gives_up(self, tsn: int, skipped: list[tuple[int, int, bool]]) -> bool:
        """Whether a message that is named is not whole, and had come before that TSN."""
        for stream, number, unordered in skipped:
            message = self._messages.get(key_of(stream, unordered, number))
            if message is not None and not message.whole and message.tsn <= tsn:
                return True
        return False

    def reset(self, streams: list[int]) -> tuple[int, list[Broken]]:
        """Numbers begin at 0 again: what waits for a number that was left out is handed over, if it is whole."""
        dropped = 0
        broken: list[Broken] = []
        passed: list[Incoming] = []
        for stream in streams or list(self._ordered):
            line = self._ordered.get(stream)
            if line is not None:
                dropped += self._give_up(self._take_line(line, stream, False, _EVERYTHING), passed, broken)
        self._finish_all(passed)
        self._begin_anew(streams)
        for stream in streams or list(self._given_up):
            self._given_up.pop(stream, None)
        return dropped, broken

    def flush(self) -> tuple[int, list[Broken]]:
        """No more will come of what is not whole."""
        dropped = 0
        broken: list[Broken] = []
        for stream, line in list(self._unordered.items()):
            dropped += self._give_up(self._take_line(line, stream, True, _EVERYTHING), [], broken)
        more, others = self.reset([])
        return dropped + more, broken + others

    def limit(self, partial_limit: int, hold_limit: int) -> None:
        """Other limits hold, also for messages that are under way."""
        self.partial_limit = partial_limit
        self.hold_limit = hold_limit
        for message in list(self._growing.values()):
            self._grow(message)
        if self._held >= hold_limit:
            self._relieve()

    def break_off(self) -> list[Broken]:
        """No more will come: the messages of which the user has parts."""
        broken = [message for message in self._fronts.values() if message.partial]
        for message in broken:
            self._forget(message)
        return [Broken(message.stream, message.number, message.unordered) for message in broken]

    # --- fragments ---

    def _place(self, message: Incoming, flags: int, last: int, data: bytes) -> str:
        """Put a fragment where its FSN says. Returns a violation or ""."""
        if flags & DATA_BEGIN:
            if message.next_fsn:
                return "a message begins twice"
            message.ppid = last
            fsn = 0
        else:
            fsn = extend_tsn(last, message.next_fsn)
            if fsn < max(message.next_fsn, 1) or fsn in message.later:
                return "one FSN for two fragments"
        if flags & DATA_END:
            if message.end >= 0:
                return "a message ends twice"
            message.end = fsn + 1
        elif 0 <= message.end <= fsn:
            return "a fragment behind the end of its message"
        if fsn != message.next_fsn:
            if message.later is _NOTHING:
                message.later = {}
            message.later[fsn] = data
            self._later += 1
            return ""
        message.add(data)
        while message.later and not message.whole:
            following = message.later.pop(message.next_fsn, None)
            if following is None:
                break
            self._later -= 1
            message.add(following)
        if message.later and message.whole:
            return "a fragment behind the end of its message"
        return ""

    # --- messages ---

    def _may_pass(self, stream: int, unordered: bool, number: int) -> bool:
        """Whether a message that is whole can be handed over at once."""
        front = self._fronts.get(stream) if self._fronts else None
        if front is not None and front.partial:
            return False
        return unordered or number == self._turn_of(stream)

    def _grow(self, message: Incoming) -> None:
        """A message that has begun, but not ended, can be handed over in parts."""
        front = self._fronts.setdefault(message.stream, message)
        if front is not message:
            return
        self.last = message
        if message.length >= self.partial_limit:
            self._deliver_part(message)
        elif message.length:
            self._growing[message.stream] = message

    def _finish(self, message: Incoming) -> None:
        """A message is whole, and it is its turn: hand it over, and whatever waited for that."""
        stream = message.stream
        unfinished: Incoming | None = message
        while unfinished is not None and unfinished.whole:
            message = unfinished
            unfinished = None
            self._held -= message.length
            front = self._fronts.get(stream)
            if front is not None and front is not message and front.partial:
                self._waiting += 1
                self._held_back.setdefault(stream, []).append(self._take(message, 0))
                self._remove(message)
            else:
                self.ready.append(self._take(message, 0))
                self._remove(message)
            if not message.unordered and message.number == self._turn_of(stream):
                number = (message.number + 1) & MID_MASK
                self._set_turn(stream, number)
                unfinished = self._messages.get(key_of(stream, False, number))
        if unfinished is not None and unfinished.next_fsn:
            self._grow(unfinished)

    def _finish_all(self, passed: list[Incoming]) -> None:
        """These are whole, and the messages before them in their streams are given up."""
        for message in passed:
            if self._messages.get(message.key) is message:  # It was not handed over with one of the others.
                self._finish(message)

    def _pass_turn(self, stream: int, number: int) -> None:
        """The message with that number is over: it is the turn of the next one."""
        number = (number + 1) & MID_MASK
        self._set_turn(stream, number)
        message = self._messages.get(key_of(stream, False, number)) if self._messages else None
        if message is not None and message.whole:
            self._finish(message)
        elif message is not None and message.next_fsn:
            self._grow(message)

    def _deliver_part(self, message: Incoming) -> None:
        """What has come of a front without a hole is for the user."""
        self._held -= message.length
        self._growing.pop(message.stream, None)
        message.partial = True
        self.ready.append(self._take(message, MORE))

    def _take(self, message: Incoming, flags: int) -> Message:
        """What has come of a message without a hole, as the user gets it."""
        if message.unordered:
            flags |= UNORDERED
            self.unordered += 1
        number = message.number & SSN_MASK
        return message.take(), message.stream, message.ppid, number, message.tsn & TSN_MASK, flags

    def _relieve(self) -> None:
        """Hand over parts until half of what may be held is free."""
        for message in list(self._growing.values()):
            if 2 * self._held <= self.hold_limit:
                break
            self._deliver_part(message)

    # --- which there are ---

    def _lines(self, unordered: bool) -> dict[int, Line]:
        return self._unordered if unordered else self._ordered

    def _begin(self, key: int, stream: int, number: int, unordered: bool) -> Incoming:
        """A message of which not all has come, or whose turn it is not."""
        message = self._messages[key] = Incoming(stream, number, unordered)
        lines = self._lines(unordered)
        line = lines.get(stream)
        if line is None:
            line = lines[stream] = Line()
        line.push(number)
        return message

    def _take_line(self, line: Line, stream: int, unordered: bool, limit: int) -> list[Incoming]:
        """The messages of a line up to that MID, in order. They are to be removed: the line has forgotten them."""
        found: list[Incoming] = []
        while line.heap and line.heap[0] <= limit:
            number = heappop(line.heap) & MID_MASK
            message = self._messages.get(key_of(stream, unordered, number))
            if message is not None:
                found.append(message)
        return found

    def _give_up(self, found: list[Incoming], passed: list[Incoming], broken: list[Broken]) -> int:
        """Of these, drop what is not whole, and add the others to ``passed``. How many bytes were dropped.

        Messages of which the user has parts are added to ``broken``.
        """
        dropped = 0
        for message in found:
            if message.whole:
                passed.append(message)
            elif self._messages.get(message.key) is message:  # A MID that was used before may be in its line twice.
                dropped += self._forget(message)
                if message.partial:
                    broken.append(Broken(message.stream, message.number, message.unordered))
        return dropped

    def _remove(self, message: Incoming) -> None:
        """The message is over. If it was the front, what waited for its end can be read now."""
        stream = message.stream
        del self._messages[message.key]
        lines = self._lines(message.unordered)
        line = lines[stream]
        line.living -= 1
        if not line.living:
            del lines[stream]
        elif len(line.heap) > 2 * line.living + _SLACK:
            start = key_of(stream, message.unordered, 0)
            line.heap = sorted({number for number in line.heap if start | number & MID_MASK in self._messages})
        if self._fronts.get(stream) is not message:
            return
        del self._fronts[stream]
        self._growing.pop(stream, None)
        if self.last is message:
            self.last = None
        if self._held_back:
            held_back = self._held_back.pop(stream, [])
            self._waiting -= len(held_back)
            self.ready.extend(held_back)

    def _forget(self, message: Incoming) -> int:
        """The message will never be whole: how many bytes there were of it."""
        dropped = message.length + sum([len(data) for data in message.later.values()])
        self._later -= len(message.later)
        self._held -= dropped
        self._remove(message)
        return dropped
