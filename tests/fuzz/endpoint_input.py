"""Bytes as a story: what a stack in some state hears, does and waits for, and what must hold whatever the bytes are.

The invariant: no exception; a bounded number of packets, events and timers for each step; the sums of the association
add up after each step; and in the end the stack comes to rest: it waits, or it is done.

The first byte chooses the state, each further one what happens next and the bytes behind it the details. Half of the
ways to send a packet have a right checksum and the right Verification Tag; some take DATA and SACK apart into small
numbers. Bytes that are missing count as 0. ``tests/unit/core/test_any_bytes.py`` draws the bytes. The fuzzer has worlds
with stacks on both sides instead (``world``).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER, SECOND
from sctpx.core.tx.reliability import PRIORITY, RETRANSMISSIONS, TIMED
from sctpx.testing import seeded_bytes
from sctpx.wire import asconf, control, forward, reconfig, sack
from sctpx.wire.auth import AssociationKey, AuthParameters
from sctpx.wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_DATA,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_RE_CONFIG,
    CHUNK_SACK,
    DATA_HEADER,
    I_DATA_HEADER,
)
from sctpx.wire.data import DATA, I_DATA, PADDING
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.serial import TSN_MASK
from sctpx.wire.tlv import chunk
from tests.conformance.peer import PEER_TAG, PORT, START, UDP_PORT, Peer

MAX_STEPS: Final = 40
MAX_OUTPUTS: Final = 3000
"""Packets and events that one step may cause."""
MAX_TIMERS: Final = 5000
"""Timers that may go off in a day, behind the last step."""
REMOTES: Final = [bytes((10, 0, number, 2)) for number in range(1, 5)]
"""The peer's addresses, two at most, and others."""
ALLOWED: Final[dict[str, Any]] = {
    "receive_buffer": 20_000,
    "heartbeat_interval": 30.0,
    "allow_stream_reset": True,
    "allow_association_reset": True,
    "allow_added_streams": True,
}
"""For a peer that may ask for everything of RFC 6525."""
CONTROL: Final = [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 64, 128, 130, 132, 192, 193, 194, 255]


@final
class Input:
    """The bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    @property
    def is_empty(self) -> bool:
        return self._offset >= len(self._data)

    def take(self, count: int) -> bytes:
        """So many bytes, fewer at the end."""
        taken = self._data[self._offset : self._offset + count]
        self._offset += count
        return taken

    def number(self, size: int = 1) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def small(self) -> int:
        """A number from -32 to 31."""
        return int.from_bytes(self.take(1), "big", signed=True) // 4

    def rest(self, limit: int) -> bytes:
        """Bytes with their count ahead, at most ``limit``."""
        return self.take(self.number() * limit // 255)


@final
class Target:
    """A stack in some state, and its driver."""

    def __init__(self, stack: Stack, now: int, association: Association | None, peer: Peer | None = None) -> None:
        self.stack = stack
        self.now = now
        self.association = association
        self.tag = peer.tag if peer is not None else 0
        self.tsn = peer.tsn if peer is not None else 0
        self.peer_tsn = peer.peer_tsn if peer is not None else 0
        self.key: AssociationKey | None = None
        """Authenticates what the peer sends, if that has been agreed on."""
        self.settle()

    def settle(self) -> None:
        """Drain the stack, and check what must hold."""
        outputs = 0
        while self.stack.poll_transmit(self.now) is not None or self.stack.poll_event() is not None:
            outputs += 1
            assert outputs < MAX_OUTPUTS, "the output does not end"
        association = self.association
        if association is None:
            associations = [one for endpoint in self.stack.endpoints.values() for one in endpoint.associations.values()]
            association = associations[0] if associations else None
        if association is not None and association.state != CLOSED:
            tcb = association.tcb
            tcb.outstanding.check_invariants()
            tcb.tsn_map.check_invariants()
            assert tcb.window.held <= 2 * tcb.window.size + 65536
            assert sum(len(message[0]) for message in tcb.reassembly.ready) <= tcb.window.held
            assert tcb.peer_rwnd >= 0
            for path in tcb.paths:
                assert path.earliest_tsn == tcb.outstanding.find_earliest(path)
                assert path.flight_size == 0 or path.t3_deadline != NEVER
            if not tcb.outstanding.empty and not tcb.outstanding.flight_size:
                outstanding = tcb.outstanding
                assert outstanding.marked_chunks or outstanding.gaps or outstanding.special

    def receive(self, data: bytes, segment: int, path: int) -> None:
        """Packets arrive."""
        remote = REMOTES[path % len(REMOTES)]
        self.stack.receive(self.now, remote[:3] + b"\1", remote, UDP_PORT, data, segment)
        self.settle()

    def packet(self, body: bytes, tag: int) -> bytes:
        """A packet that gets through to whom it is for; three of four are authenticated where that is agreed on."""
        if self.key is not None and len(body) & 3 != 1:
            body = self.key.authenticate(body)
        return finish_packet(prefix(PORT, PORT, tag), body)

    def next_timer(self, until: int) -> bool:
        """Let the next timer go off, if that is before ``until``."""
        deadline = self.stack.next_timeout()
        if deadline is None or deadline > until:
            return False
        self.now = max(self.now, deadline)
        self.stack.handle_timeout(self.now)
        self.settle()
        return True

    def come_to_rest(self) -> None:
        """A day passes without a word from the peer."""
        until = self.now + 86_400 * SECOND
        timers = 0
        while self.next_timer(until):
            timers += 1
            assert timers < MAX_TIMERS, "the timers do not end"


# The states.

CONFIG: Final = AssociationConfig(receive_buffer=20_000, heartbeat_interval=30.0)


def closed() -> Target:
    """A stack with an endpoint that does not listen."""
    stack = Stack(seeded_bytes(1), START)
    stack.open_endpoint(PORT, [bytes((10, 0, 1, 1))], CONFIG)
    return Target(stack, START, None)


def listening() -> Target:
    """A server."""
    stack = Stack(seeded_bytes(1), START)
    stack.open_endpoint(PORT, [bytes((10, 0, 1, 1))], CONFIG).listen()
    return Target(stack, START, None)


def cookie_wait() -> Target:
    """A client whose first INITs are under way; it listens as well."""
    stack = Stack(seeded_bytes(1), START)
    stack.ask_link_mtu = lambda remote, local, anew: 9000
    stack.forbids_fragments = True
    endpoint = stack.open_endpoint(PORT, [bytes((10, 0, 1, 1)), bytes((10, 0, 2, 1))], CONFIG)
    endpoint.listen()
    association = endpoint.connect(START, [PeerAddress(ip, UDP_PORT) for ip in REMOTES[:2]], PORT)
    target = Target(stack, START, association)
    target.tag = association.tcb.local_tag
    target.tsn = association.tcb.initial_tsn & 0xFFFFFFFF
    target.peer_tsn = 1000
    return target


def busy(paths: int, loss_recovery: str = "rack") -> Peer:
    """An association with data under way in both directions, lost, reordered and in parts."""
    peer = Peer(
        paths=paths,
        receive_buffer=20_000,
        heartbeat_interval=30.0,
        a_rwnd=1 << 16,
        rtt=0.01,
        loss_recovery=loss_recovery,
    )
    peer.send(3000, 10, 10, 1000, 20_000, stream=1)
    peer.send(500, unordered=True)
    peer.sack(1, (3, 3))
    peer.deliver(peer.data(1), peer.data(2, flags=2, ssn=1), peer.data(3, flags=0, ssn=1))
    peer.deliver(peer.data(6), peer.data(9, flags=0, ssn=7))
    peer.take()
    return peer


def established() -> Target:
    """An association in the midst of a transfer, on one path."""
    peer = busy(1)
    return Target(peer.stack, peer.now, peer.association, peer)


def multi_homed() -> Target:
    """The same on two paths, after a timeout."""
    peer = busy(2)
    peer.advance(1.0)
    return Target(peer.stack, peer.now, peer.association, peer)


def counting() -> Target:
    """The same on one path, where losses are found by miss indications."""
    peer = busy(1, "rfc9260")
    return Target(peer.stack, peer.now, peer.association, peer)


def probing() -> Target:
    """The same on two paths, with a tail loss probe under way."""
    peer = busy(2)
    peer.request_heartbeat(2)
    asked = next(packet for packet in peer.take() if packet.path == 2)
    peer.deliver(control.heartbeat_ack(asked.value("HEARTBEAT")), path=2)
    peer.advance(0.05)
    assert peer.association.stats.tail_probes_sent
    return Target(peer.stack, peer.now, peer.association, peer)


def window_closed() -> Target:
    """An association that probes a closed window."""
    peer = busy(1)
    peer.sack(peer.last_tsn, a_rwnd=0)
    peer.advance(1.0)
    return Target(peer.stack, peer.now, peer.association, peer)


def interleaving() -> Target:
    """An association with messages of several streams under way at a time, in both directions."""
    peer = Peer(
        extensions=[CHUNK_I_DATA, CHUNK_I_FORWARD_TSN],
        forwards=True,
        interleaving=True,
        rtt=0.01,
        loss_recovery="rack",
        scheduler="wfq",
        receive_buffer=20_000,
        heartbeat_interval=30.0,
        a_rwnd=1 << 16,
    )
    for stream in range(3):
        peer.send(3000, 10, 20_000, stream=stream)
    peer.sack(1, (3, 3))
    peer.deliver(peer.i_data(1), peer.i_data(2, flags=2, mid=1), peer.i_data(3, flags=0, mid=1, last=1))
    peer.deliver(peer.i_data(6, flags=4, mid=0, last=2), peer.i_data(9, flags=1, stream=1, mid=0, last=3))
    peer.take()
    return Target(peer.stack, peer.now, peer.association, peer)


def giving_up() -> Target:
    """An association with messages that may be given up under way, some of them abandoned already."""
    peer = Peer(
        forwards=True,
        receive_buffer=20_000,
        heartbeat_interval=30.0,
        a_rwnd=1 << 16,
        send_buffer=20_000,
        rtt=0.01,
        loss_recovery="rack",
    )
    for policy, value in ((RETRANSMISSIONS, 0), (RETRANSMISSIONS, 1), (TIMED, SECOND), (PRIORITY, 3)):
        peer.send(10, 5000, stream=policy, policy=policy, value=value)
    peer.sack(1, (3, 3))
    peer.advance(1.1)
    peer.send(10, 20_000, policy=TIMED, value=SECOND)
    peer.deliver(peer.data(1), peer.data(2, flags=2, ssn=1), peer.data(3, flags=0, ssn=1))
    peer.deliver(peer.data(6), peer.data(9, flags=0, ssn=7))
    peer.take()
    return Target(peer.stack, peer.now, peer.association, peer)


def shutting_down() -> Target:
    """SHUTDOWN-PENDING, with data under way."""
    peer = busy(2)
    peer.shutdown()
    return Target(peer.stack, peer.now, peer.association, peer)


def shutdown_sent() -> Target:
    """SHUTDOWN-SENT."""
    peer = Peer(heartbeat_interval=30.0)
    peer.deliver(peer.data(1), peer.data(3))
    peer.shutdown()
    return Target(peer.stack, peer.now, peer.association, peer)


def shutdown_received() -> Target:
    """SHUTDOWN-RECEIVED, with data under way."""
    peer = busy(1)
    peer.deliver(peer.shutdown_chunk(1))
    return Target(peer.stack, peer.now, peer.association, peer)


def reconfiguring() -> Target:
    """An association that has agreed on RFC 6525, allows everything, and has a reset under way."""
    peer = Peer(extensions=[CHUNK_RE_CONFIG], **ALLOWED)
    peer.send(3000, 10, 10, stream=1)
    peer.deliver(peer.data(1), peer.data(2, flags=2, ssn=1), peer.data(4))
    peer.association.reset_streams(peer.now, outgoing=True, incoming=True, streams=(1, 2))
    peer.settle()
    return Target(peer.stack, peer.now, peer.association, peer)


def moving() -> Target:
    """An association that changes addresses, without authentication, with data and an ASCONF under way."""
    peer = Peer(
        paths=2,
        extensions=[CHUNK_ASCONF, CHUNK_ASCONF_ACK],
        address_reconfiguration=True,
        unauthenticated_asconf=True,
        receive_buffer=20_000,
        heartbeat_interval=30.0,
        a_rwnd=1 << 16,
    )
    peer.send(3000, 10, 20_000, stream=1)
    peer.sack(1, (3, 3))
    peer.association.change_addresses(peer.now, [bytes((10, 0, 3, 1))], [bytes((10, 0, 2, 1))])
    peer.settle()
    return Target(peer.stack, peer.now, peer.association, peer)


def authenticating() -> Target:
    """An association in the midst of a transfer, whose sides both demand that most chunks are authenticated."""
    demanded = (CHUNK_DATA, CHUNK_SACK, 4, 6, 7, 10)
    said = AuthParameters(bytes(32), bytes(demanded), b"\0\3\0\1")
    peer = Peer(
        auth=said,
        authenticated_chunks=demanded,
        shared_keys=((0, b""), (1, b"one")),
        receive_buffer=20_000,
        heartbeat_interval=30.0,
        a_rwnd=1 << 16,
    )
    peer.send(3000, 10, 10, 1000, 20_000, stream=1)
    peer.association.activate_key(peer.now, 1)
    peer.association.deactivate_key(peer.now, 0)
    peer.send(500, unordered=True)
    peer.deliver(peer.key().authenticate(peer.sack_chunk(1, (3, 3)) + peer.data(1) + peer.data(3)))
    peer.take()
    target = Target(peer.stack, peer.now, peer.association, peer)
    target.key = peer.key()
    return target


STATES: Final[list[Callable[[], Target]]] = [
    established,
    multi_homed,
    window_closed,
    shutting_down,
    shutdown_sent,
    shutdown_received,
    listening,
    cookie_wait,
    closed,
    reconfiguring,
    interleaving,
    giving_up,
    moving,
    authenticating,
    counting,
    probing,
]


# What can happen.


def any_bytes(target: Target, source: Input) -> None:
    """A packet of any bytes."""
    path = source.number()
    target.receive(source.rest(2000), 1 << 16, path)


def any_run(target: Target, source: Input) -> None:
    """A run of packets of any bytes, of any size."""
    path, segment = source.number(), source.number(2)
    target.receive(source.rest(4000), segment, path)


def any_chunks(target: Target, source: Input) -> None:
    """A packet that gets through, of any chunks."""
    path = source.number()
    target.receive(target.packet(source.rest(2000), target.tag), 1 << 16, path)


def other_tags(target: Target, source: Input) -> None:
    """A packet with the peer's tag, with none, or with any."""
    path = source.number()
    tag = [0, PEER_TAG, target.tag ^ 1, source.number(4)][source.number() % 4]
    target.receive(target.packet(source.rest(1000), tag), 1 << 16, path)


def whole_chunk(target: Target, source: Input) -> None:
    """Some chunks whose lengths are right."""
    path = source.number()
    chunks = []
    for _ in range(source.number() % 4 + 1):
        kind = CONTROL[source.number() % len(CONTROL)]
        flags = source.number()
        chunks.append(chunk(kind, flags, source.rest(200)))
    target.receive(target.packet(b"".join(chunks), target.tag), 1 << 16, path)


def shutdown_chunk(target: Target, source: Input) -> None:
    """A SHUTDOWN near what was sent."""
    path = source.number()
    said = control.shutdown(target.tsn + source.small())
    target.receive(target.packet(said, target.tag), 1 << 16, path)


def setup_chunk(target: Target, source: Input) -> None:
    """An INIT or INIT ACK."""
    path = source.number()
    ack = source.number() & 1
    fixed = source.take(4).ljust(4, b"\1") + b"\0\1\0\0" + b"\0\3\0\3" + target.peer_tsn.to_bytes(4, "big")
    said = chunk(1 + ack, 0, fixed + source.rest(300))
    target.receive(target.packet(said, target.tag if ack else 0), 1 << 16, path)


def data_chunk(target: Target, source: Input) -> bytes:
    """A DATA chunk near what was received."""
    size = source.number() * 8
    tsn = (target.peer_tsn + source.small()) & 0xFFFFFFFF
    flags = source.number()
    stream = source.number() % 12
    ssn = source.number() % 8
    header = DATA.pack(0, flags, DATA_HEADER + size, tsn, stream, ssn, 0)
    return header + bytes(size) + PADDING[size & 3]


def data_chunks(target: Target, source: Input) -> None:
    """A packet with DATA."""
    path = source.number()
    said = b"".join([data_chunk(target, source) for _ in range(source.number() % 5 + 1)])
    target.receive(target.packet(said, target.tag), 1 << 16, path)


def data_in_sequence(target: Target, source: Input) -> None:
    """A run of packets with what comes next, perhaps with something else among it."""
    path, count, size = source.number(), source.number() % 20 + 1, source.number() * 8 + 1
    flags = source.number()
    odd = source.number()
    association = target.association
    tsn = association.tcb.tsn_map.cumulative_tsn + 1 if association is not None else target.peer_tsn
    packets = []
    for number in range(count):
        header = DATA.pack(0, flags, DATA_HEADER + size, (tsn + number) & 0xFFFFFFFF, 0, 1, 0)
        packets.append(target.packet(header + bytes(size) + PADDING[size & 3], target.tag))
    if odd < count:
        packets[odd] = packets[odd][:16] + source.take(4).ljust(4, b"\0") + packets[odd][20:]
    target.receive(b"".join(packets), len(packets[0]), path)


def i_data_chunks(target: Target, source: Input) -> None:
    """A packet with I-DATA near what was received."""
    path = source.number()
    chunks = []
    for _ in range(source.number() % 5 + 1):
        size = source.number() * 8
        tsn = (target.peer_tsn + source.small()) & 0xFFFFFFFF
        fields = source.number(), source.number() % 12, (source.number() % 8 - 1) & 0xFFFFFFFF, source.number() % 8
        flags, stream, mid, last = fields
        header = I_DATA.pack(CHUNK_I_DATA, flags, I_DATA_HEADER + size, tsn, stream, mid, last)
        chunks.append(header + bytes(size) + PADDING[size & 3])
    target.receive(target.packet(b"".join(chunks), target.tag), 1 << 16, path)


def i_data_in_sequence(target: Target, source: Input) -> None:
    """A run of packets with the next fragments of a message, perhaps with something else among them."""
    path, count, size = source.number(), source.number() % 20 + 1, source.number() * 8 + 1
    flags, stream, odd, first = source.number() & 5, source.number() % 3, source.number(), source.number() % 4
    association = target.association
    tsn = association.tcb.tsn_map.cumulative_tsn + 1 if association is not None else target.peer_tsn
    packets = []
    for number in range(count):
        told = (tsn + number) & 0xFFFFFFFF
        header = I_DATA.pack(CHUNK_I_DATA, flags, I_DATA_HEADER + size, told, stream, 1, first + number)
        packets.append(target.packet(header + bytes(size) + PADDING[size & 3], target.tag))
    if odd < count:
        packets[odd] = packets[odd][:16] + source.take(4).ljust(4, b"\0") + packets[odd][20:]
    target.receive(b"".join(packets), len(packets[0]), path)


def forward_tsn(target: Target, source: Input) -> None:
    """A FORWARD-TSN or I-FORWARD-TSN near what was received, or far ahead."""
    path = source.number()
    interleaves = source.number() % 4 == 3
    tsn = target.peer_tsn + (source.small() if source.number() % 4 else source.number(4))
    skipped = [
        (source.number() % 12, source.number() % 8, source.number() & 1 == 1) for _ in range(source.number() % 4)
    ]
    said = forward.encode(interleaves, tsn, skipped)
    if source.number() % 4 == 0:
        said += data_chunk(target, source)
    target.receive(target.packet(said, target.tag), 1 << 16, path)


def sack_chunks(target: Target, source: Input) -> None:
    """A run of SACKs near what was sent."""
    path = source.number()
    packets = []
    for _ in range(source.number() % 4 + 1):
        cumulative = target.tsn + source.small()
        a_rwnd = source.number() * 400
        ranges = []
        start = cumulative
        for _ in range(source.number() % 4):
            start += source.number() % 16 + 1
            end = start + source.number() % 8 + 1
            ranges.append((start, end))
            start = end
        duplicates = [target.tsn] * (source.number() % 3)
        packets.append(target.packet(sack.encode(cumulative, a_rwnd, ranges, duplicates), target.tag))
    size = max(map(len, packets))
    if len({len(packet) for packet in packets}) == 1:
        target.receive(b"".join(packets), size, path)
    else:
        for packet in packets:
            target.receive(packet, 1 << 16, path)


def reconfig_chunks(target: Target, source: Input) -> None:
    """A packet with RE-CONFIG chunks whose numbers are near the right ones."""
    path = source.number()
    chunks = []
    for _ in range(source.number() % 3 + 1):
        parameters = []
        for _ in range(source.number() % 2 + 1):
            kind = source.number() % 6
            number = (target.peer_tsn + source.number() % 6) & TSN_MASK
            streams = [source.number() % 12 for _ in range(source.number() % 4)]
            if kind == 0:
                answered = (target.tsn + source.number() % 4 - 1) & TSN_MASK
                last = (target.peer_tsn + source.small()) & TSN_MASK
                parameters.append(reconfig.outgoing_reset(number, answered, last, streams))
            elif kind == 1:
                parameters.append(reconfig.incoming_reset(number, streams))
            elif kind == 2:
                parameters.append(reconfig.tsn_reset(number))
            elif kind == 3:
                tsns = (source.number(4), source.number(4)) if source.number() & 1 else None
                result = source.number() % 8
                parameters.append(reconfig.response((target.tsn + source.number() % 6) & TSN_MASK, result, tsns))
            elif kind == 4:
                parameters.append(reconfig.add_outgoing(number, source.number() % 4))
            else:
                parameters.append(reconfig.add_incoming(number, source.number() % 4))
        chunks.append(reconfig.encode(parameters))
    target.receive(target.packet(b"".join(chunks), target.tag), 1 << 16, path)


def reconfigure(target: Target, source: Input) -> None:
    """The user resets or adds streams, which may be refused."""
    association = target.association
    if association is None:
        return
    what = source.number()
    with suppress(OSError):
        if what & 3 == 0:
            association.reset_association(target.now)
        elif what & 3 == 1:
            association.add_streams(target.now, what >> 2 & 3, what >> 4 & 3)
        else:
            streams = [source.number() % 12 for _ in range(what >> 4 & 3)]
            association.reset_streams(target.now, bool(what & 4), bool(what & 8), streams)
    target.settle()


def any_address(source: Input, side: int) -> bytes:
    """An address of the peer (2) or of the stack (1), of either family, or one that nobody has."""
    number = source.number() % 10
    if number > 4:
        six = bytes.fromhex("20010db8") + bytes(11)
        return [bytes(4), bytes(16), b"\xff" * 4, six + bytes((side,)), six + bytes((side + 2,))][number - 5]
    return bytes((10, 0, number + 1, side))


def asconf_chunks(target: Target, source: Input) -> None:
    """A packet with ASCONFs whose numbers are near the right ones, and perhaps data behind them."""
    path = source.number()
    chunks = []
    for _ in range(source.number() % 3 + 1):
        requests = []
        for correlation in range(source.number() % 5):
            kind = asconf.REQUESTS[source.number() % len(asconf.REQUESTS)]
            requests.append(asconf.request(kind, correlation, any_address(source, 2)))
        serial = (target.peer_tsn + source.number() % 8) & TSN_MASK
        chunks.append(asconf.encode(serial, any_address(source, 2), requests))
    if source.number() & 1:
        chunks.append(data_chunk(target, source))
    target.receive(target.packet(b"".join(chunks), target.tag), 1 << 16, path)


def asconf_answers(target: Target, source: Input) -> None:
    """An answer to an ASCONF near those that were sent."""
    path = source.number()
    serial = (target.tsn + source.number() % 8) & TSN_MASK
    answers = []
    for correlation in range(source.number() % 5):
        refused = [CAUSE_DELETE_LAST_IP, CAUSE_UNRECOGNIZED_PARAMETERS][source.number() & 1]
        why = [(refused, source.rest(30))] if source.number() & 1 else []
        answers.append(asconf.Answer((correlation + source.small()) & TSN_MASK, why))
    target.receive(target.packet(asconf.encode_ack(serial, answers), target.tag), 1 << 16, path)


def move(target: Target, source: Input) -> None:
    """The user changes addresses, or the host moves."""
    association = target.association
    if association is None:
        return
    what = source.number()
    with suppress(OSError):
        if what & 3 == 0:
            association.set_peer_primary(target.now, any_address(source, 1))
        elif what & 3 == 1:
            association.follow_addresses(target.now, [any_address(source, 1) for _ in range(what >> 2 & 3)])
        else:
            added = [any_address(source, 1) for _ in range(what >> 2 & 3)]
            removed = [any_address(source, 1) for _ in range(what >> 4 & 3)]
            association.change_addresses(target.now, added, removed)
    target.settle()


def icmp(target: Target, source: Input) -> None:
    """An ICMP error."""
    remote = REMOTES[source.number() % len(REMOTES)]
    error = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT, errno.EMSGSIZE][
        source.number() % 5
    ]
    tag = [PEER_TAG, 0][source.number() & 1]
    payload = target.packet(source.rest(60), tag) if source.number() & 1 else source.rest(60)
    target.stack.handle_icmp(target.now, remote, UDP_PORT, error, payload, source.number() * 40)
    target.settle()


def time_passes(target: Target, source: Input) -> None:
    """Some milliseconds, or until some timers went off."""
    span = source.number()
    if span & 1:
        for _ in range(span >> 5):
            target.next_timer(NEVER - 1)
        return
    until = target.now + span * SECOND // 100
    while target.next_timer(until):
        pass
    target.now = until


def user(target: Target, source: Input) -> None:
    """The user does something, which may be refused."""
    association = target.association
    if association is None:
        return
    what = source.number()
    with suppress(OSError):
        if what % 8 < 4:
            association.send(target.now, bytes(source.number(2) % 5000), source.number() % 12, unordered=what & 8 != 0)
        elif what % 8 < 6:
            association.read(source.number() % 4)
        elif what % 8 == 6:
            association.request_heartbeat(target.now, REMOTES[source.number() % 3])
        elif what & 8:
            association.shutdown(target.now)
        elif what & 16:
            association.set_primary(target.now, REMOTES[source.number() % 3])
        elif what & 32:
            association.abort(target.now, source.rest(40))
    target.settle()


def give_up(target: Target, source: Input) -> None:
    """The user sends a message that may be given up, and needs room for it."""
    association = target.association
    if association is None:
        return
    policy, value = source.number() % 4, source.number()
    with suppress(OSError):
        association.make_room(target.now, policy, value)
        value *= SECOND // 100 if policy == TIMED else 1
        how = source.number() % 12, 0, source.number() & 1 == 1
        association.send(target.now, bytes(source.number(2) % 5000), *how, policy=policy, value=value)
    target.settle()


STEPS: Final[list[Callable[[Target, Input], None]]] = [
    data_chunks,
    sack_chunks,
    whole_chunk,
    data_in_sequence,
    time_passes,
    user,
    any_chunks,
    any_bytes,
    any_run,
    other_tags,
    setup_chunk,
    shutdown_chunk,
    icmp,
    reconfig_chunks,
    reconfigure,
    i_data_chunks,
    i_data_in_sequence,
    forward_tsn,
    give_up,
    asconf_chunks,
    asconf_answers,
    move,
]


def run(data: bytes) -> None:
    """One story; raises if the invariant does not hold."""
    source = Input(data)
    target = STATES[source.number() % len(STATES)]()
    for _ in range(MAX_STEPS):
        if source.is_empty:
            break
        STEPS[source.number() % len(STEPS)](target, source)
    target.come_to_rest()
