"""A peer that the test plays chunk by chunk, against a real stack, with time in the test's hands.

There is no network between: what the test delivers is processed at once, and what the stack answers lies in
``take()`` the next moment. So every instant and every packet is exact.

TSNs are counted from 1 on both sides: ``packet.tsns`` of what the stack sent, ``sack(3)`` for its first three,
``data(1)`` for the peer's first chunk. Paths are counted from 1: path n joins 10.0.n.1, ours, with 10.0.n.2.
Heartbeats are off unless asked for. The largest packet has 1472 bytes, PMDCS is 1460, a full chunk carries 1444.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import EMSGSIZE
from typing import Any, Final, NamedTuple, TypeVar, final

from sctpx.core.association.association import Association
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import Event
from sctpx.core.outputs import WHOLE, Transmit
from sctpx.core.path.newreno import NewReno
from sctpx.core.path.path import Path
from sctpx.core.stack import Stack
from sctpx.core.timers import SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire import control, forward, sack
from sctpx.wire.auth import HMAC_SHA_1, AssociationKey, AuthParameters, association_key
from sctpx.wire.checksum import verify_packet
from sctpx.wire.codes import (
    CHUNK_DATA,
    CHUNK_FORWARD_TSN,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_NAMES,
    CHUNK_SACK,
    DATA_HEADER,
    I_DATA_HEADER,
    PARAM_FORWARD_TSN_SUPPORTED,
)
from sctpx.wire.data import DATA, I_DATA, PADDING
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.serial import UNWRAPPED, extend_tsn
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import chunk

_E = TypeVar("_E", bound=Event)

PORT: Final = 5000
UDP_PORT: Final = 9899
START: Final = 10**18
PEER_TAG: Final = 0x50505050
PMDCS: Final = 1460
FULL: Final = PMDCS - DATA_HEADER
"""User data of a chunk that fills a packet."""


class Data(NamedTuple):
    """A DATA chunk of the stack."""

    tsn: int
    flags: int
    stream: int
    ssn: int
    ppid: int
    data: bytes


class Sack(NamedTuple):
    """A SACK of the stack, in the peer's own numbers."""

    cumulative: int
    a_rwnd: int
    gaps: list[tuple[int, int]]
    """First and last TSN of each block."""
    duplicates: list[int]


class IData(NamedTuple):
    """An I-DATA chunk of the stack."""

    tsn: int
    flags: int
    stream: int
    mid: int
    last: int
    """The PPID, or the FSN."""
    data: bytes


class Forward(NamedTuple):
    """A FORWARD-TSN or I-FORWARD-TSN of the stack."""

    tsn: int
    skipped: list[tuple[int, int, bool]]
    """(stream, SSN or MID, unordered)."""


@final
class Sent:
    """A packet of the stack."""

    def __init__(self, at: float, path: int, data: bytes, tsn: int, peer_tsn: int, fragments: bool) -> None:
        self.at = at
        """Seconds since the association was up."""
        self.path = path
        """Its number; 0 for an address that the peer has got since."""
        self.source = b""
        self.destination = b""
        self.bytes = data
        self.fragments = fragments
        """IP may fragment it."""
        self.chunks = chunks(data)
        """(type, flags, value) of each chunk."""
        self._tsn = tsn
        self._peer_tsn = peer_tsn

    @property
    def names(self) -> list[str]:
        """What the chunks are."""
        return [CHUNK_NAMES.get(kind, str(kind)) for kind, _, _ in self.chunks]

    @property
    def data(self) -> list[Data]:
        """The DATA chunks."""
        found = []
        for kind, flags, value in self.chunks:
            if kind == CHUNK_DATA:
                _, _, length, tsn, stream, ssn, ppid = DATA.unpack_from(chunk(kind, flags, value))
                number = extend_tsn(tsn, self._tsn) - self._tsn + 1
                found.append(Data(number, flags, stream, ssn, ppid, value[12 : length - 4]))
        return found

    @property
    def i_data(self) -> list[IData]:
        """The I-DATA chunks."""
        found = []
        for kind, flags, value in self.chunks:
            if kind == CHUNK_I_DATA:
                _, _, _, tsn, stream, mid, last = I_DATA.unpack_from(chunk(kind, flags, value))
                number = extend_tsn(tsn, self._tsn) - self._tsn + 1
                found.append(IData(number, flags, stream, mid, last, value[16:]))
        return found

    @property
    def tsns(self) -> list[int]:
        """The TSNs of the DATA or I-DATA chunks."""
        return [one.tsn for one in self.data] or [one.tsn for one in self.i_data]

    @property
    def sack(self) -> Sack:
        """The SACK in it. Raises ValueError if there is not exactly one."""
        [value] = [value for kind, _, value in self.chunks if kind == CHUNK_SACK]
        base = self._peer_tsn - 1
        cumulative, a_rwnd, ranges, duplicates = sack.parse(value, base)
        gaps = [(start - base, end - 1 - base) for start, end in ranges]
        return Sack(cumulative - base, a_rwnd, gaps, [tsn - base for tsn in duplicates])

    @property
    def forward_tsn(self) -> Forward | None:
        """The FORWARD-TSN or I-FORWARD-TSN in it, if there is one. Raises ValueError if there are more."""
        found = [one for one in self.chunks if one[0] in (CHUNK_FORWARD_TSN, CHUNK_I_FORWARD_TSN)]
        if not found:
            return None
        [(kind, flags, value)] = found
        assert flags == 0
        tsn, skipped = forward.parse(kind == CHUNK_I_FORWARD_TSN, value)
        return Forward(extend_tsn(tsn, self._tsn) - self._tsn + 1, skipped)

    def value(self, name: str) -> bytes:
        """The value of its only chunk of that name."""
        [value] = [value for kind, _, value in self.chunks if CHUNK_NAMES.get(kind) == name]
        return value

    def __repr__(self) -> str:
        return f"<{self.at:.3f} path {self.path}: {', '.join(self.names)} {self.tsns or ''}>"


@final
class Peer:
    """An association of a real stack that is up, seen from the other side."""

    def __init__(
        self,
        *,
        paths: int = 1,
        bound: bool = True,
        a_rwnd: int = 1 << 20,
        streams: int = 10,
        tsn: int = 0,
        peer_tsn: int = 1000,
        rtt: float = 0.0,
        extensions: Sequence[int] = (),
        forwards: bool = False,
        limits: Limits | None = None,
        auth: AuthParameters | None = None,
        link_mtu: int = 0,
        **config: Any,
    ) -> None:
        """``a_rwnd``, ``streams`` and ``peer_tsn`` are what the peer says in its INIT ACK, ``extensions`` are the chunk
        types it says it supports, and with ``forwards`` it supports FORWARD-TSN (RFC 3758 section 3.3); ``auth`` is
        what it says of authentication (RFC 4895 section 3). ``rtt`` is how
        long it takes to answer. ``tsn`` is the stack's Initial TSN; 0 leaves it to chance. Not ``bound``, the stack
        leaves its own address to the link. With ``link_mtu`` the link takes packets of that size, and path MTUs are
        discovered. The rest goes into the config.
        """
        seeded = seeded_bytes(1)
        self.now = START
        self.stack = Stack(lambda count: tsn.to_bytes(4, "big") if tsn and count == 4 else seeded(count), START)
        if link_mtu:
            self.stack.ask_link_mtu = lambda remote, local, anew: link_mtu
            self.stack.forbids_fragments = True
        self.events: list[Event] = []
        self.a_rwnd = a_rwnd
        self.peer_tsn = peer_tsn
        self.tsn = 0
        """The stack's Initial TSN, 32 bits."""
        self.tag = 0
        self._origin = START
        self._sent: list[Sent] = []
        self._expired = 0
        own = [bytes((10, 0, number, 1)) for number in range(1, paths + 1)]
        self._remotes = [bytes((10, 0, number, 2)) for number in range(1, paths + 1)]
        settings = AssociationConfig(
            **{"heartbeat_interval": 0.0, "streams": max(streams, 10), "loss_recovery": "rfc9260", **config}
        )
        announced = own if paths > 1 else ()
        self.endpoint = endpoint = self.stack.open_endpoint(PORT, own if bound else (), settings, announced, limits)
        targets = [PeerAddress(ip, UDP_PORT) for ip in self._remotes]
        self.association: Association = endpoint.connect(self.now, targets, PORT)
        self._drain()
        [init] = self.take()
        setup = parse(init.value("INIT"))
        self.tag, self.tsn = setup.initiate_tag, setup.initial_tsn
        self._own_rwnd = setup.a_rwnd
        self.advance(rtt)
        answer = Setup(PEER_TAG, a_rwnd, streams, streams, peer_tsn)
        answer.addresses = self._remotes if paths > 1 else []
        answer.extensions = bytes(extensions)
        answer.flags = [PARAM_FORWARD_TSN_SUPPORTED] if forwards else []
        answer.auth = auth
        self.auth = auth
        self.stack_auth = setup.auth
        """What the stack has said of authentication."""
        answer.cookie = b"cookie"
        self.deliver(answer.encode(ack=True))
        self.advance(rtt)
        self.deliver(control.cookie_ack())
        assert self.association.state == ESTABLISHED
        self._origin = self.now
        self._sent = []

    # Time.

    @property
    def elapsed(self) -> float:
        """Seconds since the association was up."""
        return (self.now - self._origin) / SECOND

    def advance(self, seconds: float) -> None:
        """Let so much time pass; timers expire on the way."""
        self.advance_to(self.now + round(seconds * SECOND))

    def advance_to(self, when: int) -> None:
        """Let time pass until then, nanoseconds."""
        while self._expire(when):
            pass
        self.now = when

    def wait(self, seconds: float = 300.0) -> list[Sent]:
        """Let time pass until something leaves, and take it. Raises AssertionError if nothing does."""
        when = self.now + round(seconds * SECOND)
        while not self._sent and self._expire(when):
            pass
        assert self._sent, f"nothing left within {seconds} s"
        return self.take()

    def _expire(self, when: int) -> bool:
        """Let the next timer expire, if that is before ``when``."""
        deadline = self.stack.next_timeout()
        if deadline is None or deadline > when:
            return False
        self._expired = self._expired + 1 if deadline <= self.now else 0
        assert self._expired < 1000, "the stack does not come to rest"
        self.now = max(deadline, self.now)
        self.stack.handle_timeout(self.now)
        self._drain()
        return True

    # What the user of the stack does.

    def send(self, *sizes: int, **how: Any) -> None:
        """Send messages of these sizes, and only then let packets leave."""
        for size in sizes:
            self.association.send(self.now, bytes(size), **how)
        self._drain()

    def read(self, limit: int = 0) -> list[bytes]:
        """Read messages."""
        messages = self.association.read(limit)
        self._drain()
        return [message[0] for message in messages]

    def set_primary(self, path: int) -> None:
        """The user chooses the primary path."""
        self.association.set_primary(self.now, self._remotes[path - 1])
        self._drain()

    def request_heartbeat(self, path: int) -> None:
        """The user asks for a HEARTBEAT."""
        self.association.request_heartbeat(self.now, self._remotes[path - 1])
        self._drain()

    def shutdown(self) -> None:
        """The user of the stack ends the association."""
        self.association.shutdown(self.now)
        self._drain()

    def settle(self) -> None:
        """What the user has asked the association for is done: packets leave."""
        self._drain()

    def path(self, number: int = 1) -> Path:
        """A path of the stack."""
        return self.association.paths[number - 1]

    def partial_bytes_acked(self, number: int = 1) -> int:
        """The variable of RFC 9260 section 7.2.2, of a path that has this controller."""
        controller = self.path(number).controller
        assert isinstance(controller, NewReno)
        return controller.partial_bytes_acked

    def t3(self, number: int = 1) -> float:
        """Seconds until T3-rtx of a path expires; more than a year if it does not run."""
        return (self.path(number).t3_deadline - self.now) / SECOND

    def events_of(self, kind: type[_E]) -> list[_E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    # Authentication (RFC 4895).

    def key(self, key_id: int = 0, shared: bytes = b"", algorithm: int = HMAC_SHA_1) -> AssociationKey:
        """The association shared key of a shared key."""
        assert self.auth is not None
        assert self.stack_auth is not None
        vectors = self.auth.key_vector(), self.stack_auth.key_vector()
        return AssociationKey(key_id, algorithm, association_key(shared, *vectors))

    def is_authentic(self, sent: Sent, key: AssociationKey) -> bool:
        """Whether the first chunk of a packet is an AUTH chunk that fits the others."""
        return sent.names[0] == "AUTH" and key.verify(sent.bytes[12:], 0)

    # What the peer sends.

    def deliver(self, *said: bytes, path: int = 1) -> None:
        """One packet with these chunks arrives."""
        self._receive(self._packet(*said), 1 << 16, path)

    def deliver_reflected(self, *said: bytes) -> None:
        """One packet with these chunks arrives that has the peer's own Verification Tag."""
        self._receive(finish_packet(prefix(PORT, PORT, PEER_TAG), b"".join(said)), 1 << 16, 1)

    def deliver_together(self, *packets: bytes, path: int = 1) -> None:
        """Packets with one chunk each, of one size, arrive in one go, as a kernel with UDP_GRO hands them over."""
        whole = [self._packet(one) for one in packets]
        assert len({len(packet) for packet in whole[:-1]}) <= 1
        self._receive(b"".join(whole), len(whole[0]), path)

    def deliver_at_once(self, *packets: bytes) -> None:
        """Packets with one chunk each arrive before any answer leaves."""
        for one in packets:
            packet = self._packet(one)
            remote = self._remotes[0]
            self.stack.receive(self.now, remote[:3] + b"\1", remote, UDP_PORT, packet, len(packet))
        self._drain()

    def deliver_bytes(self, packet: bytes, path: int = 1) -> None:
        """Any bytes arrive."""
        self._receive(packet, 1 << 16, path)

    def deliver_burst(self, packets: bytes, segment: int, path: int = 1) -> None:
        """Any bytes arrive in one go, as packets ``segment`` bytes apart."""
        self._receive(packets, segment, path)

    def packet(self, *said: bytes) -> bytes:
        """A packet with these chunks, to spoil."""
        return self._packet(*said)

    def data(
        self,
        tsn: int,
        data: bytes | int = 100,
        *,
        flags: int = 3,
        stream: int = 0,
        ssn: int | None = None,
        ppid: int = 0,
    ) -> bytes:
        """A DATA chunk; by default a whole message of 100 bytes, the SSN following the TSN."""
        text = bytes(data) if isinstance(data, int) else data
        number = (tsn - 1 if ssn is None else ssn) & 0xFFFF
        length = DATA_HEADER + len(text)
        header = DATA.pack(CHUNK_DATA, flags, length, (self.peer_tsn + tsn - 1) & 0xFFFFFFFF, stream, number, ppid)
        return header + text + PADDING[length & 3]

    def i_data(
        self,
        tsn: int,
        data: bytes | int = 100,
        *,
        flags: int = 3,
        stream: int = 0,
        mid: int | None = None,
        last: int = 0,
        reserved: int = 0,
    ) -> bytes:
        """An I-DATA chunk; by default a whole message of 100 bytes, the MID following the TSN."""
        text = bytes(data) if isinstance(data, int) else data
        number = tsn - 1 if mid is None else mid
        length = I_DATA_HEADER + len(text)
        header = I_DATA.pack(CHUNK_I_DATA, flags, length, (self.peer_tsn + tsn - 1) & 0xFFFFFFFF, stream, number, last)
        return header[:10] + reserved.to_bytes(2, "big") + header[12:] + text + PADDING[length & 3]

    def sack_chunk(
        self, cumulative: int, *gaps: tuple[int, int], a_rwnd: int | None = None, duplicates: Sequence[int] = ()
    ) -> bytes:
        """A SACK of everything up to ``cumulative`` and of gaps given as (first, last)."""
        base = self.tsn - 1
        return sack.encode(
            base + cumulative,
            self.a_rwnd if a_rwnd is None else a_rwnd,
            [(base + first, base + last + 1) for first, last in gaps],
            [base + tsn for tsn in duplicates],
        )

    def forward_tsn(self, tsn: int, *skipped: tuple[int, int], value: bytes = b"") -> bytes:
        """A FORWARD-TSN up to ``tsn`` with (stream, SSN) each; ``value`` is there to say something else."""
        named = [(stream, number, False) for stream, number in skipped]
        if value:
            return chunk(CHUNK_FORWARD_TSN, 0, value)
        return forward.encode(False, self.peer_tsn + tsn - 1, named)

    def i_forward_tsn(self, tsn: int, *skipped: tuple[int, int, bool]) -> bytes:
        """An I-FORWARD-TSN up to ``tsn`` with (stream, MID, unordered) each."""
        return forward.encode(True, self.peer_tsn + tsn - 1, list(skipped))

    def shutdown_chunk(self, cumulative: int) -> bytes:
        """A SHUTDOWN that acknowledges everything up to ``cumulative``."""
        return control.shutdown(self.tsn - 1 + cumulative)

    def sack(
        self, cumulative: int, *gaps: tuple[int, int], a_rwnd: int | None = None, path: int = 1, after: float = 0.0
    ) -> None:
        """A SACK arrives, after some time."""
        self.advance(after)
        self.deliver(self.sack_chunk(cumulative, *gaps, a_rwnd=a_rwnd), path=path)

    def icmp(self, sent: Sent, mtu: int, tag: int = PEER_TAG) -> None:
        """A router says that a packet was too big for a link of that MTU; it returns this tag."""
        returned = sent.bytes[:4] + tag.to_bytes(4, "big") + sent.bytes[8:28]
        remote = self._remotes[sent.path - 1]
        self.stack.handle_icmp(self.now, remote, UDP_PORT, EMSGSIZE, returned, mtu)
        self._drain()

    def refuse(self, sent: Sent, error: int) -> None:
        """The link did not send this packet after all."""
        remote = self._remotes[sent.path - 1]
        transmit = Transmit(b"", remote, UDP_PORT, sent.bytes, len(sent.bytes))
        self.stack.handle_send_error(self.now, transmit, error)
        self._drain()

    # What the peer hears.

    def take(self) -> list[Sent]:
        """The packets that left since the last time."""
        sent, self._sent = self._sent, []
        return sent

    def take_tsns(self) -> list[int]:
        """The TSNs that left since the last time."""
        return [tsn for packet in self.take() for tsn in packet.tsns]

    @property
    def last_tsn(self) -> int:
        """The highest TSN that left so far; 0 before the first."""
        return self.association.tcb.outstanding.next_tsn - UNWRAPPED - self.tsn

    def grow(self, cwnd: int) -> int:
        """Have the window of the only path grow to ``cwnd`` bytes or a little more, in slow start.

        Returns the last TSN; everything is acknowledged then.
        """
        acknowledged = self.last_tsn
        self.send(*[FULL] * (2 * cwnd // PMDCS + 8))
        while self.path().cwnd < cwnd:
            acknowledged += 1
            self.sack(acknowledged)
        while not self.association.tcb.outstanding.empty:
            self.sack(self.last_tsn)
        self.take()
        return self.last_tsn

    def deliver_between(self, remote: bytes, local: bytes, *said: bytes) -> None:
        """One packet with these chunks arrives from any address, at any."""
        self.stack.receive(self.now, local, remote, UDP_PORT, self._packet(*said), 1 << 16)
        self._drain()

    def _packet(self, *said: bytes) -> bytes:
        return finish_packet(prefix(PORT, PORT, self.tag), b"".join(said))

    def _receive(self, data: bytes, segment: int, path: int) -> None:
        remote = self._remotes[path - 1]
        self.stack.receive(self.now, remote[:3] + b"\1", remote, UDP_PORT, data, segment)
        self._drain()

    def _drain(self) -> None:
        while (transmit := self.stack.poll_transmit(self.now)) is not None:
            for start in range(0, len(transmit.data), transmit.segment):
                data = transmit.data[start : start + transmit.segment]
                assert verify_packet(data)
                known = transmit.remote in self._remotes
                path = self._remotes.index(transmit.remote) + 1 if known else 0
                sent = Sent(self.elapsed, path, data, self.tsn, self.peer_tsn, transmit.fragments != WHOLE)
                sent.source, sent.destination = transmit.local, transmit.remote
                self._sent.append(sent)
        while (event := self.stack.poll_event()) is not None:
            self.events.append(event)
