"""Messages that may be given up, over networks that lose: what arrives, what is told, and what is left behind.

The naive model is the list of what was sent. A reliable message arrives once. Any other arrives once or is told to be
abandoned, or both if it was sent; of a stream, what arrives is in order. At the end both sides are as if nothing had
ever been sent.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import Abandoned, CommunicationLost, Event, PartialDeliveryAborted, Readable
from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.testing import LinkSettings, Pair, Received, Side, seeded_random
from tests.sweeps import seeds

MILLISECOND = 1_000_000
SIZES = (8, 8, 100, 1000, 1444, 1445, 3000, 20_000, 100_000)


class Sent(NamedTuple):
    """A message that one side was given."""

    data: bytes
    stream: int
    unordered: bool
    policy: int


def a_policy(random: Random) -> tuple[int, int]:
    """A policy and its value."""
    policy = random.choice((RELIABLE, TIMED, TIMED, RETRANSMISSIONS, RETRANSMISSIONS, PRIORITY))
    if policy == TIMED:
        return policy, random.choice((0, 1, 20, 100, 1000, 5000)) * MILLISECOND
    return policy, random.randrange(3) if policy else 0


def send_some(random: Random, side: Side, sent: list[Sent]) -> None:
    """Send until the buffer is full, or there is enough for now."""
    for _ in range(random.randrange(30)):
        policy, value = a_policy(random)
        association = side.association
        if association.send_space <= 0 and not association.make_room(side.host.now, policy, value):
            return
        stream, unordered = random.randrange(4), random.random() < 0.3
        data = len(sent).to_bytes(8, "big").ljust(random.choice(SIZES), b"x")
        sent.append(Sent(data, stream, unordered, policy))
        association.send(side.host.now, data, stream, 7, unordered, context=len(sent), policy=policy, value=value)


class Reader:
    """Reads what comes in, and puts the parts of messages together as far as they come.

    A part that begins a message is known by its first bytes: what there was of another one has been given up.
    """

    def __init__(self, side: Side) -> None:
        self.messages: list[Received] = []
        self._parts: dict[tuple[int, int, bool], bytes] = {}
        self.given_up = self.told = 0
        self._side = side
        side.reading = False
        side.host.handlers.append(self._on_event)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Readable):
            self._read()
        elif isinstance(event, PartialDeliveryAborted):
            self.told += 1

    def _read(self) -> None:
        for part in [Received(*one) for one in self._side.association.read()]:
            key = part.stream, part.ssn, part.unordered
            data = self._parts.pop(key, b"")
            if data and part.data.startswith(bytes(5)):
                self.given_up += 1
                data = b""
            data += part.data
            if part.more:
                self._parts[key] = data
            else:
                self.messages.append(part._replace(data=data))

    def check(self) -> None:
        """Of each message that was begun and given up, the user is told."""
        assert self.given_up + len(self._parts) == self.told


def check(sender: Side, reader: Reader, sent: list[Sent]) -> int:
    """The promises above, for one direction. Returns how many messages were abandoned."""
    received = Counter(message.data for message in reader.messages)
    assert not received - Counter(message.data for message in sent)  # Nothing twice, nothing invented.
    told = {event.message[5]: event.message for event in sender.events_of(Abandoned)}
    assert len(told) == len(sender.events_of(Abandoned))
    for number, message in enumerate(sent, 1):
        if message.policy == RELIABLE:
            assert received[message.data] == 1
            assert number not in told
        elif number not in told:
            assert received[message.data] == 1
        else:
            data, stream, ppid, it_was_sent, unordered, _, whole = told[number]
            assert (stream, ppid, unordered) == (message.stream, 7, message.unordered)
            assert data == message.data if whole else len(data) < len(message.data)
            assert it_was_sent or (whole and received[message.data] == 0)
    for stream in range(4):
        ordered = [message.data for message in sent if message.stream == stream and not message.unordered]
        places = {data: place for place, data in enumerate(ordered)}
        arrived = [places[message.data] for message in reader.messages if message.data in places]
        assert arrived == sorted(arrived)
    unsent, was_sent = sender.association.abandoned()
    stats = sender.association.stats
    assert (stats.messages_abandoned_unsent, stats.messages_abandoned_sent) == (unsent, was_sent)
    assert unsent + was_sent == len(told)
    return len(told)


def check_rest(side: Side) -> None:
    """Nothing is left of what was sent and received."""
    association = side.association
    tcb = association.tcb
    assert association.send_space == association.config.send_buffer
    assert association.pending == 0
    assert tcb.outstanding.empty
    assert not tcb.outstanding.special
    assert tcb.outstanding.flight_size == sum(path.flight_size for path in tcb.paths) == 0
    assert tcb.send_queue.policies == len(tcb.send_queue) == tcb.send_queue.queued_bytes == 0
    assert tcb.window.held == 0
    assert tcb.reassembly.messages == 0


@pytest.mark.parametrize("seed", seeds(10, 400))
def test_what_a_policy_promises_holds_whatever_the_network_does(seed: int) -> None:
    random = seeded_random("partial reliability", seed)
    config = AssociationConfig(
        interleaving=random.random() < 0.4,
        scheduler=random.choice(("fcfs", "fcfs", "rr", "rr_pkt", "prio", "fc", "wfq")),
        send_buffer=random.choice((3000, 30_000, 300_000)),
        receive_buffer=random.choice((8000, 100_000, 1 << 20)),
        partial_delivery_point=random.choice((0, 3000)),
        rto_min=0.1,
        rto_max=2.0,
        rto_initial=0.5,
        association_max_retrans=100,
        path_max_retrans=100,
        nodelay=random.random() < 0.5,
    )
    link = LinkSettings(loss=random.choice((0.0, 0.02, 0.1, 0.3)), delay=random.choice((0.001, 0.05)))
    if random.random() < 0.3:
        link = LinkSettings(loss=link.loss, delay=link.delay, reorder=0.1)
    with Pair(seed, link=link, paths=random.choice((1, 1, 2)), config=config).connect() as pair:
        sent: tuple[list[Sent], list[Sent]] = ([], [])
        readers = Reader(pair.a), Reader(pair.b)
        for _ in range(random.randrange(5, 40)):
            for side, messages in zip((pair.a, pair.b), sent, strict=True):
                send_some(random, side, messages)
                side.association.tcb.outstanding.check_invariants()
            if random.random() < 0.05:
                pair.cut(1)
            pair.network.run_for(random.choice((0.001, 0.03, 0.3)))
            pair.heal(1)
        pair.run(lambda: pair.a.association.pending == pair.b.association.pending == 0, 3600)
        pair.run(lambda: all(side.association.tcb.outstanding.empty for side in (pair.a, pair.b)), 3600)
        pair.network.run_for(1.0)
        assert not pair.a.events_of(CommunicationLost)
        check(pair.a, readers[1], sent[0])
        check(pair.b, readers[0], sent[1])
        for side, reader in zip((pair.a, pair.b), readers, strict=True):
            reader.check()
            check_rest(side)
        pair.shutdown()
