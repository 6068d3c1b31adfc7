"""A peer that keeps a part of its window open and says nothing: it delivers a large message when its buffer is full.

Linux is such a peer. It delivers nothing of a message that is not complete before a chunk comes for which it has hardly
room. Then it delivers all that is there, and all that follows of the message. A sender that waits for more of the
window waits for nothing.
"""

from __future__ import annotations

from typing import Final

import pytest

from sctpx.wire.codes import DATA_BEGIN, DATA_END, DATA_IMMEDIATE
from tests.conformance.peer import Peer

RTT: Final = 0.001
DELAY: Final = 0.2
"""How long the receiver waits for a second packet before it acknowledges the first."""


class Receiver:
    """What the other side does with data."""

    def __init__(self, peer: Peer, buffer: int) -> None:
        self.peer = peer
        self.buffer = buffer
        self.told = buffer
        """The window that the sender was told."""
        self.held = 0
        self.delivering = False
        self.ends = 0
        """Messages received."""
        self.tsn = peer.last_tsn
        self.packets = 0
        """Packets received and not acknowledged."""

    @property
    def a_rwnd(self) -> int:
        return max(self.buffer - self.held, 0)

    def take(self) -> int:
        """All that has arrived by now; how many packets that was."""
        packets = self.peer.take()
        asked = False
        for packet in packets:
            self.packets += 1
            for one in packet.data:
                if one.tsn != self.tsn + 1:
                    continue
                asked = asked or bool(one.flags & DATA_IMMEDIATE)
                tight = len(one.data) >= self.a_rwnd
                self.delivering = self.delivering or tight or bool(one.flags & DATA_BEGIN and one.flags & DATA_END)
                if not self.a_rwnd:
                    continue
                self.tsn = one.tsn
                self.held += len(one.data)
                if one.flags & DATA_END:
                    self.ends += 1
                    self.delivering = True
                if self.delivering:
                    self.held = 0
                if one.flags & DATA_END:
                    self.delivering = False
        if asked or self.packets >= 2 or self.a_rwnd - self.told > self.buffer // 16:
            self.acknowledge()
        return len(packets)

    def acknowledge(self) -> None:
        self.packets = 0
        self.told = self.a_rwnd
        self.peer.advance(RTT)
        self.peer.sack(self.tsn, a_rwnd=self.told)


def transfer(buffer: int, size: int, count: int) -> float:
    """Seconds that so many messages take."""
    peer = Peer(a_rwnd=buffer, rtt=RTT, send_buffer=1 << 30)
    receiver = Receiver(peer, buffer)
    peer.send(*[size] * count)
    while receiver.ends < count:
        assert peer.elapsed < 200
        if not receiver.take():
            if receiver.packets:
                peer.advance(DELAY)
                receiver.acknowledge()
            else:
                peer.advance(0.01)
    return peer.elapsed


@pytest.mark.parametrize("buffer", [20_000, 64_300, 262_144])
@pytest.mark.parametrize("size", [100_000, 300_000])
def test_a_peer_that_delivers_when_its_window_is_full_gets_large_messages_without_a_pause(
    buffer: int, size: int
) -> None:
    assert transfer(buffer, size, 6) < 0.9  # Less than one RTO.
