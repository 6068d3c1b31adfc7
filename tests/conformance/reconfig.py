"""A peer that speaks RFC 6525, for the tests of its sections."""

from __future__ import annotations

from typing import Any

from sctpx.wire import reconfig as wire
from sctpx.wire.codes import CHUNK_ERROR, CHUNK_RE_CONFIG
from sctpx.wire.reconfig import Parameter
from tests.conformance.peer import Peer, Sent

ALLOWED: dict[str, Any] = {"allow_stream_reset": True, "allow_association_reset": True, "allow_added_streams": True}


def reconfiguring(**how: Any) -> Peer:
    """A peer that has said so, and may ask for everything."""
    return Peer(extensions=[CHUNK_RE_CONFIG], **{**ALLOWED, **how})


def in_packet(packet: Sent) -> list[list[Parameter]]:
    """The parameters of each RE-CONFIG chunk of a packet."""
    found = []
    for kind, flags, value in packet.chunks:
        if kind == CHUNK_RE_CONFIG:
            assert flags == 0  # "set to 0 by the sender" (section 3.1)
            parameters, unknown = wire.parse(value)
            assert not unknown
            assert wire.may_be_together(parameters)
            found.append(parameters)
    return found


def heard(peer: Peer) -> list[list[Parameter]]:
    """The parameters of each RE-CONFIG chunk that left since the last time."""
    return [parameters for packet in peer.take() for parameters in in_packet(packet)]


def heard_one(peer: Peer) -> Parameter:
    """The only parameter that left since the last time."""
    [[parameter]] = heard(peer)
    return parameter


def say(peer: Peer, *parameters: Parameter) -> None:
    """The peer sends a RE-CONFIG chunk."""
    peer.deliver(wire.encode(list(parameters)))


def results(peer: Peer) -> list[tuple[int, int]]:
    """(number, counted from the peer's first request; result) of the responses that left since the last time."""
    found = [one for chunk in heard(peer) for one in chunk]
    assert all(one.result >= 0 for one in found)
    return [((one.number - peer.peer_tsn) & 0xFFFFFFFF, one.result) for one in found]


def outgoing(peer: Peer, request: int, *streams: int, last: int = 0, answers: int | None = None) -> Parameter:
    """The peer's Outgoing SSN Reset Request, its numbers and TSNs counted from 0 and 1."""
    response_number = (peer.tsn - 1 if answers is None else answers) & 0xFFFFFFFF
    tsn = (peer.peer_tsn + last - 1) & 0xFFFFFFFF
    return wire.outgoing_reset((peer.peer_tsn + request) & 0xFFFFFFFF, response_number, tsn, list(streams))


def incoming(peer: Peer, request: int, *streams: int) -> Parameter:
    """The peer's Incoming SSN Reset Request."""
    return wire.incoming_reset((peer.peer_tsn + request) & 0xFFFFFFFF, list(streams))


def respond(peer: Peer, asked: Parameter, result: int = wire.PERFORMED, **how: Any) -> None:
    """The peer answers a request of the stack."""
    say(peer, wire.response(asked.number, result, **how))


def errors(peer: Peer) -> list[bytes]:
    """The ERROR chunks that left since the last time."""
    return [value for packet in peer.take() for kind, _, value in packet.chunks if kind == CHUNK_ERROR]


def reset(peer: Peer, *, out: bool = False, into: bool = False, streams: tuple[int, ...] = ()) -> None:
    """The user of the stack resets streams."""
    peer.association.reset_streams(peer.now, out, into, streams)
    peer.settle()


def reset_all(peer: Peer) -> None:
    """The user of the stack resets the association."""
    peer.association.reset_association(peer.now)
    peer.settle()


def add(peer: Peer, *, out: int = 0, into: int = 0) -> None:
    """The user of the stack adds streams."""
    peer.association.add_streams(peer.now, out, into)
    peer.settle()
