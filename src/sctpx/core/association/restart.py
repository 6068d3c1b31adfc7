"""Setup chunks for an association that exists: collisions, duplicates, restarts (RFC 9260 section 5.2).

An INIT only draws an answer and changes nothing; a valid COOKIE ECHO then resolves what happened by
comparing tags (table 12).
"""

from __future__ import annotations

from errno import ECONNRESET
from typing import Final

from ...wire import causes, control
from ...wire.codes import CHUNK_HEADER, COMMON_HEADER
from ...wire.serial import TSN_MASK, UNWRAPPED
from ...wire.setup import Setup
from .. import authentication
from ..arrival import Arrival
from ..entropy import random_tag, random_u32
from ..events import CommunicationLost, Restarted, Writable
from ..ext import asconf, auth, table
from ..init_answer import init_ack, make_cookie, peer_addresses, told
from ..path.path import Path, largest_packet
from ..rx.streams import MORE, UNORDERED
from ..state_cookie import Cookie, CookieJar
from . import handshake, reachability, reader, shutdown, transfer
from .association import Association
from .connect import ANSWER_COOKIE_ECHO
from .state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED, SHUTDOWN_ACK_SENT
from .tcb import Tcb
from .undelivered import undelivered

# What became of a COOKIE ECHO.
REJECTED: Final = 0
ACCEPTED: Final = 1
"""The association is the one of the cookie: the rest of the packet counts."""
ANOTHER: Final = 2
"""The cookie is for another association."""
# An IPv6 address parameter.
_LARGEST_ADDRESS: Final = 20


def answer_to(tcb: Tcb, arrival: Arrival, setup: Setup) -> tuple[bytes, bytes, int]:
    """Where the answer to an INIT goes: our address, the peer's and its UDP port.

    To the source, but in COOKIE-WAIT it "MUST only be sent to an address passed by the upper layer", one that is
    "reported in the incoming INIT chunk" too (section 5.2.1).
    """
    if tcb.state == COOKIE_WAIT:
        assert tcb.opening is not None  # This side has sent INITs.
        attempt = tcb.opening.attempt
        for ip in [] if attempt.names(arrival.remote) else setup.addresses:
            listed = attempt.find(ip, arrival.port)
            if listed is not None:
                return listed.source, listed.ip, listed.udp_port
    return arrival.local, arrival.remote, arrival.port


def handle_init(tcb: Tcb, now: int, jar: CookieJar, local: bytes, remote: bytes, port: int, setup: Setup) -> None:
    """An INIT from the peer of this association (sections 5.2.1 and 5.2.2, 9.2 for SHUTDOWN-ACK-SENT).

    ``local``, ``remote`` and ``port`` are where the answer goes, by ``answer_to``.
    """
    if tcb.state == SHUTDOWN_ACK_SENT:
        # "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk"
        handshake.begin_setup_packet(tcb, local, remote)
        shutdown.resend_shutdown_ack(tcb)
        return
    most = tcb.endpoint.limits.peer_addresses
    config = tcb.config
    if config.on_restart == "end" and tcb.state not in (COOKIE_WAIT, COOKIE_ECHOED):
        config = tcb.endpoint.config  # It will be another association.
    cause = authentication.refusal(setup, config)
    if cause is not None:
        tcb.replies.append((setup.initiate_tag, control.abort([cause]), None))
        return
    cookie = make_cookie(setup, config, now, local, remote, port, tcb.own_addresses, most)
    cookie.local_port = tcb.local_port
    cookie.peer_port = tcb.peer_port
    if tcb.state != COOKIE_WAIT:
        named = peer_addresses(remote, setup.addresses, tcb.own_addresses, most)
        added = [ip for ip in named if tcb.find_path(ip) is None]
        if added:
            # As many of them as one packet takes: it goes to whoever sent the INIT.
            room = largest_packet(tcb.rules.usual_mtu, remote, port) - COMMON_HEADER - 2 * CHUNK_HEADER
            cause = causes.restart_with_new_addresses(added[: room // _LARGEST_ADDRESS])
            tcb.replies.append((setup.initiate_tag, control.abort([cause]), None))
            return
        if not tcb.local_tie_tag:
            tcb.local_tie_tag = random_tag(tcb.random_bytes)
            tcb.peer_tie_tag = random_tag(tcb.random_bytes)
        cookie.local_tie_tag = tcb.local_tie_tag
        cookie.peer_tie_tag = tcb.peer_tie_tag
    if tcb.opening is not None:
        # With "the same parameters it sent in its original INIT chunk".
        cookie.local_tag = tcb.local_tag
        cookie.local_initial_tsn = tcb.initial_tsn & TSN_MASK
        said = tcb.opening.said
        announce = said.addresses
        if cookie.local_auth is not None:
            cookie.local_auth = said.auth
    else:
        cookie.local_tag = tcb.endpoint.draw_tag(tcb.random_bytes)
        cookie.local_initial_tsn = random_u32(tcb.random_bytes)
        announce = told(setup, local, remote, tcb.endpoint.announced_to(cookie.addresses))
    tcb.replies.append((setup.initiate_tag, init_ack(setup, cookie, jar, config, now, announce), None))


def handle_cookie_echo(
    association: Association, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int
) -> int:
    """A COOKIE ECHO with a cookie of ours (section 5.2.4): what became of it."""
    tcb = association.tcb
    local_matches = cookie.local_tag == tcb.local_tag
    peer_matches = cookie.peer_tag == tcb.peer_tag
    late = now - cookie.created - cookie.lifespan
    if late > 0 and not (local_matches and peer_matches):
        report = control.error([causes.stale_cookie(-(-late // 1000))])
        tcb.replies.append((cookie.peer_tag, auth.answer_to(tcb, cookie, report), None))
        return REJECTED
    if local_matches and peer_matches:
        # Action D.
        if tcb.state == COOKIE_ECHOED:
            handshake.establish(tcb, now)
        _acknowledge(tcb, now, local, remote, port)
        return ACCEPTED
    if local_matches:
        _collision(tcb, now, cookie, local, remote, port)
        return ACCEPTED
    if not peer_matches:
        left = _left(tcb, cookie, remote, port)
        # Another stack behind that IP address, or the same one started anew? Whoever is at the old UDP port knows.
        known = reachability.ask(tcb, now, left[0]) if left else reachability.SILENT
        if known == reachability.ASKED:
            return REJECTED  # The COOKIE ECHO comes again when T1-cookie expires.
        if known == reachability.LIVES:
            return ANOTHER
        if tcb.local_tie_tag and _tie_tags_match(tcb, cookie):
            return _restart(association, now, cookie, left, local, remote, port)
    # Action C and whatever the table does not show: "the cookie SHOULD be silently discarded".
    tcb.stats.packets_discarded += 1
    return REJECTED


def _tie_tags_match(tcb: Tcb, cookie: Cookie) -> bool:
    return cookie.local_tie_tag == tcb.local_tie_tag and cookie.peer_tie_tag == tcb.peer_tie_tag


def meant_by(cookie: Cookie, found: list[Association]) -> Association:
    """Of the associations with an address of the cookie, the one that its INIT was answered for, or the first one."""
    for association in found:
        if cookie.local_tie_tag and association.tcb.local_tie_tag == cookie.local_tie_tag:
            return association
    return found[0]


def _acknowledge(tcb: Tcb, now: int, local: bytes, remote: bytes, port: int) -> None:
    """The cookie shows our tag, and the association lives on: COOKIE ACK."""
    path = tcb.find_path(remote)
    if path is not None and path.encaps_port != port:
        tcb.learn_port(path, port)  # RFC 6951 section 5.4
    handshake.send_cookie_ack(tcb, now, local, remote)


def _collision(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> None:
    """Action B: both sides initiated; the peer's tag is the one in the cookie."""
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        _resolve(tcb, now, cookie, local, remote, port)
        handshake.establish(tcb, now)
    else:
        # "The endpoint SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's
        # Verification Tag from the State Cookie"
        tcb.set_peer_tag(cookie.peer_tag)
        auth.on_peer_random(tcb, cookie.peer_auth)
        if tcb.tsn_map.highest_tsn < tcb.peer_initial_tsn:
            # Nothing was received yet: what comes now counts from the TSN of the INIT that the cookie answers.
            tcb.peer_initial_tsn = cookie.peer_initial_tsn
            tcb.tsn_map.reset(cookie.peer_initial_tsn)
    _acknowledge(tcb, now, local, remote, port)


def _resolve(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> None:
    """The association is the one of the cookie, over the caller's addresses as far as the peer has them."""
    attempt = None if tcb.opening is None else tcb.opening.attempt
    heard = [remote, cookie.source]
    if attempt is not None:
        for ip, its_port in ((cookie.source, cookie.udp_port), (remote, port)):
            candidate = attempt.find(ip, its_port)
            if candidate is not None:
                candidate.on_answer(now, ANSWER_COOKIE_ECHO, 0, [])
        if tcb.state == COOKIE_WAIT:
            handshake.keep_listed(tcb, attempt, cookie.addresses, local, port, heard)
    handshake.load_cookie(tcb, cookie, local, remote, port)
    for path in tcb.paths:
        if path.remote in heard:
            path.unanswered_inits = 0  # What comes from there now is no answer to an INIT.
    if attempt is not None:
        handshake.choose_primary(tcb, tcb.find_path(cookie.source), attempt.candidates[0].ip)
        handshake.report_learnt(tcb, attempt)
    tcb.control.clear()  # The COOKIE ECHO of ours answers a tag the peer has given up.


def _restart(
    association: Association, now: int, cookie: Cookie, left: list[Path], local: bytes, remote: bytes, port: int
) -> int:
    """Action A: the peer restarted; the association begins anew under the same name, or ends."""
    old = association.tcb
    if old.state == SHUTDOWN_ACK_SENT:
        # "it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR
        # chunk with a 'Cookie Received While Shutting Down' error cause"
        handshake.begin_setup_packet(old, local, remote)
        shutdown.resend_shutdown_ack(old)
        old.respond(control.error([causes.cookie_while_shutting_down()]))
        return REJECTED
    # Perhaps another stack lives behind the old UDP port all the same, and the question or the answer was lost.
    abort = control.abort([causes.protocol_violation("another UDP port of your IP address uses your SCTP port")])
    old.replies.extend([(old.peer_tag, old.seal.protect(abort), path) for path in left])
    if old.config.on_restart == "end":
        shutdown.end(old, CommunicationLost(old.association, ECONNRESET, True, [], restarted=True))
        return ANOTHER
    asconf.on_restart(old)
    tcb = association.begin_anew(cookie.local_tag, cookie.local_initial_tsn + UNWRAPPED)
    # Those that the INIT ACK has told: the peer knows nothing of what was changed before (RFC 5061).
    tcb.local_addresses = tcb.endpoint.known_to(cookie.addresses, cookie.local)
    # The paths of a new association, to the addresses the cookie names (sections 5.1.2 and 5.4).
    handshake.load_cookie(tcb, cookie, local, remote, port)
    tcb.transition(ESTABLISHED)
    table.furnish(tcb)
    _keep_settings(old, tcb)
    _keep_received(old, tcb)
    tcb.events.append(Restarted(tcb.association, undelivered(old)))
    handshake.tell_adaptation(tcb)
    if old.wants_writable:
        tcb.events.append(Writable(tcb.association))
    reachability.start(tcb, now)
    handshake.send_cookie_ack(tcb, now, local, remote)
    if old.shutdown_requested:
        shutdown.shutdown(tcb, now)  # The user wanted an end, whoever the peer is now.
        assert tcb.closing is not None  # The end has begun.
        if old.closing is not None and old.closing.t5_started >= 0:
            tcb.closing.t5_started = old.closing.t5_started  # And has waited for it: restarts do not put it off.
            tcb.closing.schedule_guards(tcb.config)
    return ACCEPTED


def _left(tcb: Tcb, cookie: Cookie, remote: bytes, port: int) -> list[Path]:
    """The paths to IP addresses at which the peer of the cookie has another UDP port; that of ``remote`` goes first.

    An association is known by its IP addresses and SCTP ports alone: the UDP header is removed before the lookup (RFC
    6951 section 5.4). So a peer that has another UDP port now may have restarted. But an IP address may have several
    stacks behind it, each with its UDP port (section 5.1), and two of them that use one SCTP port look the same.
    """
    left: list[Path] = []
    for path in tcb.paths:
        now_at = port if path.remote == remote else cookie.udp_port
        if path.confirmed and path.remote in cookie.addresses and path.encaps_port != now_at:
            left.insert(0 if path.remote == remote else len(left), path)
    return left


def _keep_settings(old: Tcb, tcb: Tcb) -> None:
    """What the user has set for an address stays set."""
    for path in tcb.paths:
        before = old.find_path(path.remote)
        if before is not None:
            path.keep_settings(before)
    tcb.limit_packets()


def _keep_received(old: Tcb, tcb: Tcb) -> None:
    """What the user can still read of the old life stays; what was on its way out or in parts is gone."""
    ready = old.reassembly.ready
    there = len(ready)
    broken = old.reassembly.break_off()  # What waited for the ends of these messages is behind ``there`` now.
    reader.count(old, there)
    gone = {(one.stream, one.ssn, one.unordered) for one in broken}
    left: list[int] = []
    for index, message in enumerate(ready):
        if not message[5] & MORE or (message[1], message[3], message[5] & UNORDERED != 0) not in gone:
            left.append(index)
    there -= len(ready) - len(left)
    origins = transfer.all_sources(old)
    first = old.stats.messages_received - len(left)
    tcb.sources = [(first + place, origins[index]) for place, index in enumerate(left)] or old.sources[-1:]
    tcb.reassembly.ready = [ready[index] for index in left]
    tcb.window.receive(sum([len(message[0]) for message in tcb.reassembly.ready]))
    tcb.readable_told = there > 0
    reader.tell_broken(tcb, broken, there)
    reader.wake(tcb)
