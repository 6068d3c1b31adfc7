"""A host of a world: a stack, its SCTP ports, its link, and a program that knows what it has sent and got."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from struct import Struct
from time import process_time
from typing import TYPE_CHECKING, Any, Final, final

from sctpx.core.association.association import Association, association_of
from sctpx.core.association.state import CLOSED, ESTABLISHED
from sctpx.core.config import Limits
from sctpx.core.endpoint import Endpoint
from sctpx.core.events import (
    AssociationReset,
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    Event,
    PartialDeliveryAborted,
    Readable,
    Restarted,
    ShutdownComplete,
)
from sctpx.core.outputs import WHOLE, Transmit
from sctpx.core.rx.streams import MORE, UNORDERED, Message
from sctpx.core.stack import Stack
from sctpx.wire.codes import (
    CAUSE_INVALID_PARAMETER,
    CAUSE_NO_USER_DATA,
    CAUSE_PROTOCOL_VIOLATION,
    CHUNK_AUTH,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    COMMON_HEADER,
    FLAG_T,
)
from sctpx.wire.packet import verify_packet

from .oracle import WITHOUT_ASSOCIATION, Violation, check_association, check_packet, check_sums, require

if TYPE_CHECKING:
    from .world import World

PORTS: Final = (5000, 5001)
"""SCTP ports that each host has; it listens on both."""
MAX_OUTPUTS: Final = 3000
"""Packets and events of one input."""
CHECKED_STREAMS: Final = 8
"""Messages on streams below this one say which they are."""
HEADER: Final = Struct(">HHII")
_FILLER: Final = bytes(range(256)) * 40
LINK_PROTECTS: Final = 1
"""The error detection method (RFC 9653) that the links of some worlds have."""
BACKLOG: Final = 2
LIMITS: Final = Limits(associations=3, peer_addresses=8, answers=6)


@final
class Datagram:
    """A packet under way, or a run of packets of one size."""

    __slots__ = ("data", "ecn", "kinds", "local", "port", "remote", "segment", "whole")

    def __init__(
        self,
        local: bytes,
        remote: bytes,
        port: int,
        data: bytes,
        segment: int,
        kinds: tuple[int, ...],
        whole: bool = False,
        ecn: int = 0,
    ) -> None:
        self.local = local
        """Where it goes."""
        self.remote = remote
        """Where it comes from."""
        self.port = port
        """The UDP port that it comes from."""
        self.data = data
        self.segment = segment
        self.kinds = kinds
        """The chunk types of the first packet."""
        self.whole = whole
        """No router may fragment it."""
        self.ecn = ecn


@final
class Life:
    """An association, as a program knows it, from its beginning or its restart on."""

    def __init__(self, number: int, association: Association) -> None:
        self.number = number
        self.association = association
        self.is_up = False
        self.over = False
        self.sent: dict[int, int] = {}
        """Messages by stream; unordered ones apart."""
        self.gaps_allowed = False
        """Messages may be given up."""
        self.received: dict[tuple[int, int], int] = {}
        """The next number by (life of the peer, stream); a bit for each that came if unordered."""
        self.parts: dict[tuple[int, int], bytes] = {}
        """Of messages that come in parts, by stream and SSN."""
        self.unsure = False
        """Of two messages in parts, one was broken off, and no event tells which."""


@final
class Host:
    """A stack, its SCTP ports, its link and its program."""

    def __init__(self, world: World, number: int) -> None:
        settings = world.settings
        self.world = world
        self.number = number
        self.addresses = list(settings.addresses[number])
        self.config = settings.configs[number]
        self.boots = 0
        self.holds = False
        self.failing: list[int] = []
        """Errors of the sends to come."""
        self.to_read: list[Association] = []
        self.sent_kinds = 0
        self.told = 0
        self.lives: list[Life] = []
        self.boot()

    def boot(self) -> None:
        """The host starts, or starts anew and knows nothing."""
        settings = self.world.settings
        self.boots += 1
        for life in self.lives:
            life.over = True
        self.lives = []
        self.to_read = []
        seed = f"{self.world.number} {self.number} {self.boots}"
        self.stack = stack = Stack(Random(seed).randbytes, self.world.now)
        stack.read_ecn = _yes
        if self.config.error_detection_method:
            stack.error_detection_method = LINK_PROTECTS
        if settings.link_mtu:
            stack.ask_link_mtu = self._link_mtu
            stack.forbids_fragments = True
        announce = self.addresses if len(self.addresses) > 1 else []
        self.endpoints: list[Endpoint] = []
        for port in PORTS:
            endpoint = stack.open_endpoint(port, self.addresses, self.config, announce, LIMITS)
            endpoint.listen(BACKLOG)
            self.endpoints.append(endpoint)

    def _link_mtu(self, remote: bytes, local: bytes, anew: bool) -> int:
        return self.world.settings.link_mtu

    # --- inputs ---

    def associations(self) -> list[Association]:
        """Those that live."""
        return [one for endpoint in self.endpoints for one in endpoint.associations.values()]

    def receive(self, datagram: Datagram) -> None:
        """A datagram arrives."""
        world = self.world
        data = datagram.data
        if datagram.kinds and datagram.kinds[0] in _SETUPS:
            for start in range(16, len(data), datagram.segment):
                world.tags.add(data[start : start + 4])
        world.heard = data
        association = self.find(data[:8])
        before = -1 if association is None else association.tcb.state
        meter = world.meter()
        if meter is None:
            began = process_time()
            self._take_in(datagram)
            took = process_time() - began
            if took > world.slowest:
                world.slowest = took
                world.slowest_input = world.inputs
        else:
            world.counted += 1
            meter.measure(lambda: self._take_in(datagram), self.stack, len(data), -(-len(data) // datagram.segment))
            world.worst = max(world.worst, meter.steps / meter.allowed)
        after = -1 if association is None else association.tcb.state
        kinds = datagram.kinds
        for kind in kinds:
            world.chunks[kind, max(before, CLOSED)] += 1
        if association is not None:
            if CHUNK_COOKIE_ECHO in kinds[:2] and self.sent_kinds >> CHUNK_COOKIE_ACK & 1:
                world.reach["valid COOKIE ECHO for an association that is there"] += 1
        elif CHUNK_COOKIE_ECHO in kinds[:2] and self.sent_kinds >> CHUNK_COOKIE_ACK & 1:
            world.reach["valid COOKIE ECHO"] += 1
        if len(data) > 7 * datagram.segment:
            world.reach["run of eight packets or more"] += 1
        first = kinds[0] if kinds else -1
        self._checked(("receive", first, len(kinds) > 1, kinds[-1] if kinds else -1), before, after)

    def _take_in(self, datagram: Datagram) -> None:
        now = self.world.now
        self.stack.receive(
            now, datagram.local, datagram.remote, datagram.port, datagram.data, datagram.segment, datagram.ecn
        )
        self.drain()

    def expire(self) -> None:
        """The earliest timer expires."""
        self.stack.handle_timeout(self.world.now)
        self.drain()
        self._checked(("timer",), -1, -1)

    def call(self, name: str, association: Association | None, verb: Callable[[], object]) -> None:
        """The program calls, which may be refused."""
        before = -1 if association is None else association.tcb.state
        refused = 0
        try:
            verb()
        except OSError as error:
            refused = error.errno or -1
        self.drain()
        self._checked((name, refused), before, -1 if association is None else association.tcb.state)

    def icmp(self, remote: bytes, port: int, error: int, payload: bytes, mtu: int) -> None:
        """An ICMP error comes."""
        self.stack.handle_icmp(self.world.now, remote, port, error, payload, mtu)
        self.drain()
        self._checked(("icmp", error), -1, -1)

    def find(self, start: bytes) -> Association | None:
        """The association that packets beginning so are for."""
        for endpoint in self.endpoints:
            for association in endpoint.associations.values():
                if association.tcb.peer_prefix == start:
                    return association
        return None

    # --- outputs ---

    def drain(self) -> None:
        """All packets leave, and the program hears all events."""
        stack, now = self.stack, self.world.now
        for _ in range(MAX_OUTPUTS):
            transmit = stack.poll_transmit(now)
            if transmit is not None:
                self._send(transmit)
                continue
            event = stack.poll_event()
            if event is not None:
                self._on_event(event)
            elif self.to_read:
                self.read(self.to_read.pop())
            else:
                return
        raise Violation(f"{MAX_OUTPUTS} packets and events of one input")

    def _send(self, transmit: Transmit) -> None:
        data, size = transmit.data, transmit.segment
        world = self.world
        kinds: tuple[int, ...] = ()
        for start in range(0, len(data), size):
            packet = data[start : start + size]
            now = check_packet(packet)
            kinds = kinds or now
            for kind in now:
                self.sent_kinds |= 1 << kind
            if packet[8:12] == bytes(4) and self.config.error_detection_method:
                world.reach["packet without a checksum"] += 1
            elif not verify_packet(packet):
                raise Violation(f"a wrong checksum in a packet with {now} (section 6.8)")
            if packet[:8] not in world.prefixes:
                self._check_tag(packet, now)
        if self.failing:
            error = self.failing.pop()
            world.reach["send that failed"] += 1
            world.inputs += 1
            self.stack.handle_send_error(world.now, transmit, error)
            return
        local = transmit.local or self.addresses[0]
        port = world.settings.udp_port if transmit.port else 0
        ecn = transmit.flowinfo >> 20 & 3
        world.carry(Datagram(transmit.remote, local, port, data, size, kinds, transmit.fragments == WHOLE, ecn))

    def _check_tag(self, packet: bytes, kinds: tuple[int, ...]) -> None:
        """A packet has ports and tag of an association that is there, or answers one that is not (section 8.5)."""
        start = packet[:8]
        for endpoint in self.endpoints:
            for association in endpoint.associations.values():
                tcb = association.tcb
                ours = tcb.local_port.to_bytes(2, "big") + tcb.peer_port.to_bytes(2, "big")
                if start == ours + tcb.peer_tag.to_bytes(4, "big"):
                    if association.tcb.state >= ESTABLISHED:
                        self.world.prefixes.add(start)
                    return
        first = kinds[kinds[0] == CHUNK_AUTH]
        require(first in WITHOUT_ASSOCIATION, f"{kinds} with a tag of no association (section 8.5)")
        if packet[COMMON_HEADER + 1] & FLAG_T:
            return
        tag = packet[4:8]
        known = tag == bytes(4) or tag in self.world.tags or tag in self.world.heard
        require(known, f"{kinds} with a tag that nobody has drawn (section 8.5)")

    # --- the program ---

    def _on_event(self, event: Event) -> None:
        world = self.world
        kind = type(event)
        world.events[kind.__name__] += 1
        self.told |= 1 << _EVENT_BITS.setdefault(kind.__name__, len(_EVENT_BITS))
        association = association_of(event)
        if kind is Readable:
            # Only behind the other events: they tell what was ready before them.
            if not self.holds and association not in self.to_read:
                self.to_read.append(association)
            return
        life = self.life(association)
        if kind is CommunicationUp:
            if life is None:
                life = self.begin(association)
                for endpoint in self.endpoints if world.settings.accepts else ():
                    endpoint.accept(association)
            require(not life.is_up, "an association comes up twice")
            life.is_up = True
            world.note_up(association)
            return
        require(life is not None, f"{kind.__name__} of an association that is over, or was never there")
        assert life is not None
        if event.readable and kind in (Restarted, PartialDeliveryAborted):
            self.read(association, event.readable)  # What was ready before.
        if kind is Restarted:
            require(life.is_up, "a restart of an association that was not up")
            world.reach["restart"] += 1
            life.over = True
            again = self.begin(association)
            again.is_up = True
            world.note_up(association)
        elif kind is AssociationReset:
            for one in world.lives:
                one.gaps_allowed = True
        elif isinstance(event, PartialDeliveryAborted):
            stream, ssn = event.stream, event.ssn
            broken = [life.parts.pop(one, b"") for one in ((stream, ssn), (stream | 0x100, ssn))]
            life.unsure = life.unsure or all(broken)
        elif kind in (CannotStart, CommunicationLost, ShutdownComplete):
            if isinstance(event, (CannotStart, CommunicationLost)) and world.settings.honest:
                for code, text in event.causes:
                    require(code not in _BROKEN_RULES, f"one of two stacks breaks a rule, says the other: {text!r}")
            self.read(association)
            life.over = True
            world.note_end(association)

    def begin(self, association: Association) -> Life:
        """An association begins, or begins anew."""
        life = Life(len(self.world.lives), association)
        self.world.lives.append(life)
        self.lives.append(life)
        return life

    def life(self, association: Association) -> Life | None:
        """What the program knows of an association."""
        for life in self.lives:
            if life.association is association and not life.over:
                return life
        return None

    def send(self, association: Association, stream: int, size: int, **how: Any) -> None:
        """Send a message that says which it is."""
        life = self.life(association)
        if life is None:
            return
        key = stream | 0x100 if how.get("unordered") else stream
        number = life.sent.get(key, 0)
        if stream < CHECKED_STREAMS:
            size = max(size, HEADER.size)
            data = HEADER.pack(life.number, key, number, size) + _FILLER[number & 0xFF :][: size - HEADER.size]
        else:
            data = bytes(size)
        if how.get("policy"):
            life.gaps_allowed = True
        association.send(self.world.now, data, stream, **how)
        life.sent[key] = number + 1

    def read(self, association: Association, limit: int = 0) -> None:
        """Take messages, and see that they were sent, in this order and once."""
        life = self.life(association)
        messages = association.read(limit)
        if life is None or life.unsure or not self.world.settings.honest:
            return
        for message in messages:
            self._take(life, message)

    def _take(self, life: Life, message: Message) -> None:
        data, stream, _, ssn, _, flags = message
        if stream >= CHECKED_STREAMS:
            return
        key = stream | 0x100 if flags & UNORDERED else stream
        if flags & MORE or (key, ssn) in life.parts:
            data = life.parts.pop((key, ssn), b"") + data
            if flags & MORE:
                life.parts[key, ssn] = data
                self.world.reach["message in parts"] += 1
                return
        require(len(data) >= HEADER.size, f"a message of {len(data)} bytes that nobody has sent")
        number_of_life, said, number, size = HEADER.unpack_from(data)
        lives = self.world.lives
        require(said == key and size == len(data) and number_of_life < len(lives), "a message that nobody has sent")
        require(data[HEADER.size :] == _FILLER[number & 0xFF :][: size - HEADER.size], "a message with other bytes")
        sender = lives[number_of_life]
        require(number < sender.sent.get(key, 0), f"message {number} on {key}: there was none yet")
        came = life.received
        expected = came.get((number_of_life, key), 0)
        if key & 0x100:
            require(not expected >> number & 1, f"unordered message {number} on {key} comes twice")
            came[number_of_life, key] = expected | 1 << number
        else:
            right = number == expected or (number > expected and sender.gaps_allowed)
            require(right, f"message {number} on stream {key}: {expected} is next (section 6.6)")
            came[number_of_life, key] = number + 1

    # --- what must hold ---

    def _checked(self, what: tuple[object, ...], before: int, after: int) -> None:
        """Check what must hold behind an input, and note what it has reached."""
        world = self.world
        world.inputs += 1
        deadline = self.stack.next_timeout()
        count = 0
        for endpoint in self.endpoints:
            for association in endpoint.associations.values():
                count += 1
                check_association(association, world.now, deadline)
                world.states[association.tcb.state] += 1
                if not world.inputs & 15:
                    check_sums(association)
        if count > 1:
            world.reach["several associations"] += 1
        world.features.setdefault(hash((what, before, after, self.sent_kinds, self.told)), world.move)
        self.sent_kinds = self.told = 0


def _yes() -> bool:
    return True


_EVENT_BITS: dict[str, int] = {}  # A bit for each type of event, as they are first seen.
_BROKEN_RULES: Final = (CAUSE_NO_USER_DATA, CAUSE_PROTOCOL_VIOLATION, CAUSE_INVALID_PARAMETER)
_SETUPS: Final = (CHUNK_INIT, CHUNK_INIT_ACK)
