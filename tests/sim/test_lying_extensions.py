"""A peer that lies in all extensions of data at once: FORWARD-TSN and I-FORWARD-TSN, resets and added streams.

The chunks are near to what would be right, for what is far from it is dropped early. Nothing raises but what the user
asks in vain, the receive window adds up, and no timer runs in circles.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from sctpx.core.association.state import CLOSED
from sctpx.core.events import AssociationReset, StreamsReset
from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.wire import reconfig
from sctpx.wire.codes import CHUNK_I_DATA, CHUNK_I_FORWARD_TSN, CHUNK_RE_CONFIG
from sctpx.wire.serial import UNWRAPPED
from tests.conformance.peer import Peer
from tests.conformance.reconfig import ALLOWED
from tests.sweeps import seeds

STREAMS = 4
BUFFER = 20_000


Kind = tuple[int, bool]
"""Stream, and whether its messages are unordered."""


class Liar:
    """The peer, and what it knows of the stack."""

    def __init__(self, random: Random, interleaving: bool) -> None:
        self.random = random
        self.interleaving = interleaving
        self.lies = random.choice((0.0, 0.01, 0.1))
        extensions = [CHUNK_RE_CONFIG, *([CHUNK_I_DATA, CHUNK_I_FORWARD_TSN] if interleaving else [])]
        self.peer = Peer(
            extensions=extensions,
            forwards=True,
            interleaving=interleaving,
            receive_buffer=BUFFER,
            partial_delivery_point=random.choice((0, 1000)),
            scheduler=random.choice(("fcfs", "rr", "prio", "wfq", "rr_pkt")),
            association_max_retrans=10_000,
            path_max_retrans=10_000,
            rto_max=1.0,
            rtt=0.01,
            streams=STREAMS,
            **ALLOWED,
        )
        self.requests = 0
        self.numbers: dict[Kind, int] = {}
        self.begun: dict[Kind, int] = {}
        """Messages that have begun: the next FSN."""
        self.told = 0

    @property
    def next_tsn(self) -> int:
        """The one that the stack waits for, counted from 1."""
        number = self.peer.association.tcb.tsn_map.cumulative_tsn + 1 - self.peer.peer_tsn
        return (number & 0xFFFFFFFF) + 1

    def hear(self) -> None:
        """Numbers of streams that were reset begin anew."""
        for event in self.peer.events[self.told :]:
            if isinstance(event, AssociationReset) or (isinstance(event, StreamsReset) and event.incoming):
                chosen = event.streams if isinstance(event, StreamsReset) else []
                for kind in {*self.numbers, *self.begun}:
                    if not chosen or kind[0] in chosen:
                        self.numbers.pop(kind, None)
                        self.begun.pop(kind, None)
        self.told = len(self.peer.events)

    def chunk(self, tsn: int, flags: int, kind: Kind, last: int) -> bytes:
        stream, unordered = kind
        size = self.random.choice((1, 100, 600))
        number = self.numbers.get(kind, 0)
        flags |= 4 if unordered else 0
        if self.interleaving:
            return self.peer.i_data(tsn, size, flags=flags, stream=stream, mid=number, last=last)
        return self.peer.data(tsn, size, flags=flags, stream=stream, ssn=number & 0xFFFF)

    def data(self) -> bytes:
        random = self.random
        kind = random.randrange(STREAMS), random.random() < 0.3
        if random.random() < self.lies:
            return self.chunk(self.next_tsn + random.randrange(-1, 3), random.randrange(4), kind, random.randrange(3))
        holes = bool(self.peer.association.tcb.tsn_map.ranges)
        if self.begun and not self.interleaving:
            [kind] = self.begun
        fsn = self.begun.pop(kind, 0)
        flags = 0 if fsn else 2
        # Without interleaving, the fragments of a message follow each other.
        ends = random.random() < 0.5 or (holes and not self.interleaving)
        ahead = random.choice((0, 0, 0, 1, 2)) if self.interleaving or (ends and not fsn) else 0
        made = self.chunk(self.next_tsn + ahead, flags | ends, kind, fsn)
        if ends:
            self.numbers[kind] = self.numbers.get(kind, 0) + 1
        else:
            self.begun[kind] = fsn + 1
        return made

    def skip(self) -> bytes:
        """Messages are given up, those that have begun among them."""
        random = self.random
        tsn = self.next_tsn + random.choice((-1, 0, 0, 1, 2, 5))
        kinds = list(self.begun) if random.random() < 0.7 else []
        if random.random() < self.lies:
            tsn += 70_000
            kinds.append((random.randrange(STREAMS + 1), False))
        named = [(stream, self.numbers.get((stream, unordered), 0), unordered) for stream, unordered in kinds]
        if not self.interleaving or tsn >= self.next_tsn:
            self.begun = {kind: fsn for kind, fsn in self.begun.items() if self.interleaving and kind not in kinds}
            for stream, number, unordered in named:
                self.numbers[stream, unordered] = number + 1
        if self.interleaving:
            return self.peer.i_forward_tsn(tsn, *named)
        ordered = [(stream, number & 0xFFFF) for stream, number, unordered in named if not unordered]
        return self.peer.forward_tsn(max(tsn, self.next_tsn), *ordered)

    def sack(self) -> bytes:
        peer, random = self.peer, self.random
        if peer.association.tcb.former_tsn >= 0:
            return peer.sack_chunk(random.randrange(3))  # Its TSNs are elsewhere; what is late is passed over.
        low = peer.association.tcb.outstanding.cumulative_tsn_ack_point - UNWRAPPED - peer.tsn + 1
        high = peer.last_tsn
        cumulative = random.randint(low, max(high, low))
        gaps = [(cumulative + 2, random.randint(cumulative + 2, high))] if cumulative + 2 <= high else []
        return peer.sack_chunk(cumulative, *(gaps if random.random() < 0.4 else []), a_rwnd=random.choice((0, 1 << 20)))

    def request(self) -> reconfig.Parameter:
        random = self.random
        number = (self.peer.peer_tsn + self.requests + random.choice((0, 0, 0, 0, 0, 0, -1, 1))) & 0xFFFFFFFF
        stats = self.peer.association.stats
        self.requests = max(self.requests, stats.reconfigurations + stats.reconfigurations_refused)
        streams = random.sample(range(STREAMS + 1), random.randrange(3))
        answered = (self.peer.tsn + random.randrange(5)) & 0xFFFFFFFF
        last = (self.peer.peer_tsn + self.next_tsn + random.choice((-2, -2, -1, 3))) & 0xFFFFFFFF
        made: list[Callable[[], reconfig.Parameter]] = [
            lambda: reconfig.outgoing_reset(number, answered, last, streams),
            lambda: reconfig.incoming_reset(number, streams),
            lambda: reconfig.tsn_reset(number),
            lambda: reconfig.add_outgoing(number, random.randrange(3)),
            lambda: reconfig.add_incoming(number, random.randrange(3)),
        ]
        return random.choice(made[:2] if random.random() < 0.7 else made)()

    def response(self) -> reconfig.Parameter:
        random = self.random
        next_tsns = (self.peer.peer_tsn + self.next_tsn + random.randrange(-3, 4)) & 0xFFFFFFFF, random.getrandbits(32)
        number = (self.peer.tsn + random.randrange(8)) & 0xFFFFFFFF
        return reconfig.response(number, random.randrange(7), random.choice((None, next_tsns)))

    def reconfigure(self) -> bytes:
        makers = self.random.choice(
            ([self.request], [self.request], [self.request], [self.response], [self.response, self.response])
        )
        return reconfig.encode([make() for make in makers])

    def say(self) -> None:
        makers = [self.data] * 6 + [self.skip, self.sack, self.sack, self.reconfigure]
        self.peer.deliver(self.random.choice(makers)())
        self.hear()

    def use(self) -> None:
        """The user of the stack does something."""
        random, association, now = self.random, self.peer.association, self.peer.now
        verb = random.randrange(6)
        with suppress(OSError):
            if verb == 0:
                policy = random.choice((RELIABLE, TIMED, RETRANSMISSIONS, PRIORITY))
                value = random.choice((0, 2, 50_000_000))
                stream, unordered = random.randrange(STREAMS), random.random() < 0.3
                data = bytes(random.choice((10, 1000, 9000)))
                association.send(now, data, stream, unordered=unordered, policy=policy, value=value)
            elif verb == 1:
                chosen = random.sample(range(STREAMS), random.randrange(3))
                association.reset_streams(now, random.random() < 0.7, random.random() < 0.4, chosen)
            elif verb == 2:
                association.add_streams(now, random.randrange(2), random.randrange(2))
            elif verb == 3 and random.random() < 0.3:
                association.reset_association(now)
            else:
                self.peer.read()

    def check(self) -> None:
        tcb = self.peer.association.tcb
        tcb.tsn_map.check_invariants()
        tcb.outstanding.check_invariants()
        assert 0 <= tcb.window.held <= 2 * BUFFER + 1500
        assert tcb.buffered >= 0


@pytest.mark.parametrize("seed", seeds(25, 1500))
@pytest.mark.parametrize("interleaving", [False, True])
def test_whatever_is_skipped_and_reset_nothing_breaks(interleaving: bool, seed: int) -> None:
    random = Random(f"lying extensions {interleaving} {seed}")
    liar = Liar(random, interleaving)
    for _ in range(120):
        liar.say()
        if random.random() < 0.4:
            liar.use()
        if random.random() < 0.2:
            liar.peer.advance(random.choice((0.01, 0.3, 1.5)))
        if liar.peer.association.state == CLOSED:
            break
        liar.check()
    liar.peer.advance(5)
