"""What the tests of connectx share: addresses that refuse in every way there is, and looking at the INITs of a run."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from sctpx.core.association.connect import (
    ANSWER_ABORT,
    ANSWER_ICMP,
    ANSWER_MALFORMED,
    ANSWER_SEND_ERROR,
    AddressReport,
)
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.testing import SECOND, Network, Packet, Pair, address_text
from sctpx.wire import causes, control
from sctpx.wire.codes import CHUNK_INIT
from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix
from sctpx.wire.setup import Setup, parse

RTT: Final = 0.02
"""Round trip of the links of a simulation, seconds."""


def answer_to(packet: Packet, *said: bytes, tag: int | None = None) -> bytes:
    """A packet with these chunks that answers an INIT: its Initiate Tag is the Verification Tag, if no other is
    given.
    """
    peer_port, local_port, _ = parse_prefix(packet.data)
    tag = init_of(packet).initiate_tag if tag is None else tag
    return finish_packet(prefix(local_port, peer_port, tag), b"".join(said))


def init_of(packet: Packet) -> Setup:
    """The contents of the INIT that a packet carries."""
    [(_, _, value)] = chunks(packet.data)
    return parse(value)


def is_init(packet: Packet) -> bool:
    """Whether a packet carries an INIT."""
    return [kind for kind, _, _ in chunks(packet.data)] == [CHUNK_INIT]


def abort_it(packet: Packet) -> Iterable[bytes]:
    """Nobody listens there: an ABORT (RFC 9260 section 8.4, rule 3)."""
    return [answer_to(packet, control.abort([causes.out_of_resource()]))] if is_init(packet) else []


def malformed_answer(packet: Packet) -> Iterable[bytes]:
    """An INIT ACK without a State Cookie."""
    return [answer_to(packet, Setup(1, 1 << 16, 1, 1, 1).encode(ack=True))] if is_init(packet) else []


class Refusal(NamedTuple):
    """A way for an address to refuse: how to arrange it, and what the report says of it."""

    arrange: Callable[[Pair, str], object]
    answer: int
    error: int


REFUSALS: Final[dict[str, Refusal]] = {
    "ABORT": Refusal(lambda pair, address: pair.network.answer(address, abort_it), ANSWER_ABORT, errno.ECONNREFUSED),
    "malformed INIT ACK": Refusal(
        lambda pair, address: pair.network.answer(address, malformed_answer), ANSWER_MALFORMED, errno.ECONNREFUSED
    ),
    "ICMP port unreachable": Refusal(
        lambda pair, address: pair.network.refuse(address), ANSWER_ICMP, errno.ECONNREFUSED
    ),
    "ICMP host unreachable": Refusal(
        lambda pair, address: pair.network.refuse(address, errno.EHOSTUNREACH), ANSWER_ICMP, errno.EHOSTUNREACH
    ),
    "ICMP network unreachable": Refusal(
        lambda pair, address: pair.network.refuse(address, errno.ENETUNREACH), ANSWER_ICMP, errno.ENETUNREACH
    ),
    "local send error": Refusal(
        lambda pair, address: pair.a.host.fail_sends(address, errno.ENETDOWN), ANSWER_SEND_ERROR, errno.ENETDOWN
    ),
}


class SentInit(NamedTuple):
    """One INIT of a run."""

    time: float
    """Seconds since the attempt began."""
    to: str


def inits(network: Network, since: int | None = None, sender: str = "A") -> list[SentInit]:
    """The INITs that a host sent, in order, by default since the simulation began."""
    start = network.clock.start if since is None else since
    return [
        SentInit((packet.sent - start) / SECOND, packet.destination_text)
        for packet in network.packets()
        if packet.chunks == ["INIT"] and network.name_of(packet.source) == sender
    ]


def run_attempt(pair: Pair, seconds: float = 1000.0) -> float:
    """Run until A's attempt is decided, one way or the other. Returns the seconds it took."""
    before = pair.network.elapsed
    pair.network.run(lambda: pair.a.events_of(CommunicationUp) or pair.a.events_of(CannotStart), seconds)
    return pair.network.elapsed - before


def attempt(pair: Pair, seconds: float = 1000.0) -> float:
    """Have A connect to all addresses of B, which listens, and run until that is decided. Returns how long it took."""
    pair.b.endpoint.listen()
    pair.a.connect(pair.b)
    return run_attempt(pair, seconds)


def failure(pair: Pair) -> int:
    """The errno with which A's attempt failed. AssertionError if it did not."""
    [event] = pair.a.events_of(CannotStart)
    assert pair.a.events_of(CommunicationUp) == []
    assert pair.a.association.ended
    return event.error


def reports(pair: Pair) -> dict[str, AddressReport]:
    """The report of A's attempt, by address."""
    return {address_text(report.ip): report for report in pair.a.association.report}


def check_that_data_flows(pair: Pair) -> None:
    """Send something each way, and see it arrive."""
    before = len(pair.a.messages()), len(pair.b.messages())
    pair.a.send(b"to B")
    pair.b.send(b"to A")
    pair.drain()
    assert pair.b.messages()[before[1] :] == [b"to B"]
    assert pair.a.messages()[before[0] :] == [b"to A"]
