"""Explicit Congestion Notification (RFC 3168; RFC 4960 appendix A): routers mark packets instead of dropping them.

New data leaves with ECT(0), which ``outbound`` sets. The receiver of a packet marked CE says so by an ECNE with the
packet's lowest TSN, beside each SACK until a CWR comes: the sender has reduced the congestion window of the path on
which that TSN was sent. A window is reduced once for all that was in flight when that happened, whether marks or losses
tell of it (``Path.congestion_answered``). Each ECNE is answered by a CWR, since the one before may be lost.

What the receiver hears of each path until its CWR comes says nothing new: the packets were sent before the window was
reduced.
"""

from __future__ import annotations

from typing import final

from ...wire import control
from ...wire.codes import CHUNK_HEADER, COMMON_HEADER
from ...wire.serial import extend_tsn
from .. import extension
from ..association.tcb import Tcb
from ..extension import Extension
from ..path.path import Path


@final
class Ecn(Extension):
    """What one association has heard of congestion on the way to us, and has not been answered yet."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        self._sacks_told = 0  # How many SACKs had been made when the last ECNEs were left.
        self.unanswered: list[tuple[Path, int]] = []
        """For each path that marked packets came from: the lowest TSN of the first one since the last CWR."""

    def on_new_peer_tsns(self) -> None:
        """No CWR will answer for the old TSNs."""
        self.unanswered = []

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """The peer has no window for it any more."""
        self.unanswered = [(known, lowest) for known, lowest in self.unanswered if known is not path]

    def before_sending(self, now: int) -> None:
        """For each SACK, or some that leave together, an ECNE: before them, or behind one that data has taken along."""
        tcb = self._tcb
        if not self.unanswered or tcb.stats.sacks_sent == self._sacks_told:
            return
        self._sacks_told = tcb.stats.sacks_sent
        path = tcb.sack_path
        if path is None or not path.confirmed:
            path = tcb.data_destination()
        local = tcb.sack_local if path is tcb.sack_path and path.local else b""
        for _, lowest in self.unanswered:
            tcb.send_control(path, control.ecne(lowest), local)
            tcb.stats.ecnes_sent += 1


def _of(tcb: Tcb) -> Ecn | None:
    return extension.find(tcb.extensions, Ecn)


def lowest_new_tsn(tcb: Tcb, data: bytes, offset: int, segment: int) -> int:
    """The lowest TSN of the first packet from ``offset`` on that has user data which is new; -1 for none.

    RFC 3168 section 6.1.5 has marks of other packets ignored: whoever knew no TSN could forge them. Nothing is verified
    yet.
    """
    framing = tcb.framing
    for start in range(offset, len(data), segment):
        if data[start : start + 8] != tcb.peer_prefix:
            break  # Another association's.
        stop = min(start + segment, len(data))
        position = start + COMMON_HEADER
        lowest = -1
        while stop - position >= framing.header:
            length = data[position + 2] << 8 | data[position + 3]
            if data[position] == framing.kind:
                tsn = extend_tsn(int.from_bytes(data[position + 4 : position + 8], "big"), tcb.tsn_map.cumulative_tsn)
                if tcb.tsn_map.is_new(tsn) and (lowest < 0 or tsn < lowest):
                    lowest = tsn
            position += max(length + 3 & ~3, CHUNK_HEADER)
        if lowest >= 0:
            return lowest
    return -1


def on_marked(tcb: Tcb, path: Path, lowest: int, packets: int) -> None:
    """So many packets came from ``path`` marked CE; ``lowest`` was their ``lowest_new_tsn`` before they were taken."""
    ecn = _of(tcb)
    if ecn is None or lowest < 0 or tcb.tsn_map.is_new(lowest):
        return  # It was not taken: it was not intact, or there was no room.
    tcb.stats.ce_packets_received += packets
    if path not in [known for known, _ in ecn.unanswered]:
        ecn.unanswered.append((path, lowest))


def handle_cwr(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """CWR: the peer has reduced the congestion window."""
    tsn = extend_tsn(control.parse_lowest_tsn(value), tcb.tsn_map.cumulative_tsn)
    tcb.stats.cwrs_received += 1
    ecn = _of(tcb)
    if ecn is not None:
        ecn.unanswered = [(known, lowest) for known, lowest in ecn.unanswered if lowest > tsn]
    return True


def handle_ecne(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ECNE: data of ours met congestion."""
    outstanding = tcb.outstanding
    tsn = extend_tsn(control.parse_lowest_tsn(value), outstanding.cumulative_tsn_ack_point)
    if not outstanding.first_tsn <= tsn < outstanding.next_tsn:
        tcb.stats.packets_discarded += 1  # It was never sent.
        return True
    tcb.stats.ecnes_received += 1
    # If it is acknowledged already, the ECNEs before were lost: data went where it goes now, if nothing has failed.
    congested = outstanding.first_path(tsn) or tcb.data_path or tcb.data_destination()
    if tsn > congested.congestion_answered:
        if congested.controller.one_packet and congested.flight_size:
            # "MUST reset the retransmit timer [...] when the congestion window is one" (RFC 3168 section 6.1.2)
            congested.t3_deadline = now + congested.rto
        congested.controller.on_ecn()
        congested.congestion_answered = outstanding.next_tsn - 1
        tcb.stats.ecn_reductions += 1
    tcb.respond(control.cwr(tsn))
    return True
