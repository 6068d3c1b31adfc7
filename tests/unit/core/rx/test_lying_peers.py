"""Reassembly of whatever a peer makes up: chunks that contradict each other, skips and resets at any time.

Nothing raises, every byte that came is handed over or counted as dropped, and nothing stays behind: the association
relies on that for its receive window. What is a violation ends the association, and the run.
"""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.rx.interleaved import Interleaved
from sctpx.core.rx.reassembly import Reassembly
from sctpx.core.rx.streams import Streams
from sctpx.core.rx.tsn_map import TsnMap
from sctpx.wire.codes import DATA_BEGIN, DATA_END, DATA_UNORDERED
from sctpx.wire.serial import MID_MASK, SSN_MASK
from tests.sweeps import seeds

INITIAL = 1 << 32
STREAMS = 3


Chunk = tuple[int, int, int, int, int, bytes]
"""(TSN, flags, stream, number, last field of the header, data)."""


class Liar:
    """A peer that sends messages as it should, out of order, or else says anything; and a receiver with accounts."""

    def __init__(self, random: Random, streams: Streams, interleaves: bool) -> None:
        self.random = random
        self.streams = streams
        self.tsns = TsnMap(INITIAL)
        self.came = 0
        self.dropped = 0
        self.violation = ""
        self.lies = random.choice((0.0, 0.02, 0.3))
        self._interleaves = interleaves
        self._mask = MID_MASK if interleaves else SSN_MASK
        self._next_tsn = INITIAL
        self._numbers: dict[tuple[int, int], int] = {}
        self._begun: dict[tuple[int, int], tuple[int, int]] = {}  # By stream and U bit: number, next FSN.
        self._last: dict[tuple[int, int, int], int] = {}  # By stream, U bit and number: the last TSN that was sent.
        self._under_way: list[Chunk] = []

    def send(self) -> Chunk:
        """The next chunk of an honest peer."""
        random = self.random
        if self._begun and not self._interleaves:
            [whose] = self._begun
        else:
            whose = random.randrange(STREAMS), random.choice((0, 0, DATA_UNORDERED))
        number, fsn = self._begun.pop(whose, (-1, 0))
        flags = whose[1]
        if number < 0:
            number = self._numbers.get(whose, 0)
            self._numbers[whose] = (number + 1) & self._mask
            flags |= DATA_BEGIN
        if random.random() < 0.4:
            flags |= DATA_END
        else:
            self._begun[whose] = number, fsn + 1
        tsn, self._next_tsn = self._next_tsn, self._next_tsn + 1
        self._last[(*whose, number)] = tsn
        return tsn, flags, whose[0], number, fsn, bytes(random.choice((1, 5, 70)))

    def make_up(self) -> Chunk:
        """A chunk that means nothing."""
        random = self.random
        tsn = self.tsns.cumulative_tsn + random.randrange(1, 6)
        flags = random.randrange(8)
        number = random.choice((random.randrange(3), self._mask, random.randrange(self._mask + 1)))
        return tsn, flags, random.randrange(STREAMS), number, random.randrange(4), bytes(5)

    def receive(self) -> None:
        random = self.random
        while len(self._under_way) < 6:
            self._under_way.append(self.send())
        if random.random() < self.lies:
            chunk = self.make_up()
        else:
            chunk = self._under_way.pop(random.randrange(6) if random.random() < 0.3 else 0)
        tsn, flags, stream, number, last, data = chunk
        if not self.tsns.is_new(tsn):
            return
        self.tsns.record(tsn)
        self.came += len(data)
        in_sequence = tsn <= self.tsns.cumulative_tsn
        self.violation = self.streams.receive(tsn, flags, stream, number, last, data, in_sequence)
        self.violation = self.violation or self.streams.advance(self.tsns.cumulative_tsn)

    def skip(self) -> None:
        """Messages are given up, each as a whole (RFC 3758 section 3.5, A3); their rests are never sent."""
        random = self.random
        gone = self._under_way[: random.randrange(4)]
        given_up: set[tuple[int, int, int]] = set()
        upto = self.tsns.cumulative_tsn
        while gone:
            given_up |= {(chunk[2], chunk[1] & DATA_UNORDERED, chunk[3]) for chunk in gone}
            upto = max(self._last[one] for one in given_up)
            self._under_way = [chunk for chunk in self._under_way if chunk not in gone]
            gone = [chunk for chunk in self._under_way if chunk[0] <= upto]
        for stream, unordered, number in given_up:
            if self._begun.get((stream, unordered), (-1, 0))[0] == number:
                del self._begun[stream, unordered]
        named = [(stream, number, unordered != 0) for stream, unordered, number in sorted(given_up)]
        if random.random() < self.lies:
            named.append((random.randrange(STREAMS), self.make_up()[3], random.random() < 0.5))
        named += named[:1]
        if upto > self.tsns.cumulative_tsn:
            self.tsns.forward(upto)
            self.dropped += self.streams.skip(upto, named)[0]
        elif self.streams.gives_up(upto, named):
            self.dropped += self.streams.skip(self.tsns.cumulative_tsn, named)[0]
        self.violation = self.streams.advance(self.tsns.cumulative_tsn)

    def reset(self) -> None:
        half_sent = self._begun or not all(chunk[1] & DATA_BEGIN for chunk in self._under_way)
        if self.tsns.ranges or (half_sent and self.random.random() >= self.lies):
            return  # Nothing may be missing, and honest peers do it between two messages.
        chosen = [stream for stream in range(STREAMS) if self.random.random() < 0.5]
        self.dropped += self.streams.reset(chosen)[0]
        for whose in [whose for whose in self._numbers if not chosen or whose[0] in chosen]:
            del self._numbers[whose]
        self._under_way.clear()
        self._next_tsn = self.tsns.cumulative_tsn + 1

    def limit(self) -> None:
        self.streams.limit(self.random.choice((1, 50, 1 << 20)), self.random.choice((1, 100, 1 << 20)))

    def flush(self) -> None:
        self.dropped += self.streams.flush()[0]
        self._next_tsn = self.tsns.cumulative_tsn + 1000
        self.tsns.reset(self._next_tsn)
        self._numbers.clear()
        self._begun.clear()
        self._last.clear()
        self._under_way.clear()

    def act(self) -> None:
        done = self.random.random()
        if done < 0.8:
            self.receive()
        elif done < 0.92:
            self.skip()
        elif done < 0.96:
            self.reset()
        elif done < 0.98:
            self.limit()
        else:
            self.flush()

    def check_accounts(self) -> None:
        self.flush()
        handed_over = sum(len(message[0]) for message in self.streams.ready)
        assert self.came == handed_over + self.dropped + self.streams.dropped
        assert self.streams.apart == 0


@pytest.mark.parametrize("seed", seeds(60, 6000))
@pytest.mark.parametrize("kind", ["DATA", "I-DATA"])
def test_every_byte_is_handed_over_or_counted_and_nothing_stays(kind: str, seed: int) -> None:
    random = Random(f"a lying peer {kind} {seed}")
    limit = random.choice((1, 60, 1 << 20))
    hold = random.choice((1, 100, 1 << 20))
    interleaves = kind == "I-DATA"
    liar = Liar(random, Interleaved(limit, hold) if interleaves else Reassembly(limit), interleaves)
    for _ in range(random.choice((5, 20, 200))):
        liar.act()
        if liar.violation:
            assert liar.lies
            return
    liar.check_accounts()


@pytest.mark.parametrize("said", ["skip", "reset"])
def test_a_message_that_waits_for_the_end_of_another_one_is_no_matter_of_what_is_skipped_or_reset(said: str) -> None:
    """It is whole, and was in turn; only the other message of its stream is still being handed over in parts."""
    streams = Interleaved(10, 1 << 20)
    streams.receive(1, DATA_BEGIN | DATA_UNORDERED, 0, 0, 60, bytes(20), in_sequence=True)
    for mid in (0, 1):
        streams.receive(2 + mid, 3, 0, mid, 60, b"%d" % mid, in_sequence=True)
    assert (len(streams.ready), streams.apart) == (1, 3)
    if said == "skip":
        streams.skip(4, [(0, 1, False)])
    else:
        streams.reset([0])
    next_mid = 2 if said == "skip" else 0
    assert streams.receive(5, 3, 0, next_mid, 60, b"next", in_sequence=True) == ""
    assert len(streams.ready) == 1
    assert streams.receive(6, DATA_END | DATA_UNORDERED, 0, 0, 1, b"end", in_sequence=True) == ""
    assert [message[0] for message in streams.ready[1:]] == [b"end", b"0", b"1", b"next"]
    assert streams.apart == 0


def test_a_mid_that_comes_again_and_again_is_given_up_once() -> None:
    """Unordered MIDs may come in any order, round and round: no message is dropped twice."""
    streams = Interleaved(1 << 20, 1 << 20)
    tsn = 0
    for number in (0, 5, 0x7FFFFFFF, 0x80000001, 5, 0xFFFFFFFE, 0x40000000, 5):
        tsn += 1
        streams.receive(tsn, DATA_BEGIN | DATA_UNORDERED, 0, number, 60, b"x", in_sequence=True)
        tsn += 1
        streams.receive(tsn, DATA_END | DATA_UNORDERED, 0, number, 1, b"y", in_sequence=True)
    for number in (5, 0xC0000000, 0x80000001):
        tsn += 1
        streams.receive(tsn, DATA_BEGIN | DATA_UNORDERED, 0, number, 60, b"x", in_sequence=True)
    dropped, _ = streams.flush()
    assert (dropped, streams.apart) == (3, 0)
