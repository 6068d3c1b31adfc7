"""Streams are reset and added at random, by both sides at once, over bad networks (RFC 6525).

The model is naive: a stream is a list of messages, and a reset changes nothing of it but the numbers. So whatever is
reset and added, every message arrives once, whole, in the order of its stream, and its SSN is 0 or one more than that
of the message before. Every request ends with an event. A run follows from its seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from errno import EAGAIN, EALREADY, EINVAL
from random import Random

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import RECONFIG_DONE, AssociationReset, StreamsAdded, StreamsReset
from sctpx.core.timers import SECOND
from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.testing import LinkSettings, Pair, Side
from tests.sweeps import seeds

STREAMS = 4
ALLOWED = AssociationConfig(
    streams=STREAMS,
    allow_stream_reset=True,
    allow_association_reset=True,
    allow_added_streams=True,
    association_max_retrans=1000,
    max_inbound_streams=12,
    max_outbound_streams=12,
)


def link(random: Random) -> LinkSettings:
    return LinkSettings(
        delay=random.choice((0.001, 0.02)),
        jitter=random.choice((0.0, 0.01)),
        loss=random.choice((0.0, 0.02, 0.15)),
        duplicate=random.choice((0.0, 0.05)),
        reorder=random.choice((0.0, 0.1)),
        reorder_delay=0.03,
    )


class Story:
    """What one side does, and what it sent."""

    def __init__(self, name: str, side: Side, random: Random) -> None:
        self.name = name
        self.side = side
        self.random = random
        self.sent: dict[tuple[int, bool], list[bytes]] = defaultdict(list)
        self.asked = 0
        """Directions of requests that were taken: each ends with an event of its own."""

    def send(self) -> None:
        stream = self.random.randrange(self.side.association.outbound_streams)
        unordered = self.random.random() < 0.2
        number = sum(map(len, self.sent.values()))
        message = f"{self.name} {number} ".encode().ljust(self.random.choice((10, 10, 500, 5000)), b".")
        self.sent[stream, unordered].append(message)
        self.side.send(message, stream=stream, unordered=unordered)

    def ask(self, with_tsns: bool) -> None:
        association, now = self.side.association, self.side.host.now
        outgoing, incoming = self.random.choice(((True, False), (False, True), (True, True)))
        try:
            match self.random.randrange(4 if with_tsns else 3):
                case 0:
                    streams = self.random.sample(range(STREAMS), self.random.randrange(STREAMS))
                    association.reset_streams(now, outgoing, incoming, streams)
                case 1:
                    association.reset_streams(now, outgoing, incoming)
                case 2:
                    association.add_streams(now, int(outgoing), int(incoming))
                case 3:
                    association.reset_association(now)
                    outgoing, incoming = True, False
        except OSError as error:
            if error.errno not in (EALREADY, EINVAL, EAGAIN):
                raise
        else:
            self.asked += outgoing + incoming

    def ended(self) -> int:
        """Events that tell of the end of a request, of this side or the other."""
        kinds = (StreamsReset, StreamsAdded, AssociationReset)
        return sum(len(self.side.events_of(kind)) for kind in kinds)


def check_numbers(side: Side) -> int:
    """SSNs begin at 0 and grow by one, or begin anew; how often they did."""
    last: dict[int, int] = defaultdict(lambda: -1)
    begun = 0
    for message in side.received:
        if message.unordered or message.more:
            continue
        assert message.ssn in (0, last[message.stream] + 1), message
        begun += message.ssn == 0 and last[message.stream] >= 0
        last[message.stream] = message.ssn
    return begun


def run(seed: int, with_tsns: bool, send: Callable[[Story], None] = Story.send) -> tuple[Pair, list[Story], Random]:
    random = Random(f"reconfiguration {seed} {with_tsns}")
    pair = Pair(seed, paths=random.choice((1, 2)), link=link(random), config=ALLOWED).connect(600)
    stories = [Story(name, side, random) for name, side in (("a", pair.a), ("b", pair.b))]
    for _ in range(60):
        story = random.choice(stories)
        for _ in range(random.choice((0, 1, 3))):
            send(story)
        if random.random() < 0.4:
            story.ask(with_tsns)
        pair.network.run_for(random.choice((0.0, 0.001, 0.05, 0.5)))
    # Requests that wait for the other side's requests, or for lost packets, come to their end.
    pair.network.run_for(400)
    assert not pair.a.failure + pair.b.failure
    return pair, stories, random


@pytest.mark.parametrize("seed", seeds(10, 500))
def test_resets_and_added_streams_lose_nothing_and_change_no_order(seed: int) -> None:
    pair, stories, _ = run(seed, False)
    with pair:
        pair.drain()
        for story, receiver in zip(stories, (pair.b, pair.a), strict=True):
            for (stream, unordered), messages in story.sent.items():
                got = [one.data for one in receiver.received if (one.stream, one.unordered) == (stream, unordered)]
                assert got == messages if not unordered else sorted(got) == sorted(messages)
            check_numbers(receiver)
            assert story.ended() >= story.asked
        # Nothing is under way any more, and the two agree on how many streams there are.
        for one, other in ((pair.a.association, pair.b.association), (pair.b.association, pair.a.association)):
            assert one.outbound_streams == other.inbound_streams
            one.reset_streams(pair.a.host.now, outgoing=True)
        before = [len(side.events_of(StreamsReset)) for side in (pair.a, pair.b)]
        pair.network.run_for(400)  # A RE-CONFIG that is lost goes again after the RTO, which may be a minute.
        assert [len(side.events_of(StreamsReset)) for side in (pair.a, pair.b)] == [count + 2 for count in before]
        for story, receiver in zip(stories, (pair.b, pair.a), strict=True):
            story.side.send(b"last", stream=1)
            pair.drain()
            assert (receiver.received[-1].data, receiver.received[-1].ssn) == (b"last", 0)


@pytest.mark.parametrize("seed", seeds(8, 300))
def test_tsn_resets_keep_order_and_repeat_nothing(seed: int) -> None:
    """What the side that is asked has in flight may be lost (section 5.2.4 G3)."""
    pair, stories, _ = run(seed, True)
    with pair:
        for story, receiver in zip(stories, (pair.b, pair.a), strict=True):
            for (stream, unordered), messages in story.sent.items():
                got = [one.data for one in receiver.received if (one.stream, one.unordered) == (stream, unordered)]
                assert len(set(got)) == len(got)
                assert set(got) <= set(messages)
                if not unordered:
                    assert got == [message for message in messages if message in set(got)]
            assert story.ended() >= story.asked
        pair.network.run_for(60)
        for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
            side.send(b"still alive")
            pair.drain()
            assert other.received[-1].data == b"still alive"


def test_a_full_walk_as_a_ladder() -> None:
    """Both directions, all streams: Appendix A, the third example."""
    with Pair(config=ALLOWED).connect() as pair:
        for side in (pair.a, pair.b):
            side.send(b"before", stream=2)
        pair.drain()
        pair.network.run_for(1)
        begun = len(list(pair.network.packets()))
        pair.a.association.reset_streams(pair.a.host.now, outgoing=True, incoming=True)
        pair.network.run_for(1)
        assert [packet.chunks for packet in pair.network.packets()][begun:] == [
            ["RE-CONFIG"],
            ["RE-CONFIG"],
            ["RE-CONFIG"],
        ]
        for side in (pair.a, pair.b):
            side.send(b"after", stream=2)
        pair.drain()
        assert [message.ssn for message in pair.a.received] == [message.ssn for message in pair.b.received] == [0, 0]
        results = [event.result for side in (pair.a, pair.b) for event in side.events_of(StreamsReset)]
        assert results == [RECONFIG_DONE] * 4


def test_a_request_survives_a_cut_path() -> None:
    config = AssociationConfig(allow_stream_reset=True, heartbeat_interval=5.0)
    with Pair(paths=2, config=config).connect() as pair:
        pair.cut(1)
        begun = pair.network.clock.now
        pair.a.association.reset_streams(pair.a.host.now, outgoing=True)
        pair.run(lambda: pair.a.events_of(StreamsReset))
        assert pair.network.clock.now - begun < 3 * SECOND


def send_unreliably(story: Story) -> None:
    """A message that may be given up."""
    association = story.side.association
    stream = story.random.randrange(association.outbound_streams)
    unordered = story.random.random() < 0.3
    number = sum(map(len, story.sent.values()))
    message = f"{story.name} {number} ".encode().ljust(story.random.choice((10, 500, 5000)), b".")
    policy, value = story.random.choice(
        ((RELIABLE, 0), (TIMED, 0), (TIMED, SECOND // 50), (RETRANSMISSIONS, 0), (RETRANSMISSIONS, 1), (PRIORITY, 3))
    )
    if association.send_space > 0:
        story.sent[stream, unordered].append(message)
        association.send(story.side.host.now, message, stream, unordered=unordered, policy=policy, value=value)


@pytest.mark.parametrize("with_tsns", [False, True])
@pytest.mark.parametrize("seed", seeds(8, 300))
def test_resets_among_messages_that_are_given_up(seed: int, with_tsns: bool) -> None:
    """With RFC 3758: what arrives is in order and comes once, and both sides stay at one."""
    pair, stories, _ = run(seed, with_tsns, send_unreliably)
    with pair:
        for story, receiver in zip(stories, (pair.b, pair.a), strict=True):
            for (stream, unordered), messages in story.sent.items():
                got = [one.data for one in receiver.received if (one.stream, one.unordered) == (stream, unordered)]
                got = [one for one in got if one in messages]  # Without parts of what was given up half-way.
                assert len(set(got)) == len(got)
                if not unordered:
                    assert got == [message for message in messages if message in set(got)]
            assert story.ended() >= story.asked
        pair.network.run_for(60)
        for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
            side.send(b"still alive")
            pair.drain()
            assert other.received[-1].data == b"still alive"
