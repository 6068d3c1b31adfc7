"""Setting an association up: INIT to COOKIE ACK, T1-init and T1-cookie (RFC 9260 section 5.1; the contract CX1-CX12).

The initiator races its INITs (``connect``). They are byte-identical, and none leaves once an INIT ACK was
accepted. An address with an unanswered INIT absorbs one ABORT as the answer to that INIT, also later: the
peer may well answer an INIT that was delayed on the way with the ABORT of sections 5.2.1, 5.2.2 or 8.4.

The listener builds its side from the cookie alone.
"""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ETIMEDOUT
from typing import Final

from ...wire import causes, control
from ...wire.causes import Cause
from ...wire.codes import COMMON_HEADER, PARAM_STATE_COOKIE
from ...wire.params import IPV4_LENGTH, IPV6_LENGTH
from ...wire.setup import MINIMUM_RWND, Setup, initiate_tag
from ...wire.setup import parse as parse_setup
from ...wire.tlv import ParseError
from .. import authentication, capabilities
from ..arrival import Arrival, ZoneOfLocal
from ..events import AdaptationIndication, CannotStart, CommunicationUp
from ..ext import table
from ..init_answer import named_host, passed_over, peer_addresses
from ..ip import without_zone
from ..path import failover, rto
from ..path.path import Path
from ..path.states import PATH_INACTIVE
from ..rx.tsn_map import TsnMap
from ..state_cookie import Cookie
from ..timers import NEVER
from . import reachability, shutdown
from .connect import (
    ANSWER_ABORT,
    ANSWER_ICMP,
    ANSWER_INIT_ACK,
    ANSWER_MALFORMED,
    ANSWER_SEND_ERROR,
    AddressReport,
    Attempt,
    find_candidate,
)
from .opening import Opening
from .state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from .tcb import Tcb

# A cookie that keeps going stale is not worth more tries (section 5.2.6).
MAX_STALE_RETRIES: Final = 2
# What a stale cookie asks for beyond the measured round trip: at most a second (section 5.2.6).
PRESERVATIVE_MARGIN_MS: Final = 1000


def start(tcb: Tcb, now: int, candidates: list[AddressReport], announce: list[bytes]) -> None:
    """Begin to set up the association over these addresses."""
    setup = Setup(
        tcb.local_tag,
        tcb.window.size,
        tcb.rules.streams,
        tcb.rules.max_inbound_streams,
        tcb.initial_tsn & 0xFFFFFFFF,
    )
    setup.addresses = announce
    # Lest the peer lists addresses that nobody here can send to, or leaves some out (section 5.1.2).
    setup.families = [len(without_zone(ip)) for ip in tcb.own_addresses] or [IPV4_LENGTH, IPV6_LENGTH]
    tcb.capabilities = tcb.rules.capabilities
    capabilities.offer(setup, tcb.capabilities, method=tcb.rules.error_detection_method)
    setup.adaptation = tcb.rules.adaptation_layer
    setup.auth = authentication.draw_parameters(tcb.config, tcb.random_bytes)
    tcb.opening = Opening(Attempt(candidates, now, tcb.rules), setup, tcb.capabilities)
    tcb.report = candidates
    tcb.transition(COOKIE_WAIT)
    _handle_attempt_timer(tcb, now, tcb.opening)


def handle_timeout(tcb: Tcb, now: int) -> None:
    """The deadline of one of the timers of this phase has come."""
    opening = tcb.opening
    assert opening is not None  # It has the timers.
    if opening.attempt.next_deadline() <= now:
        _handle_attempt_timer(tcb, now, opening)
    if tcb.state != CLOSED and opening.t1_cookie_deadline <= now:
        _handle_t1_cookie(tcb, now, opening)


def _handle_attempt_timer(tcb: Tcb, now: int, opening: Opening) -> None:
    """T1-init of some address, or the next address's turn."""
    attempt = opening.attempt
    if tcb.state == COOKIE_WAIT:
        due = attempt.due(now)
        opening.init_targets.extend(due)
        if not due and attempt.failed(now):
            fail(tcb, attempt.error())
        elif now >= attempt.deadline:
            fail(tcb, ETIMEDOUT)
    elif now >= attempt.deadline:
        shutdown.give_up(tcb)


def fail(tcb: Tcb, error: int) -> None:
    """The association will not come up."""
    causes_seen: list[Cause] = []
    for candidate in tcb.report:
        causes_seen.extend(candidate.causes)
    shutdown.end(tcb, CannotStart(tcb.association, error, causes_seen))


def refuse(tcb: Tcb, now: int, candidate: AddressReport, answer: int, error: int, seen: list[Cause]) -> None:
    """In COOKIE-WAIT, an address refused (CX8)."""
    opening = tcb.opening
    assert opening is not None
    opening.attempt.refuse(candidate, now, answer, error, seen)
    _handle_attempt_timer(tcb, now, opening)


def handle_icmp(tcb: Tcb, now: int, remote: bytes, port: int, error: int) -> None:
    """An ICMP error about an INIT of ours, proven by our Initiate Tag.

    In COOKIE-WAIT the address has refused; later that only enters the report: the HEARTBEATs judge the path.
    """
    if tcb.state != COOKIE_WAIT:
        _note_late_answer(tcb, now, remote, port, ANSWER_ICMP, error, [])
        return
    candidate = find_candidate(tcb.report, remote, port)
    if candidate is not None and candidate.inits and not candidate.refusal:
        refuse(tcb, now, candidate, ANSWER_ICMP, error, [])


def handle_send_error(tcb: Tcb, now: int, remote: bytes, port: int, error: int) -> None:
    """In COOKIE-WAIT, an INIT could not be sent."""
    candidate = find_candidate(tcb.report, remote, port)
    if candidate is not None and not candidate.refusal:
        refuse(tcb, now, candidate, ANSWER_SEND_ERROR, error or EHOSTUNREACH, [])


def handle_abort(tcb: Tcb, now: int, remote: bytes, port: int, seen: list[Cause]) -> bool:
    """An ABORT with our tag, T bit not set. True if it is the answer to an INIT and thereby dealt with."""
    if tcb.state == COOKIE_WAIT:
        candidate = find_candidate(tcb.report, remote, port)
        if candidate is not None and candidate.inits:
            refuse(tcb, now, candidate, ANSWER_ABORT, ECONNREFUSED, seen)
        return True  # From elsewhere it answers nothing of ours: out of the blue.
    path = tcb.find_path(remote)
    if path is not None and port != path.encaps_port:
        # Another stack at this IP address, at a UDP port that was asked as well, says no.
        candidate = find_candidate(tcb.report, remote, port)
        if candidate is None or candidate.udp_port != port or not candidate.unanswered:
            return False
        candidate.on_late_answer(now, ANSWER_ABORT, ECONNREFUSED, seen)
        return True
    if path is not None and not path.unanswered_inits:
        return False
    _note_late_answer(tcb, now, remote, port, ANSWER_ABORT, ECONNREFUSED, seen)
    if path is not None:
        reachability.refuse(tcb, now, path, ECONNREFUSED)
    return True


def note_late_init_ack(tcb: Tcb, now: int, remote: bytes, port: int) -> None:
    """An INIT ACK after the winner's: discarded (section 5.2.3), but it answers that address's INIT."""
    _note_late_answer(tcb, now, remote, port, ANSWER_INIT_ACK, 0, [])


def _note_late_answer(tcb: Tcb, now: int, remote: bytes, port: int, answer: int, error: int, seen: list[Cause]) -> None:
    candidate = find_candidate(tcb.report, remote, port)
    if candidate is None or not candidate.inits:
        return
    candidate.on_late_answer(now, answer, error, seen)
    path = tcb.find_path(remote)
    if path is not None and path.unanswered_inits and candidate.kept:
        path.unanswered_inits -= 1


def handle_init_ack(tcb: Tcb, arrival: Arrival, zone_of_local: ZoneOfLocal | None) -> None:
    """INIT ACK in COOKIE-WAIT: the first one that can be used wins (sections 3.3.3 and 5.1 C)."""
    now = arrival.now
    candidate = find_candidate(tcb.report, arrival.remote, arrival.port)
    try:
        setup = parse_setup(arrival.value, ack=True)
    except ParseError:
        _reject_init_ack(tcb, now, candidate, initiate_tag(arrival.value), causes.invalid_parameter())
        return
    if setup.a_rwnd < MINIMUM_RWND and setup.initiate_tag:
        # "MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk [...] and MUST
        # NOT change the state of any existing association" (section 3.3.3)
        tcb.replies.append((setup.initiate_tag, control.abort([causes.invalid_parameter()]), None))
        return
    cause = _unusable(setup) or authentication.refusal(setup, tcb.config)
    cookie = setup.cookie
    if cause is None and cookie is not None:  # What is in the cookie, if anything, is the peer's affair.
        setup.addresses = arrival.placed(setup.addresses, tcb.remotes(), zone_of_local)
        _accept_init_ack(tcb, now, arrival.local, arrival.remote, arrival.port, setup, cookie)
        return
    cause = cause or causes.missing_parameter([PARAM_STATE_COOKIE])
    _reject_init_ack(tcb, now, candidate, setup.initiate_tag, cause)


def _reject_init_ack(tcb: Tcb, now: int, candidate: AddressReport | None, tag: int, cause: Cause) -> None:
    """Answer an INIT ACK that cannot be used (section 5.1); the address it came from has refused."""
    if tag:
        tcb.replies.append((tag, control.abort([cause]), None))
    else:
        tcb.replies.append((tcb.local_tag, control.abort([cause], reflected=True), None))
    if candidate is not None:
        refuse(tcb, now, candidate, ANSWER_MALFORMED, ECONNREFUSED, [cause])


def _unusable(setup: Setup) -> Cause | None:
    """Why an INIT ACK cannot be used, whether or not it has a State Cookie; None if it can."""
    if setup.initiate_tag == 0 or setup.outbound_streams == 0 or setup.inbound_streams == 0:
        return causes.invalid_parameter()
    if setup.host_name is not None:
        return named_host(setup)
    return None


def _accept_init_ack(tcb: Tcb, now: int, local: bytes, remote: bytes, port: int, setup: Setup, cookie: bytes) -> None:
    """The race is won: paths, COOKIE ECHO, T1-cookie."""
    opening = tcb.opening
    assert opening is not None
    attempt = opening.attempt
    attempt.stop()
    opening.init_targets.clear()
    tcb.set_peer_tag(setup.initiate_tag)
    load_peer(tcb, setup.initial_tsn, setup.a_rwnd, setup.inbound_streams, setup.outbound_streams)
    said = opening.said
    tcb.agree(capabilities.agreed(tcb.capabilities, setup, tcb.rules.error_detection_method), said.auth, setup.auth)
    if local and tcb.local_addresses != [local] and not said.addresses:
        # Our INIT has listed none: the peer knows its source "as the only destination transport address" (5.1.2 A).
        tcb.local_addresses = [local]
    if setup.unrecognized:
        opening.unrecognized = [causes.unrecognized_parameters(setup.unrecognized)]
    winner = attempt.find(remote, port)
    if winner is not None:
        winner.on_answer(now, ANSWER_INIT_ACK, 0, [])
    most = tcb.endpoint.limits.peer_addresses
    listed = peer_addresses(remote, setup.addresses, tcb.own_addresses, most)
    tcb.stats.addresses_passed_over += passed_over(setup.addresses, listed, most)
    keep_listed(tcb, attempt, listed, local, port, [remote])
    path = tcb.find_path(remote)
    if path is not None and winner is not None and winner.inits == 1:
        # INIT measures the round trip, too (section 8.3); Karn's rule applies.
        rto.measure(path, now - winner.first_sent, tcb.rules)
    for ip in listed:
        if tcb.find_path(ip) is None:
            tcb.add_path(ip, local if ip == remote else b"", port)
    report_learnt(tcb, attempt)
    choose_primary(tcb, tcb.find_path(remote), attempt.candidates[0].ip)
    tcb.peer_adaptation = setup.adaptation
    take_advice(tcb, tcb.find_path(setup.primary))
    opening.cookie = cookie
    tcb.transition(COOKIE_ECHOED)
    opening.retries = 0
    _send_cookie_echo(tcb, now, opening, tcb.data_destination())


def keep_listed(tcb: Tcb, attempt: Attempt, listed: list[bytes], local: bytes, port: int, heard: list[bytes]) -> None:
    """Paths to those of the caller's addresses that the peer has: confirmed (section 5.4, rule 1; CX3).

    ``heard`` are those the peer was heard from, the first one now, at ``local`` and from UDP port ``port``. A confirmed
    address need not be reachable: any other address whose INITs went unanswered, in whatever encapsulation, begins
    potentially failed, until a HEARTBEAT is answered there. A late INIT ACK only enters the report. With heartbeats
    switched off nothing could ever end that state, and the address begins as any other.
    """
    for candidate in attempt.candidates:
        if candidate.ip not in listed or attempt.best(candidate.ip, port) is not candidate:
            continue
        now_heard = candidate.ip == heard[0]
        source = local if local and now_heard else candidate.source
        path = tcb.add_path(candidate.ip, source, port if now_heard else candidate.udp_port)
        path.confirmed = True
        candidate.kept = True
        if candidate.ip in heard:
            continue  # What comes from there now is no answer to an INIT.
        path.unanswered_inits = candidate.unanswered
        if path.heartbeat_enabled and any(other.inits for other in attempt.candidates if other.ip == candidate.ip):
            failover.on_timeout(path)


def report_learnt(tcb: Tcb, attempt: Attempt) -> None:
    """Enter the addresses into the report that the peer named and the caller had not listed."""
    for path in tcb.paths:
        if not attempt.names(path.remote):
            learnt = AddressReport(path.remote, path.encaps_port, b"", False, 0)
            learnt.kept = True
            attempt.candidates.append(learnt)


def choose_primary(tcb: Tcb, winner: Path | None, first_listed: bytes) -> None:
    """The winner carries the data; the caller's first address is preferred if it answers later (CX10)."""
    confirmed = [path for path in tcb.paths if path.confirmed]
    if winner is None or (not winner.confirmed and confirmed):
        winner = confirmed[0] if confirmed else tcb.paths[0]
    tcb.primary = winner
    preferred = tcb.find_path(first_listed)
    tcb.preferred_primary = preferred if preferred is not None and preferred is not winner else None


def take_advice(tcb: Tcb, path: Path | None) -> None:
    """The peer prefers this one of its addresses (RFC 5061 section 5.4): that counts once the address is confirmed, if
    the user of this side has no wish."""
    if path is None or path is tcb.primary or tcb.preferred_primary is not None:
        return
    if path.confirmed:
        tcb.primary = path
    else:
        tcb.preferred_primary = path


def load_peer(tcb: Tcb, initial_tsn: int, a_rwnd: int, peer_inbound: int, peer_outbound: int) -> None:
    """What the peer said of itself in INIT or INIT ACK (section 5.1.1 for the streams)."""
    tcb.peer_initial_tsn = initial_tsn
    tcb.tsn_map = TsnMap(initial_tsn)
    tcb.peer_rwnd = tcb.peer_window = a_rwnd
    tcb.limit_packets()
    tcb.outbound_streams = min(tcb.rules.streams, peer_inbound)
    tcb.inbound_streams = min(tcb.rules.max_inbound_streams, peer_outbound)


def _send_cookie_echo(tcb: Tcb, now: int, opening: Opening, path: Path) -> None:
    """Send the COOKIE ECHO to ``path`` and start T1-cookie."""
    # To an unconfirmed address it "MUST be bundled with a HEARTBEAT", and with no more (section 5.4).
    chunks = control.cookie_echo(opening.cookie) + reachability.bundled_heartbeat(tcb, now, path)
    room = path.mtu - COMMON_HEADER - tcb.seal.overhead
    if not path.confirmed and len(chunks) > room:
        # With the HEARTBEAT it would exceed the PMTU, without it it MUST NOT be sent there; and only a peer that
        # lists none of the addresses it was asked at has no other for it.
        fail(tcb, EMSGSIZE)
        return
    tcb.send_control(path, chunks)
    if path.confirmed and opening.unrecognized:
        # "SHOULD bundle the ERROR chunk [...] with the chunk sent in response (e.g., COOKIE ECHO)"; by itself it MAY
        # be sent, "but not before the COOKIE ACK chunk has been received" (section 3.2.2).
        report = control.error(opening.unrecognized)
        if len(chunks) + len(report) <= room:
            tcb.send_control(path, report)
    path.unanswered_inits = 0  # What comes from there now answers the COOKIE ECHO.
    opening.t1_cookie_path = path
    opening.t1_cookie_sent = now
    opening.t1_cookie_deadline = now + path.rto


def _handle_t1_cookie(tcb: Tcb, now: int, opening: Opening) -> None:
    """T1-cookie expired: once more, to an address chosen as for data that timed out (section 5.1)."""
    path = opening.t1_cookie_path
    assert path is not None
    # The first COOKIE ECHO to each confirmed address is no retransmission to it.
    firsts = max(sum([1 for other in tcb.paths if other.confirmed]), 1)
    if opening.retries >= tcb.rules.max_init_retransmits + firsts - 1:
        shutdown.give_up(tcb)  # The association may be up at the peer: the COOKIE ACKs are lost, too.
        return
    opening.retries += 1
    tcb.count_error(path)
    rto.back_off(path, tcb.rules)
    _send_cookie_echo(tcb, now, opening, tcb.data_destination(avoid=path))


def handle_cookie_ack(tcb: Tcb, now: int, path: Path) -> None:
    """COOKIE ACK in COOKIE-ECHOED: the association is up (section 5.1 E)."""
    opening = tcb.opening
    assert opening is not None
    asked = path is opening.t1_cookie_path
    if opening.retries == 0 and asked:
        rto.measure(path, now - opening.t1_cookie_sent, tcb.rules)
    echoed = asked or path is tcb.primary
    establish(tcb, now)
    if echoed:
        reachability.on_reached(tcb, now, path)
    tcb.leave_failed_primary()


def establish(tcb: Tcb, now: int) -> None:
    """Enter ESTABLISHED from whatever came before."""
    tcb.opening = None
    table.furnish(tcb)
    tcb.error_count = 0
    tcb.transition(ESTABLISHED)
    for path in tcb.paths:
        path.last_used = now
        path.heartbeat_timeout = NEVER  # What was bundled with the COOKIE ECHO has had its answer, or is sent again.
    tcb.events.append(CommunicationUp(tcb.association, tcb.incoming))
    tell_adaptation(tcb)
    for path in tcb.paths:
        if path.state == PATH_INACTIVE:
            tcb.tell_state(path)  # It failed while there was nobody to tell.
    reachability.start(tcb, now)
    if tcb.shutdown_requested:
        shutdown.shutdown(tcb, now)


def tell_adaptation(tcb: Tcb) -> None:
    """The association is up, or up again: the user hears what the peer has above SCTP, if it said so."""
    if tcb.peer_adaptation >= 0:
        tcb.events.append(AdaptationIndication(tcb.association, tcb.peer_adaptation))


def handle_stale_cookie(tcb: Tcb, now: int) -> None:
    """ERROR with Stale Cookie in COOKIE-ECHOED: ask for a longer life (section 5.2.6, alternative 3)."""
    opening = tcb.opening
    if tcb.state != COOKIE_ECHOED or opening is None:
        return
    if opening.stale_retries >= MAX_STALE_RETRIES:
        fail(tcb, ETIMEDOUT)
        return
    opening.stale_retries += 1
    round_trip_ms = (now - opening.t1_cookie_sent) // 1_000_000
    # "SHOULD use the RTT information measured based on the previous COOKIE ECHO/ERROR chunk exchange and
    # SHOULD add no more than 1 second beyond the measured RTT"
    tcb.capabilities = opening.offered
    opening.said.cookie_preservative = round_trip_ms + PRESERVATIVE_MARGIN_MS
    opening.init_chunk = opening.said.encode()
    winner = opening.t1_cookie_path
    again = [c for c in opening.attempt.candidates if c.listed and c.kept]
    if winner is not None:  # It answered last time: it goes first.
        again = [c for c in again if c.ip == winner.remote] + [c for c in again if c.ip != winner.remote]
    if not again:
        fail(tcb, ETIMEDOUT)
        return
    opening.attempt.again(again, now, tcb.rules.rto_initial)
    tcb.report = opening.attempt.candidates
    tcb.authentication = None
    tcb.set_peer_tag(0)
    tcb.paths.clear()
    tcb.moved = True
    tcb.primary = tcb.preferred_primary = opening.t1_cookie_path = None
    opening.t1_cookie_deadline = NEVER
    tcb.control.clear()
    tcb.transition(COOKIE_WAIT)
    _handle_attempt_timer(tcb, now, opening)


def accept(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> None:
    """A valid COOKIE ECHO: build the listener's side (section 5.1.5, 5 and 6)."""
    tcb.incoming = True
    load_cookie(tcb, cookie, local, remote, port)
    establish(tcb, now)
    send_cookie_ack(tcb, now, local, remote)


def load_cookie(tcb: Tcb, cookie: Cookie, local: bytes, remote: bytes, port: int) -> None:
    """Take the peer's side of the association from a cookie of ours."""
    tcb.set_peer_tag(cookie.peer_tag)
    load_peer(
        tcb, cookie.peer_initial_tsn, cookie.peer_a_rwnd, cookie.peer_inbound_streams, cookie.peer_outbound_streams
    )
    tcb.agree(cookie.capabilities, cookie.local_auth, cookie.peer_auth)
    for ip in cookie.addresses:
        path = tcb.find_path(ip)
        if path is None:
            here = local if ip == remote else (cookie.local if ip == cookie.source else b"")
            path = tcb.add_path(ip, here, port if ip == remote else cookie.udp_port)
        if ip == cookie.source:
            # "the only CONFIRMED address is the address to which the packet containing the INIT ACK chunk
            # was sent" (section 5.4, rule 2)
            path.confirmed = True
    tcb.peer_adaptation = cookie.adaptation
    if tcb.primary is None:
        tcb.primary = tcb.find_path(cookie.source)
        if cookie.primary:
            take_advice(tcb, tcb.find_path(cookie.addresses[cookie.primary]))


def begin_setup_packet(tcb: Tcb, local: bytes, remote: bytes) -> Path:
    """A setup packet came from ``remote`` to ``local``: answer it there if that is an address of the peer."""
    path = tcb.find_path(remote)
    tcb.answering.local = local if path is not None else b""
    if path is None:
        path = tcb.data_destination()
    tcb.begin_packet(path)
    return path


def send_cookie_ack(tcb: Tcb, now: int, local: bytes, remote: bytes) -> None:
    """COOKIE ACK to where the COOKIE ECHO came from (section 6.4), first in its packet."""
    path = begin_setup_packet(tcb, local, remote)
    # To an unconfirmed address it "MUST be bundled with a HEARTBEAT" (section 5.4).
    tcb.respond(control.cookie_ack() + reachability.bundled_heartbeat(tcb, now, path), first=True)
