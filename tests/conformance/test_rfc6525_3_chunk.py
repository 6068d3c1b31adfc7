"""RFC 6525 sections 3, 4 and 5.1.1: who may send RE-CONFIG, and what the chunk looks like."""

from __future__ import annotations

from collections.abc import Callable
from errno import EOPNOTSUPP

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.testing import Pair
from sctpx.wire import reconfig as wire
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import (
    CAUSE_PROTOCOL_VIOLATION,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CHUNK_ERROR,
    CHUNK_RE_CONFIG,
    PARAM_IPV4,
)
from sctpx.wire.reconfig import Parameter
from sctpx.wire.setup import parse
from sctpx.wire.tlv import chunk, item, join
from tests.conformance.peer import Peer
from tests.conformance.reconfig import add, errors, heard, heard_one, outgoing, reconfiguring, reset, reset_all, say


@pytest.mark.parametrize("wanted", [False, True])
def test_support_is_indicated_in_the_supported_extensions_of_init_and_init_ack(wanted: bool) -> None:
    """Section 5.1.1: "MUST include the chunk type of the RE-CONFIG chunk in the Supported Extensions Parameter"."""
    with Pair(config=AssociationConfig(stream_reconfiguration=wanted)).connect() as pair:
        for name in ("INIT", "INIT ACK"):
            [packet] = [packet for packet in pair.network.packets() if packet.chunks == [name]]
            assert (CHUNK_RE_CONFIG in parse(packet.data[16:], ack=name == "INIT ACK").extensions) is wanted


def test_a_peer_without_support_is_sent_no_request_and_the_user_is_told() -> None:
    """Section 5.1.1: "MUST NOT send any re-configuration request to the peer"."""
    peer = Peer()
    asked: list[Callable[[], None]] = [lambda: reset(peer, out=True), lambda: reset_all(peer), lambda: add(peer, out=1)]
    for ask in asked:
        with pytest.raises(OSError, match="RFC 6525") as raised:
            ask()
        assert raised.value.errno == EOPNOTSUPP
    assert peer.take() == []


def test_re_config_from_a_peer_that_did_not_indicate_it_is_skipped_and_the_rest_of_its_packet_counts() -> None:
    """Section 3: "the receiver ignore the chunk if it is not understood and continue processing all chunks"."""
    peer = Peer()
    peer.deliver(wire.encode([wire.tsn_reset(peer.peer_tsn)]), peer.data(1))
    [message] = peer.association.read()
    assert len(message[0]) == 100
    assert [name for packet in peer.take() for name in packet.names] == ["SACK"]


def test_the_layout_of_every_parameter() -> None:
    """Sections 3.1 and 4.1 to 4.6, byte by byte."""
    made = {
        wire.outgoing_reset(1, 2, 3, [4, 5]): "0d 0014 00000001 00000002 00000003 0004 0005",
        wire.outgoing_reset(1, 2, 3, []): "0d 0010 00000001 00000002 00000003",
        wire.incoming_reset(6, [7]): "0e 000a 00000006 0007",
        wire.tsn_reset(8): "0f 0008 00000008",
        wire.response(9, 1): "10 000c 00000009 00000001",
        wire.response(9, 1, (10, 11)): "10 0014 00000009 00000001 0000000a 0000000b",
        wire.add_outgoing(12, 13): "11 000c 0000000c 000d 0000",
        wire.add_incoming(14, 15): "12 000c 0000000e 000f 0000",
    }
    for parameter, text in made.items():
        value = bytes.fromhex("00" + text)
        encoded = wire.encode([parameter])
        assert encoded[:4] == bytes((130, 0)) + (4 + len(value)).to_bytes(2, "big")
        assert encoded[4 : 4 + len(value)] == value
        [parsed], _ = wire.parse(value)
        assert wire.encode([parsed]) == encoded


def every_kind(peer: Peer) -> list[Parameter]:
    first = peer.peer_tsn
    return [
        outgoing(peer, 0, 1),
        wire.incoming_reset(first, [1]),
        wire.tsn_reset(first),
        wire.response(first, 1),
        wire.add_outgoing(first, 1),
        wire.add_incoming(first, 1),
    ]


ALLOWED_TOGETHER = {(0, 1), (4, 5), (3, 0), (3, 3)}


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(6))
def test_of_two_parameters_only_some_combinations_are_allowed(first: int, second: int) -> None:
    """Section 3.1: else "the receiver SHOULD send an ERROR chunk with a Protocol Violation cause"."""
    peer = reconfiguring()
    kinds = every_kind(peer)
    say(peer, kinds[first], kinds[second])
    refused = {(first, second), (second, first)}.isdisjoint(ALLOWED_TOGETHER)
    found = errors(peer)
    assert [code for value in found for code, _ in parse_causes(value)] == [CAUSE_PROTOCOL_VIOLATION] * refused
    assert peer.association.stats.packets_discarded == refused
    assert peer.association.state == ESTABLISHED


@pytest.mark.parametrize("count", [0, 3, 50])
def test_a_chunk_has_one_or_two_parameters(count: int) -> None:
    """Section 3.1: "at least one parameter and at most two parameters"."""
    peer = reconfiguring()
    say(peer, *[wire.response(peer.peer_tsn, 1)] * count)
    [value] = errors(peer)
    assert [code for code, _ in parse_causes(value)] == [CAUSE_PROTOCOL_VIOLATION]


@pytest.mark.parametrize(
    "value",
    [
        "000d 000f 00000001 00000002 000003",  # too short
        "000d 0011 00000001 00000002 00000003 04",  # half a stream
        "000e 0009 00000001 01",
        "000e 0007 000001",
        "000f 000c 00000001 00000001",
        "0010 0010 00000001 00000001 00000001",  # one of the two TSNs
        "0011 0008 00000001",
        "0012 0010 00000001 00010000 00000000",
        "000d 0004",
        "000d 0003",
        "000d 0100 00000001",  # longer than the chunk
    ],
)
def test_a_parameter_of_a_wrong_length_is_a_counted_drop(value: str) -> None:
    """Sections 4.1 to 4.6 say what each length "MUST be"."""
    peer = reconfiguring()
    peer.deliver(chunk(CHUNK_RE_CONFIG, 0, bytes.fromhex(value)))
    assert peer.association.stats.packets_discarded == 1
    assert peer.take() == []
    assert peer.association.state == ESTABLISHED


@pytest.mark.parametrize(
    ("kind", "reported", "skipped"), [(0x3FFF, 0, 0), (0x7FFF, 1, 0), (0xBFFF, 0, 1), (0xFFFF, 1, 1)]
)
def test_an_unrecognized_parameter_is_handled_by_its_high_bits(kind: int, reported: int, skipped: int) -> None:
    """Section 4 and RFC 9260 section 3.2.1: 00 stops, 01 stops and reports, 10 skips, 11 skips and reports."""
    peer = reconfiguring()
    request = outgoing(peer, 0, 1)
    peer.deliver(chunk(CHUNK_RE_CONFIG, 0, join([(kind, b"what"), (request.kind, request.value())])))
    packets = peer.take()
    found = [value for packet in packets for one, _, value in packet.chunks if one == CHUNK_ERROR]
    assert [parse_causes(value) for value in found] == [
        [(CAUSE_UNRECOGNIZED_PARAMETERS, item(kind, b"what"))]
    ] * reported
    answers = [one for packet in packets for one, _, _ in packet.chunks if one == CHUNK_RE_CONFIG]
    assert len(answers) == skipped


def test_a_parameter_of_another_chunk_has_no_place_here() -> None:
    peer = reconfiguring()
    peer.deliver(chunk(CHUNK_RE_CONFIG, 0, item(PARAM_IPV4, bytes(4))))
    assert heard(peer) == []


def test_the_flags_are_ignored_by_the_receiver() -> None:
    """Section 3.1: "set to 0 by the sender and ignored by the receiver"."""
    peer = reconfiguring()
    request = outgoing(peer, 0)
    peer.deliver(chunk(CHUNK_RE_CONFIG, 0xFF, join([(request.kind, request.value())])))
    assert heard_one(peer).result == wire.PERFORMED
