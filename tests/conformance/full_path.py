"""A path that is kept full by an association of ``peer``, for tests of congestion control."""

from __future__ import annotations

from typing import Any, final

from tests.conformance.peer import FULL, PMDCS, Peer

UNLIMITED = 1 << 31
"""ssthresh while no slow start has ended."""


@final
class FullPath:
    """The path is acknowledged a round trip later, with a SACK for every second packet."""

    def __init__(self, congestion: str = "cubic", **how: Any) -> None:
        self.peer = Peer(congestion=congestion, max_burst=1000, a_rwnd=1 << 27, send_buffer=1 << 27, **how)
        self.acknowledged = 0
        """The peer has acknowledged so many packets."""

    @property
    def cwnd(self) -> float:
        """Packets."""
        return self.peer.path().cwnd / PMDCS

    @property
    def ssthresh(self) -> float:
        """Packets."""
        return self.peer.path().ssthresh / PMDCS

    @property
    def in_first_slow_start(self) -> bool:
        """Whether no slow start has ended."""
        return self.peer.path().ssthresh == UNLIMITED

    def grow(self, packets: int) -> None:
        """Have the window grow to so many packets; nothing is in flight then."""
        self.acknowledged = self.peer.grow(packets * PMDCS)

    def round(self, rtt: float) -> float:
        """What is in flight is acknowledged, so long after the round before; the growth of the window."""
        peer = self.peer
        before = self.cwnd
        peer.send(*[FULL] * (4 * peer.path().cwnd // PMDCS))
        last = peer.last_tsn
        peer.advance(rtt)
        while self.acknowledged < last:
            self.acknowledged = min(self.acknowledged + 2, last)
            peer.sack(self.acknowledged)
        peer.take()
        return self.cwnd / before

    def lose_one(self) -> None:
        """The first of ten packets more is lost, and nothing is outstanding in the end."""
        first = self.peer.last_tsn + 1
        self.peer.send(*[FULL] * 10)
        for last in (1, 2, 3):
            self.peer.sack(first - 1, (first + 1, first + last))
        self.finish()

    def time_out(self) -> None:
        """A packet is lost with nothing behind it; nothing is outstanding in the end, and the window is one packet."""
        self.peer.send(10)
        self.peer.advance(self.peer.t3())
        assert self.cwnd == 1
        self.peer.path().controller.on_sent(self.peer.now, 0)
        self.finish()

    def finish(self) -> None:
        """Acknowledge everything."""
        while not self.peer.association.tcb.outstanding.empty:
            self.peer.sack(self.peer.last_tsn)
        self.acknowledged = self.peer.last_tsn
        self.peer.take()
