"""The peer asks for other addresses of its own: what is done, and what is answered (RFC 5061 sections 5.2 to 5.4).

Its ASCONFs have numbers. The answers are kept of those that may come again: then the same answers go again.

Requests are carried out in their order (V1), each for itself. But once one to add or delete an address is refused, so
are all that follow it in the chunk (F11). An addition of what is there, and a deletion of what is not, change nothing
and are done: so it does no harm to ask twice.
"""

from __future__ import annotations

from typing import Final, final

from ...wire import asconf, causes
from ...wire.asconf import Answer, Request
from ...wire.causes import Cause
from ...wire.codes import (
    CAUSE_DELETE_LAST_IP,
    CAUSE_DELETE_SOURCE_IP,
    CAUSE_REFUSED_FOR_RESOURCES,
    CHUNK_HEARTBEAT,
    COMMON_HEADER,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_REPORT,
    PARAM_SKIP,
)
from ...wire.params import address as address_parameter
from ...wire.serial import TSN_MASK
from ..association import path_set, reachability
from ..association.tcb import Tcb
from ..init_answer import peer_addresses
from ..ip import place, zone_of
from ..path.path import Path

MAX_BUNDLED: Final = 8
"""New ASCONFs that count between two packets that leave: an honest peer waits for the answer, and bundles few (section
5.5)."""
MAX_REQUESTS: Final = 128
"""Requests of one chunk that are carried out: more than a packet of 1500 bytes has."""
# The header and the Sequence Number of an ASCONF-ACK.
_HEADER: Final = 8


MAX_ANSWERS: Final = 64
"""Answers that are kept."""
_HALF: Final = 1 << 31


@final
class PeerRequests:
    """The ASCONFs of one peer: which number is next, and what was answered."""

    __slots__ = ("_answers", "_bundled", "_packet", "_serial", "_tcb")

    def __init__(self, tcb: Tcb) -> None:
        self._tcb = tcb
        self._serial = (tcb.peer_initial_tsn - 1) & TSN_MASK  # 'Peer-Sequence-Number'; the first one is next (A2).
        self._answers: dict[int, bytes] = {}  # By number.
        self._packet = -1
        self._bundled = 0

    def on_sending(self) -> None:
        """Packets are about to be built."""
        self._bundled = 0

    def has_answered(self, serial: int) -> bool:
        """Whether an ASCONF with this number has been answered, and draws the same answer again."""
        return serial in self._answers

    def handle(self, now: int, value: bytes) -> None:
        """ASCONF: carry it out, or repeat what was answered (E1 to E7). ParseError if it is malformed."""
        tcb = self._tcb
        serial = asconf.serial_of(value)
        ahead = (serial - self._serial) & TSN_MASK
        packet = tcb.stats.packets_received
        first = packet != self._packet
        self._packet = packet
        if ahead == 1 and self._bundled < MAX_BUNDLED:
            _, requests = asconf.parse(value)
            self._bundled += 1
            if first:
                self._answers.clear()  # E1; in E1-ext, those of the chunks before stay.
            elif len(self._answers) == MAX_ANSWERS:
                del self._answers[next(iter(self._answers))]
            answers = carry_out(tcb, now, requests)
            self._serial = serial
            self._answers[serial] = asconf.encode_ack(serial, answers)
            tcb.stats.asconfs += 1
        elif 1 <= ahead < _HALF:
            tcb.stats.packets_discarded += 1  # E5
            return
        elif first:
            # What has no answer yet comes again, the lowest number first (section 5.5): those below are answered.
            self._answers = {one: kept for one, kept in self._answers.items() if (one - serial) & TSN_MASK < _HALF}
        answer = self._answers.get(serial)
        if answer is not None:
            _respond(tcb, now, answer)


def _respond(tcb: Tcb, now: int, answer: bytes) -> None:
    """The ASCONF-ACK goes to where the ASCONF came from (E6), beside a HEARTBEAT if that is to be verified (F1)."""
    packet = tcb.answering
    source = packet.path
    assert source is not None  # There is a packet.
    path = tcb.find_path(source.remote)
    if path is not None and path is not source:
        # It is an address of the peer now: all answers to this packet go by this path.
        tcb.control = [(path if where is source else where, chunk, local) for where, chunk, local in tcb.control]
        packet.answered_to = path if packet.answered_to is source else packet.answered_to
        packet.path = path
    tcb.respond(answer)
    if path is None or path.confirmed or not reachability.heartbeats_run(tcb):
        return
    if not any(where is path and chunk[0] == CHUNK_HEARTBEAT for where, chunk, _ in tcb.control):
        reachability.send_heartbeat(tcb, now, path, packet.local)


def carry_out(tcb: Tcb, now: int, requests: list[Request]) -> list[Answer]:
    """The answers that the peer needs: refusals, and successes behind the first one (A7).

    A refusal that the packet has no room for goes without what it refuses. If there is no room for that either, it is
    understood, as all that follows a refusal without a word.
    """
    path = tcb.answering.path
    assert path is not None  # There is a packet.
    room = path.mtu - COMMON_HEADER - tcb.seal.overhead - _HEADER
    answers: list[Answer] = []
    refusing = stopped = False
    for count, request in enumerate(requests):
        if request.kind not in asconf.REQUESTS:
            if stopped or asconf.is_known(request.kind):
                continue  # It stands where it must not, and is ignored (section 4.2).
            why = [causes.unrecognized_parameters([(request.kind, request.value)])]  # V2
            stopped = not request.kind & PARAM_SKIP
            if not request.kind & PARAM_REPORT:
                continue
        elif stopped or count >= MAX_REQUESTS or (refusing and request.kind in (PARAM_ADD_IP, PARAM_DELETE_IP)):
            why = [_refused(CAUSE_REFUSED_FOR_RESOURCES, request)]  # F11
        elif request.kind == PARAM_ADD_IP:
            why = _add(tcb, now, path, request)
            refusing = bool(why)
        elif request.kind == PARAM_DELETE_IP:
            why = _delete(tcb, now, path, request)
            refusing = bool(why)
        else:
            why = _prefer(tcb, path, request)
        if why or answers:
            answer = Answer(request.correlation, why)
            if why and answer.size > room:
                answer = Answer(request.correlation, [(why[0][0], b"")])
            if answer.size <= room:
                answers.append(answer)
                room -= answer.size
    return answers


def _refused(code: int, request: Request) -> Cause:
    return causes.refused(code, (request.kind, request.value))


def _unusable(request: Request) -> Cause:
    """The request has no address that a host can have; a host name is none here (section 4.1.1)."""
    if request.is_host_name:
        return causes.unresolvable_address(request.value[asconf.NUMBER :])
    return causes.invalid_parameter()


def _address(tcb: Tcb, source: Path, request: Request) -> bytes:
    """The address that is meant: a wildcard is the source of the packet; ``b""`` if it means nothing here."""
    if request.is_wildcard:
        return source.remote
    zone = zone_of(source.remote) or zone_of(tcb.answering.local)
    placed = place([request.ip], [path.remote for path in [source, *tcb.paths]], zone) if request.ip else []
    return placed[0] if placed else b""


def _add(tcb: Tcb, now: int, source: Path, request: Request) -> list[Cause]:
    """Add IP Address (section 4.2.1)."""
    ip = _address(tcb, source, request)
    if not ip:
        return [_unusable(request)]
    if tcb.find_path(ip) is not None:
        return []
    if ip != source.remote and ip not in peer_addresses(source.remote, [ip], tcb.own_addresses, 2):
        return [causes.unresolvable_address(address_parameter(ip))]
    if len(tcb.paths) >= tcb.endpoint.limits.peer_addresses:
        tcb.stats.addresses_passed_over += 1
        return [_refused(CAUSE_REFUSED_FOR_RESOURCES, request)]  # F9
    path_set.add(tcb, now, ip, source.local if ip == source.remote else b"", tcb.answering.udp_port)
    return []


def _delete(tcb: Tcb, now: int, source: Path, request: Request) -> list[Cause]:
    """Delete IP Address (section 4.2.2)."""
    if request.is_wildcard:
        kept = tcb.find_path(source.remote)
        if kept is None:
            return [_refused(CAUSE_DELETE_LAST_IP, request)]  # None would be left.
        for path in list(tcb.paths):
            if path is not kept:
                path_set.remove(tcb, now, path)
        return []
    ip = _address(tcb, source, request)
    if not ip:
        return [_unusable(request)]
    gone = tcb.find_path(ip)
    if gone is None:
        return []
    if len(tcb.paths) == 1:
        return [_refused(CAUSE_DELETE_LAST_IP, request)]  # F7
    if ip == source.remote:
        return [_refused(CAUSE_DELETE_SOURCE_IP, request)]  # F8
    path_set.remove(tcb, now, gone)
    return []


def _prefer(tcb: Tcb, source: Path, request: Request) -> list[Cause]:
    """Set Primary IP Address (sections 4.2.4 and 5.4): "an option the receiver SHOULD perform"."""
    ip = _address(tcb, source, request)
    if not ip:
        return [_unusable(request)]
    path = tcb.find_path(ip)
    if path is None:
        return [causes.unresolvable_address(address_parameter(ip))]
    if path.confirmed:
        tcb.set_primary(path)
    else:
        tcb.preferred_primary = path  # It carries no data before it is confirmed.
    return []
