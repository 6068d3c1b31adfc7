"""Stream reconfiguration (RFC 6525): both sides reset streams and TSNs, and add streams, while the association lives.

One request of ours is under way at a time, and one more may wait: one that the peer has asked us for, by an incoming
reset or by added incoming streams. A request of the user is refused while there is any (``EALREADY``).

A request that resets outgoing streams first *rests* them: what the user hands over for them is kept back, what was
handed over before is sent, and when all of that is acknowledged the request leaves. So the peer seldom has to wait
for data. If it has to all the same, it answers "In progress", and when the data is there "Performed"; here as there
(``Pending``, ``Tcb.deferred``).

Each request of the peer has a number, and what was answered to the last RE-CONFIG chunk is kept: if the peer sends that
chunk again, the answer is the same, or how it went since. Between two packets that leave, one chunk with new
requests counts: an honest peer waits for an answer before it asks for more.

An association has the object from the first request on, of either side: before, the extension costs nothing.
"""

from __future__ import annotations

from errno import EAGAIN, EALREADY, EOPNOTSUPP
from typing import Final, final

from ...wire import causes
from ...wire import reconfig as wire
from ...wire.codes import (
    COMMON_HEADER,
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_TSN_RESET,
)
from ...wire.reconfig import Parameter
from ...wire.serial import TSN_MASK, extend_tsn
from .. import extension
from ..association import reachability, renumbering, transfer
from ..association.state import CLOSED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from ..association.tcb import Tcb
from ..capabilities import RECONFIGURATION
from ..events import RECONFIG_DENIED, RECONFIG_DONE, RECONFIG_FAILED, AssociationReset, StreamsAdded, StreamsReset
from ..extension import Extension
from ..path import rto
from ..path.path import Path
from ..rx.deferred import Deferred
from ..timers import NEVER, SECOND, nanoseconds
from .requests import MAX_STREAMS, Answer, Pending, Request, addition, covers, reset

SEGMENT_LIFETIME: Final = 30 * SECOND
"""Between two SSN/TSN resets: "considered a maximum segment lifetime" (section 5.1.4)."""
_SUCCESS: Final = (wire.NOTHING_TO_DO, wire.PERFORMED)
_MAY_ASK: Final = (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED)
_HALF: Final = 1 << 31
# Bytes of the responses that may be in front of a request.
_TWO_RESPONSES: Final = 24


@final
class StreamReset(Extension):
    """RFC 6525 in one association."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        # "initialized to the same value as the initial TSN" (section 4.1)
        self._next_number = tcb.initial_tsn & TSN_MASK
        self._expected = tcb.peer_initial_tsn & TSN_MASK
        self._current: Request | None = None  # Under way, or getting ready.
        self._next: Request | None = None  # Behind that.
        self._answers: list[Answer] = []  # To the last chunk with requests.
        self._pending: Pending | None = None
        self._awaited = -1  # The incoming reset of ours that the peer will do, by its number.
        self._awaited_streams = 0  # Incoming streams of ours that the peer will add.
        self._last_reset: list[int] | None = None  # Outgoing streams that were reset last.
        self._no_tsn_reset_until = 0
        self._asked = False  # A chunk with new requests has come since the last packets left.

    # --- what the user asks for ------------------------------------------------------------------------------

    def reset_streams(self, outgoing: bool, incoming: bool, streams: list[int]) -> None:
        """Sections 5.1.2 and 5.1.3. OSError: see ``Association.reset_streams``."""
        request = reset(self._tcb, outgoing, incoming, streams)
        self._check_idle()
        self._begin(request)

    def reset_association(self, now: int) -> None:
        """Section 5.1.4. OSError: see ``Association.reset_association``."""
        self._check_idle()
        if now < self._no_tsn_reset_until:
            raise OSError(EAGAIN, "only one SSN/TSN reset within 30 seconds (RFC 6525 section 5.1.4)")
        request = Request()
        request.tsns = True
        self._begin(request)

    def add_streams(self, outgoing: int, incoming: int) -> None:
        """Sections 5.1.5 and 5.1.6. OSError: see ``Association.add_streams``."""
        request = addition(self._tcb, outgoing, incoming)
        self._check_idle()
        self._begin(request)

    def _check_idle(self) -> None:
        """ "If a call to setsockopt() is used to issue a re-configuration request while the Re-configuration timer is
        running, setsockopt() will return -1, and error is set to EALREADY" (section 6.3).
        """
        if self._current is not None:
            raise OSError(EALREADY, "a re-configuration request is under way")

    # --- requests of ours ------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        """It is the turn of this request: it leaves as soon as its streams rest (section 5.1.2 A1)."""
        self._current = request
        if request.rests:
            self._tcb.send_queue.hold(request.streams)

    def _is_ready(self, request: Request) -> bool:
        """Whether what was sent before on the streams that it resets is acknowledged."""
        tcb = self._tcb
        if not request.rests:
            return True
        if tcb.send_queue.ahead or (request.tsns and tcb.deferred is not None):
            return False
        outstanding = tcb.outstanding
        if request.rested_to < 0:
            request.rested_to = outstanding.next_tsn - 1
        return outstanding.cumulative_tsn_ack_point >= request.rested_to

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """A request that went there is repeated on another path."""
        request = self._current
        if request is not None and request.path is path:
            request.path = heir

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: is something ready that had to wait?"""
        self._asked = False
        pending = self._pending
        if pending is not None and self._tcb.tsn_map.cumulative_tsn >= pending.last_tsn:
            self._finish_pending(pending)
        request = self._current
        if request is None or request.chunk or self._tcb.state == CLOSED:
            return
        if self._tcb.state not in _MAY_ASK:
            self._fail_all(request)
        elif self._is_ready(request):
            path = self._tcb.data_destination()
            self._make(request, now, path, [])
            self._tcb.send_control(path, request.chunk)

    def _make(self, request: Request, now: int, path: Path, lead: list[Parameter]) -> None:
        """The chunk, which leaves for ``path`` now, behind responses; the timer runs (section 5.1.1)."""
        tcb = self._tcb
        made: list[Parameter] = []
        if request.outgoing:
            answered = request.answers
            # "it holds the next expected Re-configuration Request Sequence Number minus 1" (section 4.1)
            number = answered.number if answered is not None else (self._expected - 1) & TSN_MASK
            last_tsn = (tcb.outstanding.next_tsn - 1) & TSN_MASK
            made.append(wire.outgoing_reset(self._take_number(), number, last_tsn, request.streams))
        if request.incoming:
            made.append(wire.incoming_reset(self._take_number(), request.streams))
        if request.tsns:
            made.append(wire.tsn_reset(self._take_number()))
            self._no_tsn_reset_until = now + SEGMENT_LIFETIME
            # Whether what comes now has its numbers from before the reset or from after it, the response will tell.
            tcb.defer(Deferred(tcb.tsn_map.cumulative_tsn, []))
        if request.added_outbound:
            made.append(wire.add_outgoing(self._take_number(), request.added_outbound))
        if request.added_inbound:
            made.append(wire.add_incoming(self._take_number(), request.added_inbound))
        request.open = made
        request.chunk = wire.encode(lead + made)
        request.path = path
        request.interval = path.rto
        self.deadline = now + path.rto

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number = (number + 1) & TSN_MASK
        return number

    def handle_timeout(self, now: int) -> None:
        """The Re-configuration Timer expired: send the request again (sections 5.1.1 and 5.2.7 H2)."""
        self.deadline = NEVER
        tcb = self._tcb
        request = self._current
        if request is None or request.path is None:
            return
        if tcb.state not in _MAY_ASK:
            self._fail_all(request)
            return
        if request.in_progress:
            request.interval = min(2 * request.interval, nanoseconds(tcb.config.rto_max))
        else:
            reachability.on_timeout(tcb, request.path, True)
            if tcb.state == CLOSED:
                return
            rto.back_off(request.path, tcb.config)
            request.path = tcb.data_destination(avoid=request.path)
            request.interval = max(request.path.rto, min(2 * request.interval, nanoseconds(tcb.config.rto_max)))
        request.repeated = True
        tcb.stats.reconfigurations_retransmitted += 1
        tcb.send_control(request.path, request.chunk)
        self.deadline = now + request.interval

    def _finish(self, request: Request) -> None:
        """All its requests have their responses: it is the turn of the next one."""
        self.deadline = NEVER
        if request.rests:
            self._tcb.send_queue.release()
        following = self._next
        self._current = self._next = None
        if following is not None:
            self._begin(following)

    def _fail_all(self, request: Request) -> None:
        """The association ends before there was a response."""
        for kind in request.kinds:
            self._tell(request, kind, RECONFIG_FAILED)
        if request.tsns and self._tcb.deferred is not None and request.chunk:
            renumbering.release_deferred(self._tcb)
        self._next = None
        self._finish(request)

    # --- responses -------------------------------------------------------------------------------------------

    def _on_response(self, now: int, response: Parameter) -> None:
        """Section 5.2.7."""
        request = self._current
        if request is None:
            return
        for asked in request.open:
            if asked.number == response.number:
                break
        else:
            return  # H1: "the processing of the Re-configuration Response Parameter is complete"
        if asked.kind == PARAM_TSN_RESET and response.result in _SUCCESS and response.next_tsns is None:
            self._tcb.stats.packets_discarded += 1  # Without the TSNs it says nothing.
            return
        self._on_answered(now, request)
        if response.result == wire.IN_PROGRESS:
            request.in_progress = True  # H2
            request.interval = request.path.rto if request.path is not None else request.interval
            self.deadline = now + request.interval
            return
        request.open.remove(asked)
        self._conclude(request, asked, response)
        if self._tcb.state != CLOSED and not request.open and self._current is request:
            self._settle_answer(request, response.result)
            self._finish(request)

    def _on_answered(self, now: int, request: Request) -> None:
        """The peer lives."""
        self._tcb.error_count = 0
        if request.path is not None and not request.repeated:
            reachability.on_reached(self._tcb, now, request.path)

    def _conclude(self, request: Request, asked: Parameter, response: Parameter) -> None:
        """One request has its final response."""
        tcb = self._tcb
        kind = asked.kind
        if response.result not in _SUCCESS:
            if kind == PARAM_TSN_RESET and not renumbering.release_deferred(tcb):
                return
            denied = response.result == wire.DENIED
            self._tell(request, kind, RECONFIG_DENIED if denied else RECONFIG_FAILED)
        elif kind == PARAM_OUTGOING_RESET:  # H4
            tcb.send_queue.reset(request.streams)
            self._last_reset = request.streams
            self._tell(request, kind, RECONFIG_DONE)
        elif kind == PARAM_TSN_RESET:
            self._begin_tsns(request, response)
        elif kind == PARAM_ADD_OUTGOING:  # H6
            tcb.outbound_streams = min(tcb.outbound_streams + asked.count, MAX_STREAMS)
            self._tell(request, kind, RECONFIG_DONE)
        elif response.result == wire.NOTHING_TO_DO:
            self._tell(request, kind, RECONFIG_DONE)
        elif kind == PARAM_INCOMING_RESET:
            self._awaited = asked.number  # The peer's own request is still to come, and tells.
        elif not request.granted:
            self._awaited_streams = asked.count

    def _begin_tsns(self, request: Request, response: Parameter) -> None:
        """H5: our TSNs begin at the Receiver's Next TSN, the peer's at the Sender's; all SSNs at 0."""
        tcb = self._tcb
        assert response.next_tsns is not None  # Else it was no response.
        peer_tsn, local_tsn = response.next_tsns
        first = extend_tsn(peer_tsn, tcb.tsn_map.cumulative_tsn + 1)
        if not renumbering.release_deferred(tcb, first):
            return
        renumbering.flush_inbound(tcb)
        if first > tcb.tsn_map.cumulative_tsn:
            tcb.tsn_map.forward(first - 1)
        if not renumbering.release_deferred(tcb):
            return
        renumbering.begin_tsns(tcb, local_tsn)
        tcb.send_queue.reset([])
        tcb.events.append(AssociationReset(tcb.association, local_tsn, peer_tsn, RECONFIG_DONE))

    def _settle_answer(self, request: Request, result: int) -> None:
        """The peer has asked for this request, and now knows how it went, or is told."""
        answer = request.answers
        if answer is None:
            return
        answer.request = None
        answer.result = wire.PERFORMED if result in _SUCCESS else wire.DENIED
        if request.added_outbound:
            # A reset says which request it answers; an added stream does not.
            tcb = self._tcb
            tcb.send_control(tcb.data_destination(), wire.encode([wire.response(answer.number, answer.result)]))

    def _tell(self, request: Request, kind: int, result: int) -> None:
        """The user hears how a request went."""
        tcb = self._tcb
        if kind == PARAM_TSN_RESET:
            local = tcb.outstanding.next_tsn & TSN_MASK
            peer = (tcb.tsn_map.cumulative_tsn + 1) & TSN_MASK
            tcb.events.append(AssociationReset(tcb.association, local, peer, result))
        elif kind in (PARAM_OUTGOING_RESET, PARAM_INCOMING_RESET):
            outgoing = kind == PARAM_OUTGOING_RESET
            tcb.events.append(StreamsReset(tcb.association, outgoing, not outgoing, request.streams, result))
        else:
            tcb.events.append(StreamsAdded(tcb.association, tcb.inbound_streams, tcb.outbound_streams, result))

    # --- requests of the peer --------------------------------------------------------------------------------

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
                self._on_response(now, one)
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
            if answer is None and asked.number == self._expected:
                if self._asked and not begun:
                    tcb.stats.packets_discarded += 1  # It did not wait for the answer to its last request.
                    return
                begun = self._asked = True
                self._expected = (self._expected + 1) & TSN_MASK
                answer = Answer(asked.number, wire.PERFORMED)
                answer.result = self._process(now, asked, answer)
                if answer.result in (wire.NOTHING_TO_DO, wire.PERFORMED):
                    tcb.stats.reconfigurations += 1
                elif answer.result != wire.IN_PROGRESS:
                    tcb.stats.reconfigurations_refused += 1
            elif answer is not None:
                self._on_repeated(now, asked)
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
        if tcb.state in (ESTABLISHED, SHUTDOWN_PENDING) and not tcb.sack_chunks:
            transfer.make_sack(tcb)  # "a selective acknowledgment (SACK) chunk SHOULD be sent back" (section 5.2.1)

    def _on_repeated(self, now: int, asked: Parameter) -> None:
        """A request of the peer comes again. If it adds streams, it answers our own that was sent again (5.2.6)."""
        ours = self._current
        if asked.kind != PARAM_ADD_OUTGOING or ours is None or not ours.granted or not ours.repeated:
            return
        for one in ours.open:
            if one.kind == PARAM_ADD_INCOMING and one.count == asked.count:
                self._on_implicit_response(now, ours, one.number)
                return

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
            if request is not None and request is self._current and (request.chunk or self._is_ready(request)):
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
            self._make(ours, now, path, [] if apart else responses)
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
        ours = self._current
        awaited = asked.response_number == self._awaited
        if ours is not None and ours.asks(PARAM_INCOMING_RESET, asked.response_number):
            awaited = True
            self._on_implicit_response(now, ours, asked.response_number)  # E1
        if awaited:
            self._awaited = -1
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
        if not tcb.config.allow_stream_reset or tcb.state not in _MAY_ASK:
            return wire.DENIED
        if any(stream >= tcb.outbound_streams for stream in asked.streams):
            return wire.WRONG_SSN
        ours = self._current
        if ours is not None and ours.outgoing and covers(ours.streams, asked.streams):
            return wire.NOTHING_TO_DO
        last = self._last_reset
        if last is not None and covers(last, asked.streams) and tcb.send_queue.is_fresh(asked.streams):
            return wire.NOTHING_TO_DO
        streams = list(dict.fromkeys(asked.streams))
        if wire.size_of_reset(len(streams), True, False) + _TWO_RESPONSES > tcb.packet_limit - COMMON_HEADER:
            return wire.DENIED
        request = Request()
        request.outgoing = True
        request.streams = streams
        return self._induce(request, answer)

    def _induce(self, request: Request, answer: Answer) -> int:
        """The peer asks for a request of ours: it is next, unless that could have both sides wait for each other."""
        ours = self._current
        if self._next is not None or (ours is not None and (ours.waits_for_peer or ours.tsns)):
            return wire.ALREADY_IN_PROGRESS
        request.answers = answer
        answer.request = request
        if ours is None:
            self._begin(request)
        else:
            self._next = request
        return wire.IN_PROGRESS

    def _reset_tsns(self, now: int, answer: Answer) -> int:
        """An SSN/TSN Reset Request (section 5.2.4)."""
        tcb = self._tcb
        if not tcb.config.allow_association_reset:
            return wire.DENIED
        if self._current is not None or tcb.deferred is not None:
            return wire.ALREADY_IN_PROGRESS
        renumbering.acknowledge_all(tcb, now)  # G3
        if tcb.state == CLOSED:
            return wire.DENIED
        peer_tsn = self._peer_tsn_after_reset()  # G1
        renumbering.flush_inbound(tcb)  # G4
        tcb.peer_former_tsn = tcb.tsn_map.cumulative_tsn & TSN_MASK
        tcb.tsn_map.reset(peer_tsn)
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
        ours = self._current
        awaited = 0 < asked.count == self._awaited_streams
        if awaited:
            self._awaited_streams = 0
        elif ours is not None and not ours.granted and ours.added_inbound == asked.count and ours.chunk:
            # Perhaps it is what we have asked for. The request does not say so: ours is sent again until it has its
            # response, or draws this one again (``_on_repeated``).
            awaited = ours.granted = ours.in_progress = True
        if asked.count == 0:
            return wire.NOTHING_TO_DO
        if not tcb.config.allow_added_streams and not awaited:
            return wire.DENIED
        if tcb.inbound_streams + asked.count > tcb.config.max_inbound_streams:
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
        allowed = tcb.config.allow_added_streams and tcb.state in _MAY_ASK
        if not allowed or tcb.outbound_streams + asked.count > limit:
            return wire.DENIED
        request = Request()
        request.added_outbound = asked.count
        return self._induce(request, answer)

    def _on_implicit_response(self, now: int, request: Request, number: int) -> None:
        """The peer's own request says that ours was heard."""
        self._on_answered(now, request)
        request.open = [one for one in request.open if one.number != number]
        if not request.open:
            self._settle_answer(request, wire.PERFORMED)
            self._finish(request)


def find(tcb: Tcb) -> StreamReset:
    """The association's object. OSError EOPNOTSUPP if the two sides have not agreed on the extension."""
    room = extension.find(tcb.extensions, StreamReset)
    if room is not None:
        return room
    if not tcb.capabilities & RECONFIGURATION:
        raise OSError(EOPNOTSUPP, "the peer, or this side, does not reset or add streams (RFC 6525)")
    made = StreamReset(tcb)
    tcb.extensions.append(made)
    return made


def handle_re_config(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """RE-CONFIG, in a state in which it counts, of a peer that we have agreed with."""
    find(tcb).handle_chunk(now, value)
    return True
