"""RFC 4820: the PAD chunk and the padding parameter."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_PAD, PARAM_PAD
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup
from sctpx.wire.tlv import chunk, join
from tests.conformance.peer import Peer

OURS, THEIRS = bytes((10, 0, 1, 1)), bytes((10, 0, 1, 2))


@pytest.mark.parametrize("flags", [0, 1, 255])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 1000])
def test_a_pad_chunk_is_discarded_and_the_rest_counts(length: int, flags: int) -> None:
    """Section 3: "The receiver of the PAD chunk MUST discard this chunk and continue processing the rest"."""
    peer = Peer()
    peer.deliver(control.heartbeat(b"before"), chunk(CHUNK_PAD, flags, bytes(length)), peer.data(1, b"behind"))
    names = [name for one in peer.take() for name in one.names]
    assert "HEARTBEAT ACK" in names
    assert "ERROR" not in names
    assert peer.read() == [b"behind"]


def test_a_packet_may_contain_many_pad_chunks() -> None:
    """Section 3: "An SCTP packet MAY contain multiple PAD chunks". Thousands draw no answer."""
    peer = Peer()
    peer.deliver(chunk(CHUNK_PAD, 0, b"") * 10_000, control.heartbeat(b"info"))
    assert [one.names for one in peer.take()] == [["HEARTBEAT ACK"]]
    assert peer.association.state == ESTABLISHED


@pytest.mark.parametrize("size", [32, 36, 1000, 1460, 65492])
def test_a_probe_has_the_size_that_is_asked_for(size: int) -> None:
    made = control.probe(b"n" * 12, size)
    assert len(made) == size
    assert control.is_probe(made)


@pytest.mark.parametrize("others", [b"", control.cookie_ack(), control.heartbeat(b"x")])
def test_a_heartbeat_without_a_pad_chunk_is_no_probe(others: bytes) -> None:
    assert not control.is_probe(control.heartbeat(b"info") + others)
    assert not control.is_probe(control.cookie_ack() + chunk(CHUNK_PAD, 0, bytes(8)))


def init_ack_to(padding: int) -> bytes:
    """The INIT ACK for an INIT with so many bytes in a padding parameter; below 0 without one."""
    stack = Stack(seeded_bytes(3), 10**18)
    stack.open_endpoint(5000, (OURS,)).listen()
    init = Setup(77, 65536, 5, 5, 1).encode()
    if padding >= 0:
        value = init[4:] + join([(PARAM_PAD, bytes(padding))])
        init = chunk(init[0], 0, value)
    stack.receive(10**18, OURS, THEIRS, 9899, finish_packet(prefix(6000, 5000, 0), init), 1 << 16)
    transmit = stack.poll_transmit(10**18)
    assert transmit is not None
    [(_, _, answer)] = chunks(transmit.data)
    return answer


@pytest.mark.parametrize("padding", [0, 1, 4, 1000])
def test_the_padding_parameter_of_an_init_is_silently_discarded(padding: int) -> None:
    """Section 4: "the size of the generated COOKIE parameter in the INIT-ACK MUST NOT depend on the existence"."""
    assert len(init_ack_to(padding)) == len(init_ack_to(-1))
