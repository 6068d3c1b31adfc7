"""The stack: many endpoints and associations over one set of links, without I/O.

It owns the port table, the index of associations, the demultiplexing of packets and the fan-in of output. The
contract of every driver: one mutation (``receive``, ``handle_timeout``, a verb), then ``poll_transmit`` until None,
``poll_event`` until None, then wait until ``next_timeout``.

Associations are found by the first eight bytes of a packet (ports and our tag) and the sender's address. What is not
found this way, or begins an association, is for ``other_packets``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from errno import EADDRINUSE, EINVAL, ENOBUFS
from typing import Final, final

from ..wire.codes import CHUNK_AUTH, CHUNK_COOKIE_ECHO, COMMON_HEADER
from ..wire.packet import prefix
from ..wire.seal import finish_packet
from ..wire.serial import UNWRAPPED
from .answers import Answers
from .arrival import ZoneOfLocal, echoes_cookie
from .association import inbound, outbound, returned, timing
from .association.association import Association, association_of
from .association.identity import NOBODY, Identity
from .association.state import CLOSED
from .association.tcb import Reply
from .capabilities import ECN
from .config import AssociationConfig, Limits
from .deadlines import Deadlines
from .directory import Directory
from .endpoint import Endpoint, EndpointKeeper
from .entropy import RandomBytes, random_u32
from .ephemeral import EphemeralPorts
from .events import ENDS, Event
from .ext import asconf
from .ext.ecn import lowest_new_tsn, on_marked
from .other_packets import OtherPackets
from .outputs import CE, Transmit
from .path.path import Path
from .state_cookie import CookieJar
from .stats import StackStats
from .timers import NEVER
from .worker import Worker

# The bits in which the types of COOKIE ECHO and AUTH are alike.
_ALIKE: Final = 0xFF & ~(CHUNK_COOKIE_ECHO ^ CHUNK_AUTH)
DEFAULT_LIMITS: Final = Limits()
MAX_GATHERED: Final = 64  # Packets of different associations that leave together: what one system call takes.


@final
class Stack(EndpointKeeper):
    """Endpoints and associations of one driver."""

    __slots__ = (
        "_answer_is_next",
        "_answers",
        "_deadlines",
        "_directory",
        "_ephemeral",
        "_events",
        "_last_id",
        "_next_id",
        "_others",
        "_put_off",
        "_random_bytes",
        "_ready",
        "_replies",
        "endpoints",
        "stats",
        "working",
    )

    def __init__(
        self,
        random_bytes: RandomBytes,
        now: int,
        next_id: Callable[[], int] | None = None,
        zone_of_local: ZoneOfLocal | None = None,
        worker: Worker | None = None,
    ) -> None:
        """``next_id`` draws association ids, where they have to be unique in more than this stack.

        ``worker`` says which of several stacks on its UDP port this is.
        """
        super().__init__()
        self._random_bytes = random_bytes
        self.worker = worker
        self.endpoints: dict[int, Endpoint] = {}
        """By SCTP port."""
        self.stats = StackStats()
        self._directory = Directory(now)
        self._ephemeral = EphemeralPorts(random_bytes)
        self._events: deque[Event] = deque()
        self._deadlines = Deadlines()
        self._last_id = 2  # 0 to 2 have a meaning of their own (RFC 6458 section 7.2).
        self._next_id = next_id
        self._ready: deque[Association] = deque()
        self._replies: list[Reply] = []
        self._answers = Answers(self.endpoints, self.stats)
        jar = CookieJar(random_bytes, now, b"" if worker is None else worker.seed)
        self._others = OtherPackets(
            self, self.endpoints, self._directory, self._answers, jar, self.stats, random_bytes, zone_of_local
        )
        self._answer_is_next = False  # Answers to strangers and associations take turns.
        self.working: Association | None = None
        """The association that input, a timer or sending is changing now; left behind by an exception."""
        self._put_off: Transmit | None = None  # What an association had ready and another one could not go with.

    # --- endpoints and associations ---

    def open_endpoint(
        self,
        port: int = 0,
        local: Sequence[bytes] = (),
        config: AssociationConfig | None = None,
        announce: Sequence[bytes] = (),
        limits: Limits | None = None,
    ) -> Endpoint:
        """Take an SCTP port; 0 for any free one (``ephemeral``).

        ``local`` are its own addresses, all of the host's if empty, and ``announce`` those told to peers, packed.
        ``limits`` are what strangers can have of it.
        Raises OSError: ``EADDRINUSE``, ``EINVAL`` for a port that is none, or ``EOPNOTSUPP`` if ``config`` relies on
        what the link has not.
        """
        config = config or AssociationConfig()
        self.check(config)
        if not 0 <= port <= 65535:
            raise OSError(EINVAL, f"SCTP port {port} is not between 0 and 65535")
        if port == 0:
            port = self._ephemeral.draw(self.endpoints)
            if port == 0:
                raise OSError(EADDRINUSE, "no SCTP port is free in this stack")
        elif port in self.endpoints:
            raise OSError(EADDRINUSE, f"SCTP port {port} is in use in this stack")
        endpoint = Endpoint(self, port, list(local), list(announce), config, limits or DEFAULT_LIMITS)
        self.endpoints[port] = endpoint
        first = len(self.endpoints) == 1
        self._answers.limit = endpoint.limits.answers if first else max(self._answers.limit, endpoint.limits.answers)
        return endpoint

    def follow_udp_port(self, udp_port: int) -> None:
        """The system has chosen this UDP port for the stack: ephemeral SCTP ports follow it."""
        self._ephemeral.follow(udp_port)

    def leap_port(self) -> None:
        """Another program has an ephemeral SCTP port that was taken here: the next ones are drawn elsewhere."""
        self._ephemeral.leap()

    def make_association(
        self, endpoint: Endpoint, peer_port: int, config: AssociationConfig, local_tag: int, initial_tsn: int
    ) -> Association:
        """A new association in CLOSED; a tag of 0 and a TSN of -1 are drawn."""
        while local_tag == 0:
            tag = endpoint.draw_tag(self._random_bytes)
            if prefix(peer_port, endpoint.port, tag) not in self._directory.by_prefix:
                local_tag = tag
        if initial_tsn < 0:
            initial_tsn = random_u32(self._random_bytes)
        self._last_id = self._last_id + 1 if self._next_id is None else self._next_id()
        association = Association(
            self,
            endpoint,
            self._last_id,
            config,
            self._random_bytes,
            self._events,
            self._replies,
            peer_port,
            local_tag,
            initial_tsn + UNWRAPPED,
        )
        endpoint.associations[association.id] = association
        return association

    def find_association(self, remote: bytes, peer_port: int, local_port: int) -> Association | None:
        """The association with that transport address of a peer; of several the first one."""
        return self._directory.find(remote, peer_port, local_port)

    def index(self, association: Association) -> None:
        """Make an association findable by its tag and the peer's addresses as they are now."""
        self._directory.enter(association)

    def _remove(self, association: Association) -> None:
        endpoint = self.endpoints.get(association.endpoint.port)
        if endpoint is None or endpoint.associations.pop(association.id, None) is None:
            return
        self._directory.retire(association)
        endpoint.forget(association)
        self._deadlines.forget(association)

    def forget_port(self, port: int) -> None:
        """Nobody has this SCTP port any more."""
        self.endpoints.pop(port, None)

    def touch(self, association: Identity) -> None:
        """An association changed: it may have packets to send and other deadlines."""
        assert isinstance(association, Association)
        if not association.ready:
            association.ready = True
            self._ready.append(association)
        if association.tcb.state == CLOSED:
            self._remove(association)

    # --- what was interrupted ---

    def break_off(self) -> None:
        """An exception has left this stack in the middle of a change: the association concerned ends with an ABORT.

        The core raises nothing but what a caller's mistake calls for. But a trace function, a lack of memory or the
        like can raise anywhere.
        """
        self._replies.clear()
        association, self.working = self.working, None
        if association is not None:
            association.break_off()

    def break_off_event(self) -> None:
        """The same, while the first event was passed on. An end is passed on again, since nothing comes after it."""
        event = self.first_event()
        if event is not None and type(event) not in ENDS:
            association_of(event).break_off()
            self._events.popleft()

    def will_tell_end(self, association: Identity) -> bool:
        """The event that ends this association waits to be polled."""
        return any(event.association is association and type(event) in ENDS for event in self._events)

    # --- input ---

    def receive(
        self, now: int, local: bytes, remote: bytes, port: int, data: bytes, segment: int, ecn: int = 0
    ) -> None:
        """Packets from ``remote``: one datagram, or a run of packets ``segment`` bytes apart.

        ``local`` is our address they came to and ``port`` the UDP port they came from (0 without
        encapsulation). ``ecn`` are the ECN bits of the IP header.
        """
        end = len(data)
        offset = 0
        last: Association | None = None
        segment = max(segment, COMMON_HEADER)
        while offset < end:
            start = offset
            body = offset + COMMON_HEADER
            path: Path | None = None
            association = self._directory.by_prefix.get(data[offset : offset + 8])
            # Either a COOKIE ECHO begins the packet, or an AUTH chunk that may have one behind it.
            if association is not None and not (
                body < end and data[body] & _ALIKE == CHUNK_COOKIE_ECHO and echoes_cookie(data, body, offset + segment)
            ):
                path = association.tcb.find_path(remote)
                if association.tcb.former and asconf.is_given_up(association.tcb, now, local):
                    path = None  # The peer was told that we are not there any more.
            if association is not None and path is not None:
                if association is not last:
                    association.begin_round()
                    self.working = last = association
                marked = ecn == CE and association.tcb.capabilities & ECN != 0
                lowest = lowest_new_tsn(association.tcb, data, offset, segment) if marked else -1
                offset = inbound.receive(association.tcb, now, local, path, port, data, offset, segment)
                if marked:
                    on_marked(association.tcb, path, lowest, -((start - offset) // segment))
                self.after_input(association, local, remote, port)
            else:
                offset = min(offset + segment, end)
                self._others.receive(now, local, remote, port, data[start:offset], association)
                last = None
            self.stats.packets_received += -((start - offset) // segment)
        self.working = None

    def work_on(self, association: Association) -> None:
        """Input is about to change an association."""
        self.working = association

    def after_input(self, association: Association, local: bytes, remote: bytes, port: int) -> None:
        """An association has processed input."""
        tcb = association.tcb
        if self._replies:
            for tag, chunk, path in self._replies:
                packet = finish_packet(prefix(tcb.local_port, tcb.peer_port, tag), chunk)
                if path is None:
                    self._answers.add(local, remote, port, packet, tcb.flowinfo_to(remote))
                else:
                    self._answers.add(path.local, path.remote, path.encaps_port, packet, tcb.flowinfo_to(path.remote))
            self._replies.clear()
        if tcb.moved and tcb.state != CLOSED:
            self.index(association)
        if not association.ready or tcb.state == CLOSED:
            self.touch(association)

    def handle_icmp(self, now: int, remote: bytes, port: int, error: int, payload: bytes, mtu: int = 0) -> None:
        """An ICMP error about a packet of ours to ``remote``: ``payload`` is as much of it as came back.

        ``mtu``: what the next link takes, bytes of IP, if the packet was too big for it.
        """
        self.working = association = self._directory.find_sender(remote, payload)
        if association is not None:
            association.begin_round()
            returned.handle_icmp(association.tcb, now, remote, port, error, payload, mtu)
            self.touch(association)
            self.working = None
        elif self.worker is not None:
            self.worker.asks_about_error(now, remote, port, error, payload, mtu)

    def handle_send_error(self, now: int, transmit: Transmit, error: int) -> None:
        """The link could not send this and will not: ``error`` is the errno."""
        self.stats.packets_refused += transmit.packets if error == ENOBUFS else 0
        self.working = association = self._directory.find_sender(transmit.remote, transmit.data)
        if association is not None:
            returned.handle_send_error(association.tcb, now, transmit, error)
            self.touch(association)
            self.working = None

    def handle_timeout(self, now: int) -> None:
        """Time has passed: let every association with an expired deadline look at its timers."""
        while (association := self._deadlines.due(now)) is not None:
            self.working = association
            self._deadlines.take()
            tcb = association.tcb
            deadline = timing.next_deadline(tcb)
            if deadline > now and not len(tcb.send_queue) and not tcb.outstanding.marked_chunks:
                self._deadlines.enter(association, deadline)  # Idle, and what it was to be looked at for has moved on.
            elif tcb.state != CLOSED:
                association.handle_timeout(now)
                if association.tcb.state != CLOSED:
                    self.index(association)
                self.touch(association)
        self.working = None

    # --- output ---

    def poll_transmit(self, now: int) -> Transmit | None:
        """The next packets to send; None when there is nothing more to send now."""
        transmit = self._poll_ready(now) if not len(self._answers) else self._poll_in_turn(now)
        if transmit is None:
            return None
        # What is shorter than a segment is a packet that need not stay alone.
        if len(self._ready) > 1 and len(transmit.data) < transmit.segment:
            self._gather(transmit, now)
        self.stats.packets_sent += transmit.packets
        return transmit

    def _poll_in_turn(self, now: int) -> Transmit | None:
        """An answer to a stranger, or what an association has to send: a flood of strangers stops no association."""
        self._answer_is_next = not self._answer_is_next
        transmit = None if self._answer_is_next else self._poll_ready(now)
        return self._answers.take() if transmit is None else transmit

    def _gather(self, transmit: Transmit, now: int) -> None:
        """Add the packets of this size that other associations have for the same place: together they are one send.

        So leave the HEARTBEATs of many idle associations with one peer, and their answers.
        """
        packets = [transmit.data]
        size = len(transmit.data)
        place = transmit.local, transmit.remote, transmit.port, transmit.flowinfo, transmit.fragments
        while len(packets) < MAX_GATHERED:
            other = self._poll_ready(now)
            if other is None:
                break
            alike = len(other.data) == size < other.segment
            if not alike or (other.local, other.remote, other.port, other.flowinfo, other.fragments) != place:
                self._put_off = other
                break
            packets.append(other.data)
        if len(packets) > 1:
            transmit.data = b"".join(packets)
            transmit.segment = size

    def _poll_ready(self, now: int) -> Transmit | None:
        """What associations have to send, by turns."""
        put_off = self._put_off
        if put_off is not None:
            self._put_off = None
            return put_off
        ready = self._ready
        while ready:
            self.working = association = ready[0]
            transmit = outbound.poll(association.tcb, now)
            if transmit is not None:
                if len(ready) > 1:
                    ready.rotate(-1)  # The others' turn.
                self.working = None
                return transmit
            ready.popleft()
            association.ready = False
            if association.tcb.state == CLOSED:
                self._directory.has_left(association)
                association.tcb.association = NOBODY
            self._deadlines.enter(association, timing.next_deadline(association.tcb))
            self.working = None
        return None

    def next_timeout(self) -> int | None:
        """When to call ``handle_timeout``, ns; None if nothing is waited for."""
        first = self._deadlines.first()
        return first if first != NEVER else None

    def poll_event(self) -> Event | None:
        """The next event; None when there are no more."""
        return self._events.popleft() if self._events else None

    def first_event(self) -> Event | None:
        """The next event, which stays the next one: for drivers that could be interrupted while they pass it on."""
        return self._events[0] if self._events else None

    def next_event(self) -> Event | None:
        """The first event was passed on: the one behind it."""
        self._events.popleft()
        return self._events[0] if self._events else None
