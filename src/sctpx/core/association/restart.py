"""Setup chunks for an association that exists: collisions, duplicates, restarts (RFC 9260 section 5.2).

An INIT only draws an answer and changes nothing; a valid COOKIE ECHO then resolves what happened by
comparing tags (table 12).
"""

from __future__ import annotations

from ...wire import causes, control
from ...wire.checksum import header_checksum
from ...wire.packet import prefix
from ...wire.serial import TSN_MASK, UNWRAPPED
from ...wire.setup import Setup
from ..config import nanoseconds
from ..entropy import random_tag, random_u32
from ..events import Restarted, Writable
from ..init_answer import init_ack, make_cookie, peer_addresses
from ..rx.reassembly import Reassembly
from ..rx.sack_policy import SackPolicy
from ..rx.window import Window
from ..state_cookie import Cookie, CookieJar
from ..tx.outstanding import Outstanding
from . import handshake, reachability, shutdown
from .state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED, SHUTDOWN_ACK_SENT
from .tcb import PROBE_NONE, Tcb


def handle_init(
    tcb: Tcb, now: int, jar: CookieJar, announce: list[bytes], local: bytes, remote: bytes, port: int, setup: Setup
) -> None:
    """An INIT from the peer of this association (sections 5.2.1 and 5.2.2, 9.2 for SHUTDOWN-ACK-SENT)."""
    if tcb.state == SHUTDOWN_ACK_SENT:
        # "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk"
        shutdown.resend_shutdown_ack(tcb)
        return
    cookie = make_cookie(setup, tcb.config, now, local, remote, port)
    cookie.local_port = tcb.local_port
    cookie.peer_port = tcb.peer_port
    if tcb.state == COOKIE_WAIT:
        # The INIT ACK "MUST only be sent to an address passed by the upper layer".
        if tcb.attempt is None or tcb.attempt.find(remote) is None:
            tcb.stats.packets_discarded += 1
            return
    else:
        added = [ip for ip in peer_addresses(remote, setup.addresses) if tcb.find_path(ip) is None]
        if added:
            cause = causes.restart_with_new_addresses(added)
            tcb.replies.append((setup.initiate_tag, control.abort([cause])))
            return
        if not tcb.local_tie_tag:
            tcb.local_tie_tag = random_tag(tcb.random_bytes)
            tcb.peer_tie_tag = random_tag(tcb.random_bytes)
        cookie.local_tie_tag = tcb.local_tie_tag
        cookie.peer_tie_tag = tcb.peer_tie_tag
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        # With "the same parameters it sent in its original INIT chunk".
        cookie.local_tag = tcb.local_tag
        cookie.local_initial_tsn = tcb.initial_tsn & TSN_MASK
    else:
        cookie.local_tag = random_tag(tcb.random_bytes)
        cookie.local_initial_tsn = random_u32(tcb.random_bytes)
    tcb.replies.append((setup.initiate_tag, init_ack(setup, cookie, jar, tcb.config, now, announce)))


def handle_cookie_echo(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> bool:
    """A COOKIE ECHO with a cookie of ours (section 5.2.4). True if the rest of its packet counts."""
    local_matches = cookie.local_tag == tcb.local_tag
    peer_matches = cookie.peer_tag == tcb.peer_tag
    late = now - cookie.created - cookie.lifespan
    if late > 0 and not (local_matches and peer_matches):
        tcb.replies.append((cookie.peer_tag, control.error([causes.stale_cookie(-(-late // 1000))])))
        return False
    path = tcb.find_path(remote)
    if local_matches and path is not None and path.encaps_port != port:
        tcb.learn_port(path, port)  # RFC 6951 section 5.4
    if local_matches and peer_matches:
        # Action D.
        if tcb.state == COOKIE_ECHOED:
            handshake.establish(tcb, now)
        handshake.send_cookie_ack(tcb, now, remote)
        return True
    if local_matches:
        return _collision(tcb, now, cookie, local, remote, port)
    if not peer_matches and tcb.local_tie_tag and _tie_tags_match(tcb, cookie):
        return _restart(tcb, now, cookie, local, remote, port)
    # Action C and whatever the table does not show: "the cookie SHOULD be silently discarded".
    tcb.stats.packets_discarded += 1
    return False


def _tie_tags_match(tcb: Tcb, cookie: Cookie) -> bool:
    return cookie.local_tie_tag == tcb.local_tie_tag and cookie.peer_tie_tag == tcb.peer_tie_tag


def _collision(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> bool:
    """Action B: both sides initiated; the peer's tag is the one in the cookie."""
    if tcb.state == COOKIE_WAIT and tcb.attempt is not None:
        for candidate in tcb.attempt.candidates:
            if candidate.ip in cookie.addresses:
                handshake.add_listed_path(tcb, candidate, local if candidate.ip == remote else b"")
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        handshake.load_cookie(tcb, cookie, local, remote, port)
        if tcb.attempt is not None:
            handshake.choose_primary(tcb, tcb.find_path(cookie.source), tcb.attempt.candidates[0].ip)
        tcb.control.clear()  # The COOKIE ECHO of ours answers a tag the peer has given up.
        handshake.establish(tcb, now)
    else:
        # "The endpoint SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's
        # Verification Tag from the State Cookie"
        tcb.set_peer_tag(cookie.peer_tag)
        if tcb.stats.bytes_received == 0:
            tcb.peer_initial_tsn = cookie.peer_initial_tsn
            tcb.tsn_map.reset(cookie.peer_initial_tsn)
    handshake.send_cookie_ack(tcb, now, remote)
    return True


def _restart(tcb: Tcb, now: int, cookie: Cookie, local: bytes, remote: bytes, port: int) -> bool:
    """Action A: the peer restarted; the association begins anew under the same name."""
    if tcb.state == SHUTDOWN_ACK_SENT:
        # "it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR
        # chunk with a 'Cookie Received While Shutting Down' error cause"
        shutdown.resend_shutdown_ack(tcb)
        tcb.send_control(tcb.data_destination(), control.error([causes.cookie_while_shutting_down()]))
        return False
    shutdown.stop_timers(tcb)
    tcb.control.clear()
    tcb.sack_chunks.clear()
    tcb.shutdown_requested = False
    tcb.local_tag = cookie.local_tag
    tcb.peer_prefix = prefix(tcb.peer_port, tcb.local_port, cookie.local_tag)
    tcb.peer_seed = header_checksum(tcb.peer_prefix)
    tcb.local_tie_tag = tcb.peer_tie_tag = 0
    tcb.initial_tsn = cookie.local_initial_tsn + UNWRAPPED
    # The paths of a new association, to the addresses the cookie names (sections 5.1.2 and 5.4).
    tcb.paths.clear()
    tcb.primary = tcb.preferred_primary = tcb.data_path = tcb.sack_path = None
    handshake.load_cookie(tcb, cookie, local, remote, port)
    tcb.sack_policy = SackPolicy(nanoseconds(tcb.config.sack_delay), tcb.config.stretch_sack)
    # Data of the old life: what the user can still read stays; what was on its way out or in parts is gone.
    ready = tcb.reassembly.ready
    tcb.reassembly = Reassembly(tcb.config.partial_limit)
    tcb.reassembly.ready = ready
    tcb.window = Window(tcb.config.receive_buffer, tcb.config.mtu)
    tcb.window.receive(sum([len(message[0]) for message in ready]))
    tcb.outstanding = Outstanding(tcb.initial_tsn)
    tcb.send_queue.clear()
    tcb.buffered = 0
    tcb.was_dry = True
    tcb.probing = PROBE_NONE
    tcb.error_count = 0
    if tcb.state != ESTABLISHED:
        tcb.transition(ESTABLISHED)
    tcb.events.append(Restarted(tcb.association))
    if tcb.wants_writable:
        tcb.wants_writable = False
        tcb.events.append(Writable(tcb.association))
    reachability.start(tcb, now)
    handshake.send_cookie_ack(tcb, now, remote)
    return True
