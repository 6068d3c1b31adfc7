"""One of several stacks that share a UDP port, each in a process of its own: which packets are its own.

Each association lives in one worker. The first byte of its Verification Tag says in which, by its remainder: so the
system can hand each packet to the right socket, and so can a worker that gets a packet of another one (packets that
were sent in one go stay together on their way, whatever their tags).

Packets without a tag of ours are found by addresses and ports instead, which only the worker knows that has the
association: an INIT, which may be that of a peer that has restarted (RFC 9260 section 5.2.2), and packets with the
peer's own tag (section 8.5.1 B and C). A worker that knows none asks the next one, and so on round; the last one knows
that there is none, and answers. The association that comes of an INIT lives in the worker that answered it. So it is
with ICMP errors, which the system gives to any of the sockets. Strangers cannot make the workers ask each other more
often than they would answer packets out of the blue.

The packets travel by a function that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ..wire.codes import CHUNK_INIT
from .arrival import Arrival
from .config import Limits
from .entropy import RandomBytes, random_tag
from .stats import StackStats
from .token_bucket import TokenBucket

PassOn = Callable[[int, int, bytes, bytes, int, bytes, int, int], None]
"""Hands a packet to another worker: its number, how many have seen it and do not know it, and the packet as
``Stack.receive`` takes it: local and remote address, UDP port, data. With an errno, and an MTU, it is an ICMP error as
``Stack.handle_icmp`` takes it. It may be lost."""

MOST: Final = 256
"""As many as a byte tells apart."""
_FIRST_BYTE: Final = 24


@final
class Worker:
    """What one of the stacks knows of the others."""

    __slots__ = ("_errors", "_pass_on", "_questions", "count", "index", "seed", "seen", "stats")

    def __init__(self, index: int, count: int, pass_on: PassOn, seed: bytes) -> None:
        """The worker with this number, of so many."""
        self.index = index
        self.count = count
        self.seed = seed
        """What the secrets of the cookies are made of: the same in all, random, and known to nobody else."""
        self.seen = 0
        """How many others have seen the packet that is being processed, and do not know it."""
        self.stats = StackStats()
        """Where it counts: those of its stack, once there is one."""
        self._pass_on = pass_on
        self._questions = TokenBucket(Limits().aborts_per_second)
        self._errors = TokenBucket(Limits().aborts_per_second)

    def draw_tag(self, random_bytes: RandomBytes) -> int:
        """A Verification Tag that leads to this worker."""
        while True:
            tag = random_tag(random_bytes)
            first = tag >> _FIRST_BYTE
            first += self.index - first % self.count
            if first >= MOST:
                first -= self.count
            tag = first << _FIRST_BYTE | tag & (1 << _FIRST_BYTE) - 1
            if tag:
                return tag

    def redirects(self, arrival: Arrival) -> bool:
        """Whether a packet is for another worker by its tag, and is on its way there."""
        owner = (arrival.tag >> _FIRST_BYTE) % self.count
        if not arrival.tag or self.seen or owner == self.index:
            return False
        self._hand(owner, 0, arrival)
        return True

    def asks_others(self, arrival: Arrival) -> bool:
        """This worker does not know whose a packet is: whether another one is asked, or it is to be forgotten."""
        if self.seen + 1 >= self.count:
            return False
        if self.seen or arrival.kind == CHUNK_INIT or self._questions.take(arrival.now):
            self._hand((self.index + 1) % self.count, self.seen + 1, arrival)
        return True

    def asks_about_error(self, now: int, remote: bytes, port: int, error: int, payload: bytes, mtu: int) -> None:
        """This worker does not know what an ICMP error is about: another one is asked, if there is one left."""
        if self.seen + 1 < self.count and (self.seen or self._errors.take(now)):
            self.stats.passed_on += 1
            self._pass_on((self.index + 1) % self.count, self.seen + 1, b"", remote, port, payload, error, mtu)

    def _hand(self, to: int, seen: int, arrival: Arrival) -> None:
        self.stats.passed_on += 1
        self._pass_on(to, seen, arrival.local, arrival.remote, arrival.port, arrival.packet, 0, 0)
