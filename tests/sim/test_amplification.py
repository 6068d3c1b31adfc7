"""Nothing that answers a stranger is larger than what the stranger sent, but for an INIT ACK; docs/security.md.

A stranger is whoever has not shown that the source of a packet is its own: it knows no tag of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes, seeded_random
from sctpx.wire import control
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import CHUNK_INIT, CHUNK_INIT_ACK
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import chunk, item
from tests.conformance.peer import START, UDP_PORT, Peer
from tests.sweeps import seeds

PORT: Final = 5000
INIT: Final = 32
"""The smallest INIT, bytes."""
# What an INIT ACK may have beyond the bytes of its INIT: the cookie, and the headers of a few reports.
MORE: Final = {4: 60 + 32 + 3, 16: 84 + 32 + 3}
ON_THE_WIRE: Final = {4: 28, 16: 48}
"""IP and UDP headers."""


class Place:
    """A stack, and the addresses that strangers can send to and from."""

    def __init__(self, stack: Stack, now: int, local: bytes, known: bytes) -> None:
        self.stack = stack
        self.now = now
        self.local = local
        self.known = known
        """An address of a peer, which a stranger may forge."""
        self.drain()

    def drain(self) -> list[tuple[bytes, bytes]]:
        """What leaves: where to, and the packet."""
        found = []
        while (transmit := self.stack.poll_transmit(self.now)) is not None:
            data = transmit.data
            packets = [data[start : start + transmit.segment] for start in range(0, len(data), transmit.segment)]
            found += [(transmit.remote, packet) for packet in packets]
        while self.stack.poll_event() is not None:
            pass
        return found

    def send(self, source: bytes, packet: bytes) -> list[tuple[bytes, bytes]]:
        """A packet of a stranger, and what it draws. Time passes, so that no limit of a second is met."""
        self.now += 10**9
        self.drain()
        self.stack.receive(self.now, self.local, source, UDP_PORT, packet, len(packet))
        return self.drain()


def fresh(length: int, backlog: int, announce: int = 0) -> Place:
    """A stack with a port on addresses of this length, listening or not."""
    own = [bytes([10, number]) + bytes(length - 3) + b"\1" for number in range(1, announce + 2)]
    stack = Stack(seeded_bytes(1), START)
    endpoint = stack.open_endpoint(PORT, own, None, own if announce else (), Limits(aborts_per_second=10**6))
    if backlog:
        endpoint.listen(backlog)
    return Place(stack, START, own[0], bytes([10, 1]) + bytes(length - 3) + b"\2")


def crowded() -> Place:
    """A stack whose backlog is full."""
    place = fresh(4, 1)
    packet = finish_packet(prefix(9, PORT, 0), Setup(1, 1 << 16, 1, 1, 1).encode())
    [(_, answer)] = place.send(bytes([10, 9, 9, 9]), packet)
    ack = parse(chunks(answer)[0][2], ack=True)
    packet = finish_packet(prefix(9, PORT, ack.initiate_tag), control.cookie_echo(ack.cookie or b""))
    place.send(bytes([10, 9, 9, 9]), packet)
    return place


def associated(end: str = "") -> Place:
    """A stack with an association, perhaps on its way to the end."""
    peer = Peer(paths=2)
    if end == "SHUTDOWN-SENT":
        peer.shutdown()
    elif end == "SHUTDOWN-ACK-SENT":
        peer.deliver(peer.shutdown_chunk(0))
    return Place(peer.stack, peer.now, bytes([10, 0, 1, 1]), bytes([10, 0, 1, 2]))


def connecting() -> Place:
    """A stack that waits for an INIT ACK."""
    place = fresh(4, 100)
    place.stack.endpoints[PORT].connect(START, [PeerAddress(place.known, UDP_PORT)], PORT)
    place.drain()
    return place


PLACES: Final[dict[str, Callable[[], Place]]] = {
    "closed": lambda: fresh(4, 0),
    "listening": lambda: fresh(4, 100),
    "listening, IPv6": lambda: fresh(16, 100),
    "crowded": crowded,
    "COOKIE-WAIT": connecting,
    "associated": associated,
    "SHUTDOWN-SENT": lambda: associated("SHUTDOWN-SENT"),
    "SHUTDOWN-ACK-SENT": lambda: associated("SHUTDOWN-ACK-SENT"),
}


def any_init(random: Random, length: int) -> bytes:
    """An INIT with anything in it, or nearly one."""
    parameters = b""
    for _ in range(random.choice([0, 0, 1, 3, 50, 500])):
        kind = random.choice([5, 6, 7, 8, 9, 11, 12, 0xC000, 0x8000, 0xC123, 0x4123, 0x8008, random.randrange(1 << 16)])
        size = {5: 4, 6: 16, 9: 4}.get(kind) or random.choice([0, 1, 4, 20, 300, 60_000])
        value = bytes([10, 0, 1, 2])[:size] if random.random() < 0.1 else random.randbytes(size)
        if len(parameters) + len(value) < 60_000:
            parameters += item(kind, value)
    fixed = random.choice([b"\0\0\0\1", random.randbytes(4)]) + b"\0\1\0\0" + b"\0\3\0\3" + random.randbytes(4)
    value = fixed + parameters
    return chunk(CHUNK_INIT, 0, value[: random.choice([len(value), len(value), len(value), 0, 4, 15, 17])])


def any_other(random: Random) -> bytes:
    """Some chunks of any kind."""
    said = b""
    for _ in range(random.choice([0, 1, 1, 1, 3, 100])):
        kind = random.choice([*range(15), 64, 128, 192, 255])
        said += chunk(kind, random.choice([0, 1, 255]), random.randbytes(random.choice([0, 1, 4, 12, 40, 400])))
    return said[: random.choice([len(said), len(said), 1, 3])]


@pytest.mark.parametrize("seed", seeds(1, 3))
@pytest.mark.parametrize("name", PLACES)
def test_no_answer_to_a_stranger_is_larger_than_what_it_answers(name: str, seed: int) -> None:
    random = seeded_random("amplification", name, seed)
    place = PLACES[name]()
    length = len(place.local)
    answered = 0
    for _ in range(400):
        source = random.choice([place.known, bytes([10, 7]) + random.randbytes(length - 2)])
        is_init = random.random() < 0.5
        said = any_init(random, length) if is_init else any_other(random)
        tag = 0 if is_init and random.random() < 0.9 else random.choice([0, 1, random.randrange(1 << 32), 0x50505050])
        port = random.choice([PORT, PORT, 7000])
        packet = finish_packet(prefix(random.choice([PORT, 6000]), port, tag), said)
        answers = place.send(source, packet)
        assert len(answers) <= 1
        for _, answer in answers:
            answered += 1
            more = MORE[length] if chunks(answer)[0][0] == CHUNK_INIT_ACK else 0
            assert len(answer) <= len(packet) + more
            assert len(answer) <= 1500 - ON_THE_WIRE[length]  # No fragments.
    assert answered > 20


@pytest.mark.parametrize(("length", "factor"), [(4, 2.0), (16, 2.06)])
def test_the_init_ack_of_a_host_with_one_address_has_twice_the_bytes_of_the_smallest_init(
    length: int, factor: float
) -> None:
    place = fresh(length, 100)
    packet = finish_packet(prefix(6000, PORT, 0), Setup(1, 1 << 16, 1, 1, 1).encode())
    assert len(packet) == INIT
    [(_, answer)] = place.send(place.known, packet)
    headers = ON_THE_WIRE[length]
    assert (len(answer) + headers) / (len(packet) + headers) <= factor


@pytest.mark.parametrize(("demanded", "factor"), [((), 2.13), ((0,), 2.2), (tuple(range(3, 14)), 2.5)], ids=str)
def test_an_init_ack_that_agrees_on_authentication_has_hardly_more(demanded: tuple[int, ...], factor: float) -> None:
    """RFC 4895: RANDOM and HMAC-ALGO come and go, and the cookie repeats what both sides have said."""
    stack = Stack(seeded_bytes(1), START)
    config = AssociationConfig(authentication=True, authenticated_chunks=demanded)
    own = bytes((10, 1, 0, 1))
    stack.open_endpoint(PORT, [own], config).listen(100)
    place = Place(stack, START, own, bytes((10, 1, 0, 2)))
    for listed, algorithms in ((None, 1), (b"\0", 1), (bytes(256), 16)):
        setup = Setup(1, 1 << 16, 1, 1, 1)
        setup.auth = AuthParameters(bytes(32), listed, b"\0\1" * algorithms)
        packet = finish_packet(prefix(6000, PORT, 0), setup.encode())
        [(_, answer)] = place.send(place.known, packet)
        assert (len(answer) + ON_THE_WIRE[4]) / (len(packet) + ON_THE_WIRE[4]) <= factor


def test_each_further_address_that_is_announced_adds_its_parameter() -> None:
    packet = finish_packet(prefix(6000, PORT, 0), Setup(1, 1 << 16, 1, 1, 1).encode())
    sizes = []
    for announce in (0, 1, 4):
        place = fresh(4, 100, announce)
        [(_, answer)] = place.send(place.known, packet)
        sizes.append(len(answer))
    assert [size - sizes[0] for size in sizes] == [0, 8, 32]


def test_a_peer_is_told_of_the_families_that_it_speaks() -> None:
    """RFC 9260 section 5.1.2; what it sends from, or lists, counts as spoken."""
    own = [bytes([10, 0, 0, 1]), bytes([10, 0, 0, 3]), bytes([0x20, 1]) + bytes(13) + b"\1"]
    stack = Stack(seeded_bytes(1), START)
    stack.open_endpoint(PORT, own, AssociationConfig(), own).listen()
    place = Place(stack, START, own[0], bytes([10, 0, 0, 2]))
    four, six = item(12, b"\0\5\0\0"), item(12, b"\0\6\0\0")
    both, named = item(12, b"\0\5\0\6"), item(12, b"\0\5\0\x0b")
    listed = four + item(6, bytes([0x20, 2]) + bytes(13) + b"\2")
    for parameters, expected in ((b"", 2), (four, 1), (six, 2), (both, 2), (named, 1), (listed, 2)):
        value = Setup(1, 1 << 16, 1, 1, 1).encode()[4:] + parameters
        packet = finish_packet(prefix(6000, PORT, 0), chunk(CHUNK_INIT, 0, value))
        [(_, answer)] = place.send(place.known, packet)
        assert len(parse(chunks(answer)[0][2], ack=True).addresses) == expected


def test_a_long_host_name_is_not_quoted() -> None:
    place = fresh(4, 100)
    for size, expected in ((20, 11 + 12), (256, 256 + 12), (257, 4 + 8), (60_000, 4 + 8)):
        value = Setup(1, 1 << 16, 1, 1, 1).encode()[4:] + item(11, b"n" * size)
        packet = finish_packet(prefix(6000, PORT, 0), chunk(CHUNK_INIT, 0, value))
        [(_, answer)] = place.send(place.known, packet)
        assert len(answer) <= 12 + expected + 12
