"""Packets that are not simply for an association: INIT, COOKIE ECHO, reflected tags, what is out of the blue.

The stack finds associations by the first eight bytes of a packet and the sender's address. What it does not find this
way, or what begins an association, comes here, one packet at a time (RFC 9260 sections 5.1, 5.2, 8.4 and 8.5). Where a
packet does not carry our tag, its association is found by the sender's address and the ports. A packet with the right
tag from an address that is not the association's is out of the blue, except INIT ACK and COOKIE ECHO.

Where several stacks share the UDP port, another one may know what this one does not (``worker``).

It owns the cookie secrets. Nothing here is on the way of an association's data.
"""

from __future__ import annotations

from errno import EALREADY, EISCONN
from typing import Final, final

from ..wire import causes
from ..wire.checksum import read_checksum, verify_packet
from ..wire.codes import (
    CHUNK_ABORT,
    CHUNK_COOKIE_ECHO,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_SHUTDOWN_ACK,
    COMMON_HEADER,
)
from ..wire.params import is_unicast
from ..wire.setup import initiate_tag
from ..wire.setup import parse as parse_setup
from ..wire.tlv import ParseError
from .answers import Answers
from .arrival import Arrival, ZoneOfLocal, echoes_cookie
from .association import elsewhere, handshake, inbound, reachability, reflected, restart
from .association.association import Association
from .association.state import COOKIE_ECHOED, COOKIE_WAIT
from .directory import Directory, with_peer_tag
from .endpoint import Endpoint, EndpointKeeper
from .entropy import RandomBytes
from .ext import asconf, auth
from .init_answer import refusal
from .state_cookie import CookieJar
from .stats import StackStats

MAX_STACKS: Final = 8  # Of peers behind one IP address that may use one SCTP port.


@final
class OtherPackets:
    """What a stack does with such packets."""

    __slots__ = (
        "_answers",
        "_directory",
        "_endpoints",
        "_jar",
        "_keeper",
        "_random_bytes",
        "_stats",
        "_worker",
        "_zone_of_local",
    )

    def __init__(
        self,
        keeper: EndpointKeeper,
        endpoints: dict[int, Endpoint],
        directory: Directory,
        answers: Answers,
        jar: CookieJar,
        stats: StackStats,
        random_bytes: RandomBytes,
        zone_of_local: ZoneOfLocal | None,
    ) -> None:
        """``keeper`` is the stack, and the rest is what it has."""
        self._keeper = keeper
        self._endpoints = endpoints
        self._directory = directory
        self._answers = answers
        self._jar = jar
        self._stats = stats
        self._random_bytes = random_bytes
        self._zone_of_local = zone_of_local
        self._worker = keeper.worker

    def receive(
        self, now: int, local: bytes, remote: bytes, port: int, packet: bytes, association: Association | None
    ) -> None:
        """One packet. ``association`` has its ports and tag, if there is one."""
        body = packet[COMMON_HEADER:]
        # A packet with a COOKIE ECHO always has a checksum (RFC 9653 section 5.2): its association need not be known.
        if association is None or (body and echoes_cookie(body, 0, len(body))):
            intact = verify_packet(packet)
        else:
            intact = association.tcb.takes(body, read_checksum(packet, 0))
        if not intact:
            self._stats.bad_checksum += 1
            return
        self._directory.now = now
        arrival = Arrival(now, local, remote, port, packet)
        kind = arrival.kind
        if not is_unicast(remote) or not is_unicast(local):
            self._stats.discarded += 1  # Section 8.4, rule 1.
        elif not arrival.peer_port or not arrival.local_port:
            self._stats.discarded += 1
        elif association is None and self._worker is not None and self._worker.redirects(arrival):
            pass  # Another stack on this UDP port has it.
        elif kind == CHUNK_INIT or arrival.tag == 0:
            # "the packet contains only an INIT chunk. Otherwise, the receiver MUST silently discard" (8.5.1 A)
            if kind == CHUNK_INIT and arrival.tag == 0 and len(arrival.chunks) == 1 and not arrival.has_auth:
                self._receive_init(arrival)
            else:
                self._stats.discarded += 1
        elif kind == CHUNK_COOKIE_ECHO:
            self._receive_cookie_echo(arrival, association)
        elif association is not None:
            self._receive_stray(arrival, association)
        else:
            self._receive_reflected(arrival)

    def _receive_stray(self, arrival: Arrival, association: Association) -> None:
        """A packet with an association's tag from an address that is not (yet) the association's."""
        self._keeper.work_on(association)
        tcb = association.tcb
        kind = arrival.kind
        waiting = tcb.state == COOKIE_WAIT
        if tcb.former and asconf.is_given_up(tcb, arrival.now, arrival.local):
            self._answers.out_of_the_blue(arrival)
            return
        path = reachability.find_on_link(tcb, arrival.now, arrival.remote, arrival.local, arrival.port)
        if path is not None:
            association.begin_round()
            size = len(arrival.packet)
            inbound.receive(tcb, arrival.now, arrival.local, path, arrival.port, arrival.packet, 0, size)
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
            return
        if kind == CHUNK_INIT_ACK:
            if waiting and len(arrival.chunks) == 1 and not arrival.has_auth:
                association.begin_round()
                handshake.handle_init_ack(tcb, arrival, self._zone_of_local)
                self._give_way(association)
            elif waiting:
                self._stats.discarded += 1  # It "MUST NOT be bundled" (section 6.10).
            else:
                handshake.note_late_init_ack(tcb, arrival.now, arrival.remote, arrival.port)  # Discarded (5.2.3).
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
        elif arrival.has(CHUNK_ABORT):
            seen = arrival.causes_of_abort()
            if seen is None:
                self._stats.discarded += 1
            else:
                association.begin_round()
                handshake.handle_abort(tcb, arrival.now, arrival.remote, arrival.port, seen)
                self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
        elif waiting and kind != CHUNK_SHUTDOWN_ACK:
            self._stats.discarded += 1
        elif elsewhere.handle(tcb, arrival):
            association.begin_round()
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
        else:
            self._answers.out_of_the_blue(arrival, self._directory.is_named(arrival))

    def _give_way(self, association: Association) -> None:
        """An INIT ACK with an address of another association's peer belongs to that one (section 5.1.2 D)."""
        tcb = association.tcb
        for path in tcb.paths:
            other = self._keeper.find_association(path.remote, tcb.peer_port, tcb.local_port)
            if other is not None and other is not association and other.state != COOKIE_WAIT:
                if tcb.state == COOKIE_ECHOED:
                    handshake.fail(tcb, EALREADY if other.state == COOKIE_ECHOED else EISCONN)
                return

    def _receive_reflected(self, arrival: Arrival) -> None:
        """A packet without a tag of ours: it may carry the peer's own, reflected (section 8.5.1 B, C)."""
        found = self._directory.at(arrival.remote, arrival.peer_port, arrival.local_port)
        if self._directory.is_leaving(arrival.packet[:8]):
            self._stats.discarded += 1
            return
        if not found:
            if self._worker is None or not self._worker.asks_others(arrival):
                self._answers.out_of_the_blue(arrival, self._directory.is_named(arrival))
            return
        association = with_peer_tag(found, arrival.tag)
        self._keeper.work_on(association)
        tcb = association.tcb
        if reflected.handle(tcb, arrival):
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
            return
        if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED) and arrival.has(CHUNK_SHUTDOWN_ACK):
            self._answers.out_of_the_blue(arrival)  # Section 8.5.1 E.
        else:
            self._stats.discarded += 1  # Section 8.5: silently discarded.

    def _receive_init(self, arrival: Arrival) -> None:
        """INIT (sections 3.3.2, 5.1 B and 5.2)."""
        if self._worker is None or not self._worker.seen:
            self._stats.inits_received += 1
        tag = initiate_tag(arrival.value)
        if not tag:
            self._stats.discarded += 1  # "the receiver MUST silently discard the packet"
            return
        try:
            setup = parse_setup(arrival.value)
            cause = refusal(setup)
        except ParseError:
            # "decides not to establish the new association due to missing mandatory parameters [...], invalid parameter
            # values [...]: it SHOULD respond with an ABORT chunk" (section 5.1)
            cause = causes.invalid_parameter()
        if cause is not None:
            self._answers.refuse(arrival, tag, [cause])
            return
        listed = setup.addresses
        setup.addresses = arrival.placed(listed, [], self._zone_of_local)
        found = self._directory.claimed_by(arrival, setup.addresses)
        if found:
            association = found[0]
            self._keeper.work_on(association)
            setup.addresses = arrival.placed(listed, association.tcb.remotes(), self._zone_of_local)
            local, remote, port = restart.answer_to(association.tcb, arrival, setup)
            restart.handle_init(association.tcb, arrival.now, self._jar, local, remote, port, setup)
            self._keeper.after_input(association, local, remote, port)
            return
        if self._worker is None or not self._worker.asks_others(arrival):
            self._answers.init(arrival, setup, self._jar, self._random_bytes)

    def _receive_cookie_echo(self, arrival: Arrival, namesake: Association | None) -> None:
        """COOKIE ECHO (sections 5.1.5 and 5.2.4); what is bundled with it counts once it is accepted.

        ``namesake`` has its ports and tag, if there is one: the cookie must be for that one, or ours were drawn twice.
        """
        now = arrival.now
        cookie = self._jar.open(arrival.value, arrival.packet[:8], now)
        if cookie is None:
            self._stats.cookies_rejected += 1  # "MUST be silently discarded"
            return
        found = self._directory.claimed_by(arrival, cookie.addresses)
        is_over = namesake is None and self._directory.is_over(arrival.packet[:8], cookie, not found)
        if is_over or (namesake is not None and namesake not in found):
            self._stats.cookies_rejected += 1
            if is_over:
                self._answers.out_of_the_blue(arrival)  # Or the peer asks again and again.
            return
        association = namesake or restart.meant_by(cookie, found) if found else None
        endpoint = self._endpoints.get(arrival.local_port)
        if not auth.admits_cookie(None if association is None else association.tcb, endpoint, cookie, arrival):
            self._stats.cookies_unauthenticated += 1
            return
        if association is not None:
            self._keeper.work_on(association)
            association.begin_round()
            outcome = restart.handle_cookie_echo(association, now, cookie, arrival.local, arrival.remote, arrival.port)
            if outcome == restart.ACCEPTED:
                inbound.receive_rest(association.tcb, arrival)  # After a restart, it is another one.
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
            if outcome != restart.ANOTHER:
                return
        late = now - cookie.created - cookie.lifespan
        if late > 0:
            self._stats.cookies_stale += 1
            self._answers.too_late(arrival, cookie.peer_tag, late, auth.of_cookie(None, endpoint, cookie))
        elif (
            endpoint is None
            or endpoint.is_full(cookie.source)
            or len([one for one in found if not one.ended]) >= MAX_STACKS
        ):
            self._answers.turn_away(arrival, cookie.peer_tag, auth.of_cookie(None, endpoint, cookie))
        else:
            association = self._keeper.make_association(
                endpoint, cookie.peer_port, endpoint.config, cookie.local_tag, cookie.local_initial_tsn
            )
            self._keeper.work_on(association)
            # Other addresses of ours the peer does not know: what came from there would be out of the blue.
            association.tcb.local_addresses = endpoint.known_to(cookie.addresses, cookie.local)
            endpoint.admit(association, cookie.source)
            association.begin_round()
            handshake.accept(association.tcb, now, cookie, arrival.local, arrival.remote, arrival.port)
            inbound.receive_rest(association.tcb, arrival)
            self._keeper.after_input(association, arrival.local, arrival.remote, arrival.port)
