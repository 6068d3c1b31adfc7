"""Partial reliability: messages that may be given up (RFC 3758, RFC 7496, RFC 8260 section 2.3.1).

Sender: when a message is abandoned, all of its chunks are, sent or not. The peer is told by FORWARD-TSN to skip those
that have a TSN (``_forward``); a message of which nothing was sent is taken from the queue, and costs nothing. When:

    timed            the lifetime is over, and something of the message would have to be sent, or sent again
    retransmissions  a chunk would be sent again once too often
    priority         the send buffer is full, something more important comes, and the message is not in flight

Receiver: ``handle_forward_tsn``.

An association has the object once it was given its first message with a policy, and not before: what was agreed on but
is not used costs nothing. Without an agreement, only messages of which nothing was sent are abandoned.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, final

from ...wire import causes, forward
from ...wire.codes import COMMON_HEADER, DATA_END, DATA_UNORDERED
from ...wire.serial import TSN_MASK, extend_tsn
from .. import extension
from ..association import reader, recovery, shutdown, transfer
from ..association.state import CLOSED
from ..association.tcb import Tcb
from ..capabilities import INTERLEAVED_PARTIAL_RELIABILITY, PARTIAL_RELIABILITY
from ..events import Abandoned
from ..extension import Extension
from ..overhead import MESSAGE
from ..path.path import Path
from ..timers import NEVER
from ..tx.batch import Batch
from ..tx.out_message import OutMessage
from ..tx.reliability import PRIORITY, RETRANSMISSIONS, TIMED, Reliability
from ..tx.spans import Spans

RELIABLE_FIRST: Final = -1
"""The priority of messages without one: higher than all (RFC 7496 section 3.2)."""
# "Any delay applied to the sending of FORWARD TSN chunk [...] MUST NOT exceed 500ms" (RFC 3758 section 3.5, F3).
_MOST_DELAY: Final = 500_000_000
# A lifetime of 0 is now or never, and this is how long "now" takes, ns.
_LEAST: Final = 1_000_000
# So many entries of messages that are over may lie in a heap beside as many that are not.
_SLACK: Final = 64

_Entry = tuple[int, int, OutMessage]
"""(what it is sorted by, order, message)."""


def agreed(tcb: Tcb) -> bool:
    """Whether both sides can skip what is abandoned, in the chunks that they use."""
    bit = INTERLEAVED_PARTIAL_RELIABILITY if tcb.framing.interleaves else PARTIAL_RELIABILITY
    return tcb.capabilities & bit != 0


def find(tcb: Tcb) -> PartialReliability | None:
    """The object of this association, if it has one."""
    return extension.find(tcb.extensions, PartialReliability)


def handle_forward_tsn(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """FORWARD-TSN (RFC 3758 section 3.6)."""
    return _handle(tcb, value, False)


def handle_i_forward_tsn(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """I-FORWARD-TSN (RFC 8260 section 2.3.1)."""
    return _handle(tcb, value, True)


def handle_misused(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """FORWARD-TSN beside I-DATA, or I-FORWARD-TSN that was not agreed on (RFC 8260 section 2.3.1)."""
    # "the receiver of the FORWARD-TSN chunk MUST abort the association by sending an ABORT chunk"
    shutdown.abort(tcb, [causes.protocol_violation("of FORWARD-TSN and I-FORWARD-TSN, the one that was not agreed on")])
    return False


def _handle(tcb: Tcb, value: bytes, interleaves: bool) -> bool:
    if tcb.answering.verdict >= 0:
        tcb.stats.packets_discarded += 1  # The second one of a packet: the first could have said it all.
        return True
    wire_tsn, named = forward.parse(interleaves, value)
    tcb.stats.forward_tsns_received += 1
    skipped = [one for one in named if one[0] < tcb.inbound_streams]
    tcb.stats.invalid_streams += len(named) - len(skipped)
    tsn = extend_tsn(wire_tsn, tcb.tsn_map.cumulative_tsn)
    former = tcb.peer_former_tsn
    if former >= 0 and 0 <= former - extend_tsn(wire_tsn, former) <= transfer.LATE:
        tcb.stats.packets_discarded += 1  # It is late: from before the peer's TSNs were reset (RFC 6525).
        return True
    whole = True
    if tcb.deferred is not None and tsn > tcb.deferred.last_tsn:
        # Behind a reset (RFC 6525), what it means is not known yet. The peer says it again.
        tsn = tcb.deferred.last_tsn
        whole = False
    # "for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been received"
    tcb.answering.verdict = 0
    if tsn <= tcb.tsn_map.cumulative_tsn:
        # Out of date: "such a duplicate may indicate the previous SACK was lost in the network".
        tcb.answering.verdict = 1
        if not whole or not tcb.reassembly.gives_up(tsn, skipped):
            return True
        # All that was sent of a message has come, and the peer gives it up before it has sent the rest, as Linux does.
        return _skip(tcb, tcb.tsn_map.cumulative_tsn, skipped, True)
    if tcb.tsn_map.ranges:
        tcb.sack_policy.on_disturbance()
        tcb.answering.verdict = 1
    return _skip(tcb, tsn, skipped, whole)


def _skip(tcb: Tcb, tsn: int, skipped: list[forward.Skipped], whole: bool) -> bool:
    """The peer gives up what is missing up to ``tsn`` (section 3.6). False: the association was aborted."""
    streams = tcb.reassembly
    tsn_map = tcb.tsn_map
    ready = len(streams.ready)
    tsn_map.forward(tsn)
    dropped, broken = streams.skip(tsn, skipped, whole)
    reader.tell_broken(tcb, broken, ready)
    violation = streams.advance(tsn_map.cumulative_tsn)
    reader.count(tcb, ready)
    if violation:
        shutdown.abort(tcb, [causes.protocol_violation(violation)])
        return False
    tcb.window.release(dropped)
    return True


@final
class PartialReliability(Extension):
    """What one association has promised of its messages."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        self._agreed = agreed(tcb)
        self._order = 0
        self._living = 0  # Messages that are not over.
        self._lifetimes: list[_Entry] = []  # A heap by deadline; of some the message is over.
        self._priorities: list[_Entry] = []  # A heap, the lowest priority first; the same.
        self._marked = tcb.outstanding.watch()
        self._abandoned: dict[tuple[int, int], list[int]] = {}  # By stream and policy: unsent, sent.
        # What FORWARD-TSN says:
        self._named: dict[tuple[int, bool], tuple[int, int]] = {}  # By stream and U bit: number, last TSN.
        self._read_to = tcb.outstanding.advanced_peer_ack_point  # ``_named`` has all up to this TSN.
        self._told = self._read_to
        self._told_at = 0
        self._sacks = 0  # How many SACKs had come then, and how often T3-rtx had expired.
        self._timeouts = 0
        self._timed: Path | None = None  # Where T3-rtx was started for it.

    def counts(self, stream: int, policy: int) -> tuple[int, int]:
        """Messages abandoned before, and after, a part of them was sent: of a stream and policy, or all if below 0."""
        unsent = sent = 0
        for (its_stream, its_policy), counted in self._abandoned.items():
            if stream in (-1, its_stream) and policy in (-1, its_policy):
                unsent += counted[0]
                sent += counted[1]
        return unsent, sent

    # --- messages come ---

    def promise(self, now: int, policy: int, value: int) -> Reliability:
        """What a message with this policy carries. ``accept`` has to follow."""
        self._order += 1
        return Reliability(policy, value, now + max(value, _LEAST) if policy == TIMED else NEVER, self._order)

    def accept(self, message: OutMessage, reliability: Reliability) -> None:
        """The message has joined the queue."""
        self._living += 1
        if reliability.policy == TIMED:
            self._push(self._lifetimes, reliability.deadline, message, reliability)
            self._set_deadline()
        elif reliability.policy == PRIORITY:
            self._push(self._priorities, -reliability.value, message, reliability)

    def _push(self, heap: list[_Entry], key: int, message: OutMessage, reliability: Reliability) -> None:
        heappush(heap, (key, reliability.order, message))
        if len(heap) > 2 * self._living + _SLACK:
            heap[:] = list({entry[1]: entry for entry in heap if not _is_over(entry[2])}.values())
            heapify(heap)

    def make_room(self, now: int, priority: int) -> bool:
        """The send buffer is full: abandon what is less important than ``priority``, the least important first.

        What is in flight stays, for it has probably arrived. Returns whether there is room now.
        """
        tcb = self._tcb
        heap = self._priorities
        freed = 0
        while heap and tcb.buffered - freed >= tcb.rules.send_buffer and -heap[0][0] > priority:
            message = heappop(heap)[2]
            reliability = message.reliability
            if reliability is not None and not reliability.over and self._waits(message, reliability):
                freed += self._abandon(message, reliability)
        if freed:
            transfer.settle(tcb, now, freed)
        return freed > 0 and tcb.buffered < tcb.rules.send_buffer

    def _waits(self, message: OutMessage, reliability: Reliability) -> bool:
        """Whether something of the message would still have to be sent, or sent again, and it can be abandoned."""
        if not reliability.tsns:
            return True
        return self._agreed and (not message.is_cut or self._has_marked(reliability))

    def _has_marked(self, reliability: Reliability) -> bool:
        special = self._tcb.outstanding.special
        for start, end in reliability.tsns:
            for tsn in range(start, end):
                entry = special.get(tsn)
                if entry is not None and entry.marked:
                    return True
        return False

    # --- time passes, packets come ---

    def handle_timeout(self, now: int) -> None:
        """A lifetime is over."""
        self._decide(now)

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: no chunk of a message that is to be abandoned may be in them (section 4.1)."""
        self._decide(now)
        if self._agreed and self._tcb.state != CLOSED:
            self._forward(now)

    def _decide(self, now: int) -> None:
        tcb = self._tcb
        spans = tcb.send_queue.spans
        if spans is None:
            return
        self._forget(spans, tcb.outstanding.cumulative_tsn_ack_point)
        freed = self._expire(now)
        if self._marked:
            marked = self._marked[:]
            self._marked.clear()
            for tsn in marked:
                lost = spans.find(tsn)
                if lost is not None and lost.reliability is not None:
                    freed += self._judge(now, tsn, lost, lost.reliability)
        if freed:
            transfer.settle(tcb, now, freed)
        self._set_deadline()

    def _forget(self, spans: Spans, cumulative_tsn: int) -> None:
        """All up to this TSN was acknowledged for good."""
        for message in spans.forget(cumulative_tsn):
            if message.reliability is not None and not message.reliability.over:
                message.reliability.over = True
                self._living -= 1

    def on_new_tsns(self) -> None:
        """All from before is acknowledged."""
        outstanding = self._tcb.outstanding
        if self._tcb.send_queue.spans is not None:
            self._forget(self._tcb.send_queue.spans, NEVER - 1)
        self._marked = outstanding.watch()
        self._named.clear()
        self._read_to = self._told = outstanding.advanced_peer_ack_point

    def _expire(self, now: int) -> int:
        """Abandon what is too old. Returns what that frees of the send buffer."""
        freed = 0
        heap = self._lifetimes
        while heap and (heap[0][0] < now or _is_over(heap[0][2])):
            message = heappop(heap)[2]
            reliability = message.reliability
            if reliability is not None and not reliability.over and self._waits(message, reliability):
                freed += self._abandon(message, reliability)
        return freed

    def _judge(self, now: int, tsn: int, message: OutMessage, reliability: Reliability) -> int:
        """A chunk of this message would be retransmitted. Returns what is freed of the send buffer."""
        entry = self._tcb.outstanding.special.get(tsn)
        if entry is None or not entry.marked or reliability.over or not self._agreed:
            return 0
        if reliability.policy == PRIORITY:
            self._push(self._priorities, -reliability.value, message, reliability)  # It may make room again.
        if reliability.deadline < now or (
            reliability.policy == RETRANSMISSIONS and entry.retransmissions >= reliability.value
        ):
            return self._abandon(message, reliability)
        return 0

    def _set_deadline(self) -> None:
        heap = self._lifetimes
        self.deadline = heap[0][0] + 1 if heap else NEVER

    # --- abandoning ---

    def _abandon(self, message: OutMessage, reliability: Reliability) -> int:
        """Give a message up, with all its chunks (section 3.5, A3). Returns what that frees of the send buffer."""
        tcb = self._tcb
        reliability.over = True
        self._living -= 1
        unordered = message.flags & DATA_UNORDERED
        parts: list[bytes] = []
        freed = 0
        sent = bool(reliability.tsns)
        before = tcb.outstanding.flight_payload
        whole = not sent or reliability.tsns[0][0] > tcb.outstanding.cumulative_tsn_ack_point
        for start, end in reliability.tsns:
            for tsn in range(max(start, tcb.outstanding.cumulative_tsn_ack_point + 1), end):
                chunk = tcb.outstanding.find_chunk(tsn)
                _, flags, length, _, _, _, _ = tcb.framing.unpack(chunk, 0)
                if tcb.outstanding.has_arrived(tsn):
                    whole = False
                else:
                    parts.append(chunk[tcb.framing.header : length])
                freed += tcb.outstanding.abandon(tsn, length - tcb.framing.header, flags & DATA_END != 0)
        tcb.peer_rwnd += before - tcb.outstanding.flight_payload
        if not message.is_cut:
            rest = message.data[message.offset :]
            parts.append(rest)
            tcb.send_queue.remove(message)
            message.data = b""
            message.offset = 0
            freed += len(rest) + MESSAGE
            if sent:
                self._end_early(message)
        told = b"".join(parts), message.stream, message.ppid, sent, unordered != 0, message.context, whole
        tcb.events.append(Abandoned(tcb.association, told))
        counted = self._abandoned.setdefault((message.stream, reliability.policy), [0, 0])
        counted[1 if sent else 0] += 1
        if sent:
            tcb.stats.messages_abandoned_sent += 1
        else:
            tcb.stats.messages_abandoned_unsent += 1
        return freed

    def _end_early(self, message: OutMessage) -> None:
        """Let the message have an end: a last chunk, which is not sent.

        All that was sent of the message may have arrived. Without a TSN to skip, the peer could not be told that there
        will be no more, and would find the next message within this one.
        """
        tcb = self._tcb
        framing = tcb.framing
        flags = message.flags & DATA_UNORDERED | DATA_END
        last = message.fragment if framing.interleaves else message.ppid
        tsn = tcb.outstanding.next_tsn
        header = framing.layout.pack(
            framing.kind, flags, framing.header, tsn & TSN_MASK, message.stream, message.number, last
        )
        batch = Batch(tsn, tcb.data_path or tcb.data_destination())
        batch.sizes.append(len(header))
        batch.finish(bytes(COMMON_HEADER) + header, COMMON_HEADER + len(header))
        tcb.outstanding.sent(batch)
        tcb.outstanding.abandon(tsn, 0, False)
        if tcb.send_queue.spans is not None:
            tcb.send_queue.spans.add(tsn, 1, message)

    # --- telling the peer ---

    def _forward(self, now: int) -> None:
        """Have the peer skip what was abandoned (section 3.5, C3 to C5), if it does not know yet.

        It is said again one round trip later, if a SACK shows then that it did not arrive, and when T3-rtx expires.
        """
        tcb = self._tcb
        if tcb.outstanding.advance_peer_ack_point() <= tcb.outstanding.cumulative_tsn_ack_point:
            self._stop_t3()
            return
        path = tcb.data_destination()
        point = self._read_on(path)
        timeouts = tcb.stats.t3_timeouts
        sacks = tcb.stats.sacks_received
        patience = min(path.srtt + 4 * path.rttvar, _MOST_DELAY)
        again = timeouts != self._timeouts or (sacks != self._sacks and now - self._told_at >= patience)
        if (point > self._told or again) and path.confirmed:
            self._told = point
            self._told_at = now
            self._sacks = sacks
            self._timeouts = timeouts
            skipped = [(stream, number, unordered) for (stream, unordered), (number, _) in self._named.items()]
            tcb.send_control(path, forward.encode(tcb.framing.interleaves, point, skipped))
            tcb.stats.forward_tsns_sent += 1
        for other in tcb.paths:
            if other.t3_deadline != NEVER:
                return
        recovery.start_t3(path, now)  # C5
        self._timed = path

    def _stop_t3(self) -> None:
        """The peer has confirmed it: what is sent next begins with a timer of its own (RFC 9260 section 6.3.2 R2)."""
        path, self._timed = self._timed, None
        if path is not None and path.flight_size == 0:
            path.t3_deadline = NEVER

    def _read_on(self, path: Path) -> int:
        """Note which streams have messages up to the Advanced.Peer.Ack.Point; the point.

        It is lowered if the chunk would name too many streams for a packet (C4).
        """
        outstanding = self._tcb.outstanding
        interleaves = self._tcb.framing.interleaves
        cumulative = outstanding.cumulative_tsn_ack_point
        self._named = {key: named for key, named in self._named.items() if named[1] > cumulative}
        most = forward.most_streams(interleaves, path.mtu - self._tcb.seal.overhead - COMMON_HEADER)
        spans = self._tcb.send_queue.spans
        for tsn in range(max(self._read_to, cumulative) + 1, outstanding.advanced_peer_ack_point + 1):
            message = None if spans is None else spans.find(tsn)
            assert message is not None  # It was abandoned, so it has a policy.
            unordered = message.flags & DATA_UNORDERED != 0
            if interleaves or not unordered:
                key = message.stream, unordered
                if key not in self._named and len(self._named) >= most:
                    outstanding.advanced_peer_ack_point = tsn - 1
                    break
                self._named[key] = message.number, tsn
            self._read_to = tsn
        return outstanding.advanced_peer_ack_point


def _is_over(message: OutMessage) -> bool:
    return message.reliability is None or message.reliability.over
