"""Answers to strangers: packets that belong to no association, how many of them, and how they wait to leave.

A stranger may have forged its source, and there may be many of them. So no answer is larger than what it answers, but
for an INIT ACK; ABORTs are so many a second for each SCTP port; and what waits is a short queue that drops the oldest.
Under a flood the newest answers are those that somebody may still wait for, and what leaves late is of no use to
anybody: answers to forged packets push out each other, and a real peer's answer only if more forged packets come behind
it, before the next sending, than the queue holds.

Nothing is kept of a stranger but these packets (RFC 9260 section 5.1 B).
"""

from __future__ import annotations

from collections import deque
from typing import final

from ..wire import causes, control
from ..wire.causes import Cause
from ..wire.codes import CHUNK_INIT_ACK, COMMON_HEADER
from ..wire.packet import prefix
from ..wire.seal import finish_packet
from ..wire.setup import Setup
from . import authentication, out_of_the_blue
from .arrival import Arrival
from .authentication import Authentication
from .config import Limits
from .endpoint import Endpoint
from .entropy import RandomBytes, random_u32
from .init_answer import init_ack, make_cookie, passed_over, told
from .outputs import Transmit
from .state_cookie import CookieJar
from .stats import StackStats
from .token_bucket import TokenBucket


@final
class Answers:
    """The answers of one stack."""

    __slots__ = ("_aborts", "_endpoints", "_refusals", "_stats", "_waiting", "limit")

    def __init__(self, endpoints: dict[int, Endpoint], stats: StackStats) -> None:
        """``endpoints`` are those of the stack, by SCTP port, as they come and go."""
        limits = Limits()
        self.limit = limits.answers
        """How many may wait."""
        self._endpoints = endpoints
        self._stats = stats
        self._waiting: deque[Transmit] = deque()
        # For SCTP ports that are nobody's.
        self._aborts = TokenBucket(limits.aborts_per_second)
        self._refusals = TokenBucket(limits.aborts_per_second)

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Transmit | None:
        """The one that leaves next; None if there is none."""
        return self._waiting.popleft() if self._waiting else None

    def add(self, local: bytes, remote: bytes, port: int, packet: bytes, marked: int) -> None:
        """This packet is to leave."""
        self._waiting.append(Transmit(local, remote, port, packet, len(packet), marked))
        if len(self._waiting) > self.limit:
            self._waiting.popleft()
            self._stats.answers_dropped += 1

    def reply(self, arrival: Arrival, tag: int, chunk: bytes, keys: Authentication | None = None) -> None:
        """Answer a packet with this chunk, unless that is larger; marked as the packets of the port's associations.

        With ``keys``, which the peer has too, the chunk is authenticated if the peer demands that (RFC 4895 section
        6.2): the peer would drop it otherwise.
        """
        if keys is not None:
            chunk = keys.protect(chunk)
        if COMMON_HEADER + len(chunk) > len(arrival.packet) and chunk[0] != CHUNK_INIT_ACK:
            self._stats.answers_withheld += 1
            return
        endpoint = self._endpoints.get(arrival.local_port)
        packet = finish_packet(prefix(arrival.local_port, arrival.peer_port, tag), chunk)
        marked = 0 if endpoint is None else endpoint.flowinfo_to(arrival.remote)
        self.add(arrival.local, arrival.remote, arrival.port, packet, marked)

    def out_of_the_blue(self, arrival: Arrival, named: bool = False) -> None:
        """Answer a packet by section 8.4, rules 2 and 5 to 8.

        ``named``: an ASCONF in it leads to an association all the same, whose tag is another one: it is silently
        discarded (RFC 5061 section 5.2, D2 and D4).
        """
        if named:
            self._stats.discarded += 1
            return
        self._stats.out_of_the_blue += 1
        chunk = out_of_the_blue.answer(arrival.chunks)
        if chunk:
            endpoint = self._endpoints.get(arrival.local_port)
            self._reply_by(self._aborts if endpoint is None else endpoint.aborts, arrival, arrival.tag, chunk)

    def refuse(self, arrival: Arrival, tag: int, seen: list[Cause], keys: Authentication | None = None) -> None:
        """Refuse an INIT, or a COOKIE ECHO of a peer that has ``keys`` already."""
        endpoint = self._endpoints.get(arrival.local_port)
        tokens = self._refusals if endpoint is None else endpoint.refusals
        self._reply_by(tokens, arrival, tag, control.abort(seen), keys)

    def _reply_by(
        self, tokens: TokenBucket, arrival: Arrival, tag: int, chunk: bytes, keys: Authentication | None = None
    ) -> None:
        """Answer if there is a token."""
        if tokens.take(arrival.now):
            self.reply(arrival, tag, chunk, keys)
        else:
            self._stats.answers_withheld += 1

    def too_late(self, arrival: Arrival, tag: int, late: int, keys: Authentication | None) -> None:
        """A COOKIE ECHO came so many ns behind the life of its cookie (section 5.2.6)."""
        self.reply(arrival, tag, control.error([causes.stale_cookie(-(-late // 1000))]), keys)

    def turn_away(self, arrival: Arrival, tag: int, keys: Authentication | None = None) -> None:
        """Refuse an association: nobody listens at that port and address, or there are as many as may be."""
        endpoint = self._endpoints.get(arrival.local_port)
        crowded = endpoint is not None and endpoint.backlog > 0 and endpoint.hears(arrival.local)
        if crowded:
            self._stats.associations_refused += 1
        self.refuse(arrival, tag, [causes.out_of_resource()] if crowded else [], keys)

    def init(self, arrival: Arrival, setup: Setup, jar: CookieJar, random_bytes: RandomBytes) -> None:
        """Answer an INIT for which there is no association (section 5.1 B)."""
        endpoint = self._endpoints.get(arrival.local_port)
        if endpoint is None or not endpoint.hears(arrival.local) or endpoint.is_full(arrival.remote):
            self.turn_away(arrival, setup.initiate_tag)
            return
        cause = authentication.refusal(setup, endpoint.config)
        if cause is not None:
            self.refuse(arrival, setup.initiate_tag, [cause])
            return
        most = endpoint.limits.peer_addresses
        cookie = make_cookie(
            setup,
            endpoint.config,
            arrival.now,
            arrival.local,
            arrival.remote,
            arrival.port,
            endpoint.own_addresses,
            most,
        )
        self._stats.addresses_passed_over += passed_over(setup.addresses, cookie.addresses, most)
        cookie.local_port = arrival.local_port
        cookie.peer_port = arrival.peer_port
        cookie.local_tag = endpoint.draw_tag(random_bytes)
        cookie.local_initial_tsn = random_u32(random_bytes)
        announce = told(setup, arrival.local, arrival.remote, endpoint.announced_to(cookie.addresses))
        self.reply(arrival, setup.initiate_tag, init_ack(setup, cookie, jar, endpoint.config, arrival.now, announce))
