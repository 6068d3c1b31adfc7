"""ASCONFs and their answers, as a peer of ``peer.Peer`` says and hears them.

The peer does without authentication, as the stack allows it here: what authentication adds is in the tests that say so.
"""

from __future__ import annotations

from typing import Any, Final

from sctpx.core.events import LocalAddressChange
from sctpx.wire import asconf as wire
from sctpx.wire import causes
from sctpx.wire.asconf import Answer, Request
from sctpx.wire.codes import (
    CAUSE_REFUSED_FOR_RESOURCES,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_SET_PRIMARY,
)
from tests.conformance.peer import Peer, Sent

SUPPORTED: Final = (CHUNK_ASCONF, CHUNK_ASCONF_ACK)
ANY: Final = bytes(4)


def ours(number: int) -> bytes:
    """An address of the stack."""
    return bytes((10, 0, number, 1))


def theirs(number: int) -> bytes:
    """An address of the peer."""
    return bytes((10, 0, number, 2))


def changing(**arguments: Any) -> Peer:
    """A peer and a stack that both change addresses."""
    arguments = {"extensions": SUPPORTED, "address_reconfiguration": True, "unauthenticated_asconf": True, **arguments}
    return Peer(**arguments)


def add(ip: bytes, correlation: int = 1) -> Request:
    return wire.request(PARAM_ADD_IP, correlation, ip)


def delete(ip: bytes, correlation: int = 2) -> Request:
    return wire.request(PARAM_DELETE_IP, correlation, ip)


def prefer(ip: bytes, correlation: int = 3) -> Request:
    return wire.request(PARAM_SET_PRIMARY, correlation, ip)


def asconf(peer: Peer, number: int, *requests: Request, lookup: bytes = b"") -> bytes:
    """The peer's ASCONF with that number, counted from 1."""
    return wire.encode((peer.peer_tsn + number - 1) & 0xFFFFFFFF, lookup or theirs(1), list(requests))


def ask(peer: Peer, number: int, *requests: Request, source: bytes = b"", local: bytes = b"") -> list[Sent]:
    """The peer sends an ASCONF; what the stack sends then."""
    peer.deliver_between(source or theirs(1), local or ours(1), asconf(peer, number, *requests))
    return peer.take()


def answers(peer: Peer, sent: list[Sent], number: int) -> list[Answer]:
    """What the one ASCONF-ACK among these packets says; it is the answer to that ASCONF of the peer."""
    [value] = [value for packet in sent for kind, _, value in packet.chunks if kind == CHUNK_ASCONF_ACK]
    serial, found, others = wire.parse_ack(value)
    assert serial == (peer.peer_tsn + number - 1) & 0xFFFFFFFF
    assert not others
    return found


def codes(found: list[Answer]) -> list[tuple[int, list[int]]]:
    """(correlation, cause codes) of each answer."""
    return [(one.correlation, [code for code, _ in one.causes]) for one in found]


def refusals(peer: Peer, number: int, *requests: Request, **where: bytes) -> list[tuple[int, list[int]]]:
    """The peer asks, and this is what it is told."""
    return codes(answers(peer, ask(peer, number, *requests, **where), number))


def remotes(peer: Peer) -> list[bytes]:
    """The peer's addresses as the stack has them."""
    return [path.remote for path in peer.association.paths]


def heard(sent: list[Sent]) -> list[tuple[int, bytes, list[Request], Sent]]:
    """(serial, lookup address, requests, packet) of each ASCONF of the stack."""
    found = []
    for packet in sent:
        for kind, _, value in packet.chunks:
            if kind == CHUNK_ASCONF:
                serial, requests = wire.parse(value)
                length = int.from_bytes(value[6:8], "big") - 4
                found.append((serial, value[8 : 8 + length], requests, packet))
    return found


def asked(sent: list[Sent]) -> list[tuple[int, bytes]]:
    """(type, address) of each request in the one ASCONF among these packets."""
    [(_, _, requests, _)] = heard(sent)
    return [(request.kind, request.ip) for request in requests]


def change(peer: Peer, *added: bytes, removed: tuple[bytes, ...] = ()) -> list[Sent]:
    """The user of the stack adds and removes addresses; what the stack sends then."""
    peer.association.change_addresses(peer.now, added, removed)
    peer.settle()
    return peer.take()


def answer(peer: Peer, serial: int, *said: Answer, path: int = 1) -> list[Sent]:
    """The peer answers an ASCONF; what the stack sends then."""
    peer.deliver(wire.encode_ack(serial, list(said)), path=path)
    return peer.take()


def answer_one(peer: Peer, sent: list[Sent], *said: Answer) -> list[Sent]:
    """The same, for the one ASCONF among these packets."""
    [(serial, _, _, _)] = heard(sent)
    return answer(peer, serial, *said)


def requests_in(sent: list[Sent]) -> list[Request]:
    """The requests of the one ASCONF among these packets."""
    [(_, _, requests, _)] = heard(sent)
    return requests


def refusal(request: Request, code: int = CAUSE_REFUSED_FOR_RESOURCES) -> Answer:
    """What the peer answers to a request that it refuses."""
    return Answer(request.correlation, [causes.refused(code, (request.kind, request.value))])


def told(peer: Peer) -> list[tuple[bytes, int, int]]:
    """(address, what, result) of each change of our addresses, as the user hears of it."""
    return [(event.local, event.what, event.result) for event in peer.events_of(LocalAddressChange)]
