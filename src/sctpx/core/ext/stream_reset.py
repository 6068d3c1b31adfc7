"""Stream reconfiguration (RFC 6525): both sides reset streams and TSNs, and add streams, while the association lives.

What we ask the peer for, and its responses, are in ``own_requests`` (sections 5.1 and 5.2.7); what the peer asks us for
is here (sections 5.2.1 to 5.2.6).

Each request of the peer has a number, and what was answered to the last RE-CONFIG chunk is kept: if the peer sends that
chunk again, the answer is the same, or how it went since. Between two packets that leave, one chunk with new
requests counts: an honest peer waits for an answer before it asks for more.

A reset for which data from before it is still missing is answered "In progress", and "Performed" when that data is
there (``Pending``, ``Tcb.deferred``).

An association has the object from the first request on, of either side: before, the extension costs nothing.
"""

from __future__ import annotations

from errno import EOPNOTSUPP
from typing import Final, final

from ...wire import causes
from ...wire import reconfig as wire
from ...wire.codes import (
    COMMON_HEADER,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_TSN_RESET,
)
from ...wire.reconfig import Parameter
from ...wire.serial import TSN_MASK, extend_tsn
from .. import extension
from ..association import renumbering, shutdown, transfer
from ..association.state import CLOSED, ESTABLISHED, SHUTDOWN_PENDING
from ..association.tcb import Tcb
from ..capabilities import RECONFIGURATION
from ..events import RECONFIG_DONE, AssociationReset, StreamsAdded, StreamsReset
from ..extension import Extension
from ..path.path import Path
from ..rx.deferred import Deferred
from .own_requests import MAY_ASK, SUCCESS, OwnRequests
from .requests import MAX_STREAMS, Answer, Pending, Request

_HALF: Final = 1 << 31
# Bytes of the responses that may be in front of a request.
_TWO_RESPONSES: Final = 24


@final
class StreamReset(Extension):
    """RFC 6525 in one association."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        self.own = OwnRequests(tcb, self)
        """What we ask the peer for; its timer is that of this extension."""
        self._answers: list[Answer] = []  # To the last chunk with requests.
        self._pending: Pending | None = None
        self._asked = False  # A chunk with new requests has come since the last packets left.

    def handle_timeout(self, now: int) -> None:
        """The Re-configuration Timer expired."""
        self.own.handle_timeout(now)

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """A request that went there is repeated on another path."""
        self.own.on_path_removed(path, heir)

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: is something ready that had to wait?"""
        self._asked = False
        pending = self._pending
        if pending is not None and self._tcb.tsn_map.cumulative_tsn >= pending.last_tsn:
            self._finish_pending(pending)
        self.own.before_sending(now)

    def handle_chunk(self, now: int, value: bytes) -> None:
        """RE-CONFIG came (section 5.2.1). ParseError if it is malformed."""
        tcb = self._tcb
        parameters, unrecognized = wire.parse(value)
        if unrecognized:
            transfer.respond_error(tcb, [causes.unrecognized_parameters(unrecognized)])
        if not parameters and value:
            return
        if not wire.may_be_together(parameters):
            # Section 3.1: "the receiver SHOULD send an ERROR chunk with a Protocol Violation cause"
            tcb.stats.packets_discarded += 1
            transfer.respond_error(tcb, [causes.protocol_violation("RE-CONFIG parameters that cannot be together")])
            return
        requests: list[Parameter] = []
        for one in parameters:
            if one.kind == PARAM_RECONFIG_RESPONSE:
                self.own.handle_response(now, one)
            else:
                requests.append(one)
        if requests and tcb.state != CLOSED:
            self._on_requests(now, requests)

    def _on_requests(self, now: int, requests: list[Parameter]) -> None:
        tcb = self._tcb
        answers: list[Answer] = []
        begun = False
        for asked in requests:
            answer = self._find_answer(asked.number)
            if answer is None and asked.number == (self.own.peer_number + 1) & TSN_MASK:
                if self._asked and not begun:
                    tcb.stats.packets_discarded += 1  # It did not wait for the answer to its last request.
                    return
                begun = self._asked = True
                self.own.peer_number = asked.number
                answer = Answer(asked.number, wire.PERFORMED)
                answer.result = self._process(now, asked, answer)
                if answer.result in SUCCESS:
                    tcb.stats.reconfigurations += 1
                elif answer.result != wire.IN_PROGRESS:
                    tcb.stats.reconfigurations_refused += 1
            elif answer is not None:
                if asked.kind == PARAM_ADD_OUTGOING:
                    self.own.on_streams_again(now, asked.count)
            else:
                answer = Answer(asked.number, wire.BAD_SEQUENCE_NUMBER)
                tcb.stats.reconfigurations_refused += 1
            if asked.kind == PARAM_TSN_RESET and answer.next_tsns is None:
                # D3 and D4: whatever the result, "MUST be filled".
                answer.next_tsns = (tcb.outstanding.next_tsn & TSN_MASK, self._peer_tsn_after_reset() & TSN_MASK)
            answers.append(answer)
        if tcb.state == CLOSED:
            return
        if begun:
            self._answers = answers
        self._respond(now, answers)
        if tcb.state in (ESTABLISHED, SHUTDOWN_PENDING) and not tcb.sack_chunks and self._owes_sack:
            transfer.make_sack(tcb)  # "a selective acknowledgment (SACK) chunk SHOULD be sent back" (section 5.2.1)

    @property
    def _owes_sack(self) -> bool:
        """Whether a SACK would say anything that the last one has not said, or could have lost data sent again."""
        tsn_map = self._tcb.tsn_map
        unsaid = self._tcb.sack_policy.packets > 0 or len(tsn_map.duplicates) > 0
        return unsaid or len(tsn_map.ranges) > 0 or self._pending is not None

    def _find_answer(self, number: int) -> Answer | None:
        """What was answered to a request of the last chunk."""
        for answer in self._answers:
            if answer.number == number:
                return answer
        return None

    def _respond(self, now: int, answers: list[Answer]) -> None:
        """The answers leave in one chunk; only added streams have their own (sections 3.1 and 5.2.1)."""
        tcb = self._tcb
        responses: list[Parameter] = []
        ours: Request | None = None
        for answer in answers:
            request = answer.request
            if request is not None and request is self.own.current and (request.chunk or self.own.is_ready(request)):
                ours = request
            else:
                result = wire.IN_PROGRESS if request is not None else answer.result
                responses.append(wire.response(answer.number, result, answer.next_tsns))
        if ours is None:
            tcb.respond(wire.encode(responses))
            return
        apart = ours.added_outbound > 0
        if not ours.chunk:
            assert tcb.answering.path is not None  # A packet is answered.
            path = tcb.answering.path if tcb.answering.path.confirmed else tcb.data_destination()
            self.own.make(ours, now, path, [] if apart else responses)
            if not apart:
                responses = []
        elif not apart:
            responses = []  # They are in the chunk.
        if responses:
            tcb.respond(wire.encode(responses))
        tcb.respond(ours.chunk)

    def _process(self, now: int, asked: Parameter, answer: Answer) -> int:
        """Do what the peer asks for; the result, of table 3."""
        if asked.kind == PARAM_OUTGOING_RESET:
            return self._reset_inbound(now, asked, answer)
        if asked.kind == PARAM_INCOMING_RESET:
            return self._reset_outbound(asked, answer)
        if asked.kind == PARAM_TSN_RESET:
            return self._reset_tsns(now, answer)
        if asked.kind == PARAM_ADD_OUTGOING:
            return self._add_inbound(now, asked)
        return self._add_outbound(asked, answer)

    def _reset_inbound(self, now: int, asked: Parameter, answer: Answer) -> int:
        """An Outgoing SSN Reset Request (section 5.2.2)."""
        tcb = self._tcb
        awaited = self.own.takes_reset(now, asked.response_number)
        if not tcb.config.allow_stream_reset and not awaited:
            return wire.DENIED
        if any(stream >= tcb.inbound_streams for stream in asked.streams):
            return wire.WRONG_SSN
        if tcb.deferred is not None:
            return wire.ALREADY_IN_PROGRESS
        last_tsn = extend_tsn(asked.last_tsn, tcb.tsn_map.cumulative_tsn)
        if last_tsn > tcb.tsn_map.cumulative_tsn:
            tcb.defer(Deferred(last_tsn, asked.streams))
            self._pending = Pending(answer, last_tsn, asked.streams)
            return wire.IN_PROGRESS
        self._perform_inbound(asked.streams)
        return wire.PERFORMED

    def _perform_inbound(self, streams: list[int]) -> None:
        """E3"""
        tcb = self._tcb
        renumbering.reset_inbound(tcb, streams)
        tcb.events.append(StreamsReset(tcb.association, False, True, streams, RECONFIG_DONE))

    def _finish_pending(self, pending: Pending) -> None:
        """All data from before the reset is there (E2 to E6)."""
        tcb = self._tcb
        self._pending = None
        self._perform_inbound(pending.streams)
        if not renumbering.release_deferred(tcb):
            return
        pending.answer.result = wire.PERFORMED
        tcb.stats.reconfigurations += 1
        tcb.send_control(tcb.data_destination(), wire.encode([wire.response(pending.answer.number, wire.PERFORMED)]))

    def _reset_outbound(self, asked: Parameter, answer: Answer) -> int:
        """An Incoming SSN Reset Request (section 5.2.3)."""
        tcb = self._tcb
        if not tcb.config.allow_stream_reset or tcb.state not in MAY_ASK:
            return wire.DENIED
        if any(stream >= tcb.outbound_streams for stream in asked.streams):
            return wire.WRONG_SSN
        if self.own.has_reset(asked.streams):
            return wire.NOTHING_TO_DO
        streams = list(dict.fromkeys(asked.streams))
        if wire.size_of_reset(len(streams), True, False) + _TWO_RESPONSES > tcb.packet_limit - COMMON_HEADER:
            return wire.DENIED
        request = Request()
        request.outgoing = True
        request.streams = streams
        return self.own.induce(request, answer)

    def _reset_tsns(self, now: int, answer: Answer) -> int:
        """An SSN/TSN Reset Request (section 5.2.4)."""
        tcb = self._tcb
        if not tcb.config.allow_association_reset:
            return wire.DENIED
        if self.own.current is not None or tcb.deferred is not None:
            return wire.ALREADY_IN_PROGRESS
        renumbering.acknowledge_all(tcb, now)  # G3
        if tcb.state == CLOSED:
            return wire.DENIED
        peer_tsn = self._peer_tsn_after_reset()  # G1
        renumbering.move_peer_tsns(tcb, peer_tsn)  # G4
        tcb.send_queue.reset([])  # G5
        local_tsn = tcb.outstanding.next_tsn & TSN_MASK  # G2
        answer.next_tsns = (local_tsn, peer_tsn & TSN_MASK)
        tcb.events.append(AssociationReset(tcb.association, local_tsn, peer_tsn & TSN_MASK, RECONFIG_DONE))
        return wire.PERFORMED

    def _peer_tsn_after_reset(self) -> int:
        """ "the smallest TSN not acknowledged by the receiver of the request plus 2^31" (D4, G1)."""
        return self._tcb.tsn_map.cumulative_tsn + 1 + _HALF

    def _add_inbound(self, now: int, asked: Parameter) -> int:
        """An Add Outgoing Streams Request (section 5.2.5)."""
        tcb = self._tcb
        awaited = self.own.takes_streams(asked.count)
        if asked.count == 0:
            return wire.NOTHING_TO_DO
        if not tcb.config.allow_added_streams and not awaited:
            return wire.DENIED
        if tcb.inbound_streams + asked.count > tcb.rules.max_inbound_streams:
            return wire.DENIED
        tcb.inbound_streams += asked.count
        tcb.events.append(StreamsAdded(tcb.association, tcb.inbound_streams, tcb.outbound_streams, RECONFIG_DONE))
        return wire.PERFORMED

    def _add_outbound(self, asked: Parameter, answer: Answer) -> int:
        """An Add Incoming Streams Request (section 5.2.6)."""
        tcb = self._tcb
        if asked.count == 0:
            return wire.NOTHING_TO_DO
        limit = min(tcb.config.max_outbound_streams, MAX_STREAMS)
        allowed = tcb.config.allow_added_streams and tcb.state in MAY_ASK
        if not allowed or tcb.outbound_streams + asked.count > limit:
            return wire.DENIED
        request = Request()
        request.added_outbound = asked.count
        return self.own.induce(request, answer)


def find(tcb: Tcb) -> StreamReset:
    """The association's object. OSError EOPNOTSUPP if the two sides have not agreed on the extension."""
    found = extension.find(tcb.extensions, StreamReset)
    if found is not None:
        return found
    if not tcb.capabilities & RECONFIGURATION:
        raise OSError(EOPNOTSUPP, "the peer, or this side, does not reset or add streams (RFC 6525)")
    made = StreamReset(tcb)
    tcb.extensions.append(made)
    return made


def handle_re_config(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """RE-CONFIG, in a state in which it counts, of a peer that we have agreed with."""
    find(tcb).handle_chunk(now, value)
    if tcb.state == SHUTDOWN_PENDING:
        shutdown.progress(tcb, now)
    return True
