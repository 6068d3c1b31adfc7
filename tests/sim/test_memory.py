"""What buffers take of memory follows from their sizes, whatever the messages in them are: docs/security.md."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Final

import pytest

from sctpx.core.rx.window import MEMORY
from sctpx.wire.codes import CHUNK_I_DATA
from tests.conformance.peer import Peer
from tests.sweeps import some

SEND_BUFFER: Final = 1 << 17
RECEIVE_BUFFER: Final = 1 << 15
OTHER: Final = 1 << 13
"""Bytes for all else that an association has meanwhile."""


def grown(call: Callable[[], object]) -> int:
    """By how many bytes the memory grows that objects take."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


def fill(peer: Peer, size: int) -> None:
    """Send messages of this size until the buffer is full; with a context, as sockets do."""
    number = 0
    while peer.association.send_space > 0:
        number += 1
        peer.association.send(peer.now, bytes([number % 256]) * size, number % 10, 70_000 + number, context=number)


@pytest.mark.parametrize("size", [1, 2, 30, 100, 1000, 5000, 100_000])
def test_a_full_send_buffer_takes_no_more_than_its_size(size: int) -> None:
    peer = Peer(send_buffer=SEND_BUFFER)
    assert grown(lambda: fill(peer, size)) <= SEND_BUFFER + size + OTHER


@pytest.mark.parametrize("loss_recovery", ["rack", "rfc9260"])
@pytest.mark.parametrize("size", some([1, 30, 5000], [2, 100, 1000]))
def test_what_is_in_flight_takes_no_more_and_what_is_lost_no_more_than_twice_that(
    size: int, loss_recovery: str
) -> None:
    peer = Peer(send_buffer=SEND_BUFFER, max_burst=1 << 16, a_rwnd=1 << 30, loss_recovery=loss_recovery)
    peer.grow(1 << 19)
    peer.take()
    outstanding = peer.association.tcb.outstanding

    def send() -> None:
        fill(peer, size)
        while peer.stack.poll_transmit(peer.now) is not None:
            pass

    in_flight = grown(send)
    assert outstanding.flight_chunks > 0
    assert in_flight <= SEND_BUFFER + size + OTHER

    def lose() -> None:
        outstanding.mark_all()
        while outstanding.marked_chunks:
            outstanding.retransmit(peer.path(), 1400)

    assert in_flight + grown(lose) <= 2 * (SEND_BUFFER + size + OTHER)


RECEIVED: Final[dict[str, Callable[[Peer, int, int], bytes]]] = {
    "messages to be read": lambda peer, number, size: peer.data(number + 1, size, ssn=number, ppid=70_000 + number),
    "messages ahead of their turn": lambda peer, number, size: peer.data(number + 1, size, ssn=number + 1),
    "messages behind a hole": lambda peer, number, size: peer.data(number + 2, size, flags=3, ssn=number + 1),
    "messages between holes": lambda peer, number, size: peer.data(2 * number + 2, size, ssn=number + 1),
    "unfinished messages": lambda peer, number, size: peer.data(number + 2, size, flags=1 + number % 2 * 2, ssn=number),
    "beginnings": lambda peer, number, size: peer.data(3 * number + 2, size, flags=2, ssn=number),
    "one message from its end": lambda peer, number, size: peer.data(60_000 - number, size, flags=0, ssn=0),
    "one message from its beginning": lambda peer, number, size: peer.data(
        number + 1, size, flags=0 if number else 2, ssn=0
    ),
    "I-DATA to be read": lambda peer, number, size: peer.i_data(number + 1, size, mid=number),
    "I-DATA ahead of its turn": lambda peer, number, size: peer.i_data(number + 1, size, mid=number + 1),
    "I-DATA beginnings": lambda peer, number, size: peer.i_data(number + 1, size, flags=2, mid=number),
    "I-DATA beginnings, unordered": lambda peer, number, size: peer.i_data(
        number + 1, size, flags=6, stream=number % 10, mid=number
    ),
    "I-DATA ends": lambda peer, number, size: peer.i_data(number + 1, size, flags=1, mid=number, last=5),
    "I-DATA from its end": lambda peer, number, size: peer.i_data(
        number + 1, size, flags=0, mid=0, last=60_000 - number
    ),
    "I-DATA from its beginning": lambda peer, number, size: peer.i_data(
        number + 1, size, flags=0 if number else 2, mid=0, last=number
    ),
    "other fragments only": lambda peer, number, size: peer.data(2 * number + 2, size, flags=0, ssn=0),
}


INCOMPLETE: Final = [name for name in RECEIVED if name.startswith("I-DATA") and name != "I-DATA to be read"]
"""What may complete something, as far as TSNs tell."""


@pytest.mark.parametrize("size", some([1], [200]))
@pytest.mark.parametrize("name", RECEIVED)
def test_what_was_received_takes_no_more_than_was_promised(name: str, size: int) -> None:
    """The peer sends twice as much as the receiver has room for."""
    interleaving = name.startswith("I-DATA")
    extensions = [CHUNK_I_DATA] if interleaving else []
    first, peer = [
        Peer(receive_buffer=RECEIVE_BUFFER, interleaving=interleaving, extensions=extensions) for _ in range(2)
    ]
    count = 2 * MEMORY * RECEIVE_BUFFER // (256 + size)
    packets = [peer.packet(RECEIVED[name](peer, number, size)) for number in range(min(count, 30_000))]

    def receive(peer: Peer) -> None:
        for packet in packets:
            peer.stack.receive(peer.now, b"\n\0\1\1", b"\n\0\1\2", 9899, packet, len(packet))
            while peer.stack.poll_transmit(peer.now) is not None:
                pass

    receive(first)  # What is kept for all associations is there now.
    # What may complete something is taken beyond that, as much again.
    times = 2 if name in ("messages ahead of their turn", *INCOMPLETE) else 1
    assert grown(lambda: receive(peer)) <= times * MEMORY * RECEIVE_BUFFER * 1.05 + OTHER
    assert not peer.association.ended
