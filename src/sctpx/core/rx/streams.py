"""What puts chunks together to user messages: the base of ``reassembly`` (DATA) and ``interleaved`` (I-DATA).

A finished message waits for its turn in its stream unless it is unordered, then for the user in ``ready``. A message
that outgrows the receive buffer is handed over in parts as it comes in (partial delivery). What breaks the rules of
fragmentation is a violation: ``receive`` and ``advance`` return words for it, and the association is aborted.

The number of a message in its stream is its SSN (DATA) or MID (I-DATA); numbers go round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from ...wire.serial import MID_MASK, SSN_MASK
from .turns import Turns

Message = tuple[bytes, int, int, int, int, int]
"""(data, stream, PPID, SSN, TSN, flags) with the flags below.

With I-DATA, the SSN is the low 16 bits of the MID (RFC 8260 section 4.1).
"""

UNORDERED: Final = 1
MORE: Final = 2
"""Partial delivery: more of this message follows."""

# A fragment of fewer bytes costs more than it holds.
TINY: Final = 64


@final
class Broken:
    """A message that was being handed over in parts, and of which no more will come."""

    __slots__ = ("ssn", "stream", "unordered")

    def __init__(self, stream: int, number: int, unordered: bool) -> None:
        self.stream = stream
        self.ssn = number & SSN_MASK
        self.unordered = unordered


class Unfinished:
    """A message of which fragments are still to come."""

    __slots__ = ("length", "middle_flags", "next_fsn", "number", "ppid", "stream")

    def __init__(self, stream: int, number: int, middle_flags: int) -> None:
        self.stream = stream
        self.number = number
        """Its SSN or MID."""
        self.middle_flags = middle_flags
        """Flags of a fragment that neither begins nor ends it, the I bit aside."""
        self.ppid = 0
        self.length = 0
        """Bytes that are there and were not handed over."""
        self.next_fsn = -1
        """The FSN of the fragment that comes next, which does not go round; below 0 where fragments have none."""


class Streams:
    """Messages coming in on all streams of one association."""

    __slots__ = ("_mask", "_stream", "_turn", "_turns", "dropped", "partial_limit", "ready", "unordered")

    def __init__(self, number_mask: int, partial_limit: int) -> None:
        self._mask = number_mask
        self._turns = Turns(number_mask == MID_MASK)  # Of all streams but one, likely to be the next one again:
        self._stream = 0
        self._turn = 0
        self.ready: list[Message] = []
        """Messages for the user, in order."""
        self.partial_limit = partial_limit
        """Bytes of an unfinished message from which on it is handed over in parts."""
        self.unordered = 0
        """Unordered messages, or parts in partial delivery, that were handed over."""
        self.dropped = 0
        """Bytes that came and were not kept, since the peer had given their messages up: the window has them back."""

    # What derives from it:

    @property
    def apart(self) -> int:
        """Messages, and fragments by themselves, that wait for something else to arrive."""
        raise NotImplementedError

    def receive(self, tsn: int, flags: int, stream: int, number: int, last: int, data: bytes, in_sequence: bool) -> str:
        """Take a new chunk; ``in_sequence`` says that no TSN below it is missing. Returns a violation or "".

        ``last`` is the last field of the chunk's header: the PPID, or the FSN.
        """
        raise NotImplementedError

    def expected(self) -> Unfinished | None:
        """The message that the next chunk in sequence may go on with: there is no hole in what has come of it."""
        raise NotImplementedError

    @property
    def room(self) -> int:
        """Bytes that the expected message may grow by before anything has to be handed over in part."""
        raise NotImplementedError

    def extend(self, parts: Sequence[bytes], length: int, tsn: int) -> None:
        """The next fragments of the expected message, for which there is ``room``, and not its last one.

        ``length`` bytes each, none of them tiny, up to that TSN. Hot: earns its keep in the 64 KiB rows of
        ``bench.core``.
        """
        raise NotImplementedError

    def advance(self, cumulative_tsn: int) -> str:
        """No TSN up to this one is missing. Returns a violation or ""."""
        raise NotImplementedError

    def skip(
        self, cumulative_tsn: int, skipped: list[tuple[int, int, bool]], whole: bool = True
    ) -> tuple[int, list[Broken]]:
        """The peer gives up what is missing up to this TSN (RFC 3758 section 3.6, RFC 8260 section 2.3.1).

        ``skipped`` has (stream, number, unordered), the largest number that is given up: each stream goes on behind it,
        and what is complete up to there is handed over first. ``whole`` says that the TSN itself is one that the peer
        has given up, and so all of its message (section 3.5, A3). Returns how many bytes were dropped, and the messages
        of which the user has parts. Costs no more than what is held and what is ``skipped``.
        """
        raise NotImplementedError

    def gives_up(self, tsn: int, skipped: list[tuple[int, int, bool]]) -> bool:
        """Whether such a ``skip`` up to a TSN that has come ends a message of which more was to come.

        No TSN is missing then: the rest was never sent.
        """
        raise NotImplementedError

    def reset(self, streams: list[int]) -> tuple[int, list[Broken]]:
        """Numbers of these streams, or of all if none is named, begin at 0 again (RFC 6525 section 5.2.2 E3).

        All that belongs to the old numbers has come: what still waits for a number is handed over. Returns as ``skip``.
        """
        raise NotImplementedError

    def flush(self) -> tuple[int, list[Broken]]:
        """The same for all streams, and what is not whole is dropped: no more of it will come (section 5.2.4 G4)."""
        raise NotImplementedError

    def limit(self, partial_limit: int, hold_limit: int) -> None:
        """Other limits hold, also for messages that are under way."""
        raise NotImplementedError

    def break_off(self) -> list[Broken]:
        """No more will come: the messages of which the user has parts. What waited for their ends can be read now."""
        raise NotImplementedError

    # What they have in common:

    @property
    def messages(self) -> int:
        """What is held, in messages that can be read: what waits for something else takes half as much again."""
        return len(self.ready) + self.apart * 3 // 2

    def _begin_anew(self, streams: list[int]) -> None:
        """Numbers of these streams, or of all if none is named, begin at 0 again."""
        if not streams:
            self._turns = Turns(self._mask == MID_MASK)
            self._turn = 0
        for stream in streams:
            if stream == self._stream:
                self._turn = 0
            else:
                self._turns.set(stream, 0)

    def _turn_of(self, stream: int) -> int:
        """The number that is next in a stream."""
        if stream != self._stream:
            self._turns.set(self._stream, self._turn)
            self._stream = stream
            self._turn = self._turns.next(stream)
        return self._turn

    def _set_turn(self, stream: int, number: int) -> None:
        """That number is next in a stream."""
        self._turn_of(stream)
        self._turn = number

    def _is_behind(self, number: int, other: int) -> bool:
        """Whether ``number`` comes before ``other``, as numbers go round (serial number arithmetic, RFC 1982)."""
        return 0 < (other - number) & self._mask <= self._mask >> 1
