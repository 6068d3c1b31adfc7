"""Re-configuration requests of ours, and what the peer's responses make of them (RFC 6525 sections 5.1 and 5.2.7).

One request is under way at a time, and one more may wait: one that the peer has asked us for, by an incoming reset or
by added incoming streams. A request of the user is refused while there is any (``EALREADY``).

A request that resets outgoing streams first *rests* them: what the user hands over for them is kept back, what was
handed over before is sent, and when all of that is acknowledged the request leaves. So the peer seldom has to wait
for data. If it has to all the same, it answers "In progress", and when the data is there "Performed".
"""

from __future__ import annotations

from errno import EAGAIN, EALREADY
from typing import Final, final

from ...wire import reconfig as wire
from ...wire.codes import (
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_TSN_RESET,
)
from ...wire.reconfig import Parameter
from ...wire.serial import TSN_MASK
from ..association import reachability, renumbering
from ..association.state import CLOSED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from ..association.tcb import Tcb
from ..events import RECONFIG_DENIED, RECONFIG_DONE, RECONFIG_FAILED, AssociationReset, StreamsAdded, StreamsReset
from ..extension import Extension
from ..path import rto
from ..path.path import Path
from ..rx.deferred import Deferred
from ..timers import NEVER, SECOND
from .requests import MAX_STREAMS, Answer, Request, addition, covers, reset

MAY_ASK: Final = (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED)
"""States in which requests of ours are sent."""
SUCCESS: Final = (wire.NOTHING_TO_DO, wire.PERFORMED)
SEGMENT_LIFETIME: Final = 30 * SECOND
"""Between two SSN/TSN resets: "considered a maximum segment lifetime" (section 5.1.4)."""


@final
class OwnRequests:
    """What one association asks its peer for."""

    __slots__ = (
        "_awaited_reset",
        "_awaited_streams",
        "_last_reset",
        "_next",
        "_next_number",
        "_no_tsn_reset_until",
        "_tcb",
        "_timer",
        "current",
        "peer_number",
    )

    def __init__(self, tcb: Tcb, timer: Extension) -> None:
        """The deadline of ``timer`` is that of the Re-configuration Timer."""
        self._tcb = tcb
        self._timer = timer
        # "initialized to the same value as the initial TSN" (section 4.1)
        self._next_number = tcb.initial_tsn & TSN_MASK
        self.peer_number = (tcb.peer_initial_tsn - 1) & TSN_MASK
        """The number of the peer's last request: the one before that which is expected next."""
        self.current: Request | None = None
        """The request that is under way, or getting ready."""
        self._next: Request | None = None  # Behind that.
        self._awaited_reset = -1  # The incoming reset of ours that the peer will do, by its number.
        self._awaited_streams = 0  # Incoming streams of ours that the peer will add.
        self._last_reset: list[int] | None = None  # Outgoing streams that were reset last.
        self._no_tsn_reset_until = 0

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
        if self.current is not None:
            raise OSError(EALREADY, "a re-configuration request is under way")

    # --- what the peer asks us to ask for ---------------------------------------------------------------------

    def induce(self, request: Request, answer: Answer) -> int:
        """The peer asks for a request of ours: it is next, unless that could have both sides wait for each other.

        Returns what the peer is told of it.
        """
        ours = self.current
        if self._next is not None or (ours is not None and (ours.waits_for_peer or ours.tsns)):
            return wire.ALREADY_IN_PROGRESS
        request.answers = answer
        answer.request = request
        if ours is None:
            self._begin(request)
        else:
            self._next = request
        return wire.IN_PROGRESS

    def takes_reset(self, now: int, number: int) -> bool:
        """The peer resets its streams and names that number: whether we have asked it to. It counts as the response."""
        awaited = number == self._awaited_reset
        ours = self.current
        if ours is not None and ours.asks(PARAM_INCOMING_RESET, number):
            awaited = True
            self.on_implicit_response(now, ours, number)  # E1
        if awaited:
            self._awaited_reset = -1
        return awaited

    def takes_streams(self, count: int) -> bool:
        """The peer adds so many streams: whether it is what we have asked for."""
        ours = self.current
        if 0 < count == self._awaited_streams:
            self._awaited_streams = 0
            return True
        if ours is None or ours.granted or ours.added_inbound != count or not ours.chunk:
            return False
        # Perhaps it is. The request does not say so: ours is sent again until it has its response, or draws this one
        # again (``on_streams_again``).
        ours.granted = ours.in_progress = True
        return True

    def on_streams_again(self, now: int, count: int) -> None:
        """The peer adds these streams once more, as before: it answers our request that was sent again (5.2.6)."""
        ours = self.current
        if ours is None or not ours.granted or not ours.repeated:
            return
        for one in ours.open:
            if one.kind == PARAM_ADD_INCOMING and one.count == count:
                self.on_implicit_response(now, ours, one.number)
                return

    def has_reset(self, streams: list[int]) -> bool:
        """Whether these outgoing streams are being reset, or were, and nothing was sent on them since (5.2.3)."""
        ours = self.current
        if ours is not None and ours.outgoing and covers(ours.streams, streams):
            return True
        last = self._last_reset
        return last is not None and covers(last, streams) and self._tcb.send_queue.is_fresh(streams)

    def on_implicit_response(self, now: int, request: Request, number: int) -> None:
        """The peer's own request says that ours was heard."""
        self._on_answered(now, request)
        request.open = [one for one in request.open if one.number != number]
        if not request.open:
            self._settle_answer(request, wire.PERFORMED)
            self._finish(request)

    # --- sending ---------------------------------------------------------------------------------------------

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: is a request ready that had to wait?"""
        request = self.current
        if request is None or request.chunk or self._tcb.state == CLOSED:
            return
        if self._tcb.state not in MAY_ASK:
            self._fail_all(request)
        elif self.is_ready(request):
            path = self._tcb.data_destination()
            self.make(request, now, path, [])
            self._tcb.send_control(path, request.chunk)

    def _begin(self, request: Request) -> None:
        """It is the turn of this request: it leaves as soon as its streams rest (section 5.1.2 A1)."""
        self.current = request
        if request.rests:
            self._tcb.send_queue.hold(request.streams)

    def is_ready(self, request: Request) -> bool:
        """Whether it can leave: what was sent before on the streams that it resets is acknowledged."""
        tcb = self._tcb
        if not request.rests:
            return True
        if tcb.send_queue.ahead or (request.tsns and tcb.deferred is not None):
            return False
        outstanding = tcb.outstanding
        if request.rested_to < 0:
            request.rested_to = outstanding.next_tsn - 1
        return outstanding.cumulative_tsn_ack_point >= request.rested_to

    def make(self, request: Request, now: int, path: Path, lead: list[Parameter]) -> None:
        """The chunk, which leaves for ``path`` now, behind responses; the timer runs (section 5.1.1)."""
        tcb = self._tcb
        made: list[Parameter] = []
        if request.outgoing:
            answered = request.answers
            # "it holds the next expected Re-configuration Request Sequence Number minus 1" (section 4.1)
            number = answered.number if answered is not None else self.peer_number
            last_tsn = (tcb.outstanding.next_tsn - 1) & TSN_MASK
            made.append(wire.outgoing_reset(self._take_number(), number, last_tsn, request.streams))
        if request.incoming:
            made.append(wire.incoming_reset(self._take_number(), request.streams))
        if request.tsns:
            made.append(wire.tsn_reset(self._take_number()))
            self._no_tsn_reset_until = now + SEGMENT_LIFETIME
            # Whether what comes now has its numbers from before the reset or from after it, the response will tell.
            tcb.defer(Deferred(tcb.tsn_map.cumulative_tsn, []))
            self._timer.delays_shutdown = True
        if request.added_outbound:
            made.append(wire.add_outgoing(self._take_number(), request.added_outbound))
        if request.added_inbound:
            made.append(wire.add_incoming(self._take_number(), request.added_inbound))
        request.open = made
        request.chunk = wire.encode(lead + made)
        request.path = path
        request.interval = path.rto
        self._timer.deadline = now + path.rto

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number = (number + 1) & TSN_MASK
        return number

    def handle_timeout(self, now: int) -> None:
        """The Re-configuration Timer expired: send the request again (sections 5.1.1 and 5.2.7 H2)."""
        self._timer.deadline = NEVER
        tcb = self._tcb
        request = self.current
        if request is None or request.path is None:
            return
        if tcb.state not in MAY_ASK:
            self._fail_all(request)
            return
        if request.in_progress:
            request.interval = min(2 * request.interval, tcb.rules.rto_max)
        else:
            reachability.on_timeout(tcb, request.path, True)
            if tcb.state == CLOSED:
                return
            rto.back_off(request.path, tcb.rules)
            request.path = tcb.data_destination(avoid=request.path)
            request.interval = max(request.path.rto, min(2 * request.interval, tcb.rules.rto_max))
        request.repeated = True
        tcb.stats.reconfigurations_retransmitted += 1
        tcb.send_control(request.path, request.chunk)
        self._timer.deadline = now + request.interval

    def _finish(self, request: Request) -> None:
        """All its requests have their responses: it is the turn of the next one."""
        self._timer.deadline = NEVER
        self._timer.delays_shutdown = False
        if request.rests:
            self._tcb.send_queue.release()
        following = self._next
        self.current = self._next = None
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

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """A request that went there is repeated on another path."""
        request = self.current
        if request is not None and request.path is path:
            request.path = heir

    # --- responses -------------------------------------------------------------------------------------------

    def handle_response(self, now: int, response: Parameter) -> None:
        """A Re-configuration Response (section 5.2.7)."""
        request = self.current
        if request is None:
            return
        for asked in request.open:
            if asked.number == response.number:
                break
        else:
            return  # H1: "the processing of the Re-configuration Response Parameter is complete"
        if asked.kind == PARAM_TSN_RESET and response.result in SUCCESS and response.next_tsns is None:
            self._tcb.stats.packets_discarded += 1  # Without the TSNs it says nothing.
            return
        self._on_answered(now, request)
        if response.result == wire.IN_PROGRESS:
            request.in_progress = True  # H2
            request.interval = request.path.rto if request.path is not None else request.interval
            self._timer.deadline = now + request.interval
            return
        request.open.remove(asked)
        self._conclude(request, asked, response)
        if self._tcb.state != CLOSED and not request.open and self.current is request:
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
        if response.result not in SUCCESS:
            if kind == PARAM_TSN_RESET and not renumbering.release_deferred(tcb):
                return
            denied = response.result == wire.DENIED
            self._tell(request, kind, RECONFIG_DENIED if denied else RECONFIG_FAILED)
        elif kind == PARAM_OUTGOING_RESET:  # H4
            tcb.send_queue.reset(request.streams)
            self._last_reset = request.streams
            self._tell(request, kind, RECONFIG_DONE)
        elif kind == PARAM_TSN_RESET:
            self._begin_tsns(response)
        elif kind == PARAM_ADD_OUTGOING:  # H6
            tcb.outbound_streams = min(tcb.outbound_streams + asked.count, MAX_STREAMS)
            self._tell(request, kind, RECONFIG_DONE)
        elif response.result == wire.NOTHING_TO_DO:
            self._tell(request, kind, RECONFIG_DONE)
        elif kind == PARAM_INCOMING_RESET:
            self._awaited_reset = asked.number  # The peer's own request is still to come, and tells.
        elif not request.granted:
            self._awaited_streams = asked.count

    def _begin_tsns(self, response: Parameter) -> None:
        """H5: our TSNs begin at the Receiver's Next TSN, the peer's at the Sender's; all SSNs at 0."""
        assert response.next_tsns is not None  # Else it was no response.
        peer_tsn, local_tsn = response.next_tsns
        if renumbering.begin_peer_tsns(self._tcb, peer_tsn):
            renumbering.begin_tsns(self._tcb, local_tsn)
            self._tell_tsns(local_tsn, peer_tsn, RECONFIG_DONE)
            renumbering.release_deferred(self._tcb)

    def _settle_answer(self, request: Request, result: int) -> None:
        """The peer has asked for this request, and now knows how it went, or is told."""
        answer = request.answers
        if answer is None:
            return
        answer.request = None
        answer.result = wire.PERFORMED if result in SUCCESS else wire.DENIED
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
            self._tell_tsns(local, peer, result)
        elif kind in (PARAM_OUTGOING_RESET, PARAM_INCOMING_RESET):
            outgoing = kind == PARAM_OUTGOING_RESET
            tcb.events.append(StreamsReset(tcb.association, outgoing, not outgoing, request.streams, result))
        else:
            tcb.events.append(StreamsAdded(tcb.association, tcb.inbound_streams, tcb.outbound_streams, result))

    def _tell_tsns(self, local_tsn: int, peer_tsn: int, result: int) -> None:
        self._tcb.events.append(AssociationReset(self._tcb.association, local_tsn, peer_tsn, result))
