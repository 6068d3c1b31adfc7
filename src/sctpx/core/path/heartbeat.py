"""HEARTBEATs of one path: what they carry, when they are due (RFC 9260 sections 5.4 and 8.3, RFC 7829).

Heartbeat Info, opaque to the peer: a 64-bit nonce and the destination address. The time of sending stays
here, so that nobody can forge a round-trip time.

A path is in one of four rhythms: unconfirmed or potentially failed, one HEARTBEAT per RTO; otherwise one per
RTO and HB.interval with a jitter of half an RTO; or none, when the user switched them off.

What is due within a moment is due at once, as far as the jitter goes: thousands of idle associations are looked after
in few wake-ups, and their HEARTBEATs arrive in few.
"""

from __future__ import annotations

from typing import Final

from ..entropy import RandomBytes, random_below
from ..timers import MILLISECOND, NEVER, SECOND
from .path import Path
from .states import PATH_INACTIVE, PATH_POTENTIALLY_FAILED

NONCE_LENGTH: Final = 8
MOMENT: Final = 50 * MILLISECOND
SHORTEST_PAUSE: Final = SECOND // 2
LONGEST_PAUSE: Final = 60 * SECOND
"""The shortest and the longest pause between HEARTBEATs out of turn to a path that does not answer, ns."""


def schedule(path: Path, now: int, random_bytes: RandomBytes) -> None:
    """Set when the next HEARTBEAT is due, counted from ``now``."""
    if path.heartbeat_timeout != NEVER:
        return  # One is under way; its answer or its loss schedules the next.
    path.idle_since = now
    if not path.confirmed and path.state != PATH_INACTIVE:
        # "In each RTO, a probe MAY be sent on an active UNCONFIRMED path" (section 5.4).
        path.heartbeat_deadline = now
    elif not path.heartbeat_enabled:
        path.heartbeat_deadline = NEVER
    elif path.state == PATH_POTENTIALLY_FAILED or (path.doubtful and path.state != PATH_INACTIVE):
        path.heartbeat_deadline = now  # RFC 7829 section 3.2 (5, 6)
    else:
        # The RTO plus HB.interval, "with jittering of +/- 50% of the RTO value" (section 8.3).
        earliest = now + path.heartbeat_interval + path.rto - path.rto // 2
        deadline = earliest + random_below(random_bytes, path.rto + 1)
        if path.rto >= MOMENT:
            deadline = (deadline + MOMENT // 2) // MOMENT * MOMENT
            if deadline < earliest:
                deadline += MOMENT
            elif deadline > earliest + path.rto:
                deadline -= MOMENT
        path.heartbeat_deadline = deadline


def ask(path: Path, now: int) -> None:
    """A HEARTBEAT is due at once, whatever the rhythm of the path."""
    path.idle_since = now
    path.heartbeat_deadline = now


def begin(path: Path, now: int, random_bytes: RandomBytes) -> bytes:
    """A HEARTBEAT leaves now: its Heartbeat Info."""
    path.heartbeat_nonce = random_bytes(NONCE_LENGTH)
    path.heartbeat_repeated = False
    path.heartbeat_sent = now
    path.heartbeat_timeout = now + path.rto
    path.heartbeat_deadline = NEVER
    path.heartbeats_sent += 1
    path.last_used = now
    return path.heartbeat_nonce + path.remote


def repeat(path: Path) -> bytes:
    """The HEARTBEAT that is under way leaves once more: its Heartbeat Info.

    Either may be answered, so the answer measures nothing (Karn's algorithm).
    """
    path.heartbeat_repeated = True
    path.heartbeats_sent += 1
    return path.heartbeat_nonce + path.remote


def question(path: Path, now: int, random_bytes: RandomBytes) -> bytes:
    """A HEARTBEAT leaves out of turn: its Heartbeat Info.

    An answer to it counts as any other does. No timer waits for it, and its loss is no error. Each one without an
    answer doubles the pause before the next.
    """
    path.question_nonce = random_bytes(NONCE_LENGTH)
    path.questioned_at = now
    path.question_pause = min(max(2 * path.question_pause, SHORTEST_PAUSE), LONGEST_PAUSE)
    path.heartbeats_sent += 1
    path.last_used = now
    return path.question_nonce + path.remote


def settle(path: Path, info: bytes) -> None:
    """A HEARTBEAT to ``path`` was answered, perhaps the one out of turn: no timer waits any more."""
    if info[:NONCE_LENGTH] == path.question_nonce:
        path.question_nonce = b""
        path.heartbeat_sent = path.questioned_at
        path.heartbeat_repeated = False
    path.heartbeat_nonce = b""
    path.heartbeat_timeout = NEVER
    path.question_pause = 0


def find(paths: list[Path], info: bytes) -> Path | None:
    """The path whose HEARTBEAT this Heartbeat Info answers, if the nonce is the one sent to it."""
    nonce = info[:NONCE_LENGTH]
    remote = info[NONCE_LENGTH:]
    for path in paths:
        if path.remote == remote:
            return path if nonce and nonce in (path.heartbeat_nonce, path.question_nonce) else None
    return None
